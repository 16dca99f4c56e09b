"""What can be known of an own definition before anybody asks the provider is refused when it is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config.checks import FORMS
from exporter.config.settings import AccountSettings
from exporter.providers import load
from exporter.providers.consistency import RESERVED

PARTS = {
    "title": "Acme",
    "documentation": "[https://docs.example.com/#balance?tab=1]",
    "confidence": "observed",
    "credentials": "{api_key: {description: key}}",
    "base_url": "https://api.example.com",
    "request": "{path: /balance}",
    "auth": "{type: bearer}",
    "wallets": "{currency: {literal: EUR}, balance: balance}",
}
Problems = Callable[..., list[str]]


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    """Return what is said of a definition that is good but for the parts given; the position is left out."""

    def found(**parts: str) -> list[str]:
        file = tmp_path / "acme.yml"
        file.write_text("".join(f"{key}: {value}\n" for key, value in (PARTS | parts).items()))
        provider, listed = load(file)
        assert (provider is None) == bool(listed)
        return [f"{problem.path}: {problem.message}" for problem in listed]

    return found


def test_a_good_definition_is_loaded(problems: Problems) -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("balance", "must begin with /"),
        ("'@127.0.0.1:80/balance'", "must begin with /"),
        ("/a/../balance", "must not hold . or .. between slashes"),
        ("/a b", "holds a space, #, \\ or a control character"),
        ("'/a#b'", "holds a space, #, \\ or a control character"),
        ("'/{id}'", "holds {id} as it stands; write ${id} for its value"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str, message: str, problems: Problems) -> None:
    assert problems(request=f"{{path: {path}}}") == [f"request.path: {message}"]


def test_a_path_for_accounts_with_a_param_is_held_to_the_same(problems: Problems) -> None:
    parts = {"params": "{id: {description: d}}", "request": "{path: /a, path_with: {id: b}}"}
    assert problems(**parts) == ["request.path_with.id: must begin with /"]


def test_a_credential_or_param_that_goes_nowhere_is_named(problems: Problems) -> None:
    assert problems(
        credentials="{sid: {description: s}, api_key: {description: k}}",
        params="{id: {description: d}, pick: {description: d}}",
        request="{path: /a, path_with: {pick: /b}}",
    ) == [
        "credentials.sid: is used nowhere; write ${sid} where its value goes",
        "params.id: is used nowhere; write ${id} where its value goes",
    ]


def test_a_variable_without_its_dollar_sign_is_named(problems: Problems) -> None:
    parts = {"credentials": "{sid: {description: s}}", "auth": '{type: basic, username: "{sid}"}'}
    assert problems(**parts) == [
        "auth.username: holds {sid} as it stands; write ${sid} for its value",
        "credentials.sid: is used nowhere; write ${sid} where its value goes",
    ]


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"request": "{path: '/a/${id}'}"}, "request.path"),
        ({"request": "{path: '/${a}', path_with: {a: '/b/${id}'}}"}, "request.path_with.a"),
        ({"auth": "{type: basic, username: '${id}', password: '${api_key}'}"}, "auth.username"),
    ],
)
def test_what_a_request_cannot_do_without_must_be_required(
    parts: dict[str, str], where: str, problems: Problems
) -> None:
    params = "{a: {description: d, required: true}, id: {description: d, default: x}}"
    needed = f"{where}: needs 'id', which an account may leave out; declare it with required: true"
    assert needed in problems(params=params, **parts)
    required = params.replace("default: x", "default: x, required: true")
    assert needed not in problems(params=required, **parts)


def test_the_key_is_a_credential_and_no_param(problems: Problems) -> None:
    parts = {"params": "{id: {description: d, required: true}}", "auth": "{type: bearer, credential: id}"}
    assert "auth.credential: uses 'id', which is not declared (declared: api_key)" in problems(**parts)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("{path: /a, headers: {'X Y': a}}", "request.headers.X…: is not the name of a header"),
        ("{path: /a, headers: {'': a}}", 'request.headers."": is not the name of a header'),
        ("{path: /a, headers: {Ж: a}}", "request.headers.Ж: is not the name of a header"),
        (
            "{path: /a, headers: {Host: a}}",
            "request.headers.Host: is a header that the exporter sets by itself",
        ),
        (
            '{path: /a, headers: {X: "a\\nb: c"}}',
            "request.headers.X: holds a line break or another control character",
        ),
        ("{path: /a, headers: {X-A: a, x-a: b}}", "request.headers: names a header twice"),
        ("{path: /a, headers: {authorization: a}}", "request.headers: names Authorization, which auth sets"),
        (
            "{path: /a, json: {q: ['cost $ 5']}}",
            "request.json.q[0]: is not a template: write ${name} for a variable and $$ for a dollar sign",
        ),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(request_: str, message: str, problems: Problems) -> None:
    assert problems(request=request_) == [message]


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (
            "{type: header, name: ''}",
            "auth.name: must be text of 1 to 200 characters, without control characters",
        ),
        ("{type: header, name: 'A uth'}", "auth.name: is not the name of a header"),
        (
            '{type: query, name: k, prefix: "a\\n"}',
            "auth.prefix: holds a line break or another control character",
        ),
        ("{type: query, name: taken}", "auth.name: taken is in the request already, which auth sets"),
        ("{type: header, name: x-taken}", "request.headers: names x-taken, which auth sets"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused(auth: str, message: str, problems: Problems) -> None:
    request = "{path: /a, query: {taken: a}, headers: {X-Taken: a}}"
    assert problems(auth=auth, request=request) == [message]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("nosuchfn(x)", "calls nosuchfn(), which is not a function of JMESPath"),
        ("a[?to_numbr(b) > `1`].c | [0]", "calls to_numbr(), which is not a function of JMESPath"),
        ("to_number(a, b)", "calls to_number() with 2 arguments; it takes 1"),
        ("not_null()", "calls not_null() with 0 arguments; it takes at least 1"),
        ("avg(a)", "calls avg(), which is not exact"),
        (
            "sum(a)",
            "calls sum(), which is 0 where the items lack the field; write sum: {items: ..., path: ...}",
        ),
        (
            "a || abs(sum(b))",
            "calls sum(), which is 0 where the items lack the field; write sum: {items: ..., path: ...}",
        ),
    ],
)
def test_a_call_that_can_never_work_is_refused(expression: str, message: str, problems: Problems) -> None:
    wallets = f'{{currency: {{literal: EUR}}, balance: "{expression}"}}'
    assert problems(wallets=wallets) == [f"wallets.balance: {message}"]


def test_functions_of_any_number_of_arguments_are_taken(problems: Problems) -> None:
    assert problems(wallets='{currency: c, balance: "not_null(a, b, &c, to_number(d))"}') == []


CURRENCY = "must be a currency or unit, such as EUR or CREDITS: A-Z, 0-9 and _, at most 32"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("currency: {literal: €}", f"wallets.currency.literal: {CURRENCY}"),
        ("currency: {literal: not a currency!}", f"wallets.currency.literal: {CURRENCY}"),
        (
            "id: {literal: ''}",
            "wallets.id.literal: must be text of 1 to 200 characters, without control characters",
        ),
        (
            'id: {literal: "a\\nb"}',
            "wallets.id.literal: must be text of 1 to 200 characters, without control characters",
        ),
        ("quota: {path: q, scale: 0}", "wallets.quota.scale: must not be 0: every amount would be"),
        ("quota: {path: q, scale: 0.00}", "wallets.quota.scale: must not be 0: every amount would be"),
        (
            "quota: {path: q, minus: {path: r, scale: 0}}",
            "wallets.quota.minus.scale: must not be 0: every amount would be",
        ),
        ("quota: {path: q, plus: []}", "wallets.quota.plus: must not be empty"),
        (
            "status: {path: s, states: [active, active]}",
            "wallets.status.states: must name each state once, and not unknown, which is always there",
        ),
        (
            "status: {path: s, states: [active, unknown]}",
            "wallets.status.states: must name each state once, and not unknown, which is always there",
        ),
        ("postpaid: [LATER]", "wallets: postpaid goes with type"),
    ],
)
def test_a_field_that_can_never_be_right_is_refused(field: str, message: str, problems: Problems) -> None:
    assert problems(wallets=f"{{balance: b, {field}}}") == [message]


def wallets_with(pattern: str) -> str:
    return json.dumps({"currency": "c", "balance": {"path": "b", "pattern": pattern}})


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s*([0-9]+\.[0-9]{2}) *€",
        r"\(([0-9.]+)\)+",
        r"[)*]*([0-9]+)",
        r"(?:\$|€|US\$) ?(-?[0-9.]+)",
        r"(?i)kes (-?[0-9]+(?:\.[0-9]+)?)",
        r"ACCESS_BALANCE:(-?[0-9.]+)",
        r"[A-Za-z ]*: ([-+]?[0-9.]+)",
        r".*: (-?[0-9.]+)",
        r"(?:Balance: )?(-?[0-9.]+)",
        r"(-?[0-9.]+) EUR as of [0-9]{4}-[0-9]{2}-[0-9]{2}",
        r"SMS2 ([0-9]+)",
        r"((?:[0-9]+,?)+) EUR",
        r"(?x) GBP\ ([0-9]+)  # the (rest) is a comment",
        r"([0-9]+)\{x\}[{x}]",
    ],
)
def test_usual_patterns_are_taken(pattern: str, problems: Problems) -> None:
    assert problems(wallets=wallets_with(pattern)) == []


EATS = (
    "can match a digit, point or sign of the number outside of its group; put what may be part of the number into "
    "the group, and name the text around it, as in 'Balance: (-?[0-9.]+) EUR'"
)


@pytest.mark.parametrize(
    "pattern",
    [
        r".*([0-9.]+)",
        r".*?([0-9.]+)",
        r"([0-9]+).*",
        r".* ([0-9.]+) EUR",
        r"[^0-9]*([0-9.]+)",
        r"\D*([0-9.]+)\D*",
        r"-([0-9.]+)",
        r"-?([0-9.]+)",
        r"([0-9]+)(?:[.,][0-9]+)? EUR",
        r"([0-9]+)\.[0-9]{2} EUR",
        r"([0-9.]+)(?:e[0-9]+)?",
        r"(?:1|22)?([0-9]+)",
        r"(?:0)*([0-9])",
        r"(?>.*: |\w )([0-9]+)",
        r"([0-9]+)\1?",
        r"(?:x|(?:y|.))([0-9]+)",
        r"\s*\w*\s*\w*\s*\w*\s*([0-9]+)\s*\w*\s*\w*",
        r"\d*" * 8 + "([0-9]+)",
        "(?:1|11|111)?" * 25 + "([0-9])",
        "(?x)(?:[0-9]+)# a comment\n*([0-9]+)",
    ],
)
def test_a_pattern_that_may_take_a_part_of_the_number_away_is_refused(
    pattern: str, problems: Problems
) -> None:
    assert problems(wallets=wallets_with(pattern)) == [f"wallets.balance.pattern: {EATS}"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[0-9]+", "must have exactly one group, around the wanted part"),
        ("([0-9]+)(a)", "must have exactly one group, around the wanted part"),
        ("([0-9]+", "is not a regular expression"),
        ("(?r)([0-9]+)", "is not a regular expression"),
        ("(?P<a>[0-9]+)(?P>a)", "is not a regular expression"),
        ("([0-9]+){e<=1}", "holds a brace as it stands; write \\{ for it"),
        ("([0-9]+) EUR{s}", "holds a brace as it stands; write \\{ for it"),
        ("(?:([0-9]),?)+", "must not repeat its group, nor look ahead or behind with it"),
        ("([0-9]){2}", "must not repeat its group, nor look ahead or behind with it"),
        ("(?=([0-9]+)).*", "must not repeat its group, nor look ahead or behind with it"),
        ("a" * 499 + "()", "must have at most 500 characters"),
    ],
)
def test_what_is_no_pattern_for_a_number_is_refused(pattern: str, message: str, problems: Problems) -> None:
    assert problems(wallets=wallets_with(pattern)) == [f"wallets.balance.pattern: {message}"]


@pytest.mark.parametrize("path", ["(" * 500 + "a" + ")" * 500, "!" * 1999])
def test_a_path_without_end_is_refused(path: str, problems: Problems) -> None:
    refused = problems(wallets=json.dumps({"currency": "c", "balance": path}))
    assert refused == ["wallets.balance: is nested too deeply"]
    refused = problems(wallets=json.dumps({"currency": "c", "balance": "a" * 2001}))
    assert refused == ["wallets.balance: must have at most 2000 characters"]


@pytest.mark.parametrize(
    ("wallets", "message"),
    [
        ("{}", "balance is missing; without it settled_balance or quota_used must be given"),
        ("{quota: q}", "balance is missing; without it settled_balance or quota_used must be given"),
        (
            "{balance: {path: b, required: false}}",
            "balance: a wallet always needs it; leave required out",
        ),
        (
            "{quota_used: {path: b, required: false}}",
            "quota_used: a wallet always needs it; leave required out",
        ),
        ("{balance: b, items: i, items_by_key: k}", "give items or items_by_key, not both"),
        (
            "{currency: {literal: CREDITS}, balance: {path: b, minor_units: from_currency}}",
            "balance: minor_units needs a currency of ISO 4217, which CREDITS is not",
        ),
        (
            "{currency: {literal: XAU}, balance: b, thresholds: {info: {path: b, minor_units: from_currency}}}",
            "thresholds.info: minor_units needs a currency of ISO 4217, which XAU is not",
        ),
    ],
)
def test_a_wallet_that_can_never_be_right_is_refused(wallets: str, message: str, problems: Problems) -> None:
    assert problems(wallets=wallets) == [f"wallets: {message}"]


@pytest.mark.parametrize(
    "wallets",
    [
        "{balance: {path: b, required: true}}",
        "{settled_balance: s}",
        "{quota_used: {path: q, required: true}}",
        "{balance: b, settled_balance: {path: s, required: false}}",
        "{currency: {literal: usd}, balance: {path: b, minor_units: from_currency}}",
        "{currency: {literal: USDT}, balance: {path: b, minor_units: from_currency, minor_digits: {USDT: 6}}}",
        "{currency: {path: USD}, balance: b}",
        "{currency: CURRENCY, balance: b}",
    ],
)
def test_a_wallet_that_may_be_right_is_taken(wallets: str, problems: Problems) -> None:
    assert problems(wallets=wallets) == []


NO_DEFAULT = "has no default: what is missing is no sample; missing: 0 excuses a part, in sum, plus or minus"


@pytest.mark.parametrize(
    ("field", "path", "message"),
    [
        (
            "{path: q, scale: -0.01, negate: true}",
            "",
            "negate and a negative scale turn the sign round twice; leave one of them out",
        ),
        (
            "{path: q, scale: 0.01, minor_units: from_currency}",
            "",
            "scale does not go with minor_units, which is a scale",
        ),
        ("{path: q, minor_digits: {ISK: 2}}", "", "minor_digits goes with minor_units: from_currency"),
        (
            "{path: q, minor_units: from_currency, minor_digits: {ISK: 9}}",
            ".minor_digits.ISK",
            "must be at most 6",
        ),
        ("{path: q, minor_units: cents}", ".minor_units", "must be one of 'from_currency'"),
        ("{path: q, grouping: ','  , decimal: ','}", "", "grouping and decimal must be different characters"),
        ("{path: q, grouping: '.'}", "", "grouping and decimal must be different characters"),
        (
            "{path: q, grouping: '#'}",
            ".grouping",
            "must be one character: a comma, a point, an apostrophe, an underscore or a space",
        ),
        ("{path: q, decimal: ';'}", ".decimal", "must be one of '.' or ','"),
        ("{path: q, sum: {items: i}}", "", "give exactly one of path and sum"),
        ("{scale: 2}", "", "give exactly one of path and sum"),
        ("{sum: {path: i}}", ".sum.items", "is missing"),
        (
            "{sum: {items: i, missing: 1}}",
            ".sum.missing",
            "must be one of 0",
        ),
        (
            "{sum: {items: i, missing: false}}",
            ".sum.missing",
            "must be 0, where it is documented that a missing amount means nothing",
        ),
        ("{path: q, missing: 0}", "", NO_DEFAULT),
        ("{path: q, default: 0}", "", NO_DEFAULT),
        ("{path: q, minus: {scale: 2}}", ".minus", "give exactly one of path and sum"),
        (
            "{path: 'q[*]', unlimited: [null]}",
            "",
            "unlimited: [null] needs a path that ends in the name of a field",
        ),
        (
            "{path: [q, 'max(r)'], unlimited: [null]}",
            "",
            "unlimited: [null] needs a path that ends in the name of a field",
        ),
        ("5", "", "must be a path (text), or a mapping of keys to values"),
        ("true", "", "must be a path (text), or a mapping of keys to values"),
        (
            "{path: q, minus: 5}",
            ".minus",
            "must be a path (text), a mapping of keys to values, or a list of them",
        ),
    ],
)
def test_a_number_that_can_never_be_right_is_refused(
    field: str, path: str, message: str, problems: Problems
) -> None:
    assert problems(wallets=f"{{balance: b, quota: {field}}}") == [f"wallets.quota{path}: {message}"]


@pytest.mark.parametrize("code", ["USD", "EUR", "CREDITS", "SMS"])
def test_a_currency_where_its_path_is_wanted_is_refused(code: str, problems: Problems) -> None:
    said = f"is the path of a currency in the answer; did you mean {{literal: {code}}}?"
    assert problems(wallets=f"{{currency: {code}, balance: b}}") == [f"wallets.currency: {said}"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"base_url": "'https://${host}/v1'"},
            "base_url: holds ${, but no variable is put into a base_url; an account may give a base_url of its own",
        ),
        (
            {"request": "{path: /a%2fb}"},
            "request.path: holds an escape that hides a character; write the character itself (%25 for a percent sign)",
        ),
        (
            {"request": "{path: /a%2E%2e/b}"},
            "request.path: holds an escape that hides a character; write the character itself (%25 for a percent sign)",
        ),
        (
            {"request": "{path: /%61}"},
            "request.path: holds an escape that hides a character; write the character itself (%25 for a percent sign)",
        ),
        (
            {"request": "{path: /100%}"},
            "request.path: holds an escape that hides a character; write the character itself (%25 for a percent sign)",
        ),
        (
            {"params": "{token: {description: d, required: true}}", "request": "{path: '/${token}'}"},
            "params.token: is shown on pages and in logs, as all params are; a secret goes into credentials",
        ),
        ({"lists": "[wallet]"}, "lists: goes with answer: xml"),
        ({"answer": "yaml"}, "answer: must be one of 'json', 'text' or 'xml'"),
        ({"answer": "text"}, "wallets.balance: begins with balance; an answer of text has nothing but text"),
        (
            {"answer": "text", "wallets": "{balance: '@'}"},
            "wallets.balance: begins with @; an answer of text has nothing but text",
        ),
        (
            {"answer": "text", "wallets": "{balance: text, quota: {path: text, minus: [text, 'a || b']}}"},
            "wallets.quota: begins with a, b; an answer of text has nothing but text",
        ),
        (
            {
                "answer": "text",
                "wallets": "{balance: text}",
                "success": "{path: 'a == text', equals: [true]}",
            },
            "success.path: begins with a; an answer of text has nothing but text",
        ),
        (
            {"answer": "text", "wallets": "{balance: text}", "errors": "{code: code, auth: [a]}"},
            "errors.code: begins with code; an answer of text has nothing but text",
        ),
        (
            {"answer": "xml", "success": "{path: r.code, equals: [0]}"},
            "success.equals: is no text, which is all that an answer of xml has; put it in quotes",
        ),
        (
            {"answer": "xml", "errors": "{code: r.code, auth: [7]}"},
            "errors.auth: is no text, which is all that an answer of xml has; put it in quotes",
        ),
        (
            {
                "answer": "text",
                "wallets": "{balance: text}",
                "errors": """{code: "starts_with(text, 'ERR')", auth: [true]}""",
            },
            "errors.auth: is no text, which is all that an answer of text has; where code asks a question, let it "
            "answer with a text that is listed here, as in \"starts_with(text, 'ERR: 401') && 'wrong key'\"",
        ),
        ({"wallets": "balance"}, "wallets: must be a mapping of keys to values, or a list of them"),
        ({"success": "ok"}, "success: must be a mapping of keys to values, or a list of them"),
    ],
)
def test_what_an_answer_can_never_have_is_refused(
    parts: dict[str, str], message: str, problems: Problems
) -> None:
    assert problems(**parts) == [message]


@pytest.mark.parametrize(
    "parts",
    [
        {
            "answer": "text",
            "first": "{path: /first}",
            "wallets": "{balance: text, quota: '\"$\".text', quota_used: '\"$first\".a'}",
        },
        {
            "answer": "text",
            "wallets": "{currency: {literal: EUR}, balance: {path: text, pattern: 'a ([0-9]+)'}}",
        },
        {
            "answer": "text",
            "wallets": "{balance: text}",
            "success": "{path: \"starts_with(text, 'a')\", equals: [true]}",
        },
        {
            "answer": "xml",
            "lists": "[w]",
            "success": "{path: r.code, equals: ['0']}",
            "wallets": "{items: r.w, balance: b}",
        },
        {"request": "{path: /a%20b%25/c}"},
        {"params": "{lookup_key: {description: d, required: true}}", "request": "{path: '/${lookup_key}'}"},
    ],
)
def test_what_an_answer_can_have_is_taken(parts: dict[str, str], problems: Problems) -> None:
    assert problems(**parts) == []


@pytest.mark.parametrize("currency", ["currency: {literal: EUR}, ", ""])
def test_wallets_that_would_be_the_same_are_refused(currency: str, problems: Problems) -> None:
    wallets = f"[{{{currency}balance: a}}, {{{currency}balance: b}}]"
    assert problems(wallets=wallets) == [
        "wallets[1]: has the id and the currency of another wallet; give it an id of its own"
    ]


def test_wallets_of_two_currencies_or_two_places_may_share_an_id(problems: Problems) -> None:
    assert (
        problems(wallets="[{currency: {literal: EUR}, balance: a}, {balance: b}, {currency: c, balance: d}]")
        == []
    )
    assert problems(wallets="[{items: a, balance: a}, {items: b, balance: b}]") == []


REASONS = (
    "auth, rate_limited, timeout, unreachable, tls, http_status, redirect, api_error, too_large, malformed, "
    "misconfigured, exhausted, proxy, internal"
)


QUOTED = ", ".join(f"'{reason}'" for reason in REASONS.split(", ")).replace(", 'internal'", " or 'internal'")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"hints": "{autth: x}"}, f"hints.autth: must be an HTTP status or a reason: {REASONS}"),
        ({"hints": "{999: x}"}, f"hints.999: must be an HTTP status or a reason: {REASONS}"),
        (
            {"success": "{statuses: [200, 9999]}"},
            "success.statuses[1]: must be an HTTP status from 200 to 299 or 400 to 599",
        ),
        (
            {"success": "{statuses: [302]}"},
            "success.statuses[0]: must be an HTTP status from 200 to 299 or 400 to 599",
        ),
        (
            {"success": "{path: ok, equals: [1, ok], errors: [ok]}"},
            "success: equals and errors share a value",
        ),
        ({"success": "{errors: [ok]}"}, "success: path goes with equals, errors or absent"),
        (
            {"success": "[{path: ok}, {statuses: [200]}]"},
            "success[0]: path goes with equals, errors or absent",
        ),
        (
            {"errors": "{statuses: {302: auth}}"},
            "errors.statuses.302: must be an HTTP status from 400 to 599",
        ),
        ({"errors": "{statuses: {no: auth}}"}, "errors.statuses.no: must be a whole number"),
        (
            {"success": "{path: a, equals: [[1]]}"},
            "success.equals[0]: must be text, a whole number, or true or false",
        ),
        ({"errors": "{auth: [0.5]}"}, "errors.auth[0]: must be text, a whole number, or true or false"),
        ({"looked_up": "yesterday"}, "looked_up: must be a date such as 2026-11-27"),
        ({"looked_up": "27.11.2026"}, "looked_up: must be a date such as 2026-11-27"),
        ({"looked_up": "20261127"}, "looked_up: must be a date such as 2026-11-27"),
        ({"looked_up": "2026-11-27T10:00:00"}, "looked_up: must be a date such as 2026-11-27"),
        (
            {"request": "{path: /b, query: {k: sk1a2b3c4d5e6f7g8h9i0j}}"},
            "request.query.k: holds what looks like a key, and would be shown; declare a credential, and write "
            "${name} for it",
        ),
        (
            {"errors": "{statuses: {402: empty}}"},
            f"errors.statuses.402: must be one of {QUOTED}",
        ),
        (
            {"success": "{statuses: [200, 402]}", "errors": "{statuses: {402: exhausted}}"},
            "errors.statuses.402: is a status of success too",
        ),
        (
            {"base_url": "'https://[::1]x/'"},
            "base_url: must be a URL that begins with https:// or http:// and names a host",
        ),
        ({"topup_url": "https://me:pw@example.com"}, "topup_url: must not carry a user"),
        (
            {"params": '{id: {description: d, default: "a\\nb"}}'},
            "params.id.default: holds a line break or another control character",
        ),
    ],
)
def test_what_would_never_count_is_refused(parts: dict[str, str], message: str, problems: Problems) -> None:
    assert problems(**parts) == [message]


def test_true_and_one_are_two_values(problems: Problems) -> None:
    assert problems(success="{path: ok, equals: [true], errors: [1]}") == []


def test_links_for_people_may_lead_to_a_part_of_a_page(problems: Problems) -> None:
    assert (
        problems(
            dashboard_url="https://panel.example.com/#/billing?tab=1", topup_url="https://example.com/?a=b"
        )
        == []
    )


@pytest.mark.parametrize("name", ["name", "ca", "key_file", "key_env"])
def test_a_credential_is_not_named_like_a_key_of_an_account(name: str, problems: Problems) -> None:
    parts = {
        "credentials": f"{{{name}: {{description: d}}}}",
        "auth": f"{{type: bearer, credential: {name}}}",
    }
    assert problems(**parts) == [
        f"credentials.{name}: has the form of another key of an account; give it another name"
    ]


def test_every_key_of_an_account_is_kept_from_credentials() -> None:
    taken = {
        key.removesuffix(form) for key in AccountSettings.model_fields for form in FORMS if key.endswith(form)
    }
    assert {name for name in taken if not name.endswith(tuple(form for form in FORMS if form))} == RESERVED


def test_a_param_is_not_named_like_a_credential(problems: Problems) -> None:
    assert problems(params="{api_key: {description: d}}") == [
        "params.api_key: is the name of a credential too; give one of them another name"
    ]


@pytest.mark.parametrize("name", ["today", "month_start_unix", "today_rfc3339", "uuid"])
@pytest.mark.parametrize("section", ["credentials", "params"])
def test_a_variable_that_every_request_has_lends_its_name_to_no_other(
    section: str, name: str, problems: Problems
) -> None:
    declared = {"credentials": "api_key: {description: k}", "params": ""}
    declared[section] += (
        f", {name}: {{description: d}}" if declared[section] else f"{name}: {{description: d}}"
    )
    parts = {key: f"{{{text}}}" for key, text in declared.items()}
    told = "is the name of a variable that every request has; give it another name"
    assert f"{section}.{name}: {told}" in problems(**parts, request=f"{{path: '/${{{name}}}'}}")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("json: {a: b}, form: {}", "request: give json or form, not both"),
        (
            "json: [1], multipart: {a: b}, body: {content_type: a/b, text: c}",
            "request: give json or multipart or body, not all",
        ),
        ("json: text", "request.json: must be a mapping of keys to values, or a list"),
        ("body: {content_type: '', text: a}", "request.body.content_type: must not be empty"),
        ("body: {text: a}", "request.body.content_type: is missing"),
        (
            "body: {content_type: a/b, text: '${id}'}",
            "request.body.text: needs 'id', which an account may leave out; declare it with required: true",
        ),
        (
            "body: {content_type: a/b, text: '${id'}",
            "request.body.text: is not a template: write ${name} for a variable and $$ for a dollar sign",
        ),
        (
            "body: {content_type: a/b, text: a}, headers: {content-type: c/d}",
            "request.headers: names Content-Type, which body sets",
        ),
        (
            "json: ['${todya}']",
            "request.json[0]: uses 'todya', which is not declared (declared: api_key, id)",
        ),
    ],
)
def test_a_body_that_cannot_be_sent_is_refused(request_: str, message: str, problems: Problems) -> None:
    request = f"{{method: POST, path: /, query: {{id: '${{id}}'}}, {request_}}}"
    assert problems(params="{id: {description: d}}", request=request) == [message]


@pytest.mark.parametrize("body", ["json: [1]", "body: {content_type: a/b, text: c}", "query: {a: b}"])
def test_a_key_in_the_body_needs_one_with_fields(body: str, problems: Problems) -> None:
    request = f"{{method: POST, path: /, {body}}}"
    assert problems(auth="{type: body, name: k}", request=request) == [
        "auth: auth in the body needs request.json (a mapping), request.form or request.multipart"
    ]


def test_no_auth_is_needed_where_the_request_carries_the_key(problems: Problems) -> None:
    assert problems(auth="null", request="{path: '/${api_key}/balance'}") == []
    assert problems(auth="null") == [
        "credentials.api_key: is used nowhere; write ${api_key} where its value goes"
    ]


FIRST = "{path: /a, gives: {team: 'teams[0].id'}}"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"first": "{path: /a, gives: {team: id}}"},
            "first.gives.team: is used nowhere; write ${team} where its value goes",
        ),
        (
            {"first": "{path: '/${team}', gives: {team: id}}", "request": "{path: '/${team}'}"},
            "first.path: uses 'team', which is known only after this request",
        ),
        (
            {"first": "{path: /a, gives: {api_key: id}}"},
            "first.gives.api_key: is the name of a credential too; give one of them another name",
        ),
        (
            {"first": "{path: /a, gives: {today: id}}", "request": "{path: '/${today}'}"},
            "first.gives.today: is the name of a variable that every request has; give it another name",
        ),
        (
            {"first": FIRST, "request": "{path: '/${taem}/${team}'}"},
            "request.path: uses 'taem', which is not declared (declared: api_key, team)",
        ),
        (
            {"first": FIRST, "request": "{path: '/{team}/${team}'}"},
            "request.path: holds {team} as it stands; write ${team} for its value",
        ),
        (
            {"first": FIRST, "request": "{path: '/${team}'}", "auth": "{type: bearer, credential: team}"},
            "auth.credential: uses 'team', which is not declared (declared: api_key)",
        ),
        (
            {"wallets": "{currency: '\"$first\".c', balance: b}"},
            'wallets.currency: has "$first", the document of a first request, but there is none; declare first',
        ),
        (
            {"success": "{path: 'a && \"$first\".c', equals: [x]}"},
            'success.path: has "$first", the document of a first request, but there is none; declare first',
        ),
        (
            {"first": "{path: /a, success: {path: '\"$first\".c', equals: [x]}}"},
            'first.success.path: has "$first", which is known only after this request; "$" is its document',
        ),
        ({"first": "{path: /a, path_with: {id: /b}}"}, 'first.path_with: unknown key; did you mean "path"?'),
        ({"first": "{gives: {}}"}, "first.path: is missing"),
        (
            {"first": "{path: /a, headers: {authorization: x}}"},
            "first.headers: names Authorization, which auth sets",
        ),
        (
            {
                "first": "{path: /a}",
                "auth": "{type: body, name: k}",
                "request": "{method: POST, path: /b, form: {}}",
            },
            "auth: auth in the body needs first.json (a mapping), first.form or first.multipart",
        ),
    ],
)
def test_a_first_request_that_does_not_fit_is_refused(
    parts: dict[str, str], message: str, problems: Problems
) -> None:
    assert message in problems(**parts)


PAGED = "{path: /, query: {page: '0'}, pages: {query: page, next: next}}"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            "pages: {query: page}",
            "request.pages: give next, where the next page's token stands, or number: true and last",
        ),
        (
            "pages: {query: page, number: true}",
            "request.pages: give last, where the number of the last page stands",
        ),
        ("pages: {query: p, next: n, last: l}", "request.pages: last does not go with a token"),
        ("pages: {query: p, next: n, from: 1}", "request.pages: from does not go with a token"),
        (
            "pages: {query: p, number: true, last: l, more: m}",
            "request.pages: more does not go with number: true",
        ),
        ("pages: {query: '', next: n}", "request.pages.query: must not be empty"),
        ("pages: {query: p, next: n, from: -1}", "request.pages.from: must be at least 0"),
        (
            "pages: {query: p, next: '$.n'}",
            "request.pages.next: is not a JMESPath expression; "
            "a path begins at the document without $; write n",
        ),
        ("pages: {query: p, nxt: n}", 'request.pages.nxt: unknown key; did you mean "next"?'),
        (
            "query: {p: '1'}, pages: {query: p, number: true, last: l}",
            "request.pages.query: p is in the request already, which pages sets",
        ),
        ("pages: {query: key, next: n}", "request.pages.query: key is the field that auth sets"),
        (
            "method: POST, json: {a: b}, pages: {query: p, next: n}",
            "request.pages: names the page in the query; a request with a body has no place for it",
        ),
    ],
)
def test_pages_that_cannot_be_asked_for_are_refused(request_: str, message: str, problems: Problems) -> None:
    wallets = "{items: w, currency: {literal: EUR}, balance: b}"
    auth = "{type: query, name: key}"
    assert problems(request=f"{{path: /, {request_}}}", wallets=wallets, auth=auth) == [message]


def test_pages_are_of_use_to_lists_alone(problems: Problems) -> None:
    told = "request.pages: is of no use: nothing runs over pages but the items of wallets, and those of a sum"
    assert problems(request=PAGED) == [told]
    assert problems(request=PAGED, wallets="{balance: {sum: {items: g}}}") == []
    assert problems(request=PAGED, wallets="{balance: b, quota: {path: q, plus: {sum: {items: g}}}}") == []
    assert problems(request=PAGED, wallets="{items_by_key: w, balance: b}") == []


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("auth", "bearer", "auth: must be a mapping of keys to values, such as {type: bearer}"),
        ("request", "/balance", "request: must be a mapping of keys to values, such as {path: /balance}"),
        (
            "credentials",
            "{api_key: sk-CANARY}",
            "credentials.api_key: must be a mapping of keys to values, such as {description: ...}",
        ),
        (
            "wallets",
            "{balance: left, status: state}",
            "wallets.status: must be a mapping of keys to values, such as {path: ..., states: [...]}",
        ),
        (
            "auth",
            "{type: beaer}",
            "auth: type must be one of 'bearer', 'header', 'query', 'body', 'basic', 'signed'"
            '; did you mean "bearer"?',
        ),
        (
            "wallets",
            "{balance: left, currency: usd}",
            "wallets.currency: is the path of a currency in the answer; did you mean {literal: USD}?",
        ),
        (
            "request",
            "{path: /v1/sk-live-0a1b2cCANARY/balance}",
            "request.path: holds what looks like a key, and would be shown; "
            "declare a credential, and write ${name} for it",
        ),
    ],
)
def test_what_was_meant_is_said_and_never_the_text_itself(
    part: str, text: str, message: str, problems: Problems
) -> None:
    found = problems(**{part: text})
    assert message in found
    assert "CANARY" not in "".join(found)


OTHER = "give one of them another name"
KNOWN_LATER = 'has "$first", which is known only after this request; "$" is its document'
LOGIN = "method: POST, path: /token, form: {key: '${api_key}'}, gives: {token: access_token}"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"login": f"{{{LOGIN}}}"},
            "login.gives.token: is used nowhere; name it in auth (credential: token), "
            "or write ${token} where its value goes",
        ),
        (
            {"auth": "{type: bearer, credential: token}"},
            "auth.credential: uses 'token', which is not declared (declared: api_key); a token comes from a login",
        ),
        (
            {
                "login": "{path: '/${token}/${api_key}', gives: {token: t}}",
                "auth": "{type: bearer, credential: token}",
            },
            "login.path: uses 'token', which is known only after this request",
        ),
        (
            {
                "login": "{path: /, auth: {type: bearer, credential: token}, gives: {token: t}}",
                "auth": "{type: bearer, credential: token}",
            },
            "login.auth.credential: uses 'token', which is not declared (declared: api_key)",
        ),
        (
            {"login": "{path: /, gives: {api_key: t}}"},
            f"login.gives.api_key: is the name of a credential too; {OTHER}",
        ),
        ({"login": "{path: /}"}, "login.gives: is missing"),
        ({"login": "{path: /, gives: {}}"}, "login.gives: must not be empty"),
        ({"login": "{path: /, gives: {t: {}}}"}, "login.gives.t: give exactly one of path and header"),
        (
            {"login": "{path: /, gives: {t: {header: 'X Y'}}}"},
            "login.gives.t.header: is not the name of a header",
        ),
        (
            {"login": "{path: /, gives: {t: {heder: X}}}"},
            'login.gives.t.heder: unknown key; did you mean "header"?',
        ),
        (
            {"login": "{path: /, gives: {t: '$.t'}}"},
            "login.gives.t: is not a JMESPath expression; a path begins at the document without $; write t",
        ),
        (
            {"login": "{base_url: 'https://${host}', path: /, gives: {t: t}}"},
            "login.base_url: holds ${, but no variable is put into a base_url; "
            "an account may give a base_url of its own",
        ),
        (
            {"login": f"{{base_url: 'http://example.com', {LOGIN}}}"},
            "login.base_url: must begin with https://",
        ),
        (
            {"login": f"{{{LOGIN}, lifetime: '\"$first\".x'}}", "first": "{path: /}"},
            f"login.lifetime: {KNOWN_LATER}",
        ),
        (
            {"login": f"{{{LOGIN}, errors: {{statuses: {{402: auth}}}}, success: {{statuses: [402]}}}}"},
            "login.errors.statuses.402: is a status of success too",
        ),
        ({"login": f"{{{LOGIN}, headers: {{X: a, x: b}}}}"}, "login.headers: names a header twice"),
        (
            {"login": "{path: /, auth: {type: body, name: k}, gives: {token: t}}"},
            "login.auth: auth in the body needs login.json (a mapping), login.form or login.multipart",
        ),
        (
            {"login": f"{{{LOGIN}, answer: text}}"},
            "login.gives.token: begins with access_token; an answer of text has nothing but text",
        ),
        ({"login": f"{{{LOGIN}, pages: {{}}}}"}, 'login.pages: unknown key; did you mean "gives"?'),
        (
            {"credentials": "{login_base_url: {description: k}}"},
            "credentials.login_base_url: has the form of another key of an account; give it another name",
        ),
    ],
)
def test_a_login_that_does_not_fit_is_refused(
    parts: dict[str, str], message: str, problems: Problems
) -> None:
    assert message in problems(**parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"auth": "{type: bearer, credential: token}"},
        {"auth": "null", "request": "{path: /, headers: {Cookie: 'sid=${token}'}}"},
        {"auth": "{type: basic, username: '${token}'}"},
        {"auth": "{type: bearer}", "first": "{path: '/${token}'}"},
        {
            "auth": "{type: bearer, credential: token}",
            "answer": "text",
            "login": f"{{{LOGIN}, answer: json}}",
            "wallets": "{balance: text}",
        },
    ],
)
def test_a_login_whose_token_is_used_is_taken(parts: dict[str, str], problems: Problems) -> None:
    assert problems(**{"login": f"{{{LOGIN}}}", **parts}) == []


@pytest.mark.parametrize("name", ["key", "pass", "psw", "auth_key", "client_key", "my_access_key", "apikey"])
def test_a_param_that_is_called_like_a_key_is_refused_in_a_path(name: str, problems: Problems) -> None:
    found = problems(
        params=f"{{{name}: {{description: d, required: true}}}}", request=f"{{path: '/${{{name}}}/balance'}}"
    )
    assert found == [
        f"params.{name}: is shown on pages and in logs, as all params are; a secret goes into credentials"
    ]


@pytest.mark.parametrize("name", ["lookup_key", "passenger", "keyring", "project"])
def test_a_param_that_only_sounds_like_a_key_is_taken(name: str, problems: Problems) -> None:
    declared = f"{{{name}: {{description: d, required: true}}}}"
    assert problems(params=declared, request=f"{{path: '/${{{name}}}/balance'}}") == []
