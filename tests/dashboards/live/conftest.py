"""A night of the simulated world, read by the real exporter, computed and served by the real Prometheus.

Time is the world's own: the night ends at END whenever the test runs, and passes as fast as it can be scraped.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.simulator import Simulator
from scripts.past import REMEMBERING, record, remember
from tests.history import samples
from tests.programs import exporter, fetch, prometheus

END = 1768456800.0  # 2026-01-15 06:00 UTC
HOURS = 3
STEP = 240
UNHURRIED = "10m"
"""What an answer of the simulated world may take: a failure that nobody asked for would be in every panel."""
BOOKS = 14
LAST = BOOKS - 1
RECHARGED = 10
OTHERS = Path(__file__).with_name("others.txt").read_text(encoding="utf-8").splitlines()
"""What the same Prometheus holds of a target that is no exporter, and of a second exporter with another top-up page."""

SCRAPE = {"job": "prepaid", "instance": "exporter:10710"}
_WALLET = {"job": "prepaid", "provider": "ledger", "account": "book-0", "wallet": "main", "currency": "EUR"}
EARLIER = [
    ({"__name__": "wallet:prepaid_balance:last", **_WALLET}, [(END - 14 * 86400, 1000.0)]),
    ({"__name__": "wallet:prepaid_spend:sum7d", **_WALLET}, [(END - 7 * 86400, 70.0)]),
]
"""A fortnight of history, as far as anything asks for it."""
Json = dict[str, Any]
Ask = Callable[..., list[Json]]
Night = dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]
Tool = Callable[[str], str]


@dataclass
class Clock:
    """The world's time, in seconds since 1970."""

    now: float = END - HOURS * 3600

    def __call__(self) -> float:
        return self.now


def ledger(clock: Clock) -> ThreadingHTTPServer:
    """Serve a provider that says everything that a provider can say, of wallets that only go down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            book = int(self.path.removeprefix("/book-"))
            left = 100.0 + book + (END - clock()) / 3600 * (1 + book) / 20
            if book == LAST:
                left = max(left - 100.0 - book - 0.1, 0.0)  # nothing is left of it
            topped_up = 50.0 if clock() > END - 1800 and book == RECHARGED else 0.0
            body = {
                "balance": left + topped_up,
                "credit_limit": 0 if book == LAST else 10,
                "quota": 500,
                "quota_used": 500 - left,
                "renews": END + 365 * 86400,
                "expires": END + 10 * 86400,
                "free": 5,
                "purchased": left - 5,
            }
            # One of them renames a field in the end.
            if book == 2 and clock() > END - 1200:
                body["gratis"] = body.pop("free")
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def configuration(simulator: Simulator, ledger_port: int, definition: Path) -> str:
    """Add the ledger's accounts, some at each level, to those of the simulator."""
    config = yaml.safe_load(simulator.configuration())
    config["defaults"] = {"timeout": UNHURRIED}
    config["provider_files"] = [str(definition)]
    levels: list[Json] = [
        {"critical": 900},
        {"warning": 900, "critical": 10},
        {"info": 900},
        {"critical": 1},
        {},
    ]
    for book in range(BOOKS):
        config["accounts"].append(
            {
                "name": f"book-{book}",
                "provider": "ledger",
                "base_url": f"http://127.0.0.1:{ledger_port}",
                "api_key": "invented",
                "params": {"book": f"book-{book}"},
                "thresholds": levels[book % len(levels)],
            }
        )
    config["accounts"][0]["name"] = "Bob's (e.g. C++)"
    for account in config["accounts"]:
        account["min_interval"] = "0s"
    return yaml.safe_dump(config)


def scraped(url: str, clock: Clock, simulator: Simulator) -> Night:
    """Scrape the exporter through the night; at its end one provider rejects the key."""
    night: Night = {}
    others = "\n".join(OTHERS) + "\n"
    simulator.wallet("smspubli").balance = Decimal(
        100_000
    )  # nobody is told of it: old readings are all there is to say
    while clock.now < END:
        clock.now += STEP
        if clock.now > END - 2400:
            simulator.fail("smspubli", "unauthorized")
        begun = time.monotonic()
        answer = fetch(f"{url}/metrics")
        took = time.monotonic() - begun
        assert answer.status_code == 200
        of_the_scrape = f"up 1\nscrape_duration_seconds {took}\n"
        for labels, value in samples(answer.text + of_the_scrape, clock.now, SCRAPE):
            night.setdefault(labels, []).append((clock.now, value))
        for labels, value in samples(others, clock.now, {}):
            night.setdefault(labels, []).append((clock.now, value))
    return night


@pytest.fixture(scope="session")
def recorded_night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Return the samples of the night."""
    folder = tmp_path_factory.mktemp("night")
    definition = Path(__file__).with_name("ledger.yml")
    clock = Clock()
    server = ledger(clock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Simulator(speed=1, clock=clock) as simulator:
        accounts = configuration(simulator, server.server_port, definition)
        try:
            with exporter(folder, accounts, f"--scrape.timeout={UNHURRIED}") as url:
                return scraped(url, clock, simulator)
        finally:
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="session")
def kept_night(
    recorded_night: Night, root: Path, tool: Tool, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a Prometheus' data: the night, and what the shipped recording rules made of it."""
    folder = tmp_path_factory.mktemp("kept")
    groups = yaml.safe_load((root / "grafana/rules/recording.yml").read_text())["groups"]
    with prometheus(tool("prometheus"), folder, "{}", *REMEMBERING) as url:
        remember(url, ((dict(labels), values) for labels, values in recorded_night.items()))
        remember(url, EARLIER)
        record(url, groups, (END - HOURS * 3600 + STEP, END), STEP)
    return folder / "data"


@pytest.fixture(scope="module")
def ask(kept_night: Path, each_age: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask a Prometheus of either age that holds the night."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(kept_night, folder / "data")
    known: dict[tuple[Any, ...], list[Json]] = {}  # the night is over: an answer does not change
    with prometheus(each_age("prometheus"), folder, "{}", *REMEMBERING) as url:

        def query(kind: str, **parameters: str | float) -> list[Json]:
            asked = (kind, *sorted(parameters.items()))
            if asked not in known:
                answer = fetch(f"{url}/api/v1/{kind}", "POST", data=parameters).json()
                assert answer["status"] == "success", f"{answer.get('error')} in {parameters}"
                known[asked] = answer["data"]["result"]
            return known[asked]

        yield query
