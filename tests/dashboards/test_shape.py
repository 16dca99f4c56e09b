import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
Panels = Callable[[Json], list[Json]]
Targets = Callable[[Json], list[tuple[str, Json, Json]]]

LEVEL_COLOURS = {
    "empty": "red",
    "critical": "red",
    "warning": "orange",
    "info": "blue",
    "fine": "green",
    "unguarded": "text",
    "unread": "purple",
}
GRID = 24


def overrides(panel: Json) -> dict[str, dict[str, Any]]:
    return {
        override["matcher"]["options"]: {prop["id"]: prop.get("value") for prop in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }


def links(panel: Json) -> Iterator[str]:
    for settings in overrides(panel).values():
        yield from (link["url"] for link in settings.get("links", []))


def test_every_panel_says_why_it_may_be_empty(dashboard: Json, panels: Panels) -> None:
    silent = [p["title"] for p in panels(dashboard) if not p["fieldConfig"]["defaults"].get("noValue", "")]
    assert silent == []


def test_the_words_on_an_empty_panel_do_not_fill_its_missing_values(dashboard: Json, panels: Panels) -> None:
    for panel in panels(dashboard):
        if panel["type"] in ("table", "timeseries", "state-timeline"):
            first = panel["fieldConfig"]["overrides"][0]
            assert first["matcher"] == {"id": "byRegexp", "options": ".*"}
            assert [p for p in first["properties"] if p["id"] == "noValue" and p.get("value") is None]
        elif panel["type"] == "stat":
            assert len(panel["fieldConfig"]["defaults"]["noValue"]) <= 20


def test_panels_have_their_own_numbers_and_places(dashboard: Json) -> None:
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= GRID for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_queries_of_a_panel_have_names_of_their_own(dashboard: Json, panels: Panels) -> None:
    for panel in panels(dashboard):
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


def test_colours_of_money_come_from_each_wallets_own_thresholds(dashboard: Json, panels: Panels) -> None:
    for panel in panels(dashboard):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        # A number of things that should not be may turn colour at one, and a graph may have a line at zero; no other
        # constant colours anything.
        assert [step.get("value") for step in steps] in ([], [None, 1], [None, 0])
        for ref, settings in overrides(panel).items():
            if ref in LEVEL_COLOURS and "color" in settings:
                assert settings["color"] == {"mode": "fixed", "fixedColor": LEVEL_COLOURS[ref]}


def test_the_overview_answers_in_the_order_of_need(dashboards: dict[str, Json]) -> None:
    shown = sorted(
        dashboards["prepaid-overview"]["panels"],
        key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]),
    )
    assert [panel["title"] for panel in shown] == [
        "Next empty",
        "To top up now",
        "Broken",
        "Oldest reading",
        "Act",
        "Broken",
        "Money",
        "Balances in $shown",
        "Spend a day in $shown",
        "Calendar",
        "Recharges",
        "All wallets",
        "$currency",
    ]
    # What is to be done begins under one row of numbers: on the first screen, at any width.
    assert next(panel for panel in shown if panel["title"] == "Act")["gridPos"]["y"] <= 4


def test_all_wallets_and_each_currency_wait_in_collapsed_rows(dashboards: dict[str, Json]) -> None:
    rows = [panel for panel in dashboards["prepaid-overview"]["panels"] if panel["type"] == "row"]
    assert [(row["title"], row.get("repeat"), row["collapsed"]) for row in rows] == [
        ("All wallets", None, True),
        ("$currency", "currency", True),
    ]
    assert all(row["panels"] for row in rows)


