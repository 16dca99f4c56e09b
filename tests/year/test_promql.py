"""The evaluator against promtool: what it understands on random series, and the shipped rules on some hours."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import promql_parser
import pytest
import yaml

from tests.year.figures import RULES, load
from tests.year.promql import NotUnderstoodError, Vector, Year
from tests.year.wallets import Recharge, TopUp, Usage, Wallet
from tests.year.windows import Array
from tests.year.world import START, Account, Exporter, scraped
from tests.year.world import Year as World

Json = dict[str, Any]
MINUTES = 240
EXPRESSIONS = """
a offset 7m
a offset 1ms
-a
last_over_time(a[4m30s])
last_over_time(a[5m] offset 5m)
last_over_time(a[30m] offset 1ms)
present_over_time(a[3m])
count_over_time(a[14m30s])
sum_over_time(a[1h:5m] offset 1ms)
avg_over_time(a[9m30s])
min_over_time(a[59m30s])
max_over_time(a[7m] offset 20m)
changes(a[29m30s])
changes(a[30m:5m])
count_over_time((a > 3)[30m:5m] offset 1ms)
present_over_time((min_over_time(a[5m30s]) > 1 and a offset 5m > 1)[4m30s:1m])
a + on (x) group_left () b
b - ignoring (y) group_right () a
a * on (x, y) a offset 10m
a / 4 - 1
10 - a > 4
a > on (x) group_left () b
b < ignoring (x) b offset 3m
a >= 3 <= 6
a and on (x) b
a unless on (x) b == 2
a unless ignoring (y) b
b or on (x) a
(a or b) and a offset 1m
sum by (x) (a)
max without (y) (a)
min by (y) (a)
count without (x) (a)
group by (y) (a > 2)
quantile without (y) (0.34, a)
quantile by (y) (0.5, a or b)
label_replace(a, "of", "$1-1", "y", "(p|q)")
max without (of) (label_replace(a, "of", "1", "", "") or label_replace(a offset 9m, "of", "2", "", ""))
clamp(a, 2, 5)
clamp_min(a - 4, 0)
clamp_max(b, 1)
absent(a)
absent(a{x="1"} == 7)
time() - a > 0
0 * last_over_time(a[9m30s]) + Inf
a{y=~"(?i)P|r"}
a{x!="1", y!~"q.*"}
""".strip().splitlines()
"""Each kind of thing that the rules do, and its edges."""


def written(values: Array) -> str:
    """Write a series as promtool reads it, with a marker where it ends, as a scrape leaves one."""
    there = ~np.isnan(values)
    ended = np.concatenate(([False], there[:-1])) & ~there
    texts = [
        repr(float(value)) if here else "stale" if mark else "_"
        for value, here, mark in zip(values, there, ended, strict=True)
    ]
    return " ".join(texts)


def named(key: Sequence[tuple[str, str]]) -> str:
    """Write labels as a selector."""
    return "{" + ",".join(f"{name}={json.dumps(text)}" for name, text in key) + "}"


def samples(vector: Vector, minute: int) -> list[Json]:
    """List what a vector has at a minute."""
    at = [(key, float(values[minute])) for key, values in vector.items()]
    return [{"labels": named(key), "value": value} for key, value in at if not np.isnan(value)]


def promtool(
    program: str, folder: Path, series: Sequence[tuple[str, Array]], test: Json, rules: Sequence[Path] = ()
) -> None:
    """Let promtool find everything as expected."""
    given = [{"series": key, "values": written(values)} for key, values in series]
    document = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in load(rules)],
        "tests": [{"interval": "1m", "input_series": given, **test}],
    }
    (folder / "expected.test.yml").write_text(yaml.dump(document, Dumper=yaml.CSafeDumper))
    command = [program, "test", "rules", str(folder / "expected.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def random_series(chance: random.Random) -> Iterator[tuple[str, dict[str, str], Array]]:
    """Draw series of small whole numbers with gaps."""
    for name, labels in (
        ("a", {"x": "1", "y": "p"}),
        ("a", {"x": "1", "y": "q"}),
        ("a", {"x": "2", "y": "p"}),
        ("b", {"x": "1"}),
    ):
        values = np.array([float(chance.randint(0, 8)) for _ in range(MINUTES)])
        for _ in range(6):
            begin = chance.randrange(MINUTES)
            values[begin : begin + chance.choice((1, 2, 6, 15))] = np.nan
        yield name, labels, values


@pytest.mark.slow
def test_expressions_are_what_promtool_says(today: Callable[[str], str], tmp_path: Path) -> None:
    chance = random.Random(7)
    year, series = Year(0, MINUTES), []
    for name, labels, values in random_series(chance):
        year.put(name, labels, values)
        series.append((name + named(list(labels.items())), values))
    tests: list[Json] = []
    for expression in EXPRESSIONS:
        result = year.vector(promql_parser.parse(expression))
        tests += [
            {"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples(result, minute)}
            for minute in chance.sample(range(70, MINUTES), 8)
        ]
    promtool(today("promtool"), tmp_path, series, {"promql_expr_test": tests})


def account() -> Account:
    """Make an account in which much happens in a few hours."""
    usage = Usage(700.0, "flat")
    recharge = Recharge(50, 60, (5, 20), off=((110, 180),))
    topup = TopUp(30, 100, (0.5, 1), 0.0)
    wallets = (
        Wallet(usage, 50.0, thresholds={"critical": 30.0}, topup=topup, limit=5.0, vanished=((150, 170),)),
        Wallet(usage, 60.0, id="second", recharge=recharge, frozen=((20, 40),)),
    )
    return Account("busy", wallets, outages=((40, 62, "timeout"), (98, 110, "auth")))


@pytest.mark.slow
def test_the_shipped_rules_give_what_promtool_gives(today: Callable[[str], str], tmp_path: Path) -> None:
    length = 180
    world, year = World(1, length), Year(0, length)
    world.exporter = Exporter(((75, 85), (120, 135)), ((120, 135),), ((5, 15),))
    series: dict[str, Array] = {}
    for name, labels, values in scraped(world.seen(account(), 0)):
        clock = START if name.endswith("timestamp_seconds") else 0  # promtool's begins at 0
        series[name + named(list(labels.items()))] = values - clock
    for name, labels, values in parsed(series):
        year.put(name, labels, values)
    groups = [{**group, "interval": "1m"} for group in load(RULES)]  # as promtool takes every group
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    alerts = year.run(groups, keep=recorded)
    tests: list[Json] = []
    for minute in (13, 39, 61, 84, 109, 134, 159, 178):
        firing = [
            {
                "labels": named(
                    [
                        ("__name__", "ALERTS"),
                        ("alertname", alert.name),
                        ("alertstate", "firing"),
                        *alert.labels.items(),
                    ]
                ),
                "value": 1,
            }
            for alert in alerts
            if any(begin <= minute < end for begin, end in alert.firing)
        ]
        tests.append(
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": firing}
        )
        tests += compared(year, recorded, minute)
    assert len({alert.name for alert in alerts}) > 10
    promtool(today("promtool"), tmp_path, list(series.items()), {"promql_expr_test": tests}, RULES)


def parsed(series: Mapping[str, Array]) -> Iterator[tuple[str, dict[str, str], Array]]:
    """Return series by name and labels."""
    for key, values in series.items():
        selector = promql_parser.parse(key)
        assert isinstance(selector, promql_parser.VectorSelector)
        yield (
            str(selector.name),
            {matcher.name: matcher.value for matcher in selector.matchers.matchers},
            values,
        )


def compared(year: Year, names: set[str], minute: int) -> Iterator[Json]:
    """Make tests of all that is recorded at a minute: which series there are, and that their values are near."""
    for name in sorted(names):
        at = [
            (key, values[minute])
            for key, values in year.recorded(name).items()
            if not np.isnan(values[minute])
        ]
        count = [{"labels": "{}", "value": len(at)}] if at else []
        yield {"expr": f"count({name})", "eval_time": f"{minute}m", "exp_samples": count}
        for key, value in at:
            number, tolerance = f"{value:.12g}".replace("inf", "Inf"), 1e-6 * (1 + abs(value))
            near = (
                f"abs({named(key)} - {number}) < {tolerance:.3g}"
                if np.isfinite(value)
                else f"{named(key)} == {number}"
            )
            yield {
                "expr": f"count({near})",
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"record": "x:y", "expr": "rate(a[5m])"}], "x:y: rate"),
        ([{"record": "x:y", "expr": "a @ 5"}], "x:y: a selector with @"),
        ([{"record": "x:y", "expr": "a > bool 1"}], "x:y: bool"),
        ([{"record": "x:y", "expr": "x:z"}, {"record": "x:z", "expr": "a"}], "x:y reads x:z"),
        ([{"record": "x:y", "expr": "x:y or a"}], "x:y reads x:y"),
        ([{"alert": "X", "expr": "a", "for": "1m", "keep_firing_for": "5m"}], "X: keep_firing_for"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(rules: list[Json], said: str) -> None:
    year = Year(0, 20)
    year.put("a", {}, np.ones(20))
    with pytest.raises(NotUnderstoodError, match=said):
        year.run([{"name": "group", "rules": rules}])


def test_a_sample_stands_until_its_own_group_is_evaluated_again_whatever_else_has_its_name() -> None:
    year = Year(0, 10)
    year.put("given", {}, np.array([1.0] * 4 + [np.nan] * 6))
    kinds = {"often": "1m", "seldom": "3m"}
    groups = [
        {
            "name": kind,
            "interval": every,
            "rules": [{"record": "recorded", "labels": {"kind": kind}, "expr": "given"}],
        }
        for kind, every in kinds.items()
    ]
    seen = {"name": "seen", "interval": "1m", "rules": [{"record": "seen", "expr": "recorded"}]}
    year.run([*groups, seen], keep=["seen"])
    there = {dict(key)["kind"]: (~np.isnan(values)).sum() for key, values in year.recorded("seen").items()}
    assert there == {"often": 4, "seldom": 6}
