"""`make demo-stack`, run once: a week of history, the rules on it, and a page that is printed."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from scripts import demo_stack, go_tools
from tests.programs import PATIENCE, answers, fetch, outside, until


@pytest.mark.long
def test_a_week_is_there_and_a_page_is_printed(
    root: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    tool("prometheus")
    tool("prometheus-alertmanager")
    log = tmp_path / "said.txt"
    ports = [f"--{name}-port=0" for name in ("exporter", "prometheus", "alertmanager")]
    environment = {**outside(), "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.demo_stack", *ports],
            cwd=root,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def said(pattern: str) -> Callable[[], list[tuple[str, ...]]]:
        def look() -> list[tuple[str, ...]]:
            assert process.poll() is None, log.read_text()
            return re.findall(pattern, log.read_text())

        return look

    try:
        [(server, _)] = until(said(r"(http://\S+) +(Prometheus), with a week"), "address of Prometheus")
        question = {"query": "count(wallet:prepaid_balance:last offset 6d)"}
        [past] = fetch(f"{server}/api/v1/query", "POST", data=question).json()["data"]["result"]
        assert past["value"][1] == "7"
        rules = fetch(f"{server}/api/v1/rules").json()["data"]["groups"]
        assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
        [(summary, description), *_] = until(said(r"page: firing: (.+)\n +(.+)"), "page", pause=0.5)
        refused = {"query": 'prepaid_account_failure{account="outreach", reason="auth"}'}
        assert fetch(f"{server}/api/v1/query", "POST", data=refused).json()["data"]["result"]
        assert "empty" in summary
        assert "Account sms at smspubli" in description
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert list(tmp_path.iterdir()) == [log]
    assert not answers(f"{server}/-/ready")


def test_the_programs_that_make_tools_built_do_where_none_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(go_tools, "kept", lambda name: tmp_path / "built" / name)
    with pytest.raises(click.ClickException, match="make tools"):
        demo_stack.found_programs()
    for name in ("prometheus", "alertmanager"):
        program = tmp_path / "built" / name / name
        program.parent.mkdir(parents=True)
        program.touch()
    assert demo_stack.found_programs() == (
        str(tmp_path / "built/prometheus/prometheus"),
        str(tmp_path / "built/alertmanager/alertmanager"),
    )
