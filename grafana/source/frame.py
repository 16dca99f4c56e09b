"""What all three dashboards have around their panels: variables, links, recharge marks. Never a panel."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import queries

OVERVIEW = "prepaid-overview"
ACCOUNT = "prepaid-account"
EXPORTER = "prepaid-exporter"
TITLES = {OVERVIEW: "Prepaid balances", ACCOUNT: "Prepaid account", EXPORTER: "Prepaid exporter"}
DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

_SCHEMA_VERSION = 39  # of Grafana 10.4: older 10.x servers accept it, newer ones migrate it
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
_ALL = model.VariableOption(selected=True, text=["All"], value=["$__all"])
_INSTANCE = 'job=~"$job", instance=~"$instance"'
_CHAIN = {
    "job": "label_values(prepaid_account_up, job)",
    "instance": 'label_values(prepaid_account_up{job=~"$job"}, instance)',
    "provider": f"label_values(prepaid_account_up{{{_INSTANCE}}}, provider)",
    "account": f'label_values(prepaid_account_up{{{_INSTANCE}, provider=~"$provider"}}, account)',
    "currency": (
        f'label_values(prepaid_balance{{{_INSTANCE}, provider=~"$provider", account=~"$account"}}, currency)'
    ),
}

# An exporter whose accounts are scraped from /probe has them under another job than itself.
_EXPORTERS = '__name__=~"prepaid_account_up|prepaid_exporter_build_info"'
_CHAIN_OF_EXPORTERS = {
    **_CHAIN,
    "job": f"label_values({{{_EXPORTERS}}}, job)",
    "instance": f'label_values({{{_EXPORTERS}, job=~"$job"}}, instance)',
}


class RechargeMarks(Builder[model.AnnotationQuery]):
    """A mark on every time axis wherever the recording rules saw a balance step up."""

    def build(self) -> model.AnnotationQuery:
        """Return the query of the marks."""
        expr = f"{queries.recorded('prepaid_recharge:step5m')} > 0"
        return _PrometheusMarks(name="Recharges", datasource=DATASOURCE, icon_color="green", expr=expr)


class _PrometheusMarks(model.AnnotationQuery):
    """The fields that Prometheus marks have and the library lacks: beside it in 10.x, in a target later."""

    def to_json(self) -> dict[str, object]:
        return {
            **super().to_json(),
            "step": "5m",
            "titleFormat": "Recharge of {{account}}",
            "textFormat": "Wallet {{wallet}} ({{currency}}) at {{provider}}",
            "tagKeys": "provider,account,wallet,currency",
            "target": {"expr": self.expr, "interval": "5m", "refId": "recharges", "range": True},
        }


def dashboard(uid: str, description: str) -> build.Dashboard:
    """Start a read-only dashboard with the shared variables and links to the other two."""
    result = build.Dashboard(TITLES[uid]).uid(uid).description(description).tags(["prepaid"]).readonly()
    result.refresh("1m").tooltip(model.DashboardCursorSync.CROSSHAIR).with_variable(_datasource())
    for name, query in (_CHAIN_OF_EXPORTERS if uid == EXPORTER else _CHAIN).items():
        single = uid == ACCOUNT and name == "account"
        result.with_variable(_one_of(name, query) if single else _many_of(name, query))
    for other in TITLES:
        if other != uid:
            result.link(_link_to(other))
    return result


def finish(builder: build.Dashboard) -> model.Dashboard:
    """Return the dashboard, its panels numbered in reading order and its JSON with a schema version."""
    result = builder.build()
    for number, panel in enumerate(result.panels or [], start=1):
        panel.id_val = number
    result.schema_version = _SCHEMA_VERSION
    if result.uid == ACCOUNT:
        _adapt_to_one_account(result)
    return result


def _adapt_to_one_account(result: model.Dashboard) -> None:
    panels = [panel for panel in result.panels or [] if isinstance(panel, model.Panel)]
    asking: list[Any] = [
        *(target for panel in panels for target in panel.targets or []),
        *(result.annotations.list_val or [] if result.annotations else []),
    ]
    for query in asking:
        query.expr = queries.about_one_account(query.expr)
    for variable in (result.templating.list_val or []) if result.templating else []:
        if isinstance(variable.query, str):
            variable.query = queries.about_one_account(variable.query)


def account_link(account: str, title: str) -> dict[str, object]:
    """Link a table's value to its account's dashboard; `account` is the Grafana expression that names it."""
    provider = "${__data.fields.Provider:percentencode}"
    url = f"/d/{ACCOUNT}?{_KEPT}&var-provider={provider}&var-account={account}&${{__url_time_range}}"
    return {"title": title, "url": url, "targetBlank": False}


def _link_to(uid: str) -> build.DashboardLink:
    link = build.DashboardLink(TITLES[uid]).type(model.DashboardLinkType.LINK).icon("dashboard")
    return link.url(f"/d/{uid}?{_KEPT}").keep_time(keep_time=True)


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _one_of(name: str, query: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(name.title()).query(query).datasource(DATASOURCE)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC
    )


def _many_of(name: str, query: str) -> build.QueryVariable:
    return _one_of(name, query).multi(multi=True).include_all(include_all=True).all_value(".+").current(_ALL)
