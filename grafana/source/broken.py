"""What is broken, as one query whose every sample is a thing that needs a person, and the table of these."""

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


def broken() -> str:
    """Return a sample for each broken thing: since when, in milliseconds since 1970. Its labels tell the rest."""
    return "\nor ".join(
        [
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
    )


def tile(width: int) -> stat.Panel:
    """Count the broken things; nothing broken is a zero."""
    text = Text("Broken", "Rows of the table of that name below.", "No data")
    counted = panels.count(text, CRITICAL.colour, width, f"count({broken()}) or vector(0)", _STEP)
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
            "Runbook", "runbook", tables.page_cell("What to do", "Open the runbook") | {"custom.width": 120}
        ),
        Label("", "rank"),
        *tables.behind(
            "cluster", "namespace", "job", "instance", "provider", "account", "wallet", "currency", "board"
        ),
    ]
    return tables.rows(text, width, height, columns, "rank", "-Since").max_data_points(_POINTS)


_SINCE = {"mappings": tables.words(_SINCE_WORDS), "custom.width": 118}


def _of_account(what: str, runbook: str, expression: str, rank: str = _NOW) -> str:
    """Tell what is broken of an account or a wallet."""
    return _told(expression, what, rank, _runbook(runbook), board=frame.ACCOUNT, instance="All")


def _of_exporter(what: str, runbook: str, expression: str) -> str:
    """Tell what is broken of one exporter."""
    every = {"provider": "All", "account": "All"}
    return _told(expression, what, _WATCH, _runbook(runbook), board=frame.EXPORTER, **every)


def _of_all(what: str, page: str, expression: str) -> str:
    """Tell what is broken that is neither an exporter nor an account, and concerns all of them."""
    every = {"instance": "All", "provider": "All", "account": "All"}
    return _told(expression, what, _WATCH, page, board=frame.EXPORTER, **every)


def _runbook(alert: str) -> str:
    return f"{_DOCS}/runbooks.md#{alert.lower()}"


def _told(expression: str, what: str, rank: str, page: str, **labels: str) -> str:
    expression = queries.named(expression)  # by what it is about, before the labels of its link
    for label, text in {"what": what, "rank": rank, "runbook": page, **labels}.items():
        expression = f'label_replace({expression}, "{label}", "{text}", "", "")'
    return expression


def _since_when(was_fine: str, broken_now: str, identity: str) -> str:
    """Return when something was fine for the last time, within a day, of all that is broken now."""
    last = f"max by ({identity}) (max_over_time(timestamp({was_fine})[1d:5m]))"
    return f"(0 * ({broken_now}) + on ({identity}) group_left () 1000 * {last} or 0 * ({broken_now}) + {_OVER_A_DAY})"


def _accounts() -> list[str]:
    """Return the accounts that an exporter could not read, by what is to be done."""
    kinds = {
        "auth": ("Key refused", "PrepaidCredentialsRejected"),
        "exhausted": ("Refused: empty", "PrepaidAccountExhausted"),
    }
    others = f'reason!~"{"|".join(kinds)}"'
    found = [(f'reason="{reason}"', *told) for reason, told in kinds.items()]
    return [
        _of_account(what, runbook, _failing(matcher))
        for matcher, what, runbook in [*found, (others, "Failing", "PrepaidAccountFailing")]
    ]


def _failing(matcher: str) -> str:
    failure = queries.by_account(queries.of_account("prepaid_account_failure", matcher), "reason")
    answered = f"{queries.of_account('prepaid_account_up')} == 1"
    failing = f"({failure} unless on ({ACCOUNT}) ({answered}))"
    return (
        f"({failing} * on ({ACCOUNT}) group_left () (1000 * ({queries.last_success()}))"
        f" or {_NEVER_READ} * {failing})"
    )


def _silent_exporters() -> str:
    down = queries.of_exporter("instance:prepaid_exporter:down")
    silent = _since_when(f"{down} == 0", queries.by_instance(f"{down} == 1"), INSTANCE)
    return _of_exporter("Exporter silent", "PrepaidExporterDown", silent)


