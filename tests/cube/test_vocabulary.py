"""The table of variables and the only lists of labels."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

import roofcube as rc
from roofcube.datasets import schema
from roofcube.errors import InvalidDataError
from roofcube.labels import KEY_COLUMNS
from roofcube.vocabulary import CONFIGURATION, DIMS, ELEMENT_BYTES, PRECISIONS, VARIABLES


def test_every_precision_of_the_tables_has_a_size():
    assert set(ELEMENT_BYTES) == set(get_args(schema.Precision))
    assert set(PRECISIONS) < set(ELEMENT_BYTES)


def test_a_configuration_and_its_batch_are_the_dims_of_ties():
    # or the one dim of what is offered in place of the three of the hardware
    assert sorted((*CONFIGURATION, "batch")) == sorted(set(DIMS) - {"offer"})
    assert [name.removesuffix("_percent") for name in KEY_COLUMNS] == [*CONFIGURATION, "batch"]


def test_variables_are_listed_of_all_cubes_and_of_one():
    known = rc.variables()
    assert known["variable"].to_list() == list(VARIABLES)
    assert set(known["better"]) == {"max", "min", ""}
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"]))
    cube = cube.assign(mine=("platform", [1.0, 2.0], {"units": "kg", "sense": "min"}))
    held = rc.variables(cube)
    assert held["variable"].to_list() == list(cube.variables)
    mine = held.row(by_predicate=pl.col("variable") == "mine", named=True)
    assert (mine["dims"], mine["units"], mine["better"], mine["meaning"]) == ("platform", "kg", "min", "")
    speed = held.row(by_predicate=pl.col("variable") == "predicted_throughput", named=True)
    assert (speed["units"], speed["better"]) == ("1/s", "max")
    for other in (rc.Sweep(rc.inputs("mnist")), "a.nc"):
        with pytest.raises(InvalidDataError, match=r"`cube`: expected a Dataset, got .* of a sweep give its `inputs`"):
            rc.variables(other)
