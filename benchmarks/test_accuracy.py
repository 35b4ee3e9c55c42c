"""What measures the tables of trust holds together: folds leave nothing out twice, a table changes its own lines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import accuracy


@pytest.fixture(scope="module")
def known():
    return {name: data for name, data in accuracy.boards(40) if name in ("RTX3090", "RTX5090")}


@pytest.mark.parametrize("what", ["network", "architecture"])
def test_each_row_is_left_out_once_and_its_kin_with_it(known, what):
    data = known["RTX3090"]
    names = np.array([one.topology if what == "network" else one.architecture for one in data.rows.nets])
    label = names[data.rows.network]
    folds = accuracy.parts(data, what)
    assert sorted(np.concatenate([out for _, out in folds]).tolist()) == list(range(len(data)))
    for kept, out in folds:
        assert not set(label[kept]) & set(label[out])


@pytest.mark.parametrize("table", ["alone", "sisters"])
def test_tables_are_of_percents(known, table):
    with accuracy.one_thread():
        head, rule, *lines = accuracy.TABLES[table](known, 1)
    assert lines
    for line in lines:
        assert line.count("|") == head.count("|") == rule.count("|")
        figures = [cell for cell in line.split("|") if cell.strip().endswith(("%", "%)"))]
        assert all(0 < float(cell.split("%")[0]) < 100 for cell in figures)


def test_a_table_changes_its_own_lines_alone():
    page = accuracy.PAGE.read_text(encoding="utf-8")
    for name in accuracy.TABLES:
        changed = accuracy.written(page, name, ["| new |"])
        before, after = page.split(f"<!-- accuracy {name}: end -->"), changed.split(f"<!-- accuracy {name}: end -->")
        assert before[1] == after[1]
        assert after[0].endswith(f"<!-- accuracy {name}: start -->\n| new |\n")
        assert before[0].startswith(after[0].removesuffix("| new |\n"))
