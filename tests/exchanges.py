"""A recorded request, and whether one that came is it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import default
from string import Template
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from exporter import __version__
from exporter.providers.variables import built_in

VARIABLES = {
    **built_in(datetime(2026, 11, 27, 23, 59, tzinfo=UTC)),
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""What recorded requests mean by `${today}` and the others."""

_COMMON_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prepaid-exporter/{__version__}",
}


class Seen(NamedTuple):
    """A request as it came off the wire; `path` has the query too."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes


Parts = Mapping[str, Any]
"""What is compared of a request, by a name for messages."""


def declared(request: Mapping[str, Any], secrets: Mapping[str, str], bases: Sequence[str]) -> Parts:
    """Return what a recorded request says; `bases` are the base URLs that its URL may begin with."""

    def filled(text: str) -> str:
        return Template(text).substitute({**VARIABLES, **secrets})

    base = next(base for base in bases if filled(request["url"]).startswith(base))
    headers = {name: filled(value) for name, value in request.get("headers", {}).items()}
    if "basic" in request:
        headers["Authorization"] = f"Basic {b64encode(filled(request['basic']).encode()).decode()}"
    headers |= {name: filled(begin) for name, begin in request.get("signed", {}).items()}
    body: Any = filled(request.get("body", "")).encode()
    if "json" in request:
        body = json.loads(filled(request["json"]))
    for kind in {"form", "multipart"} & set(request):
        body = {name: filled(value) for name, value in request[kind].items()}
    return {
        "method": request["method"],
        "path": filled(request["url"]).removeprefix(base),
        "query": {name: filled(value) for name, value in request.get("query", {}).items()},
        "headers": _COMMON_HEADERS | headers,
        "body": body,
    }


def came(seen: Seen, request: Mapping[str, Any], parts: Parts) -> Parts:
    """Return what a request says that came, its body read as a recorded request has it.

    Of the headers of a signature, which is another one each time, there is as much as `parts`, what is declared, has.
    """
    path, _, query = seen.path.partition("?")
    headers = dict(seen.headers)
    assert len(headers) == len(seen.headers), "a header is given twice"
    headers.pop("Host", None)
    for name in request.get("signed", {}):
        headers[name] = headers.get(name, "")[: len(parts["headers"][name])]
    if seen.body or seen.method == "POST":
        assert headers.pop("Content-Length", str(len(seen.body))) == str(len(seen.body))
    body: Any = seen.body
    try:
        if "json" in request:
            body = json.loads(body)
        elif "form" in request:
            body = dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError:
        pass
    if "multipart" in request:
        kind = headers.pop("Content-Type", "")
        read = BytesParser(policy=default).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        body = {
            part.get_param("name", header="content-disposition"): part.get_content()
            for part in read.iter_parts()
        }
    return {
        "method": seen.method,
        "path": path,
        "query": dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))),
        "headers": headers,
        "body": body,
    }
