"""Connections that are kept for the next request on the same route."""

import time
from collections import OrderedDict
from threading import Lock
from weakref import finalize

from exporter.upstream.connection import Route
from exporter.upstream.stream import Stream

_MOST = 4096
"""Most connections that are kept, over all routes: as many as may be in use at once."""

MAX_IDLE = 50.0
"""Seconds after which an idle connection is closed; load balancers forget theirs after 60, and often say nothing."""


class Pool:
    """Idle connections by their route; safe to share between threads.

    Nothing happens to a connection by itself: those that are too old are closed when any is taken or kept.
    """

    def __init__(self) -> None:
        self._idle: dict[Route, list[Stream]] = {}
        self._since: OrderedDict[Stream, tuple[Route, float]] = OrderedDict()
        self._lock = Lock()
        # A pool that nobody uses any more closes its connections.
        finalize(self, _close, self._since)

    def take(self, route: Route) -> tuple[Stream, float] | None:
        """Take the connection that was used last, and the seconds for which it was idle; None where none stands.

        A connection on which anything came meanwhile is closed: nobody has asked for it yet.
        """
        while True:
            with self._lock:
                self._expire()
                idle = self._idle.get(route)
                if not idle:
                    return None
                stream = idle.pop()
                _, since = self._since.pop(stream)
            if stream.quiet():
                return stream, time.monotonic() - since
            stream.close()

    def keep(self, route: Route, stream: Stream) -> None:
        """Keep a connection whose last answer was understood to its last byte."""
        with self._lock:
            self._idle.setdefault(route, []).append(stream)
            self._since[stream] = route, time.monotonic()
            self._expire()

    def drop(self, route: Route) -> None:
        """Close the idle connections of a route: one of them was dead, and the others are as old."""
        with self._lock:
            for stream in self._idle.pop(route, []):
                del self._since[stream]
                stream.close()

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            self._idle.clear()
            _close(self._since)

    def _expire(self) -> None:
        """Close those that have been idle for too long, and the oldest where there are too many."""
        while self._since:
            stream, (route, since) = next(iter(self._since.items()))
            if time.monotonic() - since <= MAX_IDLE and len(self._since) <= _MOST:
                return
            del self._since[stream]
            self._idle[route].remove(stream)
            if not self._idle[route]:
                del self._idle[route]
            stream.close()


def _close(since: OrderedDict[Stream, tuple[Route, float]]) -> None:
    for stream in since:
        stream.close()
    since.clear()
