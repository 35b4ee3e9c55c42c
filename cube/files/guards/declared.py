"""What a cube's file declares, checked before any of it is read: formats, types, codecs, links and sizes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
from contextvars import ContextVar
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError
from roofcube.files.attributes import WAY_OUT
from roofcube.files.checksums import ALL, WHOLE
from roofcube.files.guards.hdf_links import dead_links_of, groups_of, start_of
from roofcube.files.guards.unpacking import allowed_for
from roofcube.options import megabytes, memory_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from roofcube.errors import RoofcubeError

__all__ = [
    "check_bytes",
    "check_chunks",
    "check_descriptions",
    "check_links",
    "check_no_dead_links",
    "check_no_groups",
    "check_no_other_opened",
    "check_number",
    "check_own_values",
    "check_store",
    "is_read_whole",
    "open_files",
]

# type and body of messages of HDF5 that name other files, and the heap that these point to
ELSEWHERE = ((rb"\x07", rb"\x01.{7}", b"HEAP"), (rb"\x08", rb"[\x04-\x0f]\x03", b"GCOL"))
LINK = rb"\x01[\x08-\x1f]\x40"  # version, flags and kind of a link to another file
BLOCK, OVERLAP = 1 << 22, 64  # bytes of a file that are looked through at a time, and those of a pattern
METADATA = "zarr.json"
METADATA_BYTES = 1 << 24  # a cube of 1,631 networks declares less than a megabyte
CHUNKS = 1_000_000  # of 2 million points more than a disk holds; zarr makes a task of each, even of missing ones
VARIABLES = 1_000  # of ours, some have sixty
NUMBERS = {
    f"{kind}{bits}": bits // 8
    for kind, widths in {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}.items()
    for bits in widths
}
DTYPES = {"bool": 1, **NUMBERS, "complex64": 8, "complex128": 16, "string": 80}  # of text, with what holds it
WIDE_DTYPES = ("fixed_length_utf32", "null_terminated_bytes")  # of a declared length
TIME_DTYPES = ("numpy.datetime64", "numpy.timedelta64")
SHOWN = 5  # groups that are told of a file that has some
FILL_TEXT = 1_000  # letters; NaN and Infinity are text too, and 64 bytes in base 64
SHARDS = "sharding_indexed"
CODECS = ("bytes", "vlen-utf8", "zstd", "gzip", "blosc", "crc32c", "transpose", SHARDS)
FRAME = 64  # bytes that codecs and the index of a shard add to a chunk
STAGES = 2  # of a chunk that are in memory: what one codec takes and what it gives

is_read_whole: ContextVar[bool] = ContextVar("who reads a file has no use for parts of it", default=False)


def check_store(store: Path, *, reading: bool) -> int:
    """Check a Zarr store by its names and ``zarr.json`` files alone.

    Parameters
    ----------
    store : Path
    reading : bool
        Whether all of it is going to be read, and has to fit into the memory limit.

    Returns
    -------
    int
        How many chunks surely fit into the memory limit beside what is read, packed and unpacked; 0 where chunks have
        chunks inside, or not all is read.

    Raises
    ------
    CorruptFileError
        If the store is of another format, has a type, codec or link that no cube has, or declares nonsense.
    MemoryLimitError
        If what it declares does not fit.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> store = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (store / "zarr.json").write_text('{"zarr_format": 2, "node_type": "group"}')
    >>> try:
    ...     check_store(store, reading=True)
    ... except CorruptFileError as error:
    ...     print(str(error).rpartition("zarr.json: ")[2])
    expected Zarr format 3, got 2; write it again with roofcube.save
    """
    if not store.is_dir():
        raise _refused(store, "a folder", "a file")
    files = check_links(store)
    names = {folder: set(inside) for folder, inside in files.items()}
    packed = _largest_chunks(store, files)
    root = _parsed(store / METADATA)
    _check_group(store / METADATA, root)
    whole = root.get("attributes", {}).get(WHOLE) == ALL
    # sizes count also where only the labels are read: xarray reads those at once
    sizes, parts, in_shards = {}, {}, False
    folders = sorted(path for path in store.iterdir() if path.is_dir())
    check_number(store, len(folders))
    for folder in folders:
        declared = _parsed(folder / METADATA)
        size, part = _declared(folder / METADATA, declared)
        in_shards |= SHARDS in _codec_names(declared["codecs"])
        if whole:
            _check_chunks(folder, declared, names)
        if declared["data_type"] != "string":  # of lengths that nothing declares
            chunk = declared["chunk_grid"]["configuration"]["chunk_shape"]
            frames = FRAME * _inside_shards(folder / METADATA, chunk, declared["codecs"])
            _check_packed(folder, packed[folder.name], allowed_for(part) + frames)
        if reading or list(declared.get("dimension_names") or ()) == [folder.name]:
            sizes[folder.name] = max(size, part)
        parts[folder.name] = part
    check_bytes(store, sizes, parts)
    if in_shards or not reading:
        return 0
    one = max(packed.values(), default=0) + STAGES * allowed_for(max(parts.values(), default=0))
    return max(0, memory_limit() - sum(sizes.values())) // one


def check_number(source: Path | str, variables: int, error: type[RoofcubeError] = CorruptFileError) -> None:
    """Raise where there are more variables than any cube has, in a file or to be saved: each takes milliseconds."""
    if variables > VARIABLES:
        msg = f"{source}: expected at most {VARIABLES:,} variables, got {variables:,}; keep those that are wanted"
        raise error(msg)


def check_chunks(source: Path, chunks: int) -> None:
    """Raise where an array has more chunks than can be read in a time."""
    if chunks > CHUNKS:
        raise _refused(source, f"at most {CHUNKS:,} chunks", f"{chunks:,}")


def check_bytes(
    source: Path | str, sizes: Mapping[str, int], parts: Mapping[str, int] = MappingProxyType({}), *, beside: int = 0
) -> None:
    """Raise where variables of some sizes in bytes do not fit together into the memory limit, or one of their parts.

    Parameters
    ----------
    source : Path or str
    sizes, parts : dict of str to int
    beside : int
        Bytes of a chunk that is unpacked beside all of them.
    """
    total, limit = sum(sizes.values()), memory_limit()
    for name, part in parts.items():
        if part > limit:
            msg = (
                f"{source}: expected chunks within {megabytes(limit)}, got {megabytes(part)} in each of {name!r}"
                "; write it again in smaller chunks, or raise the limit with `roofcube.set_options(memory=...)`"
            )
            raise MemoryLimitError(msg)
    if total + beside > limit:
        largest = max(sizes, key=lambda name: sizes[name])
        chunk = f" and {megabytes(beside)} beside for a chunk" if beside else ""
        in_parts = "" if is_read_whole.get() else "read it in parts with `roofcube.load(path, chunks={})`, or "
        msg = (
            f"{source}: expected a cube within {megabytes(limit)}, got {megabytes(total)} declared{chunk}, most of it "
            f"by {largest!r}; {in_parts}raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


# netcdf ---------------------------------------------------------------------------------------------------------------


def check_no_groups(path: Path) -> None:
    """Raise where an HDF5 file has groups: netCDF goes through them as it opens a file, without end if they circle."""
    names = groups_of(path)
    if names:
        told = ", ".join(map(repr, names[:SHOWN]))
        msg = f"{path}: expected variables alone, got the groups {told:.200}; make a file of each that is wanted"
        raise CorruptFileError(msg)


def check_own_values(path: Path) -> None:
    """Raise where a variable of an HDF5 file has its values in other files, of which HDF5 would read any.

    netCDF does not tell, so that the messages that say so are looked for: storage in files by name, whose list is in a
    heap, and a virtual layout, which is in another. Their places are checked, so that no numbers are taken for them.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = start_of(file, size)
        if start is None:
            return
        head = _bytes_at(file, start, 16)
        width = head[13 if head[8] < 2 else 9]  # bytes of an address
        if width not in (2, 4, 8):
            raise _refused(path, "addresses of 2, 4 or 8 bytes", str(width))
        used = min(width, -(-size.bit_length() // 8))  # the other bytes of an address in the file are 0
        for gap, (kind, body, heap) in product((3, 5, 7), ELSEWHERE):  # between a message's type and its body
            place = rb"%s(?=.{%d}%s(.{%d}\x00{%d}))" % (kind, gap, body, used, width - used)
            for _, found in _places(file, place):
                if _bytes_at(file, start + int.from_bytes(found[1], "little"), len(heap)) == heap:
                    raise _refused(path, "values of its own", "a variable that takes them from other files")


def _bytes_at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _places(file: BinaryIO, pattern: bytes) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Go through the places of a short pattern in a file, a block at a time, for memory."""
    at = 0
    while len(block := _bytes_at(file, at, BLOCK + OVERLAP)):
        for found in re.finditer(pattern, block, re.DOTALL):
            if found.start() < BLOCK:
                yield at + found.start(), found
        at += BLOCK


def open_files() -> set[tuple[int, int]] | None:
    """Return which files this process has open, None where the system does not tell."""
    try:
        numbers = os.listdir("/proc/self/fd")  # noqa: PTH208
    except OSError:
        return None
    found = set()
    for number in numbers:
        with contextlib.suppress(OSError):  # closed meanwhile, as the folder itself
            there = os.stat(f"/proc/self/fd/{number}")  # noqa: PTH116
            found.add((there.st_dev, there.st_ino))
    return found


def check_no_other_opened(path: Path, before: set[tuple[int, int]] | None) -> None:
    """Raise where opening an HDF5 file has opened another, to which a link in it leads.

    Parameters
    ----------
    path : Path
    before : set
        What `open_files` gave before. Another thread may have opened a file since, so that the link is looked for.
    """
    there, now = path.stat(), open_files()
    if before is not None and now is not None and now <= before | {(there.st_dev, there.st_ino)}:
        return
    with path.open("rb") as file:
        for at, _ in _places(file, LINK):
            target = _file_of_link(file, at)
            if target is not None:
                raise _refused(path, "values of its own", f"a link to the file {target!r:.200}")


def _file_of_link(file: BinaryIO, at: int) -> str | None:
    """Return the file that a link message of HDF5 leads to; None where there is no such message at this place."""
    flags = _bytes_at(file, at + 1, 1)[0]
    at += 3 + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)  # order of creation, alphabet
    width = 1 << (flags & 3)
    name = int.from_bytes(_bytes_at(file, at, width), "little")
    if name >= 1 << 16:
        return None
    at += width + name
    length = int.from_bytes(_bytes_at(file, at, 2), "little")
    target, place, *rest = [*_bytes_at(file, at + 2, length).lstrip(b"\0").split(b"\0"), b"", b""]
    try:
        names = [target.decode(), place.decode()]
    except UnicodeDecodeError:
        return None
    return names[0] if len(rest) > 2 and all(one and one.isprintable() for one in names) else None


def check_no_dead_links(path: Path) -> None:
    """Raise where a path in the root of an HDF5 file leads nowhere, for which netCDF has no words."""
    for name, target in dead_links_of(path):
        raise _refused(path, "links to variables", f"{name!r}, which leads to {target!r:.200}, where nothing is")


# zarr -----------------------------------------------------------------------------------------------------------------


def check_links(store: Path) -> dict[str, dict[str, int]]:
    """Raise where a name in the store leads elsewhere, or is no file; the store itself may be linked to.

    Returns
    -------
    dict of str to dict of str to int
        The files of each folder, with their bytes.
    """
    found: dict[str, dict[str, int]] = {}
    for folder, folders, files in os.walk(store):
        found[folder] = {}
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118  a Path for each of 10⁵ chunks takes as long as reading
            there = os.lstat(path)
            mode = there.st_mode
            if stat.S_ISLNK(mode):
                raise _refused(store, "no links inside", f"{os.path.relpath(path, store)!r}, a symbolic link")
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise _refused(store, "files alone", f"{os.path.relpath(path, store)!r}, a pipe or a device")
            if stat.S_ISREG(mode):
                found[folder][name] = there.st_size
    return found


def check_descriptions(store: Path) -> None:
    """Raise where the attributes of a store that was just written make a description that is not read again.

    Raises
    ------
    InvalidDataError
    """
    size = max(path.stat().st_size for path in (store / METADATA, *store.glob(f"*/{METADATA}")))
    if size > METADATA_BYTES:
        msg = (
            f"`cube`: expected attributes that take at most {METADATA_BYTES:,} bytes in a Zarr store, got {size:,}; "
            "shorten them, or make variables of them"
        )
        raise InvalidDataError(msg)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > METADATA_BYTES:
            raise _refused(path, f"at most {METADATA_BYTES:,} bytes", f"{path.stat().st_size:,}")
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise _refused(path, "the description of a Zarr store of format 3", "no such file") from error
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise _refused(path, "JSON", f"what is none ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise _refused(path, "a JSON object", type(content).__name__)
    if content.get("zarr_format") != 3:
        raise _refused(path, "Zarr format 3", repr(content.get("zarr_format"))[:40])
    return content


def _check_group(path: Path, content: dict[str, Any]) -> None:
    if content.get("node_type") != "group":
        raise _refused(path, "a group", repr(content.get("node_type"))[:40])
    if not isinstance(content.get("attributes", {}), dict):
        raise _refused(path, "attributes by name", type(content["attributes"]).__name__)


def _declared(path: Path, content: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes of an array, and those that reading one value of it takes at the least."""
    if content.get("node_type") != "array":
        raise _refused(path, "an array", repr(content.get("node_type"))[:40])
    _check_codecs(path, content.get("codecs"))
    if content.get("storage_transformers"):
        raise _refused(path, "no storage transformers", repr(content["storage_transformers"])[:60])
    shape = _whole_numbers(path, "shape", content.get("shape"), least=0)
    grid = content.get("chunk_grid")
    if not isinstance(grid, dict) or grid.get("name") != "regular" or not isinstance(grid.get("configuration"), dict):
        raise _refused(path, "a regular chunk grid", repr(grid)[:60])
    chunk = _whole_numbers(path, "chunk_shape", grid["configuration"].get("chunk_shape"), least=1)
    if len(chunk) != len(shape):
        raise _refused(path, f"chunks of {len(shape)} dims", str(len(chunk)))
    width = _width(path, content.get("data_type"))
    fill = content.get("fill_value")
    if isinstance(fill, str) and len(fill) > FILL_TEXT:  # Dask tells such a value apart letter by letter
        raise _refused(path, f"a fill value of at most {FILL_TEXT} letters", f"{len(fill):,}")
    if isinstance(fill, str) and content["data_type"] == "string":  # text in every place that has no chunk
        width = max(width, 4 * len(fill))
    chunks = math.prod(-(-size // one) for size, one in zip(shape, chunk, strict=True))
    chunks *= _inside_shards(path, chunk, content["codecs"])
    check_chunks(path, chunks)
    # a chunk is unpacked whole, also where it reaches beyond the array
    return math.prod(shape) * width, math.prod(chunk) * width if chunks else 0


def _inside_shards(path: Path, chunk: list[int], codecs: list[Any]) -> int:
    """Count the chunks in each chunk, where these are shards, or shards of shards."""
    count = 1
    while True:
        shards = [codec for codec in codecs if isinstance(codec, dict) and codec.get("name") == SHARDS]
        configuration = shards[0].get("configuration") if shards else None
        if not isinstance(configuration, dict):
            return count
        inner = _whole_numbers(path, "chunk_shape of shards", configuration.get("chunk_shape"), least=1)
        if len(inner) != len(chunk):
            raise _refused(path, f"chunks of {len(chunk)} dims in shards", str(len(inner)))
        count *= math.prod(-(-size // one) for size, one in zip(chunk, inner, strict=True))
        codecs = configuration["codecs"] if isinstance(configuration.get("codecs"), list) else []
        chunk = inner


def _largest_chunks(store: Path, files: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return the bytes of the largest chunk of each array, as it lies on disk."""
    largest: dict[str, int] = {}
    for folder, inside in files.items():
        array, _, within = folder[len(str(store)) + 1 :].partition(os.sep)
        chunks = (size for name, size in inside.items() if within or name != METADATA)
        largest[array] = max(largest.get(array, 0), max(chunks, default=0))
    return largest


def _check_packed(folder: Path, packed: int, allowed: int) -> None:
    """Raise where a chunk takes more on disk than it may unpack to: a reader holds several of them."""
    if packed > allowed:
        raise _refused(folder, f"chunks of at most {megabytes(allowed)}", f"one of {megabytes(packed)} on disk")


def _check_chunks(folder: Path, declared: dict[str, Any], names: dict[str, set[str]]) -> None:
    """Raise where a chunk of a store that was written whole has no file: Zarr would read fill values in its place."""
    lengths = declared["chunk_grid"]["configuration"]["chunk_shape"]
    counts = [-(-size // one) for size, one in zip(declared["shape"], lengths, strict=True)]
    encoding = declared.get("chunk_key_encoding")
    configuration = encoding.get("configuration") if isinstance(encoding, dict) else None
    separator = configuration.get("separator") if isinstance(configuration, dict) else None
    indices = product(*(map(str, range(count)) for count in counts))
    if separator == ".":
        there = names[str(folder)]
        missing = (name for index in indices if (name := ".".join(("c", *index))) not in there)
    else:
        missing = (
            os.path.join("c", *index)  # noqa: PTH118
            for index in indices
            if (index or ("c",))[-1] not in names.get(os.path.join(folder, *("c", *index)[:-1]), ())  # noqa: PTH118
        )
    lost = next(missing, None)
    if lost is not None:
        raise _refused(
            folder.parent,
            "all its chunks",
            f"no {folder.name + '/' + lost!r}, which was lost or never written: other tools leave out chunks of "
            f"nothing but fill values ({WAY_OUT})",
        )


def _width(path: Path, data_type: Any) -> int:
    if isinstance(data_type, str) and data_type in DTYPES:
        return DTYPES[data_type]
    if isinstance(data_type, dict) and data_type.get("name") in TIME_DTYPES:
        return 8
    if isinstance(data_type, dict) and data_type.get("name") in WIDE_DTYPES:
        configuration = data_type.get("configuration")
        length = configuration.get("length_bytes") if isinstance(configuration, dict) else None
        return _whole_numbers(path, "length_bytes", [length], least=0)[0]
    raise _refused(path, f"a type among {', '.join((*DTYPES, *WIDE_DTYPES, *TIME_DTYPES))}", repr(data_type)[:60])


def _check_codecs(path: Path, codecs: Any) -> None:
    if not isinstance(codecs, list) or not codecs:
        raise _refused(path, "a list of codecs", repr(codecs)[:60])
    for name in _codec_names(codecs):
        if name not in CODECS:
            raise _refused(path, f"codecs among {', '.join(CODECS)}", repr(name)[:60])


def _codec_names(codecs: Any) -> Iterable[Any]:
    """Name codecs, and those inside of shards, to a depth that JSON could be read at."""
    waiting = [codecs]
    while waiting:
        for codec in waiting.pop():
            name = codec.get("name") if isinstance(codec, dict) else codec
            yield name
            configuration = codec.get("configuration") if isinstance(codec, dict) else None
            for key in ("codecs", "index_codecs"):
                inner = configuration.get(key) if isinstance(configuration, dict) else None
                if isinstance(inner, list):
                    waiting.append(inner)


def _whole_numbers(path: Path, what: str, numbers: Any, *, least: int) -> list[int]:
    if not isinstance(numbers, list) or not all(type(one) is int and least <= one < 1 << 62 for one in numbers):
        raise _refused(path, f"{what} in whole numbers from {least}", repr(numbers)[:60])
    return numbers


def _refused(path: Path, expected: str, got: str) -> CorruptFileError:
    blamed = f"{path.parent}: {path.name}" if path.parent.suffix == ".zarr" and path.name == METADATA else path
    return CorruptFileError(f"{blamed}: expected {expected}, got {got}; write it again with roofcube.save")
