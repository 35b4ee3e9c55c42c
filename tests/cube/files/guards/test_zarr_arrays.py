"""Arrays and chunks of Zarr stores that are not what they declare are refused by name before they take the memory."""

from __future__ import annotations

import gc
import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError

zarr = pytest.importorskip("zarr")
from zarr.codecs import BloscCodec, GzipCodec, ShardingCodec, ZstdCodec  # noqa: E402

from roofcube.files.guards.declared import FRAME, check_store  # noqa: E402
from roofcube.files.guards.unpacking import allowed_for  # noqa: E402
from roofcube.files.guards.zarr_arrays import bounded  # noqa: E402

LARGE = 200 << 20  # bytes


def zstd_frame(content: bytes, *, blocks: int = 0) -> bytes:
    """A frame that does not say its size: blocks of 128 kB of one byte, then one as it is."""
    repeated = [(len(REPEATED) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"] * blocks
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(repeated) + (len(content) << 3 | 1).to_bytes(3, "little") + content


REPEATED = bytes(1 << 17)
BOMBS = {
    "gzip": (GzipCodec(), lambda: gzip.compress(bytes(LARGE), 6) * 2),
    "zstd": (ZstdCodec(), lambda: b"\x28\xb5\x2f\xfd\xe0" + LARGE.to_bytes(8, "little") + zstd_frame(b"")[6:]),
    "zstd without a size": (ZstdCodec(), lambda: zstd_frame(b"", blocks=LARGE >> 17)),
    "blosc": (BloscCodec(), lambda: b"\x02\x01\x01\x08" + LARGE.to_bytes(4, "little") + bytes(24)),
}


def store_of(path, **how):
    values = np.arange(40.0)
    array = zarr.open_group(path, mode="w").create_array(
        "x", shape=values.shape, dtype="f8", dimension_names=["i"], **{"chunks": (10,), **how}
    )
    array[:] = values
    return path


def bomb_of(name, folder):
    codec, bomb = BOMBS[name]
    path = store_of(folder / "bomb.zarr", compressors=[codec])
    (path / "x" / "c" / "2").write_bytes(bomb())
    return path


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("ask", [rc.load, lambda path: rc.load(path, chunks={}).compute()])
def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(tmp_path, name, ask):
    path = bomb_of(name, tmp_path)
    with rc.set_options(memory="1 GB"), pytest.raises(CorruptFileError, match=r"bomb\.zarr: .*a chunk unpacks to more"):
        ask(path)


# to stop tracing while other threads allocate may end Python (its issue 128679): a process of its own, which never does
TRACED = """
import contextlib, os, sys, tracemalloc, roofcube as rc
tracemalloc.start()
with contextlib.suppress(rc.errors.CorruptFileError), rc.set_options(memory="1 GB"):
    cube = rc.load(sys.argv[1], chunks=eval(sys.argv[2]))
    cube.compute()
print(tracemalloc.get_traced_memory()[1], flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_that_is_refused_is_never_held(tmp_path, name, chunks):
    path = bomb_of(name, tmp_path)
    command = [sys.executable, "-c", TRACED, str(path), repr(chunks)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert 0 < int(said) < LARGE / 2


def test_a_limit_holds_for_what_a_thread_reads_that_knows_of_none(tmp_path):
    codec, bomb = BOMBS["zstd without a size"]
    path = store_of(tmp_path / "bomb.zarr", compressors=[codec])
    (path / "x" / "c" / "2").write_bytes(bomb())
    with rc.set_options(memory="1 GB"), ThreadPoolExecutor(1) as pool:  # as the threads of older versions of Dask
        values = rc.load(path, chunks={}).x.data
        read = pool.submit(values.compute, scheduler="synchronous")
        with pytest.raises(CorruptFileError, match="a chunk unpacks to more"):
            read.result()


def test_text_for_which_too_much_room_would_be_made_is_refused(tmp_path):
    path = rc.save(xr.Dataset({"x": ("i", np.array(["a", "b"], "O"))}), tmp_path / "bomb.zarr")
    description = json.loads((path / "x" / "zarr.json").read_text())
    description["codecs"] = description["codecs"][:1]
    (path / "x" / "zarr.json").write_text(json.dumps(description))
    (path / "x" / "c" / "0").write_bytes(b"\xff\xff\xff\x7f" + bytes(100))
    with pytest.raises(CorruptFileError, match="a chunk holds another number of texts than it declares"):
        rc.load(path)


def test_what_every_codec_has_packed_is_read(tmp_path):
    for number, codec in enumerate((GzipCodec(), ZstdCodec(), BloscCodec())):
        for how in ({"compressors": [codec]}, {"chunks": (5,), "shards": (20,), "compressors": [codec]}):
            path = store_of(tmp_path / f"{number}{len(how)}.zarr", **how)
            assert rc.load(path).x.values.tolist() == list(range(40))
            assert rc.load(path, chunks={}).x[3:9].values.tolist() == list(range(3, 9))
    (path := store_of(tmp_path / "unsized.zarr", compressors=[ZstdCodec()]) / "x" / "c" / "0").write_bytes(
        zstd_frame(np.arange(10.0).tobytes())
    )
    assert rc.load(path.parent.parent.parent).x.values.tolist() == list(range(40))
    packed = ShardingCodec(chunk_shape=(5,), codecs=[zarr.codecs.BytesCodec(), GzipCodec()])
    path = store_of(tmp_path / "inner.zarr", serializer=packed, compressors=None)
    (path / "x" / "c" / "1").write_bytes((path / "x" / "c" / "1").read_bytes())
    assert rc.load(path).x.values.tolist() == list(range(40))


def test_the_users_own_zarr_keeps_its_codecs(tmp_path):
    path = store_of(tmp_path / "cube.zarr", compressors=[ZstdCodec()])
    rc.load(path)
    assert type(zarr.open_array(path / "x").metadata.codecs[-1]) is ZstdCodec


def test_of_several_arrays_that_cannot_be_made_the_first_is_named_and_nothing_printed(tmp_path, capfd):
    path = rc.save(xr.Dataset({name: ("i", [1.0, 2.0]) for name in "abcdef"}), tmp_path / "cube.zarr")
    for file in path.glob("*/zarr.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"dimension_names": ["i", "j"]}))
    with pytest.raises(
        CorruptFileError, match=r"cube\.zarr: not readable as a cube \('a', ValueError: `dimension_names`"
    ):
        rc.load(path)
    gc.collect()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("room", "batch"), [(0, 1), (19, 1), (20, 2), (1_000_000, 4)])
def test_as_many_chunks_are_in_memory_at_a_time_as_there_is_room_for(room, batch):
    with zarr.config.set({"async.concurrency": 10}), bounded(room):
        assert zarr.config.get("codec_pipeline.batch_size") == batch


def test_room_is_what_a_limit_leaves_for_chunks_packed_and_unpacked(tmp_path):
    path = store_of(tmp_path / "cube.zarr")  # 320 bytes in chunks of 80
    chunk = 2 * allowed_for(80) + max(one.stat().st_size for one in (path / "x" / "c").iterdir())
    with rc.set_options(memory=320 + 7 * chunk):
        assert check_store(path, reading=True) == 7
    with rc.set_options(memory=320):
        assert rc.load(path).x.sum() == 780
    (path / "x" / "c" / "0").write_bytes(bytes(allowed_for(80)))  # as somebody packs it who wants memory
    with rc.set_options(memory=320 + 9 * allowed_for(80)):
        assert check_store(path, reading=True) == 3
    (path / "x" / "c" / "0").write_bytes(bytes(allowed_for(80) + FRAME + 1))
    with pytest.raises(CorruptFileError, match=r"x: expected chunks of at most 1 MB, got one of 1 MB on disk; write"):
        rc.load(path)
    with rc.set_options(memory="1 GB"):
        assert check_store(store_of(tmp_path / "shards.zarr", shards=(20,)), reading=True) == 0


def test_a_shard_may_take_more_than_it_declares_by_the_frames_of_its_chunks(tmp_path):
    path = store_of(tmp_path / "tiny.zarr", chunks=(2,), shards=(20,))  # where frames are more than values
    shard, most = path / "x" / "c" / "0", allowed_for(160) + 10 * FRAME
    assert rc.load(path).x.sum() == 780
    shard.write_bytes(bytes(most))
    check_store(path, reading=True)
    shard.write_bytes(bytes(most + 1))
    with pytest.raises(CorruptFileError, match=r"x: expected chunks of at most 1 MB, got one of 1 MB on disk; write"):
        check_store(path, reading=True)


def test_of_text_as_much_is_read_where_other_chunks_are_read_together(tmp_path):
    text = np.array(["a" * 100_000] * 8, dtype=object)
    path, packed = tmp_path / "text.zarr", {"chunks": (1,), "compressors": [GzipCodec()]}
    cube = xr.Dataset({"x": ("i", text), "y": ("i", np.arange(8.0))})
    cube.to_zarr(path, zarr_format=3, consolidated=False, encoding={"x": packed})
    with rc.set_options(memory="2 MB"):  # a sixteenth of it is more than a text
        assert (rc.load(path).x == text).all()
    with rc.set_options(memory="1 MB"), pytest.raises(CorruptFileError, match=r"more than the 0\.06"):
        rc.load(path)


def test_stores_that_are_opened_at_a_time_leave_zarr_as_it_was(tmp_path):
    names = ("codec_pipeline.path", "codec_pipeline.batch_size", "codecs.zstd")
    before = [zarr.config.get(name) for name in names]
    path = rc.save(xr.Dataset({"x": ("i", np.arange(8.0))}), tmp_path / "cube.zarr")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: rc.load(path), range(40)))
    assert [zarr.config.get(name) for name in names] == before
