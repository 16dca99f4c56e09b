"""Every mistake on the command line ends in a message that says what to do, and an exit status."""

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__
from exporter.cli import main
from exporter.cli.check import command as check

COMMANDS = ["serve", "check", "validate", "providers", "definition", "export", "demo"]
WORDS = [*([command] for command in COMMANDS), *(["definition", inner] for inner in ("new", "try", "schema"))]
FLAGLESS = (["definition"], ["definition", "schema"])


@pytest.mark.parametrize("words", [[], *WORDS], ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_given_everywhere(flag: str, words: list[str], invoke: Any) -> None:
    result = invoke(*words, flag)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("Usage: prepaid-exporter ")


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_help_names_an_environment_variable_for_each_flag(words: list[str], invoke: Any) -> None:
    text = "".join(invoke(*words, "--help").out.split("Options:")[1].split())
    flags = set(re.findall(r"^  (--[a-z.-]+)", invoke(*words, "--help").out, re.MULTILINE))
    assert bool(flags) == (words not in FLAGLESS)
    for flag in flags:
        assert f"[envvar:PREPAID_EXPORTER_{flag[2:].upper().replace('.', '_').replace('-', '_')}" in text


def test_without_a_command_the_commands_are_shown(run: Any) -> None:
    result = run()
    assert result.status == 2
    for command in COMMANDS:
        assert f"\n  {command}" in result.err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["srve"], 2, "No such command 'srve'. Did you mean 'serve'?"),
        (["serve", "--nope"], 2, "No such option '--nope'."),
        (["serve", "extra"], 2, "Got unexpected extra argument (extra)"),
        (["serve", "--config.file"], 2, "Option '--config.file' requires an argument."),
        (["serve", "--log.level", "loud"], 2, "'loud' is not one of 'debug', 'info', 'warn', 'error'."),
        (["serve", "--log.format", "xml"], 2, "'xml' is not one of 'logfmt', 'json'."),
        (
            ["serve", "--scrape.timeout", "5 s"],
            2,
            "'5 s' is not a duration: write it as 500ms, 10s, 5m or 1h30m",
        ),
        (["serve", "--scrape.timeout", "0s"], 2, "'0s' must be at least 1ms and at most 1d"),
        (["serve", "--scrape.timeout-offset", "2y"], 2, "'2y' must be at least 0s and at most 1d"),
        (
            ["serve", "--web.listen-address", "10710"],
            2,
            "'10710' is not an address; write HOST:PORT, :PORT or unix:PATH",
        ),
        (
            ["serve", "--web.listen-address", ":99999"],
            2,
            "':99999' is not an address; write HOST:PORT, :PORT or unix:PATH",
        ),
        (["serve", "--web.listen-address", "::1:80"], 2, "write an IPv6 host in brackets"),
        (["demo", "--web.listen-address", "nonsense"], 2, "'nonsense' is not an address"),
        (["serve", "--web.telemetry-path", "metrics"], 2, "must be a plain path such as /metrics"),
        (["serve", "--web.telemetry-path", "/<x"], 2, "must be a plain path such as /metrics"),
        (["serve", "--web.telemetry-path", "/sd"], 2, "and none of /, /probe, /sd,"),
        (["demo", "--speed", "-1"], 2, "-1.0 is not in the range x>=0."),
        (["demo", "--speed", "nan"], 2, "must be a finite number"),
        (["demo", "--speed", "fast"], 2, "'fast' is not a valid float"),
        (
            ["check", "--output", "xml"],
            3,
            "'xml' is not one of 'table', 'nagios', 'json', 'csv', 'prometheus'.",
        ),
        (["check", "--nope"], 3, "No such option '--nope'."),
        (["providers", "apimal"], 1, "no provider 'apimal' is built in; did you mean \"apimall\"?"),
        (["providers", "acme"], 1, "no provider 'acme' is built in"),
        (["providers", "a", "b"], 2, "Got unexpected extra argument (b)"),
    ],
)
def test_a_wrong_flag_or_argument_is_told(
    arguments: list[str], status: int, message: str, invoke: Any
) -> None:
    result = invoke(*arguments)
    assert (result.status, result.out) == (status, "")
    assert message in result.err


@pytest.mark.parametrize(("command", "status"), [("serve", 1), ("validate", 1), ("check", 3)])
def test_a_missing_configuration_is_told(command: str, status: int, run: Any, tmp_path: Any) -> None:
    result = run(command)
    assert (result.status, result.out) == (status, "")
    told = f"cannot be read: No such file or directory in {tmp_path}; --config.file names another file"
    assert result.err == f"prepaid.yml: {told}\n1 problem\n"


@pytest.mark.parametrize(("command", "status"), [("serve", 1), ("validate", 1), ("check", 3)])
def test_every_error_of_a_bad_configuration_is_told_at_once(
    command: str, status: int, invoke: Any, tmp_path: Any
) -> None:
    (tmp_path / "own.yml").write_text("acounts: []\ndefaults: {timeout: soon}\n")
    result = invoke(command, "--config.file", "own.yml")
    assert (result.status, result.out) == (status, "")
    assert result.err.splitlines() == [
        "own.yml:1:1: accounts: is missing",
        'own.yml:1:1: acounts: unknown key; did you mean "accounts"?',
        "own.yml:2:21: defaults.timeout: is not a duration: write it as 500ms, 10s, 5m or 1h30m",
        "3 problems",
    ]


def test_environment_variables_stand_for_flags_and_flags_win(invoke: Any) -> None:
    env = {"PREPAID_EXPORTER_CONFIG_FILE": "from-the-environment.yml"}
    assert invoke("validate", env=env).err.startswith("from-the-environment.yml: cannot be read")
    assert invoke("validate", "--config.file", "flag.yml", env=env).err.startswith("flag.yml: cannot be read")


def test_a_wrong_environment_variable_is_named(invoke: Any) -> None:
    result = invoke("serve", env={"PREPAID_EXPORTER_LOG_LEVEL": "loud"})
    assert result.status == 2
    assert "PREPAID_EXPORTER_LOG_LEVEL" in result.err
    assert "'loud' is not one of" in result.err


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_told(command: str, run: Any, prepaid: Any) -> None:
    assert prepaid.exists()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run(command, "--web.listen-address", address)
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        f"--web.listen-address: cannot listen on {address}: address already in use; another exporter?\n1 problem\n"
    )


def test_an_address_of_another_machine_is_told(run: Any, prepaid: Any) -> None:
    assert prepaid.exists()
    result = run("serve", "--web.listen-address", "192.0.2.1:0")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "--web.listen-address: cannot listen on 192.0.2.1:0: this machine has no such address\n1 problem\n"
    )


def test_the_version_is_told(run: Any) -> None:
    assert run("--version").out == f"prepaid-exporter {__version__}\n"


def test_a_textfile_that_may_not_be_read_may_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prepaid.prom").write_text("old")
    # The tests may run as root, who may read everything.
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.R_OK)
    arguments = ["--textfile", str(tmp_path / "prepaid.prom")]
    # With the settings of the program: a command keeps the help flags of the first context that it is made in.
    context = check.make_context("check", arguments, **main.context_settings)
    assert context.params["textfile"] == tmp_path / "prepaid.prom"
