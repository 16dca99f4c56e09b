"""What a wallet spends and gets in a simulated year, whether or not anybody reads it.

Times are minutes since the year began, on a Monday at midnight; amounts are in the wallet's currency.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np

from tests.year.windows import Array, Mask

HOUR, DAY, WEEK = 60, 1440, 7 * 1440
AHEAD = 60 * DAY
"""So far past the end demand is known, for runways that begin within the year."""

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Usage:
    """What is asked of a wallet: `day` is its mean."""

    day: float
    shape: str = "awake"
    growth: float = 1.0
    """The factor that is reached after a year."""
    noise: float = 0.25
    prices: tuple[tuple[int, int, float], ...] = ()
    """From, up to, and a factor that everybody knows of once it is there, but not how long it lasts."""
    bursts: tuple[tuple[int, int, float], ...] = ()
    """From, up to, and a factor that nobody could foresee."""


@dataclass(frozen=True)
class Recharge:
    """What the provider adds by itself, some minutes after the balance is below a threshold."""

    threshold: float
    amount: float
    delay: tuple[int, int] = (4, 30)
    slow: float = 0.0
    """The share of recharges that take two to four hours."""
    declined: Spans = ()
    off: Spans = ()


@dataclass(frozen=True)
class TopUp:
    """What a person adds after the balance fell below a level: in working hours, at times far too late."""

    below: float
    amount: float
    hours: tuple[float, float] = (1, 10)
    late: float = 0.15
    """The share that comes one to three days later."""


@dataclass(frozen=True)
class Wallet:
    """A wallet of an account."""

    usage: Usage
    start: float
    id: str = "main"
    currency: str = "USD"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    edits: tuple[tuple[int, Mapping[str, float | None]], ...] = ()
    """From when on other thresholds count."""
    recharge: Recharge | None = None
    topup: TopUp | None = None
    pocket: float = 0.0
    """What small top-ups add several times a day, by hand, while there is little."""
    lapses: float = 0.0
    """A credit that is given every thirty days in place of what is left."""
    plan: float = 0.0
    """The quota of a plan that is renewed every thirty days."""
    limit: float | None = None
    postpaid: bool = False
    booked: int = 1
    """After how many minutes each the provider books what was used."""
    stuck: Spans = ()
    """While the provider shows an old number."""
    frozen: Spans = ()
    vanished: Spans = ()
    alarm: float | None = None
    """Where the provider's own alarm is."""

    @property
    def floor(self) -> float:
        """Where nothing more can be spent."""
        return -np.inf if self.postpaid else 0.0 - (self.limit or 0.0)


@dataclass
class Life:
    """What became of a wallet, minute by minute."""

    wallet: Wallet
    known: list[tuple[int, Array]]
    """From when on which rate was to be expected, up to some time past the end."""
    asked: Array
    balance: Array
    spent: Array
    shown: Array
    """The balance as the provider shows it."""


def mask(spans: Spans, length: int) -> Mask:
    """Return where spans are."""
    inside = np.zeros(length, bool)
    for begin, end in spans:
        inside[begin:end] = True
    return inside


def _weekly(shape: str) -> Array:
    """Return a week's demand by minute, whose mean is 1."""
    minute = np.arange(WEEK)
    hour, day = minute % DAY / HOUR, minute // DAY
    working = (hour >= 8) & (hour < 19)
    shapes: dict[str, Array] = {
        "flat": np.ones(WEEK),
        "awake": (1 + 0.5 * np.sin((hour - 8) / 12 * np.pi)) * np.where(day < 5, 1.06, 0.85),
        "weekdays": np.where(working, 1.0, 0.1) * np.where(day < 5, 1.0, 0.15),
        "nightly": np.where((hour >= 2) & (hour < 4), 1.0, 0.03),
        "weekly": np.where((day == 2) & (hour >= 20), 1.0, 0.002),
    }
    week = shapes[shape]
    result: Array = week / week.mean()
    return result


def demand(usage: Usage, length: int, chance: np.random.Generator) -> tuple[list[tuple[int, Array]], Array]:
    """Return what was to be expected, from each change of prices on, and what was really asked for; by minute."""
    minutes = np.arange(length + AHEAD)
    expected = np.resize(_weekly(usage.shape), len(minutes)) * usage.day / DAY
    expected *= usage.growth ** (minutes / (365 * DAY))
    known = [(0, expected.copy())]
    for begin, end, factor in usage.prices:  # they do not overlap, and nobody knows how long one lasts
        usual = known[-1][1]
        known += [(begin, usual * factor), (end, usual)]
        expected[begin:end] *= factor
    hours = len(minutes) // HOUR
    pull, mood = chance.normal(0, usage.noise, hours), np.zeros(hours)
    for hour in range(1, hours):  # a busy hour is followed by another
        mood[hour] = 0.75 * mood[hour - 1] + 0.66 * pull[hour]
    asked = expected * np.repeat(np.exp(mood - usage.noise**2 / 2), HOUR)
    asked *= chance.gamma(2.0, 0.5, len(minutes))
    for begin, end, factor in usage.bursts:
        asked[begin:end] *= factor
    return known, asked


