"""Every value of values.yaml reaches the kind of object that it is for, in the field that it is for."""

from collections.abc import Callable, Iterator
from typing import Any

import helm_python as helm
import pytest

Values = dict[str, Any]
Manifests = list[dict[str, Any]]
Render = Callable[..., Manifests]

MAP = {"acme.test/owner": "growth"}
SECRET = {"name": "user", "key": "entry"}
RELABEL = [{"action": "labeldrop", "regex": "unwanted"}]
PEER = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
RULE = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
TOLERATION = [{"key": "dedicated", "operator": "Exists"}]
AFFINITY = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
HOSTS = [{"host": "a.test", "paths": [{"path": "/balances", "pathType": "Exact"}]}]
MATCH = [{"path": {"type": "Exact", "value": "/balances"}}]
FILTERS = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-internal"]}}]
ALERT = "PrepaidRunwayCritical"
TIMING = {"periodSeconds": 47, "failureThreshold": 48}


def scraped(kind: str, interval: str = "interval") -> dict[str, tuple[Any, str, Any]]:
    """Return what the three ways to be scraped have in common."""
    return {
        "namespace": ("prometheus", kind, {"metadata": {"namespace": "prometheus"}}),
        "labels": (MAP, kind, {"metadata": {"labels": MAP}}),
        "interval": ("47s", kind, {interval: "47s"}),
        "scrapeTimeout": ("46s", kind, {"scrapeTimeout": "46s"}),
        "tlsConfig": ({"serverName": "tls.test"}, kind, {"tlsConfig": {"serverName": "tls.test"}}),
        "basicAuth": ({"password": SECRET}, kind, {"basicAuth": {"password": SECRET}}),
        "metricRelabelings": (RELABEL, kind, {"metricRelabelings": RELABEL}),
    }


