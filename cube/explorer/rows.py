"""The rows of the explorer: one for each cell of a cube that has figures; ids, labels and columns; no widgets here."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.explorer.categories import Category, category_of, quoted, worded
from roofcube.labels import full_rank, is_judged
from roofcube.model.graph import LAYER, dim_order
from roofcube.model.made import EXTRAPOLATES
from roofcube.options import fits_memory
from roofcube.sweep.answers.points import as_points
from roofcube.sweep.flags import codes_of, is_code
from roofcube.sweep.questions import context_of
from roofcube.sweep.trust import impossible_bits
from roofcube.vocabulary import (
    ALL_IMPOSSIBLE,
    CONFIGURATION,
    GRADES,
    MEASURED_POWER,
    MEASURED_SPEED,
    QUALITY,
    VARIABLES,
)
from roofcube.wording import digits_apart, flag_words, plain_values, said_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["ENDS", "Rows", "is_number", "measured_names", "rows_of_kind"]

Array = np.ndarray[Any, np.dtype[Any]]
BYTES_A_ROW = 64
ENDS = ("_low", "_high", "_expected")  # of an interval, which stands beside its figure
DOUBTFUL = sum(bit for name, bit in QUALITY.items() if GRADES[name] == "doubtful")


def is_number(array: Any) -> bool:
    """Check whether a variable holds numbers that can be an axis: no text, no times, no flags, no ties of a front."""
    return array.dtype.kind in "fiu" and "flag_meanings" not in array.attrs and array.name != "n_ties"


def measured_names(cube: xr.Dataset) -> list[str]:
    """Name the variables of a cube that were measured."""
    known = MEASURED_SPEED | MEASURED_POWER
    names = [str(name) for name in cube.data_vars if name in known or str(name).startswith("measured_")]
    return [name for name in names if cube[name].ndim and is_number(cube[name])]


class Rows:
    """The rows of a cube.

    Parameters
    ----------
    cube : Dataset
    dims : sequence of str
        Dims that tell the rows apart, in the order that decides ties.
    flat : array of int
        Place of each row in the product of the dims.
    variables : sequence of str
        Of which at least one is known in every row.
    id_names : sequence of str, optional
        Coordinates whose labels name a row. Default: the dims.
    """

    def __init__(
        self,
        cube: xr.Dataset,
        dims: Sequence[str],
        flat: Array,
        variables: Sequence[str],
        id_names: Sequence[str] | None = None,
    ) -> None:
        self.cube = cube
        self.dims = tuple(dims)
        self.flat = flat
        self.variables = tuple(variables)
        self.size = int(flat.size)
        self.cells = prod(cube.sizes[dim] for dim in self.dims)
        self.id_names = tuple(_id_names(cube, self.dims) if id_names is None else id_names)
        self._columns: dict[str, Array] = {}
        self._indices: dict[str, Array] = {}
        self._digits: dict[str, int] = {}

    # what there is --------------------------------------------------------------------------------------------------

    @cached_property
    def numbers(self) -> list[str]:
        """Variables that can be an axis or a limit: numbers known in some row."""
        return [name for name in self._numeric if np.isfinite(self.column(name)).any()]

    @cached_property
    def measures(self) -> list[str]:
        """Variables that can be an objective: numbers that are no coordinates, those that the rows are about first."""
        varying = [name for name in self.numbers if name in self.variables or self._varies(name)]
        own = [name for name in varying if name in self.variables]
        flags = {*own, *self.cube.coords, EXTRAPOLATES}
        return own + [name for name in varying if name not in flags]

    @cached_property
    def own(self) -> list[str]:
        """Measures that are the user's own: of whatever kind, they are shown."""
        own = [name for name in self.measures if name not in self.variables and name not in VARIABLES]
        return [name for name in own if name != EXTRAPOLATES and not name.endswith(ENDS)]

    def _varies(self, name: str) -> bool:
        values = self.column(name)
        finite = values[np.isfinite(values)]
        return bool(finite.size and finite.min() < finite.max())

    @property
    def _numeric(self) -> list[str]:
        names = [*map(str, self.cube.data_vars), *map(str, self.cube.coords)]
        inside = set(self.dims)
        fits = [name for name in names if self.cube[name].ndim and set(self.cube[name].dims) <= inside]
        return [name for name in fits if is_number(self.cube[name]) and not is_code(self.cube, name)]

    @cached_property
    def categories(self) -> dict[str, Category]:
        """Everything whose labels can be chosen one by one."""
        made: dict[str, Category] = {}
        names = [*self.dims, *(str(name) for name in self.cube.coords if name not in self.dims)]
        for name in names:
            if name in self.cube.coords and self.cube[name].ndim == 1 and self.cube[name].dims[0] in self.dims:
                category = category_of(self.cube, name)
                if category is not None:
                    made[name] = category
        bounds = None if self._is_measured else self._of_flag("bound")
        return made if bounds is None else {**made, "bound": bounds}

    @cached_property
    def ranges(self) -> list[str]:
        """Numeric coordinates with too many labels to choose them one by one."""
        coords = [str(name) for name in self.cube.coords if self.cube[name].ndim == 1]
        points = [name for name in coords if self.cube[name].dims[0] not in self.cube.coords]
        numeric = [name for name in coords if name in self.dims or name in points]
        numeric = [name for name in numeric if name in self.numbers and name not in self.categories]
        return [name for name in numeric if self.cube[name].size > 1]

    def _of_flag(self, name: str) -> Category | None:
        if name not in self.cube or not set(self.cube[name].dims) <= set(self.dims):
            return None
        codes = codes_of(self.cube[name].attrs)
        present = set(np.unique(self.column(name)).tolist())
        words = [word for word, code in codes.items() if code in present]
        if len(words) < 2:
            return None
        places = np.array([codes[word] for word in words], dtype="f8")
        return Category(name, words, words, [word.replace("_", " ") for word in words], "", places)

    # columns --------------------------------------------------------------------------------------------------------

    def index(self, dim: str) -> Array:
        """Return the place of every row along a dim."""
        if dim not in self._indices:
            sizes = [self.cube.sizes[name] for name in self.dims]
            behind = prod(sizes[self.dims.index(dim) + 1 :])
            places = (self.flat // behind) % self.cube.sizes[dim]
            self._indices[dim] = places.astype(np.min_scalar_type(max(self.cube.sizes[dim] - 1, 0)))
        return self._indices[dim]

    def column(self, name: str) -> Array:
        """Return a variable or coordinate row by row, as f8."""
        if name not in self._columns:
            self._columns[name] = np.asarray(self.values(name), dtype="f8")
        return self._columns[name]

    def values(self, name: str, rows: Array | None = None) -> Array:
        """Return a variable or coordinate of rows, as it is stored."""
        array = self.cube[name]
        values = np.asarray(array.values)
        if not array.ndim:
            return np.full(self.size if rows is None else len(rows), values[()])
        places = tuple(self.index(str(dim)) if rows is None else self.index(str(dim))[rows] for dim in array.dims)
        return np.asarray(values[places])

    def codes(self, name: str) -> Array:
        """Return the number of the label of every row; -1 where it has none of them."""
        if f"codes {name}" not in self._columns:
            category = self.categories[name]
            if category.dim:
                self._columns[f"codes {name}"] = category.places[self.index(category.dim)]
            else:
                equal = self.column(name)[:, None] == category.places[None, :]
                self._columns[f"codes {name}"] = np.where(equal.any(1), equal.argmax(1), -1)
        return self._columns[f"codes {name}"]

    @property
    def explored(self) -> xr.DataArray:
        """Which cells of the cube are rows."""
        mask = np.zeros(self.cells, dtype=bool)
        mask[self.flat] = True
        labels = {dim: self.cube[dim] for dim in self.dims if dim in self.cube.coords}
        return xr.DataArray(mask.reshape([self.cube.sizes[dim] for dim in self.dims]), labels, self.dims)

    # flags ----------------------------------------------------------------------------------------------------------

    def impossible(self, names: Iterable[str]) -> Array | None:
        """Return which rows the physics gate finds impossible for a question on variables; None where it has no say."""
        bits = impossible_bits(names)
        if not bits or not is_judged(self.cube):
            return None
        return np.asarray((self.column("quality").astype("i8") & bits) != 0)

    @cached_property
    def extrapolates(self) -> Array:
        """Which rows a calibration predicts beyond what was measured; of measured rows, none."""
        if EXTRAPOLATES not in self.cube or self._is_measured:
            return np.zeros(self.size, dtype=bool)
        return np.asarray(self.column(EXTRAPOLATES) == 1.0)

    @cached_property
    def doubtful(self) -> Array:
        """Which rows carry a flag that a reader should know of before relying on them."""
        if self._is_measured:
            return (self.column("quality").astype("i8") & DOUBTFUL) != 0 if is_judged(self.cube) else self._none
        if self._has_reasons:
            return np.asarray(self.extrapolates | (self.column("infeasible") != 0))
        return self.extrapolates

    def doubts_hidden(self) -> dict[str, Any]:
        """Return the limits that leave out what is doubtful, as `where` takes them."""
        if self._is_measured:
            meanings = self.cube["quality"].attrs["flag_meanings"].split() if is_judged(self.cube) else []
            names = [f"not {name}" for name in meanings if GRADES.get(name) == "doubtful"]
            return {"quality": names} if names else {}
        hidden: dict[str, Any] = {"infeasible": ["feasible"]} if self._has_reasons else {}
        return {**hidden, EXTRAPOLATES: (None, 0.5)} if EXTRAPOLATES in self.cube else hidden

    def notes(self, rows: Array) -> list[str]:
        """Write what is worth knowing of rows but no reason to doubt them."""
        return self._findings(rows, ~(DOUBTFUL | ALL_IMPOSSIBLE)) if self._is_measured else [""] * len(rows)

    def _findings(self, rows: Array, bits: int) -> list[str]:
        if not is_judged(self.cube):
            return [""] * len(rows)
        return [str(text) for text in flag_words(self.values("quality", rows) & bits, self.cube["quality"].attrs)]

    def doubts(self, rows: Array) -> list[str]:
        """Write what makes rows doubtful or impossible, in words; empty where there is nothing."""
        if self._is_measured:
            return self._findings(rows, DOUBTFUL | ALL_IMPOSSIBLE)
        beyond = np.where(self.extrapolates[rows], "extrapolates beyond what was measured", "")
        if not self._has_reasons:
            return [str(text) for text in beyond]
        codes = self.values("infeasible", rows)
        reasons = np.where(codes == 0, "", flag_words(codes, self.cube["infeasible"].attrs))
        return [", ".join(filter(None, pair)) for pair in zip(beyond.tolist(), reasons.tolist(), strict=True)]

    @cached_property
    def _all(self) -> Array:
        return np.arange(self.size)

    @property
    def _none(self) -> Array:
        return np.zeros(self.size, dtype=bool)

    @property
    def _is_measured(self) -> bool:
        return any(name in MEASURED_SPEED or name.startswith("measured_") for name in self.variables)

    @property
    def _has_reasons(self) -> bool:
        return "infeasible" in self.cube and set(self.cube["infeasible"].dims) <= set(self.dims)

    # ids ------------------------------------------------------------------------------------------------------------

    def ids(self, rows: Array) -> list[str]:
        """Name rows by their labels: TX2~maxn~FP16."""
        if not len(rows):
            return []
        if not self.id_names:
            return [str(number) for number in self.flat[rows].tolist()]
        columns = [map(quoted, self._labels(name, rows)) for name in self.id_names]
        return ["~".join(parts) for parts in zip(*columns, strict=True)]

    def _labels(self, name: str, rows: Array) -> list[Any]:
        if name in self.cube.coords:
            return plain_values(self.values(name, rows))
        return list(self.index(name)[rows].tolist())

    def find(self, ids: Iterable[str]) -> tuple[Array, list[str]]:
        """Return the rows of ids, and the ids that no row has."""
        wanted = list(ids)
        if not wanted:
            return np.zeros(0, dtype=np.int64), []
        candidates = self._candidates(wanted)
        rows_of = dict(zip(self.ids(candidates), candidates.tolist(), strict=True))
        rows = [rows_of[name] for name in wanted if name in rows_of]
        return np.array(rows, dtype=np.int64), [name for name in wanted if name not in rows_of]

    def _candidates(self, ids: list[str]) -> Array:
        """Return the rows among which ids are looked for: those with the same label along each dim."""
        if self.size <= 10_000:
            return np.arange(self.size)
        mask = np.ones(self.size, dtype=bool)
        for number, name in enumerate(self.id_names):
            if name not in self.dims:
                continue
            labels = plain_values(self.cube[name].values)
            wanted = {parts[number] for parts in (name.split("~") for name in ids) if len(parts) == len(self.id_names)}
            mask &= np.array([quoted(label) in wanted for label in labels])[self.index(name)]
        return np.flatnonzero(mask)

    @cached_property
    def named_by(self) -> list[str]:
        """What a reader tells rows apart by: of the dims or coordinates that name a row, those that vary."""
        varying = [name for name in self.id_names if name not in self.dims or self.cube.sizes[name] > 1]
        varying = [name for name in varying if name in self.dims or len(set(self._labels(name, self._all))) > 1]
        return varying or list(self.id_names)

    def names(self, rows: Array) -> list[str]:
        """Write the configuration of rows for a reader: labels of all that varies, inert."""
        columns = [self.worded(name, self._labels(name, rows)) for name in self.named_by]
        return [" · ".join(parts) for parts in zip(*columns, strict=True)] if columns else self.ids(rows)

    def worded(self, name: str, labels: list[Any]) -> list[str]:
        """Write some labels of a dim or coordinate for a reader, told apart from all others of it."""
        if name not in self.cube.coords:
            return worded(name, labels)
        if name not in self._digits:
            self._digits[name] = digits_apart(self.cube[name].values)
        return worded(name, labels, str(self.cube[name].attrs.get("units", "")), self._digits[name])

    def dataset(self, rows: Array) -> xr.Dataset:
        """Return rows as points, with all coordinates and variables."""
        if "point" in self.cube.dims:
            return self.cube.isel(point=self.index("point")[rows]) if self.dims == ("point",) else self.cube
        context = context_of(self.cube)
        nowhere = np.zeros(len(rows), dtype=np.int64)
        indices = [self.index(dim)[rows].astype(np.int64) if dim in self.dims else nowhere for dim in context.dims]
        return as_points(context, indices)


def rows_of_kind(cube: xr.Dataset, variables: Sequence[str], *, own: bool) -> Rows:
    """Return a row for each cell in which any of some variables is known; with `own`, at each label of own ones.

    Raises
    ------
    MemoryLimitError
        If the cells would not fit into the memory limit.
    InvalidDataError
        If no cell has a figure.
    """
    used = {str(dim) for name in variables for dim in cube[name].dims}
    more = [array.dims for name, array in cube.data_vars.items() if own and name not in VARIABLES and is_number(array)]
    used |= {str(dim) for dims in more if used & set(dims) for dim in dims}
    dims = [dim for dim in dict.fromkeys([*dim_order(cube), *map(str, cube.dims)]) if dim in used and dim != LAYER]
    sizes = [cube.sizes[dim] for dim in dims]
    if not fits_memory(prod(sizes) * BYTES_A_ROW):
        msg = (
            f"`cube`: expected cells that the memory holds, got {prod(sizes):,}; keep fewer labels, explore a "
            "roofcube.Sweep, which is never stored, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    mask = np.zeros(sizes, dtype=bool)
    for name in variables:
        mask |= np.isfinite(np.asarray(full_rank(cube[name].variable, dims)))
    flat = np.flatnonzero(mask)
    if not flat.size:
        msg = f"`cube`: expected figures to explore, got none known of {', '.join(variables)}; pass a cube with values"
        raise InvalidDataError(msg)
    return Rows(cube, dims, flat, variables)


def _id_names(cube: xr.Dataset, dims: Sequence[str]) -> list[str]:
    """Name what tells rows apart: the dims; of points without labels of their own, the coordinates along them."""
    if any(dim in cube.coords for dim in dims):
        return list(dims)
    said = said_order(cube.attrs, cube.coords)
    names = dict.fromkeys([*said, *CONFIGURATION, "batch"])
    ordered = [name for name in names if name in cube.coords and cube[name].dims == tuple(dims)]
    if len(dims) != 1 or not ordered:
        return list(dims)
    labels = [cube[name].values.tolist() for name in ordered]
    return ordered if len(set(zip(*labels, strict=True))) == cube.sizes[dims[0]] else [*ordered, *dims]
