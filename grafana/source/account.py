"""The Account dashboard: one account in depth, from what is left to why it could not be read."""

from collections.abc import Iterator, Mapping

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as prom
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import panels, queries, readings, tables
from grafana.source.frame import ACCOUNT, dashboard, finish
from grafana.source.panels import HALF, MONEY, Text
from grafana.source.tables import Value

_WALLET_LEGEND = "{{who}}"
_LABELS = (
    *tables.PLACE_LABELS,
    tables.Label("", "account"),
    tables.Label("", "provider"),
    tables.Label("Wallet", "wallet"),
    tables.Label("Currency", "currency"),
)
_MOMENT = "dateTimeFromNow"


def account() -> model.Dashboard:
    """Build the dashboard."""
    result = dashboard(ACCOUNT, "One prepaid account: its wallets, spend, runway, parts and failures.")
    result.time("now-7d", "now")
    for panel in _now():
        result.with_panel(panel)
    # Amounts of several currencies have no common axis.
    result.with_row(build.Row("$currency").repeat("currency"))
    result.with_panel(_balances()).with_panel(_spend_by_hour()).with_panel(_runway())
    result.with_row(build.Row("What the balance is made of"))
    result.with_panel(_breakdown()).with_panel(_deductions()).with_panel(_beside()).with_panel(_recharge())
    result.with_row(build.Row("How the readings went"))
    for reading in readings.panels_of_readings():
        result.with_panel(reading)
    return finish(result)


def _ranged(ref: str, expr: str, word: str = "") -> prom.Dataquery:
    """Ask for the values of wallets over the range, named by wallet and currency, and a word."""
    return panels.ranged(ref, queries.named_in_account(expr), f"{_WALLET_LEGEND} {word}".strip())


def _now() -> Iterator[stat.Panel]:
    balance = Text(
        "Balance",
        "What each wallet can spend, as last read, in the colour of its level: what its alerts go by; purple where the "
        "account cannot be read now.",
        "No balance read yet",
    )
    yield panels.wallet_numbers(balance, MONEY, 7, queries.balance())
    runway = Text(
        "Runway",
        "How long each balance lasts at its pace, its credit limit included. There is none without spend, in the "
        "first hour of readings, after long without any, and for wallets that are paid afterwards.",
        "No runway known",
    )
    lasts = queries.runway()
    yield panels.wallet_numbers(runway, "s", 6, lasts)
    spend = Text(
        "Spend, 1 d",
        "What each wallet spent in the last 24 hours, recharges left out.",
        "No spend recorded",
    )
    spent = queries.recorded("prepaid_spend:sum1d")
    yield panels.number(
        spend, MONEY, 5, [panels.instant("A", queries.named_in_account(spent), _WALLET_LEGEND)]
    )
    answering = Text(
        "Answering",
        "Whether the provider gave usable wallets at the last scrape.",
        "Not scraped",
    )
    up = queries.by_account(queries.of_account("prepaid_account_up"))
    panel = panels.number(answering, "none", 3, [panels.instant("A", queries.named(up), _WALLET_LEGEND)])
    yield panel.mappings(panels.values({1: ("Yes", "green"), 0: ("No", "red")}))
    age = Text(
        "Reading age",
        "How long ago the shown balance was read.",
        "Never read",
    )
    read = queries.named(f"({queries.reading_age()})")
    yield panels.number(age, "s", 3, [panels.instant("A", read, _WALLET_LEGEND)])


def _balances() -> timeseries.Panel:
    text = Text(
        "Balance and thresholds",
        "Each wallet's balance, with its thresholds dashed: red critical, orange warning, blue info. "
        "Grey bars are recharges, as high as their amounts. A gap is a time without a reading. Where the provider "
        "gives a booked balance only, it is that; of a plan it is what is left of it.",
        "No balance was read in this range.",
    )
    balance = queries.by_wallet(queries.balance_as_read())
    targets = [_ranged("balance", balance), _ranged("recharges", queries.recharges(), "recharge")]
    targets += [
        _ranged(level.name, queries.threshold(level), level.name) for level in queries.THRESHOLD_LEVELS
    ]
    panel = panels.with_zero(panels.lines(text, MONEY, panels.FULL, 10, targets))
    return panels.with_thresholds(panels.with_recharges(panel), in_tooltip=True)


def _spend_by_hour() -> timeseries.Panel:
    text = Text(
        "Spend by hour",
        "What each wallet spent in each hour (in each bar's time, over long ranges), recharges left out; a bar is the "
        "time before its moment.",
        "No full hour was recorded in this range.",
    )
    panel = panels.lines(text, MONEY, HALF, 9, [_ranged("spend", queries.spend_per_interval())])
    return panels.per_interval(panel, "1h")


