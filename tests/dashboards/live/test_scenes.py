"""What the panels say of single situations: a real server holds what an exporter and the rules would have given."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.past import REMEMBERING, remember
from tests.programs import fetch, prometheus, running, until

Json = dict[str, Any]
Panels = Callable[[Json], list[Json]]
Ask = Callable[..., dict[tuple[str, ...], list[tuple[float, float]]]]

DAY = 86400
NOW = 1768456800.0  # 2026-01-15 06:00 UTC
MIDNIGHT = NOW - 6 * 3600
WRITTEN = {"match[]": "wallet:prepaid_balance:last", "start": NOW - DAY, "end": NOW}
SECONDS = {"m": 60, "h": 3600, "d": DAY}
SILENT = 26 * 3600
FAILED = [NOW - 3 * DAY - 7013 * number for number in range(50)]
RECHARGED = [NOW - 6 * DAY + 11 * 3600 * number + 60 * number for number in range(12)]


class Scene:
    """Series that are written down by name and labels, before they are remembered."""

    def __init__(self) -> None:
        self.series: list[tuple[dict[str, str], list[tuple[float, float]]]] = []

    def now(self, name: str, value: float, **labels: str) -> None:
        """Hold a value that has been the same for forty minutes: a wide step of a graph ends so long before now."""
        self.over(name, [(NOW - 120 * ago, value) for ago in range(20, -1, -1)], **labels)

    def over(self, name: str, samples: list[tuple[float, float]], **labels: str) -> None:
        """Hold values over time."""
        self.series.append(({"__name__": name, "job": "prepaid", **labels}, samples))

    def account(
        self,
        account: str,
        *,
        up: float = 1,
        provider: str = "any",
        read: float = NOW - 20,
        limit: float = DAY,
        **place: str,
    ) -> None:
        """Hold what is said of each account."""
        labels = {"provider": provider, "account": account, **place}
        scraped = {"instance": "exporter:10710", **labels}
        self.now("prepaid_account_up", up, **scraped)
        self.now("prepaid_account_last_success_timestamp_seconds", read, **scraped)
        self.now("prepaid_account_collect_duration_seconds", 0.2, **scraped)
        self.now("account:prepaid_account_up:max", up, **labels)
        for level, seconds in (("critical", limit), ("warning", 3 * limit)):
            self.now("account:prepaid_account_runway_threshold_seconds:last", seconds, level=level, **labels)
        if not up:
            self.now("account:prepaid_account_up:unread", 1, **labels)

    def wallet(
        self,
        account: str,
        left: float,
        *,
        runway: float | None = None,
        told: Mapping[str, str] | None = None,
        threshold: float | None = None,
        recharged_under: float | None = None,
        postpaid: bool = False,
        **place: str,
    ) -> None:
        """Hold what the rules record of a wallet; `told` is the alert, and its level, whose condition holds."""
        labels = {"provider": "any", "account": account, "wallet": "main", "currency": "EUR", **place}
        self.now("prepaid_balance", left, instance="exporter:10710", **labels)
        self.now("wallet:prepaid_balance:last", left, **labels)
        self.now("wallet:prepaid_balance:room", left, **labels)
        if runway is not None:
            self.now("wallet:prepaid_runway_seconds:limit", runway, **labels)
        if told:
            self.now("wallet:prepaid_alert:condition", 1, **told, **labels)
        if threshold is not None:
            self.now("wallet:prepaid_balance_threshold:last", threshold, level="critical", **labels)
        if recharged_under is not None:
            self.now("wallet:prepaid_auto_recharge_enabled:last", 1, **labels)
            self.now("wallet:prepaid_auto_recharge_threshold:last", recharged_under, **labels)
        if postpaid:
            self.now("wallet:prepaid_wallet_info:postpaid", 1, **labels)


def scene() -> Scene:
    """Describe every situation, each in an account of its own."""
    result = Scene()
    empty = {"alert": "PrepaidWalletExhausted"}
    below = {"alert": "PrepaidBalanceBelow", "level": "critical"}
    short = {"alert": "PrepaidRunway", "level": "critical"}
    for name in ("nothing-left", "nothing-at-all"):
        result.account(name)
        result.wallet(name, 0, told=empty)
    result.account("two-minutes", provider="any")
    result.wallet("two-minutes", 1, runway=126, told=short)
    result.account("plenty")
    result.wallet("plenty", 500, runway=20 * DAY, threshold=10)
    result.account("unspent-and-low")
    result.wallet("unspent-and-low", 5, told=below, threshold=10)
    result.account("in-its-limit")
    result.wallet("in-its-limit", -5, runway=5 * DAY, threshold=-50)
    result.account("paid-afterwards")
    result.wallet("paid-afterwards", -900, runway=0, postpaid=True)
    result.account("recharged")
    result.wallet("recharged", 60, runway=3600, recharged_under=50)
    result.account("not-recharged")
    result.wallet("not-recharged", 60, runway=7200, recharged_under=50, told=short)
    result.account("failing", up=0, read=NOW - 3000)
    result.wallet("failing", 800, threshold=10)
    result.now(
        "prepaid_account_failure",
        1,
        provider="any",
        account="failing",
        reason="auth",
        instance="exporter:10710",
    )
    # Its exporter has not answered for over a day: what it said is as old, what the rules hold is of now.
    # The provider's dashboard was moved before that.
    gone = {"provider": "any", "account": "silent"}
    earlier = [(NOW - SILENT - 60 * ago, NOW - SILENT - 30) for ago in range(10, -1, -1)]
    result.over("prepaid_account_last_success_timestamp_seconds", earlier, instance="dead:10710", **gone)
    for page, moved in (
        ("https://any.example/", 0),
        ("https://a.example/", 3600),
        ("https://z.example/", 3600),
    ):
        pages = {"dashboard_url": page, "topup_url": "", "instance": "dead:10710"}
        result.over("prepaid_account_info", [(at - moved, 1) for at, _ in earlier], **gone, **pages)
    result.now("account:prepaid_account_up:unread", 1, **gone)
    result.wallet("silent", 70, runway=3 * DAY, threshold=10)
    alive = [(NOW - 7200 - 300 * ago, 0.0) for ago in range(10, -1, -1)]
    silent = [(NOW - 60 * ago, 1.0) for ago in range(119, -1, -1)]
    result.over("instance:prepaid_exporter:down", [*alive, *silent], instance="dead:10710")
    result.now("instance:prepaid_exporter:down", 0, instance="exporter:10710")
    _refused(result)
    # A provider that gives a booked balance only.
    result.account("booked")
    booked = {"provider": "any", "account": "booked", "wallet": "main", "currency": "SMS"}
    result.now("prepaid_settled_balance", 30, instance="exporter:10710", **booked)
    for recorded in ("wallet:prepaid_balance:min", "wallet:prepaid_balance:last"):
        result.now(recorded, 30, **booked)
    # One whose own limits are wide, and which is under its threshold without being spent.
    result.account("unspent-of-a-far-limit", limit=30 * DAY)
    result.wallet("unspent-of-a-far-limit", 5, told=below, threshold=10, currency="CHF")
    unrecorded = {"instance": "exporter:10710", "provider": "any", "account": "unrecorded"}
    result.now("prepaid_account_up", 1, **unrecorded | {"job": "unrecorded"})
    _troubles(result)
    for namespace, left in (("shop", 40), ("labs", 900)):
        result.account("twin", cluster="eu", namespace=namespace)
        result.wallet("twin", left, cluster="eu", namespace=namespace)
    _past(result)
    return result


def _refused(result: Scene) -> None:
    """Hold accounts of which providers say nothing but that nothing is left, one of them from its first answer on."""
    for name in ("refused", "refused-at-once"):
        result.account(name, up=0, read=NOW - 4000)
        labels = {"provider": "any", "account": name, "reason": "exhausted"}
        result.now("prepaid_account_failure", 1, instance="exporter:10710", **labels)
        # As the rules recorded it, until their exporter was stopped for two hours.
        said = [(NOW - 7200 - 60 * ago, 1.0) for ago in range(10, -1, -1)]
        result.over("account:prepaid_account_failure:said", said, **labels)
    result.wallet("refused", 3, runway=60, currency="CHF")


def _troubles(result: Scene) -> None:
    """Hold one of each thing that is broken, beside a refused key and a silent exporter."""
    trouble = {"provider": "any", "account": "trouble", "wallet": "main", "currency": "GBP"}
    result.account("trouble", up=0, read=NOW - 600)
    scraped = {"instance": "exporter:10710"}
    result.now("prepaid_account_failure", 1, provider="any", account="trouble", reason="timeout", **scraped)
    gone = [(NOW - 60 * ago, 5.0) for ago in range(120, -1, -1)]
    result.over("wallet:prepaid_balance:vanished", gone, **trouble)
    for status, since in (("frozen", 1.0), ("active", 0.0)):
        result.now("wallet:prepaid_wallet_status:last", since, prepaid_wallet_status=status, **trouble)
    result.now("wallet:prepaid_expiry_timestamp_seconds:last", NOW + 3 * DAY, **trouble)
    result.now("wallet:prepaid_alert:condition", 1, alert="PrepaidCreditExpiring", **trouble)
    lost = [(NOW - 60 * ago, 1.0) for ago in range(90, -1, -1)]
    result.over("prepaid_wallet_field_missing", lost, field="expiry_timestamp", **scraped, **trouble)
    overdue = {"alert": "PrepaidAutoRechargeOverdue", "provider": "any", "wallet": "main", "currency": "GBP"}
    for account, minutes in (("trouble", 100), ("plenty", 50)):  # told after an hour
        due = [(NOW - 60 * ago, float(ago < minutes)) for ago in range(120, -1, -1)]
        result.over("wallet:prepaid_alert:condition", due, account=account, **overdue)
    node = {"instance": "node:9100"}
    result.now("node_textfile_mtime_seconds", NOW - 5000, file="/var/lib/node/prepaid.prom", **node)
    result.now("up", 1, **node)
    result.now("prepaid_exporter_config_last_reload_successful", 0, **scraped)
    result.now("prepaid_exporter_config_last_reload_success_timestamp_seconds", NOW - 5 * DAY, **scraped)
    undelivered = [(NOW - 60 * ago, max(0.0, 20.0 - ago)) for ago in range(120, -1, -1)]
    result.over(
        "alertmanager_notifications_failed_total",
        undelivered,
        instance="alertmanager:9093",
        integration="webhook",
    )


def _past(result: Scene) -> None:
    """Hold what happened in the weeks before."""
    wallet = {"provider": "any", "account": "plenty", "wallet": "main", "currency": "EUR"}
    # A step is recorded in each minute of the five that it spans.
    steps = {at + 60 * minute: 0.0 for at in RECHARGED for minute in range(-5, 10)}
    for at in RECHARGED:
        steps |= {at // 60 * 60 + 60 * minute: 100.0 for minute in range(5)}
    result.over("wallet:prepaid_recharge:step5m", sorted(steps.items()), **wallet)
    halves = [(NOW - 1800 * ago + 17 * 60, 1.0) for ago in range(48 * 45, 0, -1)]
    result.over("wallet:prepaid_spend:every30m", halves, **wallet)
    result.now("wallet:prepaid_spend:sum30d", 1440, **wallet)
    failing = {"provider": "any", "account": "plenty", "reason": "timeout", "instance": "exporter:10710"}
    result.over(
        "prepaid_account_failure", sorted((at + 60 * n, 1.0) for at in FAILED for n in range(3)), **failing
    )
    both = {"provider": "flexprice", "account": "credits", "wallet": "w1"}
    result.now("wallet:prepaid_balance:last", 5, currency="USD", **both)
    for family, currency in (
        ("credit_balance", "CREDITS"),
        ("conversion_rate", "USD"),
        ("wallet_info", "USD"),
    ):
        result.now(f"prepaid_{family}", 5, instance="exporter:10710", currency=currency, **both)
    for provider in ("any", "other"):
        asked = {"instance": "exporter:10710", "provider": provider}
        failures = [(NOW - 60 * ago, 600.0 - ago) for ago in range(600, -1, -1)]
        result.over("prepaid_exporter_upstream_failures_total", failures, reason="timeout", **asked)
    result.account("elsewhere", provider="other")


@contextlib.contextmanager
def victoriametrics(program: str, folder: Path) -> Iterator[str]:
    """Run VictoriaMetrics; yield its URL."""
    command = [
        program,
        "-storageDataPath=data",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",  # the scene is over
        "-search.disableCache",
        "-httpListenAddr=127.0.0.1:0",
    ]
    with running(command, folder / "store.log", r"started server at http://(\S+)/") as address:
        yield f"http://{address}"


@pytest.fixture(scope="module", params=["debian", "today", "victoriametrics"])
def url(
    request: pytest.FixtureRequest,
    tool: Callable[[str], str],
    today: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run a server that holds the scene: Prometheus of either age, or VictoriaMetrics."""
    folder = tmp_path_factory.mktemp("scene")
    if request.param == "victoriametrics":
        server = victoriametrics(today("victoria-metrics"), folder)
    else:
        server = prometheus(
            {"debian": tool, "today": today}[request.param]("prometheus"), folder, "{}", *REMEMBERING
        )
    with server as address:
        remember(address, scene().series)
        fetch(
            f"{address}/internal/force_flush"
        )  # VictoriaMetrics shows what is written after a second or two
        until(lambda: fetch(f"{address}/api/v1/series", params=WRITTEN).json()["data"], "the scene")
        yield address


