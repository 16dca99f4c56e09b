"""The rules of github.com/grafana/dashboard-linter (docs/index.md), one by one.

Each rule gives its complaints on a dashboard, and is shown a dashboard that breaks it. Left out are those for
Loki queries (target-logql), for dashboards of the v2 schema (element-reference, v2-required-fields) and for
matchers that a configuration names (target-required-matchers): we have none of these.
"""

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from grafana_foundation_sdk.models import units

from tests.expressions import inside

UNITS = {value for value in vars(units).values() if isinstance(value, str)}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {"cluster", "namespace", "job", "instance", "provider", "account", "currency"}
RATES = ("rate", "irate", "increase")
RATE_INTERVAL = timedelta(seconds=123456)  # stands for $__rate_interval, and for nothing that a person writes

Json = dict[str, Any]
Complaints = Iterator[object]
Rule = Callable[[Json], Complaints]


def variables(dashboard: Json, kind: str = "query") -> dict[str, Json]:
    return {v["name"]: v for v in dashboard["templating"]["list"] if v["type"] == kind}


def panels(dashboard: Json) -> list[Json]:
    return [
        panel
        for part in dashboard["panels"]
        for panel in (part["panels"] if part["type"] == "row" else [part])
    ]


def expressions(dashboard: Json) -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in panels(dashboard) for target in panel["targets"]]


@cache
def nodes(expr: str) -> list[promql.Expr]:
    filled = expr.replace("$__rate_interval", f"{RATE_INTERVAL.total_seconds():.0f}s").replace(
        "$__interval", "5m"
    )
    return inside(filled)


def parsed(dashboard: Json) -> Iterator[tuple[str, list[promql.Expr]]]:
    """Return what parses; the rest is the complaint of target-promql-rule alone."""
    for title, expr in expressions(dashboard):
        with contextlib.suppress(ValueError):
            yield title, nodes(expr)


def template_datasource(dashboard: Json) -> Complaints:
    names = {(v["name"], v["label"], v["query"]) for v in variables(dashboard, "datasource").values()}
    if names != {("datasource", "Data source", "prometheus")}:
        yield f"data source variables are {names}"


def template_of(name: str) -> Rule:
    def rule(dashboard: Json) -> Complaints:
        variable = variables(dashboard).get(name, {})
        wanted = {"label": name.title(), "datasource": SOURCE, "multi": True, "allValue": ".+"}
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield f"variable {name}: {key} is {variable.get(key)!r}"

    return rule


def template_label_promql(dashboard: Json) -> Complaints:
    for name, variable in variables(dashboard).items():
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        try:
            promql.parse(match[1] if match else "not a query")
        except ValueError as error:
            yield f"variable {name}: {error}"


def template_on_time_change_reload(dashboard: Json) -> Complaints:
    yield from (name for name, variable in variables(dashboard).items() if variable["refresh"] != 2)


def required_variables(dashboard: Json) -> Complaints:
    yield from sorted(VARIABLES - set(variables(dashboard)))


def unused_variables(dashboard: Json) -> Complaints:
    text = " ".join(expr for _, expr in expressions(dashboard))
    yield from (name for name in variables(dashboard) if not re.search(rf"\$\{{?{name}\b", text))


def panel_datasource(dashboard: Json) -> Complaints:
    yield from (panel["title"] for panel in panels(dashboard) if panel.get("datasource") != SOURCE)


def panel_title_description(dashboard: Json) -> Complaints:
    yield from (p["id"] for p in panels(dashboard) if not p.get("title") or not p.get("description"))


def panel_units(dashboard: Json) -> Complaints:
    for panel in panels(dashboard):
        if (unit := panel["fieldConfig"]["defaults"].get("unit")) not in UNITS:
            yield f"{panel['title']}: unit {unit!r}"
        # The linter does not look at these. Grafana documents `time:` with a format of moment.js.
        for override in panel["fieldConfig"]["overrides"]:
            given = [p["value"] for p in override["properties"] if p["id"] == "unit"]
            yield from (
                f"{panel['title']}: unit {unit!r}"
                for unit in given
                if unit not in UNITS and not re.fullmatch(r"time:[YMDHms :-]+", unit)
            )


def panel_no_targets(dashboard: Json) -> Complaints:
    yield from (panel["title"] for panel in panels(dashboard) if not panel.get("targets"))


def target_promql(dashboard: Json) -> Complaints:
    for title, expr in expressions(dashboard):
        try:
            nodes(expr)
        except ValueError as error:
            yield f"{title}: {error}"


def rated(tree: list[promql.Expr]) -> list[promql.MatrixSelector]:
    calls = [node for node in tree if isinstance(node, promql.Call) and node.func.name in RATES]
    return [argument for call in calls for argument in call.args]


def target_rate_interval(dashboard: Json) -> Complaints:
    for title, tree in parsed(dashboard):
        yield from (title for selector in rated(tree) if selector.range != RATE_INTERVAL)


