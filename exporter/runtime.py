"""The running exporter: its scraper, the configuration file that it came from, and how the last reload went."""

import time
from pathlib import Path
from threading import Lock

import structlog

from exporter.config import load
from exporter.scrape import Scraper
from exporter.source import ConfigurationError

_log = structlog.get_logger()


class Runtime:
    """Holds what outlives a request. Raises `ConfigurationError` when the first load fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self.scraper = Scraper(load(path))
        self.reload_successful = True
        self.reload_success_timestamp = time.time()

    def reload(self) -> None:
        """Load the file anew and swap it in whole; on an error keep the old one and raise `ConfigurationError`."""
        with self._lock:
            try:
                config = load(self._path)
            except ConfigurationError as error:
                self.reload_successful = False
                for problem in error.problems:
                    _log.error("configuration not reloaded", problem=str(problem))
                raise
            self.scraper.configure(config)
            self.reload_successful = True
            self.reload_success_timestamp = time.time()
            _log.info("configuration reloaded", file=str(self._path), accounts=len(config.accounts))
