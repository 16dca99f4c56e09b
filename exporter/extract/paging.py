"""Which page of an answer comes next: by its number, or by a token that the page before it gives."""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from exporter.extract.absence import Nothing
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.first import plain
from exporter.extract.words import kind, path_text
from exporter.model import Failure, Reason
from exporter.providers.definition import Pages

MAX_PAGES = 100
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/.*\?")
_SAID = {True: True, False: False, "true": True, "false": False}


class Pager:
    """Knows how one provider's answers go on."""

    def __init__(self, pages: Pages) -> None:
        self._by_number = pages.number
        self._from = pages.from_
        self._more = Expression(pages.more) if pages.more else None
        # A definition has one of the two.
        self._where = Expression(pages.last or pages.next or "@")

    def after(self, documents: Sequence[Any], asked: Collection[str]) -> str | None:
        """Return what the page after `documents` is asked for by, None after the last.

        `asked` has what pages were asked for by so far. Raise `Failure`: malformed, or too_large for over a hundred.
        """
        page = self._number(documents) if self._by_number else self._token(documents[-1], asked)
        if page is not None and len(documents) >= MAX_PAGES:
            raise Failure(Reason.TOO_LARGE, f"the answer has over {MAX_PAGES} pages")
        return page

    def _number(self, documents: Sequence[Any]) -> str | None:
        last = _found(self._where, documents[0])
        if isinstance(last, str) and last.isascii() and last.isdigit():
            last = Decimal(last)
        whole = isinstance(last, int | Decimal) and not isinstance(last, bool) and last == int(last)
        if not whole or last < 0:
            raise self._malformed("the last page's number cannot be used", last)
        if last - self._from >= MAX_PAGES:
            raise Failure(Reason.TOO_LARGE, f"the answer has over {MAX_PAGES} pages")
        number = self._from + len(documents)
        return str(number) if number <= last else None

    def _token(self, page: Any, asked: Collection[str]) -> str | None:
        token = _found(self._where, page)
        if self._more:
            said = _found(self._more, page)
            more = _SAID.get(said) if isinstance(said, bool | str) else None
            if more is None:
                told = f"{kind(said)} at {path_text(self._more)}"
                raise Failure(Reason.MALFORMED, f"the page does not say whether there is a next one: {told}")
            if not more:
                return None
        elif self._ends(token, page):
            return None
        try:
            text = plain(token)
        except ValueError as error:
            raise self._malformed(f"the token of the next page {error}", token) from None
        if _URL.match(text):
            raise self._malformed("the token of the next page is a URL", token)
        if text in asked:
            raise self._malformed("the token of the next page came before", token)
        return text

    def _ends(self, token: Any, page: Any) -> bool:
        """Return whether a page says that there is no token of a next one; one that says nothing may have lost it."""
        if token is None and self._where.why_nothing(page, _interpreter(page)) is Nothing.ABSENT:
            advice = (
                f'where the last page leaves it out, the definition says more: "{self._where.text} != null"'
            )
            raise Failure(
                Reason.MALFORMED,
                f"the token of the next page is missing: nothing at {path_text(self._where)}; {advice}",
            )
        return token is None or token == ""

    def _malformed(self, problem: str, found: Any) -> Failure:
        return Failure(Reason.MALFORMED, f"{problem}: {kind(found)} at {path_text(self._where)}")


def _interpreter(page: Any) -> Interpreter:
    return Interpreter({"$": page})


def _found(path: Expression, page: Any) -> Any:
    try:
        return path.search(page, _interpreter(page))
    except ValueError:
        raise Failure(Reason.MALFORMED, f"{path_text(path)} does not fit the answer") from None
