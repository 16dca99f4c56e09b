"""The PromQL that the panels share: selectors, levels, which wallets end first. Owns every matcher; never a panel.

Several exporters may read one wallet (a highly available pair), so what comes from exporters is aggregated to
the wallet or the account before it is shown or joined; the recording rules have done that already.
"""

from dataclasses import dataclass

PLACE = "cluster, namespace, job"
WALLET = f"{PLACE}, provider, account, wallet, currency"
ACCOUNT = f"{PLACE}, provider, account"
INSTANCE = f"{PLACE}, instance"
END = " @ end()"
"""Behind a selector: choose for the whole range by what is at its end, so that lines do not come and go."""
_GAP = "1h"  # what may be missing just there

OF_PLACE = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
_OF_EXPORTER = f'{OF_PLACE}, instance=~"$instance"'
_OF_ACCOUNT = f'{_OF_EXPORTER}, provider=~"$provider", account=~"$account"'
_OF_WALLET = f'{_OF_ACCOUNT}, currency=~"$currency"'
_OF_RECORDED_ACCOUNT = f'{OF_PLACE}, provider=~"$provider", account=~"$account"'
_OF_RECORD = f'{_OF_RECORDED_ACCOUNT}, currency=~"$currency"'
_ANY_ACCOUNT = 'account=~"$account"'
# Grafana escapes the values of a variable that may have several, not the value of one that has one. In backticks,
# since a quoted string would need its backslashes doubled.
_ONE_ACCOUNT = "account=~`${account:regex}`"


@dataclass(frozen=True)
class Level:
    """A state of a wallet as the dashboards show it: gravest first in LEVELS."""

    name: str
    title: str
    number: int
    colour: str


EMPTY = Level("empty", "Empty", 5, "red")
CRITICAL = Level("critical", "Critical", 4, "red")
WARNING = Level("warning", "Warning", 3, "orange")
UNREAD = Level("unread", "Not read", 2, "purple")
INFO = Level("info", "Info", 1, "blue")
FINE = Level("fine", "Fine", 0, "green")
UNGUARDED = Level("unguarded", "No threshold", -1, "text")
THRESHOLD_LEVELS = (CRITICAL, WARNING, INFO)
LEVELS = (EMPTY, CRITICAL, WARNING, UNREAD, INFO, FINE, UNGUARDED)


def of_account(family: str, *matchers: str) -> str:
    """Select a family that has a sample per account."""
    return _selector(family, _OF_ACCOUNT, *matchers)


def of_wallet(family: str, *matchers: str) -> str:
    """Select a family that has a sample per wallet, as the exporters gave it."""
    return _selector(family, _OF_WALLET, *matchers)


def of_exporter(family: str, *matchers: str) -> str:
    """Select a family that an exporter has about itself, or a rule about an exporter."""
    return _selector(family, _OF_EXPORTER, *matchers)


def scraped_exporters(expression: str) -> str:
    """Keep what is about an exporter of what every target has, also while it does not answer."""
    seen = " or ".join(
        f"present_over_time({of_exporter(family)}[1h])"
        for family in ("prepaid_exporter_build_info", "prepaid_account_up")
    )
    return f"{expression}\nand on ({INSTANCE}) group by ({INSTANCE}) ({seen})"


def about_one_account(expression: str) -> str:
    """Adapt an expression to a dashboard whose account variable has one value."""
    return expression.replace(_ANY_ACCOUNT, _ONE_ACCOUNT)


def of_upstream(family: str) -> str:
    """Select a family that an exporter has per provider."""
    return _selector(family, f'{_OF_EXPORTER}, provider=~"$provider"')


def of_chosen_accounts(expression: str) -> str:
    """Keep what an exporter says of a provider of which a chosen account is asked."""
    asked = f"group by ({INSTANCE}, provider) ({of_account('prepaid_account_up')})"
    return f"{expression}\nand on ({INSTANCE}, provider) {asked}"


def recorded(series: str, *matchers: str) -> str:
    """Select a series of the recording rules about wallets, which has no instance label."""
    return _selector(f"wallet:{series}", _OF_RECORD, *matchers)


