"""A thousand random ONNX graphs agree with the oracle; torn files are refused by name, never a crash of another kind."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

pytest.importorskip("onnx")

from onnx_oracle import check, random_model

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_random_graphs_agree_with_the_oracle(tmp_path, part):
    for seed in range(1000 + part, 2000 if FULL else 1020, 4):
        check(tmp_path / "random.onnx", seed)


@pytest.mark.soak
def test_shapes_are_those_that_onnx_publishes_for_its_operators():
    """Every example of the standard, operator by operator and written out, against its published results."""
    node = pytest.importorskip("onnx.backend.test.case.node")
    from roofcube.files.onnx.extent import Budget
    from roofcube.files.onnx.graph import Walk
    from roofcube.files.onnx.inputs import read_inputs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = node.collect_testcases(None)
    agreed = 0
    for case in cases[:: 1 if FULL else 20]:
        if case.model is None or case.model.functions or not case.data_sets:
            continue
        model = case.model
        try:
            given = read_inputs(model.graph, {}, 1, source=case.name)
        except InvalidDataError:
            continue
        walk = Walk({one.domain: one.version for one in model.opset_import}, ".", given.sizes, Budget.of(model.graph))
        scope = walk.graph(model.graph, given.tensors)
        for output, array in zip(model.graph.output, case.data_sets[0][1], strict=False):
            tensor = scope[output.name]
            # an empty dim is how old exporters wrote one that is not known
            if tensor.known and not tensor.data_dependent and isinstance(array, np.ndarray) and array.size:
                assert tensor.dims == array.shape, case.name
                agreed += 1
    assert agreed > (1200 if FULL else 40)


@pytest.mark.soak
def test_torn_files_are_refused_or_still_counted(tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "torn.onnx"
    refused = 0
    for _ in range(3000 if FULL else 60):
        content = bytearray(random_model(int(random.integers(500)))[0].SerializeToString())
        for place in random.integers(0, len(content), random.integers(1, 4)):
            content[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(content))
        try:
            rc.read_network(path)
        except InvalidDataError:
            refused += 1
    assert refused > 10
