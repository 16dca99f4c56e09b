"""The tokens that an account's login gave: kept while they are good, and fetched once for all who need them."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock

from exporter.model import Failure, Reason

_LONGEST_MARGIN = 60.0
_MARGIN = 0.1
"""How much of a lifetime, in seconds and as a share of it, a token is not used any more: it may end on its way."""


@dataclass(frozen=True)
class Tokens:
    """Tokens by their names; `spellings` has the secrets that they were fetched with as they may be echoed.

    `lifetime` is how many seconds they are good from `begun` on, in seconds of `time.monotonic`; None is until refused.
    """

    values: Mapping[str, str] = field(repr=False)
    spellings: tuple[str, ...] = field(default=(), repr=False)
    begun: float = 0.0
    lifetime: float | None = None

    @property
    def good(self) -> bool:
        """Return whether they may still be used."""
        if self.lifetime is None:
            return True
        margin = min(self.lifetime * _MARGIN, _LONGEST_MARGIN)
        return time.monotonic() < self.begun + self.lifetime - margin


Secrets = Mapping[str, str]


class Login:
    """What is known of one account's tokens; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[Secrets, Tokens] | None = None
        self._under_way: tuple[Secrets, Future[Tokens]] | None = None

    def tokens(self, secrets: Secrets, fetch: Callable[[], Tokens], end: float) -> tuple[Tokens, bool]:
        """Return the tokens that the credentials give, and whether they were there already.

        Without good ones `fetch` is called, by one thread at a time: the others wait for what it gives, until `end` in
        seconds of `time.monotonic`. Raise what it raises, or `Failure` (timeout).
        """
        with self._lock:
            if self._kept and self._kept[0] == secrets and self._kept[1].good:
                return self._kept[1], True
            if self._under_way and self._under_way[0] == secrets:
                future, mine = self._under_way[1], False
            else:
                future, mine = Future[Tokens](), True
                self._under_way = (secrets, future)
        if mine:
            return self._fetched(secrets, fetch, future), False
        try:
            return future.result(max(end - time.monotonic(), 0.0)), False
        except TimeoutError:
            raise Failure(Reason.TIMEOUT, "the login: not done in time") from None

    def _fetched(self, secrets: Secrets, fetch: Callable[[], Tokens], future: Future[Tokens]) -> Tokens:
        begun = time.monotonic()
        try:
            tokens = replace(fetch(), begun=begun)
        except BaseException as error:
            self._end(future)
            future.set_exception(error)
            raise
        self._end(future, (secrets, tokens))
        future.set_result(tokens)
        return tokens

    def _end(self, future: Future[Tokens], kept: tuple[Secrets, Tokens] | None = None) -> None:
        with self._lock:
            if self._under_way and self._under_way[1] is future:
                self._under_way = None
                self._kept = kept

    def forget(self, tokens: Tokens) -> None:
        """Use tokens no more, since they were refused."""
        with self._lock:
            if self._kept and self._kept[1] is tokens:
                self._kept = None
