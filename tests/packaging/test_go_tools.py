"""scripts/go_tools.py: what is locked is built once and kept, and what cannot be built is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import go_tools

GO = """#!/bin/sh
case "$1" in
  version) echo "go version go{version} linux/amd64";;
  build)
    for option; do case "$option" in -o=*) folder=${{option#-o=}};; esac; done
    [ "$(basename "$PWD")" != broken ] || exit 1
    echo "built" > "$folder/program"; echo "$PWD" >> "$LOG";;
esac
"""


@pytest.fixture
def make(tmp_path: Path, root: Path) -> "Make":
    return Make(tmp_path, root)


class Make:
    """A checkout with two locked programs, and what the script says on a machine with a certain Go."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        (folder / "scripts/go_tools.py").write_text((root / "scripts/go_tools.py").read_text())
        for name in ("broken", "fine"):
            (folder / "tools" / name).mkdir(parents=True)
            for file in ("go.mod", "go.sum"):
                (folder / "tools" / name / file).write_text(f"{name} {file}")
        (folder / "bin").mkdir()
        self.environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "LOG": f"{folder}/log"}
        self.environment["XDG_CACHE_HOME"] = str(folder / "cache")

    def go(self, version: str) -> None:
        """Install a Go that builds everything but what is broken."""
        (self.folder / "bin/go").write_text(GO.format(version=version))
        (self.folder / "bin/go").chmod(0o755)

    def tools(self, *names: str) -> subprocess.CompletedProcess[str]:
        """Build what is missing."""
        command = [sys.executable, "-E", str(self.folder / "scripts/go_tools.py"), *names]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    def kept(self) -> list[str]:
        """List the programs that are kept."""
        folder = self.folder / "cache/prepaid-exporter/tools"
        return sorted(path.name.rpartition("-")[0] for path in folder.iterdir())

    def built(self) -> list[str]:
        """List what was built, in turn."""
        log = self.folder / "log"
        return [Path(line).name for line in log.read_text().splitlines()] if log.exists() else []


def test_a_program_is_built_once_until_its_lock_changes(make: Make) -> None:
    make.go("1.26.8")
    assert "built fine in " in make.tools("fine").stdout
    assert make.tools("fine").stdout == ""
    assert make.built() == ["fine"]
    (make.folder / "tools/fine/go.sum").write_text("another")
    make.tools("fine")
    assert make.built() == ["fine", "fine"]


def test_a_build_that_fails_costs_its_own_programs_only(make: Make) -> None:
    make.go("1.30")
    assert "broken cannot be built" in make.tools().stderr
    assert make.kept() == ["fine"]


@pytest.mark.parametrize("version", ["1.25.9", "1.9"])
def test_an_older_go_builds_nothing_and_is_named(make: Make, version: str) -> None:
    make.go(version)
    said = make.tools().stderr
    assert "Go 1.26 or newer is needed, and here is go version" in said
    assert "tests with broken, fine are skipped, and fail where CI is set" in said
    assert make.built() == []


def test_without_go_it_is_said_what_is_skipped(make: Make) -> None:
    make.environment["PATH"] = str(make.folder / "bin")
    assert make.tools().stderr.startswith("Go is not installed: tests with broken, fine are skipped")


def test_every_lock_names_programs_that_tests_or_benchmarks_run(root: Path) -> None:
    texts = [path.read_text() for path in (root / "tests/conftest.py", root / "benchmarks/peers.py")]
    assert go_tools.names()
    for name in go_tools.names():
        assert any(f'"{name}"' in text for text in texts), name


def test_where_a_program_is_kept_follows_the_desk_s_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert go_tools.kept("prometheus").parent == tmp_path / "prepaid-exporter" / "tools"
    assert os.path.commonpath([go_tools.kept("helm3"), tmp_path]) == str(tmp_path)
