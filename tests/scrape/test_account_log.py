"""What the log says of an account: changes alone, a line a minute, none too long; a full disk costs nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from exporter import log, providers
from exporter.config import Account
from exporter.model import Bug, Outcome, Reason
from exporter.scrape.account_log import AccountLog
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.desk import Eventually, MakeDesk, MakeUpstream

ACCOUNT = Account("mall", providers.built_in("apimall"), {}, {}, "", 10.0, 30.0)
UP = Outcome(0.0, 0.0)
ODD = Outcome(0.0, 0.0, notes=("wallet.quota is not a number; left out",))


def down(reason: Reason, detail: str = "", hint: str = "") -> Outcome:
    return Outcome(0.0, 0.0, reason=reason, detail=detail, hint=hint)


AUTH, BROKEN = down(Reason.AUTH, "HTTP status 401"), down(Reason.HTTP_STATUS, "HTTP status 500")


@pytest.fixture(params=["logfmt", "json"])
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    log.configure("info", request.param)
    yield request.param
    structlog.reset_defaults()


@pytest.fixture
def lines(form: str, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return the lines that were written since it was last called."""
    assert form
    return lambda: [*capsys.readouterr().err.splitlines()]


def heard(written: AccountLog, at: float, outcome: Outcome) -> None:
    written.note(outcome, outcome.notes)
    written.write(ACCOUNT, at)


def test_a_change_is_logged_at_once_and_once(lines: Callable[[], list[str]]) -> None:
    told = AccountLog()
    for second in range(0, 600, 15):
        heard(told, second, AUTH)
    (line,) = lines()
    assert "account is down" in line
    assert "HTTP status 401" in line


def test_an_account_that_is_up_at_first_is_no_news(lines: Callable[[], list[str]]) -> None:
    heard(AccountLog(), 0, UP)
    assert lines() == []


def test_what_changes_within_a_minute_is_logged_when_it_is_over_the_newest_alone(
    lines: Callable[[], list[str]],
) -> None:
    told = AccountLog()
    heard(told, 100, AUTH)
    assert len(lines()) == 1
    for second, outcome in ((110, UP), (120, BROKEN), (130, UP), (159.9, UP)):
        heard(told, second, outcome)
    assert lines() == []
    assert told.is_due(160)
    told.write(ACCOUNT, 160)
    (line,) = lines()
    assert "account is up again" in line
    assert not told.is_due(1000)


def test_what_is_over_within_the_minute_is_not_logged(lines: Callable[[], list[str]]) -> None:
    told = AccountLog()
    heard(told, 100, AUTH)
    heard(told, 110, UP)
    heard(told, 120, AUTH)
    assert len(lines()) == 1
    assert not told.is_due(200)


def test_an_account_that_is_in_another_state_at_each_call_has_a_line_a_minute(
    lines: Callable[[], list[str]],
) -> None:
    told, states = AccountLog(), [AUTH, UP, BROKEN, ODD]
    for second in range(3600):
        heard(told, second, states[second % 4])
    assert len(lines()) <= 60


def test_notes_are_logged_when_they_change_and_with_the_account_that_is_up_again(
    lines: Callable[[], list[str]],
) -> None:
    told = AccountLog()
    heard(told, 0, ODD)
    (line,) = lines()
    assert "the answer does not fit the definition or the configuration" in line
    assert ODD.notes[0] in line
    heard(told, 100, AUTH)
    heard(told, 200, ODD)
    _, again = lines()
    assert ODD.notes[0] not in again, "it was told before"
    heard(told, 300, UP)
    assert lines() == []
    heard(told, 301, AUTH)
    heard(told, 400, ODD)
    _, again = lines()
    assert "account is up again" in again
    assert ODD.notes[0] in again


