"""Which answers are good, and which reason the others have: codes first, then statuses, then the rules of success."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from exporter.extract.extractor import Extractor
from exporter.model import Failure, Reason

ERRORS = {
    "code": ["code", "error.id"],
    "auth": ["BAD", 7],
    "rate_limited": ["SLOW"],
    "exhausted": ["EMPTY"],
    "statuses": {402: "exhausted", 403: "rate_limited", 456: "exhausted", 503: "unreachable"},
}
GOOD = {"data": {"balance": 0}}
Reasoned = Callable[..., Reason | None]


@pytest.fixture
def reason(define: Callable[..., Any]) -> Reasoned:
    """Return the reason that an answer has by a definition, None for a good one."""

    def reason(status: int, body: Any, **parts: Any) -> Reason | None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            Extractor(define(**parts)).document(status, raw)
        except Failure as failure:
            return failure.reason
        return None

    return reason


@pytest.mark.parametrize("success", [[], {"path": "data", "absent": True}, {"path": "ok", "equals": [True]}])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ({"code": "BAD"}, "auth"),
        ({"code": 7}, "auth"),
        ({"code": "SLOW"}, "rate_limited"),
        ({"code": "EMPTY"}, "exhausted"),
        ({"error": {"id": "EMPTY"}}, "exhausted"),
        ({"code": 0, "error": {"id": "BAD"}}, "auth"),
        ({"code": None, "error": {"id": "SLOW"}}, "rate_limited"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 402, 429, 500])
def test_a_listed_code_counts_before_everything_inside_a_200_too(
    success: Any, code: Any, expected: str, status: int, reason: Reasoned
) -> None:
    assert reason(status, {**GOOD, "ok": True, **code}, success=success, errors=ERRORS) == expected


@pytest.mark.parametrize(
    "code", [{}, {"code": "FINE"}, {"code": True}, {"code": "7"}, {"code": ["BAD"]}, {"error": "BAD"}]
)
def test_any_other_code_in_a_good_answer_does_not_matter(code: Any, reason: Reasoned) -> None:
    assert reason(200, {**GOOD, **code}, errors=ERRORS) is None


def test_a_code_that_is_looked_for_by_a_function_need_not_be_there(reason: Reasoned) -> None:
    errors = {"code": "contains(message, 'key') && 'BAD'", "auth": ["BAD"]}
    assert reason(200, GOOD, errors=errors) is None
    assert reason(200, {**GOOD, "message": "wrong key"}, errors=errors) == "auth"
    assert reason(500, {"message": {"text": "key"}}, errors=errors) == "http_status"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (402, "exhausted"),
        (456, "exhausted"),
        (403, "rate_limited"),
        (503, "unreachable"),
        (401, "auth"),
        (429, "rate_limited"),
        (400, "http_status"),
        (500, "http_status"),
        (302, "redirect"),
    ],
)
@pytest.mark.parametrize("body", [GOOD, b"", b"<html>", b"\xff"])
def test_a_status_means_what_the_definition_says_else_what_it_means_everywhere(
    status: int, expected: str, body: Any, reason: Reasoned
) -> None:
    assert reason(status, body, errors=ERRORS) == expected


@pytest.mark.parametrize(
    ("success", "body", "expected"),
    [
        ({"path": "state", "errors": ["SUSPENDED"]}, {"state": "SUSPENDED"}, "api_error"),
        ({"path": "state", "errors": ["SUSPENDED"]}, {"state": "ACTIVE"}, None),
        ({"path": "state", "errors": ["SUSPENDED"]}, {"state": 5}, None),
        ({"path": "state", "errors": ["SUSPENDED"]}, {"state": None}, None),
        ({"path": "state", "errors": ["SUSPENDED"]}, {}, None),
        ({"path": "state", "equals": ["OK"]}, {"state": "OK"}, None),
        ({"path": "state", "equals": ["OK"]}, {"state": "NO"}, "api_error"),
        ({"path": "state", "equals": ["OK"]}, {"state": 5}, "malformed"),
        ({"path": "state", "equals": ["OK"]}, {}, "malformed"),
        ({"path": "state", "equals": ["OK"], "errors": ["NO"]}, {"state": "NO"}, "api_error"),
        ({"path": "state", "equals": ["OK"], "errors": ["NO"]}, {"state": "MAYBE"}, "malformed"),
        ({"path": "state", "absent": True}, {}, None),
        ({"path": "state", "absent": True}, {"state": "NO"}, "api_error"),
        ({"path": "length(state)", "equals": [0]}, {}, "malformed"),
        ([], {"state": "NO"}, None),
    ],
)
def test_a_rule_holds_or_the_answer_is_an_error(
    success: Any, body: Any, expected: str | None, reason: Reasoned
) -> None:
    assert reason(200, body, success=success) == expected


RULES = [
    {"statuses": [200, 206]},
    {"path": "ok", "equals": [True]},
    {"path": "state", "errors": ["SUSPENDED"]},
    {"path": "error", "absent": True},
]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"ok": True}, None),
        (206, {"ok": True, "state": "ACTIVE"}, None),
        (201, {"ok": True}, "http_status"),
        (200, {"ok": False}, "api_error"),
        (200, {"ok": True, "state": "SUSPENDED"}, "api_error"),
        (200, {"ok": True, "error": "none"}, "api_error"),
        (200, {}, "malformed"),
    ],
)
def test_of_several_rules_all_must_hold(
    status: int, body: Any, expected: str | None, reason: Reasoned
) -> None:
    assert reason(status, body, success=RULES) == expected
