"""predict: fill the cube of a model over labelled inputs; knows xarray and the expression graph, not files or plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, check_choice, check_kind, unknown_label
from roofcube.kernels.engine.fill import fill
from roofcube.kernels.graph.expression import evaluate, leaves
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.labels import ASSUMPTIONS, dims_in_order, labelled
from roofcube.model.assumptions import PUBLISHED, Assumptions, check_assumptions
from roofcube.model.graph import LAYER, Model, build_model, dims_of
from roofcube.model.made import LISTED, RESULTS, SIDE_BY_SIDE, without_results
from roofcube.options import fits_memory, megabytes, memory_limit, thread_count
from roofcube.vocabulary import FLAGS, sense_of
from roofcube.wording import said_order

if TYPE_CHECKING:
    from roofcube.model.graph import Calibrated

__all__ = ["predict"]


def predict(
    inputs: xr.Dataset,
    *,
    assumptions: Assumptions | Calibrated | Sequence[Assumptions | Calibrated] = PUBLISHED,
    chunks: dict[str, int] | int | str | None = None,
    dtype: str = "f8",
    tuning: Tuning = TUNING,
) -> xr.Dataset:
    """Predict throughput, latency, energy and feasibility over the whole space of the inputs.

    Parameters
    ----------
    inputs : Dataset
        From `roofcube.inputs`, or your own with the same names; each variable over just the dims it depends on.
    assumptions : Assumptions or sequence of them
        `roofcube.PUBLISHED` (default), `roofcube.BOUND`, your own, or a calibration. Several add a dim `assumptions`.
    chunks : optional
        As in `xarray.Dataset.chunk`: gives a dask-backed cube, computed when asked for (needs the extra `scale`).
    dtype : {"f8", "f4"}
        Floating-point type of the computation and the result.
    tuning : Tuning
        What decides how it is done, never the values.

    Returns
    -------
    Dataset
        The inputs and, over just the dims that each depends on: `predicted_throughput` [1/s], `predicted_latency` [s,
        for the whole batch], `peak_throughput` [1/s], `operational_intensity` [op/B], `predicted_energy` [J per input],
        `memory_required` [B], and the flags `bound` and `infeasible`. ``xr.broadcast`` gives the full product. A
        calibration adds `predicted_throughput_low` and `predicted_throughput_high` (90 % interval) and the `power` that
        it predicts; its `bound` is what takes the largest part of the time: compute, weights, activations, overhead.

    Raises
    ------
    MissingInputError
        If the assumptions need a variable that the inputs lack.
    MemoryLimitError
        If the results would be larger than the limit of `roofcube.set_options`, and are not lazy.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("cifar10"))
    >>> tx2 = cube.sel(platform="TX2", mode="maxn", precision="FP16", topology="CNV", pruning=100)
    >>> round(float(tx2.predicted_throughput))
    2833

    Two models side by side, in single precision; lazily, by Dask, in chunks of a batch:

    >>> both = rc.predict(rc.inputs("mnist"), assumptions=[rc.PUBLISHED, rc.BOUND], dtype="f4")
    >>> both.assumptions.values.tolist(), str(both.predicted_throughput.dtype)
    (['published', 'bound'], 'float32')
    >>> rc.predict(rc.inputs("mnist"), chunks={"batch": 1}).predicted_latency.chunksizes["batch"][:2]
    (1, 1)

    Notes
    -----
    ``throughput = min(peak, bandwidth · OI) / ops`` for `PUBLISHED` (Williams et al., CACM 52(4), 2009, as used by the
    QuTiBench analysis); see `roofcube.kernels.graph.roofline` for the batch-aware form.
    """
    check_choice("dtype", dtype, ("f8", "f4"))
    check_kind("inputs", inputs, xr.Dataset, do="make them with `roofcube.inputs`")
    inputs = without_results(inputs)
    for dim in chunks if isinstance(chunks, dict) else ():
        if dim not in inputs.dims:
            raise unknown_label("chunks", dim, inputs.dims)
    if isinstance(assumptions, Sequence):
        if not assumptions:
            msg = "`assumptions`: expected one or more, got none; give e.g. [roofcube.PUBLISHED, roofcube.BOUND]"
            raise InvalidDataError(msg)
        for one in assumptions:
            check_assumptions(one)
        _check_no_assumptions(inputs, assumptions)
        labels = _told_apart(assumptions)
        models = [build_model(inputs, one) for one in assumptions]
        if chunks is None:
            # before the work: the results of several models, and the cube that they become
            _check_bytes(2 * sum(_result_bytes(model, _names_of(model), dtype) for model in models))
        cubes = [
            _predicted(inputs, one, model, chunks, dtype, tuning)
            for one, model in zip(assumptions, models, strict=True)
        ]
        return _along_assumptions(inputs, cubes, [_names_of(model) for model in models], labels)
    model = build_model(inputs, assumptions)
    return _predicted(inputs, assumptions, model, chunks, dtype, tuning)


def _predicted(
    inputs: xr.Dataset, assumptions: Assumptions | Calibrated, model: Model, chunks: Any, dtype: str, tuning: Tuning
) -> xr.Dataset:
    """Return the cube of one model."""
    return inputs.assign(_results_of(model, chunks, dtype, tuning)).assign_attrs(
        assumptions=assumptions.label, model=assumptions.description, dim_order=" ".join(model.dim_order)
    )


def _check_no_assumptions(inputs: xr.Dataset, assumptions: Sequence[Assumptions | Calibrated]) -> None:
    """Raise where something has the name of the dim along which models will lie."""
    taken = ASSUMPTIONS in inputs.variables or ASSUMPTIONS in inputs.dims
    if taken or any(term.name == ASSUMPTIONS for one in assumptions for term in getattr(one, "terms", ())):
        what = "variable of the inputs" if taken else "term"
        msg = (
            f"`{ASSUMPTIONS}`: expected no {what} of that name, along which the models will lie, got one; select one "
            "of its labels and drop it, or rename it"
        )
        raise InvalidDataError(msg)


def _check_same_units(name: str, told: Mapping[str, Mapping[Any, Any]]) -> None:
    """Raise where a term is in another unit, or better another way, in another model; by the attributes of each."""
    units = {label: attrs.get("units", "") for label, attrs in told.items()}
    senses = {label: sense for label, attrs in told.items() if (sense := sense_of(name, attrs))}
    for what, said in {"units": units, "sense": senses}.items():
        if len(set(said.values())) > 1:
            listed = ", ".join(f"{value!r} ({label})" for label, value in said.items())
            msg = f"`{name}`: expected the same {what} in all models, got {listed}; give one another name"
            raise InvalidDataError(msg)


def _told_apart(assumptions: Sequence[Assumptions | Calibrated]) -> list[str]:
    """Return the labels of several models, with their own terms where labels are the same."""
    labels = [one.label for one in assumptions]
    terms = [", ".join(term.name for term in getattr(one, "terms", ())) for one in assumptions]
    apart = [
        f"{label} with {own}" if own and labels.count(label) > 1 else label
        for label, own in zip(labels, terms, strict=True)
    ]
    twice = next((label for label in apart if apart.count(label) > 1), None)
    if twice is not None:
        msg = (
            f"`assumptions`: expected labels that differ, got {twice!r} twice; give one a `name` of its own, a "
            "calibration by calibrate(rows, name=...)"
        )
        raise InvalidDataError(msg)
    return apart


def _results_of(model: Model, chunks: Any, dtype: str, tuning: Tuning) -> dict[str, xr.Variable]:
    """Fill arrays, or read the graph lazily with dask; every result over just the dims that it depends on."""
    names = _names_of(model)
    axes = (*model.dim_order, LAYER)
    wanted = {name: model.outputs[name] for name in names}
    tables = {name: _at_full_rank(model.tables[name], axes, chunks) for name in leaves(wanted.values())}
    if all(isinstance(table, np.ndarray) for table in tables.values()):
        _check_bytes(_result_bytes(model, names, dtype))
        flags = {name: "i1" for name in names if name in FLAGS}
        threads = thread_count()
        arrays = fill(
            wanted, tables, axes=axes, summed=(LAYER,), dtype=dtype, dtypes=flags, threads=threads, tuning=tuning
        )
    else:
        arrays = evaluate(wanted, tables, axes=axes, dtype=dtype)
    return {name: _result_variable(name, arrays[name], model, axes) for name in names}


def _names_of(model: Model) -> list[str]:
    return [name for name in model.outputs if name in RESULTS or name in model.labels]


def _result_bytes(model: Model, names: Sequence[str], dtype: str) -> int:
    size = 0
    for name in names:
        cells = prod(model.sizes.get(dim, 1) for dim in dims_of(model.outputs[name], model.tables))
        size += cells * np.dtype("i1" if name in FLAGS else dtype).itemsize
    return size


def _check_bytes(size: int) -> None:
    """Raise, before the work, where the results would be larger than the memory limit."""
    if not fits_memory(size):
        msg = (
            f"`predict`: expected results within {megabytes(memory_limit())}, got {megabytes(size)}; ask a "
            "`roofcube.Sweep`, which stores nothing or writes with `to_zarr`, give `chunks`, or raise the limit with "
            "`roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


def _at_full_rank(table: xr.DataArray, axes: tuple[str, ...], chunks: Any) -> Any:
    """Return the values at full rank, of length 1 along the axes that the table lacks."""
    if chunks is not None:
        here = {dim: size for dim, size in chunks.items() if dim in table.dims} if isinstance(chunks, dict) else chunks
        try:
            table = table.chunk(here)
        except (ValueError, TypeError, ZeroDivisionError, NotImplementedError) as error:
            msg = f"`chunks`: expected sizes for dims, got {chunks!r:.60} ({error}); give such as {{'batch': 100}}"
            raise InvalidDataError(msg) from error
    ordered = table.transpose(*(axis for axis in axes if axis in table.dims))
    return ordered.data[tuple(slice(None) if axis in table.dims else None for axis in axes)]


def _result_variable(name: str, values: Any, model: Model, axes: tuple[str, ...]) -> xr.Variable:
    dims = dims_of(model.outputs[name], model.tables)
    kept = tuple(axis for axis in axes if axis in dims)
    values = values[tuple(slice(None) if axis in dims else 0 for axis in axes)]
    if name in FLAGS:
        values = values.astype("i1", copy=False)
    return labelled(kept, values, model.attributes(name))


def _along_assumptions(
    inputs: xr.Dataset, cubes: Sequence[xr.Dataset], names: Sequence[Sequence[str]], labels: Sequence[str]
) -> xr.Dataset:
    """Join cubes, of which each model made some names, along a new dim `assumptions`; inputs stay without it."""
    index = xr.DataArray(
        labels, dims="assumptions", name="assumptions", attrs={"long_name": "assumptions of the model"}
    )
    # what only some models make, such as an interval, is not of the others
    made = list(dict.fromkeys(name for one in names for name in one if name != LISTED))
    # what an earlier model left in the inputs is none of theirs; the power of the inputs is of who predicts none
    results = [
        cube[[name for name in made if name in one or (name == "power" and name in cube)]].drop_attrs(deep=False)
        for cube, one in zip(cubes, names, strict=True)
    ]
    by_label = dict(zip(labels, results, strict=True))
    told = {name: {label: one[name].attrs for label, one in by_label.items() if name in one} for name in made}
    for name, attrs in told.items():
        _check_same_units(name, attrs)
    stacked = xr.concat(
        xr.align(*results, join="exact"), dim=index, data_vars="all", coords="minimal", compat="override", join="exact"
    )
    if "power" in made and any("power" in cube and "power" not in one for cube, one in zip(cubes, names, strict=True)):
        stacked["power"] = stacked["power"].assign_attrs(units="W", long_name=SIDE_BY_SIDE)
    for name, attrs in told.items():
        formulas = {label: one["formula"] for label, one in attrs.items() if "formula" in one}
        if formulas and (len(formulas) < len(labels) or len(set(formulas.values())) > 1):
            stacked[name].attrs["formula"] = "; ".join(f"{label}: {formula}" for label, formula in formulas.items())
    listed = next((cube[[LISTED]] for cube in cubes if LISTED in cube), xr.Dataset())
    inputs = inputs.drop_vars([name for name in made if name in inputs]).assign(listed.data_vars)
    models = [f"{label}: {cube.attrs['model']}" for label, cube in zip(labels, cubes, strict=True)]
    order = dims_in_order([*said_order(cubes[0].attrs, cubes[0].dims), str(index.name)])
    return (
        inputs.assign(stacked.data_vars)
        .assign_coords(assumptions=index)
        .assign_attrs(assumptions="; ".join(labels), model="; ".join(models), dim_order=" ".join(order))
    )
