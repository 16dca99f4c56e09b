"""The schema of a provider definition: what one file in providers/ may say, and nothing else.

A definition is data. It names the request, where the credentials go, what counts as success and where
in the answer each amount stands; it holds no account and no secret.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from string import Template
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.model import Reason
from exporter.providers.mapping import WalletMapping
from exporter.providers.schemes import SCHEMES
from exporter.providers.variables import BUILT_IN
from exporter.schema.durations import Duration
from exporter.schema.fields import (
    Expression,
    HeaderName,
    HeaderText,
    LabelText,
    Link,
    Name,
    Paths,
    PathText,
    Printable,
    Scalar,
    Strict,
    TemplateText,
    Url,
    short,
    such_as,
)
from exporter.schema.problems import Location
from exporter.schema.validation import did_you_mean

Format = Literal["json", "text", "xml"]
"""How an answer is written."""

Category = Literal[
    "ai",
    "billing",
    "captcha",
    "cloud",
    "data",
    "domains",
    "email",
    "email-data",
    "gpu",
    "other",
    "payments",
    "proxy",
    "scraping",
    "sms",
    "voice",
]


class Credential(Strict):
    """One secret that an account at this provider must give."""

    description: str = Field(description="what it is, for the operator who looks for it")


class Param(Strict):
    """One value, not secret, that an account may give (`params`)."""

    description: str = Field(description="what it is")
    required: bool = Field(default=False, description="every account must give it")
    default: Printable | None = Field(default=None, description="its value where the account gives none")


class RawBody(Strict):
    """A body as it stands. The values of variables are escaped where `content_type` is one of XML or JSON."""

    content_type: Annotated[Printable, Field(min_length=1)] = Field(
        description="its Content-Type, such as `application/xml`"
    )
    text: TemplateText = Field(description="the body, a template")


def _mapping_or_list(value: Any) -> Any:
    if not isinstance(value, dict | list):
        raise ValueError("must be a mapping of keys to values, or a list")  # noqa: TRY004 - the schema library's rule
    return value


_BODIES = {"json": "json_body", "form": "form", "multipart": "multipart", "body": "body"}
"""The kinds of bodies, and where each stands in a request."""


class Call(Strict):
    """What is asked: everything but the host and the key."""

    method: Literal["GET", "POST"] = Field(default="GET", description="`GET` or `POST`")
    path: PathText = Field(description="what follows `base_url`; begins with /")
    query: dict[str, TemplateText] = Field(default={}, description="query of the URL")
    headers: dict[HeaderName, HeaderText] = Field(default={}, description="further headers")
    json_body: Annotated[dict[str, Any] | list[Any] | None, BeforeValidator(_mapping_or_list)] = Field(
        default=None, alias="json", description="JSON body, a mapping or a list"
    )
    form: dict[str, TemplateText] | None = Field(
        default=None, description="form body, in place of the other kinds"
    )
    multipart: dict[str, TemplateText] | None = Field(
        default=None, description="fields of a body of `multipart/form-data`, in place of the other kinds"
    )
    body: RawBody | None = Field(
        default=None, description="any other body, such as XML, in place of the other kinds; see below"
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = [name for name, attribute in _BODIES.items() if getattr(self, attribute) is not None]
        if len(given) > 1:
            raise ValueError(f"give {' or '.join(given)}, not {'both' if len(given) == 2 else 'all'}")  # noqa: PLR2004
        return self

    @property
    def fields(self) -> dict[str, Any] | None:
        """Return the fields by name that the body has, None where it has none."""
        kinds = (self.json_body, self.form, self.multipart)
        return next((fields for fields in kinds if isinstance(fields, dict)), None)

    def templates(self) -> Iterator[tuple[Location, str]]:
        """Yield every template of the request, and where in the request it stands."""
        parts = self.model_dump(include={"path", "path_with", "query", "headers", "form", "multipart"})
        body = {"text": self.body.text} if self.body else None
        yield from _texts(parts | {"json": self.json_body, "body": body})

    @property
    def changes(self) -> bool:
        """Return whether it may be another one each time, whatever the account gives."""
        return any(not BUILT_IN.isdisjoint(Template(text).get_identifiers()) for _, text in self.templates())


class Pages(Strict):
    """How further pages of an answer are asked for: by a token that each page gives of the next, or by number.

    `sum.items` and the `items` of wallets run over all pages, other paths over the first. There may be a hundred pages.
    """

    query: Annotated[str, Field(min_length=1)] = Field(description="field of the query that names the page")
    next: Expression | None = Field(
        default=None,
        description="where a page gives the token of the next; without `more`, a null or an empty text there ends",
    )
    more: Expression | None = Field(
        default=None, description="where a page says, by true or false, whether there is a next one"
    )
    number: bool = Field(default=False, description="in place of `next`: pages are asked for by number")
    from_: Annotated[int, Field(ge=0)] = Field(
        default=1, alias="from", description="number of the first page"
    )
    last: Expression | None = Field(
        default=None, description="where the first page gives the number of the last one"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        wanted, others = ("last", ("next", "more")) if self.number else ("next", ("last", "from_"))
        if odd := [name for name in others if name in self.model_fields_set]:
            kind = "number: true" if self.number else "a token"
            raise ValueError(f"{odd[0].rstrip('_')} does not go with {kind}")
        if getattr(self, wanted) is None:
            raise ValueError(
                "give last, where the number of the last page stands"
                if self.number
                else "give next, where the next page's token stands, or number: true and last"
            )
        return self

    def paths(self) -> Iterator[tuple[Location, str]]:
        """Yield the paths that are read from a page."""
        for name in ("next", "more", "last"):
            if path := getattr(self, name):
                yield (name,), path


class Request(Call):
    """The request: everything but the host and the credentials.

    Text values are templates: `${name}` is a credential or param, `$$` a dollar sign. An entry of `query`,
    `headers`, `json`, `form` or `multipart` whose param has no value is left out.

    There are variables besides, all in UTC: `${today}` and `${month_start}` (such as 2026-11-01), the same as whole
    seconds (`${today_unix}`, `${month_start_unix}`) and with a time (`${today_rfc3339}`, `${month_start_rfc3339}`: such
    as 2026-11-01T00:00:00Z), and `${uuid}`, which is another one for each request.
    """

    path_with: dict[Name, PathText] = Field(
        default={}, description="another path for accounts that give a param, by the param's name"
    )
    pages: Pages | None = Field(default=None, description="where an answer comes in pages, see below")


def _texts(value: Any) -> Iterator[tuple[Location, str]]:
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            for where, text in _texts(item):
                yield (key, *where), text


class TokenAuth(Strict):
    """The header `Authorization: Bearer KEY`."""

    type: Literal["bearer"] = Field(description="`bearer`")
    credential: Name = Field(default="api_key", description="the credential that is the key")


class FieldAuth(Strict):
    """The key in a header, a query field or a field of the JSON, form or multipart body."""

    type: Literal["header", "query", "body"] = Field(description="`header`, `query` or `body`")
    name: LabelText = Field(description="name of the header or field")
    prefix: Printable = Field(default="", description="what stands before the key, with its space")
    credential: Name = Field(default="api_key", description="the credential that is the key")


class BasicAuth(Strict):
    """HTTP basic authentication; both parts are templates, and either may be empty."""

    type: Literal["basic"] = Field(description="`basic`")
    username: TemplateText = Field(default="", description="the user, such as ${account_sid}")
    password: TemplateText = Field(default="", description="the password, such as ${auth_token}")


def _scheme(value: str) -> str:
    if value not in SCHEMES:
        raise ValueError(f"must be one of {', '.join(SCHEMES)}{did_you_mean(value, SCHEMES)}")
    return value


class SignedAuth(Strict):
    """A signature of each request, by a scheme that the exporter knows; the scheme names the credentials.

    Providers accept a signature for a few minutes, so that the machine's clock has to be right.
    """

    type: Literal["signed"] = Field(description="`signed`")
    scheme: Annotated[str, AfterValidator(_scheme), Field(json_schema_extra={"enum": sorted(SCHEMES)})] = (
        Field(
            description="name of the scheme, with its credentials: "
            + "; ".join(f"`{name}` ({', '.join(needs)})" for name, needs in SCHEMES.items())
        )
    )

    @property
    def credentials(self) -> tuple[str, ...]:
        """Return the names of the credentials that the scheme needs."""
        return SCHEMES[self.scheme]


Auth = TokenAuth | FieldAuth | BasicAuth | SignedAuth


def _final(value: int) -> int:
    if not (200 <= value < 300 or 400 <= value < 600):  # noqa: PLR2004 - the statuses of RFC 9110
        raise ValueError("must be an HTTP status from 200 to 299 or 400 to 599")
    return value


class Success(Strict):
    """What an answer must be before wallets are looked for in it; of several rules all must hold.

    `path` is read on success and error statuses alike.
    """

    statuses: list[Annotated[int, AfterValidator(_final)]] = Field(
        default=[], description="the statuses of a good answer; without it, 200 to 299"
    )
    path: Expression | None = Field(
        default=None, description="where the body says whether the request succeeded"
    )
    equals: list[Scalar] = Field(
        default=[],
        description="values there that mean success; another of the same JSON type is the provider's error, "
        "anything else is malformed",
    )
    errors: list[Scalar] = Field(
        default=[], description="values there that mean an error; with or without `equals`, only these do"
    )
    absent: bool = Field(
        default=False, description="instead of `equals` and `errors`: any value there is an error"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.path is not None) != bool(self.equals or self.errors or self.absent):
            raise ValueError("path goes with equals, errors or absent")
        if self.absent and (self.equals or self.errors):
            raise ValueError("absent does not go with equals or errors")
        if {(type(one), one) for one in self.equals} & {(type(one), one) for one in self.errors}:
            raise ValueError("equals and errors share a value")
        return self


def _as_list(value: Any) -> Any:
    if value is not None and not isinstance(value, dict | list):
        raise ValueError("must be a mapping of keys to values, or a list of them")
    return [value] if isinstance(value, dict) else value


Rules = Annotated[list[Success], BeforeValidator(_as_list, json_schema_input_type=Success | list[Success])]


def accepts(rules: Iterable[Success], status: int) -> bool:
    """Return whether an HTTP status is one of success by all the rules."""
    listed = [rule.statuses for rule in rules if rule.statuses]
    return all(status in statuses for statuses in listed) if listed else 200 <= status < 300  # noqa: PLR2004


class First(Call):
    """A request before the other, with the same key: for what the other needs, such as an account's id.

    Its document is `"$first"` in all paths of the wallets. `errors` counts for both answers; a failure of the first is
    the account's.
    """

    gives: dict[Name, Expression] = Field(
        default={},
        description="paths of texts or whole numbers, by the names of the variables that `request` has them by",
    )
    success: Rules = Field(default=[], description="as that of the file, for the first answer alone")


def _unsuccessful(value: int) -> int:
    if not 400 <= value < 600:  # noqa: PLR2004 - the statuses of errors in RFC 9110
        raise ValueError("must be an HTTP status from 400 to 599")
    return value


class Errors(Strict):
    """Which of the provider's error codes and HTTP statuses have a reason of their own.

    A code that is listed counts before every rule of success, whatever the status.
    """

    code: Paths = Field(default=["code"], description="where a code stands; each place is looked at")
    auth: list[Scalar] = Field(default=[], description="codes of a wrong key")
    rate_limited: list[Scalar] = Field(default=[], description="codes of too many calls")
    exhausted: list[Scalar] = Field(default=[], description="codes that say that nothing is left")
    statuses: dict[Annotated[int, AfterValidator(_unsuccessful)], Reason] = Field(
        default={}, description="reasons by HTTP status, in place of the usual ones, such as `402: exhausted`"
    )


def _fixed(value: str) -> str:
    if "${" in value:
        raise ValueError(
            "holds ${, but no variable is put into a base_url; an account may give a base_url of its own"
        )
    return value


class Given(Strict):
    """What a login gives: a text of its answer, or one of the answer's headers."""

    path: Paths | None = Field(default=None, description="where it stands")
    header: HeaderName | None = Field(default=None, description="the header that it is")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.header is None):
            raise ValueError("give exactly one of path and header")
        return self


