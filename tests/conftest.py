"""What every test may use: the companion programs of the field, found or refused by one rule."""

import gc
import os
import resource
import shutil
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from scripts import go_tools
from tests import packages
from tests.measuring import Measuring
from tests.packages import ROOT
from tests.programs import unmeasured, until

# What a desk may say to the program there is not meant for the one under test.
for name in [name for name in os.environ if name.startswith("PREPAID_EXPORTER_")]:
    del os.environ[name]

# A shell turns interrupts off for what it runs in the background, and the commands that tests interrupt inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A command that may not keep what it has compiled takes twice the time to start, each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The companion programs are of Go, which collects garbage early and looks for work with every processor: a quarter of
# the time of the small ones that tests run.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMAXPROCS", "1")

# How long an example takes says more about the machine than about the program.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("unhurried"), max_examples=20)
settings.load_profile("unhurried")

# Both ends of every connection are in one process here, and many desks allow it no more than 1,024 files at first.
FILES = 65_536
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if soft != resource.RLIM_INFINITY and soft < FILES:
    # Not all that some machines allow: there are programs that go through all numbers that a file may have.
    more = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))


FORGOTTEN = 200
"""Most files that are open when a file of tests begins; some are of what all tests of a run share."""

AGES = ("debian", "today")
"""Where a companion program is from: Debian's package of 2023, or built of what tools/ locks."""
TODAY = {
    "amtool": ("alertmanager", "amtool"),
    "docker-compose": ("compose", "cmd"),  # what Compose itself reads its files with
    "helm3": ("helm3", "helm"),
    "helm4": ("helm4", "helm"),
    "prometheus": ("prometheus", "prometheus"),
    "prometheus-alertmanager": ("alertmanager", "alertmanager"),
    "promtool": ("prometheus", "promtool"),
    "victoria-metrics": ("victoriametrics", "victoria-metrics"),
    "vmalert": ("victoriametrics", "vmalert"),
}

BESIDE = {"alerting", "dashboards", "docs", "helm", "packaging", "prometheus", "year"}
"""Folders of tests that mirror no room of the program: they run what surrounds it, and reach little of its code."""

SLOW = {
    # They run a program, Helm's within Python among them, or need the package index.
    *(
        "tool",
        "today",
        "installed",
        "built",
        "program",
        "uv",
        "run",
        "begin",
        "on_a_terminal",
        "clean",
        "chart",
    ),
    # They ask accounts by the hundred, over HTTP.
    *("nest", "rendered", "travelled"),
}
"""Fixtures of which one alone makes a test slow."""

MANY = 100
"""Tests in a file that is begun before others."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Keep the processes of the tests from being measured as any process is: they are by what measures the tests."""
    unmeasured()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Keep the programs of the tests from being measured, once everything is in place that would."""
    unmeasured()


def pytest_configure(config: pytest.Config) -> None:
    """Measure no more than the program."""
    config.pluginmanager.register(Measuring(), "measuring")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark the tests that run programs, and begin with their files: they wait while others compute.

    First of all come files with a test that is marked as long: begun last, it would go on alone at the end. So would
    one of many tests, which come next.
    """
    for item in items:
        if SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if BESIDE.intersection(item.path.relative_to(ROOT / "tests").parts):
            item.add_marker("unmeasured")
        # Of a hundred examples none reaches what the others do not, and measuring takes four times as long as they do.
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("unmeasured")
    yield  # chosen by their marks, and shuffled
    long, slow = ({item.path for item in items if item.get_closest_marker(mark)} for mark in ("long", "slow"))
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in long, item.path not in slow, sizes[item.path] < MANY))


@pytest.fixture(autouse=True)
def _the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a command from ending the run of the tests: it would look as if all of them had passed.

    Nor may it keep for ever what tests have left behind: connections are closed when what uses them is collected.
    """
    monkeypatch.setattr("os._exit", sys.exit)
    monkeypatch.setattr("gc.freeze", lambda: None)


@pytest.fixture(scope="module", autouse=True)
def _files_are_closed() -> None:
    """See, before a file of tests begins, that those before it left little open: some programs count but to 1,024."""
    if _open_files() > FORGOTTEN:
        gc.collect()  # connections of what is not used any more, but by itself
        until(lambda: _open_files() <= FORGOTTEN, "end of what the tests before have opened")


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def built(run_folder: Path) -> list[Path]:
    """Build the sdist and the wheel, once for a run; return their paths."""
    return sorted((packages.once(run_folder / "built", packages.build) / "dist").iterdir())


@pytest.fixture(scope="session")
def wheel(built: list[Path]) -> Path:
    return next(path for path in built if path.suffix == ".whl")


@pytest.fixture(scope="session")
def installed(wheel: Path, run_folder: Path) -> Path:
    """Install the wheel, once for a run, where the checkout is not; return its command."""
    folder = packages.once(run_folder / "installed", lambda folder: packages.install(wheel, folder))
    return folder / "bin/prepaid-exporter"


def missing(message: str) -> str:
    """Fail in CI for want of a program; skip the test on a desk."""
    if os.environ.get("CI"):
        pytest.fail(message)
    return pytest.skip(message)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Find a program (`tool("promtool")`); without it a test is skipped on a desk and fails in CI."""

    def find(name: str) -> str:
        return shutil.which(name) or missing(
            f"{name} is not installed; `make tools` installs what the tests need"
        )

    return find


@pytest.fixture(scope="session")
def today() -> Callable[[str], str]:
    """Find a program as people run it today, by the name that Debian has for it; the rest as for `tool`."""

    def find(name: str) -> str:
        folder, program = TODAY[name]
        path = go_tools.kept(folder) / program
        return (
            str(path) if path.exists() else missing(f"{name} of today is not built; `make tools` builds it")
        )

    return find


@pytest.fixture(scope="session", params=AGES)
def each_age(
    request: pytest.FixtureRequest, tool: Callable[[str], str], today: Callable[[str], str]
) -> Callable[[str], str]:
    """Find a program, once Debian's and once today's."""
    return {"debian": tool, "today": today}[request.param]


@pytest.fixture(scope="session")
def listening_port() -> Callable[[int], int]:
    """Find the port of IPv4 that a process takes, for one that was left to choose and does not say."""

    def port(process: int) -> int:
        own = set()
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                own.add(link.readlink().name)
        for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in own:
                return int(columns[1].rpartition(":")[2], 16)
        return 0

    return lambda process: until(lambda: port(process), f"port of the process {process}", pause=0.05)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Keep a port of loopback on which nobody listens, nor can as long as the test runs."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture(scope="session")
def eventually() -> Callable[..., object]:
    """Try until something is true, and fail when it does not become so."""
    return until
