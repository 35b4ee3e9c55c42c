"""What the user brings on the command line, by the names of files: platforms, networks, and the cube of a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roofcube.cli.foreign import column_map, column_targets, naming_options
from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl
    import xarray as xr

__all__ = [
    "ASSUMPTIONS",
    "cube_of",
    "is_cube",
    "network_options",
    "own_networks",
    "own_platforms",
    "parted",
    "predicted_cube",
]

ASSUMPTIONS = ("published", "bound", "serving")
CUBES = (".nc", ".zarr")
CONFIG, ONNX, TABLE = ".json", ".onnx", "table"
KINDS = {CONFIG: "a config.json", ONNX: "an ONNX file", TABLE: "a table"}
NETWORK_OPTIONS = (
    click.option(
        "--context", type=int, multiple=True, help="Tokens of a sequence, for a config.json; may be repeated."
    ),
    click.option("--phase", multiple=True, help="prefill or decode, for a config.json [default: both]."),
    click.option(
        "--size", "sizes", multiple=True, help="Of a symbolic dim of an ONNX file: NAME=SIZE; may be repeated."
    ),
)


def is_cube(name: str) -> bool:
    """Check whether an argument names a cube, not a task.

    Raises
    ------
    InvalidDataError
        If it is a file that is no cube.
    """
    suffix = Path(name).suffix  # completion of a shell ends the name of a folder with a slash
    if suffix not in ("", *CUBES) and Path(name).exists():
        msg = f"`task`: expected a task, or a cube in a file that ends in .nc or .zarr, got {name!r}; name one of those"
        raise InvalidDataError(msg)
    return suffix in CUBES


def cube_of(task: str) -> xr.Dataset:
    """Load a cube by the name of its file, or the embedded benchmark of a task."""
    import roofcube

    return roofcube.load(task) if is_cube(task) else roofcube.benchmark(task)


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how networks are to be read, for `own_networks`."""
    for option in reversed(NETWORK_OPTIONS):
        command = option(command)
    return command


def own_platforms(files: Sequence[Path], *, columns: Sequence[str] | None = None) -> list[pl.DataFrame]:
    """Read platforms with what options say of their columns; None where the command has no such option.

    Raises
    ------
    InvalidDataError
        As `roofcube.read_platforms`, or if an option is for none of the files.
    """
    import roofcube

    if columns and not files:
        msg = "`--column`: expected a file of platforms beside it, got none; name one, or leave it out"
        raise InvalidDataError(msg)
    with naming_options(columns=columns is not None):
        return [roofcube.read_platforms(path, columns=column_targets(columns or ()) or None) for path in files]


def own_networks(
    files: Sequence[Path],
    *,
    context: Sequence[int] = (),
    phase: Sequence[str] = (),
    sizes: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    task: str | None = None,
) -> list[pl.DataFrame]:
    """Read networks with what options say of them; a message that asks for an argument asks for the option.

    Parameters
    ----------
    files : sequence of Path
    context, phase : sequence
        For the configurations of transformers among them.
    sizes : sequence of str
        For the ONNX files among them.
    columns : sequence of str, optional
        For the tables among them; None where the command has no option that says what their columns are.
    task : str, optional
        Of a network whose file names none.

    Raises
    ------
    InvalidDataError
        As `roofcube.read_network`, or if an option is for none of the files.
    """
    import roofcube

    options: dict[str, dict[str, Any]] = {
        CONFIG: {"context": list(context) or None, "phase": list(phase) or None},
        ONNX: {"sizes": {name: _size_said(name, said) for name, said in column_map("--size", sizes).items()} or None},
        TABLE: {
            "columns": {name: said or None for name, said in column_map("--column", columns or ()).items()} or None
        },
    }
    kinds = {path: suffix if (suffix := path.suffix.lower()) in (CONFIG, ONNX) else TABLE for path in files}
    for kind, named in KINDS.items():
        said = next((name for name, value in options[kind].items() if value is not None), None)
        if said is not None and kind not in kinds.values():
            got = ", ".join(map(str, files)) or "no network"
            msg = f"`--{said.removesuffix('s')}`: expected {named} beside it, got {got}; name one, or leave it out"
            raise InvalidDataError(msg)
    with naming_options(columns=columns is not None):
        tables = [roofcube.read_network(path, **options[kind]) for path, kind in kinds.items()]
        if task is None:
            return tables
        return [
            table if _names_task(table) else roofcube.read_network(path, task=task, **options[kind])
            for table, (path, kind) in zip(tables, kinds.items(), strict=True)
        ]


