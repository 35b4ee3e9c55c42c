"""Best values and their first places equal a plain loop, whatever the axes, layout, dtype, NaN and mask."""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from roofcube.errors import InvalidDataError
from roofcube.kernels.argbest import best_along as public
from roofcube.kernels.argbest import compiled, loops
from roofcube.kernels.argbest.best_along import best_along
from roofcube.kernels.tuning import Tuning

FLOATS = [0.0, -0.0, 1.0, -1.0, 2.5, -7.25, 6e-5, -6e-5, 6e4, np.inf, -np.inf, np.nan, -np.nan]
DTYPES = ["f2", "f4", "f8", ">f4", "i4", "i8", "u8", "?"]


def values_of(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return st.sampled_from(FLOATS).map(np.float16).map(float)
    if dtype.kind == "b":
        return st.booleans()
    limits = np.iinfo(dtype)
    return st.sampled_from([limits.min, limits.max, limits.max - 1, 0, 1])  # the last two: one apart beyond 2⁵³


@st.composite
def views(draw):
    """Draw an array that lies in memory in any way: transposed, cut, reversed, broadcast, a field of a record."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    dtype = draw(st.sampled_from(DTYPES))
    array = draw(hnp.arrays(dtype, shape, elements=values_of(dtype)))
    if draw(st.booleans()):
        records = np.zeros(shape, [("before", "u1" if draw(st.booleans()) else dtype), ("value", dtype)])
        records["value"] = array
        array = records["value"]
    array = array.transpose(draw(st.permutations(range(len(shape)))))
    steps = st.sampled_from([slice(None), slice(None, None, -1), slice(None, None, 2), slice(1, None)])
    array = array[tuple(draw(steps) for _ in shape)] if shape else array
    if draw(st.booleans()):
        position = draw(st.integers(0, array.ndim))
        array = np.broadcast_to(np.expand_dims(array, position), (*array.shape[:position], 3, *array.shape[position:]))
    return array


@st.composite
def questions(draw):
    array = draw(views())
    axes = draw(st.sets(st.integers(0, array.ndim - 1))) if array.ndim else set()
    signed = [axis - array.ndim * draw(st.booleans()) for axis in draw(st.permutations(sorted(axes)))]
    axis = signed[0] if len(signed) == 1 and draw(st.booleans()) else tuple(signed)
    mask = None
    if draw(st.booleans()):
        sides = [size if draw(st.booleans()) else 1 for size in array.shape[draw(st.integers(0, array.ndim)) :]]
        mask = draw(hnp.arrays("?", tuple(sides)))
    return array, axis, mask


def walk(array, axis, mask, sense):
    """Go through every value in order; NaN and what the mask leaves out never win."""
    axes = sorted(one % array.ndim for one in (axis if isinstance(axis, tuple) else (axis,)))
    remaining = [one for one in range(array.ndim) if one not in axes]
    shape = tuple(array.shape[one] for one in remaining)
    best = np.full(shape, np.nan if array.dtype.kind == "f" else 0, array.dtype.newbyteorder("="))
    index = np.full(shape, -1)
    allowed = np.broadcast_to(True if mask is None else mask, array.shape)
    for target in np.ndindex(shape):
        for number, reduced in enumerate(itertools.product(*(range(array.shape[one]) for one in axes))):
            where = [0] * array.ndim
            for one, value in (*zip(remaining, target, strict=True), *zip(axes, reduced, strict=True)):
                where[one] = value
            value = array[tuple(where)]
            if not allowed[tuple(where)] or value != value:
                continue
            if index[target] < 0 or (value > best[target] if sense == "max" else value < best[target]):
                best[target], index[target] = value, number
    return best, index


def check_equal(found, expected):
    for part, right in zip(found, expected, strict=True):
        assert part.dtype == right.dtype
        assert part.shape == right.shape
        np.testing.assert_array_equal(part, right)


@given(questions(), st.sampled_from(["max", "min"]))
@settings(max_examples=200, deadline=None)
def test_equal_to_a_walk(question, sense):
    array, axis, mask = question
    expected = walk(array, axis, mask, sense)
    axes = tuple(sorted(one % array.ndim for one in (axis if isinstance(axis, tuple) else (axis,))))
    found = best_along(array, axis, sense=sense, mask=mask)
    check_equal(found, expected)
    fitted = None if mask is None else np.broadcast_to(mask, array.shape)
    numbers = public._as_comparable(array)
    check_equal(public._numpy_best(numbers, axes, fitted, largest=sense == "max"), expected)
    found = compiled.best_along(numbers, axes, fitted, largest=sense == "max")
    check_equal(found, expected)
    assert found[1].flags.writeable


@given(questions(), st.sampled_from(["max", "min"]), st.sampled_from([2, 3]))
@settings(max_examples=150, deadline=None)
def test_shared_and_cut_small_the_answer_is_the_same(question, sense, threads):
    array, axis, mask = question
    array = public._as_comparable(array)
    axes = tuple(sorted(one % array.ndim for one in (axis if isinstance(axis, tuple) else (axis,))))
    fitted = None if mask is None else np.broadcast_to(mask, array.shape)
    expected = public._numpy_best(array, axes, fitted, largest=sense == "max")
    tuning = Tuning(best_shared_values=0, best_widened_values=3, best_row_block=2, best_line_part=3, best_narrow=2)
    found = compiled.best_along(array, axes, fitted, largest=sense == "max", threads=threads, tuning=tuning)
    check_equal(found, expected)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4"])
@pytest.mark.parametrize("shape", [(3, 5000), (5000, 3), (7, 1500, 11), (2, 3, 1025), (6, 5, 20, 9, 41)])
def test_long_lines_and_wide_columns(shape, dtype):
    generator = np.random.default_rng(1)
    array = np.floor(generator.normal(size=shape) * 20).astype(dtype)
    if array.dtype.kind == "f":
        array[generator.random(shape) < 0.3] = np.nan
    axes = range(len(shape))
    for order in itertools.islice(itertools.permutations(axes), 0, None, 5):
        view = array.transpose(order)
        for reduced in itertools.chain.from_iterable(itertools.combinations(axes, count) for count in axes[:4]):
            expected = public._numpy_best(view, reduced, None, largest=True)
            check_equal(best_along(view, reduced, threads=2), expected)
            check_equal(compiled.best_along(view, reduced, None, largest=True), expected)
    assert loops.COLUMN_BLOCK < 1025


def test_two_threads_at_once():
    array = np.random.default_rng(0).random((2000, 300))
    expected = best_along(array)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(best_along, [array] * 8):
            check_equal(found, expected)


def test_a_large_array_is_not_copied():
    array = np.zeros((300, 200, 100), "f4").transpose(1, 2, 0)[:, ::-1]
    array[5, 6, 7] = 1.0
    best, index = compiled.best_along(array, (0, 1, 2), None, largest=True)
    assert (best.item(), index.item()) == (1.0, np.ravel_multi_index((5, 6, 7), array.shape))


def test_numba_is_loaded_only_for_many_values():
    probe = (
        "import sys, numpy as np\n"
        "from roofcube.kernels.argbest.best_along import best_along\n"
        "best_along(np.ones((100, 100)))\n"
        "print('numba' in sys.modules)\n"
        "best_along(np.ones((2000, 1000)))\n"
        "print('numba' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert compiled.__name__ == public.COMPILED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_along(["a"]), "`values`: expected numbers, got dtype <U1"),
        (lambda: best_along([1.0], axis=1), "`axis`: expected some of 1 axes, got 1"),
        (lambda: best_along(3.0), "`axis`: expected some of 0 axes, got -1"),
        (lambda: best_along([[1.0]], axis=(0, -2)), r"`axis`: expected different axes, got \(0, -2\)"),
        (lambda: best_along([1.0], sense="most"), "`sense`: expected one of 'max', 'min', got 'most'"),
        (lambda: best_along([1.0], mask=[1]), r"`mask`: expected bool that fits \(1,\), got int64 of shape \(1,\)"),
        (lambda: best_along([1.0], mask=[[True], [True]]), r"`mask`: expected bool that fits \(1,\), got bool"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()
