"""The provider of the benchmark: its own process, kept connections, a delay named in the path, and counters.

`/DELAY_MS/ACCOUNT/...` answers as the provider does whose endpoint ends the path; `/counts` tells, since it was last
asked, the requests of each account, the connections, and the seconds that the slowest answer took, which on a busy
machine is more than its delay. Prints its four ports when it listens: plain and TLS, and both again where each answer
ends its connection.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

_ANSWERS: dict[str, Any] = {
    "wallet/get-balance": {
        "status": 200,
        "message": "OK",
        "data": {"balance": 1520.75, "autoRechargeAmount": 5000, "threshold": 1000},
    },
    "account/get-balance": {"status": "ok", "result": {"balance": "102.6330", "currency": "EUR"}},
    "customers/wallets": [
        {
            "id": "wallet_01",
            "customer_id": "cust_01",
            "name": "Prepaid",
            "currency": "usd",
            "balance": "120.50",
            "credit_balance": "120.50",
            "real_time_balance": "117.25",
            "real_time_credit_balance": "117.25",
            "wallet_status": "active",
            "wallet_type": "PRE_PAID",
            "conversion_rate": "1",
            "current_period_usage": "3.25",
            "unpaid_invoices_amount": "0",
            "alert_state": "ok",
            "auto_topup": {"enabled": True, "threshold": "50", "amount": "100"},
            "alert_settings": {
                "alert_enabled": True,
                "critical": {"threshold": "20", "condition": "below"},
                "warning": {"threshold": "60", "condition": "below"},
            },
            "credits_available_breakdown": {"free": "17.25", "purchased": "100.00"},
        }
    ],
    "account/balances": {
        "success": True,
        "data": {"credits": 120, "api_credits": 120},
        "request_id": "req_01HQ9M7J7X9P7Y8T6W5V4U3S2R",
    },
}


def _packed(document: object) -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _announced(answer: bytes) -> bytes:
    return answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


_PACKED = {path: _packed(document) for path, document in _ANSWERS.items()}
_WALLETS = _ANSWERS["customers/wallets"]
_LARGE = _packed([{**_WALLETS[0], "id": f"wallet_{number}"} for number in range(1000)])
"""What an account gets whose name begins so."""


@dataclass
class _Counters:
    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    slowest: float = 0.0

    def told(self) -> bytes:
        answer = _packed(vars(self))
        vars(self).update(vars(_Counters()))
        return answer


class _Connection(asyncio.Protocol):
    def __init__(self, counters: _Counters, *, closing: bool) -> None:
        self._counters = counters
        self._closing = closing
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._counters.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap or len(body) < _length(head):
            return
        self._received = b""
        _, delay, *rest = head.split(b" ", 2)[1].decode().partition("?")[0].split("/", 3)
        if delay == "counts":
            self._write(self._counters.told())
            return
        account, endpoint = rest
        self._counters.requests[account] += 1
        answer = _LARGE if account.startswith("large") else _PACKED[endpoint]
        if delay == "0":
            self._write(answer)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(int(delay) / 1000, self._answer, answer, loop.time())

    def _answer(self, answer: bytes, received: float) -> None:
        self._write(answer)
        taken = asyncio.get_running_loop().time() - received
        self._counters.slowest = max(self._counters.slowest, taken)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing() and isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(_announced(answer) if self._closing else answer)
            if self._closing:
                self._transport.close()


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def _serve(certificate: str) -> None:
    counters = _Counters()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(
            partial(_Connection, counters, closing=closing), "127.0.0.1", 0, ssl=tls, backlog=4096
        )
        for closing in (False, True)
        for tls in (None, context)
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    sys.stdout.write("{} {} {} {}\n".format(*ports))
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
