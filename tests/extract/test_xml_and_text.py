"""Answers that are no JSON: a text, and XML, whose every mark becomes a name or a list."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exporter.extract.documents import parse
from exporter.model import Failure

DECLARED = '<?xml version="1.0" encoding="{}"?>'


def xml(text: str | bytes, content_type: str = "", lists: tuple[str, ...] = ()) -> Any:
    return parse(text if isinstance(text, bytes) else text.encode(), content_type, "xml", lists)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("<r>5</r>", {"r": "5"}),
        ("<r><a>1</a><b/></r>", {"r": {"a": "1", "b": None}}),
        ("<r><a> 1\n</a><b> </b></r>", {"r": {"a": "1", "b": None}}),
        ('<r s="ok"/>', {"r": {"@s": "ok"}}),
        ('<r s="ok"> 5 </r>', {"r": {"@s": "ok", "#text": "5"}}),
        ("<r><a>1</a><a>2</a></r>", {"r": {"a": ["1", "2"]}}),
        ("<r><l>1</l></r>", {"r": {"l": ["1"]}}),
        ("<r><l/><l>2</l></r>", {"r": {"l": [None, "2"]}}),
        ("<r><![CDATA[<5>]]></r>", {"r": "<5>"}),
        ("<r>&lt;&#x35;&amp;</r>", {"r": "<5&"}),
        ("<r>12<!-- a remark -->34</r>", {"r": "1234"}),
        (
            '<r xmlns="urn:a" xmlns:b="urn:b"><b:a b:c="1">5</b:a></r>',
            {"r": {"a": {"@c": "1", "#text": "5"}}},
        ),
        ('<b:l xmlns:b="urn:b"><b:l>1</b:l></b:l>', {"l": [{"l": ["1"]}]}),
    ],
)
def test_xml_is_read_by_names(text: str, document: Any) -> None:
    assert xml(text, lists=("l",)) == document


CAFE = "<r>Caf\u00e9</r>"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (CAFE.encode(), ""),
        (b"\xef\xbb\xbf" + CAFE.encode(), "text/xml"),
        (CAFE.encode("latin-1"), "text/xml; charset=iso-8859-1"),
        ((DECLARED.format("iso-8859-1") + CAFE).encode("latin-1"), "application/xml"),
        ((DECLARED.format("utf-8") + CAFE).encode("latin-1"), "application/xml; charset=iso-8859-1"),
        ((DECLARED.format("utf-16") + CAFE).encode("utf-16"), ""),
        (CAFE.encode("utf-16-le"), ""),
        ((DECLARED.format("gbk") + CAFE).encode("gb18030"), ""),
        ((DECLARED.format("nonsense") + CAFE).encode(), ""),
    ],
)
def test_xml_is_read_in_the_charset_of_the_answer_else_its_own(body: bytes, content_type: str) -> None:
    assert xml(body, content_type) == {"r": "Caf\u00e9"}


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><r>&b;</r>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>'
DOCTYPES = ["<!DOCTYPE r><r/>", '<!DOCTYPE r SYSTEM "http://127.0.0.1/r.dtd"><r/>', BOMB, OUTSIDE]


@pytest.mark.parametrize("text", DOCTYPES)
@pytest.mark.parametrize(
    ("charset", "content_type"),
    [
        ("utf-8", ""),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("utf-32", ""),
        ("iso-8859-1", "text/xml; charset=iso-8859-1"),
        ("gb18030", "text/xml; charset=gb18030"),
        ("cp037", "text/xml; charset=cp037"),
        ("shift_jis", "text/xml; charset=shift_jis"),
    ],
)
def test_a_doctype_is_refused_in_any_charset(text: str, charset: str, content_type: str) -> None:
    for declaration in ("", DECLARED.format(charset)):
        with pytest.raises(ValueError, match=r"^has a DOCTYPE, which is refused$"):
            xml((declaration + text).encode(charset), content_type)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not XML"),
        ('{"balance": 5}', "is not XML"),
        ("<r>", "is not XML"),
        ("<r/><r/>", "is not XML"),
        ("<!DOCTYPE html><p>", "is a page for people (HTML)"),
        ("<html><br></html>", "is a page for people (HTML)"),
        ("<r>&nbsp;</r>", "is not XML"),
        ("<r>\x00</r>", "is not XML"),
        ("<a:r/>", "is not XML"),
        ('<r a="1" a="2"/>', "is not XML"),
        ("+ADwAIQ-DOCTYPE r+AD4-<r/>", "is not XML"),
        (b"<r>\xff</r>", "is not text in utf-8"),
        ('<r xmlns:a="urn:a" b="1" a:b="2"/>', "has an element that gives an attribute twice"),
        ("<a>" * 101 + "</a>" * 101, "is nested too deeply"),
        ("<a>" * 200_000, "is nested too deeply"),
    ],
)
def test_what_is_no_xml_is_refused_in_our_words(text: str | bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as caught:
        xml(text)
    assert str(caught.value) == problem


def test_a_hundred_levels_of_lists_are_read() -> None:
    assert xml("<a><b/><b>" * 50 + "1" + "</b></a>" * 50)


WALLETS = {"items": "r.wallet", "id": '"@id"', "currency": {"literal": "EUR"}, "balance": "b"}


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        ('<r><wallet id="1"><b>5</b></wallet></r>', ["1"]),
        ('<r><wallet id="1"><b>5</b></wallet><wallet id="2"><b>0</b></wallet></r>', ["1", "2"]),
    ],
)
def test_one_element_and_several_are_wallets(
    answer: str, ids: list[str], extract: Callable[..., Any]
) -> None:
    for lists in ([], ["wallet"]):
        found, _ = extract(WALLETS, answer, answer="xml", lists=lists)
        assert [wallet.id for wallet in found] == ids


@pytest.mark.parametrize("answer", ["<r/>", "<r><wallets/></r>", "<r>none</r>", "<r><wallet/></r>"])
def test_no_element_where_wallets_are_wanted_is_malformed(answer: str, extract: Callable[..., Any]) -> None:
    with pytest.raises(Failure, match=r"^malformed: wallets"):
        extract(WALLETS, answer, answer="xml", lists=["wallet"])


def test_no_element_is_no_list_of_amounts(extract: Callable[..., Any]) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": {"sum": {"items": "r.grant", "path": "@"}}}
    ((wallet,), _) = extract(
        mapping, "<r><grant>1</grant><grant>2.5</grant></r>", answer="xml", lists=["grant"]
    )
    assert wallet.balance == Decimal("3.5")
    with pytest.raises(Failure, match=r"^malformed: wallet.balance is missing: nothing at r.grant$"):
        extract(mapping, "<r/>", answer="xml", lists=["grant"])


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b" 12.50\r\n", "", "12.50"),
        ("\ufeffCaf\u00e9".encode(), "text/plain", "Caf\u00e9"),
        (b"Caf\xe9", "text/plain; charset=ISO-8859-1", "Caf\u00e9"),
        (b"", "", ""),
        (b'{"a": 1}', "application/json", '{"a": 1}'),
    ],
)
def test_a_text_is_a_document_of_one_text(body: bytes, content_type: str, text: str) -> None:
    assert parse(body, content_type, "text") == {"text": text}


@pytest.mark.parametrize("body", [b"Caf\xe9", b"\xff\xfe1\x002\x00"])
def test_a_text_without_a_charset_is_utf_8(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is not text in utf-8$"):
        parse(body, "text/plain", "text")


def test_a_text_is_an_amount(extract: Callable[..., Any]) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": "text", "quota": '"$".text'}
    ((wallet,), _) = extract(mapping, "12.50\n", answer="text")
    assert (wallet.balance, wallet.quota) == (Decimal("12.50"), Decimal("12.50"))
    for text in ("", "<html>", "12,50", "ERR"):
        with pytest.raises(Failure, match=r"^malformed: wallet.balance is not a number: a text at text$"):
            extract(mapping, text, answer="text")
