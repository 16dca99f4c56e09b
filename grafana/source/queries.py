"""The PromQL that the panels share: selectors, thresholds, levels. Owns every matcher; never a panel.

Several exporters may read one wallet (a highly available pair), so what comes from exporters is aggregated to
the wallet or the account before it is shown or joined; the recording rules have done that already.
"""

from dataclasses import dataclass

WALLET = "job, provider, account, wallet, currency"
ACCOUNT = "job, provider, account"

_OF_ACCOUNT = 'job=~"$job", instance=~"$instance", provider=~"$provider", account=~"$account"'
_OF_WALLET = f'{_OF_ACCOUNT}, currency=~"$currency"'
_OF_RECORD = 'job=~"$job", provider=~"$provider", account=~"$account", currency=~"$currency"'
_OF_EXPORTER = 'job=~"$job", instance=~"$instance"'
_ANY_ACCOUNT = 'account=~"$account"'
# Grafana escapes the values of a variable that may have several, not the value of one that has one. In backticks,
# since a quoted string would need its backslashes doubled.
_ONE_ACCOUNT = "account=~`${account:regex}`"
_OF_UPSTREAM = f'{_OF_EXPORTER}, provider=~"$provider"'


@dataclass(frozen=True)
class Level:
    """A state of a wallet as the dashboards show it: worst first in LEVELS."""

    name: str
    title: str
    number: int
    colour: str


CRITICAL = Level("critical", "Critical", 3, "red")
WARNING = Level("warning", "Warning", 2, "orange")
INFO = Level("info", "Info", 1, "blue")
FINE = Level("fine", "Fine", 0, "green")
UNGUARDED = Level("unguarded", "No threshold", -1, "text")
THRESHOLD_LEVELS = (CRITICAL, WARNING, INFO)
LEVELS = (*THRESHOLD_LEVELS, FINE, UNGUARDED)


def of_account(family: str, *matchers: str) -> str:
    """Select a family that has a sample per account."""
    return _selector(family, _OF_ACCOUNT, *matchers)


def of_wallet(family: str, *matchers: str) -> str:
    """Select a family that has a sample per wallet, as the exporters gave it."""
    return _selector(family, _OF_WALLET, *matchers)


def of_exporter(family: str) -> str:
    """Select a family that an exporter has about itself."""
    return _selector(family, _OF_EXPORTER)


def scraped_exporters(expression: str) -> str:
    """Keep what is about an exporter of what every target has, also while it does not answer."""
    seen = " or ".join(
        f"present_over_time({of_exporter(family)}[1h])"
        for family in ("prepaid_exporter_build_info", "prepaid_account_up")
    )
    return f"{expression}\nand on (job, instance) group by (job, instance) ({seen})"


def about_one_account(expression: str) -> str:
    """Adapt an expression to a dashboard whose account variable has one value."""
    return expression.replace(_ANY_ACCOUNT, _ONE_ACCOUNT)


def of_upstream(family: str) -> str:
    """Select a family that an exporter has per provider."""
    return _selector(family, _OF_UPSTREAM)


def recorded(series: str, *matchers: str) -> str:
    """Select a series of the recording rules, which have no instance label."""
    return _selector(f"wallet:{series}", _OF_RECORD, *matchers)


def by_wallet(expression: str, *labels: str) -> str:
    """Aggregate to one sample per wallet (and further labels); rows of a table join by exactly these."""
    return f"max by ({', '.join((WALLET, *labels))}) ({expression})"


def by_account(expression: str, *labels: str) -> str:
    """Aggregate to one sample per account (and further labels)."""
    return f"max by ({', '.join((ACCOUNT, *labels))}) ({expression})"


def balance() -> str:
    """Return the last balance of each wallet, also while its account fails."""
    return recorded("prepaid_balance:last")


def threshold(level: Level) -> str:
    """Return the thresholds of a level, also while their account fails; they keep the label level."""
    return recorded("prepaid_balance_threshold:last", f'level="{level.name}"')


def state() -> str:
    """Return the number of the worst level that each wallet is under, as LEVELS has them."""
    under = [f"0 * ({_under(level)}) + {level.number}" for level in THRESHOLD_LEVELS]
    guarded = f"0 * ({balance()} and ignoring (level) {recorded('prepaid_balance_threshold:last')})"
    return "\nor ".join([*under, guarded, f"0 * {balance()} - 1"])


def in_level(expression: str, level: Level) -> str:
    """Keep the wallets of an expression (one sample per wallet) whose worst level is this one."""
    every = recorded("prepaid_balance_threshold:last")
    if level is UNGUARDED:
        return f"({expression})\nunless ignoring (level) {every}"
    if level is FINE:
        return f"({expression})\nand ignoring (level) ({balance()} >= max without (level) ({every}))"
    worse = [other for other in THRESHOLD_LEVELS if other.number > level.number]
    return "".join(
        [
            f"({expression})\nand ignoring (level) ({_under(level)})",
            *(f"\nunless ignoring (level) ({_under(other)})" for other in worse),
        ]
    )


def share(at: str = "") -> str:
    """Return each wallet's balance as a share of its gravest threshold: critical, else warning, else info."""
    ratios = [
        recorded("prepaid_balance:threshold_ratio", f'level="{level.name}"') + at
        for level in THRESHOLD_LEVELS
    ]
    return "\nor ignoring (level) ".join(ratios)


def lowest(count: int) -> str:
    """Select, steadily over the whole range, the wallets that end nearest to their threshold."""
    return f"bottomk({count}, {share(' @ end()')}\nor ignoring (level) (0 * {balance()} @ end() + Inf))"


def reading_age() -> str:
    """Return the seconds since each account's wallets were read."""
    return f"time() - {by_account(of_account('prepaid_account_last_success_timestamp_seconds'))}"


def on_wallets(account_expression: str, *labels: str) -> str:
    """Repeat an account's value (and text labels) on each of its wallets."""
    wallets = f"group by ({WALLET}) ({balance()})"
    return f"{wallets} * on ({ACCOUNT}) group_left ({', '.join(labels)}) ({account_expression})"


def _under(level: Level) -> str:
    return f"{balance()} < ignoring (level) {threshold(level)}"


def _selector(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join(matchers)}}}"
