"""The tables of accuracy.py: their shape on few networks, and where they are written."""

import accuracy
import pytest


@pytest.fixture(scope="module")
def known():
    return {name: data for name, data in accuracy.boards(40) if name in accuracy.PAIRS[0]}


@pytest.mark.parametrize("table", list(accuracy.TABLES))
def test_a_table_has_a_line_for_each_board(known, table, monkeypatch):
    monkeypatch.setattr(accuracy, "FOLDS", 2)
    lines = list(accuracy.TABLES[table](known, 1))
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert len(lines) == {"folds": 5, "alone": 5, "sisters": 4}[table]
    assert all("%" in line for line in lines[2:])


def test_folds_hold_whole_architectures(known):
    data = known["RTX3090"]
    kinds = data.rows.net("architecture")
    for kept, out in accuracy.parts(data, "architecture"):
        assert len(kept) + len(out) == len(data)
        assert not set(kinds[kept]) & set(kinds[out])


def test_a_table_is_written_between_its_marks():
    page = "a\n<!-- accuracy alone: start -->\nold\n<!-- accuracy alone: end -->\nb\n"
    new = accuracy.written(page, "alone", ["| x |"])
    assert new == "a\n<!-- accuracy alone: start -->\n| x |\n<!-- accuracy alone: end -->\nb\n"


def test_the_page_has_marks_for_every_table():
    page = accuracy.PAGE.read_text(encoding="utf-8")
    for name in accuracy.TABLES:
        assert accuracy.written(page, name, ["| x |"]).count("| x |") == 1
