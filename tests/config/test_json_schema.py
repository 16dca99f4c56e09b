"""The JSON Schema for editors: kept in docs/, the same as the program prints, and of one mind with the program."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from exporter.cli import main
from exporter.schema.problems import ConfigurationError
from exporter.schema.yaml_document import read

pytestmark = pytest.mark.unmeasured

FOLDER = Path(__file__).parent
GOOD = sorted((FOLDER / "good").glob("*.yml"))
ONLY_THE_PROGRAM = {
    "base-url",
    "currency-contradicts",
    "duplicate-account",
    "empty-variable",
    "key-in-place-of-a-file",
    "login-base-url",
    "name-with-odd-characters",
    "own-definition",
    "own-definition-named-twice",
    "own-definition-unreadable",
    "pattern-without-a-file",
    "runway-in-the-wrong-order",
    "secret-as-a-variable",
    "secret-file-empty",
    "secret-file-is-a-folder",
    "secret-file-missing",
    "secret-file-not-text",
    "thresholds-in-the-wrong-order",
    "unknown-provider",
    "unset-variable",
    "words-stay-text",
}
"""Mistakes that take a look at other files, at the environment, or at two places at once."""


def readable(file: Path) -> bool:
    """Return whether a file is YAML as we take it; of another an editor has its own opinion."""
    try:
        return bool(read(file))
    except ConfigurationError:
        return False


BAD = [file.stem for file in sorted((FOLDER / "bad").glob("*.yml")) if readable(file)]


@pytest.fixture(scope="session")
def kept(root: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((root / "docs" / "prepaid.schema.json").read_text(encoding="utf-8"))
    return schema


@pytest.fixture(scope="session")
def validator(kept: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(kept)
    return jsonschema.Draft202012Validator(kept)


def test_the_kept_schema_is_the_one_that_the_program_prints(root: Path) -> None:
    printed = CliRunner().invoke(main, ["validate", "--schema"], catch_exceptions=False).stdout
    assert (root / "docs" / "prepaid.schema.json").read_text(encoding="utf-8") == printed, "run `make docs`"


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_file_fits_the_schema(file: Path, validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(read(file).data)] == []


@pytest.mark.parametrize("name", BAD)
def test_an_editor_underlines_what_the_program_refuses(
    name: str, validator: jsonschema.Draft202012Validator
) -> None:
    underlined = list(validator.iter_errors(read(FOLDER / "bad" / f"{name}.yml").data))
    assert bool(underlined) == (name not in ONLY_THE_PROGRAM)


def test_every_key_is_described(kept: dict[str, Any]) -> None:
    owners = [kept, *kept["$defs"].values()]
    silent = [
        name
        for owner in owners
        for name, field in owner.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []
