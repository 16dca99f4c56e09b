"""A definition tried on saved answers, without a network: what it would ask, and what it finds."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

from exporter.config import Account
from exporter.config.secret import MASK
from exporter.drafting.candidates import candidates
from exporter.drafting.saved import Saved
from exporter.extract.documents import parse
from exporter.extract.extractor import Extractor
from exporter.model import Failure, State, Wallet
from exporter.upstream.request import Prepared, prepare

_MOST_NUMBERS = 20


class TrialError(ValueError):
    """Why an answer gives no wallets, or which answer is wanted: lines for the operator."""


class Trial:
    """Tries the definition of an account, whose keys are not needed, on saved answers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._definition = account.provider.definition
        self._extractor = Extractor(self._definition)

    def requests(self) -> Iterator[str]:
        """Yield the lines of what would be asked, with masks in the places of keys and of what other answers give."""
        login, first = self._definition.login, self._definition.first
        masks = dict.fromkeys([*self._definition.credentials, *(login.gives if login else ())], MASK)
        given = dict.fromkeys(first.gives if first else (), MASK)
        for key, call in self._definition.calls():
            yield from _request(prepare(self._account, masks, call, given if key == "request" else {}))
            yield ""

    def answers(self, login: Saved | None, first: Saved | None, pages: Sequence[Saved]) -> Iterator[str]:
        """Yield the lines of what is found in answers, those of `pages` in their order; raise `TrialError`.

        A login may be tried alone, and may be left out.
        """
        yield from self._logged_in(login)
        if not pages:
            return
        before = yield from self._first(first)
        wallets, notes = yield from self._wallets(pages, before)
        yield from map(sentence, wallets)
        if not wallets:
            yield "no wallets"
        yield from (f"note: {note}" for note in notes)

    def _logged_in(self, saved: Saved | None) -> Iterator[str]:
        reader = self._extractor.login
        if reader is None:
            if saved:
                raise TrialError("the definition has no login: leave --login out")
            return
        if saved is None:
            yield from ("The answer to the login is not tried; --login FILE tries it.", "")
            return
        yield _answer(saved, " to the login")
        with self._explained(saved, "the login: "):
            document = reader.document(saved.status, saved.body, saved.content_type)
            names, lifetime = reader.tokens(document, saved.headers), reader.lifetime(document)
        good = "until it is refused" if lifetime is None else f"for {lifetime:g} s"
        yield from (f"It gives {', '.join(names)}, good {good}.", "")

    def _first(self, saved: Saved | None) -> Generator[str, None, Any]:
        """Return the document of the answer to the first request, None where there is none."""
        reader = self._extractor.first
        if reader is None:
            if saved:
                raise TrialError("the definition has no first request: leave --first out")
            return None
        if saved is None:
            raise TrialError("the definition has a first request: give its answer with --first FILE")
        yield _answer(saved, " to the first request")
        with self._explained(saved, "the first request: "):
            document = reader.answers.document(saved.status, saved.body, saved.content_type)
            names = reader.given(document)
        yield from (f"It gives {', '.join(names) or 'its document'}.", "")
        return document

    def _wallets(
        self, pages: Sequence[Saved], before: Any
    ) -> Generator[str, None, tuple[Sequence[Wallet], Sequence[str]]]:
        """Return the wallets of an answer and its further pages, and notes on them."""
        documents: list[Any] = []
        asked: list[str] = []
        pager = self._extractor.pager
        page: str | None = ""
        for number, saved in enumerate(pages, 1):
            if page is None:
                raise TrialError(f"answer {number} follows the last one: leave it out")
            yield _answer(saved)
            with self._explained(saved, f"page {number}: " if number > 1 else "", numbers=True):
                documents.append(
                    self._extractor.document(saved.status, saved.body, saved.content_type, before)
                )
                page = pager.after(documents, asked) if pager else None
            asked += [page] if page else []
        yield ""
        with self._explained(pages[0], "", numbers=True):
            wallets, notes = self._extractor.wallets(
                documents[0], self._account.currency, first=before, further=documents[1:]
            )
        more = (
            []
            if page is None
            else ["there are further pages, whose wallets and amounts are not in this answer"]
        )
        return wallets, (*notes, *more)

    @contextmanager
    def _explained(self, saved: Saved, where: str, *, numbers: bool = False) -> Iterator[None]:
        """Raise `TrialError` for a failure: its reason, what to do, and with `numbers` those that the answer has."""
        try:
            yield
        except Failure as failure:
            hint = self._definition.hint(failure.reason, saved.status)
            if self._definition.needs_currency and failure.detail.endswith("currency is missing"):
                hint = "the definition does not say it, so that the account must: --currency EUR"
            told = f"down: {failure.reason}; {where}{failure.detail}{f'; {hint}' if hint else ''}"
            raise TrialError("\n".join([told, *(self._numbers(saved) if numbers else ())])) from None

    def _numbers(self, saved: Saved) -> Iterator[str]:
        kind = self._definition.answer
        with suppress(ValueError):
            document = parse(saved.body, saved.content_type, kind, self._definition.lists)
            found = candidates(document, (), text=kind == "text")
            yield from ["numbers of the answer:"] if found else []
            for one in found[:_MOST_NUMBERS]:
                where = f"{one.path} of each of {one.items}" if one.items is not None else one.path
                yield f"  {where} = {one.value:f}"


def _request(prepared: Prepared) -> Iterator[str]:
    yield f"{prepared.method} {prepared.redacted.url}"
    for name, value in prepared.headers.items():
        text = value.decode()
        # User and password are written together there, which no reader could tell from a key.
        yield f"{name}: {f'Basic {MASK}' if text.startswith('Basic ') else text}"
    if prepared.body:
        yield from ("", prepared.body.decode().replace(quote_plus(MASK), MASK))


def _answer(saved: Saved, to: str = "") -> str:
    return f"Answer{to}: HTTP status {saved.status}, {len(saved.body)} bytes"


def sentence(wallet: Wallet) -> str:
    """Write a wallet with all that is known of it in one line."""
    values = {one.name: getattr(wallet, one.name) for one in fields(wallet)}
    for name in ("id", "currency", "credit_unit"):
        del values[name]
    if not wallet.postpaid:
        del values["postpaid"]
    known = [
        f"{name} {_words(name, value)}" for name, value in values.items() if value not in (None, "", (), {})
    ]
    return f"{wallet.id} {wallet.currency}: {', '.join(known) or 'no limit'}"


def _words(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{level} {amount:f}" for level, amount in value.items())
    if isinstance(value, tuple):
        return " ".join(f"{part.kind} {part.amount:f} {part.currency}" for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return _moment(value) if name.endswith("_timestamp") else f"{value:f}"
    return value.value if isinstance(value, State) else str(value)


def _moment(seconds: Decimal) -> str:
    """Write a time in Unix seconds for people, and as the number that its sample has."""
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%SZ} ({seconds.normalize():f})"
