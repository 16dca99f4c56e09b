"""A secret that the provider echoes, in whatever place and spelling, appears in no output whatever."""

import io
import json
import logging
import socket
import sys
import traceback
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from click.testing import CliRunner
from werkzeug.test import Client as Browser

from exporter import cli, log
from exporter.cli import check
from exporter.config import load
from exporter.extract.extractor import Extractor
from exporter.metrics.exposition import OPENMETRICS, TEXT_0, TEXT_1, Page
from exporter.model import Failure, Reason
from exporter.schema.problems import ConfigurationError
from exporter.scrape import Reading
from exporter.scrape.accounts_json import accounts_as_json
from exporter.scrape.collector import Collector
from exporter.upstream.client import Client
from exporter.upstream.request import prepare
from exporter.web import pages
from exporter.web.application import Application, Options
from exporter.web.runtime import Runtime
from exporter.web.trace import trace
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.providers.definition import Definition
    from tests.exchanges import Seen
    from tests.laws.canary.conftest import Nest
    from tests.laws.conftest import Answer, Case, Upstream

    Leaks = Callable[[str], list[str]]

pytestmark = pytest.mark.unmeasured

ACCEPTS = (
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0",
    "application/openmetrics-text;version=1.0.0",
)


@pytest.fixture(autouse=True)
def _log_as_before() -> "Iterator[None]":
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def browser(nest: "Nest") -> Browser:
    application = Application(Runtime(nest.file), Options(enable_lifecycle=True, scrape_timeout=PATIENCE))
    return Browser(application)


def as_printed(one: object) -> str:
    """Return how an object is printed; most are printed in one way alone."""
    return repr(one) if type(one).__str__ is object.__str__ else f"{one!r} {one!s}"


def test_the_canary_is_really_sent_and_found_in_any_spelling(
    nest: "Nest", browser: Browser, upstream: "Upstream", leaks: "Leaks", secret: str
) -> None:
    browser.get("/metrics")
    requests = [seen for url in nest.urls.values() for seen in upstream.seen(url)]

    assert len(nest.urls) > 100
    assert len(requests) >= len(nest.urls)
    assert all(leaks(sent(seen)) for seen in requests)
    assert leaks(f"so {secret} is shown")
    assert not leaks("nothing to see")


def sent(seen: "Seen") -> str:
    kind, _, pair = dict(seen.headers).get("Authorization", "").partition(" ")
    return f"{seen.path} {seen.headers} {seen.body!r} {b64decode(pair).decode() if kind == 'Basic' else ''}"


def test_no_provider_that_echoes_it_makes_it_part_of_what_is_known_of_an_account(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    definition_of: "Callable[[str], Definition]",
    echoed: "Callable[[Sequence[Case], Definition], Iterator[tuple[Case, Answer]]]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
    monkeypatch: pytest.MonkeyPatch,
    leaks: "Leaks",
    secret: str,
) -> None:
    monkeypatch.setattr("exporter.config.secret.Secret.read", lambda _: secret)
    readings = {}
    for case, answer in echoed(recorded(provider_name), definition_of(provider_name)):
        asked = direct(case)
        upstream.say(asked.account.base_url, answer)
        readings[case.id, answer.body] = Reading(asked.account, asked.collect(), None)

    # All that is shown is made of these, and nothing that can be shown is left out of them.
    assert {case: found for case, one in readings.items() if (found := leaks(as_printed(one)))} == {}
    for reading in readings.values():
        account, definition = reading.account, reading.account.provider.definition
        secrets = {name: one.read() for name, one in account.secrets.items()}
        given = dict.fromkeys(definition.first.gives if definition.first else (), "7")
        given |= dict.fromkeys(definition.login.gives if definition.login else (), secret)
        for _, call in definition.calls():
            prepared = prepare(account, secrets, call, given)
            assert leaks(f"{account!r} {dict(account.secrets)!r} {prepared!r}") == []
    known = list(readings.values())
    shown = [Page().render(known, None, chosen).decode() for chosen in (TEXT_0, TEXT_1, OPENMETRICS)]
    shown += [pages.status(known, "/metrics"), *map(trace, known), json.dumps(accounts_as_json(known))]
    assert leaks("".join(shown)) == []


@pytest.mark.parametrize("accept", ACCEPTS)
def test_no_metrics_page_shows_it(nest: "Nest", browser: Browser, accept: str, leaks: "Leaks") -> None:
    answer = browser.get("/metrics", headers={"Accept": accept})
    page = answer.get_data(as_text=True)

    assert leaks(page + str(answer.headers)) == []
    assert all(f'account="{name}"' in page for name in nest.urls)
    assert 'reason="internal"} 1' not in page


@pytest.mark.parametrize("path", ["/", "/config", "/sd"])
def test_no_page_for_people_shows_it(nest: "Nest", browser: Browser, path: str, leaks: "Leaks") -> None:
    browser.get("/metrics")
    answer = browser.get(path)
    page = answer.get_data(as_text=True)

    assert leaks(page + str(answer.headers)) == []
    assert all(name in page for name in nest.urls)


def test_no_trace_of_a_probe_shows_it(nest: "Nest", browser: Browser, leaks: "Leaks") -> None:
    traces = [browser.get(f"/probe?target={name}&debug=true").get_data(as_text=True) for name in nest.urls]

    assert all("outcome " in trace for trace in traces)
    assert leaks("".join(traces)) == []


@pytest.fixture(scope="module")
def once() -> "Iterator[None]":
    """Let the checks ask one time for all: what to print is of no matter before."""
    really = check._asked  # noqa: SLF001 - it takes the most of the time
    kept: list[list[Reading]] = []

    def asked(*how: Any) -> list[Reading]:
        if not kept:
            kept.append(really(*how))
        return kept[0]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(check, "_asked", asked)
        yield


