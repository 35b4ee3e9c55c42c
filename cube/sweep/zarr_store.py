"""Store a whole sweep: in memory below the limit, or as a Zarr store that an interruption cannot spoil.

A store is written beside its final name, with a journal of the tiles that are whole and on disk, and renamed when it is
complete: what bears the final name is complete, and what an interruption left is continued by the same call. A tile is
journalled, with digests of its files, only after these are on disk; who continues checks them against it, and the
store's checksums come from it too: what a power cut lost, or what rotted since, is written again, never certified.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.disk import digest, naming_the_file, path_of, replacing, sync
from roofcube.errors import InvalidDataError, MemoryLimitError, UnwritableFileError, check_installed
from roofcube.files import checksums
from roofcube.files.attributes import ORIGINAL
from roofcube.files.decoding import decoded
from roofcube.files.encoding import check_storable, encoded, encoded_attributes
from roofcube.files.fingerprints import parts_to_hash, values_to_hash
from roofcube.files.guards.declared import check_store
from roofcube.files.lazy import blamed, identity, with_guarded_values
from roofcube.files.store import OF_THE_FILE, compressors, description_of, opened_store
from roofcube.interrupts import import_whole
from roofcube.kernels.engine.pool import in_order
from roofcube.kernels.graph.expression import leaves, structure_of
from roofcube.kernels.query.query import check_countable
from roofcube.kernels.query.tiles import Tiling
from roofcube.locks import lock_file, locked, remove_abandoned
from roofcube.model.made import RESULTS
from roofcube.options import megabytes, memory_limit, progress_bar, thread_count
from roofcube.sweep.tile_reader import Part
from roofcube.vocabulary import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import xarray as xr

    from roofcube.sweep.contexts.model_context import ModelContext

__all__ = ["compute", "result_dims", "stored_bytes", "to_zarr"]

Array = np.ndarray[Any, np.dtype[Any]]
Job = tuple[int, int]  # number of a part, and of its tile
Files = dict[str, str]  # files of a tile, inside the store, and their digests
COMPRESSED = 1000  # more than tables of floats shrink by
PATIENCE = 5.0  # seconds for another writer of the same path: it may take hours, and this one is told
LEAST = 1 << 20  # bytes free; whether a small store fits is seen when it is written
SEPARATOR = "."  # one folder for all chunks: making a folder for each index takes as long as compressing


def result_dims(sweep: ModelContext) -> dict[str, tuple[str, ...]]:
    """Name the dims of each result, in dim order."""
    names = [name for name in sweep.model.outputs if name in RESULTS or name in sweep.model.labels]
    found = {}
    for name in names:
        read = leaves([sweep.model.outputs[name]])
        used = {str(dim) for leaf in read for dim in sweep.model.tables[leaf].dims}
        found[name] = tuple(dim for dim in sweep.dims if dim in used)
    return found


def stored_bytes(sweep: ModelContext) -> int:
    """Count the bytes of all results."""
    return sum(
        prod(sweep.sizes[dim] for dim in dims) * _stored_kind(sweep, name).itemsize
        for name, dims in result_dims(sweep).items()
    )


def _stored_kind(sweep: ModelContext, name: str) -> np.dtype[Any]:
    return np.dtype("i1" if name in FLAGS else sweep.dtype)


def compute(
    sweep: ModelContext,
    question: str = "compute",
    do: str = "use `to_zarr(path)`, or a reduction that stores nothing (best, top, pareto, count, histogram, quantile)",
) -> xr.Dataset:
    """Fill the whole cube if it fits; if not, raise in the name of the question, with what to do."""
    from roofcube.model.predict import predict

    needed, limit = stored_bytes(sweep), memory_limit()
    if needed > limit:
        msg = (
            f"`{question}`: expected results within {megabytes(limit)}, got {megabytes(needed)} for "
            f"{sweep.size:,} points; {do}, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    cube = predict(sweep.inputs, assumptions=sweep.assumptions, dtype=sweep.dtype, tuning=sweep.tuning)
    return cube.assign_attrs(dim_order=" ".join(sweep.dims))


def to_zarr(sweep: ModelContext, path: Any, *, patience: float = PATIENCE) -> xr.Dataset:
    """Write the cube tile by tile, or go on where an interruption left it."""
    check_installed("to_zarr", "zarr", "scale")
    import_whole("zarr")
    target = _checked(path_of(path))
    check_countable(sweep.sizes)
    _check_room(sweep, target)
    check_storable(result_dims(sweep))
    backslash = next((name for name in result_dims(sweep) if "\\" in name), None)
    if backslash is not None:
        msg = f"`{backslash}`: expected a name without a backslash, which stands between folders in a store; rename it"
        raise InvalidDataError(msg)
    key = _fingerprint(sweep)
    with naming_the_file(target):
        there = target.exists()
    if there:
        cube = _finished(target, key)
        _remove_left(target)
        return cube
    with naming_the_file(target), locked(Path(os.path.realpath(target)), seconds=patience):
        return _written_once(sweep, target, key)


def _written_once(sweep: ModelContext, target: Path, key: str) -> xr.Dataset:
    """Write the cube, unless it is there, while no other thread or process does."""
    beside = target.with_name(f"{target.name}.partial")
    if target.exists():  # another writer has just finished it
        return _finished(target, key)
    if beside.exists() and _fingerprint_of(beside) != key:
        _remove_store(beside)
    journal = _journal_of(target)
    if not beside.exists():
        journal.unlink(missing_ok=True)  # of a store that was finished or removed
        _create(sweep, beside, key)
    _write(sweep, beside, journal)
    beside.rename(target)
    sync(target.parent)
    journal.unlink(missing_ok=True)
    return _opened(target)


def _finished(target: Path, key: str) -> xr.Dataset:
    """Open a store that is there, if it is of the same sweep."""
    if _fingerprint_of(target) != key:
        msg = (
            f"`to_zarr`: expected a new path or a store of the same sweep, got {str(target)!r} with other content; "
            "remove it or choose another path"
        )
        raise InvalidDataError(msg)
    return _opened(target)


def _journal_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.journal")


def _remove_left(target: Path) -> None:
    """Remove what a writer that ended right after the last rename left beside the store."""
    with suppress(OSError):
        _journal_of(target).unlink(missing_ok=True)
    lock = lock_file(Path(os.path.realpath(target)))
    remove_abandoned(lock.parent, [lock.name])


def _check_room(sweep: ModelContext, target: Path) -> None:
    """Raise where no disk could hold the results, however well they are compressed."""
    try:
        free = shutil.disk_usage(target.absolute().parent).free
    except OSError:  # no such folder, which is told when it is written to
        return
    needed = stored_bytes(sweep)
    if needed > COMPRESSED * max(free, LEAST):
        msg = (
            f"`to_zarr`: expected results of at most {COMPRESSED:,} times the {free / 1e9:,.1f} GB that are free at "
            f"{str(target)!r}, got {needed / 1e9:,.3g} GB; ask for what you need with best, top, pareto, count, "
            "histogram or quantile, or select a part of the sweep"
        )
        raise UnwritableFileError(msg, errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove_store(beside: Path) -> None:
    """Remove what an interruption of another sweep left, and nothing else."""
    if not checksums.is_ours(beside):
        msg = (
            f"`to_zarr`: expected the name {beside.name!r} to be free while the store is written, got "
            f"{str(beside)!r}, which holds something else; remove it or choose another path"
        )
        raise InvalidDataError(msg)
    shutil.rmtree(beside)


def _checked(path: Path) -> Path:
    """Raise where the suffix promises another format."""
    if path.name and path.suffix == ".zarr":
        return path
    do = f"use {path.with_suffix('.zarr').name!r}" if path.name else "give the store a name"
    if path.suffix == ".nc":
        do += f", or `roofcube.save(sweep.compute(), {path.name!r})` for NetCDF"
    msg = f"`path`: expected a name ending in .zarr, got {path.name!r}; {do}"
    raise InvalidDataError(msg)


def _opened(store: Path) -> xr.Dataset:
    there, before = store.absolute(), identity(store)
    with blamed(store):
        check_store(store, reading=False)
        whole = opened_store(there, decode_cf=False)
        own = ORIGINAL in whole.attrs
        lazy = with_guarded_values(whole if own else opened_store(there), there, before)
        cube = decoded(lazy) if own else lazy
    cube.attrs = {name: value for name, value in cube.attrs.items() if name not in OF_THE_FILE}
    return cube


def _fingerprint(sweep: ModelContext) -> str:
    """Name the content: graph, tables, dims, dtype, and how it is cut into files."""
    return digest(_content(sweep))


def _content(sweep: ModelContext) -> Iterator[str | bytes | memoryview[Any]]:
    """List all that the store will say: graph and tables to the last bit, inputs and every attribute."""
    yield repr((sweep.dims, sweep.space.sizes, sweep.dtype, sweep.tuning.chunk_points, SEPARATOR))
    yield from structure_of(sweep.model.outputs)
    for name in sorted(sweep.model.tables):
        table = sweep.space.tables[name]
        yield f"{name}{table.shape}{table.dtype.str}"
        yield np.ascontiguousarray(table).tobytes()
    described = {name: dict(sweep.attributes(name)) for name in sorted(result_dims(sweep))}
    yield json.dumps([[name, sorted(_plain_attributes(attributes).items())] for name, attributes in described.items()])
    inputs = sweep.inputs.assign_attrs(sweep.attrs)
    yield from values_to_hash(inputs)
    yield from parts_to_hash(inputs)


def _fingerprint_of(store: Path) -> str | None:
    """Read the fingerprint of a store; None where there is none."""
    try:
        attributes = json.loads((store / "zarr.json").read_text("utf-8"))["attributes"]
        return str(attributes[checksums.SWEEP])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _create(sweep: ModelContext, beside: Path, key: str) -> None:
    """Lay the store out: inputs and coordinates, and empty arrays for the results; named last, so that it is whole."""
    import zarr

    with replacing(beside, lock=False) as draft, zarr.config.set({"array.write_empty_chunks": True}):
        inputs = sweep.inputs.drop_vars([name for name in result_dims(sweep) if name in sweep.inputs])
        order = dict.fromkeys([*sweep.inputs.variables, *result_dims(sweep)])
        written = encoded(inputs.assign_attrs(sweep.attrs), half=True, order=order)
        packed = {name: {"compressors": compressors()} for name in written.variables}
        written.to_zarr(draft, mode="w", consolidated=False, zarr_format=3, encoding=packed)
        group = zarr.open_group(draft, mode="r+")
        for name, dims in result_dims(sweep).items():
            sizes = tuple(sweep.sizes[dim] for dim in dims)
            group.create_array(
                name,
                shape=sizes,
                chunks=_chunk(sizes, sweep.tuning.chunk_points),
                dtype=_stored_kind(sweep, name),
                compressors=compressors(),
                fill_value=0,
                chunk_key_encoding={"name": "default", "separator": SEPARATOR},
                dimension_names=dims,
                attributes=_plain_attributes(
                    encoded_attributes(name, _stored_kind(sweep, name), dict(sweep.attributes(name)))
                ),
            )
        group.attrs.update({checksums.WHOLE: checksums.ALL, checksums.DESCRIPTION: description_of(draft)})
        group.attrs[checksums.SWEEP] = key


def _plain_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in attributes.items()}


def _chunk(sizes: tuple[int, ...], points: int) -> tuple[int, ...]:
    tiling = Tiling(sizes, points)
    if not sizes:
        return ()
    return (*([1] * tiling.axis), max(1, tiling.length), *(max(1, size) for size in sizes[tiling.axis + 1 :]))


def _write(sweep: ModelContext, beside: Path, journal: Path) -> None:
    import zarr

    done = _journalled(journal, beside)
    kept = (_journal_line(job, files) for job, files in sorted(done.items()))
    journal.write_text("".join(kept), "utf-8")  # without damaged lines
    parts = _parts_of(sweep)
    jobs = (
        (number, tile) for number, part in enumerate(parts) for tile in range(len(part)) if (number, tile) not in done
    )
    whole = Counter(number for number, _ in done)
    for number, part in enumerate(parts):
        if whole[number] < len(part):
            part.prepare()
    total = sum(map(len, parts))
    # looking for chunks of nothing but zeros takes as long as compressing
    with (
        zarr.config.set({"array.write_empty_chunks": True}),
        progress_bar(total, "writing") as bar,
        journal.open("a", encoding="utf-8") as lines,
    ):
        arrays = dict(zarr.open_group(beside, mode="r+").arrays())
        bar.update(len(done))
        for job, files in in_order(partial(_put_on_disk, beside, arrays, parts), jobs, threads=thread_count()):
            done[job] = files
            lines.write(_journal_line(job, files))
            lines.flush()
            os.fsync(lines.fileno())
            bar.update(1)
    checksums.write_checksums(beside, {name: found for files in done.values() for name, found in files.items()})


def _journal_line(job: Job, files: Files) -> str:
    return json.dumps([*job, files]) + "\n"


def _journalled(journal: Path, beside: Path) -> dict[Job, Files]:
    """Read the tiles that are whole, whose files are as they were written; a damaged line does not count."""
    text = journal.read_text("utf-8", errors="replace") if journal.exists() else ""
    done: dict[Job, Files] = {}
    for line in text[: text.rfind("\n") + 1].splitlines():
        with suppress(ValueError, TypeError, AttributeError):
            number, tile, files = json.loads(line)
            if all(
                (beside / name).is_file() and checksums.of_file(beside / name) == one for name, one in files.items()
            ):
                done[number, tile] = files
    return done


def _put_on_disk(beside: Path, arrays: Mapping[str, Any], parts: list[Part], job: Job) -> tuple[Job, Files]:
    """Write a tile, see it on disk, and return its files with their digests."""
    _write_tile(arrays, parts, job)
    number, tile = job
    slices, files = parts[number].tiling.slices(tile), {}
    for name in parts[number].kinds:
        at = zip(slices, arrays[name].chunks, strict=True)
        chunk = SEPARATOR.join(["c", *(str(part.start // length) for part, length in at)])
        sync(beside / name / chunk)
        files[f"{name}/{chunk}"] = checksums.of_file(beside / name / chunk)
    return job, files


def _parts_of(sweep: ModelContext) -> list[Part]:
    by_dims: dict[tuple[str, ...], list[str]] = {}
    for name, dims in result_dims(sweep).items():
        by_dims.setdefault(dims, []).append(name)
    kinds = {name: _stored_kind(sweep, name) for name in result_dims(sweep)}
    return [
        Part(sweep.space, {name: sweep.model.outputs[name] for name in names}, dims, kinds, sweep.tuning)
        for dims, names in by_dims.items()
    ]


def _write_tile(arrays: Mapping[str, Any], parts: list[Part], job: Job) -> Job:
    number, tile = job
    with parts[number].tile(tile) as (slices, values):
        for name, array in values.items():
            arrays[name][slices or ...] = array
    return job
