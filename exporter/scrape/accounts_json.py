"""Readings as JSON, for programs: what `check --output json` prints and `/api/v1/accounts` answers.

Amounts are text, since a JSON number loses digits in most programs that read it; `balance_number` stands beside the
balance for those that only compare.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from exporter.model import Level, Reason, Wallet
from exporter.scrape.caching_collector import Reading
from exporter.scrape.states import URGENT, AccountState, WalletState, state, wallet_state
from exporter.scrape.thresholds import effective_thresholds


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class AutoRecharge(_Entry):
    """What the provider does when the balance falls."""

    enabled: bool | None = Field(description="Whether it is on; null where the provider does not tell.")
    threshold: str | None = Field(description="Balance under which the provider recharges.")
    amount: str | None = Field(description="What one recharge adds.")


class WalletEntry(_Entry):
    """What an account holds in one currency."""

    wallet: str = Field(description="The provider's id of the wallet, `main` where it has one wallet.")
    name: str | None = Field(description="The provider's name of the wallet.")
    status: str | None = Field(description="The provider's status of the wallet.")
    currency: str = Field(description="ISO 4217 code, or the provider's own unit, such as CREDITS.")
    balance: str | None = Field(description="What can be spent now, with every digit that the provider gave.")
    balance_number: float | None = Field(description="The balance as a number, which may have fewer digits.")
    cached: bool | None = Field(
        description="Whether the provider says that the balance comes from its cache; null where it does not tell."
    )
    thresholds: dict[Level, str] = Field(description="Low-balance thresholds in force, by level.")
    state: WalletState = Field(
        description="`critical`: under the critical threshold, or nothing is left; `warning` and `info` likewise."
    )
    auto_recharge: AutoRecharge


class AccountEntry(_Entry):
    """An account and what is known of it."""

    account: str = Field(description="Its name in the configuration.")
    provider: str = Field(description="Its provider's name.")
    provider_title: str = Field(description="Its provider's name for people.")
    up: bool = Field(description="Whether the provider answered with usable wallets.")
    state: AccountState = Field(
        description="The most urgent of its wallets' states, `critical` where the provider refuses since nothing is "
        "left, else `down`, or `unasked` before the first answer."
    )
    reason: Reason | None = Field(description="Why it is down: one of the list in docs/metrics.md.")
    detail: str | None = Field(description="The reason in more words.")
    hint: str | None = Field(description="What to do about it, where the provider's definition says so.")
    http_status: int | None = Field(description="Status of the last answer; null where none came.")
    last_success_timestamp_seconds: float | None = Field(
        description="When wallets were last read, as Unix time."
    )
    dashboard_url: str | None = Field(description="The provider's page for the account.")
    topup_url: str | None = Field(description="The provider's page for paying.")
    wallets: list[WalletEntry] = Field(description="Its wallets; empty while it is down.")
    notes: list[str] = Field(description="What was left out of the answer and why, and what it lacks.")


_entries = TypeAdapter(list[AccountEntry])


def accounts_as_json(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the readings as plain data, ready to be written as JSON."""
    entries: list[dict[str, Any]] = _entries.dump_python(
        [_account(reading) for reading in readings], mode="json"
    )
    return entries


def accounts_schema() -> dict[str, Any]:
    """Return the JSON Schema of what `accounts_as_json` returns."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_entries.json_schema(mode="serialization"),
        "title": "Accounts of prepaid-exporter",
    }


def _account(reading: Reading) -> AccountEntry:
    account, outcome = reading.account, reading.outcome
    wallets = [_wallet(reading, wallet) for wallet in outcome.wallets] if outcome else []
    return AccountEntry(
        account=account.name,
        provider=account.provider.name,
        provider_title=account.provider.definition.title,
        up=bool(outcome and outcome.up),
        state=_state(reading, wallets),
        reason=outcome.reason if outcome else None,
        detail=(outcome.detail if outcome else "") or None,
        hint=(outcome.hint if outcome else "") or None,
        http_status=outcome.status if outcome else None,
        last_success_timestamp_seconds=reading.last_success,
        dashboard_url=account.dashboard_url or None,
        topup_url=account.topup_url or None,
        wallets=wallets,
        notes=list(reading.notes),
    )


def _state(reading: Reading, wallets: Sequence[WalletEntry]) -> AccountState:
    return min((wallet.state for wallet in wallets), key=URGENT.index, default=state(reading))


def _wallet(reading: Reading, wallet: Wallet) -> WalletEntry:
    thresholds = effective_thresholds(reading.account, wallet)
    return WalletEntry(
        wallet=wallet.id,
        name=wallet.name or None,
        status=wallet.status.value if wallet.status else None,
        currency=wallet.currency,
        balance=_text(wallet.balance),
        balance_number=_number(wallet.balance),
        cached=wallet.cached,
        thresholds={level: f"{value:f}" for level, value in thresholds.items()},
        state=wallet_state(reading, wallet),
        auto_recharge=AutoRecharge(
            enabled=wallet.auto_recharge_enabled,
            threshold=_text(wallet.auto_recharge_threshold),
            amount=_text(wallet.auto_recharge_amount),
        ),
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _number(amount: Decimal | None) -> float | None:
    number = None if amount is None else float(amount)
    # JSON has no infinity.
    return number if number is not None and math.isfinite(number) else None
