"""Addresses as Prometheus programs write them, sockets on paths and from systemd, and the URL that people are told."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.schema.problems import ConfigurationError
from exporter.web.listeners import Address, address, listening, url

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10710", "127.0.0.1", 10710),
        ("localhost:0", "localhost", 0),
        ("[::1]:80", "::1", 80),
        ("[::]:65535", "::", 65535),
        (":10710", "", 10710),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert address(text) == Address(text, host, port)


@pytest.mark.parametrize("text", ["unix:/run/prepaid.sock", "unix:///run/prepaid.sock"])
def test_an_address_may_be_a_path(text: str) -> None:
    assert address(text).path == Path("/run/prepaid.sock")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "10710",
        "host",
        "host:",
        "host:-1",
        "host:65536",
        "host:٣",
        "::1",
        "::1:80",
        "unix:",
        "unix:a\0b",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address; write"):
        address(text)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Work inside the folder: the path of a socket may be no longer than about a hundred bytes."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def refused(*texts: str) -> str:
    with pytest.raises(ConfigurationError) as refusal, listening([address(text) for text in texts]):
        pass
    return str(refusal.value)


def test_every_interface_answers_by_both_protocols() -> None:
    with listening([address(":0")]) as (listener,):
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((host, port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_an_address_that_is_taken_is_told_as_it_was_written(host: str) -> None:
    with listening([address(f"{host}:0")]) as (listener,):
        text = f"{host}:{listener.getsockname()[1]}"
        told = "address already in use; another exporter?"
        assert refused(text) == f"--web.listen-address: cannot listen on {text}: {told}"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("192.0.2.1:0", "this machine has no such address"),
        ("nowhere.invalid:1", "the name is not known"),
        ("unix:missing/x.sock", "no such file or directory"),
        (f"unix:{'x' * 200}", "AF_UNIX path too long"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_had_is_told_in_plain_words(text: str, cause: str) -> None:
    assert refused(text) == f"--web.listen-address: cannot listen on {text}: {cause}"


def test_a_socket_on_a_path_is_for_its_owner_and_group_and_gone_in_the_end(folder: Path) -> None:
    path = folder / "x.sock"
    umask = os.umask(0)
    try:
        with listening([address("unix:x.sock")]):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with socket.socket(socket.AF_UNIX) as client:
                client.connect("x.sock")
    finally:
        assert os.umask(umask) == 0
    assert not path.exists()


def test_a_socket_that_nobody_listens_on_any_more_is_replaced(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("x.sock")
    assert (folder / "x.sock").exists()
    with listening([address("unix:x.sock")]), socket.socket(socket.AF_UNIX) as client:
        client.connect("x.sock")


@pytest.mark.usefixtures("folder")
def test_a_socket_that_somebody_listens_on_is_left_alone() -> None:
    with listening([address("unix:x.sock")]):
        assert refused("unix:x.sock").endswith("x.sock: address already in use; another exporter?")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("x.sock")


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    (folder / "x.sock").write_text("precious")
    assert refused("unix:x.sock").endswith("x.sock: there is a file that is not a socket")
    assert (folder / "x.sock").read_text() == "precious"


def test_a_successors_socket_is_not_removed(folder: Path) -> None:
    with ExitStack() as successor:
        with listening([address("unix:x.sock")]) as (listener,):
            listener.close()
            successor.enter_context(listening([address("unix:x.sock")]))
        assert (folder / "x.sock").exists()


def test_one_address_that_cannot_be_had_gives_up_the_others(folder: Path) -> None:
    with listening([address("127.0.0.1:0")]) as (taken,):
        refused("unix:x.sock", f"127.0.0.1:{taken.getsockname()[1]}")
    assert not (folder / "x.sock").exists()


@pytest.mark.parametrize(
    ("text", "shown"), [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), (":0", "localhost")]
)
def test_the_url_for_people_names_a_host_that_they_can_open(text: str, shown: str) -> None:
    with listening([address(text)]) as (listener,):
        assert url(listener, "http") == f"http://{shown}:{listener.getsockname()[1]}"


@pytest.mark.usefixtures("folder")
def test_the_url_of_a_path_is_the_path() -> None:
    with listening([address("unix:x.sock")]) as (listener,):
        assert url(listener, "http") == "unix:x.sock"
