"""Simulated providers on loopback, for `prepaid-exporter demo` and for tests: real HTTP, documented answers.

It asks no real provider, needs no real key and imports nothing else of the exporter.
"""

from exporter.simulator.simulator import PROVIDERS, Simulator
from exporter.simulator.wire import MODES, Mode
from exporter.simulator.world import Recharge, WalletHandle

__all__ = ["MODES", "PROVIDERS", "Mode", "Recharge", "Simulator", "WalletHandle"]
