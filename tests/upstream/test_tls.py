"""TLS that must not be trusted is refused before a credential is sent; the operator's authority is trusted."""

from __future__ import annotations

import os
import ssl
import subprocess
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from exporter.upstream.trust import tls_context, trusted
from exporter.web import pages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.desk import Desk, Eventually, MakeDesk, MakeUpstream
    from tests.peers import Peer, Upstream

    Tls = Callable[..., ssl.SSLContext]

LONG = 60
"""Seconds that are far more than an account's timeout here, and far less than the scrape's own deadline."""


def write_other_authority(file: Path) -> None:
    """Write an authority of no use, long ago: whoever replaces it does so in another tick of the clock."""
    trustme.CA().cert_pem.write_to_path(file)
    os.utime(file, (1_000_000_000, 1_000_000_000))


def refused(server: Upstream, desk: Desk) -> bool:
    """Return whether the account is down for its TLS, without a request, nor anything else that we sent."""
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


@pytest.fixture
def chain(tmp_path: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    """Make a server of an intermediate authority, and a file of each that may vouch for it."""
    root = trustme.CA()
    middle = root.create_child_ca()
    leaf = middle.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    files = {"root": root.cert_pem, "intermediate": middle.cert_pem, "server": leaf.cert_chain_pems[0]}
    for name, pem in files.items():
        pem.write_to_path(tmp_path / f"{name}.pem")
    return context, {name: str(tmp_path / f"{name}.pem") for name in files}


@pytest.mark.parametrize("anchor", ["root", "intermediate", "server"])
def test_whom_the_operator_trusts_needs_nobody_above(
    upstream: MakeUpstream, desk: MakeDesk, chain: tuple[ssl.SSLContext, dict[str, str]], anchor: str
) -> None:
    context, files = chain
    server = upstream(tls=context)
    assert desk(mall={"base_url": server.url, "ca_file": files[anchor]}).metrics().balance() == 120


def test_a_certificate_of_a_company_s_old_authority_is_trusted(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    """It has none of the key identifiers that RFC 5280 demands, and newer Pythons by themselves."""
    file, context = old_authority(tmp_path)
    server = upstream(tls=context)
    assert desk(mall={"base_url": server.url, "ca_file": file}).metrics().balance() == 120
    assert not tls_context(trusted(file)).verify_flags & ssl.VERIFY_X509_STRICT


def old_authority(folder: Path) -> tuple[str, ssl.SSLContext]:
    """Make an authority with nothing but its name, and a server of it."""
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Old Authority", "server")
    ]
    made: list[bytes] = []
    for name, key, extension in (
        (names[0], keys[0], x509.BasicConstraints(ca=True, path_length=None)),
        (names[1], keys[1], x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])),
    ):
        builder = x509.CertificateBuilder(names[0], name, key.public_key(), 7 + len(made), start, end)
        certificate = builder.add_extension(extension, critical=False).sign(keys[0], SHA256())
        made.append(certificate.public_bytes(Encoding.PEM))
    (folder / "old.pem").write_bytes(made[0])
    key_pem = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "old-server.pem").write_bytes(made[1] + key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "old-server.pem")
    return str(folder / "old.pem"), context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_environment_s_authorities_count_without_a_file_of_the_account_s(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Tls,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    other = tmp_path / "other.pem"
    write_other_authority(other)
    monkeypatch.setenv(variable, ca_file)
    server = upstream(tls=tls())
    running = desk(mine={"base_url": server.url}, otherwise={"base_url": server.url, "ca_file": str(other)})
    page = running.metrics()
    assert (page.balance("mine"), page.reason("otherwise")) == (120, "tls")
    assert f"trusts    {variable} {ca_file}\n" in running.trace("mine")
    assert f"trusts    ca_file {other}\n" in running.trace("otherwise")
    assert f"# accounts without ca_file trust {variable} {ca_file}\n" in pages.configuration(
        running.runtime.scraper.config
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_folder_of_authorities_counts(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Tls,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tool: Callable[[str], str],
    variable: str,
) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "mine.pem").write_bytes((tmp_path / ca_file).read_bytes())
    subprocess.run([tool("openssl"), "rehash", folder], check=True, capture_output=True)
    monkeypatch.setenv(variable, str(folder))
    assert desk(upstream(tls=tls()).url).metrics().balance() == 120


def test_the_environment_s_authorities_are_the_only_ones_and_may_be_renewed(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Tls,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = tmp_path / "mine.pem"
    write_other_authority(mine)
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    running = desk(upstream(tls=tls()).url)
    assert running.metrics().reason() == "tls"
    mine.write_bytes((tmp_path / ca_file).read_bytes())
    assert running.metrics().balance() == 120
    mine.unlink()
    assert running.metrics().reason() == "misconfigured"
    assert f"SSL_CERT_FILE {mine} cannot be read" in running.trace()


def test_authorities_that_cannot_be_read_cost_no_account_that_does_without_tls(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    proxy = upstream()
    plain = {"base_url": upstream().url}
    running = desk(
        plain=plain,
        proxied={**plain, "proxy_url": proxy.url},
        secure={**plain, "proxy_url": proxy.url.replace("http:", "https:")},
    )
    page = running.metrics()
    assert (page.balance("plain"), page.balance("proxied")) == (120, 120)
    assert "trusts " not in running.trace("plain")
    assert page.reason("secure") == "misconfigured"


def test_the_public_authorities_are_named_too(upstream: MakeUpstream, desk: MakeDesk, tls: Tls) -> None:
    running = desk(upstream(tls=tls()).url)
    assert "trusts    the public authorities\n" in running.trace()


@pytest.mark.parametrize("politely", [True, False])
def test_a_json_answer_that_ends_with_the_connection_is_whole_by_its_own_end(
    upstream: MakeUpstream, desk: MakeDesk, tls: Tls, ca_file: str, politely: bool
) -> None:
    def answer(peer: Peer, _: object) -> None:
        peer.send(b'HTTP/1.1 200 OK\r\n\r\n{"success": true, "data": {"credits": 7, "api_credits": 7}}')
        if politely and isinstance(peer.socket, ssl.SSLSocket):
            peer.socket.unwrap()
        peer.close()

    server = upstream(answer, tls=tls())
    assert desk(mall={"base_url": server.url, "ca_file": ca_file}).metrics().balance() == 7


DEFINITION = """\
title: Own
documentation: [https://own.example]
confidence: observed
credentials: {api_key: {description: key}}
base_url: https://own.example
request: {path: /balance}
auth: {type: bearer}
"""
JSON = 'wallets: {items: "{v: @}", currency: {literal: EUR}, balance: v}'
TEXT = "answer: text\nwallets: {currency: {literal: EUR}, balance: text}"
XML = "answer: xml\nwallets: {currency: {literal: EUR}, balance: b}"


@pytest.mark.parametrize(
    ("head", "politely", "balance"),
    [
        pytest.param(b"", False, None, id="cut off"),
        pytest.param(b"", True, 12, id="ended"),
        pytest.param(b"Content-Length: N\r\n", False, 12, id="of a length"),
        pytest.param(b"Content-Length: N0\r\n", False, None, id="cut off before its length"),
    ],
)
@pytest.mark.parametrize(("kind", "body"), [(JSON, b"12"), (TEXT, b"12"), (XML, b"<b>12</b>")])
def test_a_number_that_may_be_cut_is_none(
    upstream: MakeUpstream,
    desk: MakeDesk,
    tls: Tls,
    ca_file: str,
    kind: str,
    body: bytes,
    head: bytes,
    politely: bool,
    balance: float | None,
) -> None:
    """1234.50 that is cut is a number too."""

    def answer(peer: Peer, _: object) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n" + head.replace(b"N", b"%d" % len(body)) + b"\r\n" + body)
        if politely and isinstance(peer.socket, ssl.SSLSocket):
            peer.socket.unwrap()
        peer.close()

    server = upstream(answer, tls=tls())
    running = desk(server.url)
    (running.folder / "own.yml").write_text(DEFINITION + kind)
    account = {"provider": "own", "base_url": server.url, "ca_file": ca_file}
    running.reload({"mall": account}, "own.yml")
    page = running.metrics()
    assert page.balance() == balance
    assert page.reason() == (None if balance else "unreachable")
