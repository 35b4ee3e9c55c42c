"""save, load and verify cubes as NetCDF or Zarr; a crash never leaves a torn file under the final name."""

from __future__ import annotations

import math
import time
import warnings
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from roofcube.disk import digest, existing, path_of, replacing
from roofcube.errors import CorruptFileError, InvalidDataError, check_installed, check_kind
from roofcube.files import checksums
from roofcube.files.attributes import ORIGINAL, WAY_OUT, WrittenAnewError
from roofcube.files.decoding import decoded, with_text_for_bytes
from roofcube.files.encoding import encoded
from roofcube.files.fingerprints import PART, in_parts, parts_to_hash, values_to_hash
from roofcube.files.guards import declared, hdf_chunks
from roofcube.files.lazy import blamed, identity, netcdf_handle, one_thread, small_caches, with_guarded_values
from roofcube.interrupts import aside, import_whole, is_abandoned
from roofcube.labels import bytes_in_file
from roofcube.options import check_fits, memory_limit, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["OF_THE_FILE", "compressors", "description_of", "load", "opened", "opened_store", "save", "verify"]

Result = TypeVar("Result")
SMALL = 1 << 24  # bytes, of which a checksum takes some 15 ms
WIDE = 4  # bytes of a letter in memory
TEXT, TEXT_IN_FILE, TEXT_SAVED = 60, 48, 110  # bytes of a text of no letters: in memory, in a NetCDF file, to save it
CHUNK = 1 << 21  # bytes of one of a NetCDF file
HELD = 4  # chunks that a thread of Dask holds: read, decoded, what is made of them
SHARE = 32  # chunks in the memory limit: several are read at a time
MOST = 10_000  # parts of a variable, for each of which Dask makes a task, whatever a file declares
SECONDS = 30.0  # to wait for others to leave a file in peace
FORMAT, VERSION = "roofcube_format", 2  # 1: attributes as text, no checksum over them, xarray's own decoding
SUFFIXES = (".nc", ".zarr")
# what netCDF says of a cube that it has no form for
LIMITS = ("NC_MAX_", "Name contains illegal characters", "String match to name in use")
OF_THE_FILE = (FORMAT, checksums.CONTENT, checksums.DESCRIPTION, *checksums.OF_ONE_STORE)


def save(cube: xr.Dataset, path: str | Path) -> Path:
    """Write a cube, NetCDF for `.nc`, Zarr for `.zarr`.

    The file is written beside its final name and renamed when it is complete and on disk, so that a crash leaves either
    the old file or the new one. A checksum of the content goes in, for `verify`. Attributes come back as they were, a
    dict as JSON text.

    Parameters
    ----------
    cube : Dataset
    path : str or Path
        Ending in `.nc` or `.zarr`; an existing file is replaced, and an existing folder if it is a cube of roofcube's.

    Returns
    -------
    Path

    Raises
    ------
    InvalidDataError
        If the suffix is neither, the folder does not exist, or something else has that name; if a file cannot hold an
        attribute (a time, a path), text with None among it, or a MultiIndex, naming it; or where there are more
        than 1,000 variables.
    MemoryLimitError
        If values that are still in a file or to be computed, all of which are read, do not fit beside some of their
        chunks; or text, in the form that files take.
    UnwritableFileError
        If the disk is full or read-only; what was there is unchanged.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> path = rc.save(rc.predict(rc.inputs("mnist")), pathlib.Path(tempfile.mkdtemp()) / "mnist.nc")
    >>> rc.load(path).attrs["task"]
    'mnist'
    """
    check_kind("cube", cube, xr.Dataset, do="fill a sweep with its `compute`, or write it with its `to_zarr`")
    target = _checked_path(path_of(path))
    check_fits("save", _bytes_to_save(cube, half=target.suffix == ".zarr"))
    stored = _into_memory(_without_file_attributes(cube))
    written = encoded(stored, half=target.suffix == ".zarr")
    declared.check_number("`cube`", len(written.variables), InvalidDataError)
    written.attrs |= {
        FORMAT: VERSION,
        checksums.CONTENT: _content_digest(stored, VERSION),
        checksums.DESCRIPTION: _description(stored, written),
    }
    with replacing(target, folder=target.suffix == ".zarr") as temporary:
        if target.suffix == ".nc":
            aside(_write_netcdf, written, temporary)
        else:
            _write_zarr(written, temporary)
    return target


