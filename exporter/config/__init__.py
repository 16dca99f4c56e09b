"""The operator's file, as accounts that can be asked."""

from exporter.config.accounts import Account, Config, load, own_definitions

__all__ = ["Account", "Config", "load", "own_definitions"]
