"""Every cell of the docs runs, in order, and prints what stands below it; slow pages run in the soak."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_cells import SLOW, cells_of, check_page, pages, run_line, same

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", [name for name in pages(DOCS) if name not in SLOW])
def test_cells_print_what_the_page_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_page(DOCS, name)


def test_slow_pages_are_pages():
    assert set(pages(DOCS)) >= SLOW


def test_what_is_printed_is_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert same("12 of ...\n", "12 of 30\n")
    assert not same("12 of ...\n", "13 of 30\n")
    (tmp_path / "page.md").write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:1 printed"):
        check_page(tmp_path, "page.md")
    (tmp_path / "page.md").write_text("```python\nprint(1)\n```\n")
    with pytest.raises(AssertionError, match="prints what the page does not show"):
        check_page(tmp_path, "page.md")


def test_files_and_commands_are_cells():
    text = "`a.toml`:\n\n```toml\nx = 1\n```\n\n```sh\nroofcube --help  # exits with 1\n```\n\n```json\n{}\n```\n"
    assert [(one.kind, one.file) for one in cells_of(text)] == [("toml", "a.toml"), ("sh", None)]


def test_a_command_that_fails_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_line("roofcube variables  # lists")
    with pytest.raises(AssertionError, match="roofcube report nowhere: exit 2"):
        run_line("roofcube report nowhere")
    with pytest.raises(AssertionError, match="roofcube variables: exit 0"):
        run_line("roofcube variables  # exits with 1")
