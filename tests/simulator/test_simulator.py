"""The simulated providers answer as documented, over real HTTP, and live deterministically."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from exporter.simulator import PROVIDERS, Recharge, Simulator
from exporter.simulator.wire import Mode
from tests.programs import PATIENCE, until

MOMENT = (PATIENCE, 0.2)
"""Time to connect, and time to wait for an answer that does not come."""
Timeout = float | tuple[float, float]
HOUR = 3600.0
WEEK = 7 * 24 * HOUR
WALLETS = [
    ("coldmailreseller", "main"),
    ("smspubli", "main"),
    ("smspubli", "branch-a"),
    ("flexprice", "wallet_01"),
    ("flexprice", "wallet_02"),
    ("flexprice", "wallet_03"),
    ("apimall", "main"),
]
EVERYTHING = {"include_real_time_balance": "true", "expand": "credits_available_breakdown"}


class Desk:
    """A client that asks each provider as its documentation says, with the right key unless told another."""

    def __init__(self, simulator: Simulator, session: requests.Session) -> None:
        self.simulator = simulator
        self.session = session

    def ask(self, provider: str, *, key: str | None = None, timeout: Timeout = PATIENCE) -> requests.Response:
        key = self.simulator.keys[provider] if key is None else key
        return {
            "coldmailreseller": lambda: self.get(
                provider, "/wallet/get-balance", {"cmr-x-api-key": key}, timeout=timeout
            ),
            "smspubli": lambda: self.sms({"api_key": key}, timeout=timeout),
            "flexprice": lambda: self.flexprice(
                {"lookup_key": "acme", **EVERYTHING}, key=key, timeout=timeout
            ),
            "apimall": lambda: self.get(
                provider, "/account/balances", {"Authorization": f"Bearer {key}"}, timeout=timeout
            ),
        }[provider]()

    def get(
        self, provider: str, path: str, headers: dict[str, str], timeout: Timeout = PATIENCE, **query: str
    ) -> requests.Response:
        url = self.simulator.base_url(provider) + path
        return self.session.get(url, headers=headers, params=query, timeout=timeout)

    def sms(
        self, fields: Any, path: str = "/account/get-balance", timeout: Timeout = PATIENCE
    ) -> requests.Response:
        return self.session.post(self.simulator.base_url("smspubli") + path, json=fields, timeout=timeout)

    def flexprice(
        self, query: dict[str, str], *, key: str | None = None, timeout: Timeout = PATIENCE
    ) -> requests.Response:
        key = self.simulator.keys["flexprice"] if key is None else key
        return self.get("flexprice", "/customers/wallets", {"x-api-key": key}, timeout, **query)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a desk's proxy settings have no say on loopback
        yield session


@pytest.fixture
def desk(simulator: Simulator, session: requests.Session) -> Desk:
    return Desk(simulator, session)


def balances(simulator: Simulator) -> list[Decimal]:
    return [simulator.wallet(*wallet).balance for wallet in WALLETS]


def test_cold_mail_reseller_answers_its_documented_example(desk: Desk) -> None:
    answer = desk.ask("coldmailreseller")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "status": 200,
        "message": "Wallet balance fetched successfully",
        "data": {"balance": 3334.95, "autoRecharge": True, "autoRechargeAmount": 5000, "threshold": 1000},
    }
    assert '"autoRechargeAmount": 5000,' in answer.text  # an integer as documented, not 5000.0


def test_cold_mail_reseller_shows_a_recharge_that_is_off_or_has_no_numbers(desk: Desk) -> None:
    wallet = desk.simulator.wallet("coldmailreseller")
    wallet.recharge = Recharge(enabled=False, threshold=None, amount=None)
    off = {"balance": 3334.95, "autoRecharge": False, "autoRechargeAmount": None, "threshold": None}
    assert desk.ask("coldmailreseller").json()["data"] == off
    wallet.recharge = None
    assert wallet.recharge is None
    assert desk.ask("coldmailreseller").json()["data"] == off


def test_smspubli_answers_a_string_with_four_decimals(desk: Desk) -> None:
    answer = desk.ask("smspubli")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "result": {"balance": "0.6000", "currency": "EUR"}}


@pytest.mark.parametrize("path", ["/subaccount/get-balance", "/account/get-balance"])
def test_smspubli_answers_for_a_sub_account_on_both_endpoints(desk: Desk, path: str) -> None:
    answer = desk.sms({"api_key": desk.simulator.keys["smspubli"], "user_name": "branch-a"}, path)
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
    desk: Desk, content_type: str | None, body: str, status: int, error_id: str
) -> None:
    url = desk.simulator.base_url("smspubli") + "/account/get-balance"
    headers = {"Content-Type": content_type} if content_type else {}
    answer = desk.session.post(url, data=body, headers=headers, timeout=PATIENCE)
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
    desk: Desk, fields: dict[str, object], error_id: str
) -> None:
    answer = desk.sms({"api_key": desk.simulator.keys["smspubli"], **fields}, "/subaccount/get-balance")
    assert (answer.status_code, answer.json()["error_id"]) == (400, error_id)


def test_flexprice_answers_its_documented_example(desk: Desk) -> None:
    answer = desk.flexprice({"lookup_key": "acme", **EVERYTHING})
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "id": "wallet_01",
            "customer_id": "cust_01",
            "currency": "usd",
            "balance": "120.50",
            "credit_balance": "120.50",
            "wallet_status": "active",
            "name": "Prepaid Wallet - USD",
            "description": "",
            "metadata": None,
            "auto_topup": {"enabled": True, "threshold": "20", "amount": "100", "invoicing": True},
            "wallet_type": "PRE_PAID",
            "config": {"allowed_price_types": ["USAGE"]},
            "conversion_rate": "1",
            "topup_conversion_rate": "1",
            "environment_id": "env_01",
            "alert_settings": {
                "critical": {"threshold": "10", "condition": "below"},
                "warning": {"threshold": "25", "condition": "below"},
                "info": None,
                "alert_enabled": True,
            },
            "alert_state": "ok",
            "tenant_id": "t_01",
            "status": "published",
            "created_at": "2026-08-01T00:00:00Z",
            "updated_at": "2026-08-20T00:00:00Z",
            "created_by": "u",
            "updated_by": "u",
            "real_time_balance": "118.2",
            "real_time_credit_balance": "118.2",
            "balance_updated_at": "2026-08-20T00:00:00Z",
            "current_period_usage": "2.3",
            "unpaid_invoices_amount": "0",
            "credits_available_breakdown": {"purchased": "100", "free": "20.5"},
            "is_cached_fallback": False,
        }
    ]


def test_flexprice_knows_a_customer_by_its_id_as_well(desk: Desk) -> None:
    assert desk.flexprice({"id": "cust_01"}).json() == desk.flexprice({"lookup_key": "acme"}).json()


def test_flexprice_leaves_real_time_fields_out_unless_asked(desk: Desk) -> None:
    (wallet,) = desk.flexprice({"lookup_key": "acme", "expand": "credits_available_breakdown"}).json()
    assert wallet["balance"] == "120.50"
    assert wallet["is_cached_fallback"] is False
    assert not {
        "real_time_balance",
        "real_time_credit_balance",
        "balance_updated_at",
        "current_period_usage",
        "unpaid_invoices_amount",
        "credits_available_breakdown",
    } & set(wallet)


def test_flexprice_gives_the_breakdown_only_when_expanded(desk: Desk) -> None:
    (wallet,) = desk.flexprice({"lookup_key": "acme", "include_real_time_balance": "true"}).json()
    assert wallet["real_time_balance"] == "118.2"
    assert "credits_available_breakdown" not in wallet


def test_flexprice_marks_a_value_from_its_cache(desk: Desk) -> None:
    query = {"lookup_key": "acme", "from_cache": "true"}
    (cached,) = desk.flexprice(query | {"include_real_time_balance": "true"}).json()
    (stored,) = desk.flexprice(query).json()
    assert (cached["is_cached_fallback"], stored["is_cached_fallback"]) == (True, False)


def test_flexprice_has_two_currencies_a_negative_balance_and_the_older_alerts(desk: Desk) -> None:
    usd, eur = desk.flexprice({"lookup_key": "globex", **EVERYTHING}).json()
    assert (usd["currency"], eur["currency"]) == ("usd", "eur")
    assert (usd["balance"], usd["credit_balance"], usd["conversion_rate"]) == ("500.00", "250.00", "2")
    assert (usd["real_time_balance"], usd["real_time_credit_balance"]) == ("450", "225")
    assert (usd["current_period_usage"], usd["unpaid_invoices_amount"]) == ("37.5", "12.5")
    assert (eur["balance"], eur["real_time_balance"], eur["alert_state"]) == ("15.00", "-7.5", "in_alarm")
    assert eur["alert_config"] == {"threshold": {"type": "amount", "value": "5"}}
    assert eur["alert_enabled"] is True
    assert "alert_settings" not in usd | eur
    assert "auto_topup" not in usd
    assert eur["auto_topup"] == {"enabled": False, "threshold": None, "amount": None, "invoicing": None}


def test_flexprice_has_a_customer_without_wallets(desk: Desk) -> None:
    answer = desk.flexprice({"lookup_key": "empty", **EVERYTHING})
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param({}, 400, "validation_error", id="no-customer"),
        pytest.param({"id": "cust_01", "lookup_key": "acme"}, 400, "validation_error", id="two-customers"),
        pytest.param({"id": "cust_01", "expand": "customer"}, 400, "validation_error", id="unknown-expand"),
        pytest.param(
            {"id": "cust_01", "include_real_time_balance": "maybe"}, 400, "validation_error", id="not-a-flag"
        ),
        pytest.param({"id": "cust_99"}, 404, "not_found", id="unknown-id"),
        pytest.param({"lookup_key": "initech"}, 404, "not_found", id="unknown-lookup-key"),
    ],
)
def test_flexprice_refuses_a_bad_query_with_its_code(
    desk: Desk, query: dict[str, str], status: int, code: str
) -> None:
    answer = desk.flexprice(query)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["http_status_code"] == status


@pytest.mark.parametrize(
    ("balance", "state"), [("25.01", "ok"), ("25", "warning"), ("10", "in_alarm"), ("-3", "in_alarm")]
)
def test_flexprice_alarms_at_its_own_thresholds(desk: Desk, balance: str, state: str) -> None:
    desk.simulator.wallet("flexprice").balance = Decimal(balance)
    (wallet,) = desk.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
    assert (wallet["real_time_balance"], wallet["alert_state"]) == (balance, state)


def test_api_mall_answers_its_documented_example(desk: Desk) -> None:
    answer = desk.ask("apimall")
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["data"] == {"credits": 120, "api_credits": 120}
    assert answer.json()["request_id"].startswith("req_")


UNAUTHORIZED = {
    "coldmailreseller": ("status", 401),
    "smspubli": ("error_id", "UNAUTHORIZED"),
    "flexprice": ("error", "Unauthorized"),
    "apimall": ("error", {"code": "unauthorized", "message": "Unauthorized"}),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_key_gets_the_providers_own_401(desk: Desk, provider: str) -> None:
    field, value = UNAUTHORIZED[provider]
    answer = desk.ask(provider, key="another-key")
    assert answer.status_code == 401
    assert answer.json()[field] == value


@pytest.mark.parametrize("provider", ["coldmailreseller", "flexprice", "apimall"])
def test_no_key_gets_the_providers_own_401(desk: Desk, provider: str) -> None:
    path = {"coldmailreseller": "/wallet/get-balance", "flexprice": "/customers/wallets"}
    answer = desk.get(provider, path.get(provider, "/account/balances"), {}, lookup_key="acme")
    field, value = UNAUTHORIZED[provider]
    assert answer.status_code == 401
    assert answer.json()[field] == value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_path_is_404(desk: Desk, provider: str) -> None:
    assert desk.get(provider, "/nothing/here", {}).status_code == 404


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("unauthorized", 401),
        ("forbidden", 403),
        ("rate_limited", 429),
        ("server_error", 500),
        ("error_body", 200),
        ("garbage", 200),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_failing_provider_fails_until_it_is_healed(
    desk: Desk, provider: str, mode: Mode, status: int
) -> None:
    healthy = desk.ask(provider).text
    desk.simulator.fail(provider, mode)
    answer = desk.ask(provider)
    assert answer.status_code == status
    assert answer.text != healthy
    if mode != "garbage":
        assert isinstance(answer.json(), dict)
    else:
        with pytest.raises(ValueError, match="Expecting value"):
            answer.json()
    desk.simulator.heal(provider)
    assert desk.ask(provider).text == healthy


def test_a_rate_limit_says_when_to_come_back_only_if_told(desk: Desk) -> None:
    desk.simulator.fail("apimall", "rate_limited", retry_after=30)
    answer = desk.ask("apimall")
    assert answer.headers["Retry-After"] == "30"
    assert answer.json()["error"]["message"] == "Rate limit exceeded"
    desk.simulator.fail("apimall", "rate_limited")
    assert "Retry-After" not in desk.ask("apimall").headers


def test_api_mall_gives_its_hint_when_it_forbids(desk: Desk) -> None:
    desk.simulator.fail("apimall", "forbidden")
    assert "non-gateway host" in desk.ask("apimall").json()["error"]["message"]


def test_an_unknown_way_to_fail_is_refused_by_name(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="unknown mode 'explode': use one of unauthorized, forbidden,"):
        simulator.fail("apimall", cast("Mode", "explode"))


def test_one_failing_provider_leaves_the_others_alone(desk: Desk) -> None:
    desk.simulator.fail("flexprice", "server_error")
    assert [desk.ask(provider).status_code for provider in PROVIDERS] == [200, 200, 500, 200]


class Caller(threading.Thread):
    """Asks API Mall in the background and keeps what came of it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(daemon=True)
        self.desk = desk
        self.outcome: int | Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.desk.ask("apimall", timeout=PATIENCE).status_code
        except requests.RequestException as error:
            self.outcome = error

    def outcome_after(self, let_go: Callable[[], None]) -> int | Exception | None:
        until(lambda: self.desk.simulator.requests("apimall") == 1)
        assert self.outcome is None
        let_go()
        self.join(timeout=PATIENCE)
        return self.outcome