def _runway() -> timeseries.Panel:
    text = Text(
        "Runway over time",
        "How long each balance would have lasted at the spend of the time; dashed, to each threshold. "
        "The limits are how long the money must last.",
        "No runway in this range: nothing was spent, or it is paid afterwards.",
    )
    targets = [_ranged("end", f"max by ({queries.WALLET}) ({queries.runway()})", "to its end")]
    for level in queries.THRESHOLD_LEVELS:
        to_threshold = queries.recorded("prepaid_runway_seconds:threshold", f'level="{level.name}"')
        targets.append(_ranged(level.name, to_threshold, f"to {level.name}"))
    limits = queries.by_account(queries.of_account("prepaid_account_runway_threshold_seconds"), "level")
    limits = f"{limits}\nand on ({queries.ACCOUNT}) ({queries.runway()})"
    targets.append(panels.ranged("limits", queries.placed(f"({limits})"), "{{who}} {{level}} limit"))
    panel = panels.with_thresholds(panels.lines(text, "s", HALF, 9, targets), in_tooltip=True)
    for level in (queries.CRITICAL, queries.WARNING):
        colour = {"color": {"mode": "fixed", "fixedColor": level.colour}}
        panel.override_by_regexp(f".*{level.name} limit", panels.properties(colour))
    return panel


def _breakdown() -> timeseries.Panel:
    text = Text(
        "Credit breakdown",
        "The parts of each balance that the provider names, such as free and purchased.",
        "This provider does not name the parts of a balance.",
    )
    parts = queries.by_wallet(queries.of_wallet("prepaid_credit_breakdown"), "kind")
    target = _ranged("parts", parts, "{{kind}}")
    return panels.stacked(panels.lines(text, MONEY, HALF, 9, [target]))


def _deductions() -> timeseries.Panel:
    text = Text(
        "Booked, pending and owed",
        "Where the provider tells them apart: the booked balance, usage not yet booked, unpaid invoices.",
        "This provider gives one balance only, with nothing to deduct.",
    )
    families = {
        "settled": ("prepaid_settled_balance", "booked"),
        "pending": ("prepaid_pending_usage", "pending usage"),
        "unpaid": ("prepaid_unpaid_invoices", "unpaid invoices"),
    }
    targets = [
        _ranged(ref, queries.by_wallet(queries.of_wallet(family)), word)
        for ref, (family, word) in families.items()
    ]
    return panels.owing(panels.lines(text, MONEY, HALF, 9, targets))


def _beside() -> table.Panel:
    text = Text(
        "Beside the balance",
        "What else the provider says of each wallet now: the balance in its credits, what one of them is worth, and "
        "how far the balance may go below zero. An empty cell is a thing that it does not say.",
        "Nothing is said now but the balance.",
    )
    names = queries.by_wallet(
        queries.of_wallet("prepaid_wallet_info"), "wallet_name", "wallet_type", "customer"
    )
    lost = queries.of_wallet("prepaid_wallet_field_missing")
    missing = f"sum by ({queries.WALLET}) ({queries.by_wallet(lost, 'field')})"
    yes_no = {"mappings": tables.words({1: ("Yes", "orange"), 0: ("No", "text")})}
    columns: list[tables.Column] = [
        *_LABELS,
        tables.Label("Name", "wallet_name"),
        tables.Label("Type", "wallet_type"),
        tables.Label("Customer", "customer"),
        Value("", "names", names),
        Value("In credits", "credits", _in_credits("prepaid_credit_balance"), MONEY),
        _value("Per credit", "rate", "prepaid_conversion_rate"),
        _value("Credit limit", "limit", "prepaid_credit_limit"),
        _value("From a cache", "cached", "prepaid_balance_cached", yes_no),
        Value("Fields missing", "missing", missing),
    ]
    return tables.rows(text, panels.FULL, 5, columns, "Wallet")


def _recharge() -> table.Panel:
    text = Text(
        "Recharge, plan and expiry",
        "How each wallet is refilled, and when its plan renews or its credit expires.",
        "Nothing is said now of recharges, plans or expiry.",
    )
    on_off = {"mappings": tables.words({1: ("On", "green"), 0: ("Off", "text")})}
    columns: list[tables.Column] = [
        *_LABELS,
        _value("Auto-recharge", "enabled", "prepaid_auto_recharge_enabled", on_off),
        _value("Recharge under", "under", "prepaid_auto_recharge_threshold"),
        _value("Recharge by", "amount", "prepaid_auto_recharge_amount"),
        _value("Plan", "quota", "prepaid_quota"),
        _value("Plan used", "used", "prepaid_quota_used"),
        _moment("Plan renews", "reset", "prepaid_quota_reset_timestamp_seconds"),
        _moment("Credit expires", "expiry", "prepaid_expiry_timestamp_seconds"),
    ]
    return tables.rows(text, panels.FULL, 5, columns, "Wallet")


def _value(title: str, ref: str, family: str, settings: Mapping[str, object] | None = None) -> Value:
    return Value(title, ref, queries.by_wallet(queries.of_wallet(family)), MONEY, settings or {})


def _in_credits(family: str) -> str:
    """Return what is counted in credits beside money, on the row of the wallet's money."""
    wallet = f"{queries.ACCOUNT}, wallet"
    money = f"group by ({queries.WALLET}) ({queries.balance()})"
    counted = f"max by ({wallet}) ({queries.of_account(family)})"
    return f"{money} * on ({wallet}) group_left () {counted}"


def _moment(title: str, ref: str, family: str) -> Value:
    """Show a timestamp, which Grafana takes in milliseconds."""
    return Value(title, ref, f"1000 * {queries.by_wallet(queries.of_wallet(family))}", _MOMENT)
