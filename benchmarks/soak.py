"""Scrape one running exporter very often while everything around it goes wrong, and see whether it grows.

    python benchmarks/soak.py [--scrapes 100000] [--write]

The exporter is the installed command, asked over HTTP as Prometheus asks; the providers are the simulated ones. Every
25 scrapes something changes: a provider fails in one of its ways, dies or is healed; a key is rotated, is wrong or is
gone; the configuration loses an account, gets it back, or is spoiled, and is loaded anew. A balance that is shown must
be the documented one. `--write` puts the figures into docs/reliability.md.
"""

import argparse
import gzip
import http.client
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

import yaml
from measured import record
from peers import Page, Program

from exporter.simulator import MODES, PROVIDERS, Simulator

EVERY = 25
CLIENTS = 12
STARTS_IN = 60.0
BALANCES = {
    ("outreach", "main"): 3334.95,
    ("sms", "main"): 0.6,
    ("sms-branch", "main"): 1225.0,
    ("acme", "wallet_01"): 118.2,
    ("globex", "wallet_02"): 450.0,
    ("globex", "wallet_03"): -7.5,
    ("mall", "main"): 120.0,
}
"""What the documents of the four providers say, by account and wallet."""
_BALANCE = re.compile(r'^prepaid_balance\{.*account="([^"]+)",wallet="([^"]+)".*\} (\S+)$', re.MULTILINE)


@dataclass
class World:
    """The providers, the files of the operator, and what was done to them."""

    simulator: Simulator
    folder: Path
    chance: random.Random
    exporter: Program = field(init=False)
    done: dict[str, int] = field(default_factory=dict)

    def accounts(self) -> list[dict[str, object]]:
        """Return the accounts of the demo, with their keys in files and little patience."""
        accounts: list[dict[str, object]] = yaml.safe_load(self.simulator.configuration())["accounts"]
        for account in accounts:
            del account["api_key"]
            account |= {"api_key_file": f"{account['name']}.key", "timeout": "500ms"}
        return accounts

    def write_configuration(self, leave_out: str = "") -> None:
        """Write the configuration, without the account of a name."""
        kept = [account for account in self.accounts() if account["name"] != leave_out]
        self._replace(self.folder / "prepaid.yml", yaml.safe_dump({"accounts": kept}))

    def write_keys(self) -> None:
        """Write the key of every account."""
        for account in self.accounts():
            self._replace(self._key(account), self.simulator.keys[str(account["provider"])])

    def _key(self, account: dict[str, object]) -> Path:
        return self.folder / str(account["api_key_file"])

    def _replace(self, file: Path, text: str) -> None:
        new = file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)

    def change(self) -> None:
        """Do one thing that happens in the life of an exporter."""
        provider, account = self.chance.choice(PROVIDERS), self.chance.choice(self.accounts())
        acts: list[tuple[str, Callable[[], object]]] = [
            *((f"fails: {mode}", partial(self.simulator.fail, provider, mode)) for mode in MODES),
            ("dies", lambda: self.simulator.kill(provider)),
            ("key rotated", lambda: self._replace(self._key(account), f"{self._right(account)}\n")),
            ("key wrong", lambda: self._replace(self._key(account), "another-key")),
            ("key gone", lambda: self._key(account).unlink(missing_ok=True)),
            ("an account less", lambda: self.load(str(account["name"]))),
            ("a spoiled file", lambda: self.load(spoiled=True)),
            *[("all well", self.heal)] * 4,
        ]
        name, act = self.chance.choice(acts)
        act()
        self._count(name)

    def _count(self, name: str) -> None:
        self.done[name] = self.done.get(name, 0) + 1

    def _right(self, account: dict[str, object]) -> str:
        return self.simulator.keys[str(account["provider"])]

    def load(self, leave_out: str = "", *, spoiled: bool = False) -> None:
        """Write the configuration and have it loaded; a spoiled one must be refused."""
        if spoiled:
            self._replace(self.folder / "prepaid.yml", "acounts: [\n")
        else:
            self.write_configuration(leave_out)
        connection = http.client.HTTPConnection("127.0.0.1", self.exporter.port, timeout=60)
        try:
            connection.request("POST", "/-/reload")
            status = connection.getresponse().status
        finally:
            connection.close()
        # A key that is gone is its account's trouble; only the spoiled file is refused.
        if status != (400 if spoiled else 200):
            raise SystemExit(f"the reload was answered with {status}")
        self._count("configurations refused" if spoiled else "configurations loaded")

    def heal(self) -> None:
        """Let everything be well again."""
        for provider in PROVIDERS:
            self.simulator.heal(provider)
            self.simulator.revive(provider)
        self.write_keys()
        self.load()


@contextmanager
def exporter(folder: Path) -> Iterator[Program]:
    """Run the installed exporter on the files of a folder; its log is beside them."""
    command = [str(Path(sys.executable).with_name("prepaid-exporter")), "serve", "--web.enable-lifecycle"]
    command += ["--config.file=prepaid.yml", "--web.listen-address=127.0.0.1:0", "--log.level=error"]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, text=True, stdout=output, stderr=output)  # noqa: S603
    with Program(process, 0) as program:
        end = time.monotonic() + STARTS_IN
        while not program.port:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the exporter did not start: {log.read_text()}")
            time.sleep(0.05)
            program.port = _listens(process.pid)
        yield program


