"""What is broken, as one query whose every sample is a thing that needs a person, and the table of these."""

from grafana_foundation_sdk.builders import table

from grafana.source import queries, tables
from grafana.source.panels import Text
from grafana.source.queries import ACCOUNT, INSTANCE, WALLET
from grafana.source.tables import Label, Value

_RUNBOOKS = "https://github.com/prepaid-exporter/prepaid-exporter/blob/main/docs/runbooks.md"
_ACTIVE = 'prepaid_wallet_status!~"(?i)active|enabled|normal|ok|open|unknown"'
# What stands above what: one silent exporter tells more than thirty failing accounts, and credit that expires can wait.
_WATCH, _NOW, _LATER = "1", "2", "3"
# In place of a time: what is known where no time is.
_NEVER_READ, _OVER_A_DAY = 0, 1
_SINCE_WORDS = {_NEVER_READ: ("Never read", "text"), _OVER_A_DAY: ("Over a day", "text")}


def broken() -> str:
    """Return a sample for each broken thing: since when, in milliseconds since 1970. Its labels tell the rest."""
    return queries.named(
        "\nor ".join(
            [
                *_accounts(),
                _silent_exporters(),
                _no_exporter(),
                _vanished(),
                _not_active(),
                _expiring(),
                _reloads(),
                _pages(),
            ]
        )
    )


def count() -> str:
    """Count the broken things; nothing broken is a zero."""
    return f"count({broken()}) or vector(0)"


def panel(width: int, height: int) -> table.Panel:
    """Show the broken things: first what keeps all others from being told, the newest first."""
    text = Text(
        "Broken",
        "What keeps balances from being watched or spent, with the time since when: first exporters and pages, then "
        "accounts and wallets, the newest first; last credit that expires, with its date. "
        "Click a name for the account, or the runbook for what to do. Lost pages are left out where a job is "
        "chosen above that is not Alertmanager's.",
        "Nothing is broken.",
    )
    columns: list[tables.Column] = [
        Label("What", "what", {"custom.width": 118}),
        Label("Who", "who", {"links": [tables.ACCOUNT_LINK], "custom.minWidth": 104}),
        Value("Since", "broken", broken(), "dateTimeFromNow", _since()),
        Label("Reason", "reason", {"custom.width": 130}),
        Label(
            "Runbook", "runbook", tables.page_cell("What to do", "Open the runbook") | {"custom.width": 120}
        ),
        Label("", "rank"),
        *tables.behind(
            "cluster", "namespace", "job", "instance", "provider", "account", "wallet", "currency"
        ),
    ]
    return tables.rows(text, width, height, columns, "rank", "-Since")


def _since() -> dict[str, object]:
    return {"mappings": tables.words(_SINCE_WORDS), "custom.width": 118}


def _told(what: str, runbook: str, expression: str, rank: str) -> str:
    told = {"what": what, "rank": rank, "runbook": f"{_RUNBOOKS}#{runbook.lower()}"}
    for label, text in told.items():
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
        _told(what, runbook, _failing(matcher), _NOW)
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
    return _told("Exporter silent", "PrepaidExporterDown", silent, _WATCH)


def _no_exporter() -> str:
    signs = ("prepaid_account_up", "prepaid_exporter_build_info", "instance:prepaid_exporter:down")
    found = " or ".join(f"group({queries.of_exporter(sign)})" for sign in signs)
    return _told("No exporter", "PrepaidExporterAbsent", f"{_OVER_A_DAY} * absent({found})", _WATCH)


def _vanished() -> str:
    # When it was gone first, and not when it was there last: that would look at a day of every wallet.
    vanished = queries.recorded("prepaid_balance:vanished")
    first = queries.by_wallet(f"min_over_time(timestamp({vanished})[1d:5m])")
    since = f"1000 * {first} and on ({WALLET}) {vanished}"
    return _told("Wallet vanished", "PrepaidWalletVanished", since, _NOW)


def _not_active() -> str:
    status = queries.recorded("prepaid_wallet_status:last", _ACTIVE)
    now = f'label_join({status} == 1, "reason", "", "prepaid_wallet_status")'
    since = _since_when(f"{status} == 0", queries.by_wallet(now, "reason"), WALLET)
    return _told("Not active", "PrepaidWalletNotActive", since, _NOW)


def _expiring() -> str:
    expiry = queries.by_wallet(queries.recorded("prepaid_expiry_timestamp_seconds:last"))
    told = queries.recorded("prepaid_alert:condition", 'alert="PrepaidCreditExpiring"')
    expiring = f"1000 * {expiry} and on ({WALLET}) ({told} == 1)"
    return _told("Expiring", "PrepaidCreditExpiring", expiring, _LATER)


def _reloads() -> str:
    loaded = queries.by_instance(
        queries.of_exporter("prepaid_exporter_config_last_reload_success_timestamp_seconds")
    )
    failed = f"{queries.of_exporter('prepaid_exporter_config_last_reload_successful')} == 0"
    since = f"1000 * {loaded} and on ({INSTANCE}) ({failed})"
    return _told("Reload failed", "PrepaidConfigReloadFailed", since, _WATCH)


def _pages() -> str:
    failed = f"increase({queries.of_exporter('alertmanager_notifications_failed_total')}[$__rate_interval])"
    now = queries.by_instance(f'label_join({failed} > 0, "reason", "", "integration")', "reason")
    since = _since_when(f"{failed} == 0", now, INSTANCE)
    return _told("Pages lost", "PrepaidPagesNotDelivered", since, _WATCH)
