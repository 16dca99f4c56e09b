"""Proxies that the operator or the environment names are used, by a real proxy; loopback needs none."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.collection.conftest import Answer, Asked, Eventually, MakeDesk, MakeUpstream, Peer, Upstream

NAME = "balance.invalid"
"""A host that only a proxy can find: its name does not resolve here."""


def readable(*ends: socket.socket) -> Iterator[socket.socket]:
    """Give each end as often as it has something to read."""
    with selectors.DefaultSelector() as selector:
        for end in ends:
            selector.register(end, selectors.EVENT_READ, end)
        while True:
            held = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
            yield from held or [key.data for key, _ in selector.select()]


def carry(one: socket.socket, other: socket.socket) -> None:
    """Carry both ways what comes, until one end has no more; by one thread, since TLS is not made for two."""
    with contextlib.suppress(OSError):
        for source in readable(one, other):
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)


def connecting(port: int) -> Answer:
    """Give a proxy's answer to CONNECT: a tunnel to one port here, whatever host was asked for."""

    def answer(peer: Peer, asked: Asked) -> None:
        assert asked.line.startswith("CONNECT ")
        with socket.create_connection(("127.0.0.1", port)) as inner:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            carry(peer.socket, inner)
        peer.close()

    return answer


@pytest.fixture
def secure(upstream: MakeUpstream, tls: Callable[..., ssl.SSLContext]) -> Upstream:
    return upstream(tls=tls(NAME))


def test_https_goes_through_the_accounts_proxy_as_a_tunnel(
    upstream: MakeUpstream, desk: MakeDesk, secure: Upstream, ca_file: str
) -> None:
    proxy = upstream(connecting(secure.port))
    account = {"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": proxy.url}
    running = desk(mall=account)
    assert [running.metrics().balance() for _ in range(3)] == [120] * 3
    assert [asked.line for asked in proxy.requests] == [f"CONNECT {NAME}:443 HTTP/1.0"] or [
        asked.line for asked in proxy.requests
    ] == [f"CONNECT {NAME}:443 HTTP/1.1"], "one tunnel, which is kept"
    assert "key-of-mall" not in str(proxy.requests)
    assert secure.requests[0].headers["authorization"] == "Bearer key-of-mall"


def test_plain_http_goes_through_the_accounts_proxy_whole(upstream: MakeUpstream, desk: MakeDesk) -> None:
    proxy = upstream()
    account = {"base_url": f"http://{NAME}", "allow_http": True, "proxy_url": proxy.url}
    assert desk(mall=account).metrics().balance() == 120
    assert [asked.line for asked in proxy.requests] == [f"GET http://{NAME}/account/balances HTTP/1.1"]


def test_an_accounts_proxy_serves_loopback_too(upstream: MakeUpstream, desk: MakeDesk) -> None:
    proxy, server = upstream(), upstream()
    assert desk(mall={"base_url": server.url, "proxy_url": proxy.url}).metrics().up() == 1
    assert (len(proxy.requests), len(server.requests)) == (1, 0)


