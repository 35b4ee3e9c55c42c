"""Largest value with its first place along an axis, beside NumPy.

NumPy has no single call that skips NaN and gives both. Its fastest way here is `np.fmax.reduce`, a comparison and
`argmax` of the hits; `nanmax` and `nanargmax` one after the other take twice that.
"""

from __future__ import annotations

import numpy as np
import pytest

from roofcube.kernels.argbest.best_along import max_with_argmax


@pytest.fixture(scope="module")
def values(full):
    generator = np.random.default_rng(0)
    drawn = generator.random((10**6 if full else 2 * 10**4, 100), dtype=np.float32)
    drawn[generator.random(drawn.shape, dtype=np.float32) < 0.01] = np.nan
    return drawn


def numpys_fastest(values, axis):
    best = np.fmax.reduce(values, axis=axis, keepdims=True)
    return best.squeeze(axis), (values == best).argmax(axis=axis)


def nan_functions(values, axis):
    return np.nanmax(values, axis=axis), np.nanargmax(values, axis=axis)


@pytest.mark.parametrize(
    ("peer", "call", "at_least"),
    [("NumPy fmax, ==, argmax", numpys_fastest, "2.5"), ("NumPy nanmax, nanargmax", nan_functions, "2.5")],
)
def test_last_axis(values, peer, call, at_least, race):
    best, index = max_with_argmax(values)
    expected = call(values, -1)
    np.testing.assert_array_equal(best, expected[0])
    np.testing.assert_array_equal(index, expected[1])
    work = f"max with argmax, last axis, {values.size:.0e} f4 with NaN"
    race(work, lambda: max_with_argmax(values), peer, lambda: call(values, -1), at_least=at_least)


def test_first_axis(values, race):
    stacked = values.reshape(20, -1)
    expected = numpys_fastest(stacked, 0)
    np.testing.assert_array_equal(max_with_argmax(stacked, 0)[1], expected[1])
    race(
        f"max with argmax, first axis of 20, {values.size:.0e} f4 with NaN",
        lambda: max_with_argmax(stacked, 0),
        "NumPy fmax, ==, argmax",
        lambda: numpys_fastest(stacked, 0),
    )
