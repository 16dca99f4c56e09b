import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.programs import PATIENCE

Json = dict[str, Any]


def generate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grafana.source", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE)


def copy_of(root: Path, folder: Path) -> Path:
    for part in ("source", "dashboards"):
        shutil.copytree(root / "grafana" / part, folder / "grafana" / part)
    return folder / "grafana" / "dashboards"


def test_the_committed_dashboards_are_what_the_source_makes(root: Path) -> None:
    done = generate(root, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_edited_dashboard_is_named_and_left_as_it_is(root: Path, tmp_path: Path) -> None:
    edited = copy_of(root, tmp_path) / "prepaid-overview.json"
    edited.write_text(edited.read_text().replace("All wallets", "Every wallet"))
    done = generate(tmp_path, "--check")
    assert done.returncode == 1
    assert done.stdout.startswith("prepaid-overview.json: differs")
    assert done.stdout.count("\n") == 1
    assert "Every wallet" in edited.read_text()


def test_a_missing_dashboard_is_written(root: Path, tmp_path: Path) -> None:
    missing = copy_of(root, tmp_path) / "prepaid-account.json"
    committed = missing.read_text()
    missing.unlink()
    assert generate(tmp_path).stdout == "prepaid-account.json: written\n"
    assert missing.read_text() == committed


def test_three_dashboards_are_shipped_each_named_by_its_uid(root: Path) -> None:
    files = {path.stem: json.loads(path.read_text()) for path in (root / "grafana/dashboards").glob("*.json")}
    assert set(files) == {"prepaid-overview", "prepaid-account", "prepaid-exporter"}
    assert all(dashboard["uid"] == name for name, dashboard in files.items())
