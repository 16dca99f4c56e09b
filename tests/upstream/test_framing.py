"""How an answer is framed, over real sockets: status line, headers, length, chunks, interim answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upstream.answers import BODY, HEAD, Scrape, down, raw

if TYPE_CHECKING:
    from tests.peers import Asked, Peer


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
