"""Chunks of Zarr arrays as files: encoded and written by the thread that has the values; knows no models and no labels.

Zarr's own writer puts all chunks through one event loop, where it compares each with the fill value and copies what
reaches over an end: 2.8 s of processor time for 1.3 GB, here 1.2 s, of which compressing is 0.8 s. Any Zarr reads these
files: keys, byte order and codec are those of format 3 (https://zarr-specs.readthedocs.io).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LEVEL", "SEPARATOR", "encoded", "key", "write"]

Array = np.ndarray[Any, np.dtype[Any]]
LEVEL = 0  # of Zstandard: its default
SEPARATOR = "."  # one folder for all chunks: making a folder for each index took as long as compressing


def encoded(values: Array, chunk: tuple[int, ...]) -> bytes | None:
    """Compress the values of a chunk, padded to its shape; None for zeros, which a missing file stands for."""
    from numcodecs import Zstd

    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).reshape(values.shape)
    if not values.view(f"u{values.itemsize}").any():  # -0.0 has a bit set
        return None
    if values.shape != chunk:
        whole = np.zeros(chunk, dtype=values.dtype)
        whole[tuple(slice(size) for size in values.shape)] = values
        values = whole
    return bytes(Zstd(level=LEVEL).encode(values))


def key(slices: tuple[slice, ...], chunk: tuple[int, ...]) -> str:
    """Name the file of a chunk inside its array.

    Examples
    --------
    >>> key((slice(2, 3), slice(10, 15)), (1, 10))
    'c.2.1'
    """
    return SEPARATOR.join(["c", *(str(part.start // length) for part, length in zip(slices, chunk, strict=True))])


def write(array: Path, name: str, content: bytes | None) -> None:
    """Write a chunk, or leave it out."""
    path = array / name
    if content is None:
        path.unlink(missing_ok=True)  # what a kill left torn
        return
    path.write_bytes(content)
