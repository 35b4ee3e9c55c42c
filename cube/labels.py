"""Put labels on arrays, find the rows of a table in a cube by them; the one place where columns and dims meet."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from math import isinf, prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import xarray as xr
from xarray.indexes import PandasIndex  # `xr.indexes` is there from 2025 on

from roofcube.datasets import canonical
from roofcube.errors import InvalidDataError
from roofcube.moments import among
from roofcube.vocabulary import CONFIGURATION, DESCRIBING, DIMS, OFFER, with_meanings
from roofcube.wording import moment_text, plain_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

    import polars as pl

__all__ = [
    "COLUMNS",
    "KEY_COLUMNS",
    "RowLocations",
    "alike",
    "axis",
    "bytes_in_file",
    "check_labelled",
    "check_labels_apart",
    "column_of",
    "cube_in_numpy",
    "dataset_of",
    "dims_in_order",
    "flat_column",
    "full_rank",
    "holds_findings",
    "in_numpy",
    "in_order",
    "is_judged",
    "known_labels",
    "labelled",
    "locate",
    "named_as_dims",
    "own_dims",
    "own_labels",
    "rows_of",
    "spelt_as_in",
    "whole_flags",
]

# dims whose column in a table says its unit
COLUMNS = {"pruning": "pruning_percent"}
# columns that tell the rows of a table of measurements apart
KEY_COLUMNS = tuple(COLUMNS.get(dim, dim) for dim in (*CONFIGURATION, "batch"))

Flags = TypeVar("Flags", xr.DataArray, xr.Variable)

# text that a file reads as a number
NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NUMERIC = ("pruning", "batch")
TRUTHS = {"true": 1, "false": 0}  # as files write them
UNIT_OF_HEAD = re.compile(r"\s*(.*\S)\s*(?:[\[({<][^\[\](){}<>]*[\])}>]|,\s*\S+)\s*")
PREDICTED = ("ops", "predicted_throughput", "predicted_latency")
ASSUMPTIONS = "assumptions"  # the dim of predictions alone: what was measured holds for each
FEW_LABELS = 6  # a reason lists the labels of a dim that has no more


class RowLocations:
    """Where the rows of a table sit in a cube.

    Attributes
    ----------
    dims : tuple of str
        Dims of the cube that the rows give a label for.
    indices : dict of dim to int array
        Position along each dim, -1 where the label is not in the cube.
    reasons : list of str
        Why a row has no cell; empty where it has one.
    """

    def __init__(self, dims: tuple[str, ...], indices: dict[str, np.ndarray[Any, Any]], reasons: list[str]) -> None:
        self.dims = dims
        self.indices = indices
        self.reasons = reasons

    @property
    def mask(self) -> np.ndarray[Any, Any]:
        """True where the row has a cell."""
        return np.array([not reason for reason in self.reasons], dtype=bool)


def labelled(dims: Hashable | Sequence[Hashable], values: Any, attributes: dict[str, Any] | None = None) -> xr.Variable:
    """Put dims and attributes on an array.

    Whatever xarray computes or converts it asks first whether it is one of dask's, and so imports dask where that is
    installed: 0.35 s of a cold process. What builds a cube therefore computes with NumPy and labels last, with this.
    """
    array = np.asarray(values) if isinstance(values, np.generic) else values
    return xr.Variable(dims, array, attributes, fastpath=True)


def bytes_in_file(cube: xr.Dataset) -> int:
    """Return the bytes of values that are not in memory: still in a file, or computed later by Dask."""
    return sum(variable.nbytes for variable in cube.variables.values() if not variable._in_memory)


def in_numpy(variable: xr.Variable) -> xr.Variable:
    """Bring arrays of pandas to NumPy: numbers and truths with NaN where they are missing, anything else with None.

    Times with a zone are in UTC.

    Examples
    --------
    >>> in_numpy(xr.Variable("x", pd.array([1, None], dtype="Int64"))).values.tolist()
    [1.0, nan]
    >>> in_numpy(xr.Variable("x", pd.array(["a", None], dtype="string"))).values.tolist()
    ['a', None]
    """
    is_pandas, kind = not isinstance(variable.dtype, np.dtype), variable.dtype.kind
    if isinstance(variable.dtype, pd.DatetimeTZDtype):  # of nanoseconds xarray makes whole numbers
        return variable._replace(data=variable.to_index_variable().to_index().tz_convert(None).values)
    if not is_pandas and (kind != "O" or not variable._in_memory):
        return variable
    values: Any = np.asarray(variable.values)
    known = np.asarray(pd.notna(values))
    if values.dtype == object and is_pandas and kind in "biuf":
        numbers = np.where(known, values, 0).astype(variable.dtype.numpy_dtype)
        values = numbers if known.all() else np.where(known, numbers.astype("f8"), np.nan)
    elif values.dtype == object and not known.all():
        values = _with_none(values, known)
    elif not is_pandas:
        return variable
    return variable._replace(data=values)


def _with_none(values: np.ndarray[Any, Any], known: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    filled = np.full(values.shape, None, dtype=object)
    filled[known] = values[known]
    return filled


def known_labels(name: str, variable: xr.Variable) -> np.ndarray[Any, Any]:
    """Return labels in NumPy, None in place of every other sign that one is missing.

    Raises
    ------
    InvalidDataError
        If one is a list, an array, or another that nothing tells apart as a label.

    Examples
    --------
    >>> known_labels("x", xr.Variable("x", np.array(["a", pd.NA], object))).tolist()
    ['a', None]
    """
    values = np.asarray(in_numpy(variable if variable._in_memory else variable.compute()).values)
    try:
        set(values.ravel().tolist() if values.dtype == object else ())
    except TypeError:
        odd = next(one for one in values.flat if not _is_hashed(one))
        msg = (
            f"`{name}`: expected text, numbers, times or tuples of them to tell apart, got a {type(odd).__name__}, "
            f"{odd!r:.40}; convert each, e.g. with str() or tuple(), or leave {name!r} out"
        )
        raise InvalidDataError(msg) from None
    return values


def _is_hashed(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def cube_in_numpy(cube: xr.Dataset) -> xr.Dataset:
    """Bring the variables and labels of a cube to NumPy, but for labels of several levels."""
    several = {name for name, index in cube.xindexes.items() if type(index) is not PandasIndex}
    brought = {name: in_numpy(one) for name, one in cube.variables.items() if name not in several}
    changed = {name: one for name, one in brought.items() if one is not cube.variables[name]}
    if not changed:
        return cube
    coords = {name: changed.pop(name) for name in cube.coords if name in changed}
    return cube.assign_coords(coords).assign(changed)


def in_order(labels: Iterable[str], order: Sequence[str]) -> list[str]:
    """Put known labels into their fixed order, the others after them as they come."""
    given = list(dict.fromkeys(labels))
    return [label for label in dict.fromkeys(order) if label in given] + [one for one in given if one not in order]


def dims_in_order(dims: Iterable[Any]) -> list[Any]:
    """Put dims into the order of cubes, in which ties are decided: known ones, the user's own, batch last."""
    *known, batch = DIMS
    given = in_order(dims, known)
    return [dim for dim in given if dim != batch] + [dim for dim in given if dim == batch]


