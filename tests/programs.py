"""Programs that tests run on loopback: waited for by what they say, ended with their block."""

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

PATIENCE = 600.0
"""Seconds after which a test stops waiting for what should have happened long ago, on the slowest of machines."""

EXPORTER = Path(sys.executable).with_name("prepaid-exporter")
EXPORTER_LISTENS = r"\burl=\"?(https?://[^\s/\"]+)"
"""How the exporter says where it listens."""
LISTENS = r'msg="Listening on".* address=(\S+)\s'
"""How Prometheus and Alertmanager say which port they got."""

Found = TypeVar("Found")


def until(check: Callable[[], Found], what: str = "sign of it", *, pause: float = 0.02) -> Found:
    """Try until the answer is true, and return it; fail when it does not become so.

    `pause` is in seconds, and becomes longer with each try: what takes long is not worth a program's time to be asked.
    """
    end = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < end, f"after {PATIENCE:.0f} s still no {what}"
        time.sleep(pause)
        pause = max(pause, min(1.1 * pause, 0.25))
    return found


def readable(descriptor: int, end: float) -> bool:
    """Wait until a descriptor, of any number, can be read; return False when it cannot at `end` (monotonic seconds)."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(max(0.0, end - time.monotonic()) * 1000))


def fetch(url: str, method: str = "GET", **options: Any) -> requests.Response:
    """Ask a program on loopback, whatever proxy the desk has."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=PATIENCE, **options)


def answers(url: str) -> bool:
    """Return whether a program answers there, and well."""
    with contextlib.suppress(requests.RequestException):
        return fetch(url).ok
    return False


MEASURED: dict[str, str] = {}
"""What tells a process of Python's to take part in the coverage. Few do: it costs as much as most of them do else."""


def unmeasured() -> None:
    """Let processes that are started from now on take no part in the coverage, unless `MEASURED` tells them."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        if name in os.environ:
            MEASURED[name] = os.environ.pop(name)


def outside() -> dict[str, str]:
    """Return an environment in which the checkout is on no path, and every proxy is out of the way."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.lower().endswith("_proxy")
    }


@contextlib.contextmanager
def running(
    command: Sequence[object], log: Path, listens: str, *, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a program in the folder of its log until the block ends; yield what it says by the group of a pattern.

    It must still run at the end. The end of its log is shown when the test fails.
    """

    def address() -> str:
        said = log.read_text(errors="replace")
        assert process.poll() is None, said
        found = re.search(listens, said)
        return found[1] if found else ""

    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(part) for part in command],
            cwd=log.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield until(address, f"address of {command[0]}")
            assert process.poll() is None, log.read_text(errors="replace")
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                sys.stdout.write(f"{log}:\n{log.read_text(errors='replace')[-4000:]}\n")


@contextlib.contextmanager
def exporter(folder: Path, configuration: str, *flags: str, program: Path = EXPORTER) -> Iterator[str]:
    """Run the exporter on a configuration; yield its URL when it is ready."""
    (folder / "prepaid.yml").write_text(configuration)
    command: list[str | Path] = [
        program,
        "serve",
        "--config.file=prepaid.yml",
        "--web.listen-address=127.0.0.1:0",
        *flags,
    ]
    with running(command, folder / "exporter.log", EXPORTER_LISTENS, environment=outside()) as url:
        until(lambda: answers(f"{url}/-/ready"), "readiness of the exporter")
        yield url


@contextlib.contextmanager
def prometheus(program: str, folder: Path, configuration: str, *flags: str) -> Iterator[str]:
    """Run Prometheus on a configuration; yield its URL when it is ready. Its data is in `data` in the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(configuration)
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", *flags]
    command.append("--web.listen-address=127.0.0.1:0")
    with running(command, folder / "prometheus.log", LISTENS) as address:
        until(lambda: answers(f"http://{address}/-/ready"), "readiness of Prometheus")
        yield f"http://{address}"


@contextlib.contextmanager
def alertmanager(program: str, folder: Path, configuration: str, *cluster: str) -> Iterator[str]:
    """Run Alertmanager on a configuration, alone or with the flags of a cluster; yield its URL when it is ready."""
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(configuration)
    command = [program, "--config.file=alertmanager.yml", "--storage.path=alerts"]
    command += cluster or ["--cluster.listen-address="]
    command.append("--web.listen-address=127.0.0.1:0")
    with running(command, folder / "alertmanager.log", LISTENS) as address:
        until(lambda: answers(f"http://{address}/-/ready"), "readiness of Alertmanager")
        yield f"http://{address}"
