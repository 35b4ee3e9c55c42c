"""From a cube to the columns of a figure: one row a mark, labels, human units, flags; draws nothing."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, MissingInputError, check_choice, unknown_label
from roofcube.inert import GIVEN, inert_label, with_inert_labels
from roofcube.labels import check_labels_apart, dims_in_order, flat_column, is_judged, whole_flags
from roofcube.measured.join import located
from roofcube.measured.rows import measurement_rows
from roofcube.model.hardware import check_convertible, in_known_units
from roofcube.model.offered import as_product
from roofcube.sweep import Sweep
from roofcube.sweep.trust import impossible_bits
from roofcube.vocabulary import CONFIGURATION, DIMS, FINDINGS, QUANTITIES_OF, THREADED, VARIABLES, attributes, sense_of
from roofcube.wording import (
    configuration_text,
    counted,
    digits_apart,
    distinct_texts,
    flag_words,
    inputs_are_tokens,
    labelled_text,
    plain_values,
    quantity,
    said_order,
    shown_unit,
    span_text,
    unit_of,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "EVERY",
    "POINT",
    "TOGGLED",
    "Array",
    "Columns",
    "accuracy_of",
    "accuracy_text",
    "apart",
    "array_of",
    "asked_of_sweep",
    "at_best_batch",
    "believed",
    "believed_rows",
    "carried_labels",
    "column_of",
    "device_classes",
    "doubts",
    "every_platform",
    "flags_over",
    "flags_text",
    "given_names",
    "has_value",
    "holders",
    "how_text",
    "label_texts",
    "labels_in_order",
    "labels_of",
    "long_name",
    "measured_names",
    "model_text",
    "model_with",
    "observed",
    "one_model",
    "only",
    "own_dims",
    "possible",
    "range_texts",
    "ranked",
    "rate_unit",
    "records",
    "require",
    "rows_by_labels",
    "scale_of",
    "scope_text",
    "several",
    "short_label",
    "sound",
    "source_text",
    "taken",
    "threaded",
    "told",
    "value_text",
    "warn_of_infinite",
]

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
Held = TypeVar("Held", xr.Dataset, xr.DataArray)
SIZED = ("ms", "mJ")  # units whose values are written in a unit of their size
STEPS = (1e-3, 1.0, 1e3)  # in them: where the next larger unit begins
SMALLER = {one: ((1e-6, f"n{one}"), (1e-3, f"µ{one}"), (1.0, f"m{one}"), (1e3, one)) for one in "sJ"}
EVERY = "every_platform"  # attribute of platforms: all of those beside which they choose their looks
POINT = "point"  # the dim of fronts
TOGGLED = ("platform", "precision", "topology")  # columns that the buttons of a page ask for
NO_PLATFORM = "hardware"  # where a variable has no platform

# columns that figures compute, which labels of own dims of that name stand beside
COMPUTED = frozenset((
    "batch best", "believed", "best_batch", "bound", "calibrated", "configuration", "efficiency", "fits on chip",
    "flags", "group", "high", "inside", "label", "label_left", "low", "measured best", "on_front", "place",
    "predicted best", "published", "quality", "quality best", "ridge", "roof", "row", "rows", "share", "source",
    "source_row", "value", "x", "y",
))  # fmt: skip
APART = "\u200b"  # has no width: what it ends is shown as it was

# what the hardware offers has a platform and no network, what a network needs the reverse
LABELS_OF = {
    **dict.fromkeys(("peak_compute", "memory_bandwidth"), ("platform",)),
    **dict.fromkeys(("ops", "params", "top1", "operational_intensity"), ("topology",)),
}

MEASURED = ("measured", "power_", "n_rows", "energy_per", "inputs_per")

MOST_LAID_OUT = 200_000  # points of a sweep; of more, a point of each configuration is drawn
BEST_OF = "best_of"  # attribute: which point that is, in words

TOKENS = ("tokens", "ops")  # by which a cube says whether its rates are of tokens

# quantity → variable
PREDICTED = {
    "throughput": "predicted_throughput",
    "latency": "predicted_latency",
    "top1": "top1",
    "power": "power",
}


def require(
    cube: Any, names: Iterable[str], *, figure: str, measurements: Any = None, every_model: bool = False
) -> xr.Dataset:
    """Return the cube (its first model, if it holds several) if it has these variables, each with a value somewhere.

    A Sweep is asked for them, of many points at the best of each configuration. With the table that was joined the cube
    also gets `source_row`. Own dims of one model stand apart from the columns that a figure computes.
    """
    names, cube = list(names), _with_source_rows(cube, measurements)
    if isinstance(cube, Sweep):
        cube = asked_of_sweep(cube, names, figure)
    if not isinstance(cube, xr.Dataset):
        msg = f"`cube`: expected a Dataset, got {type(cube).__name__}; pass benchmark(task) or a cube of predict()"
        raise InvalidDataError(msg)
    check_labels_apart(cube)
    cube = in_known_units(as_product(cube))
    check_convertible(cube, names)
    for name in names:
        where = "join(cube, measurements)" if name.startswith(MEASURED) else "predict(inputs)"
        if name not in cube.variables and name not in VARIABLES:
            raise unknown_label("variable", name, list(map(str, cube.data_vars)))
        if name not in cube.variables:
            msg = f"`{name}`: the figure {figure} needs this variable and the cube lacks it; add it with {where}"
            raise MissingInputError(msg)
        if not has_value(cube, name):
            msg = f"`{name}`: the figure {figure} needs a value and the cube has none; pass one where it is known"
            raise MissingInputError(msg)
    cube = _with_single_labels(with_inert_labels(cube), names)
    return cube if every_model else apart(one_model(cube), names)


def apart(held: Held, asked: Iterable[str] = ()) -> Held:
    """Rename own dims that are named as a column which figures compute, but those asked for; they are shown the same.

    Examples
    --------
    >>> apart(xr.Dataset(coords={"low": [1.0], "city": ["u"]})).sizes == {"low" + APART: 1, "city": 1}
    True
    """
    dims: list[str] = list(map(str, held.dims))
    names = {name: name + APART for name in (*dims, *carried_labels(held, dims)) if name in COMPUTED - set(asked)}
    if not names:
        return held
    order = said_order(held.attrs, [*held.coords, *dims])
    attrs = {"dim_order": " ".join(names.get(dim, dim) for dim in order)} if order else {}
    renamed: Held = held.rename(names).assign_attrs(attrs)
    return renamed


def column_of(columns: Iterable[str], name: str) -> str:
    """Return the column that holds what a user calls so: that of an own dim which stands apart, where there is one."""
    return name + APART if name + APART in columns else name


def has_value(cube: Any, name: str) -> bool:
    """Check whether a cube knows a value of a variable somewhere."""
    if not isinstance(cube, xr.Dataset) or name not in cube.variables:
        return False
    array = cube[name]
    return bool(array.size) and (array.dtype.kind != "f" or bool(array.notnull().any()))


def asked_of_sweep(sweep: Sweep, names: Sequence[str], figure: str) -> xr.Dataset:
    """Lay out a sweep of few points; let a larger one answer, without ever holding all its points.

    All that is drawn of a configuration is of one point: where the first of the variables is best.
    """
    if sweep.size <= MOST_LAID_OUT:
        with suppress(MemoryLimitError):
            return sweep.compute()
    tables = sweep.model.tables
    given = [name for name in (*names, *TOKENS) if name in tables]
    parts = {name: tables[name].assign_attrs(sweep.context.attributes(name)) for name in given}
    computed = [name for name in names if name not in parts and name in sweep.model.outputs]
    attrs = dict(sweep.context.attrs)
    if computed:
        first = computed[0]
        if sense_of(first, sweep.context.attributes(first)) is None:
            msg = (
                f"`{first}`: the figure {figure} needs the best value of each configuration and of this variable "
                "none is better; draw it from a cube of predict(inputs), or count it with histogram"
            )
            raise InvalidDataError(msg)
        per = [dim for dim in sweep.dims if dim in CONFIGURATION]
        answer = sweep.best(first, per=per)
        # inputs along other dims too are those of that point
        there = [name for name in given if name in answer and not set(parts[name].dims) <= set(per)]
        parts |= {name: answer[name].drop_vars(set(answer.coords) - set(answer.dims)) for name in (*computed, *there)}
        attrs[BEST_OF] = f", each configuration where its {inert_label(first.replace('_', ' '))} is best"
    beside = (*DIMS, "device_class", "family", *sweep.dims)
    coords = {name: coordinate for name, coordinate in sweep.model.coords.items() if name in beside}
    return xr.Dataset(parts, attrs=attrs).assign_coords(coords) if parts else xr.Dataset(coords=coords)


def observed(cube: Any, scope: str, *quantities: str) -> tuple[dict[str, str], str]:
    """Name the variables of quantities: measured where any was timed or metered, else predicted; and which it is."""
    kinds = {
        "measured": {**measured_names(scope), "power": "power_full", "top1": accuracy_of(cube)},
        "predicted": PREDICTED,
    }
    found = {kind: {quantity: names[quantity] for quantity in quantities} for kind, names in kinds.items()}
    if isinstance(cube, Sweep):
        return found["predicted"], "predicted"
    # an accuracy alone is no measurement of hardware; where nothing is known, measurements are what is missing
    measured, predicted = (
        any(has_value(cube, name) for quantity, name in names.items() if quantity != "top1") for names in found.values()
    )
    kind = "measured" if measured or not predicted else "predicted"
    return found[kind], kind


def how_text(kind: str, scope: str, cube: xr.Dataset) -> str:
    """Say where the values of a figure come from."""
    return f"measured, {scope_text(scope)}" if kind == "measured" else f"predicted, {plain_model(cube)}"


def accuracy_of(cube: Any) -> str:
    """Name the accuracy of what was timed: as measured, else, where rows only tell times, that of the networks."""
    return "measured_top1" if has_value(cube, "measured_top1") or not has_value(cube, "top1") else "top1"


def accuracy_text(cube: Any) -> str:
    """Say it where accuracies are not measured."""
    return "; accuracy is that of the networks, none was measured" if accuracy_of(cube) == "top1" else ""


def _with_single_labels(cube: xr.Dataset, names: Iterable[str]) -> xr.Dataset:
    """Give variables the platform, or the network, that is the only one of the cube, so that marks can name it."""
    single = [dim for dim in ("platform", "topology") if cube.sizes.get(dim) == 1 and dim in cube.coords]
    for name in (name for name in names if name in cube.data_vars):
        missing = [dim for dim in LABELS_OF.get(name, single) if dim in single and dim not in cube[name].dims]
        cube = cube.assign({name: cube[name].expand_dims(missing)}) if missing else cube
    return cube


def one_model(cube: xr.Dataset, place: int = 0) -> xr.Dataset:
    """Take the first, or another, of several assumptions: a figure shows one model."""
    if "assumptions" not in cube.dims:
        return cube
    if not cube.sizes["assumptions"]:
        msg = "`cube`: expected a model to show, got none along 'assumptions'; pass a cube that holds one"
        raise MissingInputError(msg)
    return cube.isel(assumptions=place, drop=True).assign_attrs(assumptions=str(cube["assumptions"].values[place]))


def model_with(array: xr.DataArray) -> int:
    """Return the place of the first of several assumptions that knows a value."""
    return int(array.notnull().any([dim for dim in array.dims if dim != "assumptions"]).argmax("assumptions"))


def at_best_batch(cube: xr.Dataset, name: str, *judged: str) -> xr.Dataset:
    """Take a cube at the batch of the best value of a variable; one that is impossible where no other is known."""
    if "batch" not in cube[name].dims:
        return cube
    worth = -cube[name] if sense_of(name, cube[name].attrs) == "min" else cube[name]
    worth = sound(cube, worth, (name, *judged), ["batch"])
    return cube.isel(batch=worth.fillna(-np.inf).argmax("batch").compute())


def sound(cube: xr.Dataset, array: xr.DataArray, names: Iterable[str], over: Sequence[str]) -> xr.DataArray:
    """Leave out of what is reduced over dims the values that are impossible; where no other is known, they stay."""
    mask = possible_cells(cube, array, names)
    if not over or mask is True:
        return array
    trusted = array.where(mask)
    return trusted.where(trusted.notnull().any(over), array)


def measured_names(scope: str) -> dict[str, str]:
    """Name the measured variables of a scope: the accelerator alone, or with host and transfers."""
    check_choice("scope", scope, ("compute", "system"))
    middle = "" if scope == "compute" else "system_"
    return {"throughput": f"measured_{middle}throughput", "latency": f"measured_{middle}latency"}


def scope_text(scope: str) -> str:
    """Return which part of the system was timed."""
    return "accelerator alone" if scope == "compute" else "whole system, with host and transfers"


def scale_of(cube: xr.Dataset, name: str) -> tuple[float, str]:
    """Factor and unit in which a variable is shown."""
    known = VARIABLES.get(name)
    return shown_unit(unit_of(cube, name, known.units if known else ""))


def rate_unit(cube: xr.Dataset) -> str:
    """Name the unit in which throughput is shown."""
    return "tokens/s" if inputs_are_tokens(cube) else "inputs/s"


def long_name(cube: Any, name: str) -> str:
    """Name a variable in words: as the cube has it, else as the table of variables has it."""
    attrs = cube[name].attrs if isinstance(cube, xr.Dataset) and name in cube else {}
    return str(attrs.get("long_name", VARIABLES[name].long_name if name in VARIABLES else name))


def holders(labels: Any, values: Array, held: float) -> str:
    """Name whose value it is: the first, and how many others have the same."""
    names = list(dict.fromkeys(map(str, np.asarray(labels)[values == held])))
    return names[0] + (f" and {counted(len(names) - 1, 'other')}" if len(names) > 1 else "")


def value_text(values: Array, unit: str) -> Array:
    """Write values for tooltips; percentages, which differ by little, with two decimals, times and energies by size."""
    if unit in SIZED:
        texts = [quantity(1e-3 * float(one), unit[1:]) for one in values]
    else:
        exact = unit == "%"
        texts = [f"{one:.2f} %" if exact and np.isfinite(one) else with_unit(float(one), unit) for one in values]
    return np.array(texts, dtype=object)


def range_texts(low: Array, high: Array, unit: str) -> Array:
    """Write what lies between two values, for tooltips; times and energies by the size of the higher."""
    if unit not in SIZED:
        return np.array([span_text(*ends, unit) for ends in zip(low, high, strict=True)], dtype=object)
    units = [SMALLER[unit[1]][int(np.searchsorted(STEPS, abs(end), side="right"))] for end in high]
    spans = zip(low, high, units, strict=True)
    return np.array([span_text(first / step, last / step, one) for first, last, (step, one) in spans], dtype=object)


def array_of(cube: xr.Dataset, name: str) -> xr.DataArray:
    """Take a variable in the unit that figures show."""
    factor = scale_of(cube, name)[0]
    return cube[name] if factor == 1.0 else cube[name].astype("f8") * factor


def records(cube: xr.Dataset, names: Sequence[str], *, known: str = "") -> Columns:
    """Lay variables out as columns, one row for each cell where all of them, or only the one `known`, are finite.

    Adds a column per dim, `device_class`, `quality`, and `source` where the cube has `source_row`.
    """
    must = [known] if known else list(names)
    dims = dims_in_order(dict.fromkeys(dim for name in names for dim in map(str, cube[name].dims)))
    sizes = tuple(cube.sizes[dim] for dim in dims)

    values = [flat_column(cube[name], dims, sizes).astype("f8") for name in must]
    present = np.all([~np.isnan(column) for column in values], axis=0)
    finite = np.all([~np.isinf(column) for column in values], axis=0)
    cells = np.flatnonzero(present & finite)
    if lost := int((present & ~finite).sum()):
        warn_of_infinite(lost, must)
    if not cells.size:
        wanted = " and ".join(must)
        msg = f"`{must[0]}`: expected a cell where {wanted} are known, got none; pass a cube where they meet"
        raise MissingInputError(msg)

    def values_of(array: xr.DataArray) -> Array:
        return flat_column(array, dims, sizes)[cells]

    columns: Columns = {dim: values_of(cube[dim]) for dim in dims}
    beside = {name: name for name in (*DIMS, "device_class", "task", *carried_labels(cube, dims))}
    for name, column in {**beside, "source_row": "source"}.items():
        if column not in columns and name in cube.variables and set(map(str, cube[name].dims)) <= set(dims):
            columns[column] = values_of(cube[name])
    if is_judged(cube):
        columns["quality"] = values_of(flags_over(cube, dims, names))
    columns |= {name: values_of(array_of(cube, name)).astype("f8") for name in names}
    unknown = {"platform": (NO_PLATFORM, object), "device_class": ("", object), "quality": (0, "i4")}
    return {name: np.full(cells.size, value, dtype=kind) for name, (value, kind) in unknown.items()} | columns


def warn_of_infinite(lost: int, names: Iterable[str]) -> None:
    """Say how many cells are infinite, which have no place."""
    msg = f"{counted(lost, 'cell')} of {' and '.join(names)} {'is' if lost == 1 else 'are'} infinite and not drawn"
    warnings.warn(msg, UserWarning, stacklevel=4)


def told(cube: xr.Dataset, columns: Columns) -> Columns:
    """Add `configuration`, the text of tooltips, and `flags`: 20 µs a row, which very many marks do without."""
    nowhere = columns["platform"][:1].tolist() == [NO_PLATFORM]
    known = [dim for dim in DIMS if dim in columns and not (nowhere and dim == "platform")]
    labels = zip(*(plain_values(columns[dim]) for dim in known), strict=True)
    configurations = [configuration_text(dict(zip(known, row, strict=True))) for row in labels]
    own = [[f"{dim} {text}" for text in label_texts(cube, dim, columns[dim])] for dim in own_dims(cube, columns)]
    rows = zip(configurations or [""] * len(columns["platform"]), *own, strict=True)
    texts = np.array([", ".join(filter(None, parts)) for parts in rows], dtype=object)
    return {**columns, "configuration": texts, "flags": flags_text(cube, columns["quality"])}


def taken(columns: Columns, rows: Any) -> Columns:
    """Take rows, by a mask or their numbers."""
    return {name: np.asarray(column)[rows] for name, column in columns.items()}


def only(columns: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Take those of these columns that there are."""
    return {name: columns[name] for name in names if name in columns}


