from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import zlib
from functools import partial

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError
from roofcube.files.guards import declared

pytest.importorskip("zarr")
ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [20],
    "data_type": "float64",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [10]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0.0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {},
    "dimension_names": ["batch"],
}
GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {}}


def store_of(folder, array=ARRAY, group=GROUP):
    path = folder / "cube.zarr"
    (path / "x").mkdir(parents=True)
    (path / "zarr.json").write_text(group if isinstance(group, str) else json.dumps(group))
    (path / "x" / "zarr.json").write_text(array if isinstance(array, str) else json.dumps(array))
    return path


BYTES = [{"name": "bytes", "configuration": {"endian": "little"}}]


def shards(codecs, *lengths):
    return [{"name": "sharding_indexed", "configuration": {"chunk_shape": list(lengths), "codecs": codecs}}]


def chunks_of(length):
    return {"name": "regular", "configuration": {"chunk_shape": [length]}}


def test_a_store_of_others_that_declares_what_cubes_have_is_read(tmp_path):
    assert rc.load(store_of(tmp_path)).x.values.tolist() == [0.0] * 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zarr_format": 2}, r"x.zarr\.json: expected Zarr format 3, got 2"),
        ({"node_type": "group"}, "expected an array, got 'group'"),
        ({"shape": [20_000_000], "chunk_grid": chunks_of(1)}, "expected at most 1,000,000 chunks, got 20,000,000"),
        ({"shape": [-1]}, "expected shape in whole numbers from 0"),
        ({"shape": "20"}, "expected shape in whole numbers from 0"),
        ({"chunk_grid": chunks_of(0)}, "expected chunk_shape in whole numbers from 1"),
        ({"chunk_grid": {"name": "rectilinear"}}, "expected a regular chunk grid"),
        ({"shape": [20, 20]}, "expected chunks of 2 dims, got 1"),
        ({"data_type": "object"}, "expected a type among bool, .*, got 'object'"),
        ({"data_type": {"name": "fixed_length_utf32", "configuration": 3}}, "expected length_bytes in whole numbers"),
        ({"codecs": []}, "expected a list of codecs"),
        ({"storage_transformers": [{"name": "x"}]}, "expected no storage transformers, got .*'x'"),
        ({"codecs": [{"name": "numcodecs.pickle"}]}, "expected codecs among .*, got 'numcodecs.pickle'"),
        (
            {"codecs": [{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "pickle"}]}}]},
            "expected codecs among .*, got 'pickle'",
        ),
        (
            {"shape": [1 << 28], "chunk_grid": chunks_of(1 << 28), "codecs": shards(shards(BYTES, 1), 2)},
            "expected at most 1,000,000 chunks, got 268,435,456",
        ),
        ({"codecs": shards(BYTES, 0)}, "expected chunk_shape of shards in whole numbers from 1"),
        ({"codecs": shards(BYTES, 1, 1)}, "expected chunks of 1 dims in shards, got 2"),
    ],
)
def test_what_no_cube_declares_is_refused_before_reading(tmp_path, change, message):
    path = store_of(tmp_path, {**ARRAY, **change})
    for read in (rc.load, partial(declared.check_store, reading=False)):  # of which the second reads nothing
        with pytest.raises(CorruptFileError, match=rf"{message}.*; write it again with roofcube\.save"):
            read(path)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("[" * 100_000, r"expected JSON, got what is none \(RecursionError\)"),
        ("{", r"expected JSON, got what is none \(JSONDecodeError\)"),
        ("[]", "expected a JSON object, got list"),
        ({"zarr_format": 3, "node_type": "array"}, "expected a group, got 'array'"),
        ({**GROUP, "attributes": []}, "expected attributes by name, got list"),
        (" " * ((1 << 24) + 1), "expected at most 16,777,216 bytes"),
    ],
)
def test_a_store_without_a_sound_description_is_refused(tmp_path, group, message):
    with pytest.raises(CorruptFileError, match=message):
        rc.load(store_of(tmp_path, group=group))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a matter of POSIX systems")
@pytest.mark.parametrize("name", ["x/zarr.json", "x/pipe"])
def test_a_pipe_in_a_store_which_would_never_end_is_refused(tmp_path, name):
    path = store_of(tmp_path)
    (path / name).unlink(missing_ok=True)
    os.mkfifo(path / name)
    for read in (rc.load, rc.verify):
        with pytest.raises(CorruptFileError, match=f"expected files alone, got '{name}', a pipe or a device"):
            read(path)


