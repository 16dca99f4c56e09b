"""Every pod that the chart makes passes the restricted Pod Security Standard, by its documented list."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

Pod = dict[str, Any]
Render = Callable[..., list[dict[str, Any]]]
Kind = Callable[..., dict[str, Any]]

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(pod: Pod) -> Iterator[str]:
    """Yield what the restricted standard refuses in a pod's spec."""
    shared = pod.get("securityContext", {})
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    yield from ("volume type" for volume in pod.get("volumes", []) if not set(volume) <= {"name", *VOLUMES})
    if shared.get("sysctls"):
        yield "sysctls"
    for container in pod["containers"] + pod.get("initContainers", []):
        yield from container_violations(container, shared)


def container_violations(container: Pod, shared: Pod) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**shared, **own}
    capabilities = own.get("capabilities", {})
    if context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if context.get("runAsUser") == 0:
        yield "runAsUser"
    if context.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("privileged"):
        yield "privileged"
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities.drop"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "hostPort"


@pytest.fixture
def pod(kind: Kind) -> Pod:
    spec: Pod = kind("Deployment", {})["spec"]["template"]["spec"]
    return spec


def test_every_pod_passes_the_restricted_standard(kind: Kind, ci_values: dict[str, Any]) -> None:
    spec = kind("Deployment", ci_values)["spec"]["template"]["spec"]
    assert list(violations(spec)) == []


def test_the_standard_holds_for_what_the_chart_writes_into_a_whole_namespace(
    render: Render, ci_values: dict[str, Any]
) -> None:
    with_pods = {
        "Pod",
        "Deployment",
        "DaemonSet",
        "StatefulSet",
        "ReplicaSet",
        "Job",
        "CronJob",
    }
    assert [m["kind"] for m in render(ci_values) if m["kind"] in with_pods] == ["Deployment"]


@pytest.mark.parametrize(
    ("where", "value", "expected"),
    [
        ("hostNetwork", True, "hostNetwork"),
        ("volumes", [{"name": "host", "hostPath": {"path": "/"}}], "volume type"),
        ("securityContext", {"runAsNonRoot": True}, "seccompProfile"),
        ("securityContext", {"seccompProfile": {"type": "RuntimeDefault"}}, "runAsNonRoot"),
        ("container", {"allowPrivilegeEscalation": False}, "capabilities.drop"),
        ("container", {"capabilities": {"drop": ["ALL"]}}, "allowPrivilegeEscalation"),
        ("container", {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, "capabilities.add"),
        ("container", {"privileged": True}, "privileged"),
        ("container", {"runAsUser": 0}, "runAsUser"),
    ],
)
def test_a_weaker_pod_would_be_noticed(pod: Pod, where: str, value: object, expected: str) -> None:
    weaker = deepcopy(pod)
    if where == "container":
        weaker["containers"][0]["securityContext"] = value
    else:
        weaker[where] = value
    assert expected in list(violations(weaker))


def test_the_container_cannot_write_to_its_image(kind: Kind, ci_values: dict[str, Any]) -> None:
    spec = kind("Deployment", ci_values)["spec"]["template"]["spec"]
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    writable = {mount["name"] for mount in spec["containers"][0]["volumeMounts"] if not mount.get("readOnly")}
    assert {name for name in writable if name != "tmp"} == set()
    assert [v["name"] for v in spec["volumes"] if "emptyDir" in v] == sorted(writable)


def test_the_pod_has_no_token_of_the_cluster(kind: Kind, render: Render, ci_values: dict[str, Any]) -> None:
    spec = kind("Deployment", ci_values)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    accounts = [m for m in render(ci_values) if m["kind"] == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)
    assert [m["kind"] for m in render(ci_values) if "Role" in m["kind"]] == []


def test_the_pod_is_told_nothing_of_the_services_around_it(pod: Pod) -> None:
    assert pod["enableServiceLinks"] is False


def test_the_platform_may_choose_the_user(kind: Kind) -> None:
    values = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
    context = kind("Deployment", values)["spec"]["template"]["spec"]["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
