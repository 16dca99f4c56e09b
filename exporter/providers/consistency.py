"""Where the parts of a definition do not fit each other: what the schema, which looks at one value, cannot say."""

import re
from collections.abc import Iterable, Iterator
from string import Template

from exporter.providers.definition import (
    Auth,
    BasicAuth,
    Call,
    Definition,
    FieldAuth,
    Login,
    SignedAuth,
    Success,
    TokenAuth,
    accepts,
)
from exporter.providers.variables import BUILT_IN
from exporter.schema.fields import NO_TEMPLATE, Scalar, header_name, is_cleartext
from exporter.schema.paths import begins, ends_in_name, mentions
from exporter.schema.problems import Location

Found = Iterator[tuple[Location, str]]

RESERVED = frozenset(
    {"name", "provider", "params", "currency", "thresholds", "wallet_thresholds", "timeout", "min_interval"}
    | {
        "base_url",
        "login_base_url",
        "allow_http",
        "ca",
        "proxy_url",
        "dashboard_url",
        "topup_url",
        "runway",
        "ignore_wallets",
    }
)
"""Names that, as a credential's, would give an account one key with two meanings."""

_FIRST = "$first"
_ROOTS_OF_TEXT = frozenset({"text", "$", _FIRST})
_NOUNS = {"login": "login", "first": "first request", "request": "request"}
_SECRET = re.compile(
    r"(.*_)?((api|access|app|auth|client|private)_?key|token|secret|password|passwd|passphrase|pwd|psw)|key|pass"
)
_TOKEN = re.compile(r"token|session|jwt")
_LIKE_A_KEY = re.compile(r"(?=(?:.*[A-Za-z][0-9]){2})(?=.*[0-9][A-Za-z])[A-Za-z0-9_.~-]{20,}")
_FORGOTTEN_SIGN = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")


def consistency(definition: Definition) -> Found:
    """Yield where a part of a definition cannot be right, and why."""
    yield from _names(definition)
    for where, text in _templates(definition):
        yield from _template(definition, where, text)
    yield from _unused(definition)
    yield from _authentication(definition)
    yield from _doubles(definition)
    yield from _format(definition)
    yield from _first(definition)
    yield from _pages(definition)
    for where, part in _checked(definition):
        for status in part.errors.statuses:
            if accepts(part.success, status):
                yield (*where, "errors", "statuses", str(status)), "is a status of success too"
        if part.base_url and is_cleartext(part.base_url):
            yield (*where, "base_url"), "must begin with https://"


def _checked(definition: Definition) -> Iterator[tuple[Location, Definition | Login]]:
    """Yield what has errors and a base URL of its own."""
    yield (), definition
    if definition.login:
        yield ("login",), definition.login


def _names(definition: Definition) -> Found:
    declared: dict[str, str] = {}
    for where, names, what in _declared(definition):
        for name in names:
            if name in BUILT_IN:
                yield (*where, name), "is the name of a variable that every request has; give it another name"
            elif name in declared:
                yield (*where, name), f"is the name of {declared[name]} too; give one of them another name"
            declared.setdefault(name, what)
    for name in definition.credentials:
        if name in RESERVED or name.endswith(("_file", "_env")):
            yield ("credentials", name), "has the form of another key of an account; give it another name"
    for name in definition.params:
        if _SECRET.fullmatch(name) and name not in definition.credentials:
            yield (
                ("params", name),
                "is shown on pages and in logs, as all params are; a secret goes into credentials",
            )
    for index, group in enumerate(definition.exactly_one):
        yield from _undeclared(("exactly_one", index), group, definition.params)
    yield from _undeclared(("request", "path_with"), definition.request.path_with, definition.params)


def _declared(definition: Definition) -> Iterator[tuple[Location, Iterable[str], str]]:
    """Yield where variables are declared, their names, and what they are."""
    yield ("credentials",), definition.credentials, "a credential"
    yield ("params",), definition.params, "a param"
    if definition.login:
        yield ("login", "gives"), definition.login.gives, "a token of the login"
    if definition.first:
        yield ("first", "gives"), definition.first.gives, "a value of the first request"


def _known(definition: Definition, call: str) -> set[str]:
    """Return the variables that are declared and known when a request, by its key, is made."""
    later = {"request": (), "auth": ("first",), "first": ("first",), "login": ("login", "first")}[call]
    return {name for where, names, _ in _declared(definition) if where[0] not in later for name in names}


def _undeclared(
    where: Location, names: Iterable[str], known: Iterable[str], declared: Iterable[str] | None = None
) -> Found:
    """Yield the names that are not known; `declared` are those that the definition itself says, if not all."""
    declared = sorted(known if declared is None else declared)
    for name in names:
        if name not in known:
            yield where, f"uses {name!r}, which is not declared (declared: {', '.join(declared) or 'none'})"