LONG = 'a "quoted" text\n' * 1000


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(
            0.0, 0.0, notes=tuple(f"wallets[{number}].quota is not a number" for number in range(10_000))
        ),
        down(Reason.MALFORMED, LONG, LONG),
        down(Reason.MALFORMED, "short", LONG),
        down(Reason.MALFORMED, "\N{GRINNING FACE}" * 400, "\x01" * 400),
    ],
)
def test_no_line_is_longer_than_500_characters(
    outcome: Outcome, lines: Callable[[], list[str]], form: str
) -> None:
    heard(AccountLog(), 0, outcome)
    (line,) = lines()
    assert 300 < len(line) <= 500
    assert "mall" in line
    if form == "json":
        assert json.loads(line)["account"] == "mall"


def test_the_line_of_a_bug_has_its_whole_traceback(lines: Callable[[], list[str]]) -> None:
    told, trace = AccountLog(), "frame " * 1000
    bug = Outcome(0.0, 0.0, reason=Reason.INTERNAL, bug=Bug("KeyError", trace))
    for second in range(0, 50, 10):
        heard(told, second, bug)
    (line,) = lines()
    assert trace in line
    assert "KeyError" in line


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_full_disk_under_the_log_costs_no_account(
    upstream: MakeUpstream,
    desk: MakeDesk,
    eventually: Eventually,
    listening_port: Callable[[int], int],
    form: str,
) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status="500 X"))
    file = desk(server.url).file
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}", f"--log.format={form}"]
    command += ["--web.listen-address=127.0.0.1:0"]

    def page() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"})
            return connection.getresponse().read().decode()

    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(command, cwd=file.parent, stdout=full, stderr=full)
    try:
        port = listening_port(process.pid)
        eventually(
            lambda: (
                'prepaid_account_failure{provider="apimall",account="mall",reason="http_status"} 1.0'
                in page()
            )
        )
        server.answer = lambda peer, _: peer.answer()
        eventually(lambda: 'prepaid_account_up{provider="apimall",account="mall"} 1.0' in page())
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """Return all lines about accounts that have been written so far."""
    log.configure("info", "logfmt")
    written: list[str] = []

    def lines() -> list[str]:
        written.append(capsys.readouterr().err)
        return [line for line in "".join(written).splitlines() if "account=" in line]

    yield lines
    structlog.reset_defaults()


def test_a_scrape_that_asks_nobody_writes_what_became_of_the_account_in_the_last_minute(
    upstream: MakeUpstream,
    desk: MakeDesk,
    eventually: Eventually,
    logged: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    key = tmp_path / "key"
    key.write_text("wrong")
    server = upstream(lambda peer, _: peer.answer(status="401 X"))
    running = desk(mall={"base_url": server.url, "min_interval": "1h", "api_key_file": str(key)})
    running.metrics()
    eventually(lambda: len(logged()) == 1)
    server.answer = lambda peer, _: peer.answer()
    key.write_text("right")
    assert [running.metrics().up() for _ in range(5)] == [1] * 5
    running.clock.advance(59)
    running.metrics()
    assert len(logged()) == 1
    running.clock.advance(1)
    running.metrics()
    eventually(lambda: len(logged()) == 2)
    assert "account is up again" in logged()[1]
    running.clock.advance(600)
    running.metrics()
    assert (len(server.requests), len(logged())) == (2, 2)


def test_an_answer_with_a_thousand_mistakes_is_one_short_line(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, logged: Callable[[], list[str]]
) -> None:
    wallets = [{"id": f"w{number}", "currency": "EUR", "balance": 1} for number in range(1000)]
    odd = json.dumps([{**wallet, "unpaid_invoices_amount": "many"} for wallet in wallets])
    server = upstream(lambda peer, _: peer.answer(odd.encode()))
    running = desk(acme={"provider": "flexprice", "params": {"id": "c1"}, "base_url": server.url})
    assert running.metrics().all("prepaid_balance") == [1] * 1000
    eventually(lambda: len(logged()) == 1)
    assert len(logged()[0]) <= 500
    assert logged()[0].startswith("ts=")
