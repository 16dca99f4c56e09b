"""Answers that no provider should give, over real sockets: each has its reason, none takes longer than allowed."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from exporter.upstream.answer import MAX_SIZE
from tests.upstream.answers import BODY, HEAD, TIMEOUT, Scrape, down, raw

if TYPE_CHECKING:
    from tests.desk import Eventually, MakeDesk, MakeUpstream
    from tests.peers import Answer, Asked, Peer

SLACK = 60
"""Seconds, beyond an account's timeout, that a busy machine may need to notice it; a scrape waits for minutes."""

BUFFERS = 64 * MAX_SIZE
"""More than a system lets the two ends of a connection hold; without a limit some gigabytes would pass."""


def dripped_head(peer: Peer, _: Asked) -> None:
    peer.send(HEAD)
    peer.drip(b"X-Slow: very slow indeed\r\n")


def dripped_body(peer: Peer, _: Asked) -> None:
    peer.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    peer.drip(b" ")


def dripped_chunks(peer: Peer, _: Asked) -> None:
    peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\n \r\n")


def dripped_gzip(peer: Peer, _: Asked) -> None:
    packed = gzip.compress(b" " * 100_000, compresslevel=0)
    peer.send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n")
    peer.drip(packed)


def endless_interim_answers(peer: Peer, _: Asked) -> None:
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001)


def silence(peer: Peer, _: Asked) -> None:
    peer.hang()


def half_an_answer_then_silence(peer: Peer, _: Asked) -> None:
    peer.send(HEAD + b"Content-Length: 100\r\n\r\n{")
    peer.hang()


@pytest.mark.parametrize(
    "answer",
    [
        dripped_head,
        dripped_body,
        dripped_chunks,
        dripped_gzip,
        endless_interim_answers,
        silence,
        half_an_answer_then_silence,
    ],
)
def test_the_timeout_holds_for_the_whole_exchange(scrape: Scrape, answer: Answer) -> None:
    page = scrape(answer, timeout=TIMEOUT)
    assert down(page, "timeout")
    assert 0.35 < page.seconds < 0.4 + SLACK
    assert 0.35 < (page.one("prepaid_account_collect_duration_seconds") or 0) < 0.4 + SLACK


@pytest.mark.parametrize("answer", [dripped_body, dripped_chunks, half_an_answer_then_silence])
def test_an_answer_that_broke_off_still_shows_its_status(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, answer: Answer
) -> None:
    running = desk(mall={"base_url": upstream(answer).url, "timeout": TIMEOUT})

    def shown() -> bool:
        page = running.metrics()
        assert down(page, "timeout")
        return page.one("prepaid_account_http_status_code") == 200

    # On a busy machine the time may be over before the first line is there.
    eventually(shown)


def endless(head: bytes, part: bytes) -> tuple[Answer, list[int]]:
    """Send a body that does not end, and count what the client took."""
    sent = [0]

    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + head + b"\r\n")
        while not peer.over.is_set():
            peer.send(part)
            sent[0] += len(part)

    return answer, sent


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(b"", b" " * 65536, id="until the connection ends"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n", id="chunked"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"1;" + b"x" * 65536, id="the extension of a chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0", b"X: " + b"y" * 9000 + b"\r\n", id="trailers"),
        pytest.param(b"Content-Length: 99999999999\r\n", b" " * 65536, id="announced"),
    ],
)
def test_an_endless_body_is_cut_off_at_the_limit(scrape: Scrape, head: bytes, part: bytes) -> None:
    answer, sent = endless(head, part)
    assert down(scrape(answer), "too_large")
    assert sent[0] < BUFFERS, "the rest, in the buffers between the two ends"


def test_a_body_that_is_announced_too_long_is_not_waited_for(scrape: Scrape) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + f"Content-Length: {MAX_SIZE + 1}\r\n\r\n".encode())
        peer.hang()

    assert down(scrape(answer), "too_large")


def test_the_longest_body_allowed_is_read(scrape: Scrape) -> None:
    page = scrape(lambda peer, _: peer.answer(BODY.ljust(MAX_SIZE)))
    assert page.balance() == 7


def test_one_byte_more_than_allowed_is_too_large(scrape: Scrape) -> None:
    assert down(scrape(lambda peer, _: peer.answer(BODY.ljust(MAX_SIZE + 1))), "too_large")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda peer, _: peer.reset(), id="reset after the request"),
        pytest.param(lambda peer, _: peer.close(), id="closed after the request"),
        pytest.param(raw(HEAD + b"Content-Length: 100\r\n\r\n{"), id="body cut short"),
        pytest.param(raw(HEAD + b"Content-Length: 999\r\n\r\n" + BODY), id="less than announced"),
        pytest.param(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), id="chunk cut short"),
        pytest.param(
            raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(BODY), BODY)),
            id="last chunk missing",
        ),
    ],
)
def test_a_connection_that_ends_early_is_unreachable(scrape: Scrape, answer: Answer) -> None:
    assert down(scrape(answer), "unreachable")


