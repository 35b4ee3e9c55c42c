"""Reduce an array of any layout with the compiled loops: lay out the result, share the work, choose the loop."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from roofcube.kernels.argbest.layout import MASK, MEMORY, SIZE, table_of, worst_of
from roofcube.kernels.argbest.loops import COLUMN_BLOCK, reducers
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["best_along"]

Best = tuple["NDArray[Any]", "NDArray[np.int64]"]


def best_along(
    array: NDArray[Any],
    axes: tuple[int, ...],
    mask: NDArray[np.bool_] | None,
    *,
    largest: bool,
    threads: int = 1,
    tuning: Tuning = TUNING,
) -> Best:
    """Reduce some axes, given in order; the result lies in memory as the array does."""
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        array = array.copy(order="K")
    allowed = np.broadcast_to(np.True_, array.shape) if mask is None else mask
    still = _still_axes(array, allowed, axes)
    own = [slice(0, 1) if axis in still else slice(None) for axis in range(array.ndim)]
    best, index = _over_axes(_cut(array, own), _cut(allowed, own), axes, largest, threads, tuning)
    if still:
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(array.shape))
        best, index = np.broadcast_to(best, shape).copy(), np.broadcast_to(index, shape).copy()
    return best.squeeze(axes).astype(array.dtype, copy=False), index.squeeze(axes)


def _cut(array: NDArray[Any], parts: Sequence[slice]) -> NDArray[Any]:
    """Take a slice of each axis; of an array without axes, itself as an array."""
    place: Any = (*parts, ...)
    part: NDArray[Any] = array[place]
    return part


def _turned(array: NDArray[Any], backward: Sequence[bool]) -> NDArray[Any]:
    """View some axes backwards."""
    return _cut(array, [slice(None, None, -1 if turn else 1) for turn in backward])


def _still_axes(array: NDArray[Any], mask: NDArray[np.bool_], axes: tuple[int, ...]) -> set[int]:
    """Find the axes that remain along which nothing changes: one line is reduced for all."""
    steps = zip(array.strides, mask.strides, strict=True)
    return {axis for axis, both in enumerate(steps) if axis not in axes and both == (0, 0) and array.shape[axis]}


def _over_axes(
    array: NDArray[Any], mask: NDArray[np.bool_], axes: tuple[int, ...], largest: bool, threads: int, tuning: Tuning
) -> Best:
    """Reduce, the axes kept with size 1; float16 becomes f4."""
    steps = _index_steps(array.shape, axes)
    best, index = _empty_result(array, axes)
    if not array.size:
        return best, index
    axis, parts = _shares(array, axes, threads if array.size >= tuning.best_shared_values else 1)
    if len(parts) == 1:
        _reduce(array, mask, best, index, steps, largest, tuning)
        return best, index
    results = [_empty_result(array, axes) if axis in axes else (best[part], index[part]) for part in parts]

    def run(number: int) -> None:
        part = parts[number]
        base = part[axis].start * steps[axis]
        _reduce(array[part], mask[part], *results[number], steps, largest, tuning, base)

    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(run, range(len(parts))))
    if axis not in axes:
        return best, index
    # parts of the first reduced axis are in order: of equal ones, the first part's is first
    bests, indices = (np.stack(each) for each in zip(*results, strict=True))
    best, first = _over_axes(bests, indices >= 0, (0,), largest, 1, tuning)
    return best[0], np.take_along_axis(indices, np.maximum(first, 0), 0)[0]


def _index_steps(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return how far the flat index moves along each axis."""
    steps, step = [0] * len(shape), 1
    for axis in reversed(axes):
        steps[axis] = step
        step *= shape[axis]
    return tuple(steps)