def load(path: str | Path, *, chunks: Any = None, untrusted: bool = False, seconds: float | None = None) -> xr.Dataset:
    """Read a cube into memory.

    What the file declares is checked before anything is read: its types, codecs, links and its size.

    Parameters
    ----------
    path : str or Path
    chunks : optional
        As for `xarray.open_dataset`, as `{}` or `{"batch": 100}`: values stay in the file until they are asked for
        (needs Dask).
    untrusted : bool
        Whether to read the file in a process of its own, with an end to its time and memory: of a file that somebody
        else sends, a damaged or hostile one can otherwise hang or crash this process. Takes a second more.
    seconds : float, optional
        How long an `untrusted` file may take: where not given 5 s of a processor, and one more for each 10 MB of it,
        and ten times as long by the clock.

    Raises
    ------
    MissingFileError
        If there is no such file.
    CorruptFileError
        If the file is torn or not a cube.
    InvalidDataError
        If `chunks` are none of this cube, or `seconds` no time.
    MemoryLimitError
        If it is larger than the limit of `roofcube.set_options`, and `chunks` is not given.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> path = rc.save(rc.benchmark("mnist"), pathlib.Path(tempfile.mkdtemp()) / "mnist.nc")
    >>> int(rc.load(path).n_rows.sum())
    406

    Lazily, by Dask, in chunks; and what somebody else sends, in a process of its own:

    >>> rc.load(path, chunks={}).measured_throughput.chunks is None
    False
    >>> rc.load(path, untrusted=True, seconds=20).sizes["platform"]
    9
    """
    source = _checked_path(path_of(path), reading=True)
    if untrusted:
        if chunks is not None:
            msg = "`untrusted`: expected no `chunks` beside it, for values would be read later; leave one of them out"
            raise InvalidDataError(msg)
        from roofcube.files.guards.sandbox import load_untrusted

        return load_untrusted(source, seconds=seconds)
    if seconds is not None:
        msg = (
            "`seconds`: expected `untrusted=True` beside it: what is read in this process cannot be ended; leave it out"
        )
        raise InvalidDataError(msg)
    if chunks is not None:
        check_installed("chunks", "dask", "scale")
        import_whole("dask.array")
        return _steady(source, partial(_lazy_cube, source.absolute(), chunks))
    return _uninterrupted(source, partial(_loaded_cube, source))


def opened(path: str | Path) -> xr.Dataset:
    """Open a cube without reading its values; close it after use.

    Raises
    ------
    MissingFileError, CorruptFileError
        As `load`.
    """
    source = _checked_path(path_of(path), reading=True)
    return _steady(source, partial(_described_file, source))


def verify(path: str | Path) -> bool:
    """Check whether a file holds what was saved.

    What `Sweep.to_zarr` wrote is checked file by file, whatever its size; other files are read into memory.

    Parameters
    ----------
    path : str or Path
        A file (.nc) or folder (.zarr) of `roofcube.save` or `Sweep.to_zarr`.

    Returns
    -------
    bool
        True where the content matches its checksum.

    Raises
    ------
    CorruptFileError
        If the file is torn, altered, or has no checksum.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> rc.verify(rc.save(rc.inputs("mnist"), pathlib.Path(tempfile.mkdtemp()) / "inputs.nc"))
    True
    """
    source = _checked_path(path_of(path), reading=True)
    before = declared.is_read_whole.set(True)
    try:
        return _uninterrupted(source, partial(_verified, source))
    finally:
        declared.is_read_whole.reset(before)


