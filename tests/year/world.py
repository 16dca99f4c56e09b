"""The accounts of a simulated year, as operators have them, and what an exporter would have shown of them.

Another seed is another year: other amounts, days, prices and shapes of use.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np

from tests.year.wallets import (
    DAY,
    HOUR,
    WEEK,
    Life,
    Recharge,
    Spans,
    TopUp,
    Usage,
    Wallet,
    live,
    mask,
)
from tests.year.windows import Array, Mask, runs

START = 1704067200
"""Monday, 1 January 2024, midnight, in seconds since 1970."""
LEVELS = ("info", "warning", "critical")


@dataclass(frozen=True)
class Account:
    """An account, its wallets, and what goes wrong in reading it."""

    name: str
    wallets: tuple[Wallet, ...]
    probe: bool = False
    """Whether Prometheus scrapes it by itself, by /probe."""
    every: int = 0
    """The account's min_interval."""
    outages: tuple[tuple[int, int, str], ...] = ()
    """From, up to, and the reason."""
    begin: int = 0
    end: int = 10**9
    runway: Mapping[str, int] = field(default_factory=lambda: {"critical": DAY, "warning": 3 * DAY})


@dataclass(frozen=True)
class Exporter:
    """When the one exporter of all accounts did not answer, was no target at all, and had refused a configuration."""

    down: Spans
    absent: Spans
    refused: Spans


@dataclass
class Seen:
    """An account, what became of its wallets, and when it could be read."""

    account: Account
    lives: list[Life]
    exists: Mask
    answers: Mask
    """Whether the exporter does."""
    target: Mask
    failing: Mask
    reason: Array
    """Which of REASONS it fails for."""
    up: Mask
    read: Array
    """In which minute what is shown was read; NaN where nothing was."""
    refused: Mask


REASONS = ("timeout", "unreachable", "http_status", "rate_limited", "api_error", "auth")


