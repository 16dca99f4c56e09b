"""The Overview: who is empty next and when, how much to buy, what is broken, what it cost."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import broken, dates, money, panels, queries, tables
from grafana.source.frame import OVERVIEW, dashboard, finish
from grafana.source.panels import FULL, HALF, MONEY, Text
from grafana.source.queries import CRITICAL, WALLET
from grafana.source.tables import Label, Value

_ACT = 15
_DAYS_TO_BUY = 14
_DRAWN = 5  # more, each with its thresholds, is a thicket
_AUTO = {"mappings": tables.words({1: ("On", "green"), 0: ("Off", "text")}), "custom.width": 108}


def overview() -> model.Dashboard:
    """Build the dashboard."""
    result = dashboard(
        OVERVIEW, "Every prepaid wallet: which is empty next, what to buy, what is broken, what it costs."
    )
    result.time("now-7d", "now")
    for tile in _tiles():
        result.with_panel(tile)
    result.with_panel(_act(FULL, 17)).with_panel(broken.panel(FULL, 9))
    result.with_panel(money.per_currency(FULL, 8))
    result.with_panel(money.balances(11)).with_panel(money.spend_a_day(11, "$shown", money.SHOWN))
    result.with_panel(dates.calendar(HALF, 11)).with_panel(money.log_of_recharges(HALF, 11))
    result.with_row(build.Row("All wallets").with_panel(_wallets()))
    each = build.Row("$currency").repeat("currency")
    each.with_panel(_balances()).with_panel(money.spend_a_day(11, "$currency"))
    return finish(result.with_row(each))


def _tiles() -> Iterator[stat.Panel]:
    following = Text(
        "Next empty",
        "The wallet that is empty next at its pace, and when. Not counted are those that are empty already, that are "
        "paid afterwards, or that their provider recharges.",
        "No end known",
    )
    date = f"1000 * (time() + bottomk(1, {queries.ends()} > 0))"
    tile = panels.tile(following, panels.DATE, 9, [panels.instant("A", queries.named(date), money.WHO)])
    # A long name takes two lines, beside which the date must be seen on a phone too.
    small = common.VizTextDisplayOptions().title_size(14).value_size(24)
    yield panels.in_minutes(tile.text_mode(look.BigValueTextMode.VALUE_AND_NAME).text(small))
    now = Text(
        "To top up now",
        "Wallets that are empty, under their critical threshold, or about to be: those that page. So does an account "
        "whose provider answers nothing but that nothing is left.",
        "No balance read yet",
    )
    urgent = f"sum(({queries.state()}) >= bool {CRITICAL.number})"
    yield panels.count(now, CRITICAL.colour, 5, urgent)
    yield broken.tile(5)
    oldest = Text("Oldest reading", "Age of the oldest reading among all accounts.", "Nothing read yet")
    yield panels.tile(oldest, "s", 5, [panels.instant("A", f"max({queries.reading_age()})")])


def _act(width: int, height: int) -> table.Panel:
    text = Text(
        "Act",
        f"The {_ACT} wallets that need a person first, by the date at which they are empty; empty ones stand first. "
        f"To buy is what is missing for {_DAYS_TO_BUY} days. The level is what the alerts go by: thresholds, and how "
        "long the money lasts. A wallet that its provider recharges comes here when that does not help. Click a wallet "
        "for its account.",
        "No wallet runs dry at its present pace. In a first hour of readings, and without the recording rules, no pace "
        "is known.",
    )

    def first(expression: str) -> str:
        return queries.first_due(expression, _ACT)

    page = queries.on_wallets(queries.top_up_page(), "page")
    columns: list[tables.Column] = [
        Value("", "wallets", queries.named_with_currency(first(queries.wallets()))),
        Value("", "due", first(queries.due())),
        Label("Wallet", "who", {"links": [tables.ACCOUNT_LINK], "custom.minWidth": 126}),
        Value("Left", "left", first(queries.by_wallet(queries.balance())), MONEY, {"custom.width": 82}),
        Value("Empty at", "empty", first(queries.empty_at()), panels.MINUTE, _EMPTY_AT),
        Value("Level", "level", first(queries.state()), settings=tables.LEVEL_CELL | {"custom.width": 106}),
        Value(
            f"Buy for {_DAYS_TO_BUY} days",
            "buy",
            first(queries.to_buy(_DAYS_TO_BUY)),
            MONEY,
            {"custom.width": 118},
        ),
        Value(
            "Auto-recharge",
            "auto",
            first(queries.by_wallet(queries.recorded("prepaid_auto_recharge_enabled:last"))),
            settings=_AUTO,
        ),
        Label(
            "Top up",
            "page",
            tables.page_cell("Top up", "Open the provider's top-up page") | {"custom.width": 72},
        ),
        Value("", "page", first(page)),
        Label("Provider", "provider", _wide(130)),
        Value("Read", "age", first(queries.read_at()), "dateTimeFromNow", _wide(140)),
        *tables.behind("cluster", "namespace", "job", "account", "wallet", "currency"),
    ]
    return tables.rows(text, width, height, columns, "due")


_EMPTY_AT = {
    "mappings": tables.words({0: ("Empty", "red")}),
    **tables.COLOURED,
    "custom.width": 134,
}


def _wallets() -> table.Panel:
    text = Text(
        "All wallets",
        "The last known balance of every wallet in its currency, its thresholds, its share of the gravest, its runway, "
        "whether the provider recharges it, and how old the reading is. "
        "Click an account for its history; filter and sort in the column heads.",
        "No balance was read yet.",
    )
    age = {"color": {"mode": "fixed", "fixedColor": "text"}, "custom.width": 86}
    enabled = queries.by_wallet(queries.recorded("prepaid_auto_recharge_enabled:last"))
    spent = queries.by_wallet(queries.recorded("prepaid_spend:sum1d"))
    columns: list[tables.Column] = [
        *tables.WALLET_LABELS,
        Value("Level", "level", queries.by_wallet(queries.state()), settings=tables.LEVEL_CELL | _wide(104)),
        Value("Balance", "balance", queries.by_wallet(queries.balance()), MONEY, _wide(96)),
        *(
            Value(level.title, level.name, queries.by_wallet(queries.threshold(level)), MONEY, _wide(92))
            for level in (CRITICAL, queries.WARNING)
        ),
        Value("Share", "share", queries.by_wallet(queries.share()), "percentunit", _wide(76)),
        Value("Runway", "runway", f"max by ({WALLET}) ({queries.runway()})", "s", _wide(90)),
        Value("Spend, 1 d", "spend", spent, MONEY, _wide(106)),
        Value("Recharge", "auto", enabled, settings=_AUTO | _wide(94)),
        Value("Age", "age", queries.on_wallets(queries.reading_age()), "s", age),
        Label("Top up", "page", tables.page_cell("Top up", "Open the provider's top-up page") | _wide(84)),
        Value("", "page", queries.on_wallets(queries.top_up_page(), "page")),
    ]
    panel = tables.rows(text, FULL, 16, columns, "-Level")
    return panel.override_by_regexp(".*", panels.properties({"custom.filterable": True}))


def _wide(pixels: int) -> dict[str, object]:
    return {"custom.width": pixels}


def _balances() -> timeseries.Panel:
    text = Text(
        "Balances and thresholds in $currency",
        f"The {_DRAWN} wallets that need money first. Dashed lines are their thresholds: red "
        "critical, orange warning, blue info.",
        "No balance in this currency in this range.",
    )
    chosen = queries.drawn(_DRAWN)
    balance = queries.by_wallet(queries.balance_as_read())
    targets = [panels.ranged("balance", queries.named(f"{balance} and on ({WALLET}) {chosen}"), money.WHO)]
    targets += [
        panels.ranged(
            level.name,
            queries.named(f"{queries.threshold(level)} and on ({WALLET}) {chosen}"),
            f"{money.WHO} {level.name}",
        )
        for level in queries.THRESHOLD_LEVELS
    ]
    panel = panels.with_zero(panels.lines(text, MONEY, HALF, 11, targets))
    return panels.with_thresholds(panel, in_tooltip=False)
