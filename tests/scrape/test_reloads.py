"""Reloads while scrapes run: what stays keeps its answer, what changed is asked anew, what went is gone."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from exporter.schema.problems import ConfigurationError
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.desk import Desk, Eventually, MakeDesk, MakeUpstream, Page
    from tests.peers import Asked, Peer, Upstream

LONG = 120
"""Seconds far beyond a timeout of 300 ms, and far below the scrape's own deadline."""


def critical(page: Page, account: str = "mall") -> float | None:
    return page.one("prepaid_balance_threshold", account=account, level="critical")


@pytest.fixture
def server(upstream: MakeUpstream) -> Upstream:
    return upstream()


@pytest.fixture
def account(server: Upstream) -> dict[str, Any]:
    """Return an account that is asked once and then never again while the test runs."""
    return {"base_url": server.url, "min_interval": "1h"}


def test_an_unchanged_account_keeps_its_answer(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall=account)
    before = running.metrics()
    running.reload({"mall": account})
    page = running.metrics()
    assert page.balance() == 120
    name = "prepaid_account_last_success_timestamp_seconds"
    assert page.one(name) == before.one(name)
    assert len(server.requests) == 1


def test_a_threshold_shows_at_once_without_a_call(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall=account)
    assert critical(running.metrics()) is None
    running.reload({"mall": {**account, "thresholds": {"critical": 25}}})
    assert critical(running.metrics()) == 25
    running.reload({"mall": {**account, "wallet_thresholds": {"CREDITS": {"critical": 30}}}})
    assert critical(running.metrics()) == 30
    running.reload({"mall": account})
    assert critical(running.metrics()) is None
    assert len(server.requests) == 1


def test_a_runway_shows_at_once_without_a_call(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall=account)
    name = "prepaid_account_runway_threshold_seconds"
    page = running.metrics()
    assert [page.one(name, level=level) for level in ("warning", "critical")] == [259_200, 86_400]
    running.reload({"mall": {**account, "runway": {"critical": "2d"}}})
    page = running.metrics()
    assert [page.one(name, level=level) for level in ("warning", "critical")] == [259_200, 172_800]
    assert len(server.requests) == 1


def test_a_runway_is_told_of_an_account_that_is_down_too(desk: MakeDesk, closed_port: int) -> None:
    page = desk(f"http://127.0.0.1:{closed_port}").metrics()
    assert page.up() == 0
    assert page.one("prepaid_account_runway_threshold_seconds", level="critical") == 86_400


def test_an_ignored_wallet_is_nowhere(upstream: MakeUpstream, desk: MakeDesk) -> None:
    running = desk(upstream().url)
    assert running.metrics().balance() == 120
    url = running.runtime.scraper.config.accounts[0].base_url
    running.reload({"mall": {"base_url": url, "ignore_wallets": ["credits"]}})
    page = running.metrics()
    assert (page.up(), page.wallet_samples()) == (1, set())
    assert "ignore_wallets:\n  - credits\n" in running.ask("/config")


def test_links_show_at_once_without_a_call(server: Upstream, desk: MakeDesk, account: dict[str, Any]) -> None:
    running = desk(mall=account)
    running.metrics()
    running.reload({"mall": {**account, "topup_url": "https://pay.example/mall"}})
    assert running.metrics().one("prepaid_account_info", topup_url="https://pay.example/mall") == 1
    assert len(server.requests) == 1


def test_a_shorter_min_interval_holds_at_once(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall=account)
    running.metrics()
    running.reload({"mall": {**account, "min_interval": "0s"}})
    assert running.metrics().balance() == 120
    assert len(server.requests) == 2


def test_a_shorter_timeout_holds_at_the_next_call(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall={**account, "min_interval": "0s"})
    running.metrics()
    server.answer = lambda peer, _: peer.hang()
    running.reload({"mall": {**account, "min_interval": "0s", "timeout": "300ms"}})
    page = running.metrics()
    assert page.reason() == "timeout"
    assert page.seconds < LONG


@pytest.mark.parametrize("change", ["api_key", "base_url", "currency", "provider"])
def test_an_account_that_is_asked_otherwise_is_asked_anew(
    upstream: MakeUpstream, server: Upstream, desk: MakeDesk, account: dict[str, Any], change: str
) -> None:
    other = upstream(lambda peer, _: peer.answer(b'{"status": 200, "data": {"balance": 9}}'))
    mail = {**account, "provider": "coldmailreseller", "currency": "INR", "base_url": other.url}
    changed, asked = {
        "api_key": (({**account}, {**account, "api_key": "second"}), server),
        "base_url": (({**account}, {**account, "base_url": f"{server.url}/v2"}), server),
        "currency": ((mail, {**mail, "currency": "EUR"}), other),
        "provider": (({**account, "base_url": other.url}, mail), other),
    }[change]
    before, after = changed
    running = desk(mall=before)
    running.metrics()
    running.reload({"mall": after})
    page = running.metrics()
    assert page.up() == 1
    assert len(asked.requests) == 2
    currencies = {dict(labels)["currency"] for name, labels in page.samples if name == "prepaid_balance"}
    assert currencies == (
        {"EUR"} if change == "currency" else {"INR"} if change == "provider" else {"CREDITS"}
    )


