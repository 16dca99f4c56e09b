"""Whatever an answer looks like: a definition that reads it, or a reason why there is none, and never the key."""

import json
import shlex
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.drafting.curl import call
from exporter.drafting.draft import DraftError, draft
from exporter.drafting.keys import plan

KEY = "Zk7Qx0a1b2c3d4e5f6789w"
NAMES = st.sampled_from(
    [
        "balance",
        "data",
        "credits",
        "id",
        "currency",
        "wallets",
        "amount",
        "@x",
        "a b",
        "a-b",
        "key",
        "$",
        "ü",
        KEY,
    ]
)
TEXTS = st.sampled_from(
    ["EUR", "ok", "1,234.50", "12.50 EUR", "2026-11-27", "", "Bob's", "${x}", KEY, f"is {KEY}"]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 99999) | st.decimals(-9, 9, places=2).map(float) | TEXTS
ANSWERS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PLACES = st.sampled_from(
    [
        ["https://api.example.com/b", "-H", f"Authorization: Bearer {KEY}"],
        ["https://api.example.com/b?user=bob&key=" + KEY],
        [f"https://api.example.com/{KEY}/b", "-d", "a=$b"],
        ["https://api.example.com/b", "-u", f"bob:{KEY}"],
        ["https://api.example.com/b", "--json", json.dumps({"a": [{"token": KEY}], "b": "it's"})],
    ]
)


@settings(deadline=None, database=None, max_examples=150)
@given(PLACES, ANSWERS)
def test_a_draft_reads_its_answer_and_holds_no_key(arguments: list[str], answer: Any) -> None:
    made = plan(call(shlex.join(["curl", *arguments]), {}))
    try:
        # A draft is made only of a definition that is right and that reads the answer.
        begun = draft("acme", made, json.dumps(answer).encode())
        said = begun.definition + begun.fixture + "".join(begun.told)
    except DraftError as error:
        said = str(error)
    assert said
    assert KEY not in said
