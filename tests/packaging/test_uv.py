"""scripts/uv.py: uv goes where pip would go."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import PATIENCE

SHOW = """#!{python}
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]))
"""
Run = Callable[..., dict[str, str]]


@pytest.fixture
def uv(root: Path, tmp_path: Path) -> Run:
    """Run the script with pip's configuration and variables; return what uv is told, beside what it would know."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(f"{sys.base_prefix}/bin/python3")
    (folder / "uv").write_text(SHOW.format(python=sys.executable))
    (folder / "uv").chmod(0o755)

    def run(configuration: str = "", **variables: str) -> dict[str, str]:
        (tmp_path / "pip.conf").write_text(configuration)
        dropped = ("PIP_", "UV_", "SSL_", "ALL_PROXY", "VIRTUAL_ENV", "COVERAGE_", "PYTHON")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        plain["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
        command: list[str | Path] = [folder / "python", root / "scripts/uv.py", "pip", "sync", "a lock"]
        done = subprocess.run(
            command, env=plain | variables, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        arguments, environment = json.loads(done.stdout)
        assert arguments == ["pip", "sync", "a lock"]
        assert environment.pop("UV_PYTHON") == str(folder / "python")
        return {
            name: value for name, value in environment.items() if name.startswith(("UV_", "SSL_", "ALL_"))
        }

    return run


def test_every_setting_of_pip_that_says_where_packages_come_from_is_passed_on(uv: Run) -> None:
    configuration = """
    [global]
    index-url = https://mirror.invalid/simple
    extra-index-url =
        https://one.invalid/simple
        https://two.invalid/simple
    find-links = /srv/wheels
        https://three.invalid/files
    cert = /etc/authority.pem
    client-cert = /etc/client.pem
    trusted-host = mirror.invalid
        one.invalid:8443
    proxy = http://proxy.invalid:3128
    timeout = 60
    """
    expected = {
        "UV_DEFAULT_INDEX": "https://mirror.invalid/simple",
        "UV_INDEX": "https://one.invalid/simple https://two.invalid/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/srv/wheels,https://three.invalid/files",
        "SSL_CERT_FILE": "/etc/authority.pem",
        "SSL_CLIENT_CERT": "/etc/client.pem",
        "UV_INSECURE_HOST": "mirror.invalid one.invalid:8443",
        "ALL_PROXY": "http://proxy.invalid:3128",
        "UV_HTTP_TIMEOUT": "60",
    }
    told = uv(configuration.replace("\n    ", "\n"))
    assert {name: told.get(name) for name in expected} == expected


def test_a_variable_counts_before_a_section_and_a_section_before_the_general_one(uv: Run) -> None:
    general = "[global]\nindex-url = https://general.invalid/\n"
    install = "[install]\nindex-url = https://install.invalid/\n"
    assert uv(general)["UV_DEFAULT_INDEX"] == "https://general.invalid/"
    assert uv(install + general)["UV_DEFAULT_INDEX"] == "https://install.invalid/"
    variable = uv(install + general, PIP_INDEX_URL="https://variable.invalid/")
    assert variable["UV_DEFAULT_INDEX"] == "https://variable.invalid/"


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_what_is_said_to_uv_itself_counts_before_what_is_said_to_pip(uv: Run, name: str) -> None:
    told = uv("[global]\nindex-url = https://pip.invalid/\n", **{name: "https://uv.invalid/"})
    indexes = {key: told[key] for key in ("UV_DEFAULT_INDEX", "UV_INDEX_URL") if key in told}
    assert indexes == {name: "https://uv.invalid/"}
