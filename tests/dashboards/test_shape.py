import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

Json = dict[str, Any]
Panels = Callable[[Json], list[Json]]
Targets = Callable[[Json], list[tuple[str, Json, Json]]]

LEVEL_COLOURS = {"critical": "red", "warning": "orange", "info": "blue", "fine": "green", "unguarded": "text"}
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
        # A number of things that should not be may turn colour at one; no other constant colours anything.
        assert [step.get("value") for step in steps] in ([], [None, 1])
        for ref, settings in overrides(panel).items():
            if ref in LEVEL_COLOURS and "color" in settings:
                assert settings["color"] == {"mode": "fixed", "fixedColor": LEVEL_COLOURS[ref]}


def test_the_overview_is_coloured_by_level_where_it_ranks_wallets(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    ranked = [panel for panel in panels(dashboards["prepaid-overview"]) if panel["type"] == "bargauge"]
    assert [panel["title"].split(":")[0] for panel in ranked] == ["Runway", "Share of threshold"]
    for panel in ranked:
        asked = {target["refId"] for target in panel["targets"]}
        assert asked <= set(overrides(panel)) == set(LEVEL_COLOURS)


def test_the_currency_row_repeats(dashboards: dict[str, Json]) -> None:
    rows = [panel for panel in dashboards["prepaid-overview"]["panels"] if panel["type"] == "row"]
    assert [(row["title"], row["repeat"]) for row in rows] == [("$currency", "currency")]


def test_only_the_account_dashboard_is_about_one_account(dashboards: dict[str, Json]) -> None:
    for uid, dashboard in dashboards.items():
        account = next(v for v in dashboard["templating"]["list"] if v["name"] == "account")
        assert account["multi"] is (uid != "prepaid-account")


def test_the_wallet_table_links_to_the_account_and_to_the_top_up_page(
    dashboards: dict[str, Json], panels: Panels
) -> None:
    table = next(p for p in panels(dashboards["prepaid-overview"]) if p["title"] == "All wallets")
    to_account, to_provider = list(links(table))
    assert "&var-account=${__value.raw:percentencode}&" in to_account
    assert "&var-provider=${__data.fields.Provider:percentencode}&" in to_account
    assert to_provider == "${__value.raw}"
    renamed = table["transformations"][1]["options"]["renameByName"]
    assert (renamed["account"], renamed["topup_url"]) == ("Account", "Top up")


def test_the_one_account_is_escaped_where_grafana_does_not(dashboards: dict[str, Json]) -> None:
    text = json.dumps(dashboards["prepaid-account"])
    assert "account=~`${account:regex}`" in text
    assert "$account" not in text


def test_links_lead_to_dashboards_that_exist(dashboards: dict[str, Json], panels: Panels) -> None:
    for dashboard in dashboards.values():
        urls = [link["url"] for link in dashboard["links"]]
        urls += [url for panel in panels(dashboard) for url in links(panel) if url.startswith("/")]
        reached = {re.match(r"/d/([\w-]+)\?", url)[1] for url in urls}  # type: ignore[index]
        assert reached >= set(dashboards) - {dashboard["uid"]}
        assert reached <= set(dashboards)


def test_recharges_are_marked_where_money_is_shown(dashboards: dict[str, Json]) -> None:
    for uid in ("prepaid-overview", "prepaid-account"):
        [mark] = dashboards[uid]["annotations"]["list"]
        assert mark["expr"] == mark["target"]["expr"]
        assert "wallet:prepaid_recharge:step5m" in mark["expr"]


def test_what_grows_with_the_number_of_accounts_is_cut_or_scrolls(dashboard: Json, targets: Targets) -> None:
    for name, panel, target in targets(dashboard):
        per_series = panel["type"] in ("timeseries", "bargauge", "state-timeline")
        if not per_series or dashboard["uid"] == "prepaid-account":
            continue
        ranked = re.search(r"\b(topk|bottomk)\(", target["expr"])
        summed = re.match(r"(sum|count|max) by \((provider|job, instance)\b|sum\(", target["expr"])
        assert ranked or summed, name
