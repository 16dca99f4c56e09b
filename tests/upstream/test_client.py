"""Where a credential goes, and where not: redirects, .netrc, cookies, headers, plain http."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.schema.problems import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desk import MakeDesk, MakeUpstream


@pytest.mark.parametrize("status", ["300 X", "301 X", "302 X", "303 X", "305 X", "307 X", "308 X"])
def test_a_redirect_to_another_host_asks_nothing_there(
    upstream: MakeUpstream, desk: MakeDesk, status: str
) -> None:
    thief = upstream()
    server = upstream(lambda peer, _: peer.answer(b"", status=status, Location=f"{thief.url}/"))
    page = desk(server.url).metrics()
    assert page.reason() == "redirect"
    assert (thief.connections, len(server.requests)) == (0, 1)
    assert not page.wallet_samples()


def test_a_redirect_to_the_same_host_asks_nothing_there(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status="307 X", Location="/other"))
    assert desk(server.url).metrics().reason() == "redirect"
    assert [asked.line for asked in server.requests] == ["GET /account/balances HTTP/1.1"]


def test_a_redirect_without_a_target_or_with_a_body_stays_one(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(status="302 Found"))
    page = desk(server.url).metrics()
    assert (page.reason(), page.balance()) == ("redirect", None)


def test_netrc_has_no_say(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password stolen\ndefault login thief password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_bytes(netrc.read_bytes())
    server = upstream()
    assert desk(server.url).metrics().up() == 1
    assert server.requests[0].headers["authorization"] == "Bearer key-of-mall"


def test_cookies_are_neither_kept_nor_sent(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(Set_Cookie="session=42; Path=/"))
    running = desk(server.url)
    assert [running.metrics().up() for _ in range(3)] == [1, 1, 1]
    assert len(server.requests) == 3
    assert not any("cookie" in asked.headers for asked in server.requests)


def test_a_request_says_only_what_its_definition_declares(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    desk(server.url).metrics()
    [asked] = server.requests
    assert asked.line == "GET /account/balances HTTP/1.1"
    assert asked.body == b""
    assert set(asked.headers) <= {
        "host", "accept", "accept-encoding", "user-agent", "authorization", "connection",
    }  # fmt: skip


@pytest.mark.parametrize("host", ["balance.example", "192.0.2.1", "127.0.0.1.example", "localhost.example"])
def test_plain_http_off_loopback_is_refused_at_load(desk: MakeDesk, host: str) -> None:
    with pytest.raises(ConfigurationError, match="http would send the key in clear"):
        desk(f"http://{host}")


def test_plain_http_off_loopback_is_for_those_who_say_so(desk: MakeDesk) -> None:
    account = {"base_url": "http://balance.invalid", "allow_http": True}
    assert desk(mall=account).metrics().reason() == "unreachable"
