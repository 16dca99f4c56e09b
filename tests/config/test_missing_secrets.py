"""A secret that is not there costs one account: the others are loaded, and `validate` names it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import Config
from exporter.schema.problems import ConfigurationError, together

Loaded = Callable[..., Config]
Refused = Callable[[str], list[str]]

GOOD = "  - {name: good, provider: apimall, api_key: k}\n"


def account(key: str) -> str:
    return f"accounts:\n  - {{name: mall, provider: apimall, {key}}}\n{GOOD}"


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "blank").write_text(" \n\t")
    (tmp_path / "keys" / "two-lines").write_text("one\ntwo")
    (tmp_path / "keys" / "zero").write_bytes(b"a\0b")
    (tmp_path / "keys" / "binary").write_bytes(b"\xfd\xfe")
    (tmp_path / "keys" / "wide").write_bytes("key".encode("utf-16"))
    (tmp_path / "keys" / "marked").write_bytes("\ufeffkey".encode())
    (tmp_path / "keys" / "unseen").write_bytes("ke\u200by".encode())
    (tmp_path / "keys" / "large").write_bytes(b"k" * 65_537)
    os.mkfifo(tmp_path / "keys" / "pipe")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("api_key_file: keys/gone", "the file keys/gone cannot be read: No such file or directory"),
        ("api_key_file: gone.key", "the file gone.key cannot be read: No such file or directory"),
        ("api_key_file: keys", "the file keys cannot be read: Is a directory"),
        ("api_key_file: keys/blank", "the file keys/blank is empty"),
        (
            "api_key_file: keys/two-lines",
            "the file keys/two-lines holds a line break or another control character",
        ),
        ("api_key_file: keys/zero", "the file keys/zero holds a line break or another control character"),
        ("api_key_file: keys/binary", "the file keys/binary is not UTF-8 text"),
        ("api_key_file: keys/wide", "the file keys/wide is not UTF-8 text, but UTF-16; save it as UTF-8"),
        (
            "api_key_file: keys/marked",
            "the file keys/marked begins with a byte order mark (U+FEFF); save it as UTF-8 without one",
        ),
        (
            "api_key_file: keys/unseen",
            "the file keys/unseen holds an invisible character (U+200B, zero width space)",
        ),
        ("api_key_file: keys/large", "the file keys/large cannot be read: it is over 65,536 bytes"),
        (
            "api_key_file: keys/pipe",
            "the file keys/pipe cannot be read: it is a pipe or a device; it must be a regular file, "
            "since it is read more than once",
        ),
        ("api_key_env: PREPAID_TEST_UNSET", "the environment variable PREPAID_TEST_UNSET is not set"),
        ("api_key_env: PREPAID_TEST_EMPTY", "the environment variable PREPAID_TEST_EMPTY is empty"),
        (
            "api_key_env: PREPAID_TEST_LINES",
            "the environment variable PREPAID_TEST_LINES holds a line break or another control character",
        ),
    ],
)
def test_what_is_missing_is_a_problem_where_secrets_are_asked_for_and_costs_one_account_elsewhere(
    key: str,
    message: str,
    loaded: Loaded,
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREPAID_TEST_LINES", "one\ntwo")
    name = key.partition(":")[0]
    column = 39 + len(name)
    told = f"prepaid.yml:2:{column}: accounts[0].{name}: {message}"
    assert refused(account(key)) == [told]
    config = loaded(account(key))
    assert [one.name for one in config.accounts] == ["mall", "good"]
    assert list(config.missing) == ["mall"]
    assert together(config.missing["mall"]).replace(f"{tmp_path}/", "") == told
    with pytest.raises(ValueError, match="the ") as caught:
        config.accounts[0].secrets["api_key"].read()
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_two_secrets_of_one_account_are_told_in_one_line(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "wallet.yml").write_text(
        (Path(__file__).parent / "good" / "providers" / "wallet.yml").read_text(encoding="utf-8")
    )
    text = "provider_files: [wallet.yml]\naccounts:\n  - name: a\n    provider: wallet\n"
    config = loaded(f"{text}    user_env: PREPAID_TEST_UNSET\n    password_file: gone.key\n")
    assert together(config.missing["a"]).replace(f"{tmp_path}/", "") == (
        "prepaid.yml:5:15: accounts[0].user_env: the environment variable PREPAID_TEST_UNSET is not set; "
        "accounts[0].password_file: the file gone.key cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    "key", ['api_key: " "', 'api_key: "a\\nb"', "api_key: ''", "api_key: $MALL_KEY", "api_key_file:"]
)
def test_what_the_file_itself_says_wrongly_is_an_error(key: str, loaded: Loaded) -> None:
    with pytest.raises(ConfigurationError):
        loaded(account(key))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key_file", "sk-canary-7f3a"),
        ("api_key_file", "SG.canary-7f3a.canaryTailOfAKey"),
        ("api_key_file", "canary/7f3a+base64=="),
        ("api_key_file", "canary" * 60),
        ("api_key_env", "sk-canary-7f3a"),
        ("api_key_env", "canary7f3a"),
    ],
)
def test_a_key_in_the_place_of_a_name_is_shown_nowhere(
    name: str, value: str, loaded: Loaded, refused: Refused
) -> None:
    what = "a file" if name.endswith("file") else "an environment variable, such as API_KEY"
    place = f"prepaid.yml:2:{39 + len(name)}: accounts[0].{name}: "
    kind = "file" if name.endswith("file") else "variable"
    assert refused(account(f"{name}: {value}")) == [
        f"{place}must be the name of {what}; there is no such {kind}"
    ]
    config = loaded(account(f"{name}: {value}"))
    with pytest.raises(ValueError, match="its ") as caught:
        config.accounts[0].secrets["api_key"].read()
    assert "canary" not in f"{config!r} {caught.value} {caught.value.__context__!r}"


def test_a_file_that_is_there_is_named_whatever_it_is_called(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "outreach").write_text("two\nlines")
    config = loaded(account("api_key_file: outreach"))
    assert "/outreach holds a line break" in together(config.missing["mall"])