def target_counter_agg(dashboard: Json) -> Complaints:
    for title, tree in parsed(dashboard):
        series = [str(node.name) for node in tree if isinstance(node, promql.VectorSelector)]
        counters = sorted(name for name in series if name.endswith("_total"))
        if counters != sorted(str(selector.vector_selector.name) for selector in rated(tree)):
            yield f"{title}: not all of {counters} are in a rate, or something else is"


def target_matcher(label: str, *, recorded_too: bool = True) -> Rule:
    def matches(node: promql.VectorSelector) -> bool:
        written = {(matcher.name, str(matcher.op), matcher.value) for matcher in node.matchers.matchers}
        return (label, str(promql.MatchOp.Re), f"${label}") in written

    def rule(dashboard: Json) -> Complaints:
        for title, tree in parsed(dashboard):
            series = [node for node in tree if isinstance(node, promql.VectorSelector) and not matches(node)]
            yield from (
                f"{title}: {node.name}" for node in series if recorded_too or ":" not in str(node.name)
            )

    return rule


def uneditable_dashboard(dashboard: Json) -> Complaints:
    if dashboard["editable"] is not False:
        yield "the dashboard can be edited"


RULES: dict[str, Rule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": template_of("job"),
    "template-instance-rule": template_of("instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "template-required-variables-rule": required_variables,
    "template-unused-rule": unused_variables,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-counter-agg-rule": target_counter_agg,
    "target-job-rule": target_matcher("job"),
    "target-instance-rule": target_matcher("instance"),
    "uneditable-dashboard-rule": uneditable_dashboard,
}


@pytest.fixture(scope="module")
def exclusions(root: Path) -> Json:
    text = (root / "grafana/dashboards/.lint").read_text(encoding="utf-8")
    listed: Json = yaml.safe_load(text)["exclusions"]
    return listed


@pytest.mark.parametrize("rule", RULES)
def test_a_dashboard_keeps_the_rule_or_the_exclusion_says_why(
    rule: str, dashboard: Json, exclusions: Json
) -> None:
    if rule in exclusions:
        assert exclusions[rule]["reason"]
    else:
        assert list(RULES[rule](dashboard)) == []


def test_an_exclusion_is_of_a_rule_that_some_dashboard_breaks(
    exclusions: Json, dashboards: dict[str, Json]
) -> None:
    for rule in exclusions:
        assert any(list(RULES[rule](dashboard)) for dashboard in dashboards.values())


def test_only_recorded_series_go_without_an_instance(dashboard: Json) -> None:
    assert list(target_matcher("instance", recorded_too=False)(dashboard)) == []


def variable(dashboard: Json, name: str) -> Json:
    found: Json = next(v for v in dashboard["templating"]["list"] if v["name"] == name)
    return found


def ask(dashboard: Json, expr: str) -> None:
    dashboard["panels"][0]["targets"].append({"refId": "asked", "expr": expr})


BREAKERS: dict[str, Callable[[Json], object]] = {
    "template-datasource-rule": lambda json: variable(json, "datasource").update(name="ds"),
    "template-job-rule": lambda json: variable(json, "job").update(allValue=".*"),
    "template-instance-rule": lambda json: variable(json, "instance").update(multi=False),
    "template-label-promql-rule": lambda json: variable(json, "job").update(query="label_values(up{, job)"),
    "template-on-time-change-reload-rule": lambda json: variable(json, "job").update(refresh=1),
    "template-required-variables-rule": lambda json: json["templating"]["list"].pop(3),
    "template-unused-rule": lambda json: variable(json, "job").update(name="shard"),
    "panel-datasource-rule": lambda json: json["panels"][0].update(datasource={"uid": "abc"}),
    "panel-title-description-rule": lambda json: json["panels"][0].update(description=""),
    "panel-units-rule": lambda json: json["panels"][0]["fieldConfig"]["defaults"].update(unit="euro"),
    "panel-no-targets-rule": lambda json: json["panels"][0].update(targets=[]),
    "target-promql-rule": lambda json: ask(json, "sum("),
    "target-rate-interval-rule": lambda json: ask(json, "rate(x_total[5m])"),
    "target-counter-agg-rule": lambda json: ask(json, "sum(x_total)"),
    "target-job-rule": lambda json: ask(json, "up"),
    "target-instance-rule": lambda json: ask(json, 'up{job=~"$job"}'),
    "uneditable-dashboard-rule": lambda json: json.update(editable=True),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_dashboard_that_breaks_the_rule_is_noticed(rule: str, dashboards: dict[str, Json]) -> None:
    broken = copy.deepcopy(dashboards["prepaid-overview"])
    before = len(list(RULES[rule](broken)))
    BREAKERS[rule](broken)
    assert len(list(RULES[rule](broken))) > before
