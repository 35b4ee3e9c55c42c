"""The data inside the page: the long table as CSV and the cube as NetCDF, both as data URIs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.errors import RoofcubeError
from roofcube.files.store import save
from roofcube.inert import inert_cells
from roofcube.labels import flat_column
from roofcube.model.graph import LAYER, dim_order
from roofcube.page.content import Link, link_to
from roofcube.vocabulary import DIMS, MEASURED_POWER, MEASURED_SPEED, VARIABLES
from roofcube.wording import counted, flag_words, listed, moment_text

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.page.subject import Subject

__all__ = ["LIMIT", "downloads", "long_table"]

# of one file inside the page, before base64 adds a third: a page stays below 5 MB with its figures and scripts
LIMIT = 900_000
SAMPLE = 2_000  # rows by which the size of a table is told that is not written
FIRST = {"predicted_throughput", *MEASURED_SPEED, *MEASURED_POWER}


def downloads(subject: Subject) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    """Make the links; the second part tells what did not fit."""
    made = [_csv(subject), _netcdf(subject)]
    return tuple(link for link, _ in made if link is not None), tuple(note for _, note in made if note)


def long_table(cube: xr.Dataset) -> pl.DataFrame:
    """Return a row per cell that was measured or can be predicted: labels first, then every variable valued there.

    Examples
    --------
    >>> import roofcube as rc
    >>> table = long_table(rc.benchmark("mnist"))
    >>> int(table["n_rows"].sum())
    406
    """
    return _rows_of_cells(cube, *_known_cells(cube))


def _known_cells(cube: xr.Dataset) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return the dims of the long table and the flat places of its cells.

    What has fewer dims than another makes cells only where that is known nowhere.
    """
    known: xr.DataArray | None = None
    for figure in sorted(_figures(cube), key=lambda figure: -figure.ndim):
        found = figure.notnull()
        if known is None:
            known = found
            continue
        wider = [dim for dim in known.dims if dim not in figure.dims]
        known = known | (found & ~known.any(wider) if wider else found)
    if known is None:
        return [], np.zeros(0, dtype=np.intp)
    dims = [dim for dim in dim_order(cube) if dim in known.dims]
    return dims, np.flatnonzero(flat_column(known, dims, [cube.sizes[dim] for dim in dims]))


def _figures(cube: xr.Dataset) -> list[xr.DataArray]:
    """Take what was measured, and predictions along the same dims as that and throughput; else all floats, else all."""
    whole = {str(name): array for name, array in cube.data_vars.items() if LAYER not in array.dims}
    numbers = {name: array for name, array in whole.items() if array.dtype.kind in "fiu"}
    first = [one for name, one in numbers.items() if name in FIRST or name.startswith("measured_")]
    dims = {dim for array in first for dim in array.dims}
    more = [
        one for name, one in numbers.items() if name.startswith("predicted_") and first and dims.issuperset(one.dims)
    ]
    return [*first, *more] or [array for array in whole.values() if array.dtype.kind == "f"] or list(whole.values())


def _rows_of_cells(cube: xr.Dataset, dims: list[str], cells: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Lay these cells out as rows."""
    # what has no dim is one cell
    places = dict(zip(dims, np.unravel_index(cells, [cube.sizes[dim] for dim in dims]), strict=True)) if dims else {}
    names = [*dims, *(name for name in cube.coords if name not in dims), *cube.data_vars]
    # of a dim without labels the places
    shown = {str(name): cube.variables[name] if name in cube.variables else cube[name].variable for name in names}
    shown = {name: variable for name, variable in shown.items() if set(variable.dims) <= set(dims)}
    table = pl.DataFrame([_column_of(name, variable, places, cells.size) for name, variable in shown.items()])
    unknown = [name for name in table.columns if table[name].dtype.is_float() and table[name].is_nan().all()]
    without = [name for name in unknown if name not in DIMS] if table.height else []
    return table.drop(without).with_columns(pl.selectors.float().fill_nan(None))


def _column_of(name: str, variable: xr.Variable, places: dict[str, np.ndarray[Any, Any]], rows: int) -> pl.Series:
    """Take the values at the cells of the table; what is few is put in words before it is repeated."""
    values = variable.values
    few = values.size <= rows
    at = [places[str(dim)] for dim in variable.dims]
    if not few:
        values = values[tuple(at)]
    words = flag_words(values.reshape(-1), variable.attrs, spaced=False, between="+")
    if words.dtype.kind in "mM":
        distinct, number = np.unique(words, return_inverse=True)
        words = np.array([moment_text(one) for one in distinct], dtype=str)[number]
    column = pl.Series(name, words.astype(str) if words.dtype.kind in "UO" else words)
    if not few:
        return column
    return column.gather(np.ravel_multi_index(at, values.shape) if at else np.zeros(rows, dtype=np.intp))


def _csv(subject: Subject) -> tuple[Link | None, str]:
    cells = max(int(np.prod([size for dim, size in subject.source.sizes.items() if dim != "layer"])), 1)
    if cells > 2_000_000:
        return (
            None,
            f"The table of all cells is left out: {counted(cells, 'cell')} are too many for a page; use roofcube.save.",
        )
    dims, places = _known_cells(subject.source)
    # a label and what parts it from the next are 2 bytes at least: what is too large for sure is told by a part of it
    step = -(-places.size // SAMPLE) if 2 * places.size * len(dims) > LIMIT else 1
    table = _rows_of_cells(subject.source, dims, places[::step])
    text = _with_units(table).encode()
    if step > 1 or len(text) > LIMIT:
        size = len(text) / 1e6 * (places.size / table.height)
        take = f"take {'about ' if step > 1 else ''}{size:.{0 if step > 1 else 1}f} MB"
        return (
            None,
            f"The table of all cells is left out: its {counted(places.size, 'row')} {take}; use roofcube.save.",
        )
    what = (
        f"{counted(table.height, 'row')}: every cell that was measured or can be predicted, SI units in the column "
        f"names"
    )
    others = [str(name) for name, array in subject.source.data_vars.items() if not {*array.dims} <= {*dims, LAYER}]
    what += f"; without {listed(others)}, of other dims" if others else ""
    return link_to(f"{subject.file_stem}.csv", "text/csv", text, what), ""


def _with_units(table: pl.DataFrame) -> str:
    units = {name: VARIABLES[name].units for name in table.columns if name in VARIABLES}
    heads = {name: f"{name} [{unit}]" for name, unit in units.items() if unit not in ("", "1")}
    return inert_cells(table).rename(heads).write_csv()


def _netcdf(subject: Subject) -> tuple[Link | None, str]:
    try:
        content = _netcdf_bytes(subject.source)
    except RoofcubeError as error:
        return None, f"The cube is left out, as NetCDF cannot hold it: {error}"
    dropped: list[str] = []
    cube = subject.source
    if len(content) > LIMIT:
        dropped = [str(name) for name in cube.data_vars if "layer" in cube.variables[name].dims]
    if dropped:
        cube = cube.drop_vars(dropped)
        content = _netcdf_bytes(cube)
    if len(content) > LIMIT:
        return None, f"The cube is left out: it takes {len(content) / 1e6:.1f} MB; use roofcube.save."
    what = f"the cube: {counted(len(cube.data_vars), 'variable')}, for roofcube.load or xarray.open_dataset"
    note = f"The NetCDF leaves out what is known per layer, for its size: {listed(dropped)}." if dropped else ""
    return link_to(f"{subject.file_stem}.nc", "application/x-netcdf", content, what), note


def _netcdf_bytes(cube: xr.Dataset) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return save(cube, Path(folder) / "cube.nc").read_bytes()
