from __future__ import annotations

import _thread
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.interrupts import Abandoned, aside, is_abandoned

# each ends by itself after a time that none of them needs
WITHIN = 120


def in_process(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=WITHIN, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_ctrl_c_ends_a_wait_after_polars_was_imported():
    code = """
    import os, signal, threading
    import roofcube as rc
    rc.inputs
    import polars
    from roofcube.interrupts import end_waits
    end_waits()
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    free = threading.Timer(30, lock.release)
    free.daemon = True
    free.start()
    try:
        lock.acquire()
        print("waited to the end")
    except KeyboardInterrupt:
        print("interrupted")
    """
    assert in_process(code) == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("what", ["rc.predict", "rc.pareto"])
def test_asking_for_a_public_name_makes_waits_end(what):
    code = f"""
    import ctypes, signal
    import roofcube as rc
    {what}
    class Action(ctypes.Structure):
        _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int), ("more", ctypes.c_void_p)]
    action = Action()
    ctypes.CDLL(None).sigaction(signal.SIGINT, None, ctypes.byref(action))
    print(bool(action.flags & 0x10000000))
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("the number of SA_RESTART on Linux")
    assert in_process(code) == "False"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_an_import_that_is_interrupted_is_whole_all_the_same(tmp_path):
    package = tmp_path / "slow_library"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import slow_library.part\nimport time\ntime.sleep(1.0)\nvalue = slow_library.part.value\n", "utf-8"
    )
    (package / "part.py").write_text("value = 7\n", "utf-8")
    code = f"""
    import os, signal, sys, threading
    sys.path.insert(0, {str(tmp_path)!r})
    from roofcube.interrupts import import_whole
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        import_whole("slow_library")
        print("whole")
    except KeyboardInterrupt:
        print("interrupted")
    import slow_library
    print(slow_library.value)
    """
    assert in_process(code).split() == ["interrupted", "7"]


def test_work_aside_gives_its_result_or_its_error_in_the_context_of_who_waits():
    with rc.set_options(memory=12345):
        from roofcube.options import memory_limit

        assert aside(memory_limit) == 12345
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 // 0)
    assert not is_abandoned()


def test_who_is_interrupted_leaves_the_work_which_is_told():
    told = threading.Event()

    def work() -> None:
        end = time.monotonic() + WITHIN
        _thread.interrupt_main()
        while not is_abandoned():
            if time.monotonic() > end:
                return
            time.sleep(0.001)
        told.set()

    with pytest.raises(KeyboardInterrupt):
        aside(work)
    assert told.wait(WITHIN)


def test_a_library_that_swallows_ctrl_c_does_not_swallow_ours(tmp_path, monkeypatch):
    path = rc.save(xr.Dataset({"v": ("a", np.arange(5.0))}), tmp_path / "cube.nc")
    real = xr.open_dataset

    def swallows(*args, **kwargs):
        try:
            _thread.interrupt_main()
            for _ in range(1000):  # steps at which the signal could be seen
                pass
        except BaseException:
            pass
        return real(*args, **kwargs)

    monkeypatch.setattr(xr, "open_dataset", swallows)
    with pytest.raises(KeyboardInterrupt):
        rc.load(path)
    monkeypatch.undo()
    assert rc.load(path)["v"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_an_interrupted_save_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path = rc.save(xr.Dataset({"v": ("a", np.arange(5.0))}), tmp_path / "cube.nc")
    real, ended = xr.Dataset.dump_to_store, threading.Event()

    def slow(cube, name, **kwargs):
        _thread.interrupt_main()
        end = time.monotonic() + WITHIN
        while not is_abandoned() and time.monotonic() < end:
            time.sleep(0.001)
        real(cube, name, **kwargs)
        threading.Timer(0.2, ended.set).start()

    monkeypatch.setattr(xr.Dataset, "dump_to_store", slow)
    with pytest.raises(KeyboardInterrupt):
        rc.save(xr.Dataset({"v": ("a", np.zeros(5))}), path)
    assert ended.wait(WITHIN)
    monkeypatch.undo()
    assert [one.name for one in tmp_path.iterdir()] == ["cube.nc"]
    assert rc.load(path)["v"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("shape", [(3000, 1000), (1, 3_000_000), (3_000_000,)])
def test_large_variables_are_read_in_parts_as_they_are(tmp_path, shape):
    values = np.random.default_rng(0).random(shape)
    cube = xr.Dataset({"v": (("a", "b")[: len(shape)], values), "n": (("a", "b")[: len(shape)], values.astype("i4"))})
    assert rc.load(rc.save(cube, tmp_path / "cube.nc")).identical(cube)


def test_nobody_reads_on_for_who_has_left(tmp_path):
    path = rc.save(xr.Dataset({"v": (("a", "b"), np.zeros((3000, 1000)))}), tmp_path / "cube.nc")
    ended = Future()

    def work() -> None:
        end = time.monotonic() + WITHIN
        _thread.interrupt_main()
        while not is_abandoned() and time.monotonic() < end:
            time.sleep(0.001)
        try:
            ended.set_result(rc.load(path))
        except Abandoned as error:
            ended.set_exception(error)

    with pytest.raises(KeyboardInterrupt):
        aside(work)
    with pytest.raises(Abandoned):
        ended.result(WITHIN)
