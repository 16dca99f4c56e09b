"""What either age of Prometheus reads of the exporter is the same in every protocol that it can ask for."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests import programs
from tests.programs import fetch, until

WITHOUT_A_CHOICE = "as-it-is"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
ANSWERED = {
    WITHOUT_A_CHOICE: "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    "OpenMetricsText1.0.0": "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    "OpenMetricsText0.0.1": TEXT,
    "PrometheusText1.0.0": "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
    "PrometheusText0.0.4": TEXT,
    "PrometheusProto": TEXT,
}
"""How the exporter answers what a server asks for: by protocol, or as a server asks that is told none."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def told(name: str) -> bool:
    """Return whether a series says the same however often it is read."""
    return name.startswith("prepaid_") and not name.endswith(("_seconds", "_total", "_created"))


@pytest.fixture(scope="module")
def answered(exporters: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Stand between server and exporter; yield an address, and the type of the last answer by the path's last part."""
    types: dict[str, str] = {}

    class Between(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, job = self.path.rpartition("/")
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = fetch(f"http://{exporters['whole']}{path}", headers=headers)
            types[job] = answer.headers["Content-Type"]
            self.send_response(answer.status_code)
            self.send_header("Content-Type", types[job])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", types
        server.shutdown()


def test_every_protocol_gives_the_same_series(
    answered: tuple[str, dict[str, str]],
    exporters: dict[str, str],
    each_age: Callable[[str], str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    address, types = answered
    types.clear()
    # The older one asks as it asks: no protocol can be chosen.
    chosen = list(ANSWERED) if request.node.callspec.params["each_age"] == "today" else [WITHOUT_A_CHOICE]
    configs: list[dict[str, Any]] = [
        {
            "job_name": job,
            "metrics_path": f"/metrics/{job}",
            "static_configs": [{"targets": [address]}],
            **({} if job == WITHOUT_A_CHOICE else {"scrape_protocols": [job]}),
        }
        for job in chosen
    ]
    page = fetch(f"http://{exporters['whole']}/metrics").text
    wanted: Samples = {
        (sample.name, frozenset(item for item in sample.labels.items() if item[1])): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if told(sample.name)
    }
    assert len(wanted) > 50
    text = yaml.safe_dump({"global": {"scrape_interval": "4s"}, "scrape_configs": configs})
    with programs.prometheus(each_age("prometheus"), tmp_path, text) as url:

        def read(job: str) -> Samples:
            parameters = {"query": f'{{job="{job}",__name__=~"prepaid_.+"}}'}
            result = fetch(f"{url}/api/v1/query", params=parameters).json()["data"]["result"]
            return {
                (
                    one["metric"]["__name__"],
                    frozenset(
                        item
                        for item in one["metric"].items()
                        if item[0] not in ("__name__", "job", "instance")
                    ),
                ): float(one["value"][1])
                for one in result
                if told(one["metric"]["__name__"])
            }

        for job in chosen:
            until(partial(read, job), f"series of {job}")
            assert read(job) == wanted, job
    assert types == {job: ANSWERED[job] for job in chosen}
