"""The examples run, and say what formulas by hand say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import roofcube as rc

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def serving():
    spec = importlib.util.spec_from_file_location("serving", EXAMPLES / "serving.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_serving_prints_fronts(serving, capsys):
    front = serving.main()
    told = capsys.readouterr().out
    assert "2,592 points" in told
    assert all(name in told for name in serving.LINKS)
    assert (front.token_latency <= 0.05).all()
    assert front.sizes["point"] > 3


def test_tokens_of_ranks_are_those_of_the_formula(serving):
    space = serving.space(serving.CONFIG, [8192], [1, 64], [1, 8])
    cube = rc.predict(space, assumptions=serving.with_links(rc.SERVING))
    name = "NVIDIA H100 SXM 80GB"
    point = cube.sel(platform=name, precision="FP16", chips=8, batch=64).squeeze()
    weights, cache = 2 * 70_553_706_496, 2 * 80 * 2 * 8 * 128 * 8192
    bandwidth = 8 * rc.inputs("imagenet", platforms=name).memory_bandwidth.item()
    seconds = (weights + 64 * cache) / bandwidth
    links = 64 * 2 * 80 * 8192 * 2 * 2 * 7 / 8 / serving.LINKS[name]
    assert point.tokens_per_s.item() == pytest.approx(64 / (seconds + links), rel=1e-9)
    # one chip cannot hold it
    assert np.isnan(cube.sel(platform=name, precision="FP16", chips=1, batch=1).tokens_per_s.item())
