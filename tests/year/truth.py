"""When a person had to be told, by what the simulation knows and no rule does.

`due`: somebody has to be told, `patience` readable minutes after it began at the latest. `fair`: who is told now is
told no lie. `ideal`: when a perfect alert would speak. What is due for less than `least` minutes matters to nobody, and
what is less than `apart` minutes apart is one matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tests.year.wallets import DAY, HOUR, Life, mask
from tests.year.windows import Array, Mask, runs
from tests.year.world import LEVELS, REASONS, Seen, renewal, thresholds

Key = tuple[str, str] | None
"""Wallet and currency; none for what is of an account or of the exporter."""
CALM = 2
"""A runway of more than so many times the limit is no reason to tell anybody; of less than one such part it is one."""


@dataclass(frozen=True)
class Duty:
    """What an alert has to tell of a wallet, an account or the exporter."""

    alert: str
    key: Key
    due: Mask
    fair: Mask
    ideal: Mask
    patience: int
    least: int
    apart: int = HOUR
    sight: str = "read"
    """By what it can be known: `read` the account's balance, `asked` the exporter, `always`."""


def longer(condition: Mask, minutes: int) -> Mask:
    """Return where a condition has lasted for some minutes."""
    lasting = np.zeros_like(condition)
    for begin, end in runs(condition):
        lasting[begin + minutes : end] = True
    return lasting


def widened(condition: Mask, before: int, after: int) -> Mask:
    """Return a condition with some minutes before and after each time."""
    wide = condition.copy()
    for begin, end in runs(condition):
        wide[max(0, begin - before) : end + after] = True
    return wide


def lasts(rate: Array, room: Array) -> Array:
    """Return how many minutes each minute's room lasts against a demand by minute; infinity where it outlasts it."""
    total = np.cumsum(rate)
    at = np.searchsorted(total, total[: len(room)] + np.maximum(room, 0) - 1e-9)
    left = np.where(at < len(total), at - np.arange(len(room)), np.inf)
    left[room <= 0] = 0
    return left


@dataclass(frozen=True)
class Runway:
    """How long a balance lasts, in minutes: at the rate that was to be expected, and as it came."""

    sure: Array
    real: Array


def runway(life: Life) -> Runway:
    """Return how long a balance lasts without another top-up; nobody knows of a price or its end before."""
    room = life.balance + (life.wallet.limit or 0.0)
    sure = np.empty(len(room))
    begins = [begin for begin, _ in life.known] + [len(room)]
    for begin, end, (_, rate) in zip(begins, begins[1:], life.known, strict=False):
        sure[begin:end] = lasts(rate, room)[begin:end]
    return Runway(sure, lasts(life.asked, room))


def _spent(life: Life, minutes: int) -> Array:
    """Return what was spent in the last so many minutes."""
    total = np.concatenate(([0.0], np.cumsum(life.spent)))
    at = np.arange(1, len(life.spent) + 1)
    return total[at] - total[np.maximum(at - minutes, 0)]


