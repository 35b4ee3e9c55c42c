"""Rows of configurations: where they lie, which are left out, how high a figure of them is."""

from __future__ import annotations

import numpy as np

from roofcube.plot.drawing.rows import FEWEST, MOST_ROWS, ROW, TALLEST, Rows, few_rows
from roofcube.wording import with_thousands


def test_few_rows_stay_as_they_are():
    kept, note = few_rows(["a", "b"], np.array([2.0, 1.0]))
    assert kept.tolist() == [0, 1]
    assert note == ""


def test_of_many_rows_each_group_keeps_its_first_in_turn():
    groups = np.array(["large"] * 1000 + ["small"] * 3)
    order = np.concatenate([np.arange(1000.0)[::-1], [5.0, np.nan, 4.0]])
    kept, note = few_rows(groups, order)
    assert len(kept) == MOST_ROWS
    assert (np.diff(kept) > 0).all()
    assert kept[-3:].tolist() == [1000, 1001, 1002]
    # of the large group those with the least order
    assert kept[:-3].tolist() == list(range(1000 - (MOST_ROWS - 3), 1000))
    assert note == f"360 of {with_thousands(1003)} rows, those that head the rows of each platform"
    alone = few_rows(groups[:1000], order[:1000])[1]
    assert alone.endswith("rows, those that head the rows")


def test_a_single_row_has_room_and_many_do_not_make_a_tower():
    assert Rows([("a", "x")]).height(around=150) == 150 + FEWEST * ROW
    assert Rows([("a", str(place)) for place in range(1000)]).height() == TALLEST


def test_rows_have_their_labels_where_there_is_room():
    for count in (3, 160, MOST_ROWS):
        assert len(Rows([(f"board {row // 4}", f"label {row}") for row in range(count)]).axis().ticks) == count
    assert len(Rows([("board", f"label {row}") for row in range(1000)]).axis().ticks) < 1000