def test_missing_descriptions_and_files_in_place_of_folders_are_refused(tmp_path):
    path = store_of(tmp_path)
    (path / "y").mkdir()
    with pytest.raises(CorruptFileError, match=r"y.zarr\.json: expected the description .*, got no such file"):
        rc.load(path)
    (tmp_path / "file.zarr").write_text("none")
    with pytest.raises(CorruptFileError, match=r"file\.zarr: expected a folder, got a file"):
        rc.load(tmp_path / "file.zarr")


@pytest.mark.parametrize("name", ["x/c", "y", "more"])
def test_no_link_is_followed(tmp_path, name):
    path = store_of(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptFileError, match=rf"expected no links inside, got '{name}', a symbolic link"):
        rc.load(path)
    with pytest.raises(CorruptFileError, match="a symbolic link"):
        rc.load(path, chunks={})
    with pytest.raises(CorruptFileError, match="a symbolic link"):
        rc.verify(path)


def test_declared_bytes_of_a_store_are_checked(tmp_path):
    path = store_of(tmp_path, {**ARRAY, "shape": [10**12], "chunk_grid": chunks_of(10**7)})
    with pytest.raises(
        MemoryLimitError, match=r"8,000,000 MB declared, most of it by 'x'; .* `roofcube\.load\(path, c"
    ):
        rc.load(path)


@pytest.mark.parametrize("chunks", [None, {}])
def test_a_chunk_that_does_not_fit_is_refused_also_where_values_are_read_later(tmp_path, chunks):
    path = store_of(tmp_path, {**ARRAY, "chunk_grid": chunks_of(10**12)})
    with pytest.raises(MemoryLimitError, match="got 8,000,000 MB in each of 'x'; write it again in smaller chunks"):
        rc.load(path, chunks=chunks)


def test_a_chunk_of_a_netcdf_file_that_does_not_fit_is_refused(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "bomb.nc", "w") as file:
        file.createDimension("i", None)
        file.createVariable("x", "f8", ("i",), chunksizes=(100_000_000,))[:3] = 1.0
    with rc.set_options(memory="500 MB"), pytest.raises(MemoryLimitError, match="got 800 MB in each of 'x'"):
        rc.load(tmp_path / "bomb.nc", chunks={})


def test_declared_bytes_of_a_netcdf_file_are_checked(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "bomb.nc", "w") as file:
        file.createDimension("i", 10**12)
        file.createVariable("x", "f8", ("i",), chunksizes=(1000,))
    with pytest.raises(MemoryLimitError, match=r"bomb\.nc: expected a cube within .* got 8,000,000 MB declared"):
        rc.load(tmp_path / "bomb.nc")


@pytest.mark.parametrize("suffix", [".nc", pytest.param(".zarr", marks=pytest.mark.filterwarnings("ignore"))])
def test_chunks_leave_the_values_in_the_file(tmp_path, suffix):
    pytest.importorskip("dask")
    path = rc.save(xr.Dataset({name: ("i", np.arange(100_000.0)) for name in "xy"}), tmp_path / f"cube{suffix}")
    with rc.set_options(memory="1 MB"):
        with pytest.raises(MemoryLimitError, match=r"`roofcube\.load\(path, chunks=\{\}\)`"):
            rc.load(path)
        lazy = rc.load(path, chunks={"i": 1000})
        assert lazy.x.chunks is not None
        assert float(lazy.x[-1]) == 99_999.0
        lazy.close()


MUTANT = """
import sys, warnings
warnings.simplefilter("ignore")
import roofcube as rc
from roofcube.errors import RoofcubeError
for path in sys.argv[1:]:
    print(path, end=" ", flush=True)
    try:
        rc.load(path)
        print("read")
    except RoofcubeError as error:
        print("refused" if path in str(error) else f"no name: {error}")
    except Exception as error:
        print(f"raw: {type(error).__name__}: {error}")
"""


def mutated(content, rng):
    wrong = bytearray(content)
    for _ in range(rng.choice((1, 4, 16))):
        wrong[rng.randrange(len(wrong))] = rng.randrange(256)
    return bytes(wrong[: rng.randrange(len(wrong))] if rng.random() < 0.2 else wrong)


