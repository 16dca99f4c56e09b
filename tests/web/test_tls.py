"""What `tls_server_config` means to a client: handshakes in memory, with the context that is in force."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from exporter.web.web_config import WebConfig

CERTIFICATE = "cert_file: cert.pem, key_file: key.pem"
VERIFIED = f"{CERTIFICATE}, client_auth_type: RequireAndVerifyClientCert"
SUITES = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ca: trustme.CA) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    issued = ca.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


def server(folder: Path, settings: str) -> ssl.SSLContext:
    file = folder / "web.yml"
    file.write_text(f"tls_server_config: {{{settings}}}\nhttp_server_config: {{http2: false}}\n")
    context = WebConfig(file).context
    assert context
    return context


@pytest.fixture
def client(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Shake hands, and return the client's end; raise `ssl.SSLError` where either of them refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)
    for _ in range(6):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0]


def test_a_version_is_the_least_and_the_most(folder: Path, client: ssl.SSLContext) -> None:
    assert shake(server(folder, CERTIFICATE), client).version() == "TLSv1.3"
    assert shake(server(folder, f"{CERTIFICATE}, max_version: TLS12"), client).version() == "TLSv1.2"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(server(folder, CERTIFICATE), client).version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        shake(server(folder, f"{CERTIFICATE}, min_version: TLS13"), client)


def test_no_older_version_is_spoken(folder: Path, client: ssl.SSLContext) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake(server(folder, CERTIFICATE), client)


@pytest.mark.parametrize(("prefer", "suite"), [("true", "AES256"), ("false", "AES128")])
def test_suites_are_gos_in_the_order_of_who_is_preferred(
    folder: Path, client: ssl.SSLContext, prefer: str, suite: str
) -> None:
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    settings = f"{CERTIFICATE}, cipher_suites: [{SUITES}], prefer_server_cipher_suites: {prefer}"
    chosen = shake(server(folder, settings), client).cipher()
    assert chosen
    assert suite in chosen[0]


def test_a_suite_that_is_not_listed_is_not_spoken(folder: Path, client: ssl.SSLContext) -> None:
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    assert shake(server(folder, CERTIFICATE), client).version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        shake(server(folder, f"{CERTIFICATE}, cipher_suites: [{SUITES}]"), client)


def test_suites_of_tls_1_3_alone_leave_no_older_version(folder: Path, client: ssl.SSLContext) -> None:
    only = server(folder, f"{CERTIFICATE}, cipher_suites: [TLS_AES_128_GCM_SHA256]")
    assert shake(only, client).version() == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        shake(only, client)


@pytest.mark.parametrize(
    ("curve", "other"), [("CurveP521", "prime256v1"), ("X25519", "secp384r1"), ("CurveP384", "secp521r1")]
)
def test_a_curve_is_the_only_one(folder: Path, client: ssl.SSLContext, curve: str, other: str) -> None:
    context = server(folder, f"{CERTIFICATE}, curve_preferences: [{curve}]")
    assert shake(context, client).version() == "TLSv1.3"
    client.set_ecdh_curve(other)
    with pytest.raises(ssl.SSLError):
        shake(context, client)


def test_a_client_shows_a_certificate_where_one_is_required(
    folder: Path, client: ssl.SSLContext, ca: trustme.CA
) -> None:
    required = server(folder, f"{VERIFIED}, client_ca_file: ca.pem")
    with pytest.raises(ssl.SSLError):
        shake(required, client)
    ca.issue_cert("prometheus@example.org").configure_cert(client)
    assert shake(required, client).version() == "TLSv1.3"


def test_a_certificate_that_is_shown_must_be_good_where_none_is_required(
    folder: Path, client: ssl.SSLContext
) -> None:
    optional = server(
        folder, f"{CERTIFICATE}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem"
    )
    assert shake(optional, client).version() == "TLSv1.3"
    trustme.CA().issue_cert("somebody").configure_cert(client)
    with pytest.raises(ssl.SSLError):
        shake(optional, client)


def test_without_an_authority_of_ones_own_the_systems_count(
    folder: Path, client: ssl.SSLContext, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.issue_cert("prometheus").configure_cert(client)
    with pytest.raises(ssl.SSLError):
        shake(server(folder, VERIFIED), client)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    assert shake(server(folder, VERIFIED), client).version() == "TLSv1.3"


def test_one_certificate_may_be_trusted_by_itself(folder: Path, client: ssl.SSLContext) -> None:
    me = trustme.CA().issue_cert("prometheus")
    me.cert_chain_pems[0].write_to_path(str(folder / "me.pem"))
    trusting = server(folder, f"{VERIFIED}, client_ca_file: me.pem")
    me.configure_cert(client)
    assert shake(trusting, client).version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("prometheus.example.org", "prometheus.example.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "'2001:DB8:0::1'"),
        ("monitoring@example.org", "monitoring@example.org"),
    ],
)
@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
def test_a_client_must_carry_an_allowed_name(
    folder: Path, client: ssl.SSLContext, ca: trustme.CA, name: str, allowed: str, version: str
) -> None:
    ca.issue_cert("another.example.org", name).configure_cert(client)
    settings = f"{VERIFIED}, client_ca_file: ca.pem, max_version: {version}, client_allowed_sans"
    assert shake(server(folder, f"{settings}: [one, {allowed}]"), client).version()
    with pytest.raises(ssl.SSLCertVerificationError, match="carries none of client_allowed_sans"):
        shake(server(folder, f"{settings}: [one, {allowed.replace('1', '7').replace('o', 'u')}]"), client)


def test_a_name_is_looked_at_where_reading_shakes_hands(
    folder: Path, client: ssl.SSLContext, ca: trustme.CA
) -> None:
    """A server may leave the handshake to its first read: nothing that was read may be used before."""
    context = server(folder, f"{VERIFIED}, client_ca_file: ca.pem, client_allowed_sans: [nobody]")
    ca.issue_cert("somebody").configure_cert(client)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    mine, theirs = (
        client.wrap_bio(down, up, server_hostname="localhost"),
        context.wrap_bio(up, down, server_side=True),
    )
    for _ in range(2):
        with suppress(ssl.SSLWantReadError):
            mine.do_handshake()
        with suppress(ssl.SSLWantReadError):
            theirs.read(1)
    mine.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLCertVerificationError, match="carries none of client_allowed_sans"):
        theirs.read(100)
