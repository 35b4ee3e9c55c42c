"""Arrays of Zarr with codecs that refuse a chunk which unpacks to more than it declares, before it takes the memory.

A chunk of some kilobytes may unpack to gigabytes. Zstandard and Blosc say in front how much is to come and are believed
no more than that, for they end there; of gzip, and of Zstandard without a size, it is counted. zarr makes them of the
arrays that are opened in a block, in which its configuration names them.
"""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from typing import TYPE_CHECKING, Any

from zarr import AsyncArray, codecs, config
from zarr.registry import register_codec
from zarr.storage import LocalStore, StorePath

from roofcube.options import megabytes, memory_limit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["bounded", "check_arrays"]

SHARE = 16  # part of the memory limit for what no chunk declares, text among it: ten are unpacked at a time
SLACK = 1 << 20  # bytes, of an index or of what does not shrink
ZSTD, SKIPPED = 0xFD2FB528, range(0x184D2A50, 0x184D2A60)  # what frames begin with
ZSTD_BLOCK = 1 << 17  # bytes that a packed block unpacks to at the most
RAW, REPEATED, PACKED = 0, 1, 2
GZIP, PIECE = 31, 1 << 18  # what zlib calls the format; bytes that are unpacked at a time to be counted


def bounded() -> AbstractContextManager[Any]:
    """Let Zarr arrays that are opened in a block have codecs with an end."""
    named: AbstractContextManager[Any] = config.set(
        {f"codecs.{name}": f"{__name__}.{codec.__name__}" for name, codec in CODECS.items()}
    )
    return named


def check_arrays(store: Path) -> None:
    """Raise where an array cannot be made of what a store says of it.

    zarr makes those of a group together: of several that fail it names none, and tells of others on the error stream.
    """
    place = LocalStore(store, read_only=True)
    for file in sorted(store.glob("*/zarr.json")):
        name = file.parent.name
        try:
            AsyncArray.from_dict(StorePath(place, name), json.loads(file.read_bytes()))
        except Exception as error:
            msg = f"{name!r}, {type(error).__name__}: {error!s:.300}"
            raise ValueError(msg) from error


class _Bounded:
    """A look at each chunk before a codec has it; codecs keep the names that they have in zarr, which asks for them."""

    async def decode(self, chunks_and_specs: Iterable[tuple[Any, Any]]) -> Iterable[Any]:
        chunks = list(chunks_and_specs)
        await asyncio.to_thread(self._check, chunks)
        return await super().decode(chunks)  # type: ignore[misc, no-any-return]

    def _check(self, chunks: list[tuple[Any, Any]]) -> None:
        for chunk, spec in chunks:
            if chunk is not None:
                self._check_size(memoryview(chunk.as_numpy_array()).cast("B"), spec)

    def _check_size(self, content: memoryview, spec: Any) -> None:
        dtype, unknown = spec.dtype.to_native_dtype(), memory_limit() // SHARE
        declared = 2 * math.prod(spec.shape) * dtype.itemsize + SLACK
        allowed = unknown if dtype.kind in "OT" else declared
        found, is_exact = self.unpacked(content, allowed)
        if found > (allowed if is_exact else max(allowed, unknown)):
            msg = (
                f"a chunk unpacks to more than the {megabytes(allowed)} that it may take; if it is right, raise the "
                "limit with `roofcube.set_options(memory=...)`"
            )
            raise ValueError(msg)

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        """Return the bytes that a chunk unpacks to, of many at least more than `allowed`, and whether it is no more."""
        raise NotImplementedError


class ZstdCodec(_Bounded, codecs.ZstdCodec):  # type: ignore[misc]
    """Zstandard (RFC 8878)."""

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        size = _zstd_size(content)
        return (_zstd_blocks(content), False) if size is None else (size, True)


class GzipCodec(_Bounded, codecs.GzipCodec):  # type: ignore[misc]
    """Gzip, of which only unpacking tells the size."""

    def unpacked(self, content: memoryview, allowed: int) -> tuple[int, bool]:
        total, at, rest, member = 0, 0, b"", zlib.decompressobj(GZIP)
        while total <= allowed and (rest or at < len(content)):
            if not rest:
                rest, at = bytes(content[at : at + PIECE]), at + PIECE
            try:
                total += len(member.decompress(rest, PIECE))
            except zlib.error:  # the codec tells
                break
            rest = member.unconsumed_tail
            if member.eof:
                rest, member = member.unused_data, zlib.decompressobj(GZIP)
        return total, True


class BloscCodec(_Bounded, codecs.BloscCodec):  # type: ignore[misc]
    """Blosc, with the size in bytes 4 to 7."""

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        return int.from_bytes(content[4:8], "little"), True


class VLenUTF8Codec(_Bounded, codecs.VLenUTF8Codec):  # type: ignore[misc]
    """Text, with the number of texts in front, for which room is made."""

    def _check_size(self, content: memoryview, spec: Any) -> None:
        if int.from_bytes(content[:4], "little") != math.prod(spec.shape):
            msg = "a chunk holds another number of texts than it declares"
            raise ValueError(msg)


def _zstd_size(content: memoryview) -> int | None:
    """Return the bytes that the first frame says it has; None where it does not say."""
    if int.from_bytes(content[:4], "little") != ZSTD or len(content) < 5:
        return None
    at, width = _after_window(content, 4)
    return int.from_bytes(content[at : at + width], "little") + (256 if width == 2 else 0) if width else None


def _after_window(content: memoryview, at: int) -> tuple[int, int]:
    """Return where the size stands in the header of a frame, and how wide it is."""
    descriptor = content[at]
    single, of_size = descriptor >> 5 & 1, descriptor >> 6
    width = (single, 2, 4, 8)[of_size]
    return at + 1 + (1 - single) + (0, 1, 2, 4)[descriptor & 3], width


def _zstd_blocks(content: memoryview) -> int:
    """Return the bytes that all blocks of all frames unpack to at the most."""
    total, at = 0, 0
    while at + 5 <= len(content):
        magic = int.from_bytes(content[at : at + 4], "little")
        if magic in SKIPPED:
            at += 8 + int.from_bytes(content[at + 4 : at + 8], "little")
            continue
        if magic != ZSTD:
            return total
        checksum, (at, width) = content[at + 4] >> 2 & 1, _after_window(content, at + 4)
        at, last = at + width, False
        while not last and at + 3 <= len(content):
            head = int.from_bytes(content[at : at + 3], "little")
            last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
            total += ZSTD_BLOCK if kind == PACKED else size
            at += 3 + (1 if kind == REPEATED else size)
        at += 4 * checksum
    return total


CODECS = {"zstd": ZstdCodec, "gzip": GzipCodec, "blosc": BloscCodec, "vlen-utf8": VLenUTF8Codec}
for _name, _codec in CODECS.items():
    register_codec(_name, _codec)
