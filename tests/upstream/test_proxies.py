"""Proxies that the operator or the environment names are used, by a real proxy; loopback needs none."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from exporter.schema.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.desk import Eventually, MakeDesk, MakeUpstream
    from tests.peers import Answer, Asked, Peer, Upstream

NAME = "balance.invalid"
"""A host that only a proxy can find: its name does not resolve here."""

HERE = "0.0.0.0"  # noqa: S104 - nobody binds to it
"""An address that leads to this machine, and is no loopback address."""


def readable(*ends: socket.socket) -> Iterator[socket.socket]:
    """Return each end as often as it has something to read."""
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
    """Return a proxy's answer to CONNECT: a tunnel to one port here, whatever host was asked for."""

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
    assert [asked.line for asked in proxy.requests] == [f"CONNECT {NAME}:443 HTTP/1.1"], "one tunnel, kept"
    assert proxy.requests[0].headers == {"host": f"{NAME}:443"}
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


@pytest.mark.parametrize("tunnel", [True, False])
def test_a_proxy_s_connection_that_nobody_answers_for_any_more_costs_no_failure(
    upstream: MakeUpstream, desk: MakeDesk, secure: Upstream, ca_file: str, tunnel: bool
) -> None:
    peers: list[Peer] = []

    def answer(peer: Peer, asked: Asked) -> None:
        peers.append(peer)
        if tunnel:
            connecting(secure.port)(peer, asked)
        else:
            peer.answer()

    proxy = upstream(answer)
    account = {"base_url": f"{'https' if tunnel else 'http'}://{NAME}", "allow_http": True}
    running = desk(mall={**account, "ca_file": ca_file, "proxy_url": proxy.url, "timeout": "9s"})
    assert running.metrics().up() == 1
    peers[0].deafen()
    assert running.metrics().up() == 1
    assert proxy.connections == 2


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


EXCLUDED = {
    f"https://{NAME}": [
        NAME,
        ".invalid",
        "*.invalid",
        "other.example, balance.invalid",
        "other.example;balance.invalid",
        "other.example balance.invalid",
        " other.example ,\t;\n BALANCE.Invalid. ,",
        "*",
        "other.example,*",
        f"{NAME}:443",
        "bal*.inv*",
        "*balance.invalid",
    ],
    f"https://{NAME}:8443": [f"{NAME}:8443", f"{NAME}:443,.invalid:8443", NAME],
    f"https://api.{NAME}.": [NAME, f".{NAME}"],
    "https://bücher.invalid": ["bücher.invalid", "xn--bcher-kva.invalid", "*.invalid"],
    "https://0.0.0.0:1": [
        HERE,
        "0.0.0.0/8",
        "10.0.0.0/8,0.0.0.0/8",
        "0.0.0.0/255.0.0.0",
        "0.1.2.3/8",
        "0.0.*",
        "0.0.0.0:1",
    ],
    "https://[::]:1": ["::", "[::]", "::/8", "[::]/8", "[::]:1", "0:0::0", "*"],
    "https://[::ffff:0.0.0.0]:1": ["0.0.0.0/8"],
}
NOT_EXCLUDED = {
    f"https://{NAME}": [
        "",
        " , ;",
        "invali",
        "other.invalid",
        "x.balance.invalid",
        "lance.invalid",
        f"{NAME}:8443",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "*.balance.invalid.*",
        ".",
        "[",
    ],
    "https://0.0.0.0:1": ["0.0.0.0:2", "10.0.0.0/8", "::/0", "0.0.0.0/99", "0.0.0.1", "1.*"],
    "https://[::]:1": ["[::]:2", "::1", "0.0.0.0/0"],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(url, hosts) for url, listed in table.items() for hosts in listed]


@pytest.mark.parametrize(("url", "hosts"), pairs(EXCLUDED))
def test_hosts_of_no_proxy_are_asked_directly(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, url: str, hosts: str
) -> None:
    proxy = upstream()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    assert desk(url).metrics().reason() == "unreachable"
    assert proxy.connections == 0


