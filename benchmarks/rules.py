"""Measure what the shipped rules cost a Prometheus that watches many accounts, each with a past.

Without the past nothing is measured: most of the work is reading the windows of a day, a week and a month. So a server
is first told samples for all that any rule looks back at, then it scrapes a page and evaluates the rules for some
minutes. Exit status 1 when Prometheus takes more of a processor than the target.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from scripts import go_tools
from scripts.past import REMEMBERING, remember
from tests.programs import fetch, prometheus, until
from tests.year.figures import RULES, load

_TARGET = 2.0
_MINUTE = 60
_LOOKBACK = 5 * _MINUTE
_BATCH = 200_000
"""Samples in one message."""

_LEVELS = [{"level": "critical"}, {"level": "warning"}]
_FIELDS: list[dict[str, str]] = [
    *({"field": f"thresholds.{each['level']}", **each} for each in _LEVELS),
    *({"field": f"auto_recharge_{name}"} for name in ("enabled", "threshold", "amount")),
]
_BESIDE: tuple[tuple[str, list[dict[str, str]]], ...] = (
    (
        r".*:(ignored|vanished|lost|down|postpaid|young|passed|missing|lasting|small|unusual1h|sudden1h|burst30m)|account:prepaid_account_failure:.*",
        [],
    ),
    (r"wallet:prepaid_(wallet_status|alert_state|balance_cached|credit_limit|expiry|quota).*", []),
    (r"account:prepaid_account_up:(said|said30m|remembered|known)", [{"instance": "exporter"}]),
    (
        r"account:.*runway_threshold.*|wallet:prepaid_runway:share|wallet:prepaid_balance_threshold:last",
        _LEVELS,
    ),
    (r"wallet:prepaid_wallet:(given|read|read30m)", _FIELDS),
    (r"wallet:prepaid_alert:condition", [{"alert": "PrepaidAutoRechargeOverdue"}]),
)
"""What recorded series have beside the labels of their wallet or account; nothing where nothing is the matter."""

_VALUES = (
    (r"account:.*_timestamp_seconds.*", time.time()),
    (r"wallet:prepaid_alert:condition|wallet:prepaid_recharge:.*", 0.0),
    (r"wallet:prepaid_(balance:.*|auto_recharge_amount:last)", 900.0),
    (r"wallet:prepaid_auto_recharge_threshold:last", 100.0),
    (r".*5m", 0.5),
    (r".*every30m", 3.0),
    (r".*1h", 6.0),
    (r".*(6h|quarter)", 36.0),
    (r".*(1d|day)", 144.0),
    (r"wallet:prepaid_runway:share", 2.0),
    (r".*", 1.0),
)
"""About what they were: a wallet that spends six an hour, of which nobody has to be told."""

Labels = dict[str, str]


def accounts(count: int) -> Iterator[Labels]:
    """List the accounts."""
    for number in range(count):
        yield {"job": "prepaid", "provider": f"provider{number % 50}", "account": f"account{number:04}"}


def wallets(count: int) -> Iterator[Labels]:
    """List the wallets, one to three an account."""
    for number, account in enumerate(accounts(count)):
        for wallet in range(1 + number % 3):
            yield {**account, "wallet": f"wallet_{wallet}", "currency": ("USD", "EUR", "INR")[wallet]}


def page(count: int, spent: float) -> str:
    """Write what an exporter would say of them once each wallet has spent an amount."""
    now = time.time()
    lines = [
        'prepaid_exporter_build_info{version="0"} 1',
        "prepaid_exporter_config_last_reload_successful 1",
        f"prepaid_exporter_config_last_reload_success_timestamp_seconds {now - 86400}",
    ]

    def line(name: str, labels: Labels, value: float, **more: str) -> None:
        own = {**labels, **more}
        del own["job"]
        named = ",".join(f'{key}="{text}"' for key, text in own.items())
        lines.append(f"{name}{{{named}}} {value}")

    for account in accounts(count):
        line("prepaid_account_up", account, 1)
        line("prepaid_account_info", account, 1, provider_title="P", dashboard_url="", topup_url="")
        line("prepaid_account_last_success_timestamp_seconds", account, now)
        line("prepaid_account_runway_threshold_seconds", account, 86400, level="critical")
        line("prepaid_account_runway_threshold_seconds", account, 259200, level="warning")
    for wallet in wallets(count):
        line("prepaid_balance", wallet, 900 - spent)
        line("prepaid_balance_threshold", wallet, 50, level="critical")
        line("prepaid_balance_threshold", wallet, 100, level="warning")
        line("prepaid_auto_recharge_enabled", wallet, 1)
        line("prepaid_auto_recharge_threshold", wallet, 100)
        line("prepaid_auto_recharge_amount", wallet, 500)
        line("prepaid_wallet_info", wallet, 1, wallet_name="", wallet_type="PRE_PAID", customer="")
    return "\n".join(lines) + "\n"


def looked_back(groups: list[dict[str, Any]]) -> Iterator[tuple[str, float, float]]:
    """Return which series the rules read, and how many seconds ago these windows begin and end."""

    def walk(node: Any, begin: float, end: float) -> Iterator[tuple[str, float, float]]:
        if isinstance(node, promql_parser.MatrixSelector):
            yield from walk(node.vector_selector, begin + node.range.total_seconds(), end)
            return
        if isinstance(node, promql_parser.SubqueryExpr) and node.range:
            begin += node.range.total_seconds()
        ago = getattr(node, "offset", None)
        begin, end = (each + (ago.total_seconds() if ago else 0) for each in (begin, end))
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name or "", begin, end
        inner = [getattr(node, name, None) for name in ("expr", "lhs", "rhs")]
        for child in [*inner, *getattr(node, "args", [])]:
            if child is not None:
                yield from walk(child, begin, end)

    for group in groups:
        for rule in group["rules"]:
            yield from walk(promql_parser.parse(rule["expr"]), 0, 0)


Moments = list[int]


def past(count: int, groups: list[dict[str, Any]], now: float) -> Iterator[tuple[Labels, Moments]]:
    """Return each series that the rules read of the past, with its times."""
    every = {
        rule["record"]: _seconds(group) for group in groups for rule in group["rules"] if "record" in rule
    }
    wanted: dict[str, set[int]] = {}
    for name, begin, end in looked_back(groups):
        if step := every.get(name, 0 if name.startswith("ALERTS") else _MINUTE):
            first = (now - begin - max(_LOOKBACK, step)) // step + 1
            last = (now - end) // step
            wanted.setdefault(name, set()).update(range(int(first), int(last) + 1))
    # The page itself is scraped, once it is known.
    for name in sorted(wanted.keys() & every.keys()):
        step = every[name]
        moments = [step * number for number in sorted(wanted[name])]
        more: list[dict[str, str]] = next(
            (labels for pattern, labels in _BESIDE if re.fullmatch(pattern, name)), [{}]
        )
        places = wallets(count) if name.startswith("wallet:") else accounts(count)
        if name.startswith("instance:"):
            places = iter([{"job": "prepaid", "instance": "exporter"}])
        for place in places:
            for labels in more:
                yield {"__name__": name, **place, **labels}, moments


def _seconds(group: Mapping[str, Any]) -> int:
    return _MINUTE * int(group["interval"].removesuffix("m"))


def tell(url: str, series: Iterator[tuple[Labels, Moments]]) -> int:
    """Write the past, with values that differ a little; return how many samples it has."""
    draw = random.Random(1)  # noqa: S311
    told, batch, size = 0, [], 0
    values: dict[str, list[float]] = {}
    for labels, moments in series:
        name = labels["__name__"]
        if name not in values:
            value = next(value for pattern, value in _VALUES if re.fullmatch(pattern, name))
            # A balance that jumped would be spend that somebody is told of.
            changing = bool(re.match(r"wallet:prepaid_(spend|runway)", name))
            values[name] = [round(value * (1 + changing * draw.random() / 10), 2) for _ in moments]
        batch.append((labels, list(zip(moments, values[name], strict=True))))
        size += len(moments)
        if size > _BATCH:
            remember(url, batch)
            told, batch, size = told + size, [], 0
    remember(url, batch)
    return told + size


class Exporter(BaseHTTPRequestHandler):
    """An exporter whose wallets all spend the same."""

    accounts = 0
    begun = time.time()

    def do_GET(self) -> None:
        """Answer with the page."""
        body = page(self.accounts, (time.time() - self.begun) / 600).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def told_of(url: str, name: str) -> dict[str, float]:
    """Return a family that Prometheus tells of itself, by its labels."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", fetch(f"{url}/metrics").text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def measure(program: str, count: int, minutes: int, groups: list[dict[str, Any]]) -> float:
    """Run one Prometheus; print what its rules take, and return the seconds of a processor a minute."""
    minutely = {group["name"] for group in groups if _seconds(group) == _MINUTE}
    with tempfile.TemporaryDirectory() as name, ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = Path(name)
        shutil.copytree(RULES[0].parent, folder / "rules")
        target = {"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"instance": "exporter"}}
        job = {"job_name": "prepaid", "scrape_timeout": "30s", "static_configs": [target]}
        settings = {"global": {"scrape_interval": "1m", "evaluation_interval": "1m"}}
        with prometheus(program, folder, "{}", *REMEMBERING, "--web.enable-lifecycle") as url:
            told = tell(url, past(count, groups, time.time()))
            (folder / "prometheus.yml").write_text(
                yaml.safe_dump({**settings, "scrape_configs": [job], "rule_files": ["rules/*.yml"]})
            )
            fetch(f"{url}/-/reload", "POST").raise_for_status()

            def evaluated() -> list[str]:
                said = fetch(f"{url}/api/v1/rules").json()["data"]["groups"]
                return [each["lastEvaluation"] for each in said if each["name"] in minutely]

            seen = set()

            def often(times: int) -> Callable[[], bool]:
                def check() -> bool:
                    seen.update(evaluated())
                    return len(seen) > times * len(minutely)

                return check

            # What is missing at first is told of until groups of four minutes have been evaluated twice.
            until(often(8), "evaluation of every group", pause=5)
            seen.clear()
            before, begun = told_of(url, "process_cpu_seconds_total")[""], time.monotonic()
            until(often(minutes), "evaluation of every group", pause=5)
            spent = told_of(url, "process_cpu_seconds_total")[""] - before
            processor = spent / (time.monotonic() - begun) * _MINUTE
            report(url, count, told, processor, groups)
        server.shutdown()
    return processor


def report(url: str, count: int, told: int, processor: float, groups: list[dict[str, Any]]) -> None:
    """Print what a server tells of its rules, the dearest ones among them; `processor` is what the program takes."""
    took = told_of(url, "prometheus_rule_group_last_duration_seconds")
    lasted = sum(
        value * _MINUTE / _seconds(group)
        for group in groups
        for labels, value in took.items()
        if f';{group["name"]}"' in labels
    )
    version = re.search(r'\bversion="([^"]+)', next(iter(told_of(url, "prometheus_build_info"))))
    print(
        f"Prometheus {version[1] if version else 'of no version'}, {count} accounts, {told:,} samples of the past:"
    )
    print(
        f"  {lasted:.2f} s a minute for all groups; the program takes {processor:.2f} s of processor a minute"
    )
    said = fetch(f"{url}/api/v1/rules").json()["data"]["groups"]
    alerts = sum(len(rule.get("alerts", [])) for each in said for rule in each["rules"])
    print(f"  {alerts} alerts, the texts of which are part of the cost")
    rules = [
        (rule["evaluationTime"], rule["name"], rule.get("labels", {}))
        for each in said
        for rule in each["rules"]
    ]
    for seconds, record, labels in sorted(rules, key=lambda rule: -rule[0])[:15]:
        print(f"  {seconds:.3f} s {record} {labels.get('alert', '')}")
    failed = [rule["lastError"] for each in said for rule in each["rules"] if rule.get("lastError")]
    if failed:
        raise SystemExit(f"rules fail: {failed[:3]}")


def main() -> int:
    """Measure both ages of Prometheus, as far as they are there; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument(
        "--minutes", type=int, default=8, help="a multiple of four, so that every group has its share"
    )
    parser.add_argument("--prometheus", help="only this program")
    options = parser.parse_args()
    Exporter.accounts = options.accounts
    groups = load(RULES)
    today = go_tools.kept("prometheus") / "prometheus"
    found = (
        [options.prometheus]
        if options.prometheus
        else [shutil.which("prometheus"), today.exists() and str(today)]
    )
    taken = [measure(program, options.accounts, options.minutes, groups) for program in found if program]
    return 0 if taken and max(taken) <= _TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
