"""The collector rests in a block, and has its thresholds back after the last one."""

from __future__ import annotations

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from roofcube.garbage import RESTING, collector_at_rest


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    gc.set_threshold(700, 9, 8)
    yield (700, 9, 8)
    gc.set_threshold(*before)


def test_the_threshold_comes_back_also_after_an_error(thresholds):
    seen = []

    @collector_at_rest()
    def fail():
        seen.append(gc.get_threshold())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == [(RESTING, 9, 8)]
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
        assert next(pool.map(rest, range(4))) == (RESTING, 9, 8)
    assert gc.get_threshold() == thresholds


@pytest.mark.parametrize("first", [0, RESTING * 2])
def test_a_collector_that_is_off_or_rests_longer_is_left_so(first, thresholds):
    gc.set_threshold(first, 9, 8)
    with collector_at_rest():
        assert gc.get_threshold() == (first, 9, 8)
    assert gc.get_threshold() == (first, 9, 8)


@pytest.mark.parametrize(("command", "searched"), [(["platforms"], ["False"]), ([], ["True"])])
def test_a_command_ends_without_a_search_but_not_without_its_last_duties(command, searched):
    code = (
        "import atexit, gc, sys\n"
        "frozen = gc.get_freeze_count()\n"  # Python 3.12 begins with some
        "atexit.register(lambda: print('last', gc.get_freeze_count() == frozen))\n"
        "from roofcube.cli import main\n"
        f"command = {command!r}\n"
        "main(command, standalone_mode=False) if command else None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["last", *searched]
