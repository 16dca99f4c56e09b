"""What a web configuration file may say: what Prometheus' exporter-toolkit takes, or a refusal with its reason."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from exporter.schema.problems import ConfigurationError
from exporter.web import tls
from exporter.web.web_config import WebConfig

CERTIFICATE = "tls_server_config: {cert_file: cert.pem, key_file: key.pem"
OWN = f"{CERTIFICATE}}}\n"
VERIFIED = f"{CERTIFICATE}, client_auth_type: RequireAndVerifyClientCert"
OLD_CLIENTS = "http_server_config: {http2: false}\n"
WEAK = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
HASHED = "$2y${}$" + "X" * 53

GOOD = {
    "nothing": "",
    "a comment": "# nothing yet\n",
    "empty sections": "tls_server_config:\nbasic_auth_users:\nrate_limit:\nhttp_server_config: {headers: }\n",
    "empty mappings": "tls_server_config: {}\nbasic_auth_users: {}\nrate_limit: {}\nhttp_server_config: {}\n",
    "a certificate": OWN,
    "client certificates that are verified if there": f"{CERTIFICATE}, client_auth_type: VerifyClientCertIfGiven}}",
    "client certificates without an authority": f"{VERIFIED}}}",
    "client certificates of an authority": f"{VERIFIED}, client_ca_file: ca.pem}}",
    "client certificates with a name": f"{VERIFIED}, client_ca_file: ca.pem, client_allowed_sans: [a, b.example]}}",
    "no client certificates": f"{CERTIFICATE}, client_auth_type: NoClientCert}}",
    "empty text is none": f"{CERTIFICATE}, cert: '', key: '', client_ca: '', client_ca_file: ''}}",
    "every suite": f"{CERTIFICATE}, cipher_suites: [{', '.join(tls.SUITES)}]}}",
    "no suite": f"{CERTIFICATE}, cipher_suites: [], curve_preferences: []}}",
    "a suite for old clients": f"{CERTIFICATE}, cipher_suites: [{WEAK}], max_version: TLS12}}\n{OLD_CLIENTS}",
    "suites of TLS 1.3 alone": f"{CERTIFICATE}, cipher_suites: [TLS_AES_128_GCM_SHA256], min_version: TLS13}}",
    "the client's order of suites": f"{CERTIFICATE}, prefer_server_cipher_suites: false}}",
    "TLS 1.2 alone": f"{CERTIFICATE}, min_version: TLS12, max_version: TLS12}}",
    "TLS 1.3 alone": f"{CERTIFICATE}, min_version: TLS13, max_version: TLS13}}",
    "a curve": f"{CERTIFICATE}, curve_preferences: [CurveP521]}}",
    "a curve by another kind of name": f"{CERTIFICATE}, curve_preferences: [X25519]}}",
    "headers": "http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: 1}}",
    "no header": "http_server_config: {headers: {Content-Security-Policy: ''}}",
    "other headers": "http_server_config: {headers: {X-Frame-Options: sameorigin, X-Content-Type-Options: nosniff}}",
    "HTTP/2": "http_server_config: {http2: true}",
    "hashes of every kind and cost": "basic_auth_users:\n"
    + "".join(f"  user{cost}: {HASHED.format(cost)}\n" for cost in ("04", "10", "14", "18"))
    + "".join(f"  user{kind}: {HASHED.format('10').replace('y', kind)}\n" for kind in "abx"),
    "no limit": "rate_limit: {interval: 0, burst: 0}",
    "a limit": "rate_limit: {interval: 1s, burst: 5}",
    "a limit that lets nobody in": "rate_limit: {interval: 1s}",
    "a limit as Go writes it": "rate_limit: {interval: 1h0.5m10s1ms, burst: 5}",
}
"""What the toolkit takes too."""

ASKS = "tls_server_config.client_auth_type: "
BAD = {
    "junk": ("hWkNKCp3fvIx3jKnsaBI\nTuEjdwNS8A2vYdFbiKqr\n", "1:1: must be a mapping of keys to values"),
    "a list": ("[]", "1:1: must be a mapping of keys to values"),
    "false": ("false", "1:1: must be a mapping of keys to values"),
    "a key that is none": (
        "basic_auth_user: {}",
        '1:1: basic_auth_user: unknown key; did you mean "basic_auth_users"?',
    ),
    "a key of a section that is none": (
        "tls_server_config:\n  cert_filse: cert.pem\n",
        '2:3: tls_server_config.cert_filse: unknown key; did you mean "cert_file"?',
    ),
    "a section that is a list": (
        "tls_server_config: []",
        "1:20: tls_server_config: must be a mapping of keys to values",
    ),
    "a section that is false": ("rate_limit: false", "1:13: rate_limit: must be a mapping of keys to values"),
    "no certificate": (
        "tls_server_config: {key_file: key.pem}",
        "1:20: tls_server_config.cert: is missing; give cert_file or cert",
    ),
    "an empty name of a certificate": (
        "tls_server_config: {cert_file: '', key_file: key.pem}",
        "1:20: tls_server_config.cert: is missing; give cert_file or cert",
    ),
    "an empty certificate": (
        "tls_server_config: {cert: '', key_file: key.pem}",
        "1:27: tls_server_config.cert: is missing; give cert_file or cert",
    ),
    "no key": (
        "tls_server_config: {cert_file: cert.pem}",
        "1:20: tls_server_config.key: is missing; give key_file or key",
    ),
    "an empty key": (
        "tls_server_config: {cert_file: cert.pem, key: ''}",
        "1:47: tls_server_config.key: is missing; give key_file or key",
    ),
    "only versions": (
        "tls_server_config: {min_version: TLS13}",
        "1:20: tls_server_config.cert: is missing; give cert_file or cert",
        "1:20: tls_server_config.key: is missing; give key_file or key",
    ),
    "files that are not there": (
        "tls_server_config: {cert_file: no.pem, key_file: no.key}",
        "1:32: tls_server_config.cert_file: cannot be read: No such file or directory",
        "1:50: tls_server_config.key_file: cannot be read: No such file or directory",
    ),
    "a folder": (
        "tls_server_config: {cert_file: ., key_file: key.pem}",
        "1:32: tls_server_config.cert_file: cannot be read: Is a directory",
    ),
    "a name that no file can have": (
        'tls_server_config: {cert_file: "a\\0b", key_file: key.pem}',
        "1:32: tls_server_config.cert_file: cannot be read: it is not the name of a file",
    ),
    "a pipe": (
        "tls_server_config: {cert_file: pipe, key_file: key.pem}",
        "1:32: tls_server_config.cert_file: cannot be read: it is a pipe or a device; it must be a regular file, since "
        "it is read more than once",
    ),
    "a certificate twice": (
        f"{CERTIFICATE}, cert: x}}",
        "1:67: tls_server_config.cert: give cert or cert_file, not both",
    ),
    "a certificate that is none": (
        "tls_server_config: {cert: x, key: y}",
        "1:27: tls_server_config.cert: holds no certificate in PEM form",
        "1:35: tls_server_config.key: holds no private key in PEM form",
    ),
    "a certificate that is broken": (
        "tls_server_config: {cert_file: broken.pem, key_file: key.pem}",
        "1:32: tls_server_config.cert_file: cannot be used with its key: it is not PEM",
    ),
    "another's key": (
        "tls_server_config: {cert_file: cert.pem, key_file: other.pem}",
        "1:52: tls_server_config.key_file: does not belong to the certificate",
    ),
    "a key with a passphrase": (
        "tls_server_config: {cert_file: cert.pem, key_file: encrypted.pem}",
        "1:52: tls_server_config.key_file: is encrypted; a key without a passphrase is needed",
    ),
    "an authority that nobody is asked for": (
        f"{CERTIFICATE}, client_ca_file: ca.pem}}",
        "1:77: tls_server_config.client_ca_file: needs client_auth_type, such as RequireAndVerifyClientCert",
    ),
    "an authority that is not there": (
        f"{VERIFIED}, client_ca_file: no.pem}}",
        "1:123: tls_server_config.client_ca_file: cannot be read: No such file or directory",
    ),
    "an authority that is none": (
        f"{VERIFIED}, client_ca: x}}",
        "1:118: tls_server_config.client_ca: holds no certificates in PEM form",
    ),
    "a way of asking that is none": (
        f"{CERTIFICATE}, client_auth_type: x}}",
        f"1:79: {ASKS}must be one of 'NoClientCert', 'VerifyClientCertIfGiven' or 'RequireAndVerifyClientCert'",
    ),
    "names of those who need not show one": (
        f"{CERTIFICATE}, client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [a]}}",
        "1:125: tls_server_config.client_allowed_sans: needs client_auth_type RequireAndVerifyClientCert",
    ),
    "no names": (
        f"{VERIFIED}, client_allowed_sans: []}}",
        "1:128: tls_server_config.client_allowed_sans: must not be empty",
    ),
    "a version that is none": (
        f"{CERTIFICATE}, min_version: TLS111}}",
        "1:74: tls_server_config.min_version: must be one of 'TLS12' or 'TLS13'; did you mean \"TLS13\"?",
    ),
    "no version left": (
        f"{CERTIFICATE}, min_version: TLS13, max_version: TLS12}}",
        "1:94: tls_server_config.max_version: leaves no version of TLS: it is below min_version, or no suite fits it",
    ),
    "no suite left": (
        f"{CERTIFICATE}, cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}}\n{OLD_CLIENTS}",
        "1:115: tls_server_config.max_version: leaves no version of TLS: it is below min_version, or no suite fits it",
    ),
    "a suite that is none": (
        f"{CERTIFICATE}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA2048]}}",
        "1:77: tls_server_config.cipher_suites[0]: is not a cipher suite by its name in Go; did you mean "
        '"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?',
    ),
    "a suite by its name in OpenSSL": (
        f"{CERTIFICATE}, cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]}}",
        "1:77: tls_server_config.cipher_suites[0]: is not a cipher suite by its name in Go; did you mean "
        '"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?',
    ),
    "a suite that rules HTTP/2 out": (
        f"{CERTIFICATE}, cipher_suites: [{WEAK}], max_version: TLS12}}",
        "1:76: tls_server_config.cipher_suites: has none that HTTP/2 needs: add "
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, or "
        "set http_server_config.http2: false",
    ),
    "a curve that is none": (
        f"{CERTIFICATE}, curve_preferences: [CurveP257]}}",
        "1:81: tls_server_config.curve_preferences[0]: must be one of 'CurveP256', 'CurveP384', 'CurveP521' or "
        "'X25519'; "
        'did you mean "CurveP256"?',
    ),
    "a header that is not for operators": (
        "http_server_config: {headers: {Content-Type: foo}}",
        '1:32: http_server_config.headers.Content-Type: unknown key; did you mean "X-Content-Type-Options"?',
    ),
    "a header in other letters": (
        "http_server_config: {headers: {x-frame-options: deny}}",
        '1:32: http_server_config.headers.x-frame-options: unknown key; did you mean "X-Frame-Options"?',
    ),
    "a header's value that is none": (
        "http_server_config: {headers: {X-Frame-Options: foo, X-Content-Type-Options: sniff}}",
        "1:49: http_server_config.headers.X-Frame-Options: must be one of 'deny' or 'sameorigin'",
        "1:78: http_server_config.headers.X-Content-Type-Options: must be one of 'nosniff'; did you mean \"nosniff\"?",
    ),
    "a header that would be two": (
        'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nSet-Cookie: b"}}',
        "1:57: http_server_config.headers.Content-Security-Policy: holds a character that a header cannot carry",
    ),
    "HTTP/2 as YAML 1.1 has it": (
        "http_server_config: {http2: no}",
        "1:29: http_server_config.http2: must be true or false",
    ),
    "a password in clear": (
        "basic_auth_users: {alice: plain}",
        "1:27: basic_auth_users.alice: is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME",
    ),
    "a hash of no cost": (
        f"basic_auth_users: {{alice: {HASHED.format('03')}}}",
        "1:27: basic_auth_users.alice: is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME",
    ),
    "a hash that is cut": (
        f"basic_auth_users: {{alice: {HASHED.format('10')[:-1]}}}",
        "1:27: basic_auth_users.alice: is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME",
    ),
    "a hash that takes too long": (
        f"basic_auth_users:\n  alice: {HASHED.format('10')}\n  bob: {HASHED.format('19')}",
        "3:8: basic_auth_users.bob: is a hash of cost 19, which takes too long; the highest is 18",
    ),
    "a user without a name": (
        f"basic_auth_users: {{'': {HASHED.format('10')}}}",
        '1:20: basic_auth_users."": must be printable text without a colon',
    ),
    "a user with a colon": (
        f"basic_auth_users: {{'a:b': {HASHED.format('10')}}}",
        "1:20: basic_auth_users.a…: must be printable text without a colon",
    ),
    "days in a limit": (
        "rate_limit: {interval: 1d, burst: 1}",
        "1:24: rate_limit.interval: is not a duration as this file has them: write 500ms, 10s or 1h30m, or 0 for "
        "no limit",
    ),
    "nanoseconds in a limit": (
        "rate_limit: {interval: 5, burst: 1}",
        "1:24: rate_limit.interval: is not a duration as this file has them: write 500ms, 10s or 1h30m, or 0 for "
        "no limit",
    ),
    "a limit below nothing": ("rate_limit: {burst: -1}", "1:21: rate_limit.burst: must be at least 0"),
    "half a request": ("rate_limit: {burst: 0.5}", "1:21: rate_limit.burst: must be a whole number"),
    "a section twice": ("rate_limit: {}\nrate_limit: {}", "2:1: rate_limit: is given twice; first on line 1"),
}
for key, reasons in tls.REFUSED.items():
    for value, reason in reasons.items():
        if value.isidentifier():
            listed = (
                f"{CERTIFICATE}, {key}: [{value}]}}"
                if key == "cipher_suites"
                else f"{CERTIFICATE}, {key}: {value}}}"
            )
            column = listed.index(value) + 1
            where = f"tls_server_config.{key}{'[0]' if key == 'cipher_suites' else ''}"
            BAD[f"{value} as {key}"] = (listed, f"1:{column}: {where}: {value} cannot be had: {reason}")
BAD["two curves"] = (
    f"{CERTIFICATE}, curve_preferences: [X25519, CurveP256]}}",
    "1:80: tls_server_config.curve_preferences: more than one cannot be had: Python's ssl takes one",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with certificates and with what may be taken for them."""
    folder = tmp_path_factory.mktemp("web")
    authority = trustme.CA()
    issued, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    other.private_key_pem.write_to_path(str(folder / "other.pem"))
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"a passphrase")
    encrypted = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    (folder / "encrypted.pem").write_bytes(encrypted)
    os.mkfifo(folder / "pipe")
    return folder


