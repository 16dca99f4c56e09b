"""How a connection is opened: names, addresses that refuse or are silent, files that run out."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.desk import MakeDesk, MakeUpstream

LONG = 60.0
"""Seconds that are far more than an account's timeout here, and far less than the scrape's own deadline."""


def test_a_host_that_does_not_resolve_is_unreachable(desk: MakeDesk) -> None:
    running = desk("https://balance.invalid")
    assert running.metrics().reason() == "unreachable"
    assert "the host's name does not resolve" in running.trace()


def test_a_port_on_which_nobody_listens_is_unreachable(desk: MakeDesk, closed_port: int) -> None:
    running = desk(f"http://127.0.0.1:{closed_port}")
    assert running.metrics().reason() == "unreachable"
    assert "the connection was refused" in running.trace()


def test_an_address_to_which_no_way_leads_is_unreachable(desk: MakeDesk) -> None:
    # The limited broadcast address: the kernel refuses a connection to it at once.
    page = desk("https://255.255.255.255").metrics()
    assert page.reason() == "unreachable"
    assert page.one("prepaid_account_http_status_code") is None


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Set the addresses that a name has."""
    table: dict[str, list[str]] = {}
    look_up = socket.getaddrinfo

    def found(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        addresses = table.get(host, [host])
        return [one for address in addresses for one in look_up(address, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return table


@pytest.fixture
def deaf() -> Iterator[Callable[[str, int], None]]:
    """Let an address be deaf on a port: its queue is full, and whatever comes is dropped."""
    with contextlib.ExitStack() as held:

        def make(address: str, port: int) -> None:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = held.enter_context(socket.socket(family))
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(3):
                waiting = held.enter_context(socket.socket(family))
                waiting.settimeout(0)
                waiting.connect_ex((address, port))

        yield make


@pytest.mark.parametrize("first", ["127.0.0.2", "::1"])
@pytest.mark.parametrize("way", ["http", "https", "proxy"])
def test_a_host_whose_first_address_is_deaf_is_reached_by_the_next(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Callable[..., ssl.SSLContext],
    ca_file: str,
    names: dict[str, list[str]],
    deaf: Callable[[str, int], None],
    way: str,
    first: str,
) -> None:
    server = upstream(tls=tls("two.test") if way == "https" else None)
    deaf(first, server.port)
    names["two.test"] = [first, "127.0.0.1"]
    place = f"{'https' if way == 'https' else 'http'}://two.test:{server.port}"
    account = {"base_url": place, "ca_file": ca_file, "allow_http": True}
    if way == "proxy":
        account |= {"base_url": "http://balance.invalid", "proxy_url": place}
    assert desk(mall=account).metrics().balance() == 120


def test_a_host_whose_first_address_refuses_is_reached_by_the_next(
    upstream: MakeUpstream, desk: MakeDesk, names: dict[str, list[str]]
) -> None:
    server = upstream()
    names["two.test"] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    account = {"base_url": f"http://two.test:{server.port}", "allow_http": True}
    assert desk(mall=account).metrics().balance() == 120


@pytest.mark.parametrize(("proxied", "reason"), [(False, "timeout"), (True, "proxy")])
def test_a_host_all_of_whose_addresses_are_deaf(
    desk: MakeDesk,
    closed_port: int,
    names: dict[str, list[str]],
    deaf: Callable[[str, int], None],
    proxied: bool,
    reason: str,
) -> None:
    for address in ("127.0.0.2", "127.0.0.3"):
        deaf(address, closed_port)
    names["two.test"] = ["127.0.0.2", "127.0.0.3"]
    place = f"http://two.test:{closed_port}"
    account = {"base_url": place, "allow_http": True, "timeout": "600ms"}
    if proxied:
        account |= {"base_url": "http://balance.invalid", "proxy_url": place}
    page = desk(mall=account).metrics()
    assert page.reason() == reason
    assert page.seconds < LONG


def test_a_name_that_nobody_answers_for_is_a_timeout_and_is_asked_for_once(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = upstream()
    asked: list[str] = []
    over = threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if host != "slow.test":
            return look_up(host, *args, **options)
        asked.append(host)
        over.wait(LONG)
        return look_up("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    account = {"base_url": f"http://slow.test:{server.port}", "allow_http": True, "timeout": "300ms"}
    running = desk(one=account, other=account)
    page = running.metrics()
    assert [page.reason("one"), page.reason("other")] == ["timeout"] * 2
    assert page.seconds < LONG
    assert asked == ["slow.test"]
    over.set()


@pytest.mark.parametrize("proxied", [False, True])
def test_files_that_run_out_are_told_as_such(
    desk: MakeDesk, closed_port: int, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    place = f"http://127.0.0.1:{closed_port}"
    running = desk(mall={"base_url": place, **({"proxy_url": place} if proxied else {})})
    monkeypatch.setattr(socket, "socket", none_left)
    assert running.metrics().reason() == "unreachable"
    assert "the exporter may not open more files; raise its limit" in running.trace()
