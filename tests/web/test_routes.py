"""Every path of the exporter, over a real socket: what it answers, to which methods, and what it refuses."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

ACCOUNTS = ["outreach", "sms", "sms-branch", "acme", "globex", "mall"]
PATHS = [
    "/metrics",
    "/probe?target=mall",
    "/sd",
    "/",
    "/config",
    "/api/v1/accounts",
    "/-/healthy",
    "/-/ready",
]


def label(samples: list[str], name: str) -> list[str]:
    return [found[1] for sample in samples if (found := re.search(rf'[{{,]{name}="([^"]*)"', sample))]


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_does_without_the_body(path: str, exporter: Any) -> None:
    got, head = exporter.ask(path), exporter.ask(path, "HEAD")
    assert (got.status, head.status) == (200, 200)
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert (bool(got.body), head.body) == (True, b"")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_are_refused_and_told_which_are_allowed(path: str, method: str, exporter: Any) -> None:
    answer = exporter.ask(path, method)
    assert answer.status == 405
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_reloading_is_asked_for_by_post_or_put_alone(method: str, start: Any) -> None:
    answer = start(enable_lifecycle=True).ask("/-/reload", method)
    assert answer.status == 405
    assert sorted(answer.headers["Allow"].split(", ")) == ["POST", "PUT"]


@pytest.mark.parametrize(
    "path",
    ["/nope", "/metrics/", "/metrics/x", "/probe/", "/-/", "/-/quit", "/METRICS", "/%", "/static/../sd"],
)
def test_other_paths_are_not_found(path: str, exporter: Any) -> None:
    assert exporter.ask(path).status == 404
    assert exporter.upstream_requests() == 0


@pytest.mark.parametrize("path", [*PATHS, "/nope", "/probe"])
def test_no_answer_is_kept_or_guessed_at_or_runs_anything_in_a_browser(path: str, exporter: Any) -> None:
    headers = exporter.ask(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "script" not in headers["Content-Security-Policy"]


def test_the_telemetry_path_can_be_another(start: Any) -> None:
    exporter = start(telemetry_path="/prepaid/balances")
    assert len(exporter.ask("/prepaid/balances").samples("prepaid_account_up{")) == 6
    assert exporter.ask("/metrics").status == 404
    assert 'href="prepaid/balances"' in exporter.ask("/").text


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/sd", "/", "/config", "/api/v1/accounts"])
def test_only_a_scrape_asks_providers(path: str, exporter: Any) -> None:
    assert exporter.ask(path).status == 200
    assert exporter.upstream_requests() == 0


@pytest.mark.parametrize(
    ("query", "accounts"),
    [
        ("", ACCOUNTS),
        ("?account=mall", ["mall"]),
        ("?account=mall&account=sms", ["sms", "mall"]),
        ("?provider=smspubli", ["sms", "sms-branch"]),
        ("?provider=smspubli&provider=apimall", ["sms", "sms-branch", "mall"]),
        ("?provider=smspubli&account=sms", ["sms"]),
        ("?provider=smspubli&account=mall", []),
    ],
)
def test_a_scrape_can_be_restricted_by_account_and_provider(
    query: str, accounts: list[str], exporter: Any
) -> None:
    answer = exporter.ask(f"/metrics{query}")
    assert label(answer.samples("prepaid_account_up{"), "account") == accounts
    assert set(label(answer.samples("prepaid_balance{"), "account")) == set(accounts)
    assert exporter.upstream_requests() == len(accounts)
    assert answer.samples("prepaid_exporter_build_info{")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("account=mal", "no account 'mal' is configured\n"),
        ("account=mall&account=", "no account '' is configured\n"),
        ("provider=stripe", "no provider 'stripe' is configured\n"),
        ("account=%F0%9F%A6%A4", "no account '🦤' is configured\n"),
        ("account=a%0Ab", "no account 'a\\nb' is configured\n"),
    ],
)
def test_a_scrape_restricted_to_what_is_not_configured_is_refused(
    query: str, message: str, exporter: Any
) -> None:
    answer = exporter.ask(f"/metrics?{query}")
    assert (answer.status, answer.text) == (400, message)
    assert exporter.upstream_requests() == 0


def test_accounts_can_be_left_to_probes(start: Any) -> None:
    exporter = start(metrics_accounts=False)
    answer = exporter.ask("/metrics")
    assert exporter.upstream_requests() == 0
    assert answer.samples("prepaid_exporter_build_info{")
    assert answer.samples("process_cpu_seconds_total ")
    assert not [sample for sample in answer.samples("prepaid_") if "exporter" not in sample]
    assert exporter.ask("/probe?target=mall").samples("prepaid_balance{")


def test_a_probe_answers_for_one_account_alone(exporter: Any) -> None:
    answer = exporter.ask("/probe?target=globex")
    assert answer.status == 200
    assert set(label(answer.samples(), "account")) == {"globex"}
    assert not answer.samples("prepaid_exporter")
    assert not answer.samples("process_")
    assert not answer.samples("python_")
    assert exporter.upstream_requests() == 1


def test_a_probe_of_an_account_that_is_down_succeeds_and_says_so(exporter: Any) -> None:
    exporter.simulator.fail("apimall", "unauthorized")
    answer = exporter.ask("/probe?target=mall")
    assert answer.status == 200
    assert 'prepaid_account_up{provider="apimall",account="mall"} 0.0' in answer.samples()
    assert 'prepaid_account_failure{provider="apimall",account="mall",reason="auth"} 1.0' in answer.samples()
    assert 'prepaid_account_http_status_code{provider="apimall",account="mall"} 401.0' in answer.samples()


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "give one account: /probe?target=ACCOUNT\n"),
        ("?target=", 400, "give one account: /probe?target=ACCOUNT\n"),
        ("?target=mall&target=sms", 400, "give one account: /probe?target=ACCOUNT\n"),
        ("?account=mall", 400, "unknown parameter 'account'; there are target and debug\n"),
        ("?target=mall&provider=apimall", 400, "unknown parameter 'provider'; there are target and debug\n"),
        ("?target=nobody", 404, "no account 'nobody' is configured\n"),
        ("?target=http://127.0.0.1:1/", 404, "no account 'http://127.0.0.1:1/' is configured\n"),
        ("?target=a%00b", 404, "no account 'a\\x00b' is configured\n"),
        ("?target=<script>", 404, "no account '<script>' is configured\n"),
    ],
)
@pytest.mark.parametrize("debug", ["", "&debug=true"])
def test_a_probe_needs_one_account_that_is_configured(
    query: str, status: int, message: str, debug: str, exporter: Any
) -> None:
    answer = exporter.ask(f"/probe{query or '?'}{debug}")
    assert (answer.status, answer.text) == (status, message)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert exporter.upstream_requests() == 0


def test_debugging_a_probe_tells_what_was_asked_and_answered_without_the_key(exporter: Any) -> None:
    exporter.simulator.fail("apimall", "forbidden")
    answer = exporter.ask("/probe?target=mall&debug=true")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    lines = answer.text.splitlines()
    assert f"request   GET {exporter.simulator.base_url('apimall')}/account/balances" in lines
    assert any(line.startswith("headers   ") and "Authorization" in line for line in lines)
    assert any(line.startswith("answer    HTTP status 403, ") for line in lines)
    assert "outcome   down: auth" in lines
    assert (
        "hint      API access is not approved for this account, or base_url is not the gateway host." in lines
    )
    assert exporter.simulator.keys["apimall"] not in answer.text
    assert "non-gateway" not in answer.text  # the provider's own words


def test_debugging_is_switched_on_by_one_too(exporter: Any) -> None:
    assert exporter.ask("/probe?target=mall&debug=1").text.startswith("account   mall\n")
    assert exporter.ask("/probe?target=mall&debug=false").samples("prepaid_balance{")


@pytest.mark.parametrize("query", ["?acount=mall", "?account=mall&colour=red", "?target=mall", "?debug=true"])
def test_a_misspelt_restriction_asks_nobody(query: str, exporter: Any) -> None:
    answer = exporter.ask(f"/metrics{query}")
    assert answer.status == 400
    assert answer.text.startswith("unknown parameter '")
    assert answer.text.endswith("'; there are account and provider\n")
    assert exporter.upstream_requests() == 0


def test_debugging_a_probe_shows_wallets_and_thresholds(exporter: Any) -> None:
    text = exporter.ask("/probe?target=acme&debug=true").text
    assert "wallet    wallet_01: 118.2 USD\n          warning under 25\n          critical under 10\n" in text
    assert "outcome   up\n" in text


ODD = ["a b", 'quo"te', "back\\slash", "ünï", "a&b=c", "{x}", "http://x/?y", "日本", "'", "%41", "<b>", "+1"]


@pytest.fixture
def odd(start: Any, simulator: Any) -> Any:
    """Start an exporter whose accounts have names that need quoting somewhere."""
    accounts = [
        {
            "name": name,
            "provider": "apimall",
            "api_key": simulator.keys["apimall"],
            "base_url": simulator.base_url("apimall"),
        }
        for name in ODD
    ]
    return start(json.dumps({"accounts": accounts}))


def test_discovery_lists_every_account_whatever_its_name(odd: Any) -> None:
    answer = odd.ask("/sd", headers={"Host": "balances.example.com:8080"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(answer.text) == [
        {
            "targets": ["balances.example.com:8080"],
            "labels": {
                "__metrics_path__": "/probe",
                "__param_target": name,
                "account": name,
                "provider": "apimall",
            },
        }
        for name in ODD
    ]


@pytest.mark.parametrize("name", ODD)
def test_an_account_is_probed_whatever_its_name(name: str, odd: Any) -> None:
    answer = odd.ask(f"/probe?{urlencode({'target': name})}")
    assert answer.status == 200
    assert len(answer.samples("prepaid_balance{")) == 1


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("exporter", "exporter"),
        ("exporter:80", "exporter"),
        ("10.1.2.3:10710", "10.1.2.3:10710"),
        ("[2001:db8::1]:10710", "[2001:db8::1]:10710"),
    ],
)
def test_discovery_names_this_exporter_as_the_request_does(host: str, target: str, exporter: Any) -> None:
    entries = json.loads(exporter.ask("/sd", headers={"Host": host}).text)
    assert {entry["targets"][0] for entry in entries} == {target}


@pytest.mark.parametrize("line", [b"Host: \r\n", b'Host: a"b<c>\r\n', b"Host: a b\r\n", b""])
def test_discovery_needs_a_host_that_can_be_scraped(line: bytes, exporter: Any) -> None:
    answer = exporter.raw(b"GET /sd HTTP/1.0\r\n" + line + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_discovery_of_no_accounts_is_an_empty_list(start: Any) -> None:
    assert json.loads(start("accounts: []").ask("/sd").text) == []


def test_a_bug_costs_one_answer_and_leaves_its_trace_in_the_log(
    exporter: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("exporter.web.pages.configuration", lambda _: 1 / 0)
    answer = exporter.ask("/config")
    assert answer.status == 500
    assert "ZeroDivision" not in answer.text
    written = capsys.readouterr()
    assert "bug while answering" in written.out + written.err
    assert "ZeroDivisionError" in written.out + written.err
    assert exporter.ask("/-/healthy").status == 200
