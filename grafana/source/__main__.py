"""Write grafana/dashboards/*.json from the source; with --check only say which files differ."""

import json
from pathlib import Path

import click
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.account import account
from grafana.source.exporter import exporter
from grafana.source.overview import overview

DASHBOARDS = Path(__file__).resolve().parent.parent / "dashboards"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file differs from the source.")
def main(*, check: bool) -> None:
    """Write the dashboards that Grafana loads."""
    differing = []
    for built in (overview(), account(), exporter()):
        path = DASHBOARDS / f"{built.uid}.json"
        text = _text(built)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(path.name)
        if not check:
            path.write_text(text, encoding="utf-8")
    for name in differing:
        click.echo(
            f"{name}: {'differs from its source, run `python -m grafana.source`' if check else 'written'}"
        )
    if check and differing:
        raise SystemExit(1)


def _text(built: Dashboard) -> str:
    document = json.loads(json.dumps(built, cls=JSONEncoder))
    del document["style"]  # light or dark is the viewer's choice; the library always names one
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