def test_a_hanging_provider_does_not_answer_in_time(desk: Desk) -> None:
    desk.simulator.fail("apimall", "hang")
    with pytest.raises(requests.ReadTimeout):
        desk.ask("apimall", timeout=MOMENT)


def test_a_request_that_hangs_is_answered_when_the_provider_heals(desk: Desk) -> None:
    desk.simulator.fail("apimall", "hang")
    assert Caller(desk).outcome_after(lambda: desk.simulator.heal("apimall")) == 200


def test_a_request_that_hangs_fails_otherwise_when_the_failure_changes(desk: Desk) -> None:
    desk.simulator.fail("apimall", "hang")
    assert Caller(desk).outcome_after(lambda: desk.simulator.fail("apimall", "server_error")) == 500


def test_a_request_that_hangs_is_cut_when_the_provider_is_killed(desk: Desk) -> None:
    desk.simulator.fail("apimall", "hang")
    outcome = Caller(desk).outcome_after(lambda: desk.simulator.kill("apimall"))
    assert isinstance(outcome, requests.ConnectionError)
    desk.simulator.revive("apimall")
    with pytest.raises(requests.ReadTimeout):
        desk.ask("apimall", timeout=MOMENT)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_killed_provider_refuses_connections_and_comes_back_on_its_port(desk: Desk, provider: str) -> None:
    address = desk.simulator.base_url(provider)
    healthy = desk.ask(provider).text
    desk.simulator.kill(provider)
    desk.simulator.kill(provider)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=PATIENCE)
    with pytest.raises(requests.ConnectionError):
        desk.ask(provider)
    desk.simulator.revive(provider)
    desk.simulator.revive(provider)
    assert desk.simulator.base_url(provider) == address
    assert desk.ask(provider).text == healthy


