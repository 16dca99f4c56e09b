"""The simulated world: it lives deterministically, by its clock alone."""

from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import requests

from exporter.simulator import Recharge, Simulator
from tests.simulator.client import EVERYTHING, HOUR, WEEK, Client, balances


def test_a_wallet_can_be_drained_and_filled_by_hand(client: Client) -> None:
    wallet = client.simulator.wallet("smspubli", "branch-a")
    wallet.balance = 0
    asked = {"api_key": client.simulator.keys["smspubli"], "user_name": "branch-a"}
    assert client.sms(asked).json()["result"]["balance"] == "0.0000"
    wallet.top_up("12.5")
    assert wallet.balance == Decimal("12.5")
    assert client.sms(asked).json()["result"]["balance"] == "12.5000"


def test_a_world_at_speed_zero_stands_still() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    before = balances(simulator)
    now = WEEK
    assert balances(simulator) == before


def test_a_living_wallet_burns_more_by_day_than_by_night() -> None:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    wallet = simulator.wallet("flexprice", "wallet_02")
    spent = {}
    for hour in range(24):
        before, now = wallet.balance, (hour + 1) * HOUR
        spent[(8 + hour) % 24] = before - wallet.balance
    assert all(amount > 0 for amount in spent.values())
    assert sum(spent[hour] for hour in range(11, 17)) > 4 * sum(spent[hour] for hour in range(6))


@cache
def living_week() -> tuple[list[list[Decimal]], Simulator]:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    rows = []
    for minute in range(0, int(WEEK) + 1, 60):
        now = float(minute)
        rows.append(balances(simulator))
    return rows, simulator


@pytest.mark.unmeasured
def test_a_living_week_burns_runs_low_and_is_topped_up() -> None:
    rows, _ = living_week()
    mails, sms, branch, acme, globex_usd, globex_eur, mall = zip(*rows, strict=True)

    def refills(wallet: tuple[Decimal, ...]) -> list[Decimal]:
        return [after - before for before, after in pairwise(wallet) if after > before]

    # A minute that recharges burns as well.
    assert all(4990 < amount <= 5000 for amount in refills(mails))
    assert len(refills(mails)) >= 3
    assert Decimal(900) < min(mails) < Decimal(1000)
    assert all(99 < amount <= 100 for amount in refills(acme))
    assert len(refills(acme)) >= 5
    assert Decimal(10) < min(acme) < Decimal(20)
    assert len(refills(branch)) >= 2
    assert min(branch) == 0
    assert len(refills(mall)) >= 3
    assert 0 <= min(mall) < 25
    assert min(sms) >= 0
    assert min(globex_usd) >= 0
    assert min(globex_eur) == Decimal(-20)
    assert len(refills(globex_eur)) >= 1


@pytest.mark.unmeasured
def test_equal_clocks_give_equal_worlds_however_often_they_are_looked_at() -> None:
    rows, watched = living_week()
    now = 0.0
    unwatched = Simulator(speed=60, clock=lambda: now)
    now = WEEK / 60
    assert balances(unwatched) == rows[-1] == balances(watched)
    assert balances(unwatched) != rows[0]


def test_a_wallet_without_a_working_recharge_burns_to_its_floor_and_no_further() -> None:
    now = 0.0
    simulator = Simulator(speed=1, clock=lambda: now)
    wallet = simulator.wallet("coldmailreseller")
    wallet.recharge = Recharge(enabled=False, threshold=Decimal(1000), amount=Decimal(5000))
    wallet.burn_per_hour = 1000
    assert wallet.burn_per_hour == 1000
    now = 24 * HOUR
    assert wallet.balance == 0
    wallet.recharge = Recharge(enabled=True, threshold=Decimal(1000), amount=Decimal(5000))
    now += 11 * 60
    assert wallet.balance > 4000


def test_flexprice_books_the_days_usage_at_midnight_without_touching_what_can_be_spent(
    session: requests.Session,
) -> None:
    now = 0.0
    with Simulator(speed=1, clock=lambda: now) as simulator:
        client = Client(simulator, session)

        def read() -> tuple[dict[str, Any], dict[str, Any]]:
            (acme,) = client.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
            return acme, client.flexprice({"lookup_key": "globex", **EVERYTHING}).json()[1]

        now = 16 * HOUR - 60
        before, _ = read()
        now = 16 * HOUR
        after, owing = read()
    assert Decimal(before["current_period_usage"]) > 50
    assert Decimal(before["balance"]) == Decimal("120.50")
    assert after["current_period_usage"] == after["unpaid_invoices_amount"] == "0"
    assert Decimal(after["balance"]) == Decimal(after["real_time_balance"])
    assert Decimal(after["real_time_balance"]) <= Decimal(before["real_time_balance"])
    assert after["credits_available_breakdown"]["free"] == "0"
    assert Decimal(owing["real_time_balance"]) == Decimal(owing["balance"]) - Decimal(
        owing["unpaid_invoices_amount"]
    )


def test_api_mall_fails_now_and_then_and_heals_by_itself(session: requests.Session) -> None:
    now = 0.0
    statuses = []
    with Simulator(speed=1, clock=lambda: now) as simulator:
        client = Client(simulator, session)
        for minute in range(0, 24 * 60, 2):
            now = minute * 60.0
            statuses.append(client.ask("apimall").status_code)
            if minute % 60 == 0:
                assert client.ask("coldmailreseller").status_code == 200
    assert set(statuses) == {200, 500}
    assert statuses[0] == 200
    outages = sum(1 for before, after in pairwise(statuses) if before < after)
    assert outages == 6
    assert statuses.count(500) < len(statuses) / 8


def test_an_outage_of_the_living_world_gives_way_to_a_failure_by_hand(session: requests.Session) -> None:
    now = 0.0
    with Simulator(speed=1, clock=lambda: now) as simulator:
        client = Client(simulator, session)
        while client.ask("apimall").status_code == 200:
            now += 60
        simulator.fail("apimall", "unauthorized")
        assert client.ask("apimall").status_code == 401
