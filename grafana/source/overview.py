"""The Overview: which wallets need money, worst first, and how all of them got there."""

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import panels, queries, tables
from grafana.source.frame import OVERVIEW, RechargeMarks, dashboard, finish
from grafana.source.panels import Text
from grafana.source.queries import CRITICAL, INFO, UNGUARDED, WARNING, Level
from grafana.source.tables import Value

_WORST = 15
_DRAWN = 10
_ACCOUNT_WIDTH = 4


def overview() -> model.Dashboard:
    """Build the dashboard."""
    result = dashboard(
        OVERVIEW, "Every prepaid wallet: what is left, how long it lasts, what it costs a day."
    )
    result.time("now-24h", "now").annotation(RechargeMarks())
    for panel in (_accounts(), *map(_under, (CRITICAL, WARNING, INFO, UNGUARDED)), _failing()):
        result.with_panel(panel)
    result.with_panel(_runway()).with_panel(_share()).with_panel(_failures()).with_panel(_wallets())
    result.with_row(build.Row("$currency").repeat("currency"))
    return finish(result.with_panel(_balances()).with_panel(_spend()).with_panel(_breakdown()))


def _accounts() -> stat.Panel:
    text = Text(
        "Accounts",
        "Accounts that the exporters are configured to ask, answering or not.",
        "No exporter scraped",
    )
    up = queries.by_account(queries.of_account("prepaid_account_up"))
    return panels.number(text, "none", _ACCOUNT_WIDTH, [panels.instant("A", f"count({up})")])


def _under(level: Level) -> stat.Panel:
    if level is UNGUARDED:
        text = Text(
            "Without a threshold",
            "Accounts none of whose wallets has a threshold: nobody is told when they run low.",
            "No balance read yet",
        )
    else:
        text = Text(
            f"Under {level.name}",
            f"Accounts whose worst wallet is under its {level.name} threshold and under no graver one. "
            "The thresholds are those in force for each wallet.",
            "No balance read yet",
        )
    worst = queries.by_account(queries.state())
    return panels.count(text, level.colour, _ACCOUNT_WIDTH, f"sum({worst} == bool {level.number})")


def _failing() -> stat.Panel:
    text = Text(
        "Failing",
        "Accounts whose provider gave no usable answer to the last scrape. Their last known balance stays in "
        "the table below, with its age.",
        "No exporter scraped",
    )
    up = queries.by_account(queries.of_account("prepaid_account_up"))
    return panels.count(text, CRITICAL.colour, _ACCOUNT_WIDTH, f"sum(1 - {up})")


def _runway() -> bargauge.Panel:
    text = Text(
        "Runway: first to be empty",
        f"How long each balance lasts at its recent spend, the {_WORST} shortest of each level. "
        "The colour is the level of the wallet's own threshold that it is under.",
        "No wallet was seen spending yet: a runway needs a balance that went down.",
    )
    runway = queries.recorded("prepaid_runway_seconds:zero")
    return panels.bars(text, "s", 9, 10, panels.per_level(runway, limit=_WORST))


def _share() -> bargauge.Panel:
    text = Text(
        "Share of threshold: nearest to it",
        f"Each balance as a share of its gravest threshold (critical, else warning, else info), the {_WORST} "
        "lowest of each level. Under 100 % the threshold is crossed.",
        "No wallet has a threshold: set `thresholds` in the exporter's configuration.",
    )
    # Without a threshold there is no share, so that level has no query here.
    guarded = panels.per_level(queries.share(), limit=_WORST)[:-1]
    return panels.bars(text, "percentunit", 9, 10, guarded)


def _failures() -> table.Panel:
    text = Text(
        "Failing accounts",
        "Why the last collection of each failing account gave nothing.",
        "Every account answered the last scrape.",
    )
    failure = queries.by_account(queries.of_account("prepaid_account_failure"), "reason")
    columns: list[tables.Column] = [
        *tables.ACCOUNT_LABELS,
        tables.Label("Reason", "reason"),
        Value("", "failure", failure),
    ]
    return tables.rows(text, 6, 10, columns, "Account")


