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
    found = copy.deepcopy(document)
    holder = found
    for part in path[:-1]:
        holder = holder[part]
    if leave_out:
        del holder[path[-1]]
    else:
        holder[path[-1]] = None
    return found


def test_an_optional_field_that_is_left_out_is_lost_and_one_that_is_null_is_not(
    success: "Case", definition_of: "Callable[[str], Definition]"
) -> None:
    definition = definition_of(success.provider)
    extractor = Extractor(definition)
    document = extractor.document(200, success.answer.body)

    def read(document: Any, before: FieldAnswers) -> FieldAnswers | None:
        answers = FieldAnswers(before.given)
        try:
            extractor.wallets(document, "EUR", (), answers)
        except Failure:
            return None
        return answers

    first = read(document, FieldAnswers())
    assert first is not None
    assert not first.lost
    for path in fields(document):
        for leave_out in (True, False):
            second = read(changed(document, path, leave_out=leave_out), first)
            for key, given in second.given.items() if second else ():
                gone = first.given.get(key, {}).keys() - given.keys()
                lost = second.lost.get(key, frozenset()) if second else frozenset()
                assert lost == (gone if leave_out else frozenset()), f"{path}, {leave_out=}"
