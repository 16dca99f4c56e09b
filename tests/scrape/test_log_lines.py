"""What the log says of accounts, and a log that cannot be written: it costs log lines and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from exporter import log
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.desk import Eventually, MakeDesk, MakeUpstream


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_full_disk_under_the_log_costs_no_account(
    upstream: MakeUpstream,
    desk: MakeDesk,
    eventually: Eventually,
    listening_port: Callable[[int], int],
    form: str,
) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status="500 X"))
    file = desk(server.url).file
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}", f"--log.format={form}"]
    command += ["--web.listen-address=127.0.0.1:0"]

    def page() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"})
            return connection.getresponse().read().decode()

    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(command, cwd=file.parent, stdout=full, stderr=full)
    try:
        port = listening_port(process.pid)
        eventually(
            lambda: (
                'prepaid_account_failure{provider="apimall",account="mall",reason="http_status"} 1.0'
                in page()
            )
        )
        server.answer = lambda peer, _: peer.answer()
        eventually(lambda: 'prepaid_account_up{provider="apimall",account="mall"} 1.0' in page())
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """Return all lines about accounts that have been written so far."""
    log.configure("info", "logfmt")
    written: list[str] = []

    def lines() -> list[str]:
        written.append(capsys.readouterr().err)
        return [line for line in "".join(written).splitlines() if "account=" in line]

    yield lines
    structlog.reset_defaults()


def test_a_scrape_that_asks_nobody_writes_what_became_of_the_account_in_the_last_minute(
    upstream: MakeUpstream,
    desk: MakeDesk,
    eventually: Eventually,
    logged: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    key = tmp_path / "key"
    key.write_text("wrong")
    server = upstream(lambda peer, _: peer.answer(status="401 X"))
    running = desk(mall={"base_url": server.url, "min_interval": "1h", "api_key_file": str(key)})
    running.metrics()
    eventually(lambda: len(logged()) == 1)
    server.answer = lambda peer, _: peer.answer()
    key.write_text("right")
    assert [running.metrics().up() for _ in range(5)] == [1] * 5
    running.clock.advance(59)
    running.metrics()
    assert len(logged()) == 1
    running.clock.advance(1)
    running.metrics()
    eventually(lambda: len(logged()) == 2)
    assert "account is up again" in logged()[1]
    running.clock.advance(600)
    running.metrics()
    assert (len(server.requests), len(logged())) == (2, 2)


def test_an_answer_with_a_thousand_mistakes_is_one_short_line(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, logged: Callable[[], list[str]]
) -> None:
    wallets = [{"id": f"w{number}", "currency": "EUR", "balance": 1} for number in range(1000)]
    odd = json.dumps([{**wallet, "unpaid_invoices_amount": "many"} for wallet in wallets])
    server = upstream(lambda peer, _: peer.answer(odd.encode()))
    running = desk(acme={"provider": "flexprice", "params": {"id": "c1"}, "base_url": server.url})
    assert running.metrics().all("prepaid_balance") == [1] * 1000
    eventually(lambda: len(logged()) == 1)
    assert len(logged()[0]) <= 500
    assert logged()[0].startswith("ts=")
