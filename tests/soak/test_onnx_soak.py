"""A thousand random ONNX graphs agree with the oracle; torn files are refused by name, never a crash of another kind."""

from __future__ import annotations

import os

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
