"""Each bad file in `bad/` is refused with exactly the messages in the .txt beside it, all of them at once."""

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
