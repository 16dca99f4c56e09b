"""The page that holds what was measured, each between marks of its name."""

import re
from pathlib import Path

_PAGE = Path(__file__).resolve().parent.parent / "docs/reliability.md"


def record(name: str, text: str) -> None:
    """Put figures, lines with an end each, in the place of those of before; raise ValueError without a place."""
    marks = rf"(<!-- BEGIN MEASURED {name} -->\n).*(<!-- END MEASURED {name} -->)"
    page, places = re.subn(
        marks,
        lambda found: f"{found[1]}{text}{found[2]}",
        _PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if places != 1:
        raise ValueError(f"{_PAGE} has no place for what was measured of {name}")
    _PAGE.write_text(page, encoding="utf-8")
