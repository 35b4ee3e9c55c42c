"""Values that stay in their file until they are asked for: of the file that was opened, with errors that name it.

Who keeps a cube open may be overtaken: another process saves over the path. A NetCDF file that is open goes on giving
what it held, but xarray closes the file used least recently where many are open, and opens it again by name. A Zarr
store is read by name, chunk by chunk, and a chunk without a file means fill values. So what is opened again has to be
the same file, and after a chunk was read the store must still be the one that was opened: then it was at the read too.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from xarray.backends import BackendArray, CachingFileManager
from xarray.core import indexing

from roofcube.errors import CorruptFileError, RoofcubeError
from roofcube.files.attributes import WAY_OUT, WrittenAnewError
from roofcube.interrupts import aside
from roofcube.options import limit_said, set_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import xarray as xr

    from roofcube.files.guards.hdf_chunks import Packed

__all__ = ["blamed", "identity", "netcdf_handle", "one_thread", "small_caches", "with_guarded_values"]

Identity = tuple[int, ...] | None
CACHE = 1 << 20  # bytes of chunks that HDF5 keeps of a variable, as it does by itself: whole chunks are read once
_netcdf = threading.RLock()  # netCDF-C crashes where two threads are in it, also with files of their own


def identity(source: Path) -> Identity:
    """Tell a file or folder from what may have its name later, also where the system gives its number away again."""
    try:
        there = source.stat()
    except OSError:
        return None
    return there.st_ino, there.st_ctime_ns


def one_thread(source: Path) -> AbstractContextManager[Any]:
    """Keep other threads out of a library that is not made for them."""
    return _netcdf if source.suffix == ".nc" else nullcontext()


@contextmanager
def blamed(source: Path) -> Iterator[None]:
    """Return which file is to blame for what goes wrong in a block that reads it.

    Raises
    ------
    CorruptFileError
        For every error in the block that is not one of ours.
    """
    try:
        yield
    except RoofcubeError:
        raise
    except WrittenAnewError as error:
        msg = (
            f"{source}: another tool changed it or wrote it anew since roofcube saved it: {error!s:.300}; restore it "
            f"from its source; {WAY_OUT}"
        )
        raise CorruptFileError(msg) from error
    except Exception as error:
        # the libraries beneath raise nearly anything of a damaged file: KeyError, zlib.error, RecursionError
        msg = (
            f"{source}: not readable as a cube ({_in_short(error)}); the file is torn or of another kind, write it "
            "again with roofcube.save"
        )
        raise CorruptFileError(msg) from error


def _in_short(error: Exception) -> str:
    words = str(error)[:300] or type(error).__name__
    return words if isinstance(error, OSError | ValueError | RuntimeError) else f"{type(error).__name__}: {words}"


def netcdf_handle(source: Path) -> CachingFileManager[Any]:
    """Return a handle of a NetCDF file that is never of another one of its name, however often it is opened."""
    from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

    return CachingFileManager(_opened_again, source, identity(source), mode="r", lock=NETCDF4_PYTHON_LOCK)


def _opened_again(source: Path, of: Identity, mode: Literal["r"]) -> Any:
    import netCDF4

    with small_caches():
        handle = netCDF4.Dataset(source, mode=mode)
    if identity(source) != of:
        handle.close()
        raise _replaced(source)
    return handle


@contextmanager
def small_caches() -> Iterator[None]:
    """Let files that are opened or made in a block keep little of each variable beside its values.

    By itself netCDF keeps up to 64 MB of unpacked chunks of every variable until the file is closed.
    """
    import netCDF4

    with _netcdf:
        size, slots, preemption = netCDF4.get_chunk_cache()
        netCDF4.set_chunk_cache(CACHE, slots, preemption)
        try:
            yield
        finally:
            netCDF4.set_chunk_cache(size, slots, preemption)


def with_guarded_values(
    opened: xr.Dataset, source: Path, of: Identity, packed: Iterable[tuple[str, Packed]] = ()
) -> xr.Dataset:
    """Return a cube whose values, where they are still in the file, are read as those of the file that was opened.

    Parameters
    ----------
    opened : Dataset
    source : Path
    of : tuple of int
        Its identity before it was opened.
    packed : iterable of tuple of str, Packed
        Chunks of variables to be looked at before they are read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import xarray as xr
    >>> import roofcube as rc
    >>> path = rc.save(rc.inputs("mnist"), pathlib.Path(tempfile.mkdtemp()) / "inputs.zarr")
    >>> lazy = with_guarded_values(xr.open_dataset(path, engine="zarr"), path, identity(path))
    >>> _ = rc.save(rc.inputs("cifar10"), path)
    >>> try:
    ...     lazy.ops.load()
    ... except CorruptFileError as error:
    ...     print(str(error).rpartition("inputs.zarr: ")[2])
    expected the file that was opened, got one replaced or changed since; load it again
    """
    guarded, chunks = {}, list(packed)
    for name, variable in opened.variables.items():
        if not variable._in_memory and variable.chunks is None:
            of_variable = [one for owner, one in chunks if owner == name]
            values: Any = indexing.LazilyIndexedArray(_GuardedValues(variable, source, of, of_variable))
            own: Any = indexing.MemoryCachedArray(indexing.CopyOnWriteArray(values))  # type: ignore[no-untyped-call]
            guarded[name] = variable.copy(deep=False, data=own)
    return opened.assign(guarded)


class _GuardedValues(BackendArray):
    """Values of a variable in a file, checked after each read to be of the file that was opened."""

    __slots__ = ("dtype", "limit", "of", "packed", "shape", "source", "variable")

    def __init__(self, variable: xr.Variable, source: Path, of: Identity, packed: list[Packed]) -> None:
        self.variable, self.source, self.of, self.packed = variable, source, of, packed
        self.shape, self.dtype = variable.shape, variable.dtype
        self.limit = limit_said()

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        try:
            values = aside(self._part, key) if self.source.suffix == ".nc" else self._part(key)
        finally:
            self._check_source()  # also where it failed: of what has been replaced, the reason is this
        return values

    def _part(self, key: tuple[Any, ...]) -> Any:
        # older versions of Dask ask from threads outside of the block in which options were set
        limited = set_options(memory=self.limit) if self.limit and limit_said() is None else nullcontext()
        with limited, one_thread(self.source), blamed(self.source):
            for chunks in self.packed:
                chunks.check(key)
            return np.asarray(self.variable[key].values)

    def _check_source(self) -> None:
        now = identity(self.source)
        # an open NetCDF file stays what it was when its name goes to another
        if now != self.of and (self.source.suffix != ".nc" or (now is not None and now[0] == (self.of or now)[0])):
            raise _replaced(self.source)


def _replaced(source: Path) -> CorruptFileError:
    return CorruptFileError(
        f"{source}: expected the file that was opened, got one replaced or changed since; load it again"
    )
