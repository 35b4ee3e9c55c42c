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
LOW = np.uint64(0xFFFFFFFF)
SIGN = np.uint64(1 << 63)
SIGN_OF_F4 = np.uint32(1 << 31)


def sorted_order(column: NDArray[Any]) -> NDArray[np.uint32]:
    """Sort the indices of a column without NaN; much faster than `argsort`, as one word holds both key and index.

    Measured on 10⁶ and 10⁷ f8: 9 and 130 ms, `np.argsort` 18 and 566.
    """
    packed = np.empty(len(column), np.uint64)
    if column.dtype == np.float32:
        pack_f4(column.view(np.uint32), packed)
    else:
        pack_f8(column.view(np.uint64), packed)
    packed.sort()
    order = np.empty(len(column), np.uint32)
    if not unpack(packed, column, order):
        order[:] = np.argsort(column, kind="stable")
    return order


@jit
def pack_f8(bits: Any, packed: Any) -> None:
    """Write keys in the order of the values, shifted so that their range fits 32 bits, above the indices."""
    low = ~np.uint64(0)
    high = np.uint64(0)
    for index in range(len(bits)):
        key = bits[index]
        key = np.uint64(0) if key == SIGN else key  # -0.0 equals 0.0
        key = ~key if key & SIGN else key | SIGN
        packed[index] = key
        low = min(low, key)
        high = max(high, key)
    shift = np.uint64(0)
    while ((high - low) >> shift) >> np.uint64(32):
        shift += np.uint64(1)
    for index in range(len(packed)):
        packed[index] = (((packed[index] - low) >> shift) << np.uint64(32)) | np.uint64(index)


@jit
def pack_f4(bits: Any, packed: Any) -> None:
    for index in range(len(bits)):
        key = bits[index]
        key = np.uint32(0) if key == SIGN_OF_F4 else key
        key = np.uint32(~key) if key & SIGN_OF_F4 else np.uint32(key | SIGN_OF_F4)
        packed[index] = (np.uint64(key) << np.uint64(32)) | np.uint64(index)


@jit
def unpack(packed: Any, column: Any, order: Any) -> bool:
    """Write the indices in order of value; False if too many keys agree that values do not."""
    run = 0
    for place in range(len(packed)):
        index = np.uint32(packed[place] & LOW)
        if packed[place] >> np.uint64(32) != packed[run] >> np.uint64(32):
            run = place
        value = column[index]
        before = place - 1
        if place > run and column[order[before]] > value:
            if place - run > LONGEST_RUN:
                return False
            while before >= run and column[order[before]] > value:
                order[before + 1] = order[before]
                before -= 1
        order[before + 1] = index
    return True


@jit
def dense_ranks(column: Any, order: Any, ranks: Any) -> int:
    """Write the place of each value among the distinct ones; return how many there are."""
    rank = 0
    last = column[order[0]]
    for place in range(len(order)):
        index = order[place]
        value = column[index]
        rank += value != last
        last = value
        ranks[index] = rank
    return rank + 1


def unique_ranks(
    columns: tuple[NDArray[Any], ...],
) -> tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.int64] | None]:
    """Rank the points in every objective without ties.

    Parameters
    ----------
    columns
        One contiguous array per objective, not empty, without NaN.

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
    tied = [k for k in range(objectives) if distinct[k] < count]
    if len(tied) < objectives:
        free = next(k for k in range(objectives) if distinct[k] == count)
        break_ties(ranks, orders, orders[free], tied)
        return ranks, orders, None
    order = lexicographic_order(ranks, orders[-1])
    ordered = ranks[:, order]
    new = np.ones(count, np.bool_)
    new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    groups = np.empty(count, np.int64)
    groups[order] = np.cumsum(new) - 1
    ranks = ordered[:, new]
    orders = np.empty(ranks.shape, np.uint32)
    break_ties(ranks, orders, np.arange(ranks.shape[1], dtype=np.uint32), tied)
    return ranks, orders, groups


def lexicographic_order(ranks: NDArray[np.int32], order: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Sort by the first objective, then the second, and so on, given the order in the last."""
    for k in range(len(ranks) - 2, -1, -1):
        order = order[sorted_by(ranks[k][order])]
    return order


def break_ties(
    ranks: NDArray[np.int32], orders: NDArray[np.uint32], order: NDArray[np.uint32], tied: list[int]
) -> None:
    """Replace dense ranks by places among all points, equal ones in the given order."""
    for k in tied:
        orders[k] = order[sorted_by(ranks[k][order])]
        ranks[k][orders[k]] = np.arange(len(order), dtype=np.int32)


def sorted_by(keys: NDArray[np.int32]) -> NDArray[np.intp]:
    """Sort positions by key; equal keys keep their order."""
    packed = keys.astype(np.uint64) << np.uint64(32) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    return (packed & LOW).astype(np.intp)
