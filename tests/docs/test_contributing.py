"""CONTRIBUTING.md: its map shows the house as it is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.programs import PATIENCE


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


@pytest.mark.slow
def test_a_new_provider_is_made_to_the_letter(root: Path, text: str, tmp_path: Path) -> None:
    section = text.partition("\n## A new provider\n")[2].partition("\n## ")[0]
    (answer,) = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    commands = [
        dedent(block) for block in re.findall(r"^   ```sh\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL)
    ]
    # What makes the development environment is not part of the section: it is the one that runs this test.
    assert commands[0].startswith("make setup\n")
    commands[0] = commands[0].removeprefix("make setup\n")
    (head,) = re.findall(r"^   ```yaml\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL)
    # What Python has compiled is copied as well, but not while it is written.
    passing = shutil.ignore_patterns("*.pyc.*")
    for folder in ("exporter", "tests", "docs", "scripts", "helm"):
        shutil.copytree(root / folder, tmp_path / folder, symlinks=True, ignore=passing)
    for file in root.glob("[!.]*.*"):
        shutil.copy2(file, tmp_path)
    shutil.copy2(root / "Makefile", tmp_path)
    _environment(tmp_path)
    (tmp_path / "answer.json").write_text(answer)
    _done(commands[0], tmp_path)
    definition = tmp_path / "exporter" / "providers" / "acmesms.yml"
    refused = _run("make provider NAME=acmesms", tmp_path)
    assert refused.returncode != 0
    assert "acmesms.yml has to say category, looked_up, documentation or sources too" in refused.stdout
    _begin(definition, dedent(head))
    done = _done("".join(commands[1:]), tmp_path)
    assert "exporter/providers/acmesms.yml: a definition, no problems" in done
    assert "pip sync" not in done, "the environment that runs this test stays as it is"
    assert re.search(r"^[1-9]\d+ passed in ", done, re.MULTILINE), "its tests were run"
    assert "`acmesms`" in (tmp_path / "docs" / "providers.md").read_text()
    assert 'provider="acmesms"' in (tmp_path / "tests" / "golden" / "text-1.0.0.txt").read_text()
    assert not (root / "exporter" / "providers" / "acmesms.yml").exists()


def _environment(folder: Path) -> None:
    """Make an environment that is the one of this test, with marks of its own that say that it is as it is locked."""
    (folder / ".venv").mkdir()
    marks = ("python", "product", "development")
    for part in Path(sys.prefix).iterdir():
        if part.name not in marks:
            (folder / ".venv" / part.name).symlink_to(part)
    # A lock that is newer than the environment must not lead to its change.
    (folder / "requirements-dev.lock").touch()
    for mark in marks:
        (folder / ".venv" / mark).touch()


def _begin(definition: Path, head: str) -> None:
    """Write the lines that the section shows in place of those that the definition begins with."""
    keys = tuple(f"{line.partition(':')[0]}:" for line in head.splitlines())
    begun = definition.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(begun) if line.startswith(keys))
    rest = [line for line in begun if not line.startswith(keys)]
    definition.write_text("".join([*rest[:first], head, *rest[first:]]))


def _done(script: str, folder: Path) -> str:
    """Return what commands write that must succeed."""
    done = _run(script, folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "MAKE"))
    }
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**env, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 10,
        check=False,
    )
