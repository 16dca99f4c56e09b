"""The commands that go on: serve and demo, their signals, and their end."""

import json
import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.programs import PATIENCE

ANYWHERE = ["--web.listen-address", "127.0.0.1:0"]


@pytest.fixture
def serving(begin: Any, prepaid: Path) -> Any:
    assert prepaid.exists()
    return begin("serve", *ANYWHERE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_listens_and_serves_until_a_signal(number: int, serving: Any) -> None:
    assert serving.ask("/-/ready")[0] == serving.ask("/-/healthy")[0] == 200
    status, page = serving.ask("/metrics")
    assert (status, page.count("\nprepaid_account_up{")) == (200, 6)
    assert serving.end(number) == 0
    assert "Traceback" not in serving.written
    assert "msg=stopping" in serving.written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_waiting_scrape_have_its_answer_and_waits_for_no_call(
    number: int, serving: Any, simulator: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    simulator.fail("apimall", "hang")
    an_hour = {"X-Prometheus-Scrape-Timeout-Seconds": "3600"}
    with ThreadPoolExecutor(1) as threads:
        scrape = threads.submit(serving.ask, "/metrics", headers=an_hour)
        eventually(lambda: simulator.requests("apimall") == 1)
        # The others' answers must have arrived, or the end of the process comes before them.
        eventually(lambda: "3,334.95" in serving.ask("/")[1])
        status = serving.end(number)
        code, page = scrape.result()
    assert (status, code) == (0, 200)
    assert 'prepaid_account_failure{provider="apimall",account="mall",reason="timeout"} 1.0' in page
    assert 'prepaid_balance{provider="coldmailreseller",account="outreach"' in page
    assert "Traceback" not in serving.written


def test_a_signal_does_not_wait_for_a_password_that_takes_long(begin: Any, prepaid: Path) -> None:
    """The dearest hash that is taken: it is not computed at start, and takes many seconds when it is."""
    web = prepaid.with_name("web.yml")
    web.write_text(f"basic_auth_users: {{alice: $2y$18${'.' * 53}}}")
    serving = begin("serve", *ANYWHERE, "--web.config.file", web)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWxpY2U6YQ==\r\n\r\n")
        assert serving.ask("/-/healthy")[0] == 200
        assert serving.end() == 0
        with suppress(ConnectionError):
            assert client.recv(100) == b"", "the hash was waited for"
    assert "Traceback" not in serving.written


def test_sighup_takes_over_a_good_file_and_keeps_the_old_one_of_a_bad(begin: Any, prepaid: Path) -> None:
    serving = begin("serve", *ANYWHERE, afresh=True)
    assert serving.ask("/-/ready")[0] == 200
    prepaid.write_text("accounts: [{name: a, provider: apimal, api_key: canary-7f3a}]\n")
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_for('level=error msg="configuration not reloaded" problem=.*unknown provider')
    serving.wait_for('level=warning msg="the old configuration stays"')
    status, page = serving.ask("/metrics?account=mall")
    assert status == 200
    assert "\nprepaid_exporter_config_last_reload_successful 0.0\n" in page
    prepaid.write_text("accounts: []\n")
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_for('msg="configuration reloaded" file=prepaid.yml accounts=0')
    status, page = serving.ask("/metrics")
    assert "\nprepaid_exporter_config_last_reload_successful 1.0\n" in page
    assert "\nprepaid_account_up{" not in page
    assert serving.end() == 0
    assert "canary-7f3a" not in serving.written


def test_signal_after_signal_reloads_and_never_kills(serving: Any) -> None:
    assert serving.port
    for count in range(1, 6):
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for_many('msg="configuration reloaded"', count)
    assert serving.end() == 0


def test_flags_and_environment_variables_reach_the_exporter(begin: Any, prepaid: Path) -> None:
    other = prepaid.rename(prepaid.with_name("other.yml"))
    running = begin(
        "serve",
        "--web.telemetry-path=/balances",
        env={
            "PREPAID_EXPORTER_CONFIG_FILE": str(other),
            "PREPAID_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0",
            "PREPAID_EXPORTER_WEB_TELEMETRY_PATH": "/overruled",
            "PREPAID_EXPORTER_WEB_ENABLE_LIFECYCLE": "true",
            "PREPAID_EXPORTER_METRICS_ACCOUNTS": "false",
            "PREPAID_EXPORTER_LOG_FORMAT": "json",
        },
    )
    running.wait_for('"listening"')
    status, page = running.ask("/balances")
    assert (status, "prepaid_account_up{" in page) == (200, False)
    assert running.ask("/metrics")[0] == running.ask("/overruled")[0] == 404
    assert running.ask("/-/reload", "POST") == (200, "reloaded\n")
    assert running.end() == 0
    entries = [json.loads(line) for line in running.written.splitlines()]
    assert [entry["msg"] for entry in entries] == ["listening", "configuration reloaded", "stopping"]
    assert {entry["level"] for entry in entries} == {"info"}


def test_the_log_says_nothing_below_its_level(
    begin: Any, prepaid: Path, simulator: Any, listening_port: Callable[[int], int]
) -> None:
    simulator.fail("apimall", "unauthorized")
    good = prepaid.read_text()
    quiet = begin("serve", *ANYWHERE, "--log.level", "error")
    port = listening_port(quiet.process.pid)
    prepaid.write_text("accounts: 1\n")
    quiet.process.send_signal(signal.SIGHUP)
    quiet.wait_for('msg="configuration not reloaded"')
    prepaid.write_text(good)
    assert 'reason="auth"' in quiet.ask("/metrics", port=port)[1]
    assert quiet.end() == 0
    assert [line for line in quiet.written.splitlines() if "level=error" not in line] == []


def test_debugging_logs_no_key(begin: Any, prepaid: Path, simulator: Any) -> None:
    assert prepaid.exists()
    for mode, provider in (("unauthorized", "flexprice"), ("garbage", "smspubli"), ("error_body", "apimall")):
        simulator.fail(provider, mode)
    running = begin("serve", *ANYWHERE, "--log.level", "debug")
    for path in ("/metrics", "/probe?target=acme&debug=true", "/config", "/"):
        assert running.ask(path)[0] == 200
    running.wait_for('msg="account is down"')
    assert running.end() == 0
    assert not [key for key in simulator.keys.values() if key in running.written]


def test_the_demo_scrapes_itself_so_that_the_first_page_is_full(
    begin: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    demo = begin("demo", *ANYWHERE, afresh=True)
    demo.wait_for("Stop with Ctrl-C")
    eventually(lambda: "not asked" not in re.sub("<option.*", "", demo.ask("/")[1]))
    assert demo.end(signal.SIGINT) == 0


def test_the_demo_prints_addresses_that_answer_and_ends_with_ctrl_c(begin: Any) -> None:
    demo = begin("demo", "--speed", "600", *ANYWHERE)
    demo.wait_for("Stop with Ctrl-C")
    paths = [
        found[1] for line in demo.out if (found := re.search(r"http://127\.0\.0\.1:\d+(/\S*) {2,}\S", line))
    ]
    assert paths == ["/metrics", "/", "/api/v1/accounts", "/probe?target=mall&debug=true", "/config", "/sd"]
    assert [demo.ask(path)[0] for path in paths] == [200] * 6
    assert demo.ask("/metrics")[1].count("\nprepaid_account_up{") == 6
    assert demo.end(signal.SIGINT) == 0
    assert "Traceback" not in demo.written
