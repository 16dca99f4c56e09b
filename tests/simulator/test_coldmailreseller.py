"""Cold Mail Reseller, simulated: it answers as documented."""

from exporter.simulator import Recharge
from tests.simulator.client import Client


def test_cold_mail_reseller_answers_its_documented_example(client: Client) -> None:
    answer = client.ask("coldmailreseller")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "status": 200,
        "message": "Wallet balance fetched successfully",
        "data": {"balance": 3334.95, "autoRecharge": True, "autoRechargeAmount": 5000, "threshold": 1000},
    }
    assert '"autoRechargeAmount": 5000,' in answer.text  # an integer as documented, not 5000.0


def test_cold_mail_reseller_shows_a_recharge_that_is_off_or_has_no_numbers(client: Client) -> None:
    wallet = client.simulator.wallet("coldmailreseller")
    wallet.recharge = Recharge(enabled=False, threshold=None, amount=None)
    off = {"balance": 3334.95, "autoRecharge": False, "autoRechargeAmount": None, "threshold": None}
    assert client.ask("coldmailreseller").json()["data"] == off
    wallet.recharge = None
    assert wallet.recharge is None
    assert client.ask("coldmailreseller").json()["data"] == off
