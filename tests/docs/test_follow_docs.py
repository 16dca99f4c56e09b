"""scripts/follow_docs.py: every block of commands is typed, or named with a reason. `make follow` does the typing."""

import re
import socket
import sys
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from scripts import follow_docs
from scripts.follow_docs import DOCUMENTS, Block, FailedError, Terminal

NO_COMMANDS = {"", "ini", "text", "yaml"}
SITE = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# HELP\\nprepaid_balance{} 1\\n")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


@pytest.fixture(scope="module")
def found(root: Path) -> list[Block]:
    return [block for name in DOCUMENTS for block in follow_docs.blocks(name, (root / name).read_text())]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "desk").mkdir()
    return Terminal(["env", f"HOME={tmp_path}"], tmp_path, f"{tmp_path}/desk")


def block(text: str, language: str = "sh", before: str = "") -> Block:
    return Block("README.md", 1, "", before, language, text)


def test_every_block_of_commands_is_typed_or_passed_over_with_a_reason(
    root: Path, found: list[Block]
) -> None:
    fences = sum(len(re.findall(r"^ *```.", (root / name).read_text(), re.MULTILINE)) for name in DOCUMENTS)
    assert len([each for each in found if each.language]) == fences, "no fence is missed"
    assert {each.language for each in found if not each.typed} <= NO_COMMANDS, "sh and console are typed"
    foreign = re.compile(r"\b(docker|helm|kubectl|grafana-server)\b|^make test$", re.MULTILINE)
    for each in filter(lambda each: each.typed, found):
        assert bool(each.passed_over()) == bool(foreign.search(each.text)), each
    assert follow_docs.stale(found) == []


def test_what_only_root_may_do_stands_below_as_root(found: list[Block]) -> None:
    rights = re.compile(r"^(apt-get|systemctl|useradd|install|ln) ", re.MULTILINE)
    typed = [each for each in found if each.typed and not each.passed_over()]
    assert [each for each in typed if (each.user == "root") != bool(rights.search(each.text))] == []


def test_no_virtual_environment_is_made_where_git_leaves_the_checkout(found: list[Block]) -> None:
    made = [name for each in found for name in re.findall(r"-m venv (\S+)", each.text)]
    assert len(made) > 2
    assert "~/prepaid-exporter" not in made


def test_a_name_for_a_block_that_is_gone_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: list[Block]
) -> None:
    gone = ("README.md", "make coffee", "needs water")
    monkeypatch.setattr(follow_docs, "PASSED_OVER", (*follow_docs.PASSED_OVER, gone))
    told = "PASSED_OVER: 0 blocks of README.md have 'make coffee', there must be one"
    assert follow_docs.stale(found) == [told]
    monkeypatch.setattr(follow_docs, "unable", str)
    monkeypatch.setattr(sys, "argv", ["follow_docs.py"])
    with pytest.raises(SystemExit, match=told):
        follow_docs.main()


def test_who_is_not_root_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["follow_docs.py"])
    with pytest.raises(SystemExit, match=r"^follow_docs: needs root on Debian 12[^\n]*$"):
        follow_docs.main()


def test_an_address_that_is_taken_is_told_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    debian = {"ID": "debian", "VERSION_ID": "12"}
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: debian)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(follow_docs, "answers", lambda path: "healthy" if path == "/-/healthy" else "")
    monkeypatch.setattr(sys, "argv", ["follow_docs.py"])
    with pytest.raises(SystemExit, match=r"^follow_docs: needs the address .* http://127\.0\.0\.1:10710$"):
        follow_docs.main()


def test_another_document_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["follow_docs.py", "README.txt"])
    with pytest.raises(SystemExit):
        follow_docs.main()
    assert "error: follows README.md and docs/installation.md, not README.txt" in capsys.readouterr().err


def test_folder_and_variables_stay_until_a_new_terminal(terminal: Terminal, tmp_path: Path) -> None:
    show = block('echo "$WORD $PWD"\n')
    assert terminal.type(show) == f" {tmp_path}/desk\n"
    terminal.type(block("mkdir deep\ncd deep\nexport WORD='a b'\n"))
    assert terminal.type(show) == f"a b {tmp_path}/desk/deep\n"
    terminal.reopen()
    assert terminal.type(show) == f" {tmp_path}/desk\n"


def test_a_command_that_fails_is_told_with_its_output(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not follow_docs.told(block("echo why\nfalse\necho never\n"), terminal)
    assert capsys.readouterr().out == "failed       README.md:1  echo why\n    why\n    exit status 1\n"
    assert follow_docs.told(block("true\n"), terminal)
    assert follow_docs.told(block("make test\n"), terminal)
    assert capsys.readouterr().out == (
        "followed     README.md:1  true\n"
        "passed over  README.md:1  make test  (runs every test for many minutes; CI does that)\n"
    )


def test_at_the_end_it_is_told_how_many_blocks_were_typed_and_passed_over(found: list[Block]) -> None:
    some = [block("true\n"), block("false\n"), block("make test\n"), block("a: 1\n", "yaml")]
    assert follow_docs.counted(some, 1) == "2 blocks typed, 1 passed over, 1 failed"
    passed_over = len(follow_docs.PASSED_OVER)
    assert follow_docs.counted(found, 0).endswith(f" blocks typed, {passed_over} passed over, 0 failed")


def test_units_are_enabled_and_not_started(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake = 'systemctl() { echo "$*" >>done; }\n'
    assert follow_docs.told(
        block(fake + "systemctl daemon-reload\nsystemctl enable --now a.timer\n"), terminal
    )
    assert (tmp_path / "desk/done").read_text() == "daemon-reload\nenable a.timer\n"
    assert capsys.readouterr().out.endswith("  (nothing is started: systemd is not PID 1)\n")


def test_a_console_shows_what_is_printed(terminal: Terminal) -> None:
    assert terminal.type(block("$ echo 1\n1\n", "console")) == "1\n"
    with pytest.raises(FailedError, match=r"something else than:\n2\n"):
        terminal.type(block("$ echo 2\n1\n", "console"))


def test_a_server_runs_until_it_is_stopped(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(follow_docs, "SITE", f"http://127.0.0.1:{port}")
    (tmp_path / "site.py").write_text(SITE)
    program = tmp_path / "desk/prepaid-exporter"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/site.py {port}\n")
    program.chmod(0o755)
    start = block('PATH="$PWD:$PATH"\nprepaid-exporter serve  # until Ctrl-C\n')
    try:
        terminal.type(start)
        assert "prepaid_balance" in follow_docs.answers("/metrics")
        with pytest.raises(FailedError, match="something else answers"):
            terminal.type(start)
    finally:
        terminal.stop()
    assert follow_docs.answers("/metrics") == ""


def test_a_server_that_does_not_come_up_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(follow_docs, "SITE", f"http://127.0.0.1:{port}")
    with pytest.raises(FailedError, match=r"not found\n(.|\n)*it serves no balance"):
        terminal.type(block("PATH=/usr/bin\nprepaid-exporter serve\n"))
    terminal.stop()


def test_a_shown_configuration_asks_the_simulator(found: list[Block]) -> None:
    shown = [each for each in found if each.language == "yaml" and each.text.startswith("accounts:")]
    with Simulator() as simulator:
        assert {
            f"base_url: {simulator.base_url('apimall')}" in follow_docs.configuration(each, simulator)
            for each in shown
            if "api_key_file: /run/secrets" in each.text or "api_key_env: " in each.text
        } == {True}
