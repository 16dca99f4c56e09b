"""`demo`: run the exporter on simulated providers."""

import math
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import Any

import click

from exporter import log
from exporter.cli.options import end, explained, log_format_option, log_level_option, option
from exporter.cli.serve import ListenAddress
from exporter.scrape import Scraper
from exporter.simulator import PROVIDERS, Simulator
from exporter.web import process
from exporter.web.application import Options
from exporter.web.listeners import Address, listening
from exporter.web.runtime import Runtime


@click.command("demo")
@option(
    "--speed",
    type=click.FloatRange(min=0),
    default=60.0,
    help="Simulated seconds in one second; at 0 time stands still.",
)
@option(
    "--web.listen-address",
    type=ListenAddress(),
    default="127.0.0.1:10710",
    help="Address to listen on.",
)
@log_level_option
@log_format_option
def command(speed: float, web_listen_address: Address, log_level: str, log_format: Any) -> None:
    """Run the exporter on simulated providers: no key, no configuration, nothing leaves this machine."""
    process.hold_signals()
    log.configure(log_level, log_format)
    if not math.isfinite(speed):
        raise click.BadParameter("must be a finite number", param_hint="--speed")
    with Simulator(speed=speed) as simulator, tempfile.TemporaryDirectory() as folder, explained(1):
        file = Path(folder, "prepaid.yml")
        file.write_text(simulator.configuration(), encoding="utf-8")

        def ready(url: str) -> None:
            click.echo(f"Four simulated providers, {speed:g} simulated seconds in a second:")
            for provider in PROVIDERS:
                click.echo(f"  {provider:<17} {simulator.base_url(provider)}")
            click.echo("Open in a browser, or scrape:")
            for path, what in _DEMO_PAGES:
                click.echo(f"  {url + path:<54} {what}")
            click.echo("Stop with Ctrl-C.")

        with listening([web_listen_address]) as listeners:
            runtime = Runtime(file)
            Thread(target=_scrape, args=[runtime.scraper], daemon=True).start()
            status = process.serve(runtime, Options(enable_lifecycle=True), listeners, ready)
    end(status)


def _scrape(scraper: Scraper) -> None:
    """Do what Prometheus does elsewhere, so that the first page that somebody opens has something to show."""
    while True:
        scraper.scrape(None, _SCRAPE_INTERVAL)
        time.sleep(_SCRAPE_INTERVAL)


_SCRAPE_INTERVAL = 15.0

_DEMO_PAGES = (
    ("/metrics", "what Prometheus scrapes; asks every provider"),
    ("/", "status page; shows the last readings"),
    ("/api/v1/accounts", "the same as JSON"),
    ("/probe?target=mall&debug=true", "how one account is asked"),
    ("/config", "the configuration, keys masked"),
    ("/sd", "service discovery for Prometheus"),
)
