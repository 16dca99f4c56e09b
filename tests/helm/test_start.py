"""The container's command line, run for real: it starts, the kubelet's probes succeed, and Prometheus gets its page."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bcrypt
import click
import pytest
import trustme
from requests import Response

from exporter import cli
from tests import programs

pytestmark = pytest.mark.slow

Kind = Callable[..., dict[str, Any]]
Mount = Callable[..., Path]


@contextmanager
def running(args: list[str]) -> Iterator[str]:
    """Run the exporter with the container's arguments on a port of loopback; yield its URL."""
    here = [arg.replace("=:10710", "=127.0.0.1:0") for arg in args]
    assert here != args
    command = [sys.executable, "-c", "from exporter.cli import main; main()", *here]
    says = r"(https?://127\.0\.0\.1:\d+)(?:/metrics |[^/\d])"
    with (
        TemporaryDirectory() as folder,
        programs.running(command, Path(folder) / "exporter.log", says) as url,
    ):
        yield url


def answer(
    url: str, path: str, *, authority: Path | None = None, user: tuple[str, str] | None = None
) -> Response:
    """Ask the exporter, whatever proxy the desk has; over TLS where an authority is given."""
    assert url.startswith("https:" if authority else "http:")
    return programs.fetch(url + path, auth=user, verify=str(authority) if authority else True)


def probe_paths(container: dict[str, Any]) -> list[str]:
    return [container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]


@pytest.fixture
def container(kind: Kind) -> Kind:
    """Return the container for values."""
    return lambda values: kind("Deployment", values)["spec"]["template"]["spec"]["containers"][0]


def test_the_program_knows_every_flag_of_every_values_file(
    container: Kind, ci_values: dict[str, Any]
) -> None:
    command, *flags = container(ci_values)["args"]
    outer = cli.main.make_context("prepaid-exporter", [command, *flags])
    _, known, _ = cli.main.resolve_command(outer, [command])
    assert known
    # Inside of the program's own: a command keeps the first option of help that it makes.
    context = known.make_context(command, list(flags), parent=outer)
    given = {
        parameter.name
        for parameter in known.params
        if context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    }
    assert len(given) == len(flags)


def test_the_demo_starts_and_shows_balances(container: Kind) -> None:
    rendered = container({"demo": {"enabled": True}})
    with running(rendered["args"]) as url:
        assert [answer(url, path).status_code for path in probe_paths(rendered)] == [200, 200]
        assert "\nprepaid_balance{" in answer(url, "/metrics").text


@pytest.fixture
def nobody(closed_port: int) -> str:
    """Return an address where nobody listens, and nobody can."""
    return f"http://127.0.0.1:{closed_port}"


def test_the_exporter_starts_on_the_mounted_configuration(container: Kind, mount: Mount, nobody: str) -> None:
    account = {"name": "mall", "provider": "apimall", "base_url": nobody}
    values = {"existingSecret": "prepaid-keys", "config": {"accounts": [account]}}
    rendered = container(values)
    file = mount(values)
    args = [arg.replace("/etc/prepaid-exporter", str(file.parent)) for arg in rendered["args"]]
    with running(args) as url:
        assert [answer(url, path).status_code for path in probe_paths(rendered)] == [200, 200]
        page = answer(url, "/metrics").text
    assert 'prepaid_account_up{provider="apimall",account="mall"} 0.0' in page
    assert 'reason="unreachable"' in page


def test_a_missing_entry_of_the_secret_costs_its_account_alone(
    container: Kind, mount: Mount, nobody: str
) -> None:
    accounts = [{"name": name, "provider": "apimall", "base_url": nobody} for name in ("mall", "shop")]
    values = {"existingSecret": "prepaid-keys", "config": {"accounts": accounts}}
    rendered, file = container(values), mount(values, frozenset({"prepaid-keys/shop"}))
    args = [arg.replace("/etc/prepaid-exporter", str(file.parent)) for arg in rendered["args"]]
    with running(args) as url:
        page = answer(url, "/metrics").text
    assert 'prepaid_account_failure{provider="apimall",account="mall",reason="unreachable"} 1.0' in page
    assert 'prepaid_account_failure{provider="apimall",account="shop",reason="misconfigured"} 1.0' in page


def test_tls_and_users_of_the_mounted_web_configuration_hold_and_probes_pass(
    container: Kind, mount: Mount, chart_path: Path, tmp_path: Path
) -> None:
    values = {"webConfig": {"existingSecret": "web", "certificateSecret": "tls", "tls": True}}
    rendered = container(values)
    web = tmp_path / "web"
    web.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(web / "tls.crt")
    certificate.private_key_pem.write_to_path(web / "tls.key")
    documented = (chart_path / "README.md").read_text(encoding="utf-8").split("```yml\n")[1].split("```")[0]
    password = bcrypt.hashpw(b"canary", bcrypt.gensalt(4)).decode()
    web_yml, replaced = re.subn(r"\$2y[^\"]+", password, documented)
    assert replaced == 1
    (web / "web.yml").write_text(web_yml, encoding="utf-8")
    file = mount(values)
    args = [
        arg.replace("/etc/prepaid-exporter-web", str(web)).replace("/etc/prepaid-exporter", str(file.parent))
        for arg in rendered["args"]
    ]
    trusted = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(trusted)
    with running(args) as url:
        ask = partial(answer, url, authority=trusted)
        assert [ask(path).status_code for path in probe_paths(rendered)] == [200, 200]
        assert ask("/metrics").status_code == 401
        assert ask("/metrics", user=("prometheus", "canary")).status_code == 200
