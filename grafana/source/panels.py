"""The house style of each kind of panel. Owns looks and units; never a query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as prom
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.frame import DATASOURCE
from grafana.source.queries import LEVELS, THRESHOLD_LEVELS, in_level, named_in_account

FULL = 24
HALF = 12
_TILES = 12
MONEY = "locale"  # digits as they are: the currency stands in the legend, because a unit cannot be a variable
DATE = "dateTimeAsIso"
MINUTE = "time:YYYY-MM-DD HH:mm"  # a date as people read it: nothing ends in a certain second


Mapped = model.ValueMap | model.RangeMap | model.RegexMap | model.SpecialValueMap

# The library's panel builders share their methods, but no base class that has them.
PanelT = TypeVar("PanelT", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


@dataclass(frozen=True)
class Text:
    """What a panel says in words: its title, what it shows, and why it may be empty (numbers have little room)."""

    title: str
    description: str
    empty: str


def asked(ref: str, expr: str) -> prom.Dataquery:
    """Start a query of the chosen data source."""
    return prom.Dataquery().ref_id(ref).expr(expr).datasource(DATASOURCE)


def instant(ref: str, expr: str, legend: str = "") -> prom.Dataquery:
    """Ask for the value at the end of the range."""
    return asked(ref, expr).legend_format(legend or "__auto").instant()


def ranged(ref: str, expr: str, legend: str) -> prom.Dataquery:
    """Ask for the values over the range."""
    return asked(ref, expr).legend_format(legend).range()


def number(text: Text, unit: str, width: int, targets: Iterable[prom.Dataquery]) -> stat.Panel:
    """Show one or a few large numbers."""
    panel = described(stat.Panel(), text, unit, width, 4).targets(list(targets))
    return panel.graph_mode(look.BigValueGraphMode.NONE).reduce_options(_last()).color_scheme(_fixed("text"))


def tile(text: Text, unit: str, width: int, targets: Iterable[prom.Dataquery]) -> stat.Panel:
    """Show a number with its name, low enough that a phone shows several."""
    sizes = common.VizTextDisplayOptions().title_size(22).value_size(28)
    return number(text, unit, width, targets).height(3).text(sizes)


def in_minutes(panel: stat.Panel) -> stat.Panel:
    """Show a date without its seconds."""
    return panel.override_by_regexp(".*", properties({"unit": MINUTE}))


def count(text: Text, colour: str, width: int, expr: str, step: str = "") -> stat.Panel:
    """Show a number of things that should not be, coloured as soon as there is one; `step` as in a table's value."""
    steps = [model.Threshold(value=None, color="green"), model.Threshold(value=1, color=colour)]
    scheme = build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)
    query = instant("A", expr)
    panel = tile(text, "none", width, [query.interval(step) if step else query]).color_scheme(scheme)
    return panel.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))


def wallet_numbers(text: Text, unit: str, width: int, expr: str) -> stat.Panel:
    """Show a large number per wallet, in the colour of the wallet's level."""
    targets = [
        instant(level.name, named_in_account(f"sort(bottomk({_TILES}, {in_level(expr, level)}))"), "{{who}}")
        for level in LEVELS
    ]
    panel = number(text, unit, width, targets)
    return _in_level_colours(panel.text_mode(look.BigValueTextMode.VALUE_AND_NAME))


def lines(
    text: Text, unit: str, width: int, height: int, targets: Iterable[prom.Dataquery]
) -> timeseries.Panel:
    """Show lines over time with a legend that wraps."""
    panel = quiet_gaps(described(timeseries.Panel(), text, unit, width, height)).targets(list(targets))
    panel.draw_style(look.GraphDrawStyle.LINE).line_width(1).fill_opacity(0).axis_soft_min(0)
    panel.show_points(look.VisibilityMode.AUTO).span_nulls(span_nulls=False)
    legend = common.VizLegendOptions().display_mode(look.LegendDisplayMode.LIST)
    panel.legend(legend.placement(look.LegendPlacement.BOTTOM).show_legend(show_legend=True))
    return panel.tooltip(
        common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.ASCENDING)
    )


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Stack the lines of a panel as areas."""
    return panel.fill_opacity(40).stacking(common.StackingConfig().mode(look.StackingMode.NORMAL).group("A"))


def owing(panel: timeseries.Panel) -> timeseries.Panel:
    """Keep zero on the axis of what may be below it."""
    return panel.axis_soft_max(0)


def with_zero(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw a line at zero."""
    steps = [model.Threshold(value=None, color="transparent"), model.Threshold(value=0, color="red")]
    panel.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    style = common.GraphThresholdsStyleConfig().mode(look.GraphTresholdsStyleMode.LINE)
    return owing(panel).thresholds_style(style)


