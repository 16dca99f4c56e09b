"""Answers that no provider should give, over real sockets: each has its reason, none takes longer than allowed."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from exporter.upstream.answer import MAX_SIZE

if TYPE_CHECKING:
    from tests.desk import Eventually, MakeDesk, MakeUpstream, Page
    from tests.peers import Answer, Asked, Peer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = json.dumps({"success": True, "data": {"credits": 7, "api_credits": 7}}).encode()
TIMEOUT = "400ms"
SLACK = 60
"""Seconds, beyond an account's timeout, that a busy machine may need to notice it; a scrape waits for minutes."""

BUFFERS = 64 * MAX_SIZE
"""More than a system lets the two ends of a connection hold; without a limit some gigabytes would pass."""

Scrape = Callable[..., Any]


@pytest.fixture
def scrape(upstream: MakeUpstream, desk: MakeDesk) -> Scrape:
    """Scrape one account whose provider answers as told."""

    def run(answer: Answer, **settings: str) -> Page:
        return desk(mall={"base_url": upstream(answer).url, **settings}).metrics()

    return run


def raw(*parts: bytes) -> Answer:
    """Send these bytes, then end the connection."""

    def answer(peer: Peer, _: Asked) -> None:
        for part in parts:
            peer.send(part)
        peer.close()

    return answer


def encoded(coding: str, body: bytes) -> Answer:
    return lambda peer, _: peer.answer(body, Content_Encoding=coding)


def down(page: Page, reason: str) -> bool:
    """Tell whether the account is down for this reason and nothing of a wallet is left on the page."""
    assert page.reason() == reason
    assert not page.wallet_samples()
    return page.up() == 0


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


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: -5\r\n", id="less than nothing"),
        pytest.param(b"Content-Length: %d;\r\n" % len(BODY), id="with a semicolon"),
        pytest.param(b"Content-Length: \r\n", id="empty"),
        pytest.param(b"Content-Length: +%d\r\n" % len(BODY), id="signed"),
        pytest.param(b"Content-Length: %d %d\r\n" % (len(BODY), len(BODY)), id="twice without a comma"),
        pytest.param(b"Content-Length: %d, 7\r\n" % len(BODY), id="two of them"),
        pytest.param(b"Content-Length: 0x4\r\n", id="hexadecimal"),
        pytest.param(b"Transfer-Encoding: identity, chunked\r\n", id="a coding that is gone"),
        pytest.param(b"Transfer-Encoding: gzip, chunked\r\n", id="a coding that nobody asked for"),
        pytest.param(b"Transfer-Encoding: chunked, chunked\r\n", id="chunks of chunks"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", id="chunked, on two lines"
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", id="a chunk of less than nothing"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n 5\r\n{    ", id="a chunk's length after a space"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0x5\r\n{    ", id="a chunk's length as a literal"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n5_0\r\n{    ", id="a chunk's length with a dash"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    x\r\n", id="a chunk that is longer"),
    ],
)
def test_a_length_that_is_none_is_malformed_at_once(scrape: Scrape, head: bytes) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + head + b"\r\n" + BODY)
        peer.hang()

    page = scrape(answer)
    assert down(page, "malformed")
    assert page.one("prepaid_account_http_status_code") == 200


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY)), id="in one line"),
        pytest.param(b"Content-Length: %d\r\n" % len(BODY) * 2, id="in two lines"),
        pytest.param(b"Content-Length:%d\t \r\n" % len(BODY), id="with white space"),
        pytest.param(
            b"Transfer-Encoding: CHUNKED\r\n\r\n%x;a=b;c\r\n%b\r\n0\r\nX: y\r\n" % (len(BODY), BODY),
            id="chunks",
        ),
        pytest.param(
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(BODY), BODY),
            id="chunks and a length",
        ),
    ],
)
def test_a_length_that_is_said_more_than_once_is_read(scrape: Scrape, head: bytes) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + head + b"\r\n" + (b"" if b"chunked" in head.lower() else BODY))
        peer.hang()

    assert scrape(answer).balance() == 7


def test_a_body_that_is_announced_too_long_is_not_waited_for(scrape: Scrape) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(HEAD + f"Content-Length: {MAX_SIZE + 1}\r\n\r\n".encode())
        peer.hang()

    assert down(scrape(answer), "too_large")


@pytest.mark.parametrize("announced", [b"9" * 5000, b"\xb2", b"lots", b"", b"1e3", b"+"])
def test_a_senseless_length_is_malformed(scrape: Scrape, announced: bytes) -> None:
    assert down(scrape(raw(HEAD + b"Content-Length: " + announced + b"\r\n\r\n" + BODY)), "malformed")


@pytest.mark.parametrize("size", [b"-9", b"-19"])
def test_a_chunk_that_is_less_than_nothing_is_malformed(scrape: Scrape, size: bytes) -> None:
    answer = raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n")
    page = scrape(answer)
    assert down(page, "malformed")
    assert page.one("prepaid_account_http_status_code") == 200