def test_a_reload_forgets_failures_but_no_good_answer(
    upstream: MakeUpstream, server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    bad = upstream(lambda peer, _: peer.answer(b"", status="500 X"))
    accounts = {"good": account, "bad": {**account, "base_url": bad.url}}
    running = desk(**accounts)
    assert running.metrics().reason("bad") == "http_status"
    bad.answer = lambda peer, _: peer.answer()
    assert running.metrics().reason("bad") == "http_status"
    running.reload(accounts)
    page = running.metrics()
    assert (page.balance("good"), page.balance("bad")) == (120, 120)
    assert (len(server.requests), len(bad.requests)) == (1, 2)


def test_an_account_that_went_loses_its_series(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(stays=account, goes=account)
    assert running.metrics().balance("goes") == 120
    running.reload({"stays": account})
    page = running.metrics()
    assert not [labels for _, labels in page.samples if dict(labels).get("account") == "goes"]
    assert page.balance("stays") == 120
    assert len(server.requests) == 2


def test_an_account_that_came_is_asked_and_no_other(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(old=account)
    running.metrics()
    running.reload({"old": account, "new": account})
    page = running.metrics()
    assert (page.balance("old"), page.balance("new")) == (120, 120)
    keys = [asked.headers["authorization"] for asked in server.requests]
    assert keys == ["Bearer key-of-old", "Bearer key-of-new"]


def test_an_account_that_comes_back_is_a_new_one(
    server: Upstream, desk: MakeDesk, account: dict[str, Any]
) -> None:
    running = desk(mall=account, other=account)
    running.metrics()
    running.reload({"other": account})
    running.reload({"mall": account, "other": account})
    assert running.metrics().balance() == 120
    assert len(server.requests) == 3


def test_a_bad_file_changes_nothing(server: Upstream, desk: MakeDesk, account: dict[str, Any]) -> None:
    running = desk(mall=account)
    before = running.metrics()
    with pytest.raises(ConfigurationError, match="treshold"):
        running.reload({"mall": {**account, "treshold": 5}, "new": account})
    page = running.metrics()
    assert (page.balance(), page.up("new")) == (120, None)
    assert page.one("prepaid_exporter_config_last_reload_successful") == 0
    name = "prepaid_exporter_config_last_reload_success_timestamp_seconds"
    assert page.one(name) == before.one(name)
    running.reload({"mall": account})
    page = running.metrics()
    assert page.one("prepaid_exporter_config_last_reload_successful") == 1
    assert (page.one(name) or 0) > (before.one(name) or 0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="a pipe"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 512, id="zero bytes, as after a crash"),
        pytest.param(b'accounts:\n  - {name: "a\\0b", provider: "\\0", api_key: k}\n', id="zeros in names"),
        pytest.param(b'provider_files: ["\\0"]\naccounts: []\n', id="a zero in a file's name"),
    ],
)
def test_a_file_that_turned_into_nonsense_changes_nothing(
    desk: MakeDesk, account: dict[str, Any], content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    running = desk(mall=account)
    running.metrics()
    running.file.unlink()
    if content is None:
        os.mkfifo(running.file)
    else:
        running.file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        running.runtime.reload()
    assert "bug" not in capsys.readouterr().out
    page = running.metrics()
    assert (page.balance(), page.one("prepaid_exporter_config_last_reload_successful")) == (120, 0)


def test_a_hundred_problems_fill_no_log(
    desk: MakeDesk, account: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    running = desk(mall=account)
    with pytest.raises(ConfigurationError) as caught:
        running.reload({f"a{number}": {**account, "treshold": 5} for number in range(100)})
    assert len(caught.value.problems) == 100
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert "more=80" in lines[-1]


def test_thresholds_that_match_no_wallet_are_not_told_as_an_unreadable_answer(
    desk: MakeDesk, account: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    desk(mall={**account, "wallet_thresholds": {"EURO": {"critical": 1}}}).metrics()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "wallet_thresholds" in line]
    assert "wallet_thresholds.EURO matches no wallet; there are CREDITS, main" in line
    assert "or the configuration" in line, "it is no fault of the answer's"
    assert "cannot be read" not in line


OWN = """\
title: Own
documentation: [https://own.example]
confidence: observed
credentials: {{api_key: {{description: key}}}}
base_url: https://own.example
request: {{path: /balance}}
auth: {{type: bearer}}
wallets: {{currency: {{literal: EUR}}, balance: {path}}}
"""


def test_an_own_definition_is_read_again_and_matters_only_when_it_changed(
    server: Upstream, desk: MakeDesk, account: dict[str, Any], tmp_path: Path
) -> None:
    own = tmp_path / "own.yml"
    own.write_text(OWN.format(path="data.api_credits"))
    accounts = {"mall": account, "mine": {**account, "provider": "own"}}
    running = desk(mall=account)
    running.reload(accounts, "own.yml")
    assert running.metrics().balance("mine") == 120
    running.reload(accounts, "own.yml")
    running.metrics()
    assert len(server.requests) == 2, "nothing changed"
    own.write_text(OWN.format(path="length(request_id)"))
    running.reload(accounts, "own.yml")
    assert running.metrics().balance("mine") == len("req_1")
    lines = [asked.line.split()[1] for asked in server.requests]
    assert sorted(lines) == ["/account/balances", "/balance", "/balance"]
    own.unlink()
    os.mkfifo(own)
    with pytest.raises(ConfigurationError, match="it is a pipe or a device"):
        running.reload(accounts, "own.yml")
    assert running.metrics().balance("mine") == len("req_1")


class Waiting:
    """A scrape that waits for a provider while the configuration changes."""

    def __init__(self, upstream: MakeUpstream, eventually: Eventually, waiting: Callable[[], int]) -> None:
        self.opened = threading.Event()
        self.server = upstream(self._answer)
        self._eventually = eventually
        self._waiting = waiting

    def _answer(self, peer: Peer, _: Asked) -> None:
        assert self.opened.wait(PATIENCE)
        peer.answer()

    def over(self, running: Desk, accounts: dict[str, dict[str, Any]]) -> tuple[Page, Page]:
        """Reload while one scrape waits; return its page, and that of another begun after the reload."""
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(running.metrics)
            self._eventually(lambda: bool(self.server.requests))
            running.reload(accounts)
            second = threads.submit(running.metrics)
            self._eventually(lambda: self._waiting() == 2)
            assert not second.done()
            self.opened.set()
            return first.result(), second.result()


@pytest.fixture
def under_way(upstream: MakeUpstream, eventually: Eventually, waiting: Callable[[], int]) -> Any:
    under_way = Waiting(upstream, eventually, waiting)
    yield under_way
    under_way.opened.set()


def test_a_call_under_way_serves_the_unchanged_account(desk: MakeDesk, under_way: Waiting) -> None:
    account = {"base_url": under_way.server.url}
    first, second = under_way.over(desk(mall=account), {"mall": account})
    assert (first.balance(), second.balance()) == (120, 120)
    assert len(under_way.server.requests) == 1


def test_a_call_under_way_serves_the_account_with_a_new_threshold(desk: MakeDesk, under_way: Waiting) -> None:
    account = {"base_url": under_way.server.url}
    changed = {**account, "thresholds": {"critical": 3}}
    first, second = under_way.over(desk(mall=account), {"mall": changed})
    assert (first.balance(), second.balance(), critical(second)) == (120, 120, 3)
    assert len(under_way.server.requests) == 1


def test_a_call_under_way_does_not_serve_the_account_with_another_key(
    desk: MakeDesk, under_way: Waiting
) -> None:
    account = {"base_url": under_way.server.url}
    first, second = under_way.over(desk(mall=account), {"mall": {**account, "api_key": "another"}})
    assert (first.balance(), second.balance()) == (120, 120)
    keys = [asked.headers["authorization"] for asked in under_way.server.requests]
    assert keys == ["Bearer key-of-mall", "Bearer another"]


def test_a_scrape_that_began_before_a_reload_ends_with_the_accounts_that_it_began_with(
    desk: MakeDesk, under_way: Waiting
) -> None:
    account = {"base_url": under_way.server.url}
    first, second = under_way.over(desk(goes=account), {"comes": account})
    assert (first.balance("goes"), first.up("comes")) == (120, None)
    assert (second.up("goes"), second.balance("comes")) == (None, 120)


def test_thresholds_that_no_wallet_has_are_named(upstream: MakeUpstream, desk: MakeDesk) -> None:
    account = {
        "base_url": upstream().url,
        "wallet_thresholds": {"CREDIT": {"critical": 5}, "credits": {"info": 9}},
    }
    trace = desk(mall=account).trace()
    assert "wallet_thresholds.CREDIT matches no wallet" in trace
    assert "wallet_thresholds.credits" not in trace