class Login(Call):
    """A request that exchanges credentials for a token, which takes the place of a key.

    The token is kept for its lifetime, or until it is refused: then it is fetched anew, once, and the account asked
    once more. In an answer with HTTP status 400, an `error` of `invalid_client`, `invalid_grant` or
    `unauthorized_client` means `auth`, as OAuth 2 has it.
    """

    base_url: Annotated[Url, AfterValidator(_fixed)] | None = Field(
        default=None, description="another base URL than that of the other requests"
    )
    auth: Annotated[Auth, Field(discriminator="type")] | None = Field(
        default=None, description="where a credential goes; may be left out where the request has it"
    )
    gives: Annotated[dict[Name, Annotated[Given, short("path")]], Field(min_length=1)] = Field(
        description="paths or headers of tokens, by the names of the variables that the other requests have them by"
    )
    lifetime: Expression | None = Field(
        default=None, description="where the answer says for how many seconds they are good"
    )
    answer: Format | None = Field(
        default=None, description="format of its answer, where it is not that of the others"
    )
    success: Rules = Field(default=[], description="as that of the file, for its answer alone")
    errors: Errors = Field(default=Errors(), description="as that of the file, for its answer alone")

    def variables(self) -> set[str]:
        """Return the names of the variables that go into it, that of the key among them."""
        texts = [text for _, text in self.templates()]
        if isinstance(self.auth, BasicAuth):
            texts += [self.auth.username, self.auth.password]
        own = {name for text in texts for name in Template(text).get_identifiers()}
        if isinstance(self.auth, SignedAuth):
            own.update(self.auth.credentials)
        return own | ({self.auth.credential} if isinstance(self.auth, TokenAuth | FieldAuth) else set())


