"""The Exporter dashboard: whether the readings come, from whom they do not, and what they cost."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import panels, queries, tables
from grafana.source.frame import EXPORTER, dashboard, finish
from grafana.source.panels import HALF, Text
from grafana.source.tables import Value

_SLOWEST = 10
_HEIGHT = 10  # of a graph whose legend has as many names, which take up to a third of it
_RATE = "$__rate_interval"
# Exporters are scraped every minute or two; a rate needs several scrapes whatever Grafana was told.
_RATE_STEP = "2m"
_LEGEND = "{{job}} {{instance}}"
_NOT_SCRAPED = "No exporter is scraped: check the job and instance above, and Prometheus' targets."


def exporter() -> model.Dashboard:
    """Build the dashboard."""
    result = dashboard(
        EXPORTER, "The exporter itself: scrapes, upstream requests, failures, reloads, memory."
    )
    result.time("now-24h", "now")
    for panel in _now():
        result.with_panel(panel)
    result.with_panel(_exporters())
    result.with_row(build.Row("Scrapes and collections"))
    result.with_panel(_scrapes()).with_panel(_collections()).with_panel(_ages()).with_panel(_wallets())
    result.with_row(build.Row("Providers"))
    result.with_panel(_requests()).with_panel(_failures()).with_panel(_failing())
    result.with_row(build.Row("Process"))
    return finish(result.with_panel(_memory()).with_panel(_cpu()).with_panel(_files()))


def _now() -> Iterator[stat.Panel]:
    up = queries.by_account(queries.of_account("prepaid_account_up"))
    answering = Text(
        "Answering", "Accounts whose provider gave usable wallets at the last scrape.", "No exporter scraped"
    )
    yield panels.tile(answering, "none", 8, [panels.instant("A", f"sum({up})")])
    unread = Text(
        "Not read",
        "Accounts whose provider gave no usable answer to the last scrape, or whose exporter does not answer.",
        "No exporter scraped",
    )
    failing = f"{queries.recorded_account('prepaid_account_up:unread')} or on ({queries.ACCOUNT}) {up} == 0"
    yield panels.count(unread, "red", 8, f"count({failing}) or 0 * count({up})")
    oldest = Text("Oldest reading", "Age of the oldest reading among all accounts.", "No account read")
    yield panels.tile(oldest, "s", 8, [panels.instant("A", f"max({queries.reading_age()})")])


def _exporters() -> table.Panel:
    text = Text(
        "Exporters",
        "Each exporter, those that do not answer first: its version and start, and whether it runs the configuration "
        "that is on its disk.",
        _NOT_SCRAPED,
    )
    yes_no = {"mappings": tables.words({1: ("Yes", "green"), 0: ("No", "red")})}
    answers = f"1 - {_by_instance('instance:prepaid_exporter:down')}"
    columns: list[tables.Column] = [
        tables.Label("Instance", "instance", {"custom.minWidth": 140}),
        Value("Answers", "answers", answers, settings=yes_no | tables.COLOURED),
        *tables.PLACE_LABELS,
        tables.Label("Version", "version"),
        Value("", "build", _by_instance("prepaid_exporter_build_info", "version")),
        Value("Started", "start", f"1000 * {_of_exporters('process_start_time_seconds')}", "dateTimeFromNow"),
        Value(
            "Last reload worked",
            "reload",
            _by_instance("prepaid_exporter_config_last_reload_successful"),
            settings=yes_no | tables.COLOURED,
        ),
        Value(
            "Configuration from",
            "loaded",
            f"1000 * {_by_instance('prepaid_exporter_config_last_reload_success_timestamp_seconds')}",
            "dateTimeFromNow",
        ),
    ]
    return tables.rows(text, panels.FULL, 6, columns, "Answers", "instance")


def _scrapes() -> timeseries.Panel:
    text = Text(
        "Time of a scrape",
        "How long Prometheus waited for each exporter; it must stay below the scrape timeout.",
        _NOT_SCRAPED,
    )
    took = _of_exporters("scrape_duration_seconds")
    return panels.lines(text, "s", HALF, _HEIGHT, [panels.ranged("took", took, _LEGEND)])


def _collections() -> timeseries.Panel:
    text = Text(
        "Slowest collections",
        f"The {_SLOWEST} accounts whose providers took longest at the end of the range.",
        _NOT_SCRAPED,
    )
    selector = queries.of_account("prepaid_account_collect_duration_seconds")
    slowest = f"topk({_SLOWEST}, {queries.by_account(queries.before_the_end(selector))})"
    took = queries.named(f"({queries.by_account(selector)} and {slowest})")
    return panels.lines(text, "s", HALF, _HEIGHT, [panels.ranged("took", took, "{{who}} ({{provider}})")])


def _ages() -> timeseries.Panel:
    text = Text(
        "Oldest readings",
        f"The {_SLOWEST} accounts that were read longest ago at the end of the range.",
        "No account was read in this range.",
    )
    oldest = f"bottomk({_SLOWEST}, {queries.last_success(queries.END)})"
    age = queries.named(f"(({queries.reading_age()}) and on ({queries.ACCOUNT}) {oldest})")
    return panels.lines(text, "s", HALF, _HEIGHT, [panels.ranged("age", age, "{{who}} ({{provider}})")])


def _wallets() -> timeseries.Panel:
    text = Text(
        "Wallets read",
        "How many wallets had a balance, by provider and currency. "
        "A drop is a failing account or a wallet that is gone.",
        "No balance was read in this range.",
    )
    wallets = f"count by (provider, currency) ({queries.balance_as_read()})"
    target = panels.ranged("wallets", wallets, "{{provider}} ({{currency}})")
    return panels.lines(text, "none", HALF, _HEIGHT, [target])


def _requests() -> timeseries.Panel:
    text = Text(
        "Upstream requests",
        "Requests that were sent to each provider. Compare them with the provider's quota.",
        "No request was sent in this range, or the exporters are scraped through /probe only.",
    )
    rate = _upstream_rate("prepaid_exporter_upstream_requests_total", "provider")
    target = panels.ranged("requests", rate, "{{provider}}").interval(_RATE_STEP)
    return panels.lines(text, "reqps", 8, _HEIGHT, [target])


def _failures() -> timeseries.Panel:
    text = Text(
        "Upstream failures",
        "Requests that failed, by provider and reason, of the providers of the chosen accounts.",
        "No provider failed in this range, or the exporters are scraped through /probe only.",
    )
    # The exporter counts every reason from zero on: only those that occur are drawn.
    rate = f"{_upstream_rate('prepaid_exporter_upstream_failures_total', 'provider', 'reason')} > 0"
    target = panels.ranged("failures", rate, "{{provider}} · {{reason}}").interval(_RATE_STEP)
    return panels.marked(panels.lines(text, "reqps", 8, _HEIGHT, [target]))


def _failing() -> timeseries.Panel:
    text = Text(
        "Failing accounts",
        "How many accounts failed in each bar's time, however short, by provider and reason.",
        "No account failed in this range.",
    )
    failing = queries.of_account("prepaid_account_failure")
    reasons = queries.by_account(f"max_over_time({failing}[$__interval])", "reason")
    target = panels.ranged("failing", f"count by (provider, reason) ({reasons})", "{{provider}} · {{reason}}")
    return panels.marked(panels.lines(text, "none", 8, _HEIGHT, [target]))


def _memory() -> timeseries.Panel:
    text = Text("Memory", "Resident memory of each exporter.", _NOT_SCRAPED)
    used = _of_exporters("process_resident_memory_bytes")
    return panels.lines(text, "bytes", 8, 8, [panels.ranged("used", used, _LEGEND)])


def _cpu() -> timeseries.Panel:
    text = Text("CPU", "Processor time that each exporter uses; 100 % is one core.", _NOT_SCRAPED)
    rate = f"rate({queries.of_exporter('process_cpu_seconds_total')}[{_RATE}])"
    used = queries.scraped_exporters(queries.by_instance(rate))
    target = panels.ranged("used", used, _LEGEND).interval(_RATE_STEP)
    return panels.lines(text, "percentunit", 8, 8, [target])


def _files() -> timeseries.Panel:
    text = Text("Open files", "Open file descriptors of each exporter, connections among them.", _NOT_SCRAPED)
    used = _of_exporters("process_open_fds")
    return panels.lines(text, "none", 8, 8, [panels.ranged("used", used, _LEGEND)])


def _by_instance(family: str, *labels: str) -> str:
    return queries.by_instance(queries.of_exporter(family), *labels)


def _of_exporters(family: str) -> str:
    """Return a family that targets of every kind have."""
    return queries.scraped_exporters(_by_instance(family))


def _upstream_rate(family: str, *labels: str) -> str:
    rate = queries.of_chosen_accounts(f"rate({queries.of_upstream(family)}[{_RATE}])")
    return f"sum by ({', '.join(labels)}) ({rate})"
