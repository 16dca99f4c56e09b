"""What it costs: sums per currency, balances with their recharges, spend a day, and a log of recharges."""

from grafana_foundation_sdk.builders import table, timeseries

from grafana.source import panels, queries, tables
from grafana.source.panels import HALF, MONEY, Text
from grafana.source.queries import ACCOUNT
from grafana.source.tables import Label, Value

WHO = "{{who}}"
SHOWN = 'currency=~"$shown"'
_DRAWN = 8
_LOGGED = 20


def per_currency(width: int, height: int) -> table.Panel:
    """Show what each currency cost, got and has."""
    text = Text(
        "Money",
        "All wallets of a currency together: spend (recharges left out), recharges, and what is held now, debts not "
        "taken off. Months are those of UTC; the change is that of the last 7 days against the 7 before.",
        "No spend is recorded yet: it takes the recording rules, and half an hour of readings.",
    )
    week = _sum(queries.recorded("prepaid_spend:sum7d"))
    before = _sum(queries.recorded("prepaid_spend:sum7d") + " offset 7d")
    two_weeks = _sum(f"last_over_time({queries.recorded('prepaid_balance:last')}[1d] offset 14d)")
    columns: list[tables.Column] = [
        Label("Currency", "currency", {"custom.minWidth": 110}),
        Value("Spent, 24 h", "day", _sum(queries.recorded("prepaid_spend:sum1d")), MONEY),
        Value("Spent, 7 d", "week", week, MONEY),
        Value("Spent this month", "month", _this_month("prepaid_spend:every30m"), MONEY),
        Value(
            "Against the week before",
            "change",
            f"{week} / ({before} > 0) - 1 and on (currency) {two_weeks}",
            "percentunit",
            _SIGNED,
        ),
        Value("Recharged this month", "recharged", _this_month("prepaid_recharge:every30m"), MONEY),
        Value("Held", "held", _sum(f"clamp_min({queries.by_wallet(queries.balance())}, 0)"), MONEY),
    ]
    return tables.rows(text, width, height, columns, "Currency")


def balances(height: int) -> timeseries.Panel:
    """Draw the balances of the wallets that need a person first, with their recharges as bars."""
    text = Text(
        "Balances in $shown",
        f"The {_DRAWN} wallets that need money first. Grey bars are recharges, as high as their amounts. "
        "The line at zero is where a wallet without a credit limit ends.",
        "No balance in this currency in this range.",
    )
    chosen = queries.drawn(_DRAWN, SHOWN)
    balance = queries.by_wallet(queries.balance_as_read(SHOWN))
    added = queries.recharges(SHOWN)
    targets = [
        panels.ranged("balance", queries.named(f"{balance} and on ({queries.WALLET}) {chosen}"), WHO),
        panels.ranged(
            "recharges", queries.named(f"{added} and on ({queries.WALLET}) {chosen}"), f"{WHO}: recharge"
        ),
    ]
    return panels.with_recharges(panels.with_zero(panels.lines(text, MONEY, HALF, height, targets)))


def spend_a_day(height: int, currency: str, *matchers: str) -> timeseries.Panel:
    """Draw what each day cost in a currency, stacked by account."""
    text = Text(
        f"Spend a day in {currency}",
        "What each of the last 30 days cost (days of UTC, today so far), recharges left out: the "
        f"{_DRAWN} accounts that spent most in that time, and all others together.",
        "No spend is recorded yet: it takes the recording rules, and half an hour of readings.",
    )
    halves = queries.of_half_hours("prepaid_spend:every30m", *matchers)
    day = f"sum by ({ACCOUNT}) (sum_over_time({halves}[1d:30m] offset -1d1ms))"
    # The last step of a graph of days is the midnight before: what counts is what came after.
    spent = (
        f"last_over_time({queries.recorded('prepaid_spend:sum30d', *matchers)}[1d]{queries.END} offset -1d)"
    )
    most = f"topk({_DRAWN}, sum by ({ACCOUNT}) ({spent}))"
    targets = [
        panels.ranged("most", queries.named(f"({day} and on ({ACCOUNT}) {most})"), WHO),
        panels.ranged("others", f"sum({day} unless on ({ACCOUNT}) {most})", "all others"),
    ]
    return panels.per_interval(panels.lines(text, MONEY, HALF, height, targets), "1d", after=True).time_from(
        "30d"
    )


def log_of_recharges(width: int, height: int) -> table.Panel:
    """List what was added to which wallet, the latest first."""
    text = Text(
        "Recharges",
        f"The last {_LOGGED} times in 7 days that a balance went up, and by how much. Where nothing else is known, "
        "spend in the same five minutes is taken off.",
        "No balance went up in the last 7 days.",
    )
    columns: list[tables.Column] = [
        Label("When", "Time", {"unit": panels.MINUTE, "custom.width": 134}),
        Value(
            "Amount",
            "recharges",
            queries.named_with_currency(queries.recharges()),
            MONEY,
            {"custom.width": 90},
        ),
        Label("Wallet", "who", {"links": [tables.ACCOUNT_LINK]}),
        *tables.behind("cluster", "namespace", "job", "provider", "account", "wallet", "currency"),
    ]
    return tables.history(text, width, height, columns, _LOGGED).time_from("7d")


_SIGNED = {
    "mappings": [
        {"type": "range", "options": {"from": 0.5, "to": None, "result": {"color": "orange"}}},
    ],
    **tables.COLOURED,
    "decimals": 0,
}


def _sum(expression: str) -> str:
    return f"sum by (currency) ({expression})"


def _this_month(record: str) -> str:
    """Add up what a rule recorded of each half hour since this month began."""
    halves = _sum(queries.of_half_hours(record))
    now = f"month(max_over_time(vector(time())[1m:1m]{queries.END}))"
    return f"sum_over_time(({halves} and on () (month(vector(time() - 1)) == {now}))[31d:30m])"
