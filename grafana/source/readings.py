"""How the readings of one account went: failures, states, time and status of the answers."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import statetimeline, timeseries

from grafana.source import panels, queries
from grafana.source.panels import HALF, Text


def panels_of_readings() -> Iterator[statetimeline.Panel | timeseries.Panel]:
    """Return the panels in reading order."""
    yield _failures()
    yield _states()
    yield _duration()
    yield _answers()


def _failures() -> statetimeline.Panel:
    text = Text(
        "Failures by reason",
        "When the account could not be read, and why.",
        "No failure in this range.",
    )
    reasons = queries.by_account(queries.of_account("prepaid_account_failure"), "reason")
    panel = panels.timeline(text, 8, [panels.ranged("reasons", reasons, "{{reason}}")])
    return panel.mappings(panels.values({1: ("Failing", "red")}))


def _states() -> statetimeline.Panel:
    text = Text(
        "Wallet status and the provider's alarm",
        "Which status each wallet had, and which state the provider's own alarm was in.",
        "This provider gives neither a status nor an alarm.",
    )
    targets = [
        panels.ranged(
            ref,
            f"{queries.by_wallet(queries.of_wallet(family), family)} == 1",
            f"{{{{wallet}}}} ({{{{currency}}}}) {word}: {{{{{family}}}}}",
        )
        for ref, family, word in (
            ("status", "prepaid_wallet_status", "status"),
            ("alarm", "prepaid_alert_state", "alarm"),
        )
    ]
    return panels.timeline(text, 8, targets).mappings(panels.values({1: ("In this state", "blue")}))


def _duration() -> timeseries.Panel:
    text = Text(
        "Time of a collection",
        "How long the provider took for the last answer.",
        "No exporter was scraped for this account in this range.",
    )
    took = queries.by_account(queries.of_account("prepaid_account_collect_duration_seconds"))
    return panels.lines(text, "s", HALF, 7, [panels.ranged("took", took, "{{account}}")])


def _answers() -> timeseries.Panel:
    text = Text(
        "HTTP status of the answers",
        "The status code of the last answer; a gap is a time without one.",
        "The provider gave no answer in this range.",
    )
    code = queries.by_account(queries.of_account("prepaid_account_http_status_code"))
    return panels.lines(text, "none", HALF, 7, [panels.ranged("code", code, "{{account}}")])