@pytest.mark.parametrize("suffix", [".nc", pytest.param(".zarr", marks=pytest.mark.filterwarnings("ignore"))])
def test_a_damaged_file_is_read_or_refused_with_its_name(tmp_path, suffix):
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2"], pruning=[100, 50], batch=[1, 8]))
    path = rc.save(cube[["predicted_throughput", "bound", "ops", "top1"]], tmp_path / f"cube{suffix}")
    paths = []
    for seed in range(40):
        rng = random.Random(seed)
        copy = tmp_path / f"{seed}{suffix}"
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
        files = sorted(one for one in copy.rglob("*") if one.is_file()) or [copy]
        file = rng.choice(files)
        file.write_bytes(mutated(file.read_bytes(), rng))
        paths.append(str(copy))
    told = subprocess.run(
        [sys.executable, "-c", MUTANT, *paths], capture_output=True, text=True, timeout=120, check=False
    )
    lines = told.stdout.splitlines()
    assert [line for line in lines if not line.endswith((" read", " refused"))] == []
    assert len(lines) == 40, told.stderr[-500:]
    assert sum(line.endswith(" refused") for line in lines) >= 5


@pytest.mark.parametrize("of_sweep", [False, True])
@pytest.mark.parametrize("chunks", [None, {}])
def test_a_lost_chunk_is_no_fill_value(tmp_path, of_sweep, chunks):
    path, cube = tmp_path / "a.zarr", rc.predict(rc.inputs("mnist", platforms="TX2"))
    empty = cube.assign(nothing=cube.ops * np.nan, zero=cube.ops * 0)
    if of_sweep:
        rc.Sweep(rc.inputs("mnist", platforms="TX2")).to_zarr(path)
    else:
        rc.save(empty, path)
        assert rc.load(path).identical(empty)
    for chunk in [one for one in path.rglob("*") if one.is_file() and one.name != "zarr.json"]:
        content = chunk.read_bytes()
        chunk.unlink()
        with pytest.raises(
            CorruptFileError, match=r"a\.zarr: expected all its chunks, got no .* lost or never written"
        ):
            rc.load(path, chunks=chunks)
        chunk.write_bytes(content)
    rc.load(path, chunks=chunks)


@pytest.mark.parametrize("chunks", [None, {}])
def test_long_text_in_every_place_without_a_chunk_is_refused(tmp_path, chunks):
    text = {"data_type": "string", "codecs": [{"name": "vlen-utf8"}], "fill_value": "x" * 1_000_000}
    with pytest.raises(CorruptFileError, match="expected a fill value of at most 1000 letters, got 1,000,000"):
        rc.load(store_of(tmp_path, {**ARRAY, **text}), chunks=chunks)


def test_text_in_every_place_without_a_chunk_counts(tmp_path):
    text = {"data_type": "string", "codecs": [{"name": "vlen-utf8"}], "fill_value": "x" * 1000}
    path = store_of(tmp_path, {**ARRAY, **text, "shape": [100_000], "chunk_grid": chunks_of(1000)})
    with rc.set_options(memory="100 MB"), pytest.raises(MemoryLimitError, match="got 400 MB declared"):
        rc.load(path)


def test_a_fill_value_that_is_no_number_makes_no_number_wider(tmp_path):
    path = store_of(tmp_path, {**ARRAY, "shape": [100_000], "chunk_grid": chunks_of(1000), "fill_value": "-Infinity"})
    with rc.set_options(memory="1 MB"):
        assert rc.load(path).x.nbytes == 800_000


def test_long_text_and_many_variables_of_a_netcdf_file_are_checked(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "text.nc", "w") as file:
        file.createDimension("i", 1000)
        file.createVariable("x", str, ("i",))[:] = np.array(["x" * 1000] * 1000, dtype=object)
    with (
        rc.set_options(memory="3 MB"),
        pytest.raises(MemoryLimitError, match=r"got 4\.2 MB declared, most of it by 'x'"),
    ):
        rc.load(tmp_path / "text.nc")
    with netCDF4.Dataset(tmp_path / "many.nc", "w") as file:
        for number in range(1001):
            file.createVariable(f"x{number}", "f8", ())
    with pytest.raises(CorruptFileError, match="expected at most 1,000 variables, got 1,001"):
        rc.load(tmp_path / "many.nc")


