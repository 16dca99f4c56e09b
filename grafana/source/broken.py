"""What is broken, as one query whose every sample is a thing that needs a person, and the table of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from grafana_foundation_sdk.builders import stat, table

from grafana.source import frame, panels, queries, tables
from grafana.source.panels import Text
from grafana.source.queries import ACCOUNT, CRITICAL, INSTANCE, WALLET
from grafana.source.tables import Label, Value

_DOCS = "https://github.com/prepaid-exporter/prepaid-exporter/blob/main/docs"
_ACTIVE = 'prepaid_wallet_status!~"(?i)active|enabled|normal|ok|open|unknown"'
_TEXTFILE = 'file=~".*/prepaid[^/]*[.]prom"'
# What stands above what: one silent exporter tells more than thirty failing accounts, and credit that expires can wait.
_WATCH, _NOW, _LATER = "1", "2", "3"
# In place of a time: what is known where no time is.
_NEVER_READ, _OVER_A_DAY, _NOT_KNOWN = 0, 1, 2
_SINCE_WORDS = {
    _NEVER_READ: ("Never read", "text"),
    _OVER_A_DAY: ("Over a day", "text"),
    _NOT_KNOWN: ("Not known", "text"),
}
# Grafana takes a rate over four steps: a quarter of an hour, as the alert on pages does, where there are enough points.
_STEP, _POINTS = "4m", 10_000
# A row leads to its account, or to the exporters where it is about these. What a row does not have is on "All".
_CHOSEN = "&".join(
    f"var-{label}=${{__data.fields.{label}:percentencode}}"
    for label in ("cluster", "namespace", "instance", "provider", "account")
)
_KEPT = "${datasource:queryparam}&${job:queryparam}"
_LINK = {
    "title": "Open the account or the exporters",
    "url": f"/d/${{__data.fields.board}}?{_KEPT}&{_CHOSEN}&${{__url_time_range}}",
    "targetBlank": False,
}


@dataclass(frozen=True)
class Trouble:
    """One kind of broken thing: its query has a sample for each, with the time since when in milliseconds since 1970.

    `page` is the alert whose runbook says what to do, or another page; `of` whose dashboard a row leads to; `by_reason`
    names other kinds that the same query tells.
    """

    what: str
    page: str
    since: str = ""
    rank: str = _NOW
    of: Literal["account", "exporter", "all exporters"] = "account"
    by_reason: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """Return the query with its name."""
        expression = f'label_replace({self.since}, "what", "{self.what}", "", "")'
        for reason, what in self.by_reason.items():
            expression = f'label_replace({expression}, "what", "{what}", "reason", "{reason}")'
        return expression

    def labels(self) -> dict[str, str]:
        """Return what a row says besides: its rank, what to do, and what its link chooses."""
        runbook = self.page if ".md" in self.page else f"runbooks.md#{self.page.lower()}"
        labels = {"rank": self.rank, "runbook": runbook}
        if self.of == "account":
            return labels | {"board": frame.ACCOUNT, "instance": "All"}
        every = {"board": frame.EXPORTER, "provider": "All", "account": "All"}
        return labels | every | ({"instance": "All"} if self.of == "all exporters" else {})


def _troubles() -> list[Trouble]:
    return [
        *_accounts(),
        _silent_exporters(),
        _no_exporter(),
        _no_rules(),
        _old_textfiles(),
        _vanished(),
        _not_active(),
        _lost_fields(),
        _overdue_recharges(),
        _expiring(),
        _reloads(),
        _pages(),
    ]


def broken() -> str:
    """Return a sample for each broken thing: since when, in milliseconds since 1970. Its labels tell the rest.

    They are made of `what` for all at once: some servers refuse a query of more than 16 KiB.
    """
    troubles = _troubles()
    expression = queries.named(_all_told(troubles))
    told: dict[tuple[str, str], list[str]] = {}
    for trouble in troubles:
        for label, text in trouble.labels().items():
            told.setdefault((label, text), []).append(trouble.what)
    for (label, text), whats in told.items():
        expression = f'label_replace({expression}, "{label}", "{text}", "what", "{"|".join(whats)}")'
    return expression


def _all_told(troubles: list[Trouble]) -> str:
    return "\nor ".join(trouble.told() for trouble in troubles if trouble.since)


def tile(width: int) -> stat.Panel:
    """Count the broken things; nothing broken is a zero."""
    text = Text("Broken", "Rows of the table of that name below.", "No data")
    counted = panels.count(
        text, CRITICAL.colour, width, f"count({_all_told(_troubles())}) or vector(0)", _STEP
    )
    return counted.max_data_points(_POINTS)


def panel(width: int, height: int) -> table.Panel:
    """Show the broken things: first what keeps all others from being told, the newest first."""
    text = Text(
        "Broken",
        "What keeps balances from being watched or spent, with the time since when: first exporters, rules and pages, "
        "then accounts and wallets, the newest first; last credit that expires, with its date. "
        "Click a name for the account or the exporters, or the runbook for what to do. Lost pages are left out where "
        "a job is chosen above that is not Alertmanager's.",
        "Nothing is broken.",
    )
    columns: list[tables.Column] = [
        Label("What", "what", {"custom.width": 126}),
        Label("Who", "who", {"links": [_LINK], "custom.minWidth": 96}),
        Value("Since", "broken", broken(), "dateTimeFromNow", _SINCE, _STEP),
        Label("Reason", "reason", {"custom.width": 130}),
        Label(
            "Runbook",
            "runbook",
            tables.page_cell("What to do", "Open the runbook", _DOCS) | {"custom.width": 120},
        ),
        Label("", "rank"),
        *tables.behind(
            "cluster", "namespace", "job", "instance", "provider", "account", "wallet", "currency", "board"
        ),
    ]
    return tables.rows(text, width, height, columns, "rank", "-Since").max_data_points(_POINTS)


_SINCE = {"mappings": tables.words(_SINCE_WORDS), "custom.width": 118}


def _since_when(was_fine: str, broken_now: str, identity: str) -> str:
    """Return when something was fine for the last time, within a day, of all that is broken now."""
    last = f"max by ({identity}) (max_over_time(timestamp({was_fine})[1d:5m]))"
    return f"(0 * ({broken_now}) + on ({identity}) group_left () 1000 * {last} or 0 * ({broken_now}) + {_OVER_A_DAY})"


def _accounts() -> list[Trouble]:
    """Return the accounts that an exporter could not read, by what is to be done."""
    failure = queries.by_account(queries.of_account("prepaid_account_failure"), "reason")
    answered = f"{queries.of_account('prepaid_account_up')} == 1"
    failing = f"({failure} unless on ({ACCOUNT}) ({answered}))"
    since = f"{failing} * on ({ACCOUNT}) group_left () (1000 * ({queries.last_success()}))"
    kinds = {"auth": "Key refused", "exhausted": "Refused: empty"}
    return [
        Trouble(
            "Failing", "PrepaidAccountFailing", f"({since} or {_NEVER_READ} * {failing})", by_reason=kinds
        ),
        Trouble(kinds["auth"], "PrepaidCredentialsRejected"),
        Trouble(kinds["exhausted"], "PrepaidAccountExhausted"),
    ]


def _silent_exporters() -> Trouble:
    down = queries.of_exporter("instance:prepaid_exporter:down")
    silent = _since_when(f"{down} == 0", queries.by_instance(f"{down} == 1"), INSTANCE)
    return Trouble("Exporter silent", "PrepaidExporterDown", silent, _WATCH, "exporter")


def _no_exporter() -> Trouble:
    signs = ("prepaid_account_up", "prepaid_exporter_build_info", "instance:prepaid_exporter:down")
    found = " or ".join(f"group({queries.of_exporter(sign)})" for sign in signs)
    absent = f"{_OVER_A_DAY} * absent({found})"
    return Trouble("No exporter", "PrepaidExporterAbsent", absent, _WATCH, "all exporters")


def _no_rules() -> Trouble:
    """Tell that accounts are read and nothing is recorded of them: then nobody is paged, and most panels are empty."""
    recorded = queries.recorded_account("prepaid_account_up:max")
    read = f"group({queries.of_account('prepaid_account_up')})"
    unrecorded = f"{_NOT_KNOWN} * ({read} unless on () group({recorded}))"
    return Trouble("Rules missing", "alerting.md#setting-it-up", unrecorded, _WATCH, "all exporters")


def _old_textfiles() -> Trouble:
    files = queries.of_exporter("node_textfile_mtime_seconds", _TEXTFILE)
    written = f"min by ({INSTANCE}) (max_over_time({files}[1d]))"
    old = f"1000 * ({written} < time() - 1200) and on ({INSTANCE}) ({queries.of_exporter('up')} == 1)"
    return Trouble("Textfile old", "PrepaidTextfileStale", old, _WATCH, "exporter")


def _vanished() -> Trouble:
    # When it was gone first, and not when it was there last: that would look at a day of every wallet.
    vanished = queries.recorded("prepaid_balance:vanished")
    first = queries.by_wallet(f"min_over_time(timestamp({vanished})[1d:5m])")
    since = f"1000 * {first} and on ({WALLET}) {vanished}"
    return Trouble("Wallet vanished", "PrepaidWalletVanished", since)


def _not_active() -> Trouble:
    status = queries.recorded("prepaid_wallet_status:last", _ACTIVE)
    now = f'label_join({status} == 1, "reason", "", "prepaid_wallet_status")'
    since = _since_when(f"{status} == 0", queries.by_wallet(now, "reason"), WALLET)
    return Trouble("Not active", "PrepaidWalletNotActive", since)


def _lost_fields() -> Trouble:
    lost = f"{queries.of_wallet('prepaid_wallet_field_missing')} == 1"
    first = f"min_over_time(timestamp({lost})[1d:5m])"
    since = f"1000 * {first} and ({lost})"
    named = f'label_join({since}, "reason", "", "field")'
    return Trouble("Field missing", "PrepaidWalletFieldMissing", queries.by_wallet(named, "reason"))


def _overdue_recharges() -> Trouble:
    # Of a wallet that has been below its recharge threshold for an hour, as the alert waits.
    told = queries.recorded("prepaid_alert:condition", 'alert="PrepaidAutoRechargeOverdue"')
    overdue = queries.by_wallet(f"min_over_time({told}[1h]) == 1")
    return Trouble(
        "Recharge overdue", "PrepaidAutoRechargeOverdue", _since_when(f"{told} == 0", overdue, WALLET)
    )


def _expiring() -> Trouble:
    expiry = queries.by_wallet(queries.recorded("prepaid_expiry_timestamp_seconds:last"))
    told = queries.recorded("prepaid_alert:condition", 'alert="PrepaidCreditExpiring"')
    expiring = f"1000 * {expiry} and on ({WALLET}) ({told} == 1)"
    return Trouble("Expiring", "PrepaidCreditExpiring", expiring, _LATER)


def _reloads() -> Trouble:
    loaded = queries.by_instance(
        queries.of_exporter("prepaid_exporter_config_last_reload_success_timestamp_seconds")
    )
    failed = f"{queries.of_exporter('prepaid_exporter_config_last_reload_successful')} == 0"
    since = f"1000 * {loaded} and on ({INSTANCE}) ({failed})"
    return Trouble("Reload failed", "PrepaidConfigReloadFailed", since, _WATCH, "exporter")


def _pages() -> Trouble:
    failed = f"increase({queries.of_exporter('alertmanager_notifications_failed_total')}[$__rate_interval])"
    now = queries.by_instance(f'label_join({failed} > 0, "reason", "", "integration")', "reason")
    since = _since_when(f"{failed} == 0", now, INSTANCE)
    return Trouble("Pages lost", "PrepaidPagesNotDelivered", since, _WATCH, "all exporters")
