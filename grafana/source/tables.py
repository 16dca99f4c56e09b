"""Tables with one row per wallet or account: columns that are queries, joined by their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders import prometheus as prom
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.source.frame import account_link
from grafana.source.panels import MONEY, Text, asked, described, properties, quiet_gaps, values
from grafana.source.queries import LEVELS


@dataclass(frozen=True)
class Label:
    """A column that shows a label of the queries."""

    title: str
    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """A column that shows the value of its own query; without a title, the query is there for its labels.

    `step` is the least one, of which Grafana makes the window of a rate.
    """

    title: str
    ref: str
    expr: str
    unit: str = "none"
    settings: Mapping[str, Any] = field(default_factory=dict)
    step: str = ""


Column = Label | Value

ACCOUNT_LINK = account_link("Open the account")


def words(named: Mapping[int, tuple[str, str]]) -> list[dict[str, object]]:
    """Show numbers as coloured words."""
    return [mapping.to_json() for mapping in values(named)]


def behind(*labels: str) -> list[Label]:
    """Keep labels in the data, for links, without a column."""
    return [
        Label(label, label, {"custom.hidden": True, "custom.hideFrom": {"viz": True}}) for label in labels
    ]


def page_cell(word: str, title: str, folder: str = "") -> dict[str, Any]:
    """Show an address, or what is behind that of a folder, as a word that opens it."""
    return {
        "mappings": [{"type": "regex", "options": {"pattern": ".+", "result": {"text": word}}}],
        "links": [
            {
                "title": title,
                "url": f"{folder}/${{__value.raw}}" if folder else "${__value.raw}",
                "targetBlank": True,
            }
        ],
    }


PLACE_LABELS = (
    Label("Cluster", "cluster"),
    Label("Namespace", "namespace", {"custom.minWidth": 104}),
    Label("", "job"),
)
WALLET_LABELS = (
    *PLACE_LABELS,
    Label("Account", "account", {"links": [ACCOUNT_LINK], "custom.minWidth": 104}),
    Label("Provider", "provider", {"custom.width": 112}),
    Label("Wallet", "wallet"),
    Label("Currency", "currency", {"custom.width": 104}),
)

COLOURED = {
    "color": {"mode": "fixed", "fixedColor": "text"},
    "custom.cellOptions": {"type": "color-text"},
}
"""A cell whose text has the colour that it is mapped to, the usual one where it is not."""

LEVEL_CELL = {"mappings": words({lv.number: (lv.title, lv.colour) for lv in LEVELS}), **COLOURED}


def rows(text: Text, width: int, height: int, columns: Sequence[Column], *worst: str) -> table.Panel:
    """Join the queries of the columns into rows, sorted by the columns `worst` (downwards after a minus).

    What has no column sorts by its own name: a query, or one label of several things to sort by.
    """
    panel = _table(text, width, height, columns)
    panel.targets([_query(column) for column in columns if isinstance(column, Value)])
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    fields = {
        name: _field_of(column, several=_several(columns))
        for column in columns
        for name in (column.title, column.ref if isinstance(column, Value) else column.label)
    }
    titles = {column.title for column in columns}
    # Sorting keeps the order of what is equal: what counts most comes last.
    for order in reversed(worst):
        name, descending = order.removeprefix("-"), order.startswith("-")
        if len(worst) == 1 and name in titles:
            panel.sort_by([common.TableSortByFieldState().display_name(name).desc(descending)])
        else:
            _sort(panel, fields[name], descending=descending)
    return panel.with_transformation(_organized(columns))


def history(text: Text, width: int, height: int, columns: Sequence[Column], limit: int) -> table.Panel:
    """List the samples of one query over time, the latest first."""
    [value] = [column for column in columns if isinstance(column, Value)]
    panel = _table(text, width, height, columns).interval("5m").max_data_points(3000)
    panel.targets([asked(value.ref, value.expr).range().format(PromQueryFormat.TABLE)])
    _sort(panel, "Time", descending=True)
    panel.with_transformation(model.DataTransformerConfig(id_val="limit", options={"limitField": limit}))
    return panel.with_transformation(_organized(columns))


def _least_width(title: str) -> dict[str, object]:
    """Leave room for the title; Grafana's own 150 would push half of a table out of sight."""
    return {"custom.minWidth": max(88, 7 * len(title) + 24)}


def _sort(panel: table.Panel, name: str, *, descending: bool) -> None:
    order = {"sort": [{"field": name, "desc": descending}]}
    panel.with_transformation(model.DataTransformerConfig(id_val="sortBy", options=order))


def _table(text: Text, width: int, height: int, columns: Sequence[Column]) -> table.Panel:
    panel = quiet_gaps(described(table.Panel(), text, MONEY, width, height))
    for column in columns:
        if column.title:
            unit = {"unit": column.unit} if isinstance(column, Value) else {}
            panel.override_by_name(
                column.title, properties({**_least_width(column.title), **unit, **column.settings})
            )
    return panel.show_header(show_header=True)


def _organized(columns: Sequence[Column]) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val="organize", options=_arrangement(columns))


def _query(column: Value) -> prom.Dataquery:
    query = asked(column.ref, column.expr).instant().format(PromQueryFormat.TABLE)
    return query.interval(column.step) if column.step else query


def _arrangement(columns: Sequence[Column]) -> dict[str, object]:
    fields = {_field_of(column, several=_several(columns)): column.title for column in columns}
    shown = {name: title for name, title in fields.items() if title}
    hidden = [*({"Time"} - set(fields)), *(name for name, title in fields.items() if not title)]
    return {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(shown)},
        "renameByName": shown,
    }


def _several(columns: Sequence[Column]) -> bool:
    return sum(isinstance(column, Value) for column in columns) > 1


def _field_of(column: Column, *, several: bool) -> str:
    """Name the field that Grafana makes of a column: values of several queries carry the query's name."""
    if isinstance(column, Label):
        return column.label
    return f"Value #{column.ref}" if several else "Value"
