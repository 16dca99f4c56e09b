"""The web configuration in force: who may talk to the exporter, and over what.

The file's format is that of Prometheus' exporter-toolkit. It, and the files that it names, are read again when they
change, so that renewing a certificate needs no restart. What would let everyone in does need one: users or TLS that are
gone from the file are more likely an accident.
"""

import base64
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from werkzeug.wrappers import Response

from exporter import log
from exporter.files import file_signature
from exporter.schema.fields import Strict
from exporter.schema.problems import ConfigurationError
from exporter.schema.validation import validate
from exporter.schema.yaml_document import YamlDocument, read
from exporter.web import tls
from exporter.web.passwords import PasswordHash, Passwords, TooManyWaitingError, UserName
from exporter.web.rate_limit import RateLimit, RateLimitSettings

OPEN_PATHS = ("/-/healthy", "/-/ready")
"""Answered without a user and whatever the rate: a kubelet has none, and they tell nothing."""

_log = log.logger()


def _empty_if_none(value: Any) -> Any:
    return {} if value is None else value


_EmptyIfNone = BeforeValidator(_empty_if_none)


def _header_text(value: Any) -> Any:
    # A plain 1, as X-XSS-Protection has it, is text here.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        raise ValueError("holds a character that a header cannot carry")
    return value


_Header = Annotated[str | None, BeforeValidator(_header_text)]


class HeaderSettings(Strict):
    """`headers`: those of every answer, in place of the exporter's own."""

    content_security_policy: _Header = Field(
        default=None,
        alias="Content-Security-Policy",
        description="any text; an empty one removes the exporter's own",
    )
    frame_options: Literal["deny", "sameorigin"] | None = Field(
        default=None, alias="X-Frame-Options", description="`deny` or `sameorigin`"
    )
    content_type_options: Literal["nosniff"] | None = Field(
        default=None, alias="X-Content-Type-Options", description="`nosniff`"
    )
    xss_protection: _Header = Field(default=None, alias="X-XSS-Protection", description="any text")
    strict_transport_security: _Header = Field(
        default=None,
        alias="Strict-Transport-Security",
        description="any text; browsers obey it long after it is removed",
    )


class HTTPSettings(Strict):
    """`http_server_config`."""

    http2: bool = Field(
        default=True,
        strict=True,
        description="accepted, without effect: the exporter speaks HTTP/1.1. As in the toolkit, cipher suites that "
        "exclude HTTP/2 need `false` here",
    )
    headers: Annotated[HeaderSettings, _EmptyIfNone] = HeaderSettings()


def _none_if_empty(value: Any) -> Any:
    return None if value == {} else value


class WebConfigSettings(Strict):
    """The web configuration file. A section that is empty is as good as none."""

    tls_server_config: Annotated[tls.TLSSettings | None, BeforeValidator(_none_if_empty)] = None
    http_server_config: Annotated[HTTPSettings, _EmptyIfNone] = HTTPSettings()
    basic_auth_users: Annotated[dict[UserName, PasswordHash], _EmptyIfNone] = Field(
        default={},
        repr=False,
        description="users, each with the bcrypt hash of the password; without users everybody has access",
    )
    rate_limit: Annotated[RateLimitSettings, _EmptyIfNone] = RateLimitSettings()


