"""Answers to the byte, and how an account is that got them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.desk import Page
    from tests.peers import Answer, Asked, Peer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

BODY = json.dumps({"success": True, "data": {"credits": 7, "api_credits": 7}}).encode()

TIMEOUT = "400ms"

Scrape = Callable[..., Any]


def raw(*parts: bytes) -> Answer:
    """Send these bytes, then end the connection."""

    def answer(peer: Peer, _: Asked) -> None:
        for part in parts:
            peer.send(part)
        peer.close()

    return answer


def encoded(coding: str, body: bytes) -> Answer:
    return lambda peer, _: peer.answer(body, Content_Encoding=coding)


def down(page: Page, reason: str) -> bool:
    """Return whether the account is down for this reason and nothing of a wallet is left on the page."""
    assert page.reason() == reason
    assert not page.wallet_samples()
    return page.up() == 0