class Year:
    """What differs from year to year."""

    def __init__(self, seed: int, length: int) -> None:
        """Draw a year of some minutes."""
        self.length, self.seed = length, seed
        self.chance = Random(seed)
        self.exporter = self._exporter()

    def span(self, least: float, most: float) -> tuple[int, int]:
        """Draw a span of some hours."""
        hours = int(self.chance.uniform(least, most) * HOUR)
        begin = self.chance.randrange(WEEK, max(self.length - hours - DAY, WEEK + 1))
        return begin, begin + hours

    def spans(self, a_year: float, least: float, most: float) -> Spans:
        """Draw spans that are a day apart, so many in a year."""
        found: list[tuple[int, int]] = []
        for _ in range(round(a_year * self.length / (365 * DAY))):
            begin, end = self.span(least, most)
            if all(end + DAY < other[0] or other[1] + DAY < begin for other in found):
                found.append((begin, end))
        return tuple(sorted(found))

    def _exporter(self) -> Exporter:
        absent = self.spans(1, 1, 3)
        return Exporter(
            (*self.spans(26, 0.02, 0.06), *self.spans(3, 0.2, 12), *absent), absent, self.spans(2, 0.5, 4)
        )

    def day(self, least: float = 5, most: float = 500) -> float:
        """Draw what a day costs."""
        return float(round(np.exp(self.chance.uniform(np.log(least), np.log(most))), 2))

    def usage(self, shape: str, **others: object) -> Usage:
        """Draw a usage of a shape."""
        return Usage(self.day(), shape, noise=self.chance.uniform(0.15, 0.35), **others)  # type: ignore[arg-type]

    def manual(self, usage: Usage, late: float = 0.15, **others: object) -> Wallet:
        """Draw a wallet that people top up for some weeks when its warning level is near."""
        lasts = self.chance.uniform(8, 25)
        critical, warning = self.chance.uniform(1.2, 2.5), self.chance.uniform(3, 5)
        topup = TopUp(round(usage.day * warning * 0.95), round(usage.day * lasts), late=late)
        given = {
            "start": round(usage.day * self.chance.uniform(5, lasts)),
            "thresholds": {
                "critical": round(usage.day * critical, 2),
                "warning": round(usage.day * warning, 2),
            },
            "topup": topup,
            **others,
        }
        return Wallet(usage, **given)  # type: ignore[arg-type]

    def recharged(self, usage: Usage, days: float, below: float, **others: object) -> Wallet:
        """Draw a wallet that its provider recharges for some days, below what some days cost."""
        wallet = {
            "declined": others.pop("declined", ()),
            "off": others.pop("off", ()),
            "slow": others.pop("slow", 0.0),
        }
        recharge = Recharge(round(usage.day * below, 2), round(usage.day * days, 2), **wallet)  # type: ignore[arg-type]
        start = round(usage.day * (below + self.chance.uniform(0.3, days)))
        return Wallet(usage, start, recharge=recharge, **others)  # type: ignore[arg-type]

    def accounts(self) -> list[Account]:
        """Draw the accounts of the year."""
        return [
            self._troubled(account)
            for account in (*self._used(), *self._recharged(), *self._odd(), *self._read())
        ]

    def _used(self) -> Iterator[Account]:
        """Wallets that people top up, told apart by how they are used."""
        for name, shape in (
            ("steady", "flat"),
            ("day-and-night", "awake"),
            ("weekdays", "weekdays"),
            ("nightly-batch", "nightly"),
            ("weekly-batch", "weekly"),
        ):
            yield Account(name, (self.manual(self.usage(shape)),))
        campaigns = self.spans(12, 3, 9)
        yield Account(
            "campaigns",
            (
                self.manual(
                    self.usage("awake", bursts=tuple((*at, self.chance.uniform(6, 15)) for at in campaigns))
                ),
            ),
        )
        bursts = tuple((*at, self.chance.uniform(8, 25)) for at in self.spans(10, 0.5, 2))
        yield Account("bursts", (self.manual(self.usage("weekdays", bursts=bursts)),))
        yield Account("growing", (self.manual(self.usage("awake", growth=self.chance.uniform(2, 5))),))
        yield Account(
            "shrinking", (self.manual(self.usage("weekdays", growth=self.chance.uniform(0.2, 0.5))),)
        )
        for shape in ("awake", "weekdays"):
            prices = tuple((*at, self.chance.uniform(3, 7)) for at in self.spans(2, 72, 240))
            yield Account(f"price-{shape}", (self.manual(self.usage(shape, prices=prices)),))

    def _recharged(self) -> Iterator[Account]:
        """Wallets that the provider recharges, or should."""
        yield Account(
            "recharged", (self.recharged(self.usage("awake"), self.chance.uniform(4, 8), 1.2, slow=0.05),)
        )
        usage = self.usage("weekdays")
        levels = {"warning": round(usage.day * 1.0, 2), "critical": round(usage.day * 0.5, 2)}
        yield Account("recharged-own-levels", (self.recharged(usage, 6, 1.5, thresholds=levels),))
        usage = self.usage("awake")
        levels = {"critical": round(usage.day * 0.3, 2)}
        yield Account(
            "recharged-daily", (self.recharged(usage, self.chance.uniform(1.3, 1.6), 0.6, thresholds=levels),)
        )
        usage = self.usage(
            "awake", prices=tuple((*at, self.chance.uniform(3, 4)) for at in self.spans(1, 960, 1900))
        )
        yield Account(
            "recharged-too-little", (self.recharged(usage, 2.2, 1.5, thresholds={"critical": usage.day / 2}),)
        )
        for name, fault in (("card-declined", "declined"), ("recharge-off", "off")):
            usage = self.usage(self.chance.choice(("awake", "weekdays")))
            levels = {"warning": round(usage.day * 1.2, 2), "critical": round(usage.day * 0.6, 2)}
            topup = TopUp(levels["critical"] * 0.9, round(usage.day * 4), late=0.3)
            faults: dict[str, object] = {fault: self.spans(3, 96, 300)}
            yield Account(name, (self.recharged(usage, 6, 1.6, thresholds=levels, topup=topup, **faults),))

    def _odd(self) -> Iterator[Account]:
        """Wallets of other kinds of money."""
        usage = self.usage("awake")
        pocket = round(usage.day / 4, 2)
        yield Account(
            "pocket-money",
            (Wallet(usage, usage.day * 1.5, thresholds={"critical": usage.day / 6}, pocket=pocket),),
        )
        yield Account("neglected", (self.manual(self.usage("awake"), late=0.6),))
        yield Account("no-thresholds", (self.manual(self.usage("weekdays"), thresholds={}),))
        usage = self.usage("awake")
        limit = round(usage.day * self.chance.uniform(6, 10))
        levels = {"critical": -round(limit * 0.75)}
        topup = TopUp(-round(limit * 0.6), round(usage.day * 18))
        yield Account(
            "credit-limit", (Wallet(usage, usage.day * 8, thresholds=levels, limit=limit, topup=topup),)
        )
        yield Account("postpaid", (Wallet(self.usage("awake"), 0.0, postpaid=True),))
        usage = self.usage("weekdays")
        yield Account("free-credit", (Wallet(usage, usage.day * 40, lapses=usage.day * 40),))
        usage = self.usage("awake", bursts=tuple((*at, 6.0) for at in self.spans(3, 48, 72)))
        plan = round(usage.day * self.chance.uniform(33, 38))
        yield Account("plan", (Wallet(usage, plan, plan=plan, currency="SMS"),))

    def _read(self) -> Iterator[Account]:
        """Wallets that are told apart by how they can be read."""
        yield Account("booked-daily", (self.manual(self.usage("awake"), booked=DAY),))
        yield Account("booked-hourly", (self.manual(self.usage("weekdays"), booked=HOUR),))
        yield Account("read-hourly", (self.manual(self.usage("weekdays")),), every=HOUR)
        stuck = self.spans(6, 3, 20)
        yield Account("stuck-numbers", (self.manual(self.usage("awake"), stuck=stuck),))
        yield Account(
            "two-currencies",
            (self.manual(self.usage("weekdays"), currency="EUR"), self.manual(self.usage("awake"))),
        )
        frozen, vanished = self.spans(2, 24, 60), self.spans(2, 2, 40)
        third = self.usage("awake")
        yield Account(
            "three-wallets",
            (
                self.manual(self.usage("awake"), id="wallet_01", frozen=frozen),
                self.manual(self.usage("weekdays"), id="wallet_02", vanished=vanished),
                self.manual(third, id="wallet_03", alarm=round(third.day * 2, 2)),
            ),
        )
        flaky = tuple((*at, self.chance.choice(REASONS[:-1])) for at in self.spans(60, 0.05, 6))
        yield Account("flaky", (self.manual(self.usage("awake")),), probe=True, outages=flaky)
        revoked = tuple((*at, "auth") for at in self.spans(4, 0.1, 72))
        yield Account("revoked", (self.manual(self.usage("weekdays")),), probe=True, outages=revoked)
        wallet = self.manual(self.usage("awake"))
        often = {level: amount * 1.5 for level, amount in wallet.thresholds.items()}
        edits = [
            (begin, often if number % 2 else dict.fromkeys(often))
            for number, (begin, _) in enumerate(self.spans(4, 1, 2))
        ]
        edits += [(begin + 2 * DAY, dict(wallet.thresholds)) for begin, _ in edits]
        yield Account(
            "edited",
            (Wallet(**{**wallet.__dict__, "edits": tuple(sorted(edits, key=lambda edit: edit[0]))}),),
        )
        yield Account(
            "removed",
            (self.manual(self.usage("awake")),),
            end=int(self.length * self.chance.uniform(0.4, 0.8)),
        )
        yield Account(
            "added",
            (self.manual(self.usage("weekdays")),),
            begin=int(self.length * self.chance.uniform(0.2, 0.6)),
        )
        limits = {"critical": 2 * DAY, "warning": 7 * DAY}
        yield Account("own-limits", (self.manual(self.usage("weekdays")),), runway=limits)

    def _troubled(self, account: Account) -> Account:
        """Give an account the outages that every provider has."""
        found = list(account.outages)
        for a_year, least, most in ((6, 0.03, 0.2), (4, 0.3, 2), (1, 3, 30)):
            for begin, end in self.spans(a_year, least, most):
                if all(end + HOUR < other[0] or other[1] + HOUR < begin for other in found):
                    found.append((begin, end, self.chance.choice(REASONS[:-1])))
        return Account(**{**account.__dict__, "outages": tuple(sorted(found))})

    def seen(self, account: Account, number: int) -> Seen:
        """Let the wallets of an account live, and tell when it could be read."""
        minutes = np.arange(self.length)
        lives = [
            live(wallet, self.length, self.seed * 10_000 + number * 10 + at, account.begin)
            for at, wallet in enumerate(account.wallets)
        ]
        exists = (minutes >= account.begin) & (minutes < account.end)
        answers, target = ~mask(self.exporter.down, self.length), ~mask(self.exporter.absent, self.length)
        reason = np.full(self.length, np.nan)
        for begin, end, why in account.outages:
            reason[begin:end] = REASONS.index(why)
        failing = ~np.isnan(reason)
        up, read = _read(exists & answers, failing, answers, account.every)
        refused = mask(self.exporter.refused, self.length) & answers
        return Seen(account, lives, exists, answers, target, failing, reason, up, read, refused)


