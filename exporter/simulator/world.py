"""The wallets and their life: burning, recharging, running low. Knows nothing of HTTP.

Simulated time advances in whole minutes, lazily, whenever somebody looks. Each wallet draws its randomness
once a minute from its own seed, so equal clocks give equal worlds however often they are looked at.
"""

import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
HOUR = 60
DAY = 24 * HOUR
FIRST_MINUTE = 8 * HOUR  # the world begins in the morning, when wallets burn
OUTAGE_EVERY = 4 * HOUR


@dataclass(frozen=True)
class Recharge:
    """A rule that adds `amount` when the balance has been under `threshold` for `after` simulated minutes."""

    enabled: bool
    threshold: Decimal | None
    amount: Decimal | None
    after: int = 10


@dataclass
class Wallet:
    """The state of one wallet.

    `balance` is what can be spent; `pending` was used but not yet booked and `unpaid` is owed on invoices,
    both already taken off the balance. `free` is the part of the booked credit that was a gift. `recharge`
    is the provider's own rule and is in its answers; `team` is what people do, which no answer shows.
    """

    balance: Decimal
    burn_per_hour: Decimal
    quantum: Decimal
    floor: Decimal = ZERO
    recharge: Recharge | None = None
    team: Recharge | None = None
    pending: Decimal | None = None
    unpaid: Decimal = ZERO
    free: Decimal = ZERO
    burning: Decimal = ZERO
    low_minutes: int = 0

    @property
    def booked(self) -> Decimal:
        """Return the balance before pending usage and unpaid invoices are taken off."""
        return self.balance + (self.pending or ZERO) + self.unpaid

    def pass_minute(self, minute: int, chance: float) -> None:
        """Live through one minute of the day; `chance` in 0..1 makes it a slow or a busy one."""
        self._burn(minute, chance)
        if minute % DAY == 0:
            self._book()
        self._recharge()

    def _burn(self, minute: int, chance: float) -> None:
        rhythm = 1 + 0.8 * math.cos(2 * math.pi * (minute / HOUR - 14) / 24)
        spent = float(self.burn_per_hour) / HOUR * rhythm * (0.5 + chance)
        self.burning += Decimal(str(round(spent, 6)))
        whole = self.burning // self.quantum * self.quantum
        self.burning -= whole
        taken = min(whole, max(self.balance - self.floor, ZERO))
        self.balance -= taken
        if self.pending is not None:
            self.pending += taken

    def _book(self) -> None:
        """Close the day: what was used is paid from the booked balance, and owed where that is short."""
        if self.pending is None:
            return
        owed = self.pending + self.unpaid
        paid = min(owed, max(self.booked, ZERO))
        self.pending, self.unpaid, self.free = ZERO, owed - paid, max(self.free - paid, ZERO)

    def _recharge(self) -> None:
        rule = self.recharge if self.recharge and self.recharge.enabled else self.team
        if rule is None or rule.threshold is None or self.balance >= rule.threshold:
            self.low_minutes = 0
            return
        self.low_minutes += 1
        if self.low_minutes >= rule.after:
            self.balance += rule.amount or ZERO
            self.low_minutes = 0


class World:
    """All wallets of all providers, at `speed` simulated seconds per second of `clock`."""

    def __init__(
        self, wallets: Mapping[str, Mapping[str, Wallet]], speed: float, clock: Callable[[], float]
    ) -> None:
        """Begin now, with the wallets as they are."""
        self._wallets = wallets
        self._chances = {
            (provider, name): random.Random(f"{provider}/{name}")  # noqa: S311 - weather, not a secret
            for provider, names in wallets.items()
            for name in names
        }
        self._speed = speed
        self._clock = clock
        self._began = clock()
        self._lock = threading.RLock()
        self._minutes = 0

    @contextmanager
    def present(self) -> Iterator[Mapping[str, Mapping[str, Wallet]]]:
        """Bring the world up to now and hold it there: nobody else reads or writes meanwhile."""
        with self._lock:
            now = int((self._clock() - self._began) * self._speed // 60)
            while self._minutes < now:
                self._minutes += 1
                for (provider, name), chance in self._chances.items():
                    wallet = self._wallets[provider][name]
                    wallet.pass_minute(FIRST_MINUTE + self._minutes, chance.random())
            yield self._wallets

    def outage(self) -> bool:
        """Return whether this is one of the few minutes in every four hours when an unsteady provider fails."""
        with self.present():
            slot, minute = divmod(self._minutes, OUTAGE_EVERY)
        chance = random.Random(f"outage/{slot}")  # noqa: S311 - weather, not a secret
        begin = chance.randint(30, OUTAGE_EVERY - 40)
        return begin <= minute < begin + chance.randint(5, 25)


class WalletHandle:
    """A hold on one wallet of the running world, to read, drain and fill it. Safe from any thread."""

    def __init__(self, world: World, wallet: Wallet) -> None:
        """Hold `wallet`, which must be one of `world`."""
        self._world = world
        self._wallet = wallet

    @property
    def balance(self) -> Decimal:
        """Return what can be spent now, in the wallet's currency; setting it leaves pending usage as it is."""
        with self._world.present():
            return self._wallet.balance

    @balance.setter
    def balance(self, value: Decimal | int | str) -> None:
        with self._world.present():
            self._wallet.balance = Decimal(value)

    def top_up(self, amount: Decimal | int | str) -> None:
        """Add `amount` to the balance."""
        with self._world.present():
            self._wallet.balance += Decimal(amount)

    @property
    def burn_per_hour(self) -> Decimal:
        """Return what is spent in an average simulated hour; it matters only when the speed is above 0."""
        with self._world.present():
            return self._wallet.burn_per_hour

    @burn_per_hour.setter
    def burn_per_hour(self, value: Decimal | int | str) -> None:
        with self._world.present():
            self._wallet.burn_per_hour = Decimal(value)

    @property
    def recharge(self) -> Recharge | None:
        """Return the provider's own recharge rule as its answers show it; None where it has none."""
        with self._world.present():
            return self._wallet.recharge

    @recharge.setter
    def recharge(self, rule: Recharge | None) -> None:
        with self._world.present():
            self._wallet.recharge = rule
