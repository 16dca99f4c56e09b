"""Files of the operator's: how one is told from its renewal."""

from pathlib import Path


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """Tell files apart by what a renewal changes, None where there is none.

    A symbolic link is followed: Kubernetes swaps secrets and configurations by links.
    """
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size
