"""Which rules a unit test is run with: all that could make a difference to it."""

from typing import Any

import pytest

from tests.alerting.slices import silenced, sliced

Json = dict[str, Any]


def kept(world: Json, *rules: Json) -> list[str]:
    """List the names of the rules that a unit test is run with."""
    groups = [{"name": "first", "rules": list(rules[:1])}, {"name": "second", "rules": list(rules[1:])}]
    return [rule.get("record") or rule["alert"] for group in sliced(world, groups) for rule in group["rules"]]


def world(*given: str, query: str = "asked", until: str = "1h") -> Json:
    series = [{"series": one, "values": "1x60"} for one in given]
    return {"input_series": series, "promql_expr_test": [{"expr": query, "eval_time": until}]}


@pytest.mark.parametrize(
    ("expression", "stays"),
    [
        ("a", True),
        ("other", False),
        ("a + other", False),
        ("a and other", False),
        ("a or other", True),
        ("other or a", True),
        ("a unless other", True),
        ("other unless a", False),
        ("sum(last_over_time(other[5m]))", False),
        ("sum(last_over_time(a[5m]))", True),
        ('label_replace(-a, "x", "y", "", "")', True),
        ('a{is="this"}', True),
        ('a{is=~"th.+"}', True),
        ('a{is="that"}', False),
        ('a{is=~"that|those"}', False),
        ('a{is!="this"}', True),
        ('a{unknown="this"}', True),
        ('{__name__=~"a|b"}', True),
        ("a offset 1h", True),
        ("a offset 61m", False),
        ("a offset -61m", True),
        ("max_over_time(a[1d] offset 61m)", False),
        ("max_over_time(a[1d:5m] offset 61m)", False),
        ("max_over_time(a[1d:5m])", True),
        ("a @ 0 offset 61m", True),
        ("absent(other)", True),
        ("absent_over_time(other[5m])", True),
        ("vector(1)", True),
        ("vector(scalar(other))", True),
        ("a * time()", True),
        ("other * time()", False),
        ("a > bool 1", True),
    ],
)
def test_a_rule_stays_that_can_give_something(expression: str, stays: bool) -> None:
    assert kept(world('a{is="this"}'), {"record": "asked", "expr": expression}) == ["asked"] * stays


def test_a_rule_stays_of_which_what_is_asked_for_is_made_whatever_their_order() -> None:
    first = {"record": "asked", "expr": "between"}
    assert kept(world("a"), first, {"record": "between", "expr": "a"}, {"record": "beside", "expr": "a"}) == [
        "asked",
        "between",
    ]


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("a or other", "a{}"),
        ("other or a or other", "a{}"),
        ("a unless other", "a{}"),
        ("a or b offset 61m", "a{}"),
        ("(other or a) unless (other or b)", "(a{}) unless  (b{})"),
        ('max without (x) (label_replace(other, "x", "1", "", "") or a) > 1', "max without (x)(a{}) > 1"),
        ("a offset 1ms or other offset 1ms", "a{} offset 1ms"),
        ("a or on (x) other", "a{}"),
        ("a or b", None),
        ("a unless b", None),
        ("a and (absent(other) or b)", None),
        ('a{x=~"\\\\."} or other', None),  # what the library cannot write
    ],
)
def test_a_side_goes_that_can_give_nothing(expression: str, left: str | None) -> None:
    groups = [{"name": "one", "rules": [{"record": "asked", "expr": expression}]}]
    [group] = sliced(world("a", "b"), groups)
    assert group["rules"] == [{"record": "asked", "expr": left or expression}]


def test_a_rule_goes_that_only_a_side_reads_that_can_give_nothing() -> None:
    first = {"record": "asked", "expr": "a or (b and other)"}
    assert kept(world("a", "c"), first, {"record": "b", "expr": "c"}) == ["asked"]


def test_a_rule_goes_that_sets_another_label_than_is_asked_for() -> None:
    rules = [{"record": "asked", "labels": {"of": name}, "expr": "a"} for name in ("one", "two")]
    assert kept(world("a", query='asked{of="one"}'), *rules) == ["asked"]
    assert kept(world("a", query='asked{of=~"one|two"}'), *rules) == ["asked", "asked"]
    assert kept(world("a", query="asked"), *rules) == ["asked", "asked"]


ALERT = {
    "alert": "Low",
    "expr": "a < 1",
    "labels": {"severity": "{{ $value }}"},
    "annotations": {
        "text": r'{{ query "shown" }} {{ with query (printf "{__name__=~\"(left|right)_one\",%s}" $x) }}'
    },
}
SHOWN = [{"record": name, "expr": "a"} for name in ("shown", "left_one", "right_two")]


def test_what_the_text_of_an_alert_looks_up_stays_where_the_text_is_asked_for() -> None:
    silent = {"alertname": "Low", "eval_time": "1h", "exp_alerts": []}
    told = {"alertname": "Low", "eval_time": "1h", "exp_alerts": [{"exp_labels": {}}]}
    given = {"input_series": [{"series": "a", "values": "0"}]}
    assert kept({**given, "alert_rule_test": [silent]}, ALERT, *SHOWN) == ["Low"]
    assert kept({**given, "alert_rule_test": [silent, told]}, ALERT, *SHOWN) == ["Low", "shown", "left_one"]


def test_an_alert_keeps_its_texts_where_it_is_expected_to_fire() -> None:
    silent = {"alertname": "Low", "eval_time": "1h", "exp_alerts": []}
    told = {"alertname": "Low", "eval_time": "1h", "exp_alerts": [{"exp_labels": {}}]}
    groups = [{"name": "one", "rules": [ALERT, *SHOWN]}]
    assert silenced({"alert_rule_test": [silent, told]}, groups) == groups
    quiet = [{"name": "one", "rules": [{**ALERT, "annotations": {}}, *SHOWN]}]
    assert silenced({"alert_rule_test": [silent]}, groups) == quiet
    assert silenced({"promql_expr_test": []}, groups) == quiet


@pytest.mark.parametrize(
    ("query", "stays"),
    [
        ('ALERTS{alertname="Low",severity="critical"}', True),
        ('ALERTS{alertname=~"Low|High"}', True),
        ('ALERTS_FOR_STATE{alertname="Low"}', True),
        ('count(ALERTS{alertstate="firing"})', True),
        ('ALERTS{alertname="High"}', False),
    ],
)
def test_an_alert_stays_that_is_asked_for_as_a_series(query: str, stays: bool) -> None:
    assert kept(world("a", query=query), ALERT, *SHOWN) == ["Low"] * stays
