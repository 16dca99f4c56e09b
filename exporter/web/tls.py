"""TLS of the web side: what `tls_server_config` says, as a context of Python's ssl."""

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.files import read_file
from exporter.schema.fields import Strict
from exporter.schema.problems import ConfigurationError, Problem
from exporter.schema.validation import did_you_mean
from exporter.schema.yaml_document import YamlDocument

_SECTION = "tls_server_config"
_MAX_PEM = 1024 * 1024

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_REQUIRED = "RequireAndVerifyClientCert"
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    _REQUIRED: ssl.CERT_REQUIRED,
}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
HTTP2_SUITES = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
"""Suites, of which HTTP/2 over TLS 1.2 needs one."""

SUITES: Mapping[str, str | None] = {
    HTTP2_SUITES[0]: "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    HTTP2_SUITES[1]: "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    # Those of TLS 1.3 may be listed. Neither Go nor Python lets anyone choose among them.
    "TLS_AES_128_GCM_SHA256": None,
    "TLS_AES_256_GCM_SHA384": None,
    "TLS_CHACHA20_POLY1305_SHA256": None,
}
"""Suites by their names in Go, with those in OpenSSL."""

_OLD_VERSION = "TLS 1.0 and 1.1 are broken, and many builds of OpenSSL leave them out"
_UNVERIFIED = "Python's ssl takes no client certificate that it cannot verify"
_NO_SECRECY = "it has no forward secrecy, and newer versions of the toolkit refuse it too"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "client_auth_type": dict.fromkeys(
        ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"), _UNVERIFIED
    ),
    "min_version": dict.fromkeys(("TLS10", "TLS11"), _OLD_VERSION),
    "max_version": dict.fromkeys(("TLS10", "TLS11"), _OLD_VERSION),
    "cipher_suites": dict.fromkeys(
        (
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_AES_256_CBC_SHA",
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_256_GCM_SHA384",
        ),
        _NO_SECRECY,
    ),
    "curve_preferences": {"more than one": "Python's ssl takes one"},
}
"""What the toolkit takes, or once took, and this server cannot have: by key and value, with the reason."""


def _refuse(key: str) -> BeforeValidator:
    """Refuse by name what cannot be had; what is no value at all is left to the type."""

    def check(value: Any) -> Any:
        reason = REFUSED[key].get(value) if isinstance(value, str) else None
        if reason:
            raise ValueError(f"{value} cannot be had: {reason}")
        return value

    return BeforeValidator(check)


def _suite(value: str) -> str:
    if value not in SUITES:
        raise ValueError(f"is not a cipher suite by its name in Go{did_you_mean(value, SUITES)}")
    return value


def _at_most_one(values: list[str]) -> list[str]:
    if len(values) > 1:
        [(what, reason)] = REFUSED["curve_preferences"].items()
        raise ValueError(f"{what} cannot be had: {reason}")
    return values


_Version = Literal["TLS12", "TLS13"]
_Text = Annotated[str | None, AfterValidator(lambda value: value or None)]
_Suite = Annotated[str, _refuse("cipher_suites"), AfterValidator(_suite)]
_Curve = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]


