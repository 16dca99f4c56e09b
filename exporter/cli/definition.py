"""`definition`: begin a provider of one's own from a command line of curl, and try it without a network."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import click

from exporter import providers
from exporter.cli.options import FILE, explained, option, printing
from exporter.config.secret import MASK
from exporter.drafting import draft, keys
from exporter.drafting.account import account as account_at
from exporter.drafting.candidates import candidates
from exporter.drafting.curl import CurlError, call
from exporter.extract.documents import parse
from exporter.extract.extractor import Extractor
from exporter.files import read_file
from exporter.model import Failure, State, Wallet
from exporter.providers import Provider
from exporter.providers.json_schema import schema
from exporter.upstream.answer import MAX_SIZE
from exporter.upstream.client import Client
from exporter.upstream.request import Prepared, prepare

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SAVED_HEAD = re.compile(rb"HTTP/[0-9.]+ (\d{3})[^\n]*\n(.*?)\r?\n\r?\n", re.DOTALL)
_SUCCESS = range(200, 300)


@click.group("definition")
def command() -> None:
    """Begin a provider of one's own from a command line of curl, and try it without a network."""


@command.command("new")
@click.argument("name")
@option("--curl", required=True, help="Command line of curl that asks for the balance; - reads it.")
@option("--answer", type=FILE, help="File with the answer of the provider, as curl printed it.")
@option("--ask", is_flag=True, help="Ask the provider once, now, in place of --answer.")
@option("--folder", type=click.Path(path_type=Path), default=".", help="Where the definition goes.")
@option(
    "--fixture",
    type=click.Path(path_type=Path),
    help="File of the fixture; else fixtures/NAME.yml beside it.",
)
@option("--force", is_flag=True, help="Replace files that are there.")
def new(  # noqa: PLR0913 - one argument a flag
    name: str,
    curl: str,
    answer: Path | None,
    ask: bool,  # noqa: FBT001 - click passes it
    folder: Path,
    fixture: Path | None,
    force: bool,  # noqa: FBT001 - click passes it
) -> None:
    """Begin NAME.yml and its fixture from a command line of curl and one answer.

    The key becomes a credential, and stands in no file and on no screen. Of the numbers in the answer the likeliest
    is taken for the balance; the others stand in comments. Texts and amounts of the fixture are invented.
    """
    with printing(1), _explained():
        if not _NAME.fullmatch(name) or name in providers.names():
            raise _MistakeError(
                f"{name!r}: a definition's name has a-z, 0-9, _ and -, and is not that of a built-in one"
            )
        files = folder / f"{name}.yml", fixture or folder / "fixtures" / f"{name}.yml"
        there = [str(file) for file in files if file.exists()]
        if there and not force:
            raise _MistakeError(f"{' and '.join(there)}: exists; --force replaces it")
        plan = keys.plan(call(sys.stdin.read() if curl == "-" else curl, os.environ))
        body, content_type = _saved(answer) if answer else _asked(name, plan, consent=ask)
        made = draft.draft(name, plan, body, content_type)
        for file, text in zip(files, (made.definition, made.fixture), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        click.echo(f"{files[0]}: the definition\n{files[1]}: its fixture, with invented texts and amounts\n")
        for line in made.told:
            click.echo(line)
        saved = answer or "ANSWER"
        click.echo(
            f"\nNow read it, and see what it does: prepaid-exporter definition try {files[0]} --answer {saved}"
        )


@command.command("try")
@click.argument("file", type=FILE)
@option("--answer", type=FILE, required=True, help="File with an answer of the provider, as curl printed it.")
@option(
    "--status", type=click.IntRange(200, 599), help="HTTP status of the answer; 200, or what the file says."
)
@option(
    "--param", multiple=True, metavar="NAME=VALUE", help="A param of the account; may be given several times."
)
@option("--currency", help="Currency of the account, where the answer has none.")
@option(
    "--first",
    type=FILE,
    help="File with the answer to the first request, where there is one.",
)
def try_(  # noqa: PLR0913 - one argument a flag
    file: Path,
    answer: Path,
    status: int | None,
    param: tuple[str, ...],
    currency: str | None,
    first: Path | None,
) -> None:
    """Show what a definition asks, with keys masked, and what it finds in an answer. Nothing is sent."""
    with printing(1), _explained(), explained(1):
        provider = providers.own(file)
        account = account_at(provider, _params(provider, param), currency and currency.upper())
        login = provider.definition.login
        masks = dict.fromkeys([*provider.definition.credentials, *(login.gives if login else ())], MASK)
        given = dict.fromkeys(provider.definition.first.gives if provider.definition.first else (), MASK)
        for key, call in provider.definition.calls():
            for line in _request(prepare(account, masks, call, given if key == "request" else {})):
                click.echo(line)
            click.echo()
        body, content_type, saved_status = _read(answer)
        click.echo(f"Answer: HTTP status {status or saved_status}, {len(body)} bytes\n")
        extractor = Extractor(provider.definition)
        before = _first(extractor, first)
        try:
            document = extractor.document(status or saved_status, body, content_type, before)
            wallets, notes = extractor.wallets(document, account.currency, first=before)
            further = tuple(_further(extractor, document))
        except Failure as failure:
            _fail(provider, failure, body, content_type, status or saved_status)
        for wallet in wallets:
            click.echo(sentence(wallet))
        if not wallets:
            click.echo("no wallets")
        for note in (*notes, *further):
            click.echo(f"note: {note}")


@command.command("schema")
def schema_() -> None:
    """Print the JSON Schema of definitions, for editors."""
    with printing(1):
        click.echo(json.dumps(schema(), indent=2))


class _MistakeError(Exception):
    """What an operator asked for and cannot have; the text says why."""


@contextmanager
def _explained() -> Iterator[None]:
    """Turn mistakes of the operator's into a line and exit status 1."""
    try:
        yield
    except (_MistakeError, CurlError, draft.DraftError) as error:
        click.echo(error, err=True)
    except Failure as failure:
        click.echo(f"down: {failure.reason}; {failure.detail}", err=True)
    else:
        return
    sys.exit(1)


def _read(file: Path) -> tuple[bytes, str, int]:
    """Return the body, Content-Type and status of a saved answer; curl's -i saves its head too."""
    try:
        content = read_file(file, MAX_SIZE)
    except OSError as error:
        raise _MistakeError(f"{file}: cannot be read: {error.strerror}") from None
    head = _SAVED_HEAD.match(content)
    if head is None:
        return content, "", 200
    types = re.search(rb"(?im)^content-type: *([^\r\n]*)", head[2])
    return content[head.end() :], types[1].decode("latin-1") if types else "", int(head[1])


def _further(extractor: Extractor, document: Any) -> Iterator[str]:
    """Yield what to know of an answer that is one page of several; raise `Failure` where it does not say whether."""
    if extractor.pager and extractor.pager.after([document], []) is not None:
        yield "there are further pages, whose wallets and amounts are not in this answer"


def _first(extractor: Extractor, file: Path | None) -> Any:
    """Return the document of the first request's saved answer; raise `Failure` where it is not a good one."""
    if extractor.first is None:
        if file is not None:
            raise _MistakeError("the definition has no first request: leave --first out")
        return None
    if file is None:
        raise _MistakeError("the definition has a first request: give its answer with --first FILE")
    body, content_type, status = _read(file)
    document = extractor.first.answers.document(status, body, content_type)
    extractor.first.given(document)
    return document


def _saved(file: Path) -> tuple[bytes, str]:
    body, content_type, status = _read(file)
    if status not in _SUCCESS:
        raise _MistakeError(f"{file}: holds an answer of HTTP status {status}; a good one is needed")
    return body, content_type


def _asked(name: str, plan: keys.Plan, *, consent: bool) -> tuple[bytes, str]:
    """Ask the provider once, where the operator agrees."""
    if variables := keys.unset({**plan.secrets, **plan.values}):
        raise _MistakeError(
            f"{', '.join(variables)}: is not set in the environment, so that nothing can be asked"
        )
    account = account_at(draft.provisional(name, plan), plan.values)
    prepared = prepare(account, plan.secrets)
    if not consent:
        if not _is_terminal():
            raise _MistakeError("give --answer FILE, or let the provider be asked once by --ask")
        click.confirm(f"Ask {prepared.method} {prepared.redacted.url} now, once?", abort=True, err=True)
    client = Client()
    try:
        answer = client.sender(prepared, account.ca_file, account.proxy_url).send(account.timeout)
    finally:
        client.close()
    if answer.failure:
        raise answer.failure
    if answer.status not in _SUCCESS:
        raise _MistakeError(f"the provider answered with HTTP status {answer.status}; nothing is written")
    return answer.body, answer.headers.get("content-type", "")


def _is_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()


def _params(provider: Provider, given: tuple[str, ...]) -> Mapping[str, str]:
    """Return the params of an account: those given, and for those that are needed their names in capitals."""
    definition = provider.definition
    params = dict(one.partition("=")[::2] for one in given)
    if unknown := params.keys() - definition.params.keys():
        raise _MistakeError(f"{', '.join(sorted(unknown))}: is no param of this definition")
    needed = [name for name, param in definition.params.items() if param.required]
    needed += [group[0] for group in definition.exactly_one if not params.keys() & set(group)]
    return {**{name: name.upper() for name in needed}, **params}


def _request(prepared: Prepared) -> Iterator[str]:
    yield f"{prepared.method} {prepared.redacted.url}"
    for name, value in prepared.headers.items():
        text = value.decode()
        # User and password are written together there, which no reader could tell from a key.
        yield f"{name}: {f'Basic {MASK}' if text.startswith('Basic ') else text}"
    if prepared.body:
        yield ""
        yield prepared.body.decode()


def _fail(provider: Provider, failure: Failure, body: bytes, content_type: str, status: int) -> NoReturn:
    hint = provider.definition.hint(failure.reason, status)
    if provider.definition.needs_currency and failure.detail.endswith("currency is missing"):
        hint = "the definition does not say it, so that the account must: --currency EUR"
    click.echo(f"down: {failure.reason}; {failure.detail}{f'; {hint}' if hint else ''}", err=True)
    with suppress(ValueError):
        kind = provider.definition.answer
        found = candidates(
            parse(body, content_type, kind, provider.definition.lists), (), text=kind == "text"
        )
        if found:
            click.echo("numbers of the answer:", err=True)
        for one in found[:20]:
            where = f"{one.path} of each of {one.items}" if one.items is not None else one.path
            click.echo(f"  {where} = {one.value:f}", err=True)
    sys.exit(1)


def sentence(wallet: Wallet) -> str:
    """Write a wallet with all that is known of it in one line."""
    values = {one.name: getattr(wallet, one.name) for one in fields(wallet)}
    for name in ("id", "currency", "credit_unit"):
        del values[name]
    if not wallet.postpaid:
        del values["postpaid"]
    known = [f"{name} {_words(value)}" for name, value in values.items() if value not in (None, "", (), {})]
    return f"{wallet.id} {wallet.currency}: {', '.join(known) or 'no limit'}"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{level} {_words(amount)}" for level, amount in value.items())
    if isinstance(value, tuple):
        return " ".join(f"{part.kind} {_words(part.amount)} {part.currency}" for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, State) else str(value)
