"""The best value with its first place along any axes, beside NumPy: by the labelled call, and by the kernel alone.

NumPy has no call that skips NaN and gives both, and none of several axes at once: `nanmax` and `nanargmax` go over the
array laid out with those axes last. Its fastest way along one axis is `np.fmax.reduce`, a comparison and `argmax`.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.kernels.argbest.best_along import best_along

DIMS = ("platform", "topology", "pruning", "precision", "batch")
REMAIN = {
    "nothing": (),
    "first dim": ("platform",),
    "first two dims": ("platform", "topology"),
    "last dim": ("batch",),
    "last two dims": ("precision", "batch"),
    "every other dim": ("platform", "pruning", "batch"),
    "middle dim": ("pruning",),
}


def with_gaps(shape):
    generator = np.random.default_rng(0)
    values = generator.random(shape, dtype=np.float32)
    values[generator.random(shape, dtype=np.float32) < 0.01] = np.nan
    return values


@pytest.fixture(scope="module")
def cube(full):
    values = with_gaps((10, 20, 50, 100, 100) if full else (3, 4, 5, 6, 7))
    coords = {dim: np.arange(size) for dim, size in zip(DIMS, values.shape, strict=True)}
    return xr.Dataset({"value": (DIMS, values)}, coords)


@pytest.fixture(scope="module")
def values(full):
    return with_gaps((10**6 if full else 2 * 10**4, 100))


def nan_functions(values, remaining):
    """Give the largest values and their places in the other axes, flattened."""
    reduced = [axis for axis in range(values.ndim) if axis not in remaining]
    lines = values.transpose(*remaining, *reduced).reshape(*(values.shape[axis] for axis in remaining), -1)
    return np.nanmax(lines, axis=-1), np.nanargmax(lines, axis=-1)


def numpys_fastest(values, axis):
    best = np.fmax.reduce(values, axis=axis, keepdims=True)
    return best.squeeze(axis), (values == best).argmax(axis=axis)


@pytest.mark.parametrize("remain", REMAIN)
@pytest.mark.parametrize("turned", [False, True], ids=["in order", "transposed"])
def test_labelled_call(remain, turned, cube, race):
    per = REMAIN[remain]
    asked = cube.transpose(*reversed(DIMS)) if turned else cube
    values = asked["value"].values
    winner = rc.best(asked, "value", per=per, sense="max")
    expected, _ = nan_functions(values, [asked["value"].dims.index(dim) for dim in per])
    np.testing.assert_array_equal(winner["value"].transpose(*per).values, expected)
    work = f"best of {values.size:.0e} f4 with NaN, per {remain}{', transposed' if turned else ''}"
    remaining = [asked["value"].dims.index(dim) for dim in per]
    race(
        work,
        lambda: rc.best(asked, "value", per=per, sense="max"),
        "NumPy nanmax, nanargmax",
        lambda: nan_functions(values, remaining),
        rounds=3,
        at_least="2.5",
    )


@pytest.mark.parametrize(
    ("axis", "peer", "call"),
    [
        (1, "NumPy fmax, ==, argmax", lambda values: numpys_fastest(values, 1)),
        (1, "NumPy nanmax, nanargmax", lambda values: nan_functions(values, [0])),
        (0, "NumPy fmax, ==, argmax", lambda values: numpys_fastest(values, 0)),
    ],
)
def test_kernel_along_one_axis(axis, peer, call, values, race):
    # 20 long rows for the first axis, a million short ones for the last
    laid = values if axis else values.reshape(20, -1)
    for found, expected in zip(best_along(laid, axis), call(laid), strict=True):
        np.testing.assert_array_equal(found, expected)
    work = f"best_along the {'last' if axis else 'first'} axis, {values.size:.0e} f4 with NaN"
    race(work, lambda: best_along(laid, axis), peer, lambda: call(laid), at_least="2.5" if axis else "")


def test_memory_speed(values, race):
    laid = values.ravel()
    best_along(laid)
    race(
        f"best_along all of {values.size:.0e} f4 with NaN",
        lambda: best_along(laid),
        "reading it (integer max)",
        lambda: laid.view(np.int32).max(),
        at_least="0.5",
    )
