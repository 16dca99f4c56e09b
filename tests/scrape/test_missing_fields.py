"""A provider that renames a field takes a threshold away without a word: the exporter tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.desk import Desk, MakeDesk, MakeUpstream, Page
    from tests.peers import Upstream

FAMILY = "prepaid_wallet_field_missing"
ALERTS = {"alert_enabled": True, "critical": {"condition": "below", "threshold": "25"}}
WALLET: dict[str, Any] = {
    "id": "w1",
    "currency": "usd",
    "balance": "118.2",
    "wallet_status": "active",
    "alert_settings": ALERTS,
}


class Customer:
    """An exporter with one account at Flexprice, whose answer is what a test says."""

    def __init__(self, server: Upstream, running: Desk, account: dict[str, Any]) -> None:
        self.server = server
        self.running = running
        self._account = account

    def reads(self, *wallets: dict[str, Any]) -> Page:
        self.server.answer = lambda peer, _: peer.answer(json.dumps(wallets).encode())
        return self.running.metrics()

    def misses(self, *wallets: dict[str, Any]) -> set[str]:
        """Scrape such an answer; return the fields that are missing of its first wallet."""
        page = self.reads(*wallets)
        found = {
            dict(labels)["field"]
            for (name, labels), value in page.samples.items()
            if name == FAMILY and dict(labels)["wallet"] == "w1" and value == 1
        }
        assert len(page.all(FAMILY)) == len(page.all(FAMILY, provider="flexprice", account="acme"))
        return found

    def reload(self) -> None:
        self.running.reload({"acme": self._account})


@pytest.fixture
def acme(upstream: MakeUpstream, desk: MakeDesk) -> Customer:
    server = upstream()
    account = {"provider": "flexprice", "base_url": server.url, "params": {"id": "c1"}}
    return Customer(server, desk(acme=account), account)


def without(*fields: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in WALLET.items() if name not in fields} | more


RENAMED = without(alert_settings={"alert_enabled": True, "low": ALERTS["critical"]})


def test_a_threshold_that_the_provider_renamed_is_missing_until_it_is_back(acme: Customer) -> None:
    assert acme.misses(WALLET) == set()
    assert acme.misses(RENAMED) == {"thresholds.critical"}
    assert acme.misses(RENAMED) == {"thresholds.critical"}
    assert acme.misses(WALLET) == set()


def test_the_sample_has_the_labels_of_the_wallet_and_the_threshold_is_not_invented(acme: Customer) -> None:
    acme.reads(WALLET)
    page = acme.reads(RENAMED)
    labels = {"provider": "flexprice", "account": "acme", "wallet": "w1", "currency": "USD"}
    assert page.one(FAMILY, field="thresholds.critical", **labels) == 1
    assert page.all("prepaid_balance_threshold") == []


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        (without("wallet_status"), {"status"}),
        (without(wallet_status=7), {"status"}),
        (without(wallet_status=None), set()),
        (without(wallet_status="thawing"), set()),
        (without("alert_settings"), {"thresholds.critical"}),
        (without(alert_settings=None), set()),
        (without(alert_settings={**ALERTS, "alert_enabled": False}), set()),
        (without("alert_settings", "wallet_status"), {"thresholds.critical", "status"}),
    ],
)
def test_what_the_provider_says_is_an_answer_and_what_it_does_not_say_a_loss(
    acme: Customer, after: dict[str, Any], fields: set[str]
) -> None:
    acme.reads(WALLET)
    assert acme.misses(after) == fields


def test_what_was_never_given_is_not_missing(acme: Customer) -> None:
    assert acme.misses(without("wallet_status")) == set()
    assert acme.misses(without("wallet_status")) == set()


def test_a_day_later_nobody_waits_for_it(acme: Customer) -> None:
    acme.reads(WALLET)
    assert acme.misses(RENAMED) == {"thresholds.critical"}
    acme.running.clock.advance(86300)
    assert acme.misses(RENAMED) == {"thresholds.critical"}
    acme.running.clock.advance(101)
    assert acme.misses(RENAMED) == set()


def test_a_reload_forgets_it(acme: Customer) -> None:
    acme.reads(WALLET)
    assert acme.misses(RENAMED) == {"thresholds.critical"}
    acme.reload()
    assert acme.misses(RENAMED) == set()
    assert acme.misses(without("wallet_status", alert_settings=RENAMED["alert_settings"])) == {"status"}


def test_a_failing_account_tells_nothing_of_its_wallets_and_forgets_nothing(acme: Customer) -> None:
    acme.reads(WALLET)
    acme.reads(RENAMED)
    acme.server.answer = lambda peer, _: peer.answer(b"", status="500 X")
    assert acme.running.metrics().all(FAMILY) == []
    assert acme.misses(RENAMED) == {"thresholds.critical"}


def test_a_wallet_that_went_is_no_lost_field(acme: Customer) -> None:
    other = {**WALLET, "id": "w2"}
    acme.reads(WALLET, other)
    assert acme.reads(other).all(FAMILY) == []
    assert acme.reads().all(FAMILY) == []


def test_people_are_told_too(acme: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    acme.reads(WALLET)
    capsys.readouterr()
    acme.reads(RENAMED)
    note = "wallet.thresholds.critical is missing: an earlier answer gave it"
    assert f"note      {note}\n" in acme.running.trace("acme")
    assert note in acme.running.ask("/")
    assert note in capsys.readouterr().out
