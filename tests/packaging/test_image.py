"""The image, built on a base made here, and its root file system started as a container engine would."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.simulator import Simulator
from tests.programs import EXPORTER_LISTENS, PATIENCE, fetch, until

USER = 65532
IMAGE = "localhost/prepaid-exporter"
# A mount namespace of its own, a read-only root and the numeric user: what `docker run --read-only` comes to.
CONTAINER = """
set -e
root=$1 configuration=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind -o ro "$configuration" "$root/etc/prepaid-exporter"
mount -o remount,bind,ro "$root"
exec chroot --userspec=65532:65532 "$root" "$@"
"""


@dataclass(frozen=True)
class Image:
    """The built image: its configuration, and its root file system in a working container."""

    config: dict[str, Any]
    rootfs: Path

    @contextmanager
    def started(self, configuration: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        flags = ["--web.listen-address=127.0.0.1:0"]
        command = [*self.config["Entrypoint"], *self.config["Cmd"], *flags]
        environment = dict(variable.split("=", 1) for variable in self.config["Env"])
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    "/usr/bin/unshare",
                    "--mount",
                    "/bin/sh",
                    "-c",
                    CONTAINER,
                    "sh",
                    self.rootfs,
                    configuration,
                    *command,
                ],
                env=environment | {"PATH": f"{environment['PATH']}:/usr/sbin:/sbin"},
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def image(root: Path, tool: Callable[[str], str]) -> Iterator[Image]:
    tool("debootstrap")
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "only root can make and start a root file system"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prepaid-exporter/image"
    storage: list[str | Path] = [
        "--root",
        cache / "storage",
        "--runroot",
        cache / "run",
        "--storage-driver",
        "vfs",
    ]

    def buildah(*arguments: str) -> str:
        command = [tool("buildah"), *storage, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    built = subprocess.run(
        [root / "tests/packaging/build-image.sh", cache], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    config = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    container = buildah("from", "--pull-never", IMAGE)
    try:
        rootfs = Path(buildah("mount", container))
        (rootfs / "etc/prepaid-exporter").mkdir()
        yield Image(config, rootfs)
    finally:
        buildah("rm", container)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("configuration")
    folder.chmod(0o755)
    with Simulator() as simulator:
        (folder / "prepaid.yml").write_text(simulator.configuration())
        # For the user in the container too, whatever this one keeps to itself by default.
        (folder / "prepaid.yml").chmod(0o644)
        yield folder


def metrics(process: subprocess.Popen[bytes], log: Path) -> str:
    """Scrape as soon as the exporter says where it listens."""

    def address() -> re.Match[str] | None:
        said = log.read_text()
        assert process.poll() is None, said
        return re.search(EXPORTER_LISTENS, said)

    found = until(address, "address of the exporter")
    assert found
    fetch(f"{found[1]}/-/ready").raise_for_status()
    response = fetch(f"{found[1]}/metrics")
    response.raise_for_status()
    return response.text


def test_it_serves_the_balances_as_a_numeric_user_on_a_read_only_root_without_shell_and_package_manager(
    image: Image, configuration: Path, tmp_path: Path
) -> None:
    for name in ("sh", "dash", "bash", "rbash", "apt", "apt-get", "dpkg", "pip", "pip3"):
        for folder in ("bin", "usr/local/bin"):
            (image.rootfs / folder / name).unlink(missing_ok=True)
    with image.started(configuration, tmp_path / "log") as process:
        page = metrics(process, tmp_path / "log")
        assert re.findall(r"^prepaid_account_up\{.*\} (\S+)$", page, re.MULTILINE) == ["1.0"] * 6
        balance = r'^prepaid_balance\{provider="coldmailreseller",account="outreach",.*\} 3334\.95$'
        assert re.search(balance, page, re.MULTILINE), page
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(rf"^Uid:(\s{USER}){{4}}$", status, re.MULTILINE), status
        mounts = Path(f"/proc/{process.pid}/mountinfo").read_text()
        assert re.search(r"^\S+ \S+ \S+ \S+ / ro[, ]", mounts, re.MULTILINE), mounts
        process.send_signal(getattr(signal, image.config["StopSignal"]))
        assert process.wait(PATIENCE) == 0


def test_the_health_check_of_compose_runs_inside_of_it_and_tells_well_from_dead(
    image: Image, configuration: Path, tmp_path: Path, root: Path, closed_port: int
) -> None:
    service = yaml.safe_load((root / "compose.yaml").read_text())["services"]["prepaid-exporter"]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD", "it needs no shell"

    def healthy(process: subprocess.Popen[bytes], port: int) -> bool:
        asked = [part.replace("10710", str(port)) for part in command]
        inside = ["chroot", f"--userspec={USER}:{USER}", f"/proc/{process.pid}/root", *asked]
        return subprocess.run(inside, capture_output=True, check=False).returncode == 0

    with image.started(configuration, tmp_path / "log") as process:
        metrics(process, tmp_path / "log")
        found = re.search(EXPORTER_LISTENS, (tmp_path / "log").read_text())
        assert found
        assert healthy(process, int(found[1].rpartition(":")[2]))
        assert not healthy(process, closed_port)


def test_its_configuration_says_what_an_orchestrator_needs(image: Image) -> None:
    config = image.config
    assert config["User"] == f"{USER}:{USER}"
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == ["10710/tcp"]
    assert config["Entrypoint"] == ["/opt/prepaid-exporter/bin/prepaid-exporter"]
    assert config["Cmd"][0] == "serve"
    assert "Healthcheck" not in config
    labels = {key.removeprefix("org.opencontainers.image.") for key in config["Labels"]}
    assert {"title", "description", "licenses", "source", "version", "revision"} <= labels


def test_it_adds_little_to_its_base_and_no_tools_for_building(image: Image) -> None:
    program = image.rootfs / "opt/prepaid-exporter"
    size = sum(path.lstat().st_size for path in program.rglob("*") if not path.is_symlink())
    assert size < 40e6
    assert not list(program.glob("lib/python*/site-packages/pip*"))
    assert not (image.rootfs / "tools").exists()
    assert not (image.rootfs / "wheels").exists()
