"""A credential of an account: where it is kept, and how it is read without ever being shown."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

MASK = "***"
_MAX_SIZE = 64 * 1024


@dataclass(frozen=True)
class Secret:
    """A secret in a file, in an environment variable, or given literally; exactly one of the three."""

    file: Path | None = None
    env: str | None = None
    literal: str = field(default="", repr=False)

    def read(self) -> str:
        """Give the secret without surrounding white space, read afresh.

        Raise ValueError, in words that may be shown, when it is gone, empty, or holds a line break or
        another control character (those would allow a second header to be smuggled into a request).
        """
        value = self._raw().strip()
        if not value:
            raise ValueError(f"{self.place} is empty")
        if not value.isprintable():
            raise ValueError(f"{self.place} holds a line break or another control character")
        return value

    def _raw(self) -> str:
        if self.file is not None:
            try:
                return _text(self.file)
            except OSError as error:
                raise ValueError(f"{self.place} cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"{self.place} is not UTF-8 text") from None
            except ValueError:
                raise ValueError("is not the name of a file") from None
        if self.env is not None:
            if self.env not in os.environ:
                raise ValueError(f"{self.place} is not set")
            return os.environ[self.env]
        return self.literal

    @property
    def place(self) -> str:
        """Say where the secret is kept."""
        if self.file is not None:
            return f"the file {self.file}"
        return f"the environment variable {self.env}" if self.env is not None else "the value"


def _text(file: Path) -> str:
    if file.is_fifo() or file.is_char_device():
        # To read it could take for ever, and an account that is being read is not asked again.
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    if file.stat().st_size > _MAX_SIZE:
        raise OSError(errno.EFBIG, f"it is over {_MAX_SIZE} bytes")
    return file.read_text(encoding="utf-8")
