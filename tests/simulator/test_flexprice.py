"""Flexprice, simulated: it answers as documented."""

from decimal import Decimal

import pytest

from tests.simulator.client import EVERYTHING, Client


def test_flexprice_answers_its_documented_example(client: Client) -> None:
    answer = client.flexprice({"lookup_key": "acme", **EVERYTHING})
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "id": "wallet_01",
            "customer_id": "cust_01",
            "currency": "usd",
            "balance": "120.50",
            "credit_balance": "120.50",
            "wallet_status": "active",
            "name": "Prepaid Wallet - USD",
            "description": "",
            "metadata": None,
            "auto_topup": {"enabled": True, "threshold": "20", "amount": "100", "invoicing": True},
            "wallet_type": "PRE_PAID",
            "config": {"allowed_price_types": ["USAGE"]},
            "conversion_rate": "1",
            "topup_conversion_rate": "1",
            "environment_id": "env_01",
            "alert_settings": {
                "critical": {"threshold": "10", "condition": "below"},
                "warning": {"threshold": "25", "condition": "below"},
                "info": None,
                "alert_enabled": True,
            },
            "alert_state": "ok",
            "tenant_id": "t_01",
            "status": "published",
            "created_at": "2026-08-01T00:00:00Z",
            "updated_at": "2026-08-20T00:00:00Z",
            "created_by": "u",
            "updated_by": "u",
            "real_time_balance": "118.2",
            "real_time_credit_balance": "118.2",
            "balance_updated_at": "2026-08-20T00:00:00Z",
            "current_period_usage": "2.3",
            "unpaid_invoices_amount": "0",
            "credits_available_breakdown": {"purchased": "100", "free": "20.5"},
            "is_cached_fallback": False,
        }
    ]


def test_flexprice_knows_a_customer_by_its_id_as_well(client: Client) -> None:
    assert client.flexprice({"id": "cust_01"}).json() == client.flexprice({"lookup_key": "acme"}).json()


def test_flexprice_leaves_real_time_fields_out_unless_asked(client: Client) -> None:
    (wallet,) = client.flexprice({"lookup_key": "acme", "expand": "credits_available_breakdown"}).json()
    assert wallet["balance"] == "120.50"
    assert wallet["is_cached_fallback"] is False
    assert not {
        "real_time_balance",
        "real_time_credit_balance",
        "balance_updated_at",
        "current_period_usage",
        "unpaid_invoices_amount",
        "credits_available_breakdown",
    } & set(wallet)


def test_flexprice_gives_the_breakdown_only_when_expanded(client: Client) -> None:
    (wallet,) = client.flexprice({"lookup_key": "acme", "include_real_time_balance": "true"}).json()
    assert wallet["real_time_balance"] == "118.2"
    assert "credits_available_breakdown" not in wallet


def test_flexprice_marks_a_value_from_its_cache(client: Client) -> None:
    query = {"lookup_key": "acme", "from_cache": "true"}
    (cached,) = client.flexprice(query | {"include_real_time_balance": "true"}).json()
    (stored,) = client.flexprice(query).json()
    assert (cached["is_cached_fallback"], stored["is_cached_fallback"]) == (True, False)


def test_flexprice_has_two_currencies_a_negative_balance_and_the_older_alerts(client: Client) -> None:
    usd, eur = client.flexprice({"lookup_key": "globex", **EVERYTHING}).json()
    assert (usd["currency"], eur["currency"]) == ("usd", "eur")
    assert (usd["balance"], usd["credit_balance"], usd["conversion_rate"]) == ("500.00", "250.00", "2")
    assert (usd["real_time_balance"], usd["real_time_credit_balance"]) == ("450", "225")
    assert (usd["current_period_usage"], usd["unpaid_invoices_amount"]) == ("37.5", "12.5")
    assert (eur["balance"], eur["real_time_balance"], eur["alert_state"]) == ("15.00", "-7.5", "in_alarm")
    assert eur["alert_config"] == {"threshold": {"type": "amount", "value": "5"}}
    assert eur["alert_enabled"] is True
    assert "alert_settings" not in usd | eur
    assert "auto_topup" not in usd
    assert eur["auto_topup"] == {"enabled": False, "threshold": None, "amount": None, "invoicing": None}


def test_flexprice_has_a_customer_without_wallets(client: Client) -> None:
    answer = client.flexprice({"lookup_key": "empty", **EVERYTHING})
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param({}, 400, "validation_error", id="no-customer"),
        pytest.param({"id": "cust_01", "lookup_key": "acme"}, 400, "validation_error", id="two-customers"),
        pytest.param({"id": "cust_01", "expand": "customer"}, 400, "validation_error", id="unknown-expand"),
        pytest.param(
            {"id": "cust_01", "include_real_time_balance": "maybe"}, 400, "validation_error", id="not-a-flag"
        ),
        pytest.param({"id": "cust_99"}, 404, "not_found", id="unknown-id"),
        pytest.param({"lookup_key": "initech"}, 404, "not_found", id="unknown-lookup-key"),
    ],
)
def test_flexprice_refuses_a_bad_query_with_its_code(
    client: Client, query: dict[str, str], status: int, code: str
) -> None:
    answer = client.flexprice(query)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["http_status_code"] == status


@pytest.mark.parametrize(
    ("balance", "state"), [("25.01", "ok"), ("25", "warning"), ("10", "in_alarm"), ("-3", "in_alarm")]
)
def test_flexprice_alarms_at_its_own_thresholds(client: Client, balance: str, state: str) -> None:
    client.simulator.wallet("flexprice").balance = Decimal(balance)
    (wallet,) = client.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
    assert (wallet["real_time_balance"], wallet["alert_state"]) == (balance, state)


def test_an_empty_flexprice_wallet_has_no_credit_left_to_break_down(client: Client) -> None:
    client.simulator.wallet("flexprice").balance = -30
    (wallet,) = client.flexprice({"lookup_key": "acme", **EVERYTHING}).json()
    assert (wallet["balance"], wallet["real_time_balance"]) == ("-27.70", "-30")
    assert wallet["credits_available_breakdown"] == {"purchased": "0", "free": "0"}
