"""Real programs on loopback for the tests of rules, pages and scrapes, and the shipped files made faster."""

import contextlib
import json
import re
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
PATIENCE = 300.0
"""Seconds after which what should have happened long ago has failed."""
PACE = 60
PAUSE = "3s"
"""Between scrapes, and for one: a busy machine may need as long for what else takes milliseconds."""
LISTENS = r'msg="Listening on".* address=(\S+)\s'
"""How Prometheus and Alertmanager say which port they got."""
_DURATION = re.compile(r"\b([1-9]\d*)(s|m|h|d)\b")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SECONDS_IN_EXPRESSIONS = re.compile(r"\b(3600|7200|86400|259200|604800)\b")


def fetch(url: str, **parameters: Any) -> requests.Response:
    """Ask a program on loopback, whatever proxy the desk has."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, params=parameters, timeout=PATIENCE)


def poll(what: str, check: Callable[[], Found]) -> Found:
    """Ask until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < deadline, f"after {PATIENCE:.0f} s still no {what}"
        time.sleep(0.2)
    return found


def faster(text: str) -> str:
    """Divide each duration of a shipped file by sixty, to a second at least: one second stands for a minute."""

    def shorter(match: re.Match[str]) -> str:
        return f"{max(1, int(match[1]) * _SECONDS[match[2]] // PACE)}s"

    text = _DURATION.sub(shorter, text)
    return _SECONDS_IN_EXPRESSIONS.sub(lambda match: str(int(match[1]) // PACE), text)


def patient(configuration: dict[str, Any]) -> None:
    """Give the scrapes of a faster configuration the time that a busy machine takes."""
    configuration["global"]["scrape_interval"] = PAUSE
    for job in configuration["scrape_configs"]:
        job["scrape_timeout"] = PAUSE


def answers(url: str) -> bool:
    """Whether a program is ready."""
    with contextlib.suppress(requests.RequestException):
        return fetch(url).ok
    return False


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, listens: str) -> Iterator[str]:
    """Run a program until the block ends; gives the address that its log says, by a pattern.

    Its output is shown when the test fails.
    """
    log = folder / f"{Path(command[0]).name}.log"

    def address() -> str:
        said = log.read_text(errors="replace")
        assert process.poll() is None, said
        found = re.search(listens, said)
        return found[1] if found else ""

    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            found = poll(f"address of {command[0]}", address)
            poll(f"answer of {command[0]}", lambda: answers(f"http://{found}/-/ready"))
            yield found
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                sys.stdout.write(f"{log}:\n{log.read_text(errors='replace')[-4000:]}\n")


@contextlib.contextmanager
def exporter(folder: Path, configuration: str, *options: str) -> Iterator[str]:
    """Run the exporter; gives its address."""
    (folder / "prepaid.yml").write_text(configuration)
    program = str(Path(sys.executable).with_name("prepaid-exporter"))
    command = [program, "serve", "--config.file=prepaid.yml", "--web.listen-address=127.0.0.1:0", *options]
    with running(command, folder, r"url=http://(\S+)\s") as address:
        yield address


@contextlib.contextmanager
def prometheus(program: str, folder: Path, configuration: str) -> Iterator[str]:
    """Run Prometheus in a folder of its own; gives its URL."""
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(configuration)
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with running([*command, "--web.listen-address=127.0.0.1:0"], folder, LISTENS) as address:
        yield f"http://{address}"


@contextlib.contextmanager
def alertmanager(program: str, folder: Path, configuration: str) -> Iterator[str]:
    """Run Alertmanager; gives its address."""
    (folder / "alertmanager.yml").write_text(configuration)
    command = [
        program,
        "--config.file=alertmanager.yml",
        "--storage.path=alerts",
        "--cluster.listen-address=",
        "--web.listen-address=127.0.0.1:0",
    ]
    with running(command, folder, LISTENS) as address:
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
        fetch=fetch,
        patient=patient,
        poll=poll,
        prometheus=prometheus,
        receiver=receiver,
    )


@pytest.fixture(scope="session")
def rule_files(root: Path) -> list[Path]:
    """Give the shipped rule files."""
    return sorted((root / "grafana" / "rules").glob("*.yml"))