def _templates(definition: Definition) -> Iterator[tuple[Location, str]]:
    for key, call in definition.calls():
        for where, text in call.templates():
            yield (key, *where), text
    for at, auth in _auths(definition):
        if isinstance(auth, BasicAuth):
            yield (*at, "username"), auth.username
            yield (*at, "password"), auth.password


def _auths(definition: Definition) -> Iterator[tuple[Location, Auth]]:
    if definition.auth:
        yield ("auth",), definition.auth
    if definition.login and definition.login.auth:
        yield ("login", "auth"), definition.login.auth


def _template(definition: Definition, where: Location, text: str) -> Found:
    template = Template(text)
    declared = _known(definition, str(where[0]))
    known = declared | (BUILT_IN if "auth" not in where[:2] else set())
    if where[1] in ("path", "path_with", "query") and any(
        map(_LIKE_A_KEY.fullmatch, re.split(r"[/?&=]", text))
    ):
        yield (
            where,
            "holds what looks like a key, and would be shown; declare a credential, and write ${name} for it",
        )
    if not template.is_valid():
        yield where, NO_TEMPLATE
    for name in template.get_identifiers():
        if where[0] in ("login", "first") and name in _known(definition, "request") - declared:
            yield where, f"uses {name!r}, which is known only after this request"
        else:
            yield from _undeclared(where, [name], known, declared)
    for name in _FORGOTTEN_SIGN.findall(text):
        if name in known or where[1] in ("path", "path_with"):
            yield where, f"holds {{{name}}} as it stands; write ${{{name}}} for its value"
    if where[1] in ("query", "headers", "json", "form", "multipart"):
        return
    given = {*definition.credentials, *(where[2:3] if where[1] == "path_with" else ())}
    for name in template.get_identifiers():
        if name in definition.params and name not in given and not definition.params[name].required:
            yield where, f"needs {name!r}, which an account may leave out; declare it with required: true"


def _unused(definition: Definition) -> Found:
    used = set(definition.request.path_with)
    for _, text in _templates(definition):
        used.update(Template(text).get_identifiers())
    for _, auth in _auths(definition):
        if isinstance(auth, TokenAuth | FieldAuth):
            used.add(auth.credential)
        if isinstance(auth, SignedAuth):
            used.update(auth.credentials)
    for where, names, _ in _declared(definition):
        for name in names:
            if name not in used:
                or_auth = f"name it in auth (credential: {name}), or " if where[0] == "login" else ""
                yield (*where, name), f"is used nowhere; {or_auth}write ${{{name}}} where its value goes"


def _authentication(definition: Definition) -> Found:
    for where, auth in _auths(definition):
        if isinstance(auth, TokenAuth | FieldAuth):
            known = (_known(definition, str(where[0])) - set(definition.params)) | set(definition.credentials)
            hint = (
                "; a token comes from a login"
                if _TOKEN.search(auth.credential) and not definition.login
                else ""
            )
            for at, told in _undeclared((*where, "credential"), [auth.credential], known):
                yield at, told + hint
        if isinstance(auth, FieldAuth) and auth.type == "header":
            try:
                header_name(auth.name)
            except ValueError as error:
                yield (*where, "name"), str(error)
        if isinstance(auth, SignedAuth):
            yield from _signature(definition, auth)
    for key, call in definition.calls():
        if isinstance(call, Login):
            yield from _placed(call.auth, ("login", "auth"), key, call)
        else:
            yield from _placed(definition.auth, ("auth",), key, call)


def _placed(auth: Auth | None, where: Location, key: str, call: Call) -> Found:
    """Yield what keeps a key from its place in a request."""
    headers = [name.lower() for name in call.headers]
    if len(set(headers)) != len(headers):
        yield (key, "headers"), "names a header twice"
    if call.body and "content-type" in headers:
        yield (key, "headers"), "names Content-Type, which body sets"
    if auth is None or isinstance(auth, SignedAuth):
        return
    if not isinstance(auth, FieldAuth) or auth.type == "header":
        name = auth.name if isinstance(auth, FieldAuth) else "Authorization"
        if name.lower() in headers:
            yield (key, "headers"), f"names {name}, which auth sets"
    elif auth.type == "body" and call.fields is None:
        yield where, f"auth in the body needs {key}.json (a mapping), {key}.form or {key}.multipart"
    elif auth.name in ((call.fields or {}) if auth.type == "body" else call.query):
        yield (*where, "name"), f"{auth.name} is in the {_NOUNS[key]} already, which auth sets"


def _first(definition: Definition) -> Found:
    """Yield where the first request's document is looked for and is not there."""
    for where, path in _paths(definition):
        if mentions(path, _FIRST):
            if definition.first is None:
                yield where, 'has "$first", the document of a first request, but there is none; declare first'
            elif where[0] in ("login", "first"):
                yield where, 'has "$first", which is known only after this request; "$" is its document'


