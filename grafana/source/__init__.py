"""The source of the Grafana dashboards: `python -m grafana.source` writes grafana/dashboards/*.json."""