@pytest.mark.parametrize("output", ["table", "json", "csv", "nagios", "prometheus"])
@pytest.mark.usefixtures("once")
def test_no_output_of_a_check_shows_it(
    nest: "Nest", output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: "Leaks"
) -> None:
    # The command ends its process without waiting for calls that are still under way.
    monkeypatch.setattr("os._exit", sys.exit)
    textfile = tmp_path / "prepaid.prom"
    arguments = ["check", "--config.file", str(nest.file), "--output", output, "--textfile", str(textfile)]
    arguments += ["--timeout", "5m"]
    result = CliRunner().invoke(cli.main, arguments)

    assert leaks(result.output + textfile.read_text(encoding="utf-8")) == []
    assert all(name in result.stdout for name in nest.urls)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_no_line_of_the_log_shows_it_at_debug_level(
    nest: "Nest", form: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, leaks: "Leaks"
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    log.configure("debug", form)  # type: ignore[arg-type]
    caplog.set_level(logging.DEBUG)
    browser = Browser(
        Application(Runtime(nest.file), Options(enable_lifecycle=True, scrape_timeout=PATIENCE))
    )
    browser.get("/metrics")
    assert browser.post("/-/reload").status_code == 200

    assert leaks(written.getvalue() + caplog.text) == []
    assert "configuration reloaded" in written.getvalue()


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_not_even_a_bug_that_quotes_it_shows_it(
    nest: "Nest", form: str, monkeypatch: pytest.MonkeyPatch, leaks: "Leaks", secret: str
) -> None:
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot read {secret}")

    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr(Extractor, "wallets", bug)
    log.configure("debug", form)  # type: ignore[arg-type]
    browser = Browser(Application(Runtime(nest.file), Options(scrape_timeout=PATIENCE)))
    shown = browser.get("/metrics").get_data(as_text=True) + browser.get("/").get_data(as_text=True)

    assert leaks(shown + written.getvalue()) == []
    assert 'reason="internal"} 1' in shown
    assert "RuntimeError" in written.getvalue()
    assert "traceback" in written.getvalue()


def test_no_object_shows_it_when_it_is_printed(nest: "Nest", leaks: "Leaks") -> None:
    runtime = Runtime(nest.file)
    client = Client()
    printed: list[object] = [runtime, runtime.scraper, runtime.scraper.config, client]
    for account in runtime.scraper.config.accounts:
        prepared = prepare(account, {name: one.read() for name, one in account.secrets.items()})
        sender = client.sender(prepared, None, None)
        printed += [account, dict(account.secrets), prepared, sender, Collector(account, client)]
        try:
            printed.append(sender.send(5))
        except Failure as error:
            printed += [error, *traceback.format_exception(error)]
    readings = runtime.scraper.scrape(None, PATIENCE)
    printed += [*readings, *(reading.outcome for reading in readings), *runtime.scraper.known()]
    client.close()

    assert [found for one in printed for found in leaks(as_printed(one))] == []


def test_no_failed_exchange_shows_it(nest: "Nest", monkeypatch: pytest.MonkeyPatch, leaks: "Leaks") -> None:
    entries = json.loads(nest.file.read_text(encoding="utf-8"))
    with socket.socket() as kept:
        # Nobody listens there, nor can as long as it is kept.
        kept.bind(("127.0.0.1", 0))
        for entry in entries["accounts"]:
            entry["base_url"] = f"http://127.0.0.1:{kept.getsockname()[1]}"
        file = nest.file.with_name("unreachable.yml")
        file.write_text(json.dumps(entries), encoding="utf-8")
        written = io.StringIO()
        monkeypatch.setattr("sys.stderr", written)
        log.configure("debug", "logfmt")
        readings = Runtime(file).scraper.scrape(None, PATIENCE)

    assert {reading.outcome and reading.outcome.reason for reading in readings} == {Reason.UNREACHABLE}
    assert leaks(repr(readings) + written.getvalue()) == []


@pytest.mark.parametrize("form", ["api_key", "api_key_file", "api_key_env"])
@pytest.mark.parametrize("spoilt", ["{}\nX: y", "{}\tx", "{}\x00"])
def test_no_complaint_about_the_configuration_shows_it(
    form: str, spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: "Leaks", secret: str
) -> None:
    bad = spoilt.format(secret)
    (tmp_path / "key").write_text(bad, encoding="utf-8")
    monkeypatch.setenv("CANARY", secret if "\x00" in bad else bad)
    value = {"api_key": bad, "api_key_file": "key", "api_key_env": "CANARY"}[form]
    accounts = [
        {"name": "a", "provider": "apimall", form: value, "treshold": {}},
        {
            "name": "b",
            "provider": "apimall",
            form: value,
            "api_key": secret,
            "currency": "EUR",
            "timeout": "x",
        },
        {"name": "c", "provider": "apimal", "api_key": secret, "proxy_url": f"ftp://u:{secret}@h"},
        {"name": "d", "provider": "apimall", "base_url": f"https://u:{secret}@host"},
        {"name": "e", "provider": "apimall", "api_key": [secret], "thresholds": {"critical": secret}},
    ]
    file = tmp_path / "prepaid.yml"
    file.write_text(json.dumps({"accounts": accounts}), encoding="utf-8")
    result = CliRunner().invoke(cli.main, ["validate", "--config.file", str(file)])

    assert result.exit_code == 1
    assert leaks(result.output) == []
    with pytest.raises(ConfigurationError) as raised:
        load(file)
    assert leaks(f"{raised.value!r} {raised.value} {traceback.format_exception(raised.value)}") == []
