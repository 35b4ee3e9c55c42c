"""What the user brings on the command line, by the names of files: platforms, networks, and the cube of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl
    import xarray as xr

__all__ = ["cube_of", "is_cube", "predicted_cube"]

UNSAID = "custom"  # the task of a network whose file names none
CUBES = (".nc", ".zarr")


def is_cube(name: str) -> bool:
    """Check whether an argument names a cube, not a task."""
    return name.endswith(CUBES)


def cube_of(task: str) -> xr.Dataset:
    """Load a cube by the name of its file, or the embedded benchmark of a task."""
    import roofcube

    return roofcube.load(task) if is_cube(task) else roofcube.benchmark(task)


def predicted_cube(task: str, platforms: Sequence[Path], networks: Sequence[Path], *, rows: pl.DataFrame) -> xr.Dataset:
    """Load a cube, or predict a task with own platforms and networks beside the usual ones, and what rows name more.

    Platforms that rows name and another collection knows, and their batches, are there too.

    Raises
    ------
    InvalidDataError
        If own platforms or networks are given beside a cube, which has its own.
    """
    import roofcube
    from roofcube.datasets.embedded import collection_of
    from roofcube.datasets.tables import collections_of
    from roofcube.errors import InvalidDataError

    if is_cube(task):
        if platforms or networks:
            msg = f"`{task}`: a cube has its own platforms and networks; leave out --platforms and --networks"
            raise InvalidDataError(msg)
        return roofcube.load(task)
    options: dict[str, Any] = {}
    collection = collection_of(task)
    known = roofcube.datasets.load_platforms(collection=collection)["platform"].unique(maintain_order=True).to_list()
    hardware = [roofcube.read_platforms(path) for path in platforms]
    mine = {label for table in hardware for label in table["platform"].to_list()}
    named = rows["platform"].unique(maintain_order=True).to_list()
    beside = [label for label in collections_of("platform", named, first=collection) if label not in {*known, *mine}]
    if hardware or beside:
        options["platforms"] = [*known, *beside, *hardware]
    if networks:
        table = roofcube.datasets.load_topologies(collection=collection)
        embedded = table.filter(table["task"] == task)["topology"].unique(maintain_order=True).to_list()
        options["topologies"] = [*embedded, *(_network(path, task) for path in networks)]
    inputs = roofcube.inputs(task, **options)
    usual = inputs["batch"].values.tolist()
    batches = rows["batch"].unique().to_list()
    if not set(batches) <= set(usual):
        inputs = roofcube.inputs(task, **options, batch=sorted({*usual, *batches}))
    return roofcube.predict(inputs)


def _network(path: Path, task: str) -> pl.DataFrame:
    """Read a network; one whose file names no task is of the task asked for."""
    import roofcube

    table = roofcube.read_network(path)
    said = set(table["task"].to_list()) - {UNSAID} if "task" in table.columns else set()
    return table if said else roofcube.read_network(path, task=task)
