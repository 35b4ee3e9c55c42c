from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.kernels.engine.pool import in_order
from roofcube.options import memory_limit, progress_bar, thread_count


def test_options_return_to_what_they_were():
    before = memory_limit() // 10**9
    with rc.set_options(memory="1.5 GiB", threads=1):
        assert memory_limit() == int(1.5 * 2**30)
        assert thread_count() == 1
        with rc.set_options(threads=2):
            assert thread_count() == 2
        assert thread_count() == 1
    assert memory_limit() // 10**9 in range(before - 3, before + 4)


@pytest.fixture
def options():
    """The options of the process, as they were afterwards."""
    from roofcube import options

    before = dict(options._options)
    yield options
    options._options.update(before)


def test_options_outlive_a_plain_call_in_every_thread(options):
    rc.set_options(threads=1)
    assert thread_count() == 1
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(thread_count).result() == 1
    rc.set_options(threads=2)
    with rc.set_options(threads=5):
        rc.set_options(threads=3, memory=77)
        assert (thread_count(), memory_limit()) == (3, 77)
    assert (thread_count(), memory_limit()) == (3, 77)


def test_a_call_that_is_kept_holds_once_no_block_has_followed(options):
    call = rc.set_options(memory=78)
    assert memory_limit() == 78
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(memory_limit).result() == 78
    with call:
        assert memory_limit() == 78


def test_a_block_is_seen_by_no_other_thread(options):
    inside, ended = threading.Event(), threading.Event()
    seen = {}

    def first():
        with rc.set_options(memory=1000):
            inside.set()
            ended.wait()
            seen["first"] = memory_limit()

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    assert memory_limit() > 10_000
    with rc.set_options(memory=2000):
        ended.set()
        thread.join()
        assert memory_limit() == 2000
    assert seen == {"first": 1000}
    assert options._options["memory"] is None


def test_not_even_for_a_moment(options):
    stop, seen = threading.Event(), set()

    def watch():
        while not stop.is_set():
            seen.add(options._option("memory"))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for _ in range(3000):
            with rc.set_options(memory=1000):
                pass
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
    assert seen == {None}


def test_jobs_have_the_options_of_who_asked():
    with rc.set_options(memory=79):
        assert list(in_order(lambda _: memory_limit(), range(8), threads=2)) == [79] * 8


def test_progress_is_quiet_when_piped(capsys):
    with progress_bar(3, "working") as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("memory", ["much", "2 parsecs", 0, -1, float("inf"), True, [1]])
def test_memory_must_make_sense(memory):
    with pytest.raises(InvalidDataError, match="positive number of bytes"):
        rc.set_options(memory=memory)


@pytest.mark.parametrize("threads", [0, 1.5, True])
def test_threads_must_make_sense(threads):
    with pytest.raises(InvalidDataError, match="at least 1"):
        rc.set_options(threads=threads)


def test_the_environment_sets_the_limit_where_no_call_does(monkeypatch):
    monkeypatch.setenv("ROOFCUBE_MEMORY", "3 MB")
    assert memory_limit() == 3_000_000
    with rc.set_options(memory="5 MB"):
        assert memory_limit() == 5_000_000
    monkeypatch.setenv("ROOFCUBE_MEMORY", "much")
    with pytest.raises(InvalidDataError, match="`ROOFCUBE_MEMORY`: expected a positive number of bytes or text like"):
        memory_limit()


@pytest.mark.parametrize("ask", ["save", "report", "explore"])
def test_what_takes_all_of_a_cube_says_its_size_before_the_work(tmp_path, ask):
    pytest.importorskip("dask")
    cube = xr.Dataset({"x": (("p", "i"), np.zeros((100, 1000)))}).chunk(i=100)
    work = {"save": lambda: rc.save(cube, tmp_path / "x.nc"), "report": lambda: rc.report(cube, tmp_path / "x.html")}
    with (
        rc.set_options(memory=700_000),
        pytest.raises(MemoryLimitError, match=rf"`{ask}`: expected a cube that takes at most 0.7 MB, got [0-9.]+ MB"),
    ):
        work.get(ask, lambda: rc.explore(cube))()
    assert list(tmp_path.iterdir()) == []


def test_progress_is_true_or_false():
    with pytest.raises(InvalidDataError, match="`progress`: expected a bool, got 'no'"):
        rc.set_options(progress="no")
