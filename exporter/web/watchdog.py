"""One thread that calls back where something does not end in time; there from the start, so that no limit needs one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread


class Watchdog:
    """Holds limits; `start` comes first."""

    def __init__(self) -> None:
        self._limits: dict[object, tuple[float, Callable[[], None]]] = {}
        self._changed = Condition()
        self._wakes = float("inf")

    def start(self) -> None:
        """Start the thread."""
        Thread(target=self._run, name="watch", daemon=True).start()

    @contextmanager
    def limit(self, seconds: float, late: Callable[[], None]) -> Iterator[None]:
        """Call `late`, which must not wait or raise, when what stands under this is not done after so many seconds."""
        key, end = object(), time.monotonic() + seconds
        with self._changed:
            self._limits[key] = end, late
            if end < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            # Under the lock, so that nothing is called once this is over.
            with self._changed:
                self._limits.pop(key, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for key, (end, late) in list(self._limits.items()):
                    if end <= now:
                        del self._limits[key]
                        late()
                self._wakes = min((end for end, _ in self._limits.values()), default=float("inf"))
                self._changed.wait(None if self._wakes == float("inf") else self._wakes - now)