def test_headers_beyond_all_measure_are_too_large(scrape: Scrape) -> None:
    headers = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 60_000) for number in range(90))
    assert down(scrape(raw(HEAD + headers + b"\r\n" + BODY)), "too_large")


def test_two_lengths_that_differ_are_malformed(scrape: Scrape) -> None:
    lengths = b"Content-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    assert down(scrape(raw(HEAD + lengths + BODY)), "malformed")


def test_the_longest_body_allowed_is_read(scrape: Scrape) -> None:
    page = scrape(lambda peer, _: peer.answer(BODY.ljust(MAX_SIZE)))
    assert page.balance() == 7


def test_one_byte_more_than_allowed_is_too_large(scrape: Scrape) -> None:
    assert down(scrape(lambda peer, _: peer.answer(BODY.ljust(MAX_SIZE + 1))), "too_large")


def bomb(coding: str) -> tuple[Answer, float]:
    """Give an answer of half a gigabyte, and the processor's seconds that this machine needs to unpack it."""
    packed = zlib.compressobj(9, wbits=(wbits := 31 if coding == "gzip" else 15))
    body = packed.compress(b" " * (512 * MAX_SIZE)) + packed.flush()
    assert len(body) < MAX_SIZE, "small on the wire"
    begun, unpacked = time.process_time(), zlib.decompressobj(wbits=wbits)
    assert unpacked.decompress(body, MAX_SIZE)
    while unpacked.unconsumed_tail:
        unpacked.decompress(unpacked.unconsumed_tail, MAX_SIZE)
    return encoded(coding, body), time.process_time() - begun


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_too_large_and_is_not_unpacked(scrape: Scrape, coding: str) -> None:
    answer, unpacking = bomb(coding)
    begun = time.process_time()
    assert down(scrape(answer), "too_large")
    assert time.process_time() - begun < unpacking / 2


def test_a_bomb_in_a_bomb_is_too_large(scrape: Scrape) -> None:
    inner = gzip.compress(b" " * (256 * MAX_SIZE))
    assert down(scrape(encoded("gzip, gzip", gzip.compress(inner))), "too_large")


def test_a_small_body_that_unpacks_to_just_over_the_limit_is_too_large(scrape: Scrape) -> None:
    assert down(scrape(encoded("gzip", gzip.compress(BODY.ljust(MAX_SIZE + 1)))), "too_large")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param("gzip", gzip.compress(BODY), id="gzip"),
        pytest.param("deflate", zlib.compress(BODY), id="deflate"),
        pytest.param("deflate", zlib.compress(BODY, wbits=-15), id="raw deflate"),
        pytest.param("identity", BODY, id="identity"),
        pytest.param("gzip, gzip", gzip.compress(gzip.compress(BODY)), id="twice"),
        pytest.param("gzip", gzip.compress(BODY[:10]) + gzip.compress(BODY[10:]), id="in two members"),
    ],
)
def test_packed_answers_are_unpacked(scrape: Scrape, coding: str, body: bytes) -> None:
    assert scrape(encoded(coding, body)).balance() == 7


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param("gzip", BODY, id="not gzip at all"),
        pytest.param("gzip", gzip.compress(BODY)[:20], id="gzip cut short"),
        pytest.param("gzip", gzip.compress(BODY)[:12] + b"\xff" * 30, id="gzip of garbage"),
        pytest.param("gzip", gzip.compress(BODY)[:-8] + bytes(8), id="wrong checksum"),
        pytest.param("deflate", BODY, id="not deflate at all"),
        pytest.param("gzip", b"", id="nothing"),
        pytest.param("br", BODY[::-1], id="a coding that nobody asked for"),
        pytest.param(", ".join(["gzip"] * 50), gzip.compress(BODY), id="fifty codings"),
    ],
)
def test_broken_packing_is_malformed(scrape: Scrape, coding: str, body: bytes) -> None:
    assert down(scrape(encoded(coding, body)), "malformed")


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
    "data",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1\r\n", id="another protocol"),
        pytest.param(b"\x00\x01\x02\xff" * 100 + b"\n", id="binary"),
        pytest.param(BODY + b"\n", id="a body without headers"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="a status that is no number"),
        pytest.param(b"HTTP/1.1 99999 OK\r\n\r\n", id="a status beyond all"),
        pytest.param(b"HTTP/1.1 " + b"2" * 70_000 + b"\r\n\r\n", id="an endless status line"),
        pytest.param(HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", id="an endless header"),
        pytest.param(
            HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + b"\r\n",
            id="10,000 headers",
        ),
    ],
)
def test_what_is_not_http_is_malformed(scrape: Scrape, data: bytes) -> None:
    def answer(peer: Peer, _: Asked) -> None:
        peer.send(data)
        peer.hang()

    page = scrape(answer)
    assert down(page, "malformed")
    assert page.one("prepaid_account_http_status_code") is None


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"X-Odd: \xff\xfe\x01\r\n", id="not text"),
        pytest.param(b"X-Empty:\r\n", id="empty"),
        pytest.param(b"Content-Type: application/json; charset=nonsense; =; ;;\r\n", id="odd charset"),
        pytest.param(b"Set-Cookie: a=b; expires=Never, 99-Foo-0; domain=.; \xff\r\n", id="odd cookie"),
        pytest.param(b"Location: http://[broken\r\n", id="odd location"),
        pytest.param(b"Retry-After: \xff\xfe\r\n", id="odd Retry-After"),
        pytest.param(b"Connection: close, keep-alive\r\n", id="odd connection"),
        pytest.param(b"Date: never\r\n X-Folded: yes\r\n", id="folded"),
    ],
)
def test_odd_headers_beside_a_good_answer_do_not_matter(scrape: Scrape, headers: bytes) -> None:
    page = scrape(raw(HEAD + b"Content-Length: %d\r\n" % len(BODY) + headers + b"\r\n" + BODY))
    assert (page.up(), page.balance()) == (1, 7)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"no colon here\r\n", id="no colon"),
        pytest.param(b": no name\r\n", id="no name"),
        pytest.param(b"X-Odd : a\r\n", id="a space before the colon"),
        pytest.param(b"X-Odd: a\x00b\r\n", id="NUL"),
        pytest.param(b"X-Odd: a\rb\r\n", id="a carriage return alone"),
    ],
)
def test_a_line_that_is_no_header_makes_the_answer_malformed(scrape: Scrape, line: bytes) -> None:
    page = scrape(raw(HEAD + b"Content-Length: %d\r\n" % len(BODY) + line + b"\r\n" + BODY))
    assert down(page, "malformed")
    assert page.one("prepaid_account_http_status_code") == 200


