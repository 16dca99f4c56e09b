"""`export` writes what belongs to the version, and nothing over what somebody changed."""

from pathlib import Path
from typing import Any

import exporter


def test_everything_is_written_and_written_again(invoke: Any, tmp_path: Path) -> None:
    first = invoke("export", "out")
    assert (first.status, first.err) == (0, "")
    written = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert sorted(first.out.splitlines()) == written
    assert "out/grafana/rules/alerts.yml" in written
    # Every folder that the installation page names has all its files.
    root = Path(exporter.__file__).parent.parent
    beside = (root / "grafana/provisioning", root / "grafana/dashboards", root / "systemd")
    wanted = {f"out/{file.relative_to(root)}" for folder in beside for file in folder.rglob("[!.]*.*")}
    assert wanted <= set(written)
    assert invoke("export", "out") == first


def test_what_somebody_changed_is_kept_unless_it_is_forced(invoke: Any, tmp_path: Path) -> None:
    invoke("export", "out")
    alerts = tmp_path / "out/grafana/rules/alerts.yml"
    before = alerts.read_text()
    alerts.write_text("mine")
    (tmp_path / "out/systemd/prepaid-exporter.service").unlink()
    result = invoke("export", "out")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("out/grafana/rules/alerts.yml: exists and differs\nnothing is written")
    assert alerts.read_text() == "mine"
    assert not (tmp_path / "out/systemd/prepaid-exporter.service").exists()
    assert invoke("export", "out", "--force").status == 0
    assert alerts.read_text() == before


def test_a_place_that_cannot_be_written_is_told(invoke: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/grafana").write_text("")
    result = invoke("export", "out")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("out: cannot be written: ")
