"""What the chart refuses when it renders: mistakes in an account, no key shown, and null for what is needed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

Render = Callable[..., list[dict[str, Any]]]

ACCOUNT = {"name": "mall", "provider": "apimall"}


def accounts(*items: dict[str, Any]) -> dict[str, Any]:
    return {"existingSecret": "prepaid-keys", "config": {"accounts": list(items)}}


PLACE = "config.accounts[0]"
IN_CONFIG_MAP = "refused, since a key written here would stand in a ConfigMap"
A_URL = "must be a URL that begins with https:// or http:// and names a host"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"api_key_env": "sk-canary"}, "api_key_env: must be the name of an environment variable"),
        ({"api_key_env": "sk_canary"}, "api_key_env: must be the name of an environment variable"),
        ({"api_key_file": "sk-canary"}, "api_key_file: must be the absolute path of a file"),
        ({"params": {"api_key": "canary"}}, f"params.api_key: {IN_CONFIG_MAP}"),
        ({"params": {"authToken": "canary"}}, f"params.authToken: {IN_CONFIG_MAP}"),
        ({"params": {"user_password": "canary"}}, f"params.user_password: {IN_CONFIG_MAP}"),
        ({"params": {"id": "canary\n"}}, "params.id: holds a line break or another control character"),
        (
            {"params": {"id": ".."}},
            "params.id: must not be . or .., which would change the path of a request",
        ),
        ({"base_url": "https://host.test/?key=canary"}, "base_url: must not carry a query or a fragment"),
        ({"base_url": "https://me:canary@host.test"}, "base_url: refused, since a user in a URL"),
        ({"base_url": "host.test/canary"}, f"base_url: {A_URL}"),
        ({"base_url": "https://host.test:0/canary"}, f"base_url: {A_URL}"),
        ({"base_url": "https://[::1/canary"}, f"base_url: {A_URL}"),
        ({"proxy_url": "http://me:canary/x@proxy.test:3128"}, "proxy_url: refused, since a user in a URL"),
        ({"proxy_url": "http://proxy.test:3128/canary"}, "proxy_url: must name a proxy alone"),
        ({"proxy_url": "http://proxy.test/?canary"}, "proxy_url: must name a proxy alone"),
        ({"proxy_url": "socks5://canary.test"}, f"proxy_url: {A_URL}"),
        ({"dashboard_url": "https://me:canary@host.test/"}, "dashboard_url: refused, since a user in a URL"),
        ({"dashboard_url": "https://host.test:99999/canary"}, f"dashboard_url: {A_URL}"),
        ({"topup_url": "https://host.test/a canary"}, f"topup_url: {A_URL}"),
        ({"timeout": "25h"}, "timeout: must be longer than 0s and at most 1d"),
        ({"timeout": "1d1ms"}, "timeout: must be longer than 0s and at most 1d"),
        (
            {"api_key_file": "/canary", "api_key_env": "CANARY"},
            "api_key_file: api_key_env says already where it is",
        ),
        ({"token_file": "/canary"}, "token_file: apimall has no such credential; it has api_key"),
        ({"secrets": {"token": {}}}, "secrets.token: apimall has no such credential; it has api_key"),
        (
            {"provider": "inhouse", "secrets": {"api_key": {}}},
            "secrets.api_key: inhouse has no such credential; it has password, user",
        ),
    ],
)
def test_a_mistake_in_an_account_is_refused_without_showing_what_may_be_a_key(
    chart: helm.Chart, change: dict[str, Any], message: str
) -> None:
    own: dict[str, Any] = {"providers": {"inhouse": {"credentials": {"user": {}, "password": {}}}}}
    with pytest.raises(helm.HelmError) as refusal:
        chart.render({**accounts({**ACCOUNT, **change}), **own})
    assert f"{PLACE}.{message}" in str(refusal.value)
    assert "canary" not in str(refusal.value).lower()


@pytest.mark.parametrize("number", ["12345678901234567890", "1.10", "007", "5"])
def test_a_param_that_is_a_number_must_be_quoted_since_helm_rounds_it(chart: helm.Chart, number: str) -> None:
    text = "config: {accounts: [{name: a, provider: flexprice, params: {id: %s}}]}\nexistingSecret: keys"
    with pytest.raises(helm.HelmError) as refusal:
        chart.render(helm.values_from_yaml(text % number))
    assert f"{PLACE}.params.id: must be in quotes" in str(refusal.value)
    quoted = json.dumps(chart.render(helm.values_from_yaml(text % f'"{number}"')))
    assert number in quoted


def test_a_key_is_refused_where_the_schema_was_skipped(chart_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "prepaid-exporter"
    shutil.copytree(chart_path, copy)
    (copy / "values.schema.json").unlink()
    with helm.Chart.load(copy) as chart, pytest.raises(helm.HelmError) as refusal:
        chart.render(accounts({**ACCOUNT, "password": "canary"}))
    assert "config.accounts[0].password: refused" in str(refusal.value)
    assert "canary" not in str(refusal.value)


def paths(values: dict[str, Any], *above: str) -> list[tuple[str, ...]]:
    """Return the path of every value that has a default."""
    own = [(*above, key) for key in values]
    inner = [paths(value, *above, key) for key, value in values.items() if isinstance(value, dict)]
    return own + [path for group in inner for path in group]


def without(path: tuple[str, ...]) -> dict[str, Any]:
    """Return values that switch the section of a path on, and set the path to null."""
    hosts = [{"host": "a.test", "paths": [{"path": "/", "pathType": "Prefix"}]}]
    more: dict[str, dict[str, Any]] = {
        "ingress": {"hosts": hosts},
        "httpRoute": {"parentRefs": [{"name": "public"}]},
    }
    switched = (
        *more,
        "serviceMonitor",
        "probe",
        "scrapeConfig",
        "prometheusRule",
        "dashboards",
        "grafanaDashboard",
    )
    values = accounts(ACCOUNT)
    if path[0] in (*switched, "networkPolicy", "podDisruptionBudget"):
        values[path[0]] = {"enabled": True, **more.get(path[0], {})}
    inner = values
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = None
    return values


@pytest.mark.slow
def test_null_in_place_of_a_default_works_or_is_refused_by_name(
    chart: helm.Chart, render: Render, accept_as_kubernetes: Callable[[dict[str, Any], str], None]
) -> None:
    refused = {}
    for path in paths(chart.values):
        try:
            manifests = render(without(path))
        except helm.HelmError as error:
            refused[path] = str(error)
            continue
        for manifest in manifests:
            if manifest["kind"] not in ("HTTPRoute", "GrafanaDashboard") and (
                "monitoring.coreos.com" not in manifest["apiVersion"]
            ):
                accept_as_kubernetes(manifest, "1.31")
    for path, message in refused.items():
        assert path[-1] in message
        assert "nil pointer" not in message
        assert "wrong type" not in message
    assert {("config",), ("image",), ("livenessProbe",), ("service", "port")} <= set(refused)
