"""A past for a real Prometheus: readings at earlier times, and what the recording rules would have made of them."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.packages import succeed
from tests.programs import prometheus

Json = dict[str, Any]
FOREVER = "--storage.tsdb.retention.time=100y"
_OWN_CLOCK = (
    "prepaid_account_last_success_timestamp",
    "prepaid_exporter_config_last_reload_success_timestamp",
    "process_start_time",
)


def samples(
    page: str, moment: float, scrape: Mapping[str, str]
) -> Iterator[tuple[tuple[tuple[str, str], ...], float]]:
    """Read a page of now as samples of another time: labels, with `__name__` and those of the scrape, and value."""
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            value = sample.value + (moment - time.time() if sample.name.startswith(_OWN_CLOCK) else 0)
            yield tuple({"__name__": sample.name, **sample.labels, **scrape}.items()), value


def openmetrics(page: str, moment: float, scrape: Mapping[str, str]) -> Iterator[str]:
    """Write a page of now as OpenMetrics lines of another time, with the labels that a scrape adds."""
    for labels, value in samples(page, moment, scrape):
        (_, name), *others = labels
        quoted = ",".join(f"{label}={json.dumps(text)}" for label, text in others)
        yield f"{name}{{{quoted}}} {value} {moment}\n"


def layers(rules: Sequence[Json]) -> Iterator[list[Json]]:
    """Order the recording rules: each layer reads only what layers before it recorded (or itself)."""
    pending = {rule["record"]: rule for rule in rules}
    while pending:
        ready = [
            name
            for name, rule in pending.items()
            if not set(re.findall(r"(?:wallet|account|instance):[\w:]+", rule["expr"]))
            & (set(pending) - {name})
        ]
        assert ready, f"these rules read each other in a ring: {sorted(pending)}"
        yield [pending.pop(name) for name in ready]


def backfill(
    tool: Callable[[str], str],
    folder: Path,
    readings: Path,
    rules: Sequence[Json],
    span: tuple[float, float],
    every: str,
) -> None:
    """Fill `data` in the folder with readings (OpenMetrics) and with what rules record of them.

    `span` is where the rules begin and end, in seconds since 1970; `every` their interval.
    """
    promtool, data = tool("promtool"), folder / "data"
    succeed([promtool, "tsdb", "create-blocks-from", "openmetrics", readings, data])
    for layer in layers(rules):
        file = folder / "layer.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "layer", "rules": layer}]}))
        command = [promtool, "tsdb", "create-blocks-from", "rules", f"--output-dir={data}"]
        command += [f"--start={span[0]:.0f}", f"--end={span[1]:.0f}", f"--eval-interval={every}"]
        with prometheus(tool("prometheus"), folder, "{}", FOREVER) as url:
            succeed([*command, f"--url={url}", file])
