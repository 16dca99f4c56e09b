"""`definition`: one's own provider from a command line of curl and one answer, and tried without a network."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter import providers
from exporter.schema.yaml_document import read
from tests.peers import Peer, Upstream

KEY = "sk-live-0a1b2c3d4e5f6789"
BEARER = f"curl -s https://api.example.com/v1/balance -H 'Authorization: Bearer {KEY}'"


@dataclass(frozen=True)
class Case:
    """What curl asks, what comes back, and what is made of it: lines of the definition, and of what it finds."""

    name: str
    curl: str
    answer: str
    lines: tuple[str, ...]
    found: str


CASES = [
    Case(
        "the likeliest number, the currency beside it, and what says that all is well",
        BEARER,
        '{"success": true, "data": {"user": {"id": 4821, "email": "bob@corp.example"}, "wallet": {"currency": "EUR",'
        '"available": 12.50, "pending": "1.25", "updated_at": "2026-11-27T10:00:00Z"}}}',
        (
            "auth: {type: bearer}",
            "success: {path: success, equals: [true]}",
            "  currency: data.wallet.currency",
            "  balance: data.wallet.available",
            "  # pending_usage: data.wallet.pending",
        ),
        "main EUR: balance 12.50",
    ),
    Case(
        "a list of wallets",
        BEARER,
        '{"status": "ok", "unit": "usd", "wallets": [{"id": 7, "name": "A", "balance": "5.10"},'
        '{"id": 9, "name": "B", "balance": "0"}]}',
        ("  items: wallets", "  id: id", '  currency: "\\"$\\".unit"', "  balance: balance"),
        "7 USD: balance 5.10\n9 USD: balance 0",
    ),
    Case(
        "a list at the top",
        BEARER,
        '[{"currency": "EUR", "amount": 5}, {"currency": "USD", "amount": -1.5}]',
        ("  currency: currency", "  balance: amount"),
        "main EUR: balance 5\nmain USD: balance -1.5",
    ),
    Case(
        "no currency",
        f"curl 'https://api.example.com/balance?api_key={KEY}'",
        '{"error": null, "remaining": 100.5, "limit": 200}',
        (
            "auth: {type: query, name: api_key}",
            "success: {path: error, absent: true}",
            "  # currency: {literal: USD}",
            "  balance: remaining",
            "  # quota: limit",
        ),
        "main XYZ: balance 100.5",
    ),
    Case(
        "a unit that only a name says",
        f"curl 'https://api.example.com/balance' -u 'bob:{KEY}'",
        '{"code": 0, "credits_left": 5}',
        (
            'auth: {type: basic, username: "${username}", password: "${password}"}',
            "success: {path: code, equals: [0]}",
            "  currency: {literal: CREDITS}  # from a name in the answer; is it right?",
        ),
        "main CREDITS: balance 5",
    ),
    Case(
        "cents, by their name",
        BEARER,
        '{"account": {"balance_cents": 129950, "bonusCents": 500, "currency": "PLN"}}',
        (
            "  balance: {path: account.balance_cents, scale: 0.01}  # its name says cents; is it right?",
            "  # balance: {path: account.bonusCents, scale: 0.01}",
        ),
        "main PLN: balance 1299.50",
    ),
    Case(
        "XML with an attribute that says that all is well",
        BEARER,
        '<reply ok="true"><account currency="USD" credit="5"/></reply>',
        ('success: {path: "reply.\\"@ok\\"", equals: ["true"]}',),
        "main USD: balance 5",
    ),
    Case(
        "a page of several",
        BEARER,
        '{"grants": [{"id": 1, "remaining_cents": 5, "currency": "EUR"}], "meta": {"nextCursor": "c/2"}}',
        (
            "# Further pages may follow, as nextCursor says: see `pages` of a request.",
            "  balance: {path: remaining_cents, scale: 0.01}  # its name says cents; is it right?",
        ),
        "1 EUR: balance 0.05",
    ),
    Case(
        "cents that are none",
        BEARER,
        '{"balance_cents": 12.50, "currency": "PLN"}',
        ("  balance: balance_cents",),
        "main PLN: balance 12.50",
    ),
    Case(
        "a number with thousands in a text of JSON",
        f'curl https://api.example.com/balance --json \'{{"clientKey": "{KEY}"}}\'',
        '{"balance": "EUR 1,234.50"}',
        (
            "auth: {type: body, name: clientKey}",
            '  balance: {path: balance, pattern: "EUR (-?[0-9,.]+)", grouping: ","}',
        ),
        "main EUR: balance 1234.50",
    ),
    Case(
        "a text",
        f"curl 'https://api.example.com/http/balance?user=bob&password={KEY}'",
        "Hello Bob, balance: 12.50 EUR\n",
        (
            "answer: text",
            "auth: {type: query, name: password}",
            "  currency: {literal: EUR}  # from a name in the answer; is it right?",
            '  balance: {path: text, pattern: "(?s:.*)balance: (-?[0-9.]+) EUR"}',
        ),
        "main EUR: balance 12.50",
    ),
    Case(
        "a text that is the number",
        f"curl 'https://api.example.com/http/balance?key={KEY}'",
        "-0.75",
        ("answer: text", "  balance: text"),
        "main XYZ: balance -0.75",
    ),
    Case(
        "XML",
        f"curl https://api.example.com/balance.xml -H 'X-Api-Key: {KEY}'",
        '<?xml version="1.0"?><reply status="ok" xmlns="urn:x"><!-- bob --><user id="4821">Bob</user>'
        '<account><balance currency="GBP">3.50</balance></account></reply>',
        (
            "answer: xml",
            '  headers: {Accept: "*/*"}',
            "auth: {type: header, name: X-Api-Key}",
            '  currency: "reply.account.balance.\\"@currency\\""',
            '  balance: "reply.account.balance.\\"#text\\""',
        ),
        "main GBP: balance 3.50",
    ),
]


CASES += [
    Case(
        "a body of XML, whose key stands within it",
        f"curl https://api.example.com/balance -d '<r><user>bob</user><key>{KEY}</key></r>'",
        "<r><balance>5.5</balance></r>",
        (
            "  method: POST",
            '  body: {content_type: application/xml, text: "<r><user>${user}</user><key>${key}</key></r>"}',
            "  balance: r.balance",
        ),
        "main XYZ: balance 5.5",
    ),
    Case(
        "a body of several parts",
        f"curl https://api.example.com/balance -F action=a$$b -F user=bob -F pass={KEY}",
        '{"left": 41}',
        (
            '  multipart: {action: "a$$$$b", user: "${user}"}',
            "auth: {type: body, name: pass}",
        ),
        "main XYZ: balance 41",
    ),
    Case(
        "a form, and a key in the path",
        f"curl https://api.example.com/v1/{KEY}/balance -d 'lang=en'",
        '{"balance": {"amount": 41, "currency": "JPY"}}',
        ('  path: "/v1/${api_key}/balance"', "  form: {lang: en}", "  currency: balance.currency"),
        "main JPY: balance 41",
    ),
]


CASES += [
    Case(
        "XML of attributes alone",
        f"curl https://api.example.com/balance.xml -u 'bob:{KEY}'",
        '<R Status="OK"><Balances Currency="USD" AvailableBalance="4932.96" AccountBalance="5000.00"/></R>',
        (
            'success: {path: "R.\\"@Status\\"", equals: [OK]}',
            '  currency: "R.Balances.\\"@Currency\\""',
            '  balance: "R.Balances.\\"@AvailableBalance\\""',
        ),
        "main USD: balance 4932.96",
    ),
    Case(
        "lists in lists, told apart by what differs",
        BEARER,
        '{"tasks": [{"type": "a", "result": [{"type": "sms", "product_id": 3, "left": 5},'
        '{"type": "sms", "product_id": 8, "left": 6}]}]}',
        ('  items: "tasks[].result[]"', "  id: product_id", "  balance: left"),
        "3 XYZ: balance 5\n8 XYZ: balance 6",
    ),
    Case(
        "a key whose name is that of an id, where nothing else can be the key",
        f"curl 'https://api.example.com/balance?api_id={KEY}&json=1'",
        '{"total_balance": 9, "balance": 4762.58}',
        ("auth: {type: query, name: api_id}", '  query: {json: "1"}', "  balance: balance"),
        "main XYZ: balance 4762.58",
    ),
]


def begun(invoke: Any, case: Case, folder: Path) -> Any:
    (folder / "answer").write_text(case.answer)
    result = invoke("definition", "new", "acme", "--answer", "answer", "--curl", case.curl)
    assert (result.status, result.err) == (0, "")
    return result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_definition_is_begun_that_finds_the_balance(case: Case, invoke: Any, tmp_path: Path) -> None:
    result = begun(invoke, case, tmp_path)
    written = (tmp_path / "acme.yml").read_text()
    assert [line for line in case.lines if line not in written.splitlines()] == []
    assert KEY not in result.out + written
    tried = invoke("definition", "try", "acme.yml", "--answer", "answer", "--currency", "xyz")
    assert (tried.status, tried.err) == (0, "")
    assert tried.out.partition(" bytes\n\n")[2].strip() == case.found
    assert KEY not in tried.out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_fixture_has_invented_texts_and_amounts_and_holds_what_the_definition_finds(
    case: Case, invoke: Any, tmp_path: Path
) -> None:
    begun(invoke, case, tmp_path)
    text = (tmp_path / "fixtures" / "acme.yml").read_text()
    fixture = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - as the tests of the built-in ones read it
    success, *failures = fixture["cases"]
    for own in (KEY, "bob", "Bob", "4821", "12.50", "5.10", "1,234.50", "3.50"):
        assert own not in text
    assert {one["reason"] for one in failures} >= {"auth", "http_status"}
    assert "${" in str(fixture["request"])
    (tmp_path / "invented").write_text(success["answer"]["body"])
    unit = fixture.get("account", {}).get("currency", "EUR")
    tried = invoke("definition", "try", "acme.yml", "--answer", "invented", "--currency", unit)
    found = tried.out.partition(" bytes\n\n")[2].split("\n")[0]
    first = success["wallets"][0]
    amount = f"balance {first['balance']}"
    assert found.startswith(f"{first['id']} {first['currency']}: ")
    assert float(found.partition("balance ")[2]) == float(amount.partition(" ")[2])


def test_a_key_that_the_answer_repeats_reaches_no_file_and_no_screen(invoke: Any, tmp_path: Path) -> None:
    number = "1234567890123"
    (tmp_path / "answer").write_text(
        f'{{"balance": 5, "token": {number}, "key_{number}": 7, "nested": {{"echo": "is {number}!"}}}}'
    )
    result = invoke(
        "definition",
        "new",
        "acme",
        "--answer",
        "answer",
        "--curl",
        f"curl https://api.example.com/{number}/balance -H 'X-Key: {number}'",
    )
    assert result.status == 0, result.err
    files = [file.read_text() for file in tmp_path.rglob("*.yml")]
    assert len(files) == 2
    assert number not in result.out + result.err + "".join(files)


@pytest.fixture
def upstream() -> Iterator[Callable[[str, str], Upstream]]:
    running: list[Upstream] = []

    def start(status: str, body: str) -> Upstream:
        def answer(peer: Peer, _: Any) -> None:
            peer.answer(body.encode(), status)

        running.append(Upstream(answer))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def test_the_provider_is_asked_once_where_the_operator_says_so(
    invoke: Any, tmp_path: Path, upstream: Callable[[str, str], Upstream]
) -> None:
    server = upstream("200 OK", '{"balance": 5, "currency": "EUR"}')
    asked = f"curl {server.url}/v1/balance -H 'X-Key: $MY_KEY' -d 'a=1'"
    result = invoke("definition", "new", "acme", "--ask", "--curl", asked, env={"MY_KEY": KEY})
    assert (result.status, result.err) == (0, "")
    assert "balance   balance = 5" in result.out.splitlines()
    (seen,) = server.requests
    assert (seen.line, seen.headers["x-key"], seen.body) == ("POST /v1/balance HTTP/1.1", KEY, b"a=1")
    assert KEY not in result.out + (tmp_path / "acme.yml").read_text()


XML = '<r status="ok"><balance currency="EUR">5</balance></r>'
ACCEPT = "curl {url}/v1/balance -H 'X-Key: sk-live-0a1b2c3d4e5f6789'"


@pytest.mark.parametrize(
    ("own", "answer", "asked", "written", "told"),
    [
        ("", XML, "application/json", None, True),
        ("text/xml", XML, "text/xml", "text/xml", False),
        ("*/*", XML, "*/*", "*/*", False),
        ("*/*", '{"balance": 5}', "*/*", None, False),
        ("application/vnd.acme.v2+json", '{"balance": 5}', *["application/vnd.acme.v2+json"] * 2, False),
    ],
)
def test_the_provider_is_asked_for_what_curl_accepts_and_the_definition_asks_so(
    own: str,
    answer: str,
    asked: str,
    written: str | None,
    told: bool,
    invoke: Any,
    tmp_path: Path,
    upstream: Callable[[str, str], Upstream],
) -> None:
    server = upstream("200 OK", answer)
    curl = ACCEPT.format(url=server.url) + (f" -H 'Accept: {own}'" if own else "")
    result = invoke("definition", "new", "acme", "--ask", "--curl", curl)
    assert (result.status, result.err) == (0, "")
    assert server.requests[0].headers["accept"] == asked
    request = yaml.safe_load((tmp_path / "acme.yml").read_text())["request"]
    assert request.get("headers") == ({"Accept": written} if written else None)
    assert ("accept    it was asked for JSON, as definitions ask, and answered xml" in result.out) is told


def test_what_a_provider_does_not_answer_as_json_is_told(
    invoke: Any, upstream: Callable[[str, str], Upstream]
) -> None:
    server = upstream("406 Not Acceptable", "")
    result = invoke("definition", "new", "acme", "--ask", "--curl", ACCEPT.format(url=server.url))
    assert result.err == (
        "the provider answered with HTTP status 406; name the Accept that it documents on curl's command line; "
        "nothing is written\n"
    )


def test_nobody_is_asked_without_consent_or_with_an_unset_variable(invoke: Any, tmp_path: Path) -> None:
    for extra, message in (
        ((), "give --answer FILE, or let the provider be asked once by --ask"),
        (("--ask",), "$MY_KEY: is not set in the environment, so that nothing can be asked"),
    ):
        key = "$MY_KEY" if extra else KEY
        curl = f"curl https://api.example.invalid/v1 -H 'X-Key: {key}'"
        result = invoke("definition", "new", "acme", *extra, "--curl", curl)
        assert (result.status, result.out, result.err.strip()) == (1, "", message)
    assert list(tmp_path.iterdir()) == []


def test_who_sits_at_a_terminal_is_asked_first(
    invoke: Any,
    tmp_path: Path,
    upstream: Callable[[str, str], Upstream],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.cli.definition._is_terminal", lambda: True)
    server = upstream("200 OK", '{"balance": 5, "currency": "EUR"}')
    command = f"curl '{server.url}/v1/balance?user=bob&key={KEY}'"
    result = invoke("definition", "new", "acme", "--curl", command, typed="n\n")
    assert (result.status, server.requests, list(tmp_path.iterdir())) == (1, [], [])
    assert result.err.startswith(f"Ask GET {server.url}/v1/balance?user=bob&key=*** now, once? [y/N]: ")
    assert invoke("definition", "new", "acme", "--curl", command, typed="y\n").status == 0
    assert len(server.requests) == 1
    assert (tmp_path / "acme.yml").exists()


def test_the_command_line_of_curl_may_be_typed(invoke: Any, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text('{"balance": 5}')
    result = invoke("definition", "new", "acme", "--answer", "answer", "--curl", "-", typed=BEARER)
    assert (result.status, result.err) == (0, "")
    assert (tmp_path / "acme.yml").exists()


def test_a_refusal_is_told_and_nothing_is_written(
    invoke: Any, tmp_path: Path, upstream: Callable[[str, str], Upstream]
) -> None:
    server = upstream("401 Unauthorized", f"bad key {KEY}")
    result = invoke("definition", "new", "acme", "--ask", "--curl", f"curl {server.url}/v1 -H 'X-Key: {KEY}'")
    assert (result.status, result.out) == (1, "")
    assert result.err.strip() == "the provider answered with HTTP status 401; nothing is written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            '{"message": "hello"}',
            "the answer has no number that could be a balance; is it the answer to this request?",
        ),
        (
            '{"access_token": "eyJ", "expires_in": 3600}',
            "the answer gives a token and no balance: give the call that asks with the token; docs/providers.md says "
            "under `login` how a definition fetches one",
        ),
        (
            "<!DOCTYPE html><p>5",
            "the answer is a page for people (HTML); a balance API answers JSON, XML or a short text",
        ),
        ("{", "the answer is not JSON"),
        ("HTTP/1.1 401 No\nA: b\n\n{}", "answer: holds an answer of HTTP status 401; a good one is needed"),
    ],
)
def test_what_is_no_answer_with_a_balance_is_told(
    answer: str, message: str, invoke: Any, tmp_path: Path
) -> None:
    (tmp_path / "answer").write_text(answer)
    result = invoke("definition", "new", "acme", "--answer", "answer", "--curl", BEARER)
    assert (result.status, result.out, result.err.strip()) == (1, "", message)


def test_files_that_are_there_are_kept(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    again = ("definition", "new", "acme", "--answer", "answer", "--curl", BEARER)
    result = invoke(*again)
    assert (result.status, result.err) == (1, "acme.yml and fixtures/acme.yml: exists; --force replaces it\n")
    assert invoke(*again, "--force").status == 0
    assert invoke(*again[:2], "apimall", *again[3:]).status == 1


def test_the_head_that_curl_saves_says_status_and_type(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    (tmp_path / "answer").write_bytes(b"HTTP/2 429 \r\ncontent-type: application/json\r\n\r\n{}")
    result = invoke("definition", "try", "acme.yml", "--answer", "answer")
    assert result.status == 1
    assert result.err == "down: rate_limited; HTTP status 429\n"


def test_a_failure_says_where_it_looked_what_was_there_and_which_numbers_there_are(
    invoke: Any, tmp_path: Path
) -> None:
    begun(invoke, CASES[0], tmp_path)
    (tmp_path / "answer").write_text('{"success": true, "data": {"purse": {"currency": "EUR", "left": 5}}}')
    result = invoke("definition", "try", "acme.yml", "--answer", "answer")
    assert result.status == 1
    assert result.out.splitlines()[0] == "GET https://api.example.com/v1/balance"
    assert "Authorization: Bearer ***" in result.out
    assert result.err.splitlines() == [
        "down: malformed; wallet.currency is missing: nothing at data.wallet.currency",
        "numbers of the answer:",
        "  data.purse.left = 5",
    ]


def test_a_definition_without_a_currency_is_tried_with_one(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[3], tmp_path)
    result = invoke("definition", "try", "acme.yml", "--answer", "answer")
    assert result.err.splitlines()[0] == (
        "down: malformed; wallet.currency is missing; the definition does not say it, so that the account must: "
        "--currency EUR"
    )


def test_a_definition_with_a_first_request_is_tried_with_both_answers(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    tried = ("definition", "try", "acme.yml", "--answer", "answer")
    result = invoke(*tried, "--first", "answer")
    assert (result.status, result.err) == (1, "the definition has no first request: leave --first out\n")
    file = tmp_path / "acme.yml"
    first = "first:\n  path: /me\n  gives: {id: id}\nrequest:\n  path: /${id}/"
    file.write_text(file.read_text().replace("request:\n  path: /", first))
    result = invoke(*tried)
    assert (result.status, result.err) == (
        1,
        "the definition has a first request: give its answer with --first FILE\n",
    )
    (tmp_path / "me").write_text('{"id": 7}')
    result = invoke(*tried, "--first", "me")
    assert result.status == 0, result.err
    assert "GET https://api.example.com/me\n" in result.out
    assert "GET https://api.example.com/***/" in result.out
    (tmp_path / "me").write_text("{}")
    failed = invoke(*tried, "--first", "me")
    assert failed.err == "down: malformed; the first request: first.gives.id is missing: nothing at id\n"


LOGIN = """
login:
  method: POST
  path: /token
  form: {key: "${api_key}", secret: a*b}
  gives: {token: access_token, csrf: {header: X-Csrf}}
  lifetime: expires_in
