from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, UnwritableFileError
from roofcube.kernels.tuning import Tuning
from roofcube.sweep import zarr_store

pytest.importorskip("zarr")


@pytest.fixture
def sweep() -> rc.Sweep:
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 6), memory_bandwidth=np.geomspace(1e9, 1e12, 5))
    return rc.Sweep(
        rc.inputs("cifar10", platforms=hardware, batch=[1, 2, 3]), assumptions=rc.BOUND, tuning=Tuning(chunk_points=17)
    )


def assert_same(stored, sweep):
    cube = sweep.compute()
    for name in zarr_store.result_dims(sweep.context):
        np.testing.assert_array_equal(stored[name].transpose(*cube[name].dims).values, cube[name].values, err_msg=name)
        assert stored[name].attrs.get("units") == cube[name].attrs.get("units")


def write_tiles_by(monkeypatch, write) -> None:
    """Have tiles written by something that fails or counts."""
    monkeypatch.setattr(zarr_store, "_write_tile", write)


def test_a_store_equals_the_cube(sweep, tmp_path):
    store, cube = sweep.to_zarr(tmp_path / "cube.zarr"), sweep.compute()
    assert_same(store, sweep)
    for found in (store, rc.load(tmp_path / "cube.zarr"), rc.load(tmp_path / "cube.zarr", chunks={})):
        assert (list(found), list(found.coords)) == (list(cube), list(cube.coords))
    assert [path.name for path in tmp_path.iterdir()] == ["cube.zarr"]


def test_a_store_filled_by_kernels_equals_the_cube(tmp_path):
    tuning = Tuning(chunk_points=5000, compiled_operations=200_000)
    sweep = rc.Sweep(rc.inputs("cifar10", batch=np.arange(1, 90)), tuning=tuning)
    with rc.set_options(threads=2):
        assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)


def test_an_interruption_leaves_nothing_that_looks_whole_and_is_continued(sweep, tmp_path, monkeypatch):
    real, written = zarr_store._write_tile, []

    def interrupted(store, parts, job):
        if len(written) == 20:
            raise KeyboardInterrupt
        written.append(job)
        return real(store, parts, job)

    write_tiles_by(monkeypatch, interrupted)
    with rc.set_options(threads=1), pytest.raises(KeyboardInterrupt):
        sweep.to_zarr(tmp_path / "cube.zarr")
    assert not (tmp_path / "cube.zarr").exists()
    again = []
    write_tiles_by(monkeypatch, lambda store, parts, job: (again.append(job), real(store, parts, job))[1])
    assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)
    assert not set(again) & set(written)


def test_a_finished_store_is_opened_not_written_again(sweep, tmp_path):
    sweep.to_zarr(tmp_path / "cube.zarr")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_opening_a_finished_store_removes_what_its_writer_left(sweep, tmp_path):
    sweep.to_zarr(tmp_path / "cube.zarr")
    (tmp_path / "cube.zarr.journal").write_text("")
    (tmp_path / ".cube.zarr.roofcube-lock").touch()
    sweep.to_zarr(tmp_path / "cube.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["cube.zarr"]


def test_another_store_is_never_overwritten(sweep, tmp_path):
    (tmp_path / "cube.zarr").mkdir()
    with pytest.raises(InvalidDataError, match="other content"):
        sweep.to_zarr(tmp_path / "cube.zarr")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.nc", r"got 'x\.nc'; use 'x\.zarr', or `roofcube\.save\(sweep\.compute\(\), 'x\.nc'\)` for NetCDF"),
        ("x.zip", r"got 'x\.zip'; use 'x\.zarr'(\n|$)"),
    ],
)
def test_the_suffix_of_another_format_is_refused(sweep, tmp_path, name, message):
    with pytest.raises(InvalidDataError, match=message):
        sweep.to_zarr(tmp_path / name)
    with pytest.raises(InvalidDataError, match="give the store a name"):
        sweep.to_zarr("")
    assert not list(tmp_path.iterdir())


def test_what_another_sweep_left_is_not_continued(sweep, tmp_path, monkeypatch):
    write_tiles_by(monkeypatch, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rc.Sweep(sweep.inputs).to_zarr(tmp_path / "cube.zarr")
    monkeypatch.undo()
    assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)