def _with_source_rows(cube: Any, measurements: Any) -> Any:
    """Add `source_row`, the names of the source rows behind each measured cell, from the table that was joined.

    Of a cube as it was given: `require` may exchange labels that cannot be shown.
    """
    if measurements is None or not isinstance(cube, xr.Dataset) or "n_rows" not in cube.variables:
        return cube
    cube = as_product(cube)
    measurements = measurement_rows(measurements)
    if "source_row" not in measurements.columns:
        return cube
    where = located(cube, measurements)
    dims = [dim for dim in map(str, cube["n_rows"].dims) if dim in where.indices]
    names = np.full([cube.sizes[dim] for dim in dims], "", dtype=object)
    cells = zip(*(where.indices[dim][where.mask] for dim in dims), strict=True)
    for cell, row in zip(cells, measurements["source_row"].filter(pl.Series(where.mask)), strict=True):
        names[cell] = f"{names[cell]} and {row}" if names[cell] else str(row)
    return cube.assign(source_row=(dims, names))


def source_text(cube: xr.Dataset) -> str:
    """Write where measurements come from, for a tooltip: the source row if the cube knows it."""
    return "@source" if "source_row" in cube.variables else _for_template(str(cube.attrs.get("title", "the cube")))


def _for_template(text: str) -> str:
    """Write text for the template of a tooltip, in which @ and $ would name columns."""
    return escape(text).replace("@", "&#64;").replace("$", "&#36;")


