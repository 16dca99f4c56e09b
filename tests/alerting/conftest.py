"""Real programs on loopback for the tests of rules, pages and scrapes, and the shipped files made faster."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import requests

Found = TypeVar("Found")
PACE = 60
_DURATION = re.compile(r"\b([1-9]\d*)(s|m|h|d)\b")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SECONDS_IN_EXPRESSIONS = re.compile(r"\b(3600|7200|86400|259200|604800)\b")


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def poll(what: str, check: Callable[[], Found], seconds: float) -> Found:
    """Ask until the answer is true, for that many seconds at most."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"after {seconds} s still no {what}"
        time.sleep(0.2)
    return found


def faster(text: str) -> str:
    """Divide each duration of a shipped file by sixty, to a second at least: one second stands for a minute."""

    def shorter(match: re.Match[str]) -> str:
        return f"{max(1, int(match[1]) * _SECONDS[match[2]] // PACE)}s"

    text = _DURATION.sub(shorter, text)
    return _SECONDS_IN_EXPRESSIONS.sub(lambda match: str(int(match[1]) // PACE), text)


def answers(url: str) -> bool:
    """Whether a program is ready."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, ready: str) -> Iterator[None]:
    """Run a program until the block ends; its output is shown when the test fails."""
    with (
        (folder / f"{Path(command[0]).name}.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            poll(f"answer of {command[0]}", lambda: process.poll() is not None or answers(ready), 30)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            sys.stdout.write(f"{log.name}:\n{Path(log.name).read_text(errors='replace')[-4000:]}\n")


@contextlib.contextmanager
def exporter(folder: Path, configuration: str, *options: str) -> Iterator[str]:
    """Run the exporter; gives its address."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "prepaid.yml").write_text(configuration)
    program = str(Path(sys.executable).with_name("prepaid-exporter"))
    command = [program, "serve", "--config.file", "prepaid.yml", "--web.listen-address", address, *options]
    with running(command, folder, f"http://{address}/-/ready"):
        yield address


@contextlib.contextmanager
def prometheus(program: str, folder: Path, configuration: str) -> Iterator[str]:
    """Run Prometheus in a folder of its own; gives its URL."""
    folder.mkdir(exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(configuration)
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with running(
        [*command, f"--web.listen-address={address}", "--log.level=warn"], folder, f"http://{address}/-/ready"
    ):
        yield f"http://{address}"


@contextlib.contextmanager
def alertmanager(program: str, folder: Path, configuration: str) -> Iterator[str]:
    """Run Alertmanager; gives its address."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "alertmanager.yml").write_text(configuration)
    command = [
        program,
        "--config.file=alertmanager.yml",
        "--storage.path=alerts",
        "--cluster.listen-address=",
    ]
    with running([*command, f"--web.listen-address={address}"], folder, f"http://{address}/-/ready"):
        yield address


@dataclass
class Receiver:
    """What arrived at the webhooks, by path."""

    url: str = ""
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def at(self, path: str) -> list[dict[str, Any]]:
        """Give the messages of one webhook so far."""
        return list(self.messages.get(path, []))


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen as the chat does that Alertmanager posts to."""
    received = Receiver()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.messages.setdefault(self.path, []).append(json.loads(body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        received.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def run() -> SimpleNamespace:
    """Give the programs that a test may run, and what it needs to wait for them."""
    return SimpleNamespace(
        alertmanager=alertmanager,
        exporter=exporter,
        faster=faster,
        poll=poll,
        prometheus=prometheus,
        receiver=receiver,
    )


@pytest.fixture(scope="session")
def rule_files(root: Path) -> list[Path]:
    """Give the shipped rule files."""
    return sorted((root / "grafana" / "rules").glob("*.yml"))
