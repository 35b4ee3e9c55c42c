"""The collector rests in a block, and has its thresholds back after the last one."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

import roofcube as rc
from roofcube.garbage import RESTING, collector_at_rest


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    gc.set_threshold(700, 9, 8)
    yield (700, 9, 8)
    gc.set_threshold(*before)


def test_the_threshold_comes_back_also_after_an_error(thresholds):
    with pytest.raises(ZeroDivisionError), collector_at_rest():
        assert gc.get_threshold() == (RESTING, 9, 8)
        _ = 1 / 0
    assert gc.get_threshold() == thresholds


def test_it_comes_back_with_the_last_of_several_blocks(thresholds):
    started, others_ended = Barrier(4), Barrier(4)

    def rest(place):
        with collector_at_rest():
            started.wait(timeout=30)
            if place == 0:
                others_ended.wait(timeout=30)
                return gc.get_threshold()
        others_ended.wait(timeout=30)
        return None

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(rest, range(4)))[0] == (RESTING, 9, 8)
    assert gc.get_threshold() == thresholds


@pytest.mark.parametrize("first", [0, RESTING * 2])
def test_a_collector_that_is_off_or_rests_longer_is_left_so(first, thresholds):
    gc.set_threshold(first, 9, 8)
    with collector_at_rest():
        assert gc.get_threshold() == (first, 9, 8)
    assert gc.get_threshold() == (first, 9, 8)


def test_a_page_is_made_while_it_rests(thresholds, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("roofcube.page.document.render", lambda *_: seen.append(gc.get_threshold()[0]) or "page")
    rc.report(rc.predict(rc.inputs("mnist", platforms="NCS2")), tmp_path / "page.html")
    assert seen == [RESTING]
    assert gc.get_threshold() == thresholds
