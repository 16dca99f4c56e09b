"""What passes between the HTTP side and a simulated provider: requests, answers and ways to fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from email.message import Message
from typing import Literal, get_args

from exporter.simulator.world import Wallet

Mode = Literal["unauthorized", "forbidden", "rate_limited", "server_error", "error_body", "garbage", "hang"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Request:
    """One request as received: the path without its query, and each query field's first value."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer: `body` is sent as JSON, or as it stands where it is bytes."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


GARBAGE = Answer(200, b"<html><body>We are upgrading our platform.</body></html>")


@dataclass(frozen=True)
class Provider:
    """A simulated company: where its API lives, what it answers, and how it words each failure.

    `respond` gets the request, the key that is right, and the wallets by name. `refusals` has an answer
    for each mode that the provider words itself, which are all but `garbage` and `hang`.
    """

    base_path: str
    key: str
    wallets: Callable[[], dict[str, Wallet]]
    respond: Callable[[Request, str, Mapping[str, Wallet]], Answer]
    refusals: Mapping[Mode, Answer]


def number(value: Decimal | None) -> int | float | None:
    """Return an amount as JSON writers write it: 5000 rather than 5000.0."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