# What each value is set to, the kind of object that it is for, and what must stand in that object.
EXPECTED: dict[str, tuple[Any, str, Any]] = {
    "nameOverride": ("wallets", "Deployment", {"app.kubernetes.io/name": "wallets"}),
    "fullnameOverride": ("balances", "Deployment", {"metadata": {"name": "balances"}}),
    "commonLabels": ({"common": "yes"}, "ServiceAccount", {"labels": {"common": "yes"}}),
    "replicaCount": (47, "Deployment", {"replicas": 47}),
    "image.repository": ("registry.test/mirror", "Deployment", {"image": "registry.test/mirror:"}),
    "image.tag": ("v47", "Deployment", {"image": ":v47"}),
    "image.pullPolicy": ("Never", "Deployment", {"imagePullPolicy": "Never"}),
    "imagePullSecrets": ([{"name": "pull"}], "Deployment", {"imagePullSecrets": [{"name": "pull"}]}),
    "config.defaults": ({"timeout": "47s"}, "ConfigMap", {"prepaid.yml": "  timeout: 47s\n"}),
    "config.accounts": (
        [{"name": "mall", "provider": "apimall"}],
        "ConfigMap",
        {"prepaid.yml": "name: mall"},
    ),
    "existingSecret": ("keys", "Deployment", {"secret": {"name": "keys", "items": [{"key": "mall"}]}}),
    "providers": ({"own": {"title": "Own"}}, "ConfigMap", {"provider-own.yml": "title: Own"}),
    "webConfig.existingSecret": ("web", "Deployment", {"name": "web", "projected": {}}),
    "webConfig.key": ("w.yml", "Deployment", {"args": ["--web.config.file=/etc/prepaid-exporter-web/w.yml"]}),
    "webConfig.certificateSecret": ("tls", "Deployment", {"sources": [{"secret": {"name": "tls"}}]}),
    "webConfig.tls": (True, "ServiceMonitor", {"scheme": "https"}),
    "webConfig.clientCertificates": (True, "Deployment", {"readinessProbe": {"tcpSocket": {"port": "http"}}}),
    "log.level": ("warn", "Deployment", {"args": ["--log.level=warn"]}),
    "log.format": ("json", "Deployment", {"args": ["--log.format=json"]}),
    "enableLifecycle": (True, "Deployment", {"args": ["--web.enable-lifecycle"]}),
    "extraArgs": (["--more"], "Deployment", {"args": ["--more"]}),
    "extraEnv": ([{"name": "A", "value": "b"}], "Deployment", {"env": [{"name": "A", "value": "b"}]}),
    "envFrom": (
        [{"secretRef": {"name": "keys"}}],
        "Deployment",
        {"envFrom": [{"secretRef": {"name": "keys"}}]},
    ),
    "extraContainers": (
        [{"name": "beside", "image": "i"}],
        "Deployment",
        {"containers": [{"name": "beside", "image": "i"}]},
    ),
    "initContainers": (
        [{"name": "before", "image": "i"}],
        "Deployment",
        {"initContainers": [{"name": "before", "image": "i"}]},
    ),
    "extraVolumes": (
        [{"name": "v", "emptyDir": {}}],
        "Deployment",
        {"volumes": [{"name": "v", "emptyDir": {}}]},
    ),
    "extraVolumeMounts": (
        [{"name": "v", "mountPath": "/v"}],
        "Deployment",
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    ),
    "extraManifests": ([{"apiVersion": "v1", "kind": "Pod", "metadata": MAP}], "Pod", {"metadata": MAP}),
    "serviceAccount.name": ("sa", "Deployment", {"serviceAccountName": "sa"}),
    "serviceAccount.annotations": (MAP, "ServiceAccount", {"metadata": {"name": "sa", "annotations": MAP}}),
    "service.type": ("NodePort", "Service", {"spec": {"type": "NodePort"}}),
    "service.port": (4747, "Service", {"ports": [{"port": 4747}]}),
    "service.annotations": (MAP, "Service", {"metadata": {"annotations": MAP}}),
    "service.labels": (MAP, "Service", {"metadata": {"labels": MAP}}),
    "annotations": (
        {"of": "all"},
        "Deployment",
        {"metadata": {"name": "balances", "annotations": {"of": "all"}}},
    ),
    "podAnnotations": (MAP, "Deployment", {"template": {"metadata": {"annotations": MAP}}}),
    "podLabels": (MAP, "Deployment", {"template": {"metadata": {"labels": MAP}}}),
    "podSecurityContext": ({"runAsUser": 47}, "Deployment", {"spec": {"securityContext": {"runAsUser": 47}}}),
    "securityContext": (
        {"privileged": False},
        "Deployment",
        {"containers": [{"securityContext": {"privileged": False}}]},
    ),
    "resources": (
        {"limits": {"memory": "47Mi"}},
        "Deployment",
        {"resources": {"limits": {"memory": "47Mi"}}},
    ),
    "livenessProbe": (TIMING, "Deployment", {"livenessProbe": TIMING}),
    "readinessProbe": (TIMING, "Deployment", {"readinessProbe": TIMING}),
    "priorityClassName": ("high", "Deployment", {"priorityClassName": "high"}),
    "nodeSelector": (MAP, "Deployment", {"nodeSelector": MAP}),
    "tolerations": (TOLERATION, "Deployment", {"tolerations": TOLERATION}),
    "affinity": (AFFINITY, "Deployment", {"affinity": AFFINITY}),
    "topologySpreadConstraints": (SPREAD, "Deployment", {"topologySpreadConstraints": SPREAD}),
    "podDisruptionBudget.maxUnavailable": (47, "PodDisruptionBudget", {"maxUnavailable": 47}),
    "networkPolicy.ingressFrom": (PEER, "NetworkPolicy", {"ingress": [{"from": PEER}]}),
    "networkPolicy.dnsPorts": ([5353], "NetworkPolicy", {"egress": [{"ports": [{"port": 5353}]}]}),
    "networkPolicy.egressPorts": ([4747], "NetworkPolicy", {"egress": [{"ports": [{"port": 4747}]}]}),
    "networkPolicy.extraEgress": (RULE, "NetworkPolicy", {"egress": RULE}),
    "ingress.className": ("nginx", "Ingress", {"ingressClassName": "nginx"}),
    "ingress.annotations": (MAP, "Ingress", {"metadata": {"annotations": MAP}}),
    "ingress.hosts": (
        HOSTS,
        "Ingress",
        {"rules": [{"host": "a.test", "http": {"paths": HOSTS[0]["paths"]}}]},
    ),
    "ingress.tls": ([{"secretName": "tls"}], "Ingress", {"spec": {"tls": [{"secretName": "tls"}]}}),
    "httpRoute.annotations": (MAP, "HTTPRoute", {"metadata": {"annotations": MAP}}),
    "httpRoute.parentRefs": ([{"name": "public"}], "HTTPRoute", {"parentRefs": [{"name": "public"}]}),
    "httpRoute.hostnames": (["a.test"], "HTTPRoute", {"hostnames": ["a.test"]}),
    "httpRoute.matches": (MATCH, "HTTPRoute", {"rules": [{"matches": MATCH}]}),
    "httpRoute.filters": (FILTERS, "HTTPRoute", {"rules": [{"filters": FILTERS}]}),
    **{f"serviceMonitor.{key}": row for key, row in scraped("ServiceMonitor").items()},
    "serviceMonitor.relabelings": (RELABEL, "ServiceMonitor", {"relabelings": RELABEL}),
    **{f"probe.{key}": row for key, row in scraped("Probe").items()},
    **{f"scrapeConfig.{key}": row for key, row in scraped("ScrapeConfig", "scrapeInterval").items()},
    "scrapeConfig.relabelings": (RELABEL, "ScrapeConfig", {"relabelings": RELABEL}),
    "scrapeConfig.refreshInterval": ("45s", "ScrapeConfig", {"httpSDConfigs": [{"refreshInterval": "45s"}]}),
    "prometheusRule.namespace": ("rules", "PrometheusRule", {"metadata": {"namespace": "rules"}}),
    "prometheusRule.labels": (MAP, "PrometheusRule", {"metadata": {"labels": MAP}}),
    "prometheusRule.alertLabels": (MAP, "PrometheusRule", {"rules": [{"labels": MAP}]}),
    "prometheusRule.grafanaUrl": (
        "https://g.test",
        "PrometheusRule",
        {"annotations": {"dashboard_url": "https://g.test/d/"}},
    ),
    "prometheusRule.exporterUrl": (
        "https://e.test",
        "PrometheusRule",
        {"annotations": {"status_url": "https://e.test/?account="}},
    ),
    "prometheusRule.alerts": ({ALERT: {"for": "47m"}}, "PrometheusRule", {"alert": ALERT, "for": "47m"}),
    "dashboards.namespace": ("grafana", "ConfigMap", {"metadata": {"namespace": "grafana"}}),
    "dashboards.labels": (MAP, "ConfigMap", {"metadata": {"namespace": "grafana", "labels": MAP}}),
    "dashboards.annotations": (MAP, "ConfigMap", {"metadata": {"namespace": "grafana", "annotations": MAP}}),
    "grafanaDashboard.namespace": ("boards", "GrafanaDashboard", {"metadata": {"namespace": "boards"}}),
    "grafanaDashboard.labels": (MAP, "GrafanaDashboard", {"metadata": {"labels": MAP}}),
    "grafanaDashboard.instanceSelector": (
        {"matchLabels": MAP},
        "GrafanaDashboard",
        {"instanceSelector": {"matchLabels": MAP}},
    ),
    "grafanaDashboard.folder": ("Money", "GrafanaDashboard", {"spec": {"folder": "Money"}}),
}
OTHERWISE = {
    "demo.enabled": "takes the accounts away: test_pod.py",
    "image.digest": "replaces the tag: test_pod.py",
    "serviceAccount.create": "takes the object away: below",
    "podDisruptionBudget.minAvailable": "replaces maxUnavailable: test_scraping.py",
}
SWITCHES = {
    "podDisruptionBudget": "PodDisruptionBudget",
    "networkPolicy": "NetworkPolicy",
    "ingress": "Ingress",
    "httpRoute": "HTTPRoute",
    "serviceMonitor": "ServiceMonitor",
    "probe": "Probe",
    "scrapeConfig": "ScrapeConfig",
    "prometheusRule": "PrometheusRule",
    "dashboards": "ConfigMap",
    "grafanaDashboard": "GrafanaDashboard",
}


