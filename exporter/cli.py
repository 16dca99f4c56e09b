"""The command line. Every mistake of an operator's ends in a message and an exit status, never in a traceback."""

import json
import math
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NoReturn

import click
import structlog

from exporter import __version__, config, log, providers, schema_file, service
from exporter.exposition import TEXT_0, Page
from exporter.flags import (
    FILE,
    UNKNOWN,
    Duration,
    Plugin,
    config_file_option,
    end,
    explained,
    log_format_option,
    log_level_option,
    option,
    printing,
)
from exporter.runtime import Runtime
from exporter.scrape import Reading, Scraper
from exporter.validation import near_miss
from exporter.web.access import Access
from exporter.web.application import PATHS, Options

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_LISTED = 20
"""Most accounts that are listed where a name is not known."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="prepaid-exporter", message="%(prog)s %(version)s")
def main() -> None:
    """Tell Prometheus what is left on prepaid accounts."""


@main.command()
@config_file_option
@option("--web.listen-address", default=":10710", help="Address to listen on.")
@option("--web.config.file", type=FILE, help="TLS and users of the web side.")
@option("--web.telemetry-path", default="/metrics", help="Path of the page with every account.")
@option("--web.enable-lifecycle", is_flag=True, help="Let POST /-/reload reload the configuration.")
@option("--metrics.accounts/--no-metrics.accounts", default=True, help="Show accounts on the telemetry path.")
@option("--scrape.timeout", type=Duration(0.001), default="10s", help="Time for a scrape that names none.")
@option("--scrape.timeout-offset", type=Duration(), default="500ms", help="Taken off what Prometheus grants.")
@log_level_option
@log_format_option
def serve(  # noqa: PLR0913 - one argument a flag
    config_file: Path,
    web_listen_address: str,
    web_config_file: Path | None,
    web_telemetry_path: str,
    web_enable_lifecycle: bool,  # noqa: FBT001 - click passes it
    metrics_accounts: bool,  # noqa: FBT001 - click passes it
    scrape_timeout: float,
    scrape_timeout_offset: float,
    log_level: str,
    log_format: Any,
) -> None:
    """Listen for scrapes."""
    service.hold_signals()
    service.raise_file_limit()
    log.configure(log_level, log_format)
    if not _PATH.fullmatch(web_telemetry_path) or web_telemetry_path in PATHS:
        raise click.BadParameter(
            f"{web_telemetry_path!r} must be a plain path such as /metrics, and none of {', '.join(PATHS)}",
            param_hint="--web.telemetry-path",
        )
    options = Options(
        telemetry_path=web_telemetry_path,
        enable_lifecycle=web_enable_lifecycle,
        metrics_accounts=metrics_accounts,
        scrape_timeout=scrape_timeout,
        timeout_offset=scrape_timeout_offset,
    )
    listen = _address(web_listen_address)
    with explained(1):
        access = Access(web_config_file) if web_config_file else None
        status = service.serve(Runtime(config_file), options, listen, _log_ready, access)
    end(status)


def _address(text: str) -> tuple[str, int]:
    try:
        return service.address(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--web.listen-address") from None


def _log_ready(url: str) -> None:
    structlog.get_logger().info("listening", url=url, version=__version__)


@main.command(cls=Plugin)
@click.argument("account", nargs=-1)
@config_file_option
@option(
    "--output", type=click.Choice(["table", "json", "prometheus"]), default="table", help="What to print."
)
@option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="Also write the families to this file.",
)
def check(account: tuple[str, ...], config_file: Path, output: str, textfile: Path | None) -> NoReturn:
    """Ask the providers now, for all accounts or the named ones.

    Exit status, as monitoring plugins have it: 0 fine, 1 a balance is under its warning threshold,
    2 under its critical one or nothing is left, 3 an account could not be asked.
    """
    from exporter import report  # noqa: PLC0415 - tables are drawn only here

    service.raise_file_limit()
    log.configure("error", "logfmt")
    with printing(UNKNOWN):
        with explained(UNKNOWN):
            loaded = config.load(config_file)
        names = _chosen(account, [one.name for one in loaded.accounts])
        with report.progress(f"asking {len(names)} account{'' if len(names) == 1 else 's'}"):
            readings = _asked(loaded, names)
        families = Page().render(readings, (), TEXT_0).decode()
        if textfile:
            try:
                report.replace(textfile, families)
            except OSError as error:
                _give_up(f"--textfile: {textfile} cannot be written: {error.strerror}")
        if output == "table":
            report.console(sys.stdout).print(report.table(readings))
        else:
            click.echo(report.as_json(readings) if output == "json" else families.rstrip("\n"))
    sys.exit(report.exit_status(readings))


def _chosen(wanted: Sequence[str], known: list[str]) -> set[str]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        there = f"; the accounts are {', '.join(known[:_LISTED])}{', ...' if len(known) > _LISTED else ''}"
        hints = (near_miss(name, known) or (there if known else "") for name in unknown)
        told = (f"no account {name!r} is configured{hint}" for name, hint in zip(unknown, hints, strict=True))
        _give_up("\n".join(told))
    return set(wanted or known)


def _give_up(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(UNKNOWN)


def _asked(loaded: config.Config, names: set[str]) -> list[Reading]:
    longest = max((one.timeout for one in loaded.accounts if one.name in names), default=0.0)
    asked = ThreadPoolExecutor(1).submit(Scraper(loaded).scrape, names, longest + 1)
    # Python notices an interrupt that comes just as a wait begins at the end of that wait only.
    while not wait([asked], timeout=0.2).done:
        pass
    return asked.result()


@main.command(short_help="Check the configuration without asking any provider.")
@config_file_option
@option("--schema", is_flag=True, help="Print the JSON Schema of the file instead.")
def validate(config_file: Path, schema: bool) -> None:  # noqa: FBT001 - click passes it
    """Check the configuration, its secrets and own definitions, without asking any provider."""
    with printing(1):
        if schema:
            click.echo(json.dumps(schema_file.schema(), indent=2))
            return
        with explained(1):
            loaded = config.load(config_file)
        for account in loaded.accounts:
            recommended = account.provider.definition.min_interval or 0
            if account.min_interval < recommended:
                name = account.provider.name
                click.echo(f"note: {account.name}: {name} recommends min_interval: {recommended:.0f}s")
        count = len(loaded.accounts)
        click.echo(f"{config_file}: {count} account{'' if count == 1 else 's'}, no problems")


@main.command("providers", short_help="List the built-in providers, or show one.")
@click.argument("name", required=False)
def list_providers(name: str | None) -> None:
    """List the built-in providers, or show one with the fields that it needs."""
    from exporter import report  # noqa: PLC0415 - tables are drawn only here

    known = providers.names()
    if name is not None and name not in known:
        click.echo(f"no provider {name!r} is built in{near_miss(name, known)}", err=True)
        sys.exit(1)
    with printing(1):
        if name is None:
            table = report.providers_table([providers.built_in(one) for one in known])
            report.console(sys.stdout).print(table)
        else:
            click.echo(report.provider_sheet(providers.built_in(name)))


@main.command(short_help="Run the exporter on simulated providers.")
@option(
    "--speed",
    type=click.FloatRange(min=0),
    default=60.0,
    help="Simulated seconds in a second; 0 stands still.",
)
@option("--web.listen-address", default="127.0.0.1:10710", help="Address to listen on.")
@log_level_option
@log_format_option
def demo(speed: float, web_listen_address: str, log_level: str, log_format: Any) -> None:
    """Run the exporter on simulated providers: no key, no configuration, nothing leaves this machine."""
    from exporter.simulator import PROVIDERS, Simulator  # noqa: PLC0415 - not needed to serve

    service.hold_signals()
    log.configure(log_level, log_format)
    if not math.isfinite(speed):
        raise click.BadParameter("must be a finite number", param_hint="--speed")
    listen = _address(web_listen_address)
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

        status = service.serve(Runtime(file), Options(enable_lifecycle=True), listen, ready)
    end(status)


_DEMO_PAGES = (
    ("/metrics", "what Prometheus scrapes; asks every provider"),
    ("/", "status page; shows the last readings"),
    ("/probe?target=mall&debug=true", "how one account is asked"),
    ("/config", "the configuration, keys masked"),
    ("/sd", "service discovery for Prometheus"),
)
