"""`make demo-stack`: the exporter on simulated providers, with Prometheus and Alertmanager on a week of history.

Pages are printed as they arrive. Everything is on loopback, and ends with Ctrl-C.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Simulator
from scripts import go_tools
from scripts.past import REMEMBERING, record, remember

ROOT = Path(__file__).resolve().parent.parent
WEEK = 7 * 86400
STEP = 300
JOB = "prepaid"
PATIENCE = 300.0
WALLETS = {
    ("outreach", "main"): ("coldmailreseller", "main"),
    ("sms", "main"): ("smspubli", "main"),
    ("sms-branch", "main"): ("smspubli", "branch-a"),
    ("acme", "wallet_01"): ("flexprice", "wallet_01"),
    ("globex", "wallet_02"): ("flexprice", "wallet_02"),
    ("globex", "wallet_03"): ("flexprice", "wallet_03"),
    ("mall", "main"): ("apimall", "main"),
}
"""Account and wallet of the exporter, and provider and wallet of the simulator."""
EMPTIED = ("sms", "main")
"""What is empty at the end, without a threshold of its own: a page is on its way."""
REFUSED = "coldmailreseller"
"""The provider that refuses its key from now on: a ticket is on its way."""


class Clock:
    """The world's time in seconds since 1970: set by hand through the past, then at its own speed."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._going: tuple[float, float] | None = None

    def __call__(self) -> float:
        """Return the time."""
        if self._going is None:
            return self.now
        began, speed = self._going
        return self.now + (time.monotonic() - began) * speed

    def go(self, speed: float) -> None:
        """Let the time pass from here on, at so many seconds a second."""
        self._going = (time.monotonic(), speed)


@click.command()
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, help="Simulated seconds in one second.")
@click.option("--exporter-port", default=10710, help="0 for any.")
@click.option("--prometheus-port", default=9090, help="0 for any.")
@click.option("--alertmanager-port", default=9093, help="0 for any.")
def main(speed: float, exporter_port: int, prometheus_port: int, alertmanager_port: int) -> None:
    """Run the demo with Prometheus and Alertmanager around it, until Ctrl-C."""
    programs = found_programs()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prepaid-demo-")))
        clock = Clock(time.time() - WEEK)
        simulator = stack.enter_context(Simulator(speed=1, clock=clock))
        (folder / "prepaid.yml").write_text(simulator.configuration(), encoding="utf-8")
        exporter = stack.enter_context(_exporter(folder, exporter_port))
        receiver = stack.enter_context(_receiver())
        (folder / "alertmanager.yml").write_text(_alertmanager(receiver), encoding="utf-8")
        manager = stack.enter_context(_running(folder, programs[1], alertmanager_port, *_MANAGER))
        server = stack.enter_context(_prometheus(folder, programs[0], prometheus_port, exporter, manager))
        click.echo("A week passes; this takes a minute or so ...")
        _live_through(clock, simulator, exporter, server)
        clock.go(speed)
        _watch(folder, server)
        click.echo(f"  {exporter:<32} the exporter's status page, on simulated providers")
        click.echo(
            f"  {server:<32} Prometheus, with a week of history: look at Alerts; for Grafana a data source"
        )
        click.echo(
            f"  {manager:<32} Alertmanager; its messages are printed here (it may have no page of its own)"
        )
        click.echo("Import grafana/dashboards into a Grafana to look at it.")
        click.echo("A wallet is empty, and a key is refused: a page comes in two minutes, a ticket in six.")
        click.echo("Stop with Ctrl-C.")
        while True:
            signal.pause()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def found_programs() -> tuple[str, str]:
    """Find Prometheus and Alertmanager: installed ones, else those that `make tools` built."""
    built = [go_tools.kept(name) / name for name in ("prometheus", "alertmanager")]
    prometheus, alertmanager = (str(path) if path.exists() else None for path in built)
    prometheus = shutil.which("prometheus") or prometheus
    alertmanager = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager") or alertmanager
    if not prometheus or not alertmanager:
        raise click.ClickException(
            "Prometheus or Alertmanager is missing: `make tools` installs them as root, or builds them where Go is."
        )
    return prometheus, alertmanager


@contextlib.contextmanager
def _process(folder: Path, name: str, command: Sequence[object]) -> Iterator[Path]:
    """Run a program until the block ends; yield its log. Ctrl-C at the terminal is for us alone."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the programs of this file
            [str(part) for part in command],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait()


def _said(log: Path, before: str, after: str) -> str:
    """Wait until a program says where it listens, and return what stands between these words."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        _, found, rest = log.read_text(errors="replace").partition(before)
        if found and after in rest:
            return rest.partition(after)[0]
        time.sleep(0.05)
    raise click.ClickException(f"{log.stem} does not start:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def _exporter(folder: Path, port: int) -> Iterator[str]:
    program = Path(sys.executable).with_name("prepaid-exporter")
    command = [program, "serve", "--config.file=prepaid.yml", f"--web.listen-address=127.0.0.1:{port}"]
    with _process(folder, "exporter", command) as log:
        yield "http://" + _said(log, "url=http://", "\n").split()[0].strip('"/')


_MANAGER = ("--config.file=alertmanager.yml", "--storage.path=alerts", "--cluster.listen-address=")


@contextlib.contextmanager
def _running(folder: Path, program: str, port: int, *flags: str) -> Iterator[str]:
    """Run Prometheus or Alertmanager; yield its address when it is ready."""
    command = [program, *flags, f"--web.listen-address=127.0.0.1:{port}"]
    with _process(folder, Path(program).name, command) as log:
        url = "http://" + _said(log, 'msg="Listening on"', "\n").partition("address=")[2].split()[0]
        end = time.monotonic() + PATIENCE
        while not _ready(url):
            if time.monotonic() > end:
                raise click.ClickException(f"{program} does not get ready:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=PATIENCE).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def _prometheus(folder: Path, program: str, port: int, exporter: str, manager: str) -> Iterator[str]:
    """Run Prometheus, which scrapes nothing until the past is there."""
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager.removeprefix("http://")]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for job, url in ((JOB, exporter), ("alertmanager", manager))
        ],
    }
    (folder / "later.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}", encoding="utf-8")
    flags = (
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--web.enable-lifecycle",
        *REMEMBERING,
    )
    with _running(folder, program, port, *flags) as url:
        yield url


