"""What every test may use: the companion programs of the field, found or refused by one rule."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Find a program (`tool("promtool")`); without it a test is skipped on a desk and fails in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path:
            return path
        message = f"{name} is not installed; `make tools` installs what the tests need"
        if os.environ.get("CI"):
            pytest.fail(message)
        return pytest.skip(message)

    return find