class WebConfig:
    """The web configuration in force. Raises `ConfigurationError` when the first load fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._seen: Mapping[Path, object] = {}
        self._settings = WebConfigSettings()
        self._context: ssl.SSLContext | None = None
        self._headers: Mapping[str, str] = {}
        self._rate_limit = RateLimit(self._settings.rate_limit)
        self._passwords = Passwords()
        self._load(first=True)
        self._log("web configuration loaded")

    @property
    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context for a connection that begins now, None where the file asks for no TLS.

        The connection must be wrapped by it (`wrap_socket` or `wrap_bio`): what it checks of a client's certificate
        is not only in OpenSSL's part of it.
        """
        self._refresh()
        return self._context

    def basic_auth(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Put the users, the rate limit and the headers of the file before a WSGI application."""

        def authenticated(environ: Any, start_response: Any) -> Iterable[bytes]:
            self._refresh()
            start = _with_headers(self._headers, start_response)
            refusal = None if environ.get("PATH_INFO") in OPEN_PATHS else self._refusal(environ)
            return (refusal or application)(environ, start)

        return authenticated

    def _refusal(self, environ: Mapping[str, Any]) -> Response | None:
        if not self._rate_limit.allows():
            wait = {"Retry-After": str(self._rate_limit.retry_after)}
            return _refuse(429, "too many requests: rate_limit in the web configuration file\n", wait)
        if not self._settings.basic_auth_users:
            return None
        challenge = {"WWW-Authenticate": 'Basic realm="prepaid-exporter", charset="UTF-8"'}
        given = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
        try:
            if given and self._passwords.match(*given):
                return None
        except TooManyWaitingError:
            text = "too many passwords are waiting to be checked; try again\n"
            return _refuse(401, text, {**challenge, "Retry-After": "1"})
        return _refuse(401, "a user and password are needed\n", challenge)

    def _refresh(self) -> None:
        with self._lock:
            if {file: file_signature(file) for file in self._seen} == self._seen:
                return
            try:
                self._load()
            except ConfigurationError as error:
                for problem in error.problems:
                    _log.error("web configuration not reloaded, the old one stays", problem=str(problem))
            except Exception as error:  # noqa: BLE001 - a bug must neither end what runs nor let anyone in
                log.bug("bug while reloading the web configuration, the old one stays", error)
            else:
                self._log("web configuration reloaded")

    def _load(self, *, first: bool = False) -> None:
        # Signatures are taken before the files are read, so that a change in between is noticed the next time.
        self._seen = {self._path: file_signature(self._path)}
        source = read(self._path)
        settings, problems = validate(WebConfigSettings, _empty_if_none(source.data), source)
        if settings is None:
            raise ConfigurationError(problems)
        wanted = settings.tls_server_config
        files = wanted.files(self._path.parent) if wanted else ()
        self._seen = {**self._seen, **{file: file_signature(file) for file in files}}
        _check_http2(settings, source)
        context = tls.context(wanted, source) if wanted else None
        if not first:
            self._refuse_turns(source, settings)
        if settings.rate_limit != self._settings.rate_limit:
            self._rate_limit = RateLimit(settings.rate_limit)
        self._passwords.configure(settings.basic_auth_users)
        self._headers = settings.http_server_config.headers.model_dump(by_alias=True, exclude_none=True)
        self._context, self._settings = context, settings

    def _refuse_turns(self, source: YamlDocument, settings: WebConfigSettings) -> None:
        """Refuse what only a restart may do: let everyone in, or begin or end to speak TLS."""
        before, nothing, problems = self._settings, WebConfigSettings(), []
        if nothing == settings != before:
            problems.append("is empty, which takes a restart")
        if before.basic_auth_users and not settings.basic_auth_users:
            problems.append("names no users any more; a restart would let everyone in")
        if bool(before.tls_server_config) != bool(settings.tls_server_config):
            which = "off" if before.tls_server_config else "on"
            problems.append(f"turns TLS {which}, which takes a restart")
        if problems:
            raise ConfigurationError([source.problem((), problem) for problem in problems])

    def _log(self, event: str) -> None:
        users, limit = len(self._settings.basic_auth_users), self._settings.rate_limit
        _log.info(event, file=str(self._path), tls=self._context is not None, users=users)
        if limit.interval and not limit.burst:
            _log.warning("rate_limit has no burst: every request is refused", file=str(self._path))


def _check_http2(settings: WebConfigSettings, source: YamlDocument) -> None:
    wanted = settings.tls_server_config
    if wanted and settings.http_server_config.http2 and not wanted.speaks_http2():
        needed = " or ".join(tls.HTTP2_SUITES)
        message = f"has none that HTTP/2 needs: add {needed}, or set http_server_config.http2: false"
        raise ConfigurationError([source.problem(("tls_server_config", "cipher_suites"), message)])


def _credentials(header: str) -> tuple[bytes, bytes] | None:
    """Read `Authorization: Basic ...` as the bytes that it carries, None where it is nothing of the kind."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(" "), validate=True).partition(b":")
    except ValueError:
        return None
    return (name, password) if colon else None


def _refuse(status: int, text: str, headers: Mapping[str, str]) -> Response:
    return Response(
        text, status, {"Cache-Control": "no-store", **headers}, content_type="text/plain; charset=utf-8"
    )


def _with_headers(headers: Mapping[str, str], start_response: Any) -> Any:
    """Put headers in place of those of the same name; an empty one in place of nothing."""
    if not headers:
        return start_response
    replaced = {name.lower() for name in headers}
    added = [(name, value) for name, value in headers.items() if value]

    def start(status: str, given: Iterable[tuple[str, str]], *more: Any) -> Any:
        kept = [(name, value) for name, value in given if name.lower() not in replaced]
        return start_response(status, kept + added, *more)

    return start