def _verified(source: Path) -> bool:
    if source.suffix == ".zarr":
        declared.check_links(source)
    if source.suffix == ".zarr" and checksums.recorded(source) is not None:
        return _verified_files(source)
    with one_thread(source), blamed(source), _open(source, reading=True) as lazy:
        expected, version = lazy.attrs.get(checksums.CONTENT), 2 if ORIGINAL in lazy.attrs else 1
        if expected is None:
            msg = f"{source}: has no checksum; it was not written by roofcube.save or Sweep.to_zarr, or not to its end"
            raise CorruptFileError(msg)
        _compare(source, _content_digest(_as_saved(lazy), version), expected)
    return True


def _verified_files(store: Path) -> bool:
    names = checksums.altered(store)
    if names:
        msg = (
            f"{store}: the content was altered ({', '.join(names)}: not as Sweep.to_zarr wrote it); "
            "restore it from its source, or write it again under a new name"
        )
        raise CorruptFileError(msg)
    return True


# reading --------------------------------------------------------------------------------------------------------------


def _uninterrupted(source: Path, read: Callable[[], Result]) -> Result:
    """Read where Ctrl-C cannot be lost in a library."""
    return aside(_steady, source, read) if source.suffix == ".nc" else _steady(source, read)


def _loaded_cube(source: Path) -> xr.Dataset:
    with one_thread(source), blamed(source), _open(source, reading=True) as lazy:
        if source.suffix == ".nc":
            _read_in_parts(lazy)
        cube = _as_saved(lazy.load())
        if cube.nbytes <= SMALL:
            _check_content(source, cube, lazy.attrs)
    for variable in cube.variables.values():
        variable.encoding = {}
    return cube


def _read_in_parts(lazy: xr.Dataset) -> None:
    """Read large variables of a NetCDF file part by part, whole chunks each, and none that nobody waits for."""
    for variable in lazy.variables.values():
        if variable._in_memory or not variable.ndim or variable.nbytes <= PART:
            continue
        values, start = np.empty(variable.shape, variable.dtype), 0
        for part in in_parts(variable):
            values[start : start + len(part)] = part
            start += len(part)
        variable.data = values


def _lazy_cube(source: Path, chunks: Any) -> xr.Dataset:
    before = identity(source)
    with blamed(source):
        with one_thread(source):
            lazy = _guarded(source)
        # values of no dims are read here, by a thread that waits for the library
        return _as_saved(_chunked(lazy, chunks, f"{source} {before}"))


def _chunked(lazy: xr.Dataset, chunks: Any, token: str) -> xr.Dataset:
    """Return a cube in chunks, which Dask tells from others by a token: by itself it writes out what it is given."""
    try:
        return lazy.chunk({**_chunks_of_file(lazy), **chunks} if isinstance(chunks, dict) else chunks, token=token)
    except (ValueError, TypeError, ZeroDivisionError, NotImplementedError) as error:
        dims = ", ".join(map(str, lazy.sizes))
        msg = f"`chunks`: expected sizes for dims of the cube ({dims}), got {chunks!r:.60} ({error}); give such as {{}}"
        raise InvalidDataError(msg) from None


