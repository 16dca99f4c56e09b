"""What Helm prints after an installation: where the page is, and what is still missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

Notes = Callable[[dict[str, Any]], str]
Kind = Callable[..., dict[str, Any]]

ACCOUNTS = {
    "existingSecret": "prepaid-keys",
    "config": {
        "accounts": [{"name": "mall", "provider": "apimall"}, {"name": "sms", "provider": "smspubli"}]
    },
}
NOT_SCRAPED = "Prometheus does not know of it yet"
NO_ALERTS = "No alert will page anybody"


@pytest.fixture
def notes(chart: helm.Chart) -> Notes:
    """Return the notes for values."""

    def rendered(values: dict[str, Any]) -> str:
        texts = chart.render(values, name="prepaid", namespace="monitoring")
        return next(text for file, text in texts.items() if file.endswith("NOTES.txt"))

    return rendered


def test_someone_without_an_account_is_told_the_next_step(notes: Notes) -> None:
    text = notes({})
    assert "It has no account yet" in text
    assert "kubectl --namespace monitoring create secret generic prepaid-keys" in text
    assert "--set demo.enabled=true" in text


def test_the_step_that_the_notes_propose_works(chart: helm.Chart, notes: Notes) -> None:
    lines = [line.strip() for line in notes({}).splitlines()]
    proposed = "\n".join(line for line in lines if line.startswith(("existingSecret:", "config:")))
    text = notes(helm.values_from_yaml(proposed))
    assert "  - mall (apimall)" in text
    assert chart.render(helm.values_from_yaml(proposed))


def test_the_secrets_that_must_exist_are_listed(notes: Notes) -> None:
    text = notes(ACCOUNTS)
    assert "  - sms (smspubli)" in text
    assert "  - prepaid-keys: mall, sms" in text
    assert "logs deployment/prepaid-prepaid-exporter" in text


def test_what_is_missing_is_said_until_it_is_there(notes: Notes) -> None:
    assert NOT_SCRAPED in notes(ACCOUNTS)
    assert NO_ALERTS in notes(ACCOUNTS)
    complete = {**ACCOUNTS, "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    assert NOT_SCRAPED not in notes(complete)
    assert NO_ALERTS not in notes(complete)


def test_probing_alone_leaves_the_exporter_itself_unwatched(notes: Notes) -> None:
    text = notes({**ACCOUNTS, "probe": {"enabled": True}})
    assert NOT_SCRAPED not in text
    assert "set serviceMonitor.enabled=true as well" in text


def test_monitors_that_no_label_leads_to_are_told(notes: Notes) -> None:
    monitors = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    text = notes({**ACCOUNTS, **monitors})
    assert "No label of yours is on: serviceMonitor, prometheusRule." in text
    assert "labels: {release: NAME_OF_ITS_RELEASE}" in text
    labelled = {section: {**on, "labels": {"release": "kube"}} for section, on in monitors.items()}
    assert "No label of yours" not in notes({**ACCOUNTS, **labelled})
    assert "No label of yours" not in notes(ACCOUNTS)


def test_ports_that_the_network_policy_keeps_shut_are_told(notes: Notes) -> None:
    mall = {"name": "mall", "provider": "apimall"}
    accounts = [
        {**mall, "base_url": "https://gateway.test/v1"},
        {**mall, "name": "a", "base_url": "https://gateway.test:8443/v1"},
        {**mall, "name": "b", "proxy_url": "http://[2001:db8::1]:3128"},
        {**mall, "name": "c", "base_url": "http://gateway.test", "allow_http": True},
    ]
    values: dict[str, Any] = {
        "existingSecret": "keys",
        "networkPolicy": {"enabled": True},
        "config": {"accounts": accounts, "defaults": {"proxy_url": "http://proxy.test:8080"}},
    }
    told = [line.strip() for line in notes(values).splitlines() if "egressPorts" in line]
    assert told == [
        "- port 8443 of config.accounts[1].base_url; add it to networkPolicy.egressPorts",
        "- port 3128 of config.accounts[2].proxy_url; add it to networkPolicy.egressPorts",
        "- port 80 of config.accounts[3].base_url; add it to networkPolicy.egressPorts",
        "- port 8080 of config.defaults.proxy_url; add it to networkPolicy.egressPorts",
    ]
    values["networkPolicy"]["egressPorts"] = [443, 80, 8443, 3128, 8080]
    assert "does not let" not in notes(values)


def test_the_demo_says_that_its_balances_are_invented(notes: Notes) -> None:
    assert "every balance is invented" in notes({"demo": {"enabled": True}})


def test_the_page_is_where_the_notes_and_the_readme_say(notes: Notes, kind: Kind, chart_path: Path) -> None:
    service = kind("Service", {}, name="prepaid")["metadata"]["name"]
    assert f"port-forward service/{service} 10710:10710" in notes({})
    assert f"port-forward service/{service} 10710" in (chart_path / "README.md").read_text(encoding="utf-8")
    tls = {"service": {"port": 443}, "webConfig": {"existingSecret": "web", "tls": True}}
    assert f"port-forward service/{service} 10710:443" in notes(tls)
    assert "https://localhost:10710/" in notes(tls)
