"""Datetimes and durations of limits, as whole ticks of the unit in which a variable is stored.

NumPy compares moments of different units by casting to the finer one, which wraps around in silence: year 9999 lies
before 2026 in nanoseconds. Ticks are compared as whole numbers instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from roofcube.errors import InvalidDataError

__all__ = ["among", "between", "moment_of", "ticks_beyond"]

Array = np.ndarray[Any, np.dtype[Any]]
LAST = (1 << 63) - (1 << 40)
TOO_LONG = re.compile(r"\s*\d{5,}\s*$")
FINE = ("ms", "us", "ns", "ps", "fs", "as")  # units in which a year may be too far away


def between(name: str, values: Array, low: Any, high: Any) -> Array:
    """Return which moments lie between two, both included, a day or month as text to its end; no NaT."""
    first = None if low is None else _first_tick(name, low, values.dtype)
    last = None if high is None else _last_tick(name, high, values.dtype)
    if first is not None and last is not None and _are_swapped(name, low, high, values.dtype):
        msg = f"`where[{name!r}]`: expected low ≤ high, got ({low}, {high}); swap them"
        raise InvalidDataError(msg)
    ticks = values.astype("i8")
    mask = ~np.isnat(values)
    if first is not None:
        mask &= ticks >= first
    if last is not None:
        mask &= ticks <= last
    return np.asarray(mask)


def among(name: str, values: Array, listed: list[Any]) -> Array:
    """Return which moments are listed."""
    wanted = [_ticks(name, one, values.dtype) for one in listed]
    ticks = [tick for tick, exact in wanted if exact and np.isfinite(tick)]
    return np.isin(values.astype("i8"), np.array(ticks, dtype="i8"))


def ticks_beyond(name: str, value: Any, end: Any, *, is_high: bool) -> float:
    """Return how many ticks a moment lies beyond the low or high end of a limit, as `between` reads that."""
    tick = (_last_tick if is_high else _first_tick)(name, end, value.dtype)
    return abs(float(int(value.astype("i8")) - tick))


def _are_swapped(name: str, low: Any, high: Any, kind: np.dtype[Any]) -> bool:
    """Check whether a range ends before it begins; a month ends after all days in it."""
    return _is_before(name, high, low, kind) and not _is_before(name, low, _end_of(name, high, kind), kind)


def _is_before(name: str, one: Any, other: Any, kind: np.dtype[Any]) -> bool:
    (tick, exact), (other_tick, other_exact) = (_ticks(name, end, kind) for end in (one, other))
    return tick < other_tick or (tick == other_tick and exact and not other_exact and np.isfinite(tick))


def _first_tick(name: str, value: Any, kind: np.dtype[Any]) -> Any:
    """Return the first whole tick at or after a moment."""
    tick, exact = _ticks(name, value, kind)
    return tick if exact else tick + 1


def _last_tick(name: str, value: Any, kind: np.dtype[Any]) -> Any:
    """Return the last whole tick of a moment, of text the last of what it names, as slices of pandas and xarray do."""
    if not isinstance(value, str) or kind.kind != "M":
        return _ticks(name, value, kind)[0]
    tick, exact = _ticks(name, _end_of(name, value, kind), kind)
    return max(tick - exact, _ticks(name, value, kind)[0])


def _end_of(name: str, value: Any, kind: np.dtype[Any]) -> Any:
    """Return the moment at which what a text names is over; of all else, the moment itself."""
    moment = moment_of(name, value, kind)
    if not isinstance(value, str) or kind.kind != "M":
        return moment
    unit: Any
    unit, count = np.datetime_data(moment.dtype)
    return moment + np.timedelta64(count, unit)


def _ticks(name: str, value: Any, kind: np.dtype[Any]) -> tuple[Any, bool]:
    """Return the last whole tick at or before a moment, infinite beyond all, and whether it is the moment itself."""
    moment, native = moment_of(name, value, kind), kind.newbyteorder("=")
    coarse = f"{kind.kind}8[s]"
    # casting the very last tick to seconds wraps around too
    ends = np.array([-LAST, LAST]).view(native).astype(coarse)
    if np.datetime_data(native)[0] in FINE and not ends[0] <= moment.astype(coarse) <= ends[1]:
        return np.inf if moment.astype(coarse) > ends[1] else -np.inf, False
    stored = moment.astype(native)
    tick = int(stored.astype("i8"))
    if stored > moment:
        return tick - 1, False
    return tick, bool(stored == moment)


def _with_zone(value: Any) -> Any:
    """Return a text with an offset from UTC as the moment that it is: NumPy knows no zones."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return moment if moment.tzinfo else value


def moment_of(name: str, value: Any, kind: np.dtype[Any]) -> Any:
    """Read a datetime or duration as users write it; numbers and NaT are none."""
    make = np.datetime64 if kind.kind == "M" else np.timedelta64
    moment = make("NaT", "s")
    given: Any = value
    try:
        value = _with_zone(value)
        if hasattr(value, "to_numpy"):  # of pandas, to the nanosecond
            given = value.to_numpy()
        elif isinstance(value, datetime) and value.tzinfo:
            given = value.astimezone(UTC).replace(tzinfo=None)
        # durations are integers too, and digits alone would be a year
        is_number = isinstance(given, int | float | np.integer) or (isinstance(given, str) and TOO_LONG.match(given))
        if isinstance(given, make) or not is_number:
            moment = make(given)
    except (TypeError, ValueError):
        pass
    unit = np.datetime_data(moment.dtype)[0]
    # a month is no duration: it has 28 to 31 days
    if np.isnat(moment) or unit == "generic" or (kind.kind == "m" and unit in ("Y", "M")):
        what, example = (
            ("a datetime", "'2026-01-31'") if kind.kind == "M" else ("a duration", "np.timedelta64(36, 'h')")
        )
        msg = f"`where[{name!r}]`: expected {what}, got {value!r}; write e.g. {example}"
        raise InvalidDataError(msg)
    return moment
