"""The wheel and the sdist: reproducible, complete, and running where there is no checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from exporter import __version__
from tests import packages
from tests.programs import PATIENCE


@pytest.fixture(scope="module")
def program(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run the installed command far from the checkout; return what it prints."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(*arguments: str, **environment: str) -> str:
        path = {"PATH": f"{installed.parent}:{os.environ['PATH']}"}
        result = subprocess.run(
            [installed, *arguments],
            cwd=folder,
            env=path | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert "Traceback" not in result.stderr
        return result.stdout

    return run


def test_two_builds_give_the_same_bytes(built: list[Path], tmp_path: Path) -> None:
    packages.build(tmp_path)
    again = list((tmp_path / "dist").iterdir())
    assert {path.suffix for path in built} == {".gz", ".whl"}
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in built} == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in again
    }


def test_the_package_index_would_take_both(built: list[Path]) -> None:
    command: list[str | Path] = [sys.executable, "-m", "twine", "check", "--strict", *built]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("PASSED") == 2


def test_the_wheel_has_the_whole_program_and_nothing_else(root: Path, wheel: Path) -> None:
    paths = (path for path in (root / "exporter").rglob("*") if path.is_file())
    files = {str(path.relative_to(root)) for path in paths if path.parent.name != "__pycache__"}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "exporter/py.typed" in files
    shipped = {name for name in names if name.startswith("exporter/shipped/")}
    assert {name for name in names if ".dist-info/" not in name} - shipped == files
    beside = {
        file.name
        for file in (
            *root.glob("grafana/*/*.yml"),
            *root.glob("systemd/*"),
            *root.glob("grafana/provisioning/*/*"),
        )
    }
    assert {Path(name).name for name in shipped} >= beside
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_package_index_shows_where_the_project_is(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().splitlines()
    urls = dict(line.removeprefix("Project-URL: ").split(", ") for line in lines if "Project-URL: " in line)
    assert set(urls) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert f"home: {urls['Repository']}\n" in (root / "helm/prepaid-exporter/Chart.yaml").read_text()
    for url in (urls["Documentation"], urls["Changelog"]):
        assert (root / url.partition("/main/")[2]).exists(), url


def test_the_sdist_builds_without_the_checkout(built: list[Path]) -> None:
    with tarfile.open(next(path for path in built if path.suffix == ".gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "exporter/cli/serve.py"} <= names


def test_the_sdist_has_the_rules_and_no_half_of_the_chart(root: Path, built: list[Path]) -> None:
    with tarfile.open(next(path for path in built if path.suffix == ".gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    shipped = [*root.glob("grafana/rules/*.yml"), *root.glob("grafana/dashboards/*.json")]
    assert shipped
    assert {str(file.relative_to(root)) for file in shipped} <= names
    assert [name for name in names if name.startswith(("helm/", "tests/helm/"))] == []


def test_the_installed_program_knows_its_providers(root: Path, program: Callable[..., str]) -> None:
    listed = program("providers")
    for definition in (root / "exporter/providers").glob("*.yml"):
        assert definition.stem in listed


def test_the_installed_program_brings_its_rules_dashboards_and_units(
    root: Path, program: Callable[..., str], tmp_path: Path, tool: Callable[[str], str]
) -> None:
    printed = program("export", str(tmp_path / "out"))
    for part, count in (("grafana/rules", 2), ("grafana/dashboards", 3), ("systemd", 3)):
        names = {file.name for file in (root / part).iterdir() if file.name[0] != "."}
        assert len(names) >= count
        assert {file.name for file in (tmp_path / "out" / part).iterdir()} == names
        assert all(f"{tmp_path}/out/{part}/{name}" in printed for name in names)
    rules = sorted((tmp_path / "out/grafana/rules").iterdir())
    assert "/docs/runbooks.md#" in rules[0].read_text()
    assert "/blob/main/" not in rules[0].read_text()
    dashboards = [file.read_text() for file in (tmp_path / "out/grafana/dashboards").iterdir()]
    assert any(f"/blob/v{__version__}/docs" in text for text in dashboards)
    assert not any("/blob/main/" in text for text in dashboards)
    subprocess.run([tool("promtool"), "check", "rules", *rules], check=True, capture_output=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_that_the_docs_show_is_there(
    root: Path, program: Callable[..., str], shell: str
) -> None:
    variable = "_PREPAID_EXPORTER_COMPLETE"
    assert f"{variable}={shell}_source prepaid-exporter" in (root / "docs/installation.md").read_text()
    assert f"{variable}={shell}_complete" in program(**{variable: f"{shell}_source"})


def test_a_subcommand_is_completed(program: Callable[..., str]) -> None:
    environment = {"COMP_WORDS": "prepaid-exporter va", "COMP_CWORD": "1"}
    assert program(_PREPAID_EXPORTER_COMPLETE="bash_complete", **environment) == "plain,validate\n"
