"""Every manifest of every values file is one that a cluster would take."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import helm_python as helm
import jsonschema
import pytest
from pydantic import BaseModel

Render = Callable[..., list[dict[str, Any]]]
Accept = Callable[[dict[str, Any], str], None]

OPERATOR_MODELS = {"PrometheusRule": "v1", "Probe": "v1", "ScrapeConfig": "v1alpha1", "ServiceMonitor": "v1"}
# What the Grafana operator says of the parts that the chart writes (api/v1beta1, GrafanaDashboardSpec).
GRAFANA_DASHBOARD_SPEC = {
    "type": "object",
    "additionalProperties": False,
    "required": ["instanceSelector", "json"],
    "properties": {
        "allowCrossNamespaceImport": {"type": "boolean"},
        "instanceSelector": {"type": "object"},
        "folder": {"type": "string"},
        "json": {"type": "string"},
    },
}
# What the Gateway API says of the parts that the chart itself writes; matches and filters are the user's.
HTTP_ROUTE_SPEC = {
    "type": "object",
    "additionalProperties": False,
    "required": ["parentRefs", "rules"],
    "properties": {
        "hostnames": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "parentRefs": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    key: {} for key in ("group", "kind", "name", "namespace", "port", "sectionName")
                },
            },
        },
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "matches": {"type": "array", "maxItems": 64},
                    "filters": {"type": "array", "maxItems": 16},
                    "backendRefs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["name", "port"],
                            "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
                        },
                    },
                },
            },
        },
    },
}


@cache
def operator_model(kind: str) -> type[BaseModel]:
    """Import the operator's model of a kind: seconds, which only those pay who need it."""
    models = import_module(f"cloudcoil.models.prometheus_operator.{OPERATOR_MODELS[kind]}")
    model: type[BaseModel] = getattr(models, kind)
    return model


def accept_as_operator(manifest: dict[str, Any]) -> None:
    """Demand that the operator's own model keeps every key: what it does not know, it would drop."""
    model = operator_model(manifest["kind"]).model_validate(manifest)
    known = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert known == manifest


@pytest.fixture(scope="session")
def accept(accept_as_kubernetes: Accept) -> Accept:
    """Demand that whoever defines a manifest's kind takes it."""

    def accepted(manifest: dict[str, Any], version: str) -> None:
        if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
            accept_as_operator(manifest)
        elif manifest["kind"] == "HTTPRoute":
            jsonschema.validate(manifest["spec"], HTTP_ROUTE_SPEC)
        elif manifest["kind"] == "GrafanaDashboard":
            jsonschema.validate(manifest["spec"], GRAFANA_DASHBOARD_SPEC)
        else:
            accept_as_kubernetes(manifest, version)

    return accepted


def test_the_chart_lints_without_a_warning(chart_path: Path, ci_values: dict[str, Any]) -> None:
    report = helm.lint(chart_path, ci_values, strict=True)
    assert report["errors"] == []
    assert [m["error"] for m in report["messages"] if m["severity"] > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.25", "1.31", "1.37"])
def test_kubernetes_takes_every_manifest(
    render: Render, accept: Accept, ci_values: dict[str, Any], version: str
) -> None:
    manifests = render(ci_values)
    assert {"Deployment", "Service"} <= {manifest["kind"] for manifest in manifests}
    for manifest in manifests:
        accept(manifest, version)


def test_every_kind_of_object_is_tried_by_some_values_file(chart_path: Path, render: Render) -> None:
    tried = {
        manifest["kind"]
        for file in (chart_path / "ci").glob("*-values.yaml")
        for manifest in render(helm.values_from_yaml(file.read_text(encoding="utf-8")))
    }
    written = {
        line.removeprefix("kind:").strip()
        for template in (chart_path / "templates").glob("*.yaml")
        for line in template.read_text(encoding="utf-8").splitlines()
        if line.startswith("kind:")
    }
    assert tried == written


def test_no_two_objects_share_a_name(render: Render, ci_values: dict[str, Any]) -> None:
    manifests = render(ci_values)
    names = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests]
    assert len(names) == len(set(names))


def test_names_stay_within_what_kubernetes_allows(render: Render) -> None:
    values = {"nameOverride": "n" * 63, "serviceMonitor": {"enabled": True}, "dashboards": {"enabled": True}}
    for manifest in render(values, name="r" * 53):
        assert len(manifest["metadata"]["name"]) <= 253
        assert all(len(value) <= 63 for value in manifest["metadata"]["labels"].values())
    services = [m for m in render(values, name="r" * 53) if m["kind"] == "Service"]
    assert len(services[0]["metadata"]["name"]) <= 63


def test_extra_manifests_are_rendered_whether_mapping_or_text(render: Render) -> None:
    mapping = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-mapping"}}
    text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-text\n"
    added = [
        m["metadata"]["name"] for m in render({"extraManifests": [mapping, text]}) if m["kind"] == "Secret"
    ]
    assert added == ["demo-mapping", "demo-text"]


def test_templates_of_others_stay_in_extra_manifests(render: Render) -> None:
    data = {
        "config": '{{ .password }} {{"{{"}} {{ $labels.account | quote }}',
        "ours": '{{ include "prepaid-exporter.fullname" . }}',
        "theirs": "{{- range .items }}{{ . }}{{ end }}",
    }
    mapping = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": data}
    (secret,) = [m for m in render({"extraManifests": [mapping]}) if m["kind"] == "Secret"]
    assert secret["stringData"] == {**data, "ours": "demo-prepaid-exporter"}


def test_defaults_carry_no_user_into_a_config_map(render: Render) -> None:
    proxy = {"config": {"defaults": {"proxy_url": "http://user:canary@proxy.test:3128"}}}
    with pytest.raises(helm.HelmError, match=r"config\.defaults\.proxy_url: refused") as refusal:
        render(proxy)
    assert "canary" not in str(refusal.value)
    with pytest.raises(helm.HelmError, match=r"config\.defaults\.ca_file: must be the absolute path"):
        render({"config": {"defaults": {"ca_file": "ca.pem"}}})


@pytest.mark.parametrize(
    ("values", "where", "key"),
    [
        ({"serviceMonitor": {"enabled": True}}, ("spec",), "jobLable"),
        ({"serviceMonitor": {"enabled": True}}, ("spec", "endpoints", 0), "scrapeTimout"),
        ({"scrapeConfig": {"enabled": True}}, ("spec", "httpSDConfigs", 0), "refresh"),
        ({"prometheusRule": {"enabled": True}}, ("spec", "groups", 0, "rules", 0), "severity"),
    ],
)
@pytest.mark.slow
def test_a_key_that_the_operator_does_not_know_would_be_noticed(
    render: Render, values: dict[str, Any], where: tuple[str | int, ...], key: str
) -> None:
    manifest = next(m for m in render(values) if m["kind"] in OPERATOR_MODELS)
    accept_as_operator(manifest)
    inner: Any = manifest
    for step in where:
        inner = inner[step]
    inner[key] = "x"
    with pytest.raises(AssertionError):
        accept_as_operator(manifest)


def test_the_packaged_chart_carries_the_files_behind_its_links(chart_path: Path, tmp_path: Path) -> None:
    with helm.Chart.load(helm.package(chart_path, destination=tmp_path)) as packaged:
        carried = {file["name"]: file["data"] for file in packaged.files}
    shipped = [*chart_path.glob("files/rules/*.yml"), *chart_path.glob("files/dashboards/*.json")]
    assert shipped
    assert {str(file.relative_to(chart_path)) for file in shipped} == {
        name for name in carried if name.startswith("files/")
    }
