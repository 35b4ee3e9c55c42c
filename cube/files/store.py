"""save, load and verify cubes as NetCDF or Zarr; a crash never leaves a torn file under the final name."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.disk import digest, replacing
from roofcube.errors import CorruptFileError, InvalidDataError, RoofcubeError, check_installed
from roofcube.files import checksums, declared
from roofcube.files.storable import as_saved, storable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["load", "save", "verify"]

FORMAT = "roofcube_format"
SUFFIXES = (".nc", ".zarr")


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
        attribute (a time, a path), text with None among it, or a MultiIndex, naming it.
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
    target = _checked_path(Path(path))
    stored = storable(cube, without=(checksums.CONTENT, *checksums.OF_ONE_STORE))
    stored.attrs[FORMAT] = 1
    stored.attrs[checksums.CONTENT] = _content_digest(stored)
    with replacing(target, folder=target.suffix == ".zarr") as temporary:
        if target.suffix == ".nc":
            _write_netcdf(stored, temporary)
        else:
            stored.to_zarr(temporary, mode="w-", consolidated=False)
    return target


def load(path: str | Path, *, chunks: Any = None) -> xr.Dataset:
    """Read a cube into memory.

    What the file declares is checked before anything is read: its types, codecs, links and its size.

    Parameters
    ----------
    path : str or Path
    chunks : optional
        As for `xarray.open_dataset`, as `{}` or `{"batch": 100}`: values stay in the file until they are asked for
        (needs Dask).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CorruptFileError
        If the file is torn or not a cube.
    MemoryLimitError
        If it is larger than the limit of `roofcube.set_options`, and `chunks` is not given.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> path = rc.save(rc.benchmark("mnist"), pathlib.Path(tempfile.mkdtemp()) / "mnist.nc")
    >>> int(rc.load(path).n_rows.sum())
    406
    """
    source = _checked_path(Path(path), reading=True)
    if chunks is not None:
        check_installed("chunks", "dask", "scale")
        with _blamed(source):
            return _open(source).chunk(chunks)
    with _blamed(source), _open(source, reading=True) as lazy:
        cube = lazy.load()
    for name in cube.variables:
        cube[name].encoding = {}
    return cube


def opened(path: str | Path) -> xr.Dataset:
    """Open a cube without reading its values; close it after use.

    Raises
    ------
    FileNotFoundError, CorruptFileError
        As `load`.
    """
    source = _checked_path(Path(path), reading=True)
    with _blamed(source):
        return _open(source)


def verify(path: str | Path) -> bool:
    """Check whether a file holds what was saved.

    What `Sweep.to_zarr` wrote is checked file by file, whatever its size; other files are read into memory.

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
    source = _checked_path(Path(path), reading=True)
    if source.suffix == ".zarr":
        declared.check_links(source)
    if source.suffix == ".zarr" and checksums.recorded(source) is not None:
        return _verified_files(source)
    with opened(source) as lazy:
        expected = lazy.attrs.get(checksums.CONTENT)
    if expected is None:
        msg = f"{path}: has no checksum; it was not written by roofcube.save or Sweep.to_zarr, or not to its end"
        raise CorruptFileError(msg)
    found = _content_digest(load(path))
    if found != expected:
        msg = (
            f"{path}: the content was altered (sha256 {found[:12]}…, saved as {expected[:12]}…); restore it from "
            "its source"
        )
        raise CorruptFileError(msg)
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


def _open(source: Path, *, reading: bool = False) -> xr.Dataset:
    """Open a file after a look at what it declares; `reading` where all of it is to be read."""
    if source.suffix == ".zarr":
        declared.check_store(source, reading=reading)
        return as_saved(xr.open_dataset(source, engine="zarr", consolidated=False))
    _check_netcdf(source, reading=reading)
    return as_saved(xr.open_dataset(source, engine="netcdf4"))


def _check_netcdf(source: Path, *, reading: bool) -> None:
    """Check the sizes that a NetCDF file declares; of one that is not read, those of its labels, which xarray reads."""
    import netCDF4

    with netCDF4.Dataset(source) as file:
        declared.check_bytes(
            source,
            {
                name: variable.size * np.dtype(variable.dtype if variable.dtype is not str else object).itemsize
                for name, variable in file.variables.items()
                if reading or variable.dimensions == (name,)
            },
        )


@contextmanager
def _blamed(source: Path) -> Iterator[None]:
    """Return which file is to blame for what goes wrong in a block that reads it."""
    try:
        yield
    except RoofcubeError:
        raise
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


# writing --------------------------------------------------------------------------------------------------------------


def _checked_path(path: Path, *, reading: bool = False) -> Path:
    if path.suffix not in SUFFIXES:
        msg = f"`path`: expected a name ending in {' or '.join(SUFFIXES)}, got {path.name!r}; rename it"
        raise InvalidDataError(msg)
    if path.suffix == ".zarr":
        check_installed("path", "zarr", "scale")
    if reading and not path.exists():
        msg = f"{path}: there is no such file; check the name"
        raise FileNotFoundError(msg)
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


def _write_netcdf(stored: xr.Dataset, path: Path) -> None:
    try:
        stored.to_netcdf(path, engine="netcdf4", encoding=_encoding(stored))
    except RuntimeError as error:
        # what HDF5 says where the disk is full, without the system's number
        raise OSError(str(error)) from error


def _encoding(cube: xr.Dataset) -> dict[Any, dict[str, Any]]:
    return {
        name: {"zlib": True, "complevel": 1, "shuffle": True}
        for name, array in cube.data_vars.items()
        if array.ndim and array.dtype.kind in "iuf"
    }


def _content_digest(cube: xr.Dataset) -> str:
    """Hash names, dims, types and values of all variables, whatever the file format does to their layout."""
    return digest(part for name in sorted(map(str, cube.variables)) for part in _hashed_parts(name, cube[name]))


def _hashed_parts(name: str, array: xr.DataArray) -> Iterator[str | bytes]:
    values = np.ascontiguousarray(array.values)
    text = values.dtype.kind in "UO"
    kind = "text" if text else values.dtype.newbyteorder("=").str
    yield json.dumps([name, list(map(str, array.dims)), list(array.shape), kind])
    # text is hashed as JSON: its width in memory depends on the format it came from
    yield json.dumps(values.astype(str).ravel().tolist()) if text else values.tobytes()
