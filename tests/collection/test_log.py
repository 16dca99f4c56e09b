"""A log that cannot be written costs log lines and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.collection.conftest import Eventually, MakeDesk, MakeUpstream

PATIENCE = 120


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
