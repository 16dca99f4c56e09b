"""Terminals as they are: letters that they lack, and people who change their mind at once."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.programs import EXPORTER

pytestmark = pytest.mark.slow

ACCOUNT = "Grüße €"
ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
POOR = [ASCII, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}]
"""Of a locale much depends, from the first moment of a process on; the others count for what is printed alone."""
IDS = ["ASCII locale", "ASCII", "Latin-1"]
LACKING = ["fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty"]
"""Modules that Windows does not have."""


@pytest.fixture
def named(prepaid: Path) -> Path:
    """Give an account a name that some terminals cannot show."""
    prepaid.write_text(prepaid.read_text().replace("name: mall", f'name: "{ACCOUNT}"'), encoding="utf-8")
    return prepaid


@pytest.fixture
def printed(run: Any, tmp_path: Path, clean: Mapping[str, str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command with an environment, afresh where it changes more than the letters of a terminal."""

    def finished(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
        if env is not ASCII:
            result = run(*arguments, env=env)
            return result.status, result.out, result.err
        done = subprocess.run(
            [EXPORTER, *arguments], cwd=tmp_path, env={**clean, **env}, capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return finished


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("env", POOR, ids=IDS)
def test_a_letter_that_the_terminal_lacks_is_shown_by_its_number(
    printed: Any, env: Mapping[str, str]
) -> None:
    status, out, err = printed(env, "check")
    assert (status, err) == (2, "")
    assert "\\u20ac" in out


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("env", POOR, ids=IDS)
def test_what_programs_read_is_utf_8_whatever_the_terminal_speaks(
    printed: Any, env: Mapping[str, str]
) -> None:
    def read(output: str) -> str:
        status, out, err = printed(env, "check", "--provider", "apimall", "--output", output)
        assert (status, err) == (0, "")
        return str(out)

    assert [entry["account"] for entry in json.loads(read("json"))] == [ACCOUNT]
    assert [row["account"] for row in csv.DictReader(io.StringIO(read("csv")))] == [ACCOUNT]
    assert f'prepaid_account_up{{provider="apimall",account="{ACCOUNT}"}} 1.0' in read("prometheus")
    assert f"'{ACCOUNT}/main'=120CREDITS" in read("nagios")


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("env", POOR, ids=IDS)
@pytest.mark.parametrize("arguments", [["providers"], ["validate"], ["check", "--help"]])
def test_every_command_that_ends_prints_on_a_poor_terminal(
    printed: Any, env: Mapping[str, str], arguments: list[str]
) -> None:
    status, out, err = printed(env, *arguments)
    assert (status, err) == (0, "")
    assert out


@pytest.mark.parametrize("module", ["click", "pydantic", "requests"])
def test_an_interrupt_while_the_program_loads_is_no_traceback(
    prepaid: Path, clean: Mapping[str, str], module: str
) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "exporter", "check"]
    with subprocess.Popen(
        command, cwd=prepaid.parent, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if re.search(rf"\| +{re.escape(module)}$", line):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in out + err
    assert "KeyboardInterrupt" not in out + err


def test_an_interrupt_that_the_shell_turned_off_stays_off(prepaid: Path, clean: Mapping[str, str]) -> None:
    """As in a script's background job."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "import sys; sys.argv = ['prepaid-exporter', 'validate']\n"
        "from exporter.__main__ import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(str(signal.getsignal(signal.SIGINT) is signal.SIG_IGN))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=prepaid.parent,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "True")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["check"], ["validate"], ["serve", "--help"]])
def test_a_system_that_lacks_what_is_needed_is_told_so(
    clean: Mapping[str, str], arguments: list[str]
) -> None:
    code = (
        "import os, signal, sys; from exporter import __main__\n"
        f"sys.modules.update(dict.fromkeys({LACKING}))\n"
        "del signal.SIGHUP, signal.pthread_sigmask, os.geteuid, os.O_NONBLOCK\n"
        f"sys.argv = ['prepaid-exporter', *{arguments}]\n"
        "os.name = 'nt'\n"
        "__main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=False, cwd=os.sep
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "prepaid-exporter runs on POSIX systems, such as Linux, macOS and BSD; "
        "on Windows use WSL or the container image\n"
    )


def test_the_documentation_says_on_which_systems_it_runs(root: Path) -> None:
    systems = "on POSIX systems, such as Linux, macOS and BSD; on Windows use WSL or the container image"
    for name in ("README.md", "docs/installation.md"):
        assert systems in " ".join((root / name).read_text().split()), name


def test_the_progress_turns_in_letters_that_the_terminal_has(
    prepaid: Path, simulator: Any, on_a_terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.fail("apimall", "hang")
    prepaid.write_text(prepaid.read_text().replace("name: mall", "name: mall\n    timeout: 500ms"))
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    _, seen = on_a_terminal("check", "mall")
    assert "asking 1 account" in seen
    assert "\\u" not in seen
