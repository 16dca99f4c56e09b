"""Families and the pages that show them. The only users of the Prometheus client."""
