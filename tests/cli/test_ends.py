"""How commands end when something goes wrong under them: never half dead, never with a traceback for an answer."""

from __future__ import annotations

import resource
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.files import raise_file_limit
from exporter.schema.problems import ConfigurationError
from exporter.web import runtime
from exporter.web.runtime import Runtime
from tests.programs import EXPORTER, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.slow

BROKEN = """\
import os, signal, sys, threading
import exporter.{module}
from exporter.cli import main

def broken(*_):
    raise KeyError(os.environ["CANARY"])

{patch} = broken
main(["serve", "--web.listen-address", "127.0.0.1:0"])
"""


@pytest.mark.usefixtures("prepaid")
@pytest.mark.parametrize(
    ("module", "patch"),
    [
        ("web.process", "signal.sigwait"),
        ("web.server", "exporter.web.server.Server.serve"),
        ("web.server", "exporter.web.server.Server.stop = signal.sigwait"),
    ],
    ids=["the main thread", "the web side", "both and the end too"],
)
def test_a_bug_where_all_depends_on_it_ends_the_process_for_the_supervisor_to_see(
    module: str, patch: str, run: Any
) -> None:
    # Not in the text of the program, which a traceback may quote.
    done = run(code=BROKEN.format(module=module, patch=patch), env={"CANARY": "canary-7f3a"})
    assert done.status == 1
    assert 'level=error msg="bug in the exporter, it ends" error=KeyError' in done.err
    assert "canary" not in done.err


@pytest.mark.usefixtures("prepaid")
def test_a_machine_without_threads_for_the_web_side_ends_the_start(run: Any) -> None:
    code = """\
import threading
begin = threading.Thread.start

def start(thread):
    if threading.active_count() > 10:
        raise RuntimeError("can't start new thread")
    begin(thread)

threading.Thread.start = start
from exporter.cli import main
main(["serve", "--web.listen-address", "127.0.0.1:0"])
"""
    done = run(code=code)
    assert (done.status, "error=RuntimeError" in done.err) == (1, True)


def test_a_bug_while_reloading_keeps_the_old_configuration(
    prepaid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Runtime(prepaid)

    text = "canary-7f3a"

    def broken(_: Path) -> None:
        raise KeyError(text)

    monkeypatch.setattr(runtime, "load", broken)
    with pytest.raises(ConfigurationError, match=r"prepaid\.yml: KeyError in the exporter, see its log$"):
        running.reload()
    assert not running.reload_successful
    assert len(running.scraper.config.accounts) == 6
    written = capsys.readouterr()
    assert "bug while reloading" in written.out + written.err
    assert "canary" not in written.out + written.err


@pytest.fixture
def few_files() -> Any:
    """Leave the process with fewer open files than it may have, as most systems do."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1 if before[1] > 0 else 1024, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_all_open_files_that_the_machine_allows_are_taken(few_files: int) -> None:
    raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few_files, few_files)


@pytest.mark.usefixtures("few_files")
def test_serve_takes_all_open_files(begin: Any, prepaid: Path) -> None:
    assert prepaid.exists()
    running = begin("serve", "--web.listen-address", "127.0.0.1:0", afresh=True)
    assert running.port
    limits = Path(f"/proc/{running.process.pid}/limits").read_text()
    (soft, hard) = next(
        line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")
    )
    assert soft == hard


def test_a_check_that_is_interrupted_did_not_find_out(
    begin: Any, prepaid: Path, simulator: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    assert prepaid.exists()
    simulator.fail("apimall", "hang")
    running = begin("check", "mall")
    eventually(lambda: simulator.requests("apimall") == 1)
    assert running.end(signal.SIGINT) == 3
    assert running.written == "interrupted\n"


COMMANDS = [
    (["check", "mall"], 3),
    (["check", "--output=json", "mall"], 3),
    (["check", "--output=prometheus", "mall"], 3),
    (["validate"], 1),
    (["validate", "--schema"], 1),
    (["providers"], 1),
    (["providers", "apimall"], 1),
]
WHERE = [("/dev/full", "No space left on device"), (None, "it is closed")]


@pytest.mark.usefixtures("prepaid")
@pytest.mark.parametrize(("arguments", "status"), COMMANDS)
@pytest.mark.parametrize(("out", "cause"), WHERE)
def test_output_that_cannot_be_written_is_told_in_one_line(
    arguments: list[str], status: int, out: str | None, cause: str, run: Any
) -> None:
    result = run(*arguments, out=out)
    assert (result.status, result.err) == (status, f"standard output cannot be written: {cause}\n")


@pytest.mark.usefixtures("prepaid")
@pytest.mark.parametrize(("where", "cause"), [(">/dev/full", WHERE[0][1]), (">&-", WHERE[1][1])])
def test_a_shell_s_output_that_cannot_be_written_is_told_in_one_line(
    where: str, cause: str, tmp_path: Path, clean: Mapping[str, str]
) -> None:
    """The same, as Python itself meets it when it begins."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" validate {where}', EXPORTER],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"standard output cannot be written: {cause}\n")


@pytest.mark.usefixtures("prepaid")
@pytest.mark.parametrize("err", [None, "/dev/full"])
def test_errors_that_cannot_be_written_change_no_status(err: str | None, run: Any) -> None:
    result = run("check", "mall", err=err)
    assert (result.status, result.out.split()[7:10]) == (0, ["REASON", "ok", "mall"])
