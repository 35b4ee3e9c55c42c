"""Limits as they are typed on a command line: short names, numbers with units, comparisons; read into `where`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.datasets import canonical
from roofcube.errors import InvalidDataError, MissingInputError, unknown_label
from roofcube.labels import column_of
from roofcube.moments import moment_of
from roofcube.sweep.flags import is_flag
from roofcube.vocabulary import MEASURED_POWER, MEASURED_SPEED, VARIABLES
from roofcube.wording import read_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import xarray as xr

__all__ = ["check_is_predicted", "read_limits"]

# short name → measured and predicted variable, and whether it is a least
SHORT = {
    "throughput": ("measured_throughput", "predicted_throughput", True),
    "top1": ("measured_top1", "top1", True),
    "latency": ("measured_latency", "predicted_latency", False),
    "power": ("power_full", "power", False),
    "energy": ("energy_per_input", "predicted_energy", False),
}
RATIOS = ("efficiency", "expert_share", "layer_tile_use")  # variables of unit 1 that may be said in percent
OPTIONS = {"top1": "--top1", "latency": "--latency", "power": "--max-power", "energy": "--energy"}


def check_is_predicted(objective: str) -> None:
    """Check that a variable was not measured, where predictions are to decide.

    Raises
    ------
    InvalidDataError
    """
    if objective in MEASURED_SPEED | MEASURED_POWER or objective.startswith("measured_"):
        msg = f"`--predicted`: expected a prediction to choose by, got {objective!r}; leave it out, or choose another"
        raise InvalidDataError(msg)


def read_limits(
    cube: xr.Dataset, objective: str | None, given: Mapping[str, str | None], more: Sequence[str], *, predicted: bool
) -> tuple[str, dict[str, Any]]:
    """Read an objective and limits.

    Parameters
    ----------
    cube : Dataset
    objective : str, optional
        A variable, or a short name. Default: throughput.
    given : mapping of short name to text
    more : sequence of str
        ``NAME<=VALUE``, ``NAME>=VALUE`` or ``NAME=LABEL``.
    predicted : bool
        Take predicted variables for short names; else measured ones where the cube has them.

    Returns
    -------
    objective : str
    where : dict

    Raises
    ------
    InvalidDataError
        If a limit cannot be read, has the unit of something else, or none where one decides (10: ms or s?); if limits
        on one name leave nothing, or cannot be joined.
    MissingInputError
        If the cube has neither variable of a short name, or no value of either.
    """
    name = objective or "throughput"
    where: dict[str, Any] = {}
    for short, text in given.items():
        if text is not None:
            limited = _limited_variable(cube, short, predicted)
            end = read_quantity(text, _unit_in(cube, limited), what=OPTIONS[short])
            _limit(cube, where, limited, (end, None) if SHORT[short][2] else (None, end))
    for text in more:
        match = re.fullmatch(r"\s*([^<>=\s]+)\s*(<=|>=|=)\s*(.+?)\s*", text)
        if match is None:
            msg = f"`--limit`: expected NAME<=VALUE, NAME>=VALUE or NAME=LABEL, got {text!r}; write it so"
            raise InvalidDataError(msg)
        limited = _limited_variable(cube, match[1], predicted) if match[1] in SHORT else match[1]
        if match[2] == "=":
            _limit(cube, where, limited, [_read_label(cube, limited, label.strip()) for label in match[3].split(",")])
            continue
        if limited not in cube.variables:
            raise unknown_label("--limit", limited, cube.variables)
        limit = _end(cube, match[1], limited, match[3])
        _limit(cube, where, limited, (limit, None) if match[2] == ">=" else (None, limit))
    return (_limited_variable(cube, name, predicted) if name in SHORT else name), where


def _limit(cube: xr.Dataset, where: dict[str, Any], name: str, limit: Any) -> None:
    """Set a limit beside one on the same name: what meets both is left."""
    before = where.setdefault(name, limit)
    if before == limit:
        return
    if isinstance(before, tuple) and isinstance(limit, tuple):
        (low, high), (least, most) = before, limit
        where[name] = _stricter(max, low, least, _first_of), _stricter(min, high, most, _end_of)
        return
    if name in cube.variables and is_flag(cube.variables[name].attrs):
        msg = f"`--limit {name}`: expected one limit on a flag, got several; name all its meanings in one, {name}=A,B"
        raise InvalidDataError(msg)
    listed, other = (before, limit) if isinstance(before, list) else (limit, before)
    told = ", ".join(map(str, listed))
    keys = [_key(name, label) for label in listed]
    if isinstance(other, list):
        known = [_key(name, label) for label in other]
        kept = [label for label, key in zip(listed, keys, strict=True) if key in known]
    elif all(isinstance(key, float) for key in keys):
        low, high = other
        inside = [(low is None or key >= low) and (high is None or key <= high) for key in keys]
        kept = [label for label, is_in in zip(listed, inside, strict=True) if is_in]
    else:
        msg = f"`--limit {name}`: expected labels or a range, got {told} and a range; give one of them"
        raise InvalidDataError(msg)
    if not kept:
        msg = (
            f"`--limit {name}`: expected limits that something can meet, got {told} and another limit that "
            f"allows none of them; leave one out, or list all labels in one, {name}=A,B"
        )
        raise InvalidDataError(msg)
    where[name] = kept


def _end(cube: xr.Dataset, said: str, name: str, text: str) -> Any:
    """Read an end of a range of numbers, times or durations."""
    if cube.variables[name].dtype.kind in "mM":
        return _moment(cube, name, text)
    if name in RATIOS and text.endswith("%") and not _unit_in(cube, name):
        return read_quantity(text, "%", what=f"--limit {said}") / 100.0
    smallest = math.inf if said in SHORT else _least_value(cube.variables[name])
    return read_quantity(text, _unit_in(cube, name), what=f"--limit {said}", smallest=smallest)


def _read_label(cube: xr.Dataset, name: str, text: str) -> Any:
    """Read a label where text is none: durations, and what is true or false."""
    kind = cube.variables[name].dtype.kind if name in cube.variables else ""
    if kind == "b":
        return {"true": True, "false": False}.get(text.casefold(), text)
    return _moment(cube, name, text) if kind == "m" else text


def _moment(cube: xr.Dataset, name: str, text: str) -> Any:
    """Check a time, which stays text as it may name a whole day or month; read a duration: 36h."""
    kind = cube.variables[name].dtype
    if kind.kind == "M":
        moment_of(name, text, kind)
        return text
    import pandas as pd  # type: ignore[import-untyped]

    try:
        # pandas takes a bare number for nanoseconds
        duration = pd.Timedelta(text if re.search("[^-+0-9.]", text) else "NaT")
    except ValueError:
        duration = pd.NaT
    if duration is pd.NaT:
        msg = f"`--limit {name}`: expected a duration with its unit, such as 36h, got {text!r}; write it so"
        raise InvalidDataError(msg)
    return duration.to_timedelta64()


def _stricter(choose: Callable[..., Any], one: Any, other: Any, key: Callable[[Any], Any]) -> Any:
    """Return the stricter of two ends; None is an open one."""
    return other if one is None else one if other is None else choose(one, other, key=key)


def _first_of(end: Any) -> Any:
    return np.datetime64(end) if isinstance(end, str) else end


def _end_of(end: Any) -> Any:
    """Return where a day or month as text ends, to which it is a limit."""
    if not isinstance(end, str):
        return end
    start = np.datetime64(end)
    return start + np.array(1, start.dtype.str.replace("M8", "m8"))  # one of its own unit


def _key(name: str, label: Any) -> Any:
    """Return what labels are compared by: numbers by value, names without their aliases."""
    if not isinstance(label, str):
        return label
    alias = str(canonical(column_of(name), label))
    try:
        return float(alias.removesuffix("%"))
    except ValueError:
        return alias


def _unit_in(cube: xr.Dataset, name: str) -> str:
    known = VARIABLES[name].units if name in VARIABLES else ""
    unit = str(cube.variables[name].attrs.get("units", known))
    return "" if unit == "1" else unit


def _least_value(variable: xr.Variable) -> float:
    """Return the smallest value of a variable; infinity where that is not in memory, or no number."""
    is_number = variable._in_memory and variable.dtype.kind in "fiu" and variable.size
    return float(np.fmin.reduce(variable.values, axis=None)) if is_number else math.inf


def _limited_variable(cube: xr.Dataset, short: str, predicted: bool) -> str:
    measured, other, _ = SHORT[short]
    # a cube made by hand may have a variable of the short name itself
    for name in (*((other, measured) if predicted else (measured, other)), short):
        if name in cube.variables and not _says_nothing(cube.variables[name]):
            return name
    held = [repr(name) for name in dict.fromkeys((measured, other, short)) if name in cube.variables]
    told = f"no value of {' or '.join(held)} is known in" if held else f"neither {measured!r} nor {other!r} is in"
    msg = f"`{short}`: {told} the cube; limit another variable with --limit"
    raise MissingInputError(msg)


def _says_nothing(variable: xr.Variable) -> bool:
    """Check whether a variable has no value at all; one that is not computed yet may have."""
    values = variable._data
    return isinstance(values, np.ndarray) and values.dtype.kind == "f" and bool(np.isnan(values).all())