def written(folder: Path, text: str) -> Path:
    file = folder / "web.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_the_toolkit_takes_is_taken(folder: Path, text: str) -> None:
    web_config = WebConfig(written(folder, text))
    assert (web_config.context is not None) == ("cert_file" in text)


@pytest.mark.parametrize(("text", "messages"), [(text, rest) for text, *rest in BAD.values()], ids=BAD)
def test_what_cannot_be_had_is_refused_with_place_and_reason(
    folder: Path, text: str, messages: list[str]
) -> None:
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as refused:
        WebConfig(file)
    assert str(refused.value).splitlines() == [f"{file}:{message}" for message in messages]


def test_certificates_may_stand_in_the_file_itself(folder: Path) -> None:
    def block(name: str) -> str:
        return "|\n" + indent((folder / name).read_text(), "    ")

    text = (
        f"tls_server_config:\n  cert: {block('cert.pem')}  key: {block('key.pem')}  client_ca: {block('ca.pem')}"
        "  client_auth_type: RequireAndVerifyClientCert\n"
    )
    context = WebConfig(written(folder, text)).context
    assert context
    assert len(context.get_ca_certs()) == 1


def test_nothing_is_taken_that_prometheus_own_check_refuses(
    folder: Path, each_age: Callable[[str], str]
) -> None:
    """Ask the toolkit itself, as promtool has it; an older one does not know every key."""
    for name, text in GOOD.items():
        command = [each_age("promtool"), "check", "web-config", str(written(folder, text))]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "SUCCESS" in checked.stdout + checked.stderr or "not found in type" in checked.stderr, (
            name,
            checked,
        )


def test_secrets_of_the_file_are_in_no_message(folder: Path) -> None:
    file = written(folder, "tls_server_config: {cert: x, key: hunter2}\nbasic_auth_users: {alice: hunter2}\n")
    with pytest.raises(ConfigurationError) as refused:
        WebConfig(file)
    assert "hunter2" not in f"{refused.value} {refused.value!r}"
