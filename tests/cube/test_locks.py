"""One writer a path: others wait or are told, and a dead one blocks nobody."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from endless_writer import numbered

import roofcube as rc
from roofcube import disk, locks
from roofcube.errors import BusyFileError, CorruptFileError, UnwritableFileError
from roofcube.files import store

POSIX = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX systems")
HOLD = (
    "import sys, time, pathlib; from roofcube.locks import locked\n"
    "with locked(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


def holder(target):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@POSIX
def test_another_process_is_waited_for_and_a_dead_one_blocks_nobody(tmp_path):
    target = tmp_path / "file"
    process = holder(target)
    try:
        with (
            pytest.raises(
                BusyFileError, match=r"file`: expected no other writer, got one that is not done after 0\.1 s"
            ),
            locks.locked(target, seconds=0.1),
        ):
            pass
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with disk.replacing(target) as temporary:
        temporary.write_text("new")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_threads_write_one_after_the_other(tmp_path):
    target, inside, most = tmp_path / "file", [0], [0]

    def write(number):
        with disk.replacing(target) as temporary:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            temporary.write_text(f"{number}" * 1000)
            inside[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))
    assert most == [1]
    assert len(set(target.read_text())) <= 2
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@POSIX
def test_abandoned_locks_of_other_names_go_and_held_ones_stay(tmp_path):
    (tmp_path / f".gone{locks.LOCK}").write_text("")
    with locks.locked(tmp_path / "held"):
        with disk.replacing(tmp_path / "file") as temporary:
            temporary.write_text("new")
        assert sorted(one.name for one in tmp_path.iterdir()) == [f".held{locks.LOCK}", "file"]


@POSIX
def test_what_is_no_lock_is_told(tmp_path):
    os.mkfifo(tmp_path / f".file{locks.LOCK}")
    with (
        pytest.raises(
            UnwritableFileError, match="file`: expected a file that can be written, got a lock that is no file"
        ),
        disk.replacing(tmp_path / "file"),
    ):
        pass


@POSIX
def test_where_the_system_has_no_locks_writing_goes_on(tmp_path, monkeypatch):
    import fcntl

    def none(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with disk.replacing(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_long_name_is_locked_too(tmp_path):
    target = tmp_path / ("ä" * 120 + ".txt")
    with disk.replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_reader_beside_two_writers_sees_what_one_of_them_wrote(tmp_path, suffix):
    path, stop = tmp_path / f"cube{suffix}", threading.Event()
    rc.save(numbered(0), path)

    def write(number):
        while not stop.is_set():
            rc.save(numbered(number), path)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, number) for number in (1, 2)]
        try:
            for _ in range(15):
                cube = rc.load(path)
                assert cube.identical(numbered(cube.attrs["number"]))
                assert rc.verify(path)
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_file_that_never_stays_is_told(tmp_path):
    path = rc.save(numbered(0), tmp_path / "cube.nc")

    def replaced_meanwhile():
        cube = rc.load(path)
        rc.save(numbered(1), path)
        return cube

    with pytest.raises(CorruptFileError, match="expected a file that stays while it is read"):
        store._steady(path, replaced_meanwhile, seconds=0.2)


def test_a_second_writer_of_a_sweep_is_told_or_given_the_store(tmp_path):
    from roofcube.sweep.zarr_store import to_zarr

    sweep, path = rc.Sweep(rc.inputs("mnist", platforms="TX2")), tmp_path / "a.zarr"
    with locks.locked(path), pytest.raises(BusyFileError, match=r"a\.zarr`: expected no other writer"):
        to_zarr(sweep.context, path, patience=0.1)
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(lambda _: to_zarr(sweep.context, path, patience=60).load(), range(3)))
    assert all(one.identical(stores[0]) for one in stores)
    assert rc.verify(tmp_path / "a.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["a.zarr"]
