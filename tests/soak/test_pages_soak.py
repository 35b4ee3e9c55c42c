"""Cells of the pages of the docs that take seconds; the quick ones run always, in `tests/docs`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doc_cells import SLOW, check_page

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.soak
@pytest.mark.skipif(not FULL, reason="ROOFCUBE_SOAK is not set")
@pytest.mark.parametrize("name", sorted(SLOW))
def test_cells_print_what_the_page_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_page(DOCS, name)
