from __future__ import annotations

import pytest

from roofcube.kernels.query import history
from roofcube.kernels.query.history import History, Searched


def test_equal_questions_are_told_from_like_ones():
    past = History()
    assert past.searched("count", "below 3") == (None, False)
    past.note_search("count", "below 3", Searched(0.5, ended=True), 0.7)
    assert past.searched("count", "below 3") == (Searched(0.5, ended=True), True)
    assert past.searched("count", "below 4") == (Searched(0.5, ended=True), False)
    assert past.searched("best", "below 3") == (None, False)
    past.note_visit("count", 0.2)
    assert past.visits == {"count": 0.2}
    assert past.spent == pytest.approx(0.9)


def test_only_so_many_questions_are_remembered_exactly():
    past = History()
    for number in range(history.EXACT + 1):
        past.note_search("count", number, Searched(float(number), ended=True), 0.0)
    assert not past.searched("count", 0)[1]
    assert past.searched("count", 1) == (Searched(1.0, ended=True), True)
