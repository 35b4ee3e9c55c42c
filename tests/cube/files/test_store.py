from __future__ import annotations

import math
import shutil
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError
from roofcube.files.store import SMALL

SUFFIXES = [".nc", pytest.param(".zarr", marks=pytest.mark.filterwarnings("ignore"))]


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("mnist")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_is_exact(tmp_path, cube, suffix):
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    loaded = rc.load(path)
    assert rc.diff(cube, loaded).height == 0
    for name in cube.variables:
        assert loaded[name].dtype.kind == cube[name].dtype.kind, name
        for key, value in cube[name].attrs.items():
            assert np.array_equal(loaded[name].attrs[key], value), (name, key)
    assert loaded.attrs["task"] == "mnist"
    assert rc.verify(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_again_replaces(tmp_path, cube, suffix):
    path = tmp_path / f"cube{suffix}"
    rc.save(cube, path)
    rc.save(cube[["ops"]], path)
    assert set(rc.load(path).data_vars) == {"ops"}
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="a process has no limit on the size of its files there")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_write_leaves_the_old_file(tmp_path, cube, suffix):
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    code = (
        "import resource, sys, roofcube as rc\n"
        "cube = rc.load(sys.argv[1]).assign(more=('more', range(10_000)))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: rc.save(cube, sys.argv[1])\n"
        "except rc.errors.UnwritableFileError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert f"{path.name}`: expected a file that can be written, got " in done.stdout
    assert "; check that the disk has room and that you may write there" in done.stdout
    assert rc.verify(path)
    assert rc.load(path).identical(cube)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_torn_foreign_and_altered_files_are_refused(tmp_path, cube):
    path = rc.save(cube, tmp_path / "cube.nc")
    content = path.read_bytes()
    torn = tmp_path / "torn.nc"
    torn.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFileError, match=r"torn\.nc: not readable as a cube"):
        rc.load(torn)
    with netCDF4.Dataset(shutil.copy(path, tmp_path / "altered.nc"), "a") as file:
        file["ops"][...] = file["ops"][...] + 1
    with pytest.raises(CorruptFileError, match=r"altered\.nc: the content was altered"):
        rc.verify(tmp_path / "altered.nc")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "foreign.nc")
    with pytest.raises(CorruptFileError, match="has no checksum"):
        rc.verify(tmp_path / "foreign.nc")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda cube, folder: rc.save(cube, folder / "cube.csv"),
            InvalidDataError,
            r"expected a name ending in \.nc or \.zarr, got 'cube\.csv'",
        ),
        (
            lambda cube, folder: rc.save(cube, folder / "no" / "cube.nc"),
            InvalidDataError,
            "the folder .* does not exist",
        ),
        (lambda cube, folder: rc.load(folder / "none.nc"), FileNotFoundError, "there is no such file"),
    ],
)
def test_bad_paths(tmp_path, cube, call, error, message):
    with pytest.raises(error, match=message):
        call(cube, tmp_path)


@pytest.mark.parametrize("content", ["nothing", "a note", "a store of others", "a file"])
def test_what_is_not_ours_is_never_replaced(tmp_path, cube, content):
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "cube.zarr"
    if content == "a store of others":
        zarr.open_group(path, mode="w").attrs["title"] = "theirs"
    elif content == "a file":
        path.write_text("theirs")
    else:
        path.mkdir()
        if content == "a note":
            (path / "zarr.json").write_text('["theirs"]')
    before = sorted(path.rglob("*"))
    with pytest.raises(
        InvalidDataError, match=r"`path`: expected a new name or a cube of roofcube's, got .*cube\.zarr'"
    ):
        rc.save(cube, path)
    assert sorted(path.rglob("*")) == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_bears_the_name_of_a_file_is_told(tmp_path, cube):
    (tmp_path / "cube.nc").mkdir()
    with pytest.raises(InvalidDataError, match=r"`path`: expected the name of a file, got the folder .*cube\.nc'"):
        rc.save(cube, tmp_path / "cube.nc")


def test_chunks_of_a_file_are_small_and_waste_little(tmp_path):
    values = np.arange(40 * 100 * 300, dtype="f4").reshape(40, 100, 300)
    path = rc.save(xr.Dataset({"speed": (("a", "b", "c"), values)}), tmp_path / "cube.nc")
    with netCDF4.Dataset(path) as opened:
        lengths = opened["speed"].chunking()
    unpacked = math.prod(-(-size // one) * one for size, one in zip(values.shape, lengths, strict=True))
    assert math.prod(lengths) * 4 <= 2 << 20
    assert unpacked <= 1.1 * values.size
    np.testing.assert_array_equal(rc.load(path).speed, values)


@pytest.mark.parametrize(
    ("values", "suffix"),
    [
        (np.zeros(30_000, "f2"), ".nc"),
        (np.zeros(15_000, ">f8"), ".zarr"),
        (np.full(3_000, "a" * 50), ".nc"),
        (np.full(3_000, "ab", dtype="O"), ".zarr"),
    ],
)
def test_values_that_do_not_fit_in_the_form_that_files_take_are_refused(values, suffix, tmp_path):
    with rc.set_options(memory="100 kB"), pytest.raises(MemoryLimitError, match="`save`: expected a cube that takes"):
        rc.save(xr.Dataset({"x": ("a", values)}), tmp_path / f"cube{suffix}")


def test_text_that_is_saved_within_a_memory_loads_within_it(tmp_path):
    cube = xr.Dataset({"x": ("a", np.full(8_000, "ab"))})
    with rc.set_options(memory="1.2 MB"):
        for suffix in (".nc", ".zarr"):
            assert rc.load(rc.save(cube, tmp_path / f"cube{suffix}")).identical(cube)


def test_a_cube_in_chunks_is_saved_where_it_fits_beside_a_few_of_them(tmp_path):
    dask = pytest.importorskip("dask.array")
    values = np.arange(4e6).reshape(40, 100_000)
    cube = xr.Dataset(
        {"x": (("a", "b"), dask.from_array(values, chunks=(4, 10_000))), "t": ("a", list(map(str, range(40))))}
    )
    with rc.set_options(memory="40 MB", threads=2):
        path = rc.save(cube, tmp_path / "cube.nc")
    assert rc.load(path).identical(cube.compute())
    assert cube.x.chunks is not None
    with rc.set_options(memory="40 MB"), pytest.raises(MemoryLimitError, match="`save`: expected a cube that takes"):
        rc.save(cube.chunk(b=100_000, a=40), path)


def test_chunks_of_another_type_than_dask_says_are_refused(tmp_path):
    dask = pytest.importorskip("dask.array")
    wrong = dask.from_array(np.ones(8), chunks=4).map_blocks(lambda chunk: chunk * 0.3, dtype="f4")
    with pytest.raises(
        InvalidDataError, match="`x`: expected chunks of float32, as Dask says of it, got float64; convert"
    ):
        rc.save(xr.Dataset({"x": ("a", wrong)}), tmp_path / "cube.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory, cube):
    folder, days = tmp_path_factory.mktemp("saved"), np.arange("2024-01-01", "2024-01-10", dtype="M8[D]")
    tested = cube[["power", "batch"]].assign(
        tested=("platform", days),
        span=("platform", days - days[0]),
        idle=("platform", np.zeros(9, int)),
    )
    # of a small cube the checksum of all of it would tell that it was changed
    large = rc.save(tested.assign(large=("cell", np.zeros(SMALL + 1, "i1"))), folder / "large.nc")
    return {suffix: rc.save(tested, folder / f"saved{suffix}") for suffix in (".nc", ".zarr")} | {"large": large}


ELSEWHERE = {
    "times of another day": (
        lambda plain: plain.drop_encoding().isel(platform=[5, 7]).drop_vars("span"),
        {},
        "the `units` of `tested` is days since 2024-01-06 00:00:00, saved as seconds since 1970-01-01",
    ),
    "packed": (
        lambda plain: plain,
        {"power": {"dtype": "f8", "scale_factor": 0.01}},
        "the `scale_factor` of `power` is 0.01, saved without",
    ),
    "filled": (
        lambda plain: plain,
        {"power": {"_FillValue": -1.0}},
        "the `_FillValue` of `power` is -1.0, saved as nan",
    ),
    "narrower": (lambda plain: plain, {"power": {"dtype": "f4"}}, "values of type float32, said to have been float64"),
    "more": (lambda plain: plain.assign(price=("platform", np.arange(9.0))), {}, "`price` was added"),
    "less": (lambda plain: plain.drop_vars("span"), {}, "its variables or its attributes are not as they were saved"),
}


def written_by_xarray(saved, change, encoding, path):
    with xr.open_dataset(saved) as plain:
        made = change(plain.load())
    made.to_netcdf(path, encoding=encoding)
    return made


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ELSEWHERE)
@pytest.mark.parametrize("chunks", [None, {}])
def test_what_another_tool_wrote_anew_is_refused_with_the_way_out(kind, chunks, saved, tmp_path):
    change, encoding, told = ELSEWHERE[kind]
    made = written_by_xarray(saved["large"], change, encoding, tmp_path / "anew.nc")
    with pytest.raises(CorruptFileError, match="another tool changed it or wrote it anew") as refusal:
        rc.load(tmp_path / "anew.nc", chunks=chunks)
    assert told in str(refusal.value)
    assert "drop the attributes whose names begin with roofcube_" in str(refusal.value)
    for holder in (made, *made.variables.values()):
        holder.attrs = {name: value for name, value in holder.attrs.items() if not name.startswith("roofcube_")}
    made.to_netcdf(tmp_path / "foreign.nc", encoding=encoding)
    loaded = rc.load(tmp_path / "foreign.nc", chunks=chunks)
    xr.testing.assert_allclose(loaded[["power", "tested"]].compute(), made[["power", "tested"]])


@pytest.mark.filterwarnings("ignore")
def test_a_part_that_another_tool_wrote_is_refused_with_the_way_out(saved, tmp_path):
    way_out = "drop the attributes whose names begin with roofcube_"
    written_by_xarray(saved[".nc"], lambda plain: plain.isel(platform=[0]), {}, tmp_path / "part.nc")
    with pytest.raises(CorruptFileError, match=f"the content was altered.*restore it from its source; .*{way_out}"):
        rc.load(tmp_path / "part.nc")
    with xr.open_zarr(saved[".zarr"], consolidated=False) as plain:
        plain[["idle", "power", "batch"]].load().drop_encoding().to_zarr(tmp_path / "part.zarr", zarr_format=3)
    with pytest.raises(CorruptFileError, match=f"lost or never written: other tools leave out.*{way_out}"):
        rc.load(tmp_path / "part.zarr")


def test_what_is_no_cube_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidDataError, match=r"`cube`: expected a Dataset, got .* of type Sweep; fill a sweep"):
        rc.save(rc.Sweep(rc.inputs("mnist")), tmp_path / "cube.nc")


@pytest.mark.parametrize("letters", ["NCS2", "µ-2 ", "\xb5".encode("latin-1")])
@pytest.mark.parametrize("how", [{}, {"chunks": {}}, {"untrusted": True}])
def test_labels_in_chars_of_another_tool_are_text_without_padding(letters, how, tmp_path):
    content = letters if isinstance(letters, bytes) else letters.encode()
    with netCDF4.Dataset(tmp_path / "chars.nc", "w", format="NETCDF3_CLASSIC") as file:
        for dim, size in {"platform": 2, "batch": 1, "letter": 5}.items():
            file.createDimension(dim, size)
        for name, texts in {"platform": [b"TX2  ", content], "vendor": [b"", content]}.items():
            variable = file.createVariable(name, "S1", ("platform", "letter"))
            variable[:] = np.array(texts, "S5").view("S1").reshape(2, 5)
        file.createVariable("measured_throughput", "f8", ("platform", "batch"))[:] = [[10], [20]]
    cube = rc.load(tmp_path / "chars.nc", **how)
    label = content.decode("latin-1") if isinstance(letters, bytes) else letters.strip()
    assert cube.platform.values.tolist() == ["TX2", label]
    assert cube.vendor.values.tolist() == ["", label]
    assert rc.best(cube, "measured_throughput", where={"platform": label}).platform.item() == label


@pytest.mark.parametrize(("calendar", "fix"), [("noleap", ""), ("360_day", ', align_on="year"')])
def test_times_of_another_calendar_are_told_with_the_way_to_convert_them(calendar, fix, tmp_path):
    days = xr.Variable("day", [0, 400], {"units": "days since 2024-01-01", "calendar": calendar})
    xr.Dataset({"power": ("day", [1.0, 2.0])}, coords={"day": days}).to_netcdf(tmp_path / "days.nc")
    cube = rc.load(tmp_path / "days.nc")
    told = rf"`day`: expected times of the standard calendar, got 2024-01-01.* of '{calendar}'; "
    with pytest.raises(InvalidDataError, match=told) as refusal:
        rc.save(cube, tmp_path / "saved.nc")
    with pytest.raises(CorruptFileError, match=rf"days\.nc: {told}"):
        rc.load(tmp_path / "days.nc", untrusted=True)
    assert f'cube.convert_calendar("standard", dim="day"{fix})' in str(refusal.value)
    converted = cube.convert_calendar("standard", dim="day", align_on="year")
    assert rc.load(rc.save(converted, tmp_path / "saved.nc")).identical(converted)


def test_a_leading_tilde_is_the_folder_of_the_user(cube, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert rc.save(cube[["power"]], "~/cube.nc") == tmp_path / "cube.nc"
    assert rc.verify("~/cube.nc")
    monkeypatch.chdir(tmp_path)
    assert rc.load(rc.save(cube[["power"]], "~nobody-of-this-name.nc")).identical(cube[["power"]])


@pytest.mark.parametrize("read", [rc.verify, lambda path: rc.load(path, untrusted=True)])
def test_who_needs_all_of_a_file_is_not_told_to_read_parts(read, tmp_path):
    wide = xr.Dataset({name: ("a", np.zeros(2 * 10**5)) for name in "xyz"})
    path = rc.save(wide, tmp_path / "large.nc")
    with rc.set_options(memory="3 MB"):
        with pytest.raises(MemoryLimitError, match=r"declared.*; raise the limit with"):
            read(path)
        with pytest.raises(MemoryLimitError, match=r"declared.*; read it in parts with"):
            rc.load(path)


def test_a_cube_is_saved_though_the_client_of_dask_is_gone(tmp_path, cube):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        pass
    with dask.config.set(scheduler=client.get):
        rc.save(cube, tmp_path / "cube.nc")
    assert rc.load(tmp_path / "cube.nc").identical(cube)