def _empty_result(array: NDArray[Any], axes: tuple[int, ...]) -> Best:
    """Allocate a result that lies in memory as the array does."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    shape = [1 if axis in axes else array.shape[axis] for axis in order]
    dtype = np.promote_types(array.dtype, np.float32) if array.dtype == np.float16 else array.dtype
    back = np.argsort(order)
    best = np.full(shape, np.nan if array.dtype.kind == "f" else 0, dtype).transpose(back)
    return best, np.full(shape, -1, np.int64).transpose(back)


def _shares(array: NDArray[Any], axes: tuple[int, ...], threads: int) -> tuple[int, list[tuple[slice, ...]]]:
    """Cut along an axis for the threads: one that remains if it is long enough, else the first that is reduced."""
    whole = (slice(None),) * array.ndim
    remain = [axis for axis in range(array.ndim) if axis not in axes and array.shape[axis] >= 2 * threads]
    if threads <= 1 or not (remain or axes):
        return -1, [whole]
    axis = max(remain, key=lambda axis: abs(array.strides[axis])) if remain else axes[0]
    count = min(threads, array.shape[axis])
    edges = [array.shape[axis] * share // count for share in range(count + 1)]
    parts = [(*whole[:axis], slice(*ends), *whole[axis + 1 :]) for ends in itertools.pairwise(edges)]
    return axis, parts


def _reduce(
    array: NDArray[Any],
    mask: NDArray[np.bool_],
    best: NDArray[Any],
    index: NDArray[np.int64],
    steps: tuple[int, ...],
    largest: bool,
    tuning: Tuning,
    base: int = 0,
) -> None:
    """Let the values compete with the best so far; `base` is the flat index of the first."""
    if array.dtype != best.dtype:
        if array.size <= tuning.best_widened_values:
            _walk(array.astype(best.dtype), mask, best, index, steps, largest, tuning, base)
            return
        axis = max(range(array.ndim), key=lambda axis: abs(array.strides[axis]) * (array.shape[axis] > 1))
        size = max(1, tuning.best_widened_values * array.shape[axis] // array.size)
        for start in range(0, array.shape[axis], size):
            part = (slice(None),) * axis + (slice(start, start + size),)
            own = part if best.shape[axis] > 1 else ()
            after = base + start * steps[axis]
            _reduce(array[part], mask[part], best[own], index[own], steps, largest, tuning, after)
    else:
        _walk(array, mask, best, index, steps, largest, tuning, base)


def _walk(
    array: NDArray[Any],
    mask: NDArray[np.bool_],
    best: NDArray[Any],
    index: NDArray[np.int64],
    steps: tuple[int, ...],
    largest: bool,
    tuning: Tuning,
    base: int,
) -> None:
    """Choose the loop that suits the layout."""
    if array.dtype == np.bool_:
        array, best = array.view(np.uint8), best.view(np.uint8)
    backward = [step < 0 and not reduced for step, reduced in zip(array.strides, steps, strict=True)]
    array, mask, best, index = (_turned(each, backward) for each in (array, mask, best, index))
    table = table_of(array, mask, index, steps, tuning.best_narrow)
    values, first = _flat_lines(array, writeable=False)
    allowed, first_allowed = _flat_lines(mask, writeable=False)
    target, first_target = _flat_lines(best, writeable=True)
    indices, _ = _flat_lines(index, writeable=True)
    position = np.array([first, first_allowed, first_target, base])
    walk = (table.axes, np.zeros(len(table.axes), np.int64), position)
    lines, along = table.axes[-2:]
    in_lines, in_contiguous_lines, in_columns = reducers(largest)
    if not table.in_rows:
        narrow = array.itemsize < 8 and lines[SIZE] < 2**31
        scratch = np.empty(COLUMN_BLOCK, array.dtype), np.empty(COLUMN_BLOCK, np.int32 if narrow else np.int64)
        worst = worst_of(array.dtype, largest=largest)
        in_columns(values, allowed, *walk, worst, *scratch, target, indices)
        return
    through = abs(lines[MEMORY]) < along[SIZE] * abs(along[MEMORY]) and lines[SIZE] > 1
    block = tuning.best_row_block if through else tuning.best_line_part
    if array.dtype == np.float32 and along[MEMORY] == 1 and along[MASK] == 0:
        in_contiguous_lines(values, values.view(np.int32), allowed, *walk, block, target, indices)
    else:
        in_lines(values, allowed, *walk, block, target, indices)


def _flat_lines(array: NDArray[Any], *, writeable: bool) -> tuple[NDArray[Any], int]:
    """View all memory that an array spans as one axis; tell where in it the array begins."""
    spans = [step // array.itemsize * (size - 1) for step, size in zip(array.strides, array.shape, strict=True)]
    forward = _turned(array, [span < 0 for span in spans])
    start = -sum(span for span in spans if span < 0)
    # to numba, read-only is part of a type: one type for values however they are given
    flat = as_strided(forward, (sum(map(abs, spans)) + 1,), (array.itemsize,), writeable=writeable)
    return flat, start
