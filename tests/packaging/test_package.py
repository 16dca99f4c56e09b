"""The wheel and the sdist: reproducible, complete, and running where there is no checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".*cache*", ".coverage*", ".venv", ".hypothesis", "dist", "build", "__pycache__"
)


def build(checkout: Path, folder: Path) -> list[Path]:
    """Build sdist and wheel in a copy of the checkout, in which every file has a new time."""
    source = shutil.copytree(checkout, folder / "source", symlinks=True, copy_function=shutil.copy)
    # With the locked tools of this environment, not with what the package index has today.
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        folder / "dist",
        source,
    ]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return sorted((folder / "dist").iterdir())


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take the checkout as it is now, without what tools left in it."""
    return shutil.copytree(
        root, tmp_path_factory.mktemp("checkout") / "source", symlinks=True, ignore=NOT_SOURCE
    )


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(checkout, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def wheel(built: list[Path]) -> Path:
    return next(path for path in built if path.suffix == ".whl")


@pytest.fixture(scope="module")
def installed(root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Install the lock and the wheel into a new virtual environment; give its command, run far from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    uv: list[str | Path] = [sys.executable, root / "scripts/uv.py", "pip"]
    where: list[str | Path] = ["--quiet", "--python", folder / "bin/python"]
    steps: list[list[str | Path]] = [
        ["sync", "--require-hashes", "--no-build", root / "requirements.lock"],
        ["install", "--no-deps", wheel],
        ["check"],
    ]
    for step in steps:
        result = subprocess.run([*uv, *step, *where], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    def run(*arguments: str, **environment: str) -> str:
        path = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        result = subprocess.run(
            [folder / "bin/prepaid-exporter", *arguments],
            cwd=folder,
            env=path | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in result.stderr
        return result.stdout

    return run


def test_two_builds_give_the_same_bytes(
    checkout: Path, built: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = build(checkout, tmp_path_factory.mktemp("second"))
    assert {path.suffix for path in built} == {".gz", ".whl"}
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in built} == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in again
    }


def test_the_package_index_would_take_both(built: list[Path]) -> None:
    command: list[str | Path] = [sys.executable, "-m", "twine", "check", "--strict", *built]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("PASSED") == 2


def test_the_wheel_has_the_whole_program_and_nothing_else(checkout: Path, wheel: Path) -> None:
    files = {str(path.relative_to(checkout)) for path in (checkout / "exporter").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "exporter/py.typed" in files
    assert {name for name in names if ".dist-info/" not in name} == files
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


def test_the_installed_program_knows_its_providers(root: Path, installed: Callable[..., str]) -> None:
    listed = installed("providers")
    for definition in (root / "exporter/providers").glob("*.yml"):
        assert definition.stem in listed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_that_the_docs_show_is_there(
    root: Path, installed: Callable[..., str], shell: str
) -> None:
    variable = "_PREPAID_EXPORTER_COMPLETE"
    assert f"{variable}={shell}_source prepaid-exporter" in (root / "docs/installation.md").read_text()
    assert f"{variable}={shell}_complete" in installed(**{variable: f"{shell}_source"})


def test_a_subcommand_is_completed(installed: Callable[..., str]) -> None:
    environment = {"COMP_WORDS": "prepaid-exporter va", "COMP_CWORD": "1"}
    assert installed(_PREPAID_EXPORTER_COMPLETE="bash_complete", **environment) == "plain,validate\n"
