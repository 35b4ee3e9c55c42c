"""What models made of inputs: results, intervals, own terms; left out, so that they stand beside no other model's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from roofcube.labels import ASSUMPTIONS
from roofcube.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

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
UNWRITTEN = re.compile(r"a formula of \d+ parts, sha256 ")
POWER = "predicted power under load"
SIDE_BY_SIDE = "power, predicted by a calibration, listed beside it"
# what only a calibration makes, by the words that tell it from a variable of the user's own
OF_CALIBRATIONS = {
    **INTERVAL_ENDS,
    EXTRAPOLATES: "1 where the calibration extrapolates, 0 where it interpolates",
    "power": POWER,
}


def is_made(name: str, attrs: Mapping[Any, Any]) -> bool:
    """Tell whether a model made a variable, as its attributes say.

    Examples
    --------
    >>> is_made("power", {"long_name": "predicted power under load"}), is_made("power", {"units": "W"})
    (True, False)
    """
    if name in RESULTS:
        return "long_name" in attrs
    said = attrs.get("long_name")
    return (name in OF_CALIBRATIONS and said == OF_CALIBRATIONS[name]) or (name == "power" and said == SIDE_BY_SIDE)


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
    made = [name for name, one in cube.variables.items() if name not in cube.coords and is_made(str(name), one.attrs)]
    if not made:
        return cube
    inputs = cube.drop_vars(_with_terms_of(cube, made))
    if "power" in made and LISTED in inputs and inputs[LISTED].attrs.get("long_name") == VARIABLES[LISTED].long_name:
        listed = inputs[LISTED]
        inputs = inputs.drop_vars(LISTED).assign(power=listed.assign_attrs(long_name=VARIABLES["power"].long_name))
    if ASSUMPTIONS in inputs.coords and not any(ASSUMPTIONS in one.dims for one in inputs.data_vars.values()):
        inputs = inputs.drop_vars(ASSUMPTIONS)
    return inputs


def _with_terms_of(cube: xr.Dataset, made: list[Hashable]) -> list[Hashable]:
    """Add the variables whose formula names what was made, and those whose formula names them."""
    formulas = {name: str(one.attrs["formula"]) for name, one in cube.data_vars.items() if "formula" in one.attrs}
    # a formula too long to be written names nothing; models wrote it
    found = [*made, *(term for term, formula in formulas.items() if UNWRITTEN.match(formula))]
    for name in found:  # which grows on the way
        word = re.compile(rf"(?<!\w){re.escape(str(name))}(?!\w)")
        found += [term for term, formula in formulas.items() if term not in found and word.search(formula)]
    return found