def _names_task(table: pl.DataFrame) -> bool:
    from roofcube.datasets.networks import UNSAID_TASK

    return "task" in table.columns and bool(set(table["task"].to_list()) - {UNSAID_TASK})


def _size_said(name: str, said: str) -> int | tuple[int, ...]:
    """Read a size, or the whole shape of an input, its sizes with commas between."""
    try:
        sizes = tuple(int(one) for one in said.split(","))
    except ValueError:
        msg = f"`--size`: expected whole numbers, got {name}={said}; write it like --size {name}=128"
        raise InvalidDataError(msg) from None
    return sizes if len(sizes) > 1 else sizes[0]


def parted(labels: Iterable[str], own: Sequence[pl.DataFrame], column: str) -> tuple[list[str], list[str]]:
    """Part embedded labels into those that are taken and those in whose place the user's own tables are."""
    mine = {label for table in own for label in table[column].to_list()}
    every = dict.fromkeys(labels)
    return [label for label in every if label not in mine], [label for label in every if label in mine]


def predicted_cube(
    task: str,
    platforms: Sequence[Path],
    networks: Sequence[Path],
    *,
    rows: pl.DataFrame,
    assumptions: str | None = None,
    **said: Any,
) -> tuple[xr.Dataset, list[str]]:
    """Load a cube, or predict a task with own platforms and networks beside the usual ones, and what rows name more.

    Platforms that rows name and another collection knows, and their batches, are there too. Own ones are in the place
    of embedded ones of their names, which are returned too. The assumptions are, where none are named, those of serving
    if a network has phases; `said` is for `own_networks`.

    Raises
    ------
    InvalidDataError
        If own platforms or networks, or assumptions, are given beside a cube, which has its own.
    """
    import roofcube
    from roofcube.datasets.aliases import canonical
    from roofcube.datasets.embedded import collection_of
    from roofcube.datasets.tables import collections_of
    from roofcube.model.assumptions import named_assumptions

    if is_cube(task):
        if platforms or networks:
            msg = f"`{task}`: a cube has its own platforms and networks; leave out --platforms and --networks"
            raise InvalidDataError(msg)
        if assumptions:
            msg = f"`{task}`: a cube was predicted with its own assumptions; leave out --assumptions"
            raise InvalidDataError(msg)
        own_networks([], **said)
        return roofcube.load(task), []
    options: dict[str, Any] = {}
    task = canonical("task", task)
    collection = collection_of(task)
    known = roofcube.datasets.load_platforms(collection=collection)["platform"].unique(maintain_order=True).to_list()
    hardware = own_platforms(platforms)
    measured = rows["platform"].unique(maintain_order=True).to_list()
    named = [*known, *collections_of("platform", measured, first=collection)]
    usual_platforms, replaced = parted(named, hardware, "platform")
    if hardware or usual_platforms != known:
        options["platforms"] = [*usual_platforms, *hardware]
    own = own_networks(networks, **said, task=task)
    if own:
        table = roofcube.datasets.load_topologies(collection=collection)
        embedded = table.filter(table["task"] == task)["topology"].unique(maintain_order=True).to_list()
        usual_networks, in_place = parted(embedded, own, "topology")
        options["topologies"] = [*usual_networks, *own]
        replaced += in_place
    inputs = roofcube.inputs(task, **options)
    usual = inputs["batch"].values.tolist()
    batches = rows["batch"].unique().to_list()
    if not set(batches) <= set(usual):
        inputs = roofcube.inputs(task, **options, batch=sorted({*usual, *batches}))
    return roofcube.predict(inputs, assumptions=named_assumptions(assumptions, inputs)), replaced
