from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.disk import digest
from roofcube.errors import CorruptFileError, MemoryLimitError
from roofcube.files import checksums
from roofcube.files.fingerprints import values_to_hash
from roofcube.kernels.tuning import Tuning
from roofcube.sweep import zarr_store

zarr = pytest.importorskip("zarr")
ALTERED = r"cube\.zarr: the content was altered"


@pytest.fixture(scope="module")
def sweep():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 6), memory_bandwidth=[1e9, 1e10, 1e12])
    return rc.Sweep(
        rc.inputs("mnist", platforms=hardware, batch=[1, 2, 3]), assumptions=rc.BOUND, tuning=Tuning(chunk_points=100)
    )


@pytest.fixture
def path(sweep, tmp_path):
    sweep.to_zarr(tmp_path / "cube.zarr")
    return tmp_path / "cube.zarr"


def test_a_store_is_verified_without_reading_it_into_memory(path):
    with rc.set_options(memory=1000):
        with pytest.raises(MemoryLimitError):
            rc.load(path)
        assert rc.verify(path)


def test_a_flipped_byte_in_any_file_is_found(path):
    files = [one for one in path.rglob("*") if one.is_file()]
    assert sum(one.name.startswith("c.") for one in files) > 20
    for file in files:
        content = file.read_bytes()
        for place in {0, len(content) // 2, len(content) - 2}:
            wrong = bytearray(content)
            wrong[place] ^= 1
            file.write_bytes(bytes(wrong))
            with pytest.raises(CorruptFileError, match=r"cube\.zarr: "):
                rc.verify(path)
        file.write_bytes(content)
    assert rc.verify(path)


def test_what_is_altered_is_named(path):
    chunk = next((path / "predicted_latency").glob("c.*"))
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    (path / "peak_throughput" / "c.more").write_bytes(b"")
    with pytest.raises(CorruptFileError, match=rf"{ALTERED} \(peak_throughput, predicted_latency: not as"):
        rc.verify(path)


@pytest.mark.parametrize("name", ["predicted_latency", "batch"])
def test_missing_chunks_and_variables_are_found(path, name):
    for chunk in (path / name).glob("c*"):
        shutil.rmtree(chunk) if chunk.is_dir() else chunk.unlink()
    with pytest.raises(CorruptFileError, match=rf"{ALTERED} \({name}:"):
        rc.verify(path)
    shutil.rmtree(path / name)
    with pytest.raises(CorruptFileError, match=rf"{ALTERED} \({name}:"):
        rc.verify(path)


def test_attributes_are_checked_too(path):
    group = zarr.open_group(path, mode="r+")
    group.attrs["task"] = "imagenet"
    with pytest.raises(CorruptFileError, match=r"\(zarr\.json: not as"):
        rc.verify(path)


@pytest.mark.filterwarnings("ignore")  # of what Zarr 3 has not named for good
def test_metadata_that_zarr_consolidates_is_no_alteration(path):
    zarr.consolidate_metadata(path)
    assert "consolidated_metadata" in json.loads((path / "zarr.json").read_text())
    assert rc.verify(path)


def test_a_moved_store_is_still_verified(path):
    assert rc.verify(path.rename(path.with_name("other.zarr")))


def interrupted(sweep, folder, monkeypatch, tiles):
    """Leave the store of a sweep that was stopped after some tiles."""
    real, written = zarr_store._write_tile, []

    def stopping(store, parts, job):
        if len(written) == tiles:
            raise KeyboardInterrupt
        written.append(job)
        return real(store, parts, job)

    with monkeypatch.context() as patch:
        patch.setattr(zarr_store, "_write_tile", stopping)
        with rc.set_options(threads=1), pytest.raises(KeyboardInterrupt):
            sweep.to_zarr(folder / "again.zarr")


def test_a_store_that_was_continued_has_the_same_checksums(sweep, path, tmp_path, monkeypatch):
    interrupted(sweep, tmp_path, monkeypatch, 15)
    sweep.to_zarr(tmp_path / "again.zarr")
    assert rc.verify(tmp_path / "again.zarr")
    assert checksums.recorded(tmp_path / "again.zarr") == checksums.recorded(path)


@pytest.mark.parametrize("tiles", [0, 15])
def test_what_was_not_finished_never_looks_whole(sweep, tmp_path, monkeypatch, tiles):
    interrupted(sweep, tmp_path, monkeypatch, tiles)
    (tmp_path / "again.zarr.partial").rename(tmp_path / "cube.zarr")
    with pytest.raises(CorruptFileError, match=r"expected all its chunks, got no .*, which was lost or never written"):
        rc.verify(tmp_path / "cube.zarr")


def test_what_is_made_from_a_store_does_not_carry_its_checksums(sweep, path, tmp_path):
    loaded = rc.load(path)
    assert not {checksums.FILES, checksums.SWEEP} & loaded.attrs.keys()
    for cube in (sweep.to_zarr(path), rc.merge(loaded, loaded), rc.load(rc.save(loaded, tmp_path / "copy.nc"))):
        assert not set(checksums.OF_ONE_STORE) & set(cube.attrs)
    assert rc.verify(tmp_path / "copy.nc")


def test_text_in_parts_has_the_checksum_of_one_list():
    labels = np.array([f'"{number}é' for number in range(40_000)]).reshape(100, 400).T
    cube = xr.Dataset({"x": (("a", "b"), labels)})
    whole = [json.dumps(["x", ["a", "b"], [400, 100], "text"]), json.dumps(labels.ravel().tolist())]
    assert digest(values_to_hash(cube)) == digest(whole)
