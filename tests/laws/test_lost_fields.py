"""Whatever a provider leaves out of an answer: an optional field that goes with it is told, one that is null is not."""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from exporter.extract.extractor import Extractor
from exporter.model import Failure, FieldAnswers

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.providers.definition import Definition
    from tests.laws.conftest import Case

Path = tuple[str | int, ...]


def fields(node: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where the fields of all objects in a document stand."""
    for key, inner in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        if isinstance(key, str):
            yield (*path, key)
        yield from fields(inner, (*path, key))


def changed(document: Any, path: Path, *, leave_out: bool) -> Any:
    """Return the document without the field, or with a null in its place; all else is the same object as before."""
    found = copy.copy(document)
    if len(path) > 1:
        found[path[0]] = changed(document[path[0]], path[1:], leave_out=leave_out)
    elif leave_out:
        del found[path[0]]
    else:
        found[path[0]] = None
    return found


def parts(success: "Case", extractor: Extractor) -> tuple[Any, list[Any]]:
    """Return the document of the first request, and those of the pages."""
    answers = [exchange.answer for exchange in success.exchanges]
    first = None
    if extractor.login:
        answers.pop(0)
    if extractor.first:
        first = extractor.first.answers.document(200, answers.pop(0).body)
    return first, [extractor.document(200, answer.body, first=first) for answer in answers]


def test_an_optional_field_that_is_left_out_is_lost_and_one_that_is_null_is_not(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    definition_of: "Callable[[str], Definition]",
) -> None:
    extractor = Extractor(definition_of(provider_name))

    def read(document: Any, before: FieldAnswers) -> FieldAnswers | None:
        answers = FieldAnswers(before.given)
        try:
            extractor.wallets(document, "EUR", (), answers, first=first_document, further=further)
        except Failure:
            return None
        return answers

    for success in recorded(provider_name):
        if success.wallets is None:
            continue
        first_document, (document, *further) = parts(success, extractor)
        first = read(document, FieldAnswers())
        assert first is not None, success.id
        assert not first.lost, success.id
        for path in fields(document):
            for leave_out in (True, False):
                second = read(changed(document, path, leave_out=leave_out), first)
                for key, given in second.given.items() if second else ():
                    gone = first.given.get(key, {}).keys() - given.keys()
                    lost = second.lost.get(key, frozenset()) if second else frozenset()
                    expected = gone if leave_out else frozenset()
                    assert lost == expected, f"{success.id}: {path}, {leave_out=}"
