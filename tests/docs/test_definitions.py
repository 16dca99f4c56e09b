"""The definitions shown are loaded, make the requests that stand below them, and find the wallets that do."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from exporter import config
from exporter.config import Account
from exporter.drafting.trial import sentence
from exporter.extract.extractor import Extractor
from exporter.model import Failure
from exporter.providers import definition, load, mapping
from exporter.providers.variables import built_in
from exporter.schema.fields import Strict
from exporter.scrape.collector import Collector
from exporter.upstream.answer import Answer
from exporter.upstream.client import Client, Sender
from exporter.upstream.request import Prepared
from tests.programs import PATIENCE

USUAL = {"Accept", "Accept-Encoding", "User-Agent"}
SHOWN = re.compile(
    r"^```yaml\n# providers/([\w-]+)\.yml\n(.*?)^```$(.*?)(?=^```yaml$|^##)", re.DOTALL | re.MULTILINE
)
BLOCK = re.compile(r"^```(?:json|text|xml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
EXAMPLES = {name: (text, *BLOCK.findall(rest)) for name, text, rest in SHOWN.findall(PAGE.read_text())}
"""By name: the definition, the answers in their order, and what comes of them."""

DAY = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Provider(Client):
    """Answers what the page shows, without a network, and keeps what was asked."""

    def __init__(self, answers: Sequence[str]) -> None:
        super().__init__()
        self.answers = [Answer(200, {}, answer.encode()) for answer in answers]
        self.asked: list[Prepared] = []

    def sender(self, prepared: Prepared, ca_file: str | None, proxy_url: str | None) -> Sender:
        made: Any = super().sender(prepared, ca_file, proxy_url)

        def send(_: float) -> Answer:
            self.asked.append(prepared)
            return self.answers[len(self.asked) - 1]

        made.send = send
        sender: Sender = made
        return sender


def account(name: str, text: str, folder: Path) -> Account:
    """Load an account at a definition as an operator has it, by `provider_files`."""
    (folder / "providers").mkdir()
    file = folder / "providers" / f"{name}.yml"
    file.write_text(text)
    made, problems = load(file)
    assert made, problems
    given = made.definition
    entry: dict[str, Any] = {name: name.upper() for name in given.credentials}
    entry |= {"currency": "EUR"} if given.needs_currency else {}
    entry |= {"name": "a", "provider": name, "params": {name: name.upper() for name in given.params}}
    written = {"provider_files": ["providers/*.yml"], "accounts": [entry]}
    (folder / "prepaid.yml").write_text(json.dumps(written))
    (loaded,) = config.load(folder / "prepaid.yml").accounts
    return loaded


def told(asked: Account, answers: Sequence[str]) -> str:
    provider = Provider(answers)
    outcome = Collector(asked, provider).collect()
    assert (outcome.up, outcome.notes) == (True, ()), outcome.detail
    assert len(provider.asked) == len(answers)
    lines = []
    for request in provider.asked:
        headers = request.headers.items()
        lines += [f"{request.method} {request.url}"]
        lines += [f"{name}: {value.decode()}" for name, value in headers if name not in USUAL]
        lines += ["", request.body.decode(), ""] if request.body else [""]
    return "\n".join([*lines, *map(sentence, outcome.wallets), ""])


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_definition_shown_does_what_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.upstream.request.built_in", lambda: built_in(DAY))
    text, *answers, expected = EXAMPLES[name]
    assert told(account(name, text, tmp_path), answers) == expected


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
    with pytest.raises(
        Failure, match=r"^malformed: wallet.balance is missing: nothing at grants\[\]\.cents$"
    ):
        extractor.wallets(renamed, None)


def test_every_kind_of_request_is_shown() -> None:
    text = "".join(parts[0] for parts in EXAMPLES.values())
    for kind in ("bearer", "header", "query", "body", "basic"):
        assert f"type: {kind}" in text
    requests = ("login:", "first:", "pages:", "body:", "${today}", "json:", "form:")
    for key in (*requests, "items:", "minus:", "scale:", "unix", "unix_ms", "states:", "postpaid:"):
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
    pairs = re.findall(r"Basic (\S+)", "".join(parts[-1] for parts in EXAMPLES.values()))
    assert list(map(b64decode, pairs)) == [b"ACCOUNT_SID:AUTH_TOKEN", b"CLIENT_ID:CLIENT_SECRET"]


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