def own_dims(cube: xr.Dataset, columns: Iterable[str]) -> list[str]:
    """Return the columns that are labels of the user's own dims, in order."""
    names = list(columns)
    return [name for name in names if name in (*cube.dims, *carried_labels(cube, names)) and name not in (*DIMS, POINT)]


def carried_labels(cube: xr.Dataset | xr.DataArray, dims: Iterable[str]) -> list[str]:
    """Return the user's own dims that are coordinates along some of these dims, as those of fronts and winners are."""
    order, along = [dim for dim in said_order(cube.attrs, cube.coords) if dim not in DIMS], set(dims)
    return [dim for dim in order if along.intersection(cube[dim].dims)]


def model_text(cube: xr.Dataset) -> str:
    """Return which model and counts the predictions come from."""
    return _for_template(plain_model(cube))


def plain_model(cube: xr.Dataset) -> str:
    """Return the same for a note, where nothing is markup."""
    model, counts = (cube.attrs.get(name, "given") for name in ("assumptions", "counts"))
    return f"{model} model, {counts} op counts{cube.attrs.get(BEST_OF, '')}"


# flags ----------------------------------------------------------------------------------------------------------------


def _findings(cube: xr.Dataset) -> dict[str, Any]:
    """Return the attributes that explain the bits of `quality`."""
    given = cube["quality"].attrs if is_judged(cube) else {}
    return given if "flag_masks" in given else attributes("quality")


