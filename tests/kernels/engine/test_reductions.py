from __future__ import annotations

import pickle

import numpy as np
import pytest

from roofcube.kernels.engine.reductions import REDUCTIONS
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, Query, ask

ARGUMENTS = {
    "best": (),
    "count": ("flag", (0.0, 1.0)),
    "histogram": ("v", np.array([0.0, 5.0, 9.0, 40.0], dtype="f4")),
    "top": (7,),
    "front": (),
    "members": (np.array([[-40.0, 4.0], [0.0, 0.0]], dtype="f4"),),
}


def query_of(name: str) -> Query:
    tables = {"x": np.arange(5.0).reshape(5, 1), "y": np.array([9.0, 0.0, 4.0, 4.0, 10.0]).repeat(20).reshape(1, 100)}
    outputs = {"v": leaf("x") * leaf("y"), "flag": leaf("x") > leaf("y"), "x": leaf("x")}
    objectives = [("v", 1), ("x", -1)][: 2 if name in ("front", "members") else 1]
    per = ["a"] if REDUCTIONS[name].grouped else []
    space = Space(("a", "b"), (5, 100), tables)
    return ask(space, outputs, objectives=objectives, limits=[Limit("v", None, 40.0)], per=per, also=["flag"], points=1)


def fields(part: object) -> dict[str, np.ndarray]:
    return {name: value for name, value in vars(part).items() if isinstance(value, np.ndarray)}


def test_every_reduction_is_tried():
    assert list(REDUCTIONS) == list(ARGUMENTS)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_generated_kernels_and_tiles_give_the_same_partial(name):
    query = query_of(name)
    generated, tiles = (visit(REDUCTIONS[name], query, *ARGUMENTS[name], compiled=one) for one in (True, False))
    assert isinstance(tiles, REDUCTIONS[name].partial)
    assert fields(tiles)
    for field, values in fields(tiles).items():
        np.testing.assert_array_equal(fields(generated)[field], values, err_msg=field)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_partial_can_be_started_in_another_process(name):
    query = query_of(name)
    start = REDUCTIONS[name].starter(query, *ARGUMENTS[name])
    part = pickle.loads(pickle.dumps(start))(range(query.n_groups))
    assert isinstance(part, REDUCTIONS[name].partial)
    for field, values in fields(start(range(query.n_groups))).items():
        np.testing.assert_array_equal(fields(part)[field], values, err_msg=field)


def test_the_last_kernel_prepared_is_found_again():
    query = query_of("histogram")
    edges = ARGUMENTS["histogram"][1]
    rows = REDUCTIONS["histogram"].rows(query, "v", edges)
    assert REDUCTIONS["histogram"].rows(query, "v", edges.copy()) is rows
    assert REDUCTIONS["histogram"].rows(query, "v", edges + 1) is not rows
