"""Every provider has recorded cases, good and bad, and every fixture a provider."""

import re
from typing import TYPE_CHECKING

from exporter import providers
from exporter.model import Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.providers.definition import Definition
    from tests.laws.conftest import Case


def test_every_provider_has_one_fixture_and_every_fixture_one_provider(root: "Path") -> None:
    fixtures = [path.name for path in (root / "tests" / "fixtures" / "providers").iterdir()]

    assert sorted(fixtures) == [f"{name}.yml" for name in providers.names()]


def test_every_provider_has_a_success_and_an_error(
    provider_name: str, recorded: "Callable[[str], list[Case]]"
) -> None:
    cases = recorded(provider_name)

    assert any(case.wallets for case in cases), "no recorded case gives a wallet"
    assert any(case.reason for case in cases), "no recorded case fails"


def test_every_case_of_a_provider_has_a_name_of_its_own(
    provider_name: str, recorded: "Callable[[str], list[Case]]"
) -> None:
    names = [case.name for case in recorded(provider_name)]

    assert len(names) == len(set(names))


def test_a_failure_has_a_reason_from_the_closed_list(
    provider_name: str, recorded: "Callable[[str], list[Case]]"
) -> None:
    reasons = {case.reason for case in recorded(provider_name)}

    assert reasons <= {None, *(reason.value for reason in Reason)}


def test_every_code_that_a_definition_lists_is_recorded_with_its_reason(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    definition_of: "Callable[[str], Definition]",
) -> None:
    definition = definition_of(provider_name)
    failed = [(case.reason, case.answer) for case in recorded(provider_name) if case.reason]

    for errors in [definition.errors, *([definition.login.errors] if definition.login else [])]:
        for status, reason in errors.statuses.items():
            assert any(reason == told and status == answer.status for told, answer in failed), status
        for reason in (Reason.AUTH, Reason.RATE_LIMITED, Reason.EXHAUSTED):
            bodies = "\n".join(answer.body.decode() for told, answer in failed if told == reason)
            for code in getattr(errors, reason):
                written = str(code).lower() if isinstance(code, bool) else str(code)
                assert re.search(rf"(?<![\w.]){re.escape(written)}(?![\w.])", bodies), f"{reason}: {written}"


def test_a_recorded_request_says_only_what_is_compared(
    provider_name: str, recorded: "Callable[[str], list[Case]]"
) -> None:
    compared = {"method", "url", "query", "headers", "basic", "json", "form", "multipart", "body", "signed"}

    for case in recorded(provider_name):
        for exchange in case.exchanges:
            assert {"method", "url"} <= set(exchange.request) <= compared, case.id


def test_a_fixture_names_credentials_and_never_holds_one(
    provider_name: str, recorded: "Callable[[str], list[Case]]"
) -> None:
    for case in recorded(provider_name):
        request = str([exchange.request for exchange in case.exchanges])

        assert any(f"${{{name}}}" in request for name in case.secrets), f"{case.id} carries no credential"
        assert not any(secret in request for secret in case.secrets.values()), case.id
