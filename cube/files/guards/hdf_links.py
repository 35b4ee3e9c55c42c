"""What the root of an HDF5 file links to, read from its bytes before netCDF opens it; knows no netCDF.

netCDF goes through groups inside groups as it opens a file, and where one leads back to one above it never ends. A cube
has no groups, so that only the links of the root are looked at: in a table of names (as h5py writes), in messages of
its header, or, of many, in a heap (HDF5 File Format Specification, version 3.0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["groups_of", "start_of"]

HDF = b"\x89HDF\r\n\x1a\n"
LINK_INFO, LINK, CONTINUED, TABLE = 0x02, 0x06, 0x10, 0x11  # types of messages
OF_GROUPS = (LINK_INFO, LINK, TABLE)
HARD, SOFT = 0, 1  # links to an object, and to a path
SOFT_IN_TABLE = 2
LINK_BEGINS = re.compile(rb"\x01[\x00-\x1f]")  # version, flags
# bytes that may be looked at; each thing counts for some, so that no file keeps one busy for more than a second
ALLOWED, A_READ, A_MESSAGE = 1 << 28, 1 << 12, 1 << 10


def start_of(file: BinaryIO, size: int) -> int | None:
    """Return where HDF5 starts in a file: at its beginning, or at 512 or a multiple by a power of two; None without."""
    at = 0
    while at < size:
        file.seek(at)
        if file.read(len(HDF)) == HDF:
            return at
        at = max(512, 2 * at)
    return None


def groups_of(path: Path) -> list[str]:
    """Name what the root of an HDF5 file links to that is a group, or a path, which may lead to one.

    Raises
    ------
    ValueError
        If the structure of the file is damaged.
    """
    with path.open("rb") as file:
        start = start_of(file, path.stat().st_size)
        return [] if start is None else _Structure(file, start).groups()


@dataclass
class _Structure:
    """The bytes of an HDF5 file."""

    file: BinaryIO
    start: int
    width: int = 8  # bytes of an address
    length: int = 8  # bytes of a size
    left: int = ALLOWED

    def groups(self) -> list[str]:
        return [name for name, target in self._links(self._root()) if target is None or self._is_group(target)]

    # numbers ----------------------------------------------------------------------------------------------------------

    def _spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise _damaged("more of it than a cube has")

    def _read(self, address: int, count: int) -> bytes:
        self._spend(count + A_READ)
        content = b""
        if self.start + address < 1 << 62:
            self.file.seek(self.start + address)
            content = self.file.read(count)
        if len(content) < count:
            raise _damaged("addresses beyond its end")
        return content

    def _address(self, content: bytes, at: int) -> int:
        return _number(content, at, self.width)

    def _is_there(self, address: int) -> bool:
        return address != (1 << 8 * self.width) - 1

    # objects ----------------------------------------------------------------------------------------------------------

    def _root(self) -> int:
        head = self._read(0, 16)
        version = head[8]
        self.width, self.length = (head[13], head[14]) if version < 2 else (head[9], head[10])
        if not {self.width, self.length} <= {2, 4, 8}:
            raise _damaged("addresses of another width than 2, 4 or 8 bytes")
        # four addresses and that of a name come before; three in later versions
        at = 24 + 4 * version + 5 * self.width if version < 2 else 12 + 3 * self.width
        return self._address(self._read(at, self.width), 0)

    def _is_group(self, address: int) -> bool:
        return any(kind in OF_GROUPS for kind, _ in self._messages(address))

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Go through the messages in the header of an object."""
        head = self._read(address, 12)
        if head[:4] == b"OHDR":
            flags = head[5]
            at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
            width = 1 << (flags & 3)
            waiting = [(at + width, _number(self._read(at, width), 0, width))]
            ends, prefix, wide = (4, 8), 6 if flags & 4 else 4, 1  # of a chunk: its signature, and a checksum beside
        elif head[0] == 1:
            waiting = [(address + 16, _number(head, 8, 4))]
            ends, prefix, wide = (0, 0), 8, 2
        else:
            raise _damaged("an object without a header")
        while waiting:
            content, at = self._read(*waiting.pop()), 0
            while at + prefix <= len(content):
                self._spend(A_MESSAGE)
                kind, size = _number(content, at, wide), _number(content, at + wide, 2)
                body = content[at + prefix : at + prefix + size]
                at += prefix + size
                if kind == CONTINUED:
                    place, size = self._address(body, 0), _number(body, self.width, self.length)
                    waiting.append((place + ends[0], max(0, size - ends[1])))
                yield kind, body

    # links ------------------------------------------------------------------------------------------------------------

    def _links(self, group: int) -> Iterator[tuple[str, int | None]]:
        """Go through the names in a group and the addresses that they link to; None for a path."""
        for kind, body in self._messages(group):
            if kind == LINK:
                link = self._link(body, 0)
                if link is not None:
                    yield link[:2]
            elif kind == TABLE:
                yield from self._in_table(self._address(body, 0), self._address(body, self.width))
            elif kind == LINK_INFO:
                heap = self._address(body, 10 if _number(body, 1, 1) & 1 else 2)
                if self._is_there(heap):
                    yield from self._in_heap(heap)

    def _link(self, content: bytes, at: int) -> tuple[str, int | None, int] | None:
        """Return name, address and end of the link that begins at a place; None where none does that netCDF follows."""
        if at + 3 > len(content):
            return None
        flags = content[at + 1]
        kind = content[at + 2] if flags & 8 else HARD
        at += 2 + (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(content[at : at + width], "little")
        name, at = content[at + width : at + width + size], at + width + size
        after = self.width if kind == HARD else 2 + int.from_bytes(content[at : at + 2], "little")
        text = name.decode("utf-8", "replace")
        if kind not in (HARD, SOFT) or not text.isprintable() or not text or at + after > len(content):
            return None
        return text, self._address(content, at) if kind == HARD else None, at + after

    def _in_table(self, tree: int, heap: int) -> Iterator[tuple[str, int | None]]:
        names = self._address(self._read(heap, 8 + 2 * self.length + self.width), 8 + 2 * self.length)
        waiting, entry = [tree], 2 * self.width + 24
        while waiting:
            address = waiting.pop()
            head = self._read(address, 8)
            count, step = _number(head, 6, 2), self.length + self.width
            if head[:4] == b"TREE":
                children = self._read(address + 8 + 2 * self.width, count * step)
                waiting += [self._address(children, place * step + self.length) for place in range(count)]
            elif head[:4] == b"SNOD":
                entries = self._read(address + 8, count * entry)
                for at in range(0, count * entry, entry):
                    soft = _number(entries, at + 2 * self.width, 4) == SOFT_IN_TABLE
                    name = self._name(names + self._address(entries, at))
                    yield name, None if soft else self._address(entries, at + self.width)
            else:
                raise _damaged("a table of names that is none")

    def _name(self, address: int) -> str:
        self._spend(A_READ)
        self.file.seek(min(self.start + address, 1 << 62))
        return self.file.read(256).partition(b"\0")[0].decode("utf-8", "replace")

    def _in_heap(self, address: int) -> Iterator[tuple[str, int | None]]:
        for block in self._blocks(address):
            at = 0
            while (found := LINK_BEGINS.search(block, at)) is not None:
                self._spend(A_MESSAGE)
                link = self._link(block, found.start())
                at = found.start() + 1
                if link is not None:
                    at = link[2]
                    yield link[:2]

    def _blocks(self, address: int) -> Iterator[bytes]:
        """Go through the blocks of a heap that hold objects: a table that doubles in size from row to row."""
        table = 14 + 10 * self.length + 2 * self.width
        head = self._read(address, table + 8 + 2 * self.length + self.width)
        first, largest = (_number(head, table + 2 + at, self.length) for at in (0, self.length))
        rest = table + 2 + 2 * self.length
        columns, bits, root = _number(head, table, 2), _number(head, rest, 2), self._address(head, rest + 4)
        plain = head[:4] == b"FRHP" and not _number(head, 7, 2)
        if not plain or not first or not columns:
            raise _damaged("a heap that is packed, or none")
        before = 5 + self.width + -(-bits // 8)
        rows = _number(head, rest + 4 + self.width, 2)
        waiting = [(root, first, rows)]
        while waiting:
            place, size, rows = waiting.pop()
            if not rows:
                yield self._read(place, size)[before + (4 if head[9] & 2 else 0) :]
                continue
            children = self._read(place + before, rows * columns * self.width)
            for number in range(rows * columns):
                child, row = self._address(children, number * self.width), number // columns
                if self._is_there(child):
                    size = first << max(0, row - 1)
                    inner = max(1, (size // (first * columns)).bit_length()) if size > largest else 0
                    waiting.append((child, size, inner))


def _number(content: bytes, at: int, width: int) -> int:
    if at + width > len(content):
        raise _damaged("parts that end early")
    return int.from_bytes(content[at : at + width], "little")


def _damaged(what: str) -> ValueError:
    return ValueError(f"the structure of HDF5 is damaged: {what}")
