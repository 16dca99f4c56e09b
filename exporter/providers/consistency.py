"""Where the parts of a definition do not fit each other: what the schema, which looks at one value, cannot say."""

import re
from collections.abc import Iterable, Iterator
from string import Template

from exporter.providers.definition import BasicAuth, Definition, FieldAuth, TokenAuth
from exporter.providers.variables import BUILT_IN
from exporter.schema.fields import Scalar, header_name, is_cleartext
from exporter.schema.paths import begins, ends_in_name
from exporter.schema.problems import Location

Found = Iterator[tuple[Location, str]]

RESERVED = frozenset(
    {"name", "provider", "params", "currency", "thresholds", "wallet_thresholds", "timeout", "min_interval"}
    | {"base_url", "allow_http", "ca", "proxy_url", "dashboard_url", "topup_url", "runway", "ignore_wallets"}
)
"""Names that, as a credential's, would give an account one key with two meanings."""

_ROOTS_OF_TEXT = frozenset({"text", "$", "$first"})
_SECRET = re.compile(r"(.*_)?(api_?key|token|secret|password|passwd|passphrase)")
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
    for status in filter(definition.accepts, definition.errors.statuses):
        yield ("errors", "statuses", str(status)), "is a status of success too"
    if is_cleartext(definition.base_url):
        yield ("base_url",), "must begin with https://"


def _names(definition: Definition) -> Found:
    for section in ("credentials", "params"):
        for name in BUILT_IN & set(getattr(definition, section)):
            yield (section, name), "is the name of a variable that every request has; give it another name"
    for name in definition.credentials:
        if name in RESERVED or name.endswith(("_file", "_env")):
            yield ("credentials", name), "has the form of another key of an account; give it another name"
        if name in definition.params:
            yield ("params", name), "is the name of a credential too; give one of them another name"
    for name in definition.params:
        if _SECRET.fullmatch(name) and name not in definition.credentials:
            yield (
                ("params", name),
                "is shown on pages and in logs, as all params are; a secret goes into credentials",
            )
    for index, group in enumerate(definition.exactly_one):
        yield from _undeclared(("exactly_one", index), group, definition.params)
    yield from _undeclared(("request", "path_with"), definition.request.path_with, definition.params)


def _undeclared(
    where: Location, names: Iterable[str], known: Iterable[str], declared: Iterable[str] | None = None
) -> Found:
    """Yield the names that are not known; `declared` are those that the definition itself says, if not all."""
    declared = sorted(known if declared is None else declared)
    for name in names:
        if name not in known:
            yield where, f"uses {name!r}, which is not declared (declared: {', '.join(declared) or 'none'})"


def _templates(definition: Definition) -> Iterator[tuple[Location, str]]:
    for where, text in definition.request.templates():
        yield ("request", *where), text
    if isinstance(definition.auth, BasicAuth):
        yield ("auth", "username"), definition.auth.username
        yield ("auth", "password"), definition.auth.password


def _template(definition: Definition, where: Location, text: str) -> Found:
    template = Template(text)
    known = {*definition.params, *definition.credentials, *BUILT_IN}
    if not template.is_valid():
        yield where, "is not a template: write ${name} for a variable and $$ for a dollar sign"
    yield from _undeclared(where, template.get_identifiers(), known, known - BUILT_IN)
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
    if isinstance(definition.auth, TokenAuth | FieldAuth):
        used.add(definition.auth.credential)
    for section, names in (("credentials", definition.credentials), ("params", definition.params)):
        for name in names:
            if name not in used:
                yield (section, name), f"is used nowhere; write ${{{name}}} where its value goes"


def _authentication(definition: Definition) -> Found:
    auth, request = definition.auth, definition.request
    headers = [name.lower() for name in request.headers]
    if len(set(headers)) != len(headers):
        yield ("request", "headers"), "names a header twice"
    if request.body and "content-type" in headers:
        yield ("request", "headers"), "names Content-Type, which body sets"
    if auth is None:
        return
    if not isinstance(auth, BasicAuth):
        yield from _undeclared(("auth", "credential"), [auth.credential], definition.credentials)
    if not isinstance(auth, FieldAuth) or auth.type == "header":
        name = auth.name if isinstance(auth, FieldAuth) else "Authorization"
        if name.lower() in headers:
            yield ("request", "headers"), f"names {name}, which auth sets"
        try:
            header_name(name)
        except ValueError as error:
            yield ("auth", "name"), str(error)
        return
    if auth.type == "body" and request.fields is None:
        yield ("auth",), "auth in the body needs request.json (a mapping), request.form or request.multipart"
    elif auth.name in ((request.fields or {}) if auth.type == "body" else request.query):
        yield ("auth", "name"), f"{auth.name} is in the request already, which auth sets"


def _format(definition: Definition) -> Found:
    """Yield what an answer of the format can never have."""
    if definition.lists and definition.answer != "xml":
        yield ("lists",), "goes with answer: xml"
    if definition.answer == "text":
        for where, path in _paths(definition):
            if odd := begins(path) - _ROOTS_OF_TEXT:
                named = ", ".join(sorted(odd))
                yield where, f"begins with {named}; an answer of text has nothing but text"
    if definition.answer != "json":
        for where, value in _scalars(definition):
            if not isinstance(value, str):
                yield (
                    where,
                    f"is no text, which is all that an answer of {definition.answer} has; put it in quotes",
                )


def _paths(definition: Definition) -> Iterator[tuple[Location, str]]:
    """Yield the paths that a definition writes, with where each begins in it."""
    if "code" in definition.errors.model_fields_set:
        yield from ((("errors", "code"), path) for path in definition.errors.code)
    for index, rule in enumerate(definition.success):
        if rule.path:
            yield ("success", index, "path"), rule.path
    for index, wallet in enumerate(definition.wallets):
        yield from ((("wallets", index, *where), path) for where, path in wallet.paths())


def _scalars(definition: Definition) -> Iterator[tuple[Location, Scalar]]:
    """Yield the values that are compared with what stands in an answer, not with what an expression makes of it."""
    for index, rule in enumerate(definition.success):
        for name in ("equals", "errors") if ends_in_name(rule.path or "@") else ():
            yield from ((("success", index, name), value) for value in getattr(rule, name))
    for name in ("auth", "rate_limited", "exhausted"):
        yield from ((("errors", name), value) for value in getattr(definition.errors, name))


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
