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
    """A column that shows the value of its own query; without a title, the query is there for its labels."""

    title: str
    ref: str
    expr: str
    unit: str = "none"
    settings: Mapping[str, Any] = field(default_factory=dict)


Column = Label | Value

ACCOUNT_LABELS = (
    Label("", "job"),
    Label(
        "Account", "account", {"links": [account_link("${__value.raw:percentencode}", "Open the account")]}
    ),
    Label("Provider", "provider"),
)
WALLET_LABELS = (*ACCOUNT_LABELS, Label("Wallet", "wallet"), Label("Currency", "currency"))

LEVEL_CELL = {
    "mappings": [
        mapping.to_json() for mapping in values({lv.number: (lv.title, lv.colour) for lv in LEVELS})
    ],
    "color": {"mode": "fixed", "fixedColor": "text"},
    "custom.cellOptions": {"type": "color-text"},
}
TOP_UP_CELL = {
    "mappings": [{"type": "regex", "options": {"pattern": ".+", "result": {"text": "Top up"}}}],
    "links": [{"title": "Open the provider's top-up page", "url": "${__value.raw}", "targetBlank": True}],
}


def rows(text: Text, width: int, height: int, columns: Sequence[Column], worst: str) -> table.Panel:
    """Join the queries of the columns into rows, sorted by the column `worst` (downwards after a minus)."""
    panel = quiet_gaps(described(table.Panel(), text, MONEY, width, height))
    panel.targets([_query(column) for column in columns if isinstance(column, Value)])
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=_arrangement(columns)))
    panel.override_by_regexp(".*", properties({"custom.filterable": True}))
    for column in columns:
        if column.title:
            unit = {"unit": column.unit} if isinstance(column, Value) else {}
            panel.override_by_name(column.title, properties({**unit, **column.settings}))
    order = common.TableSortByFieldState().display_name(worst.removeprefix("-")).desc(worst.startswith("-"))
    return panel.sort_by([order]).show_header(show_header=True)


def _query(column: Value) -> prom.Dataquery:
    return asked(column.ref, column.expr).instant().format(PromQueryFormat.TABLE)


def _arrangement(columns: Sequence[Column]) -> dict[str, object]:
    several = sum(isinstance(column, Value) for column in columns) > 1
    fields = {_field_of(column, several=several): column.title for column in columns}
    shown = {name: title for name, title in fields.items() if title}
    hidden = ["Time", *(name for name, title in fields.items() if not title)]
    return {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(shown)},
        "renameByName": shown,
    }


def _field_of(column: Column, *, several: bool) -> str:
    """Name the field that Grafana makes of a column: values of several queries carry the query's name."""
    if isinstance(column, Label):
        return column.label
    return f"Value #{column.ref}" if several else "Value"
