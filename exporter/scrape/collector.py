"""One account -> one outcome. The one place where an exception becomes a reason."""

import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from types import MappingProxyType
from typing import Any

from exporter import log
from exporter.config import Account
from exporter.extract.checks import Check
from exporter.extract.extractor import extractor
from exporter.extract.login import LoginReader
from exporter.model import Bug, Exchange, Failure, FieldAnswers, Outcome, Reason, Wallet
from exporter.providers.definition import Login as LoginCall
from exporter.schema.validation import did_you_mean
from exporter.scrape.login import Login, Logins, Tokens
from exporter.scrape.senders import Senders
from exporter.upstream.answer import MAX_SIZE, Answer
from exporter.upstream.client import Client, Sender, StaleError
from exporter.upstream.trust import trusted

MAX_RETRY_AFTER = 3600.0
"""Longest time, in seconds, for which a provider's Retry-After is obeyed."""

_MAX_SIZE_OF_ALL = 4 * MAX_SIZE
"""Longest answers, in bytes, of one collection: the documents of all pages are held at once."""

_HOLDING_STATUSES = (429, 503)
_NAMED = 6
"""Most wallets and currencies that a note lists."""


class Collector:
    """Collects one account.

    The way of one collection: the secrets are read, and the requests are put together from them and the definition,
    once and anew when a secret or an authority changes (`revision` counts how often). They are sent, inside the
    account's timeout: a login, where no token of an earlier one is good, the first one, where there is one, then the
    one for the wallets, and its further pages. Each answer is parsed to a document. The definition says whether it is a
    good one, and where the wallets stand in it. What they hold is the outcome; whatever fails on the way is raised as a
    `Failure`, with the reason and our words for it, and becomes the outcome too. Any other exception is a bug of ours.
    """

    def __init__(self, account: Account, client: Client, logins: Logins | None = None) -> None:
        self.account = account
        self._extractor = extractor(account.provider)
        self._senders = Senders(account, client)
        self._logins = logins or Logins()
        self._login: Login | None = None
        self._state: tuple[Mapping[str, str], object] | None = None
        self.revision = 0
        # Prepared here, so that the first scrape need not wait. A failure is explained by the collection.
        with suppress(Exception):
            self._ready()

    def asks_as_before(self) -> bool:
        """Return whether the next request would be the last one again: no secret or authority has changed."""
        # What cannot be read is explained by the collection.
        with suppress(Exception):
            return self._now() == self._state
        return False

    def collect(self, answers: FieldAnswers | None = None) -> Outcome:
        """Ask the account once, within its timeout, and note in `answers` which fields were given; never raises."""
        collection = _Collection()
        try:
            wallets, notes = self._wallets(collection, answers)
        except Failure as failure:
            hint = self.account.provider.definition.hint(failure.reason, collection.status)
            return replace(collection.ended(), reason=failure.reason, detail=failure.detail, hint=hint)
        except Exception as error:  # noqa: BLE001 - the boundary: one account's bug must not cost the others
            bug = Bug(type(error).__name__, log.frames(error))
            detail = f"{bug.error} in the exporter, see its log"
            return replace(collection.ended(), reason=Reason.INTERNAL, detail=detail, bug=bug)
        kept = tuple(wallet for wallet in wallets if not self.account.ignores(wallet))
        return replace(collection.ended(), wallets=kept, notes=notes)

    def _wallets(
        self, collection: "_Collection", answers: FieldAnswers | None
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        """Return the wallets, and notes on what was left out of them; raise `Failure`."""
        secrets = self._ready()
        collection.end = time.monotonic() + self.account.timeout
        reader, call, login = self._extractor.login, self.account.provider.definition.login, self._login
        if reader is None or call is None or login is None:
            return self._read(collection, secrets, answers)

        def fetch() -> Tokens:
            return self._logged_in(collection, secrets, call, reader)

        tokens, known = login.tokens(fetch, collection.end)
        try:
            return self._read(collection, {**secrets, **tokens.values}, answers, tokens.spellings)
        except Failure as failure:
            if failure.reason is not Reason.AUTH:
                raise
            login.forget(tokens)
            if not known:
                raise
        # They were good once, and may have been taken back.
        tokens, _ = login.tokens(fetch, collection.end)
        try:
            return self._read(collection, {**secrets, **tokens.values}, answers, tokens.spellings)
        except Failure as failure:
            if failure.reason is Reason.AUTH:
                login.forget(tokens)
            raise

    def _identity(self, call: LoginCall, secrets: Mapping[str, str]) -> Hashable:
        """Return what accounts with the same login have in common, and others have not."""
        account = self.account
        used = call.variables()
        values = {**account.params, **secrets}
        known = tuple((name, values[name]) for name in sorted(used & values.keys()))
        url = account.login_base_url or account.base_url
        return account.provider, url, known, account.ca_file, account.proxy_url

    def _logged_in(
        self, collection: "_Collection", secrets: Mapping[str, str], call: LoginCall, reader: LoginReader
    ) -> Tokens:
        with _told("the login"):
            sender = self._senders.sender("login", call, secrets)
            document, headers = collection.ask(sender, reader)
            values = reader.tokens(document, headers)
        return Tokens(values, sender.prepared.secrets, lifetime=reader.lifetime(document))

    def _read(
        self,
        collection: "_Collection",
        secrets: Mapping[str, str],
        answers: FieldAnswers | None,
        spellings: tuple[str, ...] = (),
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        """Return the wallets and notes; `spellings` are further texts that must not be taken over. Raise `Failure`."""
        first, given = self._first(collection, secrets)
        (document, *further), spelt = self._pages(collection, secrets, given, first)
        wallets, notes = self._extractor.wallets(
            document, self.account.currency, (*spelt, *spellings), answers, first=first, further=further
        )
        return wallets, (*notes, *self._unmatched(wallets))

    def _first(self, collection: "_Collection", secrets: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        """Return the first request's document, and the values that it gives; raise `Failure`."""
        reader, call = self._extractor.first, self.account.provider.definition.first
        if reader is None or call is None:
            return None, {}
        with _told("the first request"):
            sender = self._senders.sender("first", call, secrets)
            document, _ = collection.ask(sender, reader.answers)
            return document, reader.given(document)

    def _pages(
        self, collection: "_Collection", secrets: Mapping[str, str], given: Mapping[str, str], first: Any
    ) -> tuple[list[Any], tuple[str, ...]]:
        """Return the documents that the wallets are read from, and the secrets as they may be spelt in them.

        Raise `Failure`.
        """
        call, pager = self.account.provider.definition.request, self._extractor.pager
        page: str | None = None
        asked: list[str] = []
        documents: list[Any] = []
        while True:
            with _told(f"page {len(documents) + 1}" if documents else ""):
                sender = self._senders.sender("request", call, secrets, given, page)
                document, _ = collection.ask(sender, self._extractor.answers, {"$first": first})
                documents.append(document)
                if sum(exchange.size or 0 for exchange in collection.exchanges) > _MAX_SIZE_OF_ALL:
                    raise Failure(Reason.TOO_LARGE, f"the answers are over {_MAX_SIZE_OF_ALL} bytes together")
                asked += [] if page is None else [page]
                page = pager.after(documents, asked) if pager else None
            if page is None:
                return documents, sender.prepared.secrets

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

    def _ready(self) -> Mapping[str, str]:
        """Read the secrets, and make what sends the account's requests anew where something has changed."""
        state = self._now()
        if state != self._state:
            self._senders.forget()
            key, call = next(self.account.provider.definition.calls())
            self._senders.sender(key, call, state[0])
            if isinstance(call, LoginCall):
                self._login = self._logins.of(self._identity(call, state[0]))
            self._state = state
            self.revision += 1
        return state[0]


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say in a failure which of several requests it was."""
    try:
        yield
    except Failure as failure:
        raise Failure(failure.reason, f"{where}: {failure.detail}" if where else failure.detail) from None


@dataclass
class _Collection:
    """What is known of a collection that is under way, however it ends; it ends by `end`, in monotonic seconds."""

    begun: float = field(default_factory=time.monotonic)
    end: float = inf
    exchanges: list[Exchange] = field(default_factory=list)
    status: int | None = None
    retry_after: float | None = None

    def ask(
        self, sender: Sender, check: Check, names: Mapping[str, Any] = MappingProxyType({})
    ) -> tuple[Any, Mapping[str, str]]:
        """Send a request and return the document and the headers of a good answer; raise `Failure`.

        `names` are known in the rules that it is checked by.
        """
        try:
            answer = self._answer(sender)
            if failure := _unreadable(answer, check.answer):
                check.check_status(answer.status)
                raise failure
            content_type = answer.headers.get("content-type", "")
            return check.document(answer.status, answer.body, content_type, names), answer.headers
        except Failure as reason:
            raise sender.explained(reason) from None

    def _answer(self, sender: Sender) -> Answer:
        try:
            answer = self._exchange(sender)
        except StaleError:
            # This is no retry: the first request went into a connection that had ended.
            answer = self._exchange(sender)
        if answer.status in _HOLDING_STATUSES:
            now = _moment(answer.headers.get("date", "")) or datetime.now(UTC)
            self.retry_after = retry_after(answer.headers.get("retry-after"), now)
        return answer

    def _exchange(self, sender: Sender) -> Answer:
        begun, size = time.monotonic(), None
        if self.exchanges and begun >= self.end:
            raise Failure(Reason.TIMEOUT, "no time was left for it")
        self.status = None
        try:
            answer = sender.send(self.end - begun)
            self.status, size = answer.status, None if answer.failure else len(answer.body)
        finally:
            taken = time.monotonic() - begun
            self.exchanges.append(replace(sender.redacted, status=self.status, seconds=taken, size=size))
        return answer

    def ended(self) -> Outcome:
        """Return the outcome as far as it is known: without wallets or a reason."""
        return Outcome(
            at=time.time(),
            duration=time.monotonic() - self.begun,
            status=self.status,
            retry_after=self.retry_after,
            exchanges=tuple(self.exchanges),
        )


def _unreadable(answer: Answer, kind: str) -> Failure | None:
    """Return why an answer of a kind must not be read, though its status counts.

    Where only the end of the connection says that it is over, JSON shows by itself whether it was cut, save for a
    number; a text never does: 12 is all that may be left of 1234.50.
    """
    if not answer.whole and (kind != "json" or answer.body.rstrip()[-1:].isdigit()):
        return Failure(Reason.UNREACHABLE, "the connection ended, and the answer may be incomplete")
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
