"""Every provider has recorded cases, good and bad, and every fixture a provider.

These laws take no time to speak of: each is one test of all providers.
"""

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter import providers
from exporter.model import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.providers.definition import Definition
    from tests.laws.conftest import Case


@pytest.fixture
def cases(providers_in_tests: list[str], recorded: "Callable[[str], list[Case]]") -> "dict[str, list[Case]]":
    """Return the recorded cases by the names of their providers."""
    return {name: recorded(name) for name in providers_in_tests}


def test_every_provider_has_one_fixture_and_every_fixture_one_provider(root: "Path") -> None:
    fixtures = [path.name for path in (root / "tests" / "fixtures" / "providers").iterdir()]

    assert sorted(fixtures) == [f"{name}.yml" for name in providers.names()]


def test_every_provider_has_a_success_and_an_error(cases: "dict[str, list[Case]]") -> None:
    assert [name for name in cases if not any(case.wallets for case in cases[name])] == [], "never a wallet"
    assert [name for name in cases if not any(case.reason for case in cases[name])] == [], "never a failure"


def test_every_case_of_a_provider_has_a_name_of_its_own(cases: "dict[str, list[Case]]") -> None:
    times = Counter(case.id for name in cases for case in cases[name])

    assert [name for name, count in times.items() if count > 1] == []


def test_a_failure_has_a_reason_from_the_closed_list(cases: "dict[str, list[Case]]") -> None:
    known = {None, *(reason.value for reason in Reason)}

    assert [case.id for name in cases for case in cases[name] if case.reason not in known] == []


def test_every_code_that_a_definition_lists_is_recorded_with_its_reason(
    cases: "dict[str, list[Case]]", definition_of: "Callable[[str], Definition]"
) -> None:
    assert [told for name in cases for told in unrecorded(name, definition_of(name), cases[name])] == []


def unrecorded(name: str, definition: "Definition", cases: "list[Case]") -> "Iterator[str]":
    """Yield the statuses and codes with a reason that no case shows."""
    failed = [(case.reason, case.answer) for case in cases if case.reason]
    for errors in [definition.errors, *([definition.login.errors] if definition.login else [])]:
        for status, reason in errors.statuses.items():
            if not any(reason == told and status == answer.status for told, answer in failed):
                yield f"{name}: {status}"
        for reason in (Reason.AUTH, Reason.RATE_LIMITED, Reason.EXHAUSTED):
            bodies = "\n".join(answer.body.decode() for told, answer in failed if told == reason)
            for code in getattr(errors, reason):
                written = str(code).lower() if isinstance(code, bool) else str(code)
                if not re.search(rf"(?<![\w.]){re.escape(written)}(?![\w.])", bodies):
                    yield f"{name}: {reason}: {written}"


def test_a_recorded_request_says_only_what_is_compared(cases: "dict[str, list[Case]]") -> None:
    compared = {"method", "url", "query", "headers", "basic", "json", "form", "multipart", "body", "signed"}
    wrong = [
        case.id
        for name in cases
        for case in cases[name]
        for exchange in case.exchanges
        if not {"method", "url"} <= set(exchange.request) <= compared
    ]

    assert wrong == []


def test_a_fixture_names_credentials_and_never_holds_one(cases: "dict[str, list[Case]]") -> None:
    without, holding = [], []
    for case in (case for name in cases for case in cases[name]):
        request = str([exchange.request for exchange in case.exchanges])
        if not any(f"${{{name}}}" in request for name in case.secrets):
            without.append(case.id)
        if any(secret in request for secret in case.secrets.values()):
            holding.append(case.id)

    assert without == [], "carries no credential"
    assert holding == []