def flags_text(cube: xr.Dataset, quality: Array) -> Array:
    """Write the findings of each row in words; 'none' where there are none."""
    return flag_words(quality.astype("i8"), _findings(cube), nothing="none")


def doubts(cube: xr.Dataset, quality: Array, names: Iterable[str]) -> Array:
    """Return the rows with a finding that makes one of these variables doubtful; their marks are hollow."""
    asked = {quantity for name in names for quantity in QUANTITIES_OF.get(name, ())}
    findings = _findings(cube)
    masks = zip(findings["flag_meanings"].split(), np.atleast_1d(findings["flag_masks"]).tolist(), strict=True)
    bits = sum(bit for name, bit in masks if name in FINDINGS and asked & set(FINDINGS[name].doubts))
    return np.asarray((quality.astype("i8") & bits) != 0)


def possible(cube: xr.Dataset, quality: Any, names: Iterable[str]) -> Any:
    """Return where the physics gate finds measurements of these variables possible, as questions do."""
    bits = impossible_bits(names) if is_judged(cube) else 0
    return (quality.astype("i8") & bits) == 0


def possible_cells(cube: xr.Dataset, array: xr.DataArray, names: Iterable[str]) -> Any:
    """Return which cells of an array are possible; all of them where nothing says so cell by cell."""
    names = list(names)
    return possible(cube, flags_over(cube, array.dims, names), names) if is_judged(cube) else True