def test_a_proxy_is_told_its_user(
    upstream: MakeUpstream, desk: MakeDesk, secure: Upstream, ca_file: str
) -> None:
    proxy = upstream(connecting(secure.port))
    url = proxy.url.replace("http://", "http://user:canary@")
    running = desk(mall={"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": url})
    assert running.metrics().up() == 1
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpjYW5hcnk="
    assert "proxy-authorization" not in secure.requests[0].headers
    assert "canary" not in running.trace()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_the_environments_proxy(
    upstream: MakeUpstream,
    desk: MakeDesk,
    secure: Upstream,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    proxy = upstream(connecting(secure.port))
    monkeypatch.setenv(variable, proxy.url)
    assert desk(mall={"base_url": f"https://{NAME}", "ca_file": ca_file}).metrics().balance() == 120
    assert len(proxy.requests) == 1


def test_plain_http_goes_through_the_environments_proxy(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = upstream()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert desk(mall={"base_url": f"http://{NAME}", "allow_http": True}).metrics().balance() == 120
    assert len(proxy.requests) == 1


def test_a_proxy_of_the_environment_may_leave_out_its_scheme(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = upstream()
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    assert desk(mall={"base_url": f"http://{NAME}", "allow_http": True}).metrics().balance() == 120
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1", "http://[broken", "http://:x"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_no_bug_of_ours(
    desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    assert desk(f"https://{NAME}").metrics().reason() == "misconfigured"


def test_a_proxy_may_itself_be_asked_over_tls(
    upstream: MakeUpstream, desk: MakeDesk, tls: Callable[..., ssl.SSLContext], secure: Upstream, ca_file: str
) -> None:
    proxy = upstream(connecting(secure.port), tls=tls())
    account = {"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": proxy.url}
    assert desk(mall=account).metrics().balance() == 120
    assert len(proxy.requests) == 1


def test_a_proxy_that_cannot_prove_itself_is_told_nothing(
    upstream: MakeUpstream, desk: MakeDesk, tls: Callable[..., ssl.SSLContext], ca_file: str
) -> None:
    proxy = upstream(tls=tls("impostor.example"))
    account = {"base_url": f"http://{NAME}", "allow_http": True, "ca_file": ca_file, "proxy_url": proxy.url}
    assert desk(mall=account).metrics().reason() == "tls"
    assert proxy.requests == []


@pytest.mark.parametrize("hosts", [NAME, ".invalid", "other.example, balance.invalid", "*", f"{NAME}:443"])
def test_hosts_of_no_proxy_are_asked_directly(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    proxy = upstream()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    assert desk(f"https://{NAME}").metrics().reason() == "unreachable"
    assert proxy.connections == 0


def test_no_proxy_has_no_say_over_an_accounts_own_proxy(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = upstream()
    monkeypatch.setenv("NO_PROXY", "*")
    account = {"base_url": f"http://{NAME}", "allow_http": True, "proxy_url": proxy.url}
    assert desk(mall=account).metrics().up() == 1
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_not_asked_through_the_environments_proxy(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    proxy, server = upstream(), upstream()
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(variable, proxy.url)
    assert desk(server.url.replace("127.0.0.1", host)).metrics().balance() == 120
    assert (proxy.connections, len(server.requests)) == (0, 1)


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_the_tunnel_makes_the_provider_unreachable(
    upstream: MakeUpstream, desk: MakeDesk, status: str
) -> None:
    proxy = upstream(lambda peer, _: peer.answer(b"", status=status))
    page = desk(mall={"base_url": f"https://{NAME}", "proxy_url": proxy.url}).metrics()
    assert page.reason() == "unreachable"
    assert page.one("prepaid_account_http_status_code") is None, "the provider gave none"


def test_a_proxy_that_is_gone_makes_the_provider_unreachable(desk: MakeDesk, closed_port: int) -> None:
    running = desk(mall={"base_url": f"https://{NAME}", "proxy_url": f"http://127.0.0.1:{closed_port}"})
    assert running.metrics().reason() == "unreachable"


def test_a_proxy_that_drips_is_a_timeout(upstream: MakeUpstream, desk: MakeDesk) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.drip(b"X-Slow: very\r\n")

    proxy = upstream(answer)
    account = {"base_url": f"https://{NAME}", "proxy_url": proxy.url, "timeout": "400ms"}
    page = desk(mall=account).metrics()
    assert page.reason() == "timeout"
    assert page.seconds < 60, "long before the scrape's own deadline"


def test_a_proxy_cannot_pass_for_the_provider(
    upstream: MakeUpstream, desk: MakeDesk, tls: Callable[..., ssl.SSLContext], ca_file: str
) -> None:
    impostor = upstream(tls=tls("impostor.example"))
    proxy = upstream(connecting(impostor.port))
    account = {"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": proxy.url}
    assert desk(mall=account).metrics().reason() == "tls"
    assert impostor.requests == []


def test_connecting_the_proxys_answer_and_the_handshake_share_one_time_limit(
    upstream: MakeUpstream, desk: MakeDesk, ca_file: str, eventually: Eventually
) -> None:
    def slow_then_silent(peer: Peer, _: Asked) -> None:
        peer.over.wait(0.8)
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.hang()

    proxy = upstream(slow_then_silent)
    account = {"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": proxy.url, "timeout": "1s"}
    running = desk(mall=account)

    def within_one_limit() -> bool:
        page = running.metrics()
        assert page.reason() == "timeout"
        duration = page.one("prepaid_account_collect_duration_seconds")
        assert duration is not None
        # With a limit each it is over 1.8 every time; on a busy machine it may be now and then.
        return duration < 1.6

    eventually(within_one_limit)