class _Wallet:
    """The duties of one wallet."""

    def __init__(self, seen: Seen, life: Life) -> None:
        self.seen, self.life, self.wallet = seen, life, life.wallet
        self.length = len(seen.up)
        self.key = (self.wallet.id, self.wallet.currency)
        self.there = seen.exists & ~mask(self.wallet.vanished, self.length)
        # What the provider has not booked, or has told an hour ago, nobody can read now.
        self.lag = max(seen.account.every, self.wallet.booked if self.wallet.booked > 1 else 0)
        self.levels = thresholds(self.wallet, self.length)
        self.levelled = np.zeros(self.length, bool)
        for limit in self.levels.values():
            self.levelled |= ~np.isnan(limit)
        self.runway = runway(life)
        recharge = self.wallet.recharge
        self.on = np.zeros(self.length, bool) if not recharge else ~mask(recharge.off, self.length)
        self.below = np.zeros(self.length, bool) if not recharge else life.shown < recharge.threshold
        declined = mask(recharge.declined, self.length) if recharge else self.below
        self.works = self.on & ~(declined & self.below)

    def duties(self) -> Iterator[Duty]:
        yield from self._levels()
        if not self.wallet.postpaid:
            yield from self._runway()
        if self.wallet.recharge:
            yield from self._recharge()
        yield from self._unusual()
        yield from self._states()

    def _duty(
        self, alert: str, due: Mask, patience: int, least: int, after: int = 12, **others: object
    ) -> Duty:
        """Return a duty that is as fair and as ideal as it is due, unless told otherwise."""
        given: dict[str, object] = {"fair": widened(due, 0, after + self.lag), "ideal": due, **others}
        return Duty(alert, self.key, due, patience=patience + self.lag, least=least, **given)  # type: ignore[arg-type]

    def _levels(self) -> Iterator[Duty]:
        life, recharge = self.life, self.wallet.recharge
        for level, limit in self.levels.items():
            low = (life.shown < limit) & self.there
            due = low
            if recharge and np.nanmax(limit) >= recharge.threshold:
                due = longer(low & self.on, HOUR) | low & ~self.on  # each recharge passes it
            fair = widened(low, 0, 12 + self.lag)
            yield self._duty(f"PrepaidBalanceBelow{level.capitalize()}", due, 10, 10, fair=fair)
        if not self.wallet.postpaid:
            empty = (life.shown <= self.wallet.floor) & self.there
            yield self._duty("PrepaidWalletExhausted", empty, 10, 10)

    def _runway(self) -> Iterator[Duty]:
        sure, real, shown = self.runway.sure, self.runway.real, self.life.shown
        usable = (
            self.there & ~mask(self.wallet.frozen, self.length) & (shown > self.wallet.floor) & ~self.works
        )
        usable[: self.seen.account.begin + 100] = False  # without an hour of readings there is no pace
        ends = np.full(self.length, np.inf)
        if self.wallet.plan:  # a plan that is renewed first does not end
            ends = (renewal(self.length) - renewal(self.length)[0]) / 60 + 30 * DAY - np.arange(self.length)
        burst = np.zeros(self.length, bool)
        for begin, end, _ in self.wallet.usage.bursts:
            burst[begin:end] = True
        hour = _spent(self.life, HOUR)
        for level, alert in (("critical", "PrepaidRunwayCritical"), ("warning", "PrepaidRunwayShort")):
            span = self.seen.account.runway[level]
            fast = burst & (self.life.balance - self.wallet.floor < span / HOUR * hour)
            fair = (np.minimum(sure, real) < CALM * span) & self.there | fast
            due = (sure < span / CALM) & usable & (sure < ends)
            ideal = (sure < span) & usable & (sure < ends)
            wide = widened(fair, 0, HOUR + self.lag)
            yield self._duty(alert, due, 35, 35, fair=wide, ideal=ideal, apart=6 * HOUR)

    def _recharge(self) -> Iterator[Duty]:
        recharge, sure = self.wallet.recharge, self.runway.sure
        if not recharge:
            return
        late = longer(self.on & self.below & self.there, 55)
        fair = widened(late, 5, 30 + self.lag)
        yield self._duty("PrepaidAutoRechargeOverdue", late, 20, 15, fair=fair, apart=6 * HOUR)
        off, span = ~self.on & self.there, self.seen.account.runway["warning"]
        marks = [self.levels[level] for level in ("warning", "critical") if level in self.levels]
        low = np.zeros(self.length, bool)
        for limit in marks:
            low |= self.life.shown < limit
        soon = np.minimum(sure, self.runway.real) < CALM * span
        yield self._duty(
            "PrepaidAutoRechargeOff",
            off & (low | (sure < span / CALM)),
            30,
            30,
            fair=widened(off & (low | soon), 0, 30),
            ideal=off & (low | (sure < span)),
            apart=6 * HOUR,
        )
        rate = np.empty(self.length)
        begins = [begin for begin, _ in self.life.known] + [self.length]
        for begin, end, (_, known) in zip(begins, begins[1:], self.life.known, strict=False):
            rate[begin:end] = known[begin:end]
        total = np.concatenate((np.zeros(DAY), np.cumsum(rate)))
        expected = total[DAY:] - total[:-DAY]
        small = self.on & self.there & (recharge.amount < 0.8 * expected)
        fair = self.on & (recharge.amount < 1.1 * np.maximum(_spent(self.life, DAY), expected))
        fair = widened(fair, 0, 90)
        yield self._duty("PrepaidAutoRechargeTooSmall", small, DAY, DAY, fair=fair, apart=3 * DAY)

    def _unusual(self) -> Iterator[Duty]:
        """A burst or a price that makes an hour dear against the week, and against what is left."""
        life, wallet = self.life, self.wallet
        hour, week = _spent(life, HOUR), _spent(life, 7 * DAY) / 168
        dear = (hour > 5 * week) & (hour > 0.02 * np.maximum(life.balance, 0))
        fair = widened((hour > 4.9 * week) & (hour > 0.019 * life.balance), 0, 20 + self.lag)
        due, jump = np.zeros(self.length, bool), np.zeros(self.length, bool)
        for begin, end, factor in wallet.usage.bursts:
            fair[begin : end + 90] = True
            if any(last <= begin < last + 9 * DAY for _, last, _ in wallet.usage.bursts):
                continue  # what was so within eight days is not unusual
            clearly = np.flatnonzero(dear[begin:end] & (hour[begin:end] > 6 * week[begin]))
            if factor >= 12 and end - begin >= 120 and clearly.size and clearly[0] + 45 < end - begin:
                due[begin + int(clearly[0]) : end] = True
        for begin, end, factor in wallet.usage.prices:
            if factor >= 3:
                fair[begin : min(end, begin + 3 * DAY)] = True
            if factor >= 6:
                jump[begin : min(end, begin + 2 * DAY)] = True
        # At night five times as much may be less than an hour of the day: a day is left for it.
        due &= self.there & (wallet.usage.shape in ("flat", "awake"))
        jump &= self.there & (wallet.usage.shape in ("flat", "awake")) & dear
        # An hour is known after an hour of readings.
        yield self._duty("PrepaidSpendUnusual", due, 75, 30, fair=fair, apart=12 * HOUR)
        if jump.any():
            yield self._duty("PrepaidSpendUnusual", jump, DAY, HOUR, fair=fair, apart=3 * DAY)

    def _states(self) -> Iterator[Duty]:
        wallet, seen, shown = self.wallet, self.seen, self.life.shown
        now = renewal(self.length)[0] - 60.0 * 30 * DAY + 60.0 * np.arange(self.length)
        if wallet.lapses:
            soon = (renewal(self.length) - now < 7 * 86400) & (shown > 0) & self.there
            yield self._duty("PrepaidCreditExpiring", soon, 20, 30, after=45)
        yield self._duty(
            "PrepaidWalletNotActive", mask(wallet.frozen, self.length) & self.there, 10, 10, after=15
        )
        gone = mask(wallet.vanished, self.length) & seen.exists
        for begin, end in runs(gone):  # it is told for a day
            gone[begin + DAY : end] = False
        yield self._duty("PrepaidWalletVanished", gone, 10, 5, after=20)
        if wallet.alarm is not None:
            yield self._duty("PrepaidProviderAlarm", (shown < wallet.alarm) & self.there, 10, 10, after=20)
        bare = self.there & ~self.levelled
        due = bare & seen.up & (not wallet.postpaid) & (not wallet.plan)
        yield self._duty("PrepaidThresholdMissing", due, 65, 65, fair=widened(bare, 0, 5), apart=DAY)


