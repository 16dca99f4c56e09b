"""Functions over windows of time, of whole arrays at once: one sample a minute, NaN where there is none.

A window is the minutes from `first` to `last`, counted from the moment that it is for: -4 to 0 are five samples.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Window = tuple[int, int]


def shifted(values: Array, minutes: int) -> Array:
    """Return what the values were some minutes ago."""
    if not minutes:
        return values
    moved = np.full_like(values, np.nan)
    moved[minutes:] = values[:-minutes]
    return moved


def running(mask: Mask, window: Window) -> NDArray[np.int32]:
    """Count for each minute in how many minutes of its window a mask is set."""
    return _sums(mask.astype(np.int32), window)


def _sums(numbers: NDArray[Any], window: Window) -> NDArray[Any]:
    total = np.concatenate(([0], np.cumsum(numbers)))
    minutes = np.arange(len(numbers))
    first, last = window
    inside: NDArray[Any] = (
        total[np.clip(minutes + last + 1, 0, len(numbers))] - total[np.clip(minutes + first, 0, len(numbers))]
    )
    return inside


def _at_last(values: Array) -> NDArray[np.int32]:
    """Return for each minute where the last sample up to it is, -1 where there is none."""
    minutes = np.arange(len(values), dtype=np.int32)
    return np.maximum.accumulate(np.where(np.isnan(values), np.int32(-1), minutes))


def _found(values: Array, window: Window) -> tuple[NDArray[np.int32], Mask]:
    """Return where the last sample in each window is, and whether there is one."""
    first, last = window
    at = _at_last(values)
    if last:
        at = np.concatenate((np.full(min(-last, len(at)), -1, np.int32), at[:last]))
    return at, at >= np.maximum(np.arange(len(values), dtype=np.int32) + first, 0)


def last_over_time(values: Array, window: Window) -> Array:
    """Return the last sample in each window."""
    at, there = _found(values, window)
    return np.where(there, values[at], np.nan)


def present_over_time(values: Array, window: Window) -> Array:
    """Return 1 where there is a sample in the window."""
    return np.where(_found(values, window)[1], 1.0, np.nan)


def count_over_time(values: Array, window: Window) -> Array:
    """Return how many samples each window has."""
    count = running(~np.isnan(values), window)
    return np.where(count > 0, count, np.nan)


def sum_over_time(values: Array, window: Window) -> Array:
    """Return the sum of each window."""
    there = ~np.isnan(values)
    return np.where(running(there, window) > 0, _sums(np.where(there, values, 0), window), np.nan)


def avg_over_time(values: Array, window: Window) -> Array:
    """Return the mean of each window."""
    return sum_over_time(values, window) / count_over_time(values, window)


def _extreme(values: Array, window: Window, pick: Callable[[Array, Array], Array]) -> Array:
    """Return the least or greatest of each window, which doubles until it is wide enough."""
    first, last = window
    width, have, best = last - first + 1, 1, values
    while have < width:
        step = min(have, width - have)
        best = pick(best, shifted(best, step))
        have += step
    return shifted(best, -last)


def min_over_time(values: Array, window: Window) -> Array:
    """Return the least of each window."""
    return _extreme(values, window, np.fmin)


def max_over_time(values: Array, window: Window) -> Array:
    """Return the greatest of each window."""
    return _extreme(values, window, np.fmax)


def changes(values: Array, window: Window) -> Array:
    """Return how often each window's samples differ from the one before, within the window."""
    there = ~np.isnan(values)
    before = shifted(last_over_time(values, (-len(values), 0)), 1)
    changed = np.cumsum(there & ~np.isnan(before) & (values != before))
    minutes = np.arange(len(values))
    at_first = np.minimum.accumulate(np.where(there, minutes, len(values) - 1)[::-1])[::-1]
    at, inside = _found(values, window)
    begin = at_first[np.clip(minutes + window[0], 0, len(values) - 1)]
    return np.where(inside, changed[at] - changed[begin], np.nan)


OVER_TIME: dict[str, Callable[[Array, Window], Array]] = {
    function.__name__: function
    for function in (
        last_over_time,
        present_over_time,
        count_over_time,
        sum_over_time,
        avg_over_time,
        min_over_time,
        max_over_time,
        changes,
    )
}


def runs(mask: Mask) -> list[tuple[int, int]]:
    """List where a mask is set: from, and up to."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
