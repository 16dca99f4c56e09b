"""An answer in a file, as curl printed it: with its head (`curl -i`) or without."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.files import read_file
from exporter.upstream.answer import MAX_SIZE

_HEAD = re.compile(rb"HTTP/[0-9.]+ (\d{3})[^\n]*\n((?:[^\r\n]+\r?\n)*)\r?\n")


class SavedError(ValueError):
    """A file that cannot be read; the text says which, and why."""


@dataclass(frozen=True)
class Saved:
    """An answer; the names of its headers are in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """Return its Content-Type, empty where the file does not say it."""
        return self.headers.get("content-type", "")


def read(file: Path, status: int | None = None) -> Saved:
    """Return the answer in a file; `status` counts before the one that the file says, which is 200 without a head.

    Of several heads, those of a proxy or an interim answer among them, the last one counts. Raise `SavedError`.
    """
    try:
        body = read_file(file, MAX_SIZE)
    except OSError as error:
        raise SavedError(f"{file}: cannot be read: {error.strerror}") from None
    said, headers = 200, {}
    while head := _HEAD.match(body):
        lines = (line.partition(":") for line in head[2].decode("latin-1").splitlines())
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        said, body = int(head[1]), body[head.end() :]
    return Saved(status or said, headers, body)