def with_recharges(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw the series of the query named recharges as bars of no wallet's colour, without a legend."""
    settings = {
        "color": {"mode": "fixed", "fixedColor": "text"},
        "custom.drawStyle": "bars",
        "custom.fillOpacity": 100,
        "custom.lineWidth": 0,
        "custom.barMaxWidth": 4,
        "custom.hideFrom": {"legend": True, "tooltip": False, "viz": False},
    }
    return panel.override_by_query("recharges", properties(settings))


def per_interval(panel: timeseries.Panel, interval: str, *, after: bool = False) -> timeseries.Panel:
    """Draw a panel as stacked bars, one for each interval, which ends (or begins) at the bar's time."""
    panel.interval(interval).draw_style(look.GraphDrawStyle.BARS).show_points(look.VisibilityMode.NEVER)
    side = look.BarAlignment.AFTER if after else look.BarAlignment.BEFORE
    return stacked(panel).fill_opacity(80).bar_alignment(side)


def marked(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw what comes and goes as stacked bars: a line would join what has nothing between."""
    panel.draw_style(look.GraphDrawStyle.BARS).show_points(look.VisibilityMode.NEVER).line_width(0)
    return stacked(panel).fill_opacity(80)


def reddish(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw what should not be in shades of red: the first colour of Grafana's palette is green."""
    return panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.SHADES).fixed_color("red"))


def with_thresholds(panel: timeseries.Panel, *, in_tooltip: bool) -> timeseries.Panel:
    """Draw the series of the queries named after a level as dashed lines in its colour, without a legend."""
    for level in THRESHOLD_LEVELS:
        panel.override_by_query(
            level.name,
            properties(
                {
                    "color": {"mode": "fixed", "fixedColor": level.colour},
                    "custom.lineStyle": {"fill": "dash", "dash": [6, 6]},
                    "custom.hideFrom": {"legend": True, "tooltip": not in_tooltip, "viz": False},
                }
            ),
        )
    return panel


def timeline(text: Text, height: int, targets: Iterable[prom.Dataquery]) -> statetimeline.Panel:
    """Show coloured stretches of time in which something held."""
    panel = quiet_gaps(described(statetimeline.Panel(), text, "none", HALF, height)).targets(list(targets))
    return panel.show_value(look.VisibilityMode.NEVER).merge_values(merge_values=True).row_height(0.8)


def values(named: Mapping[int, tuple[str, str]]) -> list[Mapped]:
    """Show numbers as coloured words."""
    results = {
        str(value): model.ValueMappingResult(text=word, color=colour, index=index)
        for index, (value, (word, colour)) in enumerate(named.items())
    }
    return [model.ValueMap(options=results)]


def properties(settings: Mapping[str, Any]) -> list[model.DynamicConfigValue]:
    """Spell the settings of a field override."""
    return [model.DynamicConfigValue(id_val=name, value=value) for name, value in settings.items()]


def quiet_gaps(panel: PanelT) -> PanelT:
    """Keep the words on an empty panel out of its missing values, where Grafana would repeat them."""
    return panel.override_by_regexp(".*", properties({"noValue": None}))


def described(panel: PanelT, text: Text, unit: str, width: int, height: int) -> PanelT:
    """Set the words, unit, size and data source of any panel."""
    panel.title(text.title).description(text.description).no_value(text.empty).unit(unit)
    return panel.span(width).height(height).datasource(DATASOURCE)


def _in_level_colours(panel: PanelT) -> PanelT:
    for level in LEVELS:
        colour = {"color": {"mode": "fixed", "fixedColor": level.colour}}
        panel.override_by_query(level.name, properties(colour))
    return panel


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)


def _fixed(colour: str) -> build.FieldColor:
    return build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(colour)
