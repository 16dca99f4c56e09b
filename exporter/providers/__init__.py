"""The provider definitions: one NAME.yml per built-in provider beside this file, and the operator's own."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exporter.providers.consistency import consistency
from exporter.providers.definition import Definition
from exporter.schema.problems import ConfigurationError, Problem
from exporter.schema.validation import validate, written
from exporter.schema.yaml_document import read

ALIKE = 0.75
"""How close a name must be to be taken for a slip: `acne` is one for `acme`, `claude` is none for `cloudflare`."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Provider:
    """A definition under the name that accounts and the label `provider` use for it."""

    name: str
    definition: Definition

    def __hash__(self) -> int:
        """Hash by name: equal providers have equal names, and a definition holds mappings."""
        return hash(self.name)


@cache
def names() -> tuple[str, ...]:
    """List the built-in providers."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yml")))


@cache
def built_in(name: str) -> Provider:
    """Load a built-in provider by its name; raise KeyError for a name that is not built in."""
    if name not in names():
        raise KeyError(name)
    provider, problems = load(_FOLDER / f"{name}.yml")
    if provider is None:
        raise ConfigurationError(problems)
    return provider


def alias(name: str) -> str | None:
    """Return the built-in provider that people also call by this name, or None.

    All definitions are read for it, so it is for a name that was not found, and not for every start.
    """
    wanted = _folded(name)
    for known in names():
        if wanted in map(_folded, (known, *built_in(known).definition.aliases)):
            return known
    return None


def _folded(name: str) -> str:
    """Return a name without what people write differently: `Akamai`, `46 elks`, `Open-Router`."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def own(path: Path) -> Provider:
    """Load one definition file of the operator's; raise `ConfigurationError` with everything that is wrong with it."""
    provider, problems = load(path)
    if provider is None:
        raise ConfigurationError(problems)
    return provider


def load(path: Path) -> tuple[Provider | None, list[Problem]]:
    """Load one definition file; its name without the ending is the provider's name.

    Return the provider, or None and what is wrong with the file.
    """
    try:
        source = read(path)
    except ConfigurationError as error:
        return None, error.problems
    definition, problems = validate(Definition, source.data, source)
    if definition:
        problems = [
            source.problem(written(where, source), message) for where, message in consistency(definition)
        ]
    return (Provider(path.stem, definition) if definition and not problems else None), problems
