"""join: measured rows onto a predicted cube by label; repeats are averaged and counted, and their spread is kept."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.errors import InvalidDataError, check_kind
from roofcube.labels import (
    RowLocations,
    alike,
    check_labelled,
    column_of,
    dims_in_order,
    labelled,
    locate,
    named_as_dims,
    own_dims,
    spelt_as_in,
)
from roofcube.measured.accuracy import with_measured_accuracy, without_measured_accuracy
from roofcube.measured.efficiency import DERIVED, throughput_of
from roofcube.measured.label_rules import task_reasons
from roofcube.measured.physics_gate import check, quality_bits
from roofcube.measured.rows import WATTS, measurement_rows, other_columns, set_aside, without_figure
from roofcube.model.hardware import check_units
from roofcube.model.inputs import inputs as model_inputs
from roofcube.model.predict import predict
from roofcube.options import check_fits
from roofcube.vocabulary import DIMS, LAB, OFFER, PHASE_DIMS, QUALITY, THREADED, attributes
from roofcube.wording import AS_GIVEN, counted, noun_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["benchmark", "holds", "join", "located", "unmatched"]

ROW = 600  # bytes that finding its cell and its findings take
NO_FIGURE = "there is no figure"  # why a row of labels alone has no cell
MOST_TEXTS = 3  # of the rows of a cell that are told side by side

# dim → how to tell labels apart that a file of measurements reads as one
RENAMING = {
    "platform": "name one otherwise, in its table or with hypothetical(name=...)",
    "topology": "give one another: read_network(..., name=...)",
}
# cube variable → column of the table
MEASURED = {
    "measured_throughput": "throughput_compute_per_s",
    "measured_latency": "latency_compute_s",
    "measured_system_throughput": "throughput_system_per_s",
    "measured_system_latency": "latency_system_s",
    "measured_initiation_interval": "initiation_interval_s",
    "measured_top1": "top1_percent",
    "measured_top5": "top5_percent",
    "power_base": "power_base_w",
    "power_idle": "power_idle_w",
    "power_full": "power_full_w",
}
SELDOM = "measured_initiation_interval"  # that a cube has where rows say it, and else lacks


def benchmark(task: str) -> xr.Dataset:
    """Build the cube of a task: predicted ⨝ measured ⨝ power, from the embedded facts.

    Parameters
    ----------
    task : str
        One of `roofcube.tasks()`.

    Returns
    -------
    Dataset
        The inputs; the published predictions with exact counts over just the dims that each depends on; `measured_*`,
        `power_*`, `n_rows`, `quality`, `efficiency`, `energy_per_input` and `inputs_per_joule` over (platform, mode,
        topology, pruning, precision, batch).

    Raises
    ------
    UnknownLabelError
        If the task is not known.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("cifar10")
    >>> int(cube.n_rows.sum())
    378
    """
    cube = predict(model_inputs(task))
    # without the spread of its few repeats, so that what is stored and published of it stays as it is
    rows = datasets.load_measurements(task)
    joined = _with_measurements(cube, rows, locate(cube, rows))
    return joined.assign_attrs(title=f"roofcube benchmark of {joined.attrs['task']}: predicted and measured")


def join(cube: xr.Dataset, measurements: Any) -> xr.Dataset:
    """Put measured rows into the cells of a cube by label.

    Parameters
    ----------
    cube : Dataset
        From `predict`, with some of the dims platform, mode, topology, pruning, precision, batch.
    measurements : table
        In the schema of `roofcube.datasets.load_measurements`: a DataFrame of polars or pandas, a LazyFrame, a dict of
        columns, a list of dicts, or the name of a file, which is read by `read_measurements`.

    Returns
    -------
    Dataset
        The cube plus `measured_*` and `power_*` (source values; the mean where several rows share a cell;
        `measured_initiation_interval` only where rows say any), `n_rows`, `quality` (flag bits), and the ratios
        `efficiency` (1 = 100 %), `energy_per_input` [J], `inputs_per_joule`.
        Where rows repeat a configuration, `<variable>_spread` beside each variable that they have: the standard
        deviation of the rows of a cell, in the unit of the variable, NaN where a single row has a value. Columns that
        the schema does not know come along under their names: the mean of numbers, texts side by side. A column named
        as a dim of the cube's own (`context`, …), in whatever case, tells rows apart, and is a dim of what was
        measured; rows that do not say it have no cell where predictions differ along it.
        Dense over the measured dims of this cube only. Rows without a cell are in `unmatched`, and so are those without
        any figure, those of another task than their network has in the cube, and those in a mode that their platform
        does not have, as ``default`` where a file says none; where that are all of them, a warning says so, and one
        where measurements that the cube had are gone.

    Raises
    ------
    InvalidDataError
        If the cube has none of the dims that a measurement is labelled with, or does not say its platform (mode, …) and
        the rows are of several; if rows of one cell differ in `batch_kind`.
    MemoryLimitError
        If what is measured, over these dims, or the work on so many rows would not fit into the limit of
        `roofcube.set_options`.

    Examples
    --------
    >>> import polars as pl
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist")
    >>> cube = rc.join(rc.predict(rc.inputs("mnist")), rows)
    >>> int(cube.n_rows.sum()) + len(rc.unmatched(cube, rows)) == len(rows)
    True
    >>> runs = rows[[0, 0, 0]].with_columns(throughput_compute_per_s=pl.Series([618.0, 620.0, 622.0]))
    >>> cell = rc.join(rc.predict(rc.inputs("mnist")), runs).max()
    >>> int(cell.n_rows), float(cell.measured_throughput), float(cell.measured_throughput_spread)
    (3, 620.0, 2.0)
    """
    check_kind("cube", cube, xr.Dataset, do="make one with `roofcube.predict`")
    table = named_as_dims(cube, measurement_rows(measurements, as_said=True))
    check_fits("join", table.height * ROW)
    check_labelled(cube, table)
    check_units(cube)
    where = located(cube, table)
    _check_said(cube, table, where)
    _check_batch_kinds(cube, table, where)
    joined = with_measured_accuracy(_with_measurements(_without_measurements(cube), table, where))
    _warn_of_none(table, where)
    _warn_of_alike(cube, table)
    _warn_of_lost(cube, joined)
    if LAB not in joined["n_rows"].dims:
        joined.attrs.pop("disagreement", None)
    joined = joined.assign(_spreads(cube, table, where))
    return joined.assign(_others(joined, table, where))


def _without_measurements(cube: xr.Dataset) -> xr.Dataset:
    """Leave out what an earlier join told and this one may not: spreads, columns as given, intervals, accuracies."""
    if "n_rows" not in cube:
        return cube
    seldom = {SELDOM, *(f"{name}_spread" for name in MEASURED)}
    given = [name for name, one in cube.data_vars.items() if str(one.attrs.get("long_name", "")).endswith(AS_GIVEN)]
    cube = without_measured_accuracy(cube.drop_vars({*given, *(seldom & set(cube.data_vars))}))
    if "platform" in cube.coords:
        cube = cube.copy()
        cube["platform"].attrs.pop(THREADED, None)
    return cube


def located(cube: xr.Dataset, table: pl.DataFrame) -> RowLocations:
    """Find each row's cell; one of another task, or in a mode that its platform does not have, is in none.

    In the product of platforms and modes such a cell is there as soon as another platform has the mode, ``default`` for
    one that rows leave out: what was measured in an unknown mode would win in it.
    """
    where = locate(cube, table)
    reasons = [reason or told for reason, told in zip(where.reasons, task_reasons(cube, table), strict=True)]
    where = RowLocations(where.dims, where.indices, _with_figures(reasons, table))
    offered = cube.get("mode_offered")
    if offered is None or set(offered.dims) != {"platform", "mode"} or not set(offered.dims) <= set(where.dims):
        return where
    found = np.flatnonzero(where.mask)
    platforms, modes = (where.indices[dim][found] for dim in ("platform", "mode"))
    has = offered.transpose("platform", "mode").values != 0
    told: dict[tuple[int, int], str] = {}
    reasons = list(where.reasons)
    lacking = ~has[platforms, modes]
    places = zip(platforms[lacking].tolist(), modes[lacking].tolist(), strict=True)
    for row, place in zip(found[lacking].tolist(), places, strict=True):
        if place not in told:
            platform, mode = cube["platform"].values[place[0]], cube["mode"].values[place[1]]
            names = ", ".join(cube["mode"].values[has[place[0]]].tolist())
            told[place] = f"mode {str(mode)!r} is none of {str(platform)!r}, which has {names or 'none in the cube'}"
        reasons[row] = told[place]
    return RowLocations(where.dims, where.indices, reasons)


def _with_figures(reasons: list[str], table: pl.DataFrame) -> list[str]:
    """Say of rows that have a cell and no figure that nothing was measured."""
    empty = without_figure(table).to_list()
    return [reason or (NO_FIGURE if none else "") for reason, none in zip(reasons, empty, strict=True)]


def holds(cube: xr.Dataset, measurements: pl.DataFrame, where: RowLocations, names: Sequence[str]) -> bool:
    """Check whether a cube has these measured variables, and as many rows a cell, as `join` would give it."""
    cells = _Cells(cube, where)
    found = measurements.filter(pl.Series(where.mask))
    joined = {name: cells.mean(cells.figures(found[MEASURED[name]])) for name in names}
    joined["n_rows"] = cells.count()
    return all(
        np.array_equal(cube[name].values, values.reshape(cells.shape), equal_nan=True)
        for name, values in joined.items()
    )


def _check_said(cube: xr.Dataset, table: pl.DataFrame, where: RowLocations) -> None:
    """Ask what a cube without a label is of, where rows of several would be averaged into one cell."""
    found = spelt_as_in(cube, table.filter(pl.Series(where.mask)))
    phases = PHASE_DIMS if "tokens" in cube else ()  # elsewhere such columns mean something else
    for dim in (*DIMS, *phases) if where.dims else ():
        column = column_of(dim)
        if dim == OFFER or dim in cube.coords or dim in cube.dims or column not in found.columns:
            continue
        labels = found[column].drop_nulls().unique(maintain_order=True).to_list()
        if len(labels) > 1:
            told = ", ".join(map(repr, labels[:4])) + (", …" if len(labels) > 4 else "")
            msg = (
                f"`cube`: expected it to say its {dim}, for the rows are of several ({told}) and would be averaged; "
                f"add it, cube.assign_coords({dim}=...), or keep the rows of one"
            )
            raise InvalidDataError(msg)


def _check_batch_kinds(cube: xr.Dataset, table: pl.DataFrame, where: RowLocations) -> None:
    """Refuse batches and threads of one number, which would be averaged into one cell."""
    if "batch_kind" not in table.columns or not where.dims:
        return
    found = table.with_row_index("_row").filter(pl.Series(where.mask))
    cells = found.select("_row", "batch_kind", cell=pl.Series(_Cells(cube, where).flat)).drop_nulls("batch_kind")
    mixed = cells.filter(pl.col("batch_kind").n_unique().over("cell") > 1)
    if mixed.height:
        first = mixed.filter(pl.col("cell") == mixed["cell"][0]).unique("batch_kind", maintain_order=True)
        told = " and ".join(f"row {row} of kind {kind!r}" for row, kind, _ in first.iter_rows())
        msg = (
            f"`measurements` (rows from 0): {told} are in one cell and would be averaged; keep the rows of one "
            "`batch_kind`, or join each apart"
        )
        raise InvalidDataError(msg)


def _warn_of_lost(cube: xr.Dataset, joined: xr.Dataset) -> None:
    """Tell whoever joins to a cube of measurements that those are replaced, and by nothing where no row is."""
    if "n_rows" not in cube:
        return
    rows, dims = joined["n_rows"], joined["n_rows"].dims
    if LAB in cube["n_rows"].dims and LAB not in dims:
        msg = (
            f"the cube's own measurements, of {cube.sizes[LAB]} sources side by side along {LAB}, are replaced; to "
            "keep them, join these rows to the cube as it was predicted, and `merge` all"
        )
        warnings.warn(msg, UserWarning, stacklevel=3)
        return
    before = cube["n_rows"].any([dim for dim in cube["n_rows"].dims if dim not in dims])
    lost = int((before & (rows == 0)).sum())
    if lost:
        msg = (
            f"the cube's own measurements are replaced, and {lost} of its cells have none now; to keep both, join "
            "these rows to the cube as it was predicted, and `merge` the two"
        )
        warnings.warn(msg, UserWarning, stacklevel=3)


def _warn_of_none(table: pl.DataFrame, where: RowLocations) -> None:
    """Tell whoever joins rows of which none has a cell: nothing else would say so."""
    if table.height and not where.mask.any():
        source = table["source_row"][0] if "source_row" in table.columns else None
        rows = f"none of the {table.height} rows has a cell" if table.height > 1 else "the only row has no cell"
        msg = (
            f"{rows} of the cube: {source or 'row 0'} has none because {where.reasons[0]}; "
            "`roofcube.unmatched` lists the reason of each"
        )
        warnings.warn(msg, UserWarning, stacklevel=3)


def _warn_of_alike(cube: xr.Dataset, table: pl.DataFrame) -> None:
    """Tell where labels of the cube are one name in a file: its rows go to the label of that name."""
    for dim, do in RENAMING.items():
        if dim not in cube.coords or dim not in table.columns:
            continue
        labels = dict.fromkeys(np.ravel(cube[dim].values).tolist())
        for name, spellings in alike(labels, dim).items():
            rows = int((table[dim] == name).sum())
            taken = name if name in spellings else spellings[0]
            others = ", ".join(repr(one) for one in spellings if one != taken)
            if rows:
                msg = (
                    f"{counted(rows, 'row')} of {dim} {name!r} {'go' if rows > 1 else 'goes'} to {taken!r}, not to "
                    f"{others}, which a file of measurements reads as the same name; {do}"
                )
                warnings.warn(msg, UserWarning, stacklevel=3)


def _with_measurements(cube: xr.Dataset, measurements: pl.DataFrame, where: RowLocations) -> xr.Dataset:
    if not where.dims:
        raise InvalidDataError(_without_cells(cube, measurements))
    cells = _Cells(cube, where)
    # a value each, rows, flags, ratios, and what lays them out
    check_fits("join", cells.size * 8 * (len(MEASURED) + 10))
    found = measurements.filter(pl.Series(where.mask))
    measured = {
        name: cells.mean(cells.figures(found[column])) if column in found.columns else cells.empty()
        for name, column in MEASURED.items()
        if name != SELDOM or (column in found.columns and found[column].is_not_null().any())
    }
    # of all rows: what tells of a row may lie in none of the cube's cells
    bits = quality_bits(measurements, check(measurements, inputs=cube))[where.mask]
    bits = np.where(_counts_as_off(cells, found), bits, bits & ~QUALITY["zero_power"])
    arrays = {**measured, "n_rows": cells.count(), "quality": cells.union(bits)}
    joined = cube.assign({name: cells.labelled(name, values) for name, values in arrays.items()})
    threaded = found.filter(pl.col("batch_kind") == "threads") if "batch_kind" in found.columns else found.clear()
    if threaded.height and "platform" in joined.coords:
        platforms = spelt_as_in(cube, threaded)["platform"]
        joined["platform"].attrs[THREADED] = platforms.unique().sort().to_list()
    return joined.assign(_ratios(joined))


def _without_cells(cube: xr.Dataset, measurements: pl.DataFrame) -> str:
    """Say whether it is the cube that has no dim of measurements, or the rows that name no cell of it."""
    labels = [dim for dim in DIMS if dim != OFFER]
    missing = [column_of(dim) for dim in labels if dim in cube.coords and cube[dim].ndim]
    if not missing:
        dims = ", ".join(map(str, cube.dims)) or "none"
        return f"`cube`: expected some of the dims {', '.join(labels)}, got {dims}; pass a cube of predict()"
    got = ", ".join(measurements.columns) or "none"
    return (
        f"`measurements`: expected the columns {', '.join(missing)}, got {got}; say with "
        "`read_measurements(columns=...)` what they are"
    )


def _counts_as_off(cells: _Cells, found: pl.DataFrame) -> np.ndarray[Any, Any]:
    """Return which rows bring 0 W into the mean of their cell: where another row says more, it is left out."""
    off = np.zeros(found.height, dtype=bool)
    for name in WATTS:
        if name in found.columns:
            off |= cells.figures(found[name]) <= 0.0
    return off


def _spreads(cube: xr.Dataset, measurements: pl.DataFrame, where: RowLocations) -> dict[str, xr.Variable]:
    """Return the standard deviations of the variables of which some cell has several values."""
    cells = _Cells(cube, where)
    if cells.count().max(initial=0) < 2:
        return {}
    found = measurements.filter(pl.Series(where.mask))
    spreads = {}
    for name, column in MEASURED.items():
        values = cells.deviation(cells.figures(found[column])) if column in found.columns else cells.empty()
        if not np.isnan(values).all():
            units, words = attributes(name)["units"], attributes(name)["long_name"]
            told = {"units": units, "long_name": f"standard deviation of repeats: {words}"}
            spreads[f"{name}_spread"] = labelled(cells.dims, values.reshape(cells.shape), told)
    return spreads


def _others(cube: xr.Dataset, measurements: pl.DataFrame, where: RowLocations) -> dict[str, xr.Variable]:
    """Return the columns that the schema does not know as variables over the measured dims."""
    own = own_dims(cube, measurements)
    names = [name for name in other_columns(measurements) if name not in own]
    if not names:
        return {}
    cells = _Cells(cube, where)
    found = measurements.filter(pl.Series(where.mask))
    others: dict[str, xr.Variable] = {}
    for name in names:
        column = found[name]
        # a slash parts groups in files
        whole = name.strip().replace("/", "_") or "column"
        while whole in cube.variables or whole in cube.dims or whole in others or whole == LAB:
            whole = f"given_{whole}"
        if column.dtype.is_numeric() and not _is_too_long(column):
            values = cells.mean(column.cast(pl.Float64).to_numpy())
        else:
            values = cells.texts([None if one is None else str(one) for one in column.to_list()])
            values = _as_wholes(values) if column.dtype.is_integer() else values
        told = {"long_name": f"{name}, {AS_GIVEN}"}
        others[whole] = labelled(cells.dims, values.reshape(cells.shape), told)
    return others


def _is_too_long(column: pl.Series) -> bool:
    """Check whether whole numbers are beyond those that a float holds, such as serial numbers."""
    ends = [column.min(), column.max()] if column.dtype.is_integer() else []
    return any(isinstance(end, int) and abs(end) > 2**53 for end in ends)


def _as_wholes(texts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return texts as whole numbers where each is one; as they are where a cell has none, or several."""
    try:
        return texts.astype("i8")
    except (ValueError, OverflowError):
        return texts


