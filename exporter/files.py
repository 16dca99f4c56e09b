"""Files: how operators' are read without waiting for them, what tells one from its renewal, how many may be open."""

import errno
import os
import resource
import stat
from contextlib import suppress
from pathlib import Path


def raise_file_limit() -> None:
    """Take as many open files as the machine allows: each account that is asked needs one, and the default is low."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def read_file(path: Path, limit: int) -> bytes:
    """Return all bytes of a regular file that has at most `limit` of them.

    The file is opened first and then looked at, so that nothing can take its place in between. Opening waits for
    nobody. Raise OSError, with a `strerror` that may be shown, where the file cannot be read, is a pipe, a socket or a
    device, or is over the limit.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "it is not the name of a file") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise _no_regular_file() from None
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise _no_regular_file()
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is over {limit:,} bytes")
    return content


def _no_regular_file() -> OSError:
    # A shell's <(...) is one of them: its text can be read once, and files of the operator's are read again.
    return OSError(
        errno.EINVAL, "it is a pipe or a device; it must be a regular file, since it is read more than once"
    )


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """Return what a renewal of the file changes, None where there is no file.

    A symbolic link is followed: Kubernetes swaps secrets and configurations by links.
    """
    try:
        state = path.stat()
    except (OSError, ValueError):
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size
