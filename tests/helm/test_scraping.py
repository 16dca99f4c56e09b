"""The ways in which Prometheus comes: what is asked where, with which labels, and by whom it is let in."""

from collections.abc import Callable
from typing import Any

import pytest

Kind = Callable[..., dict[str, Any]]
Discovered = Callable[[dict[str, Any]], list[dict[str, str]]]

WAYS = ["ServiceMonitor", "Probe", "ScrapeConfig"]
VALUES_KEY = {"ServiceMonitor": "serviceMonitor", "Probe": "probe", "ScrapeConfig": "scrapeConfig"}
ACCOUNTS = {
    "existingSecret": "prepaid-keys",
    "config": {
        "accounts": [
            {"name": "mall", "provider": "apimall"},
            {"name": "sms (a+b)", "provider": "smspubli", "secrets": {"api_key": {"key": "sms"}}},
        ]
    },
}


def enabled(way: str, **more: object) -> dict[str, Any]:
    return {**ACCOUNTS, VALUES_KEY[way]: {"enabled": True, **more}}


def relabelled(way: str, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the relabelling that the manifest adds to a scrape."""
    spec = manifest["spec"]
    found: list[dict[str, Any]] = {
        "ServiceMonitor": lambda: spec["endpoints"][0]["relabelings"],
        "Probe": lambda: spec["targets"]["staticConfig"]["relabelingConfigs"],
        "ScrapeConfig": lambda: spec.get("relabelings", []),
    }[way]()
    return found


def job(way: str, manifest: dict[str, Any]) -> str:
    if way == "ServiceMonitor":
        return str(relabelled(way, manifest)[0]["replacement"])
    return str(manifest["spec"]["jobName"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "demo-prepaid-exporter"),
        ({"fullnameOverride": "balances"}, "prepaid-balances"),
        ({"nameOverride": "wallets"}, "prepaid-demo-wallets"),
    ],
)
def test_the_job_is_the_release_s_own_and_known_to_the_alerts(
    kind: Kind, way: str, values: dict[str, Any], expected: str
) -> None:
    assert job(way, kind(way, {**enabled(way), **values})) == expected


@pytest.mark.parametrize("way", WAYS)
def test_each_way_can_stand_in_another_namespace_and_still_finds_the_release(kind: Kind, way: str) -> None:
    manifest = kind(way, enabled(way, namespace="prometheus", labels={"release": "stack"}))
    assert manifest["metadata"]["namespace"] == "prometheus"
    assert manifest["metadata"]["labels"]["release"] == "stack"
    place = {
        "ServiceMonitor": lambda spec: spec["namespaceSelector"]["matchNames"][0],
        "Probe": lambda spec: spec["prober"]["url"],
        "ScrapeConfig": lambda spec: spec["httpSDConfigs"][0]["url"],
    }[way](manifest["spec"])
    assert "monitoring" in place


def test_the_service_monitor_selects_the_service(kind: Kind) -> None:
    selector = kind("ServiceMonitor", enabled("ServiceMonitor"))["spec"]["selector"]["matchLabels"]
    service = kind("Service", ACCOUNTS)
    assert selector.items() <= service["metadata"]["labels"].items()
    port = kind("ServiceMonitor", enabled("ServiceMonitor"))["spec"]["endpoints"][0]["port"]
    assert port in [entry["name"] for entry in service["spec"]["ports"]]


def test_the_service_monitor_asks_for_the_page_with_everything(kind: Kind) -> None:
    endpoint = kind("ServiceMonitor", enabled("ServiceMonitor"))["spec"]["endpoints"][0]
    assert (endpoint["path"], endpoint["scheme"]) == ("/metrics", "http")


@pytest.mark.parametrize("way", WAYS)
def test_interval_and_timeout_follow_the_values(kind: Kind, way: str) -> None:
    spec = kind(way, enabled(way, interval="90s", scrapeTimeout="20s"))["spec"]
    timing = spec["endpoints"][0] if way == "ServiceMonitor" else spec
    interval = timing["scrapeInterval" if way == "ScrapeConfig" else "interval"]
    assert (interval, timing["scrapeTimeout"]) == ("90s", "20s")


def test_discovery_and_probes_ask_the_service_at_its_port(kind: Kind) -> None:
    port = {"service": {"port": 8080}}
    probe = kind("Probe", {**enabled("Probe"), **port})["spec"]["prober"]
    assert (probe["url"], probe["path"]) == ("demo-prepaid-exporter.monitoring.svc:8080", "/probe")
    discovery = kind("ScrapeConfig", {**enabled("ScrapeConfig"), **port})["spec"]["httpSDConfigs"][0]
    assert discovery["url"] == "http://demo-prepaid-exporter.monitoring.svc:8080/sd"


def test_every_account_is_probed_once(kind: Kind) -> None:
    targets = kind("Probe", enabled("Probe"))["spec"]["targets"]["staticConfig"]["static"]
    assert targets == ["mall", "sms (a+b)"]


@pytest.mark.parametrize("way", WAYS)
def test_tls_and_users_reach_every_request(kind: Kind, way: str) -> None:
    user = {"username": {"name": "user", "key": "username"}, "password": {"name": "user", "key": "password"}}
    tls = {"ca": {"secret": {"name": "tls", "key": "ca.crt"}}}
    values = enabled(way, basicAuth=user, tlsConfig=tls)
    spec = kind(way, {**values, "webConfig": {"existingSecret": "web", "tls": True}})["spec"]
    ways: dict[str, Callable[[], list[Any]]] = {
        "ServiceMonitor": lambda: [spec["endpoints"][0]],
        "Probe": lambda: [{**spec, "scheme": spec["prober"]["scheme"]}],
        "ScrapeConfig": lambda: [
            spec,
            {**spec["httpSDConfigs"][0], "scheme": spec["httpSDConfigs"][0]["url"][:5]},
        ],
    }
    for request in ways[way]():
        assert (request["basicAuth"], request["tlsConfig"]) == (user, tls)
        assert request["scheme"].lower() == "https"


def test_a_probe_gives_the_labels_of_discovery(kind: Kind, discovered: Discovered) -> None:
    """The operator puts three rules before a Probe's own: they are written out here."""
    spec = kind("Probe", enabled("Probe"))["spec"]
    rules = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": spec["prober"]["url"]},
        *relabelled("Probe", {"spec": spec}),
    ]
    scrape = {
        "job_name": spec["jobName"],
        "static_configs": [{"targets": spec["targets"]["staticConfig"]["static"]}],
        "metrics_path": spec["prober"]["path"],
        "relabel_configs": rules,
    }
    found = discovered(scrape)
    address = "demo-prepaid-exporter.monitoring.svc:10710"
    assert sorted((entry["account"], entry["provider"], entry["instance"]) for entry in found) == [
        ("mall", "apimall", address),
        ("sms (a+b)", "smspubli", address),
    ]
    assert {entry["__address__"] for entry in found} == {address}


