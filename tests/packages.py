"""The packages that are made of the checkout: built and installed once for a run of the tests."""

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.programs import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".*cache*", ".coverage*", ".venv", ".hypothesis", "dist", "build", "__pycache__"
)


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder that all processes of a run share, unless one of them has; return it."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            make(folder)
            done.touch()
    return folder


def succeed(command: Sequence[str | Path], **environment: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(folder: Path) -> None:
    """Build sdist and wheel into `dist` in the folder, of a copy of the checkout in which every file has a new time."""
    source = shutil.copytree(
        ROOT, folder / "source", symlinks=True, ignore=NOT_SOURCE, copy_function=shutil.copy
    )
    # With the locked tools of this environment, not with what the package index has today.
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        folder / "dist",
        source,
    ]
    succeed(command, SOURCE_DATE_EPOCH="1700000000")
    shutil.rmtree(source)


def install(wheel: Path, folder: Path) -> None:
    """Install the lock and a wheel into a new virtual environment, far from the checkout."""
    venv.create(folder)
    uv: list[str | Path] = [sys.executable, ROOT / "scripts/uv.py", "pip"]
    where: list[str | Path] = ["--quiet", "--python", folder / "bin/python"]
    succeed([*uv, "sync", "--require-hashes", "--no-build", ROOT / "requirements.lock", *where])
    succeed([*uv, "install", "--no-deps", wheel, *where])
    succeed([*uv, "check", *where])
