"""The exporter as a process: what listens, what signals mean, and how it ends."""

import signal
import socket
from collections.abc import Callable, Sequence
from threading import Thread, main_thread

from exporter import log
from exporter.schema.problems import ConfigurationError
from exporter.web.application import Application, Options
from exporter.web.listeners import url
from exporter.web.runtime import Runtime
from exporter.web.server import Server
from exporter.web.web_config import WebConfig

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

_log = log.logger()


def hold_signals() -> None:
    """Leave the signals to the thread that waits for them in `serve`; call this before any thread is started.

    A thread that does not hold them would get them, and their default is to end the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def serve(
    runtime: Runtime,
    options: Options,
    listeners: Sequence[socket.socket],
    ready: Callable[[str], None],
    web_config: WebConfig | None = None,
) -> int:
    """Serve on the listeners, call `ready` with the URL of each, and run until SIGTERM or SIGINT; SIGHUP reloads.

    `hold_signals` must have been called. Return the exit status, 1 where a bug ended it, when everything in flight is
    answered; end the process then.
    """
    try:
        server = Server(Application(runtime, options), listeners, runtime.scraper.release, web_config)
        urls = [url(one, "https" if web_config and web_config.context else "http") for one in listeners]
        try:
            web = Thread(target=_served, args=[server], name="web", daemon=True)
            web.start()
            for one in urls:
                ready(one)
            _obey_signals(runtime)
            failed = not web.is_alive()
        finally:
            server.stop()
    except Exception as error:  # noqa: BLE001 - the boundary: nothing may leave a process that serves no more
        log.bug("bug in the exporter, it ends", error)
        return 1
    return int(failed)


def _served(server: Server) -> None:
    try:
        server.serve()
    except Exception as error:  # noqa: BLE001 - as above
        log.bug("bug in the exporter, it ends", error)
    # Whatever ended it: without it there is nothing left to wait for.
    signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)


def _obey_signals(runtime: Runtime) -> None:
    while signal.sigwait(_SIGNALS) == signal.SIGHUP:
        try:
            runtime.reload()
        except ConfigurationError:
            _log.warning("the old configuration stays")
    _log.info("stopping")