def unmatched(cube: xr.Dataset, measurements: Any) -> pl.DataFrame:
    """List the rows that found no cell in a cube, as given, plus `reason`.

    Parameters
    ----------
    cube : Dataset
    measurements : table
        As for `join`.

    Returns
    -------
    DataFrame
        With every column that was given; one of the name `reason` becomes `reason_given`.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    >>> rc.unmatched(cube, rc.datasets.load_measurements("mnist"))["reason"][0]
    "platform 'NCS2' is not in the cube, which has TX2"
    """
    check_kind("cube", cube, xr.Dataset, do="make one with `roofcube.predict`")
    table = measurement_rows(measurements, as_said=True)
    where = located(cube, table)
    table = set_aside(table, "reason")
    return table.with_columns(reason=pl.Series(where.reasons, dtype=pl.String)).filter(pl.col("reason") != "")


class _Cells:
    """The cells of a cube over the measured dims, and which of them each found row belongs to."""

    def __init__(self, cube: xr.Dataset, where: RowLocations) -> None:
        order = dims_in_order(where.dims)
        self.dims = tuple(order)
        self.shape = tuple(cube.sizes[dim] for dim in order)
        picked = tuple(where.indices[dim][where.mask] for dim in order)
        # a cube of one cell has no dims
        nowhere = np.zeros(np.count_nonzero(where.mask), dtype=np.intp)
        self.flat = np.ravel_multi_index(picked, self.shape) if picked else nowhere
        self.size = int(np.prod(self.shape))

    def labelled(self, name: str, values: np.ndarray[Any, Any]) -> xr.Variable:
        return labelled(self.dims, values.reshape(self.shape), attributes(name))

    def empty(self) -> np.ndarray[Any, Any]:
        return np.full(self.size, np.nan)

    def figures(self, column: pl.Series) -> np.ndarray[Any, Any]:
        """Return a figure of each row; of 0 W, which a meter shows that is off, none where another row says more."""
        values = column.to_numpy().astype("f8")
        if column.name in WATTS:
            shown = np.bincount(self.flat[values > 0.0], minlength=self.size) > 0
            values = np.where((values <= 0.0) & shown[self.flat], np.nan, values)
        return values

    def mean(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Average the rows of a cell that have a value; a single row keeps its value to the last bit."""
        values = values.astype("f8")
        known = ~np.isnan(values)
        total = np.bincount(self.flat[known], weights=values[known], minlength=self.size)
        count = np.bincount(self.flat[known], minlength=self.size)
        with np.errstate(invalid="ignore"):
            return np.where(count > 0, total / count, np.nan)

    def deviation(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the standard deviation (n - 1) of the rows of a cell; NaN where fewer than two have a value."""
        values = values.astype("f8")
        known = ~np.isnan(values)
        count = np.bincount(self.flat[known], minlength=self.size)
        squares = (values - self.mean(values)[self.flat])[known] ** 2
        total = np.bincount(self.flat[known], weights=squares, minlength=self.size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 1, np.sqrt(total / (count - 1)), np.nan)

    def texts(self, texts: list[str | None]) -> np.ndarray[Any, Any]:
        """Put the distinct texts of the rows of a cell side by side, in one order; empty where there is none."""
        schema = {"cell": pl.Int64, "text": pl.String}
        rows = pl.DataFrame({"cell": self.flat, "text": texts}, schema=schema).unique().sort("cell", "text")
        rows = rows.filter(pl.col("text").str.strip_chars() != "")
        joined = rows.group_by("cell", maintain_order=True).agg(
            text=pl.col("text").head(MOST_TEXTS).str.join(" + "), more=pl.len().cast(pl.Int64) - MOST_TEXTS
        )
        values = np.full(self.size, "", dtype=object)
        for cell, text, more in joined.iter_rows():
            values[cell] = f"{text} + {more} more" if more > 0 else text
        return values.astype(str)

    def count(self) -> np.ndarray[Any, Any]:
        return np.bincount(self.flat, minlength=self.size).astype("i4")

    def union(self, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        combined = np.zeros(self.size, dtype="i4")
        np.bitwise_or.at(combined, self.flat, bits)
        return combined


def _ratios(cube: xr.Dataset) -> dict[str, xr.Variable]:
    with np.errstate(all="ignore"):
        speed, derived = throughput_of(cube)
        throughput = cube["measured_throughput"]
        if speed is not None and derived:
            throughput = throughput.copy(data=speed.data)
        dims, energy = _ratio_of(cube["power_full"], throughput)
        energy = np.where(energy > 0, energy, np.nan)  # a meter that shows nothing says nothing of energy
        ratios = {"energy_per_input": (dims, energy), "inputs_per_joule": (dims, 1.0 / energy)}
        if "predicted_throughput" in cube:
            ratios["efficiency"] = _ratio_of(throughput, cube["predicted_throughput"])
    comment = {"comment": f"{DERIVED}: {derived} {noun_of(derived, 'cell')}"} if derived else {}
    return {name: labelled(dims, values, {**attributes(name), **comment}) for name, (dims, values) in ratios.items()}


def _ratio_of(over: xr.DataArray, under: xr.DataArray) -> tuple[Any, Any]:
    over, under = xr.broadcast(over, under)
    return over.dims, over.data / under.data