def _listens(process: int) -> int:
    """Return the port of IPv4 on which a process listens; 0 while there is none."""
    links = (link.readlink().name for link in Path(f"/proc/{process}/fd").iterdir())
    own = {name for name in links if name.startswith("socket:")}
    for line in Path(f"/proc/{process}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in own:
            return int(columns[1].rpartition(":")[2], 16)
    return 0


class Scrapers:
    """Several Prometheus servers at once, each with a connection that it keeps."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pages = [Page(port) for _ in range(CLIENTS)]
        self._threads = ThreadPoolExecutor(CLIENTS)
        self.readings = 0

    def scrape(self, count: int) -> None:
        """Scrape that often; end the program at a balance that no provider has said."""
        shares = [range(number, count, CLIENTS) for number in range(CLIENTS)]
        for found in self._threads.map(self._share, self._pages, shares):
            self.readings += found

    def _share(self, page: Page, share: range) -> int:
        return sum(self._read(page) for _ in share)

    def _read(self, page: Page) -> int:
        body = gzip.decompress(page.fetch("/metrics")).decode()
        shown = {(account, wallet): float(value) for account, wallet, value in _BALANCE.findall(body)}
        if wrong := shown.items() - BALANCES.items():
            raise SystemExit(f"balances that no provider has said: {wrong}")
        return len(shown)

    def again(self) -> None:
        """Connect anew."""
        for page in self._pages:
            page.close()
        self._pages = [Page(self._port) for _ in range(CLIENTS)]

    def close(self) -> None:
        """Hang up."""
        self._threads.shutdown()
        for page in self._pages:
            page.close()


class Sample(NamedTuple):
    """What a process holds at one moment."""

    memory: float
    files: int
    threads: int


def look(program: Program) -> Sample:
    """Read what a process holds: megabytes of memory, open files, threads."""
    place = Path(f"/proc/{program.process.pid}")
    return Sample(
        program.megabytes(), len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))
    )


def soak(scrapes: int) -> tuple[list[Sample], World, int, float]:
    """Scrape; return a hundred samples, what was done meanwhile, the balances read, and the seconds it took."""
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        folder = Path(name)
        world = World(simulator, folder, random.Random(1))  # noqa: S311 - a repeatable one
        world.write_keys()
        world.write_configuration()
        with exporter(folder) as world.exporter:
            scrapers, begun = Scrapers(world.exporter.port), time.monotonic()
            samples: list[Sample] = []
            for number in range(EVERY, scrapes + 1, EVERY):
                world.change()
                scrapers.scrape(EVERY)
                if number * 100 // scrapes > len(samples):
                    world.heal()
                    scrapers.again()
                    scrapers.scrape(CLIENTS)
                    samples.append(look(world.exporter))
                    sys.stderr.write(f"{len(samples)} %: {samples[-1]}\n")
            took = time.monotonic() - begun
            scrapers.close()
        log = (folder / "log").read_text(encoding="utf-8")
        if "Traceback" in log or any(key in log for key in simulator.keys.values()):
            raise SystemExit("the log has a traceback or a key")
    return samples, world, scrapers.readings, took


def flat(samples: Sequence[Sample]) -> dict[str, tuple[float, float, bool]]:
    """Compare the last quarter with the second: a program that grows a little with each scrape has grown by then."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    memory = [median(sample.memory for sample in part) for part in (early, late)]
    files = [max(sample.files for sample in part) for part in (early, late)]
    threads = [max(sample.threads for sample in part) for part in (early, late)]
    return {
        "memory (median), MB": (memory[0], memory[1], memory[1] <= 1.03 * memory[0]),
        "open files (most)": (files[0], files[1], files[1] <= files[0] + CLIENTS),
        "threads (most)": (threads[0], threads[1], threads[1] <= threads[0] + CLIENTS),
    }


def report(scrapes: int) -> tuple[str, bool]:
    """Soak; return the figures in Markdown, and whether everything was flat."""
    samples, world, readings, took = soak(scrapes)
    figures = flat(samples)
    lines = ["| what | second quarter of the scrapes | last quarter | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {early:.4g} | {late:.4g} | {'flat' if level else '**grows**'} |"
        for name, (early, late, level) in figures.items()
    ]
    done = ", ".join(f"{name} {count}" for name, count in sorted(world.done.items()))
    version, python = metadata.version("prepaid-exporter"), platform.python_version()
    return (
        f"{scrapes:,} scrapes of six accounts by {CLIENTS} clients at once in {took / 60:.0f} minutes; "
        f"prepaid-exporter {version}, Python {python}, {platform.system()} on {os.cpu_count()} cores. "
        f"{readings:,} balances were read, each as its provider said it. What happened meanwhile: {done}.\n\n"
        + "\n".join(lines)
        + "\n",
        all(level for *_, level in figures.values()),
    )


def main() -> int:
    """Print the figures and return the exit status: 1 where something grows."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--scrapes", type=int, default=100_000)
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    text, level = report(chosen.scrapes)
    sys.stdout.write(text)
    if chosen.write:
        record("soak", text)
    return 0 if level else 1


if __name__ == "__main__":
    sys.exit(main())
