"""Where serve listens: on several addresses, on a path, on systemd's; and what it says where it cannot."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import EXPORTER, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ONE = "accounts: [{name: a, provider: apimall, api_key: k}]"
LISTENING = r"msg=listening url=(\S+)"


class OverPath(http.client.HTTPConnection):
    """A connection to a socket on a path."""

    def __init__(self, path: str) -> None:
        super().__init__("exporter.example", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def get(connection: http.client.HTTPConnection, path: str) -> str:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


@pytest.mark.usefixtures("prepaid")
def test_every_address_that_is_given_is_listened_on(
    begin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    addresses = ["127.0.0.1:0", "127.0.0.1:0", "unix:x.sock"]
    running = begin("serve", *(f"--web.listen-address={one}" for one in addresses))
    urls = [found[1] for found in running.wait_for_many(LISTENING, 3)]
    assert len(set(urls)) == 3
    for url in urls[:2]:
        assert get(http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE), "/-/ready")
    assert urls[2] == "unix:x.sock"
    assert get(OverPath("x.sock"), "/metrics").count("\nprepaid_account_up{") == 6
    assert '"exporter.example"' in get(OverPath("x.sock"), "/sd")
    assert running.end() == 0
    assert not (tmp_path / "x.sock").exists()


@pytest.mark.usefixtures("prepaid")
def test_several_addresses_fit_into_the_variable(begin: Any) -> None:
    running = begin("serve", env={"PREPAID_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0 127.0.0.1:0"})
    assert len(running.wait_for_many(LISTENING, 2)) == 2


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", ":{port}"])
def test_an_address_that_is_taken_is_told_as_it_was_written(address: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "prepaid.yml").write_text(ONE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = address.format(port=taken.getsockname()[1])
        result = run("serve", "--web.listen-address=127.0.0.1:0", "--web.listen-address", text)
    told = f"--web.listen-address: cannot listen on {text}: address already in use; another exporter?\n1 problem\n"
    assert (result.status, result.out, result.err) == (1, "", told)


HANDED_OVER = """\
import os, sys
files = [os.dup2(int(number), 1000 + int(number)) for number in sys.argv[1:3]]
for number, file in enumerate(files, 3):
    os.dup2(file, number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.fixture
def activated(tmp_path: Path, clean: Mapping[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start serve with two sockets as systemd does: from file 3 on, for this process alone (sd_listen_fds(3))."""
    with ExitStack() as stack:

        def started(one: socket.socket, other: socket.socket) -> subprocess.Popen[str]:
            files = (one.fileno(), other.fileno())
            command = [sys.executable, "-c", HANDED_OVER, *map(str, files), str(EXPORTER)]
            process = stack.enter_context(
                subprocess.Popen(
                    [*command, "serve", "--web.systemd-socket"],
                    cwd=tmp_path,
                    env=clean,
                    pass_fds=files,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield started


@pytest.mark.usefixtures("prepaid")
def test_sockets_that_systemd_hands_over_are_listened_on(
    tmp_path: Path, activated: Callable[..., subprocess.Popen[str]]
) -> None:
    path = str(tmp_path / "x.sock")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as other:
        port = one.getsockname()[1]
        other.bind(path)
        other.listen()
        process = activated(one, other)
        assert process.stderr
        urls = [re.search(LISTENING, process.stderr.readline()) for _ in range(2)]
        assert [found and found[1] for found in urls] == [f"http://127.0.0.1:{port}", f"unix:{path}"]
        assert get(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE), "/-/ready")
        assert get(OverPath(path), "/-/ready")
        process.terminate()
        assert process.wait(PATIENCE) == 0
        # systemd goes on listening, for the next one.
        assert (tmp_path / "x.sock").exists()


@pytest.mark.usefixtures("prepaid")
def test_a_socket_that_does_not_listen_is_refused(
    tmp_path: Path, activated: Callable[..., subprocess.Popen[str]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as other:
        process = activated(one, other)
        _, err = process.communicate(timeout=PATIENCE)
    told = "file 4 is not a socket that listens; write ListenStream="
    assert (process.returncode, err) == (1, f"--web.systemd-socket: {told}\n1 problem\n")
    assert tmp_path.exists()


@pytest.mark.parametrize("env", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}])
def test_without_systemd_there_is_no_socket_of_its(env: dict[str, str], run: Any, tmp_path: Path) -> None:
    (tmp_path / "prepaid.yml").write_text(ONE)
    result = run("serve", "--web.systemd-socket", env=env)
    told = "systemd passed no socket; start the .socket unit"
    assert (result.status, result.err) == (1, f"--web.systemd-socket: {told}\n1 problem\n")
