"""Secrets are read at each collection: rotated ones are used, vanished ones are said to be missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desk import MakeDesk, MakeUpstream
    from tests.peers import Upstream


def keys(server: Upstream) -> list[str]:
    return [asked.headers["authorization"].removeprefix("Bearer ") for asked in server.requests]


def test_a_rotated_file_is_used_at_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    server = upstream()
    running = desk(mall={"base_url": server.url, "api_key_file": str(file)})
    running.metrics()
    file.write_text("  second\r\n")
    running.metrics()
    new = tmp_path / "new"
    new.write_text("third")
    new.replace(file)
    running.metrics()
    assert keys(server) == ["first", "second", "third"]
    assert server.connections == 1, "another key is no reason for another connection"


def test_a_rotated_variable_is_used_at_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALL_KEY", "first")
    server = upstream()
    running = desk(mall={"base_url": server.url, "api_key_env": "MALL_KEY"})
    running.metrics()
    monkeypatch.setenv("MALL_KEY", "second")
    running.metrics()
    assert keys(server) == ["first", "second"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="vanished"),
        pytest.param(b"", "is empty", id="emptied"),
        pytest.param(b" \n\t", "is empty", id="blank"),
        pytest.param(b"one\ntwo", "holds a line break", id="two lines"),
        pytest.param(b"a\x00b", "another control character", id="control character"),
        pytest.param(b"\xff\xfe\xfd", "is not UTF-8 text", id="binary"),
        pytest.param(b"k" * 65_537, "is over 65,536 bytes", id="large"),
    ],
)
def test_a_file_that_holds_no_secret_any_more_is_misconfigured(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    server = upstream()
    running = desk(mall={"base_url": server.url, "api_key_file": str(file)})
    assert running.metrics().up() == 1
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    page = running.metrics()
    assert (page.reason(), page.balance()) == ("misconfigured", None)
    assert page.one("prepaid_account_http_status_code") is None
    assert said in running.trace()
    assert keys(server) == ["first"]
    file.write_text("again")
    assert running.metrics().balance() == 120
    assert keys(server) == ["first", "again"]


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    running = desk(mall={"base_url": upstream().url, "api_key_file": str(file)})
    assert running.metrics().up() == 1
    file.unlink()
    os.mkfifo(file)
    assert running.metrics().reason() == "misconfigured"
    assert "it is a pipe or a device" in running.trace()


def test_an_account_without_its_secret_at_the_start_is_alone_until_it_is_there(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    server = upstream()
    other = {"base_url": server.url}
    running = desk(mall={"base_url": server.url, "api_key_file": str(file)}, other=other)
    assert "prepaid.yml" in capsys.readouterr().out
    page = running.metrics()
    assert (page.reason("mall"), page.balance("other")) == ("misconfigured", 120)
    assert keys(server) == ["key-of-other"], "nobody was asked for the account without a key"
    file.write_text("first")
    assert running.metrics().balance("mall") == 120
    assert "first" in keys(server)


def test_a_reload_takes_a_new_account_though_another_s_secret_is_gone(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    server = upstream()
    mall = {"base_url": server.url, "api_key_file": str(file)}
    running = desk(mall=mall)
    file.unlink()
    running.reload({"mall": mall, "new": {"base_url": server.url}})
    page = running.metrics()
    assert page.one("prepaid_exporter_config_last_reload_successful") == 1
    assert (page.reason("mall"), page.balance("new")) == ("misconfigured", 120)


def test_a_hundred_missing_secrets_fill_no_log(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = {"base_url": upstream().url, "api_key_file": str(tmp_path / "none")}
    desk(**{f"a{number}": account for number in range(100)})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert "more_accounts=80" in lines[-1]


def test_a_key_in_the_place_of_a_file_is_on_no_page(
    upstream: MakeUpstream, desk: MakeDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    running = desk(mall={"base_url": upstream().url, "api_key_file": "sk-canary-0123456789"})
    assert running.metrics().reason() == "misconfigured"
    shown = f"{running.metrics().samples} {running.trace()} {running.ask('/config')} {capsys.readouterr()}"
    assert "***" in shown
    assert "canary" not in shown


def test_a_variable_that_is_gone_is_misconfigured(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALL_KEY", "first")
    server = upstream()
    running = desk(mall={"base_url": server.url, "api_key_env": "MALL_KEY"})
    assert running.metrics().up() == 1
    monkeypatch.delenv("MALL_KEY")
    page = running.metrics()
    assert (page.reason(), page.balance()) == ("misconfigured", None)
    assert "the environment variable MALL_KEY is not set" in running.trace()
    assert page.one("prepaid_exporter_upstream_requests_total") == 1, "nobody was asked"


def test_a_secret_that_is_back_is_used_inside_min_interval(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    """min_interval spares the provider calls; where no call was made there is nothing to spare."""
    file = tmp_path / "key"
    file.write_text("first")
    server = upstream()
    running = desk(mall={"base_url": server.url, "api_key_file": str(file), "min_interval": "1h"})
    file.unlink()
    assert running.metrics().reason() == "misconfigured"
    file.write_text("second")
    assert running.metrics().up() == 1
    assert keys(server) == ["second"]


def test_a_secret_is_on_no_page_that_tells_of_a_failure(
    upstream: MakeUpstream, desk: MakeDesk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("canary-0123456789")
    server = upstream(lambda peer, asked: peer.answer(str(asked).encode(), status="500 X"))
    running = desk(mall={"base_url": server.url, "api_key_file": str(file)})
    page = running.metrics()
    assert page.reason() == "http_status"
    shown = f"{page.samples} {running.trace()} {capsys.readouterr()}"
    assert "canary" not in shown
    assert keys(server)[0] == "canary-0123456789"
