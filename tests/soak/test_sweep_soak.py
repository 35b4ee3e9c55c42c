"""Ten thousand random spaces against brute force; a short sample runs in the ordinary tests of `tests/cube`."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

SPACES = int(os.environ.get("ROOFCUBE_SOAK_SPACES", "10000" if os.environ.get("ROOFCUBE_SOAK") else "20"))


def _load(name: str):
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "cube" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle = _load("sweep_oracle")


@pytest.mark.soak
@pytest.mark.parametrize("strategy", ["auto", "bounds", "numpy"])
def test_every_reduction_equals_brute_force(strategy):
    for seed in range(SPACES):
        oracle.check(seed, strategy, most=10_000 if seed % 10 == 0 else 1000)


@pytest.mark.soak
def test_generated_kernels_equal_brute_force(monkeypatch):
    from roofcube.kernels import scans

    monkeypatch.setattr(scans, "LEAST_ROW", 1)
    for seed in range(SPACES // 50):
        oracle.check(10**6 + seed, "stream", most=2000)
