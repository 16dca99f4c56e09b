"""`serve`: listen for scrapes."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from exporter import __version__, log
from exporter.cli.options import (
    FILE,
    Duration,
    config_file_option,
    end,
    explained,
    log_format_option,
    log_level_option,
    option,
)
from exporter.files import raise_file_limit
from exporter.web import process
from exporter.web.application import Application, Options
from exporter.web.listeners import Address, address, inherited, listening
from exporter.web.runtime import Runtime
from exporter.web.web_config import WebConfig

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class ListenAddress(click.ParamType):  # type: ignore[type-arg] # generic in its stubs alone
    """An address to listen on."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return the address; raise `click.BadParameter` for what is none."""
        try:
            return value if isinstance(value, Address) else address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("serve")
@config_file_option
@option(
    "--web.listen-address",
    type=ListenAddress(),
    multiple=True,
    default=[":10710"],
    help="Address to listen on, or unix:PATH; may be given several times.",
)
@option("--web.systemd-socket", is_flag=True, help="Listen on the sockets that systemd hands over instead.")
@option("--web.config.file", type=FILE, help="File with the TLS settings and users of the web side.")
@option("--web.telemetry-path", default="/metrics", help="Path of the page with every account.")
@option("--web.enable-lifecycle", is_flag=True, help="Let POST /-/reload reload the configuration.")
@option("--metrics.accounts/--no-metrics.accounts", default=True, help="Show accounts on the telemetry path.")
@option(
    "--scrape.timeout",
    type=Duration(0.001),
    default="10s",
    help="Time limit of a scrape that names none.",
)
@option(
    "--scrape.timeout-offset",
    type=Duration(),
    default="500ms",
    help="Taken off the limit that Prometheus sends.",
)
@log_level_option
@log_format_option
def command(  # noqa: PLR0913 - one argument a flag
    config_file: Path,
    web_listen_address: tuple[Address, ...],
    web_systemd_socket: bool,  # noqa: FBT001 - click passes it
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
    process.hold_signals()
    raise_file_limit()
    log.configure(log_level, log_format)
    taken = Application.ROUTES
    if not _PATH.fullmatch(web_telemetry_path) or web_telemetry_path in taken:
        raise click.BadParameter(
            f"{web_telemetry_path!r} must be a plain path such as /metrics, and none of {', '.join(taken)}",
            param_hint="--web.telemetry-path",
        )
    options = Options(
        telemetry_path=web_telemetry_path,
        enable_lifecycle=web_enable_lifecycle,
        metrics_accounts=metrics_accounts,
        scrape_timeout=scrape_timeout,
        timeout_offset=scrape_timeout_offset,
    )
    with explained(1):
        web_config = WebConfig(web_config_file) if web_config_file else None
        runtime = Runtime(config_file)
        with nullcontext(inherited()) if web_systemd_socket else listening(web_listen_address) as listeners:
            status = process.serve(runtime, options, listeners, _log_ready, web_config)
    end(status)


def _log_ready(url: str) -> None:
    log.logger().info("listening", url=url, version=__version__)