def _watch(folder: Path, server: str) -> None:
    """Load the rules, and scrape from now on."""
    shutil.copytree(ROOT / "grafana" / "rules", folder / "rules")
    (folder / "later.yml").replace(folder / "prometheus.yml")
    answer = requests.post(f"{server}/-/reload", timeout=PATIENCE)
    if not answer.ok:
        raise click.ClickException(f"Prometheus does not take the rules: {answer.text}")


def _live_through(clock: Clock, simulator: Simulator, exporter: str, server: str) -> None:
    """Let a week pass in the world, and remember what an exporter would have said of it."""
    end = time.time() // STEP * STEP
    moments = [end - WEEK + STEP * number for number in range(WEEK // STEP + 1)]
    handles = {names: simulator.wallet(*place) for names, place in WALLETS.items()}
    balances: dict[tuple[str, str], list[tuple[float, float]]] = {names: [] for names in handles}
    for moment in moments:
        clock.now = moment
        for names, handle in handles.items():
            if (moment, names) == (moments[-1], EMPTIED):
                handle.balance = 0
            balances[names].append((moment, float(handle.balance)))
    page = requests.get(f"{exporter}/metrics", timeout=PATIENCE).text
    simulator.fail(REFUSED, "unauthorized")
    target = {"job": JOB, "instance": exporter.removeprefix("http://")}
    remember(server, _series(page, moments, balances, target))
    groups = yaml.safe_load((ROOT / "grafana/rules/recording.yml").read_text(encoding="utf-8"))["groups"]
    record(server, groups, (moments[0], moments[-1]), STEP)


def _series(
    page: str,
    moments: Sequence[float],
    balances: dict[tuple[str, str], list[tuple[float, float]]],
    target: dict[str, str],
) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
    minutes = [moments[0] + 60 * number for number in range(WEEK // 60 + 1)]
    yield {"__name__": "up", **target}, [(moment, 1.0) for moment in moments]
    yield {"__name__": "scrape_duration_seconds", **target}, _taking(0.02, minutes)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = {"__name__": sample.name, **sample.labels, **target}
            names = (sample.labels.get("account", ""), sample.labels.get("wallet", ""))
            if sample.name in _FOLLOWING and sample.labels.get("kind") != "free":
                apart = sample.value - balances[names][-1][1]
                yield labels, [(at, left + apart) for at, left in balances[names]]
            elif sample.name == "prepaid_account_last_success_timestamp_seconds":
                yield labels, [(at, at) for at in minutes]
            elif sample.name == "prepaid_account_up":
                yield labels, [(at, 1.0) for at in moments]
            elif sample.name == "prepaid_account_collect_duration_seconds":
                yield labels, _taking(sample.value, moments)
            elif sample.name in _PER_SECOND:
                yield labels, [(at, (at - moments[0]) * _PER_SECOND[sample.name]) for at in minutes]
            elif family.type == "gauge" and sample.name not in _OF_FAILURES:
                yield labels, [(at, sample.value) for at in moments]


def _taking(seconds: float, moments: Sequence[float]) -> list[tuple[float, float]]:
    """Return so many seconds for each moment, a half more or less."""
    return [(at, seconds * (0.5 + number * 7919 % 101 / 101)) for number, at in enumerate(moments)]


_PER_SECOND = {"prepaid_exporter_upstream_requests_total": 1 / 30, "process_cpu_seconds_total": 0.002}
_OF_FAILURES = {"prepaid_account_failure", "prepaid_wallet_field_missing"}
_FOLLOWING = {
    "prepaid_balance",
    "prepaid_settled_balance",
    "prepaid_credit_balance",
    "prepaid_credit_breakdown",
}
"""What goes up and down with the balance."""


def _alertmanager(receiver: str) -> str:
    """Return the shipped configuration, with one receiver in place of all that need an address, and less patience."""
    text = (ROOT / "grafana/alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    configuration = yaml.safe_load(text)
    configuration.pop("templates", None)
    configuration["receivers"] = [
        {"name": given["name"], "webhook_configs": [{"url": f"{receiver}/{given['name']}"}]}
        for given in configuration["receivers"]
    ]
    routes = [configuration["route"]]
    while routes:
        route = routes.pop()
        route["group_wait"] = "5s"
        routes += route.get("routes", [])
    return yaml.safe_dump(configuration)


@contextlib.contextmanager
def _receiver() -> Iterator[str]:
    """Print what Alertmanager sends, until the block ends; yield the address for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in message["alerts"]:
                said = alert["annotations"]
                now = time.strftime("%H:%M:%S")
                click.echo(f"\n{now} {self.path.strip('/')}: {alert['status']}: {said.get('summary', '')}")
                click.echo(f"    {said.get('description', '')}")
                if said.get("topup_url"):
                    click.echo(f"    Top up at {said['topup_url']}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