@pytest.mark.parametrize(("url", "hosts"), pairs(NOT_EXCLUDED))
def test_hosts_that_no_proxy_does_not_name_are_asked_through_the_proxy(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, url: str, hosts: str
) -> None:
    proxy = upstream(lambda peer, _: peer.answer(b"", status="502 Bad Gateway"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    assert desk(url).metrics().reason() == "proxy"
    assert proxy.connections == 1


def test_a_key_in_clear_does_not_go_to_an_excluded_proxy(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = upstream(), upstream()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, 0.0.0.0/8")
    account = {"base_url": server.url.replace("127.0.0.1", HERE), "allow_http": True}
    assert desk(mall=account).metrics().balance() == 120
    assert (proxy.connections, len(server.requests)) == (0, 1)


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


def names_it(told: str, proxy_url: str) -> bool:
    """Return whether a trace names the proxy, and never its user."""
    assert "canary" not in told
    return f"proxy     {proxy_url}\n" in told and told.count(proxy_url) > 1


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway", "302 Found"]
)
def test_a_proxy_that_refuses_the_tunnel_is_named(
    upstream: MakeUpstream, desk: MakeDesk, status: str
) -> None:
    proxy = upstream(lambda peer, _: peer.answer(b"", status=status))
    url = proxy.url.replace("http://", "http://canary:canary@")
    running = desk(mall={"base_url": f"https://{NAME}", "proxy_url": url})
    page = running.metrics()
    assert page.reason() == "proxy"
    assert page.one("prepaid_account_http_status_code") is None, "the provider gave none"
    told = running.trace()
    assert names_it(told, proxy.url)
    assert f"refuses the connection: HTTP status {status[:3]}" in told


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda peer, _: peer.close(), id="closed"),
        pytest.param(lambda peer, _: peer.reset(), id="reset"),
        pytest.param(lambda peer, _: peer.send(b"SSH-2.0-OpenSSH\r\n"), id="another protocol"),
        pytest.param(lambda peer, _: peer.send(b"HTTP/1.1 200 OK\r\n\r\nmore"), id="more than a tunnel"),
        pytest.param(lambda peer, _: peer.send(b"HTTP/1.1 101 X\r\n\r\n"), id="another switch"),
        pytest.param(lambda peer, _: peer.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3_000_000), id="endless"),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_named(
    upstream: MakeUpstream, desk: MakeDesk, answer: Answer
) -> None:
    proxy = upstream(answer)
    running = desk(mall={"base_url": f"https://{NAME}", "proxy_url": proxy.url})
    assert running.metrics().reason() == "proxy"
    assert names_it(running.trace(), proxy.url)


@pytest.mark.parametrize("base_url", [f"https://{NAME}", "http://127.0.0.1:1"])
def test_a_proxy_that_is_gone_is_named(desk: MakeDesk, closed_port: int, base_url: str) -> None:
    place = f"127.0.0.1:{closed_port}"
    running = desk(mall={"base_url": base_url, "proxy_url": f"http://canary:canary@{place}"})
    assert running.metrics().reason() == "proxy"
    told = running.trace()
    assert names_it(told, f"http://{place}")
    assert "cannot be reached: the connection was refused" in told


def test_a_proxy_whose_name_does_not_resolve_is_named(desk: MakeDesk) -> None:
    running = desk(mall={"base_url": f"https://{NAME}", "proxy_url": "http://proxy.invalid:3128"})
    assert running.metrics().reason() == "proxy"
    assert names_it(running.trace(), "http://proxy.invalid:3128")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(lambda peer, _: peer.answer(b"", status="407 X"), "http_status", id="407"),
        pytest.param(lambda peer, _: peer.answer(b"", status="403 X"), "auth", id="403"),
        pytest.param(lambda peer, _: peer.answer(b"", status="502 X"), "http_status", id="502"),
        pytest.param(lambda peer, _: peer.answer(b"<html>"), "malformed", id="a page"),
        pytest.param(lambda peer, _: peer.close(), "unreachable", id="closed"),
    ],
)
def test_a_plain_answer_by_way_of_a_proxy_keeps_its_reason_and_names_the_proxy(
    upstream: MakeUpstream, desk: MakeDesk, answer: Answer, reason: str
) -> None:
    proxy = upstream(answer)
    url = proxy.url.replace("http://", "http://canary:canary@")
    account = {"base_url": f"http://{NAME}", "allow_http": True, "proxy_url": url}
    running = desk(mall=account)
    assert running.metrics().reason() == reason
    assert names_it(running.trace(), proxy.url)


