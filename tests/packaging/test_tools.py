"""scripts/tools: it asks for what the tests use and for nothing else, and says what is missing."""

import re
import subprocess
from pathlib import Path

import pytest

NEED = re.compile(r"^need (\S+) (\S+)$", re.MULTILINE)
USE = re.compile(r"\btool\(\"([\w-]+)\"\)")


@pytest.fixture(scope="module")
def needed(root: Path) -> dict[str, str]:
    """Return the package of every program that the script asks for."""
    return dict(NEED.findall((root / "scripts/tools").read_text()))


def told(root: Path, path: Path, *programs: str) -> str:
    """Return what the script tells somebody who is not root and has these programs alone."""
    for name in ("id", *programs):
        program = path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\necho 1000\n")
        program.chmod(0o755)
    environment = {"PATH": str(path)}
    command: list[str | Path] = ["/bin/sh", root / "scripts/tools"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    return result.stderr


def test_it_asks_for_the_programs_of_tests_and_benchmarks_and_no_other(
    root: Path, needed: dict[str, str]
) -> None:
    scripts = [path for folder in ("tests", "benchmarks") for path in (root / folder).rglob("*.py")]
    text = "".join(path.read_text() for path in scripts)
    brought = {*needed, *needed.values()}  # a package also brings the program that it is named after
    assert set(USE.findall(text)) <= brought | {name.removeprefix("prometheus-") for name in brought}
    assert [name for name in needed if f'"{name}"' not in text] == []


def test_who_may_not_install_is_told_the_packages(root: Path, needed: dict[str, str], tmp_path: Path) -> None:
    have = [name for name in needed if name not in ("amtool", "buildah")]
    assert told(root, tmp_path, *have, "apt-get").split("apt-get install")[1].split() == [
        "prometheus-alertmanager",
        "buildah",
    ]


def test_a_system_without_apt_get_is_told_no_command_that_it_lacks(
    root: Path, needed: dict[str, str], tmp_path: Path
) -> None:
    assert "apt-get" not in told(root, tmp_path, *set(needed) - {"amtool"})


def test_nothing_is_said_where_all_is_there(root: Path, needed: dict[str, str], tmp_path: Path) -> None:
    assert told(root, tmp_path, *needed) == ""
