"""How the readings of one account went: failures, states, time and status of the answers."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import statetimeline, timeseries
from grafana_foundation_sdk.models import common as look

from grafana.source import panels, queries
from grafana.source.panels import HALF, Text


def panels_of_readings() -> Iterator[statetimeline.Panel | timeseries.Panel]:
    """Return the panels in reading order."""
    yield _failures()
    yield _states()
    yield _duration()
    yield _answers()


def _failures() -> timeseries.Panel:
    text = Text(
        "Failures by reason",
        "When the account could not be read, and why: a bar for each time with a failure in it, however short.",
        "No failure in this range.",
    )
    failing = queries.of_account("prepaid_account_failure")
    reasons = queries.by_account(f"max_over_time({failing}[$__interval])", "reason")
    panel = panels.lines(
        text, "none", HALF, 8, [panels.ranged("reasons", queries.placed(reasons), "{{who}} {{reason}}")]
    )
    return panels.reddish(panels.marked(panel)).axis_placement(look.AxisPlacement.HIDDEN)


def _states() -> statetimeline.Panel:
    text = Text(
        "Wallet status and the provider's alarm",
        "Which status each wallet had, and which state the provider's own alarm was in.",
        "This provider gives neither a status nor an alarm.",
    )
    targets = [
        panels.ranged(
            ref,
            queries.named_in_account(
                f"({queries.by_wallet(f'max_over_time({queries.of_wallet(family)}[$__interval])', family)} == 1)"
            ),
            f"{{{{who}}}} {word}: {{{{{family}}}}}",
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
    return panels.lines(text, "s", HALF, 7, [panels.ranged("took", queries.named(took), "{{who}}")])


def _answers() -> timeseries.Panel:
    text = Text(
        "HTTP status of the answers",
        "The status code of the last answer; a gap is a time without one.",
        "The provider gave no answer in this range.",
    )
    code = queries.by_account(queries.of_account("prepaid_account_http_status_code"))
    return panels.lines(text, "none", HALF, 7, [panels.ranged("code", queries.named(code), "{{who}}")])
