"""One account -> one outcome. The one place where an exception becomes a reason."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from exporter import log
from exporter.config import Account
from exporter.extract.extractor import extractor
from exporter.model import Bug, Exchange, Failure, FieldAnswers, Outcome, Reason, Wallet
from exporter.schema.validation import did_you_mean
from exporter.upstream.answer import Answer
from exporter.upstream.client import Client, Sender, StaleError
from exporter.upstream.request import prepare
from exporter.upstream.trust import trusted

MAX_RETRY_AFTER = 3600.0
"""Longest time, in seconds, for which a provider's Retry-After is obeyed."""

_HOLDING_STATUSES = (429, 503)
_NAMED = 6
"""Most wallets and currencies that a note lists."""


class Collector:
    """Collects one account. Its request is put together once, and anew when a secret or an authority changes.

    `revision` counts how often it was put together.
    """

    def __init__(self, account: Account, client: Client) -> None:
        self.account = account
        self._client = client
        self._extractor = extractor(account.provider)
        self._state: tuple[Mapping[str, str], object] | None = None
        self._sender: Sender | None = None
        self.revision = 0
        # The first scrape should not wait for this. What fails is for the collection to explain.
        with suppress(Exception):
            self._ready()

    def asks_as_before(self) -> bool:
        """Return whether the next request would be the last one again: no secret or authority has changed."""
        # What cannot be read now is for the collection to explain.
        with suppress(Exception):
            return self._now() == self._state
        return False

    def collect(self, answers: FieldAnswers | None = None) -> Outcome:
        """Ask the account once, within its timeout, and note in `answers` which fields were given; never raises."""
        begun = time.monotonic()
        exchanges: list[Exchange] = []
        facts: dict[str, Any] = {}
        try:
            wallets, facts["notes"] = self._wallets(exchanges, facts, answers)
            facts["wallets"] = tuple(wallet for wallet in wallets if not self.account.ignores(wallet))
        except Failure as failure:
            facts |= {"reason": failure.reason, "detail": failure.detail}
        except Exception as error:  # noqa: BLE001 - the boundary: one account's bug must not cost the others
            facts |= {
                "reason": Reason.INTERNAL,
                "detail": f"{type(error).__name__} in the exporter, see its log",
                "bug": Bug(type(error).__name__, log.frames(error)),
            }
        return Outcome(
            at=time.time(),
            duration=time.monotonic() - begun,
            hint=self._hint(facts),
            exchanges=tuple(exchanges),
            **facts,
        )

    def _wallets(
        self,
        exchanges: list[Exchange],
        facts: dict[str, Any],
        answers: FieldAnswers | None,
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        sender = self._ready()
        try:
            answer = self._answer(sender, exchanges, facts)
            if failure := _unreadable(answer):
                self._extractor.check_status(answer.status)
                raise failure
            found = self._extractor.document(
                answer.status, answer.body, answer.headers.get("content-type", "")
            )
        except Failure as reason:
            raise sender.explained(reason) from None
        secrets = sender.prepared.secrets
        wallets, notes = self._extractor.wallets(found, self.account.currency, secrets, answers)
        return wallets, (*notes, *self._unmatched(wallets))

    def _answer(self, sender: Sender, exchanges: list[Exchange], facts: dict[str, Any]) -> Answer:
        end = time.monotonic() + self.account.timeout
        try:
            answer = self._exchange(sender, end, exchanges, facts)
        except StaleError:
            # Not a second chance for the provider: the first request went into a connection that had ended.
            answer = self._exchange(sender, end, exchanges, facts)
        if answer.status in _HOLDING_STATUSES:
            now = _moment(answer.headers.get("date", "")) or datetime.now(UTC)
            facts["retry_after"] = retry_after(answer.headers.get("retry-after"), now)
        return answer

    @staticmethod
    def _exchange(sender: Sender, end: float, exchanges: list[Exchange], facts: dict[str, Any]) -> Answer:
        """Send the request, and note what is known of it however it ends."""
        begun = time.monotonic()
        status: int | None = None
        size: int | None = None
        try:
            answer = sender.send(end - begun)
            status, size = answer.status, None if answer.failure else len(answer.body)
        finally:
            facts["status"] = status
            taken = time.monotonic() - begun
            exchanges.append(replace(sender.shown, status=status, seconds=taken, size=size))
        return answer

    def _unmatched(self, wallets: tuple[Wallet, ...]) -> list[str]:
        """Name the thresholds that no wallet has: a misspelt currency would keep a page from being sent."""
        names = {wallet.id for wallet in wallets} | {wallet.currency for wallet in wallets}
        there = f"; there are {', '.join(sorted(names)[:_NAMED])}"
        return [
            f"wallet_thresholds.{name} matches no wallet{did_you_mean(name, names) or there}"
            for name in self.account.wallet_thresholds
            if wallets and name not in names and name.upper() not in names
        ]

    def _now(self) -> tuple[Mapping[str, str], object]:
        """Read the secrets, and what the file of authorities is now."""
        try:
            secrets = {name: secret.read() for name, secret in self.account.secrets.items()}
        except ValueError as error:
            raise Failure(Reason.MISCONFIGURED, str(error)) from None
        return secrets, trusted(self.account.ca_file)

    def _ready(self) -> Sender:
        state = self._now()
        if self._sender is None or state != self._state:
            prepared = prepare(self.account, state[0])
            self._sender = self._client.sender(prepared, self.account.ca_file, self.account.proxy_url)
            self._state = state
            self.revision += 1
        return self._sender

    def _hint(self, facts: Mapping[str, Any]) -> str:
        hints = self.account.provider.definition.hints
        if "reason" not in facts:
            return ""
        return hints.get(str(facts.get("status"))) or hints.get(facts["reason"], "")


def _unreadable(answer: Answer) -> Failure | None:
    """Say why an answer's body must not be read, though its status counts."""
    if not answer.whole and answer.body.rstrip()[-1:].isdigit():
        # 1234.50 that is cut is a number too: 12.
        return Failure(Reason.UNREACHABLE, "the connection ended where a number may go on")
    return answer.failure


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (seconds or a date, RFC 9110) as seconds from `now`, at most an hour.

    `now` is by the clock of who wrote the date.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    moment = _moment(value)
    return None if moment is None else min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _moment(value: str) -> datetime | None:
    """Read a date of HTTP's, in its obsolete forms too; None for what is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
