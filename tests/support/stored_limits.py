"""Random limits on stored cubes, each with what it should leave, said point by point in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable

    from stored_cubes import Array, Case

# ways of limiting that random questions must use now and then
KINDS = (
    *(
        "range",
        "open range",
        "slice of values",
        "list of values",
        "set of values",
        "range of moments",
        "moments as text",
    ),
    *("a label", "list of labels", "set of labels", "slice of labels", "range of labels", "empty list", "scalar coord"),
    *("flag by name", "flag by code", "not a flag", "bits", "not bits", "text", "2-D coord"),
    *("mask", "reordered mask", "lazy mask", "mask alone"),
)


@dataclass
class Limits:
    """What is asked, and what it leaves: a mask of all points a name, and the dims whose labels a name cuts."""

    asked: dict[str, Any] | xr.DataArray | None
    left: dict[str, Array]
    cut: dict[str, str]
    size: int

    @property
    def all(self) -> Array:
        """Where every limit is met."""
        return np.logical_and.reduce([np.ones(self.size, dtype=bool), *self.left.values()])

    @property
    def by_label(self) -> Array:
        """Where the limits on labels are met."""
        return np.logical_and.reduce([np.ones(self.size, dtype=bool), *(self.left[name] for name in self.cut)])


def random_limits(case: Case, *, most: int = 3) -> Limits:
    """Draw limits on variables, coordinates, flags and by masks."""
    rng = case.rng
    asked: dict[str, Any] = {}
    limits = Limits(asked, {}, {}, case.size)
    names = rng.permutation(sorted(case.plain))[: rng.integers(0, most + 1)].tolist()
    for name in names:
        limit, mask = _limit(case, name)
        asked[name] = limit
        limits.left[name] = mask
        if name in case.coords and len(case.own[name]) == 1:
            limits.cut[name] = case.own[name][0]
    if rng.random() < 0.25:
        mask, left = _mask(case)
        limits.left["own mask"] = left
        if not asked and rng.random() < 0.5:
            case.kinds.add("mask alone")
            limits.asked = mask.rename("own mask")
        else:
            asked["own mask"] = mask
    if not limits.left and rng.random() < 0.5:
        limits.asked = None
    return limits


def _limit(case: Case, name: str) -> tuple[Any, Array]:
    values, attrs = case.plain[name], case.cube[name].attrs
    coordinate = name in case.coords and values.ndim < 2
    if coordinate and not values.ndim:
        case.kinds.add("scalar coord")
    if name in case.coords and values.ndim == 2:
        case.kinds.add("2-D coord")
    if coordinate and values.dtype.kind in "UO":
        limit, kept = _text_labels(case, values)
        return limit, kept(case.index(case.own[name][0]) if values.ndim else np.zeros(case.size, dtype=int))
    if "flag_values" in attrs or "flag_masks" in attrs:
        limit, meets = _flags(case, attrs)
    elif values.dtype.kind in "UO":
        limit, meets = _text(case, values)
    elif values.dtype.kind in "mM":
        limit, meets = _moments(case, values, coordinate)
    else:
        limit, meets = _numbers(case, values, coordinate)
    return limit, np.array([meets(value) for value in items(case.full[name])], dtype=bool)


def items(values: Array) -> list[Any]:
    """Give values as Python objects that compare exactly; moments as integers, None for NaT, NaN as it is."""
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        return [None if gone else int(one) for one, gone in zip(values.view("i8"), missing, strict=True)]
    return values.tolist() if values.dtype.kind != "g" and values.dtype.itemsize <= 8 else list(values)


# numbers -------------------------------------------------------------------------------------------------------------


def _numbers(case: Case, values: Array, coordinate: bool) -> tuple[Any, Callable[[Any], bool]]:
    rng = case.rng
    usable = [value for value in items(values.ravel()) if value == value]
    # ends between values, and ends that the dtype cannot hold
    strange = [0.3, -1e6, 1e6, 0, 1.0000001, -np.inf, np.inf, 1e39]
    pool = usable if usable and rng.random() < 0.7 else [*usable, *strange]
    if rng.random() < 0.3:
        size = int(rng.integers(0, 4))
        # of labels, only those that are there
        chosen = [pool[k] for k in rng.integers(len(pool), size=size)] if not coordinate or pool is usable else []
        if coordinate and not usable:
            chosen = []
        return _listed(case, chosen, values.dtype, coordinate)
    low, high = sorted(pool[k] for k in rng.integers(len(pool), size=2))
    if rng.random() < 0.3:
        low, high = [(low, None), (None, high)][rng.integers(2)]
        case.kinds.add("open range")
    way = "slice of values" if rng.random() < 0.2 else "range of labels" if coordinate else "range"
    case.kinds.add(way)
    asked = slice(low, high) if way == "slice of values" else (low, high)
    from_, to = _stored_end(low, values.dtype, up=True), _stored_end(high, values.dtype, up=False)

    def meets(value: Any) -> bool:
        return value == value and (from_ is None or value >= from_) and (to is None or value <= to)

    return asked, meets


def _listed(case: Case, chosen: list[Any], kind: np.dtype[Any], coordinate: bool) -> tuple[Any, Callable[[Any], bool]]:
    stored = [one for one in (_stored_value(given, kind) for given in chosen) if one is not None]
    what = "labels" if coordinate else "values"
    if coordinate and len(chosen) == 1 and case.rng.random() < 0.5:
        case.kinds.add("a label")
        return chosen[0], lambda value: value == stored[0]
    way = str(case.rng.choice(["list", "set"]))
    case.kinds.add(f"{way} of {what}" if chosen else "empty list")
    return (list if way == "list" else set)(chosen), lambda value: any(value == one for one in stored)


def _rounded(value: Any, kind: np.dtype[Any]) -> Any:
    """Round a number as it is stored: what is asked for in decimals means the stored value nearest to it."""
    if kind.kind != "f" or kind.itemsize >= 8:
        return value
    with np.errstate(over="ignore"):
        return float(kind.type(value))


def _stored_value(value: Any, kind: np.dtype[Any]) -> Any:
    """Round a value that is asked for; None where it is finite and beyond what the dtype holds."""
    stored = _rounded(value, kind)
    return None if np.isinf(float(stored)) and not np.isinf(float(value)) else stored


def _stored_end(end: Any, kind: np.dtype[Any], *, up: bool) -> Any:
    """Round an end of a range; a finite end leaves out the infinity beyond, as it does in any other dtype."""
    if end is None:
        return None
    stored = _rounded(end, kind)
    if np.isinf(float(stored)) and not np.isinf(float(end)) and (stored > 0) != up:
        return float(np.finfo(kind).max if stored > 0 else np.finfo(kind).min)
    return stored


# datetimes and durations ---------------------------------------------------------------------------------------------


def _moments(case: Case, values: Array, coordinate: bool) -> tuple[Any, Callable[[Any], bool]]:
    rng = case.rng
    dated = values.dtype.kind == "M"
    usable = values[~np.isnat(values)].ravel()
    if usable.size == 0:
        usable = np.array(["2026-01-05"] if dated else [36], "M8[ns]" if dated else "m8[h]").astype(values.dtype)
        coordinate = False  # a label would not be known
        if values.ndim < 2:
            return (None, _spoken(case, usable[0])), _within(None, usable[0])
    if rng.random() < 0.3:
        chosen = usable[rng.integers(usable.size, size=int(rng.integers(0 if coordinate else 1, 3)))]
        known = {int(one) for one in chosen.view("i8")}
        case.kinds.add("list of labels" if coordinate else "list of values")
        return [_spoken(case, one) for one in chosen], lambda value: value in known
    low, high = np.sort(usable[rng.integers(usable.size, size=2)])
    if rng.random() < 0.3:
        low, high = [(low, None), (None, high)][rng.integers(2)]
    case.kinds.add("range of moments")
    ends = tuple(None if end is None else _spoken(case, end) for end in (low, high))
    return slice(*ends) if rng.random() < 0.2 else ends, _within(low, high)


def _within(low: Any, high: Any) -> Callable[[Any], bool]:
    from_, to = (None if end is None else int(end.view("i8")) for end in (low, high))
    return lambda value: value is not None and (from_ is None or value >= from_) and (to is None or value <= to)


def _spoken(case: Case, moment: Any) -> Any:
    """Say a moment in one of the ways in which users do."""
    hours = int(moment.view("i8")) // 3_600_000_000_000
    if moment.dtype.kind == "m":
        return [moment, np.timedelta64(hours, "h"), timedelta(hours=hours)][case.rng.integers(3)]
    seconds = moment.astype("M8[s]")
    way = int(case.rng.integers(4))
    if way == 3:
        case.kinds.add("moments as text")
    return [moment, seconds, seconds.item(), str(seconds)][way]


# labels and text -----------------------------------------------------------------------------------------------------


def _text_labels(case: Case, values: Array) -> tuple[Any, Callable[[Array], Array]]:
    """Limit a coordinate of text; a slice goes from the first of one label to the last of another."""
    rng = case.rng
    labels = np.atleast_1d(values).tolist()
    if labels and values.ndim and rng.random() < 0.3:
        first, last = sorted(rng.integers(len(labels), size=2).tolist())
        start, stop = labels[first], labels[last]
        from_, to = labels.index(start), len(labels) - 1 - labels[::-1].index(stop)
        if from_ <= to:
            case.kinds.add("slice of labels")
            start, stop = [(start, stop), (None, stop), (start, None)][(way := int(rng.integers(3)))]
            from_, to = [(from_, to), (0, to), (from_, len(labels) - 1)][way]
            return slice(start, stop), lambda index: (index >= from_) & (index <= to)
    limit, meets = _text(case, values)
    return limit, lambda index: np.array([meets(label) for label in labels], dtype=bool)[index]


def _text(case: Case, values: Array) -> tuple[Any, Callable[[Any], bool]]:
    known = values.ravel().tolist()
    case.kinds.add("text")
    chosen = [known[k] for k in case.rng.integers(len(known), size=case.rng.integers(0, 3))] if known else []
    if len(chosen) == 1 and case.rng.random() < 0.7:
        case.kinds.add("a label")
        return chosen[0], lambda value: value == chosen[0]
    case.kinds.add(way := str(case.rng.choice(["list of labels", "set of labels"])))
    return (list if way[0] == "l" else set)(chosen), lambda value: value in chosen


# flags ---------------------------------------------------------------------------------------------------------------


def _flags(case: Case, attrs: dict[str, Any]) -> tuple[Any, Callable[[Any], bool]]:
    bits = "flag_masks" in attrs
    codes = np.atleast_1d(attrs["flag_masks" if bits else "flag_values"]).tolist()
    code_of = dict(zip(attrs["flag_meanings"].split(), codes, strict=True))
    rng = case.rng
    some = [str(name) for name in rng.permutation(list(code_of))[: rng.integers(0, 3)]]
    negated = [bool(rng.random() < 0.3) for _ in some]
    wanted = [code_of[name] for name, no in zip(some, negated, strict=True) if not no]
    unwanted = [code_of[name] for name, no in zip(some, negated, strict=True) if no]
    case.kinds |= {("not " + ("bits" if bits else "a flag"))} if unwanted else set()
    case.kinds |= {"bits" if bits else "flag by name"} if wanted else set() if some else {"empty list"}
    listed: Any = [f"not {name}" if no else name for name, no in zip(some, negated, strict=True)]
    if not any(negated) and rng.random() < 0.4:
        case.kinds |= {"flag by code"} if listed else set()
        listed = [code_of[name] for name in listed]
    elif len(listed) == 1 and rng.random() < 0.5:
        listed = listed[0]

    def meets(value: Any) -> bool:
        if value != value or not some:
            return False
        if bits:
            return (not wanted or any(int(value) & code for code in wanted)) and not any(
                int(value) & code for code in unwanted
            )
        return (not wanted or value in wanted) and value not in unwanted

    return listed, meets


# masks ---------------------------------------------------------------------------------------------------------------


def _mask(case: Case) -> tuple[xr.DataArray, Array]:
    """Draw a mask over some dims, its labels in another order where they can be told apart."""
    rng = case.rng
    case.kinds.add("mask")
    own = [dim for dim in case.dims if rng.random() < 0.6]
    rng.shuffle(own)
    sizes = [case.shape[case.dims.index(dim)] for dim in own]
    values = rng.random(sizes) < 0.7
    coords = {dim: case.plain[dim] for dim in own if dim in case.coords}
    mask = xr.DataArray(values, dims=own, coords=coords)
    index = np.indices(case.shape).reshape(len(case.shape), case.size)
    left = values[tuple(index[case.dims.index(dim)] for dim in own)]
    for dim in own:
        if dim in coords and len(np.unique(coords[dim])) == len(coords[dim]) and rng.random() < 0.4:
            case.kinds.add("reordered mask")
            mask = mask.isel({dim: rng.permutation(case.shape[case.dims.index(dim)])})
    if mask.ndim and rng.random() < 0.2:
        case.kinds.add("lazy mask")
        mask = mask.chunk()
    return mask, np.broadcast_to(left, (case.size,))
