"""The installed command, run as an operator runs it."""

import http.client
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from exporter.cli import main
from exporter.simulator import Simulator
from tests.cli.forker import Forked, Forker
from tests.programs import EXPORTER, MEASURED, PATIENCE


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without what a desk may say about this program, proxies and terminals."""
    theirs = re.compile(r"PREPAID_EXPORTER_.*|.*_proxy|COLUMNS|LINES|NO_COLOR", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not theirs.fullmatch(name)} | dict(
        more or {}
    )


@pytest.fixture
def clean() -> Mapping[str, str]:
    return environment()


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """Load the program once, for all processes of it that are not about how it is loaded."""
    with Forker() as running:
        yield running


@pytest.fixture
def run(tmp_path: Path, forker: Forker) -> Run:
    """Run the command to its end, in a process and an empty folder; a traceback is never an answer.

    `out` and `err` are files to write to, or None for what is closed; `code` is run in place of the command.
    """

    def finished(*arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> Result:
        with forker.begin(arguments, tmp_path, environment(env), **options) as process:
            running = Running(process)
            status = process.wait(PATIENCE)
            running.read_on()
        result = Result(status, "".join(running.out), "".join(running.err))
        assert "Traceback" not in result.out + result.err
        return result

    return finished


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command line as `run` does, but within this process: for what ends before anything is begun."""

    monkeypatch.chdir(tmp_path)
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)

    def finished(*arguments: object, env: Mapping[str, str] | None = None, typed: str = "") -> Result:
        runner = CliRunner(env=env)
        done = runner.invoke(
            main, [*map(str, arguments)], input=typed, prog_name="prepaid-exporter", catch_exceptions=False
        )
        return Result(done.exit_code, done.stdout, done.stderr)

    # `serve` keeps signals for itself; what is started later would inherit that.
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield finished
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    structlog.reset_defaults()


class Running:
    """A command that goes on; what it writes is collected."""

    def __init__(self, process: subprocess.Popen[str] | Forked) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            Thread(target=lines.extend, args=[stream], daemon=True)
            for stream, lines in ((process.stdout, self.out), (process.stderr, self.err))
            if stream
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until a line of either output matches, and return the match."""
        return self.wait_for_many(pattern, 1)[0]

    def wait_for_many(self, pattern: str, count: int) -> list[re.Match[str]]:
        """Wait until that many lines match, and return the matches."""
        end = time.monotonic() + PATIENCE
        over = False
        while not over:
            over = time.monotonic() > end or self.process.poll() is not None
            if over:
                self.read_on()
            found = [match for line in [*self.out, *self.err] if (match := re.search(pattern, line))]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no line matches {pattern!r}: {self.out} {self.err}")

    def read_on(self) -> None:
        """Let what an ended command wrote be read to its end."""
        if self.process.poll() is not None:
            for reader in self._readers:
                reader.join(PATIENCE)

    def stop(self) -> None:
        """Kill the command, and read to the end: nobody may be reading when the files are closed."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.read_on()

    @property
    def port(self) -> int:
        return int(self.wait_for(r"https?://\S+?:(\d+)(?= version=|\", \"version\"|/metrics)")[1])

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    @property
    def written(self) -> str:
        """Return all that was written, once the command has ended."""
        self.read_on()
        return "".join([*self.out, *self.err])


Begin = Callable[..., Running]


@pytest.fixture
def begin(tmp_path: Path, forker: Forker) -> Iterator[Begin]:
    """Start the command and let it run; what still runs at the end of the test is killed.

    `afresh` is for what the coverage needs, or what depends on how a process is started: it costs ten times as much.
    """
    with ExitStack() as stack:

        def started(
            *arguments: object, env: Mapping[str, str] | None = None, afresh: bool = False
        ) -> Running:
            process: subprocess.Popen[str] | Forked
            if afresh:
                process = subprocess.Popen(
                    [EXPORTER, *map(str, arguments)],
                    cwd=tmp_path,
                    env=environment(env) | MEASURED,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            else:
                process = forker.begin(arguments, tmp_path, environment(env))
            running = Running(process)
            stack.enter_context(process)
            stack.callback(running.stop)
            return running

        yield started


@pytest.fixture
def on_a_terminal(tmp_path: Path, forker: Forker) -> Callable[..., tuple[int, str]]:
    """Run the command with a terminal for what it prints, and return the exit status and all that appeared on it."""

    def finished(*arguments: str, columns: int = 120) -> tuple[int, str]:
        parent, child = pty.openpty()
        env = environment({"TERM": "xterm", "COLUMNS": str(columns)})
        seen = b""
        with ExitStack() as stack:
            stack.callback(os.close, parent)
            name = os.ttyname(child)
            process = stack.enter_context(forker.begin(arguments, tmp_path, env, out=name, err=name))
            os.close(child)
            ready = select.poll()
            ready.register(parent)
            while ready.poll(PATIENCE * 1000):
                try:
                    seen += os.read(parent, 65536)
                except OSError:  # the last user of the terminal has gone, and everything is read
                    return process.wait(PATIENCE), seen.decode()
        raise AssertionError(f"the command does not end: {seen!r}")

    return finished


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Start the simulated providers; time stands still."""
    with Simulator() as running:
        yield running


@pytest.fixture
def prepaid(simulator: Simulator, tmp_path: Path) -> Path:
    """Write the configuration of the demo's six accounts where the command looks for it; no call is in a hurry."""
    file = tmp_path / "prepaid.yml"
    file.write_text(f"defaults: {{timeout: 1h}}\n{simulator.configuration()}", encoding="utf-8")
    return file
