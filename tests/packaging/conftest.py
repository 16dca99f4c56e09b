"""The program as its command line, for the tests of what is shipped around it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import EXPORTER, PATIENCE


@pytest.fixture
def program(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program of the checkout with the given arguments."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [EXPORTER, *arguments]
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    return run
