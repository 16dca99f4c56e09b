"""Files that are not there, not text, or not what a person would write end in a message, never in a traceback."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import load
from exporter.schema.problems import ConfigurationError

Refused = Callable[[str], list[str]]


def problem(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    told = "cannot be read: No such file or directory"
    assert problem(file) == f"{file}: {told}; --config.file names another file"


def test_a_missing_file_is_named_with_the_folder_it_was_looked_for_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = f"cannot be read: No such file or directory in {tmp_path}"
    assert problem(Path("prepaid.yml")) == f"prepaid.yml: {told}; --config.file names another file"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert problem(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


PIPE = "cannot be read: it is a pipe or a device; it must be a regular file, since it is read more than once"
ACCOUNT = "name: a, provider: apimall, api_key: k"


def test_a_configuration_in_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "prepaid.yml")
    assert problem(tmp_path / "prepaid.yml") == f"{tmp_path}/prepaid.yml: {PIPE}"


def test_a_configuration_without_an_end_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    file.write_bytes(b"#" * (8 * 1024 * 1024 + 1))
    assert problem(file) == f"{file}: cannot be read: it is over 8,388,608 bytes"


def test_a_definition_in_a_pipe_is_not_waited_for(refused: Refused, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.yml")
    text = f"provider_files: [own.yml]\naccounts:\n  - {{{ACCOUNT}}}\n"
    assert refused(text) == [f"own.yml: {PIPE}"]


def test_authorities_in_a_pipe_are_not_waited_for(refused: Refused, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")
    text = f"accounts:\n  - {{{ACCOUNT}, ca_file: ca.pem}}\n"
    assert refused(text) == [f"prepaid.yml:2:55: accounts[0].ca_file: the file ca.pem {PIPE}"]


def test_authorities_without_an_end_are_not_read(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    text = f"accounts:\n  - {{{ACCOUNT}, ca_file: ca.pem}}\n"
    message = "the file ca.pem cannot be read: it is over 4,194,304 bytes"
    assert refused(text) == [f"prepaid.yml:2:55: accounts[0].ca_file: {message}"]


def test_an_empty_file_of_authorities_is_none(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"")
    text = f"accounts:\n  - {{{ACCOUNT}, ca_file: ca.pem}}\n"
    message = "the file ca.pem does not hold PEM certificates"
    assert refused(text) == [f"prepaid.yml:2:55: accounts[0].ca_file: {message}"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "1:1: is not UTF-8 text"),
        ("accounts: []".encode("utf-16"), "1:1: is not UTF-8 text, but UTF-16; save it as UTF-8"),
        ("accounts:\n- ñ".encode() + b"\xff", "2:4: is not UTF-8 text"),
        (b"accounts: []\x00", "1:13: is not valid YAML: it has a character that YAML does not allow"),
        (
            b"accounts: []\n\n a\x1b[31m",
            "3:3: is not valid YAML: it has a character that YAML does not allow",
        ),
    ],
    ids=["a picture", "UTF-16", "another encoding", "a zero byte", "a terminal's escape"],
)
def test_what_is_not_plain_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    file.write_bytes(content)
    assert problem(file) == f"{file}:{message}"


@pytest.mark.parametrize("content", ["[" * 200_000, "- " * 200_000, "{a: " * 200_000])
def test_nesting_without_end_is_told_where_the_library_would_crash(content: str, tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    file.write_text(content)
    assert problem(file).endswith(": is nested too deeply")


def test_aliases_that_multiply_are_told_before_they_fill_the_memory(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    file = tmp_path / "prepaid.yml"
    file.write_text("\n".join(rows))
    assert problem(file) == f"{file}: holds over 500,000 values, aliases counted each time"


def test_aliases_that_nest_without_end_are_told(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x]", *(f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, 400))]
    file = tmp_path / "prepaid.yml"
    file.write_text("\n".join(rows))
    assert problem(file) == f"{file}: is nested too deeply by its aliases"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    file.write_bytes("\ufeffaccounts:\r\n  - {name: a, provider: apimall, api_key: k}\r\n".encode())
    assert [account.name for account in load(file).accounts] == ["a"]


def test_a_line_break_in_a_key_does_not_break_the_message_in_two(refused: Refused) -> None:
    assert refused('accounts: []\n"k\\ney": 1\n"": 2\n') == [
        'prepaid.yml:2:1: "k\\ney": unknown key',
        'prepaid.yml:3:1: "": unknown key',
    ]


def test_a_zero_byte_in_a_file_name_is_told(refused: Refused) -> None:
    account = '{name: a, provider: apimall, api_key_file: "a\\0b", ca_file: "a\\0b"}'
    text = f'provider_files: ["a\\0b"]\naccounts:\n  - {account}'
    assert refused(text) == [
        "prepaid.yml:1:18: provider_files[0]: no file matches 'a\\x00b'",
        "prepaid.yml:3:48: accounts[0].api_key_file: must be the name of a file; there is no such file",
        "prepaid.yml:3:65: accounts[0].ca_file: is not the name of a file",
    ]


def test_the_root_folder_is_no_definition(refused: Refused) -> None:
    assert refused("provider_files: [/]\naccounts: []") == [
        "prepaid.yml:1:18: provider_files[0]: no file matches '/'"
    ]


def test_a_key_pasted_in_the_place_of_a_variable_is_not_repeated(refused: Refused, canary: str) -> None:
    text = f"accounts:\n  - {{name: a, provider: apimall, api_key_env: sk-{canary}}}"
    assert refused(text) == [
        "prepaid.yml:2:47: accounts[0].api_key_env: must be the name of an environment variable, such as API_KEY; "
        "there is no such variable"
    ]


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "accounts",
                    "name",
                    "provider",
                    "api_key",
                    "params",
                    "thresholds",
                    "defaults",
                    "timeout",
                    "id",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=DOCUMENTS)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # the folder is only written to
def test_any_document_is_accepted_or_refused_with_a_place(document: object, tmp_path: Path) -> None:
    file = tmp_path / "prepaid.yml"
    file.write_text(json.dumps({"accounts": [document], "defaults": document}), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert all(str(one).startswith(f"{file}:") for one in caught.value.problems)