def test_a_folder_of_others_is_not_removed(sweep, tmp_path):
    theirs = tmp_path / "cube.zarr.partial"
    theirs.mkdir()
    (theirs / "notes.txt").write_text("theirs")
    with pytest.raises(InvalidDataError, match=r"`to_zarr`: expected the name 'cube\.zarr\.partial' to be free"):
        sweep.to_zarr(tmp_path / "cube.zarr")
    assert (theirs / "notes.txt").read_text() == "theirs"
    theirs.rename(tmp_path / "cube.zarr")
    with pytest.raises(InvalidDataError, match="with other content"):
        sweep.to_zarr(tmp_path / "cube.zarr")
    assert (tmp_path / "cube.zarr" / "notes.txt").read_text() == "theirs"


def test_a_full_disk_is_told_and_the_store_is_continued(sweep, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_tiles_by(monkeypatch, full)
    with pytest.raises(UnwritableFileError, match=r"cube\.zarr`: .* got No space left on device; free some space"):
        sweep.to_zarr(tmp_path / "cube.zarr")
    monkeypatch.undo()
    assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)


SCRIPT = """
import sys, numpy as np, roofcube as rc
from roofcube.kernels.tuning import Tuning
hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 60), memory_bandwidth=np.geomspace(1e9, 1e12, 50))
sweep = rc.Sweep(rc.inputs("cifar10", platforms=hardware, batch=[1, 2, 3]), assumptions=rc.BOUND, tuning=Tuning(chunk_points=500))
print("go", flush=True)
sweep.to_zarr(sys.argv[1])
"""


def test_kill_9_neither_corrupts_nor_fools(tmp_path):
    path = tmp_path / "cube.zarr"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, cwd=tmp_path)
    process.stdout.readline()
    deadline = time.time() + 60
    journal = tmp_path / "cube.zarr.journal"
    while time.time() < deadline and (not journal.exists() or journal.stat().st_size < 60) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not path.exists()
    assert journal.stat().st_size >= 60
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 60), memory_bandwidth=np.geomspace(1e9, 1e12, 50))
    sweep = rc.Sweep(
        rc.inputs("cifar10", platforms=hardware, batch=[1, 2, 3]), assumptions=rc.BOUND, tuning=Tuning(chunk_points=500)
    )
    assert_same(sweep.to_zarr(path), sweep)
    assert rc.verify(path)


def stopped_after(sweep, path, monkeypatch, tiles: int) -> None:
    """Begin a store and end after some tiles."""
    real, written = zarr_store._write_tile, []

    def stopping(arrays, parts, job):
        if len(written) == tiles:
            raise KeyboardInterrupt
        written.append(job)
        return real(arrays, parts, job)

    with monkeypatch.context() as patch:
        write_tiles_by(patch, stopping)
        with rc.set_options(threads=1), pytest.raises(KeyboardInterrupt):
            sweep.to_zarr(path)


@pytest.mark.parametrize("damage", ["lost", "cut", "zeroed", "flipped"])
def test_what_a_power_cut_lost_is_written_again_not_certified(damage, sweep, tmp_path, monkeypatch):
    path = tmp_path / "cube.zarr"
    stopped_after(sweep, path, monkeypatch, 20)
    chunks = sorted((tmp_path / "cube.zarr.partial").rglob("c.*"))
    journalled = (tmp_path / "cube.zarr.journal").read_text().count("predicted_latency/c.")
    assert journalled > 2
    for chunk in [one for one in chunks if one.parent.name == "predicted_latency"][:2]:
        content = chunk.read_bytes()
        if damage == "lost":
            chunk.unlink()
        else:
            flipped = bytes([content[0] ^ 1]) + content[1:]
            chunk.write_bytes({"cut": content[:-3], "zeroed": bytes(len(content)), "flipped": flipped}[damage])
    assert_same(sweep.to_zarr(path), sweep)
    assert rc.verify(path)


def test_rot_after_writing_is_not_certified_by_the_end(sweep, tmp_path, monkeypatch):
    """The checksums are those of what was written, not of what is there when the store is finished."""
    path, real, seen = tmp_path / "cube.zarr", zarr_store.checksums.write_checksums, []

    def rotting(store, known):
        chunk = next((store / "predicted_latency").glob("c.*"))
        chunk.write_bytes(bytes(chunk.stat().st_size))
        seen.append(chunk)
        return real(store, known)

    monkeypatch.setattr(zarr_store.checksums, "write_checksums", rotting)
    sweep.to_zarr(path)
    assert seen
    with pytest.raises(CorruptFileError, match="the content was altered"):
        rc.verify(path)


