"""The units are valid for systemd, hardened, and start the program with flags that it has."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SERVICES = ["prepaid-exporter.service", "prepaid-exporter-textfile.service"]
UNITS = [*SERVICES, "prepaid-exporter-textfile.timer", "prepaid-exporter.socket"]
EXPOSURE = re.compile(r"Overall exposure level for \S+: (\d+\.\d+)")


@pytest.fixture
def host(root: Path, tmp_path: Path) -> Path:
    """Lay out a host as the installation page leaves it: the units, and the program in /opt."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(root / "systemd" / unit, units)
    for program in ("opt/prepaid-exporter/bin/prepaid-exporter", "bin/kill"):
        path = tmp_path / program
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/true\n")
        path.chmod(0o755)
    return tmp_path


def verify(systemd_analyze: str, host: Path) -> subprocess.CompletedProcess[str]:
    command = [systemd_analyze, "verify", f"--root={host}", *UNITS]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_to_complain_of(tool: Callable[[str], str], host: Path) -> None:
    result = verify(tool("systemd-analyze"), host)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_misspelt_setting_would_be_found(tool: Callable[[str], str], host: Path) -> None:
    unit = host / "etc/systemd/system/prepaid-exporter.service"
    unit.write_text(unit.read_text().replace("PrivateDevices=", "PrivatDevices="))
    assert "PrivatDevices" in verify(tool("systemd-analyze"), host).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_little_is_exposed(tool: Callable[[str], str], root: Path, service: str) -> None:
    command: list[str | Path] = [
        tool("systemd-analyze"),
        "security",
        "--offline=true",
        root / "systemd" / service,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    level = EXPOSURE.search(result.stdout)
    assert level, result.stdout
    assert float(level[1]) < 2.5


@pytest.mark.parametrize("service", SERVICES)
def test_the_program_has_the_flags_that_the_unit_gives(
    root: Path, program: Callable[..., subprocess.CompletedProcess[str]], service: str
) -> None:
    unit = (root / "systemd" / service).read_text()
    start = re.search(r"^ExecStart=/opt/prepaid-exporter/bin/prepaid-exporter (.+)$", unit, re.MULTILINE)
    assert start, unit
    subcommand, *flags = start[1].split()
    offered = program(subcommand, "--help").stdout
    assert {flag.split("=")[0] for flag in flags} <= set(re.findall(r"--[\w.-]+", offered))


@pytest.mark.parametrize("service", SERVICES)
def test_keys_are_handed_over_as_credentials(root: Path, service: str) -> None:
    unit = (root / "systemd" / service).read_text()
    assert "\nLoadCredential=keys:/etc/prepaid-exporter/keys\n" in unit
    assert f"/run/credentials/{service}/keys_NAME" in unit
    assert "Environment" not in unit


def settings(root: Path, unit: str) -> dict[str, str]:
    """Return the settings of a unit; of one that stands twice, the last."""
    lines = (root / "systemd" / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_textfile_may_be_written_and_nothing_else(root: Path) -> None:
    unit = settings(root, "prepaid-exporter-textfile.service")
    written = re.search(r" --textfile=(\S+)/prepaid\.prom$", unit["ExecStart"])
    assert written
    assert f"/var/lib/{unit['StateDirectory']}" == written[1]
    assert unit["StateDirectoryMode"] == "0755", "the node exporter is somebody else"
    assert "DynamicUser" not in unit, "its folder would be closed to others"
    assert unit["ProtectSystem"] == "strict"
    for service in SERVICES:
        assert "ReadWritePaths" not in settings(root, service)
    assert "StateDirectory" not in settings(root, "prepaid-exporter.service")


def test_the_steps_for_the_textfile_lead_to_the_place_of_the_unit(root: Path) -> None:
    unit = settings(root, "prepaid-exporter-textfile.service")
    steps = (root / "docs/installation.md").read_text().split("## Textfile")[1].split("\n## ")[0]
    assert f"useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {unit['User']}\n" in steps
    assert (
        f"ln -s /var/lib/{unit['StateDirectory']}/prepaid.prom /var/lib/prometheus/node-exporter/\n" in steps
    )
    assert f"--collector.textfile.directory=/var/lib/{unit['StateDirectory']}" in steps


def test_the_drop_in_shown_is_one_that_systemd_takes(
    tool: Callable[[str], str],
    root: Path,
    host: Path,
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    page = (root / "docs/installation.md").read_text()
    (block,) = [block for block in re.findall(r"```ini\n(.*?)```", page, re.DOTALL) if "HTTPS_PROXY" in block]
    folder = host / "etc/systemd/system/prepaid-exporter.service.d"
    folder.mkdir()
    (folder / "local.conf").write_text(block)
    result = verify(tool("systemd-analyze"), host)
    assert (result.returncode, result.stderr) == (0, "")
    variables = set(re.findall(r"^Environment=(PREPAID_\w+)=", block, re.MULTILINE))
    assert len(variables) == 2
    shown = "".join(program("serve", "--help").stdout.split())
    assert all(variable in shown for variable in variables)


def test_the_textfile_unit_fails_where_the_file_is_not_written(root: Path) -> None:
    """With --textfile the status says that alone, and nothing may hide it."""
    unit = settings(root, "prepaid-exporter-textfile.service")
    assert unit["Type"] == "oneshot"
    assert "SuccessExitStatus" not in unit


def test_the_timer_goes_on_every_five_minutes(root: Path) -> None:
    timer = settings(root, "prepaid-exporter-textfile.timer")
    assert (timer["OnBootSec"], timer["OnUnitActiveSec"]) == ("1min", "5min")
    assert timer["WantedBy"] == "timers.target"
    assert "a timer asks the providers every five minutes" in (root / "docs/installation.md").read_text()


def test_the_service_comes_back_after_a_failure_and_reloads_by_signal(root: Path) -> None:
    unit = settings(root, "prepaid-exporter.service")
    assert unit["Restart"] == "on-failure"
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_socket_listens_where_the_exporter_does_and_a_path_is_not_for_everybody(root: Path) -> None:
    unit = settings(root, "prepaid-exporter.socket")
    assert (unit["ListenStream"], unit["SocketMode"]) == ("10710", "0660")
    assert unit["WantedBy"] == "sockets.target"
