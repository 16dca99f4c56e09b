"""An HTTP status means the same at every provider, whatever comes with it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.model import Reason
from exporter.providers.definition import accepts

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.scrape.collector import Collector
    from tests.laws.conftest import Case, Upstream

STATUSES = (
    *(300, 301, 302, 303, 304, 305, 307, 308),
    *(
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        407,
        408,
        409,
        410,
        411,
        413,
        415,
        418,
        421,
        422,
        423,
        425,
        426,
        428,
    ),
    *(429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 525, 529, 599),
)
FEW = (300, 301, 400, 401, 403, 404, 429, 500, 503)
"""Statuses of each kind, for every body at every provider; each other one comes with the body of a success."""

BODIES = {
    "the body of a success": None,
    "an empty object": b"{}",
    "an empty list": b"[]",
    "null": b"null",
    "nothing": b"",
    "a web page": b"<!doctype html><title>down</title>",
    "bytes that are no text": b"\xff\xfe\x00\x80",
    "broken JSON": b'{"status": "ok", "data": {"balance": 1',
}


def expected(status: int) -> Reason:
    if status < 400:
        return Reason.REDIRECT
    return {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}.get(status, Reason.HTTP_STATUS)


@pytest.fixture(scope="session")
def first_success(recorded: "Callable[[str], list[Case]]") -> "Callable[[str], Case]":
    return lambda provider: next(case for case in recorded(provider) if case.wallets)


@pytest.mark.unmeasured
def test_an_error_status_means_the_same_at_every_provider(
    provider_name: str,
    first_success: "Callable[[str], Case]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
) -> None:
    asked = direct(first_success(provider_name))

    # The features have every kind of definition: with them, each status comes with each body.
    assert_usual(
        asked, upstream, first_success(provider_name), every_pair=provider_name.startswith("feature_")
    )


@pytest.mark.unmeasured
def test_an_error_status_that_travels_means_the_same(
    first_success: "Callable[[str], Case]", collector: "Callable[[Case], Collector]", upstream: "Upstream"
) -> None:
    case = first_success("feature_keys")

    assert_usual(collector(case), upstream, case, every_pair=True)


def assert_usual(asked: "Collector", upstream: "Upstream", case: "Case", *, every_pair: bool) -> None:
    definition = asked.account.provider.definition
    statuses = [
        status
        for status in STATUSES
        if not accepts(definition.success, status) and status not in definition.errors.statuses
    ]
    for name, content in BODIES.items():
        body = case.answer.body if content is None else content
        reasons: dict[int, Reason | None] = {}
        chosen = statuses if content is None or every_pair else [one for one in statuses if one in FEW]
        for status in chosen:
            upstream.say(asked.account.base_url, replace(case.answer, status=status, body=body))
            outcome = asked.collect()
            assert outcome.wallets == (), f"HTTP status {status} with {name} gave wallets"
            assert outcome.status == status, name
            reasons[status] = outcome.reason

        assert reasons == {status: expected(status) for status in chosen}, name


def test_a_success_status_without_an_answer_is_malformed(
    provider_name: str,
    first_success: "Callable[[str], Case]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
) -> None:
    case = first_success(provider_name)
    asked = direct(case)
    # Anything is a text; whether it is a good one is for the definition to say.
    reasons = {Reason.MALFORMED} | (
        {Reason.API_ERROR} if asked.account.provider.definition.answer == "text" else set()
    )
    for name, content in BODIES.items():
        if content is not None and name != "an empty list":
            upstream.say(asked.account.base_url, replace(case.answer, body=content))
            outcome = asked.collect()

            assert outcome.reason in reasons, name
            assert outcome.wallets == (), name


def test_any_success_status_will_do_where_the_definition_names_none(
    provider_name: str,
    first_success: "Callable[[str], Case]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
) -> None:
    case = first_success(provider_name)
    asked = direct(case)
    for status in (201, 202, 203, 206):
        upstream.say(asked.account.base_url, replace(case.answer, status=status))

        accepted = accepts(asked.account.provider.definition.success, status)
        assert asked.collect().up == accepted, status


def test_a_success_status_that_has_no_body_is_malformed(
    provider_name: str,
    first_success: "Callable[[str], Case]",
    direct: "Callable[[Case], Collector]",
    upstream: "Upstream",
) -> None:
    case = first_success(provider_name)
    asked = direct(case)
    accepted = accepts(asked.account.provider.definition.success, 204)
    upstream.say(asked.account.base_url, replace(case.answer, status=204))

    reason = asked.collect().reason
    if asked.account.provider.definition.answer == "text":
        assert reason in (Reason.MALFORMED, Reason.API_ERROR)
    else:
        assert reason == (Reason.MALFORMED if accepted else Reason.HTTP_STATUS)
