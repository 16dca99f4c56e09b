"""Bytes become a document in the charset and within the bounds that they should, or a ValueError in our words."""

from typing import Any

import pytest

from exporter.extract.documents import parse

CAFE = '{"name": "Caf\u00e9"}'


@pytest.mark.parametrize(
    ("text", "charset", "content_type"),
    [
        (CAFE, "utf-8", ""),
        (CAFE, "utf-8", "application/json"),
        (CAFE, "utf-8", "text/html; charset=UTF-8"),
        (CAFE, "iso-8859-1", "application/json; charset=ISO-8859-1"),
        (CAFE, "windows-1252", 'application/json;Charset="windows-1252"'),
        (
            '{"name": "\u0411\u0430\u043b\u0430\u043d\u0441"}',
            "windows-1251",
            "a/b; x=y; charset=Windows-1251",
        ),
        ('{"name": "\u4f59\u989d"}', "gbk", "application/json; charset=GBK"),
        ('{"name": "\u4f59\u989d\U00020000"}', "gb18030", "application/json; charset=gb2312"),
        ('{"name": "\u8868\\\\"}', "shift_jis", "application/json; charset=Shift_JIS"),
        (CAFE, "utf-16", "application/json; charset=utf-16"),
        (CAFE, "utf-16", ""),
        (CAFE, "utf-8", "application/json; charset=us-ascii"),
        (CAFE, "utf-8", "application/json; charset=nonsense; =; ;;"),
        (CAFE, "utf-8", "; charset="),
        (CAFE, "utf-8", "\x00; charset=\x00"),
        *(
            (CAFE, "utf-8", f"a/b; charset={name}")
            for name in ("hex", "idna", "unicode_escape", "UTF-7", "rot13")
        ),
    ],
)
def test_a_text_is_read_in_the_charset_that_the_answer_names(
    text: str, charset: str, content_type: str
) -> None:
    assert parse(text.encode(charset), content_type) == parse(text.encode())
    assert "\ufffd" not in str(parse(text.encode(charset), content_type))


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_byte_order_mark_is_passed_over(charset: str) -> None:
    assert parse(f"\ufeff{CAFE}".encode(charset)) == {"name": "Caf\u00e9"}
    assert parse(f"\ufeff{CAFE}".encode(charset), f"a/b; charset={charset}") == {"name": "Caf\u00e9"}


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (b"", "", "is not JSON"),
        (b"<a>", "", "is not JSON"),
        (b"<html>", "", "is a page for people (HTML)"),
        (b"\n<!DOCTYPE html>\n<p>", "", "is a page for people (HTML)"),
        (b'{"a": 1} {"a": 2}', "", "is not JSON"),
        (b'{"name": "Caf\xe9"}', "", "is not text in utf-8"),
        (b'"\xed\xa0\x80"', "", "is not text in utf-8"),
        (b'{"a": "\xff"}', "a/b; charset=shift_jis", "is not text in shift_jis"),
        (b'{"a": NaN}', "", "has NaN, which is not JSON"),
        (b'{"a": -Infinity}', "", "has -Infinity, which is not JSON"),
        (b'{"a": 1e99999}', "", "has a number that is too long or too large"),
        (b'{"a": 1e999999999999999999999}', "", "has a number that is too long or too large"),
        (b'{"balance": 5, "balance": 500}', "", "has an object that gives a key twice"),
        (b'{"a": [{"b": 1, "\\u0062": 1}]}', "", "has an object that gives a key twice"),
        (b"[" * 100_000, "", "is nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused_in_our_words(body: bytes, content_type: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as caught:
        parse(body, content_type)
    assert str(caught.value) == problem


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_a_document_has_at_most_a_hundred_levels(begin: str, end: str) -> None:
    def nested(levels: int, inmost: str) -> Any:
        times, rest = divmod(levels, begin.count("[") + begin.count("{"))
        return parse((("[" * rest) + begin * times + inmost + end * times + "]" * rest).encode())

    assert nested(100, "1")
    for levels, inmost in ((101, "1"), (100, "[]"), (100, "{}"), (150, "1")):
        with pytest.raises(ValueError, match="nested too deeply"):
            nested(levels, inmost)


@pytest.mark.parametrize("digits", ["1e10000", "-1e-10000", "0e999999999", "1" + "0" * 10_000])
def test_a_number_that_would_fill_the_memory_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="too long or too large"):
        parse(f'{{"b": {digits}}}'.encode())
