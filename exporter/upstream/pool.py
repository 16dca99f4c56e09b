"""Connections that are kept for the next request that goes the same way."""

import time
from threading import Lock
from weakref import finalize

from exporter.upstream.connection import Route
from exporter.upstream.stream import Stream

_MOST = 4096
"""Most connections that are kept, over all routes: as many as may be in use at once."""


class Pool:
    """Idle connections by their route; safe to share between threads. Nothing happens to one until it is looked at."""

    def __init__(self) -> None:
        self._idle: dict[Route, list[tuple[Stream, float]]] = {}
        self._count = 0
        self._lock = Lock()
        # Whoever forgets a pool has no use for its connections.
        finalize(self, _close, self._idle)

    def take(self, route: Route) -> tuple[Stream, float] | None:
        """Take the connection that was used last, and the seconds for which it was idle; None where none stands.

        One on which anything came meanwhile is closed: whatever it is, it answers no question that is yet to be asked.
        """
        while True:
            with self._lock:
                idle = self._idle.get(route)
                if not idle:
                    return None
                stream, since = idle.pop()
                self._count -= 1
            if stream.quiet():
                return stream, time.monotonic() - since
            stream.close()

    def keep(self, route: Route, stream: Stream) -> None:
        """Keep a connection whose last answer was understood to its last byte."""
        with self._lock:
            if self._count < _MOST:
                self._idle.setdefault(route, []).append((stream, time.monotonic()))
                self._count += 1
                return
        stream.close()

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            _close(self._idle)
            self._count = 0


def _close(idle: dict[Route, list[tuple[Stream, float]]]) -> None:
    for kept in idle.values():
        for stream, _ in kept:
            stream.close()
    idle.clear()
