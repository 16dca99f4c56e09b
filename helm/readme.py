"""Prints the table of values into the chart's README.md; with --check it only says whether it is up to date.

A value's description is the comment above it in values.yaml that begins with `# --`.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).parent / "prepaid-exporter"
BEGIN, END = "<!-- BEGIN GENERATED values -->", "<!-- END GENERATED values -->"


class Value(NamedTuple):
    """One value that a user may set: its path, its default as JSON, and what it is for."""

    path: str
    default: str
    description: str


def values(text: str) -> Iterator[Value]:
    """Yield the values of values.yaml in their order; raise ValueError for one without a description."""
    lines = text.splitlines()
    root = yaml.compose(text)
    if isinstance(root, yaml.MappingNode):
        yield from _inside(root, (), lines, yaml.safe_load(text))


def _inside(
    node: yaml.MappingNode, path: tuple[str, ...], lines: list[str], defaults: dict[str, Any]
) -> Iterator[Value]:
    for key, value in node.value:
        here = (*path, key.value)
        default = defaults[key.value]
        description = _description(lines[: key.start_mark.line])
        if description:
            yield Value(".".join(here), json.dumps(default), description)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _inside(value, here, lines, default)
        else:
            line = key.start_mark.line + 1
            raise ValueError(f"values.yaml:{line}: {'.'.join(here)} has no `# --` comment above it")


def _description(above: list[str]) -> str:
    comment: list[str] = []
    for line in reversed(above):
        if not line.lstrip().startswith("#"):
            break
        comment.insert(0, line.strip().removeprefix("#").strip())
        if comment[0].startswith("-- "):
            return " ".join(comment).removeprefix("-- ")
    return ""


def table(rows: Iterator[Value]) -> str:
    """Write the values as a Markdown table."""
    lines = ["| value | default | meaning |", "|---|---|---|"]
    lines += [f"| `{row.path}` | `{row.default}` | {row.description} |" for row in rows]
    return "\n".join(lines)


def with_table(readme: str, rows: str) -> str:
    """Put the table between the markers of the README; raise ValueError where they are not."""
    block = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not block.search(readme):
        raise ValueError(f"README.md has no place for the values: {BEGIN} and {END} are missing")
    return block.sub(lambda _: f"{BEGIN}\n{rows}\n{END}", readme)


def main(arguments: list[str]) -> int:
    """Write or check README.md; give the exit status."""
    file = CHART / "README.md"
    now = file.read_text(encoding="utf-8")
    wanted = with_table(now, table(values((CHART / "values.yaml").read_text(encoding="utf-8"))))
    if "--check" in arguments:
        if now != wanted:
            sys.stderr.write("the chart's README.md is not what values.yaml says; run helm/readme.py\n")
        return int(now != wanted)
    file.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