def test_nobody_else_gets_the_port_of_a_killed_provider(simulator: Simulator) -> None:
    port = urlsplit(simulator.base_url("smspubli")).port
    simulator.kill("smspubli")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_leaving_the_simulator_closes_all_ports() -> None:
    # An address of its own: a port that is free again may be anybody's the next moment.
    host = "127.83.105.109"
    with Simulator(host=host) as simulator:
        ports = [urlsplit(simulator.base_url(provider)).port for provider in PROVIDERS]
        simulator.kill("flexprice")
    assert len(set(ports)) == len(PROVIDERS)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=PATIENCE)


def test_there_is_no_address_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="no addresses before it is entered"):
        Simulator().base_url("apimall")


def test_requests_are_counted_by_provider_whatever_is_answered(desk: Desk) -> None:
    desk.ask("flexprice")
    desk.ask("flexprice", key="another-key")
    desk.get("flexprice", "/nothing/here", {})
    desk.ask("apimall")
    assert [desk.simulator.requests(provider) for provider in PROVIDERS] == [0, 0, 3, 1]


def test_requests_from_many_threads_are_all_counted(simulator: Simulator, session: requests.Session) -> None:
    desk = Desk(simulator, session)
    threads = [threading.Thread(target=lambda: [desk.ask("apimall") for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
    assert simulator.requests("apimall") == 80


def test_one_connection_carries_many_requests_with_and_without_bodies(simulator: Simulator) -> None:
    address = urlsplit(simulator.base_url("smspubli"))
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    try:
        connection.connect()
        local = connection.sock.getsockname()
        body = json.dumps({"api_key": simulator.keys["smspubli"]})
        seen = []
        for method in ("POST", "GET", "POST"):
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"{address.path}/account/get-balance", body, headers)
            answer = connection.getresponse()
            answer.read()
            seen.append((answer.version, answer.status, connection.sock.getsockname() == local))
        assert seen == [(11, 200, True), (11, 404, True), (11, 200, True)]
    finally:
        connection.close()


HANGING_UP = """
import socket
import threading
import time
from urllib.parse import urlsplit

from exporter.simulator import Simulator


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.01)


with Simulator() as simulator:
    address = urlsplit(simulator.base_url("apimall"))
    simulator.fail("apimall", "hang")
    idle = threading.active_count()
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"GET /api/v1/account/balances HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        until(lambda: simulator.requests("apimall") == 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    simulator.heal("apimall")
    until(lambda: threading.active_count() == idle)
print("done")
"""


def test_a_client_that_hangs_up_leaves_no_trace() -> None:
    # In a process of its own: only there every thread is known, and so is who wrote what.
    command = [sys.executable, "-c", HANGING_UP]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_a_wallet_can_be_drained_and_filled_by_hand(desk: Desk) -> None:
    wallet = desk.simulator.wallet("smspubli", "branch-a")
    wallet.balance = 0
    asked = {"api_key": desk.simulator.keys["smspubli"], "user_name": "branch-a"}
    assert desk.sms(asked).json()["result"]["balance"] == "0.0000"
    wallet.top_up("12.5")
    assert wallet.balance == Decimal("12.5")
    assert desk.sms(asked).json()["result"]["balance"] == "12.5000"


def test_an_empty_flexprice_wallet_has_no_credit_left_to_break_down(desk: Desk) -> None:
    desk.simulator.wallet("flexprice").balance = -30
    (wallet,) = desk.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
    assert (wallet["balance"], wallet["real_time_balance"]) == ("-27.70", "-30")
    assert wallet["credits_available_breakdown"] == {"purchased": "0", "free": "0"}


def test_a_world_at_speed_zero_stands_still() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    before = balances(simulator)
    now = WEEK
    assert balances(simulator) == before


def test_a_living_wallet_burns_more_by_day_than_by_night() -> None:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    wallet = simulator.wallet("flexprice", "wallet_02")
    spent = {}
    for hour in range(24):
        before, now = wallet.balance, (hour + 1) * HOUR
        spent[(8 + hour) % 24] = before - wallet.balance
    assert all(amount > 0 for amount in spent.values())
    assert sum(spent[hour] for hour in range(11, 17)) > 4 * sum(spent[hour] for hour in range(6))


def living_week() -> tuple[list[list[Decimal]], Simulator]:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    rows = []
    for minute in range(0, int(WEEK) + 1, 60):
        now = float(minute)
        rows.append(balances(simulator))
    return rows, simulator


def test_a_living_week_burns_runs_low_and_is_topped_up() -> None:
    rows, _ = living_week()
    mails, sms, branch, acme, globex_usd, globex_eur, mall = zip(*rows, strict=True)

    def refills(wallet: tuple[Decimal, ...]) -> list[Decimal]:
        return [after - before for before, after in pairwise(wallet) if after > before]

    # A minute that recharges burns as well.
    assert all(4990 < amount <= 5000 for amount in refills(mails))
    assert len(refills(mails)) >= 3
    assert Decimal(900) < min(mails) < Decimal(1000)
    assert all(99 < amount <= 100 for amount in refills(acme))
    assert len(refills(acme)) >= 5
    assert Decimal(10) < min(acme) < Decimal(20)
    assert len(refills(branch)) >= 2
    assert min(branch) == 0
    assert len(refills(mall)) >= 3
    assert 0 <= min(mall) < 25
    assert min(sms) >= 0
    assert min(globex_usd) >= 0
    assert min(globex_eur) == Decimal(-20)
    assert len(refills(globex_eur)) >= 1


def test_equal_clocks_give_equal_worlds_however_often_they_are_looked_at() -> None:
    rows, watched = living_week()
    now = 0.0
    unwatched = Simulator(speed=60, clock=lambda: now)
    now = WEEK / 60
    assert balances(unwatched) == rows[-1] == balances(watched)
    assert balances(unwatched) != rows[0]


def test_a_wallet_without_a_working_recharge_burns_to_its_floor_and_no_further() -> None:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    wallet = simulator.wallet("coldmailreseller")
    wallet.recharge = Recharge(enabled=False, threshold=Decimal(1000), amount=Decimal(5000))
    wallet.burn_per_hour = 1000
    assert wallet.burn_per_hour == 1000
    now = 24 * HOUR
    assert wallet.balance == 0
    wallet.recharge = Recharge(enabled=True, threshold=Decimal(1000), amount=Decimal(5000))
    now += 11 * 60
    assert wallet.balance > 4000


def test_flexprice_books_the_days_usage_at_midnight_without_touching_what_can_be_spent(
    session: requests.Session,
) -> None:
    now = 0.0
    with Simulator(speed=1, clock=lambda: now) as simulator:
        desk = Desk(simulator, session)

        def read() -> tuple[dict[str, Any], dict[str, Any]]:
            (acme,) = desk.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
            return acme, desk.flexprice({"lookup_key": "globex", **EVERYTHING}).json()[1]

        now = 16 * HOUR - 60
        before, _ = read()
        now = 16 * HOUR
        after, owing = read()
    assert Decimal(before["current_period_usage"]) > 50
    assert Decimal(before["balance"]) == Decimal("120.50")
    assert after["current_period_usage"] == after["unpaid_invoices_amount"] == "0"
    assert Decimal(after["balance"]) == Decimal(after["real_time_balance"])
    assert Decimal(after["real_time_balance"]) <= Decimal(before["real_time_balance"])
    assert after["credits_available_breakdown"]["free"] == "0"
    assert Decimal(owing["real_time_balance"]) == Decimal(owing["balance"]) - Decimal(
        owing["unpaid_invoices_amount"]
    )


def test_api_mall_fails_now_and_then_and_heals_by_itself(session: requests.Session) -> None:
    now = 0.0
    statuses = []
    with Simulator(speed=1, clock=lambda: now) as simulator:
        desk = Desk(simulator, session)
        for minute in range(0, 24 * 60, 2):
            now = minute * 60.0
            statuses.append(desk.ask("apimall").status_code)
            if minute % 60 == 0:
                assert desk.ask("coldmailreseller").status_code == 200
    assert set(statuses) == {200, 500}
    assert statuses[0] == 200
    outages = sum(1 for before, after in pairwise(statuses) if before < after)
    assert outages == 6
    assert statuses.count(500) < len(statuses) / 8


def test_an_outage_of_the_living_world_gives_way_to_a_failure_by_hand(session: requests.Session) -> None:
    now = 0.0
    with Simulator(speed=1, clock=lambda: now) as simulator:
        desk = Desk(simulator, session)
        while desk.ask("apimall").status_code == 200:
            now += 60
        simulator.fail("apimall", "unauthorized")
        assert desk.ask("apimall").status_code == 401


def test_the_configuration_names_six_accounts_with_their_addresses_and_keys(simulator: Simulator) -> None:
    accounts = yaml.safe_load(simulator.configuration())["accounts"]
    for account in accounts:
        provider = account["provider"]
        assert account.pop("base_url") == simulator.base_url(provider)
        assert account.pop("api_key") == simulator.keys[provider]
        assert account.pop("min_interval") == "0s", "a world that runs fast is read anew at each scrape"
    assert accounts == [
        {
            "name": "outreach",
            "provider": "coldmailreseller",
            "currency": "INR",
            "thresholds": {"warning": 2000, "critical": 1000},
        },
        {"name": "sms", "provider": "smspubli"},
        {
            "name": "sms-branch",
            "provider": "smspubli",
            "params": {"user_name": "branch-a"},
            "thresholds": {"warning": 300, "critical": 100},
        },
        {"name": "acme", "provider": "flexprice", "params": {"lookup_key": "acme"}},
        {"name": "globex", "provider": "flexprice", "params": {"lookup_key": "globex"}},
        {"name": "mall", "provider": "apimall", "thresholds": {"critical": 25}},
    ]
