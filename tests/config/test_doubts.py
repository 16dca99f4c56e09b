"""A key that looks pasted wrongly is warned of by the name of the mistake, and used: a real one may look so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import Config
from exporter.schema.problems import together

Loaded = Callable[..., Config]

QUOTED = "has quotation marks around it, which are sent with it"
NAMED = "looks like NAME=VALUE; only the value is wanted"
HEADER = "begins like a header; only the key is wanted, since the exporter writes the rest"
AS_JSON = "looks like JSON; only the key is wanted"
VARIABLE = "looks like a variable, which is not replaced here"
MISTAKES = [
    ('"canary-7f3a"', QUOTED),
    ("'canary-7f3a'", QUOTED),
    ("\u201ccanary-7f3a\u201d", QUOTED),
    ("\u2018canary-7f3a\u2019", QUOTED),
    ("\u00abcanary-7f3a\u00bb", QUOTED),
    ("`canary-7f3a`", QUOTED),
    ('canary-7f3a"', QUOTED),
    ("API_KEY=canary-7f3a", NAMED),
    ("export API_KEY=canary-7f3a", NAMED),
    ("api_key = canary-7f3a", NAMED),
    ("Bearer canary-7f3a", HEADER),
    ("bearer canary-7f3a", HEADER),
    ("Basic canary-7f3a", HEADER),
    ("Authorization: Bearer canary-7f3a", HEADER),
    ('{"api_key": "canary-7f3a"}', AS_JSON),
    ("[canary-7f3a]", AS_JSON),
    ("${CANARY_7f3a}", VARIABLE),
    ("canary-7f3a-${NAME}", VARIABLE),
    ("$canary_7f3a", VARIABLE),
]


@pytest.mark.parametrize(("value", "mistake"), MISTAKES)
def test_a_mistake_is_named_wherever_the_key_is(
    value: str, mistake: str, loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mall.key").write_text(f"{value}\n", encoding="utf-8")
    monkeypatch.setenv("MALL_KEY", value)
    accounts = {"file": "api_key_file: mall.key", "variable": "api_key_env: MALL_KEY"}
    if mistake != VARIABLE:
        accounts["literal"] = f"api_key: {json.dumps(value)}"
    entries = "".join(f"  - {{name: {name}, provider: apimall, {key}}}\n" for name, key in accounts.items())
    config = loaded(f"accounts:\n{entries}", secrets_must_be_there=True)
    told = {name: together(problems).replace(f"{tmp_path}/", "") for name, problems in config.doubts.items()}
    places = {
        "file": "prepaid.yml:2:51: accounts[0].api_key_file: the file mall.key",
        "variable": "prepaid.yml:3:54: accounts[1].api_key_env: the environment variable MALL_KEY",
        "literal": "prepaid.yml:4:49: accounts[2].api_key: the value",
    }
    assert told == {name: f"{places[name]} {mistake}" for name in accounts}
    assert [one.secrets["api_key"].read() for one in config.accounts] == [value] * len(accounts)


@pytest.mark.parametrize(
    "value",
    [
        "sk-proj-Abc_123",
        "YWxhZGRpbjpvcGVuc2VzYW1l==",
        "YWxhZGRpbjpvcGVuc2VzYW1=",
        "SG.abc.def",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
        "abc$def",
        "user:password",
        "bearertoken",
        "[begins",
    ],
)
def test_a_usual_key_is_in_no_doubt(value: str, loaded: Loaded) -> None:
    config = loaded(f"accounts:\n  - {{name: a, provider: apimall, api_key: {json.dumps(value)}}}\n")
    assert config.doubts == {}


@pytest.mark.parametrize(
    ("url", "doubted"),
    [
        ("https://gateway.example.com/account/balances", True),
        ("https://gateway.example.com/account/balances/", True),
        ("https://gateway.example.com/account", False),
        ("https://gateway.example.com/api/v1", False),
    ],
)
def test_a_base_url_that_is_the_endpoint_is_doubted(url: str, doubted: bool, loaded: Loaded) -> None:
    config = loaded(f"accounts:\n  - {{name: a, provider: apimall, api_key: k, base_url: {url}}}\n")
    told = "ends with /account/balances, which every request has after it anyway; leave it out"
    assert [one.message for one in config.doubts.get("a", ())] == ([told] if doubted else [])
