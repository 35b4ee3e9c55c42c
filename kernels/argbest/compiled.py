"""Compiled reductions by integer keys: vector units reduce integers, but not floats with NaN, in any order."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["best_along"]

ROW_BLOCK = 1024  # the part of a row that is looked at twice stays in the first-level cache
COLUMN_BLOCK = 512
SHARED = 1_000_000  # elements below which threads cost more than they gain


def best_along(blocks: NDArray[Any], sign: int, threads: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Reduce the middle axis of a contiguous array of three: the largest value, or with sign -1 the smallest."""
    outer, length, inner = blocks.shape
    best = np.full((outer, inner), np.nan, blocks.dtype)
    index = np.full((outer, inner), -1, np.int64)
    if blocks.size == 0:
        return best, index
    integer = np.int32 if blocks.dtype == np.float32 else np.int64
    at_once, in_parts, best_in_columns = reducers(integer)
    best_in_rows = at_once if integer is np.int32 and length < 2**32 else in_parts
    reverse = integer(0 if sign > 0 else -1)

    def part(first: int, last: int) -> None:
        own = blocks[first:last]
        if inner == 1:
            best_in_rows(own.view(integer)[:, :, 0], reverse, index[first:last, 0])
        else:
            best_in_columns(own.view(integer), reverse, index[first:last])
        pick(own, index[first:last], best[first:last])

    if threads <= 1 or blocks.size < SHARED or outer < threads:
        part(0, outer)
        return best, index
    edges = [outer * share // threads for share in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, edges[:-1], edges[1:]))
    return best, index


@functools.cache
def reducers(integer: Any) -> tuple[Any, Any, Any]:
    """Make the kernels for one width; every step is cast back to it, as numba widens 32-bit arithmetic to 64."""
    digits = np.iinfo(integer).bits - 1
    magnitude = integer(np.iinfo(integer).max)
    least = integer(np.iinfo(integer).min)
    infinity = np.float32(np.inf).view(np.int32) if integer is np.int32 else np.float64(np.inf).view(np.int64)

    @jit
    def ordered(bits: Any, reverse: Any) -> Any:
        """Map a float's bits to an integer in the same order, or the reverse; NaN to the least, -0.0 to 0.0."""
        key = integer(bits ^ integer(integer(bits >> digits) & magnitude))
        key = integer(0) if bits == least else key
        key = integer(key ^ reverse)
        return least if integer(bits & magnitude) > infinity else key

    @jit
    def first_with_key(part: Any, wanted: Any, reverse: Any) -> Any:
        first = np.int32(ROW_BLOCK)
        for position in range(len(part)):
            here = np.int32(position) if ordered(part[position], reverse) == wanted else np.int32(ROW_BLOCK)
            first = here if here < first else first
        return first

    @jit
    def best_in_rows(rows: Any, reverse: Any, index: Any) -> None:
        for number in range(len(rows)):
            row = rows[number]
            best = least
            place = -1
            for start in range(0, len(row), ROW_BLOCK):
                part = row[start : start + ROW_BLOCK]
                most = least
                for position in range(len(part)):
                    key = ordered(part[position], reverse)
                    most = key if key > most else most
                if most > best:
                    best = most
                    place = start + first_with_key(part, most, reverse)
            index[number] = place

    @jit
    def best_in_rows_at_once(rows: Any, reverse: Any, index: Any) -> None:
        # Key and place in one word: on rows of 100 a second look for the place doubles the time.
        for number in range(len(rows)):
            row = rows[number]
            best = np.int64(least) << 32
            for position in range(len(row)):
                word = (np.int64(ordered(row[position], reverse)) << 32) | (np.int64(0xFFFFFFFF) - position)
                best = word if word > best else best
            found = (best >> 32) > np.int64(least)
            index[number] = np.int64(0xFFFFFFFF) - (best & np.int64(0xFFFFFFFF)) if found else -1

    @jit
    def best_in_columns(bits: Any, reverse: Any, index: Any) -> None:
        outer, length, inner = bits.shape
        best = np.empty(COLUMN_BLOCK, bits.dtype)
        place = np.empty(COLUMN_BLOCK, np.int32)
        for block in range(outer):
            for start in range(0, inner, COLUMN_BLOCK):
                size = min(COLUMN_BLOCK, inner - start)
                best[:] = least
                place[:] = -1
                for step in range(length):
                    row = bits[block, step, start : start + size]
                    for column in range(size):
                        key = ordered(row[column], reverse)
                        better = key > best[column]
                        best[column] = key if better else best[column]
                        place[column] = np.int32(step) if better else place[column]
                index[block, start : start + size] = place[:size]

    return best_in_rows_at_once, best_in_rows, best_in_columns


@jit
def pick(blocks: Any, index: Any, best: Any) -> None:
    """Copy the values at the indices found; leave the others as they are."""
    for block in range(index.shape[0]):
        for column in range(index.shape[1]):
            place = index[block, column]
            if place >= 0:
                best[block, column] = blocks[block, place, column]