def axis(dim: str, labels: Any) -> xr.Variable:
    """Make the coordinate that indexes a dim; like `labelled`, without a question to dask."""
    array = np.asarray(labels)
    index = PandasIndex(pd.Index(array, name=dim), dim, coord_dtype=array.dtype)
    return index.create_variables()[dim]


def dataset_of(
    variables: dict[str, xr.Variable], coords: dict[str, xr.Variable], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Put variables and coordinates that fit together into a Dataset, without merging or aligning them.

    `xr.Dataset(variables, coords)` compares every variable with every other: 2.1 ms for the 45 of an embedded cube,
    0.15 ms so, which is most of what a question about a small cube takes.
    """
    together: dict[Hashable, xr.Variable] = {}
    indexes: dict[Hashable, Any] = {}
    sizes: dict[Hashable, int] = {}
    for name, variable in coords.items():
        if variable.dims == (name,):
            labels = np.asarray(variable.values)
            # pandas knows no index of half precision
            held = labels.astype("f8") if labels.dtype == "f2" else labels
            given = pd.Index(held, name=name, tupleize_cols=False)
            index = PandasIndex(given, name, coord_dtype=labels.dtype)
            indexes[name] = index
            variable = index.create_variables({name: variable})[name]
        together[name] = variable
    together.update(variables)
    for variable in together.values():
        sizes.update(zip(variable.dims, variable.shape, strict=True))
    return xr.Dataset._construct_direct(
        together, coord_names=set(coords), dims=sizes, attrs=dict(attrs) or None, indexes=indexes
    )


def full_rank(array: xr.DataArray | xr.Variable, dims: Sequence[str]) -> Any:
    """Return the data with its axes in the order of `dims`, of length 1 along those that it lacks; lazy where it is.

    Examples
    --------
    >>> full_rank(xr.DataArray([[1, 2, 3]], dims=("b", "a")), ("a", "c", "b")).shape
    (3, 1, 1)
    """
    ordered = array.transpose(*(dim for dim in dims if dim in array.dims)).data
    return ordered[tuple(slice(None) if dim in array.dims else None for dim in dims)]


def holds_findings(quality: xr.Variable) -> bool:
    """Check whether `quality` is that of the physics gate, by its meanings or where they were lost.

    A variable of the user's own, which has attributes of its own or is no whole number, says nothing of cells.
    """
    attrs = with_meanings("quality", quality.dtype.kind, quality.attrs)
    return attrs.keys() >= {"flag_masks", "flag_meanings"} and quality.dtype.kind in "iuf"


def is_judged(cube: xr.Dataset) -> bool:
    """Check whether the physics gate has judged the cells of a cube."""
    return "quality" in cube.variables and holds_findings(cube.variables["quality"])


def whole_flags(flags: Flags) -> Flags:
    """Return flags as whole numbers, where labels were lacking xarray made floats of them; what is NaN has none.

    Examples
    --------
    >>> whole_flags(xr.DataArray([4.0, np.nan])).values.tolist()
    [4, 0]
    """
    if flags.dtype.kind in "iu":
        return flags
    whole: Flags = flags.fillna(0).astype("i8")  # type: ignore[no-untyped-call,unused-ignore]
    return whole


def flat_column(array: xr.DataArray | xr.Variable, dims: Sequence[str], sizes: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return a value for each cell of the product of dims, one after the other, the last dim fastest."""
    return np.broadcast_to(np.asarray(full_rank(array, dims)), tuple(sizes)).reshape(-1)


def column_of(dim: str) -> str:
    """Name the table column of a dim."""
    return COLUMNS.get(dim, dim)


def own_dims(cube: xr.Dataset | xr.DataArray, table: pl.DataFrame) -> tuple[str, ...]:
    """Return the dims of a cube that are the user's own, such as a context, and that the table has a column for.

    A dim of which the cube was cut to one label is still one; coordinates that only describe are none.
    """
    return tuple(dim for dim in _dims_of_users(cube) if dim in table.columns)


def check_labelled(cube: xr.Dataset, table: pl.DataFrame) -> None:
    """Raise where rows tell their labels along a dim that has none: nothing says which row is of which index.

    Raises
    ------
    InvalidDataError
        Naming the dim and the fix.
    """
    columns = {name.casefold(): name for name in table.columns}
    for dim in map(str, cube.dims):
        column = columns.get(column_of(dim).casefold())
        if column is None or dim in cube.coords or dim == OFFER:
            continue
        if cube.sizes[dim] > 1 or table[column].drop_nulls().n_unique() > 1:
            if dim == "layer":
                msg = (
                    f"column {column!r} may say the cube's dim {dim!r}, and rows are of whole networks; where it says "
                    f"something else, rename it (columns={{{column!r}: 'my_{dim}'}} of read_measurements), or leave "
                    "it out"
                )
                raise InvalidDataError(msg)
            msg = (
                f"`cube`: expected labels along {dim!r}, by which rows find their cells, got none, and the rows have a "
                f"column {column!r}; rename that where it says something else, or give labels, "
                f"cube.assign_coords({dim}=[...]), or keep one of them and the rows of it"
            )
            raise InvalidDataError(msg)


def check_labels_apart(cube: xr.Dataset) -> None:
    """Raise where a dim has a label twice, for who finds by its label what is drawn or told of a cell.

    Questions take it: they go by places, and a limit on the label keeps both.

    Raises
    ------
    InvalidDataError
        Naming the label, the dim and the fix.

    Examples
    --------
    >>> check_labels_apart(xr.Dataset(coords={"platform": ["Kite", "Falcon"]}))
    """
    for dim in (str(dim) for dim in cube.dims if dim in cube.coords):
        labels = plain_values(known_labels(dim, cube.variables[dim]))
        if len(set(labels)) < len(labels):
            twice = next(label for label, count in Counter(labels).items() if count > 1)
            msg = (
                f"`cube`: expected each label along {dim!r} once, got {twice!r} twice; give them other names, "
                f"cube.assign_coords({dim}=[...]), or keep the first of each, cube.drop_duplicates({dim!r})"
            )
            raise InvalidDataError(msg)


def own_labels(cube: xr.Dataset | xr.DataArray) -> dict[str, Any]:
    """Return the label to which a cube was cut along each dim of the user's own.

    Examples
    --------
    >>> own_labels(xr.Dataset(coords={"batch": 8, "context": 128, "phase": ["prefill", "decode"]}))
    {'context': 128}
    """
    single = [dim for dim in _dims_of_users(cube) if not cube[dim].ndim and dim != ASSUMPTIONS]
    return {dim: plain_values(cube[dim].values)[0] for dim in single}


def _dims_of_users(cube: xr.Dataset | xr.DataArray) -> list[str]:
    single = [str(name) for name, coord in cube.coords.items() if not coord.ndim and name not in DESCRIBING]
    dims = dict.fromkeys([*map(str, cube.dims), *single])
    return [dim for dim in dims if dim not in DIMS and dim in cube.coords]


def _dims_predicted(cube: xr.Dataset | xr.DataArray) -> list[str]:
    """Return the dims of the user's own along which predictions differ: a row has to say its label of each."""
    held = [cube[name] for name in PREDICTED if name in getattr(cube, "data_vars", ())]
    needed = {dim for array in held for dim in array.dims}
    return [dim for dim in _dims_of_users(cube) if dim in needed and dim != ASSUMPTIONS]


def named_as_dims(cube: xr.Dataset | xr.DataArray, table: pl.DataFrame) -> pl.DataFrame:
    """Name columns as the dims of the user's own that they are, whatever the case that a file writes them in.

    Raises
    ------
    InvalidDataError
        If two columns may be one dim, or a column says a dim in a unit.
    """
    names = {}
    for dim in _dims_of_users(cube):
        heads = [name for name in table.columns if name.strip().casefold() == dim.casefold()]
        if dim in heads:
            continue
        if not heads:
            _check_without_unit(dim, str(cube[dim].attrs.get("units", "")), table.columns)
            continue
        if len(heads) > 1:
            msg = f"columns {' and '.join(map(repr, heads))} may both say the cube's dim {dim!r}; name one {dim!r}"
            raise InvalidDataError(msg)
        names[heads[0]] = dim
    return table.rename(names)


def spelt_as_in(cube: xr.Dataset, table: pl.DataFrame) -> pl.DataFrame:
    """Spell the labels of rows as the cube does, or else by their canonical names: rows of one cell are alike then."""
    for dim in (*CONFIGURATION, *own_dims(cube, table)):
        column = column_of(dim)
        if column not in table.columns or str(table.schema[column]) != "String":
            continue
        labels = np.ravel(cube[dim].values).tolist() if dim in cube.coords else []
        own = [label for label in labels if isinstance(label, str)]
        # as in `locate`: of several spellings of one name the first, but each label is itself
        spelt = {canonical(column, label): label for label in reversed(own)} | {label: label for label in own}
        names = {label: canonical(column, label) for label in table[column].drop_nulls().unique().to_list()}
        names = {label: spelt.get(label, spelt.get(name, name)) for label, name in names.items()}
        table = table.with_columns(table[column].replace(names))
    return table


def _check_without_unit(dim: str, unit: str, columns: Iterable[str]) -> None:
    """Raise where the head of a column is that of a dim with a unit, in which its labels may not be."""
    for name in columns:
        head = UNIT_OF_HEAD.fullmatch(name)
        if head and head[1].casefold() == dim.casefold():
            msg = (
                f"column {name!r} may say the cube's dim {dim!r}; name it {dim!r}, with its labels as the cube has them"
                f"{f' (in {unit})' if unit else ''}"
            )
            raise InvalidDataError(msg)


def locate(cube: xr.Dataset | xr.DataArray, table: pl.DataFrame, *, dims: Sequence[str] | None = None) -> RowLocations:
    """Find each row's cell by label; aliases and numbers as text are understood.

    A dim that the cube holds as a scalar coordinate restricts the rows to that label. Where a dim has a label twice,
    rows of it have no cell. Where no dims are named, they are those of measurements, and the user's own that the table
    has a column for or along which predictions differ.
    """
    table = named_as_dims(cube, table)
    if dims is None:
        dims = tuple(dict.fromkeys([*DIMS, *own_dims(cube, table), *_dims_predicted(cube)]))
    indices: dict[str, np.ndarray[Any, Any]] = {}
    reasons = [""] * table.height
    together: dict[str, list[str]] = {}
    for dim in dims:
        if dim not in cube.coords or dim == OFFER:
            continue
        column = column_of(dim)
        moments = np.atleast_1d(cube[dim].values) if cube[dim].dtype.kind in "mM" else None
        labels = np.atleast_1d(cube[dim].values).tolist() if moments is None else [*map(moment_text, moments)]
        few = ", ".join(map(str, dict.fromkeys(labels))) if len(labels) <= FEW_LABELS else ""
        if column not in table.columns:
            if len(set(labels)) != 1:
                missing = f"column {column!r} is missing and the cube has {len(labels)} labels along {dim}"
                reasons = [reason or (f"{missing}: {few}" if few else missing) for reason in reasons]
            continue
        kind = _compared_in(cube[dim].dtype, table[column].dtype)
        absent = " is not in the cube" + (f", which has {few}" if few else "")
        known: dict[Any, int] = {}
        for place, label in enumerate(labels):
            # a label that another one is an alias of keeps its name
            if (key := _comparable(dim, label)) not in known or key == label:
                known[key] = place
        if kind != cube[dim].dtype:
            known = _known_in(known, partial(as_label, kind=kind))
        own = {label: place for place, label in enumerate(labels) if isinstance(label, str)}
        values = table[column].to_list()
        kinds = {bool} if cube[dim].dtype.kind == "b" else {type(label) for label in known}
        if moments is None:
            places = {
                value: own.get(value, known.get(as_label(_comparable(dim, value, kinds=kinds), kind), -1))
                for value in dict.fromkeys(values)
            }
        else:
            places = {value: _place_of_moment(dim, value, moments) for value in dict.fromkeys(values)}
        spelt = _spellings_of_numbers(own, places) if kinds == {str} and moments is None else {}
        places |= {value: _place_of_number(value, own) if len(texts) == 1 else -1 for value, texts in spelt.items()}
        repeated = _repeated(labels if moments is None else moments.tolist(), places) if dim in cube.dims else set()
        places |= dict.fromkeys(repeated, -1)
        found = np.array([places[value] for value in values], dtype=np.intp)
        for row in np.flatnonzero(found < 0).tolist():
            several = " or ".join(map(repr, spelt.get(values[row], ())))
            why = f" may be {several}: take labels that are no numbers, 'v{values[row]}'" if several else absent
            given = values[row] if moments is None or values[row] is None else str(values[row])
            told = f"{dim} has {given!r} twice; rename one" if values[row] in repeated else f"{dim} {given!r}{why}"
            reasons[row] = reasons[row] or told
        if dim in cube.dims:
            indices[dim] = found
        elif cube[dim].ndim == 1:
            together.setdefault(str(cube[dim].dims[0]), []).append(dim)
    for shared, parts in together.items():
        indices = {shared: _located_together(cube, table, parts, reasons), **indices}
    return RowLocations(tuple(indices), indices, reasons)


def _repeated(labels: list[Any], places: Mapping[Any, int]) -> set[Any]:
    """Return which values of rows name a label that a dim has more than once: nothing says which cell is meant."""
    times = Counter(labels)
    return {value for value, place in places.items() if place >= 0 and times[labels[place]] > 1}


def _place_of_moment(dim: str, value: Any, moments: np.ndarray[Any, Any]) -> int:
    """Find a time or duration, as Python's, NumPy's or text, among labels as limits find it; -1 where it is none."""
    try:
        found = np.flatnonzero(among(dim, moments, [value]))
    except InvalidDataError:
        return -1
    return int(found[0]) if found.size else -1


def alike(labels: Iterable[Any], dim: str) -> dict[str, list[str]]:
    """Return the labels of a dim that a table of measurements reads as one, by the name that it reads."""
    names: dict[str, list[str]] = {}
    for label in labels:
        if isinstance(label, str):
            names.setdefault(canonical(column_of(dim), label), []).append(label)
    return {name: several for name, several in names.items() if len(several) > 1}


def _spellings_of_numbers(labels: Iterable[str], values: Iterable[Any]) -> dict[Any, list[str]]:
    """Return the labels that spell a number of a table, such as 1.1 and 1.10."""
    spelt: dict[float, list[str]] = {}
    for label in labels:
        if NUMBER.fullmatch(label):
            spelt.setdefault(float(label), []).append(label)
    return {value: spelt[value] for value in values if type(value) in (int, float) and value in spelt}


def _place_of_number(number: float, labels: Mapping[str, int]) -> int:
    """Return the place of the label that a number writes, 1.1 that of `1.1` and not of `1.10`; -1 where there is none.

    A float that is whole writes two: of a file's 2 and 2.5 they are 2 and 2.0.
    """
    written = [repr(float(number)), *([str(int(number))] if float(number).is_integer() else [])]
    return next((labels[label] for label in written if label in labels), -1)


def _located_together(
    cube: xr.Dataset | xr.DataArray, table: pl.DataFrame, parts: list[str], reasons: list[str]
) -> np.ndarray[Any, Any]:
    """Find rows along a dim that several labels name together, such as platform, mode and precision."""
    known: dict[tuple[Any, ...], int] = {}
    own: dict[tuple[Any, ...], int] = {}
    for place, labels in enumerate(zip(*(cube[dim].values.tolist() for dim in parts), strict=True)):
        key = tuple(_comparable(dim, label) for dim, label in zip(parts, labels, strict=True))
        own.setdefault(labels, place)
        if key not in known or (key == labels and known[key] != own[labels]):
            known[key] = place
    given = table.select(map(column_of, parts))
    kinds = [_compared_in(cube[dim].dtype, dtype) for dim, dtype in zip(parts, given.dtypes, strict=True)]

    def short(key: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(map(as_label, key, kinds))

    own, known = _known_in(own, short), _known_in(known, short)
    rows = list(given.iter_rows())
    places = {
        row: own.get(short(row), known.get(short(map(_comparable, parts, row)), -1)) for row in dict.fromkeys(rows)
    }
    found = np.array([places[row] for row in rows], dtype=np.intp)
    for row in np.flatnonzero(found < 0).tolist():
        told = ", ".join(f"{dim} {value!r}" for dim, value in zip(parts, rows[row], strict=True))
        reasons[row] = reasons[row] or f"{told} is not offered in the cube"
    return found


def _comparable(dim: str, value: Any, *, kinds: Collection[type] = ()) -> Any:
    """Return what labels are compared by; `kinds` are those of the cube's, in which a value of a table is read."""
    if kinds == {str} and isinstance(value, int | float) and not isinstance(value, bool):
        # a file reads versions as numbers that are labels
        value = str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)
    if isinstance(value, str):
        name = canonical(column_of(dim), value)
        if kinds == {bool} and name.casefold() in TRUTHS:
            return TRUTHS[name.casefold()]
        if (kinds and set(kinds) <= {bool, int, float}) or dim in NUMERIC:
            try:
                return number_of(name)
            except ValueError:
                return name
        return name
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if isinstance(value, float | np.number) else value


def _compared_in(labels: np.dtype[Any], values: pl.DataType) -> np.dtype[Any]:
    """Return the type in which labels are compared with a column: the shorter, where both are floats."""
    return np.dtype("f4") if labels == np.dtype("f8") and str(values) == "Float32" else labels


def _known_in(known: Mapping[Any, int], short: Callable[[Any], Any]) -> dict[Any, int]:
    """Return the places of labels as a shorter type has them; -1 where two are one in it."""
    shorter: dict[Any, int] = {}
    for label, place in known.items():
        key = short(label)
        shorter[key] = -1 if key in shorter else place
    return shorter


def number_of(text: str) -> int | float:
    """Read a label that is a number or a percentage; whole ones stay whole, and as long as they are.

    Raises
    ------
    ValueError
        If it is no number.
    """
    plain = text.removesuffix("%")
    try:
        return int(plain)
    except ValueError:
        return float(plain)


def as_label(value: Any, kind: np.dtype[Any] | None) -> Any:
    """Round a number to the dtype of labels that are shorter than f8; anything else is as it is."""
    if kind is None or kind.kind != "f" or kind.itemsize >= 8 or not isinstance(value, int | float):
        return value
    try:
        with np.errstate(over="ignore"):  # it is none of the labels then
            short = float(kind.type(value))
        return value if isinf(short) and not isinf(value) else short
    except OverflowError:
        return value


def rows_of(
    cube: xr.Dataset, table: pl.DataFrame, *, dims: Sequence[str] | None = None
) -> tuple[xr.Dataset, RowLocations]:
    """Take each row's cell out of a cube: one dim `row` in place of the dims that the rows give a label for.

    A row without a cell reads the first one; `RowLocations.mask` tells which are real.
    """
    where = locate(cube, table, dims=dims)
    rows = {dim: np.maximum(index, 0) for dim, index in where.indices.items()}
    given = [name for name, variable in cube.variables.items() if rows.keys() & set(variable.dims)]
    taken = {name: _taken(cube.variables[name], rows) for name in given}
    coords = {name: taken.pop(name) for name in cube.coords if name in taken}
    return cube.drop_dims(rows).assign_coords(coords).assign(taken), where


def _taken(variable: xr.Variable, rows: dict[str, np.ndarray[Any, Any]]) -> xr.Variable:
    """Read a variable at the places of rows, lazily where it is lazy; `row` takes the place of the dims in front."""
    given = [dim for dim in variable.dims if dim in rows]
    others = [dim for dim in variable.dims if dim not in rows]
    data = variable.transpose(*given, *others).data
    flat: Any = 0
    for dim in given:
        flat = flat * variable.sizes[dim] + rows[dim]
    cells = prod(variable.sizes[dim] for dim in given)
    return labelled(("row", *others), data.reshape(cells, *data.shape[len(given) :])[flat], variable.attrs)
