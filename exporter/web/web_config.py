"""Who may talk to the exporter: users and TLS, from the web configuration file that Prometheus' exporters share.

The format is that of the exporter-toolkit; of its keys those are known that this server can keep. The file, and the
certificates that it names, are read again when they change, so that renewing one needs no restart. What would let more
people in than before does need one: users or TLS that are gone from the file are more likely an accident.
"""

import hashlib
import hmac
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

import bcrypt
import structlog
from pydantic import AfterValidator
from werkzeug.wrappers import Request, Response

from exporter.files import file_signature
from exporter.schema.fields import Strict
from exporter.schema.problems import ConfigurationError, Problem
from exporter.schema.validation import validate
from exporter.schema.yaml_document import YamlDocument, read

OPEN_PATHS = ("/-/healthy", "/-/ready")
"""Answered without a user: a kubelet has none, and they tell nothing."""

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10))
_MAX_KNOWN = 256

_log = structlog.get_logger()


def _hash(value: str) -> str:
    try:
        bcrypt.checkpw(b"", value.encode())
    except ValueError:
        raise ValueError("is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME") from None
    return value


def _user(value: str) -> str:
    if not value or ":" in value or not value.isprintable():
        raise ValueError("must be printable text without a colon")
    return value


class TLSSettings(Strict):
    """`tls_server_config`: paths are relative to the web configuration file."""

    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    client_auth_type: Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = (
        "NoClientCert"
    )
    min_version: Literal["TLS12", "TLS13"] = "TLS12"


class WebConfigSettings(Strict):
    """The web configuration file; users with the bcrypt hashes of their passwords."""

    tls_server_config: TLSSettings | None = None
    basic_auth_users: dict[Annotated[str, AfterValidator(_user)], Annotated[str, AfterValidator(_hash)]] = {}


class WebConfig:
    """The web configuration in force. Raises `ConfigurationError` when the first load fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._known: set[bytes] = set()
        self._context: ssl.SSLContext | None = None
        self._users: Mapping[str, str] = {}
        self._seen: Mapping[Path, tuple[int, int, int] | None] = {}
        self._load(first=True)

    @property
    def context(self) -> ssl.SSLContext | None:
        """Give the TLS context in force, None where the file asks for no TLS."""
        self._refresh()
        return self._context

    def _load(self, *, first: bool = False) -> None:
        # Looked at before they are read: what changes in between is noticed the next time.
        seen = {self._path: file_signature(self._path)}
        source = read(self._path)
        if source.data is None:
            raise ConfigurationError(
                [source.problem((), "is empty; it needs users or TLS, or to be left out")]
            )
        settings, problems = validate(WebConfigSettings, source.data, source)
        if settings is None:
            raise ConfigurationError(problems)
        tls, users = settings.tls_server_config, settings.basic_auth_users
        names = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
        files = [self._path.parent / name for name in names if name]
        seen |= {file: file_signature(file) for file in files}
        context = _context(tls, source, self._path.parent) if tls else None
        if not first:
            self._refuse_turns(source, users, context)
        self._users, self._context, self._seen = users, context, seen

    def _refuse_turns(
        self, source: YamlDocument, users: Mapping[str, str], context: ssl.SSLContext | None
    ) -> None:
        """Refuse what only a restart may do: let everyone in, or begin or end to speak TLS."""
        problems = []
        if self._users and not users:
            problems.append(source.problem((), "names no users any more; a restart would let everyone in"))
        if (context is None) != (self._context is None):
            which = "off" if context is None else "on"
            problems.append(source.problem((), f"turns TLS {which}, which takes a restart"))
        if problems:
            raise ConfigurationError(problems)

    def _refresh(self) -> None:
        with self._lock:
            state = {file: file_signature(file) for file in self._seen}
            if state == self._seen:
                return
            try:
                self._load()
            except ConfigurationError as error:
                self._seen = state
                for problem in error.problems:
                    _log.error("web configuration not reloaded, the old one stays", problem=str(problem))
            else:
                _log.info("web configuration reloaded", file=str(self._path), users=len(self._users))

    def allows(self, request: Request) -> bool:
        """Tell whether a request may be answered: no users are configured, or it names one with the password."""
        self._refresh()
        if not self._users or request.path in OPEN_PATHS:
            return True
        given = request.authorization
        if given is None or given.type != "basic":
            return False
        name, password = given.username or "", given.password or ""
        stored = self._users.get(name)
        # Comparing with some hash even for an unknown user keeps names from showing in the time it takes.
        return self._matches(password, stored.encode() if stored else _NOBODY) and stored is not None

    def _matches(self, password: str, stored: bytes) -> bool:
        """Compare with a bcrypt hash, which is slow on purpose; a pair that matched is known by its digest."""
        digest = hmac.digest(stored, password.encode(), hashlib.sha256)
        if digest in self._known:
            return True
        try:
            matches = bcrypt.checkpw(password.encode(), stored)
        except ValueError:  # a password that is longer than bcrypt takes
            return False
        if matches and len(self._known) < _MAX_KNOWN:
            self._known.add(digest)
        return matches

    def basic_auth(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Put the users before a WSGI application."""

        def authenticated(environ: Any, start_response: Any) -> Iterable[bytes]:
            if self.allows(Request(environ)):
                return application(environ, start_response)
            refusal = Response(
                "a user and password are needed\n", 401, content_type="text/plain; charset=utf-8"
            )
            refusal.headers["WWW-Authenticate"] = 'Basic realm="prepaid-exporter", charset="UTF-8"'
            return refusal(environ, start_response)

        return authenticated


def _context(tls: TLSSettings, source: YamlDocument, folder: Path) -> ssl.SSLContext:
    problems: list[Problem] = []

    def complain(key: str, message: str) -> None:
        problems.append(source.problem(("tls_server_config", key), message))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    try:
        context.load_cert_chain(folder / tls.cert_file, folder / tls.key_file)
    except (OSError, ssl.SSLError) as error:
        # The library does not say which of the two files it could not read.
        key = (
            "key_file"
            if file_signature(folder / tls.cert_file) and not file_signature(folder / tls.key_file)
            else "cert_file"
        )
        reason = _reason(error, "not PEM, or the key does not belong to the certificate")
        complain(key, f"the certificate and key cannot be used: {reason}")
    if tls.client_ca_file:
        try:
            context.load_verify_locations(folder / tls.client_ca_file)
        except (OSError, ssl.SSLError) as error:
            complain("client_ca_file", _reason(error, "is not a file of PEM certificates"))
    asks = tls.client_auth_type != "NoClientCert"
    if asks and not tls.client_ca_file:
        complain("client_auth_type", "needs client_ca_file")
    if tls.client_ca_file and not asks:
        complain("client_ca_file", "needs client_auth_type, such as RequireAndVerifyClientCert")
    if problems:
        raise ConfigurationError(problems)
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    return context


def _reason(error: OSError, not_usable: str) -> str:
    return not_usable if isinstance(error, ssl.SSLError) else error.strerror or "cannot be read"
