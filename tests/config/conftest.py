"""A configuration file written by a test, loaded as the program loads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import Config, load
from exporter.schema.problems import ConfigurationError

CANARY = "canary-7f3a"


@pytest.fixture
def canary() -> str:
    """Return the secret that no message may hold."""
    return CANARY


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment that the files in the folders speak of."""
    monkeypatch.setenv("PREPAID_TEST_KEY", f"  {CANARY}\n")
    monkeypatch.setenv("PREPAID_TEST_EMPTY", " ")
    monkeypatch.delenv("PREPAID_TEST_UNSET", raising=False)


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Config]:
    """Load a text as `prepaid.yml` of an empty folder."""

    def load_text(text: str, **options: bool) -> Config:
        file = tmp_path / "prepaid.yml"
        file.write_text(text, encoding="utf-8")
        return load(file, **options)

    return load_text


@pytest.fixture
def refused(loaded: Callable[..., Config], tmp_path: Path) -> Callable[[str], list[str]]:
    """Return the problems of a text, missing secrets among them, a line each, without the folder's name."""

    def problems(text: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            loaded(text, secrets_must_be_there=True)
        return str(caught.value).replace(f"{tmp_path}/", "").split("\n")

    return problems
