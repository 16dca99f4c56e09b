"""TLS that must not be trusted is refused before a credential is sent; the operator's authority is trusted."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.collection.conftest import Desk, Eventually, MakeDesk, MakeUpstream, Peer, Upstream

    Tls = Callable[..., ssl.SSLContext]

LONG = 60
"""Seconds that are far more than an account's timeout here, and far less than the scrape's own deadline."""


def write_other_authority(file: Path) -> None:
    """Write an authority of no use, long ago: whoever replaces it does so in another tick of the clock."""
    trustme.CA().cert_pem.write_to_path(file)
    os.utime(file, (1_000_000_000, 1_000_000_000))


def refused(server: Upstream, desk: Desk) -> bool:
    """Tell whether the account is down for its TLS, without a request, nor anything else that we sent."""
    page = desk.metrics()
    assert page.reason() == "tls"
    assert not page.wallet_samples()
    assert page.one("prepaid_account_http_status_code") is None
    return server.requests == []


def test_an_authority_that_nobody_named_is_not_trusted(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls
) -> None:
    server = upstream(tls=tls())
    running = desk(server.url)
    assert refused(server, running)
    assert "the certificate is not trusted" in running.trace()


def test_the_operators_authority_is_trusted(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    server = upstream(tls=tls())
    page = desk(mall={"base_url": server.url, "ca_file": ca_file}).metrics()
    assert (page.up(), page.balance()) == (1, 120)
    assert server.requests[0].headers["authorization"] == "Bearer key-of-mall"


def test_an_authority_counts_only_for_the_account_that_names_it(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    server = upstream(tls=tls())
    page = desk(
        with_it={"base_url": server.url, "ca_file": ca_file}, without={"base_url": server.url}
    ).metrics()
    assert (page.balance("with_it"), page.reason("without")) == (120, "tls")
    assert [asked.headers["authorization"] for asked in server.requests] == ["Bearer key-of-with_it"]


def test_the_authority_in_force_is_the_only_one(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    write_other_authority(other)
    server = upstream(tls=tls())
    assert refused(server, desk(mall={"base_url": server.url, "ca_file": str(other)}))


def test_a_renewed_authority_counts_without_a_restart(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str, tmp_path: Path
) -> None:
    server = upstream(tls=tls())
    mine = tmp_path / "mine.pem"
    write_other_authority(mine)
    running = desk(mall={"base_url": server.url, "ca_file": str(mine)})
    assert running.metrics().reason() == "tls"
    mine.write_bytes((tmp_path / ca_file).read_bytes())
    assert running.metrics().balance() == 120
    mine.unlink()
    assert running.metrics().reason() == "misconfigured"
    os.mkfifo(mine)
    assert running.metrics().reason() == "misconfigured", "and nobody waits for it"
    mine.unlink()
    mine.write_bytes(b"")
    assert running.metrics().reason() == "misconfigured", "an empty file trusts nobody"


def test_a_corrected_authority_counts_inside_min_interval(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str, tmp_path: Path
) -> None:
    """Who has corrected something wants to see that it helped."""
    server = upstream(tls=tls())
    mine = tmp_path / "mine.pem"
    write_other_authority(mine)
    running = desk(mall={"base_url": server.url, "ca_file": str(mine), "min_interval": "1h"})
    assert running.metrics().reason() == "tls"
    mine.write_bytes((tmp_path / ca_file).read_bytes())
    assert running.metrics().balance() == 120


def test_an_expired_certificate_is_refused(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    server = upstream(
        tls=tls(not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2021, 1, 1, tzinfo=UTC))
    )
    running = desk(mall={"base_url": server.url, "ca_file": ca_file})
    assert refused(server, running)
    assert "expired" in running.trace()


def test_a_certificate_for_another_host_is_refused(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    server = upstream(tls=tls("balance.example"))
    assert refused(server, desk(mall={"base_url": server.url, "ca_file": ca_file}))


def test_plain_http_on_the_https_port_is_a_tls_failure(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    server.greet = lambda peer: peer.answer(b"plain")
    page = desk(server.url.replace("http:", "https:")).metrics()
    assert page.reason() == "tls"
    assert not any("bearer" in str(asked).lower() for asked in server.requests)


def test_an_outdated_protocol_is_refused(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    context = tls()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.deprecated_call():
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = upstream(tls=context)
    assert refused(server, desk(mall={"base_url": server.url, "ca_file": ca_file}))


def test_a_handshake_that_hangs_is_a_timeout(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    server.greet = lambda peer: peer.hang()
    url = server.url.replace("http:", "https:")
    page = desk(mall={"base_url": url, "timeout": "300ms"}).metrics()
    assert page.reason() == "timeout"
    assert page.seconds < LONG


def test_a_handshake_that_is_dripped_is_a_timeout(upstream: MakeUpstream, desk: MakeDesk) -> None:
    def greet(peer: Peer) -> None:
        # A record that announces 16 KiB of handshake, and then one byte now and then.
        peer.send(b"\x16\x03\x03\x40\x00")
        peer.drip(b"\x02")

    server = upstream()
    server.greet = greet
    url = server.url.replace("http:", "https:")
    page = desk(mall={"base_url": url, "timeout": "300ms"}).metrics()
    assert page.reason() == "timeout"
    assert page.seconds < LONG


def test_an_answer_dripped_over_tls_is_a_timeout(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str
) -> None:
    def answer(peer: Peer, _: object) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        peer.drip(b" ")

    server = upstream(answer, tls=tls())
    page = desk(mall={"base_url": server.url, "ca_file": ca_file, "timeout": "400ms"}).metrics()
    assert page.reason() == "timeout"
    assert page.seconds < LONG


def test_a_tls_connection_is_kept(upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str) -> None:
    server = upstream(tls=tls())
    running = desk(mall={"base_url": server.url, "ca_file": ca_file})
    assert [running.metrics().balance() for _ in range(5)] == [120] * 5
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_kept_tls_connection_that_was_closed_costs_no_failure(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str, eventually: Eventually
) -> None:
    server = upstream(tls=tls())
    running = desk(mall={"base_url": server.url, "ca_file": ca_file})
    for _ in range(5):
        assert running.metrics().up() == 1
        server.cut()
    eventually(lambda: running.metrics().up() == 1)
    assert running.metrics().one("prepaid_exporter_upstream_failures_total", reason="unreachable") == 0


def test_an_authority_that_vanished_before_the_first_call_is_misconfigured(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Tls,
    ca_file: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = upstream(tls=tls())
    running = desk(mall={"base_url": server.url, "ca_file": ca_file})
    (tmp_path / "authority.pem").unlink()
    assert running.metrics().reason() == "misconfigured"
    assert "Traceback" not in capsys.readouterr().out
    assert "authority.pem cannot be read" in running.trace()
