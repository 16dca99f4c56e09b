"""Run uv for the environment of this Python, with the package index and certificates that pip is set to.

    .venv/bin/python scripts/uv.py pip list

uv reads neither pip.conf nor pip's variables: a mirror that is set there would be missed.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

# What pip calls a setting -> the variable in which uv reads it, and what stands between several values.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}


def pip_settings() -> dict[str, str]:
    """Return what pip's files and variables say, by the name of the option; several values on lines of their own."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # as pip has it, the later one counts
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section):
                settings[key.removeprefix(section)] = str(ast.literal_eval(value))
    return settings


def environment() -> dict[str, str]:
    """Return the environment for uv; what it says to uv itself counts before pip's settings."""
    said = dict(os.environ)
    taken = {}
    for option, value in pip_settings().items():
        if option in SETTINGS:
            name, separator = SETTINGS[option]
            taken[name] = separator.join(value.split())
    if "UV_INDEX_URL" in said:  # the older name of the same
        taken.pop("UV_DEFAULT_INDEX", None)
    if "UV_INDEX" in taken:
        # As pip does: every index is looked at. What comes is known by its hash, whoever keeps it.
        taken["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return taken | said | {"UV_PYTHON": sys.executable}


def main() -> None:
    """Become uv."""
    uv = Path(sys.executable).with_name("uv")
    os.execve(uv, [str(uv), *sys.argv[1:]], environment())  # noqa: S606


if __name__ == "__main__":
    main()
