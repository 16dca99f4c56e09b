"""A recorded exchange gives exactly the recorded wallets or reason, and only the declared request is made."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.exchanges import Seen, came, declared

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model import Outcome, Wallet
    from exporter.scrape.collector import Collector
    from tests.laws.conftest import Case, Upstream


class Travelled(NamedTuple):
    """What came of a case: the first time, of which the requests are kept, and again."""

    first: "Outcome"
    seen: list[Seen]
    again: "Outcome"


@pytest.fixture(scope="module")
def travelled(
    recorded: "Callable[[str], list[Case]]", collector: "Callable[[Case], Collector]", upstream: "Upstream"
) -> "Callable[[str], list[tuple[Case, Travelled]]]":
    """Collect each case of a provider twice over HTTP, once for all who look at what came of it."""

    def travel(case: "Case") -> Travelled:
        asked = collector(case)
        first, seen = asked.collect(), list(upstream.seen(asked.account.base_url))
        return Travelled(first, seen, asked.collect())

    return cache(lambda provider: [(case, travel(case)) for case in recorded(provider)])


def test_the_recorded_exchanges_give_exactly_what_is_recorded(
    provider_name: str,
    travelled: "Callable[[str], list[tuple[Case, Travelled]]]",
    tell: "Callable[[Wallet], dict[str, Any]]",
) -> None:
    for case, (outcome, _, _) in travelled(provider_name):
        assert outcome.reason == case.reason, f"{case.id}: {outcome.detail}"
        assert [tell(wallet) for wallet in outcome.wallets] == (case.wallets or []), case.id
        assert outcome.notes == (), f"{case.id}: a documented answer is read whole"
        assert outcome.hint == case.hint, case.id
        assert outcome.status == case.answer.status, case.id
        assert outcome.retry_after == case.retry_after, case.id


def test_asking_again_gives_equal_wallets_and_so_does_an_answer_that_does_not_travel(
    provider_name: str,
    travelled: "Callable[[str], list[tuple[Case, Travelled]]]",
    direct: "Callable[[Case], Collector]",
    same: "Callable[[Outcome], Any]",
) -> None:
    for case, (first, _, again) in travelled(provider_name):
        assert same(first) == same(direct(case).collect()), case.id
        if len(case.exchanges) > 1:
            # A login is not repeated.
            first, again = (replace(one, exchanges=one.exchanges[-1:]) for one in (first, again))  # noqa: PLW2901
        assert same(first) == same(again), case.id


def test_only_the_declared_requests_are_made_with_the_secret_only_where_declared(
    provider_name: str, travelled: "Callable[[str], list[tuple[Case, Travelled]]]"
) -> None:
    for case, (_, seen, _) in travelled(provider_name):
        assert len(seen) == len(case.exchanges), case.id
        for one, exchange in zip(seen, case.exchanges, strict=True):
            wanted = declared(exchange.request, case.secrets, case.bases)
            hidden = [
                value for name, value in case.secrets.items() if f"${{{name}}}" not in str(exchange.request)
            ]
            assert came(one, exchange.request, wanted) == wanted, case.id
            assert not any(value in f"{one}" for value in hidden), case.id
