"""Commands in processes of their own that need not load Python and the program: forked off one that has.

All that a process is to its system is real: files, folder, environment, signals, threads, and its end. What the
interpreter makes of its environment when it starts is not, save PYTHONIOENCODING, nor is loading what is imported:
tests of these start the command afresh.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Self

from tests.packages import ROOT
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LONGEST = 1 << 20
"""Bytes of a request: mostly its environment."""


class Forked:
    """A process that was forked off; as much of `subprocess.Popen` as the tests use."""

    def __init__(self, reports: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self._reports = reports
        self.stdout, self.stderr = stdout, stderr
        self.pid = self._report()
        self.returncode: int | None = None

    def _report(self) -> int:
        said = self._reports.recv(8)
        assert said, "what others are forked off has ended"
        return int.from_bytes(said, "big", signed=True)

    def poll(self) -> int | None:
        with suppress(TimeoutError):
            return self.wait(0)
        return None

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return the exit status, negative for a signal; raise `TimeoutError` when it comes later."""
        if self.returncode is None:
            self._reports.settimeout(timeout)
            try:
                self.returncode = self._report()
            except BlockingIOError:
                raise TimeoutError from None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self._reports.close()
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()


class Forker:
    """The process that others are forked off, as long as the block lasts."""

    def __enter__(self) -> Self:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.cli.forker", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT
        )
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.close()
        self._process.wait(PATIENCE)

    def begin(
        self,
        arguments: Sequence[object],
        folder: Path,
        env: Mapping[str, str],
        *,
        code: str = "",
        out: str | None = "",
        err: str | None = "",
    ) -> Forked:
        """Run the command with its arguments, or else code; `out` and `err` are paths, None for what is closed.

        Where there is no path it is a pipe, to be read here.
        """
        request = {
            "arguments": [*map(str, arguments)],
            "code": code,
            "folder": str(folder),
            "env": dict(env),
            "closed": [number for number, path in enumerate((out, err), 1) if path is None],
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes: list[IO[str] | None] = []
        with ExitStack() as stack, theirs:
            ends = [theirs.fileno()]
            for path in (out, err):
                end, pipe = _end(path)
                stack.callback(os.close, end)
                ends.append(end)
                pipes.append(pipe)
            socket.send_fds(self._requests, [json.dumps(request).encode()], ends)
        return Forked(ours, *pipes)


def _end(path: str | None) -> tuple[int, IO[str] | None]:
    """Return the file to write to, and the one to read what is written."""
    if path == "":
        read, write = os.pipe()
        return write, os.fdopen(read, encoding="utf-8", errors="backslashreplace")
    return os.open(path or os.devnull, os.O_WRONLY | os.O_NOCTTY), None


def requested(requests: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield each request in a process that was forked off for it, which is to end with it."""
    while True:
        message, files, _, _ = socket.recv_fds(requests, LONGEST, 3)
        if not message:
            return
        request = json.loads(message)
        with suppress(ImportError, IndexError):  # loaded once for all that come
            import_module(f"exporter.cli.{request['arguments'][0]}")
        if os.fork() == 0:
            requests.close()
            _keep(files)
            yield request
        for file in files:
            os.close(file)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _keep(files: list[int]) -> None:
    """Return in another process, which has the files; stay in this one to report its number and its end."""
    reports = socket.socket(fileno=files[0])
    if (pid := os.fork()) == 0:
        reports.close()
        for number, file in enumerate(files[1:], 1):
            os.dup2(file, number)
            os.close(file)
        return
    for file in files[1:]:
        os.close(file)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports.send(pid.to_bytes(8, "big", signed=True))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        reports.send(status.to_bytes(8, "big", signed=True))
    os._exit(0)


def become(request: dict[str, Any]) -> None:
    """Be what Python is when it begins."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["prepaid-exporter", *request["arguments"]]
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for number in request["closed"]:
        os.close(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = None
        if number not in request["closed"]:
            stream = open(  # noqa: SIM115 - as long as the process
                number,
                "w",
                buffering=1 if number == 2 or os.isatty(number) else -1,
                encoding=encoding or "utf-8",
                errors="backslashreplace" if number == 2 else errors or "strict",
                closefd=False,
            )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def warm() -> None:
    """Load what a command loads and builds only when it comes to it."""
    for name in ("exporter.metrics.exposition", "rich.console", "rich.status", "rich.table", "structlog"):
        import_module(name)
    config = import_module("exporter.config")
    with TemporaryDirectory() as folder:
        file = Path(folder, "prepaid.yml")
        file.write_text("accounts: [{name: a, provider: apimall, api_key: k}]")
        config.load(file)


if __name__ == "__main__":
    from exporter.__main__ import main

    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # as the program does
    warm()
    for one in requested(socket.socket(fileno=int(sys.argv[1]))):
        become(one)
        if one["code"]:
            exec(one["code"], {"__name__": "__main__"})  # noqa: S102 - the test's own
        else:
            main()
        sys.exit(0)
