"""Each bad file in `bad/` is refused with exactly the messages in the .txt beside it, all of them at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import load
from exporter.schema.problems import ConfigurationError

BAD = Path(__file__).parent / "bad"
FILES = sorted(file.name for file in BAD.glob("*.yml"))


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_with_exactly_these_messages(
    name: str, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigurationError) as caught:
        load(Path(name), secrets_must_be_there=True)
    assert f"{caught.value}\n" == (BAD / name).with_suffix(".txt").read_text(encoding="utf-8")
    assert canary not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"


def test_every_message_file_belongs_to_a_bad_file() -> None:
    assert sorted(file.name for file in BAD.glob("*.txt")) == [name.replace(".yml", ".txt") for name in FILES]


@pytest.mark.parametrize("name", FILES)
def test_every_message_says_the_line_and_column_that_it_is_about(name: str) -> None:
    for message in (BAD / name).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        file, line, column, text = message.split(":", 3)
        lines = (BAD / file).read_text(encoding="utf-8").splitlines()
        assert 1 <= int(line) <= len(lines) + 1
        assert 1 <= int(column) <= len((*lines, "")[int(line) - 1]) + 1
        assert text.strip()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("params: {user_name: ..}", "must not be . or .., which would change the path of a request"),
        (
            "proxy_url: 'http://%D0%96:x@127.0.0.1:3128'",
            "has a user or password that HTTP cannot carry: only ISO 8859-1",
        ),
        ("dashboard_url: https://me:x@example.com", "must not carry a user"),
    ],
)
def test_what_an_account_may_not_say(
    settings: str, message: str, refused: Callable[[str], list[str]]
) -> None:
    account = f"{{name: a, provider: smspubli, api_key: canary-7f3a, {settings}}}"
    (line,) = refused(f"accounts: [{account}]")
    assert line.endswith(f": {message}")
