"""The list of the built-in providers: ordered by what they sell, and found by the names that people know."""

import re
from typing import Any

import pytest

from exporter import providers
from exporter.cli import catalogue
from exporter.providers import Provider


def built_in() -> list[Provider]:
    return [providers.built_in(name) for name in providers.names()]


def listed(out: str) -> list[str]:
    return [line.split()[1] for line in out.splitlines()[1:]]


def test_every_provider_is_listed_with_all_that_the_catalogue_says_of_it(invoke: Any) -> None:
    head, *lines = invoke("providers").out.splitlines()
    assert re.split(r"  +", head.strip()) == [name.upper() for name in catalogue.HEAD]
    assert listed("\n".join([head, *lines])) == [one.name for one in catalogue.ordered(built_in())]
    by_name = {line.split()[1]: line for line in lines}
    assert by_name["coldmailreseller"].split("  ", 1)[0] == "email"
    for text in (
        "auto_recharge_amount",
        "api_key, currency",
        "documented",
        "docs.coldmailreseller.com",
        "2026-",
    ):
        assert text in by_name["coldmailreseller"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sms", "smspubli"),
        ("SMSup", "smspubli"),
        ("gateway360", "smspubli"),
        ("mall credits", "apimall"),
        ("billing", "flexprice"),
        ("e-mail data", "hunter"),
        ("LLM tokens", "deepseek"),
        ("proxies", "oxylabs"),
        ("unobtainium", None),
    ],
)
def test_a_search_looks_at_names_categories_and_currencies(invoke: Any, text: str, name: str | None) -> None:
    result = invoke("providers", "--search", text)
    if name is None:
        assert (result.status, result.out) == (1, "")
        assert result.err.startswith("no built-in provider has 'unobtainium' in its name")
        assert "the categories are ai, billing, captcha, " in result.err
        assert "`prepaid-exporter definition new`" in result.err
    else:
        assert name in listed(result.out)
        assert "coldmailreseller" not in listed(result.out)


@pytest.mark.parametrize("alias", ["smsup", "SMSup", "Gateway360", "SMS-Publi", "SMSPubli"])
def test_another_name_leads_to_the_provider(invoke: Any, alias: str, tmp_path: Any) -> None:
    assert invoke("providers", alias).out.startswith("smspubli: ")
    (tmp_path / "prepaid.yml").write_text(f"accounts: [{{name: a, provider: {alias}, api_key: x}}]")
    result = invoke("validate", "--config.file", str(tmp_path / "prepaid.yml"))
    assert f"unknown provider '{alias}'; did you mean \"smspubli\"?" in result.err + result.out
    assert result.status == 1


@pytest.mark.parametrize(
    ("name", "request_line"),
    [
        ("apimall", "GET /account/balances"),
        ("smspubli", "POST /account/get-balance or /subaccount/get-balance with user_name"),
        ("twilio", "GET /Accounts/${account_sid}/Balance.json"),
    ],
)
def test_one_is_shown_with_what_comes_after_its_base_url(invoke: Any, name: str, request_line: str) -> None:
    assert f"\n  request        {request_line}\n" in invoke("providers", name).out


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Akamai Cloud", '; did you mean "linode"?'),
        ("zuora", ""),
        ("openai", ""),
        ("plvio", '; did you mean "plivo"?'),
        ("smspuli", '; did you mean "smspubli"?'),
        ("kimi ai", '; did you mean "moonshot"?'),
        ("sms", '; did you mean "smsc"?'),
    ],
)
def test_what_is_no_name_leads_to_what_is_called_so(invoke: Any, name: str, near: str) -> None:
    result = invoke("providers", name)
    assert (result.status, result.err) == (1, f"no provider {name!r} is built in{near}\n")


def test_every_host_that_gets_a_key_is_shown(invoke: Any) -> None:
    shown = invoke("providers", "reloadly").out
    assert re.findall(r"^  (?:login_)?base_url +(\S+)$", shown, re.MULTILINE) == [
        "https://topups.reloadly.com",
        "https://auth.reloadly.com",
    ]


def test_a_provider_without_a_host_for_all_needs_the_base_url(invoke: Any) -> None:
    assert "    base_url: https://host.example.com\n" in invoke("providers", "newapi").out
    assert "\n    base_url: " not in invoke("providers", "apimall").out


def test_the_parts_of_a_sheet_are_one_line_apart() -> None:
    assert [one.name for one in built_in() if "\n\n\n" in catalogue.sheet(one)] == []


def test_a_name_and_a_search_do_not_go_together(invoke: Any) -> None:
    result = invoke("providers", "apimall", "--search", "mall")
    assert result.status == 2
    assert "give a NAME or --search, not both" in result.err


def test_no_name_of_a_provider_leads_to_two() -> None:
    names = [name for one in built_in() for name in {one.name, *one.definition.aliases}]
    assert sorted(names) == sorted(set(names))
    for one in built_in():
        for name in one.definition.aliases:
            assert providers.alias(name) == one.name


@pytest.mark.parametrize("name", providers.names())
def test_a_built_in_provider_says_what_the_list_needs(name: str) -> None:
    definition = providers.built_in(name).definition
    wanted = {
        "category": definition.category,
        "looked_up": definition.looked_up,
        "documentation or sources": definition.source,
        "wallets": [*catalogue.exports(definition)],
    }
    missing = [key for key, said in wanted.items() if not said]
    assert not missing, f"{name}.yml has to say {', '.join(missing)} too"
