"""The GitHub workflows: valid, without known weaknesses, and every action pinned to a commit."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE_PYTHON = Path(sys.executable).parent
USES = re.compile(r"uses: (\S+)(.*)")


@pytest.fixture(scope="module")
def workflows(root: Path) -> list[Path]:
    return sorted((root / ".github/workflows").glob("*.yml"))


def test_actionlint_finds_nothing(workflows: list[Path], root: Path) -> None:
    # The shell scripts inside are for shellcheck, which not every machine has: one result everywhere.
    command = [BESIDE_PYTHON / "actionlint", "-shellcheck=", "-pyflakes=", *workflows]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_zizmor_finds_nothing_even_when_pedantic(workflows: list[Path], root: Path) -> None:
    command = [
        BESIDE_PYTHON / "zizmor",
        "--offline",
        "--persona=pedantic",
        "--strict-collection",
        "--no-progress",
    ]
    inputs = [*workflows, root / ".github/dependabot.yml"]
    result = subprocess.run([*command, *inputs], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    for path in inputs:
        assert f"completed {path}" in result.stderr


def test_every_action_is_pinned_to_a_commit_and_says_its_version(workflows: list[Path]) -> None:
    used = [match for path in workflows for match in USES.finditer(path.read_text())]
    assert used
    for match in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", match[1]), match[0]
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", match[2]), match[0]


def test_nothing_is_granted_to_all_jobs(workflows: list[Path]) -> None:
    for path in workflows:
        assert "\npermissions: {}\n" in path.read_text(), path
