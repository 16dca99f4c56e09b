"""Weeks of the simulated year: what the shipped rules tell of them, and that what they do not is counted."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from tests.year.figures import ALERTMANAGER, RULES, Figures, figures, load, run
from tests.year.verdict import Verdict, inhibitions, judge
from tests.year.wallets import DAY
from tests.year.world import Year

pytestmark = pytest.mark.slow

SEED, DAYS = 1, 70
ACCOUNTS = (
    "steady",
    "weekdays",
    "weekly-batch",
    "growing",
    "recharged",
    "card-declined",
    "neglected",
    "no-thresholds",
    "credit-limit",
    "plan",
    "booked-hourly",
    "three-wallets",
    "revoked",
    "edited",
)
GUESSES = (
    "PrepaidRunwayCritical",
    "PrepaidRunwayShort",
    "PrepaidSpendUnusual",
    "PrepaidAutoRechargeTooSmall",
)
"""The alerts that foretell; the others state what is read."""


@cache
def weeks() -> tuple[Figures, str]:
    """Run the weeks once; return their figures, and every case that was not good."""
    verdicts = run(SEED, DAYS, ACCOUNTS)
    return figures(SEED, verdicts), "\n".join(case for verdict in verdicts for case in verdict.cases)


def test_everybody_who_had_to_be_told_is_told() -> None:
    one, cases = weeks()
    assert one.total("told") > 80, one.counts
    assert one.total("missed") == 0, cases


def test_what_states_a_fact_is_neither_late_nor_false() -> None:
    one, cases = weeks()
    facts = [count for alert, count in one.counts.items() if alert not in GUESSES]
    assert len(facts) > 6
    assert sum(count["late"] + count["false"] for count in facts) == 0, cases


def test_few_foretellings_are_false_and_few_pages_are_too_many() -> None:
    one, cases = weeks()
    assert one.total("false") < 30, cases
    assert one.pages < 1.8 * one.due, cases


def test_a_day_before_the_end_the_runway_is_known() -> None:
    one, _ = weeks()
    assert one.ends > 10
    assert one.median < 0.12  # of so few, the 90th percentile is but the second worst: see make year


def alone(name: str, groups: list[dict[str, Any]], days: int = 35) -> Verdict:
    """Judge other rules over some weeks of one account."""
    year = Year(SEED, days * DAY)
    number = [account.name for account in year.accounts()].index(name)
    return judge(year, number, groups, inhibitions(yaml.safe_load(ALERTMANAGER.read_text())))


def changed(alert: str, expression: str) -> list[dict[str, Any]]:
    """Return the shipped groups with another expression of an alert."""

    def other(rule: Mapping[str, Any]) -> dict[str, Any]:
        return {**rule, "expr": expression} if rule.get("alert") == alert else dict(rule)

    return [{**group, "rules": [other(rule) for rule in group["rules"]]} for group in load(RULES)]


@pytest.mark.parametrize(
    ("expression", "counted"),
    [
        ("wallet:prepaid_balance:last < -1e9", "missed"),
        ("wallet:prepaid_balance:last > 0", "false"),
        (
            "wallet:prepaid_balance:last < 0.8 * max without (level)"
            ' (wallet:prepaid_balance_threshold:last{level="critical"})',
            "late",
        ),
    ],
)
def test_a_rule_that_is_wrong_is_found_out(expression: str, counted: str) -> None:
    verdict = alone("steady", changed("PrepaidBalanceBelowCritical", expression))
    count = verdict.counts["PrepaidBalanceBelowCritical"]
    assert {name for name in ("missed", "late", "false") if count[name]} == {counted}, verdict.cases
