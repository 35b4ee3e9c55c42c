"""The commands that list what there is, with sources: platforms, networks, variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import polars as pl

from roofcube.cli.commands import EXISTING, main
from roofcube.cli.foreign import column_map, in_options
from roofcube.cli.printing import as_json_option, say, table_text, to_json
from roofcube.wording import in_shown_unit, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__: list[str] = []

PLATFORMS = ("platform", "device_class", "mode", "precision", "executed_precision")
QUANTITIES = {
    "peak_compute_op_per_s": "op/s",
    "memory_bandwidth_b_per_s": "B/s",
    "memory_capacity_b": "B",
    "listed_power_w": "W",
}
NETWORKS = (
    "topology", "task", "pruning_percent", "precision", "phase", "context", "ops", "params", "active_params", "state",
    "top1", "counts_source", "left_out", "source",
)  # fmt: skip


@main.command("platforms")
@click.argument("file", type=EXISTING, required=False)
@as_json_option
def platforms_command(file: Path | None, as_json: bool) -> None:
    """List the embedded platforms, or those of a TOML FILE: what they offer by mode and precision, and the source."""
    import roofcube

    table = roofcube.platforms() if file is None else roofcube.read_platforms(file)
    names = [*PLATFORMS, *QUANTITIES, *(name for name in table.columns if name.endswith("source"))]
    _print(table.select(name for name in names if name in table.columns), as_json=as_json)


@main.command("networks")
@click.argument("file", type=EXISTING, required=False)
@click.option("--task", help="Of this task only.")
@click.option("--context", type=int, multiple=True, help="Tokens of a sequence, for a config.json; may be repeated.")
@click.option("--size", "sizes", multiple=True, help="Of a symbolic dim of an ONNX file: NAME=SIZE; may be repeated.")
@as_json_option
def networks_command(
    file: Path | None, task: str | None, context: tuple[int, ...], sizes: tuple[str, ...], as_json: bool
) -> None:
    """List the embedded networks, or those of an ONNX, CSV or config.json FILE: operations, parameters, the source."""
    import roofcube
    from roofcube.errors import InvalidDataError, check_choice

    for option, given, kind in (("--context", context, "a config.json"), ("--size", sizes, "an ONNX file")):
        if given and file is None:
            msg = f"`{option}`: expected {kind} beside it, got no FILE; name one, or leave it out"
            raise InvalidDataError(msg)
    if file is not None:
        table = _network(file, context, sizes)
        if "layer" in table.columns:
            keys = [name for name in ("topology", "task", "pruning_percent", "source") if name in table.columns]
            table = table.group_by(keys, maintain_order=True).agg(pl.col("ops", "params").sum())
    else:
        table = roofcube.networks()
    if task is not None:
        check_choice("--task", task, table["task"].unique(maintain_order=True).to_list())
        table = table.filter(pl.col("task") == task)
    _print(table.select(name for name in NETWORKS if name in table.columns), as_json=as_json)


def _network(file: Path, context: Sequence[int], sizes: Sequence[str]) -> pl.DataFrame:
    """Read a network with what options say of it; a message that asks for sizes asks for the option."""
    import roofcube
    from roofcube.errors import InvalidDataError

    given = {name: _size(name, said) for name, said in column_map("--size", sizes).items()}
    try:
        return roofcube.read_network(file, context=list(context) or None, sizes=given or None)
    except InvalidDataError as error:
        raise InvalidDataError(in_options(str(error))) from error


def _size(name: str, said: str) -> int | tuple[int, ...]:
    """Read a size, or the whole shape of an input, its sizes with commas between."""
    from roofcube.errors import InvalidDataError

    try:
        sizes = tuple(int(one) for one in said.split(","))
    except ValueError:
        msg = f"`--size`: expected whole numbers, got {name}={said}; write it like --size {name}=128"
        raise InvalidDataError(msg) from None
    return sizes if len(sizes) > 1 else sizes[0]


@main.command("variables")
@click.argument("file", type=EXISTING, required=False)
@as_json_option
def variables_command(file: Path | None, as_json: bool) -> None:
    """List the variables of cubes, or those of a cube FILE: unit, meaning, which way is better, and where from."""
    import roofcube

    if file is None:
        _print(roofcube.variables(), as_json=as_json)
        return
    from roofcube.files.store import opened

    with opened(file) as cube:
        _print(roofcube.variables(cube), as_json=as_json)


def _print(table: pl.DataFrame, *, as_json: bool) -> None:
    """Print a table; in words what all rows share stands below, once."""
    if as_json:
        say(to_json(table.to_dicts()))
        return
    said = [name for name in table.columns if name.endswith("source") and table[name].n_unique() == 1]
    shared = {name: table[name][0] for name in said if table[name][0]}
    rows = [
        {name: _list_text(name, value) for name, value in row.items()} for row in table.drop(said).iter_rows(named=True)
    ]
    say(table_text(pl.DataFrame(rows)))
    for name, value in shared.items():
        say(f"{name.replace('_', ' ')}: {value}")


def _list_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in QUANTITIES:
        return in_shown_unit(value, QUANTITIES[name])
    return with_unit(value, "") if isinstance(value, float) else str(value)
