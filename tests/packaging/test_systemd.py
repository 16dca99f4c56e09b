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
    """Give the settings of a unit; of one that stands twice, the last."""
    lines = (root / "systemd" / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_textfile_may_be_written_and_nothing_else(root: Path) -> None:
    unit = settings(root, "prepaid-exporter-textfile.service")
    written = re.search(r" --textfile=(\S+)/prepaid\.prom$", unit["ExecStart"])
    assert written
    assert unit["ReadWritePaths"] == written[1]
    assert unit["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in settings(root, "prepaid-exporter.service")


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