def test_what_comes_out_of_a_tunnel_is_the_provider_s_own(
    upstream: MakeUpstream, desk: MakeDesk, secure: Upstream, ca_file: str
) -> None:
    secure.answer = lambda peer, _: peer.answer(b"", status="502 X")
    proxy = upstream(connecting(secure.port))
    running = desk(mall={"base_url": f"https://{NAME}", "ca_file": ca_file, "proxy_url": proxy.url})
    assert running.metrics().reason() == "http_status"
    assert "detail    HTTP status 502\n" in running.trace()


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("TOKEN", "TOKEN:"),
        ("TOKEN:", "TOKEN:"),
        (":word", ":word"),
        ("CORP\\joe:word", "CORP\\joe:word"),
        ("CORP%5Cjoe:p%40%3A%23%25", "CORP\\joe:p@:#%"),
        ("j%C3%B6:w%C3%B6rd", "jö:wörd"),
    ],
)
@pytest.mark.parametrize("base_url", [f"https://{NAME}", f"http://{NAME}"])
def test_a_proxy_is_told_its_user_as_it_is_written(
    upstream: MakeUpstream, desk: MakeDesk, base_url: str, user: str, sent: str
) -> None:
    proxy = upstream(lambda peer, _: peer.answer(b"", status="502 X"))
    url = proxy.url.replace("http://", f"http://{user}@")
    desk(mall={"base_url": base_url, "allow_http": True, "proxy_url": url}).metrics()
    kind, _, pair = proxy.requests[0].headers["proxy-authorization"].partition(" ")
    assert (kind, b64decode(pair).decode("latin-1")) == ("Basic", sent)


@pytest.mark.parametrize("user", ["j:%E2%82%AC", "%F0%9F%94%91:word", "€:word"])
def test_a_proxy_s_password_that_http_cannot_carry_is_misconfigured(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    proxy = upstream()
    url = proxy.url.replace("http://", f"http://{user}@")
    monkeypatch.setenv("HTTPS_PROXY", url)
    running = desk(f"https://{NAME}")
    assert running.metrics().reason() == "misconfigured"
    assert "only ISO 8859-1" in running.trace()
    assert proxy.connections == 0
    with pytest.raises(ConfigurationError, match="only ISO 8859-1"):
        running.reload({"mall": {"base_url": f"https://{NAME}", "proxy_url": url}})


@pytest.mark.parametrize(
    "proxy_url", ["http://proxy.example:3128", "http://10.0.0.1", "https://proxy.example"]
)
def test_a_proxy_elsewhere_counts_as_a_network(desk: MakeDesk, proxy_url: str) -> None:
    account = {"base_url": "http://127.0.0.1:1", "proxy_url": proxy_url}
    with pytest.raises(ConfigurationError, match="the key would go to the proxy in clear"):
        desk(mall=account)


@pytest.mark.parametrize(
    "account",
    [
        {"base_url": "http://127.0.0.1:1", "proxy_url": "http://localhost:1"},
        {"base_url": "https://balance.invalid", "proxy_url": "http://proxy.invalid"},
        {"base_url": "http://127.0.0.1:1", "proxy_url": "http://proxy.invalid", "allow_http": True},
    ],
)
def test_a_proxy_on_this_machine_or_for_tls_or_by_the_operator_s_word_is_none(
    desk: MakeDesk, account: dict[str, object]
) -> None:
    assert desk(mall=account).metrics().reason() == "proxy"


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