def working_hours(minute: int) -> int:
    """Return the first minute from one on in which people work: Monday to Friday, 9 to 17."""
    day, rest = divmod(minute, DAY)
    if rest >= 17 * HOUR:
        day, rest = day + 1, 0
    if day % 7 >= 5:
        day, rest = day + 7 - day % 7, 0
    return day * DAY + max(rest, 9 * HOUR)


class _Funds:
    """Who adds money to a wallet, and when; a heap of what is on its way."""

    def __init__(self, wallet: Wallet, length: int, chance: Random) -> None:
        self.wallet, self.chance = wallet, chance
        self.coming: list[tuple[int, str, float]] = []
        self.waiting: set[str] = set()
        for month in range(30 * DAY, length, 30 * DAY):
            if wallet.lapses or wallet.plan or wallet.postpaid:
                self.coming.append((month, "month", 0.0))
        if wallet.pocket:
            for day in range(0, length, DAY):
                times = sorted(day + chance.randint(8 * HOUR, 22 * HOUR) for _ in range(chance.randint(3, 6)))
                self.coming += [
                    (at, "pocket", round(wallet.pocket * chance.uniform(0.5, 1.9), 2)) for at in times
                ]
        heapq.heapify(self.coming)

    def levels(self, minute: int) -> dict[str, float]:
        """Return below which balances somebody begins to act."""
        recharge, topup = self.wallet.recharge, self.wallet.topup
        levels = {}
        if recharge and not _inside(recharge.off, minute):
            levels["recharge"] = recharge.threshold
        if topup and (not recharge or _inside((*recharge.off, *recharge.declined), minute)):
            levels["topup"] = topup.below
        return {name: level for name, level in levels.items() if name not in self.waiting}

    def act(self, name: str, minute: int) -> None:
        """Begin to act."""
        self.waiting.add(name)
        recharge, topup = self.wallet.recharge, self.wallet.topup
        if name == "recharge" and recharge:
            slow = self.chance.random() < recharge.slow
            at = minute + self.chance.randint(*((120, 240) if slow else recharge.delay))
            heapq.heappush(self.coming, (at, name, recharge.amount))
        elif topup:
            hours = self.chance.uniform(*topup.hours)
            if self.chance.random() < topup.late:
                hours += self.chance.uniform(24, 72)
            heapq.heappush(self.coming, (working_hours(minute + int(hours * HOUR)), name, topup.amount))

    def arrive(self, minute: int, balance: float) -> float:
        """Return the balance with what arrives in a minute."""
        recharge = self.wallet.recharge
        while self.coming and self.coming[0][0] <= minute:
            _, name, amount = heapq.heappop(self.coming)
            self.waiting.discard(name)
            if name == "month":
                balance = self.wallet.lapses or self.wallet.plan
            elif name == "pocket":
                balance += amount if balance < 8 * self.wallet.pocket else 0
            elif name == "recharge" and recharge and _inside((*recharge.off, *recharge.declined), minute):
                if _inside(recharge.declined, minute):  # it is tried again
                    self.waiting.add(name)
                    heapq.heappush(self.coming, (minute + HOUR // 2, name, amount))
            else:
                balance += amount
        return balance


def _inside(spans: Spans, minute: int) -> bool:
    return any(begin <= minute < end for begin, end in spans)


def live(wallet: Wallet, length: int, seed: int, begin: int = 0) -> Life:
    """Let a wallet live, from a minute on."""
    chance, numbers = Random(seed), np.random.default_rng(seed)
    known, asked = demand(wallet.usage, length, numbers)
    asked[:begin] = 0
    wanted = np.where(mask(wallet.frozen, length), 0, asked[:length])
    total = np.concatenate(([0.0], np.cumsum(wanted)))
    funds = _Funds(wallet, length, chance)
    balances, minute, balance = np.empty(length), 0, wallet.start
    # No longer than half a day at once: what people do depends on whether a card is declined just then.
    while minute < length:
        end = min(length, minute - minute % (DAY // 2) + DAY // 2, *(at for at, _, _ in funds.coming[:1]))
        end = max(end, minute + 1)
        course = np.maximum(
            balance - (total[minute + 1 : end + 1] - total[minute]), min(wallet.floor, balance)
        )
        for name, level in funds.levels(minute).items():
            below = np.flatnonzero(course < level)
            if below.size:
                end = minute + int(below[0]) + 1
                course = course[: end - minute]
                funds.act(name, end)
                break
        balances[minute:end] = course
        balance = funds.arrive(end, float(course[-1]))
        minute = end
    spent = np.minimum(wanted, np.maximum(np.concatenate(([wallet.start], balances[:-1])) - wallet.floor, 0))
    return Life(wallet, known, asked, balances, spent, _shown(wallet, balances, spent))


def _shown(wallet: Wallet, balance: Array, spent: Array) -> Array:
    """Return what the provider shows of a balance: booked now and then, or stuck."""
    minutes = np.arange(len(balance))
    shown = balance
    if wallet.booked > 1:
        total = np.cumsum(spent)
        shown = balance + total - total[minutes - minutes % wallet.booked]
    for begin, end in wallet.stuck:
        shown = shown.copy()
        shown[begin:end] = shown[begin]
    return np.round(shown, 2 if wallet.usage.day > 1 else 4)