def _chunks_of_file(lazy: xr.Dataset) -> dict[Any, int]:
    """Return sizes of whole chunks of the largest variable along each dim, many where they are small."""
    sizes: dict[Any, int] = {}
    for variable in sorted(lazy.variables.values(), key=lambda one: one.nbytes, reverse=True):
        of_file = variable.encoding.get("preferred_chunks") or {}
        own = {dim: min(size, of_file.get(dim, size)) for dim, size in variable.sizes.items()}
        part = max(min(PART, memory_limit() // SHARE), variable.nbytes // MOST)
        for dim, size in reversed(variable.sizes.items()):
            chunk = math.prod(own.values()) * variable.dtype.itemsize
            own[dim] = min(size, own[dim] * max(1, part // max(1, chunk)))
        for dim, size in own.items():
            sizes.setdefault(dim, size)
    return sizes


def _guarded(source: Path) -> xr.Dataset:
    before = identity(source)
    opened = _open(source)
    packed = hdf_chunks.packed_values(source, memory_limit()) if source.suffix == ".nc" else []
    return with_guarded_values(opened, source, before, packed)


def _check_content(source: Path, cube: xr.Dataset, attributes: Mapping[str, Any]) -> None:
    """Check all that a checksum covers, where it takes no time: labels too, and that no chunk is in another's place."""
    if ORIGINAL in attributes and checksums.CONTENT in attributes:
        _compare(source, _content_digest(cube, VERSION), attributes[checksums.CONTENT])
    if source.suffix == ".zarr" and checksums.FILES in attributes:
        _verified_files(source)


def _compare(source: Path, found: str, expected: str) -> None:
    if found != expected:
        msg = (
            f"{source}: the content was altered (sha256 {found[:12]}…, saved as {expected[:12]}…); restore it from "
            f"its source; {WAY_OUT}"
        )
        raise CorruptFileError(msg)


def _described_file(source: Path) -> xr.Dataset:
    with one_thread(source), blamed(source):
        lazy = _guarded(source)
        return _as_described(lazy)


def _as_described(lazy: xr.Dataset) -> xr.Dataset:
    if ORIGINAL not in lazy.attrs:
        return _as_saved(lazy)
    return decoded(lazy, values=False).assign_attrs(_file_attributes(lazy))


def _steady(source: Path, read: Callable[[], Result], *, seconds: float = SECONDS) -> Result:
    """Read what one writer left: again, where another has put something in its place meanwhile.

    A Zarr store is many files, and a reader of names that sees an exchange would have some of each.
    """
    end = time.monotonic() + seconds
    while True:
        before = identity(source)
        try:
            result = read()
        except (Exception, MemoryError):
            if identity(source) == before or time.monotonic() > end:
                raise
            continue
        if identity(source) == before is not None:
            return result
        if time.monotonic() > end:
            msg = f"{source}: expected a file that stays while it is read, got one replaced all the time; read a copy"
            raise CorruptFileError(msg)


def _open(source: Path, *, reading: bool = False) -> xr.Dataset:
    """Open a file after a look at what it declares; `reading` where all of it is to be read.

    What this version saved is not decoded by xarray: `_as_saved` knows better what it was.
    """
    if source.suffix == ".zarr":
        room = declared.check_store(source, reading=reading)
        from roofcube.files.guards.zarr_arrays import bounded, check_arrays

        with bounded(room):
            check_arrays(source)
            return _told_by_its_attributes(partial(opened_store, source))
    from xarray.backends import NetCDF4DataStore

    declared.check_no_groups(source)
    # one handle for all: netCDF4 1.7 crashes where a second one is opened and closed beside one that is in use
    before = declared.open_files()
    try:
        store = NetCDF4DataStore(netcdf_handle(source), mode="r")  # type: ignore[no-untyped-call]
    except OSError:
        declared.check_no_dead_links(source)
        raise
    try:
        declared.check_no_other_opened(source, before)
        _check_netcdf(source, store, reading=reading)
        return _told_by_its_attributes(partial(xr.open_dataset, store))
    except BaseException:
        store.close()  # type: ignore[no-untyped-call]
        raise


def opened_store(store: Path, **how: Any) -> xr.Dataset:
    """Open a Zarr store, its variables by their names: a folder lists them as it likes, each time another way."""
    listed = xr.open_dataset(store, engine="zarr", consolidated=False, **how)
    ordered = listed[sorted(listed.variables, key=str)]
    ordered.set_close(listed.close)
    return ordered


def _told_by_its_attributes(open_file: Callable[..., xr.Dataset]) -> xr.Dataset:
    raw = open_file(decode_cf=False)
    return raw if ORIGINAL in raw.attrs else open_file()


def _as_saved(opened: xr.Dataset) -> xr.Dataset:
    """Return a cube with the types and attributes that it had, once these are found as they were written."""
    if ORIGINAL not in opened.attrs:
        return opened if checksums.CONTENT in opened.attrs else with_text_for_bytes(opened)
    cube = _without_file_attributes(decoded(opened))
    expected = opened.attrs.get(checksums.DESCRIPTION)  # of a stored sweep, `verify` checks every file
    if expected is not None and digest(parts_to_hash(cube)) != expected:
        msg = "its variables or its attributes are not as they were saved"
        raise WrittenAnewError(msg)
    return cube


def _file_attributes(opened: xr.Dataset) -> dict[str, Any]:
    return {name: opened.attrs[name] for name in OF_THE_FILE if name in opened.attrs}


def _check_netcdf(source: Path, store: Any, *, reading: bool) -> None:
    """Check the sizes that a NetCDF file declares; of one that is not read, those of its labels, which xarray reads."""
    _check_kinds(source, store.ds)
    sizes, parts, text, own, most = {}, {}, [], True, 0
    for name, variable in store.ds.variables.items():
        width = np.dtype(variable.dtype).itemsize if variable.dtype is not str else TEXT
        if variable.dtype is str:
            text.append(name)
        chunk, parts[name] = variable.chunking(), 0
        if isinstance(chunk, list):
            most = max(most, math.prod(map(math.ceil, np.divide(variable.shape, chunk))))
            parts[name] = math.prod(map(int, chunk)) * width  # unpacked whole
        elif variable.ndim and variable.dtype is not str:
            own = False
        if reading or variable.dimensions == (name,):
            sizes[name] = max(variable.size * width, parts[name] if variable.size else 0)
    if reading and text:  # of lengths that nothing declares; it is what the file holds beside numbers
        rest = source.stat().st_size - sum(sizes.values())
        rest += (TEXT - TEXT_IN_FILE) * sum(math.prod(store.ds[name].shape) for name in text)
        sizes[text[0]] += WIDE * max(0, rest)
    # a chunk is unpacked beside the values
    declared.check_bytes(source, sizes, parts, beside=max(parts.values(), default=0) if reading else 0)
    if reading:
        declared.check_chunks(source, most)
    for _, packed in hdf_chunks.packed_values(source, memory_limit() - sum(sizes.values()), None if reading else sizes):
        packed.check()
    if not own:  # what lies in one piece may lie in other files
        declared.check_own_values(source)


def _check_kinds(source: Path, file: Any) -> None:
    """Check that the variables of a NetCDF file are of numbers and text."""
    from netCDF4 import EnumType

    declared.check_number(source, len(file.variables))
    for name, variable in file.variables.items():
        if variable.dtype is not str and not isinstance(variable.datatype, np.dtype | EnumType):
            msg = (
                f"{source}: expected numbers and text, got {name!r} of a type of its own "
                f"({type(variable.datatype).__name__}); write the file without it, which xarray.open_dataset(..., "
                f"drop_variables={name!r}) reads"
            )
            raise CorruptFileError(msg)


# writing --------------------------------------------------------------------------------------------------------------


def _checked_path(path: Path, *, reading: bool = False) -> Path:
    if path.suffix not in SUFFIXES:
        msg = f"`path`: expected a name ending in {' or '.join(SUFFIXES)}, got {path.name!r}; rename it"
        raise InvalidDataError(msg)
    if path.suffix == ".zarr":
        check_installed("path", "zarr", "scale")
        import_whole("zarr")
    if reading:
        existing(path, folder=path.suffix == ".zarr")
    if not reading and not path.absolute().parent.is_dir():
        msg = f"`path`: the folder {path.parent} does not exist; make it first"
        raise InvalidDataError(msg)
    if not reading and path.suffix == ".zarr" and path.exists() and not checksums.is_ours(path):
        msg = (
            f"`path`: expected a new name or a cube of roofcube's, got {str(path)!r}, which holds something else; "
            "choose another name or remove it"
        )
        raise InvalidDataError(msg)
    return path


def _bytes_to_save(cube: xr.Dataset, *, half: bool) -> int:
    """Return what saving takes beside what is in memory: values still to be read, and those of types no file has."""
    size = bytes_in_file(cube) + _bytes_beside(cube)
    for variable in cube.variables.values():
        kind, width = variable.dtype.kind, variable.dtype.itemsize
        if kind in "SUOT":
            size += variable.size * TEXT_SAVED + variable.nbytes * 3 // 2
        elif kind == "f" and width == 2 and not half:
            size += 2 * variable.nbytes
        elif kind in "iufmM" and not variable.dtype.isnative:
            size += variable.nbytes
    return size


def _bytes_beside(cube: xr.Dataset) -> int:
    """Return what reading takes beside what is read: of Dask's a few chunks a thread, or all where it joins chunks."""
    apart = _computed_in_place(cube)
    chunks = [math.prod(map(max, one.chunks)) * one.dtype.itemsize for one in apart.values()]
    twice = bytes_in_file(cube.drop_vars(apart))
    return min(bytes_in_file(cube), twice + thread_count() * HELD * max(chunks, default=0))


def _computed_in_place(cube: xr.Dataset) -> dict[Any, Any]:
    """Return the variables of numbers that Dask computes in threads of this process, which can write to one array."""
    lazy = {name: one for name, one in cube.variables.items() if one.chunks is not None and one.dtype.kind in "biufmM"}
    if not lazy:
        return lazy
    from dask import array, base, local, threaded

    here = base.get_scheduler(collections=[one.data for one in lazy.values()]) in (threaded.get, local.get_sync)
    return {
        name: one
        for name, one in lazy.items()
        if here and isinstance(one.data, array.Array) and isinstance(one.data._meta, np.ndarray)
    }


def _into_memory(cube: xr.Dataset) -> xr.Dataset:
    """Read what is not in memory; Dask puts each chunk where it belongs, so that few are there twice."""
    lazy = _computed_in_place(cube)
    if lazy:
        import dask.array as da

        places = [_Place(name, np.empty(one.shape, one.dtype)) for name, one in lazy.items()]
        da.store([one.data for one in lazy.values()], places, lock=False)
        for place, variable in zip(places, lazy.values(), strict=True):
            variable.data = place.values
    return cube.load()


class _Place:
    """An array that takes chunks of its own type alone: NumPy would convert them in silence."""

    def __init__(self, name: Any, values: Any) -> None:
        self.name, self.values = name, values

    def __setitem__(self, index: Any, chunk: Any) -> None:
        if chunk.dtype.newbyteorder("=") != self.values.dtype.newbyteorder("="):
            msg = (
                f"`{self.name}`: expected chunks of {self.values.dtype}, as Dask says of it, got {chunk.dtype}; "
                "convert it with astype"
            )
            raise InvalidDataError(msg)
        self.values[index] = chunk


def _write_netcdf(stored: xr.Dataset, path: Path) -> None:
    try:
        with one_thread(path.with_suffix(".nc")), small_caches():
            _define_and_write(stored, path)
    except (RuntimeError, AttributeError) as error:
        if any(words in str(error) for words in LIMITS):
            msg = f"`cube`: NetCDF does not hold it ({error}); rename or leave out what that names, or save it as .zarr"
            raise InvalidDataError(msg) from error
        # what HDF5 says where the disk is full, without the system's number
        raise OSError(str(error)) from error
    finally:
        if is_abandoned():
            path.unlink(missing_ok=True)


def _define_and_write(stored: xr.Dataset, path: Path) -> None:
    """Define all variables before the first is written: netCDF goes through all each time that it turns to the other.

    Written one by one, as `Dataset.to_netcdf` does, 1,000 small variables take eight times as long.
    """
    from xarray.backends import NetCDF4DataStore
    from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

    # all is written here: the lock that xarray takes where Dask has a client asks its scheduler, which may be gone
    file = NetCDF4DataStore.open(str(path), mode="w", format="NETCDF4", lock=NETCDF4_PYTHON_LOCK)  # type: ignore[no-untyped-call]
    values = _Waiting()
    try:
        stored.dump_to_store(file, writer=values, encoding=_encoding(stored))
        for source, target in values:
            target[...] = source
    finally:
        file.close()


class _Waiting(list[tuple[Any, Any]]):
    """What xarray takes for a writer: values and where they go."""

    def add(self, source: Any, target: Any, region: None = None) -> None:
        assert region is None
        self.append((source, target))


def _write_zarr(stored: xr.Dataset, path: Path) -> None:
    import zarr

    stored.attrs[checksums.WHOLE] = checksums.ALL
    packed = {name: {"compressors": compressors()} for name in stored.variables}
    with zarr.config.set({"array.write_empty_chunks": True}):
        stored.to_zarr(path, mode="w-", consolidated=False, zarr_format=3, encoding=packed)
    with warnings.catch_warnings():
        # what others read at once; that a store of format 3 has it beside its parts is not yet in the specification
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)
    declared.check_descriptions(path)


def compressors() -> tuple[Any, ...]:
    """Return how chunks of a Zarr store are packed: with a checksum that every reader checks."""
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return ZstdCodec(), Crc32cCodec()


def _description(stored: xr.Dataset, written: xr.Dataset) -> str:
    """Hash the attributes of a cube, once they are found to come back from how they are written."""
    description = digest(parts_to_hash(stored))
    if digest(parts_to_hash(_without_file_attributes(decoded(written, values=False)))) != description:
        msg = "`cube`: its attributes would not come back as they are; convert them to numbers or plain text"
        raise InvalidDataError(msg)
    return description


def description_of(store: Path) -> str:
    """Hash the attributes of a Zarr store that has all its arrays, as they come back."""
    with opened_store(store, decode_cf=False) as opened:
        return digest(parts_to_hash(_without_file_attributes(decoded(opened, values=False))))


def _without_file_attributes(cube: xr.Dataset) -> xr.Dataset:
    stored = cube.copy()
    stored.attrs = {key: value for key, value in cube.attrs.items() if key not in OF_THE_FILE}
    return stored


def _encoding(cube: xr.Dataset) -> dict[Any, dict[str, Any]]:
    packed = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
    return {
        name: {"chunksizes": _chunk_lengths(array.shape, array.dtype.itemsize), **array.encoding, **packed}
        for name, array in cube.variables.items()
        if array.size and array.ndim and array.dtype.kind in "iuf"
    }


def _chunk_lengths(shape: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return chunks cut alike along all dims, each unpacked where a processor's cache still has it.

    Those that netCDF chooses, of up to 16 MB, take twice as long to read: each is unpacked in fresh memory.
    """
    cuts, lengths = 1.0, shape
    while math.prod(lengths) * width > CHUNK:
        cuts *= 1.1
        pieces = [min(size, math.ceil(cuts)) for size in shape]
        lengths = tuple(math.ceil(size / number) for size, number in zip(shape, pieces, strict=True))
    return lengths


def _content_digest(cube: xr.Dataset, version: int) -> str:
    """Hash names, dims, types, values and attributes, whatever the file format does to their layout."""
    described = parts_to_hash(_without_file_attributes(cube)) if version > 1 else ()
    return digest(chain(values_to_hash(cube), described))
