"""One unusual character in a name takes nothing down: it is shown as it is, on every page."""

from decimal import Decimal
from pathlib import Path

import pytest
from markupsafe import escape
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import load
from exporter.metrics.exposition import OPENMETRICS, TEXT_0, Page
from exporter.model import Level, Outcome, Wallet
from exporter.schema.yaml_document import dump
from exporter.scrape import Reading
from exporter.scrape.thresholds import effective_thresholds
from exporter.web import pages

NAMES = [
    "no-break\u00a0space",
    "\u202fnarrow\u202f",
    " plain spaces ",
    "\U0001f468\u200d\U0001f469\u200d\U0001f466",
    "soft\u00adhyphen",
    "\U0001fae9",
    "\u2028line",
    "\u202eright to left",
    'quotes " and \\ and {}',
]


@pytest.mark.parametrize("name", NAMES)
def test_an_account_and_its_thresholds_may_have_the_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    entry = {"name": name, "provider": "apimall", "api_key": "canary-7f3a", "thresholds": {"critical": 5}}
    entry["wallet_thresholds"] = {name: {"critical": 7}}
    # In quotes, where a space at the begin of a line would be taken for a slip.
    file.write_text(dump({"accounts": [entry]}), encoding="utf-8")
    (account,) = load(file).accounts
    wallet = Wallet(id=name, currency="CREDITS", balance=Decimal(3))
    reading = Reading(account, Outcome(1.0, 1.0, wallets=(wallet,), status=200), 1.0)

    assert effective_thresholds(account, wallet) == {Level.CRITICAL: 7}
    assert str(escape(name)) in pages.status([reading], "/metrics")
    for chosen, parse in ((TEXT_0, text_string_to_metric_families), (OPENMETRICS, openmetrics_families)):
        text = Page().render([reading], None, chosen).decode()
        samples = [sample for family in parse(text) for sample in family.samples]
        (balance,) = [sample for sample in samples if sample.name == "prepaid_balance"]
        assert (balance.labels["account"], balance.labels["wallet"]) == (name, name)
