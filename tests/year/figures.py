"""A year of all accounts through the shipped rules, and what it comes to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from tests.year.verdict import Verdict, inhibitions, judge
from tests.year.wallets import DAY
from tests.year.world import Year

ROOT = Path(__file__).resolve().parents[2]
RULES = [ROOT / "grafana/rules" / name for name in ("recording.yml", "alerts.yml")]
ALERTMANAGER = ROOT / "grafana/alertmanager/alertmanager.yml"


class Figures(NamedTuple):
    """What a year comes to."""

    seed: int
    accounts: int
    years: float
    counts: dict[str, Counter[str]]
    pages: float
    due: float
    """Pages for each account and year, as they came and as they should have."""
    median: float
    ninetieth: float
    """By what share the runway was wrong a day before the end."""
    ends: int
    """How often it was measured."""

    def total(self, what: str) -> int:
        """Count something of all alerts."""
        return sum(count[what] for count in self.counts.values())


def load(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read the groups of rule files."""
    return [group for path in paths for group in yaml.load(path.read_text(), yaml.CSafeLoader)["groups"]]


def figures(seed: int, verdicts: Sequence[Verdict]) -> Figures:
    """Add up what the accounts of a year came to."""
    counts: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        for alert, count in verdict.counts.items():
            counts.setdefault(alert, Counter()).update(count)
    years = sum(verdict.years for verdict in verdicts)
    errors = [error for verdict in verdicts for error in verdict.errors]
    middle, high = np.percentile(errors, (50, 90), method="lower") if errors else (np.nan, np.nan)
    pages, due = (
        sum(getattr(verdict, name) for verdict in verdicts) / years for name in ("pages", "due_pages")
    )
    return Figures(seed, len(verdicts), years, counts, pages, due, float(middle), float(high), len(errors))


def _one(case: tuple[int, int], days: int, groups: Sequence[Mapping[str, Any]]) -> Verdict:
    seed, number = case
    held = inhibitions(yaml.safe_load(ALERTMANAGER.read_text()))
    return judge(Year(seed, days * DAY), number, groups, held)


def run(seed: int, days: int, names: Iterable[str] = (), processes: int = 1) -> list[Verdict]:
    """Judge the rules over a year, of all its accounts or of some."""
    wanted = set(names)
    accounts = [account.name for account in Year(seed, days * DAY).accounts()]
    cases = [(seed, number) for number, name in enumerate(accounts) if not wanted or name in wanted]
    task = partial(_one, days=days, groups=load(RULES))
    if processes == 1:
        return [task(case) for case in cases]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(task, cases))
