"""The Compose file: valid, pinned, and made of the files that the rest of the repository ships."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    return services


def mounts(service: dict[str, Any]) -> dict[PurePosixPath, str]:
    """Return what a service mounts: path in the container -> path in the checkout."""
    volumes = [volume.split(":") for volume in service.get("volumes", [])]
    assert all(mode == "ro,z" for _, _, mode in volumes), "read-only, and readable where SELinux watches"
    return {PurePosixPath(inside): outside for outside, inside, _ in volumes}


def shipped(root: Path, service: dict[str, Any], inside: str) -> Path:
    """Return the file or folder of the checkout that a service sees under a path."""
    path = PurePosixPath(inside)
    for mounted, outside in mounts(service).items():
        if path.is_relative_to(mounted):
            return root / outside / path.relative_to(mounted)
    raise AssertionError(f"{inside} is not mounted")


def test_compose_takes_the_file(root: Path, tool: Callable[[str], str]) -> None:
    command = [tool("docker-compose"), "--file", "compose.yaml", "config", "--quiet"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_compose_takes_the_file_for_own_keys_and_asks_whose_they_are(
    root: Path, tool: Callable[[str], str]
) -> None:
    command = [tool("docker-compose"), "--file", "compose.yaml", "--file", "compose.own.yaml", "config"]
    without = {name: value for name, value in os.environ.items() if name != "KEYS_UID"}
    refused = subprocess.run(command, cwd=root, env=without, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "the user that owns the keys" in refused.stderr
    ports = {"KEYS_UID": "1000", "GRAFANA_PORT": "3001"}
    taken = subprocess.run(
        command, cwd=root, env=without | ports, capture_output=True, text=True, check=False
    )
    assert taken.returncode == 0, taken.stderr
    merged = yaml.safe_load(taken.stdout)["services"]
    assert merged["prepaid-exporter"]["user"] == "1000:65532"
    assert merged["prepaid-exporter"]["command"][0] == "serve"
    own = yaml.safe_load((root / "compose.own.yaml").read_text())["services"]["prepaid-exporter"]
    assert sorted(mounts(own).values()) == ["./keys", "./prepaid.yml"]
    assert "3001" in str(merged["grafana"]["ports"])


def test_the_health_check_asks_no_provider(services: dict[str, Any]) -> None:
    program, python, flag, script = services["prepaid-exporter"]["healthcheck"]["test"]
    assert (program, python, flag) == ("CMD", "/opt/prepaid-exporter/bin/python", "-c")
    assert "/-/healthy'" in script
    compile(script, "healthcheck", "exec")


def test_everything_mounted_is_shipped(root: Path, services: dict[str, Any]) -> None:
    outside = [path for service in services.values() for path in mounts(service).values()]
    assert outside
    for path in outside:
        files = [root / path] if (root / path).is_file() else list((root / path).rglob("*.*"))
        assert files, f"{path} is missing or empty"


def test_every_image_but_our_own_is_pinned_by_version_and_digest(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if "build" not in service:
            assert re.fullmatch(r"\S+/\S+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", service["image"]), name


def test_nothing_is_open_to_the_network(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service["ports"]]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_exporter_is_started_with_flags_that_it_has(
    services: dict[str, Any], program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    subcommand, *flags = services["prepaid-exporter"]["command"]
    offered = program(subcommand, "--help").stdout
    assert {flag.split("=")[0] for flag in flags} <= set(re.findall(r"--[\w.-]+", offered))


def test_prometheus_loads_the_shipped_rules_and_finds_the_others(
    root: Path, services: dict[str, Any], each_age: Callable[[str], str], tmp_path: Path
) -> None:
    prometheus = services["prometheus"]
    configuration = yaml.safe_load(shipped(root, prometheus, "/etc/prometheus/prometheus.yml").read_text())
    rules = [shipped(root, prometheus, f"/etc/prometheus/{path}") for path in configuration["rule_files"]]
    configuration["rule_files"] = [str(path) for path in rules]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command: list[str | Path] = [each_age("promtool"), "check", "config", tmp_path / "prometheus.yml"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("rules found") == len(list((root / "grafana/rules").glob("*.yml")))
    text = yaml.safe_dump(configuration)
    targets = re.findall(r"- ([a-z-]+:\d+)$", text, re.MULTILINE)
    assert {target.split(":")[0] for target in targets} == {"prepaid-exporter", "alertmanager"}
    for target in targets:
        host, port = target.split(":")
        (published,) = services[host]["ports"]
        assert re.fullmatch(rf"127\.0\.0\.1:\$\{{[A-Z]+_PORT:-{port}\}}:{port}", published)


def test_the_links_in_the_alerts_lead_to_the_programs_beside_it(
    root: Path, services: dict[str, Any], tool: Callable[[str], str], tmp_path: Path
) -> None:
    prometheus = services["prometheus"]
    assert prometheus["entrypoint"] == ["/bin/sh", "-ec"]
    (script,) = prometheus["command"]
    etc, store = tmp_path / "etc", tmp_path / "store"
    (etc / "rules").mkdir(parents=True)
    store.mkdir()
    shutil.copy(shipped(root, prometheus, "/etc/prometheus/prometheus.yml"), etc / "prometheus.yml")
    for rules in shipped(root, prometheus, "/etc/prometheus/rules").glob("*.yml"):
        shutil.copy(rules, etc / "rules")
    here = script.replace("$$", "$").replace("/bin/prometheus", "echo")
    for inside, outside in (("/etc/prometheus", etc), ("/prometheus", store)):
        here = re.sub(rf"(?<=[ =\"]){inside}\b", str(outside), here)
    done = subprocess.run(
        ["sh", "-ec", here],
        env={
            "PATH": os.environ["PATH"],
            "GRAFANA": "http://localhost:3001",
            "EXPORTER": "http://localhost:10711",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"--config.file={store}/etc/prometheus.yml --storage.tsdb.path={store}" in done.stdout
    texts = [path.read_text() for path in sorted((store / "etc/rules").iterdir())]
    assert sorted(path.name for path in (store / "etc/rules").iterdir()) == ["alerts.yml", "recording.yml"]
    assert "example.com" not in "".join(texts)
    assert "http://localhost:3001/d/prepaid" in texts[0]
    assert "http://localhost:10711/?search=" in texts[0]
    command: list[str | Path] = [tool("promtool"), "check", "rules", *sorted((store / "etc/rules").iterdir())]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_alertmanager_loads_the_shipped_example(
    root: Path, services: dict[str, Any], each_age: Callable[[str], str]
) -> None:
    path = shipped(root, services["alertmanager"], "/etc/alertmanager/alertmanager.yml")
    command: list[str | Path] = [each_age("amtool"), "check-config", path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_grafana_finds_its_dashboards_and_asks_the_prometheus_beside_it(
    root: Path, services: dict[str, Any]
) -> None:
    grafana = services["grafana"]
    folder = shipped(root, grafana, "/etc/grafana/provisioning")
    providers = [
        provider
        for path in (folder / "dashboards").glob("*.y*ml")
        for provider in yaml.safe_load(path.read_text())["providers"]
    ]
    assert providers
    for provider in providers:
        assert list(shipped(root, grafana, provider["options"]["path"]).glob("*.json"))
    sources = [
        source
        for path in (folder / "datasources").glob("*.y*ml")
        for source in yaml.safe_load(path.read_text())["datasources"]
    ]
    assert [source["url"] for source in sources] == ["http://prometheus:9090"]
    prometheus = shipped(root, services["prometheus"], "/etc/prometheus/prometheus.yml")
    interval = yaml.safe_load(prometheus.read_text())["global"]["scrape_interval"]
    assert sources[0]["jsonData"]["timeInterval"] == interval


def test_no_service_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert services["prepaid-exporter"]["read_only"] is True
    assert services["prepaid-exporter"]["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's


def test_grafana_shows_its_dashboards_without_a_login_and_lets_nobody_change_them(
    services: dict[str, Any],
) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == environment["GF_AUTH_ANONYMOUS_ENABLED"]
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_USERS_VIEWERS_CAN_EDIT"] == "true", (
        "which opens Explore to viewers, who save nothing"
    )
