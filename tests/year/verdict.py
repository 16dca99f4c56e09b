"""How the alerts that fired compare with what was due, and what people would have got of them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.expressions import parsed
from tests.year import truth
from tests.year.promql import LOOKBACK, Alert
from tests.year.promql import Year as Rules
from tests.year.truth import Duty, Key
from tests.year.wallets import DAY, HOUR, Life, mask
from tests.year.windows import Array, Mask, last_over_time, runs
from tests.year.world import START, Seen, Year, scraped

RUNWAY = "wallet:prepaid_runway_seconds:limit"
MARK = DAY
"""How long before the end of a balance its runway is measured."""
PAGE_MINUTES = 5
"""Alerts of an account within so many minutes are one page."""
Place = tuple[str, Key]


@dataclass
class Verdict:
    """What is counted of an account."""

    account: str
    years: float
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    pages: int = 0
    due_pages: int = 0
    errors: list[float] = field(default_factory=list)
    """Shares by which the runway was wrong at the mark; infinity where there was none."""
    cases: list[str] = field(default_factory=list)
    """What was not good, in words."""


def when(minute: int) -> str:
    """Say a minute of the year."""
    day, rest = divmod(minute, DAY)
    return f"day {day} ({'MTWTFSS'[day % 7]}) {rest // HOUR:02}:{rest % HOUR:02}"


def inhibitions(alertmanager: Mapping[str, Any]) -> dict[str, list[tuple[str, bool]]]:
    """Return by which alerts each alert is held back, and whether on the same wallet or the same account."""
    held: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for rule in alertmanager["inhibit_rules"]:
        (source,), (target,) = rule["source_matchers"], rule["target_matchers"]
        patterns = [re.compile(re.sub(r'^alertname=~?"(.*)"$', r"\1", text)) for text in (source, target)]
        for above in truth.KNOWN:
            for below in truth.KNOWN:
                if above != below and patterns[0].fullmatch(above) and patterns[1].fullmatch(below):
                    held[below].append((above, "wallet" in rule["equal"]))
    return held


def joined(condition: Mask, apart: int) -> list[tuple[int, int]]:
    """List where a condition is, those that are near as one."""
    found: list[tuple[int, int]] = []
    for begin, end in runs(condition):
        if found and begin - found[-1][1] < apart:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def judge(
    year: Year,
    number: int,
    groups: Sequence[Mapping[str, Any]],
    held: Mapping[str, Sequence[tuple[str, bool]]],
) -> Verdict:
    """Let an account live through a year, watch it by the rules, and judge what they told."""
    account = year.accounts()[number]
    seen = year.seen(account, number)
    rules = Rules(START, year.length)
    for name, labels, values in scraped(seen):
        rules.put(name, labels, values)
    alerts = rules.run(groups, keep=[RUNWAY])
    verdict = Verdict(account.name, float(seen.exists.sum() / (365 * DAY)))
    duties = [*truth.of_account(seen), *(truth.of_exporter(seen) if not number else ())]
    fired, severity = _fired(alerts, account.name, year.length)
    if number:
        for alert in ("PrepaidExporterDown", "PrepaidExporterAbsent", "PrepaidConfigReloadFailed"):
            fired.pop((alert, None), None)  # told of the first account
    _Judge(seen, fired, held, verdict).all(duties)
    severity |= {
        rule["alert"]: rule["labels"]["severity"]
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    }
    verdict.pages = _pages(fired, severity, held)
    verdict.due_pages = _pages(_ideal(duties, year.length), severity, held)
    runways = rules.vector(parsed(RUNWAY))  # which stand until the rules are evaluated again
    for life in seen.lives:
        verdict.errors.extend(_errors(seen, life, runways))
    return verdict


def _fired(alerts: Iterable[Alert], account: str, length: int) -> tuple[dict[Place, Mask], dict[str, str]]:
    """Return when each alert fired on a wallet, the account or the exporter."""
    fired: dict[Place, Mask] = {}
    severity: dict[str, str] = {}
    for alert in alerts:
        severity[alert.name] = alert.severity
        if alert.labels.get("account", account) != account:
            continue
        key = (alert.labels["wallet"], alert.labels["currency"]) if "wallet" in alert.labels else None
        there = fired.setdefault((alert.name, key), np.zeros(length, bool))
        there |= mask(tuple(alert.firing), length)
    return fired, severity


def _ideal(duties: Iterable[Duty], length: int) -> dict[Place, Mask]:
    """Return when perfect alerts would have fired."""
    ideal: dict[Place, Mask] = {}
    for duty in duties:
        there = ideal.setdefault((duty.alert, duty.key), np.zeros(length, bool))
        for wanted in (duty.due, duty.ideal):
            for begin, end in joined(wanted, duty.apart):
                if wanted[begin:end].sum() >= duty.least:
                    there[begin:end] = True
    return ideal


def _free(
    place: Place, fired: Mapping[Place, Mask], held: Mapping[str, Sequence[tuple[str, bool]]]
) -> tuple[Mask, Mask]:
    """Return where an alert fires and nothing holds it back, and where something would."""
    alert, key = place
    mine = fired[place] if place in fired else np.zeros_like(next(iter(fired.values())))
    back = np.zeros_like(mine)
    for above, on_wallet in held.get(alert, ()):
        source = fired.get((above, key if on_wallet else None))
        if source is not None:
            back |= source
    return mine & ~back, back


def _pages(
    fired: Mapping[Place, Mask], severity: Mapping[str, str], held: Mapping[str, Sequence[tuple[str, bool]]]
) -> int:
    """Count the pages of an account: critical alerts that begin, or are not held back any more."""
    begins = sorted(
        begin
        for alert, key in fired
        if severity.get(alert) == "critical"
        for begin, _ in runs(_free((alert, key), fired, held)[0])
    )
    pages, last = 0, -DAY
    for begin in begins:
        if begin - last > PAGE_MINUTES:
            pages, last = pages + 1, begin
    return pages


class _Judge:
    """Compares what fired with what was due."""

    def __init__(
        self,
        seen: Seen,
        fired: dict[Place, Mask],
        held: Mapping[str, Sequence[tuple[str, bool]]],
        verdict: Verdict,
    ) -> None:
        self.seen, self.fired, self.held, self.verdict = seen, fired, held, verdict
        stuck = np.zeros(len(seen.up), bool)
        for life in seen.lives:
            stuck |= mask(life.wallet.stuck, len(stuck))
        self.sights = {"read": seen.up & ~stuck, "asked": seen.answers, "always": np.ones(len(stuck), bool)}

    def all(self, duties: Sequence[Duty]) -> None:
        """Judge every duty, and every alert that nobody asked for."""
        fair: dict[Place, Mask] = {}
        needed: dict[Place, Mask] = {}
        apart: dict[Place, int] = {}
        for duty in duties:
            place = (duty.alert, duty.key)
            self._told(duty)
            none = np.zeros(len(duty.due), bool)
            fair[place] = fair.get(place, none) | duty.fair | duty.due
            needed[place] = needed.get(place, none) | duty.due | duty.ideal
            apart[place] = max(apart.get(place, 0), duty.apart)
        for place, there in self.fired.items():
            none = np.zeros(len(there), bool)
            self._meant(place, fair.get(place, none), needed.get(place, none), apart.get(place, HOUR))

    def _note(self, what: str, place: Place, begin: int, end: int) -> None:
        alert, key = place
        self.verdict.counts[alert][what] += 1
        if what in ("missed", "late", "false", "repeated", "needless"):
            where = " ".join((self.verdict.account, *(key or ())))
            self.verdict.cases.append(f"{what:9}{alert} {where}: {when(begin)} to {when(end)}")

    def _told(self, duty: Duty) -> None:
        """Find for each matter whether somebody was told in time."""
        place = (duty.alert, duty.key)
        firing = runs(self.fired[place]) if place in self.fired else []
        back = _free(place, self.fired, self.held)[1] if self.fired else np.zeros(len(duty.due), bool)
        sight = np.concatenate(([0], np.cumsum(self.sights[duty.sight])))
        lives = joined(duty.fair | duty.due, duty.apart)
        for begin, end in joined(duty.due, duty.apart):
            if duty.due[begin:end].sum() < duty.least:
                continue
            since, until = next(life for life in lives if life[0] <= begin < life[1])
            deadline = int(np.searchsorted(sight, sight[begin] + duty.patience))
            told = min(
                (at for at, last in firing if at < end and last > since and (last > begin or at >= since)),
                default=None,
            )
            if told is not None and told <= deadline:
                self._note("told", place, begin, end)
            elif deadline >= end:
                self._note("unreadable", place, begin, end)
            elif back[since : deadline + 1].any():
                self._note("covered", place, begin, end)
            else:
                self._note("missed" if told is None else "late", place, begin, min(end, until))

    def _meant(self, place: Place, fair: Mask, needed: Mask, apart: int) -> None:
        """Find for each firing whether it was true, and new."""
        lives = joined(fair, apart)
        told: set[int] = set()
        for begin, end in runs(self.fired[place]):
            self._note("firings", place, begin, end)
            if not fair[begin : min(end, begin + apart)].any():
                self._note("false", place, begin, end)
                continue
            life = next(
                number for number, (since, until) in enumerate(lives) if begin < until and end > since
            )
            if life in told:
                self._note("repeated", place, begin, end)
            elif not needed[slice(*lives[life])].any():
                self._note("needless", place, begin, end)
            told.add(life)


def _errors(seen: Seen, life: Life, runways: Mapping[Any, Array]) -> list[float]:
    """Return by which share the runway was wrong, each time that a balance had just a day left."""
    wallet, length = life.wallet, len(seen.up)
    if wallet.postpaid or wallet.plan:
        return []
    guess = np.full(length, np.nan)
    for key, values in runways.items():
        labels = dict(key)
        if (labels["account"], labels["wallet"], labels["currency"]) == (
            seen.account.name,
            wallet.id,
            wallet.currency,
        ):
            guess = np.fmin(guess, last_over_time(values, (1 - LOOKBACK, 0)) / 60)
    sure = truth.runway(life).sure
    hidden = mask((*wallet.vanished, *wallet.frozen, *wallet.stuck), length)
    readable, errors, armed = seen.exists & seen.up & ~hidden, [], True
    for minute in np.flatnonzero((sure <= MARK) | (sure > 1.3 * MARK)).tolist():
        if sure[minute] > MARK:
            armed = True
        elif armed:
            armed = False
            if sure[minute] > 0.9 * MARK and readable[minute]:  # it came there by time, not by a jump
                wrong = abs(guess[minute] - sure[minute]) / sure[minute]
                errors.append(float("inf") if np.isnan(wrong) else float(wrong))
    return errors