def recorded_account(series: str, *matchers: str) -> str:
    """Select a series of the recording rules about accounts."""
    return _selector(f"account:{series}", _OF_RECORDED_ACCOUNT, *matchers)


def before_the_end(selector: str) -> str:
    """Return what a selector last had before the end of the range, where there may be a gap: Grafana rounds it down."""
    return f"last_over_time({selector}[{_GAP}]{END})"


def by_wallet(expression: str, *labels: str) -> str:
    """Aggregate to one sample per wallet (and further labels); rows of a table join by exactly these."""
    return f"max by ({', '.join((WALLET, *labels))}) ({expression})"


def by_account(expression: str, *labels: str) -> str:
    """Aggregate to one sample per account (and further labels)."""
    return f"max by ({', '.join((ACCOUNT, *labels))}) ({expression})"


def by_instance(expression: str, *labels: str) -> str:
    """Aggregate to one sample per exporter (and further labels)."""
    return f"max by ({', '.join((INSTANCE, *labels))}) ({expression})"


def named(expression: str) -> str:
    """Add the label `who`: the words by which people know a wallet, an account or an exporter.

    What is absent leaves a space, which nobody sees. A wallet that is called main is its account's only one.
    """
    return _joined(expression, "account", "instance")


def named_with_currency(expression: str) -> str:
    """Add the label `who` of a wallet, with its currency."""
    return _joined(expression, "account", last="currency")


def placed(expression: str) -> str:
    """Add the label `who` of what belongs to a known account: its cluster and namespace, where it has these."""
    return f'label_join({expression}, "who", " ", "cluster", "namespace")'


def named_in_account(expression: str) -> str:
    """Add the label `who` of a wallet where its account is known."""
    return f'label_join({expression}, "who", " ", "wallet", "currency", "cluster", "namespace")'


def balance(at: str = "") -> str:
    """Return the last balance of each wallet, also while its account fails."""
    return _held(recorded("prepaid_balance:last"), at)


def balance_as_read(*matchers: str) -> str:
    """Return what was read of each wallet: the balance, else the booked one, else what is left of a plan.

    There is nothing while it is not read.
    """
    return recorded("prepaid_balance:min", *matchers)


def refused(at: str = "") -> str:
    """Return the accounts whose provider says nothing but that nothing is left, also while their exporter is silent."""
    said = f"{recorded_account('prepaid_account_failure:said', _EXHAUSTED)}[7d]{at}"
    unread = _held(recorded_account("prepaid_account_up:unread"), at)
    return f"(max by ({ACCOUNT}) (last_over_time({said})) == 1 and on ({ACCOUNT}) {unread})"


def wallets(at: str = "") -> str:
    """Return a sample for each wallet, and for each account that is refused before any wallet of it was read."""
    return f"(group by ({WALLET}) ({balance(at)}) or {_refused_at_once(at)})"


def empty(at: str = "") -> str:
    """Return a sample for each wallet of which nothing is left: by its balance, or since its provider says so."""
    exhausted = f"{_told('PrepaidWalletExhausted', at=at)} or {balance(at)} and on ({ACCOUNT}) {refused(at)}"
    return f"(group by ({WALLET}) ({exhausted}) or {_refused_at_once(at)})"


def threshold(level: Level) -> str:
    """Return the thresholds of a level, also while their account fails; they keep the label level."""
    return recorded("prepaid_balance_threshold:last", f'level="{level.name}"')


def state() -> str:
    """Return the number of the gravest level that each wallet is in, as LEVELS has them: what its alerts go by.

    Old readings are not fine: an account that cannot be read has a level of its own, unless it has a graver one.
    """
    told = [f"{EMPTY.number} * {empty()}"]
    told += [f"{level.number} * ({_told(_LOW, _of_level(level))})" for level in THRESHOLD_LEVELS]
    unread = f"{balance()} and on ({ACCOUNT}) {recorded_account('prepaid_account_up:unread')}"
    told += [f"{UNREAD.number} * group by ({WALLET}) ({unread})"]
    guarded = f"{balance()} and on ({WALLET}) {recorded('prepaid_balance_threshold:last')}"
    return "\nor ".join(
        [
            f"max by ({WALLET}) ({' or '.join(told)})",
            *(
                f"{level.number} * group by ({WALLET}) ({wallets})"
                for level, wallets in ((FINE, guarded), (UNGUARDED, balance()))
            ),
        ]
    )


