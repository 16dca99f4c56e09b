"""The definitions shown are loaded, make the requests that stand below them, and find the wallets that do."""

import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from exporter.config import Account
from exporter.extract.extractor import Extractor
from exporter.model import Failure, State, Wallet
from exporter.providers import Provider, definition, load, mapping
from exporter.schema.fields import Strict
from exporter.upstream.request import prepare
from tests.programs import PATIENCE

USUAL = {"Accept", "Accept-Encoding", "User-Agent"}
BLOCK = re.compile(
    r"```yaml\n# providers/([\w-]+)\.yml\n(.*?)```.*?```(?:json|text|xml)\n(.*?)```.*?```text\n(.*?)```",
    re.DOTALL,
)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
EXAMPLES = {name: parts for name, *parts in BLOCK.findall(PAGE.read_text())}


def account(provider: Provider) -> Account:
    given = provider.definition
    params = {name: name.upper() for name in given.params}
    return Account("a", provider, {}, params, given.base_url, 10, 0, currency="EUR")


def told(provider: Provider, answer: str) -> str:
    given = provider.definition
    secrets = {name: name.upper() for name in given.credentials}
    request = prepare(account(provider), secrets)
    headers = [f"{name}: {value.decode()}" for name, value in request.headers.items() if name not in USUAL]
    body = ["", request.body.decode()] if request.body else []
    extractor = Extractor(given)
    found, notes = extractor.wallets(extractor.document(200, answer.encode()), "EUR")
    assert notes == ()
    lines = [f"{request.method} {request.url}", *headers, *body, "", *map(sentence, found), ""]
    return "\n".join(lines)


def sentence(wallet: Wallet) -> str:
    values = {spec.name: getattr(wallet, spec.name) for spec in fields(wallet)}
    for name in ("id", "currency", "credit_unit"):
        del values[name]
    known = [f"{name} {words(value)}" for name, value in values.items() if value or value == 0]
    known = [text for text in known if text != "postpaid false"]
    return f"{wallet.id} {wallet.currency}: {', '.join(known)}"


def words(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{level} {amount}" for level, amount in value.items())
    if isinstance(value, tuple):
        return " ".join(f"{part.kind} {part.amount} {part.currency}" for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}".removesuffix(".000").removesuffix(".0")
    return value.value if isinstance(value, State) else str(value)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_definition_shown_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    text, answer, expected = EXAMPLES[name]
    file = tmp_path / f"{name}.yml"
    file.write_text(text)
    provider, problems = load(file)
    assert provider, problems
    assert told(provider, answer) == expected


def test_every_definition_shown_is_tried(page: Callable[[str], Any]) -> None:
    shown = [block for block in page("docs/providers.md").blocks("yaml") if block.startswith("# providers/")]
    assert len(shown) == len(EXAMPLES)


def test_the_example_of_a_sum_invents_nothing_where_the_provider_renames_a_field(tmp_path: Path) -> None:
    text, answer, _ = EXAMPLES["acme-prepaid"]
    file = tmp_path / "acme-prepaid.yml"
    file.write_text(text)
    provider, _ = load(file)
    assert provider
    extractor = Extractor(provider.definition)
    renamed = extractor.document(200, answer.replace('"cents"', '"amount"').encode())
    with pytest.raises(Failure, match=r"^malformed: wallet.balance is missing: nothing at cents$"):
        extractor.wallets(renamed, None)


def test_every_kind_of_request_is_shown() -> None:
    text = "".join(parts[0] for parts in EXAMPLES.values())
    for kind in ("bearer", "header", "query", "body", "basic"):
        assert f"type: {kind}" in text
    for key in ("json:", "form:", "items:", "minus:", "scale:", "unix", "unix_ms", "states:", "postpaid:"):
        assert key in text


def models() -> Iterator[type[BaseModel]]:
    for module in (definition, mapping):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Strict) and value is not Strict:
                yield value


@pytest.mark.parametrize("model", sorted(set(models()), key=str), ids=lambda model: model.__name__)
def test_the_reference_explains_every_key(model: type[BaseModel], page: Callable[[str], Any]) -> None:
    reference = page("docs/providers.md").path.read_text().split("BEGIN GENERATED definition")[1]
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert re.search(
            rf"^\| `{field.alias or name}` \|.*\| {re.escape(field.description)} \|$", reference, re.MULTILINE
        )


def test_the_user_and_password_shown_are_the_ones_of_the_example() -> None:
    (pair,) = re.findall(r"Basic (\S+)", "".join(parts[2] for parts in EXAMPLES.values()))
    assert b64decode(pair) == b"ACCOUNT_SID:AUTH_TOKEN"


@pytest.mark.slow
def test_the_way_to_a_provider_of_one_s_own_is_followed_to_the_letter(tmp_path: Path) -> None:
    section = PAGE.read_text().partition("\n## A provider of your own\n")[2].partition("\n## ")[0]
    answer, _ = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
    *_, configuration = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (tmp_path / "answer.json").write_text(answer)
    (tmp_path / "prepaid.yml").write_text(configuration)
    program = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euc", f"{commands}\nprepaid-exporter validate"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "X-Api-Key: ***" in done.stdout
    assert "main EUR: balance 12.50\n" in done.stdout
    assert done.stdout.endswith("prepaid.yml: 1 account, no problems\n")
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in written if "0123456789abcdef" in file.read_text()] == []
    assert tmp_path / "providers" / "fixtures" / "acme-sms.yml" in written
