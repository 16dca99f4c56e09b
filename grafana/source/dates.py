"""What comes when: the calendar of wallets that run dry, credit that expires and plans that renew."""

from grafana_foundation_sdk.builders import table

from grafana.source import queries, tables
from grafana.source.panels import MINUTE, Text
from grafana.source.tables import Label, Value

_LISTED = 20
_DAYS = 60


def calendar(width: int, height: int) -> table.Panel:
    """List the coming dates, the next one first."""
    text = Text(
        "Calendar",
        f"The next {_LISTED} dates within {_DAYS} days: wallets that run dry at their pace, credit that expires, "
        "plans that renew.",
        "No wallet is known to run dry, to expire or to renew in this time.",
    )
    columns: list[tables.Column] = [
        Value("When", "date", _dates(), MINUTE, {"custom.width": 134}),
        Label("What", "what", {"custom.width": 104, **_COLOURED}),
        Label("Wallet", "who", {"links": [tables.ACCOUNT_LINK]}),
        *tables.behind("cluster", "namespace", "job", "provider", "account", "wallet", "currency"),
    ]
    return tables.rows(text, width, height, columns, "When")


_COLOURED = {
    "mappings": [
        {
            "type": "value",
            "options": {
                "Runs dry": {"text": "Runs dry", "color": "red"},
                "Credit expires": {"text": "Credit expires", "color": "orange"},
            },
        }
    ],
    **tables.COLOURED,
}


def _dates() -> str:
    seconds = {
        "Runs dry": f"time() + ({queries.ends()} > 0)",
        "Credit expires": queries.by_wallet(queries.recorded("prepaid_expiry_timestamp_seconds:last")),
        "Plan renews": queries.by_wallet(queries.recorded("prepaid_quota_reset_timestamp_seconds:last")),
    }
    every = "\nor ".join(f'label_replace({expr}, "what", "{what}", "", "")' for what, expr in seconds.items())
    coming = f"(({every}) > time()) < time() + {_DAYS * 86400}"
    return queries.named(f"1000 * bottomk({_LISTED}, {coming})")
