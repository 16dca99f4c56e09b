"""A command line of curl as the request that it makes: the shell's words by `shlex`, the flags by `argparse`.

What is said of a mistake holds no value of the command line, since the key is one of them.
"""

import argparse
import json
import re
import shlex
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

Pairs = list[tuple[str, str]]

_IGNORED = (
    *("-s", "--silent", "-S", "--show-error", "-L", "--location", "-v", "--verbose", "-i", "--include"),
    *("-k", "--insecure", "-f", "--fail", "--fail-with-body", "-g", "--globoff", "-N", "--no-buffer", "-q"),
    *("-#", "--progress-bar", "-O", "--remote-name", "--compressed", "--http1.1", "--http2", "--tlsv1.2"),
    *("--tlsv1.3", "--ssl-no-revoke", "--path-as-is", "--no-progress-meter"),
)
"""Flags that change nothing of what is asked."""

_IGNORED_WITH_VALUE = (
    *("-o", "--output", "-m", "--max-time", "--connect-timeout", "-w", "--write-out", "--retry"),
    *("--retry-delay", "-A", "--user-agent", "-e", "--referer", "-c", "--cookie-jar", "--max-redirs"),
)
_LINE_BREAK = re.compile(r"\\\r?\n")
_ESCAPED = re.compile(r"(?<!\S)\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
"""A text with escapes, as bash has them and browsers write them."""

_ENDS = frozenset({"|", "||", ">", ">>", "<", ";", "&", "&&", "2>&1", "2>/dev/null"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_NOISE = re.compile(
    r"sec-.*|accept-(language|encoding|charset)|user-agent|origin|referer|dnt|priority|cache-control|pragma|"
    r"connection|te|content-length|host|upgrade-insecure-requests|x-requested-with|if-none-match|"
    r"if-modified-since|expect|transfer-encoding|sentry-trace|baggage|traceparent",
    re.IGNORECASE,
)
"""Headers that browsers add, or that the exporter writes by itself."""


class CurlError(ValueError):
    """A command line that cannot become a definition; the text says why, without any of its values."""


@dataclass(frozen=True)
class Call:
    """What curl would ask. At most one of `json_body`, `form`, `multipart` and `raw` is given."""

    method: str
    base_url: str
    path: str = field(repr=False)
    query: Pairs = field(repr=False)
    headers: Pairs = field(repr=False)
    user: tuple[str, str] | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    json_body: Any = field(default=None, repr=False)
    form: Pairs | None = field(default=None, repr=False)
    multipart: Pairs | None = field(default=None, repr=False)
    raw: tuple[str, str] | None = field(default=None, repr=False)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CurlError(f"curl's command line is not understood: {message}")


def _parser() -> _Parser:
    parser = _Parser(prog="curl", add_help=False, allow_abbrev=False)
    for *names, destination in (
        ("-X", "--request", "method"),
        ("-u", "--user", "user"),
        ("--oauth2-bearer", "bearer"),
    ):
        parser.add_argument(*names, dest=destination)
    for *names, destination in (
        ("-H", "--header", "headers"),
        ("-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "data"),
        ("--data-urlencode", "encoded"),
        ("--json", "json"),
        ("--url", "urls"),
        ("-F", "--form", "--form-string", "parts"),
        ("-b", "--cookie", "cookies"),
    ):
        parser.add_argument(*names, dest=destination, action="append", default=[])
    parser.add_argument("-G", "--get", dest="get", action="store_true")
    parser.add_argument(*_IGNORED, dest="ignored", action="store_true")
    parser.add_argument(*_IGNORED_WITH_VALUE, dest="ignored_value")
    parser.add_argument("words", nargs="*")
    return parser


def call(command: str, environment: Mapping[str, str]) -> Call:
    """Return the request of a command line; a variable of the shell counts where `environment` has it.

    Raise `CurlError` where it is none of curl's, or asks what a definition cannot.
    """
    given, unknown = _parser().parse_known_intermixed_args(_words(command, environment))
    if flags := [_flag(word) for word in unknown if word.startswith("-")]:
        raise CurlError(
            f"curl's {', '.join(flags)} is not known here; leave it out, if the answer is the same"
        )
    urls = [*given.urls, *given.words, *unknown]
    if len(urls) != 1:
        raise CurlError(
            "curl's command line has no URL" if not urls else "curl's command line has several URLs"
        )
    headers = _headers(given.headers, given.cookies)
    base_url, path, query, user = _url(urls[0])
    body = _body(given, headers)
    if given.get:
        query, body = [*query, *(body.get("form") or [])], {}
    method = (given.method or ("POST" if body else "GET")).upper()
    if method not in ("GET", "POST"):
        raise CurlError(f"curl's -X names {_flag(method)}; a definition asks by GET or POST")
    return Call(
        method,
        base_url,
        path,
        query,
        [(name, value) for name, value in headers if name.lower() != "content-type"],
        _pair(given.user) if given.user is not None else user,
        given.bearer,
        **body,
    )


def _words(command: str, environment: Mapping[str, str]) -> list[str]:
    """Return what follows `curl`, up to the pipe or redirection that may end it."""
    if '^"' in command:
        raise CurlError('curl\'s command line is written for the shell of Windows; copy it "as cURL (bash)"')
    try:
        words = shlex.split(_ESCAPED.sub(_unescaped, _LINE_BREAK.sub(" ", command)))
    except ValueError:
        raise CurlError("the command line cannot be read: a quotation mark is not closed") from None
    words = words[words[:1] == ["$"] :]
    if words[:1] != ["curl"]:
        raise CurlError("the command line must begin with curl")
    end = next((index for index, word in enumerate(words) if word in _ENDS), len(words))
    return [
        _VARIABLE.sub(lambda name: environment.get(name[1] or name[2], name[0]), word)
        for word in words[1:end]
    ]


def _unescaped(text: re.Match[str]) -> str:
    return shlex.quote(text[1].encode("latin-1", "backslashreplace").decode("unicode_escape"))


def _flag(word: str) -> str:
    """Return a flag without its value, which may be a key."""
    return word.partition("=")[0] if word.startswith("--") or not word.startswith("-") else word[:2]


def _headers(given: Sequence[str], cookies: Sequence[str]) -> Pairs:
    headers = [
        (name.strip(), value.strip()) for name, sign, value in (one.partition(":") for one in given) if sign
    ]
    for cookie in cookies:
        if "=" not in cookie:
            raise CurlError("curl's -b names a file; write the cookies themselves")
        headers.append(("Cookie", cookie))
    return [(name, value) for name, value in headers if not _NOISE.fullmatch(name)]


def _url(text: str) -> tuple[str, str, Pairs, tuple[str, str] | None]:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise CurlError("curl's URL is not one") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CurlError("curl's URL must begin with https:// and name a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    query = parse_qsl(parts.query, keep_blank_values=True)
    return f"{parts.scheme}://{host}{port}", parts.path or "/", query, user


def _pair(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    return user, password


def _body(given: argparse.Namespace, headers: Pairs) -> dict[str, Any]:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if any(part.startswith("@") for part in (*given.data, *given.json)) or any(
        "=@" in part or "=<" in part for part in given.parts
    ):
        raise CurlError("curl's body is in a file; write the body itself")
    if given.parts:
        return {
            "multipart": [(name, value) for name, _, value in (part.partition("=") for part in given.parts)]
        }
    if given.json:
        return {"json_body": _json("".join(given.json))}
    encoded = [(name, value) for name, _, value in (part.partition("=") for part in given.encoded)]
    return _data("&".join(given.data), encoded, kind)


def _data(text: str, encoded: Pairs, kind: str) -> dict[str, Any]:
    begin = text.lstrip()[:1]
    if not (text or encoded):
        return {}
    if not encoded and ("json" in kind or begin in ("{", "[")):
        return {"json_body": _json(text)}
    if not encoded and (begin == "<" or (kind and "form-urlencoded" not in kind)):
        return {"raw": (kind or "application/xml", text)}
    return {"form": [*parse_qsl(text, keep_blank_values=True), *encoded]}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise CurlError("curl's body is not JSON") from None


def basic(value: str) -> tuple[str, str] | None:
    """Return user and password of basic authentication, None for what is none."""
    try:
        return _pair(b64decode(value, validate=True).decode())
    except ValueError:
        return None
