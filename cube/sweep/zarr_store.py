"""Store a whole sweep: in memory below the limit, or as a Zarr store that an interruption cannot spoil.

A store is written beside its final name, with a journal of the tiles that are whole, and renamed when it is complete:
what bears the final name is complete, and what an interruption left is continued by the same call.
"""

from __future__ import annotations

import json
import shutil
import warnings
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.disk import digest, naming_the_file, replacing, sync
from roofcube.errors import InvalidDataError, MemoryLimitError, check_installed
from roofcube.files import checksums
from roofcube.files.storable import as_saved, storable
from roofcube.kernels.engine.pool import in_order
from roofcube.kernels.graph.expression import leaves
from roofcube.kernels.query.tiles import Tiling
from roofcube.model.graph import RESULTS
from roofcube.options import memory_limit, progress_bar, thread_count
from roofcube.sweep.answers.points import attributes_of
from roofcube.sweep.tile_reader import Part
from roofcube.variables import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import xarray as xr

    from roofcube.sweep.contexts.model_context import ModelContext

__all__ = ["compute", "result_dims", "stored_bytes", "to_zarr"]

Array = np.ndarray[Any, np.dtype[Any]]
Job = tuple[int, int]  # number of a part, and of its tile
CHUNK_POINTS = 1 << 21  # points of a chunk: 8 MB in f4, which compresses and reads well
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
        prod(sweep.sizes[dim] for dim in dims) * _kind(sweep, name).itemsize
        for name, dims in result_dims(sweep).items()
    )


def _kind(sweep: ModelContext, name: str) -> np.dtype[Any]:
    return np.dtype("i1" if name in FLAGS else sweep.dtype)


def compute(sweep: ModelContext) -> xr.Dataset:
    """Fill the whole cube if it fits."""
    from roofcube.model.predict import predict

    needed, limit = stored_bytes(sweep), memory_limit()
    if needed > limit:
        msg = (
            f"`compute`: expected results within {limit / 1e9:,.2f} GB, got {needed / 1e9:,.2f} GB for "
            f"{sweep.size:,} points; use `to_zarr(path)`, or a reduction that stores nothing (best, top, pareto, "
            "count, histogram, quantile), "
            "or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    cube = predict(sweep.inputs, assumptions=sweep.assumptions, dtype=sweep.dtype)
    return cube.assign_attrs(dim_order=" ".join(sweep.dims))


def to_zarr(sweep: ModelContext, path: Any) -> xr.Dataset:
    """Write the cube tile by tile, or go on where an interruption left it."""
    check_installed("to_zarr", "zarr", "scale")
    target = _checked(Path(path))
    beside = target.with_name(f"{target.name}.partial")
    key = _fingerprint(sweep)
    if target.exists():
        if _key_of(target) != key:
            msg = (
                f"`to_zarr`: expected a new path or a store of the same sweep, got {str(target)!r} with other content; "
                "remove it or choose another path"
            )
            raise InvalidDataError(msg)
        return _opened(target)
    if beside.exists() and _key_of(beside) != key:
        _remove_store(beside)
    journal = target.with_name(f"{target.name}.journal")
    with naming_the_file(target):
        if not beside.exists():
            journal.unlink(missing_ok=True)  # of a store that was finished or removed
            _create(sweep, beside, key)
        _write(sweep, beside, journal)
        beside.rename(target)
        sync(target.parent)
        journal.unlink(missing_ok=True)
    return _opened(target)


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
    if path.name and path.suffix in ("", ".zarr"):
        return path
    do = f"use {path.with_suffix('.zarr').name!r}" if path.name else "give the store a name"
    if path.suffix == ".nc":
        do += f", or `roofcube.save(sweep.compute(), {path.name!r})` for NetCDF"
    msg = f"`path`: expected a name ending in .zarr, got {path.name!r}; {do}"
    raise InvalidDataError(msg)


def _opened(store: Path) -> xr.Dataset:
    import xarray as xr

    cube = xr.open_dataset(store, engine="zarr", consolidated=False)
    cube = as_saved(cube)
    cube.attrs = {name: value for name, value in cube.attrs.items() if name not in checksums.OF_ONE_STORE}
    return cube


def _fingerprint(sweep: ModelContext) -> str:
    """Name the content: graph, tables, dims, dtype, and how it is cut into files."""
    return digest(_content(sweep))


def _content(sweep: ModelContext) -> Iterator[str | bytes]:
    yield repr((sweep.dims, sweep.space.sizes, sweep.dtype, CHUNK_POINTS, SEPARATOR))
    for name, node in sorted(sweep.model.outputs.items()):
        yield f"{name}={node!r}"
    for name, table in sorted(sweep.space.tables.items()):
        yield f"{name}{table.shape}"
        yield np.ascontiguousarray(table).tobytes()
    for label, coordinate in sorted(sweep.model.coords.items(), key=lambda pair: str(pair[0])):
        yield f"{label}{coordinate.values.tolist()}"


def _key_of(store: Path) -> str | None:
    """Read the fingerprint of a store; None where there is none."""
    try:
        attributes = json.loads((store / "zarr.json").read_text("utf-8"))["attributes"]
        return str(attributes[checksums.SWEEP])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _create(sweep: ModelContext, beside: Path, key: str) -> None:
    """Lay the store out: inputs and coordinates, and empty arrays for the results; named last, so that it is whole."""
    import zarr

    with replacing(beside) as draft:
        inputs = sweep.inputs.drop_vars([name for name in result_dims(sweep) if name in sweep.inputs])
        with warnings.catch_warnings():
            # labels are stored as text of fixed length, which Zarr 3 reads everywhere but has not named for good
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
            storable(inputs.assign_attrs(sweep.attrs)).to_zarr(draft, mode="w", consolidated=False, zarr_format=3)
        group = zarr.open_group(draft, mode="r+")
        for name, dims in result_dims(sweep).items():
            sizes = tuple(sweep.sizes[dim] for dim in dims)
            group.create_array(
                name,
                shape=sizes,
                chunks=_chunk(sizes),
                dtype=_kind(sweep, name),
                fill_value=0,
                chunk_key_encoding={"name": "default", "separator": SEPARATOR},
                dimension_names=dims,
                attributes=_plain(attributes_of(sweep, name)),
            )
        group.attrs[checksums.SWEEP] = key


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in attributes.items()}


