"""What the Dockerfile promises to those who read it, before any image is built."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "Dockerfile").read_text()


def test_hadolint_finds_nothing(root: Path) -> None:
    command: list[str | Path] = [
        Path(sys.executable).parent / "hadolint",
        "--failure-threshold=style",
        "Dockerfile",
    ]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_every_stage_starts_from_one_base_pinned_by_version_and_digest(dockerfile: str) -> None:
    bases = set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    assert bases == {"${PYTHON_IMAGE}"}
    assert re.search(
        r"^ARG PYTHON_IMAGE=\S+/python:3\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE
    )


def test_no_probe_of_the_image_asks_the_providers(dockerfile: str) -> None:
    assert "HEALTHCHECK" not in dockerfile


def test_only_what_the_wheel_is_made_of_enters_the_build(root: Path, dockerfile: str) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert copied == allowed


def test_the_image_installs_what_is_locked_and_the_lock_names_every_dependency(
    root: Path, dockerfile: str
) -> None:
    assert "--require-hashes --no-build requirements.lock" in dockerfile
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w.-]", dependency)[0] for dependency in project["dependencies"]}
    locked = set(re.findall(r"^([\w.-]+)==", (root / "requirements.lock").read_text(), re.MULTILINE))
    assert needed <= locked, "run `make lock`"


def test_the_image_says_by_which_user_and_how_it_is_run_and_stopped(dockerfile: str) -> None:
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 65532:65532$", final, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", final, re.MULTILINE)
    assert re.search(r"^EXPOSE 10710$", final, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["/opt/prepaid-exporter/bin/prepaid-exporter"\]$', final, re.MULTILINE)


def test_the_security_page_says_what_the_image_is_and_how_all_ways_run_it(
    root: Path, dockerfile: str
) -> None:
    page = " ".join((root / "docs/security.md").read_text().split())
    final = dockerfile.rpartition("\nFROM ")[2]
    assert "The image runs as user 65532 and writes nothing." in page
    # The base has a shell, apt and pip, and nothing takes them away.
    assert ("It is Debian's slim Python image" in page) == ("-slim-" in dockerfile.partition("\n\n")[0])
    assert ("a shell and package managers are in it" in page) == ("RUN" not in final)
    (flags,) = re.findall(r"said when it is run: `([^`]+)`", page)
    assert flags == "--read-only --cap-drop ALL --security-opt no-new-privileges"
    run = " ".join((root / "docs/installation.md").read_text().replace("\\\n", " ").split())
    assert f"--publish 10710:10710 {flags} --volume" in run
    service = yaml.safe_load((root / "compose.yaml").read_text())["services"]["prepaid-exporter"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    chart = yaml.safe_load((root / "helm/prepaid-exporter/values.yaml").read_text())["securityContext"]
    assert (chart["readOnlyRootFilesystem"], chart["capabilities"]) == (True, {"drop": ["ALL"]})
    assert chart["allowPrivilegeEscalation"] is False
