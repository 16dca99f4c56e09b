"""Whatever one place of an answer turns into: no bug, no invented number, and nothing else changes.

Each node of each recorded answer is left out or replaced in turn, and the account asked again; what becomes of an
answer does not depend on the way that it came, which is proved for an answer of each format.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import escape

from exporter.metrics.exposition import OPENMETRICS, TEXT_0, TEXT_1, Page
from exporter.model import Level, Outcome, Reason, State, Wallet
from exporter.providers.mapping import Number
from exporter.scrape import Reading
from exporter.web import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config import Account
    from exporter.scrape.collector import Collector
    from tests.laws.conftest import Case, Upstream
    from tests.laws.mutations.conftest import Mutation, Mutations

pytestmark = pytest.mark.unmeasured


def test_a_changed_answer_gives_the_same_wallets_or_fewer_samples_or_is_malformed(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
    mutations: "Mutations",
) -> None:
    wrong = []
    shown = Shown()
    for success in recorded(provider_name):
        if success.wallets is None:
            continue
        asked = direct(success)
        law = Law(asked.account, asked.collect().wallets)
        for number, (_, answer) in enumerate(success.exchanges):
            for mutation in mutations.of(answer.body, asked.account.provider.definition):
                upstream.say(asked.account.base_url, replace(answer, body=mutation.body), number)
                outcome = asked.collect()
                mutations.felt |= outcome.wallets != law.before
                told = f"{success.name}, answer {number + 1}: {mutation.name}"
                wrong += [f"{told}: {text}" for text in law.broken(mutation, outcome)]
                shown.add(told, asked.account, outcome)
            upstream.say(asked.account.base_url, answer, number)

    assert wrong == []
    assert shown.wrong() == []


def test_a_changed_error_stays_an_error_and_never_a_bug(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
    mutations: "Mutations",
) -> None:
    wrong = []
    shown = Shown()
    for failure in recorded(provider_name):
        if failure.wallets is not None:
            continue
        asked = direct(failure)
        law = Law(asked.account, ())
        before = asked.collect().reason
        for mutation in mutations.of(failure.answer.body, asked.account.provider.definition):
            upstream.say(asked.account.base_url, replace(failure.answer, body=mutation.body))
            outcome = asked.collect()
            mutations.felt |= outcome.reason != before
            told = f"{failure.name}: {mutation.name}"
            if outcome.reason == Reason.INTERNAL:
                wrong.append(f"{told}: {outcome.detail}")
            for wallet in outcome.wallets:
                wrong += [f"{told}: {text}" for text in law.invented(mutation, {}, samples(wallet))]
            shown.add(told, asked.account, outcome)

    assert wrong == []
    assert shown.wrong() == []


@pytest.mark.parametrize("provider", ["feature_keys", "feature_text", "feature_xml"])
def test_a_changed_answer_that_travels_gives_the_same_as_without_a_network(
    provider: str,
    recorded: "Callable[[str], list[Case]]",
    collector: "Callable[[Case], Collector]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
    mutations: "Mutations",
    same: "Callable[[Outcome], Any]",
) -> None:
    case = next(case for case in recorded(provider) if case.wallets)
    travelling, straight = collector(case), direct(case)
    for mutation in mutations.of(case.answer.body, straight.account.provider.definition):
        upstream.say(straight.account.base_url, replace(case.answer, body=mutation.body))
        assert same(travelling.collect()) == same(straight.collect()), mutation.name


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
    """What may come of the mutations of an answer, which gave the wallets `before`."""

    def __init__(self, account: "Account", before: tuple[Wallet, ...]) -> None:
        self.account = account
        self.definition = account.provider.definition
        self.before = before
        self.samples = [samples(wallet) for wallet in before]

    def broken(self, mutation: "Mutation", outcome: Outcome) -> Iterator[str]:
        if outcome.reason is not None:
            if outcome.reason not in self._reasons(mutation):
                yield f"{outcome.reason}: {outcome.detail}"
            return
        for wallet in outcome.wallets:
            if wallet.postpaid != any(wallet.type in mapping.postpaid for mapping in self.definition.wallets):
                yield f"postpaid is {wallet.postpaid} with the type {wallet.type!r}"
        if len(outcome.wallets) != len(self.before):
            fewer = set(map(repr, outcome.wallets)) < set(map(repr, self.before))
            if not fewer or not self._removes_wallets(mutation):
                yield f"{len(self.before)} wallets became {len(outcome.wallets)}"
        elif outcome.wallets != self.before:
            pairs = list(zip(self.samples, map(samples, outcome.wallets), strict=True))
            for one, other in pairs:
                yield from self.invented(mutation, one, other)
                yield from self._unrelated(mutation, one, other)
            if any(isinstance(part, int) for part in mutation.path) and sum(a != b for a, b in pairs) > 1:
                yield "more than one wallet changed"

    def _reasons(self, mutation: "Mutation") -> set[Reason]:
        first, pages = self.definition.first, self.definition.request.pages
        login = self.definition.login
        rules = [rule for part in (self.definition, first, login) if part for rule in part.success]
        paths = [rule.path for rule in rules if rule.path]
        errors = {Reason.API_ERROR} if paths and mutation.touches(paths) else set()
        long = {Reason.TOO_LARGE} if pages and pages.last and mutation.touches([pages.last]) else set()
        return {Reason.MALFORMED} | errors | long

    def _removes_wallets(self, mutation: "Mutation") -> bool:
        """Return whether a whole wallet, or all that the answer lists, went away."""
        *holder, last = mutation.path or (None,)
        keyed = any(
            mapping.items_by_key in holder for mapping in self.definition.wallets if mapping.items_by_key
        )
        # An element that is alone in its list takes the list along.
        emptied = mutation.replacement == []
        return emptied or (mutation.deletes and (isinstance(last, int) or keyed))

    def invented(
        self, mutation: "Mutation", before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[str]:
        """Yield values that neither stood there before nor are in the answer."""
        for name, value in after.items():
            if name == "credit_unit" or (name in before and before[name] == value):
                continue
            numbers, texts = mutation.values
            if isinstance(value, bool):
                known = value in mutation.flags()
            elif isinstance(value, Decimal):
                known = value in numbers if value == 0 or self._plain(name) else True
                known = known or (value == 0 and self._sums(name) and self._removes_wallets(mutation))
            elif name in ("status", "alert_state"):
                known = value == "unknown" or value in texts
            else:
                known = value.lower() in map(str.lower, texts) or self._fixed(name, value, texts)
            if not known:
                yield f"{name} became {value!r}"

    def _unrelated(
        self, mutation: "Mutation", before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[str]:
        for name in {*before, *after}:
            if before.get(name) != after.get(name) and not mutation.touches(self._expressions(name)):
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

    def _sums(self, name: str) -> bool:
        """Return whether an amount is added up from a list: one that is empty is documented to be 0."""
        return any(isinstance(spec, Number) and spec.sum for spec in self._specs(name))

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


class Shown:
    """The outcomes that differ, and the pages on which all of them are shown."""

    def __init__(self) -> None:
        self._for_people: dict[str, Reading] = {}
        self._for_prometheus: dict[str, Reading] = {}
        self._known: set[str] = set()

    def add(self, told: str, account: "Account", outcome: Outcome) -> None:
        """Keep an outcome for the pages on which it is not like those before; Prometheus is told no words."""
        metrics = repr((account.name, outcome.wallets, outcome.reason, outcome.status))
        words = repr((metrics, outcome.detail, outcome.notes))
        for seen, kept in ((metrics, self._for_prometheus), (words, self._for_people)):
            if seen not in self._known:
                self._known.add(seen)
                kept[told] = Reading(account, outcome, None)

    def wrong(self) -> list[str]:
        """Return what is wrong with the pages; which of the outcomes it is, is looked for when something is."""
        return [
            f"{told}: {text}"
            for kept, unshowable in (
                (self._for_prometheus, wrong_for_prometheus),
                (self._for_people, wrong_for_people),
            )
            if any(unshowable(list(kept.values())))
            for told, reading in kept.items()
            for text in unshowable([reading])
        ]


def wrong_for_prometheus(readings: "Sequence[Reading]") -> Iterator[str]:
    """Yield what is wrong with the pages of metrics on which outcomes are shown."""
    try:
        for chosen in (TEXT_0, TEXT_1, OPENMETRICS):
            page = Page().render(readings, None, chosen).decode()
            if page.count("prepaid_account_up{") != len(readings):
                yield "the page misses a sample"
            if re.search(r" (NaN|[+-]Inf|nan|inf)$", page, re.MULTILINE):
                yield "the page has a sample that is no number"
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be said of which outcome
        yield f"the page cannot be written: {error!r}"


def wrong_for_people(readings: "Sequence[Reading]") -> Iterator[str]:
    """Yield what is wrong with the status page on which outcomes are shown."""
    try:
        page = pages.status(readings, "/metrics")
    except Exception as error:  # noqa: BLE001 - as above
        yield f"the status page cannot be written: {error!r}"
    else:
        if not all(str(escape(reading.account.name)) in page for reading in readings):
            yield "the status page misses the account"
