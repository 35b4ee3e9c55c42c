from __future__ import annotations

import os
import shutil
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError

pytest.importorskip("dask")
pytest.importorskip("zarr")
SUFFIXES = [".nc", ".zarr"]
REPLACED = r"expected the file that was opened, got one replaced or changed since; load it again"


def uniform(value: float, *, dtype: str = "f8", rows: int = 600) -> xr.Dataset:
    return xr.Dataset({"v": (("a", "b"), np.full((rows, 500), value, dtype))}, coords={"a": np.arange(rows)})


def values_or_error(lazy: xr.Dataset) -> set[float] | str:
    try:
        return set(np.unique(lazy["v"].values).tolist())
    except CorruptFileError as error:
        return str(error)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "other",
    [uniform(2.0), uniform(2.0, dtype="f4"), uniform(2, dtype="i2"), uniform(2.0, rows=90), None],
    ids=["values", "narrower", "integers", "fewer", "gone"],
)
def test_a_cube_that_is_replaced_while_open_gives_its_own_values_or_is_told(tmp_path, suffix, other):
    path = rc.save(uniform(1.0), tmp_path / f"cube{suffix}")
    lazy = rc.load(path, chunks={"a": 100})
    assert set(np.unique(lazy["v"][:100].values)) == {1.0}
    if other is not None:
        rc.save(other, path)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    found = values_or_error(lazy)
    if suffix == ".nc":  # the file lives as long as it is open
        assert found == {1.0}
    else:
        assert str(path) in str(found)
        assert "load it again" in str(found)


def test_a_question_of_a_replaced_store_is_refused_as_its_values_are(tmp_path):
    path = rc.save(uniform(1.0), tmp_path / "cube.zarr")
    lazy = rc.load(path, chunks={})
    rc.save(uniform(2.0), path)
    with pytest.raises(CorruptFileError, match=REPLACED):
        rc.best(lazy, "v", sense="max")
    with rc.set_options(memory="1 MB"), pytest.raises(CorruptFileError, match=REPLACED):
        rc.count(lazy, where={"v": (1.5, None)})


def test_a_file_that_xarray_opens_again_is_the_same_or_told(tmp_path):
    path = rc.save(uniform(1.0), tmp_path / "cube.nc")
    lazy = rc.load(path, chunks={})
    rc.save(uniform(2.0), path)
    with xr.set_options(file_cache_maxsize=1):
        others = [rc.load(rc.save(uniform(3.0), tmp_path / f"{name}.nc"), chunks={}) for name in "ab"]
        assert [set(np.unique(one["v"].values)) for one in others] == [{3.0}, {3.0}]
        with pytest.raises(CorruptFileError, match=REPLACED):
            lazy["v"].values  # noqa: B018


def test_a_file_changed_in_place_while_open_is_told(tmp_path):
    path = rc.save(uniform(1.0), tmp_path / "cube.nc")
    lazy = rc.load(path, chunks={})
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\0")
    with pytest.raises(CorruptFileError, match=REPLACED):
        lazy["v"].values  # noqa: B018


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dask_tells_what_was_at_a_path_from_what_is_there_now(tmp_path, suffix):
    path = tmp_path / f"cube{suffix}"
    before = rc.load(rc.save(uniform(1.0), path), chunks={})
    after = rc.load(rc.save(uniform(2.0), path), chunks={})
    assert before["v"].data.name != after["v"].data.name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_that_is_read_later_is_told_with_the_name(tmp_path, suffix):
    random = np.random.default_rng(0).random((600, 500))
    path = rc.save(xr.Dataset({"v": (("a", "b"), random)}), tmp_path / f"cube{suffix}")
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    chunk = max(files, key=lambda one: one.stat().st_size)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 255
    chunk.write_bytes(content)
    lazy = rc.load(path, chunks={})
    with pytest.raises(CorruptFileError, match=rf"cube\{suffix}: not readable as a cube"):
        rc.best(lazy, "v", sense="max")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_lazy_cube_is_read_wherever_the_process_goes(tmp_path, suffix, monkeypatch):
    rc.save(uniform(1.0), tmp_path / f"cube{suffix}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    lazy = rc.load(f"cube{suffix}", chunks={})
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert set(np.unique(lazy["v"].values)) == {1.0}


def test_the_store_of_a_sweep_replaced_while_open_is_told(tmp_path):
    sweep = rc.Sweep(rc.inputs("mnist", platforms=["TX2"], batch=[1, 8]))
    stored = sweep.to_zarr(tmp_path / "cube.zarr")
    assert float(stored["predicted_latency"].min()) > 0
    again = sweep.to_zarr(tmp_path / "cube.zarr")
    rc.save(uniform(2.0), tmp_path / "cube.zarr")
    with pytest.raises(CorruptFileError, match=REPLACED):
        again["predicted_latency"].load()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_open_cube_is_cut_between_chunks_of_its_file(tmp_path, suffix):
    rng = np.random.default_rng(0)
    cube = xr.Dataset({"v": (("a", "b"), rng.random((3000, 2500))), "w": ("a", rng.random(3000))})
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    with xr.open_dataset(path, engine="zarr" if suffix == ".zarr" else "netcdf4") as plain:
        of_file = plain["v"].encoding["preferred_chunks"]
    lazy = rc.load(path, chunks={})
    for dim, sizes in lazy.chunks.items():
        assert sizes[0] % of_file[dim] == 0 or len(sizes) == 1
    assert 4 <= lazy["v"].data.npartitions <= 16
    assert lazy["w"].chunks[0] == lazy["v"].chunks[0]
    assert rc.load(path, chunks={"a": 3000})["v"].chunks == ((3000,), lazy.chunks["b"])
    assert lazy["v"].load().equals(cube["v"])


def test_what_a_file_claims_makes_no_more_parts_than_dask_bears(tmp_path):
    path = tmp_path / "claims.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name in "ab":
            file.createDimension(name, 1 << 31)
        file.createVariable("x", "f8", ("a", "b"), zlib=True, chunksizes=(100, 100))
    assert rc.load(path, chunks={})["x"].data.npartitions < 100_000


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("chunks", [{"c": 10}, {"a": 0}, {"a": -5}, {"a": "many"}, "many", {"a": (1, 2)}])
def test_chunks_that_do_not_fit_the_cube_are_no_fault_of_the_file(tmp_path, suffix, chunks):
    path = rc.save(uniform(1.0), tmp_path / f"cube{suffix}")
    with pytest.raises(InvalidDataError, match=r"`chunks`: expected sizes for dims of the cube \(a, b\), got"):
        rc.load(path, chunks=chunks)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_labels_and_flags_without_dims_do_not_wait_for_themselves(tmp_path, suffix):
    """A thread that reads them waited for a lock that the thread waiting for it held: it hung for good."""
    cube = xr.Dataset({"fits": True, "when": np.datetime64("2020-01-02", "s")}, {"platform": "TX2"})
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    code = f"import roofcube as rc; print(rc.load({str(path)!r}, chunks={{}}).platform.item())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "TX2\n"
    assert rc.load(path, chunks={}).compute().identical(cube)
