"""What all three dashboards have around their panels: variables, links, recharge marks. Never a panel."""

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


class RechargeMarks(Builder[model.AnnotationQuery]):
    """A mark on every time axis wherever the recording rules saw a balance step up."""

    def build(self) -> model.AnnotationQuery:
        """Give the query of the marks."""
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
    for name in _CHAIN:
        single = uid == ACCOUNT and name == "account"
        result.with_variable(_one_of(name) if single else _many_of(name))
    for other in TITLES:
        if other != uid:
            result.link(_link_to(other))
    return result


def finish(builder: build.Dashboard) -> model.Dashboard:
    """Give the panels their numbers, in reading order, and the JSON its schema."""
    result = builder.build()
    for number, panel in enumerate(result.panels or [], start=1):
        panel.id_val = number
    result.schema_version = _SCHEMA_VERSION
    return result


def account_link(account: str, title: str) -> dict[str, object]:
    """Link a value to its account's dashboard; `account` is the Grafana expression that names it."""
    url = f"/d/{ACCOUNT}?{_KEPT}&var-account={account}&${{__url_time_range}}"
    return {"title": title, "url": url, "targetBlank": False}


def _link_to(uid: str) -> build.DashboardLink:
    link = build.DashboardLink(TITLES[uid]).type(model.DashboardLinkType.LINK).icon("dashboard")
    return link.url(f"/d/{uid}?{_KEPT}").keep_time(keep_time=True)


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _one_of(name: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(name.title()).query(_CHAIN[name]).datasource(DATASOURCE)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC
    )


def _many_of(name: str) -> build.QueryVariable:
    return _one_of(name).multi(multi=True).include_all(include_all=True).all_value(".+").current(_ALL)
