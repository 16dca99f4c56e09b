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


def compose(program: str, root: Path, *files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Have Compose read files as one, with these variables alone; it prints what it makes of them."""
    debian = program.endswith("docker-compose")
    command = [program, *(f"--file={file}" for file in files), "config"] if debian else [program, *files]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_compose_takes_the_file_without_any_variable(root: Path, each_age: Callable[[str], str]) -> None:
    done = compose(each_age("docker-compose"), root, "compose.yaml")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    published = {
        name: re.findall(r"9090|9093|3000|10710", str(service["ports"])) for name, service in services.items()
    }
    assert {name: set(ports) for name, ports in published.items()} == {
        "prepaid-exporter": {"10710"},
        "prometheus": {"9090"},
        "alertmanager": {"9093"},
        "grafana": {"3000"},
    }


def test_another_port_is_given_by_a_variable_and_links_lead_there(
    root: Path, tool: Callable[[str], str]
) -> None:
    ports = {
        "EXPORTER_PORT": "4001",
        "PROMETHEUS_PORT": "4002",
        "ALERTMANAGER_PORT": "4003",
        "GRAFANA_PORT": "4004",
    }
    done = compose(tool("docker-compose"), root, "compose.yaml", **ports)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert "127.0.0.1:4002:9090" in str(services["prometheus"]["ports"])
    assert [set(re.findall(r"400\d", str(one["ports"]))) for one in services.values()] == [
        {"4003"},
        {"4004"},
        {"4001"},
        {"4002"},
    ]
    assert services["prometheus"]["environment"] == {
        "EXPORTER": "http://localhost:4001",
        "GRAFANA": "http://localhost:4004",
    }


def test_today_s_compose_mounts_what_is_there_for_reading_alone_where_selinux_watches_too(
    root: Path, today: Callable[[str], str], tmp_path: Path
) -> None:
    # Beside files of one's own, as the installation page has them.
    shutil.copytree(root / "grafana", tmp_path / "grafana")
    (tmp_path / "prepaid.yml").touch()
    (tmp_path / "keys").mkdir()
    files = ("compose.yaml", "compose.own.yaml")
    for name in files:  # the program of today has no eyes for variables, but for their defaults
        (tmp_path / name).write_text(re.sub(r"\$\{KEYS_UID[^}]*\}", "1000", (root / name).read_text()))
    done = compose(today("docker-compose"), tmp_path, *files)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"].values()
    mounted = [volume for service in services for volume in service.get("volumes", [])]
    assert len(mounted) == 7
    for volume in mounted:
        assert Path(volume["source"]).exists(), volume
        assert (volume["read_only"], volume["bind"]["selinux"]) == (True, "z"), volume


def test_compose_asks_whose_the_own_keys_are(root: Path, each_age: Callable[[str], str]) -> None:
    refused = compose(each_age("docker-compose"), root, "compose.yaml", "compose.own.yaml")
    assert refused.returncode != 0
    assert "the user that owns the keys" in refused.stderr


def test_with_own_keys_the_exporter_is_run_as_their_owner(root: Path, tool: Callable[[str], str]) -> None:
    files = ("compose.yaml", "compose.own.yaml")
    taken = compose(tool("docker-compose"), root, *files, KEYS_UID="1000")
    assert taken.returncode == 0, taken.stderr
    merged = yaml.safe_load(taken.stdout)["services"]["prepaid-exporter"]
    assert merged["user"] == "1000:65532"
    assert merged["command"][0] == "serve"
    own = yaml.safe_load((root / "compose.own.yaml").read_text())["services"]["prepaid-exporter"]
    assert sorted(mounts(own).values()) == ["./keys", "./prepaid.yml"]


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
    assert "--storage.tsdb.retention.time=45d" in done.stdout, "less is too little for the overview's months"
    texts = [path.read_text() for path in sorted((store / "etc/rules").iterdir())]
    assert sorted(path.name for path in (store / "etc/rules").iterdir()) == ["alerts.yml", "recording.yml"]
    assert "example.com" not in "".join(texts)
    assert "http://localhost:3001/d/prepaid" in texts[0]
    assert "http://localhost:10711/?account=" in texts[0]
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
