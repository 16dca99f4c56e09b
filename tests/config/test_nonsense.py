"""Nonsense in any place of a configuration or a definition is refused with its place, or taken and harmless.

What a running exporter reads again may have turned into anything; an exception that nobody expects would not say where.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from exporter import providers
from exporter.config import load
from exporter.model import Failure
from exporter.providers.json_schema import schema
from exporter.schema.problems import ConfigurationError
from exporter.schema.yaml_document import read
from exporter.upstream.request import prepare

pytestmark = pytest.mark.unmeasured

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/config/good/providers", "tests/fixtures/features/definitions", "exporter/providers")
NONSENSE: tuple[Any, ...] = (
    "",
    "\0",
    "a\0b",
    "\x85",
    "\ufeff\u200b\u2028\U000e0001",
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


def kinds() -> dict[Path, list[Place]]:
    """Return by definition the places of kinds that no other before it has; most providers are alike."""
    known = {name for part in (schema(), *schema()["$defs"].values()) for name in part.get("properties", {})}
    seen: set[Place] = set()
    found: dict[Path, list[Place]] = {}
    files = [file for folder in FOLDERS for file in (ROOT / folder).glob("*.yml")]
    # The shorter a definition is, the faster it is read.
    for file in sorted(files, key=lambda file: (file.stat().st_size, file.name)):
        for place in places(read(file).data):
            kind = tuple(part if part in known else type(part).__name__ for part in place)[-2:]
            if kind not in seen:
                seen.add(kind)
                found.setdefault(file, []).append(place)
    return found


def changed(document: Any, place: Place, value: Any) -> Any:
    """Return the document with something else in one place; all else in it is the same object as before."""
    if not place:
        return value
    result = copy(document)
    result[place[0]] = changed(document[place[0]], place[1:], value)
    return result


def renamed(document: Any, place: Place, name: str) -> Any:
    """Return the document with another key in one place."""
    result = copy(document)
    if len(place) == 1:
        result[name] = result.pop(place[0])
    else:
        result[place[0]] = renamed(document[place[0]], place[1:], name)
    return result


def versions(document: Any, chosen: Iterable[Place]) -> Iterator[Any]:
    """Yield the document with the value, and the key, in each of the chosen places turned into nonsense."""
    for place in chosen:
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
    for version in versions(document, places(document)):
        written(tmp_path / "prepaid.yml", version)
        assert all(line.isprintable() for line in told(tmp_path / "prepaid.yml"))


@pytest.mark.slow
def test_nonsense_in_a_definition(tmp_path: Path) -> None:
    for definition, chosen in kinds().items():
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
        for version in versions(document, chosen):
            written(tmp_path / "own.yml", version)
            _, problems = providers.load(tmp_path / "own.yml")
            # What is wrong with a definition is told in the same way when an account names it.
            found = list(map(str, problems)) or told(tmp_path / "prepaid.yml")
            assert all(line.isprintable() for line in found), definition
