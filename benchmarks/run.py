"""Measure what is promised of the exporter's speed, all in one run on loopback, and print it as a Markdown table.

Exit status 1 when a target is missed. Processor time is compared with that of others that ask the same upstream, in
turns, so that whatever else the machine does weighs on all: Debian's blackbox exporter, by which the targets go, and
today's blackbox exporter and json_exporter where `make tools` could build them.
"""

import gzip
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from threading import Barrier
from typing import NamedTuple, TypeVar

import clients
import trustme
from peers import BLACKBOX, PROBERS, Accounts, LargeAccounts, Prober, Program, Upstream, exporter, upstream

_DELAY = 200
_ROUNDS = 12
_COMPARED = 100
_MANY = 1000
_SCRAPES = 50
_DRIPPING = 15

_Work = TypeVar("_Work")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    target: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    folder: Path
    authority: Path
    provider: Upstream

    def accounts(self, count: int, delay: int, *, tls: bool = False, closing: bool = False) -> Accounts:
        """Return accounts at the upstream, which keeps connections or is `closing` them after each answer."""
        return Accounts(count, delay, self.provider, self.authority, tls, closing)


def _scrape(program: Program, accounts: int) -> float:
    """Scrape once over a new connection and give the seconds; an account that is down ends the benchmark."""
    page = program.page()
    begun = time.perf_counter()
    body = page.fetch("/metrics")
    taken = time.perf_counter() - begun
    page.close()
    up = gzip.decompress(body).decode().count("\nprepaid_account_up{")
    down = up - gzip.decompress(body).decode().count("\nprepaid_balance{")
    if up != accounts or down:
        raise SystemExit(f"{accounts} accounts were to be up; {up} are there and {down} are down")
    return taken


def one_scrape(bench: Bench) -> Iterator[Row]:
    """Show that a scrape takes as long as the slowest answer, not as all of them (a)."""
    with exporter(bench.folder, bench.accounts(100, _DELAY)) as ours:
        first, *rest = [_beside_the_slowest(ours, bench.provider) for _ in range(_ROUNDS)]
    ratio, taken = map(median, zip(*rest, strict=True))
    yield Row(
        "One scrape of 100 accounts, each answered in 200 ms",
        "at most 1.3 times the slowest answer",
        f"{ratio:.2f} times ({taken * 1000:.0f} ms); {first[0]:.2f} times when no connection is open yet",
        ratio <= 1.3,  # noqa: PLR2004 - the target
    )


def _beside_the_slowest(ours: Program, provider: Upstream) -> tuple[float, float]:
    provider.counts()
    taken = _scrape(ours, 100)
    return taken / provider.counts()["slowest"], taken


def processor_time(bench: Bench) -> Iterator[Row]:
    """Compare the processor time of one account with that of a probe of the same endpoint (b)."""
    probers = [prober for prober in PROBERS if prober.installed()]
    for closing, tls in product((False, True), repeat=2):
        accounts = bench.accounts(_COMPARED, 0, tls=tls, closing=closing)
        with ExitStack() as stack:
            ours = stack.enter_context(exporter(bench.folder, accounts))
            theirs = [stack.enter_context(prober.run(bench.folder, bench.authority)) for prober in probers]
            rounds = [
                (
                    _spent(ours, _scrape, _COMPARED),
                    *(
                        _spent(program, partial(_probe, prober), accounts)
                        for prober, program in zip(probers, theirs, strict=True)
                    ),
                )
                for _ in range(_ROUNDS + 1)
            ][1:]
        way = f"{'TLS' if tls else 'http'}{', the provider closing each connection' if closing else ''}"
        for number, prober in enumerate(probers, 1):
            ratio = median(spent[0] / spent[number] for spent in rounds)
            our, their = (median(spent[n] for spent in rounds) / _COMPARED * 1e6 for n in (0, number))
            most = 1 if closing else 0.75
            target = f"at most {most} of it" if prober is BLACKBOX else ""
            yield Row(
                f"Processor time for an account over {way}, beside {prober.name} in the same run",
                target,
                f"{our:.0f} µs, theirs {their:.0f} µs: {ratio:.2f}",
                not target or ratio <= most,
            )


def _spent(program: Program, work: Callable[[Program, _Work], object], what: _Work) -> float:
    before = program.processor_seconds()
    work(program, what)
    return program.processor_seconds() - before


def _probe(prober: Prober, theirs: Program, accounts: Accounts) -> None:
    page = theirs.page()
    for path in accounts.probes():
        if prober.succeeded not in gzip.decompress(page.fetch(path)):
            raise SystemExit(f"{prober.name} says that {path} fails")
    page.close()


