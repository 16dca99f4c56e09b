"""The installed command, run as an operator runs it."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from exporter.simulator import Simulator

PATIENCE = 20.0
PROGRAM = Path(sys.executable).with_name("prepaid-exporter")


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREPAID_EXPORTER_")}
    return {**clean, "NO_PROXY": "127.0.0.1", **(more or {})}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command to its end, in an empty folder; a traceback is never an answer."""

    def finished(*arguments: object, env: Mapping[str, str] | None = None) -> Result:
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return finished


class Running:
    """A command that goes on; what it writes is collected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            Thread(target=lines.extend, args=[stream], daemon=True)
            for stream, lines in ((process.stdout, self.out), (process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until a line of either output matches, and give the match."""
        return self.wait_for_many(pattern, 1)[0]

    def wait_for_many(self, pattern: str, count: int) -> list[re.Match[str]]:
        """Wait until that many lines match, and give the matches."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = [match for line in [*self.out, *self.err] if (match := re.search(pattern, line))]
            if len(found) >= count:
                return found
            assert self.process.poll() is None, "".join(self.err)
            time.sleep(0.02)
        raise AssertionError(f"no line matches {pattern!r}: {self.out} {self.err}")

    @property
    def port(self) -> int:
        return int(self.wait_for(r"https?://\S+?:(\d+)(?= version=|\", \"version\"|/metrics)")[1])

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; give the exit status and the seconds until the end."""
        begun = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        return status, time.monotonic() - begun

    @property
    def written(self) -> str:
        """Give all that was written, once the command has ended."""
        for reader in self._readers:
            reader.join(PATIENCE)
        return "".join([*self.out, *self.err])


Begin = Callable[..., Running]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start the command and let it run; what still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def started(*arguments: object, env: Mapping[str, str] | None = None) -> Running:
            process = stack.enter_context(
                subprocess.Popen(
                    [PROGRAM, *map(str, arguments)],
                    cwd=tmp_path,
                    env=environment(env),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return Running(process)

        yield started


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Start the simulated providers; time stands still."""
    with Simulator() as running:
        yield running


@pytest.fixture
def prepaid(simulator: Simulator, tmp_path: Path) -> Path:
    """Write the configuration of the demo's six accounts where the command looks for it."""
    file = tmp_path / "prepaid.yml"
    file.write_text(simulator.configuration(), encoding="utf-8")
    return file
