from __future__ import annotations

import numpy as np
import pytest

from roofcube.sweep import chunk_files

zarr = pytest.importorskip("zarr")
SHAPE, CHUNK = (2, 5), (1, 3)
SLICES = [(slice(k, k + 1), part) for k in range(2) for part in (slice(0, 3), slice(3, 5))]


def written(folder, values, chunk):
    codec = zarr.codecs.ZstdCodec(level=chunk_files.LEVEL)
    keys = {"name": "default", "separator": chunk_files.SEPARATOR}
    zarr.create_array(
        folder,
        shape=values.shape,
        chunks=chunk,
        dtype=values.dtype,
        compressors=codec,
        chunk_key_encoding=keys,
        fill_value=0,
    )
    for slices in SLICES if chunk else [()]:
        content = chunk_files.encoded(values[slices], chunk)
        chunk_files.write(folder, chunk_files.key(slices, chunk), content)
    return zarr.open_array(folder, mode="r")[...]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", ">f4"])
def test_zarr_reads_what_was_written(dtype, tmp_path):
    values = np.array([[1, 2, 3, 4, 5], [0, 0, 0, 7, -8]], dtype=dtype)
    np.testing.assert_array_equal(written(tmp_path / "x", values, CHUNK), values)
    assert {path.name for path in tmp_path.rglob("c.*")} == {"c.0.0", "c.0.1", "c.1.1"}  # zeros are left out


def test_every_bit_of_a_float_is_kept(tmp_path):
    values = np.array([[-0.0, 0.0, -0.0, np.nan, -np.nan], [-0.0, 0.0, 0.0, np.inf, 5e-324]])
    assert written(tmp_path / "x", values, CHUNK).tobytes() == values.tobytes()


def test_an_array_without_dims(tmp_path):
    assert written(tmp_path / "x", np.array(3.5, dtype="f4"), ()) == 3.5


def test_zeros_take_the_place_of_a_torn_chunk(tmp_path):
    chunk_files.write(tmp_path, "c.0.0", b"torn")
    chunk_files.write(tmp_path, "c.0.0", chunk_files.encoded(np.zeros(3), (3,)))
    assert not (tmp_path / "c.0.0").exists()