def test_what_needs_a_person_is_in_the_colour_of_its_level(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    act = next(panel for panel in panels(dashboards["prepaid-overview"]) if panel["title"] == "Act")
    words = overrides(act)["Level"]["mappings"][0]["options"]
    assert {word["text"]: word["color"] for word in words.values()} == {
        "Empty": "red",
        "Critical": "red",
        "Warning": "orange",
        "Info": "blue",
        "Fine": "green",
        "No threshold": "text",
        "Not read": "purple",
    }


def test_axes_begin_at_zero_and_legends_wrap(dashboard: Json, panels: Panels) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["axisSoftMin"] == 0, panel["title"]
            assert panel["options"]["legend"]["displayMode"] == "list", panel["title"]


def test_what_comes_and_goes_is_drawn_as_bars(dashboards: dict[str, Json], panels: Panels) -> None:
    for uid, title in (
        ("prepaid-account", "Failures by reason"),
        ("prepaid-exporter", "Failing accounts"),
        ("prepaid-exporter", "Upstream failures"),
    ):
        panel = next(panel for panel in panels(dashboards[uid]) if panel["title"] == title)
        assert panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars", title


def test_no_failure_of_an_account_is_green(dashboards: dict[str, Json], panels: Panels) -> None:
    [failures] = [p for p in panels(dashboards["prepaid-account"]) if p["title"] == "Failures by reason"]
    assert failures["fieldConfig"]["defaults"]["color"] == {"mode": "shades", "fixedColor": "red"}


def test_only_the_account_dashboard_is_about_one_account(dashboards: dict[str, Json]) -> None:
    for uid, dashboard in dashboards.items():
        account = next(v for v in dashboard["templating"]["list"] if v["name"] == "account")
        assert account["multi"] is (uid != "prepaid-account")


def test_rows_lead_to_the_account_and_to_the_top_up_page(dashboards: dict[str, Json], panels: Panels) -> None:
    of_title = {panel["title"]: panel for panel in panels(dashboards["prepaid-overview"])}
    for title in ("Act", "All wallets"):
        to_account, to_provider = list(links(of_title[title]))
        assert "&var-account=${__data.fields.account:percentencode}&" in to_account
        assert "&var-provider=${__data.fields.provider:percentencode}&" in to_account
        assert "&var-cluster=${__data.fields.cluster:percentencode}&" in to_account
        assert "&var-namespace=${__data.fields.namespace:percentencode}&" in to_account
        assert to_provider == "${__value.raw}"
        kept = of_title[title]["transformations"][-1]["options"]
        assert {"cluster", "namespace", "account", "provider"} <= set(kept["renameByName"]) - set(
            kept["excludeByName"]
        )


def test_the_one_account_is_escaped_where_grafana_does_not(dashboards: dict[str, Json]) -> None:
    text = json.dumps(dashboards["prepaid-account"])
    assert "account=~`${account:regex}`" in text
    assert "$account" not in text


def test_links_lead_to_dashboards_that_exist(dashboards: dict[str, Json], panels: Panels) -> None:
    for dashboard in dashboards.values():
        urls = [link["url"] for link in dashboard["links"]]
        urls += [
            url.replace("${__data.fields.board}", board)
            for panel in panels(dashboard)
            for url in links(panel)
            if url.startswith("/")
            for board in re.findall('"board", "([^"]+)"', panel["targets"][0]["expr"]) or ["none"]
        ]
        reached = {re.match(r"/d/([\w-]+)\?", url)[1] for url in urls}  # type: ignore[index]
        assert reached >= set(dashboards) - {dashboard["uid"]}
        assert reached <= set(dashboards)


def test_what_is_broken_leads_to_its_account_or_to_the_exporters(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    [table] = [
        panel
        for panel in panels(dashboards["prepaid-overview"])
        if panel["title"] == "Broken" and panel["type"] == "table"
    ]
    to_board, _ = links(table)
    assert to_board.startswith("/d/${__data.fields.board}?")
    kept = table["transformations"][-1]["options"]
    for label in ("board", "cluster", "namespace", "instance", "provider", "account"):
        assert f"${{__data.fields.{label}" in to_board
        assert label in set(kept["renameByName"]) - set(kept["excludeByName"])


def test_what_to_do_is_written_down_where_the_row_says(
    dashboards: dict[str, Json], panels: Panels, root: Path
) -> None:
    [table] = [
        panel
        for panel in panels(dashboards["prepaid-overview"])
        if panel["title"] == "Broken" and panel["type"] == "table"
    ]
    _, to_page = links(table)
    assert to_page.endswith("/docs/${__value.raw}")
    pages = re.findall(r'"runbook", "([\w.]+)#([\w-]+)"', table["targets"][0]["expr"])
    assert len(pages) >= 10
    for page, section in pages:
        headings = re.findall(r"^## (.+)$", (root / "docs" / page).read_text(), re.MULTILINE)
        assert section in {heading.lower().replace(" ", "-") for heading in headings}


DAY = 86400


@pytest.mark.parametrize("days", [1 / 24, 7, 30])
@pytest.mark.parametrize("kind", ["table", "stat"])
def test_a_lost_page_is_told_as_long_as_the_alert_tells_it(
    dashboards: dict[str, Json], panels: Panels, kind: str, days: float
) -> None:
    [panel] = [
        panel
        for panel in panels(dashboards["prepaid-overview"])
        if panel["title"] == "Broken" and panel["type"] == kind
    ]
    [target] = panel["targets"]
    assert "alertmanager_notifications_failed_total" in target["expr"]
    least = 60 * int(target["interval"].removesuffix("m"))
    # As Grafana computes $__rate_interval, whatever the width of the panel is.
    window = max(max(days * DAY / panel["maxDataPoints"], least) + least, 4 * least)
    assert 14.5 * 60 <= window <= 17 * 60


def test_recharges_are_marked_where_the_balance_is_drawn_and_nowhere_else(
    dashboard: Json, targets: Targets
) -> None:
    assert "list" not in dashboard["annotations"]  # these would be on every panel, of every currency
    drawn = [
        panel["title"]
        for name, panel, target in targets(dashboard)
        if "wallet:prepaid_recharge:step5m" in target["expr"] and panel["type"] == "timeseries"
    ]
    assert (
        drawn
        == {
            "prepaid-overview": ["Balances in $shown"],
            "prepaid-account": ["Balance and thresholds"],
            "prepaid-exporter": [],
        }[dashboard["uid"]]
    )


def test_what_grows_with_the_number_of_accounts_is_cut_or_scrolls(dashboard: Json, targets: Targets) -> None:
    for name, panel, target in targets(dashboard):
        per_series = panel["type"] in ("timeseries", "bargauge", "state-timeline")
        if not per_series or dashboard["uid"] == "prepaid-account":
            continue
        ranked = re.search(r"\b(topk|bottomk)\(", target["expr"])
        place = "cluster, namespace, job, instance"
        summed = re.match(rf"(sum|count|max) by \((provider|{place})\b|sum\(", target["expr"])
        assert ranked or summed, name


def test_a_cluster_and_a_namespace_can_be_chosen_where_there_are_any(
    dashboard: Json, targets: Targets
) -> None:
    listed = {v["name"]: v for v in dashboard["templating"]["list"]}
    for name in ("cluster", "namespace"):
        assert listed[name]["allValue"] == ".*"  # which matches an absent label too
        assert listed[name]["current"]["value"] == ["$__all"]
        for link in dashboard["links"]:
            assert f"${{{name}:queryparam}}" in link["url"]
        for title, _, target in targets(dashboard):
            selectors = target["expr"].count('job=~"$job"')
            assert target["expr"].count(f'{name}=~"${name}"') == selectors > 0, title


def test_zero_is_on_the_axis_of_what_may_be_owed(dashboard: Json, panels: Panels) -> None:
    for panel in panels(dashboard):
        if panel["title"].startswith(("Balance", "Booked")) and panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] == 0, panel["title"]


WINDOW = 1600 - 2 * 16 - 2 * 8  # without the margins of the page and of a panel
GRAFANAS_LEAST = 150


def test_no_column_is_out_of_sight_on_a_screen_of_1600_pixels(dashboard: Json, panels: Panels) -> None:
    for panel in (panel for panel in panels(dashboard) if panel["type"] == "table"):
        arranged = panel["transformations"][-1]["options"]
        settings = overrides(panel)
        shown = [
            settings.get(title, {})
            for label, title in arranged["renameByName"].items()
            if label not in arranged["excludeByName"] and not settings.get(title, {}).get("custom.hidden")
        ]
        room = WINDOW * panel["gridPos"]["w"] / GRID
        fixed = [one["custom.width"] for one in shown if "custom.width" in one]
        least = [one.get("custom.minWidth", GRAFANAS_LEAST) for one in shown if "custom.width" not in one]
        # Grafana gives each of the others the same share of the rest, or what it needs at least.
        share = (room - sum(fixed)) / max(len(least), 1)
        needed = sum(fixed) + sum(max(share, one) for one in least)
        assert needed <= room + 1, f"{panel['title']}: {needed} of {room} pixels"


LETTER = 7
"""Pixels of a letter in a column's head, which has a margin, and a funnel where rows can be filtered by it."""


def test_no_head_of_a_column_is_cut(dashboard: Json, panels: Panels) -> None:
    for panel in (panel for panel in panels(dashboard) if panel["type"] == "table"):
        settings = overrides(panel)
        beside = 36 if settings[".*"].get("custom.filterable") else 12
        for title in panel["transformations"][-1]["options"]["renameByName"].values():
            width = settings.get(title, {}).get("custom.width")
            assert width is None or width >= LETTER * len(title) + beside, f"{panel['title']}: {title}"


def test_dates_are_told_to_the_minute(dashboards: dict[str, Json], panels: Panels) -> None:
    of_title = {panel["title"]: panel for panel in panels(dashboards["prepaid-overview"])}
    for title, column in (
        ("Next empty", ".*"),
        ("Act", "Empty at"),
        ("Calendar", "When"),
        ("Recharges", "When"),
    ):
        assert overrides(of_title[title])[column]["unit"] == "time:YYYY-MM-DD HH:mm", title


def test_act_has_fifteen_rows_and_shows_them_without_scrolling(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    act = next(panel for panel in panels(dashboards["prepaid-overview"]) if panel["title"] == "Act")
    assert all("bottomk(15, " in target["expr"] for target in act["targets"])
    head, row = 40, 36  # of a panel, and of a table, whose head is a row too
    assert act["gridPos"]["h"] * 38 - 8 >= head + 16 * row


def test_an_empty_panel_of_the_first_hour_does_not_say_that_nothing_is_spent(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    for panel in panels(dashboards["prepaid-overview"]):
        if panel["title"] in ("Act", "Money") or panel["title"].startswith("Spend"):
            words = panel["fieldConfig"]["defaults"]["noValue"]
            assert "hour of readings" in words, panel["title"]


def test_who_acts_first_is_said_by_the_date_alone(dashboards: dict[str, Json], panels: Panels) -> None:
    act = next(panel for panel in panels(dashboards["prepaid-overview"]) if panel["title"] == "Act")
    sorts = [step["options"]["sort"] for step in act["transformations"] if step["id"] == "sortBy"]
    assert sorts == [[{"field": "Value #due", "desc": False}]]
    assert "sortBy" not in act["options"]


def test_what_is_broken_is_sorted_by_its_rank_and_then_the_newest_first(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    [table] = [
        panel
        for panel in panels(dashboards["prepaid-overview"])
        if panel["title"] == "Broken" and panel["type"] == "table"
    ]
    sorts = [step["options"]["sort"] for step in table["transformations"] if step["id"] == "sortBy"]
    # Each keeps the order of what is equal.
    assert sorts == [[{"field": "Value", "desc": True}], [{"field": "rank", "desc": False}]]
    assert "sortBy" not in table["options"]


def test_levels_are_sorted_with_what_cannot_be_read_among_the_grave_ones(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    wallets = next(
        panel for panel in panels(dashboards["prepaid-overview"]) if panel["title"] == "All wallets"
    )
    words = overrides(wallets)["Level"]["mappings"][0]["options"]
    assert [words[number]["text"] for number in sorted(words, key=float, reverse=True)] == [
        "Empty",
        "Critical",
        "Warning",
        "Not read",
        "Info",
        "Fine",
        "No threshold",
    ]


def test_amounts_of_different_currencies_share_no_axis(dashboards: dict[str, Json]) -> None:
    account = dashboards["prepaid-account"]
    rows = [panel for panel in account["panels"] if panel["type"] == "row"]
    assert (rows[0]["title"], rows[0].get("repeat")) == ("$currency", "currency")
    inside = [
        p["title"]
        for p in account["panels"]
        if rows[0]["gridPos"]["y"] < p["gridPos"]["y"] < rows[1]["gridPos"]["y"]
    ]
    assert inside == ["Balance and thresholds", "Spend by hour", "Runway over time"]


def test_a_row_of_a_currency_has_no_panel_that_most_currencies_leave_empty(
    dashboards: dict[str, Json],
) -> None:
    row = dashboards["prepaid-overview"]["panels"][-1]
    assert [panel["title"] for panel in row["panels"]] == [
        "Balances and thresholds in $currency",
        "Spend a day in $currency",
    ]


def test_a_limit_of_the_runway_has_the_colour_of_its_level(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    runway = next(
        panel for panel in panels(dashboards["prepaid-account"]) if panel["title"] == "Runway over time"
    )
    limits = next(target for target in runway["targets"] if target["refId"] == "limits")
    for place in ("", "eu shop"):
        for level in ("critical", "warning"):
            name = limits["legendFormat"].replace("{{who}}", place).replace("{{level}}", level)
            [colour] = [
                settings["color"]["fixedColor"]
                for pattern, settings in overrides(runway).items()
                if "color" in settings and re.fullmatch(pattern, name)  # as Grafana matches: all of it
            ]
            assert colour == LEVEL_COLOURS[level]


VICTORIAMETRICS_LONGEST = 16 * 1024


def test_no_query_is_longer_than_every_server_takes(
    dashboard: Json, targets: Targets, expand: Callable[..., str]
) -> None:
    chosen = dict.fromkeys(("account", "instance", "provider", "namespace"), "some-account|another-account")
    for name, _, target in targets(dashboard):
        assert len(expand(target["expr"], **chosen)) < VICTORIAMETRICS_LONGEST, name


def test_no_table_looks_at_a_day_of_every_wallet(dashboards: dict[str, Json], targets: Targets) -> None:
    # With 500 wallets each such query takes seconds.
    for name, _, target in targets(dashboards["prepaid-overview"]):
        if target.get("instant"):
            assert not re.search(
                r"wallet:prepaid_balance:\w+{[^}]*}\)?\[1d:", target["expr"].replace("balance:vanished", "")
            ), name


PHONE = 390 - 2 * 16 - 2 * 8


def test_a_phone_shows_who_and_when_without_a_swipe(dashboards: dict[str, Json], panels: Panels) -> None:
    of_title = {
        panel["title"]: panel for panel in panels(dashboards["prepaid-overview"]) if panel["type"] == "table"
    }
    for title, columns in (
        ("Act", ["Wallet", "Left", "Empty at"]),
        ("Broken", ["What", "Who", "Since"]),
        ("Calendar", ["When", "What", "Wallet"]),
        ("Recharges", ["When", "Amount", "Wallet"]),
    ):
        settings = overrides(of_title[title])
        widths = [
            settings[column].get("custom.width", settings[column]["custom.minWidth"]) for column in columns
        ]
        assert sum(widths) <= PHONE, title


def test_what_is_empty_while_an_account_fails_is_not_said_of_its_provider(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    for panel in panels(dashboards["prepaid-account"]):
        if panel["type"] in ("stat", "table"):  # of now, not of a range
            words = panel["fieldConfig"]["defaults"]["noValue"]
            assert not re.search("provider|not spending", words, re.IGNORECASE), words