def flags_over(cube: xr.Dataset, dims: Iterable[Any], names: Iterable[str]) -> xr.DataArray:
    """Reduce the findings of a judged cube to these dims: those that hold at every label of the others.

    Where no label leaves these variables possible, as questions do, those that hold at any.
    """
    quality = whole_flags(cube["quality"])
    others = sorted(set(quality.dims) - set(dims), key=str)
    if not others:
        return quality
    bits = quality.compute()
    every, some = (bits.reduce(how.reduce, others, keep_attrs=True) for how in (np.bitwise_and, np.bitwise_or))
    never = ((bits & impossible_bits(names)) != 0).all(others)
    return every.where(~never, some).astype(bits.dtype) if bits.size else some


def believed_rows(cube: xr.Dataset, columns: Columns, names: Iterable[str]) -> Array:
    """Return which rows are possible, of which titles speak; all of them where none is."""
    mask = np.asarray(possible(cube, columns["quality"], names))
    return mask if mask.any() else np.ones(len(mask), dtype=bool)


def believed(cube: xr.Dataset, columns: Columns, names: Iterable[str]) -> Columns:
    """Take the rows of which titles speak."""
    return taken(columns, believed_rows(cube, columns, names))


# labels ---------------------------------------------------------------------------------------------------------------


def several(columns: Columns, name: str) -> bool:
    """Check whether a column takes more than one value."""
    return name in columns and len(set(plain_values(columns[name]))) > 1


