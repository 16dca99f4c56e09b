"""The page of all recorded successes, in the three formats, is exactly the committed one.

`GOLDEN=write` writes it anew; read the difference before you commit it. A provider that is newer than the golden
page joins it when it is next written; until then its fixture alone says what its wallets are.
"""

import json
import os
import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from werkzeug.test import Client as Browser

from exporter import __version__, providers
from exporter.metrics.families import EXPORTER_FAMILIES, FAMILIES, WALLET_FAMILIES
from exporter.web.application import Application, Options
from exporter.web.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from prometheus_client import Metric

    from tests.laws.conftest import Case, Upstream

# Every format is also rendered by tests/metrics; here most of the time goes into reading them back.
pytestmark = pytest.mark.unmeasured

ACCEPTS = {
    "text-0.0.4": "text/plain;version=0.0.4",
    "text-1.0.0": "text/plain;version=1.0.0",
    "openmetrics-1.0.0": "application/openmetrics-text;version=1.0.0",
}
W = "provider account wallet currency"
CONTRACT = {
    "prepaid_account_up": "provider account",
    "prepaid_account_failure": "provider account reason",
    "prepaid_account_http_status_code": "provider account",
    "prepaid_account_collect_duration_seconds": "provider account",
    "prepaid_account_last_success_timestamp_seconds": "provider account",
    "prepaid_account_info": "provider account provider_title dashboard_url topup_url",
    "prepaid_account_runway_threshold_seconds": "provider account level",
    "prepaid_balance": W,
    "prepaid_balance_cached": W,
    "prepaid_settled_balance": W,
    "prepaid_credit_balance": W,
    "prepaid_balance_threshold": f"{W} level",
    "prepaid_auto_recharge_enabled": W,
    "prepaid_auto_recharge_threshold": W,
    "prepaid_auto_recharge_amount": W,
    "prepaid_credit_breakdown": f"{W} kind",
    "prepaid_conversion_rate": W,
    "prepaid_pending_usage": W,
    "prepaid_unpaid_invoices": W,
    "prepaid_credit_limit": W,
    "prepaid_quota": W,
    "prepaid_quota_used": W,
    "prepaid_quota_reset_timestamp_seconds": W,
    "prepaid_expiry_timestamp_seconds": W,
    "prepaid_wallet_field_missing": f"{W} field",
    "prepaid_wallet_info": f"{W} wallet_name wallet_type customer",
    "prepaid_wallet_status": f"{W} prepaid_wallet_status",
    "prepaid_alert_state": f"{W} prepaid_alert_state",
    "prepaid_exporter_build_info": "version",
    "prepaid_exporter_config_last_reload_successful": "",
    "prepaid_exporter_config_last_reload_success_timestamp_seconds": "",
    "prepaid_exporter_upstream_requests_total": "provider account",
    "prepaid_exporter_upstream_failures_total": "provider reason",
}
"""The families that users rely on, with their labels in the promised order."""

TIMED = re.compile(r"^(prepaid_\w*(?:_timestamp|_duration)_seconds(?:\{.*\})?) [^ ]+$", re.MULTILINE)
SAMPLE = re.compile(r"^(prepaid_\w+)(?:\{(.*)\})? [^ ]+$")
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


@pytest.fixture(scope="module")
def rendered(
    tmp_path_factory: pytest.TempPathFactory,
    upstream: "Upstream",
    recorded: "Callable[[str], list[Case]]",
    account_entry: "Callable[[Case, str, str], dict[str, Any]]",
) -> "Callable[[Iterable[str], str], str]":
    """Scrape every recorded success of some providers, as accounts of one exporter, in a format."""

    @cache
    def browser(names: tuple[str, ...]) -> Browser:
        successes = [case for name in names for case in recorded(name) if case.wallets is not None]
        accounts = [account_entry(case, upstream.base_url(case), case.id) for case in successes]
        file = tmp_path_factory.mktemp("golden") / "prepaid.yml"
        file.write_text(json.dumps({"defaults": {"timeout": "5m"}, "accounts": accounts}))
        return Browser(Application(Runtime(file), Options(scrape_timeout=300)))

    def scraped(names: "Iterable[str]", chosen: str) -> str:
        answer = browser(tuple(sorted(names))).get("/metrics", headers={"Accept": ACCEPTS[chosen]})
        return answer.get_data(as_text=True)

    return scraped


@pytest.fixture
def page(rendered: "Callable[[Iterable[str], str], str]") -> "Callable[[str], str]":
    return lambda chosen: rendered(providers.names(), chosen)


