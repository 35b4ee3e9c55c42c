"""Interval bounds of an expression graph over boxes of the index space: the third reader of the graph.

IEEE rounding is monotone, so ends computed in the dtype of the model need no margin: what a bound excludes is excluded
for good. Exponentials, logarithms and powers are not quite monotone and get one. NaN is kept apart: an interval spans
the values that are numbers, its ends are NaN where there are none, and a third array says where there may be a NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import OPERATIONS, topological

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["Certain", "Interval", "bound", "infer_ranges", "whole_intervals"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends of the values that are numbers, and where some may not be (None: nowhere)."""

    low: Array
    high: Array
    nan: Array | None = None


@dataclass(frozen=True, slots=True)
class Certain:
    """What bounds of the whole space prove of a node: its numbers finite, not negative, above 0; and none of it NaN."""

    finite: bool = False
    nonnegative: bool = False
    nan_free: bool = False
    positive: bool = False

    @property
    def number(self) -> bool:
        """Whether it is a finite number everywhere."""
        return self.finite and self.nan_free


def bound(node: Node, values: Mapping[Node, Interval], space: Space, certain: Mapping[Node, Certain]) -> Interval:
    """Bound one node that is no leaf, whose arguments have bounds."""
    kind = np.dtype(space.dtype)
    if node.operation == "constant":
        value = np.full((1,) * (1 + len(space.summed)), node.value, dtype=kind)
        return Interval(value, value, np.isnan(value) if np.isnan(node.value) else None)
    arguments = [values[argument] for argument in node.arguments]
    proven = [certain.get(one, Certain()) for one in (node, *node.arguments)]
    finite = all(one.finite for one in proven)
    if node.operation == "ordered_sum":
        return _sum_of_ranges(arguments[0], 1 + space.summed.index(node.name), finite)
    if finite and node.operation in ("multiply", "divide") and all(one.nonnegative for one in proven[1:]):
        return _positive(node.operation, *arguments)
    plain = finite and (node.operation in ("add", "subtract") or all(one.nan_free for one in proven))
    if node.operation == "equal" and node.arguments[0] is node.arguments[1]:
        return _known_range(arguments[0])
    result: Interval = RULES[node.operation](*arguments, plain, kind)
    return result


def infer_ranges(space: Space, outputs: Mapping[str, Node]) -> dict[Node, Certain]:
    """Return of each node what bounds of the whole space prove."""
    certain: dict[Node, Certain] = {}
    for node, interval in whole_intervals(space, outputs).items():
        finite = bool(np.isfinite(interval.low).all() and np.isfinite(interval.high).all())
        nan_free = interval.nan is None or not interval.nan.any()
        nonnegative, positive = (bool(finite and above.all()) for above in (interval.low >= 0, interval.low > 0))
        certain[node] = Certain(finite, nonnegative, nan_free, positive)
    return certain


def whole_intervals(space: Space, outputs: Mapping[str, Node]) -> dict[Node, Interval]:
    """Bound every node over the whole space."""
    axes = tuple(range(len(space.sizes)))
    whole: dict[Node, Interval] = {}
    with np.errstate(all="ignore"):
        for node in topological(outputs.values()):
            if node.operation == "leaf":
                table = space.tables[node.name]
                missing = np.logical_or.reduce(np.isnan(table), axis=axes)[None]
                low, high = np.fmin.reduce(table, axis=axes)[None], np.fmax.reduce(table, axis=axes)[None]
                whole[node] = Interval(low, high, missing if missing.any() else None)
            else:
                found = bound(node, whole, space, {})
                nowhere = found.nan is None or not found.nan.any()
                whole[node] = Interval(found.low, found.high, None) if nowhere else found
    return whole


def _positive(operation: str, a: Interval, b: Interval) -> Interval:
    nan = _either(a.nan, b.nan)
    if operation == "multiply":
        return Interval(a.low * b.low, a.high * b.high, nan)
    return Interval(a.low / b.high, a.high / b.low, nan)


def _either(*flags: Array | None) -> Array | None:
    found: Array | None = None
    for flag in flags:
        if flag is not None:
            found = flag if found is None else found | flag
    return found


def _add(a: Interval, b: Interval, plain: bool, _kind: Any) -> Interval:
    low, high = a.low + b.low, a.high + b.high
    if plain:
        return Interval(low, high, _either(a.nan, b.nan))
    nothing = np.isnan(a.low) | np.isnan(b.low)
    opposite = (np.isinf(a.low) | np.isinf(a.high)) & (np.isinf(b.low) | np.isinf(b.high))
    return Interval(
        np.where(np.isnan(low) & ~nothing, -np.inf, low).astype(low.dtype),
        np.where(np.isnan(high) & ~nothing, np.inf, high).astype(low.dtype),
        _either(a.nan, b.nan, opposite),
    )