def _no_exporter() -> str:
    signs = ("prepaid_account_up", "prepaid_exporter_build_info", "instance:prepaid_exporter:down")
    found = " or ".join(f"group({queries.of_exporter(sign)})" for sign in signs)
    page = _runbook("PrepaidExporterAbsent")
    return _of_all("No exporter", page, f"{_OVER_A_DAY} * absent({found})")


def _no_rules() -> str:
    """Tell that accounts are read and nothing is recorded of them: then nobody is paged, and most panels are empty."""
    recorded = queries.recorded_account("prepaid_account_up:max")
    unrecorded = f"group({queries.of_account('prepaid_account_up')}) unless on () group({recorded})"
    return _of_all("Rules missing", f"{_DOCS}/alerting.md#setting-it-up", f"{_NOT_KNOWN} * ({unrecorded})")


def _old_textfiles() -> str:
    files = queries.of_exporter("node_textfile_mtime_seconds", _TEXTFILE)
    written = f"min by ({INSTANCE}) (max_over_time({files}[1d]))"
    old = f"1000 * ({written} < time() - 1200) and on ({INSTANCE}) ({queries.of_exporter('up')} == 1)"
    return _of_exporter("Textfile old", "PrepaidTextfileStale", old)


def _vanished() -> str:
    # When it was gone first, and not when it was there last: that would look at a day of every wallet.
    vanished = queries.recorded("prepaid_balance:vanished")
    first = queries.by_wallet(f"min_over_time(timestamp({vanished})[1d:5m])")
    since = f"1000 * {first} and on ({WALLET}) {vanished}"
    return _of_account("Wallet vanished", "PrepaidWalletVanished", since)


def _not_active() -> str:
    status = queries.recorded("prepaid_wallet_status:last", _ACTIVE)
    now = f'label_join({status} == 1, "reason", "", "prepaid_wallet_status")'
    since = _since_when(f"{status} == 0", queries.by_wallet(now, "reason"), WALLET)
    return _of_account("Not active", "PrepaidWalletNotActive", since)


def _lost_fields() -> str:
    lost = f"{queries.of_wallet('prepaid_wallet_field_missing')} == 1"
    first = f"min_over_time(timestamp({lost})[1d:5m])"
    since = f"1000 * {first} and ({lost})"
    named = f'label_join({since}, "reason", "", "field")'
    return _of_account("Field missing", "PrepaidWalletFieldMissing", queries.by_wallet(named, "reason"))


def _overdue_recharges() -> str:
    # Of a wallet that has been below its recharge threshold for an hour, as the alert waits.
    told = queries.recorded("prepaid_alert:condition", 'alert="PrepaidAutoRechargeOverdue"')
    overdue = queries.by_wallet(f"min_over_time({told}[1h]) == 1")
    return _of_account(
        "Recharge overdue", "PrepaidAutoRechargeOverdue", _since_when(f"{told} == 0", overdue, WALLET)
    )


def _expiring() -> str:
    expiry = queries.by_wallet(queries.recorded("prepaid_expiry_timestamp_seconds:last"))
    told = queries.recorded("prepaid_alert:condition", 'alert="PrepaidCreditExpiring"')
    expiring = f"1000 * {expiry} and on ({WALLET}) ({told} == 1)"
    return _of_account("Expiring", "PrepaidCreditExpiring", expiring, _LATER)


def _reloads() -> str:
    loaded = queries.by_instance(
        queries.of_exporter("prepaid_exporter_config_last_reload_success_timestamp_seconds")
    )
    failed = f"{queries.of_exporter('prepaid_exporter_config_last_reload_successful')} == 0"
    since = f"1000 * {loaded} and on ({INSTANCE}) ({failed})"
    return _of_exporter("Reload failed", "PrepaidConfigReloadFailed", since)


def _pages() -> str:
    failed = f"increase({queries.of_exporter('alertmanager_notifications_failed_total')}[$__rate_interval])"
    now = queries.by_instance(f'label_join({failed} > 0, "reason", "", "integration")', "reason")
    since = _since_when(f"{failed} == 0", now, INSTANCE)
    return _of_all("Pages lost", _runbook("PrepaidPagesNotDelivered"), since)
