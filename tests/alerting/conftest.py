"""Real programs on loopback for the tests of rules, pages and scrapes, and the shipped files made faster."""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PACE = 60
PAUSE = "3s"
"""Between scrapes, and for one: a busy machine may need as long for what else takes milliseconds."""
_DURATION = re.compile(r"\b(?:[1-9]\d*[smhd])+\b")
_PART = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SECONDS_IN_EXPRESSIONS = re.compile(r"\b(3600|7200|86400|259200|604800)\b")


def faster(text: str, pace: int = PACE) -> str:
    """Divide each duration of a shipped file, to a second at least; by sixty, one second stands for a minute."""

    def shorter(match: re.Match[str]) -> str:
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(match[0]))
        return f"{max(1, seconds // pace)}s"

    text = _DURATION.sub(shorter, text)
    return _SECONDS_IN_EXPRESSIONS.sub(lambda match: str(int(match[1]) // pace), text)


def patient(configuration: dict[str, Any]) -> None:
    """Give the scrapes of a faster configuration the time that a busy machine takes."""
    configuration["global"]["scrape_interval"] = PAUSE
    for job in configuration["scrape_configs"]:
        job["scrape_timeout"] = PAUSE


@dataclass
class Receiver:
    """What arrived at the webhooks, by path."""

    url: str = ""
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def at(self, path: str) -> list[dict[str, Any]]:
        """Return the messages of one webhook so far."""
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
            """Log nothing."""

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
    """Return what makes the shipped files faster, and the chat that is posted to."""
    return SimpleNamespace(faster=faster, patient=patient, receiver=receiver)


@pytest.fixture(scope="session")
def rule_files(root: Path) -> list[Path]:
    """Return the shipped rule files."""
    return sorted((root / "grafana" / "rules").glob("*.yml"))
