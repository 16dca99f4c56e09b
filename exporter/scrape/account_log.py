"""What the log says of one account: each change once, and at most a line a minute."""

from math import inf
from threading import Lock
from typing import TYPE_CHECKING

from exporter import log
from exporter.config import Account
from exporter.model import Outcome, Reason

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_PAUSE = 60.0
"""Least time, in seconds, between two lines about an account."""


class AccountLog:
    """What was logged last of an account, and what has become of it since.

    There is no timer: what came too soon after a line is logged by the first scrape after the minute, and only the
    newest of it. What was over by then is not logged at all.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: Outcome | None = None
        self._notes: tuple[str, ...] = ()
        self._told_reason: Reason | None = None
        self._told_notes: tuple[str, ...] = ()
        self._quiet_until = -inf

    def note(self, outcome: Outcome, notes: tuple[str, ...]) -> None:
        """Take over what became of the account; `notes` say what is not right with a good answer."""
        with self._lock:
            self._newest = outcome
            self._notes = notes if outcome.up else self._told_notes

    def is_due(self, now: float) -> bool:
        """Return whether there is something to log, and enough time has passed; in monotonic seconds."""
        with self._lock:
            return self._is_due(now)

    def write(self, account: Account, now: float) -> None:
        """Log what is due."""
        with self._lock:
            if not self._newest or not self._is_due(now):
                return
            outcome, notes = self._newest, self._notes
            is_news, has_news = outcome.reason != self._told_reason, bool(notes) and notes != self._told_notes
            self._told_reason, self._told_notes = outcome.reason, notes
            if is_news or has_news:
                self._quiet_until = now + _PAUSE
        words = {"notes": "; ".join(notes)} if has_news else {}
        if is_news and not outcome.up:
            _down(account, outcome)
        elif is_news:
            _bound(account).info("account is up again", **words)
        elif has_news:
            _bound(account).warning("the answer does not fit the definition or the configuration", **words)

    def _is_due(self, now: float) -> bool:
        if self._newest is None or now < self._quiet_until:
            return False
        return (self._newest.reason, self._notes) != (self._told_reason, self._told_notes)


def _down(account: Account, outcome: Outcome) -> None:
    if outcome.bug:
        bug = outcome.bug
        _bound(account).error("bug while collecting", error=bug.error, traceback=bug.traceback)
        return
    hint = {"hint": outcome.hint} if outcome.hint else {}
    _bound(account).warning("account is down", reason=str(outcome.reason), detail=outcome.detail, **hint)


def _bound(account: Account) -> "FilteringBoundLogger":
    bound: FilteringBoundLogger = log.logger().bind(account=account.name, provider=account.provider.name)
    return bound
