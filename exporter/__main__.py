"""`python -m exporter` is `prepaid-exporter`."""

from exporter.cli import main

main(prog_name="prepaid-exporter")
