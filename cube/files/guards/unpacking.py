"""How many bytes a packed chunk unpacks to, told or counted before any room is made for them; knows no file format.

A chunk of some kilobytes may unpack to gigabytes. Zstandard and Blosc say in front how much is to come and are believed
no more than that, for they end there; of zlib, gzip and bzip2, and of Zstandard without a size, it is counted.
"""

from __future__ import annotations

import bz2
import zlib

from roofcube.options import megabytes

__all__ = [
    "GZIP",
    "ZLIB",
    "allowed_for",
    "blosc_size",
    "bunzipped",
    "deflated",
    "too_much",
    "zstd_blocks",
    "zstd_size",
]

SLACK = 1 << 20  # bytes, of an index or of what does not shrink
ZSTD, SKIPPED = 0xFD2FB528, range(0x184D2A50, 0x184D2A60)  # what frames begin with
ZSTD_BLOCK = 1 << 17  # bytes that a packed block unpacks to at the most
RAW, REPEATED, PACKED = 0, 1, 2
ZLIB, GZIP = 15, 31  # what zlib calls the formats
PIECE = 1 << 18  # bytes that are unpacked at a time to be counted


def allowed_for(declared: int) -> int:
    """Return the bytes that a chunk may unpack to which declares some."""
    return 2 * declared + SLACK


def too_much(allowed: int) -> ValueError:
    """Return what is wrong with a chunk that unpacks to more."""
    return ValueError(
        f"a chunk unpacks to more than the {megabytes(allowed)} that it may take; if it is right, raise the "
        "limit with `roofcube.set_options(memory=...)`"
    )


def deflated(content: memoryview, allowed: int, form: int) -> int:
    """Count what zlib unpacks to, or gzip, of which one may follow the other; of more than `allowed` not all."""
    total, at, rest, member = 0, 0, b"", zlib.decompressobj(form)
    while total <= allowed and (rest or at < len(content)):
        if not rest:
            rest, at = bytes(content[at : at + PIECE]), at + PIECE
        try:
            total += len(member.decompress(rest, PIECE))
        except zlib.error:  # who unpacks it is told
            break
        rest = member.unconsumed_tail
        if member.eof and form == ZLIB:
            break
        if member.eof:
            rest, member = member.unused_data, zlib.decompressobj(form)
    return total


def bunzipped(content: memoryview, allowed: int) -> int:
    """Count what bzip2 unpacks to, of more than `allowed` not all."""
    total, member = 0, bz2.BZ2Decompressor()
    try:
        total = len(member.decompress(content, PIECE))
        while total <= allowed and not member.eof and not member.needs_input:
            total += len(member.decompress(b"", PIECE))
    except OSError:  # who unpacks it is told
        pass
    return total


def blosc_size(content: memoryview) -> int:
    """Return the bytes that a chunk of Blosc says it has."""
    return int.from_bytes(content[4:8], "little")


def zstd_size(content: memoryview) -> int | None:
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


def zstd_blocks(content: memoryview) -> int:
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
