"""Write the blocks of the documentation that the code knows better: `python docs/generate.py [--check]`.

A block stands between `<!-- BEGIN GENERATED name -->` and `<!-- END GENERATED name -->` in any page here or in
the README; what is in it is replaced.
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from calls import HEAD, rows

from exporter import providers
from exporter.cli import catalogue
from exporter.cli import main as command_line
from exporter.config.json_schema import schema
from exporter.config.settings import AccountSettings, DefaultSettings, FileSettings
from exporter.metrics.families import FAMILIES
from exporter.providers import Provider
from exporter.providers.definition import (
    BasicAuth,
    Credential,
    Definition,
    Errors,
    FieldAuth,
    First,
    Given,
    Login,
    Pages,
    Param,
    RawBody,
    Request,
    SignedAuth,
    Success,
    TokenAuth,
)
from exporter.providers.json_schema import schema as definition_schema
from exporter.providers.mapping import (
    Choice,
    Currency,
    Flag,
    FreeText,
    Number,
    Part,
    Sum,
    Text,
    Timestamp,
    WalletMapping,
)
from exporter.schema.durations import text as duration_text
from exporter.schema.fields import Strict
from exporter.scrape.accounts_json import AccountEntry, AutoRecharge, WalletEntry, accounts_schema
from exporter.web import tls
from exporter.web.passwords import MAX_COST
from exporter.web.rate_limit import RateLimitSettings
from exporter.web.web_config import HeaderSettings, HTTPSettings, WebConfigSettings

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"(<!-- BEGIN GENERATED (\w+) -->\n).*?(<!-- END GENERATED \2 -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def families() -> str:
    """List every family with its type, labels and meaning."""
    return table(
        ("family", "type", "labels", "meaning"),
        [
            (f"`{family.name}`", family.type, ", ".join(f"`{label}`" for label in family.labels), family.help)
            for family in FAMILIES
        ],
    )


def provider_list() -> str:
    """List every built-in provider by category: what it exports, what an account needs, how sure it is; and notes."""
    known = catalogue.ordered(providers.built_in(name) for name in providers.names())
    head = ("name", "provider and source", "exports", "needs", "currency", "how sure", "looked up")
    parts = []
    for category, group in groupby(known, lambda provider: provider.definition.category or "other"):
        listed = list(group)
        parts.append(f"\n### {category}\n\n{table(head, [_provider(one) for one in listed])}")
        parts += [f"\n{one.name}:\n\n{_notes(one)}" for one in listed if one.definition.notes]
    return "".join(parts).lstrip("\n")


def _provider(provider: Provider) -> Sequence[str]:
    definition = provider.definition
    return (
        f"`{provider.name}`",
        f"[{definition.title}]({definition.source})",
        ", ".join(catalogue.exports(definition)),
        ", ".join(catalogue.needs(definition)),
        catalogue.currency(provider),
        definition.confidence,
        str(definition.looked_up),
    )


def _notes(provider: Provider) -> str:
    definition = provider.definition
    notes = [*definition.notes]
    if definition.min_interval:
        notes.append(f"Recommended `min_interval`: {duration_text(definition.min_interval)}.")
    return "".join(f"- {note}\n" for note in notes)


def configuration() -> str:
    """List every key of the configuration, by section."""
    sections = (("", FileSettings), ("defaults.", DefaultSettings), ("accounts[].", AccountSettings))
    rows = [
        (f"`{prefix}{name}`", _default(field), field.description or "")
        for prefix, model in sections
        for name, field in model.model_fields.items()
    ]
    return table(("key", "default", "meaning"), rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, float):
        return f"`{duration_text(value)}`"
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if isinstance(value, str | Decimal) and value != "" else ""


def web_configuration() -> str:
    """List every key of the web configuration file, then what the toolkit takes and this server refuses."""
    sections: Sequence[tuple[str, type[Strict]]] = (
        ("tls_server_config.", tls.TLSSettings),
        ("http_server_config.", HTTPSettings),
        ("http_server_config.headers.", HeaderSettings),
        ("", WebConfigSettings),
        ("rate_limit.", RateLimitSettings),
    )
    keys = [
        (f"`{prefix}{field.alias or name}`", field.description)
        for prefix, model in sections
        for name, field in model.model_fields.items()
        if field.description
    ]
    refused = [
        (
            f"`tls_server_config.{key}`",
            ", ".join(
                f"`{value}`" if value.isidentifier() else value
                for value in reasons
                if reasons[value] == reason
            ),
            reason,
        )
        for key, reasons in tls.REFUSED.items()
        for reason in dict.fromkeys(reasons.values())
    ]
    refused.append(
        ("`basic_auth_users`", f"a hash of a cost over {MAX_COST}", "it takes too long to compute")
    )
    return (
        table(("key", "meaning"), keys)
        + "\nRefused, by name:\n\n"
        + table(("key", "value", "reason"), refused)
    )


_PARTS: Sequence[tuple[str, type[Strict]]] = (
    ("The file", Definition),
    ("Each of credentials", Credential),
    ("Each of params", Param),
    ("request", Request),
    ("body of a request", RawBody),
    ("pages of a request", Pages),
    ("first", First),
    ("login", Login),
    ("Each of gives of a login", Given),
    ("auth with a bearer token", TokenAuth),
    ("auth with one field", FieldAuth),
    ("auth with user and password", BasicAuth),
    ("auth with a signature", SignedAuth),
    ("success", Success),
    ("errors", Errors),
    ("wallets", WalletMapping),
    ("A number", Number),
    ("Each of plus and minus", Part),
    ("sum", Sum),
    ("A time", Timestamp),
    ("A text", Text),
    ("A text of people", FreeText),
    ("A currency", Currency),
    ("A flag", Flag),
    ("A choice", Choice),
)


def definition() -> str:
    """List every key of a provider definition, by part."""
    return "\n".join(
        f"#### {title}\n\n{inspect.getdoc(model)}\n\n"
        + table(
            ("key", "default", "meaning"),
            [
                (f"`{field.alias or name}`", _default(field), field.description or "")
                for name, field in model.model_fields.items()
            ],
        )
        for title, model in _PARTS
    )


def commands() -> str:
    """Return the help of every command, as a terminal shows it."""
    return "\n".join(
        f"```console\n$ prepaid-exporter {words}--help\n{text}\n```\n" for words, text in _helps()
    )


def _helps() -> Iterator[tuple[str, str]]:
    context = command_line.context_class(
        command_line, info_name="prepaid-exporter", **{**command_line.context_settings, "terminal_width": 100}
    )
    yield "", command_line.get_help(context)
    yield from _inner_helps(command_line, context, "")


def _inner_helps(group: click.Group, context: click.Context, words: str) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if command:
            inner = command.context_class(command, info_name=name, parent=context, terminal_width=100)
            yield f"{words}{name} ", command.get_help(inner)
            if isinstance(command, click.Group):
                yield from _inner_helps(command, inner, f"{words}{name} ")


def accounts_json() -> str:
    """List every key of the accounts as JSON."""
    parts = (
        ("[]", AccountEntry),
        ("[].wallets[]", WalletEntry),
        ("[].wallets[].auto_recharge", AutoRecharge),
    )
    return table(
        ("key", "meaning"),
        [
            (f"`{where}.{name}`", field.description)
            for where, model in parts
            for name, field in model.model_fields.items()
            if field.description
        ],
    )


def calls() -> str:
    """Count the calls of a day by allowance and `min_interval`."""
    return table(HEAD, list(rows()))


BLOCKS: dict[str, Callable[[], str]] = {
    "calls": calls,
    "families": families,
    "providers": provider_list,
    "configuration": configuration,
    "definition": definition,
    "cli": commands,
    "accounts_json": accounts_json,
    "web_configuration": web_configuration,
}


def chart_credentials() -> str:
    """Write a template of the chart that knows which credentials the built-in providers have, where not `api_key`."""
    known = {name: list(providers.built_in(name).definition.credentials) for name in providers.names()}
    others = {name: credentials for name, credentials in known.items() if credentials != ["api_key"]}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(names)}" for name, names in others.items())
    return (
        "{{- /* What the built-in providers call their credentials, where it is not api_key; by `make docs`. */ -}}\n"
        f'{{{{- define "prepaid-exporter.builtInCredentials" -}}}}\n{{\n{lines}\n}}\n{{{{- end -}}}}\n'
    )


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with the text that it should have."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if _BLOCK.search(text):
            yield path, _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", text)
    yield ROOT / "helm" / "prepaid-exporter" / "templates" / "_credentials.tpl", chart_credentials()
    yield ROOT / "docs" / "prepaid.schema.json", json.dumps(schema(), indent=2) + "\n"
    yield ROOT / "docs" / "definition.schema.json", json.dumps(definition_schema(), indent=2) + "\n"
    yield ROOT / "docs" / "accounts.schema.json", json.dumps(accounts_schema(), indent=2) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` only tell which differ."""
    differing = [
        (path, text)
        for path, text in pages()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in differing:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} differs from what the code says; run: make docs")
        else:
            path.write_text(text, encoding="utf-8")
    return int(bool(differing) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
