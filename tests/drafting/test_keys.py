"""Where the key of a call is found, and what names the customer."""

from typing import Any

import pytest

from exporter.drafting.curl import CurlError, call
from exporter.drafting.keys import plan

URL = "https://api.example.com/v1/balance"
KEY = "sk-live-0a1b2c3d4e5f6789"


@pytest.mark.parametrize(
    ("arguments", "auth", "request_part", "credentials"),
    [
        (f"-H 'Authorization: Bearer {KEY}' {URL}", {"type": "bearer"}, {}, ["api_key"]),
        (f"--oauth2-bearer {KEY} {URL}", {"type": "bearer"}, {}, ["api_key"]),
        (
            f"-H 'Authorization: Token {KEY}' {URL}",
            {"type": "header", "name": "Authorization", "prefix": "Token "},
            {},
            ["api_key"],
        ),
        (f"-H 'authorization: {KEY}' {URL}", {"type": "header", "name": "authorization"}, {}, ["api_key"]),
        (f"-H 'X-Api-Key: {KEY}' {URL}", {"type": "header", "name": "X-Api-Key"}, {}, ["api_key"]),
        (
            f"-H 'X-Auth-Token: {KEY}' -H 'X-Version: 2' {URL}",
            {"type": "header", "name": "X-Auth-Token", "credential": "token"},
            {"headers": {"X-Version": "2"}},
            ["token"],
        ),
        (
            f"'{URL}?format=json&apikey={KEY}'",
            {"type": "query", "name": "apikey"},
            {"query": {"format": "json"}},
            ["api_key"],
        ),
        (
            f"'{URL}?username=bob&password=pw-of-bob'",
            {"type": "query", "name": "password"},
            {"query": {"username": "${username}"}},
            ["api_key"],
        ),
        (
            f"-u 'bob:{KEY}' {URL}",
            {"type": "basic", "username": "${username}", "password": "${password}"},
            {},
            None,
        ),
        (f"-u '{KEY}:' {URL}", {"type": "basic", "username": "${api_key}"}, {}, ["api_key"]),
        (
            f"-H 'Authorization: Basic Ym9iOnB3LW9mLWJvYg==' {URL}",
            {"type": "basic", "username": "${username}", "password": "${password}"},
            {},
            ["username", "password"],
        ),
        (
            f'--json \'{{"clientKey": "{KEY}", "lang": "en"}}\' {URL}',
            {"type": "body", "name": "clientKey"},
            {"method": "POST", "json": {"lang": "en"}},
            ["api_key"],
        ),
        (
            f"-d 'api_key={KEY}&secret=another-secret&cost=$5' {URL}",
            {"type": "body", "name": "api_key"},
            {"method": "POST", "form": {"secret": "${secret}", "cost": "$$5"}},
            ["api_key", "secret"],
        ),
        (f"-b 'sid={KEY}' {URL}", {"type": "header", "name": "Cookie"}, {}, ["api_key"]),
        (f"-b 'sid=1' -H 'X-Key: {KEY}' {URL}", {"type": "header", "name": "X-Key"}, {}, ["api_key"]),
        (
            f"https://api.example.com/v1/{KEY}/info.json",
            {},
            {"path": "/v1/${api_key}/info.json"},
            ["api_key"],
        ),
        (
            f"-H 'Authorization: Bearer {KEY}' https://api.example.com/v1/users/482193/wallet",
            {"type": "bearer"},
            {"path": "/v1/users/${account_id}/wallet"},
            ["api_key"],
        ),
        (
            f"-d '<r><user>bob</user><key>{KEY}</key><v>1</v></r>' {URL}",
            {},
            {
                "method": "POST",
                "body": {
                    "content_type": "application/xml",
                    "text": "<r><user>${user}</user><key>${key}</key><v>1</v></r>",
                },
            },
            ["key"],
        ),
    ],
)
def test_the_key_and_its_place_are_found(
    arguments: str, auth: dict[str, Any], request_part: dict[str, Any], credentials: list[str] | None
) -> None:
    made = plan(call(f"curl {arguments}", {}))
    assert made.auth == auth
    assert {
        name: value for name, value in made.request.items() if name != "path" or request_part.get("path")
    } == (request_part)
    assert credentials is None or list(made.credentials) == credentials
    assert KEY not in f"{made.request} {made.auth} {made}"
    assert KEY in made.secrets.values() or credentials in (["username", "password"], ["api_key"])


def test_without_a_key_nothing_is_begun() -> None:
    with pytest.raises(CurlError, match="no key was found"):
        plan(call(f"curl {URL}", {}))


def test_a_field_that_is_given_twice_is_refused() -> None:
    with pytest.raises(CurlError, match=r"^curl's command line has a twice in the query"):
        plan(call(f"curl '{URL}?a=1&a=2&key={KEY}'", {}))


def test_a_name_that_accounts_use_for_something_else_is_changed() -> None:
    made = plan(
        call(f"curl -H 'Authorization: Bearer {KEY}' '{URL}?account_name=bob&provider_name=x1&name=bob2'", {})
    )
    assert list(made.params) == ["account_name", "provider_name", "the_name"]


def test_a_key_that_looks_like_none_is_named() -> None:
    made = plan(call(f"curl '{URL}?u=bob&p=fish' -H 'X-Tag: blue'", {}), ["p", "X-Tag"])
    assert made.auth == {"type": "header", "name": "X-Tag"}
    assert made.request["query"] == {"u": "bob", "p": "${p}"}
    assert made.secrets == {"api_key": "blue", "p": "fish"}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ((), "no key was found on curl's command line; --key NAME names the header or field that is the key"),
        (("p", "q"), "curl's command line has no header or field q"),
    ],
)
def test_a_key_that_is_not_there_is_told(named: tuple[str, ...], message: str) -> None:
    with pytest.raises(CurlError, match=f"^{message}$"):
        plan(call(f"curl '{URL}?u=bob&p=fish'", {}), named)