def _hinted(value: str) -> str:
    if value not in {*Reason} and not (value.isascii() and value.isdigit() and 100 <= int(value) < 600):  # noqa: PLR2004
        raise ValueError(f"must be an HTTP status or a reason: {', '.join(Reason)}")
    return value


class Definition(Strict):
    """A provider: one file, whose name without the ending is the provider's name."""

    title: str = Field(description="the provider's name for people")
    category: Category | None = Field(default=None, description="what is paid for; the list is ordered by it")
    aliases: list[LabelText] = Field(default=[], description="other names that people look for")
    documentation: list[Link] = Field(description="pages of the provider's documentation")
    sources: list[Link] = Field(
        default=[], description="where else the answer was seen, such as clients whose code is public"
    )
    confidence: Literal["documented", "observed"] = Field(
        description="`documented` by the provider, or only `observed`"
    )
    looked_up: date | None = Field(
        default=None, description="the day when documentation and sources were last read, such as 2026-11-27"
    )
    min_interval: Duration | None = Field(
        default=None, description="how often to ask at most, as a recommendation to operators"
    )
    dashboard_url: Link | None = Field(default=None, description="where people see the account")
    topup_url: Link | None = Field(default=None, description="where people top up")
    notes: list[str] = Field(default=[], description="what an operator should know")
    credentials: Annotated[
        dict[Name, Annotated[Credential, such_as("description: ...")]], Field(min_length=1)
    ] = Field(description="the secrets, by name: an account gives `NAME_file`, `NAME_env` or `NAME`")
    params: dict[Name, Annotated[Param, such_as("description: ...")]] = Field(
        default={}, description="values that are not secret, by name"
    )
    exactly_one: list[list[Name]] = Field(
        default=[], description="groups of params of which an account gives exactly one"
    )
    base_url: Annotated[Url, AfterValidator(_fixed)] = Field(
        description="https://, the host and what every path begins with"
    )
    login: Login | None = Field(
        default=None, description="a request for a token in place of a fixed key, see below"
    )
    first: First | None = Field(default=None, description="a request before the other, see below")
    request: Annotated[Request, such_as("path: /balance")] = Field(description="see below")
    auth: Annotated[Annotated[Auth, Field(discriminator="type")] | None, such_as("type: bearer")] = Field(
        default=None,
        description="where the key goes, see below; may be left out where the request has it, as in `/${api_key}/info`",
    )
    answer: Format = Field(
        default="json",
        description="format of the answer: `json`, `text` (the document is `{text: ...}`), or `xml` (the root by its "
        'name, attributes as `"@name"`, text beside them as `"#text"`, repeated elements as a list)',
    )
    lists: list[str] = Field(
        default=[], description="elements of an answer in XML that are lists even where there is one of them"
    )
    success: Rules = Field(default=[], description="a rule, or a list of them, see below")
    errors: Errors = Field(default=Errors(), description="see below")
    hints: dict[Annotated[str, AfterValidator(_hinted)], str] = Field(
        default={}, description="advice to the operator, by HTTP status or by reason of the failure"
    )
    wallets: Annotated[
        list[WalletMapping],
        BeforeValidator(_as_list, json_schema_input_type=WalletMapping | list[WalletMapping]),
        Field(min_length=1),
    ] = Field(description="one mapping, or a list of them: where the amounts stand, see below")

    @property
    def source(self) -> str | None:
        """Return the first page that says what is answered: of the provider, else of somebody else."""
        return next(iter([*self.documentation, *self.sources]), None)

    def hint(self, reason: str, status: int | None) -> str:
        """Return the advice on a failure, of its HTTP status before that of its reason; empty without any."""
        return self.hints.get(str(status)) or self.hints.get(reason, "")

    @property
    def needs_base_url(self) -> bool:
        """Return whether no host is right for all, so that the operator must name his: `.invalid` never resolves."""
        return (urlsplit(self.base_url).hostname or "").endswith(".invalid")

    @property
    def needs_currency(self) -> bool:
        """Return whether the operator must name the currency, since the answer does not."""
        return any(wallet.currency is None for wallet in self.wallets)

    def auth_of(self, call: Call) -> Auth | None:
        """Return how a request is authenticated: a login has a way of its own."""
        return call.auth if isinstance(call, Login) else self.auth

    def calls(self) -> Iterator[tuple[str, Call]]:
        """Yield what is asked, in its order, with the key that it stands under."""
        if self.login:
            yield "login", self.login
        if self.first:
            yield "first", self.first
        yield "request", self.request
