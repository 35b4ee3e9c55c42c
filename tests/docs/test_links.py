"""Links between the pages of the docs, to files and to headings, lead somewhere; every page is in a table of contents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    """Return the anchors of headings, as MyST and forges make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(path: Path) -> list[str]:
    wrong = []
    for link in LINK.findall(without_code(path.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    assert broken(path) == []


def test_a_broken_link_would_be_found(tmp_path):
    (tmp_path / "a.md").write_text("# A b\n[x](b.md) [y](#a-b) [z](#c) `[w](d.md)`\n")
    assert broken(tmp_path / "a.md") == ["b.md", "#c"]


def test_every_page_is_in_a_table_of_contents():
    listed = {DOCS / "index.md"}
    for path in PAGES:
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            entries = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {path.parent / f"{entry}.md" for entry in entries}
    assert listed == set(PAGES)
