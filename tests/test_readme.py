"""What the README tells a newcomer to type works, in a fresh copy of the checkout and new virtual environments."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from exporter.simulator import Simulator
from tests.programs import PATIENCE, readable

pytestmark = pytest.mark.slow

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def blocks(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for language, text in BLOCK.findall((root / "README.md").read_text()):
        found.setdefault(language, []).append(text)
    return found


@pytest.fixture(scope="module")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what git tracks, as a clone would have it."""
    target = tmp_path_factory.mktemp("newcomer")
    # Whoever owns the checkout, and whichever repository a hook that runs the tests has in mind.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    files = subprocess.run(command, cwd=root, env=mine, check=True, capture_output=True, text=True)
    for name in filter(None, files.stdout.split("\0")):
        source, destination = root / name, target / name
        if source.exists() or source.is_symlink():
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def begun(copy: Path) -> Path:
    """Return a copy that has the new environment, and uv in it, which CI's clean clone begins with as a newcomer does.

    They are those of this test: pip is slow to install itself and uv, and here to do it again would prove no more.
    """
    made = copy / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    packages = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
    for part in ("bin/uv", packages / "pip"):
        (made / part).symlink_to(Path(sys.prefix, part))
    (made / "python").touch()
    return copy


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Return an environment as a newcomer has it: not that of these tests."""
    dropped = {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL"}
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    here = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join(
        part for part in environment["PATH"].split(os.pathsep) if part != here
    )
    for name in ("no_proxy", "NO_PROXY"):  # a desk's proxy has no say on loopback
        environment[name] = ",".join(filter(None, [environment.get(name), "127.0.0.1"]))
    return environment | {"PREPAID_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0"}


@contextmanager
def started(command: list[str], folder: Path, environment: dict[str, str], pattern: str) -> Iterator[str]:
    """Run a command until it prints `pattern`, yield the match, and end it as Ctrl-C would."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    end, seen = time.monotonic() + PATIENCE, b""
    try:
        while not (match := re.search(pattern, seen.decode(errors="replace"))):
            assert readable(process.stdout.fileno(), end), seen.decode()
            chunk = os.read(process.stdout.fileno(), 65536)
            assert chunk, seen.decode()
            seen += chunk
        yield match[1]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.stdout.close()


def test_the_demo_shows_the_sample_of_the_readme(
    blocks: dict[str, list[str]], begun: Path, environment: dict[str, str]
) -> None:
    assert "make demo\n" in blocks["sh"]
    # A world that stands still shows the documented numbers, as the sample does.
    command = ["make", "demo", "SPEED=0", f"PYTHON={sys.base_prefix}/bin/python3"]
    with started(command, begun, environment, r"(http://127\.0\.0\.1:\d+)/metrics") as url:
        shown = next(text for text in blocks["sh"] if "curl" in text).replace("http://127.0.0.1:10710", url)
        page = subprocess.run(
            ["sh", "-c", shown], env=environment, check=True, capture_output=True, text=True
        ).stdout
        sample = blocks["text"][0].splitlines()
        assert len(sample) > 4
        assert set(sample) <= set(page.splitlines())


def test_the_demo_takes_the_speed_and_the_port_that_the_readme_shows(root: Path) -> None:
    (shown,) = re.findall(r"`(make demo SPEED=\d+ PORT=\d+)`", (root / "README.md").read_text())
    speed, port = re.findall(r"=(\d+)", shown)
    command = [*shown.split(), "--dry-run"]
    plan = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    assert f"demo --speed {speed} --web.listen-address 127.0.0.1:{port}\n" in plan


def test_make_test_is_what_ci_runs(
    blocks: dict[str, list[str]], root: Path, environment: dict[str, str]
) -> None:
    assert "make test\n" in blocks["sh"]
    assert re.search(r"^make test$", (root / ".ci" / "run").read_text(), re.MULTILINE)
    command = ["make", "-n", "test"]
    plan = subprocess.run(
        command, cwd=root, env=environment, check=True, capture_output=True, text=True
    ).stdout
    for step in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        "generate.py --check",
    ):
        assert step in plan
    assert re.search(r"^.*/pytest .*--cov ", plan, re.MULTILINE)


def test_the_way_to_real_keys_works_as_written(
    blocks: dict[str, list[str]], copy: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    # pip takes the newest of everything: here what is locked, or a release elsewhere could break the test.
    versions = re.findall(r"^[\w.-]+==\S+", (copy / "requirements-dev.lock").read_text(), re.MULTILINE)
    (tmp_path / "constraints.txt").write_text("\n".join(versions))
    constrained = dict.fromkeys(("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"), str(tmp_path / "constraints.txt"))
    with Simulator() as simulator:
        settings = blocks["yaml"][0].replace(
            "provider: apimall\n", f"provider: apimall\n    base_url: {simulator.base_url('apimall')}\n"
        )
        (copy / "prepaid.yml").write_text(settings)
        mine = (
            environment
            | constrained
            | {
                "HOME": str(tmp_path),
                # Most of what is installed is not run here.
                "PIP_COMPILE": "0",
                "PATH": os.pathsep.join(
                    [f"{tmp_path}/prepaid-venv/bin", f"{sys.base_prefix}/bin", environment["PATH"]]
                ),
                "APIMALL_KEY": simulator.keys["apimall"],
            }
        )
        install = next(text for text in blocks["sh"] if "pip install" in text)
        listed = subprocess.run(
            ["sh", "-ec", install],
            cwd=copy,
            env=mine,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "API Mall" in listed.stdout
        commands = next(text for text in blocks["sh"] if "prepaid-exporter check" in text).splitlines()
        validated, checked = (
            subprocess.run(
                ["sh", "-c", line], cwd=copy, env=mine, capture_output=True, text=True, check=False
            )
            for line in commands[:2]
        )
        assert (validated.returncode, "1 account, no problems" in validated.stdout) == (0, True)
        assert (
            checked.returncode,
            re.search(r"mall +apimall +main +120 +CREDITS", checked.stdout) is None,
        ) == (0, False)
        with (
            started(["sh", "-c", f"exec {commands[2]}"], copy, mine, r"url=(\S+)\s") as url,
            requests.Session() as session,
        ):
            session.trust_env = False
            page = session.get(f"{url}/metrics", timeout=PATIENCE).text
            assert (
                'prepaid_balance{provider="apimall",account="mall",wallet="main",currency="CREDITS"} 120.0'
                in page
            )


def test_the_scrape_configuration_of_the_readme_is_prometheus_own(
    blocks: dict[str, list[str]], each_age: object, tmp_path: Path
) -> None:
    (tmp_path / "prometheus.yml").write_text(
        next(text for text in blocks["yaml"] if "scrape_configs" in text)
    )
    promtool = each_age("promtool")  # type: ignore[operator]
    result = subprocess.run(
        [promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr
