"""The processes that a benchmark runs, all on loopback: the upstream, the exporter, and others that do such work."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from scripts import go_tools

HERE = Path(__file__).resolve().parent
KEY = "bench-key"
PROVIDERS = ("coldmailreseller", "smspubli", "flexprice", "apimall")

_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}
"""What Prometheus 2.42 sends."""

_START_LIMIT = 10.0


class Page:
    """A kept connection to a process, as Prometheus keeps one."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fetch(self, path: str, headers: dict[str, str] = _PROMETHEUS) -> bytes:
        """Return the body of a page; anything but 200 ends the benchmark."""
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"GET {path} was answered with {answer.status}")
        return body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass
class Program:
    """A running process that listens on `port`."""

    process: subprocess.Popen[str]
    port: int

    def page(self) -> Page:
        """Connect to it."""
        return Page(self.port)

    def processor_seconds(self) -> float:
        """Return the user and system time of the process so far, finer than /proc rounds it.

        The clock's number is made from the process's as clock_getcpuclockid(3) makes it.
        """
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def megabytes(self, field: str = "VmRSS") -> float:
        """Return the resident memory now (`VmRSS`) or at its highest (`VmHWM`), in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{field}:\s*(\d+) kB", status)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def __enter__(self) -> Self:
        """Leave the process running."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


@dataclass
class Upstream(Program):
    """The provider that all are asked of; on the ports of `closing` it ends the connection after each answer."""

    tls_port: int
    closing: tuple[int, int]

    def counts(self) -> dict[str, Any]:
        """Return the requests of each account and the number of connections since the last call."""
        page = self.page()
        found: dict[str, Any] = json.loads(page.fetch("/counts"))
        page.close()
        return found


def upstream(certificate: Path) -> Upstream:
    """Start the provider."""
    process = _started([sys.executable, str(HERE / "upstream.py"), str(certificate)], stdout=subprocess.PIPE)
    line = process.stdout.readline() if process.stdout else ""
    plain, tls, *closing = map(int, line.split())
    return Upstream(process, plain, tls, (closing[0], closing[1]))


@dataclass(frozen=True)
class Accounts:
    """Accounts in even parts at all providers, at an upstream that answers after `delay` milliseconds."""

    count: int
    delay: int
    upstream: Upstream
    authority: Path
    tls: bool = False
    closing: bool = False

    def base_urls(self) -> Iterator[tuple[str, str]]:
        """Yield the provider and the base URL of each account."""
        kept = self.upstream.port, self.upstream.tls_port
        port = (self.upstream.closing if self.closing else kept)[self.tls]
        scheme = "https" if self.tls else "http"
        for number in range(self.count):
            yield (
                PROVIDERS[number % len(PROVIDERS)],
                f"{scheme}://127.0.0.1:{port}/{self.delay}/account-{number}",
            )

    def configuration(self, min_interval: str) -> str:
        """Write the accounts as the exporter reads them."""
        own: dict[str, dict[str, object]] = {
            "coldmailreseller": {"currency": "INR"},
            "flexprice": {"params": {"id": "cust_01"}},
        }
        trust = {"ca_file": str(self.authority)} if self.tls else {}
        accounts = [
            {
                "name": url.rpartition("/")[2],
                "provider": provider,
                "api_key": KEY,
                "base_url": url,
                **own.get(provider, {}),
                **trust,
            }
            for provider, url in self.base_urls()
        ]
        return json.dumps({"defaults": {"min_interval": min_interval}, "accounts": accounts})

    def probes(self) -> list[str]:
        """Return the paths by which Prometheus would have a prober ask the same, one an account."""
        endpoints = {
            "coldmailreseller": "/wallet/get-balance",
            "smspubli": "/account/get-balance",
            "flexprice": "/customers/wallets?id=cust_01&include_real_time_balance=true"
            "&expand=credits_available_breakdown",
            "apimall": "/account/balances",
        }
        return [
            f"/probe?module={provider}&target={quote(url + endpoints[provider], safe='')}"
            for provider, url in self.base_urls()
        ]


class LargeAccounts(Accounts):
    """Accounts of a thousand wallets each: two of them make a page of five megabytes."""

    def configuration(self, min_interval: str) -> str:
        """Write the accounts as the exporter reads them."""
        accounts = [
            {
                "name": f"large-{number}",
                "provider": "flexprice",
                "api_key": KEY,
                "params": {"id": "cust_01"},
                "base_url": f"http://127.0.0.1:{self.upstream.port}/{self.delay}/large-{number}",
            }
            for number in range(self.count)
        ]
        return json.dumps({"defaults": {"min_interval": min_interval}, "accounts": accounts})


@contextmanager
def exporter(folder: Path, accounts: Accounts, min_interval: str = "0s", *flags: str) -> Iterator[Program]:
    """Run the installed exporter."""
    file = folder / "prepaid.yml"
    file.write_text(accounts.configuration(min_interval), encoding="utf-8")
    command = str(Path(sys.executable).with_name("prepaid-exporter"))
    process = _started(
        [command, "serve", "--config.file", str(file), "--web.listen-address", "127.0.0.1:0", *flags],
        stderr=subprocess.PIPE,
    )
    lines: list[str] = []
    while not (found := re.search(r"msg=listening url=(\S+)", lines[-1] if lines else "")):
        lines.append(process.stderr.readline() if process.stderr else "")
        if not lines[-1]:
            raise SystemExit(f"the exporter did not start: {lines}")
    with Program(process, urlsplit(found[1]).port or 0) as running:
        yield running


_REQUESTS: dict[str, dict[str, Any]] = {
    "coldmailreseller": {"headers": {"cmr-x-api-key": KEY}},
    "smspubli": {"headers": {"Content-Type": "application/json"}, "body": json.dumps({"api_key": KEY})},
    "flexprice": {"headers": {"x-api-key": KEY}},
    "apimall": {"headers": {"Authorization": f"Bearer {KEY}"}},
}
"""What all of them send to a provider, beside its path."""


def _blackbox_configuration(authority: Path) -> dict[str, Any]:
    common = {
        "fail_if_body_not_matches_regexp": ['"(api_credits|balance)": *"?[0-9]'],
        "preferred_ip_protocol": "ip4",
        "tls_config": {"ca_file": str(authority)},
    }
    method = {"smspubli": {"method": "POST"}}
    return {
        name: {"prober": "http", "http": {**request, **method.get(name, {}), **common}}
        for name, request in _REQUESTS.items()
    }


def _json_configuration(authority: Path) -> dict[str, Any]:
    paths = {
        "coldmailreseller": "{ .data.balance }",
        "smspubli": "{ .result.balance }",
        "flexprice": "{ [0].real_time_balance }",
        "apimall": "{ .data.api_credits }",
    }
    modules = {
        name: {
            **request,
            "metrics": [{"name": "balance", "path": paths[name]}],
            "http_client_config": {"tls_config": {"ca_file": str(authority)}},
        }
        for name, request in _REQUESTS.items()
    }
    modules["smspubli"]["body"] = {"content": modules["smspubli"]["body"]}  # what has a body is posted
    return modules


@dataclass(frozen=True)
class Prober:
    """Another exporter that is asked for one account at a time, by a module for each provider."""

    name: str
    program: str
    configuration: Callable[[Path], dict[str, Any]]
    succeeded: bytes
    """What its page says of a balance that was read."""

    def installed(self) -> bool:
        """Return whether it can be measured here."""
        return shutil.which(self.program) is not None

    @contextmanager
    def run(self, folder: Path, authority: Path) -> Iterator[Program]:
        """Run it."""
        file = folder / f"{Path(self.program).name}.yml"
        file.write_text(json.dumps({"modules": self.configuration(authority)}), encoding="utf-8")
        port = _free_port()
        process = _started(
            [self.program, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"],
            stderr=subprocess.DEVNULL,
        )
        with Program(process, port) as running:
            _await_port(running)
            yield running


BLACKBOX = Prober(
    "blackbox exporter of Debian 12",
    "prometheus-blackbox-exporter",
    _blackbox_configuration,
    b"\nprobe_success 1",
)
PROBERS = (
    BLACKBOX,
    Prober(
        "blackbox exporter 0.27",
        str(go_tools.kept("blackbox_exporter") / "blackbox_exporter"),
        _blackbox_configuration,
        b"\nprobe_success 1",
    ),
    Prober(
        "json_exporter 0.7",
        str(go_tools.kept("json_exporter") / "json_exporter"),
        _json_configuration,
        b"\nbalance ",
    ),
)


def _started(command: Sequence[str], **streams: int) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(command, text=True, **streams)  # type: ignore[call-overload,no-any-return] # noqa: S603
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is not installed") from None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_port(program: Program) -> None:
    end = time.monotonic() + _START_LIMIT
    while time.monotonic() < end:
        try:
            return program.page().close()
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise SystemExit(f"{program.process.args!r} did not start")
