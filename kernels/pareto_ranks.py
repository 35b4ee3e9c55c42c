"""Turn objectives into unique integer ranks, so that the exact algorithms meet no ties, infinities or dtypes.

If p dominates q, every rank of p is less than q's; if every rank of p is less than q's, p dominates q. Ties within an
objective are broken by one order of all points in which no point precedes one that dominates it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["sorted_order", "unique_ranks"]

LONGEST_RUN = 48  # keys that agree in 32 bits are put right by insertion; longer runs are sorted by NumPy instead
SIGN = np.uint64(1 << 63)
SIGN_OF_F4 = np.uint32(1 << 31)


def sorted_order(column: NDArray[Any]) -> NDArray[np.uint32]:
    """Sort the indices of a column without NaN; much faster than `argsort`, as one word holds both key and index.

    Measured on 10⁶ and 10⁷ f8: 9 and 130 ms, `np.argsort` 18 and 566.
    """
    packed = np.empty(len(column), np.uint64)
    if column.dtype == np.float32:
        pack_f4(column.view(np.uint32), packed)
        packed.sort()
        order = np.empty(len(column), np.uint32)
        unpack(packed, order)
        return order
    pack_f8(column.view(np.uint64), packed)
    packed.sort()
    order = np.empty(len(column), np.uint32)
    if unpack_runs(packed, column, order):
        return order
    return np.argsort(column, kind="stable").astype(np.uint32)


@jit
def ordered_f8(bits: Any) -> Any:
    """Map the bits of a number to an integer in the same order; -0.0 and 0.0 map to the same."""
    if bits == SIGN:
        bits = np.uint64(0)
    return ~bits if bits & SIGN else bits | SIGN


@jit
def key_range(bits: Any) -> Any:
    """Find the least key, and the shift that fits the range of keys in 32 bits."""
    low = ~np.uint64(0)
    high = np.uint64(0)
    for value in bits:
        key = ordered_f8(value)
        low = min(low, key)
        high = max(high, key)
    shift = np.uint64(0)
    while ((high - low) >> shift) >> np.uint64(32):
        shift += np.uint64(1)
    return low, shift


@jit
def pack_f8(bits: Any, packed: Any) -> None:
    low, shift = key_range(bits)
    for index in range(len(bits)):
        key = (ordered_f8(bits[index]) - low) >> shift
        packed[index] = (key << np.uint64(32)) | np.uint64(index)


@jit
def pack_f4(bits: Any, packed: Any) -> None:
    for index in range(len(bits)):
        word = bits[index]
        if word == SIGN_OF_F4:
            word = np.uint32(0)
        key = np.uint32(~word) if word & SIGN_OF_F4 else np.uint32(word | SIGN_OF_F4)
        packed[index] = (np.uint64(key) << np.uint64(32)) | np.uint64(index)


@jit
def pack_ranks(ranks: Any, places: Any, packed: Any) -> None:
    for index in range(len(ranks)):
        packed[index] = (np.uint64(ranks[index]) << np.uint64(32)) | np.uint64(places[index])


@jit
def unpack(packed: Any, order: Any) -> None:
    for place in range(len(packed)):
        order[place] = np.uint32(packed[place] & np.uint64(0xFFFFFFFF))


@jit
def unpack_runs(packed: Any, column: Any, order: Any) -> bool:
    """Write the indices in order of the whole key; False if too many share its first 32 bits."""
    count = len(packed)
    start = 0
    while start < count:
        key = packed[start] >> np.uint64(32)
        end = start
        while end < count and packed[end] >> np.uint64(32) == key:
            order[end] = np.uint32(packed[end] & np.uint64(0xFFFFFFFF))
            end += 1
        if end - start > 1 and not insertion_sort(column, order, start, end):
            return False
        start = end
    return True


@jit
def insertion_sort(column: Any, order: Any, start: int, end: int) -> bool:
    """Sort a run of indices by value, then index; False if it is long and not yet sorted."""
    long = end - start > LONGEST_RUN
    for place in range(start + 1, end):
        index = order[place]
        value = column[index]
        before = place - 1
        while before >= start and column[order[before]] > value:
            if long:
                return False
            order[before + 1] = order[before]
            before -= 1
        order[before + 1] = index
    return True


@jit
def dense_ranks(column: Any, order: Any, ranks: Any) -> int:
    """Write the place of each value among the distinct ones; return how many there are."""
    rank = -1
    for place in range(len(order)):
        index = order[place]
        if place == 0 or column[index] != column[order[place - 1]]:
            rank += 1
        ranks[index] = rank
    return rank + 1


@jit
def scatter_places(order: Any, places: Any) -> None:
    for place in range(len(order)):
        places[order[place]] = place


@jit
def through(outer: Any, packed: Any, order: Any) -> None:
    for place in range(len(packed)):
        order[place] = outer[packed[place] & np.uint64(0xFFFFFFFF)]


@jit
def first_of_equals(ranks: Any, order: Any, representatives: Any, groups: Any) -> int:
    """Tell the distinct points apart, given in lexicographic order; the first by index stands for each."""
    found = -1
    for place in range(len(order)):
        index = order[place]
        new = place == 0
        if not new:
            for k in range(len(ranks)):
                new |= ranks[k, index] != ranks[k, order[place - 1]]
        if new:
            found += 1
            representatives[found] = index
        groups[index] = found
    return found + 1


def unique_ranks(columns: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.int32], NDArray[np.uint32], Any]:
    """Rank the points in every objective without ties.

    Parameters
    ----------
    columns
        One contiguous array per objective, without NaN.

    Returns
    -------
    ranks : (objectives, distinct points)
        int32, each row a permutation.
    orders : (objectives, distinct points)
        uint32, the inverse permutations.
    groups : (points,) or None
        Which distinct point each point equals; None if all are distinct, in the order given.
    """
    objectives, count = len(columns), len(columns[0])
    ranks = np.empty((objectives, count), np.int32)
    orders = np.empty((objectives, count), np.uint32)
    distinct = []
    for k, column in enumerate(columns):
        orders[k] = sorted_order(column)
        distinct.append(dense_ranks(column, orders[k], ranks[k]))
    groups = None
    free_of_ties = [k for k in range(objectives) if distinct[k] == count]
    if len(free_of_ties) == objectives:
        return ranks, orders, None
    if free_of_ties:
        order = orders[free_of_ties[0]]
    else:
        order = lexicographic_order(ranks, orders)
        representatives = np.empty(count, np.uint32)
        groups = np.empty(count, np.uint32)
        count = first_of_equals(ranks, order, representatives, groups)
        ranks = np.ascontiguousarray(ranks[:, representatives[:count]])
        orders = np.empty((objectives, count), np.uint32)
        order = np.arange(count, dtype=np.uint32)
    break_ties(ranks, orders, order, [k for k in range(objectives) if k not in free_of_ties])
    return ranks, orders, groups


def lexicographic_order(ranks: NDArray[np.int32], orders: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Sort by the first objective, then the second, and so on: stable sorts from the last to the first."""
    order: NDArray[np.uint32] = orders[-1].copy()
    packed = np.empty(len(order), np.uint64)
    places = np.arange(len(order), dtype=np.uint32)
    for k in range(len(ranks) - 2, -1, -1):
        pack_ranks(ranks[k][order], places, packed)
        packed.sort()
        before = order.copy()
        through(before, packed, order)
    return order


def break_ties(
    ranks: NDArray[np.int32], orders: NDArray[np.uint32], order: NDArray[np.uint32], tied: list[int]
) -> None:
    """Replace dense ranks by places among all points, equal ones in the given order."""
    count = len(order)
    places = np.empty(count, np.uint32)
    scatter_places(order, places)
    packed = np.empty(count, np.uint64)
    for k in tied:
        pack_ranks(ranks[k], places, packed)
        packed.sort()
        through(order, packed, orders[k])
        scatter_places(orders[k], ranks[k])
