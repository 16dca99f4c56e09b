"""The pages for people: the status of every account, the running configuration, and reloading it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
import yaml

from exporter.web.pages import status

UNHURRIED = "defaults: {timeout: 5m}\n"
AGE = r"\b\d+ (s|min) ago"


class Page(HTMLParser):
    """What a browser would see: the text of each table row, the links, and every element's name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.visible = ""
        self._silent = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._silent = tag == "style"
        if tag == "tr":
            self.rows.append("")
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        self._silent = self._silent and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._silent or not data.strip():
            return
        words = " ".join(data.split())
        self.visible += f"{words} "
        if self.rows:
            self.rows[-1] += f"{words} "


def page(exporter: Any) -> Page:
    answer = exporter.ask("/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Page(answer.text)


def test_before_the_first_scrape_the_status_page_says_that_nothing_was_asked(start: Any) -> None:
    exporter = start()
    shown = page(exporter)
    assert "6 accounts · 6 not asked yet" in shown.visible
    assert "how long a balance lasts is computed by Prometheus, and shown on the dashboards" in shown.visible
    assert [row.split()[:2] for row in shown.rows[1:]] == [["not", "asked"]] * 6
    assert exporter.upstream_requests() == 0


def test_the_status_page_shows_the_last_readings_and_asks_nobody(start: Any) -> None:
    exporter = start()
    exporter.ask("/metrics")
    asked = exporter.upstream_requests()
    exporter.simulator.wallet("apimall").balance = "7"
    rows = page(exporter).rows[1:]
    assert exporter.upstream_requests() == asked == 6
    (outreach,) = [row for row in rows if "outreach" in row]
    for shown in ("ok ", "Cold Mail Reseller", "3,334.95", "INR", "warning 2,000", "critical 1,000"):
        assert shown in outreach
    assert "on adds 5,000 under 1,000" in outreach
    assert re.search(AGE, outreach)
    (mall,) = [row for row in rows if "mall" in row]
    assert "120 CREDITS" in mall  # as it was when it was asked


def test_people_see_the_digits_of_the_currency_and_the_others_on_hover(start: Any, simulator: Any) -> None:
    exporter = start(UNHURRIED + simulator.configuration().replace("currency: INR", "currency: KWD"))
    exporter.simulator.wallet("coldmailreseller").balance = "3818.4832025"
    exporter.ask("/metrics?account=outreach")
    text = exporter.ask("/").text
    assert '<span title="3,818.4832025">3,818.483</span>' in text
    (outreach,) = [row for row in Page(text).rows if "outreach" in row]
    assert "3,818.483 KWD" in outreach


def test_the_most_urgent_accounts_stand_first(start: Any) -> None:
    exporter = start()
    exporter.simulator.fail("apimall", "forbidden")
    exporter.simulator.wallet("coldmailreseller").balance = "1500"
    exporter.ask("/metrics")
    shown = page(exporter)
    assert (
        "6 accounts · 1 down · 1 under critical · 1 under warning · 1 without a threshold . " in shown.visible
    )
    assert [row.split()[0] for row in shown.rows[1:]] == [
        "down",
        "critical",
        "warning",
        "no",
        "ok",
        "ok",
        "ok",
    ]
    assert (
        "mall API Mall · dashboard · debug auth HTTP status 403 API access is not approved" in shown.rows[1]
    )


def test_an_account_that_went_down_shows_its_last_balance_as_what_it_is(start: Any) -> None:
    exporter = start()
    exporter.ask("/metrics")
    exporter.simulator.kill("apimall")
    metrics = exporter.ask("/metrics")
    (mall,) = [row for row in page(exporter).rows if "mall " in row]
    assert mall.startswith("down mall ")
    assert "unreachable" in mall
    assert "120 CREDITS · when it was last read" in mall
    assert re.search(AGE, mall)
    assert not metrics.samples('prepaid_balance{provider="apimall"')
    known = json.loads(exporter.ask("/api/v1/accounts").text)
    assert [one["wallets"] for one in known if one["account"] == "mall"] == [[]]


def test_an_account_that_was_never_read_shows_no_balance(start: Any) -> None:
    exporter = start()
    exporter.simulator.kill("apimall")
    exporter.ask("/metrics")
    (mall,) = [row for row in page(exporter).rows if "mall " in row]
    assert "It has never been read. never" in mall


@pytest.mark.parametrize(
    ("balance", "thresholds", "state"),
    [
        ("0.42", None, "no threshold"),
        ("0", None, "empty"),
        ("0", "{critical: 25}", "critical"),
        ("30", "{critical: 25}", "ok"),
    ],
)
def test_a_wallet_is_only_called_what_somebody_said(
    balance: str, thresholds: str | None, state: str, start: Any, simulator: Any
) -> None:
    text = simulator.configuration()
    own = f"thresholds: {thresholds}" if thresholds else "ignore_wallets: []"
    exporter = start(UNHURRIED + re.sub(r"thresholds: \{critical: 25\}", own, text))
    exporter.simulator.wallet("apimall").balance = balance
    exporter.ask("/metrics?account=mall")
    (mall,) = [row for row in page(exporter).rows if "mall " in row]
    assert mall.startswith(f"{state} mall ")


def test_a_refused_reload_is_told_on_top_until_one_is_taken(start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    told = "The last reload was refused"
    assert told not in page(exporter).visible
    good = exporter.file.read_text()
    exporter.file.write_text("accounts: canary-7f3a")
    assert exporter.ask("/-/reload", "POST").status == 400
    assert told in page(exporter).visible
    exporter.file.write_text(good)
    assert exporter.ask("/-/reload", "POST").status == 200
    assert told not in page(exporter).visible


@pytest.mark.parametrize(
    ("query", "accounts"),
    [
        ("?search=MALL", ["mall"]),
        ("?search=flexprice", ["acme", "globex", "globex"]),
        ("?search=inr", ["outreach"]),
        ("?state=down", ["mall"]),
        ("?search=mall&state=ok", []),
        ("?account=sms", ["sms"]),
        ("?account=sms&account=globex&account=sms", ["globex", "globex", "sms"]),
        ("?account=SMS", []),
        ("?account=globex&account=mall&state=down", ["mall"]),
        ("?account=sms&search=branch", []),
        ("?search=&state=", ["acme", "globex", "globex", "mall", "outreach", "sms", "sms-branch"]),
    ],
)
def test_rows_are_searched_and_filtered_without_a_script(query: str, accounts: list[str], start: Any) -> None:
    exporter = start()
    exporter.simulator.fail("apimall", "forbidden")
    exporter.ask("/metrics")
    shown = Page(exporter.ask(f"/{query}").text)
    names = [re.sub(r"^(no threshold|\S+) ", "", row).split()[0] for row in shown.rows[1:]]
    assert sorted(names) == (accounts or ["row"])
    assert "6 accounts" in shown.visible


def test_an_account_is_named_as_what_the_page_is_held_to_and_stays_so_in_a_search(start: Any) -> None:
    text = start().ask("/?account=sms&account=mall").text
    (form,) = re.findall(r"<form.*?</form>", text, re.DOTALL)
    assert "only accounts sms , mall show all 6" in Page(form).visible
    assert '<input type="search" name="search" value=""' in form
    assert re.findall(r'<input type="hidden" name="account" value="(\w+)">', form) == ["sms", "mall"]
    assert '<a href="?">show all 6</a>' in form


@pytest.mark.parametrize("name", ["sm", "", "<script>'\"&amp;"])
def test_an_account_that_is_not_configured_is_named_and_no_other_is_shown(name: str, exporter: Any) -> None:
    answer = exporter.ask("/?" + urlencode({"account": name}))
    shown = Page(answer.text)
    assert f"No account “{name}” is configured." in shown.visible
    (row,) = shown.rows[1:]
    assert row.startswith("No row is like that. ")
    assert ("?" in shown.links, "script" in shown.elements) == (True, False)
    assert "is configured" not in Page(exporter.ask("/?account=sms").text).visible


def test_a_state_that_no_row_has_is_refused(exporter: Any) -> None:
    answer = exporter.ask("/?state=broken")
    assert (answer.status, answer.text.startswith("no row is 'broken'; there are down, ")) == (400, True)


def test_each_row_links_to_its_trace(exporter: Any) -> None:
    links = [link for link in page(exporter).links if link.startswith("probe?")]
    assert len(links) == 6
    assert exporter.ask(f"/{links[0]}").text.startswith("account   ")


def test_what_is_known_of_the_accounts_is_told_to_programs_and_nobody_is_asked(
    start: Any, root: Path
) -> None:
    exporter = start()
    exporter.ask("/metrics?account=mall")
    asked = exporter.upstream_requests()
    answer = exporter.ask("/api/v1/accounts")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    known = json.loads(answer.text)
    jsonschema.validate(known, json.loads((root / "docs/accounts.schema.json").read_text()))
    by_name = {entry["account"]: entry for entry in known}
    assert len(known) == 6
    assert by_name["mall"]["wallets"][0]["balance_number"] == 120
    assert by_name["acme"]["state"] == "unasked"
    assert exporter.upstream_requests() == asked


def test_on_a_card_every_value_has_its_name_beside_it_since_the_headings_are_hidden(start: Any) -> None:
    exporter = start()
    exporter.ask("/metrics")
    text = exporter.ask("/").text
    (cards,) = re.findall(r"@media \(max-width: 70rem\) \{(.*?)\n\}", text, re.DOTALL)
    assert "thead { display: none; }" in cards
    assert "td[data-name]::before { content: attr(data-name);" in cards
    headings = re.findall(r"<th [^>]*>([^<]+)</th>", text)
    rows = re.findall(r"<tr>\n<td>.*?</tr>", text, re.DOTALL)
    assert len(rows) == 7
    for row in rows:
        assert row.count("<td") == len(headings)
        assert re.findall(r'data-name="([^"]+)"', row) == headings[2:]


def test_the_page_refreshes_itself_and_keeps_what_is_looked_for(exporter: Any) -> None:
    # Without a URL of its own the browser asks for the one that it shows, the search included.
    assert '<meta http-equiv="refresh" content="60">' in exporter.ask("/?search=mall").text


def test_the_status_page_needs_no_script_and_nothing_from_elsewhere(start: Any) -> None:
    exporter = start()
    exporter.ask("/metrics")
    shown = page(exporter)
    assert not shown.elements & {"script", "link", "img", "iframe", "object", "base"}
    assert not {name for name in shown.attributes if name.startswith("on")}
    assert "@import" not in exporter.ask("/").text
    assert "prefers-color-scheme: dark" in exporter.ask("/").text


def test_names_cannot_smuggle_markup_into_the_status_page(start: Any, simulator: Any) -> None:
    name = "<script>alert(1)</script>\"'&amp;"
    account = {
        "name": name,
        "provider": "apimall",
        "api_key": simulator.keys["apimall"],
        "base_url": simulator.base_url("apimall"),
        "topup_url": "https://pay.example.com/a'b",
    }
    exporter = start(json.dumps({"accounts": [account]}))
    exporter.ask("/metrics")
    shown = page(exporter)
    assert "script" not in shown.elements
    assert name in shown.rows[1]
    assert "https://pay.example.com/a'b" in shown.links
    assert all(re.match(r"https://|[a-z]+$|api/|probe[?]|[?]", link) for link in shown.links)


def test_the_status_page_speaks_of_an_exporter_without_accounts(start: Any) -> None:
    shown = page(start("accounts: []"))
    assert "0 accounts" in shown.visible
    assert shown.rows[1].startswith("No account is configured. ")


def test_a_customer_without_wallets_is_fine_and_has_none(start: Any, simulator: Any) -> None:
    text = simulator.configuration().replace("lookup_key: acme", "lookup_key: empty")
    exporter = start(text)
    exporter.ask("/metrics")
    (row,) = [row for row in page(exporter).rows if "acme" in row]
    assert "ok " in row
    assert "The account has no wallets." in row


def test_the_running_configuration_is_shown_whole_with_a_mask_over_every_secret(
    start: Any, simulator: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    key = simulator.keys["apimall"]
    (tmp_path / "key").write_text(key)
    monkeypatch.setenv("PREPAID_TEST_KEY", key)
    where = {"provider": "apimall", "base_url": simulator.base_url("apimall")}
    accounts = [
        {"name": "literal", "api_key": key, "proxy_url": f"http://me:{key}@127.0.0.1:{closed_port}", **where},
        {
            "name": "file",
            "api_key_file": "key",
            "thresholds": {"critical": "1.50"},
            "min_interval": "1h30m",
            **where,
        },
        {"name": "variable", "api_key_env": "PREPAID_TEST_KEY", "timeout": "500ms", **where},
    ]
    exporter = start(json.dumps({"accounts": accounts}))
    exporter.ask("/metrics")
    answer = exporter.ask("/config")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert key not in answer.text
    literal, file, variable = yaml.safe_load(answer.text)["accounts"]
    assert literal["api_key"] == "***"
    assert literal["proxy_url"] == f"http://***@127.0.0.1:{closed_port}"
    assert file["api_key_file"] == str(tmp_path / "key")
    assert (file["thresholds"], file["min_interval"]) == ({"critical": "1.50"}, "1h30m")
    assert (variable["api_key_env"], variable["timeout"]) == ("PREPAID_TEST_KEY", "500ms")
    assert all("HTTP status" not in text and key not in text for text in (exporter.ask("/").text,))


def test_the_shown_configuration_names_the_environment_s_proxies_without_their_users(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://canary:canary-7f3a@proxy.example.com:3128")
    text = start().ask("/config").text
    assert "canary" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("# accounts without proxy_url use ")]
    assert "proxy.example.com:3128" in line


def reloads(exporter: Any) -> tuple[str, float]:
    answer = exporter.ask("/metrics?account=mall")
    (successful,) = answer.samples("prepaid_exporter_config_last_reload_successful ")
    (moment,) = answer.samples("prepaid_exporter_config_last_reload_success_timestamp_seconds ")
    return successful.split()[1], float(moment.split()[1])


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reloading_is_off_unless_it_was_turned_on(method: str, start: Any) -> None:
    exporter = start()
    exporter.file.write_text("accounts: []")
    answer = exporter.ask("/-/reload", method)
    assert answer.status == 403
    assert "--web.enable-lifecycle" in answer.text
    assert len(exporter.ask("/metrics").samples("prepaid_account_up{")) == 6


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_good_reload_takes_effect_at_once(method: str, start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    successful, before = reloads(exporter)
    assert successful == "1.0"
    text = exporter.file.read_text()
    exporter.file.write_text(text.replace("name: outreach", "name: mails"))
    answer = exporter.ask("/-/reload", method)
    assert (answer.status, answer.text) == (200, "reloaded\n")
    names = " ".join(exporter.ask("/metrics").samples("prepaid_account_up{"))
    assert "mails" in names
    assert "outreach" not in names
    successful, after = reloads(exporter)
    assert (successful, after > before) == ("1.0", True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_page_of_somebody_else_cannot_reload(headers: dict[str, str], method: str, start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    exporter.file.write_text("accounts: []")
    host = f"127.0.0.1:{exporter.port}"
    answer = exporter.ask("/-/reload", method, {key: text.format(host=host) for key, text in headers.items()})
    assert answer.status == 403
    assert len(exporter.ask("/metrics").samples("prepaid_account_up{")) == 6


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://{host}"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_a_page_of_the_exporters_own_may_reload(headers: dict[str, str], start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    host = f"127.0.0.1:{exporter.port}"
    answer = exporter.ask("/-/reload", "POST", {key: text.format(host=host) for key, text in headers.items()})
    assert answer.status == 200


def test_a_bad_reload_keeps_the_old_configuration_and_names_every_error(start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    _, before = reloads(exporter)
    good = exporter.file.read_text()
    exporter.file.write_text(
        "accounts:\n  - {name: a, provider: apimal, api_key: canary-7f3a, colour: red}\n"
    )
    answer = exporter.ask("/-/reload", "POST")
    assert answer.status == 400
    assert answer.text == (
        "the configuration was not reloaded, the old one stays:\n"
        f"{exporter.file}:2:25: accounts[0].provider: unknown provider 'apimal'; did you mean \"apimall\"?\n"
        f"{exporter.file}:2:55: accounts[0].colour: unknown key\n"
    )
    assert len(exporter.ask("/metrics").samples("prepaid_account_up{")) == 6
    assert reloads(exporter) == ("0.0", before)
    exporter.file.write_text(good)
    assert exporter.ask("/-/reload", "POST").status == 200
    assert reloads(exporter)[0] == "1.0"


def test_a_vanished_file_is_told_on_reload(start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    exporter.file.unlink()
    answer = exporter.ask("/-/reload", "POST")
    assert answer.status == 400
    assert f"{exporter.file}: cannot be read: No such file or directory" in answer.text
    assert exporter.ask("/-/ready").status == 200


def test_accounts_that_stay_keep_their_reading_over_a_reload(start: Any) -> None:
    exporter = start(enable_lifecycle=True)
    exporter.ask("/metrics")
    text = exporter.file.read_text()
    exporter.file.write_text(text.replace("thresholds: {critical: 25}", "thresholds: {critical: 200}"))
    assert exporter.ask("/-/reload", "POST").status == 200
    asked = exporter.upstream_requests()
    (mall,) = [row for row in page(exporter).rows if "mall " in row]
    assert "critical 200" in mall
    assert "120 CREDITS" in mall
    assert exporter.upstream_requests() == asked


def test_the_status_page_names_what_was_left_out_of_a_good_answer(start: Any) -> None:
    exporter = start()
    exporter.ask("/metrics")
    cells = exporter.runtime.scraper.known()
    (known,) = [one for one in cells if one.account.name == "globex"]
    assert known.outcome
    assert len(known.outcome.wallets) > 1
    odd = replace(known.outcome, notes=("wallet.quota is not <a> number; left out",))
    text = status([replace(known, outcome=odd)], "/metrics")
    assert text.count("wallet.quota is not &lt;a&gt; number; left out") == 1


@pytest.mark.parametrize(("url", "allowed"), [("http://192.0.2.1:1", True), ("http://127.0.0.1:1", None)])
def test_the_shown_configuration_says_where_the_key_may_travel_unencrypted(
    url: str, allowed: bool | None, start: Any
) -> None:
    allow = f"allow_http: {str(bool(allowed)).lower()}"
    exporter = start(f"accounts: [{{name: a, provider: apimall, api_key: k, base_url: '{url}', {allow}}}]")
    (account,) = yaml.safe_load(exporter.ask("/config").text)["accounts"]
    assert account.get("allow_http") is allowed
