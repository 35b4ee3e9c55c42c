"""Largest and smallest values and their first places equal a plain loop, whatever the axis, dtype and NaN."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from roofcube.errors import InvalidDataError
from roofcube.kernels.argbest import best_along, compiled
from roofcube.kernels.argbest.best_along import (
    max_with_argmax,
    max_with_argmax_numpy,
    min_with_argmin,
    min_with_argmin_numpy,
)

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, -7.25, 1e-40, -1e-40, 3e38, np.inf, -np.inf, np.nan, -np.nan])


@st.composite
def arrays(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))
    array = draw(hnp.arrays(draw(st.sampled_from(["f4", "f8"])), shape, elements=VALUES.map(np.float32).map(float)))
    return array.transpose(draw(st.permutations(range(len(shape))))), draw(st.integers(-len(shape), len(shape) - 1))


def first_best(line, better):
    """Walk along one line; NaN never wins."""
    value, place = np.nan, -1
    for index, candidate in enumerate(line):
        if not np.isnan(candidate) and (place < 0 or better(candidate, value)):
            value, place = candidate, index
    return value, place


@given(arrays(), st.sampled_from([1, 2]))
@settings(max_examples=300, deadline=None)
def test_equal_to_a_walk_along_each_line(given_array, threads):
    array, axis = given_array
    lines = np.moveaxis(array, axis, -1)
    cases = [
        (max_with_argmax, max_with_argmax_numpy, np.greater),
        (min_with_argmin, min_with_argmin_numpy, np.less),
    ]
    for fast, twin, better in cases:
        found = [first_best(line, better) for line in lines.reshape(-1, array.shape[axis])] if lines.size else []
        shape = lines.shape[:-1]
        expected = (
            np.array([value for value, _ in found], array.dtype).reshape(shape) if found else np.full(shape, np.nan)
        )
        places = np.array([place for _, place in found], int).reshape(shape) if found else np.full(shape, -1)
        for best, index in (fast(array, axis, threads=threads), twin(array, axis)):
            assert best.dtype == array.dtype
            assert index.dtype == np.int64
            np.testing.assert_array_equal(best, expected)
            np.testing.assert_array_equal(index, places)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(3, 5000), (5000, 3), (7, 1500, 11), (40, 1024), (2, 3, 1025), (300_000, 7)])
def test_long_lines_in_blocks_and_threads(shape, dtype):
    generator = np.random.default_rng(1)
    array = np.floor(generator.normal(size=shape) * 20).astype(dtype)
    array[generator.random(shape) < 0.3] = np.nan
    for axis in range(len(shape)):
        for fast, twin in ((max_with_argmax, max_with_argmax_numpy), (min_with_argmin, min_with_argmin_numpy)):
            expected = twin(array, axis)
            for threads in (1, 2):
                found = fast(array, axis, threads=threads)
                np.testing.assert_array_equal(found[0], expected[0])
                np.testing.assert_array_equal(found[1], expected[1])


def test_two_threads_at_once():
    array = np.random.default_rng(0).random((2000, 300))
    expected = max_with_argmax(array)
    with ThreadPoolExecutor(2) as pool:
        for best, index in pool.map(max_with_argmax, [array] * 8):
            np.testing.assert_array_equal(best, expected[0])
            np.testing.assert_array_equal(index, expected[1])


def test_integers_are_taken():
    best, index = max_with_argmax(np.array([[1, 5], [7, 2]]), 0)
    assert (best.tolist(), index.tolist(), best.dtype) == ([7.0, 5.0], [1, 0], np.dtype("f8"))


def test_numba_is_loaded_only_for_many_values():
    probe = (
        "import sys, numpy as np\n"
        "from roofcube.kernels.argbest.best_along import max_with_argmax\n"
        "max_with_argmax(np.ones((100, 100)))\n"
        "print('numba' in sys.modules)\n"
        "max_with_argmax(np.ones((2000, 1000)))\n"
        "print('numba' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert compiled.__name__ == best_along.COMPILED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: max_with_argmax(["a"]), "`values`: expected numbers, got dtype <U1"),
        (lambda: min_with_argmin([1.0], axis=1), "`axis`: expected one of 1 axes, got 1"),
        (lambda: max_with_argmax_numpy(3.0), "`axis`: expected one of 0 axes, got -1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()
