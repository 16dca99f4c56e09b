"""The program as its command line, and a free port, for the tests of what is shipped around it."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def program(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program of the checkout with the given arguments."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).parent / "prepaid-exporter", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
