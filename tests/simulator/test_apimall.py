"""API Mall, simulated: it answers as documented."""

from tests.simulator.client import Client


def test_api_mall_answers_its_documented_example(client: Client) -> None:
    answer = client.ask("apimall")
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["data"] == {"credits": 120, "api_credits": 120}
    assert answer.json()["request_id"].startswith("req_")


def test_api_mall_gives_its_hint_when_it_forbids(client: Client) -> None:
    client.simulator.fail("apimall", "forbidden")
    assert "non-gateway host" in client.ask("apimall").json()["error"]["message"]
