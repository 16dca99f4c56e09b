"""What the pod is told: image, flags, probes, the files it finds, and when it is replaced."""

from collections.abc import Callable
from typing import Any

import helm_python as helm
import pytest

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Kind = Callable[..., Manifest]

ACCOUNT = {"name": "mall", "provider": "apimall"}


def values_of(*accounts: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"existingSecret": "prepaid-keys", "config": {"accounts": list(accounts)}, **more}


@pytest.fixture
def pod(kind: Kind) -> Kind:
    """Return the pod's spec for values."""
    return lambda values: kind("Deployment", values)["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Kind) -> Kind:
    """Return the container for values."""
    return lambda values: pod(values)["containers"][0]


def projected(pod_spec: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Give, for each file of the configuration volume, the object and entry that it comes from."""
    (volume,) = [volume for volume in pod_spec["volumes"] if volume["name"] == "config"]
    files = {}
    for source in volume["projected"]["sources"]:
        ((_, reference),) = source.items()
        for item in reference["items"]:
            assert item["path"] not in files, "a path that stands twice is refused by the kubelet"
            files[item["path"]] = (reference["name"], item["key"])
    return files


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "ghcr.io/prepaid-exporter/prepaid-exporter:{appVersion}"),
        ({"repository": "mirror/x", "tag": "1.2.3"}, "mirror/x:1.2.3"),
        (
            {"tag": "1.2.3", "digest": "sha256:" + "a" * 64},
            "ghcr.io/prepaid-exporter/prepaid-exporter@sha256:" + "a" * 64,
        ),
    ],
)
def test_the_image_follows_the_values(
    chart: helm.Chart, container: Kind, image: dict[str, str], expected: str
) -> None:
    assert container({"image": image})["image"] == expected.format(**chart.metadata)


def test_the_exporter_is_started_with_its_configuration(container: Kind) -> None:
    assert container(values_of(ACCOUNT))["args"] == [
        "serve",
        "--config.file=/etc/prepaid-exporter/prepaid.yml",
        "--web.listen-address=:10710",
        "--log.level=info",
        "--log.format=logfmt",
    ]


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"enableLifecycle": True}, "--web.enable-lifecycle"),
        ({"log": {"level": "debug"}}, "--log.level=debug"),
        ({"log": {"format": "json"}}, "--log.format=json"),
        ({"webConfig": {"existingSecret": "web"}}, "--web.config.file=/etc/prepaid-exporter-web/web.yml"),
        ({"probe": {"enabled": True}}, "--no-metrics.accounts"),
        ({"scrapeConfig": {"enabled": True}}, "--no-metrics.accounts"),
        ({"extraArgs": ["--scrape.timeout=12s"]}, "--scrape.timeout=12s"),
    ],
)
def test_a_value_becomes_its_flag_and_nothing_else(
    container: Kind, values: dict[str, Any], flag: str
) -> None:
    without = container(values_of(ACCOUNT))["args"]
    args = container(values_of(ACCOUNT, **values))["args"]
    assert [arg for arg in args if arg not in without] == [flag]


def test_probes_ask_no_provider(container: Kind) -> None:
    rendered = container(values_of(ACCOUNT))
    assert rendered["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http", "scheme": "HTTP"}
    assert rendered["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "http", "scheme": "HTTP"}


def test_probes_speak_tls_where_the_exporter_does(container: Kind) -> None:
    rendered = container({"webConfig": {"existingSecret": "web", "tls": True}})
    assert rendered["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert rendered["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_probes_only_connect_where_a_client_needs_a_certificate(container: Kind) -> None:
    rendered = container({"webConfig": {"existingSecret": "web", "tls": True, "clientCertificates": True}})
    assert rendered["livenessProbe"]["tcpSocket"] == {"port": "http"}
    assert "httpGet" not in rendered["readinessProbe"]


def test_each_key_is_a_file_named_after_its_secret_and_entry(pod: Kind) -> None:
    sms = {"name": "sms", "provider": "smspubli", "secrets": {"api_key": {"name": "gateway", "key": "token"}}}
    assert projected(pod(values_of(ACCOUNT, sms))) == {
        "prepaid.yml": ("demo-prepaid-exporter", "prepaid.yml"),
        "secrets/prepaid-keys/mall": ("prepaid-keys", "mall"),
        "secrets/gateway/token": ("gateway", "token"),
    }


def test_two_accounts_may_share_a_key(pod: Kind) -> None:
    shared = {"secrets": {"api_key": {"key": "shared"}}}
    files = projected(pod(values_of({**ACCOUNT, **shared}, {**ACCOUNT, "name": "other", **shared})))
    assert files["secrets/prepaid-keys/shared"] == ("prepaid-keys", "shared")


def test_a_missing_key_leaves_the_exporter_to_say_so(pod: Kind) -> None:
    (volume,) = pod(values_of(ACCOUNT))["volumes"]
    optional = [
        source["secret"]["optional"] for source in volume["projected"]["sources"] if "secret" in source
    ]
    assert optional == [True]


def test_what_stopped_the_exporter_is_shown_by_the_cluster(container: Kind) -> None:
    assert container({})["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_files_are_read_by_the_exporter_s_group_alone(pod: Kind) -> None:
    values = values_of(ACCOUNT, webConfig={"existingSecret": "web", "certificateSecret": "certificate"})
    volumes = pod(values)["volumes"]
    assert {volume["projected"]["defaultMode"] for volume in volumes} == {0o440}
    assert pod(values)["securityContext"]["fsGroup"] == 65532


def test_own_definitions_are_mounted_where_the_configuration_looks(pod: Kind) -> None:
    files = projected(pod(values_of(ACCOUNT, providers={"inhouse": {"title": "In-house"}})))
    assert files["providers/inhouse.yml"] == ("demo-prepaid-exporter", "provider-inhouse.yml")


def test_a_changed_configuration_replaces_the_pod(kind: Kind) -> None:
    def checksum(values: dict[str, Any]) -> str:
        annotations = kind("Deployment", values)["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    plain = checksum(values_of(ACCOUNT))
    assert checksum(values_of(ACCOUNT)) == plain
    assert checksum(values_of({**ACCOUNT, "timeout": "3s"})) != plain
    assert checksum(values_of(ACCOUNT, providers={"inhouse": {"title": "In-house"}})) != plain


def test_the_demo_needs_no_configuration_and_no_secret(pod: Kind, render: Render) -> None:
    spec = pod({"demo": {"enabled": True}})
    assert spec["containers"][0]["args"][0] == "demo"
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}]
    assert spec["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - not ours
    assert [m["kind"] for m in render({"demo": {"enabled": True}}) if m["kind"] == "ConfigMap"] == []


def test_the_service_finds_the_pods_whatever_labels_are_added(render: Render) -> None:
    hostile = {"app.kubernetes.io/name": "other", "team": "growth"}
    manifests = {m["kind"]: m for m in render({"commonLabels": hostile, "podLabels": hostile})}
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Service"]["spec"]["selector"].items() <= labels.items()
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels["team"] == "growth"


def test_what_the_user_adds_reaches_the_pod(pod: Kind) -> None:
    spec = pod(
        {
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "priorityClassName": "high",
        }
    )
    assert spec["containers"][0]["env"] == [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]
    assert spec["volumes"][-1] == {"name": "ca", "configMap": {"name": "ca"}}
    assert spec["containers"][0]["volumeMounts"][-1]["mountPath"] == "/etc/ca"
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"kubernetes.io/os": "linux"}, "high")
