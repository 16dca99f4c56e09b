from pathlib import Path
from typing import Any

import yaml


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def test_grafana_is_told_how_often_prometheus_scrapes(root: Path) -> None:
    [source] = load(root / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    scraped_every = load(root / "grafana/prometheus/single.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped_every


def test_a_grafana_that_has_a_default_data_source_starts_all_the_same(root: Path) -> None:
    [source] = load(root / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert not source.get("isDefault", False)


def test_grafana_keeps_the_dashboards_as_they_are_shipped(root: Path) -> None:
    [provider] = load(root / "grafana/provisioning/dashboards/prepaid.yml")["providers"]
    assert (provider["type"], provider["allowUiUpdates"], provider["disableDeletion"]) == (
        "file",
        False,
        True,
    )