def _pages(definition: Definition) -> Found:
    """Yield what pages cannot go with."""
    request, pages, auth = definition.request, definition.request.pages, definition.auth
    if pages is None:
        return
    where = ("request", "pages")
    if request.fields is not None or request.json_body is not None or request.body:
        yield where, "names the page in the query; a request with a body has no place for it"
    if pages.number and pages.query in request.query:
        yield (*where, "query"), f"{pages.query} is in the request already, which pages sets"
    if isinstance(auth, FieldAuth) and auth.type == "query" and auth.name == pages.query:
        yield (*where, "query"), f"{pages.query} is the field that auth sets"
    if not any(
        {"items", "items_by_key"} & mapping.model_fields_set or mapping.sums for mapping in definition.wallets
    ):
        yield where, "is of no use: nothing runs over pages but the items of wallets, and those of a sum"


def _signature(definition: Definition, auth: SignedAuth) -> Found:
    missing = [name for name in auth.credentials if name not in definition.credentials]
    if missing:
        yield ("credentials",), f"lacks {' and '.join(missing)}, which the scheme {auth.scheme} needs"


def _format(definition: Definition) -> Found:
    """Yield what an answer of the format can never have."""
    formats = {"login": definition.login and definition.login.answer}
    if definition.lists and "xml" not in (definition.answer, formats["login"]):
        yield ("lists",), "goes with answer: xml"
    for where, path in _paths(definition):
        odd = begins(path) - _ROOTS_OF_TEXT
        if odd and (formats.get(str(where[0])) or definition.answer) == "text":
            yield where, f"begins with {', '.join(sorted(odd))}; an answer of text has nothing but text"
    for where, value in _scalars(definition):
        answer = formats.get(str(where[0])) or definition.answer
        if answer != "json" and not isinstance(value, str):
            yield (
                where,
                f"is no text, which is all that an answer of {answer} has; {_as_text(definition, where)}",
            )


def _as_text(definition: Definition, where: Location) -> str:
    """Return what to write in place of a value that is no text."""
    part = definition.login if where[0] == "login" else definition
    if "errors" not in where or part is None or all(map(ends_in_name, part.errors.code)):
        return "put it in quotes"
    return (
        "where code asks a question, let it answer with a text that is listed here, "
        "as in \"starts_with(text, 'ERR: 401') && 'wrong key'\""
    )


def _rules(definition: Definition) -> Iterator[tuple[Location, Success]]:
    """Yield every rule of success, with where it stands."""
    for where, part in (((), definition), (("login",), definition.login), (("first",), definition.first)):
        for index, rule in enumerate(part.success if part else ()):
            yield (*where, "success", index), rule


def _paths(definition: Definition) -> Iterator[tuple[Location, str]]:
    """Yield the paths that a definition writes, with where each begins in it."""
    for at, part in _checked(definition):
        if "code" in part.errors.model_fields_set:
            yield from (((*at, "errors", "code"), path) for path in part.errors.code)
    yield from (((*where, "path"), rule.path) for where, rule in _rules(definition) if rule.path)
    if login := definition.login:
        for name, one in login.gives.items():
            yield from ((("login", "gives", name), path) for path in one.path or ())
        yield from [(("login", "lifetime"), login.lifetime)] if login.lifetime else []
    if definition.first:
        yield from ((("first", "gives", name), path) for name, path in definition.first.gives.items())
    if pages := definition.request.pages:
        yield from ((("request", "pages", *where), path) for where, path in pages.paths())
    for index, wallet in enumerate(definition.wallets):
        yield from ((("wallets", index, *where), path) for where, path in wallet.paths())


def _scalars(definition: Definition) -> Iterator[tuple[Location, Scalar]]:
    """Yield the values that are compared with what stands in an answer, not with what an expression makes of it."""
    rules: list[tuple[Location, Success]] = [
        (("success", index), rule) for index, rule in enumerate(definition.success)
    ]
    if definition.first:
        rules += [(("first", "success", index), rule) for index, rule in enumerate(definition.first.success)]
    for where, rule in rules:
        for name in ("equals", "errors") if ends_in_name(rule.path or "@") else ():
            yield from (((*where, name), value) for value in getattr(rule, name))
    for at, part in _checked(definition):
        for name in ("auth", "rate_limited", "exhausted"):
            yield from (((*at, "errors", name), value) for value in getattr(part.errors, name))


def _doubles(definition: Definition) -> Found:
    seen = set()
    for index, wallet in enumerate(definition.wallets):
        if (
            wallet.items_by_key
            or wallet.id.literal is None
            or (wallet.currency and wallet.currency.literal is None)
        ):
            continue
        series = wallet.items, wallet.id.literal, wallet.currency and wallet.currency.literal
        if series in seen:
            yield (
                ("wallets", index),
                "has the id and the currency of another wallet; give it an id of its own",
            )
        seen.add(series)
