"""The values: what the schema refuses, that it knows every default, and that the README says the same."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

import exporter

ACCOUNT = {"name": "mall", "provider": "apimall"}


def accounts(*items: dict[str, Any]) -> dict[str, Any]:
    return {"existingSecret": "prepaid-keys", "config": {"accounts": list(items)}}


def leaves(
    values: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the path of every section of the values whose keys the schema names."""
    yield path
    for key, value in values.items():
        inner = schema["properties"].get(key, {})
        if isinstance(value, dict) and "properties" in inner:
            yield from leaves(value, inner, (*path, key))


def test_a_misspelt_key_is_refused_in_every_section(chart: helm.Chart) -> None:
    sections = list(leaves(chart.values, chart.schema or {}))
    assert {(), ("image",), ("config",), ("config", "defaults"), ("prometheusRule",), ("webConfig",)} <= set(
        sections
    )
    for section in sections:
        values: dict[str, Any] = {"misspelt": True}
        for key in reversed(section):
            values = {key: values}
        with pytest.raises(helm.HelmValuesError, match="misspelt"):
            chart.validate_schema(values)


def test_the_schema_names_every_value_and_no_other(chart: helm.Chart) -> None:
    def compare(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        assert set(values) == set(schema["properties"]) - {"global"}, path
        for key, value in values.items():
            inner = schema["properties"][key]
            if isinstance(value, dict) and value and "properties" in inner and key != "resources":
                compare(value, inner, f"{path}.{key}")

    assert chart.schema
    without = dict.fromkeys(("min_interval", "runway", "proxy_url", "ca_file", "allow_http"))
    defaults = {**chart.values["config"]["defaults"], **without}
    with_null = {
        **chart.values,
        "config": {**chart.values["config"], "defaults": defaults},
        "podDisruptionBudget": {**chart.values["podDisruptionBudget"], "minAvailable": None},
    }
    compare(with_null, chart.schema, "")


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (accounts({**ACCOUNT, "treshold": {}}), "treshold"),
        (accounts({**ACCOUNT, "thresholds": {"fatal": 1}}), "fatal"),
        (accounts({**ACCOUNT, "thresholds": {"critical": "low"}}), "/config/accounts/0/thresholds/critical"),
        (accounts({**ACCOUNT, "timeout": "soon"}), "/config/accounts/0/timeout"),
        (accounts({**ACCOUNT, "timeout": "0s"}), "/config/accounts/0/timeout"),
        (accounts({**ACCOUNT, "min_interval": 60}), "/config/accounts/0/min_interval"),
        (accounts({**ACCOUNT, "timeout": "9999999999ms"}), "/config/accounts/0/timeout"),
        (accounts({**ACCOUNT, "min_interval": "9999999999s"}), "/config/accounts/0/min_interval"),
        (accounts({**ACCOUNT, "base_url": 1}), "/config/accounts/0/base_url"),
        (
            accounts({**ACCOUNT, "wallet_thresholds": {"": {"info": 1}}}),
            "/config/accounts/0/wallet_thresholds",
        ),
        (accounts({**ACCOUNT, "wallet_thresholds": {" x": {}}}), "/config/accounts/0/wallet_thresholds"),
        (accounts({**ACCOUNT, "secrets": {"api_key": {"key": ".."}}}), "/config/accounts/0/secrets/api_key"),
        (accounts({**ACCOUNT, "allow_http": "yes"}), "/config/accounts/0/allow_http"),
        (accounts({**ACCOUNT, "currency": "€"}), "/config/accounts/0/currency"),
        (accounts({**ACCOUNT, "name": ""}), "/config/accounts/0/name"),
        (accounts({**ACCOUNT, "name": " mall"}), "/config/accounts/0/name"),
        (accounts({**ACCOUNT, "name": "mall\x7f"}), "/config/accounts/0/name"),
        (accounts({"name": "mall"}), "provider"),
        (accounts({"provider": "apimall"}), "name"),
        (accounts({**ACCOUNT, "password": "x"}), "password"),
        (accounts({**ACCOUNT, "api_key_file": ""}), "/config/accounts/0/api_key_file"),
        (accounts({**ACCOUNT, "secrets": {"api_key": {"entry": "x"}}}), "entry"),
        ({"config": {"defaults": {"timeout": "10 s"}}}, "/config/defaults/timeout"),
        ({"existingSecret": "Prepaid_Keys"}, "/existingSecret"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"log": {"level": "warning"}}, "/log/level"),
        ({"service": {"port": 0}}, "/service/port"),
        ({"replicaCount": "two"}, "/replicaCount"),
        ({"ingress": {"enabled": True}}, "/ingress/hosts"),
        ({"httpRoute": {"enabled": True}}, "/httpRoute/parentRefs"),
        ({"serviceMonitor": {"interval": "1 minute"}}, "/serviceMonitor/interval"),
        ({"prometheusRule": {"exporterUrl": "prepaid.test"}}, "/prometheusRule/exporterUrl"),
        ({"prometheusRule": {"grafanaUrl": "https://grafana.test/"}}, "/prometheusRule/grafanaUrl"),
        ({"prometheusRule": {"alerts": {"X": {"severity": "urgent"}}}}, "/prometheusRule/alerts/X/severity"),
        ({"commonLabels": {"version": 1}}, "/commonLabels/version"),
    ],
)
def test_a_bad_value_is_refused_with_its_path(chart: helm.Chart, values: dict[str, Any], where: str) -> None:
    with pytest.raises(helm.HelmValuesError) as refusal:
        chart.validate_schema(values)
    assert where in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            accounts(ACCOUNT, {**ACCOUNT, "name": "sms", "api_key": "canary"}),
            "config.accounts[1].api_key: refused, since a key written here would stand in a ConfigMap",
        ),
        (
            accounts({**ACCOUNT, "proxy_url": "http://user:canary@proxy:3128"}),
            "config.accounts[0].proxy_url: refused, since a user in a URL would stand in a ConfigMap",
        ),
        (
            {"config": {"accounts": [ACCOUNT]}},
            (
                'config.accounts[0] (mall): no secret for api_key; set existingSecret (entry "mall"), or '
                "config.accounts[0].secrets.api_key.name and .key"
            ),
        ),
        (
            accounts(ACCOUNT, {**ACCOUNT, "provider": "smspubli"}),
            'config.accounts[1].name: "mall" is the name of config.accounts[0] already',
        ),
        (
            accounts({**ACCOUNT, "name": "mall of Poland"}),
            (
                'config.accounts[0]: "mall of Poland" cannot be the name of a secret\'s entry; set '
                "config.accounts[0].secrets.api_key.key"
            ),
        ),
        (
            accounts({**ACCOUNT, "name": ".."}),
            'config.accounts[0]: ".." cannot be the name of a secret\'s entry',
        ),
        (
            {"config": {"defaults": {"timeout": "2d"}}},
            "config.defaults.timeout: must be longer than 0s and at most 1d",
        ),
        (
            accounts({**ACCOUNT, "api_key_file": "/x", "secrets": {"api_key": {"key": "x"}}}),
            "config.accounts[0].secrets.api_key: api_key_file says already where it is",
        ),
        ({**accounts(ACCOUNT), "demo": {"enabled": True}}, "demo.enabled: the demo has accounts of its own"),
        (
            {**accounts(ACCOUNT), "probe": {"enabled": True}, "scrapeConfig": {"enabled": True}},
            "scrapeConfig.enabled: probe.enabled would ask every account as well",
        ),
        ({"probe": {"enabled": True}}, "probe.enabled: config.accounts is empty"),
        (
            {"webConfig": {"tls": True}},
            "webConfig.existingSecret: tls, clientCertificates and certificateSecret need",
        ),
        (
            {
                "prometheusRule": {
                    "enabled": True,
                    "alerts": {"Misspelt": {"enabled": False}},
                }
            },
            "prometheusRule.alerts.Misspelt: there is no such alert; there are ",
        ),
    ],
)
def test_values_that_cannot_work_are_refused_when_rendering(
    chart: helm.Chart, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(helm.HelmError) as refusal:
        chart.render(values)
    assert message in str(refusal.value).replace('\\"', '"')
    assert "canary" not in str(refusal.value)


def test_the_chart_and_the_exporter_have_one_version(chart: helm.Chart) -> None:
    assert chart.metadata["appVersion"] == exporter.__version__
    assert chart.metadata["version"] == exporter.__version__


def test_the_readme_says_what_the_values_say(root: Path) -> None:
    script: list[str | Path] = [sys.executable, root / "helm" / "readme.py", "--check"]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_value_without_a_description_is_noticed(root: Path, tmp_path: Path) -> None:
    result = changed_copy(root, tmp_path, "\nundescribed: true\n")
    assert result.returncode == 1
    assert "undescribed has no `# --` comment above it" in result.stderr


def test_a_readme_that_is_out_of_date_is_noticed(root: Path, tmp_path: Path) -> None:
    result = changed_copy(root, tmp_path, "\n# -- A value of tomorrow.\ntomorrow: true\n")
    assert result.returncode == 1
    assert "run helm/readme.py" in result.stderr


def changed_copy(root: Path, folder: Path, more: str) -> subprocess.CompletedProcess[str]:
    """Check the README of a copy of the chart whose values.yaml has a text more."""
    copy = folder / "prepaid-exporter"
    copy.mkdir()
    (folder / "readme.py").write_bytes((root / "helm/readme.py").read_bytes())
    for name in ("README.md", "values.yaml"):
        (copy / name).write_bytes((root / "helm/prepaid-exporter" / name).read_bytes())
    with (copy / "values.yaml").open("a", encoding="utf-8") as values:
        values.write(more)
    script: list[str | Path] = [sys.executable, folder / "readme.py", "--check"]
    return subprocess.run(script, capture_output=True, text=True, check=False)


def test_the_readme_s_own_examples_render(chart: helm.Chart, chart_path: Path) -> None:
    blocks = (chart_path / "README.md").read_text(encoding="utf-8").split("```yaml")[1:]
    examples = [helm.values_from_yaml(block.split("```")[0]) for block in blocks]
    assert len(examples) >= 3
    for example in examples:
        assert "kind: Deployment" in json.dumps(chart.render(example))
