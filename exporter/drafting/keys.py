"""What of a call is a key, what names the customer, and what is the same for everybody: the request with variables."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from exporter.drafting.curl import Call, CurlError, Pairs, basic
from exporter.providers.consistency import RESERVED

_SECRET = re.compile(
    r"api_?key|app_?key|auth_?key|access_?key|client_?key|(^|_)key(_|$)|key$|token|secret|passw|passwd|passphrase|"
    r"(^|_)(pass|pw|pwd|psw|hash|sign|sig|pin|jwt)(_|$)|auth(?!or)|signature|session|cookie|credential"
)
_CUSTOMER = re.compile(
    r"user|login|e_?mail|account|customer|client|project|(^|_)(org|team|tenant|id|name|phone|msisdn|number)(_|$)|"
    r"organi[sz]ation|workspace|subscription|(_id|name)$|sender"
)
_NO_SECRET = re.compile(r"|true|false|null|yes|no|[0-9]{1,4}|\d{4}-\d{2}-\d{2}.*", re.IGNORECASE)
_LIKE_A_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+/=:-]{16,}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VERSION = re.compile(r"v\d+(\.\d+)*|\d{1,2}(\.\d+)*|\d{4}-\d{2}(-\d{2})?", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_-]*) +(\S.*)")
_WORDS = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass
class Plan:
    """The parts of a definition that a call gives, with the values that stood in the places of its variables."""

    base_url: str
    request: dict[str, Any] = field(default_factory=dict)
    auth: dict[str, Any] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    values: dict[str, str] = field(default_factory=dict, repr=False)
    customers: bool = True
    keys: Collection[str] = ()
    """Names of headers and fields that are keys, whatever they look like."""
    named: set[str] = field(default_factory=set)
    """Those of them that the call has."""

    def is_secret(self, name: str, value: Any) -> bool:
        """Return whether a value is a key, by the name that it has or by its looks."""
        if name in self.keys:
            self.named.add(name)
            return bool(value)
        # The names of types, in Accept, are long and have digits and letters, as keys have.
        if not isinstance(value, str) or name.lower() == "accept" or _NO_SECRET.fullmatch(value):
            return False
        of_customer = self.customers and _CUSTOMER.search(_snake(name))
        return bool(_SECRET.search(_snake(name)) or (_LIKE_A_KEY.fullmatch(value) and not of_customer))

    def secret(self, value: str, name: str, description: str) -> str:
        """Return the variable for a key, which is a credential from now on."""
        return self._variable(value, name, description, self.credentials, self.secrets)

    def param(self, value: str, name: str, description: str) -> str:
        """Return the variable for what names the customer."""
        return self._variable(value, name, description, self.params, self.values)

    def _variable(
        self, value: str, name: str, description: str, declared: dict[str, str], values: dict[str, str]
    ) -> str:
        known = next((one for one, other in values.items() if other == value), None)
        if known is None:
            known = _free(_snake(name), {*self.credentials, *self.params})
            declared[known] = description
            values[known] = value
        return f"${{{known}}}"


def plan(call: Call, named: Collection[str] = ()) -> Plan:
    """Find the key of a call, and put variables in the places of keys and of what names the customer.

    `named` are headers and fields that are keys, whatever they look like. Raise `CurlError` where there is no key.
    """
    made = _plan(call, named, customers=True) or _plan(call, named, customers=False) or _no_key()
    if absent := sorted(set(named) - made.named):
        raise CurlError(f"curl's command line has no header or field {', '.join(absent)}")
    return made


def _no_key() -> NoReturn:
    raise CurlError(
        "no key was found on curl's command line; --key NAME names the header or field that is the key"
    )


def _plan(call: Call, named: Collection[str], *, customers: bool) -> Plan | None:
    """Return the plan, None without a key; `customers` says whether an id may look like a key and be none."""
    method = {"method": call.method} if call.method != "GET" else {}
    made = Plan(call.base_url, method, customers=customers, keys=named)
    headers = _authorized(made, call)
    _path(made, call.path)
    query = _pairs(made, call.query, "query")
    if query:
        made.request["query"] = query
    if headers:
        made.request["headers"] = headers
    _body(made, call)
    return made if made.credentials else None


def _authorized(made: Plan, call: Call) -> dict[str, str]:
    """Find what user, Authorization and other headers say of the key; return the headers that are left."""
    pairs, user = [], call.user
    for name, value in call.headers:
        kind, key = _scheme(value)
        if name.lower() != "authorization":
            pairs.append((name, value))
        elif kind.lower() == "basic" and basic(key):
            user = basic(key)
        elif kind.lower() == "bearer":
            _bearer(made, key)
        else:
            prefix = {"prefix": f"{kind} "} if kind else {}
            made.auth = {"type": "header", "name": name, **prefix} | _credential(
                made, key, "api_key", "the key"
            )
    if call.bearer is not None:
        _bearer(made, call.bearer)
    if user and not made.auth:
        made.auth = {"type": "basic"} | {
            part: made.secret(value, part if user[1] else "api_key", f"the {part} of basic authentication")
            for part, value in zip(("username", "password"), user, strict=True)
            if value
        }
    if made.auth or any(made.is_secret(name, value) for name, value in pairs if name.lower() != "cookie"):
        # Beside a key the cookies of a browser are of no use.
        pairs = [(name, value) for name, value in pairs if name.lower() != "cookie"]
    return _pairs(made, pairs, "header")


def _bearer(made: Plan, key: str) -> None:
    made.auth = {"type": "bearer"} | _credential(made, key, "api_key", "the bearer token")


def _scheme(value: str) -> tuple[str, str]:
    found = _SCHEME.fullmatch(value)
    return (found[1], found[2]) if found else ("", value)


def _credential(made: Plan, value: str, name: str, description: str) -> dict[str, str]:
    variable = made.secret(value, name, description)[2:-1]
    return {} if variable == "api_key" else {"credential": variable}


def _pairs(made: Plan, pairs: Pairs, kind: str) -> dict[str, str]:
    """Return the fields of a query, of headers or of a form with variables; the first key becomes the auth."""
    rest: dict[str, str] = {}
    for name, value in pairs:
        if name in rest:
            raise CurlError(
                f"curl's command line has {name} twice in the {kind}; a definition names each once"
            )
        if made.is_secret(name, value) and not made.auth:
            short = "token" if "token" in name.lower() else "api_key"
            begin, key = _scheme(value) if kind == "header" and name.lower() != "cookie" else ("", value)
            prefix = {"prefix": f"{begin} "} if begin else {}
            credential = _credential(made, key, short, f"what stands in the {kind} {name}")
            made.auth = {"type": kind, "name": name, **prefix, **credential}
        else:
            rest[name] = _filled(made, name, value)
    return rest


def _filled(made: Plan, name: str, value: Any) -> Any:
    """Return a value with variables in the places of keys and of what names the customer."""
    if isinstance(value, dict):
        return {key: _filled(made, key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(made, name, inner) for inner in value]
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if made.is_secret(name, text):
        return made.secret(text, name, f"the {name} of the request")
    if text and _CUSTOMER.search(_snake(name)) and not _NO_SECRET.fullmatch(text):
        return made.param(text, name, f"the {name} of the request")
    return value.replace("$", "$$") if isinstance(value, str) else value


def _path(made: Plan, path: str) -> None:
    """Put variables in the places of what looks like a key or a number of the customer's in the path."""
    segments = []
    for segment in path.split("/"):
        if _VERSION.fullmatch(segment):
            segments.append(segment)
        elif _LIKE_A_KEY.fullmatch(segment) and not (made.customers and _UUID.fullmatch(segment)):
            segments.append(made.secret(segment, "api_key", "the key in the path"))
        elif _UUID.fullmatch(segment) or re.search(r"\d{4}|@", segment):
            segments.append(made.param(segment, "account_id", "what stands for the account in the path"))
        else:
            segments.append(segment.replace("$", "$$"))
    made.request["path"] = "/".join(segments)


