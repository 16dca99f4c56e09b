"""`definition`: begin a provider of one's own from a command line of curl, and try it without a network."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from exporter import providers
from exporter.cli.options import FILE, explained, option, printing
from exporter.drafting import draft, keys
from exporter.drafting.account import account as account_at
from exporter.drafting.curl import CurlError, call
from exporter.drafting.saved import SavedError, read
from exporter.drafting.trial import Trial, TrialError
from exporter.model import Failure
from exporter.providers import Provider
from exporter.providers.json_schema import schema
from exporter.upstream.client import Client
from exporter.upstream.request import prepare

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SUCCESS = range(200, 300)
_NOT_ACCEPTABLE = 406


@click.group("definition")
def command() -> None:
    """Begin a provider of one's own from a command line of curl, and try it without a network."""


@command.command("new")
@click.argument("name")
@option(
    "--curl",
    required=True,
    help="Command line of curl that asks for the balance; - reads it from standard input.",
)
@option("--answer", type=FILE, help="File with the answer of the provider, as curl printed it.")
@option("--ask", is_flag=True, help="Ask the provider once, now, in place of --answer.")
@option(
    "--key",
    multiple=True,
    metavar="NAME",
    help="Header or field that is a key, where none is found by itself; may be given several times.",
)
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
    key: tuple[str, ...],
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
        plan = keys.plan(call(sys.stdin.read() if curl == "-" else curl, os.environ), key)
        body, content_type = _saved(answer) if answer else _asked(name, plan, consent=ask)
        made = draft.draft(name, plan, body, content_type, asked=answer is None)
        for file, text in zip(files, (made.definition, made.fixture), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        click.echo(f"{files[0]}: the definition\n{files[1]}: its fixture, with invented texts and amounts\n")
        for line in made.told:
            click.echo(line)
        advice = "see what it does" if answer else "save an answer (curl -i), and see what it does"
        click.echo(
            f"\nNow read it, and {advice}: prepaid-exporter definition try {files[0]} --answer {answer or 'ANSWER'}"
        )


@command.command("try")
@click.argument("file", type=FILE)
@option(
    "--answer",
    type=FILE,
    multiple=True,
    help="File with an answer of the provider, as curl printed it; once for each page, in their order.",
)
@option(
    "--status",
    type=click.IntRange(200, 599),
    help="HTTP status of the answer; else what the file says (curl -i), or 200.",
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
@option(
    "--login",
    type=FILE,
    help="File with the answer to the login, where there is one; it may be tried alone.",
)
def try_(  # noqa: PLR0913 - one argument a flag
    file: Path,
    answer: tuple[Path, ...],
    status: int | None,
    param: tuple[str, ...],
    currency: str | None,
    first: Path | None,
    login: Path | None,
) -> None:
    """Show what a definition asks, with keys masked, and what it finds in an answer. Nothing is sent."""
    if not (answer or login):
        raise click.UsageError("Missing option '--answer'.")
    with printing(1), _explained(), explained(1):
        provider = providers.own(file)
        account = account_at(provider, _params(provider, param), currency and currency.upper())
        trial = Trial(account)
        for line in trial.requests():
            click.echo(line)
        pages = [read(one, status) for one in answer]
        issued, earlier = (read(one) if one else None for one in (login, first))
        for line in trial.answers(issued, earlier, pages):
            click.echo(line)


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
    except (_MistakeError, CurlError, draft.DraftError, SavedError, TrialError) as error:
        click.echo(error, err=True)
    except Failure as failure:
        click.echo(f"down: {failure.reason}; {failure.detail}", err=True)
    else:
        return
    sys.exit(1)


def _saved(file: Path) -> tuple[bytes, str]:
    saved = read(file)
    if saved.status not in _SUCCESS:
        raise _MistakeError(f"{file}: holds an answer of HTTP status {saved.status}; a good one is needed")
    return saved.body, saved.content_type


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
        advice = (
            "; name the Accept that it documents on curl's command line"
            if answer.status == _NOT_ACCEPTABLE
            else ""
        )
        raise _MistakeError(
            f"the provider answered with HTTP status {answer.status}{advice}; nothing is written"
        )
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
