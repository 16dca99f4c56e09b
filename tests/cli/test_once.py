"""The commands that end by themselves: check, validate and providers."""

import csv
import io
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.programs import EXPORTER, PATIENCE

FINE = ["outreach", "sms", "sms-branch", "acme", "mall"]


@pytest.mark.usefixtures("prepaid")
class TestCheck:
    """Asking the providers now."""

    def test_all_is_fine(self, run: Any) -> None:
        result = run("check", *FINE)
        assert (result.status, result.err) == (0, "")
        lines = [line.split() for line in result.out.splitlines()]
        assert lines[0] == ["STATE", "ACCOUNT", "PROVIDER", "WALLET", "BALANCE", "THRESHOLDS", "OR", "REASON"]
        assert [line[:2] for line in lines[1:]] == [["ok", name] for name in FINE]
        assert lines[1][2:6] == ["coldmailreseller", "main", "3334.95", "INR"]

    def test_a_balance_under_its_warning_threshold_is_a_warning(self, invoke: Any, simulator: Any) -> None:
        simulator.wallet("coldmailreseller").balance = "1999.99"
        result = invoke("check", *FINE)
        assert result.status == 1
        assert result.out.splitlines()[1].split()[:2] == ["warning", "outreach"]

    def test_a_balance_at_its_threshold_is_fine(self, invoke: Any, simulator: Any) -> None:
        simulator.wallet("coldmailreseller").balance = "2000"
        assert invoke("check", "outreach").status == 0

    def test_a_balance_under_its_critical_threshold_is_critical(self, invoke: Any, simulator: Any) -> None:
        simulator.wallet("apimall").balance = "24"
        simulator.wallet("coldmailreseller").balance = "1500"
        assert invoke("check").status == 2

    def test_an_account_that_cannot_be_asked_is_unknown(self, invoke: Any, simulator: Any) -> None:
        simulator.fail("apimall", "unauthorized")
        simulator.wallet("coldmailreseller").balance = "1500"
        result = invoke("check", *FINE)
        assert result.status == 3
        (mall,) = [line.split() for line in result.out.splitlines() if " mall " in line]
        assert mall[:3] == ["down", "mall", "apimall"]
        assert " ".join(mall[3:]) == (
            "auth; the answer's error code says that the credentials are wrong; The key is wrong."
        )

    def test_critical_counts_before_unknown(self, invoke: Any, simulator: Any) -> None:
        simulator.fail("apimall", "server_error")
        simulator.wallet("coldmailreseller").balance = "1"
        assert invoke("check").status == 2

    def test_only_the_named_accounts_are_asked(self, invoke: Any, simulator: Any) -> None:
        assert invoke("check", "mall").status == 0
        assert simulator.requests("apimall") == 1
        assert simulator.requests("flexprice") == simulator.requests("smspubli") == 0

    def test_all_unknown_accounts_are_told_and_nobody_is_asked(self, invoke: Any, simulator: Any) -> None:
        result = invoke("check", "mal", "mall", "nobody")
        assert (result.status, result.out) == (3, "")
        assert result.err.splitlines() == [
            "no account 'mal' is configured; did you mean \"mall\"?",
            "no account 'nobody' is configured; "
            "the accounts are outreach, sms, sms-branch, acme, globex, mall",
        ]
        assert simulator.requests("apimall") == 0

    def test_json_keeps_every_digit_and_says_why(self, invoke: Any, simulator: Any) -> None:
        simulator.fail("apimall", "forbidden")
        result = invoke("check", "--output", "json", "sms", "acme", "mall")
        sms, acme, mall = json.loads(result.out)
        assert (result.status, result.err) == (3, "")
        assert (sms["up"], sms["wallets"][0]["balance"], sms["wallets"][0]["currency"]) == (
            True,
            "0.6000",
            "EUR",
        )
        assert acme["wallets"][0]["thresholds"] == {"warning": "25", "critical": "10"}
        assert acme["wallets"][0]["auto_recharge"] == {"enabled": True, "threshold": "20", "amount": "100"}
        assert (mall["up"], mall["reason"], mall["http_status"], mall["wallets"]) == (False, "auth", 403, [])

    def test_prometheus_output_is_that_of_a_probe(self, invoke: Any, each_age: Any) -> None:
        result = invoke("check", "--output", "prometheus", "mall")
        assert (result.status, result.err) == (0, "")
        families = {family.name: family for family in text_string_to_metric_families(result.out)}
        assert [sample.value for sample in families["prepaid_balance"].samples] == [120]
        assert not [name for name in families if name.startswith(("prepaid_exporter", "process", "python"))]
        checked = subprocess.run(
            [each_age("promtool"), "check", "metrics"],
            input=result.out,
            text=True,
            capture_output=True,
            check=False,
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")

    def test_a_textfile_is_replaced_whole(self, run: Any, tmp_path: Path) -> None:
        file = tmp_path / "textfiles" / "prepaid.prom"
        file.parent.mkdir()
        file.write_text("old")
        old = file.stat().st_ino
        result = run("check", "--textfile", file, "--output", "prometheus", "mall")
        assert result.status == 0
        assert file.read_text() == result.out
        assert file.stat().st_ino != old
        assert oct(file.stat().st_mode & 0o777) == "0o644"
        assert list(file.parent.iterdir()) == [file]

    def test_a_textfile_is_written_when_an_account_is_down_too(
        self, invoke: Any, simulator: Any, tmp_path: Path
    ) -> None:
        simulator.kill("apimall")
        simulator.wallet("coldmailreseller").balance = "1"
        result = invoke("check", "--textfile", tmp_path / "prepaid.prom")
        assert (result.status, result.err) == (0, "")
        assert {line.split()[0] for line in result.out.splitlines()} >= {"critical", "down"}
        text = (tmp_path / "prepaid.prom").read_text()
        assert 'prepaid_account_failure{provider="apimall",account="mall",reason="unreachable"} 1.0' in text
        assert 'prepaid_balance{provider="apimall"' not in text

    @pytest.mark.parametrize(
        ("place", "cause"),
        [("nowhere/prepaid.prom", "No such file or directory"), ("prepaid.yml/x", "Not a directory")],
    )
    def test_a_textfile_that_cannot_be_written_is_told_and_leaves_nothing(
        self, place: str, cause: str, invoke: Any, tmp_path: Path
    ) -> None:
        before = sorted(tmp_path.rglob("*"))
        result = invoke("check", "--textfile", place, "mall")
        assert (result.status, result.err) == (3, f"--textfile: {place} cannot be written: {cause}\n")
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_folder_for_a_textfile_is_told_before_anybody_is_asked(
        self, invoke: Any, simulator: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "folder").mkdir()
        result = invoke("check", "--textfile", "folder", "mall")
        assert (result.status, result.out) == (3, "")
        assert (
            "'--textfile' (env var: 'PREPAID_EXPORTER_TEXTFILE'): File 'folder' is a directory." in result.err
        )
        assert simulator.requests("apimall") == 0

    def test_a_hanging_provider_is_given_up_after_the_account_s_timeout(
        self, run: Any, simulator: Any, prepaid: Path
    ) -> None:
        simulator.fail("apimall", "hang")
        prepaid.write_text(prepaid.read_text().replace("timeout: 1h", "timeout: 500ms"))
        result = run("check", "mall")
        assert result.status == 3
        assert "timeout" in result.out

    def test_colours_and_progress_appear_on_a_terminal_alone(
        self, run: Any, on_a_terminal: Any, simulator: Any, prepaid: Path
    ) -> None:
        simulator.fail("apimall", "hang")
        prepaid.write_text(prepaid.read_text().replace("name: mall", "name: mall\n    timeout: 700ms"))
        status, seen = on_a_terminal("check", "outreach", "mall")
        assert status == 3
        assert "\x1b[32mok" in seen
        assert "asking 2 accounts" in seen
        result = run("check", "outreach", "mall")
        assert "\x1b" not in result.out + result.err
        assert result.err == ""

    def test_no_key_is_ever_printed(self, run: Any, simulator: Any) -> None:
        simulator.fail("flexprice", "unauthorized")
        outputs = ("table", "json", "prometheus", "csv", "nagios")
        printed = [run("check", "--output", output) for output in outputs]
        text = "".join(result.out + result.err for result in printed)
        assert not [key for key in simulator.keys.values() if key in text]


@pytest.mark.usefixtures("prepaid")
class TestChoosing:
    """Whom to ask."""

    def test_a_provider_s_accounts_alone_are_asked(self, invoke: Any, simulator: Any) -> None:
        result = invoke("check", "--provider", "smspubli", "--provider", "apimall")
        assert [line.split()[1] for line in result.out.splitlines()[1:]] == ["sms", "sms-branch", "mall"]
        assert simulator.requests("flexprice") == simulator.requests("coldmailreseller") == 0

    def test_accounts_and_providers_must_both_fit(self, invoke: Any) -> None:
        result = invoke("check", "sms", "mall", "--provider", "smspubli")
        assert [line.split()[1] for line in result.out.splitlines()[1:]] == ["sms"]
        result = invoke("check", "mall", "--provider", "smspubli")
        assert (result.status, result.out) == (3, "")
        assert result.err == "none of these accounts belongs to smspubli\n"

    def test_an_unknown_provider_is_told(self, invoke: Any, simulator: Any) -> None:
        result = invoke("check", "--provider", "apimal", "--provider", "zzz", "--provider", "apimall")
        assert (result.status, result.out) == (3, "")
        assert result.err.splitlines() == [
            "no account has the provider 'apimal'; did you mean \"apimall\"?",
            "no account has the provider 'zzz'; the providers are coldmailreseller, smspubli, flexprice, apimall",
        ]
        assert simulator.requests("apimall") == 0


@pytest.mark.usefixtures("prepaid")
class TestFormats:
    """For other programs."""

    def test_quiet_tells_by_the_status_alone(self, run: Any, simulator: Any) -> None:
        simulator.wallet("apimall").balance = "24"
        for output in ("table", "json", "csv", "prometheus", "nagios"):
            result = run("check", "mall", "--quiet", "--output", output)
            assert (result.status, result.out, result.err) == (2, "", "")
        result = run("check", "nobody", "--quiet")
        assert (result.status, result.out) == (3, "")
        assert result.err.startswith("no account 'nobody' is configured")

    def test_nagios_gets_one_line_first_and_says_what_is_wrong_there(
        self, invoke: Any, simulator: Any, prepaid: Path
    ) -> None:
        simulator.wallet("coldmailreseller").balance = "1999.99"
        result = invoke("check", "outreach", "mall", "--output", "nagios")
        assert (result.status, result.err) == (1, "")
        assert result.out.splitlines() == [
            "PREPAID WARNING: outreach/main 1999.99 INR (warning under 2000, critical under 1000), 1 fine | "
            "'outreach/main'=1999.99INR;2000:;1000: 'mall/main'=120CREDITS;;25:",
            "warning: outreach/main 1999.99 INR (warning under 2000, critical under 1000)",
            "ok: mall/main 120 CREDITS (critical under 25)",
        ]
        prepaid.write_text("accounts: 1\nx: 2\n")
        result = invoke("check", "--output", "nagios")
        assert (result.status, result.err) == (3, "")
        assert result.out.splitlines() == [
            "PREPAID UNKNOWN: prepaid.yml:1:11: accounts: must be a list",
            "prepaid.yml:2:1: x: unknown key",
        ]
        prepaid.write_text("accounts: []\n")
        assert (
            invoke("check", "x", "--output", "nagios").out
            == "PREPAID UNKNOWN: no account 'x' is configured\n"
        )
        assert invoke("check", "--output", "nagios").out == "PREPAID OK: 0 fine\n"

    def test_csv_has_a_line_for_each_wallet_and_each_account_that_is_down(
        self, invoke: Any, simulator: Any
    ) -> None:
        simulator.fail("apimall", "forbidden")
        result = invoke("check", "sms", "acme", "mall", "--output", "csv")
        assert (result.status, result.err) == (3, "")
        sms, *acme, mall = csv.DictReader(io.StringIO(result.out))
        assert (sms["account"], sms["wallet"], sms["balance"], sms["currency"]) == (
            "sms",
            "main",
            "0.6000",
            "EUR",
        )
        assert {(row["account"], row["state"], row["warning_threshold"]) for row in acme} == {
            ("acme", "ok", "25")
        }
        assert (mall["account"], mall["state"], mall["balance"], mall["reason"]) == (
            "mall",
            "down",
            "",
            "auth",
        )
        assert (mall["detail"], mall["http_status"]) == ("HTTP status 403", "403")

    @pytest.mark.parametrize("output", ["table", "nagios"])
    def test_the_time_for_everything_is_kept_whatever_an_account_may_take(
        self, run: Any, simulator: Any, output: str
    ) -> None:
        """The account would wait for an hour."""
        simulator.fail("apimall", "hang")
        result = run("check", "mall", "sms", "--timeout", "1s", "--output", output)
        assert result.status == 3
        assert "timeout" in result.out
        assert "0.6" in result.out

    def test_nagios_has_eight_seconds_where_nobody_says_otherwise(self, run: Any, simulator: Any) -> None:
        simulator.fail("apimall", "hang")
        result = run("check", "mall", "--output", "nagios")
        assert (result.status, result.out.splitlines()[0][:15]) == (3, "PREPAID UNKNOWN")
        assert "timeout" in result.out

    def test_people_see_the_digits_that_they_want(self, invoke: Any, simulator: Any) -> None:
        simulator.wallet("coldmailreseller").balance = "3663.88794592221"
        assert invoke("check", "outreach").out.splitlines()[1].split()[4] == "3663.88"
        assert invoke("check", "outreach", "--exact").out.splitlines()[1].split()[4] == "3663.88794592221"
        (entry,) = json.loads(invoke("check", "outreach", "--output", "json").out)
        assert entry["wallets"][0]["balance"] == "3663.88794592221"
        assert entry["wallets"][0]["balance_number"] == 3663.88794592221


def test_markup_in_a_name_is_only_text(invoke: Any, prepaid: Path, simulator: Any) -> None:
    prepaid.write_text(prepaid.read_text().replace("name: mall", 'name: "[red]mall[/red] [/]"'))
    result = invoke("check", "[red]mall[/red] [/]")
    assert result.status == 0
    assert "[red]mall[/red] [/]" in result.out
    assert simulator.requests("apimall") == 1


def test_a_reader_that_goes_away_is_no_traceback(prepaid: Path, clean: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {EXPORTER} check --output json | head -c1"],
        cwd=prepaid.parent,
        env=clean,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def test_validate_asks_nobody_and_counts(run: Any, prepaid: Path, simulator: Any) -> None:
    result = run("validate", "--config.file", prepaid)
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [
        "note: acme: min_interval is 0s; flexprice recommends 1m",
        "note: globex: min_interval is 0s; flexprice recommends 1m",
        f"{prepaid}: 6 accounts, no problems",
    ]
    assert simulator.requests("flexprice") == 0


@pytest.fixture
def keyless(prepaid: Path) -> Path:
    """Take the keys of two accounts of the demo's six away."""
    text = prepaid.read_text()
    for name, place in (("outreach", "api_key_env: NO_SUCH_KEY"), ("mall", "api_key_file: none.key")):
        head, found, tail = text.partition(f"- name: {name}\n")
        text = head + found + re.sub(r"api_key: \S+", place, tail, count=1)
    prepaid.write_text(text)
    return prepaid


MISSING = [
    "accounts[0].api_key_env: the environment variable NO_SUCH_KEY is not set",
    "accounts[5].api_key_file: the file none.key cannot be read: No such file or directory",
]


@pytest.mark.usefixtures("keyless")
class TestMissingKeys:
    """A key that is not there costs its account, and only `validate` fails for it."""

    def test_validate_names_every_one(self, invoke: Any) -> None:
        result = invoke("validate")
        assert (result.status, result.out) == (1, "")
        *lines, count = result.err.splitlines()
        assert [re.sub(r"^prepaid\.yml:\d+:\d+: ", "", line) for line in lines] == MISSING
        assert count == "2 problems"

    def test_validate_leaves_them_out_where_that_is_asked_for(self, invoke: Any) -> None:
        result = invoke("validate", "--no-secrets")
        assert (result.status, result.err) == (0, "")
        assert result.out.splitlines()[-1] == "prepaid.yml: 6 accounts, no problems"

    def test_validate_without_secrets_still_names_what_is_wrong(self, invoke: Any, keyless: Path) -> None:
        keyless.write_text(keyless.read_text().replace("provider: apimall", "provider: apimal"))
        result = invoke("validate", "--no-secrets")
        assert (result.status, result.out) == (1, "")
        assert result.err.endswith("1 problem\n")

    def test_serve_starts_and_says_which(self, begin: Any) -> None:
        running = begin("serve", "--web.listen-address", "127.0.0.1:0")
        status, page = running.ask("/metrics")
        assert status == 200
        assert 'prepaid_account_failure{provider="apimall",account="mall",reason="misconfigured"} 1.0' in page
        assert 'prepaid_account_up{provider="smspubli",account="sms"} 1.0' in page
        warned = running.wait_for_many(r"level=warning msg=\"secret cannot be read\" .*account=(\w+)", 2)
        assert [match[1] for match in warned] == ["outreach", "mall"]

    def test_check_warns_and_asks_the_others(self, invoke: Any) -> None:
        result = invoke("check", "outreach", "sms")
        assert result.status == 3
        (line,) = result.err.splitlines()
        assert line.startswith("warning: prepaid.yml:")
        assert line.endswith(MISSING[0])
        states = [line.split()[:2] for line in result.out.splitlines()[1:]]
        assert states == [["down", "outreach"], ["ok", "sms"]]

    def test_check_of_another_account_does_not_speak_of_it(self, invoke: Any) -> None:
        result = invoke("check", "sms")
        assert (result.status, result.err) == (0, "")


def test_check_names_some_of_many_accounts_without_a_key(invoke: Any, tmp_path: Path) -> None:
    accounts = "".join(
        f"  - {{name: a{number}, provider: apimall, api_key_file: none.key}}\n" for number in range(100)
    )
    (tmp_path / "prepaid.yml").write_text(f"accounts:\n{accounts}")
    result = invoke("check")
    assert result.status == 3
    assert len(result.err.splitlines()) == 21
    assert result.err.endswith("warning: 80 more accounts like these\n")


def test_a_key_that_looks_pasted_wrongly_is_warned_of_and_used(
    invoke: Any, prepaid: Path, simulator: Any, tmp_path: Path
) -> None:
    (key,) = re.findall(r"api_key: (demo-mall-\w+)", prepaid.read_text())
    (tmp_path / "mall.key").write_text(f'"{key}"')
    prepaid.write_text(prepaid.read_text().replace(f"api_key: {key}", "api_key_file: mall.key"))
    told = "accounts[5].api_key_file: the file mall.key has quotation marks around it, which are sent with it"
    for arguments, status in ((["validate"], 0), (["check", "mall"], 3)):
        result = invoke(*arguments)
        assert result.status == status
        (line,) = result.err.splitlines()
        assert line.startswith("warning: prepaid.yml:")
        assert line.endswith(told)
    assert simulator.requests("apimall") == 1
    assert invoke("validate", "--no-secrets").err == ""


def test_thresholds_that_match_no_wallet_are_told_by_check(invoke: Any, prepaid: Path) -> None:
    prepaid.write_text(
        prepaid.read_text().replace(
            "    thresholds: {critical: 25",
            "    wallet_thresholds: {CREDTS: {critical: 1}}\n    thresholds: {critical: 25",
        )
    )
    result = invoke("check", "mall")
    assert (result.status, result.err) == (
        0,
        'warning: mall: wallet_thresholds.CREDTS matches no wallet; did you mean "CREDITS"?\n',
    )


def test_a_configuration_without_an_account_says_that_nothing_is_asked(
    run: Any, begin: Any, tmp_path: Path
) -> None:
    (tmp_path / "prepaid.yml").write_text("accounts: []\n")
    assert run("validate").out == "prepaid.yml: 0 accounts, no problems; no provider will be asked\n"
    checked = run("check")
    told = "warning: prepaid.yml: no account is configured, so no provider is asked\n"
    assert (checked.status, checked.err) == (0, told)
    begin("serve", "--web.listen-address", "127.0.0.1:0").wait_for("no account is configured, so no provider")


@pytest.mark.slow
def test_a_shell_s_substitution_is_refused_with_what_to_do(tmp_path: Path) -> None:
    command = f"{EXPORTER} validate --config.file <(echo 'accounts: []')"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "it is a pipe or a device; it must be a regular file" in done.stderr


def test_validate_prints_the_schema_without_a_configuration(run: Any) -> None:
    result = run("validate", "--schema")
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out)["title"] == "Configuration of prepaid-exporter"


def test_providers_lists_all_that_are_built_in(invoke: Any) -> None:
    result = invoke("providers")
    assert result.status == 0
    names = [line.split()[1] for line in result.out.splitlines()]
    assert names[0] == "NAME"
    assert {"apimall", "coldmailreseller", "flexprice", "smspubli"} <= set(names[1:])


@pytest.mark.parametrize("name", ["apimall", "coldmailreseller", "flexprice", "smspubli"])
def test_the_account_that_a_provider_s_sheet_offers_is_a_valid_one(
    name: str, invoke: Any, tmp_path: Path
) -> None:
    sheet = invoke("providers", name)
    assert sheet.status == 0
    head, _, example = sheet.out.partition("An account to start from:\n\n")
    assert head.startswith(f"{name}: ")
    assert "https://" in head
    key = tmp_path / "key"
    key.write_text("invented")
    lines = [
        f"    api_key_file: {key}" if line.strip().startswith("api_key_file") else line
        for line in example.splitlines()
    ]
    (tmp_path / "prepaid.yml").write_text("accounts:\n" + "\n".join(lines) + "\n")
    result = invoke("validate")
    assert (result.status, result.err) == (0, "")
