"""A command starts fast: it loads what it needs, and nothing that only another one needs."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SERVING = {"uvicorn", "werkzeug", "jinja2", "bcrypt", "prometheus_client", "structlog"}
ASKING = {"requests", "urllib3", "h11"}
DRAWING = {"rich"}
LOOKED_UP = {"regex", "iso4217"}
"""What few definitions need."""
OWN = "accounts: [{name: mall, provider: apimall, api_key: the-key, base_url: 'http://127.0.0.1:1'}]"


@pytest.mark.parametrize(
    ("arguments", "needless"),
    [
        (["--help"], SERVING | ASKING | DRAWING | LOOKED_UP | {"pydantic", "yaml"}),
        (["validate"], SERVING | ASKING | DRAWING | LOOKED_UP),
        (["providers", "apimall"], SERVING | ASKING | DRAWING | LOOKED_UP),
        (["providers"], SERVING | ASKING | DRAWING),
        (["check", "--output", "nagios", "--provider", "none"], SERVING | DRAWING),
    ],
    ids=["help", "validate", "one provider", "providers", "check"],
)
def test_a_command_loads_only_what_it_needs(
    tmp_path: Path, clean: Mapping[str, str], arguments: list[str], needless: set[str]
) -> None:
    (tmp_path / "prepaid.yml").write_text(OWN)
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "exporter", *arguments],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    loaded = set(re.findall(r"^import time: .*\| +(\w+)$", told, re.MULTILINE))

    assert "click" in loaded
    assert loaded & needless == set()
