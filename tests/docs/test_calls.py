"""The table of calls a day keeps its word: no allowance is overdrawn, on a failing day neither."""

import re
from collections.abc import Callable
from typing import Any


def test_no_min_interval_of_the_table_overdraws_its_allowance(page: Callable[[str], Any]) -> None:
    text = page("docs/faq.md").path.read_text()
    block = re.search(r"BEGIN GENERATED calls -->\n(.*?)<!-- END", text, re.DOTALL)
    assert block
    head, _, *rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")] for line in block[1].split("\n") if line
    ]
    assert len(rows) > 3
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        allowance, measured = int(row[0]), [int(cell) for cell in row[2:-1]]
        assert max(measured) <= allowance
        assert int(row[-1]) == 2 * int(cells["one Prometheus"]), "two exporters save nothing"
        if cells["`min_interval`"] != "`30s`":
            assert cells["HA pair"] == cells["one Prometheus"], "the second server asks nobody"
        else:
            assert int(cells["HA pair"]) == 2 * int(cells["one Prometheus"]), "as the page says"
