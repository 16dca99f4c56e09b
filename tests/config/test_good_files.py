"""Every key of the configuration means what is documented: defaults, precedence, places and forms."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.config import Account, Config, load
from exporter.model import Level, Wallet
from exporter.scrape.thresholds import effective_thresholds

GOOD = Path(__file__).parent / "good"
MINIMAL = "accounts:\n  - {name: mall, provider: apimall, api_key: canary-7f3a}\n"

Loaded = Callable[[str], Config]


def account(config: Config, name: str) -> Account:
    return next(one for one in config.accounts if one.name == name)


def test_every_key_arrives() -> None:
    outreach = account(load(GOOD / "every-key.yml"), "outreach")
    assert outreach.provider.name == "coldmailreseller"
    assert outreach.currency == "INR"
    assert outreach.thresholds == {
        Level.INFO: Decimal("3000.50"),
        Level.WARNING: Decimal(2000),
        Level.CRITICAL: Decimal(1000),
    }
    assert outreach.wallet_thresholds == {
        "INR": {Level.CRITICAL: Decimal(500)},
        "main": {Level.WARNING: Decimal(-1)},
    }
    assert (outreach.timeout, outreach.min_interval) == (2.5, 0.0)
    assert outreach.base_url == "https://staging.example.com/api/v1"
    assert outreach.ca_file == str(GOOD / "secrets" / "authority.pem")
    assert outreach.proxy_url == "http://user:password@127.0.0.1:3128"
    assert outreach.dashboard_url == "https://staging.example.com/wallet"
    assert outreach.topup_url == "https://staging.example.com/pay"


def test_a_pattern_of_own_definitions_may_have_nothing_to_match_yet(loaded: Loaded) -> None:
    assert len(loaded("provider_files: [providers/*.yml]\n" + MINIMAL).accounts) == 1


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_a_truth_value_is_taken_as_yaml_spells_it(loaded: Loaded, word: str) -> None:
    clear = MINIMAL.replace("}", f", base_url: 'http://10.0.0.1', allow_http: {word}}}")
    assert account(loaded(clear), "mall").base_url == "http://10.0.0.1"


def test_an_account_takes_the_file_s_defaults() -> None:
    lab = account(load(GOOD / "every-key.yml"), "lab")
    assert (lab.timeout, lab.min_interval) == (7.0, 90.0)
    assert lab.base_url == "http://10.0.0.1:8080/api/v1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "[::1]", "[::ffff:127.0.0.1]"])
def test_every_loopback_address_may_be_asked_without_encryption(loaded: Loaded, host: str) -> None:
    url = f"http://{host}:8080/api/v1"
    there = f"accounts:\n  - {{name: mall, provider: apimall, api_key: canary-7f3a, base_url: '{url}'}}\n"
    assert account(loaded(there), "mall").base_url == url


def test_an_account_that_says_little_is_complete(loaded: Loaded) -> None:
    mall = account(loaded(MINIMAL), "mall")
    assert (mall.timeout, mall.min_interval) == (10.0, 30.0)
    assert mall.base_url == "https://gateway.apimall.ai/api/v1"
    assert mall.dashboard_url == "https://www.apimall.ai"
    assert (mall.topup_url, mall.currency, mall.ca_file, mall.proxy_url) == ("", None, None, None)
    assert (mall.thresholds, mall.wallet_thresholds, mall.params) == ({}, {}, {})


def test_a_secret_is_the_same_in_each_of_its_three_forms(canary: str) -> None:
    config = load(GOOD / "the-three-forms.yml")
    assert [one.secrets["api_key"].read() for one in config.accounts] == [canary] * 3


def test_a_secret_is_in_no_representation(canary: str) -> None:
    assert canary not in repr(load(GOOD / "the-three-forms.yml"))
    assert "password" not in repr(account(load(GOOD / "every-key.yml"), "outreach"))


def test_a_changed_secret_file_is_read_again(tmp_path: Path, loaded: Loaded) -> None:
    key = tmp_path / "key"
    key.write_text("old\n")
    secret = account(loaded(MINIMAL.replace("api_key: canary-7f3a", "api_key_file: key")), "mall").secrets[
        "api_key"
    ]
    key.write_text("\n new \n")
    assert secret.read() == "new"
    key.unlink()
    with pytest.raises(ValueError, match="cannot be read: No such file or directory"):
        secret.read()


def test_relative_places_start_at_the_file_and_not_where_the_program_was_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(GOOD.parent)
    outreach = account(load(Path("good/every-key.yml")), "outreach")
    assert outreach.secrets["api_key"].read() == "canary-7f3a"
    assert outreach.ca_file == os.path.join("good", "secrets", "authority.pem")  # noqa: PTH118 - as text


def test_absolute_places_stay(tmp_path: Path, loaded: Loaded) -> None:
    definition = tmp_path / "own" / "mine.yml"
    definition.parent.mkdir()
    definition.write_bytes((GOOD / "providers" / "acme-mail.yml").read_bytes())
    text = f"provider_files: ['{tmp_path}/own/*.yml']\naccounts:\n  - name: a\n    provider: mine\n"
    config = loaded(f"{text}    token_file: {GOOD}/secrets/key\n")
    assert config.accounts[0].provider.definition.title == "Acme Mail"
    assert config.accounts[0].secrets["token"].read() == "canary-7f3a"


def test_own_definitions_are_found_by_patterns_and_may_be_named_twice() -> None:
    config = load(GOOD / "own-definitions.yml")
    assert [one.provider.name for one in config.accounts] == ["acme-mail", "wallet"]
    mail, wallet = config.accounts
    assert (mail.dashboard_url, mail.topup_url) == (
        "https://mail.example.com",
        "https://mail.example.com/pay",
    )
    assert sorted(wallet.secrets) == ["password", "user"]


HIDDEN = (".#mine.yml", "._mine.yml", ".mine.yml.swp", "..2026_11_27/mine.yml", ".git/mine.yml")


@pytest.mark.parametrize("pattern", ["own/*.yml", "own/**/*.yml", "own/**"])
def test_a_pattern_leaves_out_what_editors_systems_and_kubernetes_hide(
    pattern: str, loaded: Loaded, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    for name in HIDDEN:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("no definition")
    definition = (GOOD / "providers" / "acme-mail.yml").read_bytes()
    (own / "..2026_11_27" / "mine.yml").write_bytes(definition)
    (own / "..data").symlink_to("..2026_11_27")
    (own / "mine.yml").symlink_to("..data/mine.yml")
    config = loaded(f"provider_files: ['{pattern}']\naccounts:\n  - {{name: a, provider: mine, token: k}}\n")
    assert config.accounts[0].provider.definition.title == "Acme Mail"


def test_a_hidden_file_is_read_where_it_is_named(loaded: Loaded, tmp_path: Path) -> None:
    definition = (GOOD / "providers" / "acme-mail.yml").read_bytes()
    (tmp_path / ".own").mkdir()
    (tmp_path / ".own" / "mine.yml").write_bytes(definition)
    text = "provider_files: ['.own/*.yml']\naccounts:\n  - {name: a, provider: mine, token: k}\n"
    assert loaded(text).accounts[0].provider.name == "mine"


def test_a_definition_that_is_linked_into_two_folders_is_one(loaded: Loaded, tmp_path: Path) -> None:
    definition = (GOOD / "providers" / "acme-mail.yml").read_bytes()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    (tmp_path / "one" / "mine.yml").write_bytes(definition)
    (tmp_path / "two" / "mine.yml").symlink_to("../one/mine.yml")
    text = "provider_files: ['*/mine.yml']\naccounts:\n  - {name: a, provider: mine, token: k}\n"
    assert loaded(text).accounts[0].provider.name == "mine"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("off", {"id": "0"}),
        (
            "as-they-stand",
            {
                "lookup_key": "12e5",
                "include_real_time_balance": "true",
                "expand": "credits_available_breakdown",
            },
        ),
        ("leading", {"id": "0123", "include_real_time_balance": "true"}),
        ("phone", {"user_name": "+34600000000"}),
        ("decimal", {"user_name": "1.10"}),
    ],
)
def test_params_are_sent_as_written_and_false_turns_one_off(name: str, params: dict[str, str]) -> None:
    assert account(load(GOOD / "params.yml"), name).params == params


def test_words_that_other_readers_change_stay_as_written() -> None:
    config = load(GOOD / "words-that-other-readers-change.yml")
    assert [(one.name, one.secrets["api_key"].read()) for one in config.accounts] == [
        ("yes", "0x1F"),
        ("2026-01-01", "1_000"),
        ("0123", "on"),
        (".nan", "12:30:45"),
        ("42", "0123"),
        ("ñandú 🦤", "~x"),
    ]


def test_an_alias_shares_a_value() -> None:
    first, second = load(GOOD / "shared-by-aliases.yml").accounts
    assert first.thresholds == second.thresholds == {Level.WARNING: Decimal(5), Level.CRITICAL: Decimal(1)}


def test_a_file_may_have_no_account_yet() -> None:
    assert load(GOOD / "nothing-yet.yml").accounts == ()


@pytest.mark.parametrize(
    ("wallet", "critical"),
    [(("w1", "USD"), 1), (("w2", "USD"), 2), (("w3", "EUR"), 3)],
    ids=["by wallet", "by currency", "for the account"],
)
def test_the_closest_threshold_counts(wallet: tuple[str, str], critical: int, loaded: Loaded) -> None:
    text = (
        MINIMAL.rstrip("}\n")
        + ", thresholds: {critical: 3}, wallet_thresholds: {w1: {critical: 1}, USD: {critical: 2}}}"
    )
    name, currency = wallet
    levels = effective_thresholds(account(loaded(text), "mall"), Wallet(name, currency, Decimal(0)))
    assert levels == {Level.CRITICAL: Decimal(critical)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("1m500ms", 60.5)],
)
def test_durations_are_read_as_prometheus_reads_them(text: str, seconds: float, loaded: Loaded) -> None:
    config = loaded(f"defaults: {{timeout: {text}, min_interval: {text}}}\n{MINIMAL}")
    assert (config.accounts[0].timeout, config.accounts[0].min_interval) == (seconds, seconds)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_plain_http_on_loopback_needs_no_leave(host: str, loaded: Loaded) -> None:
    config = loaded(MINIMAL.replace("canary-7f3a", f"k, base_url: 'http://{host}:8080/v1'"))
    assert config.accounts[0].base_url == f"http://{host}:8080/v1"
