"""Random cubes for the oracle of stored cubes: any dims, dtypes, layouts in memory, labels and ways of storing.

The truth is kept apart, as plain arrays in C order; the cube that is asked may hold the same values transposed, strided,
in the other byte order, in dask chunks or in a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sweep_oracle
import xarray as xr

import roofcube as rc
from roofcube.vocabulary import DIMS

if TYPE_CHECKING:
    from pathlib import Path

PREDICTED = 0.12  # of all cubes
OWN = ("shop", "design", "lab", "point")
FLAGS = {"none": -1, "compute": 0, "memory": 1, "weights": 2}
BITS = {"too_fast": 1, "unit_off": 2, "copied": 4}
NUMBERS = ("f2", "f4", "f8", "g", "i1", "u1", "i2", "i4", "i8", "u8", "wide i8", "wide u8", "bool")
OTHERS = ("datetime", "timedelta", "flag", "flag f8", "bits", "bits f8", "count", "text", "object")
# dtypes, labels and ways of storing that random cubes must hold now and then, or a check of them is blind
KINDS = (
    *NUMBERS,
    *OTHERS,
    *("dask", "file", "streamed", "numpy", "a dim of size 0", "a dim of size 1", "no dims"),
    *("strided", "reversed", "Fortran order", "big-endian", "scalar variable"),
    *("text labels", "int labels", "float labels", "datetime labels", "duplicated labels", "no labels"),
    *("grouping text", "grouping float", "2-D coord", "scalar coord", "NaN", "infinity", "NaT"),
    *("predicted", "two assumptions", "three assumptions", "a calibration beside assumptions", "intervals"),
)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Case:
    """A random cube and the truth about it.

    Attributes
    ----------
    cube : Dataset
        What is asked.
    dims, shape : of the space, in the order that decides ties
    full : dict of name to array
        Values of every variable and coordinate at every point, flat.
    own : dict of name to tuple of dims
    coords : set of names
    memory : int or None
        The memory limit to ask under.
    """

    cube: xr.Dataset
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    full: dict[str, Array]
    own: dict[str, tuple[str, ...]]
    plain: dict[str, Array]
    coords: set[str]
    memory: int | None
    rng: np.random.Generator
    kinds: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=int))

    def index(self, dim: str) -> Array:
        """Give the index along a dim of every point."""
        return np.indices(self.shape).reshape(len(self.shape), -1)[self.dims.index(dim)]

    def numbers(self) -> list[str]:
        """Name what can be an objective."""
        return [name for name, values in self.plain.items() if values.dtype.kind in "fiubmM"]

    def exact(self) -> list[str]:
        """Name what f8 holds exactly, and can be computed with."""
        return [name for name in self.numbers() if is_exact(self.plain[name])]

    def groupings(self) -> list[str]:
        """Name the coordinates along dims that are no dim."""
        return [name for name in sorted(self.coords) if len(self.own[name]) == 1 and name not in self.dims]


def is_exact(values: Array) -> bool:
    """Tell whether f8 holds all values exactly."""
    if values.dtype.kind in "iu":
        return all(abs(int(value)) <= 1 << 53 for value in values.ravel())
    return values.dtype.kind in "fb" and values.dtype.itemsize <= 8


def random_case(seed: int, folder: Path, *, most: int = 300) -> Case:
    """Draw a cube of at most `most` points; what is stored in a file goes into a folder."""
    rng = np.random.default_rng(seed)
    if np.random.default_rng([seed, 1]).random() < PREDICTED:  # drawn apart, so that the others stay as they were
        return _predicted_case(rng, seed, most)
    kinds: set[str] = set()
    way = str(rng.choice(["numpy", "numpy", "dask", "file", "streamed"]))
    sizes = _sizes(rng, most if way != "streamed" else 6 * most, least=300 if way == "streamed" else 0)
    arrays = _variables(rng, sizes, kinds, in_file=way in ("file", "streamed"))
    coords = _coords(rng, sizes, kinds, in_file=way in ("file", "streamed"))
    dims = _order(arrays, coords)
    sizes = {dim: sizes[dim] for dim in dims}
    stored = {name: (own, _laid_out(rng, values, kinds), attrs) for name, (own, values, attrs) in arrays.items()}
    cube = xr.Dataset({name: xr.Variable(*one) for name, one in stored.items()}, coords=coords)
    cube, memory = _stored(rng, cube, way, folder / f"{seed}.nc")
    own = {name: tuple(one[0]) for name, one in {**arrays, **coords}.items()}
    plain = {name: one[1] for name, one in {**arrays, **coords}.items()}
    shape = tuple(sizes.values())
    full = {name: _spread(plain[name], own[name], dims, shape) for name in plain}
    kinds |= {way, *_kinds(arrays, sizes)}
    return Case(cube, dims, shape, full, own, plain, set(coords), memory, rng, kinds)


def _predicted_case(rng: np.random.Generator, seed: int, most: int) -> Case:
    """Predict a random space by one to three models at once; the truth is predicted by each alone."""
    space = sweep_oracle.random_case(seed, most=most // 3, calibrated=0.5)
    models = [space.assumptions]
    if rng.random() < 0.8:
        others = [replace(one, layers="whole network") for one in (rc.BOUND, rc.PUBLISHED, rc.SERVING)]
        models += [others[k] for k in rng.permutation(len(others))[: rng.integers(1, 3)]]
    dtype = {"dtype": space.dtype}
    cube = rc.predict(space.inputs, assumptions=models if len(models) > 1 else models[0], **dtype)
    case = case_of(cube, seed)
    alone = [case_of(rc.predict(space.inputs, assumptions=one, **dtype), seed) for one in models]
    axis = case.dims.index("assumptions") if len(models) > 1 else 0
    shape = case.shape[:axis] + case.shape[axis + (len(models) > 1) :]
    for name in case.full:
        if name != "assumptions":
            # what only some models tell is empty for the others, but for what the inputs say
            told = next(one.full[name] for one in alone if name in one.full)
            absent = told if name == "listed_power" else np.full(told.shape, np.nan)
            parts = [one.full.get(name, absent).reshape(shape) for one in alone]
            case.full[name] = (np.stack(parts, axis) if len(models) > 1 else parts[0]).reshape(-1)
    kinds = {1: set(), 2: {"two assumptions"}, 3: {"three assumptions"}}[len(models)] | {"predicted", "numpy"}
    if space.sigma is not None:
        kinds |= {"intervals", *(["a calibration beside assumptions"] if len(models) > 1 else [])}
    if rng.random() < 0.3:
        kinds.add("dask")
        case.cube = cube.chunk({dim: int(rng.integers(1, 5)) for dim in cube.dims})
    case.kinds |= kinds
    return case


def case_of(cube: xr.Dataset, seed: int) -> Case:
    """Take a cube that there is, in memory; variables over layers are no part of its space."""
    names = [str(name) for name, one in cube.variables.items() if "layer" not in one.dims]
    coords = [name for name in names if name in cube.coords]
    own = {name: tuple(map(str, cube[name].dims)) for name in names}
    dims = _order(*({name: (own[name],) for name in part} for part in ([n for n in names if n not in coords], coords)))
    if set(said := tuple(cube.attrs.get("dim_order", "").split())) == set(dims):
        dims = said
    shape = tuple(cube.sizes[dim] for dim in dims)
    plain = {name: np.asarray(cube[name].values) for name in names}
    full = {name: _spread(plain[name], own[name], dims, shape) for name in names}
    return Case(cube, dims, shape, full, own, plain, set(coords), None, np.random.default_rng(seed))


def _kinds(arrays: dict[str, Any], sizes: dict[str, int]) -> set[str]:
    kinds = {f"a dim of size {size}" for size in sizes.values() if size < 2} | ({"no dims"} if not sizes else set())
    for own, values, _ in arrays.values():
        kinds |= {"scalar variable"} if not own else set()
        if values.dtype.kind == "f":
            kinds |= {"NaN"} if np.isnan(values).any() else set()
            kinds |= {"infinity"} if np.isinf(values).any() else set()
        if values.dtype.kind in "mM" and np.isnat(values).any():
            kinds.add("NaT")
    return kinds


def _sizes(rng: np.random.Generator, most: int, least: int) -> dict[str, int]:
    n = int(rng.integers(1, 6)) if rng.random() < 0.97 or least else 0
    chosen = [str(dim) for dim in rng.permutation([*DIMS, *OWN])[:n]]
    sizes = {dim: int(rng.choice([0, 1, 2, 3, 4, 5, 6], p=[0.02, 0.13, 0.2, 0.2, 0.15, 0.15, 0.15])) for dim in chosen}
    while np.prod(list(sizes.values()), dtype=int) > most:
        sizes[max(sizes, key=lambda dim: sizes[dim])] -= 1
    while np.prod(list(sizes.values()), dtype=int) < least:
        sizes[min(sizes, key=lambda dim: sizes[dim])] += 2
    return sizes


def _order(arrays: dict[str, Any], coords: dict[str, Any]) -> tuple[str, ...]:
    """Give the dims in the order that decides ties: known ones, own ones by first appearance, batch last."""
    seen: dict[str, None] = {}
    for one in arrays.values():
        seen |= dict.fromkeys(one[0])
    for name, one in coords.items():  # dims that no variable has: those with labels first
        seen |= dict.fromkeys(dim for dim in one[0] if dim == name)
    for one in coords.values():
        seen |= dict.fromkeys(one[0])
    known = [dim for dim in DIMS if dim in seen and dim != "batch"]
    return (*known, *(dim for dim in seen if dim not in DIMS), *(dim for dim in ("batch",) if dim in seen))


def _spread(values: Array, own: tuple[str, ...], dims: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    present = [dim for dim in dims if dim in own]
    moved = values.transpose([own.index(dim) for dim in present])
    return np.broadcast_to(
        moved.reshape([len_ if d in own else 1 for d, len_ in zip(dims, shape, strict=True)]), shape
    ).reshape(-1)


# variables -----------------------------------------------------------------------------------------------------------


def _variables(rng: np.random.Generator, sizes: dict[str, int], kinds: set[str], *, in_file: bool) -> dict[str, Any]:
    names = ["speed", "energy", "price", "predicted_latency", "n", "when", "state", "grade", "n_rows", "maker"]
    chosen: dict[str, Any] = {}
    for place, name in enumerate(rng.permutation(names)[: rng.integers(2, 7)].tolist()):
        kind = str(rng.choice(NUMBERS if place == 0 else [*NUMBERS, *OTHERS]))
        if in_file and kind in ("f2", "g", "object"):
            kind = "f4"
        own = [dim for dim in sizes if rng.random() < (0.95 if in_file and place == 0 else 0.7)]
        rng.shuffle(own)
        values, attrs = values_of(rng, kind, [sizes[dim] for dim in own])
        chosen["n_rows" if kind == "count" else name] = (own, values, attrs)
        kinds.add(kind)
    return chosen


def values_of(rng: np.random.Generator, kind: str, shape: list[int]) -> tuple[Array, dict[str, Any]]:
    """Draw values of a kind, with their attributes; few distinct ones, so that ties are common."""
    few = rng.integers(-3, 4, shape)
    attrs: dict[str, Any] = {"long_name": kind}
    if kind in ("f2", "f4", "f8", "g"):
        return _floats(rng, few, np.dtype(kind)), attrs
    if kind in ("i1", "u1", "i2", "i4", "i8", "u8"):
        high = np.iinfo(kind).max if kind not in ("i8", "u8") else 1 << 53
        return np.where(rng.random(shape) < 0.1, high, np.abs(few) if kind[0] == "u" else few).astype(kind), attrs
    if kind == "bool":
        return few > 0, attrs
    if kind == "wide i8":
        far = np.where(rng.random(shape) < 0.1, -(1 << 63), (1 << 60) + few)
        return np.where(rng.random(shape) < 0.3, ~far, far).astype("i8"), attrs
    if kind == "wide u8":
        return np.uint64((1 << 64) - 1) - np.abs(few).astype("u8"), attrs
    if kind in ("datetime", "timedelta"):
        moments = few * np.timedelta64(36, "h").astype("m8[ns]")
        values = np.datetime64("2026-01-31", "ns") + moments if kind == "datetime" else moments
        return np.where(rng.random(shape) < 0.15, np.array("NaT", values.dtype), values), attrs
    return _categories(rng, kind, few, attrs)


def _floats(rng: np.random.Generator, few: Array, kind: np.dtype[Any]) -> Array:
    values = few * [0.5, 0.1, 1.0][rng.integers(3)] if rng.random() < 0.8 else rng.lognormal(size=few.shape)
    odd = rng.choice([np.nan, np.inf, -np.inf, -0.0, 0.0], size=few.shape, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    share = float(rng.choice([0.0, 0.2, 0.9]))
    return np.asarray(np.where(rng.random(few.shape) < share, odd, values)).astype(kind)


def _categories(rng: np.random.Generator, kind: str, few: Array, attrs: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    if kind in ("flag", "flag f8"):
        some = dict(list(FLAGS.items())[: rng.integers(1, 5)])
        codes = rng.choice(list(some.values()), few.shape)
        attrs |= {"flag_values": np.array(list(some.values()), "i1"), "flag_meanings": " ".join(some)}
    elif kind in ("bits", "bits f8"):
        codes = rng.integers(0, 8, few.shape)
        attrs |= {"flag_masks": np.array(list(BITS.values()), "i4"), "flag_meanings": " ".join(BITS)}
    elif kind == "count":
        return np.abs(few).astype("i4"), attrs
    else:
        text = np.array([f"maker {k}" if k else "" for k in few.ravel()], dtype="U" if kind == "text" else object)
        return text.reshape(few.shape), attrs
    if kind.endswith("f8"):
        return np.where(rng.random(few.shape) < 0.2, np.nan, codes), attrs
    return np.asarray(codes).astype(str(rng.choice(["i1", "i4"]))), attrs


def _laid_out(rng: np.random.Generator, values: Array, kinds: set[str]) -> Array:
    """Give the same values in another place in memory."""
    way = str(rng.choice(["as it is", "strided", "reversed", "Fortran order", "big-endian"]))
    if not values.ndim or (way == "big-endian" and values.dtype.kind not in "fiu"):
        return values
    kinds.add(way)
    if way == "strided":
        wide = np.repeat(values, 2, axis=-1)
        return wide[..., ::2]
    if way == "reversed":
        return values[::-1].copy()[::-1]
    if way == "Fortran order":
        return np.asfortranarray(values)
    return values.astype(values.dtype.newbyteorder(">")) if way == "big-endian" else values


# coordinates ---------------------------------------------------------------------------------------------------------


def _coords(rng: np.random.Generator, sizes: dict[str, int], kinds: set[str], *, in_file: bool) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    for dim, size in sizes.items():
        kind = str(rng.choice(["text", "int", "float", "datetime", "no"]))
        kinds.add(f"{kind} labels")
        if kind != "no":
            coords[dim] = ((dim,), _labels(rng, kind, size, kinds), {"long_name": f"label of {dim}"})
    for dim, size in sizes.items():
        if rng.random() < 0.3:
            kind = str(rng.choice(["text", "float"]))
            kinds.add(f"grouping {kind}")
            labels = (
                rng.choice(["GPU", "FPGA", "CPU"], size) if kind == "text" else rng.choice([1.5, 2.0, np.nan], size)
            )
            coords[f"{dim}_class"] = ((dim,), labels, {})
    if len(sizes) > 1 and rng.random() < 0.4:
        pair = [str(dim) for dim in rng.permutation(list(sizes))[:2]]
        kinds.add("2-D coord")
        kind = str(rng.choice(["f8", "i4", "text", "datetime"] if not in_file else ["f8", "i4"]))
        coords["grid"] = (tuple(pair), *values_of(rng, kind, [sizes[dim] for dim in pair]))
    if rng.random() < 0.4:
        kinds.add("scalar coord")
        coords["task"] = ((), np.array(rng.choice(["mnist", "cifar10"])), {})
    if rng.random() < 0.2:
        coords["edition"] = ((), np.array(float(rng.choice([1.0, 2.0]))), {})
    return coords


def _labels(rng: np.random.Generator, kind: str, size: int, kinds: set[str]) -> Array:
    numbers = rng.choice(max(20, 2 * size), size, replace=False)
    if rng.random() < 0.6:
        numbers = np.sort(numbers)
    if size > 1 and rng.random() < 0.1:
        numbers = rng.choice(numbers[:-1], size)
        kinds.add("duplicated labels")
    if kind == "text":
        return np.array([f"label {k}" for k in numbers], dtype="U8")
    if kind == "datetime":
        return np.datetime64("2026-01-01", "ns") + numbers * np.timedelta64(1, "D")
    return numbers * 0.5 if kind == "float" else numbers


# storing -------------------------------------------------------------------------------------------------------------


def _stored(rng: np.random.Generator, cube: xr.Dataset, way: str, path: Path) -> tuple[xr.Dataset, int | None]:
    if way == "numpy":
        return cube, None
    if way == "dask":
        return cube.chunk({dim: int(rng.integers(1, 5)) for dim in cube.dims}), None
    cube.to_netcdf(path, engine="netcdf4")
    opened = xr.open_dataset(path, engine="netcdf4", decode_timedelta=True)
    if way == "file":
        return opened, None
    return opened, max(1, int(rng.choice([0.4, 0.9]) * max(one.nbytes for one in opened.data_vars.values())))
