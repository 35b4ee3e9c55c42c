"""Cut values that stay in a file into boxes of whole chunks: a chunk is read as a whole, whatever is asked of it."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import xarray as xr

__all__ = ["boxes"]


def boxes(sizes: Mapping[str, int], variables: Iterable[xr.Variable], points: int) -> Iterator[dict[str, slice]]:
    """Go through boxes of so many points at most, in the order of the dims, each of whole chunks where these fit.

    Parameters
    ----------
    sizes : mapping of dim to int
    variables : iterable of Variable
        Whose chunks are kept together, those of the largest first.
    points : int

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> speed = xr.Variable(("platform", "batch"), np.zeros((4, 6)), encoding={"preferred_chunks": {"batch": 2}})
    >>> [box["batch"] for box in boxes({"platform": 4, "batch": 6}, [speed], 16)]
    [slice(0, 4, None), slice(4, 6, None)]
    """
    lengths = _lengths(sizes, variables, points)
    cuts = [[slice(at, min(at + lengths[dim], n)) for at in range(0, n, lengths[dim])] for dim, n in sizes.items()]
    for box in product(*cuts):
        yield dict(zip(sizes, box, strict=True))


def _lengths(sizes: Mapping[str, int], variables: Iterable[xr.Variable], points: int) -> dict[str, int]:
    chunks: dict[str, int] = {}
    for variable in sorted(variables, key=lambda one: one.nbytes, reverse=True):
        of_file = variable.encoding.get("preferred_chunks") or {}
        for dim, n in variable.sizes.items():
            one = max(variable.chunksizes[dim]) if variable.chunks else of_file.get(dim, n)
            chunks.setdefault(str(dim), max(1, one))
    lengths = {dim: max(1, min(size, chunks.get(dim, 1))) for dim, size in sizes.items()}
    for dim in sizes:  # a chunk that is too large is cut along its first dims
        lengths[dim] = max(1, min(lengths[dim], points // (prod(lengths.values()) // lengths[dim])))
    for dim in reversed(list(sizes)):
        times = points // prod(lengths.values())
        lengths[dim] = max(lengths[dim], min(sizes[dim], lengths[dim] * times))
    return lengths