def in_level(expression: str, level: Level) -> str:
    """Keep the wallets of an expression whose gravest level is this one."""
    return f"({expression})\nand on ({WALLET}) (({state()}) == {level.number})"


def runway(at: str = "") -> str:
    """Return the seconds until nothing can be spent, of the wallets that end there: not of those paid afterwards."""
    endless = _held(recorded("prepaid_wallet_info:postpaid"), at)
    return f"{_held(recorded('prepaid_runway_seconds:limit'), at)} unless on ({WALLET}) {endless}"


def ends(at: str = "") -> str:
    """Return the runway of the wallets that run dry: one that its provider recharges does not, unless it is told of."""
    enabled = _held(recorded("prepaid_auto_recharge_enabled:last"), at)
    under = _held(recorded("prepaid_auto_recharge_threshold:last"), at)
    recharged = f"({enabled} == 1 and on ({WALLET}) {balance(at)} >= on ({WALLET}) {under})"
    told = _told(_LOW, _URGENT, at=at)
    return (
        f"((max by ({WALLET}) ({runway(at)} unless on ({WALLET}) {recharged})"
        f" or max by ({WALLET}) ({runway(at)} and on ({WALLET}) ({told})))"
        f" unless on ({ACCOUNT}) {refused(at)})"
    )


def due(at: str = "") -> str:
    """Return the seconds until each wallet needs a person, the empty ones first with -1.

    One that is told of without being spent has no end: it stands where its account's runway limit is, among what is as
    urgent.
    """
    told = _told(_LOW, _URGENT, at=at)
    limits = _held(recorded_account("prepaid_account_runway_threshold_seconds:last"), at)
    ways = [
        f"-1 * {empty(at)}",
        ends(at),
        f"min by ({WALLET}) (({told}) * on ({ACCOUNT}, level) group_left () {limits})",
        f"0 * group by ({WALLET}) ({told})",  # of an exporter that gives no limits
    ]
    return "\nor ".join(ways)


def first_due(expression: str, count: int) -> str:
    """Keep the wallets of an expression that need a person first."""
    return f"({expression})\nand on ({WALLET}) bottomk({count}, {due()})"


def empty_at() -> str:
    """Return when each wallet is empty, in milliseconds since 1970 as Grafana takes it; 0 where it is already."""
    return f"0 * {empty()}\nor 1000 * (time() + max by ({WALLET}) ({runway()}))"


def to_buy(days: int) -> str:
    """Return what is missing from each wallet for so many days at the pace that is expected, in whole units."""
    weeks = days / 7
    room = f"max by ({WALLET}) ({recorded('prepaid_balance:room')})"
    ahead = f"max by ({WALLET}) ({recorded('prepaid_spend:ahead7d')})"
    return f"ceil({weeks:g} * {ahead} - {room}) > 0"


def share(at: str = "") -> str:
    """Return each wallet's balance as a share of its gravest threshold: critical, else warning, else info."""
    ratios = [
        recorded("prepaid_balance:threshold_ratio", f'level="{level.name}"') + at
        for level in THRESHOLD_LEVELS
    ]
    return "\nor ignoring (level) ".join(ratios)


def drawn(count: int, *matchers: str) -> str:
    """Select, steadily over the whole range, the wallets that need a person first, then the others."""
    every = _held(recorded("prepaid_balance:last", *matchers), END)
    order = f"{due(END)}\nor 1e10 + 0 * max by ({WALLET}) ({every})"
    return f"bottomk({count}, ({order}) and on ({WALLET}) {every})"


def recharges(*matchers: str) -> str:
    """Return what was added to each wallet in each interval of a graph, however long that is."""
    steps = recorded("prepaid_recharge:step5m", *matchers)
    # A millisecond later: Prometheus 2 counts a step on the edge of a window at both its ends.
    return f"{by_wallet(f'sum_over_time({steps}[$__interval:5m] offset -1ms)')} > 0"