@pytest.fixture(scope="module")
def families(rendered: "Callable[[Iterable[str], str], str]") -> "Callable[[str], list[Metric]]":
    """Read the page of all recorded successes back, once for each format."""

    @cache
    def read(chosen: str) -> "list[Metric]":
        reader = openmetrics_parser if chosen.startswith("openmetrics") else parser
        return list(reader.text_string_to_metric_families(rendered(providers.names(), chosen)))

    return read


def normalised(page: str) -> str:
    """Leave out what differs from run to run: times, the version, and what the client library adds."""
    own = [line for line in page.splitlines() if re.match(r"(# \w+ )?prepaid_|# EOF", line)]
    text = TIMED.sub(r"\1 TIME", "\n".join(own) + "\n")
    text = re.sub(r"(upstream_requests_total\{.*\}) [0-9.]+", r"\1 COUNT", text)
    return text.replace(f'version="{__version__}"', 'version="VERSION"')


@pytest.mark.parametrize("chosen", ACCEPTS)
def test_the_page_of_all_recorded_successes_is_the_golden_one(
    chosen: str, rendered: "Callable[[Iterable[str], str], str]", root: "Path"
) -> None:
    golden = root / "tests" / "golden" / f"{chosen}.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(normalised(rendered(providers.names(), chosen)), encoding="utf-8")
    expected = golden.read_text(encoding="utf-8")
    known = set(re.findall(r'\{provider="(\w+)"', expected))

    assert known
    assert normalised(rendered(known, chosen)) == expected


@pytest.mark.parametrize("chosen", ACCEPTS)
def test_the_page_is_read_back_with_unique_series_of_documented_families(
    chosen: str, families: "Callable[[str], list[Metric]]"
) -> None:
    found = families(chosen)
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for one in found for sample in one.samples]
    own = {name for name, _ in series if name.startswith("prepaid_")}

    assert len(series) == len(set(series))
    assert len(found) == len({family.name for family in found})
    assert own <= {family.name for family in FAMILIES}
    assert {family.name for family in EXPORTER_FAMILIES} <= own
    assert all(family.documentation for family in found)


@pytest.mark.parametrize("chosen", ACCEPTS)
def test_labels_stand_in_the_promised_order(chosen: str, page: "Callable[[str], str]") -> None:
    written = {
        match[1]: LABEL.findall(match[2] or "")
        for match in map(SAMPLE.match, page(chosen).splitlines())
        if match
    }

    assert written == {name: CONTRACT[name].split() for name in written}
    assert "prepaid_balance" in written


def test_the_families_are_those_promised_with_the_promised_labels_in_order() -> None:
    assert {family.name: " ".join(family.labels) for family in FAMILIES} == CONTRACT


def test_the_recorded_successes_give_a_sample_of_every_wallet_family_that_a_provider_fills(
    page: "Callable[[str], str]",
) -> None:
    mappings = [
        mapping for name in providers.names() for mapping in providers.built_in(name).definition.wallets
    ]
    filled = {field for mapping in mappings for field in mapping.model_fields_set if getattr(mapping, field)}
    expected = {
        family.name
        for family in WALLET_FAMILIES
        if filled
        & {
            family.name.removeprefix("prepaid_"),
            family.name.removeprefix("prepaid_").removesuffix("_seconds"),
        }
    }
    missing = {name for name in expected if f"\n{name}{{" not in page("text-0.0.4")}

    assert missing == set()
    assert {"prepaid_balance", "prepaid_credit_breakdown"} <= expected


def test_a_state_set_has_exactly_one_state_at_a_time(families: "Callable[[str], list[Metric]]") -> None:
    sets = {"prepaid_wallet_status", "prepaid_alert_state"}
    active: dict[Any, float] = {}
    for family in families("text-0.0.4"):
        for sample in family.samples if family.name in sets else ():
            key = (family.name, sample.labels["account"], sample.labels["wallet"])
            active[key] = active.get(key, 0) + sample.value

    assert active
    assert set(active.values()) == {1.0}


def test_promtool_has_nothing_to_say_about_the_page(
    page: "Callable[[str], str]", each_age: "Callable[[str], str]"
) -> None:
    checked = subprocess.run(
        [each_age("promtool"), "check", "metrics"],
        input=page("text-0.0.4"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_three_formats_say_the_same(families: "Callable[[str], list[Metric]]") -> None:
    def values(chosen: str) -> set[Any]:
        return {
            (sample.name, tuple(sorted(sample.labels.items())), sample.value)
            for family in families(chosen)
            for sample in family.samples
            if sample.name in CONTRACT and not sample.name.endswith(("_seconds", "_total"))
        }

    assert values("text-0.0.4") == values("text-1.0.0") == values("openmetrics-1.0.0") != set()