@pytest.mark.parametrize(
    "line", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200\r\n", b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200 \xff\r\n"]
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_an_old_or_careless_server_is_read(scrape: Scrape, line: bytes, end: bytes) -> None:
    assert scrape(raw(line + b"X: y" + end + end + BODY)).balance() == 7


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"ICY 200 OK\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1200 OK\r\n",
        b"HTTP/1.1 000 OK\r\n",
    ],
)
def test_a_line_that_is_no_status_is_malformed(scrape: Scrape, line: bytes) -> None:
    page = scrape(raw(line + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY))
    assert down(page, "malformed")
    assert page.one("prepaid_account_http_status_code") is None


def interim(status: int, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 %d Wait" % status, *headers, b"", b""])


@pytest.mark.parametrize("status", [100, 102, 103, 104, 110, 199])
@pytest.mark.parametrize("count", [1, 5])
def test_interim_answers_are_passed_over(scrape: Scrape, status: int, count: int) -> None:
    before = interim(status, b"Link: </style.css>; rel=preload", b"Content-Length: 5") * count
    page = scrape(raw(before + HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY))
    assert page.balance() == 7
    assert page.one("prepaid_account_http_status_code") == 200


def test_interim_answers_may_come_in_pieces(scrape: Scrape) -> None:
    whole = interim(103) + interim(102) + HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    assert scrape(raw(*(whole[place : place + 7] for place in range(0, len(whole), 7)))).balance() == 7


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (interim(103) * 1000, "malformed"),
        (interim(103, b"X: " + b"y" * 60_000) * 40, "too_large"),
        (interim(103) + b"nonsense\r\n\r\n", "malformed"),
    ],
)
def test_interim_answers_are_within_the_limits_of_the_answer(
    scrape: Scrape, before: bytes, reason: str
) -> None:
    page = scrape(raw(before + HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY))
    assert down(page, reason)
    assert page.one("prepaid_account_http_status_code") is None


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


def test_thresholds_that_no_wallet_has_are_named(upstream: MakeUpstream, desk: MakeDesk) -> None:
    account = {
        "base_url": upstream().url,
        "wallet_thresholds": {"CREDIT": {"critical": 5}, "credits": {"info": 9}},
    }
    trace = desk(mall=account).trace()
    assert "wallet_thresholds.CREDIT matches no wallet" in trace
    assert "wallet_thresholds.credits" not in trace


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


@pytest.mark.parametrize("coding", ["x-gzip", "GZIP", "gzip, identity"])
def test_codings_have_several_names(scrape: Scrape, coding: str) -> None:
    assert scrape(encoded(coding, gzip.compress(BODY))).balance() == 7


def test_padding_after_what_is_packed_is_passed_over(scrape: Scrape) -> None:
    assert scrape(encoded("gzip", gzip.compress(BODY) + bytes(64))).balance() == 7


@pytest.mark.parametrize("coding", ["UTF-8", "none", ""])
def test_what_is_no_coding_at_all_is_passed_over(scrape: Scrape, coding: str) -> None:
    assert scrape(encoded(coding, BODY)).balance() == 7


def test_members_beyond_all_measure_are_malformed(scrape: Scrape) -> None:
    assert down(scrape(encoded("gzip", gzip.compress(b"") * 50_000)), "malformed")