def _read(asked: Mask, failing: Mask, answers: Mask, every: int) -> tuple[Mask, Array]:
    """Return when an account is up, and in which minute what is shown then was read."""
    minutes = np.arange(len(asked))
    if every > 1:  # it is asked again only so long after the last answer
        good = asked & ~failing
        asks = np.zeros(len(asked), bool)
        for begin, end in runs(answers):
            at = begin
            while at < end:
                following = np.flatnonzero(good[at:end])
                if not following.size:
                    break
                at += int(following[0])
                asks[at] = True
                at += every
    else:
        asks = asked & ~failing
    last = np.maximum.accumulate(np.where(asks, minutes, -1))
    forgot = np.maximum.accumulate(np.where(answers, -1, minutes))  # a restarted exporter remembers nothing
    known = asked & (last > forgot)
    up = known & (minutes - last < max(every, 1))
    return up, np.where(known, last, np.nan)


Series = tuple[str, dict[str, str], Array]


def scraped(seen: Seen) -> Iterator[Series]:
    """Yield what Prometheus scrapes of an exporter with this one account."""
    account, length = seen.account, len(seen.up)
    instance = "prepaid-exporter:10710"
    exporter = {"job": "prepaid-exporter", "instance": instance}
    who = {**exporter, "provider": "flexprice", "account": account.name}
    if account.probe:
        who["job"] = "prepaid-accounts"

    def where(there: Mask, values: Array | Mask | float = 1.0) -> Array:
        return np.where(there, values, np.nan)

    def clock(minute: Array) -> Array:
        return START + 60.0 * minute

    yield "up", exporter, where(seen.target, seen.answers)
    yield "prepaid_exporter_build_info", {**exporter, "version": "0.1.0"}, where(seen.answers)
    yield "prepaid_exporter_config_last_reload_successful", exporter, where(seen.answers, ~seen.refused)
    good = seen.answers & ~seen.refused
    loaded = good & ~np.concatenate(([False], good[:-1]))
    at = np.maximum.accumulate(np.where(loaded, np.arange(length), 0))
    yield (
        "prepaid_exporter_config_last_reload_success_timestamp_seconds",
        exporter,
        where(seen.answers, clock(at)),
    )
    if account.probe:
        yield "up", who, where(seen.exists & seen.target, seen.answers)
    asked = seen.exists & seen.answers
    yield "prepaid_account_up", who, where(asked, seen.up)
    yield "prepaid_account_info", {**who, "topup_url": "https://example.com"}, where(asked)
    for level, span in account.runway.items():
        yield "prepaid_account_runway_threshold_seconds", {**who, "level": level}, where(asked, 60.0 * span)
    for number, reason in enumerate(REASONS):
        yield (
            "prepaid_account_failure",
            {**who, "reason": reason},
            where(asked & ~seen.up & (seen.reason == number)),
        )
    yield "prepaid_account_last_success_timestamp_seconds", who, where(asked, clock(seen.read))
    for life in seen.lives:
        yield from _wallet(seen, life, who)


