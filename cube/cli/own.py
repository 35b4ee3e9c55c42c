"""What the user brings on the command line, by the names of files: platforms, networks, and the cube of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import polars as pl
    import xarray as xr

    from roofcube.files.measurements import NumberedRows

__all__ = ["column_map", "cube_of", "is_cube", "numbered_rows", "predicted_cube", "reading_options"]

UNSAID = "custom"  # the task of a network whose file names none
CUBES = (".nc", ".zarr")


def is_cube(name: str) -> bool:
    """Check whether an argument names a cube, not a task."""
    return name.endswith(CUBES)


def cube_of(task: str) -> xr.Dataset:
    """Load a cube by the name of its file, or the embedded benchmark of a task."""
    import roofcube

    return roofcube.load(task) if is_cube(task) else roofcube.benchmark(task)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a file of measurements is to be read, for `numbered_rows`."""
    for option in (
        click.option("--decimal", help="Point or comma of decimals: . or , [default: found out]."),
        click.option("--sep", help="Character between fields [default: found out]."),
        click.option("--constant", "constants", multiple=True, help="What holds for all rows: COLUMN=VALUE."),
        click.option("--unit", "units", multiple=True, help="Unit of a column: COLUMN=UNIT."),
        click.option(
            "--column", "columns", multiple=True, help="What a foreign column is: NAME=COLUMN or NAME=COLUMN:UNIT."
        ),
    ):
        command = option(command)
    return command


def numbered_rows(
    rows: Path,
    *,
    columns: Sequence[str] = (),
    units: Sequence[str] = (),
    constants: Sequence[str] = (),
    sep: str | None = None,
    decimal: str | None = None,
) -> NumberedRows:
    """Read measurements as the options say, with the row of the file behind each."""
    from roofcube.files.measurements import read_numbered

    return read_numbered(
        rows,
        columns={name: _target(said) for name, said in column_map("--column", columns).items()},
        units=column_map("--unit", units),
        constants=column_map("--constant", constants),
        sep={"tab": "\t", "\\t": "\t"}.get(sep or "", sep),
        decimal=decimal,
    )


def column_map(option: str, said: Sequence[str]) -> dict[str, str]:
    """Read what options say: NAME=VALUE, several times.

    Examples
    --------
    >>> column_map("--constant", ["platform=RTX3090", "precision=FP16"])
    {'platform': 'RTX3090', 'precision': 'FP16'}
    """
    from roofcube.errors import InvalidDataError

    found: dict[str, str] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            msg = f"`{option}`: expected NAME=VALUE, got {one!r}; write it like {option} platform=mine"
            raise InvalidDataError(msg)
        found[name.strip()] = value.strip()
    return found


def _target(said: str) -> str | tuple[str, str] | None:
    column, colon, unit = said.partition(":")
    return (column, unit) if colon else column or None


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
