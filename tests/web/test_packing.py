"""A gzip member whose first part many share."""

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from exporter.web.packing import Packer


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_what_is_unpacked_is_what_was_packed(shared: bytes, own: bytes) -> None:
    packer = Packer()
    for text in (own, own[::-1]):
        packed = b"".join(packer.gzip(shared, text))
        assert gzip.decompress(packed) == shared + text
        # One member, since there are clients that stop reading after the first.
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert (reader.decompress(packed), reader.eof, reader.unused_data) == (shared + text, True, b"")


def test_many_who_ask_at_once_share_the_long_part() -> None:
    packer, shared = Packer(), b"".join(b"line %d\n" % number for number in range(100_000))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: packer.gzip(shared, b"%d" % number), range(50)))
    assert len({id(part) for parts in answers for part in parts if len(part) > 1000}) == 1
    assert gzip.decompress(b"".join(answers[7])) == shared + b"7"


def test_texts_of_several_formats_are_kept_beside_each_other() -> None:
    packer = Packer()
    texts = [bytes([65 + number]) * 5000 for number in range(3)]
    first = [packer.gzip(text, b"")[1] for text in texts]
    again = [packer.gzip(text, b"")[1] for text in texts]
    assert [id(blocks) for blocks in first] == [id(blocks) for blocks in again]