def _wallets() -> table.Panel:
    text = Text(
        "All wallets",
        "The last known balance of every wallet in its currency, its thresholds, share and runway, "
        "and how old the reading is. Click an account for its history; filter and sort in the column heads.",
        "No balance was read yet.",
    )
    age = {"color": {"mode": "fixed", "fixedColor": "text"}}
    auto = {"mappings": [m.to_json() for m in panels.values({1: ("On", "green"), 0: ("Off", "text")})]}
    # Two exporters may be configured with two pages: one is enough.
    pages = queries.by_account(queries.of_account("prepaid_account_info"), "topup_url")
    info = f"topk by ({queries.ACCOUNT}) (1, {pages})"
    enabled = queries.by_wallet(queries.recorded("prepaid_auto_recharge_enabled:last"))
    columns: list[tables.Column] = [
        *tables.WALLET_LABELS,
        Value("Level", "level", queries.by_wallet(queries.state()), settings=tables.LEVEL_CELL),
        Value("Balance", "balance", queries.by_wallet(queries.balance()), panels.MONEY),
        *(
            Value(level.title, level.name, queries.by_wallet(queries.threshold(level)), panels.MONEY)
            for level in queries.THRESHOLD_LEVELS
        ),
        Value("Share", "share", queries.by_wallet(queries.share()), "percentunit"),
        Value("Runway", "runway", queries.by_wallet(queries.recorded("prepaid_runway_seconds:zero")), "s"),
        Value(
            "Spend, 1 d", "spend", queries.by_wallet(queries.recorded("prepaid_spend:sum1d")), panels.MONEY
        ),
        Value("Auto-recharge", "auto", enabled, settings=auto),
        Value("Reading age", "age", queries.on_wallets(queries.reading_age()), "s", age),
        tables.Label("Top up", "topup_url", tables.TOP_UP_CELL),
        Value("", "topup", queries.on_wallets(info, "topup_url")),
    ]
    return tables.rows(text, panels.FULL, 12, columns, "-Level")


def _balances() -> timeseries.Panel:
    text = Text(
        "Balances and thresholds in $currency",
        f"The {_DRAWN} wallets that end nearest to their threshold. Dashed lines are their thresholds: red "
        "critical, orange warning, blue info.",
        "No balance in this currency in this range.",
    )
    drawn = queries.lowest(_DRAWN)
    balance = queries.by_wallet(queries.of_wallet("prepaid_balance"))
    targets = [panels.ranged("balance", f"{balance}\nand ignoring (level) {drawn}", panels.WALLET_LEGEND)]
    targets += [
        panels.ranged(
            level.name,
            f"{queries.threshold(level)}\nand ignoring (level) {drawn}",
            f"{panels.WALLET_LEGEND} {level.name}",
        )
        for level in queries.THRESHOLD_LEVELS
    ]
    return panels.with_thresholds(
        panels.lines(text, panels.MONEY, panels.HALF, 11, targets), in_tooltip=False
    )


def _spend() -> timeseries.Panel:
    text = Text(
        "Spend per day in $currency",
        "What was spent in each of the last 30 days (a bar is the 24 hours before its time), recharges left out: "
        f"the {_DRAWN} wallets that spent most in the last day, and all others together.",
        "No full day was recorded yet: the first bar comes at midnight.",
    )
    spend = queries.recorded("prepaid_spend:sum1d")
    latest = f"{spend} @ end()"
    most = f"topk({_DRAWN}, {latest})"
    targets = [
        panels.ranged("most", f"{spend}\nand {most}", panels.WALLET_LEGEND),
        panels.ranged("others", f"sum({spend}\nunless {most})", "all others"),
    ]
    panel = panels.lines(text, panels.MONEY, 6, 11, targets)
    return panels.per_interval(panel, "1d").time_from("30d")


def _breakdown() -> timeseries.Panel:
    text = Text(
        "Credit breakdown in $currency",
        "The named parts of the balances (free, purchased, granted, ...), summed per provider.",
        "No provider names the parts of a balance in this currency.",
    )
    parts = queries.by_wallet(queries.of_wallet("prepaid_credit_breakdown"), "kind")
    target = panels.ranged("parts", f"sum by (provider, kind) ({parts})", "{{provider}} · {{kind}}")
    return panels.stacked(panels.lines(text, panels.MONEY, 6, 11, [target]))