def labels_of(cube: xr.Dataset, columns: Columns, dims: Iterable[str], beside: Iterable[Columns] = ()) -> Array:
    """Write short labels from dims; a network that occurs at one pruning only, here and beside, is named without it."""
    used = [dim for dim in dims if dim in columns]
    labels = np.full(len(next(iter(columns.values()))), "", dtype=object)
    plain = _at_one_pruning([columns, *beside]) if "topology" in used else set()
    groups = list(rows_by_labels(columns, used).values())  # a million rows have some thousand different labels
    first = [rows[0] for rows in groups]
    texts = []
    for dim in used:
        column = label_texts(cube, dim, columns[dim][first])
        texts.append(column if dim in DIMS else [f"{dim} {text}" if text else "" for text in column])
    for rows, *parts in zip(groups, *texts, strict=True):
        hidden = "pruning" if plain and columns["topology"][rows[0]] in plain else ""
        labels[rows] = " ".join(part for dim, part in zip(used, parts, strict=True) if part and dim != hidden)
    return labels


def _at_one_pruning(tables: Iterable[Columns]) -> set[Any]:
    """Networks that occur at one pruning, where others occur at several."""
    pruned = [columns for columns in tables if "pruning" in columns and "topology" in columns]
    pairs: set[tuple[Any, Any]] = set()
    for columns in pruned:
        pairs |= set(rows_by_labels(columns, ("topology", "pruning")))
    return {topology for topology, count in Counter(topology for topology, _ in pairs).items() if count == 1}


