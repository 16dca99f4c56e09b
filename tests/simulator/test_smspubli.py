"""SMSPubli, simulated: it answers as documented."""

import pytest

from tests.programs import PATIENCE
from tests.simulator.client import Client


def test_smspubli_answers_a_string_with_four_decimals(client: Client) -> None:
    answer = client.ask("smspubli")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "result": {"balance": "0.6000", "currency": "EUR"}}


@pytest.mark.parametrize("path", ["/subaccount/get-balance", "/account/get-balance"])
def test_smspubli_answers_for_a_sub_account_on_both_endpoints(client: Client, path: str) -> None:
    answer = client.sms({"api_key": client.simulator.keys["smspubli"], "user_name": "branch-a"}, path)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "result": {"balance": "1225.0000", "currency": "CREDITS"}}


@pytest.mark.parametrize(
    ("content_type", "body", "status", "error_id"),
    [
        pytest.param("application/json", '{"api_key": ', 400, "JSON_PARSE_ERROR", id="not-json"),
        pytest.param("application/json", "[]", 400, "MISSING_PARAMS", id="not-an-object"),
        pytest.param("application/json", "{}", 400, "MISSING_PARAMS", id="no-key"),
        pytest.param("application/json", '{"api_key": "x"}', 401, "UNAUTHORIZED", id="wrong-key"),
        pytest.param(
            "application/json; charset=utf-8", '{"api_key": "x"}', 401, "UNAUTHORIZED", id="charset"
        ),
        pytest.param("text/plain", '{"api_key": "x"}', 400, "INVALID_CONTENT_TYPE", id="wrong-type"),
        pytest.param(None, '{"api_key": "x"}', 400, "INVALID_CONTENT_TYPE", id="no-type"),
    ],
)
def test_smspubli_refuses_a_bad_request_with_its_error_id(
    client: Client, content_type: str | None, body: str, status: int, error_id: str
) -> None:
    url = client.simulator.base_url("smspubli") + "/account/get-balance"
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.session.post(url, data=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == status
    assert answer.json()["status"] == "error"
    assert answer.json()["error_id"] == error_id
    assert set(answer.json()) == {"status", "error_id", "error_msg"}


@pytest.mark.parametrize(
    ("fields", "error_id"),
    [
        ({}, "MISSING_PARAMS"),
        ({"user_name": "nobody"}, "BAD_PARAMS"),
        ({"user_name": "main"}, "BAD_PARAMS"),
        ({"user_name": ["branch-a"]}, "BAD_PARAMS"),
    ],
)
def test_smspubli_refuses_a_sub_account_that_it_does_not_have(
    client: Client, fields: dict[str, object], error_id: str
) -> None:
    answer = client.sms({"api_key": client.simulator.keys["smspubli"], **fields}, "/subaccount/get-balance")
    assert (answer.status_code, answer.json()["error_id"]) == (400, error_id)
