"""The pages of the repository as a reader's browser sees them: links, anchors and blocks of code."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PARSER = MarkdownIt("gfm-like", {"linkify": False})


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def tokens(self) -> list[Token]:
        return list(_flat(PARSER.parse(self.path.read_text())))

    def links(self) -> list[str]:
        """List every link and picture of the page, as written."""
        targets = [token.attrGet("href") or token.attrGet("src") for token in self.tokens()]
        return [str(target) for target in targets if target]

    def anchors(self) -> set[str]:
        """List the anchors that GitHub gives to the page's headings."""
        tokens = PARSER.parse(self.path.read_text())
        titles = [
            "".join(child.content for child in inline.children or [])
            for heading, inline in pairwise(tokens)
            if heading.type == "heading_open"
        ]
        slugs: dict[str, int] = {}
        found = set()
        for title in titles:
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            count = slugs.setdefault(slug, 0)
            slugs[slug] += 1
            found.add(f"{slug}-{count}" if count else slug)
        return found

    def blocks(self, language: str) -> list[str]:
        """List the page's blocks of code in one language."""
        return [token.content for token in self.tokens() if token.type == "fence" and token.info == language]

    def code(self) -> list[str]:
        """List what the page shows as code: lines of its shell blocks, and code within its sentences."""
        lines = [line for block in self.blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
        return lines + [token.content for token in self.tokens() if token.type == "code_inline"]


@pytest.fixture(scope="session")
def page() -> Callable[[str], Page]:
    """Open a page by its path within the checkout."""
    return lambda name: Page(ROOT / name)
