"""The table of variables and the only lists of labels."""

from __future__ import annotations

from typing import get_args

from roofcube.datasets import schema
from roofcube.labels import KEY_COLUMNS
from roofcube.vocabulary import CONFIGURATION, DIMS, ELEMENT_BYTES, PRECISIONS


def test_every_precision_of_the_tables_has_a_size():
    assert set(ELEMENT_BYTES) == set(get_args(schema.Precision))
    assert set(PRECISIONS) < set(ELEMENT_BYTES)


def test_a_configuration_and_its_batch_are_the_dims_of_ties():
    # or the one dim of what is offered in place of the three of the hardware
    assert sorted((*CONFIGURATION, "batch")) == sorted(set(DIMS) - {"offer"})
    assert [name.removesuffix("_percent") for name in KEY_COLUMNS] == [*CONFIGURATION, "batch"]