class TLSSettings(Strict):
    """`tls_server_config`; paths are relative to the web configuration file."""

    cert: _Text = Field(
        default=None, description="the certificate as PEM, followed by those that lead to its authority"
    )
    cert_file: _Text = Field(default=None, description="a file with the same")
    key: _Text = Field(
        default=None, repr=False, description="the certificate's key as PEM, without a passphrase"
    )
    key_file: _Text = Field(default=None, description="a file with the same")
    client_ca: _Text = Field(
        default=None, description="authorities of client certificates as PEM; else the system's count"
    )
    client_ca_file: _Text = Field(default=None, description="a file with the same")
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        _refuse("client_auth_type"),
    ] = Field(
        default="NoClientCert",
        description="`NoClientCert` (default), `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`",
    )
    client_allowed_sans: list[str] | None = Field(
        default=None,
        min_length=1,
        description="names, addresses, e-mail addresses and URIs of which a client certificate must carry one; needs "
        f"`{_REQUIRED}`",
    )
    min_version: Annotated[_Version, _refuse("min_version")] = Field(
        default="TLS12", description="`TLS12` (default) or `TLS13`"
    )
    max_version: Annotated[_Version, _refuse("max_version")] = Field(
        default="TLS13", description="`TLS12` or `TLS13` (default)"
    )
    cipher_suites: list[_Suite] = Field(
        default=[],
        description="suites of TLS 1.2 by their names in Go; those of TLS 1.3 may be named, without effect",
    )
    prefer_server_cipher_suites: bool = Field(
        default=True,
        strict=True,
        description="whose order of suites counts: with `true` (default) the server's, else the client's",
    )
    curve_preferences: Annotated[list[_Curve], AfterValidator(_at_most_one)] = Field(
        default=[], description="one of `CurveP256`, `CurveP384`, `CurveP521` and `X25519`"
    )

    def files(self, folder: Path) -> list[Path]:
        """List the files that are named."""
        return [folder / name for name in (self.cert_file, self.key_file, self.client_ca_file) if name]

    def speaks_http2(self) -> bool:
        """Return whether HTTP/2 could be spoken with these suites (RFC 9113, 9.2.2)."""
        return (
            not self.cipher_suites
            or self.min_version == "TLS13"
            or not set(HTTP2_SUITES).isdisjoint(self.cipher_suites)
        )


class _Checked:
    """Mixed into ssl's connections: a handshake counts where the client's certificate carries an allowed name."""

    _checked = False

    def do_handshake(self, *arguments: Any) -> None:
        """Shake hands, then look at the certificate."""
        super().do_handshake(*arguments)  # type: ignore[misc] # the other base has it
        self._check()

    def read(self, *arguments: Any) -> Any:
        """Read, and where that shook hands, look at the certificate before anything is made of what was read."""
        data = super().read(*arguments)  # type: ignore[misc]
        if not self._checked:
            self._check()
        return data

    def _check(self) -> None:
        allowed = self.context.allowed_sans  # type: ignore[attr-defined]
        if allowed is not None and allowed.isdisjoint(_sans(self.getpeercert() or {})):  # type: ignore[attr-defined]
            raise ssl.SSLCertVerificationError("the client's certificate carries none of client_allowed_sans")
        self._checked = True


class _CheckedSocket(_Checked, ssl.SSLSocket):
    pass


class _CheckedObject(_Checked, ssl.SSLObject):
    pass


class _Context(ssl.SSLContext):
    """A context that knows whom it lets in."""

    sslsocket_class = _CheckedSocket
    sslobject_class = _CheckedObject
    allowed_sans: frozenset[str] | None = None


def _sans(certificate: Mapping[str, Any]) -> Iterator[str]:
    for _, value in certificate.get("subjectAltName", ()):
        yield _address(value)


def _address(value: str) -> str:
    """Write an address in its usual form, and everything else as it is."""
    try:
        return str(ip_address(value))
    except ValueError:
        return value


