"""Simulated providers, over real HTTP: keys, failures at will, connections, the configuration of the demo."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from exporter.simulator import PROVIDERS, Simulator
from exporter.simulator.wire import Mode
from tests.programs import PATIENCE, until
from tests.simulator.client import Client

MOMENT = (PATIENCE, 0.2)
"""Time to connect, and time to wait for an answer that does not come."""

UNAUTHORIZED = {
    "coldmailreseller": ("status", 401),
    "smspubli": ("error_id", "UNAUTHORIZED"),
    "flexprice": ("error", "Unauthorized"),
    "apimall": ("error", {"code": "unauthorized", "message": "Unauthorized"}),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_key_gets_the_providers_own_401(client: Client, provider: str) -> None:
    field, value = UNAUTHORIZED[provider]
    answer = client.ask(provider, key="another-key")
    assert answer.status_code == 401
    assert answer.json()[field] == value


@pytest.mark.parametrize("provider", ["coldmailreseller", "flexprice", "apimall"])
def test_no_key_gets_the_providers_own_401(client: Client, provider: str) -> None:
    path = {"coldmailreseller": "/wallet/get-balance", "flexprice": "/customers/wallets"}
    answer = client.get(provider, path.get(provider, "/account/balances"), {}, lookup_key="acme")
    field, value = UNAUTHORIZED[provider]
    assert answer.status_code == 401
    assert answer.json()[field] == value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_path_is_404(client: Client, provider: str) -> None:
    assert client.get(provider, "/nothing/here", {}).status_code == 404


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
    client: Client, provider: str, mode: Mode, status: int
) -> None:
    healthy = client.ask(provider).text
    client.simulator.fail(provider, mode)
    answer = client.ask(provider)
    assert answer.status_code == status
    assert answer.text != healthy
    if mode != "garbage":
        assert isinstance(answer.json(), dict)
    else:
        with pytest.raises(ValueError, match="Expecting value"):
            answer.json()
    client.simulator.heal(provider)
    assert client.ask(provider).text == healthy


def test_a_rate_limit_says_when_to_come_back_only_if_told(client: Client) -> None:
    client.simulator.fail("apimall", "rate_limited", retry_after=30)
    answer = client.ask("apimall")
    assert answer.headers["Retry-After"] == "30"
    assert answer.json()["error"]["message"] == "Rate limit exceeded"
    client.simulator.fail("apimall", "rate_limited")
    assert "Retry-After" not in client.ask("apimall").headers


def test_an_unknown_way_to_fail_is_refused_by_name(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="unknown mode 'explode': use one of unauthorized, forbidden,"):
        simulator.fail("apimall", cast("Mode", "explode"))


def test_one_failing_provider_leaves_the_others_alone(client: Client) -> None:
    client.simulator.fail("flexprice", "server_error")
    assert [client.ask(provider).status_code for provider in PROVIDERS] == [200, 200, 500, 200]


class Caller(threading.Thread):
    """Asks API Mall in the background and keeps what came of it."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.outcome: int | Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.client.ask("apimall", timeout=PATIENCE).status_code
        except requests.RequestException as error:
            self.outcome = error

    def outcome_after(self, let_go: Callable[[], None]) -> int | Exception | None:
        until(lambda: self.client.simulator.requests("apimall") == 1)
        assert self.outcome is None
        let_go()
        self.join(timeout=PATIENCE)
        return self.outcome


def test_a_hanging_provider_does_not_answer_in_time(client: Client) -> None:
    client.simulator.fail("apimall", "hang")
    with pytest.raises(requests.ReadTimeout):
        client.ask("apimall", timeout=MOMENT)


def test_a_request_that_hangs_is_answered_when_the_provider_heals(client: Client) -> None:
    client.simulator.fail("apimall", "hang")
    assert Caller(client).outcome_after(lambda: client.simulator.heal("apimall")) == 200


def test_a_request_that_hangs_fails_otherwise_when_the_failure_changes(client: Client) -> None:
    client.simulator.fail("apimall", "hang")
    assert Caller(client).outcome_after(lambda: client.simulator.fail("apimall", "server_error")) == 500


def test_a_request_that_hangs_is_cut_when_the_provider_is_killed(client: Client) -> None:
    client.simulator.fail("apimall", "hang")
    outcome = Caller(client).outcome_after(lambda: client.simulator.kill("apimall"))
    assert isinstance(outcome, requests.ConnectionError)
    client.simulator.revive("apimall")
    with pytest.raises(requests.ReadTimeout):
        client.ask("apimall", timeout=MOMENT)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_killed_provider_refuses_connections_and_comes_back_on_its_port(
    client: Client, provider: str
) -> None:
    address = client.simulator.base_url(provider)
    healthy = client.ask(provider).text
    client.simulator.kill(provider)
    client.simulator.kill(provider)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=PATIENCE)
    with pytest.raises(requests.ConnectionError):
        client.ask(provider)
    client.simulator.revive(provider)
    client.simulator.revive(provider)
    assert client.simulator.base_url(provider) == address
    assert client.ask(provider).text == healthy


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


def test_requests_are_counted_by_provider_whatever_is_answered(client: Client) -> None:
    client.ask("flexprice")
    client.ask("flexprice", key="another-key")
    client.get("flexprice", "/nothing/here", {})
    client.ask("apimall")
    assert [client.simulator.requests(provider) for provider in PROVIDERS] == [0, 0, 3, 1]


def test_requests_from_many_threads_are_all_counted(simulator: Simulator, session: requests.Session) -> None:
    client = Client(simulator, session)
    threads = [threading.Thread(target=lambda: [client.ask("apimall") for _ in range(10)]) for _ in range(8)]
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
