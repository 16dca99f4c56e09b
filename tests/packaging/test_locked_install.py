"""Installing takes what the lock names, whatever the package index has published since.

The index is a real one on loopback, with invented packages in it: one of them is asked for with an extra, which is
where older versions of pip leave their own pins, and of each there is a version that is newer than the lock's.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.programs import PATIENCE

pytestmark = pytest.mark.slow

PROJECT = """
[build-system]
requires = ["builder>=1"]
build-backend = "builder"

[project]
name = "prepaid-exporter"
version = "1"
dependencies = ["asking"]
"""
BUILDER = """
import pathlib

def get_requires_for_build_editable(settings=None):
    return ["brought"]

def build_editable(folder, settings=None, metadata=None):
    import brought
    assert brought.VERSION == 1
    (built,) = pathlib.Path().glob("*.whl")
    pathlib.Path(folder, built.name).write_bytes(built.read_bytes())
    return built.name
"""
# What is newer breaks whoever takes it.
NEWER = "raise SystemExit('this is newer than the lock')\n"
RUN = {"asked": "1", "asking": "1", "brought": "1"}
DEVELOPMENT = RUN | {"builder": "1", "prepaid-exporter": "1", "uv": "1"}


def add(folder: Path, name: str, version: str, module: str, metadata: str = "", *, script: str = "") -> str:
    """Put a wheel into a folder, which is created; return the lines that lock it."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    stem = wheel.name.removesuffix("-py3-none-any.whl")
    files = {
        f"{name}.py": module,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{stem}.data/scripts/{name}"] = script
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, text)
    return f"{name}=={version} \\\n    --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def lock(packages: Path) -> dict[str, str]:
    """Fill the index; return the lines that lock the older version of each package."""
    real = f'#!/bin/sh\nexec {Path(sys.executable).with_name("uv")} "$@"\n'
    extra = "Provides-Extra: more\nRequires-Dist: brought; extra == 'more'\n"
    locked = {
        "asked": add(packages / "asked", "asked", "1", "", extra),
        "asking": add(packages / "asking", "asking", "1", "", "Requires-Dist: asked[more]\n"),
        "brought": add(packages / "brought", "brought", "1", "VERSION = 1\n"),
        "builder": add(packages / "builder", "builder", "1", BUILDER),
        "dropped": add(packages / "dropped", "dropped", "1", ""),
        "uv": add(packages / "uv", "uv", "1", "", script=real),
    }
    for name in locked:
        add(packages / name, name, "2", NEWER, extra, script="#!/bin/sh\nexit 1\n")
    return locked


@pytest.fixture(scope="module")
def environment(
    packages: Path, lock: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Serve the packages; yield the environment of somebody who told only pip where they are."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    assert lock
    folder = tmp_path_factory.mktemp("user")
    dropped = ("PIP_", "UV_", "VIRTUAL_ENV", "PYTHON", "MAKE", "MFLAGS", "COVERAGE_")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    # The listing of a folder is what the simple API wants: links to files.
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(packages))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        (folder / "pip.conf").write_text(f"[global]\nindex-url = http://127.0.0.1:{server.server_port}/\n")
        yield mine | {
            "PIP_CONFIG_FILE": str(folder / "pip.conf"),
            "PIP_NO_CACHE_DIR": "1",
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_NO_CONFIG": "1",
            "no_proxy": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
        }
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def prepared(
    root: Path, lock: dict[str, str], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a checkout with this Makefile and these scripts, and let it make its virtual environment."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copy(root / "Makefile", folder)
    shutil.copytree(root / "scripts", folder / "scripts")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "requirements-dev.lock").write_text("".join(lock.values()))
    (folder / "requirements.lock").write_text("".join(lock[name] for name in RUN))
    add(folder, "prepaid-exporter", "1", "", "Requires-Dist: asking\n")
    result = make(folder, environment, ".venv/python")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture
def checkout(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "checkout", symlinks=True)


def make(checkout: Path, environment: dict[str, str], target: str) -> subprocess.CompletedProcess[str]:
    command = ["make", target, f"PYTHON={sys.base_prefix}/bin/python3"]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def installed(checkout: Path) -> dict[str, str]:
    """Return the versions in the environment of a checkout, without what Python itself puts there."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("uv"),
        "pip",
        "list",
        "--format=json",
        "--no-config",
        "--python",
    ]
    listed = subprocess.run(
        [*command, checkout / ".venv/bin/python"], capture_output=True, text=True, check=True
    )
    packages = {package["name"]: package["version"] for package in json.loads(listed.stdout)}
    return {name: version for name, version in packages.items() if name not in ("pip", "setuptools")}


def test_the_development_environment_is_what_the_lock_names_and_nothing_else(
    checkout: Path, environment: dict[str, str], lock: dict[str, str]
) -> None:
    result = make(checkout, environment, "setup")
    assert result.returncode == 0, result.stdout + result.stderr
    assert installed(checkout) == DEVELOPMENT | {"dropped": "1"}
    (checkout / "requirements-dev.lock").write_text("".join(lock[name] for name in lock if name != "dropped"))
    result = make(checkout, environment, "setup")
    assert result.returncode == 0, result.stdout + result.stderr
    assert installed(checkout) == DEVELOPMENT


def test_the_demo_runs_on_what_the_lock_names(checkout: Path, environment: dict[str, str]) -> None:
    result = make(checkout, environment, ".venv/product")
    assert result.returncode == 0, result.stdout + result.stderr
    assert installed(checkout) == RUN | {"prepaid-exporter": "1", "uv": "1"}


@pytest.mark.parametrize("package", ["uv", "brought", "builder"])
def test_another_file_under_a_locked_version_is_refused(
    checkout: Path, environment: dict[str, str], package: str
) -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (checkout / name).read_text()
        other = re.sub(rf"(?m)^({package}==1 .*\n.*sha256:)\w+$", rf"\g<1>{'0' * 64}", text)
        (checkout / name).write_text(other)
    if package == "uv":  # as in an environment of which only Python itself is there
        (checkout / ".venv/python").unlink()
        for path in (checkout / ".venv").rglob("uv*"):
            path.unlink() if path.is_file() else shutil.rmtree(path)
    mine = environment | {"UV_CACHE_DIR": str(checkout / "cache")}
    result = make(checkout, mine, ".venv/product")
    assert result.returncode != 0
    assert "hash" in result.stderr.lower()
    assert "prepaid-exporter" not in installed(checkout)


def test_nothing_is_installed_or_built_but_what_a_lock_names(root: Path) -> None:
    scripts = (path for path in (root / "scripts").iterdir() if path.is_file())
    files = [root / "Makefile", root / "Dockerfile", *scripts, *(root / ".github/workflows").iterdir()]
    installs = re.compile(r"\bpip (install|sync|wheel|download)\b|\bpipx\b|\buvx\b|\b-m build\b")
    found = [
        (path.name, command)
        for path in files
        for command in path.read_text().replace("\\\n", " ").splitlines()
        if installs.search(command)
    ]
    assert {name for name, _ in found} == {"Makefile", "Dockerfile", "venv", "release.yml"}
    locked = ("--require-hashes", "--no-deps", "--no-isolation", "LOCKED")
    assert [command for _, command in found if not any(word in command for word in locked)] == []
