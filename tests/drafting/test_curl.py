"""A command line of curl as the request that it makes."""

from typing import Any

import pytest

from exporter.drafting.curl import CurlError, call

URL = "https://api.example.com/v1/balance"


@pytest.mark.parametrize(
    ("command", "method", "parts"),
    [
        (f"curl {URL}", "GET", {"base_url": "https://api.example.com", "path": "/v1/balance", "query": []}),
        (f"$ curl -sSL --url {URL} | jq .balance", "GET", {"path": "/v1/balance"}),
        (f"curl -X POST {URL}", "POST", {"form": None, "json_body": None}),
        (f"curl -XPOST '{URL}?a=1&b=' -d ''", "POST", {"query": [("a", "1"), ("b", "")]}),
        (f"curl -d 'a=1&b=x%20y' {URL}", "POST", {"form": [("a", "1"), ("b", "x y")]}),
        (f"curl -G -d a=1 --data-urlencode 'b=x y' {URL}", "GET", {"query": [("a", "1"), ("b", "x y")]}),
        (
            f"curl {URL} -H 'Content-Type: application/json' -d '[1]'",
            "POST",
            {"json_body": [1], "headers": []},
        ),
        (f'curl {URL} --data-raw \'{{"a": "b"}}\'', "POST", {"json_body": {"a": "b"}}),
        (
            "curl " + URL + r""" --data-raw $'{"a": "it\'s\u0021 ü"}' -H $'X-V: 2\u0021'""",
            "POST",
            {"json_body": {"a": "it's! ü"}, "headers": [("X-V", "2!")]},
        ),
        (f'curl {URL} --json \'{{"a": "b"}}\'', "POST", {"json_body": {"a": "b"}}),
        (f"curl {URL} -d '<r>1</r>' -H 'content-type: text/xml'", "POST", {"raw": ("text/xml", "<r>1</r>")}),
        (f"curl {URL} -F user=bob --form pass=x", "POST", {"multipart": [("user", "bob"), ("pass", "x")]}),
        (f"curl -u bob:pw:1 {URL}", "GET", {"user": ("bob", "pw:1")}),
        ("curl https://bob:p%40w@api.example.com", "GET", {"user": ("bob", "p@w"), "path": "/"}),
        (f"curl --oauth2-bearer abc {URL}", "GET", {"bearer": "abc"}),
        (f"curl -b 'session=1' {URL}", "GET", {"headers": [("Cookie", "session=1")]}),
        (
            f"curl {URL} \\\n -H 'X-Key: $KEY' \\\n --compressed",
            "GET",
            {"headers": [("X-Key", "from the shell")]},
        ),
        (f"curl {URL} -H 'X-Key: ${{OTHER}}' > answer.json", "GET", {"headers": [("X-Key", "${OTHER}")]}),
        (
            f"curl '{URL}' -H 'accept-language: de' -H 'sec-ch-ua: \"x\"' -H 'user-agent: x' -H 'X-V: 2' -k",
            "GET",
            {"headers": [("X-V", "2")]},
        ),
        ("curl 'https://[::1]:8080/x'", "GET", {"base_url": "https://[::1]:8080", "path": "/x"}),
    ],
)
def test_the_usual_flags_are_read(command: str, method: str, parts: dict[str, Any]) -> None:
    made = call(command, {"KEY": "from the shell"})
    assert made.method == method
    assert {name: getattr(made, name) for name in parts} == parts


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("wget https://x.example.com", "the command line must begin with curl"),
        ("curl 'https://x.example.com", "the command line cannot be read: a quotation mark is not closed"),
        ("curl -H 'X-Key: CANARY'", "curl's command line has no URL"),
        ("curl https://x.example.com https://y.example.com/CANARY", "curl's command line has several URLs"),
        ("curl ftp://CANARY.example.com", "curl's URL must begin with https:// and name a host"),
        ("curl https://x.example.com:CANARY", "curl's URL is not one"),
        (
            "curl --cert=CANARY -Zx https://x.example.com",
            "curl's --cert, -Z is not known here; leave it out, if the answer is the same",
        ),
        ("curl -X PUT https://x.example.com", "curl's -X names PUT; a definition asks by GET or POST"),
        ("curl -d @CANARY https://x.example.com", "curl's body is in a file; write the body itself"),
        ("curl -F a=@CANARY https://x.example.com", "curl's body is in a file; write the body itself"),
        ("curl -b CANARY https://x.example.com", "curl's -b names a file; write the cookies themselves"),
        ("curl --json '{CANARY' https://x.example.com", "curl's body is not JSON"),
        (
            'curl ^"https://x.example.com^"',
            'curl\'s command line is written for the shell of Windows; copy it "as cURL (bash)"',
        ),
        (
            "curl https://x.example.com -H",
            "curl's command line is not understood: argument -H/--header: expected one argument",
        ),
    ],
)
def test_what_cannot_be_read_is_told_without_its_values(command: str, message: str) -> None:
    with pytest.raises(CurlError) as caught:
        call(command, {})
    assert str(caught.value) == message
    assert "CANARY" not in repr(caught.value)
