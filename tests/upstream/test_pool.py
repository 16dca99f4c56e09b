"""Which connections are kept, and what that may never cost."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.upstream import client, pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.desk import Eventually, MakeDesk, MakeUpstream
    from tests.peers import Asked, Peer, Upstream

SMS = b'{"status": "ok", "result": {"balance": "0.6000", "currency": "EUR"}}'


def test_connections_are_kept(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(server.url)
    assert [running.metrics().balance() for _ in range(20)] == [120] * 20
    assert (server.connections, len(server.requests)) == (1, 20)


def test_accounts_at_one_host_keep_a_connection_each_at_most(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(**{f"mall-{number}": {"base_url": server.url} for number in range(8)})
    for _ in range(10):
        page = running.metrics()
        assert page.all("prepaid_account_up") == [1] * 8
    assert len(server.requests) == 80
    assert server.connections <= 8
    keys = {asked.headers["authorization"] for asked in server.requests}
    assert keys == {f"Bearer key-of-mall-{number}" for number in range(8)}


def test_a_provider_that_closes_after_each_answer_is_asked_anew(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.answer(Connection="close")
        peer.close()

    server = upstream(answer)
    running = desk(server.url)
    assert [running.metrics().up() for _ in range(5)] == [1] * 5
    assert server.connections == 5


@pytest.mark.parametrize("provider", ["apimall", "smspubli"])
def test_a_connection_that_was_closed_while_idle_costs_no_failure(
    upstream: MakeUpstream, desk: MakeDesk, provider: str
) -> None:
    body = {"smspubli": SMS}.get(provider)
    server = upstream(lambda peer, _: peer.answer(body) if body else peer.answer())
    running = desk(mall={"base_url": server.url, "provider": provider})
    for _ in range(20):
        assert running.metrics().up() == 1
        server.cut()
    assert len(server.requests) == 20


@pytest.fixture(params=["close", "reset"])
def tired(request: pytest.FixtureRequest, upstream: MakeUpstream) -> Upstream:
    """Return a server that answers once on each connection, and ends it when the next request is on its way."""
    used: set[Peer] = set()

    def answer(peer: Peer, _: Asked) -> None:
        if peer in used:
            getattr(peer, request.param)()
        else:
            used.add(peer)
            peer.answer()

    return upstream(answer)


def test_a_connection_that_idled_and_closes_just_as_it_is_used_again_costs_no_failure(
    tired: Upstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "OFTEN_CLOSED_AFTER", 0.0)
    running = desk(tired.url)
    pages = [running.metrics() for _ in range(6)]
    assert [page.up() for page in pages] == [1] * 6
    assert pages[-1].one("prepaid_exporter_upstream_requests_total") == len(tired.requests) == 11
    assert running.trace().count("request  ") == 2, "the trace tells of both"


def test_a_request_that_is_cut_on_a_busy_connection_is_not_sent_again(
    tired: Upstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are no retries: the next scrape is the retry."""
    monkeypatch.setattr(client, "OFTEN_CLOSED_AFTER", 3600.0)
    running = desk(tired.url)
    pages = [running.metrics() for _ in range(6)]
    assert [page.up() for page in pages] == [1, 0] * 3
    assert pages[1].reason() == "unreachable"
    assert pages[-1].one("prepaid_exporter_upstream_requests_total") == len(tired.requests) == 6


