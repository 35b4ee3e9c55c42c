"""Which stored values floating point holds exactly, and ranks for those that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError
from roofcube.options import fits_memory

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["EXACT", "WIDE", "compared_as_stored", "in_memory", "is_exact", "not_held_exactly", "ranked"]

Array = np.ndarray[Any, np.dtype[Any]]
WIDE = 1 << 53  # whole numbers beyond are rounded by f8
EXACT = {"f4": 1 << 24, "f8": WIDE}


def in_memory(variable: xr.Variable) -> bool:
    """Check whether a variable's values are in memory."""
    return isinstance(variable._data, np.ndarray) or variable._in_memory


def is_exact(values: Array, dtype: str = "f8") -> bool:
    """Check whether a dtype holds all values exactly; of floats it does, up to f8, as they are rounded to it."""
    kind, widest = values.dtype, EXACT[dtype]
    if kind.kind in "iu" and kind.itemsize >= np.dtype(dtype).itemsize and values.size:
        return bool(values.max() <= widest and (kind.kind == "u" or values.min() >= -widest))
    return kind.kind in "iub" or (kind.kind == "f" and kind.itemsize <= 8)


def compared_as_stored(variable: xr.Variable, dtype: str = "f8") -> bool:
    """Check whether values are to be compared in their own dtype, as that of the answers would change them.

    Whole numbers that do not fit into memory are taken for exact: they are read block by block, and a block that has
    others refuses.
    """
    kind = variable.dtype
    if kind.kind in "iu" and kind.itemsize >= np.dtype(dtype).itemsize:
        read = in_memory(variable) or fits_memory(variable.nbytes)
        return read and not is_exact(np.asarray(variable.values), dtype)
    return kind.kind in "mM" or (kind.kind == "f" and kind.itemsize > 8)


def not_held_exactly(what: str, name: str, variable: xr.Variable) -> InvalidDataError:
    """Return the error on values that would have to be computed with, and can only be compared."""
    return InvalidDataError(
        f"`{what}`: expected numbers that f8 holds exactly, got {name!r} of type {variable.dtype}; ask for its best or "
        "top, or convert it"
    )


def ranked(values: Array) -> Array:
    """Return ranks, which keep order and ties; NaT and NaN are NaN."""
    _, number = np.unique(values, return_inverse=True)
    ranks = number.reshape(values.shape).astype("f8")
    ranks[np.isnat(values) if values.dtype.kind in "mM" else values != values] = np.nan
    return ranks
