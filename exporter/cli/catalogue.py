"""What `providers` prints: the list of what can be asked, and one provider with what an account of it needs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, get_args

from exporter.cli.terminal import columns
from exporter.providers import Provider
from exporter.providers.definition import Category, Definition
from exporter.schema.durations import text as duration_text

if TYPE_CHECKING:
    from rich.table import Table

_FOR_PEOPLE = ("category", "name", "title", "needs", "how sure")
HEAD = ("category", "name", "title", "needs", "currency", "how sure", "looked up", "source", "exports")

_ALSO: Mapping[str, str] = {"ai": "llm tokens", "proxy": "proxies"}
"""Other words for a category, as people search for it."""


def ordered(providers: Iterable[Provider]) -> list[Provider]:
    """Return providers by category, then by name; those of no category are last."""
    return sorted(providers, key=lambda one: (one.definition.category or "~", one.name))


def categories() -> tuple[str, ...]:
    """Return all categories, in their order."""
    return get_args(Category)


def found(text: str, providers: Iterable[Provider]) -> list[Provider]:
    """Return the providers whose name, title, category, other names or currency hold every word of `text`."""
    words = _plain(text).split()
    return [one for one in providers if all(word in _searched(one) for word in words)]


def _searched(provider: Provider) -> str:
    definition = provider.definition
    texts = [
        provider.name,
        definition.title,
        definition.category or "",
        _ALSO.get(definition.category or "", ""),
        *definition.aliases,
        currency(provider),
    ]
    return _plain("\n".join(texts))


def _plain(text: str) -> str:
    """Return a text as it is searched: `e-mail` is `email`, and capitals are as good as small letters."""
    return text.casefold().replace("-", "")


def cells(provider: Provider) -> Iterator[str]:
    """Yield what the list says of a provider, in the order of `HEAD`."""
    definition = provider.definition
    yield definition.category or ""
    yield provider.name
    yield definition.title
    yield ", ".join(needs(definition))
    yield currency(provider)
    yield definition.confidence
    yield definition.looked_up.isoformat() if definition.looked_up else ""
    yield definition.source or ""
    yield ", ".join(exports(definition))


def exports(definition: Definition) -> Iterator[str]:
    """Yield what the wallets of a provider have, in the words of the families without their prefix."""
    exported = {name for wallet in definition.wallets for name in wallet.exported()}
    yield from (name for name in type(definition.wallets[0]).model_fields if name in exported)


def needs(definition: Definition) -> Iterator[str]:
    """Yield the credentials, params and other keys that an account must give."""
    yield from definition.credentials
    yield from (name for name, param in definition.params.items() if param.required)
    yield from (" or ".join(group) for group in definition.exactly_one)
    if definition.needs_currency:
        yield "currency"
    if definition.needs_base_url:
        yield "base_url"


def currency(provider: Provider) -> str:
    """Return where the currency of a provider's wallets comes from."""
    fields = [wallet.currency for wallet in provider.definition.wallets]
    if None in fields:
        return "the account says"
    literals = sorted({field.literal for field in fields if field and field.literal})
    return ", ".join(literals) if literals else "the answer says"


def lines(providers: Iterable[Provider]) -> Iterator[str]:
    """Yield the list, a line a provider, with all that it says: for programs and files."""
    rows = [[name.upper() for name in HEAD], *map(list, map(cells, ordered(providers)))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def table(providers: Iterable[Provider]) -> "Table":
    """Draw the list for a terminal, without what does not fit there."""
    from rich.text import Text  # noqa: PLC0415 - for people alone, as in the report

    drawn = columns(*(name.upper() for name in _FOR_PEOPLE))
    for provider in ordered(providers):
        told = dict(zip(HEAD, cells(provider), strict=True))
        drawn.add_row(*(Text(told[name]) for name in _FOR_PEOPLE))
    return drawn


def sheet(provider: Provider) -> str:
    """Write one provider for a reader: what it is, what an account needs, and an account to start from."""
    definition = provider.definition
    lines = [f"{provider.name}: {definition.title} ({definition.confidence})", "", *_facts(provider)]
    lines += ["", "Credentials (each as NAME_file, NAME_env or NAME):"]
    lines += _aligned({name: credential.description for name, credential in definition.credentials.items()})
    if definition.params:
        lines += ["", "Params:"]
        lines += _aligned({name: param.description for name, param in definition.params.items()})
        lines += [f"  exactly one of {', '.join(group)}" for group in definition.exactly_one]
    if definition.notes:
        lines += ["", *(f"Note: {note}" for note in definition.notes)]
    lines += ["", "An account to start from:", ""]
    return "\n".join([*lines, *_example(provider)])


def _facts(provider: Provider) -> Iterator[str]:
    definition = provider.definition
    facts = [
        ("category", definition.category),
        ("also called", ", ".join(definition.aliases)),
        *(("documentation", link) for link in definition.documentation),
        *(("source", link) for link in definition.sources),
        ("looked up", definition.looked_up),
        ("base_url", definition.base_url),
        ("request", f"{definition.request.method} {' or '.join(_paths(definition))}"),
        ("login_base_url", definition.login and definition.login.base_url),
        ("exports", ", ".join(exports(definition))),
        ("currency", currency(provider)),
        ("min_interval", definition.min_interval and f"{duration_text(definition.min_interval)} recommended"),
    ]
    yield from (f"  {name:<14} {text}" for name, text in facts if text)


def _paths(definition: Definition) -> Iterator[str]:
    """Yield what is added to the base URL, parameters and keys as `${name}`."""
    yield definition.request.path
    yield from (f"{path} with {param}" for param, path in definition.request.path_with.items())


def _aligned(descriptions: Mapping[str, str]) -> list[str]:
    width = max(14, *map(len, descriptions))
    return [f"  {name:<{width}} {description}" for name, description in descriptions.items()]


def _example(provider: Provider) -> Iterator[str]:
    definition = provider.definition
    yield f"  - name: my-{provider.name}"
    yield f"    provider: {provider.name}"
    for name in definition.credentials:
        yield f"    {name}_file: /run/secrets/{provider.name}-{name.replace('_', '-')}"
    if definition.needs_base_url:
        yield "    base_url: https://host.example.com"
    needed = [name for name, param in definition.params.items() if param.required]
    needed += [group[-1] for group in definition.exactly_one]
    if needed:
        yield f"    params: {{{', '.join(f'{name}: ...' for name in needed)}}}"
    if definition.needs_currency:
        yield "    currency: EUR"
    if definition.min_interval:
        yield f"    min_interval: {duration_text(definition.min_interval)}"
    yield "    thresholds: {warning: 100, critical: 25}"
