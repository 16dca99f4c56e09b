"""The running exporter: its scraper, the configuration file that it came from, and how the last reload went."""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Lock

from exporter import log
from exporter.config import Config, load
from exporter.schema.problems import MAX_TOLD, ConfigurationError, Problem, together
from exporter.scrape import Scraper

_log = log.logger()


class Runtime:
    """Holds what outlives a request. Raises `ConfigurationError` when the first load fails.

    `clock` gives monotonic seconds, by which the age of answers is told.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._lock = Lock()
        config = load(path)
        self.scraper = Scraper(config, clock)
        _warn(config)
        self.reload_successful = True
        self.reload_success_timestamp = time.time()

    def reload(self) -> None:
        """Load the file anew and swap it in whole; on an error keep the old one and raise `ConfigurationError`."""
        with self._lock:
            try:
                config = self._renewed()
            except ConfigurationError as error:
                self.reload_successful = False
                for problem in error.problems[:MAX_TOLD]:
                    _log.error("configuration not reloaded", problem=str(problem))
                if len(error.problems) > MAX_TOLD:
                    _log.error("configuration not reloaded", more=len(error.problems) - MAX_TOLD)
                raise
            self.reload_successful = True
            self.reload_success_timestamp = time.time()
            _warn(config)
            _log.info("configuration reloaded", file=str(self._path), accounts=len(config.accounts))

    def _renewed(self) -> Config:
        try:
            config = load(self._path)
            self.scraper.configure(config)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not end an exporter that runs on what it has
            log.bug("bug while reloading", error)
            message = f"{type(error).__name__} in the exporter, see its log"
            raise ConfigurationError([Problem(str(self._path), 0, 0, "", message)]) from None
        return config


def _warn(config: Config) -> None:
    """Log a line for each account whose secret is not there or looks wrong: it costs that account alone."""
    if not config.accounts:
        _log.warning("no account is configured, so no provider is asked", file=config.file)
    for message, by_account in (
        ("secret cannot be read", config.missing),
        ("secret looks like a mistake", config.doubts),
    ):
        for name, problems in islice(by_account.items(), MAX_TOLD):
            _log.warning(message, account=name, problem=together(problems))
        if len(by_account) > MAX_TOLD:
            _log.warning(message, more_accounts=len(by_account) - MAX_TOLD)
