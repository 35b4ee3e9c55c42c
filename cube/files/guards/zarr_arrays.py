"""Arrays of Zarr with codecs that refuse a chunk which unpacks to more than it declares, before it takes the memory.

zarr makes them of the arrays that are opened in a block, in which its configuration names them.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zarr import AsyncArray, codecs, config
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.registry import register_codec, register_pipeline
from zarr.storage import LocalStore, StorePath

from roofcube.files.guards.unpacking import (
    GZIP,
    allowed_for,
    blosc_size,
    deflated,
    too_much,
    zstd_blocks,
    zstd_size,
)
from roofcube.options import memory_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["bounded", "check_arrays"]

SHARE = 16  # part of the memory limit for what no chunk declares, text among it: ten batches are unpacked at a time
BATCH = 4  # chunks that one task of zarr reads where there is room: by itself each has its own, a quarter slower
_opening = threading.RLock()  # zarr has one configuration for all threads


@contextmanager
def bounded(room: int = 0) -> Iterator[None]:
    """Let Zarr arrays that are opened in a block have codecs with an end; `room` is how many chunks fit into memory."""
    with _opening:
        tasks = config.get("async.concurrency") or 1 + room  # None: no limit of zarr's
        names = {f"codecs.{name}": f"{__name__}.{codec.__name__}" for name, codec in CODECS.items()}
        batch = max(1, min(BATCH, room // tasks))
        pipeline = f"{__name__}.{Pipeline.__name__}"
        with config.set({"codec_pipeline.path": pipeline, "codec_pipeline.batch_size": batch, **names}):
            yield


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
        unknown = memory_limit() // SHARE // max(1, len(chunks))
        for chunk, spec in chunks:
            if chunk is not None:
                self._check_size(memoryview(chunk.as_numpy_array()).cast("B"), spec, unknown)

    def _check_size(self, content: memoryview, spec: Any, unknown: int) -> None:
        dtype = spec.dtype.to_native_dtype()
        allowed = unknown if dtype.kind in "OT" else allowed_for(math.prod(spec.shape) * dtype.itemsize)
        found, is_exact = self.unpacked(content, allowed)
        if found > (allowed if is_exact else max(allowed, unknown)):
            raise too_much(allowed)

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        """Return the bytes that a chunk unpacks to, of many at least more than `allowed`, and whether it is no more."""
        raise NotImplementedError


class ZstdCodec(_Bounded, codecs.ZstdCodec):  # type: ignore[misc]
    """Zstandard (RFC 8878)."""

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        size = zstd_size(content)
        return (zstd_blocks(content), False) if size is None else (size, True)


class GzipCodec(_Bounded, codecs.GzipCodec):  # type: ignore[misc]
    """Gzip, of which only unpacking tells the size."""

    def unpacked(self, content: memoryview, allowed: int) -> tuple[int, bool]:
        return deflated(content, allowed, GZIP), True


class BloscCodec(_Bounded, codecs.BloscCodec):  # type: ignore[misc]
    """Blosc."""

    def unpacked(self, content: memoryview, _allowed: int) -> tuple[int, bool]:
        return blosc_size(content), True


class VLenUTF8Codec(_Bounded, codecs.VLenUTF8Codec):  # type: ignore[misc]
    """Text, with the number of texts in front, for which room is made."""

    def _check_size(self, content: memoryview, spec: Any, _unknown: int) -> None:
        if int.from_bytes(content[:4], "little") != math.prod(spec.shape):
            msg = "a chunk holds another number of texts than it declares"
            raise ValueError(msg)


class Pipeline(BatchedCodecPipeline):  # type: ignore[misc]
    """That of zarr, but for text, of lengths that nothing declares: each of its chunks is read by itself."""

    @classmethod
    def from_codecs(cls, codecs: Iterable[Any], *, batch_size: int | None = None) -> Any:
        codecs = tuple(codecs)
        is_text = any(isinstance(codec, VLenUTF8Codec) for codec in codecs)
        return super().from_codecs(codecs, batch_size=1 if is_text else batch_size)


CODECS = {"zstd": ZstdCodec, "gzip": GzipCodec, "blosc": BloscCodec, "vlen-utf8": VLenUTF8Codec}
for _name, _codec in CODECS.items():
    register_codec(_name, _codec)
register_pipeline(Pipeline)