def _chunk(sizes: tuple[int, ...]) -> tuple[int, ...]:
    tiling = Tiling(sizes, CHUNK_POINTS)
    if not sizes:
        return ()
    return (*([1] * tiling.axis), max(1, tiling.length), *(max(1, size) for size in sizes[tiling.axis + 1 :]))


def _write(sweep: ModelContext, beside: Path, journal: Path) -> None:
    import zarr

    done = _journalled(journal)
    journal.write_text("".join(f"{number} {tile}\n" for number, tile in sorted(done)), "utf-8")  # without a torn line
    parts = _parts(sweep)
    jobs = [
        (number, tile) for number, part in enumerate(parts) for tile in range(len(part)) if (number, tile) not in done
    ]
    for number in {number for number, _ in jobs}:
        parts[number].prepare()
    total = sum(map(len, parts))
    # looking for chunks of nothing but zeros takes as long as compressing
    with (
        zarr.config.set({"array.write_empty_chunks": True}),
        progress_bar(total, "writing") as bar,
        journal.open("a", encoding="utf-8") as lines,
    ):
        arrays = dict(zarr.open_group(beside, mode="r+").arrays())
        bar.update(total - len(jobs))
        for number, tile in in_order(partial(_write_tile, arrays, parts), jobs, threads=thread_count()):
            lines.write(f"{number} {tile}\n")
            lines.flush()
            bar.update(1)
    checksums.write_checksums(beside)


def _journalled(journal: Path) -> set[Job]:
    """Read the tiles that are whole; a last line cut off by a crash does not count."""
    text = journal.read_text("utf-8") if journal.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return {(int(number), int(tile)) for number, tile in (line.split() for line in lines)}


def _parts(sweep: ModelContext) -> list[Part]:
    by_dims: dict[tuple[str, ...], list[str]] = {}
    for name, dims in result_dims(sweep).items():
        by_dims.setdefault(dims, []).append(name)
    kinds = {name: _kind(sweep, name) for name in result_dims(sweep)}
    return [
        Part(sweep.space, {name: sweep.model.outputs[name] for name in names}, dims, kinds, CHUNK_POINTS)
        for dims, names in by_dims.items()
    ]


def _write_tile(arrays: Mapping[str, Any], parts: list[Part], job: Job) -> Job:
    number, tile = job
    with parts[number].tile(tile) as (slices, values):
        for name, array in values.items():
            arrays[name][slices or ...] = array
    return job