def _wallet(seen: Seen, life: Life, who: dict[str, str]) -> Iterator[Series]:
    wallet, length = life.wallet, len(seen.up)
    of = {**who, "wallet": wallet.id, "currency": wallet.currency}
    read = np.nan_to_num(seen.read).astype(int)
    there = seen.up & ~mask(wallet.vanished, length)[read]

    def as_read(values: Array | Mask) -> Array:
        return np.where(there, values[read], np.nan)

    if wallet.plan:
        yield "prepaid_quota", of, as_read(np.full(length, wallet.plan))
        yield "prepaid_quota_used", of, as_read(wallet.plan - life.shown)
        yield "prepaid_quota_reset_timestamp_seconds", of, as_read(renewal(length))
    else:
        yield "prepaid_balance", of, as_read(life.shown)
    for level, values in thresholds(wallet, length).items():
        yield "prepaid_balance_threshold", {**of, "level": level}, np.where(there, values, np.nan)
    if wallet.recharge:
        yield "prepaid_auto_recharge_enabled", of, as_read(~mask(wallet.recharge.off, length))
        yield "prepaid_auto_recharge_threshold", of, as_read(np.full(length, wallet.recharge.threshold))
        yield "prepaid_auto_recharge_amount", of, as_read(np.full(length, wallet.recharge.amount))
    if wallet.limit is not None:
        yield "prepaid_credit_limit", of, as_read(np.full(length, wallet.limit))
    if wallet.lapses:
        yield "prepaid_expiry_timestamp_seconds", of, as_read(renewal(length))
    info = {**of, "wallet_type": "POST_PAID" if wallet.postpaid else ""}
    yield "prepaid_wallet_info", info, as_read(np.ones(length))
    frozen = mask(wallet.frozen, length)
    for state, here in (("active", ~frozen), ("frozen", frozen), ("unknown", np.zeros(length, bool))):
        yield "prepaid_wallet_status", {**of, "prepaid_wallet_status": state}, as_read(here)
    if wallet.alarm is not None:
        low = life.shown < wallet.alarm
        for state, here in (("ok", ~low), ("in_alarm", low), ("unknown", np.zeros(length, bool))):
            yield "prepaid_alert_state", {**of, "prepaid_alert_state": state}, as_read(here)


def renewal(length: int) -> Array:
    """Return when the month of thirty days ends, in seconds since 1970."""
    return START + 60.0 * 30 * DAY * (np.arange(length, dtype=np.float64) // (30 * DAY) + 1)


def thresholds(wallet: Wallet, length: int) -> dict[str, Array]:
    """Return the levels in force; the recharge threshold is the warning where there is no other."""
    found: dict[str, Array] = {}
    for level in LEVELS:
        values = np.full(length, wallet.thresholds.get(level, np.nan))
        if level == "warning" and level not in wallet.thresholds and wallet.recharge:
            values[:] = wallet.recharge.threshold
        for begin, change in wallet.edits:
            if level in change:
                amount = change[level]
                values[begin:] = np.nan if amount is None else amount
        if not np.isnan(values).all():
            found[level] = values
    return found
