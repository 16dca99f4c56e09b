"""Every link within the repository leads somewhere, and every page can be found."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "helm/*/*.md",
        "grafana/**/*.md",
        "systemd/*.md",
        ".github/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
OWN = "https://github.com/prepaid-exporter/prepaid-exporter/blob/main/"


def destination(page: Path, link: str) -> tuple[Path, str] | None:
    """Return the file of this checkout and the anchor that a link leads to; None for another site."""
    link = (ROOT / link.removeprefix(OWN)).as_posix() if link.startswith(OWN) else link
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, parts.fragment


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_repository_leads_somewhere(name: str, page: Callable[[str], Any]) -> None:
    for link in page(name).links():
        if found := destination(ROOT / name, link):
            path, anchor = found
            assert path.exists(), f"{name} links to {link}: there is no such file"
            assert path.is_relative_to(ROOT), f"{name} links to {link}: outside of the repository"
            if anchor:
                anchors = page(str(path.relative_to(ROOT))).anchors()
                assert anchor in anchors, f"{name} links to {link}: no such heading"


@pytest.mark.parametrize("name", PAGES)
def test_links_to_other_sites_are_encrypted_unless_they_are_this_machine(
    name: str, page: Callable[[str], Any]
) -> None:
    for link in page(name).links():
        parts = urlsplit(link)
        if parts.scheme == "http":
            assert parts.hostname in {"localhost", "127.0.0.1"}, f"{name} links to {link}"


def test_the_readme_works_on_a_package_index_too(page: Callable[[str], Any]) -> None:
    links = page("README.md").links()
    assert any(link.startswith(OWN) for link in links)
    assert all(link.startswith(("https://", "#")) or "127.0.0.1" in link for link in links)
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    raw = "https://raw.githubusercontent.com/prepaid-exporter/prepaid-exporter/main/"
    assert pictures
    assert all((ROOT / picture.removeprefix(raw)).is_file() for picture in pictures)


def test_the_index_leads_to_every_page(page: Callable[[str], Any]) -> None:
    index = ROOT / "docs/README.md"
    linked = {found[0] for link in page("docs/README.md").links() if (found := destination(index, link))}
    assert set((ROOT / "docs").glob("*.md")) - {index} <= linked
