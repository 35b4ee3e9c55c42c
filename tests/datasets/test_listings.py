"""What there is by name."""

from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import RoofcubeError


def test_platforms_of_all_collections_have_their_source():
    table = rc.platforms()
    assert table["source"].null_count() == 0
    assert set(rc.datasets.load_platforms()["platform"]) < set(table["platform"])
    assert not table.select("platform", "mode", "precision").drop_nulls().is_duplicated().any()


def test_networks_of_a_task():
    assert set(rc.networks("mnist")["topology"]) == {"MLP"}
    assert rc.networks().height > rc.networks("zoo").height > 1300
    with pytest.raises(RoofcubeError, match=r"`task`: .*'cifar11'"):
        rc.networks("cifar11")
