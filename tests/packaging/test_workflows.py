"""The GitHub workflows: valid, without known weaknesses, and every action pinned to a commit."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

BESIDE_PYTHON = Path(sys.executable).parent
USES = re.compile(r"uses: (\S+)(.*)")


@pytest.fixture(scope="module")
def workflows(root: Path) -> list[Path]:
    return sorted((root / ".github/workflows").glob("*.yml"))


def test_actionlint_finds_nothing(workflows: list[Path], root: Path) -> None:
    # The shell scripts inside are for shellcheck, which not every machine has: one result everywhere.
    command: list[str | Path] = [BESIDE_PYTHON / "actionlint", "-shellcheck=", "-pyflakes=", *workflows]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_zizmor_finds_nothing_even_when_pedantic(workflows: list[Path], root: Path) -> None:
    command: list[str | Path] = [
        BESIDE_PYTHON / "zizmor",
        "--offline",
        "--persona=pedantic",
        "--strict-collection",
        "--no-progress",
    ]
    inputs = [*workflows, root / ".github/dependabot.yml"]
    result = subprocess.run([*command, *inputs], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    for path in inputs:
        assert f"completed {path}" in result.stderr


def test_every_action_is_pinned_to_a_commit_and_says_its_version(workflows: list[Path]) -> None:
    used = [match for path in workflows for match in USES.finditer(path.read_text())]
    assert used
    for match in used:
        if match[1].startswith("$/"):  # of this commit
            continue
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", match[1]), match[0]
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", match[2]), match[0]


def test_nothing_is_granted_to_all_jobs(workflows: list[Path]) -> None:
    for path in workflows:
        assert "\npermissions: {}\n" in path.read_text(), path


@pytest.fixture(scope="module")
def release(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of every job of the release."""
    jobs = yaml.safe_load((root / ".github/workflows/release.yml").read_text())["jobs"]
    return {name: job.get("steps", []) for name, job in jobs.items()}


def test_a_release_publishes_nothing_before_the_tests_have_passed(root: Path) -> None:
    folder = root / ".github/workflows"
    jobs = yaml.safe_load((folder / "release.yml").read_text())["jobs"]
    tests = [name for name, job in jobs.items() if job.get("uses") == "$/.github/workflows/test.yml"]
    assert tests == ["test"]

    def before(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        named = {needs} if isinstance(needs, str) else set(needs)
        return named.union(*map(before, named))

    assert all("test" in before(name) for name in jobs if name != "test")
    called = yaml.safe_load((folder / "test.yml").read_text())
    assert "workflow_call" in called[True], "YAML takes `on` for a truth value"
    assert "github.workflow" not in called["concurrency"]["group"]


def inputs(steps: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    """Return what each use of an action is given."""
    return [step["with"] for step in steps if step.get("uses", "").startswith(f"{action}@")]


def test_what_is_published_is_attested(release: dict[str, list[dict[str, Any]]]) -> None:
    assert inputs(release["build"], "actions/attest") == [
        {"subject-path": "dist/*"},
        {"subject-path": "dist/*.whl", "sbom-path": "prepaid-exporter.cdx.json"},
    ]
    for job in ("image", "chart"):
        (pushed,) = inputs(release[job], "actions/attest")
        assert pushed["subject-digest"] == "${{ steps.push.outputs.digest }}"
        assert pushed["push-to-registry"] is True


def test_the_image_carries_its_bill_of_materials_and_its_provenance(
    release: dict[str, list[dict[str, Any]]],
) -> None:
    (built,) = inputs(release["image"], "docker/build-push-action")
    assert (built["push"], built["sbom"], built["provenance"]) == (True, True, "mode=max")
    assert built["platforms"].split(",") == ["linux/amd64", "linux/arm64"]


def test_a_failure_before_a_pipe_stops_its_step(workflows: list[Path]) -> None:
    jobs = [job for path in workflows for job in yaml.safe_load(path.read_text())["jobs"].values()]
    piped = [
        step for job in jobs for step in job.get("steps", []) if re.search(r"[^|]\|[^|]", step.get("run", ""))
    ]
    assert piped
    assert [step["run"] for step in piped if step.get("shell") != "bash"] == []