def test_a_reset_in_the_body_is_unreachable(scrape: Scrape) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + b"Content-Length: 100\r\n\r\n{")
        peer.reset()

    assert down(scrape(answer), "unreachable")


def test_a_reset_at_the_connection_is_unreachable(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    server.greet = lambda peer: peer.reset()
    assert down(desk(server.url).metrics(), "unreachable")
    assert server.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"[1, 2",
        b'"text"',
        b"null",
        b"[]",
        b"NaN",
        b"[" * 200_000,
        b"\xff\xfe{}",
        b"1" * 9999,
    ],
    ids=[
        "empty",
        "html",
        "cut",
        "cut list",
        "text",
        "null",
        "list",
        "NaN",
        "deep",
        "not UTF-8",
        "long number",
    ],
)
def test_a_body_that_is_no_document_of_the_provider_is_malformed(scrape: Scrape, body: bytes) -> None:
    assert down(scrape(lambda peer, _: peer.answer(body)), "malformed")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("401 Unauthorized", "auth"),
        ("403 Forbidden", "auth"),
        ("429 Too Many Requests", "rate_limited"),
        ("404 Not Found", "http_status"),
        ("500 Internal Server Error", "http_status"),
        ("503 Service Unavailable", "http_status"),
        ("599 ", "http_status"),
        ("101 Switching Protocols", "http_status"),
        ("301 Moved Permanently", "redirect"),
        ("204 No Content", "malformed"),
    ],
)
def test_each_status_has_its_reason(scrape: Scrape, status: str, reason: str) -> None:
    page = scrape(lambda peer, _: peer.answer(b"", status=status))
    assert down(page, reason)
    assert page.one("prepaid_account_http_status_code") == int(status[:3])


GARBLED = BODY.replace(b"7", b"8")

UNREADABLE = {
    "compressed otherwise than it says": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(GARBLED), GARBLED),
    "in a coding that nobody asked for": b"Content-Encoding: br\r\nContent-Length: %d\r\n\r\n%b"
    % (len(GARBLED), GARBLED),
    "cut": b"Content-Length: 999\r\n\r\n" + GARBLED,
    "cut between chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n",
    "of chunks that are none": b"Transfer-Encoding: chunked\r\n\r\nnone\r\n",
    "announced as too large": b"Content-Length: 99999999\r\n\r\n",
    "too large": b"\r\n" + b" " * (MAX_SIZE + 1),
    "too large when unpacked": b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * (MAX_SIZE + 1)),
    "of no length": b"Content-Length: none\r\n\r\n",
    "behind a line that is no header": b"no header\r\nContent-Length: 4\r\n\r\nnone",
}


def unreadable(status: str, rest: bytes) -> Answer:
    return raw(f"HTTP/1.1 {status}\r\nRetry-After: 600\r\n".encode() + rest)


@pytest.mark.parametrize("rest", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("401 Unauthorized", "auth"),
        ("403 Forbidden", "auth"),
        ("429 Too Many Requests", "rate_limited"),
        ("302 Found", "redirect"),
        ("404 Not Found", "http_status"),
        ("500 Internal Server Error", "http_status"),
        ("503 Service Unavailable", "http_status"),
    ],
)
def test_a_status_counts_whatever_becomes_of_the_body(
    scrape: Scrape, status: str, reason: str, rest: bytes
) -> None:
    page = scrape(unreadable(status, rest))
    assert down(page, reason)
    assert page.one("prepaid_account_http_status_code") == int(status[:3])


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("rest", UNREADABLE.values(), ids=UNREADABLE)
def test_a_wait_is_obeyed_whatever_becomes_of_the_body(
    upstream: MakeUpstream, desk: MakeDesk, status: str, rest: bytes
) -> None:
    server = upstream(unreadable(status, rest))
    running = desk(server.url)
    for _ in range(3):
        assert running.metrics().up() == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("401 X", "auth"), ("429 X", "rate_limited"), ("500 X", "http_status")]
)
def test_a_status_counts_whose_body_never_comes(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, status: str, reason: str
) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(f"HTTP/1.1 {status}\r\nContent-Length: 50\r\n\r\n".encode())
        peer.hang()

    running = desk(mall={"base_url": upstream(answer).url, "timeout": TIMEOUT})
    # On a busy machine the time may be over before the first line is there.
    eventually(lambda: running.metrics().reason() == reason)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("compressed otherwise than it says", "malformed"),
        ("cut", "unreachable"),
        ("of chunks that are none", "malformed"),
        ("announced as too large", "too_large"),
        ("too large when unpacked", "too_large"),
    ],
)
def test_of_a_success_the_body_counts(scrape: Scrape, name: str, reason: str) -> None:
    assert down(scrape(unreadable("200 OK", UNREADABLE[name])), reason)
