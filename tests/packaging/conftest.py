"""The program as its command line, for the tests of what is shipped around it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import PATIENCE


@pytest.fixture
def program(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program of the checkout with the given arguments."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [Path(sys.executable).parent / "prepaid-exporter", *arguments]
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    return run
