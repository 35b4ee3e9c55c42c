"""Many labels of the leading dim asked for at once: the same answers as one by one."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc


def bare(answer: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """The values and the labels that `like` has too, without attributes."""
    return answer.drop_vars(["platform", *(set(answer.coords) - set(like.coords))], errors="ignore").drop_attrs()


@pytest.mark.parametrize(
    ("objective", "where"),
    [
        ("measured_throughput", {"top1": (70, None)}),
        ("predicted_latency", {"precision": ["INT8", "FP16"]}),
        ("measured_throughput", {"platform": ["TX2", "NCS2", "EdgeTPU"]}),
        ("predicted_throughput", {"top1": (99, None)}),
        ("predicted_throughput", None),
    ],
)
def test_winners_are_those_of_single_questions(objective, where):
    cube = rc.as_offered(rc.benchmark("imagenet"))
    for source in (cube, rc.Sweep(rc.inputs("imagenet", layout="offered"))) if where is None else (cube,):
        together = rc.best(source, objective, per="platform", where=where)
        for label in together["platform"].values.tolist():
            alone = rc.best(source, objective, where={**(where or {}), "platform": label})
            of_many = together.sel(platform=label)[list(alone.data_vars)]
            xr.testing.assert_identical(bare(of_many, alone), bare(alone, alone))


@pytest.mark.parametrize(
    ("values", "sense"),
    [
        (np.array([np.nan, np.inf, np.nan, 1, 1, 1, 1, 1, 1]), "min"),
        (np.array([np.nan, -np.inf, np.nan, 1, 1, 1, 1, 1, 1]), "max"),
        (np.array([2**60 + 1, 2**60, 5, 1, 1, 1, 1, 1, 1]), "min"),
        (np.array([190, 200, 0, 1, 1, 1, 1, 1, 1], "M8[ns]") + np.timedelta64(10**18, "ns"), "max"),
    ],
)
def test_winners_of_many_labels_are_compared_as_they_are_stored(values, sense):
    own = [f"g{number}" for number in (0, 0, 1, 2, 3, 4, 5, 6, 7)]
    names = [f"p{number}" for number in range(9)]
    cube = xr.Dataset({"t": ("platform", values)}, coords={"platform": names, "g": ("platform", own)})
    together = rc.best(cube, "t", per="g", sense=sense)
    for label in together["g"].values.tolist():
        alone = rc.best(cube, "t", where={"g": label}, sense=sense)
        of_many = together.sel(g=label)
        for name in ("t", "found", "platform"):
            xr.testing.assert_equal(of_many[name].variable, alone[name].variable)
