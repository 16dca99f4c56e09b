"""The chart as Helm's own command takes it, in both of the versions that people run."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module", params=["helm3", "helm4"])
def helm(
    request: pytest.FixtureRequest, today: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., str]:
    """Run Helm on nothing but what it is given; return what it printed."""
    home = str(tmp_path_factory.mktemp("helm"))

    def call(*arguments: object) -> str:
        command = [today(request.param), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": home})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def test_lint_has_nothing_to_say(
    helm: Callable[..., str], chart_path: Path, ci_values: dict[str, Any], tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(ci_values))
    printed = helm("lint", "--strict", chart_path, "--values", values)
    assert "1 chart(s) linted, 0 chart(s) failed" in printed
    assert "WARNING" not in printed


def test_it_renders_what_the_other_tests_are_about(
    helm: Callable[..., str], chart_path: Path, ci_values: dict[str, Any], render: Render, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(ci_values))
    # Helm 3 takes a cluster of the past where its build was not told another.
    options = ["--namespace=monitoring", "--kube-version=1.31.0", "--values", values]
    printed = helm("template", "demo", chart_path, *options)

    def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(each["kind"], each["metadata"]["name"]): each for each in manifests}

    written = [each for each in yaml.load_all(printed, Loader=yaml.CSafeLoader) if each]
    assert by_name(written) == by_name(render(ci_values))
