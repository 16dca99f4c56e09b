"""What docs/alerting.md says of delivery, tried with Alertmanager and amtool of either age."""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.programs import alertmanager, fetch, until


@dataclass
class Desk:
    """An Alertmanager with the shipped routes, the chat, and a shell in which the line of the page is typed."""

    alertmanager: str
    received: Any
    environment: dict[str, str]

    def type(self, line: str) -> None:
        """Type a line, for this Alertmanager."""
        line = line.replace("http://127.0.0.1:9093", self.alertmanager)
        subprocess.run(["sh", "-ec", line], env=self.environment, check=True, capture_output=True)

    def failed(self) -> float:
        """Return how many notifications Alertmanager could not deliver."""
        page = fetch(f"{self.alertmanager}/metrics").text
        counts = re.findall(r"^alertmanager_notifications_failed_total{.*} (\S+)$", page, re.MULTILINE)
        return sum(map(float, counts))


@pytest.fixture(scope="module")
def page_text() -> str:
    return (Path(__file__).parents[2] / "docs/alerting.md").read_text()


@pytest.fixture(scope="module")
def ready_line(page_text: str) -> str:
    """Return the line that the documentation gives."""
    [line] = re.findall(r"```sh\n(amtool alert add.*?)```", page_text, re.DOTALL)
    return str(line)


@pytest.fixture(scope="module")
def webhook(page_text: str) -> list[dict[str, Any]]:
    """Return the receiver for a program that the documentation gives."""
    [text] = [block for block in re.findall(r"```yaml\n(.*?)```", page_text, re.DOTALL) if "webhook" in block]
    receivers: list[dict[str, Any]] = yaml.safe_load(text)["receivers"]
    return receivers


@pytest.fixture(scope="module")
def desk(
    run: SimpleNamespace,
    root: Path,
    each_age: Callable[[str], str],
    webhook: list[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    shipped = root / "grafana/alertmanager"
    with contextlib.ExitStack() as stack:
        received = stack.enter_context(run.receiver())
        (folder / "page-url").write_text(f"{received.url}/page-url")
        (folder / "server").mkdir()
        for place in (folder, folder / "server"):
            (place / "prepaid.tmpl").write_text((shipped / "prepaid.tmpl").read_text())
        text = (shipped / "alertmanager.yml").read_text().replace("/etc/alertmanager/secrets", str(folder))
        routing = yaml.safe_load(re.sub(r"group_wait: .*", "group_wait: 1s", text))
        [receiver] = webhook
        receiver["webhook_configs"][0]["url"] = f"{received.url}/program"
        # Who is told by a message is told by the program besides.
        [page] = [each for each in routing["receivers"] if each["name"] == "page"]
        page |= {key: value for key, value in receiver.items() if key != "name"}
        configuration = yaml.safe_dump(routing)
        programs = folder / "bin"
        programs.mkdir()
        (programs / "amtool").symlink_to(each_age("amtool"))
        (folder / "checked.yml").write_text(configuration)
        check: list[str | Path] = [programs / "amtool", "check-config", folder / "checked.yml"]
        subprocess.run(check, check=True, capture_output=True)
        url = stack.enter_context(
            alertmanager(each_age("prometheus-alertmanager"), folder / "server", configuration)
        )
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
        yield Desk(url, received, environment)


def test_the_test_page_arrives_as_a_page_does(desk: Desk, ready_line: str) -> None:
    desk.type(ready_line)
    until(partial(desk.received.at, "/page-url"), "page")
    [page] = desk.received.at("/page-url")
    [attachment] = page["attachments"]
    assert attachment["title"] == "PAGE: test (test), 20.00 EUR left, enough for 3h 20m"
    assert attachment["text"].startswith("This is a test.\nLeft: 20.00 EUR in wallet main\n")
    assert not re.search(r": *$", attachment["text"], re.MULTILINE), (
        "a link that is not there is not announced"
    )
    until(partial(desk.received.at, "/program"), "JSON")
    [told] = desk.received.at("/program")
    [alert] = told["alerts"]
    assert (alert["status"], alert["annotations"]["balance"]) == ("firing", "20.00 EUR")


def test_a_missing_url_file_is_found_by_a_test_page_and_not_by_the_check(desk: Desk, ready_line: str) -> None:
    # amtool has taken the configuration, though the file of this team's URL does not exist.
    desk.type(ready_line.replace("provider=test", "provider=flexprice"))
    until(desk.failed, "count of what was not delivered")
    assert desk.received.at("/page-billing-url") == []
