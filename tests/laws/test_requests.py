"""A definition that loads makes a request that can be sent, to its own host, whatever the account's values are."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.config import Account
from exporter.config.settings import AccountSettings
from exporter.extract.first import FirstReader
from exporter.extract.login import LoginReader
from exporter.model import Failure, Reason
from exporter.providers import Provider
from exporter.providers.consistency import consistency
from exporter.providers.definition import Definition
from exporter.upstream.client import Client
from exporter.upstream.request import Prepared, prepare

pytestmark = pytest.mark.unmeasured

LAW = settings(deadline=None, database=None, max_examples=300)
TEXT = st.text(max_size=12)
CLIENT = Client()
ODD = st.text(alphabet="/.@:?#%&=\\[]{}$ \n\tAé€", max_size=8)


def loaded(**parts: Any) -> Definition | None:
    try:
        made = Definition.model_validate(
            {
                "title": "Acme",
                "documentation": [],
                "confidence": "observed",
                "credentials": {"api_key": {"description": "key"}},
                "params": {"id": {"description": "id", "required": True}},
                "base_url": "https://api.example.com/v1",
                "request": {"path": "/${id}"},
                "auth": {"type": "bearer"},
                "wallets": {"currency": "c", "balance": "b"},
                **parts,
            }
        )
    except ValidationError:
        return None
    return None if list(consistency(made)) else made


def sent(made: Definition, value: str) -> Prepared | None:
    account = Account("a", Provider("acme", made), {}, {"id": value}, made.base_url, 10, 0)
    try:
        return prepare(account, {"api_key": "the-key"})
    except Failure as failure:
        if failure.reason is Reason.MISCONFIGURED:
            return None
        raise


def travels(request: Prepared, base_url: str) -> None:
    """Go as far as it goes before a socket is opened."""
    ready = requests.Request(
        request.method, request.url, headers=dict(request.headers), data=request.body
    ).prepare()
    CLIENT.sender(request, None, None)
    assert urlsplit(str(ready.url))[:2] == urlsplit(base_url)[:2]
    assert str(ready.url).startswith(base_url)


@LAW
@given((TEXT | ODD).map("/${id}".__add__) | ODD, TEXT | ODD, TEXT | ODD)
@example("/a", "..", "x")
@example("@127.0.0.1/", "x", "x")
@example("/a/${id}", "\ud800", "x")
def test_a_path_and_the_values_in_it_stay_on_the_host(path: str, value: str, query: str) -> None:
    made = loaded(request={"path": path, "query": {"q": "${id}", query: "${id}"}})
    if made and allowed(value) and (request := sent(made, value)):
        travels(request, made.base_url)


@LAW
@given(TEXT | ODD, TEXT | ODD, TEXT | ODD, TEXT | ODD)
@example("X Y", "a", "", "x")
@example("X", "a\r\nb: c", "", "x")
@example("X", " a ", " ", " x ")
@example("Content-Length", "7", "", "x")
def test_a_header_and_the_values_in_it_can_be_sent(name: str, text: str, prefix: str, value: str) -> None:
    request = {"path": "/${id}", "headers": {"X-Id": "${id}", name: text}}
    for auth in ({"type": "bearer"}, {"type": "header", "name": name + "K", "prefix": prefix}):
        made = loaded(request=request, auth=auth)
        if made and allowed(value) and (prepared := sent(made, value)):
            travels(prepared, made.base_url)


@LAW
@given(TEXT | ODD, TEXT | ODD)
@example("\x7f", "\x85")
@example("\u2028", "a\u2028")
@example("\ud800", "\ud800")
@example(" a ", " a ")
def test_what_an_answer_gives_to_a_request_can_be_sent_where_it_is_taken(given: str, token: str) -> None:
    login = {"path": "/", "form": {"key": "${api_key}"}, "gives": {"token": "token"}}
    made = loaded(
        login={"method": "POST", **login},
        first={"path": "/${id}", "gives": {"given": "given"}},
        request={"path": "/${given}/b", "query": {"q": "${given}"}, "headers": {"X": "${given}"}},
        auth={"type": "bearer", "credential": "token"},
    )
    assert made
    assert made.login
    assert made.first
    try:
        values = FirstReader(made, made.first).given({"given": given})
        tokens = LoginReader(made, made.login).tokens({"token": token}, {})
    except Failure as failure:
        if failure.reason is Reason.MALFORMED:
            return
        raise
    account = Account("a", Provider("acme", made), {}, {"id": "x"}, made.base_url, 10, 0)
    request = prepare(account, {"api_key": "k", **tokens}, made.request, values)
    travels(request, made.base_url)
    assert request.redacted.url == f"{made.base_url}/***/b?q=***"


def allowed(value: str) -> bool:
    try:
        AccountSettings.model_validate({"name": "a", "provider": "p", "params": {"id": value}})
    except ValidationError:
        return False
    return True