@pytest.fixture
def ask(url: str, dashboards: dict[str, Json], panels: Panels, expand: Callable[..., str]) -> Ask:
    """Ask the query of a panel: the samples by the labels that are named, over `days` as wide a graph as `points`."""

    def result(
        board: str,
        title: str,
        ref: str,
        *labels: str,
        days: float = 7,
        points: int = 1000,
        later: float = 0,
        **chosen: str,
    ) -> dict[tuple[str, ...], list[tuple[float, float]]]:
        found = [panel for panel in panels(dashboards[f"prepaid-{board}"]) if panel["title"] == title]
        [(panel, target)] = [
            (panel, target) for panel in found for target in panel["targets"] if target["refId"] == ref
        ]
        least = panel.get("interval", "1m")
        step = max(int(least[:-1]) * SECONDS[least[-1]], round(days * DAY / points))
        expr = expand(target["expr"], **{"__interval": f"{step}s", "account": ".+", **chosen})
        if target.get("instant"):
            answer = fetch(f"{url}/api/v1/query", "POST", data={"query": expr, "time": NOW}).json()
        else:
            start, end = ((NOW + later - ago) // step * step for ago in (days * DAY, 0))
            span = {"query": expr, "start": start, "end": end, "step": step}
            answer = fetch(f"{url}/api/v1/query_range", "POST", data=span).json()
        assert answer["status"] == "success", answer
        return {
            tuple(series["metric"].get(label, "") for label in labels): [
                (float(at), float(value)) for at, value in series.get("values", [series.get("value")])
            ]
            for series in answer["data"]["result"]
        }

    return result


def values(asked: dict[tuple[str, ...], list[tuple[float, float]]]) -> dict[str, float]:
    return {labels[0]: samples[-1][1] for labels, samples in asked.items()}


def test_wallets_stand_in_the_order_in_which_they_are_empty(ask: Ask) -> None:
    due = values(ask("overview", "Act", "due", "account"))
    assert sorted(due, key=lambda account: (due[account], account)) == [
        "nothing-at-all",
        "nothing-left",
        "refused",
        "refused-at-once",
        "two-minutes",
        "not-recharged",
        "unspent-and-low",
        "silent",
        "in-its-limit",
        "plenty",
        "unspent-of-a-far-limit",
    ]


def test_an_empty_wallet_without_a_threshold_is_red_and_counted(ask: Ask) -> None:
    levels = values(ask("overview", "Act", "level", "account"))
    assert levels["nothing-left"] == levels["nothing-at-all"] == 5
    assert values(ask("overview", "Act", "empty", "account"))["nothing-left"] == 0
    [(_, count)] = ask("overview", "To top up now", "A")[()]
    assert count == 8  # both, two that are refused, and what is under its critical limits


def test_an_account_that_is_refused_since_nothing_is_left_is_empty_whatever_was_read(ask: Ask) -> None:
    for title in ("Act", "All wallets"):
        levels = values(ask("overview", title, "level", "account"))
        assert levels["refused"] == levels["refused-at-once"] == 5
    assert values(ask("overview", "Act", "empty", "account"))["refused"] == 0
    assert {"refused", "refused-at-once"} <= set(values(ask("overview", "Act", "wallets", "account")))
    assert ("refused",) not in ask("overview", "Calendar", "date", "account")
    assert values(ask("account", "Balance", "empty", "account"))["refused"] == 3


def test_a_wallet_that_has_only_a_booked_balance_is_drawn_and_its_currency_can_be_chosen(
    ask: Ask, url: str, dashboards: dict[str, Json], expand: Callable[..., str]
) -> None:
    for board, title in (("overview", "Balances in $shown"), ("account", "Balance and thresholds")):
        drawn = ask(board, title, "balance", "account", shown="SMS", currency="SMS", days=0.1)
        assert {value for _, value in drawn["booked",]} == {30}
    for dashboard in dashboards.values():
        query = next(v["query"] for v in dashboard["templating"]["list"] if v["name"] == "currency")
        match = expand(query.removeprefix("label_values(").removesuffix(", currency)"), account=".+")
        asked = {"match[]": match, "start": NOW - 3600, "end": NOW}
        assert "SMS" in fetch(f"{url}/api/v1/label/currency/values", params=asked).json()["data"]


def test_the_next_to_be_empty_is_not_one_that_is_empty(ask: Ask) -> None:
    [(labels, [(_, date)])] = ask("overview", "Next empty", "A", "account").items()
    assert labels == ("two-minutes",)
    assert date == 1000 * (NOW + 126)


def test_a_wallet_inside_its_credit_limit_lasts_to_its_end_and_one_paid_afterwards_has_none(ask: Ask) -> None:
    lasting = values(ask("overview", "All wallets", "runway", "account"))
    assert lasting["in-its-limit"] == 5 * DAY
    assert "paid-afterwards" not in lasting
    assert values(ask("account", "Runway", "fine", "account"))["in-its-limit"] == 5 * DAY


def test_an_old_reading_is_not_fine(ask: Ask) -> None:
    shown = {
        level: set(values(ask("account", "Balance", level, "account")))
        for level in ("fine", "unread", "critical")
    }
    assert shown == {
        "fine": {"plenty", "in-its-limit"},
        "unread": {"failing", "silent"},
        "critical": {"two-minutes", "not-recharged", "unspent-and-low", "unspent-of-a-far-limit"},
    }


def test_each_broken_thing_is_told_with_the_time_since_when(ask: Ask) -> None:
    told = ask("overview", "Broken", "broken", "what", "who", "reason")
    words = {(what, who.strip(), reason): samples[0][1] for (what, who, reason), samples in told.items()}
    assert words == {
        ("Exporter silent", "dead:10710", ""): 1000 * (NOW - 7200),
        ("Reload failed", "exporter:10710", ""): 1000 * (NOW - 5 * DAY),
        ("Pages lost", "alertmanager:9093", "webhook"): pytest.approx(1000 * (NOW - 1200), abs=3e5),
        ("Textfile old", "node:9100", ""): 1000 * (NOW - 5000),
        ("Refused: empty", "refused", "exhausted"): 1000 * (NOW - 4000),
        ("Refused: empty", "refused-at-once", "exhausted"): 1000 * (NOW - 4000),
        ("Field missing", "trouble", "expiry_timestamp"): pytest.approx(1000 * (NOW - 5400), abs=3e5),
        ("Recharge overdue", "trouble", ""): pytest.approx(1000 * (NOW - 6000), abs=3e5),
        ("Key refused", "failing", "auth"): 1000 * (NOW - 3000),
        ("Failing", "trouble", "timeout"): 1000 * (NOW - 600),
        ("Wallet vanished", "trouble", ""): pytest.approx(1000 * (NOW - 7200), abs=3e5),
        ("Not active", "trouble", "frozen"): 1,  # longer than is looked back
        ("Expiring", "trouble", ""): 1000 * (NOW + 3 * DAY),
    }
    [(_, count)] = ask("overview", "Broken", "A")[()]
    assert count == len(words)


def test_rules_that_record_nothing_are_broken_and_so_is_a_job_without_an_exporter(ask: Ask) -> None:
    told = ask("overview", "Broken", "broken", "what", "who", "board", job="unrecorded")
    assert {(what, who.strip(), board) for what, who, board in told} == {
        ("Rules missing", "", "prepaid-exporter")
    }
    assert set(ask("overview", "Broken", "broken", "what", job="no-such-job")) == {("No exporter",)}


def test_a_row_of_what_is_broken_leads_to_its_account_or_its_exporter(ask: Ask) -> None:
    told = ask("overview", "Broken", "broken", "what", "board", "instance", "provider", "account")
    leads = {what: place for what, *place in told}
    assert leads["Exporter silent"] == ["prepaid-exporter", "dead:10710", "All", "All"]
    assert leads["Pages lost"] == ["prepaid-exporter", "All", "All", "All"]
    assert leads["Key refused"] == ["prepaid-account", "All", "any", "failing"]
    assert leads["Not active"] == ["prepaid-account", "All", "any", "trouble"]


def test_what_a_dead_exporter_said_is_still_there(ask: Ask) -> None:
    [(_, oldest)] = ask("overview", "Oldest reading", "A")[()]
    assert oldest == SILENT + 30
    assert values(ask("account", "Reading age", "A", "account"))["silent"] == SILENT + 30
    pages = ask("overview", "All wallets", "page", "account", "page")
    assert (
        "silent",
        "https://any.example/",
    ) in pages  # where the provider has no page to top up: its dashboard


@pytest.mark.parametrize("points", [1000, 350])
def test_every_recharge_is_marked_with_its_amount_at_any_width(ask: Ask, points: int) -> None:
    [marks] = ask(
        "overview", "Balances in $shown", "recharges", "account", points=points, shown="EUR"
    ).values()
    assert [amount for _, amount in marks] == [100] * len(RECHARGED)
    assert ask("overview", "Balances in $shown", "recharges", "account", shown="USD") == {}


def test_recharges_are_listed_once_each(ask: Ask) -> None:
    [listed] = ask("overview", "Recharges", "recharges", "account", points=3000).values()
    assert [amount for _, amount in listed] == [100] * len(RECHARGED)


@pytest.mark.parametrize("points", [1000, 350])
def test_every_failure_is_drawn(ask: Ask, points: int) -> None:
    drawn = ask(
        "account", "Failures by reason", "reasons", "reason", days=10, points=points, account="plenty"
    )
    step = round(10 * DAY / points)
    assert len(drawn["timeout",]) >= len({at // step for at in FAILED})


def test_a_wallet_with_money_and_credits_is_one_row(ask: Ask) -> None:
    rows = set()
    for ref in ("names", "credits", "rate"):
        rows |= set(
            ask("account", "Beside the balance", ref, "account", "wallet", "currency", account="credits")
        )
    assert rows == {("credits", "w1", "USD")}


def test_today_is_among_the_days_from_its_first_half_hour_on(ask: Ask) -> None:
    [days] = ask("overview", "Spend a day in $shown", "most", "account", days=30, shown="EUR").values()
    assert days[-1] == (MIDNIGHT, 12)  # six hours of a half each
    assert {spent for _, spent in days[:-1]} == {48}


@pytest.mark.parametrize("days", [7, 40])
def test_no_hour_is_dropped_from_the_spend_over_a_long_time(ask: Ask, days: int) -> None:
    [bars] = ask("account", "Spend by hour", "spend", "account", days=days, points=500).values()
    assert sum(spent for _, spent in bars) == pytest.approx(48 * days, abs=4)


def test_upstream_failures_are_those_of_the_chosen_account(ask: Ask) -> None:
    title = "Upstream failures"
    assert set(ask("exporter", title, "failures", "provider", days=0.3)) == {("any",), ("other",)}
    assert set(ask("exporter", title, "failures", "provider", days=0.3, account="elsewhere")) == {("other",)}


def test_this_month_is_what_came_since_its_first_day(ask: Ask) -> None:
    [(_, spent)] = ask("overview", "Money", "month", "currency")["EUR",]
    assert spent == pytest.approx(48 * 14 + 12, abs=1)


def test_the_calendar_lists_what_runs_dry_but_for_what_is_recharged(ask: Ask) -> None:
    dates = ask("overview", "Calendar", "date", "what", "account")
    assert {account for what, account in dates if what == "Runs dry"} == {
        "two-minutes",
        "not-recharged",
        "silent",
        "in-its-limit",
        "plenty",
    }
    assert [account for what, account in dates if what == "Credit expires"] == ["trouble"]


def test_accounts_of_one_name_are_told_apart_by_their_place_and_can_be_chosen(ask: Ask) -> None:
    chosen = {"account": "twin"}
    for title, ref in (("Balance", "unguarded"), ("Answering", "A"), ("Reading age", "A")):
        names = {who.strip() for (who,) in ask("account", title, ref, "who", **chosen)}
        assert len(names) == 2
        assert {name.split()[-1] for name in names} == {"shop", "labs"}  # a narrow column cuts the end
        [one] = ask("account", title, ref, "namespace", namespace="shop", **chosen)
        assert one == ("shop",)
    listed = ask("overview", "All wallets", "balance", "cluster", "namespace", "account")
    assert {("eu", "shop", "twin"), ("eu", "labs", "twin"), ("", "", "plenty")} <= set(listed)


def test_an_empty_choice_of_a_link_is_what_has_no_namespace(ask: Ask) -> None:
    without = {"cluster": "", "namespace": ""}
    assert ("twin",) not in ask("overview", "All wallets", "balance", "account", **without)
    assert ("plenty",) in ask("overview", "All wallets", "balance", "account", **without)


@pytest.mark.parametrize(
    ("board", "title", "ref"),
    [
        ("overview", "Balances in $shown", "recharges"),
        ("overview", "Balances and thresholds in $currency", "critical"),
        ("exporter", "Slowest collections", "took"),
        ("exporter", "Oldest readings", "age"),
    ],
)
def test_what_is_drawn_is_chosen_also_where_the_range_ends_in_a_gap(
    ask: Ask, board: str, title: str, ref: str
) -> None:
    # As after a restart of Prometheus, since Grafana rounds the end of a range down.
    chosen = {"shown": "EUR", "currency": "EUR"}
    assert ask(board, title, ref, "account", later=1200, days=1, **chosen)


def test_what_is_held_is_not_lessened_by_what_is_owed(ask: Ask) -> None:
    [(_, held)] = ask("overview", "Money", "held", "currency")["EUR",]
    assert held == 1 + 500 + 5 + 60 + 60 + 800 + 70 + 40 + 900  # and -5, -900 are debts


def test_what_keeps_all_else_from_being_told_is_broken_first(ask: Ask) -> None:
    ranked = sorted((rank, what) for what, rank in ask("overview", "Broken", "broken", "what", "rank"))
    assert ranked == [
        ("1", "Exporter silent"),
        ("1", "Pages lost"),
        ("1", "Reload failed"),
        ("1", "Textfile old"),
        ("2", "Failing"),
        ("2", "Field missing"),
        ("2", "Key refused"),
        ("2", "Not active"),
        ("2", "Recharge overdue"),
        ("2", "Refused: empty"),
        ("2", "Wallet vanished"),
        ("3", "Expiring"),
    ]


def test_an_exporter_that_does_not_answer_is_among_the_exporters(ask: Ask) -> None:
    answers = values(ask("exporter", "Exporters", "answers", "instance"))
    assert answers == {"exporter:10710": 1, "dead:10710": 0}


def test_the_oldest_readings_are_drawn_also_while_the_exporter_is_silent(ask: Ask) -> None:
    drawn = ask("exporter", "Oldest readings", "age", "account", days=0.1)
    assert drawn["silent",][-1][1] == pytest.approx(SILENT + 30, abs=60)


def test_a_wallet_that_cannot_be_read_is_graver_than_an_information(ask: Ask) -> None:
    levels = values(ask("overview", "All wallets", "level", "account"))
    order = sorted({levels["plenty"], levels["failing"], levels["unspent-and-low"]})
    assert order == [levels["plenty"], levels["failing"], levels["unspent-and-low"]]


def test_an_account_that_has_no_end_has_no_limits_beside_its_runway(ask: Ask) -> None:
    assert ask("account", "Runway over time", "limits", "level", account="paid-afterwards") == {}


def test_accounts_of_a_silent_exporter_are_counted_as_not_read(ask: Ask) -> None:
    [(_, count)] = ask("exporter", "Not read", "A")[()]
    assert count == 5  # failing, trouble, silent, and two that are refused
