"""What people see on a terminal: colours, tables, and that something is under way.

The library is imported when something is drawn: what programs read needs none of it.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDE = 1000


def console(file: IO[str]) -> "Console":
    """Return a console that uses colours and folds lines only on a terminal."""
    from rich.console import Console  # noqa: PLC0415

    terminal = file.isatty()
    return Console(
        file=file,
        force_terminal=terminal,  # whatever FORCE_COLOR says
        highlight=False,
        width=None if terminal else _WIDE,
        soft_wrap=not terminal,
    )


def progress(text: str) -> AbstractContextManager[object]:
    """Show `text` while something takes long; on a terminal alone."""
    if sys.stderr is None or not sys.stderr.isatty():
        return nullcontext()
    # The usual spinner uses characters that not every terminal has.
    spinner = "dots" if sys.stderr.encoding.lower().startswith("utf") else "line"
    return console(sys.stderr).status(text, spinner=spinner)


def columns(*names: str) -> "Table":
    """Begin a table whose cells are folded where the terminal is narrow: a cut name or number would mislead."""
    from rich.table import Table  # noqa: PLC0415

    drawn = Table(box=None, pad_edge=False)
    for name in names:
        drawn.add_column(name, overflow="fold", min_width=max(map(len, name.split()), default=0))
    return drawn
