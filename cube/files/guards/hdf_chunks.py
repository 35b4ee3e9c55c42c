"""What the chunks of an HDF5 file unpack to, looked at before HDF5 does, which makes room for whatever comes.

zlib packs a byte in a thousandth at the best, so that a file, or a chunk, that is small enough needs no look. Of others
zlib and bzip2 are counted, what Blosc and Zstandard say in front is read. Packed twice, four kilobytes unpack to
gigabytes: that, other packings and other tables of chunks are left to a process with a limit to its memory.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import CorruptFileError
from roofcube.files.guards.hdf_links import Structure, damaged, number, start_of
from roofcube.files.guards.unpacking import ZLIB, allowed_for, blosc_size, bunzipped, deflated, too_much, zstd_size
from roofcube.options import thread_count

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from pathlib import Path

__all__ = ["Packed", "has_limit_of_its_own", "packed_values"]

Array = np.ndarray[Any, np.dtype[Any]]
RATIO = 1032  # bytes that zlib makes of one at the most
SPACE, LAYOUT, FILTERS, ATTRIBUTES = 0x01, 0x08, 0x0B, 0x15  # types of messages
SHARED = 2  # flag of a message: its body lies elsewhere
CHUNKED, SINGLE = 2, 1  # a class of layouts; a table of chunks that is one chunk
DEFLATE, SHUFFLE, FLETCHER, BZIP2, BLOSC, ZSTD = 1, 2, 3, 307, 32001, 32015
COUNTED: Mapping[int, Callable[[memoryview, int], int]] = {
    DEFLATE: lambda content, allowed: deflated(content, allowed, ZLIB),
    BZIP2: bunzipped,
}
SAID: Mapping[int, Callable[[memoryview], int | None]] = {BLOSC: blosc_size, ZSTD: zstd_size}
CHECKSUMS = 128  # bytes that they add to values before these are packed
FRONT = 32  # bytes in which they say it
AWAY = "_nc4_non_coord_"  # what netCDF writes before the name of a variable that is a dim's too

has_limit_of_its_own: ContextVar[bool] = ContextVar("the system limits the memory of this process", default=False)


@dataclass(frozen=True)
class Packed:
    """Chunks of a variable that may unpack to more than there is room for.

    Attributes
    ----------
    source : Path
    kind : int
        How they are packed.
    lengths : tuple of int
        Their lengths along each dim, and the bytes of a value.
    starts : array of int, (chunks, dims)
    places : array of int, (chunks, 2)
        Where each lies in the file, and the bytes that it takes there.
    """

    source: Path
    kind: int
    lengths: tuple[int, ...]
    starts: Array
    places: Array

    def check(self, key: tuple[Any, ...] = ()) -> None:
        """Raise where a chunk unpacks to more than it declares, of those alone that an indexer reads.

        Raises
        ------
        ValueError
        """
        read = np.ones(len(self.places), bool)
        for axis, index in enumerate(key):
            first, last = _first_and_last(index)
            read &= (self.starts[:, axis] <= last) & (self.starts[:, axis] + self.lengths[axis] > first)
        declared = math.prod(self.lengths) + CHECKSUMS
        with ThreadPoolExecutor(thread_count()) as pool:
            tasks = [pool.submit(self._size, at, length, declared) for at, length in self.places[read].tolist()]
            for task in tasks:
                if task.result() > declared:
                    pool.shutdown(cancel_futures=True)
                    raise too_much(declared)

    def _size(self, at: int, length: int, declared: int) -> int:
        if length > allowed_for(declared):
            return length
        with self.source.open("rb") as file:
            file.seek(at)
            content = memoryview(file.read(min(length, FRONT) if self.kind in SAID else length))
        if self.kind in COUNTED:
            return COUNTED[self.kind](content, declared)
        size = SAID[self.kind](content)
        return declared + 1 if size is None else size


def packed_values(source: Path, room: int, names: Container[str] | None = None) -> list[tuple[str, Packed]]:
    """Find the chunks of a file that may unpack to more than there is room for, by variable.

    Parameters
    ----------
    source : Path
        Without groups.
    room : int
        Bytes that a chunk may take.
    names : optional
        Of variables, where not all are wanted.

    Raises
    ------
    CorruptFileError
        Where that cannot be told, and the system sets no limit either.
    ValueError
        If the structure of the file is damaged.
    """
    size = source.stat().st_size
    with source.open("rb") as file:
        start = start_of(file, size)
        if start is None:
            return []
        structure = Structure(file, start)
        _check_attributes(structure, structure.messages(structure.root()))
        found = [
            (name.removeprefix(AWAY), _packed(source, structure, address, room, size))
            for name, address in structure.objects()
            if names is None or name.removeprefix(AWAY) in names
        ]
    return [(name, packed) for name, packed in found if packed is not None]


def _packed(source: Path, structure: Structure, address: int, room: int, size: int) -> Packed | None:
    messages = list(structure.messages(address))
    _check_attributes(structure, iter(messages))
    bodies = {kind: body for kind, body, _ in messages if kind in (SPACE, LAYOUT)}
    filters = [_filters(body, flags) for kind, body, flags in messages if kind == FILTERS]
    packings = [kind for kinds in filters for kind in kinds if kind not in (SHUFFLE, FLETCHER)]
    if not packings or LAYOUT not in bodies:
        return None
    kind, layout = packings[0], _layout(structure, bodies[LAYOUT])
    if layout is None:
        return None
    last = [one for one in filters[0] if one != FLETCHER][-1:] == [kind]  # of bytes in another order nothing is counted
    if len(filters) > 1 or len(packings) > 1 or not last or kind not in (*COUNTED, *SAID):
        return _left_alone(source, f"packings by the filters {', '.join(map(str, packings))} of HDF5")
    if kind == DEFLATE and size * RATIO <= room:
        return None
    lengths, chunks = layout
    if chunks is None:
        return _left_alone(source, "a table of chunks of HDF5 1.10 or later")
    most = _number_of_places(structure, bodies.get(SPACE, b""), lengths)
    starts, places, skipped = _of_table(chunks, most, len(lengths) - 1)
    # what did not shrink may lie there as it is
    packed = (skipped >> filters[0].index(kind) & 1) == 0
    starts, places = starts[packed], places[packed]
    places[:, 0] += structure.start
    if (places < 0).any() or (places[:, 0] > size).any():
        raise damaged("chunks beyond its end")
    if kind == DEFLATE:
        large = places[:, 1] * RATIO > max(room, math.prod(lengths))
        starts, places = starts[large], places[large]
    return Packed(source, kind, lengths, starts, places) if len(places) else None


def _left_alone(source: Path, got: str) -> Packed | None:
    """Leave a variable to the limit of the process, or refuse it."""
    if has_limit_of_its_own.get():
        return None
    msg = (
        f"{source}: expected chunks of which can be told what they unpack to, got {got}; "
        "read it in a process of its own by `roofcube.load(path, untrusted=True)`"
    )
    raise CorruptFileError(msg)


def _check_attributes(structure: Structure, messages: Iterator[tuple[int, bytes, int]]) -> None:
    """Raise where attributes are packed, which no program does: these are read as a file is opened."""
    for kind, body, _ in messages:
        if kind == ATTRIBUTES:
            heap = structure.address(body, 4 if number(body, 1, 1) & 1 else 2)
            if structure.is_there(heap) and number(structure.read(heap, 9), 7, 2):
                raise damaged("attributes that are packed")


def _filters(body: bytes, flags: int) -> list[int]:
    """Return what values go through as they are written, by its number."""
    if flags & SHARED:
        raise damaged("filters that are told elsewhere")
    first, kinds = number(body, 0, 1) == 1, []
    at = 8 if first else 2
    for _ in range(number(body, 1, 1)):
        kind, named = number(body, at, 2), first or number(body, at, 2) >= 256
        length = number(body, at + 2, 2) if named else 0
        at += 4 if named else 2
        count = number(body, at + 2, 2)
        at += 4 + (-(-length // 8) * 8 if first else length) + 4 * (count + (count % 2 if first else 0))
        kinds.append(kind)
    return kinds


def _layout(structure: Structure, body: bytes) -> tuple[tuple[int, ...], Iterator[Array] | None] | None:
    """Return the lengths of chunks with the bytes of a value, and tables of them; None where there are no chunks."""
    version = number(body, 0, 1)
    if number(body, 2 if version < 3 else 1, 1) != CHUNKED:
        return None
    if version < 4:
        rank, at = (number(body, 1, 1), 8) if version < 3 else (number(body, 2, 1), 3)
        lengths = tuple(number(body, at + structure.width + 4 * axis, 4) for axis in range(rank))
        return _of_some_length(lengths), _in_tree(structure, structure.address(body, at), rank)
    flags, rank, width = number(body, 2, 1), number(body, 3, 1), number(body, 4, 1)
    lengths = _of_some_length(tuple(number(body, 5 + width * axis, width) for axis in range(rank)))
    at = 5 + width * rank
    if number(body, at, 1) != SINGLE or not flags & 2:
        return lengths, None
    place = structure.address(body, at + 5 + structure.length)
    chunk = np.zeros(1, _chunk_record(structure, rank))
    packed = number(body, at + 1, structure.length)
    if packed >= 1 << 32:
        raise damaged("a chunk of more than 4 GiB")
    chunk["size"], chunk["child"], chunk["mask"] = packed, place, number(body, at + 1 + structure.length, 4)
    return lengths, iter([chunk] if structure.is_there(place) else [])


def _of_some_length(lengths: tuple[int, ...]) -> tuple[int, ...]:
    if not lengths or 0 in lengths:
        raise damaged("chunks of no length")
    return lengths


def _chunk_record(structure: Structure, rank: int) -> np.dtype[Any]:
    """Return what a table says of a chunk, or of a table below it."""
    words = f"<u{structure.width}"
    return np.dtype([("size", "<u4"), ("mask", "<u4"), ("start", "<u8", (rank,)), ("child", words)])


def _in_tree(structure: Structure, address: int, rank: int) -> Iterator[Array]:
    waiting, record = [address] if structure.is_there(address) else [], _chunk_record(structure, rank)
    while waiting:
        at, before = waiting.pop(), 8 + 2 * structure.width
        head = structure.read(at, before)
        if head[:5] != b"TREE\x01":
            raise damaged("a table of chunks that is none")
        entries = np.frombuffer(structure.read(at + before, number(head, 6, 2) * record.itemsize), record)
        if head[5]:
            waiting += entries["child"].tolist()
        else:
            yield entries


def _number_of_places(structure: Structure, space: bytes, lengths: tuple[int, ...]) -> int:
    at = 8 if number(space, 0, 1) == 1 else 4
    shape = [number(space, at + structure.length * axis, structure.length) for axis in range(number(space, 1, 1))]
    if len(shape) != len(lengths) - 1:
        raise damaged("chunks of another number of dims")
    return math.prod(-(-size // length) for size, length in zip(shape, lengths, strict=False))


def _of_table(tables: Iterator[Array], most: int, rank: int) -> tuple[Array, Array, Array]:
    """Return where chunks start along each dim, where they lie and what they take, and which filters they skipped."""
    starts, places, skipped, count = [np.zeros((0, rank), "i8")], [np.zeros((0, 2), "i8")], [np.zeros(0, "i8")], 0
    for table in tables:
        count += len(table)
        if count > most:
            raise damaged("more chunks than there are places")
        starts.append(table["start"][:, :rank].astype("i8"))
        places.append(np.stack([table["child"].astype("i8"), table["size"].astype("i8")], axis=1))
        skipped.append(table["mask"].astype("i8"))
    return np.concatenate(starts), np.concatenate(places), np.concatenate(skipped)


def _first_and_last(index: Any) -> tuple[int, int]:
    """Return the first and the last place that an index of a dim reads, or those around it."""
    if isinstance(index, slice):
        start, stop = index.start or 0, index.stop
        return (0, np.iinfo("i8").max) if (index.step or 1) < 0 or stop is None else (start, stop - 1)
    return int(np.min(index, initial=np.iinfo("i8").max)), int(np.max(index, initial=-1))
