"""`make pictures`, on a server that answers like a Grafana: there is none in the tests."""

import json
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.programs import PATIENCE, outside

GRAFANAS_UNIT = 38
"""Pixels of a panel's height by one."""
NAMES = ["overview", "account", "exporter"]
# What Grafana does too: the page comes first, then it asks for the data, then it draws.
PAGE = b"""<!doctype html><body><script>
setTimeout(() => fetch("/data" + location.pathname).then((answer) => answer.text()).then((colour) => {
  document.body.style.background = colour;
  fetch("/drawn" + location.pathname);
}), 3000);
</script>"""


class Grafana(ThreadingHTTPServer):
    """Remember what was asked for; `hidden` is a dashboard that is not shown to anybody."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.hidden = ""
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Grafana

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        hidden = self.server.hidden and self.path == f"/api/dashboards/uid/{self.server.hidden}"
        body = PAGE if self.path.startswith("/d/") else b"green"
        self.send_response(401 if hidden else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    server = Grafana()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Make a folder whose name is short: chromium's socket is in it, whose name has a limit."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def pictures(root: Path, folder: Path, temporary: Path, grafana: str) -> subprocess.CompletedProcess[str]:
    (folder / "docs").mkdir()
    shutil.copy(root / "scripts" / "pictures", folder)
    environment = {**outside(), "NO_PROXY": "*", "TMPDIR": str(temporary), "HOME": str(folder)}
    command = [str(folder / "pictures"), grafana]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def test_each_dashboard_is_drawn_whole_once_its_data_is_there(
    root: Path, tmp_path: Path, temporary: Path, grafana: Grafana, tool: Callable[[str], str]
) -> None:
    tool("chromium")
    done = pictures(root, tmp_path, temporary, grafana.url)
    assert (done.returncode, done.stdout) == (0, "".join(f"docs/dashboard-{name}.png\n" for name in NAMES))
    for name in NAMES:
        header = (tmp_path / "docs" / f"dashboard-{name}.png").read_bytes()[:24]
        assert header.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", header[16:])
        assert width == 1600
        board = json.loads((root / f"grafana/dashboards/prepaid-{name}.json").read_text())
        bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        assert height >= GRAFANAS_UNIT * bottom
        assert f"/drawn/d/prepaid-{name}" in grafana.asked
        [page] = [urlsplit(path) for path in grafana.asked if path.startswith(f"/d/prepaid-{name}?")]
        asked = parse_qs(page.query, keep_blank_values=True)
        assert (asked["kiosk"], asked["theme"], asked["refresh"]) == ([""], ["light"], [""])
    assert [path.name for path in temporary.iterdir() if path.name.startswith("tmp")] == []


def test_no_picture_is_drawn_of_a_grafana_that_does_not_show_the_dashboard(
    root: Path, tmp_path: Path, temporary: Path, grafana: Grafana, tool: Callable[[str], str]
) -> None:
    tool("chromium")
    grafana.hidden = "prepaid-overview"
    done = pictures(root, tmp_path, temporary, grafana.url)
    assert done.returncode == 1
    assert "let anonymous users look" in done.stderr
    assert not list((tmp_path / "docs").iterdir())