def _subtract(a: Interval, b: Interval, plain: bool, kind: Any) -> Interval:
    return _add(a, Interval(-b.high, -b.low, b.nan), plain, kind)


def _corners(corners: tuple[Array, ...], nothing: Array) -> tuple[Array, Array]:
    """Span the corners that are numbers; everything where none is, though the operands are."""
    low = high = corners[0]
    for corner in corners[1:]:
        low, high = np.fmin(low, corner), np.fmax(high, corner)
    unknown = np.isnan(low) & ~nothing
    return np.where(unknown, -np.inf, low).astype(low.dtype), np.where(unknown, np.inf, high).astype(low.dtype)


def _multiply(a: Interval, b: Interval, plain: bool, _kind: Any) -> Interval:
    corners = (a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high)
    if plain:
        low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
        return Interval(low, np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3])))
    low, high = _corners(corners, np.isnan(a.low) | np.isnan(b.low))
    return Interval(low, high, _either(a.nan, b.nan, (_zero(a) & _infinite(b)) | (_infinite(a) & _zero(b))))


def _divide(a: Interval, b: Interval, _plain: bool, _kind: Any) -> Interval:
    low, high = _corners(
        (a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high), np.isnan(a.low) | np.isnan(b.low)
    )
    zero = _zero(b)
    return Interval(
        np.where(zero, -np.inf, low).astype(low.dtype),
        np.where(zero, np.inf, high).astype(low.dtype),
        _either(a.nan, b.nan, (zero & _zero(a)) | (_infinite(a) & _infinite(b))),
    )


def _zero(a: Interval) -> Array:
    return (a.low <= 0) & (a.high >= 0)


def _infinite(a: Interval) -> Array:
    return np.isinf(a.low) | np.isinf(a.high)


def _minimum(a: Interval, b: Interval, _plain: bool, _kind: Any) -> Interval:
    return Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high), _either(a.nan, b.nan))


def _maximum(a: Interval, b: Interval, _plain: bool, _kind: Any) -> Interval:
    return Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high), _either(a.nan, b.nan))


def _truth(can_hold: Array, can_fail: Array, kind: Any) -> Interval:
    return Interval((~can_fail).astype(kind), can_hold.astype(kind))


