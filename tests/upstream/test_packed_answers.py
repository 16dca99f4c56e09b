"""Answers that are compressed, over real sockets: unpacked within bounds, or malformed."""

from __future__ import annotations

import gzip
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from exporter.upstream.answer import MAX_SIZE
from tests.upstream.answers import BODY, Scrape, down, encoded

if TYPE_CHECKING:
    from tests.peers import Answer


def bomb(coding: str) -> tuple[Answer, float]:
    """Return an answer of half a gigabyte, and the processor's seconds that this machine needs to unpack it."""
    packed = zlib.compressobj(9, wbits=(wbits := 31 if coding == "gzip" else 15))
    # After a full flush, the same bytes mean the same again: what is packed once is sent very often.
    first, again = (packed.compress(b" " * MAX_SIZE) + packed.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    body = first + again * 511
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