request:
  path: /balance
  headers: {X-Csrf: "${csrf}"}
auth: {type: bearer, credential: token}
errors: {auth: [wrong]}
hints: {auth: Use the key of the API., "400": Is it the test host?}
wallets: {currency: {literal: EUR}, balance: b, expiry_timestamp: until, quota_reset_timestamp: {path: r, format: unix}}
"""
ISSUED = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-CSRF: c-91\r\n\r\n"


@pytest.fixture
def with_a_login(invoke: Any, tmp_path: Path) -> Callable[..., Any]:
    """Try a definition with a login on the answers that are given by their options."""
    head = (
        "title: Acme\ndocumentation: []\nconfidence: observed\ncredentials: {api_key: {description: key}}\n"
    )
    (tmp_path / "acme.yml").write_text(f"{head}base_url: https://acme.example{LOGIN}")

    def tried(**answers: str) -> Any:
        options = []
        for name, text in answers.items():
            (tmp_path / name).write_bytes(text.encode())
            options += [f"--{name}", name]
        return invoke("definition", "try", "acme.yml", *options)

    return tried


def test_a_login_is_tried_with_its_answer(with_a_login: Callable[..., Any]) -> None:
    issued = ISSUED + '{"access_token": "eyJ-4kQz", "expires_in": "3600"}'
    result = with_a_login(
        login=issued, answer='{"b": 5, "until": "2027-01-31T12:00:00+01:00", "r": 1801353600}'
    )
    assert (result.status, result.err) == (0, "")
    assert "key=***&secret=a%2Ab\n" in result.out
    assert {"Authorization: Bearer ***", "X-Csrf: ***"} <= {*result.out.splitlines()}
    assert (
        "Answer to the login: HTTP status 200, 50 bytes\nIt gives token, csrf, good for 3600 s.\n"
        in result.out
    )
    assert result.out.endswith(
        "main EUR: balance 5, quota_reset_timestamp 2027-01-31T00:00:00Z (1801353600), "
        "expiry_timestamp 2027-01-31T11:00:00Z (1801393200)\n"
    )
    assert "eyJ" not in result.out
    assert "c-91" not in result.out


def test_a_login_is_tried_alone_or_left_out(with_a_login: Callable[..., Any]) -> None:
    alone = with_a_login(login=ISSUED + '{"access_token": "eyJ-4kQz"}')
    assert (alone.status, alone.err) == (0, "")
    assert alone.out.endswith("It gives token, csrf, good until it is refused.\n\n")
    without = with_a_login(answer='{"b": 5}')
    assert "The answer to the login is not tried; --login FILE tries it.\n" in without.out
    assert without.out.endswith("main EUR: balance 5\n")
    nothing = with_a_login()
    assert (nothing.status, nothing.out) == (2, "")
    assert "Missing option '--answer'" in nothing.err


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            "HTTP/2 401 \n\n{}",
            "auth; the login: HTTP status 401; Use the key of the API.",
        ),
        (
            'HTTP/2 400 \n\n{"error": "invalid_client"}',
            "auth; the login: the answer's error says that the credentials are wrong; Is it the test host?",
        ),
        (
            ISSUED + '{"token": "eyJ"}',
            "malformed; the login: gives.token is missing: nothing at access_token",
        ),
        (
            '{"access_token": "eyJ"}',
            "malformed; the login: gives.csrf is missing: nothing in the header x-csrf",
        ),
    ],
)
def test_what_is_wrong_with_the_answer_to_a_login_is_told(
    answer: str, told: str, with_a_login: Callable[..., Any]
) -> None:
    result = with_a_login(login=answer, answer='{"b": 5}')
    assert (result.status, result.err) == (1, f"down: {told}\n")
    assert "eyJ" not in result.out + result.err


def test_the_answer_to_a_login_that_there_is_not_is_refused(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    result = invoke("definition", "try", "acme.yml", "--answer", "answer", "--login", "answer")
    assert (result.status, result.err) == (1, "the definition has no login: leave --login out\n")


def test_pages_are_tried_in_their_order(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    file = tmp_path / "acme.yml"
    head = file.read_text().partition("request:")[0]
    pages = "{path: /b, pages: {query: p, next: next}}\nauth: {type: bearer}\n"
    file.write_text(f"{head}request: {pages}wallets: {{balance: {{sum: {{items: w, path: b}}}}}}\n")
    answers = {
        "1": '{"w": [{"b": 1}], "next": 2}',
        "2": '{"w": [{"b": 2}], "next": null}',
        "3": '{"w": [{}]}',
    }
    for name, text in answers.items():
        (tmp_path / name).write_text(text)

    def tried(*names: str) -> Any:
        given = [word for name in names for word in ("--answer", name)]
        return invoke("definition", "try", "acme.yml", "--currency", "EUR", *given)

    assert tried("1", "2").out.endswith(
        "28 bytes\nAnswer: HTTP status 200, 31 bytes\n\nmain EUR: balance 3\n"
    )
    assert "note: there are further pages" in tried("1").out
    assert tried("1", "2", "3").err == "answer 3 follows the last one: leave it out\n"
    assert tried("1", "1").err.startswith("down: malformed; page 2: the token of the next page came before")
    assert tried("1", "3").err.startswith("down: malformed; page 2: the token of the next page is missing")


def test_a_page_that_is_not_the_last_is_told(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    file = tmp_path / "acme.yml"
    head = file.read_text().partition("request:")[0]
    rest = (
        "{path: /b, pages: {query: p, next: next}}\nauth: {type: bearer}\nwallets: {items: w, balance: b}\n"
    )
    file.write_text(f"{head}request: {rest}")
    for answer, told in (('{"w": [], "next": 2}', 1), ('{"w": [], "next": null}', 0)):
        (tmp_path / "answer").write_text(answer)
        result = invoke("definition", "try", "acme.yml", "--answer", "answer", "--currency", "EUR")
        assert result.status == 0, result.err
        assert result.out.count("note: there are further pages") == told
    (tmp_path / "answer").write_text('{"w": []}')
    result = invoke("definition", "try", "acme.yml", "--answer", "answer", "--currency", "EUR")
    assert result.err.startswith("down: malformed; the token of the next page is missing")


def test_params_are_given_or_stand_in_capitals(invoke: Any, tmp_path: Path) -> None:
    curl = f"curl 'https://api.example.com/v1/users/482193/balance?project=p1' -H 'X-Key: {KEY}'"
    begun(invoke, Case("", curl, '{"balance": 5}', (), ""), tmp_path)
    tried = ("definition", "try", "acme.yml", "--answer", "answer", "--currency", "EUR")
    assert "GET https://api.example.com/v1/users/ACCOUNT_ID/balance?project=PROJECT" in invoke(*tried).out
    result = invoke(*tried, "--param", "project=a b")
    assert "GET https://api.example.com/v1/users/ACCOUNT_ID/balance?project=a+b" in result.out
    assert invoke(*tried, "--param", "nope=1").err == "nope: is no param of this definition\n"


def test_a_definition_that_is_wrong_is_told_with_line_and_column(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    file = tmp_path / "acme.yml"
    file.write_text(file.read_text().replace("balance: data", "balanse: data"))
    result = invoke("definition", "try", "acme.yml", "--answer", "answer")
    assert result.status == 1
    assert 'wallets.balanse: unknown key; did you mean "balance"?' in result.err


def test_definitions_alone_are_validated(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    assert invoke("validate", "acme.yml").out == "acme.yml: a definition, no problems\n"
    (tmp_path / "wrong.yml").write_text(
        (tmp_path / "acme.yml").read_text().replace("auth: {type", "auth: {typ")
    )
    (tmp_path / "prepaid.yml").write_text("accounts: []\n")
    result = invoke("validate", "acme.yml", "wrong.yml", "prepaid.yml", "absent.yml")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "absent.yml: cannot be read: No such file or directory",
        "prepaid.yml: is a configuration; give it by --config.file",
        "wrong.yml:10:7: auth: must say its type",
        "3 problems",
    ]


def test_own_providers_are_shown_by_their_name_or_their_path(invoke: Any, tmp_path: Path) -> None:
    begun(invoke, CASES[0], tmp_path)
    assert invoke("providers", "acme.yml").out.startswith("acme: Acme (observed)\n")
    assert invoke("providers", "acme").err == "no provider 'acme' is built in\n"
    (tmp_path / "prepaid.yml").write_text("provider_files: [ac*.yml]\naccounts: 7\n")
    assert invoke("providers", "acme").out == invoke("providers", "acme.yml").out
    assert invoke("providers", "acne").err == (
        "no provider 'acne' is built in, nor in the provider_files of prepaid.yml; did you mean \"acme\"?\n"
    )
    (tmp_path / "acme.yml").write_text("title: 7\n")
    result = invoke("providers", "acme")
    assert result.status == 1
    assert (
        "acme.yml:1:8: title: must be text (a number or true/false needs quotes)" in result.err.splitlines()
    )


def test_the_schema_is_kept_in_the_documentation_and_fits_every_definition(root: Path, invoke: Any) -> None:
    printed = invoke("definition", "schema").out
    assert (root / "docs" / "definition.schema.json").read_text() == printed, "run `make docs`"
    validator = jsonschema.Draft202012Validator(json.loads(printed))
    validator.check_schema(validator.schema)
    folders = [Path(providers.__file__).parent, root / "tests" / "fixtures" / "features" / "definitions"]
    files = [file for folder in folders for file in folder.glob("*.yml")]
    assert len(files) > 4
    for file in files:
        assert [error.message for error in validator.iter_errors(read(file).data)] == [], file
    wrong = read(files[0]).data | {"request": {"pth": "/"}}
    assert not validator.is_valid(wrong)
