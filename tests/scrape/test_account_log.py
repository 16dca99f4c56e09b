"""What the log says of an account: changes alone, a line a minute, none too long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from exporter import log, providers
from exporter.config import Account
from exporter.model import Bug, Outcome, Reason
from exporter.scrape.account_log import AccountLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    assert "the answer is not as expected" in line
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
