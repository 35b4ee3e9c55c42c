"""Predictions at the end of their intervals that promises less: what a choice by prediction is judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofcube.sweep.answers.probability import SCALES
from roofcube.vocabulary import sense_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["EXPECTED", "at_low_ends", "has_intervals"]

EXPECTED = "_expected"
ENDS = {"max": "_low", "min": "_high"}
THROUGHPUT = "predicted_throughput"


def has_intervals(cube: xr.Dataset) -> bool:
    """Check whether a cube holds intervals of its predictions."""
    return bool(_with_intervals(cube))


def at_low_ends(cube: xr.Dataset) -> xr.Dataset:
    """Put the pessimistic end of its interval in the place of each prediction.

    Parameters
    ----------
    cube : Dataset
        With ``<name>_low`` and ``<name>_high`` beside predictions, as a calibration gives them; others come back as
        they are.

    Returns
    -------
    Dataset
        The low end of what should be large, the high end of what should be small; the prediction itself is kept as
        ``<name>_expected``. Latency and energy, which have no interval of their own, move with throughput. Where an
        interval is not known the prediction stays.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.sweep.low_ends import at_low_ends
    >>> rows = rc.datasets.load_measurements("mnist")
    >>> cube = rc.predict(rc.inputs("mnist", platforms="NCS2"), assumptions=rc.calibrate(rows))
    >>> careful = at_low_ends(cube)
    >>> bool((careful.predicted_throughput <= careful.predicted_throughput_expected).any())
    True
    """
    moved: dict[str, xr.DataArray] = {}
    for name, end in _with_intervals(cube).items():
        expected = cube[name]
        # cubes of before have ends where nothing can run
        pessimistic = cube[end].fillna(expected).where(expected.notnull())
        moved[f"{name}{EXPECTED}"] = expected
        moved[name] = pessimistic.assign_attrs(expected.attrs)
        if name != THROUGHPUT:
            continue
        for other, power in SCALES.items():
            if other != name and other in cube and f"{other}{ENDS['min']}" not in cube:
                moved[f"{other}{EXPECTED}"] = cube[other]
                moved[other] = (cube[other] * (pessimistic / expected) ** power).assign_attrs(cube[other].attrs)
    return cube.assign(moved) if moved else cube


def _with_intervals(cube: xr.Dataset) -> dict[str, str]:
    """Name the variables with both ends of an interval somewhere, and the end that promises less."""
    found = {}
    for name in map(str, cube.data_vars):
        sense = sense_of(name, cube[name].attrs)
        if sense in ENDS and all(_has_value(cube, f"{name}{end}") for end in ENDS.values()):
            found[name] = f"{name}{ENDS[sense]}"
    return found


def _has_value(cube: xr.Dataset, name: str) -> bool:
    """Check whether a cube knows a value of a variable: of several models, one without intervals knows no end."""
    return name in cube and bool(cube[name].notnull().any())
