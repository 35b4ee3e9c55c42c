"""Objects and links of an HDF5 file, read from its bytes before netCDF opens it; knows no netCDF.

netCDF goes through groups inside groups as it opens a file, and where one leads back to one above it never ends. A cube
has no groups, so that only the links of the root are looked at: in a table of names (as h5py writes), in messages of
its header, or, of many, in a heap (HDF5 File Format Specification, version 3.0). A path is followed: it may lead to a
variable, of which it is one more name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Structure", "damaged", "dead_links_of", "groups_of", "number", "start_of"]

HDF = b"\x89HDF\r\n\x1a\n"
LINK_INFO, LINK, CONTINUED, TABLE = 0x02, 0x06, 0x10, 0x11  # types of messages
OF_GROUPS = (LINK_INFO, LINK, TABLE)
HARD, SOFT = 0, 1  # links to an object, and to a path
SOFT_IN_TABLE = 2
LINK_BEGINS = re.compile(rb"\x01[\x00-\x1f]")  # version, flags
# bytes that may be looked at; each thing counts for some, so that no file keeps one busy for more than a second
ALLOWED, A_READ, A_MESSAGE = 1 << 28, 1 << 12, 1 << 10
A_PLACE = 7  # bytes that say where in a heap a link is, too few for the link itself
A_NAME = 1 << 12  # bytes that a name or a path may take


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
    """Name what the root of an HDF5 file links to that is a group.

    Raises
    ------
    ValueError
        If the structure of the file is damaged.
    """
    with path.open("rb") as file:
        start = start_of(file, path.stat().st_size)
        return [] if start is None else Structure(file, start).groups()


def dead_links_of(path: Path) -> list[tuple[str, str]]:
    """Name the paths in the root of an HDF5 file that lead nowhere, and where."""
    with path.open("rb") as file:
        start = start_of(file, path.stat().st_size)
        return [] if start is None else Structure(file, start).dead_links()


@dataclass
class Structure:
    """The bytes of an HDF5 file, which starts at a place of it."""

    file: BinaryIO
    start: int
    width: int = 8  # bytes of an address
    length: int = 8  # bytes of a size
    left: int = ALLOWED

    def groups(self) -> list[str]:
        """Name the groups in the root."""
        return sorted({name for name, address in self.objects() if self._is_group(address)})

    def objects(self) -> list[tuple[str, int]]:
        """Return names in the root with addresses that they lead to; what leads nowhere is left out."""
        root = self.root()
        links = list(self._links(root))
        return [(name, address) for name, target in links for address in _reached(target, links, root)]

    def dead_links(self) -> list[tuple[str, str]]:
        """Return names in the root with the paths that they are, where these lead nowhere."""
        root = self.root()
        links = list(self._links(root))
        return [(name, path) for name, path in links if isinstance(path, str) and not [*_reached(path, links, root)]]

    # numbers ----------------------------------------------------------------------------------------------------------

    def spend(self, cost: int) -> None:
        """Count what was looked at, and raise where it is too much."""
        self.left -= cost
        if self.left < 0:
            raise damaged("more of it than a cube has")

    def read(self, address: int, count: int) -> bytes:
        """Return bytes at an address, all or none."""
        content = self._up_to(address, count)
        if len(content) < count:
            raise damaged("addresses beyond its end")
        return content

    def _up_to(self, address: int, count: int) -> bytes:
        """Return the bytes that there are, of so many."""
        self.spend(count + A_READ)
        try:
            self.file.seek(self.start + address)
        except (OSError, ValueError, OverflowError):  # beyond all files
            return b""
        return self.file.read(count)

    def address(self, content: bytes, at: int) -> int:
        """Return the address that is written at a place."""
        return number(content, at, self.width)

    def is_there(self, address: int) -> bool:
        """Check whether an address leads anywhere."""
        return address != (1 << 8 * self.width) - 1

    # objects ----------------------------------------------------------------------------------------------------------

    def root(self) -> int:
        """Return the address of the root, once widths are known."""
        head = self.read(0, 16)
        version = head[8]
        self.width, self.length = (head[13], head[14]) if version < 2 else (head[9], head[10])
        if not {self.width, self.length} <= {2, 4, 8}:
            raise damaged("addresses of another width than 2, 4 or 8 bytes")
        # four addresses and that of a name come before; three in later versions
        at = 24 + 4 * version + 5 * self.width if version < 2 else 12 + 3 * self.width
        return self.address(self.read(at, self.width), 0)

    def _is_group(self, address: int) -> bool:
        return any(kind in OF_GROUPS for kind, *_ in self.messages(address))

    def _is_object(self, address: int) -> bool:
        head = self._up_to(address, 4)
        return head == b"OHDR" or head[:2] == b"\x01\x00"

    def messages(self, address: int) -> Iterator[tuple[int, bytes, int]]:
        """Go through the messages in the header of an object: their types, bodies and flags."""
        head = self.read(address, 12)
        if head[:4] == b"OHDR":
            flags = head[5]
            at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
            width = 1 << (flags & 3)
            waiting = [(at + width, number(self.read(at, width), 0, width))]
            ends, prefix, wide = (4, 8), 6 if flags & 4 else 4, 1  # of a chunk: its signature, and a checksum beside
        elif head[0] == 1:
            waiting = [(address + 16, number(head, 8, 4))]
            ends, prefix, wide = (0, 0), 8, 2
        else:
            raise damaged("an object without a header")
        while waiting:
            content, at = self.read(*waiting.pop()), 0
            while at + prefix <= len(content):
                self.spend(A_MESSAGE)
                kind, size = number(content, at, wide), number(content, at + wide, 2)
                flags_of_message = content[at + wide + 2]
                body = content[at + prefix : at + prefix + size]
                at += prefix + size
                if kind == CONTINUED:
                    place, size = self.address(body, 0), number(body, self.width, self.length)
                    waiting.append((place + ends[0], max(0, size - ends[1])))
                yield kind, body, flags_of_message

    # links ------------------------------------------------------------------------------------------------------------

    def _links(self, group: int) -> Iterator[tuple[str, int | str]]:
        """Go through the names in a group and the addresses or paths that they link to."""
        for kind, body, _ in self.messages(group):
            if kind == LINK:
                link = self._link(body, 0)
                if link is not None:
                    yield link
            elif kind == TABLE:
                yield from self._in_table(self.address(body, 0), self.address(body, self.width))
            elif kind == LINK_INFO:
                heap = self.address(body, 10 if number(body, 1, 1) & 1 else 2)
                if self.is_there(heap):
                    yield from self._in_heap(heap)

    def _link(self, content: bytes, at: int) -> tuple[str, int | str] | None:
        """Return name and target of the link that begins at a place; None where none does that netCDF follows."""
        if at + 3 > len(content):
            return None
        flags = content[at + 1]
        kind = content[at + 2] if flags & 8 else HARD
        at += 2 + (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(content[at : at + width], "little")
        self.spend(min(size, len(content)))
        name, at = content[at + width : at + width + size], at + width + size
        after = self.width if kind == HARD else 2 + int.from_bytes(content[at : at + 2], "little")
        text = name.decode("utf-8", "replace")
        if kind not in (HARD, SOFT) or not text or at + after > len(content):
            return None
        return text, self.address(content, at) if kind == HARD else _until_nul(content[at + 2 : at + after])

    def _in_table(self, tree: int, heap: int) -> Iterator[tuple[str, int | str]]:
        names = self.address(self.read(heap, 8 + 2 * self.length + self.width), 8 + 2 * self.length)
        waiting, entry = [tree], 2 * self.width + 24
        while waiting:
            address = waiting.pop()
            head = self.read(address, 8)
            count, step = number(head, 6, 2), self.length + self.width
            if head[:4] == b"TREE":
                children = self.read(address + 8 + 2 * self.width, count * step)
                waiting += [self.address(children, place * step + self.length) for place in range(count)]
            elif head[:4] == b"SNOD":
                entries = self.read(address + 8, count * entry)
                for at in range(0, count * entry, entry):
                    soft = number(entries, at + 2 * self.width, 4) == SOFT_IN_TABLE
                    name = self._name(names + self.address(entries, at))
                    path = names + number(entries, at + 2 * self.width + 8, 4)
                    yield name, self._name(path) if soft else self.address(entries, at + self.width)
            else:
                raise damaged("a table of names that is none")

    def _name(self, address: int) -> str:
        return _until_nul(self._up_to(address, A_NAME))

    def _in_heap(self, address: int) -> Iterator[tuple[str, int | str]]:
        """Go through whatever may be a link: where they begin another table says, and names may hold anything."""
        for block in self._blocks(address):
            at = -1
            while (found := LINK_BEGINS.search(block, at + 1)) is not None:
                self.spend(A_MESSAGE)
                at = found.start()
                link = self._link(block, at)
                if link is not None and (isinstance(link[1], str) or self._is_object(link[1])):
                    yield link

    def _blocks(self, address: int) -> Iterator[bytes]:
        """Go through the blocks of a heap that hold objects: a table that doubles in size from row to row."""
        table = 14 + 10 * self.length + 2 * self.width
        head = self.read(address, table + 8 + 2 * self.length + self.width)
        first, largest = (number(head, table + 2 + at, self.length) for at in (0, self.length))
        rest = table + 2 + 2 * self.length
        columns, bits, root = number(head, table, 2), number(head, rest, 2), self.address(head, rest + 4)
        plain = head[:4] == b"FRHP" and not number(head, 7, 2) and number(head, 5, 2) == A_PLACE
        if not plain or not first or not columns or self.is_there(self.address(head, 14 + self.length)):
            raise damaged("a heap that is packed or has names of its own place, or none")
        before = 5 + self.width + -(-bits // 8)
        rows = number(head, rest + 4 + self.width, 2)
        waiting = [(root, first, rows)]
        while waiting:
            place, size, rows = waiting.pop()
            if not rows:
                yield self.read(place, size)[before + (4 if head[9] & 2 else 0) :]
                continue
            children = self.read(place + before, rows * columns * self.width)
            for entry in range(rows * columns):
                child, row = self.address(children, entry * self.width), entry // columns
                if self.is_there(child):
                    size = first << max(0, row - 1)
                    inner = max(1, (size // (first * columns)).bit_length()) if size > largest else 0
                    waiting.append((child, size, inner))


def number(content: bytes, at: int, width: int) -> int:
    """Return the whole number at a place."""
    if at + width > len(content):
        raise damaged("parts that end early")
    return int.from_bytes(content[at : at + width], "little")


def _reached(target: int | str, links: list[tuple[str, int | str]], root: int) -> Iterator[int]:
    """Follow a path in the root; one that goes through a group begins with what is refused itself."""
    waiting, followed = [target], set()
    while waiting:
        target = waiting.pop()
        if isinstance(target, int):
            yield target
        elif target not in followed:
            followed.add(target)
            parts = [part for part in target.split("/") if part not in ("", ".")] or [""]
            waiting += [root] if parts == [""] else [there for name, there in links if [name] == parts]


def _until_nul(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "replace")


def damaged(what: str) -> ValueError:
    """Return what is wrong with a file of which something does not fit."""
    return ValueError(f"the structure of HDF5 is damaged: {what}")
