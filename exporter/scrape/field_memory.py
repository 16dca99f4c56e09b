"""Which optional fields the wallets of an account gave, and which of them are missing since when.

A provider that renames a field, or leaves it out, takes a threshold away without a word.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

from exporter.model import FieldAnswers, Wallet, WalletKey

REMEMBERED = 86400.0
"""Seconds after which a field that is missing is taken for gone for good."""

_MOST_ABSENT_WALLETS = 100
"""Wallets that are not in the last answer and are remembered all the same: some come and go."""

Missing = Mapping[WalletKey, tuple[str, ...]]


class FieldMemory:
    """The optional fields that each wallet gave; times are in monotonic seconds."""

    def __init__(self) -> None:
        self.given: Mapping[WalletKey, Mapping[str, int]] = {}
        self._missing: Mapping[WalletKey, Mapping[str, float]] = {}

    def note(self, answers: FieldAnswers, now: float) -> None:
        """Take over what a good answer gave, which was asked for what was `given` before."""
        missing, given = dict(self._missing), dict(self.given)
        for key, fields in answers.given.items():
            since, before = missing.pop(key, {}), given.pop(key, {})
            # A field that a reload made this memory forget during the call is not missing.
            lost = answers.lost.get(key, frozenset()) & before.keys()
            lacking = {name: since.get(name, now) for name in lost if now - since.get(name, now) < REMEMBERED}
            if lacking:
                missing[key] = lacking
            given[key] = {**fields, **{name: before[name] for name in lacking}} if lacking else fields
        # The wallets of this answer stand at the end.
        spare = len(given) - len(answers.given) - _MOST_ABSENT_WALLETS
        self.given = dict(islice(given.items(), max(spare, 0), None))
        self._missing = {key: since for key, since in missing.items() if key in self.given}

    def missing(self, now: float) -> Missing:
        """Return the fields that are missing of each wallet, none of those that lack nothing."""
        found = {
            key: tuple(sorted(name for name, begun in since.items() if now - begun < REMEMBERED))
            for key, since in self._missing.items()
        }
        return {key: names for key, names in found.items() if names}

    def begin_anew(self) -> None:
        """Forget what is missing; what the last answer gave is still known."""
        self.given = {
            key: {name: number for name, number in fields.items() if name not in self._missing.get(key, {})}
            for key, fields in self.given.items()
        }
        self._missing = {}


def missing_notes(wallets: Sequence[Wallet], missing: Missing) -> tuple[str, ...]:
    """Return a note for each field that is missing of the wallets of an answer."""
    return tuple(
        f"{f'wallets[{index}]' if len(wallets) > 1 else 'wallet'}.{name} is missing: an earlier answer gave it"
        for index, wallet in enumerate(wallets)
        for name in missing.get(wallet.key, ())
    )