class _Loader:
    """Makes the context of settings, and gathers what is wrong with them."""

    def __init__(self, settings: TLSSettings, source: YamlDocument) -> None:
        self.settings = settings
        self.source = source
        self.folder = Path(source.file).parent
        self.problems: list[Problem] = []
        self.context = _Context(ssl.PROTOCOL_TLS_SERVER)

    def complain(self, key: str, message: str) -> None:
        self.problems.append(self.source.problem((_SECTION, key), message))

    def load(self) -> None:
        """Put the settings into the context."""
        self.own_certificate()
        self.client_certificates()
        self.versions()
        self.curve()

    def pem(self, key: str) -> tuple[str, bytes | None]:
        """Return the content of `key` or of the file that `key_file` names, with which of both it was."""
        text, name = getattr(self.settings, key), getattr(self.settings, f"{key}_file")
        if text and name:
            self.complain(key, f"give {key} or {key}_file, not both")
            return key, b""
        if not name:
            return key, text.encode(errors="replace") if text else None
        try:
            return f"{key}_file", read_file(self.folder / name, _MAX_PEM)
        except OSError as error:
            self.complain(f"{key}_file", f"cannot be read: {error.strerror or 'unknown error'}")
            return f"{key}_file", b""

    def own_certificate(self) -> None:
        (cert, certificate), (key, private) = self.pem("cert"), self.pem("key")
        for name, content, what in ((cert, certificate, "CERTIFICATE"), (key, private, "PRIVATE KEY")):
            if content is None:
                self.complain(name, f"is missing; give {name}_file or {name}")
            elif content and f"{what}-----".encode() not in content:
                self.complain(name, f"holds no {what.lower()} in PEM form")
        if self.problems or not certificate or not private:
            return
        try:
            with _in_memory(certificate) as cert_path, _in_memory(private) as key_path:
                self.context.load_cert_chain(cert_path, key_path, password=_no_passphrase)
        except _EncryptedError:
            self.complain(key, "is encrypted; a key without a passphrase is needed")
        except ssl.SSLError as error:
            if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
                self.complain(key, "does not belong to the certificate")
            else:
                self.complain(cert, f"cannot be used with its key: {_words(error)}")

    def client_certificates(self) -> None:
        settings, context = self.settings, self.context
        name, authorities = self.pem("client_ca")
        asks = settings.client_auth_type != "NoClientCert"
        if authorities is not None and not asks:
            self.complain(name, f"needs client_auth_type, such as {_REQUIRED}")
        if settings.client_allowed_sans and settings.client_auth_type != _REQUIRED:
            self.complain("client_allowed_sans", f"needs client_auth_type {_REQUIRED}")
        if authorities:
            try:
                with _in_memory(authorities) as path:
                    context.load_verify_locations(path)
            except ssl.SSLError:
                self.complain(name, "holds no certificates in PEM form")
        elif asks and authorities is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        # As in Go, whatever the operator trusts may end a chain: a root, what it signed, a single client.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = _CLIENTS[settings.client_auth_type]
        if settings.client_allowed_sans:
            context.allowed_sans = frozenset(map(_address, settings.client_allowed_sans))

    def versions(self) -> None:
        settings, context = self.settings, self.context
        least, most = _VERSIONS[settings.min_version], _VERSIONS[settings.max_version]
        suites = [suite for name in settings.cipher_suites if (suite := SUITES[name])]
        if settings.cipher_suites and not suites:
            least = ssl.TLSVersion.TLSv1_3
        if least > most:
            self.complain(
                "max_version", "leaves no version of TLS: it is below min_version, or no suite fits it"
            )
            return
        context.minimum_version, context.maximum_version = least, most
        if suites:
            try:
                context.set_ciphers(":".join(suites))
            except ssl.SSLError:
                self.complain("cipher_suites", "has none that this build of OpenSSL knows")
        if settings.prefer_server_cipher_suites:
            context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        else:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE

    def curve(self) -> None:
        for name in self.settings.curve_preferences:
            try:
                self.context.set_ecdh_curve(_CURVES[name])
            except (ValueError, ssl.SSLError):
                self.complain("curve_preferences", "is not known to this build of OpenSSL")


def context(settings: TLSSettings, source: YamlDocument) -> ssl.SSLContext:
    """Return a context for connections of clients; raise `ConfigurationError` with everything that is wrong."""
    loader = _Loader(settings, source)
    loader.load()
    if loader.problems:
        raise ConfigurationError(loader.problems)
    return loader.context


class _EncryptedError(Exception):
    pass


def _no_passphrase() -> str:
    # Without this the library asks at the terminal, and waits for it.
    raise _EncryptedError


def _words(error: ssl.SSLError) -> str:
    if error.reason in (None, "PEM_LIB", "ASN1_LIB"):
        return "it is not PEM"
    return error.reason.replace("_", " ").lower()


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Yield a path that holds the content: the library reads certificates and keys only from files."""
    with os.fdopen(os.memfd_create("pem"), "w+b") if sys.platform == "linux" else TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"