def other_constant(sweep):
    return rc.Sweep(sweep.inputs, assumptions=rc.BOUND.with_term("cost", lambda m: m.predicted_latency * 1234568.9))


def other_units(sweep):
    inputs = sweep.inputs.copy()
    inputs["ops"] = inputs["ops"].assign_attrs(units="other")
    return rc.Sweep(inputs, assumptions=rc.BOUND.with_term("cost", lambda m: m.predicted_latency * 1234567.0))


def other_variable(sweep):
    inputs = sweep.inputs.assign(note=("batch", np.arange(float(sweep.inputs.sizes["batch"]))))
    return rc.Sweep(inputs, assumptions=rc.BOUND.with_term("cost", lambda m: m.predicted_latency * 1234567.0))


def other_units_of_a_term(sweep):
    term = lambda m: m.predicted_latency * 1234567.0  # noqa: E731
    return rc.Sweep(sweep.inputs, assumptions=rc.BOUND.with_term("cost", term, units="EUR"))


@pytest.mark.parametrize("other", [other_constant, other_units, other_variable, other_units_of_a_term])
def test_the_store_of_another_model_is_not_handed_back(other, sweep, tmp_path):
    first = rc.Sweep(sweep.inputs, assumptions=rc.BOUND.with_term("cost", lambda m: m.predicted_latency * 1234567.0))
    first.to_zarr(tmp_path / "cube.zarr")
    with pytest.raises(InvalidDataError, match="a store of the same sweep"):
        other(sweep).to_zarr(tmp_path / "cube.zarr")
    assert "cost" in first.to_zarr(tmp_path / "cube.zarr")


def test_a_store_keeps_and_refuses_attributes_as_save_does(tmp_path):
    inputs = rc.inputs("mnist", platforms="TX2", batch=[1])
    stored = rc.Sweep(inputs.assign_attrs(note=None, final=True)).to_zarr(tmp_path / "a.zarr")
    assert (stored.attrs["note"], stored.attrs["final"]) == (None, True)
    loaded = rc.load(tmp_path / "a.zarr")
    assert loaded.attrs["final"] is True
    assert loaded["memory_bandwidth"].attrs["units"] == "B/s"
    assert loaded["infeasible"].attrs["flag_values"].dtype == np.dtype("i1")
    with pytest.raises(InvalidDataError, match="attributes of the cube: `when`: expected text"):
        rc.Sweep(inputs.assign_attrs(when=np.complex64(1))).to_zarr(tmp_path / "b.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("damage", [b"\0" * 40 + b"\n", b"3 4\n", b"[1, 2]\n", b"[1, 2, 3]\n", b"\xff\xfe\n"])
def test_a_damaged_journal_costs_tiles_not_the_store(damage, sweep, tmp_path, monkeypatch):
    stopped_after(sweep, tmp_path / "cube.zarr", monkeypatch, 20)
    journal = tmp_path / "cube.zarr.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], damage, *lines[2:]]))
    assert_same(sweep.to_zarr(tmp_path / "cube.zarr"), sweep)
    assert rc.verify(tmp_path / "cube.zarr")


@pytest.mark.parametrize(
    ("dims", "error", "message"),
    [
        (20, InvalidDataError, r"`space`: expected fewer than 2\^63"),
        (5, UnwritableFileError, "`to_zarr`: expected results of at most 1,000 times the .* GB that are free"),
    ],
)
def test_a_store_that_no_disk_holds_is_refused_at_once(tmp_path, dims, error, message):
    inputs = rc.inputs("mnist", platforms="TX2").assign(
        {f"x{k}": (f"d{k}", np.linspace(1, 2, 1700)) for k in range(dims)}
    )
    terms = rc.PUBLISHED.with_term(
        "cost", lambda m: m.predicted_latency * sum(getattr(m, f"x{k}") for k in range(dims))
    )
    with pytest.raises(error, match=message):
        rc.Sweep(inputs, assumptions=terms).to_zarr(tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (None, InvalidDataError, "`path`: expected the name of a file, got None"),
        ("a\0.zarr", InvalidDataError, "`path`: expected the name of a file, got "),
        ("x" * 300 + ".zarr", UnwritableFileError, "File name too long; choose a shorter name"),
    ],
)
def test_a_store_has_a_name_that_a_disk_can_have(tmp_path, name, error, message):
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2", batch=1))
    with pytest.raises(error, match=message):
        sweep.to_zarr(tmp_path / name if name else None)