@pytest.mark.parametrize("name", ["cube.nc", "cube.zarr"])
def test_what_could_not_be_loaded_again_is_not_saved(tmp_path, name):
    cube = xr.Dataset({f"v{number}": ("x", [1.0]) for number in range(1001)})
    with pytest.raises(InvalidDataError, match="`cube`: expected at most 1,000 variables, got 1,001"):
        rc.save(cube, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# HDF5 files of h5py (libver="latest"), which netCDF does not write: values stored in other.txt, a virtual layout over
# other.nc, a link to other.nc; packed by zlib, in base 85
ELSEWHERE = {
    "storage": (
        "c-rgqaB<`1lHy|K;9!7(|4{Iq5yCfsiZ9I(_4W5~31VWXU=l)B2m@S93_vYxJPbgJv0^jKJP!t{fy|#WHDD(IEnpO3U|?coWMqZP"
        "!Dwb421Wq}kQ+dNgMk(3DrPQr4WJINC?msusK+?aOoy4k0rVX+Bg|JYQHCCdK?UB6+M9Z~ItGB)5>PRy#~AK2qN>d=$w)2IE2$`f"
        "@&PvsGw%"
    ),
    "virtual": (
        "c-rmNKWYL&6bA6`&1kajYBXXI#KK%4Scs*6P?9YK!7E5W2}BT)Ez(--Exdz*7qQMgtjxO3z?3Nj5xyS`!+!f_d9%%n!@+yOulm~a"
        "V4V!ST%H>y@5S-sC>)FxB2{(^Enh)^hdh!^qOJX2h^v_$Yd>iVufcEb%Uuwu07^uZskOVVK%VOzTrSu}GeGmCfo#&P4!kEIqs_~6"
        "`@jx&>9DV@Ktx3JA0PeEFdcd&X8<PJw!jAS<@9s$_B}xa?ZkG_rkN6RM3T&Ft(|eSDe_+v5fKp)5fR<WA8p1nx&"
    ),
    "link": (
        "c-rgqaB<`1lHy|K;9!7(|4^_Q$~S=0Q$xeL{XJZQm>4RUgpd`&02dPjBLf4Q2m=EnhXZ2;F9Sn<Nk(dsUS2YTegy-A0|UiCyX;Q}0Lo7!{r"
    ),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
@pytest.mark.parametrize("chunks", [None, {}])
def test_a_netcdf_file_that_takes_values_from_other_files_is_refused(kind, chunks, tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "other.nc", "w") as file:
        file.createDimension("i", 2)
        file.createVariable("x", "f8", ("i",))[:] = [41.0, 42.0]
    (tmp_path / "other.txt").write_text("secret")
    path = tmp_path / "cube.nc"
    path.write_bytes(zlib.decompress(base64.b85decode(ELSEWHERE[kind])))
    with pytest.raises(CorruptFileError, match=r"cube\.nc: (expected values of its own|not readable as a cube)"):
        rc.load(path, chunks=chunks)


def test_links_are_looked_for_where_the_system_does_not_tell_which_files_are_open(tmp_path):
    path = tmp_path / "cube.nc"
    path.write_bytes(zlib.decompress(base64.b85decode(ELSEWHERE["link"])))
    with pytest.raises(
        CorruptFileError, match=r"cube\.nc: expected values of its own, got a link to the file 'other\.nc'"
    ):
        declared.check_no_other_opened(path, None)
    declared.check_no_other_opened(rc.save(rc.benchmark("mnist"), tmp_path / "good.nc"), None)


def test_numbers_are_not_taken_for_messages_of_the_format(tmp_path):
    cube = xr.Dataset({"x": ("i", np.tile([7, 1, 936, 8, 772, 1024], 10_000))})
    cube.to_netcdf(tmp_path / "flat.nc", engine="netcdf4")
    assert rc.load(tmp_path / "flat.nc").identical(cube)


def test_groups_and_very_many_chunks_of_a_netcdf_file_are_refused(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "groups.nc", "w") as file:
        file.createGroup("inner").createVariable("x", "f8", ())
    with pytest.raises(CorruptFileError, match="expected variables alone, got the groups 'inner'; make a file of each"):
        rc.load(tmp_path / "groups.nc")
    with netCDF4.Dataset(tmp_path / "chunks.nc", "w") as file:
        file.createDimension("i", 1_000_001)
        file.createVariable("x", "i1", ("i",), chunksizes=(1,))
    with pytest.raises(CorruptFileError, match="expected at most 1,000,000 chunks, got 1,000,001"):
        rc.load(tmp_path / "chunks.nc")
