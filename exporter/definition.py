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

    def templates(self) -> Iterator[str]:
        """Yield every template of the request."""
        yield self.path
        yield from self.path_with.values()
        for part in (self.query, self.headers, self.form or {}):
            yield from part.values()
        yield from _texts(self.json_body)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for template in self.request.templates():
            self._declared(Template(template).get_identifiers(), {*self.credentials, *self.params})
        self._declared(self._auth_variables(), set(self.credentials) | set(self.params))
        self._declared([name for group in self.exactly_one for name in group], set(self.params))
        self._declared(list(self.request.path_with), set(self.params))
        bodiless = self.request.json_body is None and self.request.form is None
        if self.auth.type == "body" and bodiless:
            raise ValueError("auth in the body needs request.json or request.form")
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("base_url must begin with https://")
        return self

    def _auth_variables(self) -> list[str]:
        if isinstance(self.auth, BasicAuth):
            return [
                name
                for part in (self.auth.username, self.auth.password)
                for name in Template(part).get_identifiers()
            ]
        return [self.auth.credential]

    @staticmethod
    def _declared(names: list[str], known: set[str]) -> None:
        for name in names:
            if name not in known:
                raise ValueError(
                    f"uses {name!r}, which is not declared (declared: {', '.join(sorted(known)) or 'none'})"
                )

    @property
    def needs_currency(self) -> bool:
        """Tell whether the operator must name the currency, since the answer does not."""
        return any(wallet.currency is None for wallet in self.wallets)
