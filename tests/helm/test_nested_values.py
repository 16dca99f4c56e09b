"""Objects of Kubernetes, the Prometheus operator and the Gateway API inside the values: known to the last key."""

import json
from pathlib import Path
from typing import Any, get_args

import helm_python as helm
import kubernetes_validate
import pytest

KUBERNETES = Path(str(kubernetes_validate.__file__)).parent / "kubernetes-json-schema/v1.37.0-local-strict"
OPERATOR = {
    "monitoring.coreos.com/v1 RelabelConfig": ("Endpoint", "relabelings"),
    "monitoring.coreos.com/v1 TLSConfig": ("Endpoint", "tls_config"),
    "monitoring.coreos.com/v1 SafeTLSConfig": ("ProbeSpec", "tls_config"),
}
"""Where an object of the operator's has one of the kind: the object's name, and the field's."""


@pytest.fixture(scope="module")
def named(chart: helm.Chart) -> dict[str, dict[str, Any]]:
    """Return the schemas of objects that others define, by the name that they have there."""
    assert chart.schema
    definitions = chart.schema["$defs"].values()
    return {schema["$comment"]: schema for schema in definitions if "$comment" in schema}


def model(annotation: Any) -> Any:
    """Return the model inside `Optional[...]` and `List[...]`."""
    while get_args(annotation):
        annotation = get_args(annotation)[0]
    return annotation


def references(schema: dict[str, Any]) -> set[str]:
    """Return the definitions that a schema's properties lead to at once."""
    inner = [schema.get("properties", {}).values(), [schema.get("items", {})]]
    found = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else set()
    return found.union(*(references(one) for group in inner for one in group if one))


def test_objects_of_kubernetes_have_the_keys_that_it_says(
    chart: helm.Chart, named: dict[str, dict[str, Any]]
) -> None:
    assert chart.schema
    ours = {key: schema.get("$comment") for key, schema in chart.schema["$defs"].items()}
    theirs = json.loads((KUBERNETES / "_definitions.json").read_text())["$defs"]
    known = {name: schema for name, schema in named.items() if name.startswith("io.k8s.")}
    assert len(known) > 30
    for name, schema in known.items():
        assert set(schema["properties"]) == set(theirs[name]["properties"]), name
        assert schema["additionalProperties"] is False
        assert schema.get("required") == theirs[name].get("required"), name
        inside = {ours[reference] for reference in references(schema) if ours[reference]}
        assert inside == references(theirs[name]) & set(named), name


@pytest.mark.parametrize("name", OPERATOR)
def test_objects_of_the_operator_have_the_keys_that_it_says(
    named: dict[str, dict[str, Any]], name: str
) -> None:
    # It takes seconds to import, in each process that as much as looks at this file.
    from cloudcoil.models.prometheus_operator import v1  # noqa: PLC0415

    holder, field = OPERATOR[name]
    fields = model(getattr(v1, holder).model_fields[field].annotation).model_fields
    assert set(named[name]["properties"]) == {field.alias or key for key, field in fields.items()}
    assert named[name]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"podSecurityContext": {"fsgroup": 1}}, "fsgroup"),
        ({"podSecurityContext": {"seccompProfile": {"kind": "x"}}}, "kind"),
        ({"securityContext": {"readOnlyRootFileSystem": False}}, "readOnlyRootFileSystem"),
        ({"securityContext": {"capabilities": {"dropp": []}}}, "dropp"),
        ({"extraEnv": [{"nme": "A", "value": "b"}]}, "nme"),
        ({"extraEnv": [{"name": "A", "valueFrom": {"secretRef": {}}}]}, "secretRef"),
        ({"extraVolumes": [{"nam": "x"}]}, "nam"),
        ({"extraVolumes": [{"name": "x", "secret": {"name": "y"}}]}, "name"),
        ({"extraVolumeMounts": [{"name": "x", "mountPaht": "/x"}]}, "mountPaht"),
        ({"resources": {"limits": {"mem": 1}}}, "mem"),
        ({"resources": {"claims": [{"nam": "x"}]}}, "nam"),
        ({"tolerations": [{"keyy": "a"}]}, "keyy"),
        ({"affinity": {"nodeAfinity": {}}}, "nodeAfinity"),
        ({"affinity": {"podAntiAffinity": {"required": []}}}, "required"),
        ({"topologySpreadConstraints": [{"maxskew": 1}]}, "maxskew"),
        ({"networkPolicy": {"ingressFrom": [{"nsSelector": {}}]}}, "nsSelector"),
        ({"networkPolicy": {"extraEgress": [{"from": []}]}}, "from"),
        ({"httpRoute": {"parentRefs": [{"name": "public", "nam": "gw"}]}}, "nam"),
        ({"httpRoute": {"matches": [{"pth": {}}]}}, "pth"),
        ({"httpRoute": {"matches": [{"path": {"prefix": "/"}}]}}, "prefix"),
        ({"httpRoute": {"filters": [{"type": "X", "headers": {}}]}}, "headers"),
        ({"serviceMonitor": {"tlsConfig": {"insecure_skip_verify": True}}}, "insecure_skip_verify"),
        ({"probe": {"tlsConfig": {"caFile": "/x"}}}, "caFile"),
        ({"scrapeConfig": {"tlsConfig": {"ca": {"secretRef": {}}}}}, "secretRef"),
        ({"serviceMonitor": {"relabelings": [{"sourceLabel": ["a"]}]}}, "sourceLabel"),
        ({"scrapeConfig": {"relabelings": [{"target_label": "a"}]}}, "target_label"),
        ({"probe": {"metricRelabelings": [{"target": "a"}]}}, "target"),
    ],
)
def test_a_misspelt_key_is_refused_inside_an_object_of_others(
    chart: helm.Chart, values: dict[str, Any], key: str
) -> None:
    with pytest.raises(helm.HelmValuesError, match=f"additional properties '{key}' not allowed"):
        chart.validate_schema(values)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"extraEnv": [{"name": "A", "value": 1}]}, "/extraEnv/0/value"),
        ({"extraEnv": [{"value": "1"}]}, "/extraEnv/0"),
        ({"nodeSelector": {"gpu": True}}, "/nodeSelector/gpu"),
        ({"httpRoute": {"parentRefs": [{"namespace": "gw"}]}}, "/httpRoute/parentRefs/0"),
        ({"fullnameOverride": "Bad Name"}, "/fullnameOverride"),
        ({"fullnameOverride": "9lives"}, "/fullnameOverride"),
        ({"fullnameOverride": "a.b"}, "/fullnameOverride"),
        ({"nameOverride": "Bad Name"}, "/nameOverride"),
        ({"serviceMonitor": {"namespace": "Bad NS"}}, "/serviceMonitor/namespace"),
        ({"podDisruptionBudget": {"maxUnavailable": "lots"}}, "/podDisruptionBudget/maxUnavailable"),
        ({"prometheusRule": {"alerts": {"X": {"for": "1 day"}}}}, "/prometheusRule/alerts/X/for"),
    ],
)
def test_a_value_that_kubernetes_would_refuse_is_refused_before(
    chart: helm.Chart, values: dict[str, Any], where: str
) -> None:
    with pytest.raises(helm.HelmValuesError) as refusal:
        chart.validate_schema(values)
    assert f"at '{where}'" in str(refusal.value)