def test_an_answer_that_is_cut_when_it_has_begun_is_not_asked_for_again(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server saw the request, however long the connection idled before."""
    monkeypatch.setattr(client, "OFTEN_CLOSED_AFTER", 0.0)

    def answer(peer: Peer, _: Asked) -> None:
        if len(server.requests) == 1:
            peer.answer()
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            eventually(peer.arrived)
            peer.reset()

    server = upstream(answer)
    running = desk(server.url)
    assert running.metrics().up() == 1
    assert running.metrics().reason() == "unreachable"
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_new_connection_that_is_cut_is_not_tried_again(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.close())
    assert desk(server.url).metrics().reason() == "unreachable"
    assert (server.connections, len(server.requests)) == (1, 1)


def good(amount: int) -> bytes:
    body = b'{"success": true, "data": {"credits": %d, "api_credits": %d}}' % (amount, amount)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


UNASKED = b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("rest", [good(999), b"\r\n", b"x", UNASKED])
def test_what_follows_an_answer_is_not_read_as_the_next_one(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, at_once: bool, rest: bytes
) -> None:
    """More than was asked for, in one piece or one after the other, and before the next request in any case."""
    peers: list[Peer] = []

    def answer(peer: Peer, _: Asked) -> None:
        peers.append(peer)
        peer.send(good(120) + rest if at_once and len(peers) == 1 else good(120))

    server = upstream(answer)
    running = desk(server.url)
    assert running.metrics().balance() == 120
    if not at_once:
        peers[0].send(rest)
        eventually(peers[0].arrived)
    assert [running.metrics().balance() for _ in range(3)] == [120] * 3
    assert server.connections == 2, "what came to its end in order is used on"


def test_an_answer_that_comes_again_while_another_is_waited_for_stays_with_its_account(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    """A second copy that comes late looks like the answer to the next request: that must not be another account's."""
    money = {f"account-{number}": 100 + number for number in range(8)}
    told: dict[Peer, bytes] = {}

    def answer(peer: Peer, asked: Asked) -> None:
        amount = next(amount for name, amount in money.items() if f"/{name}/" in asked.line)
        peer.send(told.get(peer, b"") + good(amount))
        told[peer] = good(amount)

    server = upstream(answer)
    running = desk(**{name: {"base_url": f"{server.url}/{name}"} for name in money})
    for name in list(money) * 3:
        assert running.metrics(query=f"?account={name}").balance(name) == money[name]


@pytest.mark.parametrize("secure", [False, True])
def test_interim_answers_and_their_answer_stay_with_their_account(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Callable[..., ssl.SSLContext],
    ca_file: str,
    secure: bool,
) -> None:
    """Two accounts of one host: a reader that takes 103 for an answer gives the first one's money to the second."""
    money = {"one": 111, "two": 222}

    def answer(peer: Peer, asked: Asked) -> None:
        amount = next(amount for name, amount in money.items() if f"/{name}/" in asked.line)
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + good(amount))

    server = upstream(answer, tls() if secure else None)
    settings = {"ca_file": ca_file} if secure else {}
    running = desk(**{name: {"base_url": f"{server.url}/{name}", **settings} for name in money})
    for _ in range(10):
        page = running.metrics()
        assert {name: page.balance(name) for name in money} == money
    assert server.connections <= 2, "each answer was understood to its last byte"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", id="two lengths"),
        pytest.param(b"Connection: close\r\nTransfer-Encoding: chunked\r\n", id="a promise to close"),
    ],
)
def test_a_connection_is_not_used_after(upstream: MakeUpstream, desk: MakeDesk, head: bytes) -> None:
    body = good(120).partition(b"\r\n\r\n")[2]
    chunks = b"HTTP/1.1 200 OK\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body)
    server = upstream(lambda peer, _: peer.send(chunks))
    running = desk(server.url)
    assert [running.metrics().balance() for _ in range(3)] == [120] * 3
    assert server.connections == 3


