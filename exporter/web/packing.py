"""Gzip of a page whose first part many share: it is packed once, and kept once, however many read it."""

import struct
import zlib
from dataclasses import dataclass
from threading import Lock

_LEVEL = 1
_RAW = -zlib.MAX_WBITS
_HEAD = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"
_KEPT = 4


@dataclass(frozen=True)
class _Packed:
    text: bytes
    blocks: bytes
    checksum: int


class Packer:
    """Keeps the last few shared texts as they are packed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: list[_Packed] = []

    def gzip(self, shared: bytes, own: bytes) -> list[bytes]:
        """Return the parts of one gzip member (RFC 1952) that holds `shared`, then `own`.

        Deflated data is a row of blocks, and what is flushed in full refers to nothing before it: so the blocks of one
        text can stand before those of another.
        """
        packed = self._packed(shared)
        last = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        checksum = zlib.crc32(own, packed.checksum)
        size = (len(shared) + len(own)) & 0xFFFFFFFF
        end = last.compress(own) + last.flush(zlib.Z_FINISH) + struct.pack("<II", checksum, size)
        return [_HEAD, packed.blocks, end]

    def _packed(self, shared: bytes) -> _Packed:
        # Under the lock, so that requests at the same time share one result.
        with self._lock:
            for packed in self._kept:
                if packed.text is shared:
                    return packed
            first = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
            blocks = first.compress(shared) + first.flush(zlib.Z_FULL_FLUSH)
            packed = _Packed(shared, blocks, zlib.crc32(shared))
            self._kept = [packed, *self._kept[: _KEPT - 1]]
            return packed
