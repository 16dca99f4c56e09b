"""Whatever one place of an answer turns into: no bug, no invented number, and nothing else changes.

Each node of each recorded answer is left out or replaced in turn, and the account asked again over real HTTP.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from exporter.metrics.exposition import OPENMETRICS, TEXT_0, TEXT_1, Page
from exporter.model import Level, Outcome, Reason, State, Wallet
from exporter.providers.mapping import Number
from exporter.scrape import Reading
from exporter.web import pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config import Account
    from exporter.providers.definition import Definition
    from exporter.scrape.collector import Collector
    from tests.laws.conftest import Case, Upstream
    from tests.laws.mutations.conftest import Mutation


def test_a_changed_answer_gives_the_same_wallets_or_fewer_samples_or_is_malformed(
    success: "Case",
    collector: "Callable[[Case], Collector]",
    upstream: "Upstream",
    mutations: "Callable[[bytes, Definition], Iterator[Mutation]]",
) -> None:
    asked = collector(success)
    wallets = asked.collect().wallets
    wrong = []
    for mutation in mutations(success.answer.body, asked.account.provider.definition):
        upstream.say(asked.account.base_url, replace(success.answer, body=mutation.body()))
        outcome = asked.collect()
        law = Law(asked.account, mutation)
        wrong += [f"{mutation.name}: {text}" for text in law.broken(wallets, outcome)]
        wrong += [f"{mutation.name}: {text}" for text in unshowable(asked, outcome)]

    assert wrong == []


def test_a_changed_error_stays_an_error_and_never_a_bug(
    failure: "Case",
    collector: "Callable[[Case], Collector]",
    upstream: "Upstream",
    mutations: "Callable[[bytes, Definition], Iterator[Mutation]]",
) -> None:
    asked = collector(failure)
    wrong = []
    for mutation in mutations(failure.answer.body, asked.account.provider.definition):
        upstream.say(asked.account.base_url, replace(failure.answer, body=mutation.body()))
        outcome = asked.collect()
        law = Law(asked.account, mutation)
        if outcome.reason == Reason.INTERNAL:
            wrong.append(f"{mutation.name}: {outcome.detail}")
        for wallet in outcome.wallets:
            wrong += [f"{mutation.name}: {text}" for text in law.invented({}, samples(wallet))]
        wrong += [f"{mutation.name}: {text}" for text in unshowable(asked, outcome)]

    assert wrong == []


def samples(wallet: Wallet) -> dict[str, Any]:
    """Return everything that is known of a wallet by the name that the definition has for it."""
    known = {spec.name: getattr(wallet, spec.name) for spec in fields(wallet)}
    del known["postpaid"]  # read from `type`, and held against it
    parts = known.pop("credit_breakdown")
    known |= {f"thresholds.{level}": value for level, value in known.pop("thresholds").items()}
    known |= {f"credit_breakdown.{part.kind}": part.amount for part in parts}
    known = {name: value.value if isinstance(value, State) else value for name, value in known.items()}
    return {name: value for name, value in known.items() if value not in (None, "")}


class Law:
    """What may come of one mutation."""

    def __init__(self, account: "Account", mutation: "Mutation") -> None:
        self.account = account
        self.definition = account.provider.definition
        self.mutation = mutation

    def broken(self, before: tuple[Wallet, ...], outcome: Outcome) -> Iterator[str]:
        if outcome.reason is not None:
            if outcome.reason not in self._reasons():
                yield f"{outcome.reason}: {outcome.detail}"
            return
        for wallet in outcome.wallets:
            if wallet.postpaid != any(wallet.type in mapping.postpaid for mapping in self.definition.wallets):
                yield f"postpaid is {wallet.postpaid} with the type {wallet.type!r}"
        if len(outcome.wallets) == len(before):
            pairs = list(zip(map(samples, before), map(samples, outcome.wallets), strict=True))
            for one, other in pairs:
                yield from self.invented(one, other)
                yield from self._unrelated(one, other)
            if (
                any(isinstance(part, int) for part in self.mutation.path)
                and sum(a != b for a, b in pairs) > 1
            ):
                yield "more than one wallet changed"
        elif not self._removes_wallets() or not set(map(repr, outcome.wallets)) < set(map(repr, before)):
            yield f"{len(before)} wallets became {len(outcome.wallets)}"

    def _reasons(self) -> set[Reason]:
        paths = [rule.path for rule in self.definition.success if rule.path]
        errors = {Reason.API_ERROR} if paths and self.mutation.touches(paths) else set()
        return {Reason.MALFORMED} | errors

    def _removes_wallets(self) -> bool:
        """Return whether a whole wallet, or all that the answer lists, went away."""
        *holder, last = self.mutation.path or (None,)
        keyed = any(
            mapping.items_by_key in holder for mapping in self.definition.wallets if mapping.items_by_key
        )
        # An element that is alone in its list takes the list along.
        emptied = self.mutation.replacement == []
        return emptied or (self.mutation.deletes and (isinstance(last, int) or keyed))

    def invented(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
        """Yield values that neither stood there before nor are in the answer."""
        numbers, texts = self.mutation.values()
        for name, value in after.items():
            if name == "credit_unit" or (name in before and before[name] == value):
                continue
            if isinstance(value, bool):
                known = value in self.mutation.flags()
            elif isinstance(value, Decimal):
                known = value in numbers if value == 0 or self._plain(name) else True
            elif name in ("status", "alert_state"):
                known = value == "unknown" or value in texts
            else:
                known = value.lower() in map(str.lower, texts) or self._fixed(name, value, texts)
            if not known:
                yield f"{name} became {value!r}"

    def _unrelated(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
        for name in {*before, *after}:
            if before.get(name) != after.get(name) and not self.mutation.touches(self._expressions(name)):
                yield f"{name} changed, which is read from elsewhere"

    def _specs(self, name: str) -> Iterator[Any]:
        outer, _, inner = name.partition(".")
        for mapping in self.definition.wallets:
            spec = getattr(mapping, outer, None)
            if inner:
                spec = spec.get(Level(inner) if outer == "thresholds" else inner) if spec else None
            if spec is not None:
                yield spec

    def _expressions(self, name: str) -> list[str]:
        if name == "credit_unit":
            return self._expressions("currency")
        own = [path for spec in self._specs(name) for path in _paths(spec)]
        if any(getattr(spec, "minor_units", None) for spec in self._specs(name)):
            own += self._expressions("currency")
        return own + [mapping.items_by_key or mapping.items for mapping in self.definition.wallets]

    def _plain(self, name: str) -> bool:
        """Return whether an amount is taken over as it stands, without arithmetic."""
        specs = [spec for spec in self._specs(name) if isinstance(spec, Number)]
        return not any(
            spec.model_fields_set - {"path", "required", "invalid", "unlimited", "unlimited_above"}
            for spec in specs
        )

    def _fixed(self, name: str, value: str, texts: set[str]) -> bool:
        """Return whether a text comes from the definition or the operator, or is a part that the definition names."""
        specs = list(self._specs(name))
        literal = any(
            value in (getattr(spec, "literal", None), *getattr(spec, "aliases", {}).values())
            for spec in specs
        )
        part = any(getattr(spec, "pattern", None) for spec in specs) and any(value in text for text in texts)
        return literal or part or (name == "currency" and value == self.account.currency)


def _paths(spec: Any) -> Iterator[str]:
    """Yield the expressions of a field, those of its parts and lists among them."""
    parts = [spec, *(getattr(spec, "plus", None) or ()), *(getattr(spec, "minus", None) or ())]
    for part in parts:
        yield from part.path or ()
        if getattr(part, "sum", None):
            yield from (part.sum.items, *part.sum.path)


def unshowable(asked: "Collector", outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with the pages on which an outcome is shown."""
    reading = Reading(asked.account, outcome, None)
    for chosen in (TEXT_0, TEXT_1, OPENMETRICS):
        page = Page().render([reading], None, chosen).decode()
        if "prepaid_account_up{" not in page or re.search(r" (NaN|[+-]Inf|nan|inf)$", page, re.MULTILINE):
            yield "the page misses a sample or has one that is no number"
    if str(escape(asked.account.name)) not in pages.status([reading], "/metrics"):
        yield "the status page misses the account"
