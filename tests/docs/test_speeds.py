"""The tables of speeds: the README shows lines of the whole table, and both are written from one run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("benchmark_table", ROOT / "benchmarks" / "table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]


def test_the_readme_shows_a_dozen_lines_of_the_whole_table():
    short, whole = lines(ROOT / "README.md"), lines(ROOT / "docs" / "speeds.md")
    assert 12 <= len(short) <= 16
    assert [line for line in short if line not in whole] == []


def test_a_run_is_written_into_both(table, tmp_path):
    (tmp_path / "docs").mkdir()
    page = f"before\n{table.START}\nold\n\n| work | ours | against | ratio | at least | aim |\n|---|---|---|---|---|---|\n| a | 1 s | b | 2.00 | 1 |  |\n{table.END}\nafter\n"
    (tmp_path / "README.md").write_text(page)
    (tmp_path / "docs" / "speeds.md").write_text(page)
    rows = [{"work": work, "ours": "3 s", "peer": "b", "ratio": 4.0, "at_least": "1", "aim": ""} for work in ("c", "a")]
    table.write(tmp_path, rows)
    assert lines(tmp_path / "docs" / "speeds.md")[1:] == [
        "| c | 3 s | b | 4.00 | 1 |  |",
        "| a | 3 s | b | 4.00 | 1 |  |",
    ]
    assert lines(tmp_path / "README.md")[1:] == ["| a | 3 s | b | 4.00 | 1 |  |"]
    assert (tmp_path / "README.md").read_text().endswith("after\n")
    with pytest.raises(SystemExit, match="got a against b; measure them, or take them out"):
        table.write(tmp_path, rows[:1])


def test_a_run_of_some_exchanges_their_lines(table, tmp_path):
    (tmp_path / "docs").mkdir()
    rows = [{"work": work, "ours": "3 s", "peer": "b", "ratio": 4.0, "at_least": "1", "aim": ""} for work in ("c", "a")]
    for page in (tmp_path / "README.md", tmp_path / "docs" / "speeds.md"):
        page.write_text(f"{table.START}\n{table.rendered(rows)}\n{table.END}\n")
    table.write(tmp_path, [{**rows[1], "ratio": 5.0}, {**rows[1], "work": "new"}], keep=True)
    assert lines(tmp_path / "docs" / "speeds.md")[1:] == [
        "| c | 3 s | b | 4.00 | 1 |  |",
        "| a | 3 s | b | 5.00 | 1 |  |",
        "| new | 3 s | b | 4.00 | 1 |  |",
    ]
    assert lines(tmp_path / "README.md")[1:] == ["| c | 3 s | b | 4.00 | 1 |  |", "| a | 3 s | b | 5.00 | 1 |  |"]


def test_the_lines_of_the_readme_are_found_again(table):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = table.read((ROOT / "docs" / "speeds.md").read_text(encoding="utf-8"))
    assert len(table.shown(text, rows)) == len(lines(ROOT / "README.md")) - 1
