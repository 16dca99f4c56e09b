"""The JSON Schema for editors: kept in docs/, the same as the program prints, and of one mind with the program."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exporter.source import read

FOLDER = Path(__file__).parent
GOOD = sorted((FOLDER / "good").glob("*.yml"))


@pytest.fixture(scope="session")
def kept(root: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((root / "docs" / "prepaid.schema.json").read_text(encoding="utf-8"))
    return schema


@pytest.fixture(scope="session")
def validator(kept: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(kept)
    return jsonschema.Draft202012Validator(kept)


def test_the_kept_schema_is_the_one_that_the_program_prints(root: Path) -> None:
    program = Path(sys.executable).with_name("prepaid-exporter")
    printed = subprocess.run(
        [program, "validate", "--schema"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert (root / "docs" / "prepaid.schema.json").read_text(encoding="utf-8") == printed, "run `make docs`"


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_file_fits_the_schema(file: Path, validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(read(file).data)] == []


@pytest.mark.parametrize(
    "name",
    [
        "unknown-key-at-the-top",
        "unknown-key-in-defaults",
        "unknown-key-in-an-account",
        "unknown-level",
        "accounts-as-a-mapping",
        "account-as-text",
        "accounts-null",
        "no-accounts",
        "not-a-mapping",
        "empty",
        "name-and-provider-missing",
        "name-of-the-wrong-type",
        "name-too-long",
        "durations",
        "links-and-proxy",
        "params-of-the-wrong-type",
        "plain-http",
        "provider-files-as-text",
        "secret-of-the-wrong-type",
        "thresholds-of-the-wrong-type",
        "everything-at-once",
    ],
)
def test_an_editor_underlines_what_the_program_refuses(
    name: str, validator: jsonschema.Draft202012Validator
) -> None:
    assert list(validator.iter_errors(read(FOLDER / "bad" / f"{name}.yml").data))


def test_every_key_is_described(kept: dict[str, Any]) -> None:
    owners = [kept, *kept["$defs"].values()]
    silent = [
        name
        for owner in owners
        for name, field in owner.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []
