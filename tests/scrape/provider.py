"""A provider whose answers are written down by path, and an account there, asked over real sockets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter import config
from exporter.scrape.collector import Collector
from exporter.upstream.client import Client
from tests.peers import Asked, Peer, Upstream

Answers = dict[str, Any]
"""What is answered by path: a document, a status with a document, a list of these to be used up, or a function."""

KEY = "the-invented-key"


class Provider:
    """Answers as `answers` says, and keeps what was asked."""

    def __init__(self, answers: Answers, server: Upstream) -> None:
        self.answers = answers
        self.server = server
        server.answer = self._answer

    @property
    def asked(self) -> list[str]:
        """Return the paths asked for, with their queries."""
        return [one.line.split()[1] for one in self.server.requests]

    def _answer(self, peer: Peer, asked: Asked) -> None:
        answer = self.answers[asked.line.split()[1].partition("?")[0]]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer(peer, asked)
            return
        status, body, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        peer.answer(written, f"{status} Whatever", **headers)


def account(folder: Path, url: str, definition: dict[str, Any], **settings: Any) -> config.Account:
    """Load an account at a provider of one's own; the definition is good but for the parts given."""
    whole = {
        "title": "Acme",
        "documentation": ["https://example.com"],
        "confidence": "observed",
        "credentials": {"api_key": {"description": "key"}},
        "base_url": "https://acme.example.com",
        "auth": {"type": "bearer"},
        "wallets": {"currency": {"literal": "EUR"}, "balance": "balance"},
        **definition,
    }
    (folder / "acme.yml").write_text(json.dumps(whole))
    keys = {name: f"{KEY}-{name}" if name != "api_key" else KEY for name in whole["credentials"]}
    entry = {"name": "acme", "provider": "acme", "base_url": url, "timeout": "5m", **keys, **settings}
    entry = {name: value for name, value in entry.items() if value is not None}
    file = folder / "prepaid.yml"
    file.write_text(json.dumps({"provider_files": ["acme.yml"], "accounts": [entry]}))
    (loaded,) = config.load(file).accounts
    return loaded


Ask = Callable[..., tuple[Collector, Provider]]


def make(folder: Path, server: Upstream, client: Client) -> Ask:
    """Return what makes the collector of such an account, and its provider."""

    def ask(
        answers: Answers, settings: dict[str, Any] | None = None, **definition: Any
    ) -> tuple[Collector, Provider]:
        provider = Provider(answers, server)
        return Collector(account(folder, server.url, definition, **(settings or {})), client), provider

    return ask
