"""What models made of inputs: results, intervals, own terms; left out, so that they stand beside no other model's."""

from __future__ import annotations

import ast
import re
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from roofcube.labels import ASSUMPTIONS
from roofcube.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

__all__ = [
    "EXTRAPOLATES",
    "INTERVAL_ENDS",
    "LEVEL",
    "LISTED",
    "OF_CALIBRATIONS",
    "RESULTS",
    "SIDE_BY_SIDE",
    "is_made",
    "without_results",
]

RESULTS = (
    "operational_intensity",
    "predicted_throughput",
    "predicted_latency",
    "peak_throughput",
    "predicted_energy",
    "memory_required",
    "bound",
    "infeasible",
)
LEVEL = 0.9  # of the intervals that a calibration gives
EXTRAPOLATES = "extrapolates"  # 1 where a calibration was asked beyond what it was made from
LISTED = "listed_power"  # what the inputs call power, beside the power that a calibration predicts
INTERVAL_ENDS = {
    f"predicted_throughput_{end}": f"{end} end of the interval of the predicted throughput" for end in ("low", "high")
}
UNWRITTEN = re.compile(r"a formula of \d+ parts, sha256 [0-9a-f]{16}")  # too long to be written, it names nothing
POWER = "predicted power under load"
SIDE_BY_SIDE = "power, predicted by a calibration, listed beside it"
# what only a calibration makes, by the words that tell it from a variable of the user's own
OF_CALIBRATIONS = {
    **INTERVAL_ENDS,
    EXTRAPOLATES: "1 where the calibration extrapolates, 0 where it interpolates",
    "power": POWER,
}
# what is made of results by one of our own words
MADE = {**OF_CALIBRATIONS, "efficiency": VARIABLES["efficiency"].long_name}


def is_made(name: str, variable: xr.Variable) -> bool:
    """Tell whether a model made a variable, as its attributes say, or that it differs from model to model.

    Examples
    --------
    >>> import xarray as xr
    >>> listed, predicted = (xr.Variable((), 4.0, {"long_name": text}) for text in ("listed power", POWER))
    >>> is_made("power", predicted), is_made("power", listed)
    (True, False)
    """
    said = variable.attrs.get("long_name")
    if name in RESULTS:
        return said is not None
    if ASSUMPTIONS in variable.dims and (name in OF_CALIBRATIONS or "formula" in variable.attrs):
        return True
    return said is not None and said == MADE.get(name)


def without_results(cube: xr.Dataset) -> xr.Dataset:
    """Return the inputs that a cube was predicted from, and what was measured or added since.

    Own terms go where their formula names a result, or another term that goes.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.made import without_results
    >>> inputs = rc.inputs("mnist")
    >>> without_results(rc.predict(inputs)).identical(inputs.assign_attrs(rc.predict(inputs).attrs))
    True
    """
    made = [name for name, one in cube.variables.items() if name not in cube.dims and is_made(str(name), one)]
    if not made:
        return cube
    inputs = cube.drop_vars(_with_terms_of(cube, made))
    if LISTED in inputs and inputs[LISTED].attrs.get("long_name") == VARIABLES[LISTED].long_name:
        listed = inputs[LISTED].assign_attrs(long_name=VARIABLES["power"].long_name)
        if ASSUMPTIONS in listed.dims:  # merged with models that list none
            listed = listed.max(ASSUMPTIONS, keep_attrs=True)
        # watts that were given since win
        inputs = inputs.drop_vars(LISTED) if "power" in inputs else inputs.drop_vars(LISTED).assign(power=listed)
    if ASSUMPTIONS in inputs.coords and not any(ASSUMPTIONS in one.dims for one in inputs.data_vars.values()):
        inputs = inputs.drop_vars(ASSUMPTIONS)
    return inputs


def _with_terms_of(cube: xr.Dataset, made: list[Hashable]) -> list[Hashable]:
    """Add the variables whose formula names what was made, and those whose formula names them."""
    formulas = {
        name: _names_in(str(one.attrs["formula"]), cube)
        for name, one in cube.data_vars.items()
        if "formula" in one.attrs
    }
    found = [*made, *(term for term, names in formulas.items() if UNWRITTEN in names and term not in made)]
    for name in found:  # which grows on the way
        found += [term for term, names in formulas.items() if name in names and term not in found]
    return found


def _names_in(formula: str, cube: xr.Dataset) -> set[Any]:
    """Return the variables that a formula names as models write it; nothing where it is prose."""
    labels = str(cube.attrs.get("assumptions", "")).split("; ")
    parts = [part.partition(": ") for part in formula.split("; ")]
    if all(label in labels for label, _, _ in parts):  # each model's own
        return set().union(*(_names_in(one, cube) for _, _, one in parts))
    if UNWRITTEN.fullmatch(formula):
        return {UNWRITTEN}
    # names with blanks are no Python: each stands as one word
    words = {f"name_{place}": str(name) for place, name in enumerate(cube.variables) if not _is_word(str(name))}
    for word, name in sorted(words.items(), key=lambda one: -len(one[1])):
        formula = formula.replace(name, word) if name else formula
    try:
        tree = ast.parse(formula, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {words.get(one.id, one.id) for one in ast.walk(tree) if isinstance(one, ast.Name)}


def _is_word(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name)