def described(values: Values, schema: Values, path: str = "") -> Iterator[str]:
    """Yield the path of every value that stands for itself: no section of others, and of no free form."""
    for key, value in values.items():
        inner = schema.get(key, {})
        if isinstance(value, dict) and "properties" in inner and path + key not in EXPECTED:
            yield from described(value, inner["properties"], f"{path}{key}.")
        else:
            yield path + key


def put(values: Values, path: str, value: object) -> None:
    *sections, last = path.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def has(node: Any, wanted: Any) -> bool:
    """Return whether a node is what is wanted: a text that holds it, a list with its items, a mapping with its keys."""
    if isinstance(wanted, dict):
        return isinstance(node, dict) and all(key in node and has(node[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(node, list) and all(any(has(item, one) for item in node) for one in wanted)
    return wanted in node if isinstance(node, str) and isinstance(wanted, str) else bool(node == wanted)


def somewhere(node: Any, wanted: Any) -> bool:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return has(node, wanted) or any(somewhere(one, wanted) for one in inner)


@pytest.fixture(scope="module")
def everything(render: Render) -> Manifests:
    """Render with every value set: twice, since of two ways to be scraped one excludes the other."""
    manifests = []
    for way in ("probe", "scrapeConfig"):
        values: Values = {}
        for path, (value, *_) in EXPECTED.items():
            put(values, path, value)
        for section in SWITCHES:
            put(values, f"{section}.enabled", section not in ("probe", "scrapeConfig") or section == way)
        manifests += render(values)
    return manifests


@pytest.mark.parametrize("path", EXPECTED)
def test_a_value_reaches_the_field_that_it_is_for(everything: Manifests, path: str) -> None:
    _, kind, wanted = EXPECTED[path]
    assert any(somewhere(manifest, wanted) for manifest in everything if manifest["kind"] == kind)


def test_no_value_is_left_out_of_these_tests(chart: helm.Chart) -> None:
    assert chart.schema
    known = {*EXPECTED, *OTHERWISE, *(f"{section}.enabled" for section in SWITCHES)}
    with_null = known - {"podDisruptionBudget.minAvailable"}  # null, which Helm drops
    found = set(described(chart.values, chart.schema["properties"]))
    assert found - {"podDisruptionBudget.minAvailable"} == with_null


@pytest.mark.parametrize("section", SWITCHES)
def test_a_switch_brings_its_object_and_nothing_else(render: Render, section: str) -> None:
    values: Values = {"existingSecret": "keys", "config": {"accounts": EXPECTED["config.accounts"][0]}}
    without = {(m["kind"], m["metadata"]["name"]) for m in render(values)}
    for path in ("ingress.hosts", "httpRoute.parentRefs"):
        put(values, path, EXPECTED[path][0])
    put(values, f"{section}.enabled", value=True)
    added = {(m["kind"], m["metadata"]["name"]) for m in render(values)} - without
    assert {kind for kind, _ in added} == {SWITCHES[section]}


def test_without_a_service_account_of_its_own_the_pod_takes_the_one_that_is_named(render: Render) -> None:
    for values, expected in (({"name": "shared"}, "shared"), ({}, "default")):
        manifests = {m["kind"]: m for m in render({"serviceAccount": {"create": False, **values}})}
        assert "ServiceAccount" not in manifests
        assert manifests["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] == expected
