"""Every query of every panel, asked as Grafana asks it, of a Prometheus that holds half a day."""

import re
from collections.abc import Callable
from typing import Any

import pytest

Json = dict[str, Any]
Targets = Callable[[Json], list[tuple[str, Json, Json]]]
Panels = Callable[[Json], list[Json]]
Ask = Callable[..., list[Json]]
Asked = Callable[..., list[Json]]
Expand = Callable[..., str]

END = 1768456800.0  # where the recorded night ends, 2026-01-15 06:00 UTC
SECONDS = {"m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    return int(duration[:-1]) * SECONDS[duration[-1]]


@pytest.fixture
def asked(ask: Ask, expand: Expand) -> Asked:
    """Ask one query of a panel for a choice of account and currency."""

    def result(dashboard: Json, panel: Json, target: Json, account: str, currency: str) -> list[Json]:
        span = seconds(panel.get("timeFrom") or dashboard["time"]["from"].removeprefix("now-"))
        step = max(seconds(panel.get("interval") or target.get("interval") or "1m"), span // 1000)
        expr = expand(
            target["expr"], account=account, currency=currency, shown=currency, __interval=f"{step}s"
        )
        if target.get("instant"):
            return ask("query", query=expr, time=END)
        # Grafana moves both ends down to a multiple of the step.
        start, end = ((END - ago) // step * step for ago in (span, 0))
        return ask("query_range", query=expr, start=start, end=end, step=step)

    return result


@pytest.fixture
def choices(dashboard: Json, ask: Ask) -> list[tuple[str, str]]:
    """Return what a person can choose: all, each account of the Account dashboard, each currency of a row."""
    everything = ask("query", query="last_over_time(prepaid_balance[1d])", time=END)
    accounts = {series["metric"]["account"] for series in everything}
    currencies = {series["metric"]["currency"] for series in everything}
    if dashboard["uid"] == "prepaid-account":
        return [(account, ".+") for account in sorted(accounts)]
    return [(".+", ".+"), *((".+", currency) for currency in sorted(currencies))]


def test_every_query_returns_data(
    dashboard: Json,
    targets: Targets,
    choices: list[tuple[str, str]],
    asked: Asked,
) -> None:
    empty = [
        name
        for name, panel, target in targets(dashboard)
        if not any(asked(dashboard, panel, target, *choice) for choice in choices)
    ]
    assert empty == []


def test_every_series_of_a_legend_has_a_name_of_its_own(
    dashboard: Json,
    targets: Targets,
    choices: list[tuple[str, str]],
    asked: Asked,
) -> None:
    for name, panel, target in targets(dashboard):
        shown = re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
        for choice in choices if shown else []:
            series = asked(dashboard, panel, target, *choice)
            legends = {tuple(one["metric"].get(label) for label in shown) for one in series}
            assert len(legends) == len(series), name
            # A label that no series has would leave a hole in every legend.
            assert not series or all(any(column) for column in zip(*legends, strict=True)), name


def test_nothing_is_shown_of_a_target_that_is_no_exporter(
    dashboard: Json, targets: Targets, asked: Asked, ask: Ask
) -> None:
    assert ask("query", query='scrape_duration_seconds{job="node"}', time=END)
    foreign = [
        name
        for name, panel, target in targets(dashboard)
        for series in asked(dashboard, panel, target, ".+", ".+")
        if series["metric"].get("job") == "node"
    ]
    assert foreign == []


def merge(results: list[list[Json]]) -> list[Json]:
    """Join query results to rows as Grafana's transformation "merge" does."""
    rows: list[Json] = []
    for number, result in enumerate(results):
        for series in result:
            row = {**series["metric"], number: series["value"]}
            fitting = [other for other in rows if all(other.get(key, row[key]) == row[key] for key in row)]
            for other in fitting:
                other.update(row)
            if not fitting:
                rows.append(row)
    return rows


def test_the_queries_of_a_table_join_to_one_row_for_each_thing(
    dashboard: Json, panels: Panels, choices: list[tuple[str, str]], asked: Asked
) -> None:
    for panel in (panel for panel in panels(dashboard) if panel["type"] == "table"):
        arranged = panel["transformations"][-1]["options"]
        for choice in choices:
            if "range" in panel["targets"][0]:
                continue  # a row for each moment
            results = [asked(dashboard, panel, target, *choice) for target in panel["targets"]]
            labels = [set(series["metric"]) for result in results for series in result]
            if not labels:
                continue
            unarranged = set.union(*labels) - set(arranged["renameByName"]) - set(arranged["excludeByName"])
            assert not unarranged, f"{panel['title']} would show {unarranged} as they are"
            shared = set.intersection(*labels)
            rows = merge(results)
            assert len({tuple(row[label] for label in shared) for row in rows}) == len(rows), panel["title"]


def test_wallets_are_sorted_into_one_level_each(
    dashboards: dict[str, Json], panels: Panels, asked: Asked
) -> None:
    overview, account = dashboards["prepaid-overview"], dashboards["prepaid-account"]
    balance = next(panel for panel in panels(account) if panel["title"] == "Balance")
    levels = {
        target["refId"]: {
            (series["metric"]["account"], series["metric"]["wallet"], series["metric"]["currency"])
            for series in asked(overview, balance, target, ".+", ".+")
        }
        for target in balance["targets"]
    }
    assert sum(len(wallets) for wallets in levels.values()) == len(set().union(*levels.values()))
    books = {
        level: {int(account.removeprefix("book-")) for account, *_ in wallets if account.startswith("book-")}
        for level, wallets in levels.items()
    }
    assert books == {
        "empty": {13},
        "critical": {0, 5, 10},
        "warning": {1, 6, 11},
        "info": {2, 7, 12},
        "fine": {3, 8},
        "unguarded": {4, 9},
        "unread": set(),
    }
    assert "sms" in {account for account, *_ in levels["unread"]}


def test_others_are_all_that_the_most_expensive_are_not(
    dashboards: dict[str, Json], panels: Panels, asked: Asked, ask: Ask
) -> None:
    overview = dashboards["prepaid-overview"]
    spend = next(panel for panel in panels(overview) if panel["title"].startswith("Spend a day"))
    most, others = (asked(overview, spend, target, ".+", "EUR") for target in spend["targets"])
    assert (len(most), len(others)) == (8, 1)
    bars = [float(one["values"][-1][1]) for one in (*most, *others)]
    [total] = ask("query", query='sum(wallet:prepaid_spend:sum1d{currency="EUR"})', time=END)
    assert sum(bars) == pytest.approx(float(total["value"][1]), rel=0.02)


def test_a_recharge_is_marked_once_with_its_amount(
    dashboards: dict[str, Json], targets: Targets, asked: Asked
) -> None:
    overview = dashboards["prepaid-overview"]
    [(_, panel, marks)] = [
        entry
        for entry in targets(overview)
        if entry[2]["refId"] == "recharges" and entry[1]["type"] == "table"
    ]
    [series] = asked(overview, panel, marks, "book-10", "EUR")
    [(_, amount)] = series["values"]
    assert float(amount) == pytest.approx(50, abs=1)