def _body(made: Plan, call: Call) -> None:
    if isinstance(call.json_body, dict) and not made.auth:
        plain = [(name, value) for name, value in call.json_body.items() if isinstance(value, str)]
        key = next(((name, value) for name, value in plain if made.is_secret(name, value)), None)
        if key:
            _pairs(made, [key], "body")
        rest = {name: value for name, value in call.json_body.items() if not key or name != key[0]}
        made.request["json"] = _filled(made, "", rest)
    elif call.json_body is not None:
        made.request["json"] = _filled(made, "", call.json_body)
    elif call.form is not None:
        made.request["form"] = _pairs(made, call.form, "body")
    elif call.multipart is not None:
        made.request["multipart"] = _pairs(made, call.multipart, "body")
    elif call.raw is not None:
        kind, text = call.raw
        made.request["body"] = {"content_type": kind, "text": _raw(made, text)}


_ELEMENT = re.compile(r"(<(?:\w+:)?(\w+)[^<>]*>)([^<>]+)(?=</)|\b(\w+)=(\"|')([^\"'<>]+)(?=\5)")


def _raw(made: Plan, text: str) -> str:
    """Put variables into a body of XML: elements and attributes whose names or values are those of keys."""

    def replaced(found: re.Match[str]) -> str:
        begin, name, value = (
            (found[1], found[2], found[3]) if found[1] else (f"{found[4]}={found[5]}", found[4], found[6])
        )
        return begin + str(_filled(made, name, value))

    return _ELEMENT.sub(replaced, text)


def _snake(name: str) -> str:
    return _WORDS.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


def _free(name: str, taken: set[str]) -> str:
    """Return a name that a credential or param may have, as near as can be."""
    name = name.removesuffix("_file").removesuffix("_env")
    name = name if name[:1].isalpha() else f"field_{name}".rstrip("_")
    name = f"the_{name}" if name in RESERVED else name
    return next(one for one in _names(name) if one not in taken)


def _names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in range(2, 100))


def unset(values: Mapping[str, str]) -> list[str]:
    """Name the variables of the shell that stand where values are wanted."""
    return [value for value in values.values() if re.fullmatch(r"\$\{?\w+\}?", value)]
