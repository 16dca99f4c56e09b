"""The file of authorities that an account trusts in place of the public ones."""

from pathlib import Path

from exporter.files import read_file

_MAX_SIZE = 4 * 1024 * 1024


def authorities(file: Path) -> str:
    """Return the certificates of a PEM file, as the TLS library takes them for `cadata`; raise OSError.

    The library would wait for a pipe, and a comment between two certificates may be in any language.
    """
    # To the library an empty text means the authorities of the system.
    return read_file(file, _MAX_SIZE).decode("ascii", "ignore") + "\n"