def short_label(dim: str, label: Any) -> str:
    """Write a label of a configuration: 12.5 %, maxn; the default mode goes without saying."""
    return "" if dim == "mode" and label == "default" else labelled_text(label, " %" if dim == "pruning" else "")


def label_texts(cube: xr.Dataset, dim: str, labels: Iterable[Any]) -> list[str]:
    """Write labels of a dim, those of the user's own dims in the unit that is shown: 0.5 TOP/s."""
    labels = plain_values(labels) if isinstance(labels, np.ndarray) else list(labels)
    if dim in DIMS:
        texts = [short_label(dim, label) for label in labels]
        if len(set(texts)) == len(set(labels)):
            return texts
        return [f"{text} %" if dim == "pruning" else text for text in distinct_texts(labels)]
    if dim not in cube.variables:
        return distinct_texts(labels)
    return distinct_texts(labels, str(cube[dim].attrs.get("units", "")), digits=digits_apart(cube[dim].values))


def labels_in_order(cube: xr.Dataset, dim: str, labels: Iterable[Any]) -> list[Any]:
    """Labels of a dim that occur, in the order of the cube; platforms device class by device class."""
    found = set(labels)
    known = plain_values(cube[dim].values) if dim in cube.coords else sorted(found)
    ordered = [label for label in dict.fromkeys(known) if label in found]
    ordered += sorted(found - set(ordered), key=str)
    class_of = device_classes(cube) if dim == "platform" else {}
    classes = list(dict.fromkeys(class_of.values()))
    return sorted(ordered, key=lambda label: classes.index(class_of[label]) if label in class_of else len(classes))


def device_classes(cube: xr.Dataset) -> dict[str, str]:
    """Return the device class of each platform, where the cube knows it."""
    if "device_class" not in cube.coords or "platform" not in cube.coords:
        return {}
    names, classes = (plain_values(cube[name].values) for name in ("platform", "device_class"))
    return dict(zip(names, classes, strict=True)) if len(names) == len(classes) else {}


def given_names(cube: xr.Dataset, platforms: Iterable[str]) -> dict[str, str]:
    """Return how the cube names each platform: its looks are chosen by that, however short a figure shows it."""
    given = cube["platform"].attrs.get(GIVEN, {}) if "platform" in cube.coords else {}
    return {platform: given.get(platform, platform) for platform in platforms}


def every_platform(cube: xr.Dataset) -> list[str]:
    """Return the platforms that choose their looks together: those of the cube, or of that which it is a part of."""
    if "platform" not in cube.coords:
        return []
    return list(map(str, cube["platform"].attrs.get(EVERY) or cube["platform"].values.ravel().tolist()))


def threaded(cube: xr.Dataset) -> list[str]:
    """Return the families, else the platforms, of a cube whose batch is a number of threads."""
    if "platform" not in cube.coords:
        return []
    named = cube["family"] if "family" in cube.coords else cube["platform"]
    alone = cube["platform"].isin(np.atleast_1d(cube["platform"].attrs.get(THREADED, [])))
    return list(dict.fromkeys(map(str, named.values[alone.values]))) if named.dims == alone.dims else []


def rows_by_labels(table: Columns, keys: Sequence[str]) -> dict[tuple[Any, ...], Array]:
    """Row numbers of each combination of labels, in order of appearance."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, labels in enumerate(zip(*(plain_values(table[key]) for key in keys), strict=True)):
        groups.setdefault(labels, []).append(row)
    return {labels: np.array(rows, dtype=np.intp) for labels, rows in groups.items()}


def ranked(cube: xr.Dataset, columns: Columns, *keys: Array, dim: str = "platform") -> Columns:
    """Sort the rows by the fixed order of the labels of a dim, then by keys."""
    if dim in columns:
        labels = plain_values(columns[dim])
        place = {label: rank for rank, label in enumerate(labels_in_order(cube, dim, labels))}
        keys = (np.array([place[label] for label in labels]), *keys)
    return taken(columns, np.lexsort(keys[::-1]))