def spend_per_interval(*matchers: str) -> str:
    """Return what each wallet spent in each interval of a graph, which is half an hour or more."""
    halves = of_half_hours("prepaid_spend:every30m", *matchers)
    return by_wallet(f"sum_over_time({halves}[$__interval:30m] offset -1ms)")


def of_half_hours(series: str, *matchers: str) -> str:
    """Return what a rule recorded of the last half hour, once for each half hour, whenever it was evaluated in it.

    A millisecond is missing, since Prometheus 2 counts a sample on the edge of a range at both its ends.
    """
    return f"last_over_time({recorded(series, *matchers)}[29m59s999ms])"


def last_success(at: str = "") -> str:
    """Return when each account was last read, in seconds since 1970, also while its exporter does not answer."""
    read = of_account("prepaid_account_last_success_timestamp_seconds")
    known = " or ".join(
        _held(recorded_account(f"prepaid_account_up:{kind}"), at) for kind in ("max", "unread")
    )
    # Of a day exactly, of the week for which balances are held to half an hour: every sample of it would be too many.
    week = f"last_over_time({read}[1d]{at}) or max_over_time({read}[7d:30m]{at})"
    return f"{by_account(week)} and on ({ACCOUNT}) ({known})"


def reading_age() -> str:
    """Return the seconds since each account's wallets were read."""
    return f"time() - ({last_success()})"


def read_at() -> str:
    """Return when each wallet was read, in milliseconds since 1970 as Grafana takes it."""
    return f"1000 * ({on_wallets(last_success())})"


def top_up_page() -> str:
    """Return a sample for each account with the label `page`: where to top up, else the provider's own dashboard.

    Of two, after a change or from two exporters, it is the newest.
    """
    own = _page("topup_url")
    return f"topk by ({ACCOUNT}) (1, {own} or (2 * {_page('dashboard_url')} unless on ({ACCOUNT}) {own}))"


def on_wallets(account_expression: str, *labels: str) -> str:
    """Repeat an account's value (and text labels) on each of its wallets."""
    return f"{wallets()} * on ({ACCOUNT}) group_left ({', '.join(labels)}) ({account_expression})"


_LOW = "PrepaidBalanceBelow|PrepaidRunway"
_URGENT = f'level=~"{CRITICAL.name}|{WARNING.name}"'
_EXHAUSTED = 'reason="exhausted"'


def _refused_at_once(at: str) -> str:
    of_any_currency = _held(_selector("wallet:prepaid_balance:last", _OF_RECORDED_ACCOUNT), at)
    return f"group by ({ACCOUNT}) ({refused(at)}) unless on ({ACCOUNT}) {of_any_currency}"


def _page(label: str) -> str:
    given = of_account("prepaid_account_info", f'{label}!=""')
    newest = f"timestamp({given}) or max_over_time(timestamp({given})[7d:30m])"
    return by_account(f'label_join({newest}, "page", "", "{label}")', "page")


def _joined(expression: str, *labels: str, last: str = "") -> str:
    # Without `$1`, in which Grafana might see a variable.
    copied = f'label_replace(label_join({expression}, "short", "", "wallet"), "short", "", "short", "main")'
    # The place comes last: a narrow column cuts the end.
    listed = ", ".join(f'"{label}"' for label in (*labels, "short", last, "cluster", "namespace") if label)
    return f'label_replace(label_join({copied}, "who", " ", {listed}), "short", "", "", "")'


def _of_level(level: Level) -> str:
    return f'level="{level.name}"'


def _told(alerts: str, *matchers: str, at: str = "") -> str:
    """Select the wallets of which these alerts tell, by the condition that the rules record for them."""
    condition = recorded("prepaid_alert:condition", f'alert=~"{alerts}"', *matchers)
    return f"{_held(condition, at)} == 1"


def _held(selector: str, at: str) -> str:
    return before_the_end(selector) if at else selector


def _selector(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join(matchers)}}}"
