"""What the pages tell a reader to type is what the program takes."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
import structlog
import yaml
from click.testing import CliRunner, Result

from exporter.cli import main
from exporter.config import Account
from exporter.model import Outcome, Reason, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading
from exporter.scrape.accounts_json import accounts_as_json
from exporter.simulator import Simulator
from exporter.web.web_config import WebConfigSettings

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
COMMAND = re.compile(r"(?:^|[/\s])prepaid-exporter (serve|check|validate|providers|demo)\b([^|]*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w.-]*")


def program(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(map(str, arguments)), prog_name="prepaid-exporter")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Undo what a command says about the log of its process, which is the one of the tests."""
    yield
    structlog.reset_defaults()


@cache
def offered(subcommand: str) -> set[str]:
    return set(FLAG.findall(program(subcommand, "--help").stdout))


@pytest.mark.parametrize("name", [*DOCS, "README.md"])
def test_every_configuration_shown_is_valid(name: str, page: Callable[[str], Any], tmp_path: Path) -> None:
    blocks = page(name).blocks("yaml")
    for block in blocks:
        if own := re.match(r"# (providers/[\w-]+\.yml)\n", block):
            (tmp_path / own[1]).parent.mkdir(exist_ok=True)
            (tmp_path / own[1]).write_text(block)
    for block in blocks:
        data = yaml.safe_load(block)
        if not isinstance(data, dict) or "accounts" not in data:
            continue
        environment = {}
        for account in data["accounts"]:
            if "api_key_file" in account:
                account["api_key_file"] = str(tmp_path / "key")
            if "api_key_env" in account:
                environment[account["api_key_env"]] = "an-invented-key"
        (tmp_path / "key").write_text("an-invented-key\n")
        (tmp_path / "prepaid.yml").write_text(yaml.safe_dump(data))
        result = program("validate", "--config.file", tmp_path / "prepaid.yml", **environment)
        assert result.exit_code == 0, f"{name}: {result.output}\n{block}"


@pytest.mark.parametrize("name", [*DOCS, "README.md"])
def test_every_flag_shown_is_a_flag_of_its_subcommand(name: str, page: Callable[[str], Any]) -> None:
    for line in page(name).code():
        for subcommand, rest in COMMAND.findall(line):
            assert set(FLAG.findall(rest)) <= offered(subcommand), f"{name}: {line}"


def test_the_check_shown_to_a_monitoring_system_says_what_is_shown(
    page: Callable[[str], Any], tmp_path: Path
) -> None:
    (block,) = page("docs/installation.md").blocks("console")
    command, output = block.removeprefix("$ prepaid-exporter ").split("\n", 1)
    account = {"name": "mall", "provider": "apimall", "thresholds": {"warning": 100, "critical": 25}}
    with Simulator() as simulator:
        account |= {"api_key": simulator.keys["apimall"], "base_url": simulator.base_url("apimall")}
        (tmp_path / "prepaid.yml").write_text(yaml.safe_dump({"accounts": [account]}))
        result = program(*command.replace("prepaid.yml", str(tmp_path / "prepaid.yml")).split())
    assert (result.exit_code, result.stdout) == (0, output)


def test_the_line_for_jq_prints_the_wallets_that_are_low(
    page: Callable[[str], Any], tool: Callable[[str], str]
) -> None:
    (block,) = (block for block in page("docs/configuration.md").blocks("sh") if "jq -r" in block)
    wallets = (
        Wallet("main", "EUR", Decimal("9.99")),
        Wallet("second", "EUR", Decimal(10)),
        Wallet("postpaid", "EUR", None),
    )
    account = Account("mall", built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)
    told = accounts_as_json([Reading(account, Outcome(1.0, 0.5, wallets=wallets, status=200), 1.0)])
    query = shlex.split(block.partition("| ")[2])
    done = subprocess.run(
        [tool("jq"), *query[1:]], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    assert done.stdout == "mall 9.99 EUR\n"


def test_the_web_configuration_shown_is_valid(page: Callable[[str], Any]) -> None:
    block, _ = page("docs/security.md").blocks("yaml")
    assert WebConfigSettings.model_validate(yaml.safe_load(block)).basic_auth_users.keys() == {"prometheus"}


def test_the_scrape_configuration_shown_is_prometheus_own(
    page: Callable[[str], Any], each_age: Callable[[str], str], tmp_path: Path
) -> None:
    _, block = page("docs/security.md").blocks("yaml")
    (tmp_path / "prometheus.yml").write_text(block)
    command = [each_age("promtool"), "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")]
    assert "SUCCESS" in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_chart_would_take_the_values_shown(page: Callable[[str], Any]) -> None:
    (block,) = [block for block in page("docs/installation.md").blocks("yaml") if "existingSecret" in block]
    schema = json.loads((ROOT / "helm/prepaid-exporter/values.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(block), schema)


def test_every_query_shown_is_promql(page: Callable[[str], Any]) -> None:
    blocks = [block for name in DOCS for block in page(name).blocks("promql")]
    queries = [query for block in blocks for query in block.split("\n\n")]
    assert len(queries) > 2
    for query in queries:
        promql_parser.parse(re.sub(r"^#.*\n", "", query, flags=re.MULTILINE))


def test_every_reason_of_a_failure_is_explained(page: Callable[[str], Any]) -> None:
    section = page("docs/metrics.md").path.read_text().split("## Reasons of a failure")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {reason.value for reason in Reason}
