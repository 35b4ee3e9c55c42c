"""Files that nobody vouches for are read in a process of their own: they hang, crash and swell there alone."""

from __future__ import annotations

import signal
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError
from roofcube.files.guards import sandbox


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_what_is_read_apart_is_the_same(suffix, tmp_path):
    cube = rc.benchmark("mnist").assign_attrs(nested={"a": [1, None]}, none=None)
    cube["note"] = ("platform", np.array(["a", "longer"] * 4 + ["b"], dtype="O"))
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    xr.testing.assert_identical(rc.load(path, untrusted=True), rc.load(path))


def test_what_a_file_is_can_be_asked_without_its_values(tmp_path):
    cube = rc.benchmark("mnist")
    path = rc.save(cube, tmp_path / "cube.nc")
    described, wrong = sandbox.describe_untrusted(path)
    assert wrong is None
    assert dict(described.sizes) == dict(cube.sizes)
    assert described.nbytes == cube.nbytes
    assert described["ops"].attrs == cube["ops"].attrs
    with netCDF4.Dataset(path, "a") as file:
        file["ops"][...] = file["ops"][...] + 1
    assert "the content was altered" in sandbox.describe_untrusted(path)[1]


def test_errors_of_the_child_are_those_of_load(tmp_path):
    (tmp_path / "text.nc").write_text("no cube")
    with pytest.raises(CorruptFileError, match=r"text\.nc: not readable as a cube"):
        rc.load(tmp_path / "text.nc", untrusted=True)
    path = rc.save(xr.Dataset({"x": ("a", np.zeros(10**6))}), tmp_path / "large.nc")
    with (
        rc.set_options(memory="1 MB"),
        pytest.raises(MemoryLimitError, match=r"large\.nc: expected chunks within 1 MB"),
    ):
        rc.load(path, untrusted=True)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        rc.load(tmp_path / "absent.nc", untrusted=True)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        sandbox.describe_untrusted(tmp_path / "absent.nc")
    with pytest.raises(InvalidDataError, match="`untrusted`: expected no `chunks` beside it"):
        rc.load(path, untrusted=True, chunks={})


CRASHES = {
    "hangs": "import os, time; os.write(1, b'ready'); time.sleep(60)",
    "never starts": "import time; time.sleep(60)",
    "crashes": f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})",
    "says too little": "import os; os.write(1, b'ready123')",
    "says too much": "import os; os.write(1, b'ready' + bytes([255] * 8))",
    "lies": "import os; line = b'{\"variables\": 3}'; os.write(1, b'ready' + len(line).to_bytes(8, 'big') + line)",
}


@pytest.mark.parametrize("kind", CRASHES)
def test_a_child_that_fails_is_told(kind, tmp_path):
    path = rc.save(xr.Dataset({"x": 1}), tmp_path / "cube.nc")
    why = "did not end in 0.5 s; .*give a large one more `seconds`" if kind in ("hangs", "never starts") else "failed"
    start = 0.5 if kind == "never starts" else sandbox.START
    with pytest.raises(CorruptFileError, match=rf"cube\.nc: reading it in a process of its own {why}"):
        sandbox._asked_of_child("load", path, 0.5, code=CRASHES[kind], start=start)


def test_time_is_that_of_a_processor_where_none_is_given(tmp_path):
    path = rc.save(xr.Dataset({"x": 1}), tmp_path / "cube.nc")
    endless = (
        "import os; from roofcube.files.guards import sandbox; sandbox._limit_work(1); os.write(1, b'ready'); "
        "any(iter(int, 1))"
    )
    with pytest.raises(CorruptFileError, match=r"did not end in 5\.0.* s; .*give a large one more `seconds`"):
        sandbox._asked_of_child("load", path, None, code=endless)


def test_the_time_of_a_file_can_be_given(tmp_path):
    cube = xr.Dataset({"x": 1})
    path = rc.save(cube, tmp_path / "cube.nc")
    assert rc.load(path, untrusted=True, seconds=np.int64(60)).identical(cube)
    for seconds in (0, -1.0, True, float("nan"), float("inf")):
        with pytest.raises(InvalidDataError, match="`seconds`: expected a positive number"):
            rc.load(path, untrusted=True, seconds=seconds)
    with pytest.raises(InvalidDataError, match="`seconds`: expected `untrusted=True` beside it"):
        rc.load(path, seconds=60)


def test_no_child_outlives_the_question(tmp_path):
    path = rc.save(xr.Dataset({"x": 1}), tmp_path / "cube.nc")
    code = f"import os, roofcube as rc; rc.load({str(path)!r}, untrusted=True); os.waitpid(-1, os.WNOHANG)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ChildProcessError" in done.stderr, done.stderr


def test_what_lies_beside_the_file_is_not_run(tmp_path, monkeypatch):
    path = rc.save(xr.Dataset({"x": 1}), tmp_path / "cube.nc")
    (tmp_path / "json.py").write_text("open('ran', 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert rc.load(path, untrusted=True).identical(rc.load(path))
    assert not (tmp_path / "ran").exists()


def test_numbers_in_lists_are_refused_by_name(tmp_path):
    path = tmp_path / "lists.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("a", 2)
        values = file.createVariable("x", file.createVLType("f8", "lists"), ("a",))
        values[0] = np.arange(3.0)
    with pytest.raises(
        CorruptFileError, match=r"lists\.nc: expected numbers and text, got 'x' of a type of its own \(VLType\); write"
    ):
        rc.load(path, untrusted=True)
