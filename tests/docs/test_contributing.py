"""CONTRIBUTING.md: its map shows the house as it is."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "CONTRIBUTING.md").read_text()


def test_the_map_names_every_room_and_no_other(root: Path, text: str) -> None:
    tree = text.partition("```\nexporter/\n")[2].partition("```")[0]
    rooms = {path.parent.name for path in (root / "exporter").glob("*/__init__.py")}
    assert set(re.findall(r"^  (\w+)/ ", tree, re.MULTILINE)) == rooms


def test_the_map_lists_the_rooms_as_imports_go(root: Path, text: str) -> None:
    listed = re.findall(r"^  (\w+)/ ", text, re.MULTILINE)
    layers = (root / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    floors = [name for name in re.findall(r"\w+", layers) if name in listed]
    assert [name for name in listed if name in floors] == floors


def test_every_file_and_folder_that_it_names_is_there(root: Path, text: str) -> None:
    named = {name for name in re.findall(r"`([\w./-]+/[\w./-]*)`", text) if "NAME" not in name}
    missing = [name for name in named if not ((root / name).exists() or (root / "exporter" / name).exists())]
    assert missing == []
