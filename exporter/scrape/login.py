"""The tokens that logins gave: kept while they are good, and fetched once for all who need them."""

import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock
from weakref import WeakValueDictionary

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


class Login:
    """What is known of the tokens of one login; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: Tokens | None = None
        self._under_way: Future[Tokens] | None = None

    def tokens(self, fetch: Callable[[], Tokens], end: float) -> tuple[Tokens, bool]:
        """Return tokens, and whether they were there already.

        Without good ones `fetch` is called, by one thread at a time: the others wait for what it gives, until `end` in
        seconds of `time.monotonic`. Raise what it raises, or `Failure` (timeout).
        """
        while True:
            with self._lock:
                if self._kept and self._kept.good:
                    return self._kept, True
                future, mine = self._under_way or Future[Tokens](), not self._under_way
                self._under_way = future
            if mine:
                return self._fetched(fetch, future), False
            try:
                return future.result(max(end - time.monotonic(), 0.0)), False
            except TimeoutError:
                raise Failure(Reason.TIMEOUT, "the login: not done in time") from None
            except Failure as failure:
                # Who fetched it may have had less time.
                if failure.reason is not Reason.TIMEOUT or time.monotonic() >= end:
                    raise

    def _fetched(self, fetch: Callable[[], Tokens], future: Future[Tokens]) -> Tokens:
        begun = time.monotonic()
        try:
            tokens = replace(fetch(), begun=begun)
        except BaseException as error:
            self._end(None)
            future.set_exception(error)
            raise
        self._end(tokens)
        future.set_result(tokens)
        return tokens

    def _end(self, kept: Tokens | None) -> None:
        with self._lock:
            self._under_way = None
            self._kept = kept

    def forget(self, tokens: Tokens) -> None:
        """Use tokens no more, since they were refused."""
        with self._lock:
            if self._kept is tokens:
                self._kept = None


class Logins:
    """The logins of all accounts: those that make the same request share one, and each ends with the last of them.

    Many providers take an older token back once they give a new one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: WeakValueDictionary[Hashable, Login] = WeakValueDictionary()

    def of(self, request: Hashable) -> Login:
        """Return the login that makes a request."""
        with self._lock:
            login = self._known.get(request)
            if login is None:
                login = self._known[request] = Login()
            return login