def _less(a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    fails = _either(a.high >= b.low, a.nan, b.nan)
    return _truth(a.low < b.high, np.asarray(fails), kind)


def _less_equal(a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    fails = _either(a.high > b.low, a.nan, b.nan)
    return _truth(a.low <= b.high, np.asarray(fails), kind)


def _equal_ranges(a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    fails = _either(~same, a.nan, b.nan)
    return _truth((a.low <= b.high) & (b.low <= a.high), np.asarray(fails), kind)


def _known_range(a: Interval) -> Interval:
    """Bound the comparison of something with itself: only NaN differs."""
    kind = a.low.dtype
    fails = np.zeros(a.low.shape, dtype=bool) if a.nan is None else a.nan
    return _truth(~np.isnan(a.low), fails, kind)


def _finite_range(a: Interval, _plain: bool, kind: Any) -> Interval:
    fails = np.asarray(_either(_infinite(a), a.nan))
    return _truth(~np.isnan(a.low) & ~((a.low == a.high) & np.isinf(a.low)), fails, kind)


def _where(condition: Interval, a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    # NaN as a condition is not 0, so it chooses `a`
    holds = np.asarray(_either(~((condition.low == 0) & (condition.high == 0)), condition.nan))
    fails = _zero(condition)
    nan = np.array(np.nan, dtype=kind)
    low = np.fmin(np.where(holds, a.low, nan), np.where(fails, b.low, nan))
    high = np.fmax(np.where(holds, a.high, nan), np.where(fails, b.high, nan))
    nans = _either(None if a.nan is None else holds & a.nan, None if b.nan is None else fails & b.nan)
    return Interval(low, high, nans)


def _sum_of_ranges(a: Interval, axis: int, finite: bool) -> Interval:
    # accumulating adds one by one, first to last, as the other readers do
    zero = a.low.dtype.type(0)
    low = np.take(np.add.accumulate(a.low, axis=axis), [-1], axis=axis) + zero
    high = np.take(np.add.accumulate(a.high, axis=axis), [-1], axis=axis) + zero
    nan = None if a.nan is None else np.asarray(np.logical_or.reduce(a.nan, axis=axis, keepdims=True))
    if finite:
        return Interval(low, high, nan)
    nothing = np.logical_or.reduce(np.isnan(a.low), axis=axis, keepdims=True)
    # infinities of both signs may meet
    infinite = [np.logical_or.reduce(np.isinf(end), axis=axis, keepdims=True) for end in (a.low, a.high)]
    meet: Array = np.asarray(infinite[0] & infinite[1])
    return Interval(
        np.where(np.isnan(low) & ~nothing, -np.inf, low).astype(low.dtype),
        np.where(np.isnan(high) & ~nothing, np.inf, high).astype(low.dtype),
        _either(nan, meet),
    )


def _negative(a: Interval, _plain: bool, _kind: Any) -> Interval:
    return Interval(-a.high, -a.low, a.nan)


def _absolute(a: Interval, _plain: bool, kind: Any) -> Interval:
    low, high = np.abs(a.low), np.abs(a.high)
    nearest = np.where(_zero(a), kind.type(0), np.minimum(low, high))
    return Interval(nearest, np.maximum(low, high), a.nan)


def _floor(a: Interval, _plain: bool, _kind: Any) -> Interval:
    return Interval(np.floor(a.low), np.floor(a.high), a.nan)


def _ceil(a: Interval, _plain: bool, _kind: Any) -> Interval:
    return Interval(np.ceil(a.low), np.ceil(a.high), a.nan)


def _of_positive(operation: str) -> Any:
    """Bound what rises and has no value below 0."""

    def rule(a: Interval, _plain: bool, kind: Any) -> Interval:
        # no number at all where all are negative
        zero, empty = kind.type(0), np.array(np.nan, dtype=kind)
        floor = np.where(a.low < 0, zero, a.low)
        low = np.where(a.high < 0, empty, OPERATIONS[operation](floor))
        high = np.where(a.high < 0, empty, OPERATIONS[operation](np.where(a.high < 0, zero, a.high)))
        ends: tuple[Array, Array] = (low, high) if operation == "sqrt" else _widened(low, high)
        return Interval(*ends, _either(a.nan, a.low < 0))

    return rule


def _exp(a: Interval, _plain: bool, kind: Any) -> Interval:
    low, high = _widened(OPERATIONS["exp"](a.low), OPERATIONS["exp"](a.high))
    return Interval(np.maximum(low, kind.type(0)), high, a.nan)


def _power_of_range(a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    power = OPERATIONS["power"]
    nothing = np.isnan(a.low) | np.isnan(b.low)
    corners = (power(a.low, b.low), power(a.low, b.high), power(a.high, b.low), power(a.high, b.high))
    low, high = _widened(*_corners(corners, nothing))
    low = np.maximum(low, kind.type(0))
    # of negative numbers only whole powers are numbers, and their sign changes
    mixed = (a.low < 0) | (np.signbit(a.low) & (a.low == 0))
    low, high = np.where(mixed & ~nothing, -np.inf, low), np.where(mixed & ~nothing, np.inf, high)
    missing = _either(a.nan, b.nan)
    if missing is not None:
        # NaN to the power of 0, and 1 to that of NaN, are 1
        low, high = np.where(missing, np.fmin(low, 1), low), np.where(missing, np.fmax(high, 1), high)
    return Interval(low.astype(kind), high.astype(kind), _either(missing, a.low < 0))


def _floor_divide(a: Interval, b: Interval, plain: bool, kind: Any) -> Interval:
    quotient = _divide(a, b, plain, kind)
    low, high = _widened(quotient.low, quotient.high)
    one = kind.type(1)
    return Interval(*_widened(np.floor(low) - one, np.ceil(high) + one), _either(quotient.nan, _infinite(a)))


def _remainder(a: Interval, b: Interval, _plain: bool, kind: Any) -> Interval:
    zero, nothing = kind.type(0), np.isnan(a.low) | np.isnan(b.low)
    low = np.where(nothing, b.low + a.low, np.minimum(zero, b.low))
    high = np.where(nothing, b.low + a.low, np.maximum(zero, b.high))
    return Interval(low, high, _either(a.nan, b.nan, _zero(b), _infinite(a)))


def _widened(low: Array, high: Array) -> tuple[Array, Array]:
    """Add a margin of 16 ulp to ends of what is not monotone in the last places."""
    most = np.finfo(low.dtype).max
    low, high = np.where(low == np.inf, most, low), np.where(high == -np.inf, -most, high)
    below, above = low - 16 * np.spacing(np.abs(low)), high + 16 * np.spacing(np.abs(high))
    return (
        np.where(np.isinf(low), low, below).astype(low.dtype),
        np.where(np.isinf(high), high, above).astype(high.dtype),
    )


RULES: dict[str, Any] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "minimum": _minimum,
    "maximum": _maximum,
    "less": _less,
    "less_equal": _less_equal,
    "equal": _equal_ranges,
    "finite": _finite_range,
    "where": _where,
    "negative": _negative,
    "absolute": _absolute,
    "floor": _floor,
    "ceil": _ceil,
    "sqrt": _of_positive("sqrt"),
    "log": _of_positive("log"),
    "log2": _of_positive("log2"),
    "exp": _exp,
    "power": _power_of_range,
    "floor_divide": _floor_divide,
    "remainder": _remainder,
}
