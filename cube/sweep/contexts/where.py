"""`where`, read once for every question: limits on coordinates choose indices, others become limits of a query.

What a limit may be: ``(low, high)``, both inclusive and None for open, for numbers and datetimes (a day or month as
text to its end); a label, a list or a set of labels, or a slice for coordinates; names of flags, ``"not "``
before a name for its negation; a boolean DataArray. NaN meets no limit; a missing label is kept where a list names it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import ceil, floor, isinf, isnan
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import xarray as xr

from roofcube import moments
from roofcube.datasets import canonical
from roofcube.errors import InvalidDataError, UnknownLabelError, check_limits, unknown_label
from roofcube.kernels.query.query import Limit
from roofcube.labels import as_label, column_of, known_labels, number_of
from roofcube.model.made import EXTRAPOLATES, OF_CALIBRATIONS
from roofcube.sweep.contexts.exact import compared_as_stored
from roofcube.sweep.flags import Bits, bits_of, codes_of, is_flag, whole_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Labelled", "Where", "read_where", "readable_again"]

Array = np.ndarray[Any, np.dtype[Any]]
NOT = "not "


class Labelled(Protocol):
    """What limits are read against: a space's dims, coordinates and variables."""

    dims: tuple[str, ...]
    sizes: dict[str, int]
    coords: dict[str, xr.Variable]
    outputs: dict[str, Any]
    dtype: str

    @property
    def label_arrays(self) -> dict[str, Array]:
        """The labels of every coordinate."""

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of a variable, its flags among them."""

    def native(self, name: str) -> xr.Variable | None:
        """Return a variable that is stored, in its own dtype."""

    def limit(self, name: str, limit: Limit) -> Limit:
        """Round a limit as the variable is stored."""


class Where:
    """A `where` that has been read.

    Attributes
    ----------
    kept : dict of dim to int array
        Indices kept along each dim, ascending.
    by_label : dict of name to (dim, int array)
        What each limit on a coordinate keeps.
    by_limit : dict of name to Limit
        What each limit on a variable became.
    masks : dict of output name to bool array
        Full-rank masks, of length 1 along the dims that they lack, for what is no range of numbers.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Array] = {}
        self.by_label: dict[str, tuple[str, Array]] = {}
        self.by_limit: dict[str, Limit] = {}
        self.masks: dict[str, Array] = {}

    @property
    def limits(self) -> list[Limit]:
        """All limits on variables."""
        return list(self.by_limit.values())

    def keep(self, name: str, dim: str, indices: Array) -> None:
        """Keep only some indices of a dim."""
        self.by_label[name] = (dim, indices)
        self._cut(dim, indices)

    def _cut(self, dim: str, indices: Array) -> None:
        before = self.kept.get(dim)
        self.kept[dim] = indices if before is None else np.intersect1d(before, indices)

    def mask(self, name: str, mask: Array) -> None:
        """Keep only the points where a mask holds."""
        output = f"where {name}"
        self.masks[output] = mask
        self.by_limit[name] = Limit(output, 1.0, None)

    def narrowed(self, cuts: Iterable[tuple[str, Array]]) -> Where:
        """Return the same limits for some indices of some dims."""
        narrower = self._copy()
        for dim, indices in cuts:
            narrower._cut(dim, indices)
        return narrower

    def also(self, other: Where) -> Where:
        """Return the limits of both; of masks of the same variable both hold."""
        both = self.narrowed(other.kept.items())
        for name, limit in other.by_limit.items():
            output = _unlike(limit.name, both.masks) if limit.name in other.masks else limit.name
            if limit.name in other.masks:
                both.masks[output] = other.masks[limit.name]
            both.by_limit[_unlike(name, both.by_limit)] = replace(limit, name=output)
        return both

    def within(self, slices: Mapping[str, slice], dims: Sequence[str]) -> Where:
        """Return what is left of the limits in a block, in its own indices."""
        inside = self._copy()
        for dim, kept in self.kept.items():
            cut = slices.get(dim)
            if cut is not None:
                inside.kept[dim] = kept[(kept >= cut.start) & (kept < cut.stop)] - cut.start
        inside.masks = {
            name: mask[
                tuple(
                    slices[dim] if size > 1 and dim in slices else slice(None)
                    for dim, size in zip(dims, mask.shape, strict=True)
                )
            ]
            for name, mask in self.masks.items()
        }
        return inside

    def without_limits(self) -> Where:
        """Return only what limits on labels leave."""
        unlimited = self._copy()
        unlimited.by_limit = {}
        return unlimited

    def _copy(self) -> Where:
        other = Where()
        other.kept, other.by_label = dict(self.kept), dict(self.by_label)
        other.by_limit, other.masks = dict(self.by_limit), dict(self.masks)
        return other

    def tables(self, rank: int, dtype: str) -> dict[str, Array]:
        """Return the masks as tables of a space, of rank `rank`."""
        return {
            name: mask.astype(dtype).reshape(*mask.shape, *[1] * (rank - mask.ndim))
            for name, mask in self.masks.items()
        }