def thousand(bench: Bench) -> Iterator[Row]:
    """Ask a thousand accounts, over http and over TLS: cold and from memory (c), and what memory it takes (d)."""
    for tls in (False, True):
        way = "TLS" if tls else "http"
        with exporter(bench.folder, bench.accounts(_MANY, _DELAY, tls=tls), "10m") as ours:
            before = ours.processor_seconds()
            cold = _scrape(ours, _MANY)
            spent = ours.processor_seconds() - before
            again = median(_scrape(ours, _MANY) for _ in range(9))
        yield Row(
            f"First scrape of 1,000 accounts over {way}, each answered in 200 ms",
            "at most 2.5 s",
            f"{cold:.2f} s, with {spent / _MANY * 1e6:.0f} µs of processor time an account",
            cold <= 2.5,  # noqa: PLR2004 - the target
        )
        yield Row(
            f"The next scrapes inside `min_interval` ({way})",
            "at most 100 ms",
            f"{again * 1000:.0f} ms",
            again <= 0.1,  # noqa: PLR2004 - the target
        )
        with exporter(bench.folder, bench.accounts(_MANY, _DELAY, tls=tls)) as ours:
            for _ in range(_ROUNDS):
                _scrape(ours, _MANY)
            resident, highest = ours.megabytes(), ours.megabytes("VmHWM")
        yield Row(
            f"Memory with 1,000 accounts over {way}, after {_ROUNDS} scrapes",
            "at most 150 MB",
            f"{resident:.0f} MB, {highest:.0f} MB at its highest",
            resident <= 150,  # noqa: PLR2004 - the target
        )


def shared_calls(bench: Bench) -> Iterator[Row]:
    """Show that scrapes that come at once share one call to each account (e)."""
    with exporter(bench.folder, bench.accounts(100, 1000)) as ours:
        bench.provider.counts()
        together = Barrier(_SCRAPES)

        def scrape() -> None:
            together.wait()
            _scrape(ours, 100)

        with ThreadPoolExecutor(_SCRAPES) as threads:
            for done in [threads.submit(scrape) for _ in range(_SCRAPES)]:
                done.result()
    requests = bench.provider.counts()["requests"]
    most = max(requests.values())
    yield Row(
        "50 scrapes at once: calls to each of 100 accounts",
        "1",
        f"{most} at most, {sum(requests.values())} in all",
        most == 1 and len(requests) == 100,  # noqa: PLR2004 - the accounts
    )


def unfair_clients(bench: Bench) -> Iterator[Row]:
    """Show what others get beside clients that do not play fair, and when those are thrown out (g)."""
    accounts = bench.accounts(4, 0)
    web, context = bench.folder / "web.yml", ssl.create_default_context(cafile=bench.authority)
    web.write_text("tls_server_config: {cert_file: server.pem, key_file: server.pem}\n", encoding="utf-8")
    with exporter(bench.folder, accounts) as ours:
        with clients.silent(ours, 1000, clients.ONE_BYTE) as connections:
            yield _at_most("Slowest answer beside 1,000 connections of one byte", clients.slowest(ours), 1)
            yield _at_most("These are closed", clients.until_closed(connections), 12)
        with clients.dripping(ours, 500):
            time.sleep(_DRIPPING)
            yield _at_most(
                "Slowest answer beside 500 that drip headers and come again", clients.slowest(ours), 1
            )
    with (
        exporter(bench.folder, accounts, "0s", "--web.config.file", str(web)) as ours,
        clients.silent(ours, 400, clients.HALF_HELLO),
    ):
        taken = clients.slowest(ours, context)
        yield _at_most("Slowest answer over TLS beside 400 halves of a hello", taken, 1)


def memory_of_readers(bench: Bench) -> Iterator[Row]:
    """Show what memory many readers of a large page take, and that slow ones do not hold up the end (h)."""
    with exporter(bench.folder, LargeAccounts(2, 0, bench.provider, bench.authority), "1h") as ours:
        clients.fetch(ours, "/metrics")
        clients.scrape_at_once(ours, _SCRAPES)
        highest = ours.megabytes("VmHWM")
        yield _at_most("Memory with 50 scrapers of a page of 5 MB at once", highest, 200, "MB")
        with clients.slow_readers(ours, 70):
            taken = clients.slowest(ours)
            highest = ours.megabytes("VmHWM")
            yield _at_most("Memory with 70 slow readers of it", highest, 200, "MB")
            yield _at_most("Slowest answer beside them", taken, 1)
            yield _at_most("From SIGTERM to the end, with them", clients.seconds_to_end(ours), 2)


def _at_most(what: str, measured: float, most: float, unit: str = "s") -> Row:
    shown = f"{measured:.0f}" if unit == "MB" else f"{measured:.2f}"
    return Row(what, f"at most {most} {unit}", f"{shown} {unit}", measured <= most)


def start(bench: Bench) -> Iterator[Row]:
    """Time the way from the command to an answer of /-/ready (f)."""
    moments = []
    for _ in range(5):
        begun = time.perf_counter()
        with exporter(bench.folder, bench.accounts(4, _DELAY)) as ours:
            ours.page().fetch("/-/ready")
            moments.append(time.perf_counter() - begun)
    yield Row("From start to ready", "at most 1 s", f"{median(moments):.2f} s", median(moments) <= 1)


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        with upstream(folder / "server.pem") as provider:
            yield Bench(folder, folder / "authority.pem", provider)


def main() -> int:
    """Print the table and give the exit status."""
    met = True
    clients.allow_files()
    sys.stdout.write("| what | target | measured | verdict |\n|---|---|---|---|\n")
    with _bench() as bench:
        for measure in (
            one_scrape,
            processor_time,
            thousand,
            shared_calls,
            unfair_clients,
            memory_of_readers,
            start,
        ):
            for row in measure(bench):
                met = met and row.met
                verdict = ("met" if row.target else "") if row.met else "**missed**"
                sys.stdout.write(f"| {row.what} | {row.target} | {row.measured} | {verdict} |\n")
                sys.stdout.flush()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
