"""Nonsense in any place of a configuration or a definition is refused with its place, or taken and harmless.

What a running exporter reads again may have turned into anything; an exception that nobody expects would not say where.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from exporter.config import load
from exporter.model import Failure
from exporter.schema.problems import ConfigurationError
from exporter.schema.yaml_document import read
from exporter.upstream.request import prepare

HERE = Path(__file__).parent
BUILT_IN = Path(__file__).parents[2] / "exporter" / "providers"
DEFINITIONS = [*sorted(BUILT_IN.glob("*.yml")), *sorted((HERE / "good" / "providers").glob("*.yml"))]
NONSENSE: tuple[Any, ...] = (
    "",
    "\0",
    "a\0b",
    "\x85",
    "\ufeff",
    "\u200b",
    "\u2028",
    "\U000e0001",
    "x" * 5000,
    "/" * 300,
    "${",
    "[",
    "(",
    "http://[",
    "http://\0",
    "https://a:b",
    10**30,
    -1,
    None,
    [],
    {},
    [[]],
    {"\0": "\0"},
)

Place = tuple[str | int, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    yield here
    inner: Any = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else inner:
        yield from places(item, (*here, key))


def changed(document: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    result = deepcopy(document)
    owner = result
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    return result


def renamed(document: Any, place: Place, name: str) -> Any:
    result = deepcopy(document)
    owner = result
    for key in place[:-1]:
        owner = owner[key]
    owner[name] = owner.pop(place[-1])
    return result


def versions(document: Any) -> Iterator[Any]:
    """Yield the document with each of its values, and each of its keys, turned into nonsense."""
    for place in places(document):
        for value in NONSENSE:
            yield changed(document, place, value)
        if place and isinstance(place[-1], str):
            yield renamed(document, place, "a\0b")
            yield renamed(document, place, "")


def told(file: Path) -> list[str]:
    """Load a configuration and put its requests together; return what is wrong with it."""
    try:
        config = load(file)
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    for account in config.accounts:
        with suppress(Failure):
            prepare(account, dict.fromkeys(account.secrets, "invented"))
    return []


def written(file: Path, document: Any) -> None:
    """Write JSON, which is YAML: it has a spelling for every character."""
    file.write_text(json.dumps(document, default=str), encoding="utf-8")


def test_nonsense_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREPAID_TEST_UNSET", "set")
    document = read(HERE / "good" / "every-key.yml").data
    for version in versions(document):
        written(tmp_path / "prepaid.yml", version)
        assert all(line.isprintable() for line in told(tmp_path / "prepaid.yml"))


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda file: file.stem)
def test_nonsense_in_a_definition(definition: Path, tmp_path: Path) -> None:
    document = read(definition).data
    account = {
        "name": "a",
        "provider": "own",
        "currency": "EUR",
        **{f"{name}_env": "PREPAID_TEST_KEY" for name in document["credentials"]},
        "params": dict.fromkeys(document.get("params", {}), "p"),
    }
    configuration = {"provider_files": ["own.yml"], "accounts": [account]}
    written(tmp_path / "prepaid.yml", configuration)
    for version in versions(document):
        written(tmp_path / "own.yml", version)
        assert all(line.isprintable() for line in told(tmp_path / "prepaid.yml"))
