"""Every cell of the docs runs, in order, and prints what stands below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_cells import cells_of, run_page, same

DOCS = Path(__file__).parents[2] / "docs"
# by which tests the cells of other pages run
ELSEWHERE = {"hvplot.md", "how-to/intervals.md", "how-to/calibrate.md", "gallery.md"}
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "_build" not in path.parts)
WITH_CELLS = [name for name in PAGES if cells_of((DOCS / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", [name for name in WITH_CELLS if name not in ELSEWHERE])
def test_cells_print_what_the_page_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for cell, printed in run_page(DOCS / name):
        if cell.expected is None:
            assert printed == "", f"{name}:{cell.line} prints what the page does not show"
        else:
            assert same(cell.expected, printed), f"{name}:{cell.line} printed\n{printed}"


def test_what_is_printed_is_compared():
    assert same("12 of ...\n", "12 of 30\n")
    assert not same("12 of ...\n", "13 of 30\n")