def test_a_connection_is_used_on_after_a_refusal_that_was_read_to_its_end(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream(lambda peer, _: peer.answer(b"{}", status="500 X"))
    running = desk(server.url)
    assert [running.metrics().reason() for _ in range(3)] == ["http_status"] * 3
    assert (server.connections, len(server.requests)) == (1, 3)


def test_what_is_not_used_on_is_closed_at_once(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    ended: list[bytes] = []

    def answer(peer: Peer, _: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        ended.append(peer.socket.recv(1024))

    running = desk(upstream(answer).url)
    # A socket is closed too when somebody collects it, sooner or later.
    gc.disable()
    try:
        assert running.metrics().reason() == "too_large"
        eventually(lambda: ended == [b""])
    finally:
        gc.enable()


def test_a_provider_that_comes_back_is_up_at_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, closed_port: int, eventually: Eventually
) -> None:
    server = upstream(lambda peer, _: peer.reset())
    running = desk(here={"base_url": server.url}, gone={"base_url": f"http://127.0.0.1:{closed_port}"})
    assert running.metrics().reason("here") == "unreachable"
    server.answer = lambda peer, _: peer.answer()
    page = running.metrics()
    assert (page.balance("here"), page.reason("gone")) == (120, "unreachable")
    eventually(lambda: len(server.requests) == 2)


def test_an_idle_connection_is_used_no_more_after_a_while(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load balancers forget idle connections, and what is sent on them is then never answered."""
    monkeypatch.setattr(pool, "MAX_IDLE", 0.0)
    used: set[Peer] = set()

    def answer(peer: Peer, _: Asked) -> None:
        if peer in used:
            peer.hang()
        used.add(peer)
        peer.answer()

    server = upstream(answer)
    running = desk(server.url)
    assert [running.metrics().up() for _ in range(5)] == [1] * 5
    assert (server.connections, len(server.requests)) == (5, 5)
    assert pool.MAX_IDLE < 60


def ended(peers: list[Peer]) -> bool:
    """Return whether the client has closed all of these connections, which the upstream then closes too."""
    return all(peer.socket.fileno() == -1 for peer in peers)


def test_connections_that_idled_for_too_long_are_closed_when_any_is_used(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[Peer] = []

    def answer(peer: Peer, _: Asked) -> None:
        met.append(peer)
        peer.answer()

    one, other = upstream(answer), upstream()
    running = desk(one={"base_url": one.url}, other={"base_url": other.url})
    running.metrics(query="?account=one")
    monkeypatch.setattr(pool, "MAX_IDLE", 0.0)
    running.metrics(query="?account=other")
    eventually(lambda: ended(met))


def test_a_reload_closes_connections_to_hosts_that_no_account_has_any_more(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    met: list[Peer] = []

    def answer(peer: Peer, _: Asked) -> None:
        met.append(peer)
        peer.answer()

    servers = [upstream(answer) for _ in range(4)]
    running = desk(servers[0].url)
    for server in servers:
        running.reload({"mall": {"base_url": server.url}})
        assert running.metrics().up() == 1
    eventually(lambda: ended(met[:-1]))


@pytest.mark.parametrize("secure", [False, True])
def test_a_connection_that_nobody_answers_for_any_more_costs_no_failure(
    upstream: MakeUpstream, desk: MakeDesk, tls: Callable[..., ssl.SSLContext], ca_file: str, secure: bool
) -> None:
    peers: list[Peer] = []

    def answer(peer: Peer, _: Asked) -> None:
        peers.append(peer)
        peer.answer()

    server = upstream(answer, tls() if secure else None)
    settings = {"ca_file": ca_file} if secure else {}
    running = desk(mall={"base_url": server.url, "timeout": "9s", **settings})
    assert running.metrics().up() == 1
    peers[0].deafen()
    assert running.trace().count("request  ") == 2, "the trace tells of both"
    assert (server.connections, len(server.requests)) == (2, 2)
    assert running.metrics().one("prepaid_exporter_upstream_requests_total") == 4


def idle_timer(port: int) -> tuple[str, int]:
    """Return the kind of timer that runs for the connection to a port here, and the ticks that are left of it."""
    for line in Path("/proc/net/tcp").read_text().splitlines():
        _, _, remote, state, _, timer, *_ = line.split()
        if (remote, state) == (f"0100007F:{port:04X}", "01"):
            kind, _, left = timer.partition(":")
            return kind, int(left, 16)
    raise LookupError(port)


def test_the_system_asks_soon_whether_an_idle_connection_s_other_end_is_there(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    server = upstream()
    running = desk(server.url)
    assert running.metrics().up() == 1
    keep_alive = "02"
    eventually(lambda: idle_timer(server.port)[0] == keep_alive)
    assert idle_timer(server.port)[1] <= 21 * os.sysconf("SC_CLK_TCK")


def test_a_slow_provider_is_not_asked_twice(upstream: MakeUpstream, desk: MakeDesk) -> None:
    """It has confirmed that the request arrived; that it takes most of the timeout is its own affair."""

    def answer(peer: Peer, _: Asked) -> None:
        peer.over.wait(2 if len(server.requests) > 1 else 0)
        peer.answer()

    server = upstream(answer)
    running = desk(mall={"base_url": server.url, "timeout": "3s"})
    assert running.metrics().up() == 1
    running.metrics()
    assert (server.connections, len(server.requests)) == (1, 2)
