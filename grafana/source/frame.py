"""What all three dashboards have around their panels: variables, links, never a panel."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import queries

OVERVIEW = "prepaid-overview"
ACCOUNT = "prepaid-account"
EXPORTER = "prepaid-exporter"
TITLES = {OVERVIEW: "Prepaid balances", ACCOUNT: "Prepaid account", EXPORTER: "Prepaid exporter"}
DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

_SCHEMA_VERSION = 39  # of Grafana 10.4: older 10.x servers accept it, newer ones migrate it
_PLACE = "${cluster:queryparam}&${namespace:queryparam}"
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
_ALL = model.VariableOption(selected=True, text=["All"], value=["$__all"])
_OF_CLUSTER = 'cluster=~"$cluster"'
_OF_NAMESPACE = f'{_OF_CLUSTER}, namespace=~"$namespace"'
_INSTANCE = f'{queries.OF_PLACE}, instance=~"$instance"'
# A provider that does not give the balance gives the booked one, or how much of a plan is used.
_BALANCES = '__name__=~"prepaid_balance|prepaid_settled_balance|prepaid_quota_used"'
_CHAIN = {
    "cluster": "label_values(prepaid_account_up, cluster)",
    "namespace": f"label_values(prepaid_account_up{{{_OF_CLUSTER}}}, namespace)",
    "job": f"label_values(prepaid_account_up{{{_OF_NAMESPACE}}}, job)",
    "instance": f"label_values(prepaid_account_up{{{queries.OF_PLACE}}}, instance)",
    "provider": f"label_values(prepaid_account_up{{{_INSTANCE}}}, provider)",
    "account": f'label_values(prepaid_account_up{{{_INSTANCE}, provider=~"$provider"}}, account)',
    "currency": (
        f'label_values({{{_BALANCES}, {_INSTANCE}, provider=~"$provider", account=~"$account"}}, currency)'
    ),
}

# An exporter whose accounts are scraped from /probe has them under another job than itself.
_EXPORTERS = '__name__=~"prepaid_account_up|prepaid_exporter_build_info"'
_CHAIN_OF_EXPORTERS = {
    **_CHAIN,
    "cluster": f"label_values({{{_EXPORTERS}}}, cluster)",
    "namespace": f"label_values({{{_EXPORTERS}, {_OF_CLUSTER}}}, namespace)",
    "job": f"label_values({{{_EXPORTERS}, {_OF_NAMESPACE}}}, job)",
    "instance": f"label_values({{{_EXPORTERS}, {queries.OF_PLACE}}}, instance)",
}


def dashboard(uid: str, description: str) -> build.Dashboard:
    """Start a read-only dashboard with the shared variables and links to the other two."""
    result = build.Dashboard(TITLES[uid]).uid(uid).description(description).tags(["prepaid"]).readonly()
    result.refresh("1m").tooltip(model.DashboardCursorSync.CROSSHAIR).with_variable(_datasource())
    for name, query in (_CHAIN_OF_EXPORTERS if uid == EXPORTER else _CHAIN).items():
        single = uid == ACCOUNT and name == "account"
        result.with_variable(_one_of(name, query) if single else _many_of(name, query))
    if uid == OVERVIEW:
        result.with_variable(_one_of("shown", _CHAIN["currency"]).label("Graphs in"))
    for other in TITLES:
        if other != uid:
            result.link(_link_to(other))
    return result


def finish(builder: build.Dashboard) -> model.Dashboard:
    """Return the dashboard, its panels numbered in reading order and its JSON with a schema version."""
    result = builder.build()
    hidden = 0  # in the collapsed rows above
    number = 0
    for panel in result.panels or []:
        if panel.grid_pos:
            panel.grid_pos.y -= hidden
        inside = (panel.panels or []) if isinstance(panel, model.RowPanel) else []
        for one in (panel, *inside):
            number += 1
            one.id_val = number
        bottoms = [one.grid_pos.y + one.grid_pos.h for one in inside if one.grid_pos]
        for one in inside:
            if one.grid_pos:
                one.grid_pos.y -= hidden
        if bottoms and panel.grid_pos:
            hidden += max(bottoms) - hidden - panel.grid_pos.y - panel.grid_pos.h
    result.schema_version = _SCHEMA_VERSION
    if result.uid == ACCOUNT:
        _adapt_to_one_account(result)
    return result


def _adapt_to_one_account(result: model.Dashboard) -> None:
    for panel in result.panels or []:
        for query in (panel.targets or []) if isinstance(panel, model.Panel) else []:
            asking: Any = query
            asking.expr = queries.about_one_account(asking.expr)
    for variable in (result.templating.list_val or []) if result.templating else []:
        if isinstance(variable.query, str):
            variable.query = queries.about_one_account(variable.query)


def account_link(title: str) -> dict[str, object]:
    """Link a table's value to its account's dashboard; the row must have the labels account and provider.

    A row without a cluster or namespace chooses what has none: an empty value matches an absent label.
    """
    labels = ("cluster", "namespace", "provider", "account")
    chosen = "&".join(f"var-{label}=${{__data.fields.{label}:percentencode}}" for label in labels)
    url = f"/d/{ACCOUNT}?{_KEPT}&{chosen}&${{__url_time_range}}"
    return {"title": title, "url": url, "targetBlank": False}


def _link_to(uid: str) -> build.DashboardLink:
    link = build.DashboardLink(TITLES[uid]).type(model.DashboardLinkType.LINK).icon("dashboard")
    return link.url(f"/d/{uid}?{_PLACE}&{_KEPT}").keep_time(keep_time=True)


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _one_of(name: str, query: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(name.title()).query(query).datasource(DATASOURCE)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC
    )


def _many_of(name: str, query: str) -> build.QueryVariable:
    # Few targets have a cluster or namespace: "All" is with and without.
    everything = ".*" if name in ("cluster", "namespace") else ".+"
    variable = _one_of(name, query).multi(multi=True).include_all(include_all=True)
    return variable.all_value(everything).current(_ALL)
