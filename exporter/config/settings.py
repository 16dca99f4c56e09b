"""The schema of the operator's file: its keys, their types and what each of them means."""

import math
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from exporter.model import Level
from exporter.schema.durations import Duration
from exporter.schema.fields import (
    LabelText,
    Link,
    Strict,
    Unit,
    Url,
    host_url,
    label,
    list_such_as,
    printable,
    such_as,
)

_LONGEST = 86400.0


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _positive(value: float) -> float:
    if not 0 < value <= _LONGEST:
        raise ValueError("must be longer than 0s and at most 1d")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - the schema library wants ValueError
    return value


def _levels(value: Any) -> Any:
    """Refuse `{critical: 1,000}`, which YAML reads as a level and a key of its own without a value."""
    if isinstance(value, dict) and any(
        amount is None and str(key)[:1].isdigit() for key, amount in value.items()
    ):
        raise ValueError(
            "has a comma in a number, which begins the next key; write 1000 for 1,000 and 12.5 for 12,5"
        )
    return value


def _by_wallet(value: Any) -> Any:
    """Refuse levels in the place of wallets."""
    if isinstance(value, dict) and any(
        key in list(Level) and not isinstance(inner, dict) for key, inner in value.items()
    ):
        raise ValueError("needs a wallet or currency around the levels, such as {EUR: {critical: 25}}")
    return value


def _representable(value: Decimal) -> Decimal:
    if not math.isfinite(float(value)):
        raise ValueError("must be a finite number")
    return value


def _param(value: Any) -> Any:
    if not isinstance(value, str | int | Decimal | None):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004 - as above
    if value in (".", ".."):
        raise ValueError("must not be . or .., which would change the path of a request")
    return printable(value) if isinstance(value, str) else value


def _proxy(value: str) -> str:
    parts = urlsplit(host_url(value))
    if parts.path.strip("/") or {"?", "#"} & set(value):
        raise ValueError("must name a proxy alone: no path, query or fragment")
    user = unquote(parts.netloc.rpartition("@")[0])
    try:
        user.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("has a user or password that HTTP cannot carry: only ISO 8859-1") from None
    return value


AccountName = Annotated[str, StringConstraints(max_length=128), AfterValidator(label)]
Amount = Annotated[Decimal, BeforeValidator(_number), AfterValidator(_representable)]
ThresholdsSetting = Annotated[
    dict[Level, Amount], BeforeValidator(_levels), such_as("warning: 100, critical: 25")
]
Currency = Annotated[Unit, BeforeValidator(_upper)]
Timeout = Annotated[Duration, AfterValidator(_positive)]
Boolean = Annotated[bool, Field(strict=True)]
FileName = Annotated[str, StringConstraints(min_length=1)]
Proxy = Annotated[str, AfterValidator(_proxy)]
RunwaySetting = Annotated[
    dict[Literal["warning", "critical"], Duration], such_as("warning: 3d, critical: 1d")
]
Param = Annotated[
    Any, AfterValidator(_param), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]


class DefaultSettings(Strict):
    """What holds for every account that does not say otherwise."""

    timeout: Timeout = Field(
        default=10.0,
        description="longest time that one collection may take",
        json_schema_extra={"default": "10s"},
    )
    min_interval: Duration | None = Field(
        default=None,
        description="an answer younger than this is used again, and a failing account waits; "
        "`0s` turns both off; without it what the provider's definition recommends, else 30s",
    )
    runway: RunwaySetting = Field(
        default={},
        description="how long the money must last, by level: `warning`, three days unless it is given, and "
        "`critical`, one day",
    )
    proxy_url: Proxy | None = Field(
        default=None, description="HTTP proxy; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count"
    )
    ca_file: FileName | None = Field(
        default=None,
        description="PEM file of the authorities to trust, in place of the public ones or what SSL_CERT_FILE, "
        "SSL_CERT_DIR or REQUESTS_CA_BUNDLE name",
    )
    allow_http: Boolean = Field(default=False, description="let keys travel unencrypted to another host")


class AccountSettings(Strict):
    """One account; its credentials (`api_key_file`, `api_key_env` or `api_key`) come on top of these keys."""

    name: AccountName = Field(description="name of the account: label `account` of its series")
    provider: str = Field(description="built-in provider, or the name of a file of `provider_files`")
    params: Annotated[dict[str, Param], such_as("NAME: ...")] = Field(
        default={}, description="values that the provider's definition declares"
    )
    currency: Currency | None = Field(
        default=None, description="currency of the wallet, where the provider's answer does not say which"
    )
    thresholds: ThresholdsSetting = Field(
        default={}, description="low-balance thresholds of every wallet, by level: info, warning, critical"
    )
    wallet_thresholds: Annotated[
        dict[LabelText, ThresholdsSetting], BeforeValidator(_by_wallet), such_as("EUR: {critical: 25}")
    ] = Field(default={}, description="thresholds of one wallet id or one currency, in place of `thresholds`")
    ignore_wallets: Annotated[list[LabelText], list_such_as("USD")] = Field(
        default=[], description="wallet ids and currencies that are left out: no samples, no state"
    )
    runway: RunwaySetting = Field(default={}, description="by level, in place of `defaults.runway`")
    timeout: Timeout | None = Field(default=None, description="in place of `defaults.timeout`")
    min_interval: Duration | None = Field(default=None, description="in place of `defaults.min_interval`")
    base_url: Url | None = Field(
        default=None, description="replaces everything before the endpoint's own path"
    )
    login_base_url: Url | None = Field(
        default=None, description="the same for the login of a provider that has it at another place"
    )
    allow_http: Boolean | None = Field(default=None, description="in place of `defaults.allow_http`")
    ca_file: FileName | None = Field(default=None, description="in place of `defaults.ca_file`")
    proxy_url: Proxy | None = Field(default=None, description="in place of `defaults.proxy_url`")
    dashboard_url: Link | None = Field(
        default=None, description="where people see the account; in place of the provider's"
    )
    topup_url: Link | None = Field(
        default=None, description="where people top up; in place of the provider's"
    )


class FileSettings(Strict):
    """The operator's file."""

    defaults: DefaultSettings = Field(default=DefaultSettings(), description="what holds for every account")
    provider_files: Annotated[list[str], list_such_as("providers/*.yml")] = Field(
        default=[], description="own definitions; patterns relative to this file"
    )
    accounts: list[AccountSettings] = Field(description="the accounts to ask; names must differ")
