"""What a scrape is answered in: the format by Accept, the coding by Accept-Encoding, the time by Prometheus' header."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

TEXT_0 = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT_0),
        ("*/*", TEXT_0),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", TEXT_0),
        ("text/plain", TEXT_0),
        ("text/plain;version=0.0.4", TEXT_0),
        ("text/plain;version=1.0.0", TEXT_1),
        (
            "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4",
            TEXT_0,
        ),
        ("text/plain;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1", TEXT_0),
        ("text/plain;q=0.1,application/openmetrics-text;q=0.2", OPENMETRICS),
        ("TEXT/PLAIN; VERSION=1.0.0", TEXT_1),
        ('text/plain; version="1.0.0"', TEXT_1),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT_0),
        ("application/openmetrics-text;version=2.0.0,text/plain;version=1.0.0;q=0.5", TEXT_1),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.9", OPENMETRICS),
        ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.5", TEXT_0),
        ("application/openmetrics-text;version=1.0.0;q=0,text/plain;version=1.0.0;q=0.1", TEXT_1),
        ("application/json", TEXT_0),
        ("garbage;;=,", TEXT_0),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (PROMETHEUS_3.replace("openmetrics-text;version=1.0.0", "openmetrics-text;version=9"), TEXT_1),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/probe?target=acme"])
def test_the_best_format_that_both_speak_is_chosen(
    path: str, accept: str | None, content_type: str, exporter: Any
) -> None:
    answer = exporter.ask(path, headers={"Accept": accept} if accept else {})
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    parse: Any = parse_openmetrics if content_type == OPENMETRICS else parse_text
    balances = {
        sample.labels["account"]: sample.value
        for family in parse(answer.text)
        for sample in family.samples
        if sample.name == "prepaid_balance"
    }
    assert balances["acme"] == 118.2
    assert answer.text.endswith("# EOF\n") == (content_type == OPENMETRICS)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        (None, False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=1.0, identity;q=0.1", True),
        ("gzip;q=0", False),
        ("identity, gzip;q=0.000", False),
        ("br, zstd", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
    ],
)
def test_the_answer_is_packed_only_for_those_who_unpack(
    accepted: str | None,
    packed: bool,
    exporter: Any,
) -> None:
    answer = exporter.ask("/metrics", headers={"Accept-Encoding": accepted} if accepted else {})
    assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert len(answer.samples("prepaid_account_up{")) == 6
    assert (len(answer.body) < len(answer.text) / 3) == packed


@pytest.mark.parametrize(
    "granted", ["", "nan", "inf", "-inf", "-1", "0", "abc", "1e300", "1e9", "0x10", "10, 20", "10 s"]
)
def test_a_senseless_timeout_of_prometheus_does_no_harm(granted: str, exporter: Any) -> None:
    answer = exporter.ask("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": granted})
    assert answer.status == 200
    assert all(sample.endswith(" 1.0") for sample in answer.samples("prepaid_account_up{"))


@pytest.mark.parametrize(
    ("granted", "options", "least", "most"),
    [
        ("1.5", {"timeout_offset": 0.5}, 1.0, 1.5),
        ("1", {"timeout_offset": 5.0}, 0.5, 1.0),
        (None, {"scrape_timeout": 0.7}, 0.7, 1.2),
        ("nan", {"scrape_timeout": 0.7}, 0.7, 1.2),
    ],
    ids=["less the offset", "at least half", "none granted", "a senseless one"],
)
def test_a_hanging_provider_does_not_hold_up_the_others(
    granted: str | None,
    options: dict[str, float],
    least: float,
    most: float,
    start: Any,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    exporter = start(**options)
    exporter.simulator.fail("apimall", "hang")
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": granted} if granted else {}

    def others_are_up_in_time() -> bool:
        begun = time.monotonic()
        answer = exporter.ask("/metrics", headers=headers)
        spent = time.monotonic() - begun
        ups = answer.samples("prepaid_account_up{")
        assert spent >= least
        assert 'prepaid_account_up{provider="apimall",account="mall"} 0.0' in ups
        failure = 'prepaid_account_failure{provider="apimall",account="mall",reason="timeout"} 1.0'
        assert failure in answer.samples()
        assert not answer.samples('prepaid_balance{provider="apimall"')
        # A busy machine may add to the longest, and may be too slow for the others now and then.
        return spent < most + 1 and sum(sample.endswith(" 1.0") for sample in ups) == 5

    eventually(others_are_up_in_time)
