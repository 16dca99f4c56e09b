"""How long ago something was, or how far ahead it is, for people."""

from math import ceil

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def age(seconds: float) -> str:
    """Write how long ago something was, to its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"


def ahead(seconds: float) -> str:
    """Write how far ahead something is: as `age`, and never sooner than it is."""
    for size, unit in _UNITS:
        if seconds > size:
            return f"{ceil(seconds / size)} {unit}"
    return f"{ceil(max(seconds, 0))} s"