def test_shards_share_the_accounts_that_are_discovered(kind: Kind, discovered: Discovered) -> None:
    """The operator puts two rules after a ScrapeConfig's own: they are written out here, for two shards."""
    rules = [
        *relabelled("ScrapeConfig", kind("ScrapeConfig", enabled("ScrapeConfig"))),
        {"source_labels": ["__address__", "__tmp_hash"], "regex": "(.+);", "target_label": "__tmp_hash"},
        {"source_labels": ["__tmp_hash"], "target_label": "shard", "modulus": 2, "action": "hashmod"},
    ]
    names = {f"account-{number}" for number in range(8)}
    targets = [
        {"targets": ["demo-prepaid-exporter.monitoring.svc:10710"], "labels": {"__param_target": name}}
        for name in sorted(names)
    ]
    found = discovered({"job_name": "prepaid", "static_configs": targets, "relabel_configs": rules})
    assert {entry["__param_target"] for entry in found} == names
    assert {entry["shard"] for entry in found} == {"0", "1"}


def test_the_doubles_of_a_probe_s_labels_are_dropped(kind: Kind) -> None:
    (dropped,) = kind("Probe", enabled("Probe"))["spec"]["metricRelabelings"]
    assert dropped == {"action": "labeldrop", "regex": "exported_(account|provider)"}
    assert kind("ScrapeConfig", enabled("ScrapeConfig"))["spec"]["honorLabels"] is True


def test_the_network_policy_lets_out_names_and_https_only(kind: Kind) -> None:
    policy = kind("NetworkPolicy", {"networkPolicy": {"enabled": True}})["spec"]
    ports = [[(port["protocol"], port["port"]) for port in rule["ports"]] for rule in policy["egress"]]
    assert ports == [[("UDP", 53), ("TCP", 53)], [("TCP", 443)]]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


def test_the_network_policy_lets_in_who_is_named(kind: Kind) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prometheus"}}}]
    policy = kind("NetworkPolicy", {"networkPolicy": {"enabled": True, "ingressFrom": peers}})
    assert policy["spec"]["ingress"][0]["from"] == peers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"minAvailable": 0}, {"minAvailable": 0}),
        ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
    ],
)
def test_a_disruption_budget_says_one_thing(
    kind: Kind, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    spec = kind("PodDisruptionBudget", {"podDisruptionBudget": {"enabled": True, **values}})["spec"]
    assert {key: value for key, value in spec.items() if key != "selector"} == expected


@pytest.mark.parametrize("name", ["Ingress", "HTTPRoute"])
def test_a_route_ends_at_the_service(kind: Kind, name: str) -> None:
    values = {
        "service": {"port": 8080},
        "ingress": {
            "enabled": True,
            "hosts": [{"host": "a.test", "paths": [{"path": "/", "pathType": "Prefix"}]}],
        },
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
    }
    rule = kind(name, values)["spec"]["rules"][0]
    service = kind("Service", values)
    if name == "Ingress":
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert backend == {
            "name": service["metadata"]["name"],
            "port": {"name": service["spec"]["ports"][0]["name"]},
        }
    else:
        assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": 8080}]
