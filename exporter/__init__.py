"""Prometheus exporter for prepaid balances."""

__version__ = "0.1.0"
