"""What the exporter answers over HTTP."""