def _unlike(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name that is not taken yet."""
    while name in taken:
        name += " too"
    return name


def read_where(space: Labelled, where: Any) -> Where:
    """Read the limits of a question.

    Raises
    ------
    UnknownLabelError
        If a variable, coordinate, label or flag is not known.
    InvalidDataError
        If a limit makes no sense for what it limits.
    """
    if isinstance(where, xr.DataArray):
        if where.dtype != bool:
            msg = (
                f"`where`: expected a boolean DataArray, got one of type {where.dtype}; compare its values, e.g. "
                "cube.top1 >= 80"
            )
            raise InvalidDataError(msg)
        where = {str(where.name or "where"): where}
    if where is not None and not isinstance(where, Mapping):
        msg = (
            f"`where`: expected a mapping of name to limit or a boolean DataArray, got {type(where).__name__}; write "
            'e.g. {"predicted_latency": (None, 0.01)}'
        )
        raise InvalidDataError(msg)
    read = Where()
    for name, wanted in readable_again(where or {}).items():
        _warn_of_fraction(space, name, wanted)
        if isinstance(wanted, xr.DataArray) and wanted.dtype == bool:
            read.mask(str(name), _aligned_mask(space, str(name), wanted))
            continue
        _check_no_truths(space, name, wanted)
        if name in space.coords and space.coords[name].ndim <= 1 and not _by_meaning(space, name, wanted):
            _limit_coordinate(space, read, name, wanted)
        elif name in space.outputs:
            _limit_variable(space, read, name, wanted)
        elif isinstance(name, str) and (variable := space.native(name)) is not None:
            if variable.dtype.kind == "O":
                variable = xr.Variable(variable.dims, _as_numbers(known_labels(name, variable)), fastpath=True)
            limit = _limit_text if variable.dtype.kind in "UOST" else _limit_stored
            limit(space, read, name, variable, wanted)
        else:
            names = dict.fromkeys([*space.outputs, *space.coords])
            raise unknown_label("where", name, names, do="limit a variable or a coordinate")
    return read


def readable_again(where: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return limits with lists in place of what can be read only once."""
    return {name: list(limit) if isinstance(limit, Iterator) else limit for name, limit in where.items()}


def _warn_of_fraction(space: Labelled, name: Any, wanted: Any) -> None:
    """Warn of a limit on a percentage that lies where fractions do and no value does."""
    ends = (wanted.start, wanted.stop) if isinstance(wanted, slice) else wanted
    pair = ends if isinstance(ends, tuple) and len(ends) == 2 else ()
    numbers = [end for end in pair if isinstance(end, int | float | np.floating)]
    if not any(0.0 < end <= 1.0 for end in numbers) or not (name in space.outputs or name in space.coords):
        return
    variable = space.native(name)
    if variable is None or space.attributes(name).get("units") != "%":
        return
    # what is not in memory is not read for a warning
    values = variable._data if name not in space.coords else space.label_arrays[name]
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or not values.size:
        return
    if np.fmin.reduce(values, axis=None) > 1:
        msg = f"`where[{name!r}]`: got {wanted!r}, 1 % or less, and no value is so small; in percent 0.92 is 92"
        warnings.warn(msg, UserWarning, stacklevel=5)


def _check_no_truths(space: Labelled, name: Any, wanted: Any) -> None:
    """Refuse True and False, which would be read as 1 and 0, where a variable or coordinate is no yes or no."""
    ends = (wanted.start, wanted.stop) if isinstance(wanted, slice) else _listed(wanted)
    if not any(isinstance(one, bool | np.bool_) for one in ends):
        return
    held = space.label_arrays[name] if name in space.coords else space.native(name) if isinstance(name, str) else None
    if held is None and name not in space.outputs:
        return
    described = space.attributes(name)
    if described.get("long_name") == OF_CALIBRATIONS[EXTRAPOLATES]:
        return  # computed or stored, whether or not a part of it has no NaN
    if held is None or is_flag(described) or not _is_yes_or_no(np.asarray(held)):
        msg = (
            f"`where[{name!r}]`: expected no True or False, got {wanted!r:.60}; a mask is a boolean DataArray, e.g. "
            f"cube[{name!r}] > 0"
        )
        raise InvalidDataError(msg)


def _is_yes_or_no(values: Array) -> bool:
    """Check whether values are True or False, or 1 and 0, as which files keep these as bytes, or as floats with NaN."""
    if values.dtype == np.int8 or (values.dtype.kind == "f" and np.isnan(values).any()):
        return bool((np.isin(values, (0, 1)) | (values != values)).all())
    return values.dtype.kind == "b" or (
        values.dtype.kind == "O" and any(isinstance(one, bool) for one in np.ravel(values))
    )


def _by_meaning(space: Labelled, name: str, wanted: Any) -> bool:
    """Check whether a coordinate is a flag that is limited by its meanings."""
    return is_flag(space.attributes(name)) and any(isinstance(one, str) for one in _listed(wanted))


# coordinates ---------------------------------------------------------------------------------------------------------


def _limit_coordinate(space: Labelled, read: Where, name: str, wanted: Any) -> None:
    coordinate = space.coords[name]
    labels = _as_numbers(np.atleast_1d(known_labels(name, coordinate)))
    kept = _labels_kept(name, labels, wanted, str(space.attributes(name).get("units", "")))
    if coordinate.ndim:
        read.keep(name, str(coordinate.dims[0]), kept)
    else:
        read.mask(name, np.full((1,) * len(space.dims), bool(len(kept))))


def _labels_kept(name: str, labels: Array, wanted: Any, unit: str) -> Array:
    if isinstance(wanted, slice):
        return _labels_between(name, labels, wanted)
    if _is_range(wanted, labels.dtype) and labels.dtype.kind not in "USOT":
        return np.flatnonzero(_within(name, labels, wanted))
    numeric = labels.dtype.kind in "iuf"
    is_pair = numeric and isinstance(wanted, tuple) and len(wanted) == 2
    if isinstance(wanted, tuple) and any(end is None or (is_pair and isinstance(end, str)) for end in wanted):
        if numeric:
            raise _no_limit(name, wanted, unit)
        msg = f"`where[{name!r}]`: expected labels, got {wanted!r}; list them, or give a slice from label to label"
        raise InvalidDataError(msg)
    listed, missing = _listed(wanted), np.asarray(pd.isna(labels)) & isinstance(wanted, list)
    asked = [one for one in listed if not (missing.any() and pd.isna(one) is True)]
    missing &= len(asked) < len(listed)
    if labels.dtype.kind in "mM":
        for one in asked:
            if not moments.among(name, labels, [one]).any():
                raise unknown_label(name, one, labels)
        return np.flatnonzero(moments.among(name, labels, asked) | missing)
    known = labels.tolist()
    choices = _without_missing(known)
    kept = {_label(name, as_label(one, labels.dtype), choices, labels.dtype) for one in asked}
    return np.flatnonzero(missing | np.array([label in kept for label in known], dtype=bool))


def _labels_between(name: str, labels: Array, wanted: slice) -> Array:
    """Read a slice as xarray does: from label to label, both included; numbers and times by value."""
    if wanted.step is not None:
        msg = f"`where[{name!r}]`: expected a slice without step, got {wanted!r}; list the labels instead"
        raise InvalidDataError(msg)
    if labels.dtype.kind not in "USOT":
        return np.flatnonzero(_within(name, labels, (wanted.start, wanted.stop)))
    known = labels.tolist()
    if not known and wanted == slice(None):
        return np.arange(0)
    choices = _without_missing(known)
    start = 0 if wanted.start is None else known.index(_label(name, wanted.start, choices))
    stop = len(known) - 1
    if wanted.stop is not None:
        stop -= known[::-1].index(_label(name, wanted.stop, choices))
    if stop < start:
        msg = f"`where[{name!r}]`: expected a slice in the order of the labels, got {wanted!r}; swap its ends"
        raise InvalidDataError(msg)
    return np.arange(start, stop + 1)


def _without_missing(labels: Iterable[Any]) -> list[Any]:
    """Return each label once, without None and NaN, which nothing spells."""
    return [one for one in dict.fromkeys(labels) if one is not None and one == one]


def _label(name: str, wanted: Any, known: Sequence[Any], kind: np.dtype[Any] | None = None) -> Any:
    """Find a label by its own name or an alias; percentages and counts also as text, text in bytes as text."""
    try:
        if wanted in known:
            return known[known.index(wanted)]
    except (TypeError, ValueError):
        raise unknown_label(name, wanted, known) from None
    alias: Any = wanted
    if isinstance(wanted, str):
        alias = canonical(column_of(name), wanted)
        if any(isinstance(one, float | int) for one in known):
            try:
                alias = as_label(number_of(alias), kind)
            except ValueError:
                alias = wanted
    if alias in known:
        return alias
    alike = _written_as(alias, known) if isinstance(alias, str | bytes) else []
    if len(alike) != 1:
        raise unknown_label(name, wanted, known)
    return alike[0]


def _written_as(wanted: str | bytes, known: Sequence[Any]) -> list[Any]:
    """Return the labels that are no numbers and are written as a text: such as text in bytes, and dates."""
    return [one for one in known if not isinstance(one, int | float | np.number) and _written(one) == _written(wanted)]


def _written(label: Any) -> str:
    if not isinstance(label, bytes):
        return str(label)
    try:
        return label.decode("utf-8")
    except UnicodeDecodeError:
        return label.decode("latin-1")


# variables -----------------------------------------------------------------------------------------------------------


def _limit_variable(space: Labelled, read: Where, name: str, wanted: Any) -> None:
    variable, attributes = space.native(name), space.attributes(name)
    as_stored = variable is not None and compared_as_stored(variable, space.dtype)
    if isinstance(wanted, slice) and wanted.step is None:
        wanted = (wanted.start, wanted.stop)
    if _is_range(wanted, None if variable is None else variable.dtype):
        if variable is not None and as_stored:
            read.mask(name, _full_rank(space, variable, _within(name, variable.values, wanted)))
        else:
            read.by_limit[name] = space.limit(name, Limit(name, *_numeric_range(name, wanted)))
        return
    unit = str(attributes.get("units", ""))
    if isinstance(wanted, Mapping | slice | tuple) or wanted is None:
        raise _no_limit(name, wanted, unit)
    listed = _listed(wanted)
    if variable is not None and bits_of(attributes):
        read.mask(name, _full_rank(space, variable, _bits_set(name, variable.values, listed, attributes)))
        return
    if codes_of(attributes):
        listed = _codes(name, listed, attributes)
    elif not _lists_values(wanted, None if variable is None else variable.dtype):
        raise _no_limit(name, wanted, unit)
    if variable is not None and as_stored:
        read.mask(name, _full_rank(space, variable, _among(name, variable.values, listed)))
    elif codes_of(attributes):
        read.by_limit[name] = Limit(name, one_of=tuple(map(float, listed)))
    else:
        read.by_limit[name] = space.limit(name, Limit(name, one_of=tuple(_number(name, one) for one in listed)))


def _lists_values(wanted: Any, kind: np.dtype[Any] | None) -> bool:
    """Check whether values of a variable are listed: of numbers one alone may be meant as an end."""
    if kind is not None and kind.kind in "mM":
        return True
    if isinstance(wanted, str | bytes) or not hasattr(wanted, "__iter__"):
        return isinstance(wanted, bool | np.bool_)
    return not any(one is None for one in _listed(wanted))


def _no_limit(name: str, wanted: Any, unit: str = "") -> InvalidDataError:
    numbers = f"numbers in {unit}" if unit not in ("", "1") else "numbers"
    return InvalidDataError(
        f"`where[{name!r}]`: expected (low, high) with {numbers} or None, got {wanted!r}; write e.g. (None, 0.01)"
    )


def _parted(name: str, listed: Sequence[Any], flags: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return what stands for the meanings that are wanted, and for those that are not; numbers stand for themselves."""
    wanted: list[Any] = []
    unwanted: list[Any] = []
    for one in listed:
        if not isinstance(one, str):
            number = _number(name, one)
            if isnan(number):
                raise _no_limit(name, one)
            wanted.append(number)
            continue
        negated = one.startswith(NOT)
        word = one.removeprefix(NOT).strip()
        if word not in flags:
            raise unknown_label(name, word, flags)
        (unwanted if negated else wanted).append(flags[word])
    return wanted, unwanted


def _codes(name: str, listed: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    flags = codes_of(attributes)
    wanted, unwanted = _parted(name, listed, flags)
    chosen = flags.values() if unwanted and not wanted else wanted
    return [code for code in chosen if code not in unwanted]


def _bits_set(name: str, values: Array, listed: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    """Return where any of the wanted bits is set, and none of the unwanted."""
    wanted, unwanted = _parted(name, listed, bits_of(attributes))
    given = values == values
    codes = whole_codes(np.where(given, values, 0))
    mask = given & bool(listed)
    if wanted:
        mask = mask & np.any([_has_bits(name, codes, bits) for bits in wanted], axis=0)
    for bits in unwanted:
        mask = mask & ~bits.met(codes)
    return np.asarray(mask)


def _has_bits(name: str, codes: Array, bits: Any) -> Array:
    if isinstance(bits, Bits):
        return bits.met(codes)
    held = np.iinfo(codes.dtype)
    if isinf(bits) or bits != int(bits) or not held.min <= bits <= held.max:
        raise _no_limit(name, bits)
    return Bits(int(bits)).met(codes) if bits else np.asarray(codes == 0)


def _limit_stored(space: Labelled, read: Where, name: str, variable: xr.Variable, wanted: Any) -> None:
    """Limit times that the space holds without computing with them."""
    if isinstance(wanted, slice) and wanted.step is None:
        wanted = (wanted.start, wanted.stop)
    if _is_range(wanted, variable.dtype):
        mask = _within(name, variable.values, wanted)
    elif isinstance(wanted, Mapping | slice | tuple) or wanted is None or not _lists_values(wanted, variable.dtype):
        raise _no_limit(name, wanted)
    else:
        mask = _among(name, variable.values, _listed(wanted))
    read.mask(name, _full_rank(space, variable, mask))


def _limit_text(space: Labelled, read: Where, name: str, variable: xr.Variable, wanted: Any) -> None:
    """Limit a variable that holds text."""
    labels = variable.values.ravel().tolist()
    choices = _without_missing(labels)
    if isinstance(wanted, slice | Mapping) or any(one is None for one in _listed(wanted)):
        some = ", ".join(map(_written, choices[:10]))
        msg = f"`where[{name!r}]`: expected labels, got {wanted!r}; list some of {some}"
        raise InvalidDataError(msg)
    chosen = {_label(name, one, choices) for one in _listed(wanted)}
    mask = np.array([one in chosen for one in labels], dtype=bool).reshape(variable.shape)
    read.mask(name, _full_rank(space, variable, mask))


# shared --------------------------------------------------------------------------------------------------------------


def _listed(wanted: Any) -> list[Any]:
    if isinstance(wanted, str | bytes) or not hasattr(wanted, "__iter__"):
        return [wanted]
    if isinstance(wanted, xr.DataArray | np.ndarray):
        return list(np.ravel(wanted))
    return list(wanted)


def _is_range(wanted: Any, kind: np.dtype[Any] | None = None) -> bool:
    """Check whether two ends are meant; of datetimes they may be text too."""
    dated = kind is not None and kind.kind in "mM"
    return isinstance(wanted, tuple) and len(wanted) == 2 and all(_is_end(end, dated) for end in wanted)


def _is_end(end: Any, dated: bool) -> bool:
    kinds = int | float | np.number | np.datetime64 | np.timedelta64 | date | timedelta
    return end is None or isinstance(end, kinds) or (dated and isinstance(end, str))


def _number(name: str, value: Any) -> Any:
    """Read a number; whole ones stay whole, and those longer than f8 as long as they are."""
    if isinstance(value, np.timedelta64 | np.datetime64):  # of nanoseconds Python takes the ticks for a number
        raise _no_limit(name, value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _no_limit(name, value) from None
    return int(value) if isinstance(value, int | np.integer) else value if isinstance(value, np.longdouble) else number


def _numeric_range(name: str, wanted: tuple[Any, Any]) -> tuple[Any, Any]:
    low, high = (None if end is None else _number(name, end) for end in wanted)
    if any(end is not None and end != end for end in (low, high)):
        msg = f"`where[{name!r}]`: expected (low, high), got {wanted!r}; nothing meets NaN, use None for an open end"
        raise InvalidDataError(msg)
    check_limits(name, low, high)
    return low, high


def whole_ends(low: Any, high: Any, lowest: int, highest: int) -> tuple[Any, Any]:
    """Return the ends of a range of whole numbers: rounded inwards, infinite where none lies beyond."""
    if low is not None:
        low = -np.inf if low <= lowest else np.inf if low > highest else ceil(low)
    if high is not None:
        high = np.inf if high >= highest else -np.inf if high < lowest else floor(high)
    return low, high


def _as_numbers(values: Array) -> Array:
    """Return objects that are all numbers, all True or False, or all times with a zone, in a dtype of those.

    Others are as they are; of numbers and times some may be None.
    """
    if values.dtype != object:
        return values
    if any(issubclass(kind, str) for kind in set(map(type, values.flat))):
        return values
    known = [one for one in values.flat if one is not None]
    kinds = {_kind_of(one) for one in known}
    if kinds == {datetime}:
        return np.asarray(pd.to_datetime(values.ravel(), utc=True).tz_convert(None)).reshape(values.shape)
    numbers = np.array(known) if kinds in ({float}, {bool}) else values
    if numbers.dtype.kind not in "iufb":
        return values
    if len(known) == values.size:
        return numbers.reshape(values.shape)
    if kinds == {bool} or any(one != float(one) for one in known):  # which are no floats
        return values
    filled = np.full(values.shape, np.nan)
    filled[values != np.array(None)] = known
    return filled


def _kind_of(label: Any) -> type | None:
    """Return what a label is limited as: a truth, a number, a time with a zone, or itself."""
    if isinstance(label, datetime):
        return datetime if label.tzinfo else None
    return bool if isinstance(label, bool) else float if isinstance(label, int | float | np.number) else None


def _within(name: str, values: Array, wanted: tuple[Any, Any]) -> Array:
    """Return which values lie between two ends, in the dtype in which they are stored."""
    kind = values.dtype
    if kind.kind in "mM":
        return moments.between(name, values, *wanted)
    low, high = _numeric_range(name, wanted)
    if kind.kind in "iu":
        low, high = whole_ends(low, high, np.iinfo(kind).min, np.iinfo(kind).max)
    elif kind.kind == "f" and kind.itemsize < 8:
        low, high, _ = Limit(name, low, high).rounded(kind)
    mask = values == values
    if low is not None:
        mask &= values >= low
    if high is not None:
        mask &= values <= high
    return np.asarray(mask)


def _among(name: str, values: Array, listed: Sequence[Any]) -> Array:
    """Return which values are listed, in the dtype in which they are stored."""
    kind = values.dtype
    if kind.kind in "mM":
        return moments.among(name, values, list(listed))
    numbers = [_number(name, one) for one in listed]
    if kind.kind in "iu":
        ends = np.iinfo(kind)
        numbers = [int(one) for one in numbers if ends.min <= one <= ends.max and one == int(one)]
    native = kind.newbyteorder("=")
    searched, wanted = values.astype(native, copy=False), np.array(numbers, dtype=native)
    # older versions of NumPy make a table of numbers from 2^63 on, and overflow
    return np.isin(searched, wanted, kind="sort" if native == np.uint64 else None)


def _full_rank(space: Labelled, variable: xr.Variable, values: Array) -> Array:
    """Lay values over a variable's dims out over all dims, of length 1 along those that it lacks."""
    present = [dim for dim in space.dims if dim in variable.dims]
    moved = values.transpose([variable.dims.index(dim) for dim in present])
    return moved.reshape([space.sizes[dim] if dim in present else 1 for dim in space.dims])


def _are_same(own: Array, whole: Array) -> bool:
    """Check whether labels are the same, one by one; those that are missing too."""
    if own.shape != whole.shape:
        return False
    same = np.asarray(own == whole)
    return bool(same.all() or (same | ((own != own) & (whole != whole))).all())


def _index_of(labels: Array) -> Any:
    """Return labels as pandas finds them; of floats it knows no half and no long ones."""
    if labels.dtype.kind in "fc" and labels.dtype.itemsize not in (4, 8):
        short = labels.dtype == np.float16
        labels = labels.astype("f8") if short else np.where(labels == labels, labels.astype(object), np.array(None))
    return pd.Index(labels, tupleize_cols=False)


def _aligned_mask(space: Labelled, name: str, mask: xr.DataArray) -> Array:
    """Lay a boolean DataArray out over the space, by its labels."""
    for dim in map(str, mask.dims):
        if dim not in space.dims:
            raise unknown_label(name, dim, space.dims, do="a mask has dims of the cube")
        labels = space.coords.get(dim)
        if labels is None:
            if dim in mask.coords:
                msg = (
                    f"`where[{name!r}]`: expected no labels along {dim!r}, as the cube has none, got some; make the "
                    "mask from the cube's variables"
                )
                raise InvalidDataError(msg)
            if mask.sizes[dim] != space.sizes[dim]:
                msg = (
                    f"`where[{name!r}]`: expected {space.sizes[dim]} values along {dim!r}, got {mask.sizes[dim]}; "
                    "make the mask from the same cube"
                )
                raise InvalidDataError(msg)
            continue
        if dim not in mask.coords:
            msg = f"`where[{name!r}]`: expected labels along {dim!r}, got none; make the mask from the cube's variables"
            raise InvalidDataError(msg)
        own, whole = known_labels(dim, mask[dim].variable), known_labels(dim, labels)
        if _are_same(own, whole):
            continue
        index = _index_of(own)
        place = index.get_indexer(_index_of(whole)) if index.is_unique else np.array([-1])
        if (place < 0).any():
            lacks = f"no {whole[place < 0][0]}" if index.is_unique else "some of them twice"
            msg = (
                f"`where[{name!r}]`: expected the cube's labels along {dim!r}, got {lacks}; make the mask from the "
                "cube's variables"
            )
            raise UnknownLabelError(msg)
        mask = mask.isel({dim: place})
    return _full_rank(space, mask.variable, mask.values)