def of_account(seen: Seen) -> Iterator[Duty]:
    """Yield the duties of an account and its wallets."""
    account, minutes = seen.account, np.arange(len(seen.up))
    for life in seen.lives:
        yield from _Wallet(seen, life).duties()
    asked = seen.exists & seen.answers
    refused = asked & (seen.reason == REASONS.index("auth"))
    yield Duty(
        "PrepaidCredentialsRejected",
        None,
        refused,
        widened(refused, 0, 15),
        refused,
        8 + account.every,
        8,
        sight="asked",
    )
    failing = asked & seen.failing
    silent = failing | (seen.exists & ~seen.answers & seen.target & account.probe)
    due = longer(failing, 15 + account.every)
    yield Duty(
        "PrepaidAccountFailing", None, due, widened(longer(silent, 14), 0, 15), due, 10, 5, sight="asked"
    )
    good = np.maximum.accumulate(np.where(asked & ~seen.failing, minutes, -1))
    stale = asked & (good >= 0) & (minutes - good > 125)
    fair = widened(
        stale | asked & (minutes - seen.read > 120), 0, 10
    )  # by min_interval it is older than it had to be
    patience = 15 + account.every
    yield Duty("PrepaidReadingStale", None, stale, fair, stale, patience, 15, sight="always")


def of_exporter(seen: Seen) -> Iterator[Duty]:
    """Yield the duties that are the same for all accounts."""
    for alert, due, least in (
        ("PrepaidExporterDown", seen.target & ~seen.answers, 6),
        ("PrepaidExporterAbsent", ~seen.target, 11),
        ("PrepaidConfigReloadFailed", seen.refused, 6),
    ):
        yield Duty(alert, None, due, widened(due, 0, 6), due, least, least, sight="always")


KNOWN = {f"PrepaidBalanceBelow{level.capitalize()}" for level in LEVELS} | {
    "PrepaidWalletExhausted",
    "PrepaidRunwayCritical",
    "PrepaidRunwayShort",
    "PrepaidAutoRechargeOverdue",
    "PrepaidAutoRechargeOff",
    "PrepaidAutoRechargeTooSmall",
    "PrepaidSpendUnusual",
    "PrepaidCreditExpiring",
    "PrepaidWalletNotActive",
    "PrepaidWalletVanished",
    "PrepaidProviderAlarm",
    "PrepaidThresholdMissing",
    "PrepaidCredentialsRejected",
    "PrepaidAccountFailing",
    "PrepaidReadingStale",
    "PrepaidExporterDown",
    "PrepaidExporterAbsent",
    "PrepaidConfigReloadFailed",
}
"""The alerts that are judged; another one is counted as false, since nothing in the year is a reason for it."""
