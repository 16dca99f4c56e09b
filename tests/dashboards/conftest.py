"""The generated dashboards as tests read them, and their variables as Grafana fills them in."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
Target = tuple[str, Json, Json]

FILES = sorted((Path(__file__).resolve().parent.parent.parent / "grafana" / "dashboards").glob("*.json"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> Json:
    """Return each dashboard in turn."""
    loaded: Json = json.loads(request.param.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def dashboards() -> dict[str, Json]:
    """Return all dashboards by their uid."""
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in FILES]
    return {dashboard["uid"]: dashboard for dashboard in loaded}


@pytest.fixture(scope="session")
def panels() -> Callable[[Json], list[Json]]:
    """Return the panels of a dashboard, rows left out; those of collapsed rows are in them."""
    return lambda dashboard: [
        panel
        for part in dashboard["panels"]
        for panel in (part["panels"] if part["type"] == "row" else [part])
    ]


@pytest.fixture(scope="session")
def targets(panels: Callable[[Json], list[Json]]) -> Callable[[Json], list[Target]]:
    """Return every query of a dashboard with a name for messages and its panel."""
    return lambda dashboard: [
        (f"{panel['title']}/{target['refId']}", panel, target)
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


@pytest.fixture(scope="session")
def expand() -> Callable[..., str]:
    """Fill variables in as Grafana does in a Prometheus query; one that has no value given is on "All"."""

    def fill(expr: str, **values: str) -> str:
        known = {"__rate_interval": "8m", "__interval": "5m", "cluster": ".*", "namespace": ".*", **values}

        def value(match: re.Match[str]) -> str:
            given = known.get(match[1] or match[3], ".+")
            escaped = match[2] == "regex" and given != ".+"
            return re.sub(r"[\\^$*+?.()|[\]{}/]", r"\\\g<0>", given) if escaped else given

        return re.sub(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)", value, expr)

    return fill
