"""What `defaults` says holds for every account that does not say otherwise."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.config import Config
from exporter.model import Level, Wallet
from exporter.schema.problems import ConfigurationError

Loaded = Callable[..., Config]
DAY = 86400.0
AUTHORITY = (Path(__file__).parent / "good" / "secrets" / "authority.pem").read_text(encoding="utf-8")


def accounts(*more: str, defaults: str = "") -> str:
    entries = "".join(
        f"  - {{name: a{number}, provider: apimall, api_key: k{keys}}}\n" for number, keys in enumerate(more)
    )
    return f"defaults: {{{defaults}}}\naccounts:\n{entries}"


@pytest.mark.parametrize(
    ("defaults", "account", "warning", "critical"),
    [
        ("", "", 3, 1),
        ("runway: {warning: 7d}", "", 7, 1),
        ("runway: {critical: 2d}", "", 3, 2),
        ("runway: {warning: 7d, critical: 2d}", ", runway: {critical: 3d}", 7, 3),
        ("runway: {warning: 7d}", ", runway: {warning: 1d}", 1, 1),
        ("", ", runway: {warning: 14d, critical: 7d}", 14, 7),
        ("", ", runway: {critical: 0s}", 3, 0),
        ("", ", runway: {}", 3, 1),
    ],
)
def test_runway_is_merged_by_level(
    defaults: str, account: str, warning: float, critical: float, loaded: Loaded
) -> None:
    (one,) = loaded(accounts(account, defaults=defaults)).accounts
    assert one.runway == {Level.WARNING: warning * DAY, Level.CRITICAL: critical * DAY}


def test_another_runway_is_no_reason_to_ask_anew(loaded: Loaded) -> None:
    (before,) = loaded(accounts("")).accounts
    (after,) = loaded(accounts(", runway: {warning: 9d}")).accounts
    assert after.same_request_as(before)


def test_proxy_and_authorities_are_every_account_s(loaded: Loaded, tmp_path: Path) -> None:
    for name in ("all.pem", "own.pem"):
        (tmp_path / name).write_text(AUTHORITY)
    own = ", proxy_url: 'http://own.example', ca_file: own.pem"
    text = accounts("", own, defaults="proxy_url: 'http://all.example', ca_file: all.pem")
    assert [(one.proxy_url, one.ca_file) for one in loaded(text).accounts] == [
        ("http://all.example", str(tmp_path / "all.pem")),
        ("http://own.example", str(tmp_path / "own.pem")),
    ]


def test_leave_to_send_in_clear_may_be_every_account_s(loaded: Loaded) -> None:
    clear = ", base_url: 'http://10.0.0.1'"
    assert len(loaded(accounts(clear, clear, defaults="allow_http: true")).accounts) == 2
    with pytest.raises(ConfigurationError, match="would send the key in clear"):
        loaded(accounts(f"{clear}, allow_http: false", defaults="allow_http: true"))


@pytest.mark.parametrize(
    ("ignored", "wallet"),
    [("w1", ("w1", "USD")), ("USD", ("w1", "USD")), ("usd", ("w1", "USD")), ("main", ("main", "CNY"))],
)
def test_a_wallet_is_ignored_by_its_id_or_currency(
    ignored: str, wallet: tuple[str, str], loaded: Loaded
) -> None:
    (one,) = loaded(accounts(f", ignore_wallets: [{ignored}]")).accounts
    assert one.ignores(Wallet(*wallet, Decimal(0)))
    assert not one.ignores(Wallet("other", "EUR", Decimal(0)))


def test_nothing_is_ignored_unless_it_is_named(loaded: Loaded) -> None:
    (one,) = loaded(accounts("")).accounts
    assert not one.ignores(Wallet("main", "USD", Decimal(0)))
