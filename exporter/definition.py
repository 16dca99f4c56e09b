"""The schema of a provider definition: what one file in providers/ may say, and nothing else.

A definition is data. It names the request, where the credentials go, what counts as success and where
in the answer each amount stands; it holds no account and no secret.
"""

from collections.abc import Iterator
from string import Template
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from exporter.duration import Duration
from exporter.mapping import WalletMapping
from exporter.schema import LOOPBACK, Expression, Name, Paths, Scalar, Strict, TemplateText, Url


class Credential(Strict):
    """One secret that an account at this provider must give."""

    description: str


class Param(Strict):
    """One value, not secret, that an account may give (`params`)."""

    description: str
    required: bool = False
    default: str | None = None


class Request(Strict):
    """The request: everything but the host and the credentials. Text values are templates."""

    method: Literal["GET", "POST"] = "GET"
    path: TemplateText
    path_with: dict[Name, TemplateText] = {}
    query: dict[str, TemplateText] = {}
    headers: dict[str, TemplateText] = {}
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    form: dict[str, TemplateText] | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.json_body is not None and self.form is not None:
            raise ValueError("give json or form, not both")
        return self

    def templates(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield every template of the request, and where in the request it stands."""
        parts = self.model_dump(include={"path", "path_with", "query", "headers", "form"})
        yield from _texts(parts | {"json": self.json_body})


def _texts(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            for where, text in _texts(item):
                yield (key, *where), text


def _undeclared(
    where: tuple[str | int, ...], names: list[str], known: set[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    declared = ", ".join(sorted(known)) or "none"
    for name in names:
        if name not in known:
            yield where, f"uses {name!r}, which is not declared (declared: {declared})"


class TokenAuth(Strict):
    """`Authorization: Bearer KEY`."""

    type: Literal["bearer"]
    credential: Name = "api_key"


class FieldAuth(Strict):
    """The key in a header, a query field or a field of the JSON or form body."""

    type: Literal["header", "query", "body"]
    name: str
    prefix: str = ""
    credential: Name = "api_key"


class BasicAuth(Strict):
    """HTTP basic authentication; either part may be empty."""

    type: Literal["basic"]
    username: TemplateText = ""
    password: TemplateText = ""


class Success(Strict):
    """What an answer must be before wallets are looked for in it; without `statuses`, any 2xx will do.

    `path` is read on success and error statuses alike. With `equals`, a value of the same JSON type that is
    not in the list is the provider's error and anything else is malformed; `errors` narrows what counts as
    an error. With `absent`, any value there is the provider's error.
    """

    statuses: list[int] = []
    path: Expression | None = None
    equals: list[Scalar] = []
    errors: list[Scalar] = []
    absent: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.path is not None) != bool(self.equals or self.absent):
            raise ValueError("path goes with equals or absent")
        if self.absent and (self.equals or self.errors):
            raise ValueError("absent does not go with equals or errors")
        return self


class Errors(Strict):
    """Where the provider's own error code stands, and which codes have a reason of their own."""

    code: Paths = ["code"]
    auth: list[Scalar] = []
    rate_limited: list[Scalar] = []


class Definition(Strict):
    """A provider: one file."""

    title: str
    documentation: list[Url]
    confidence: Literal["documented", "observed"]
    min_interval: Duration | None = None
    dashboard_url: Url | None = None
    topup_url: Url | None = None
    notes: list[str] = []
    credentials: Annotated[dict[Name, Credential], Field(min_length=1)]
    params: dict[Name, Param] = {}
    exactly_one: list[list[Name]] = []
    base_url: Url
    request: Request
    auth: Annotated[TokenAuth | FieldAuth | BasicAuth, Field(discriminator="type")]
    success: Success = Success()
    errors: Errors = Errors()
    hints: dict[Annotated[str, StringConstraints(pattern=r"^([1-5][0-9]{2}|[a-z_]+)$")], str] = {}
    wallets: Annotated[
        list[WalletMapping],
        BeforeValidator(lambda value: [value] if isinstance(value, dict) else value),
        Field(min_length=1),
    ]

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what the schema cannot say: where the parts of the definition do not fit each other, and why."""
        params, names = set(self.params), {*self.params, *self.credentials}
        for where, template in self.request.templates():
            yield from _undeclared(("request", *where), Template(template).get_identifiers(), names)
        for field, text in self._auth_variables():
            yield from _undeclared(("auth", field), text, names)
        for index, group in enumerate(self.exactly_one):
            yield from _undeclared(("exactly_one", index), group, params)
        yield from _undeclared(("request", "path_with"), list(self.request.path_with), params)
        bodies = (self.request.json_body, self.request.form)
        if isinstance(self.auth, FieldAuth) and self.auth.type == "body" and bodies == (None, None):
            yield ("auth",), "auth in the body needs request.json or request.form"
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield ("base_url",), "must begin with https://"

    def _auth_variables(self) -> Iterator[tuple[str, list[str]]]:
        if isinstance(self.auth, BasicAuth):
            yield "username", Template(self.auth.username).get_identifiers()
            yield "password", Template(self.auth.password).get_identifiers()
        else:
            yield "credential", [self.auth.credential]

    @property
    def needs_currency(self) -> bool:
        """Tell whether the operator must name the currency, since the answer does not."""
        return any(wallet.currency is None for wallet in self.wallets)
