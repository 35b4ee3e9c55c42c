"""The commands that list what there is, with sources: platforms, networks, variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import polars as pl

from roofcube.cli.commands import main
from roofcube.cli.foreign import COLUMN
from roofcube.cli.outputs import EXISTING
from roofcube.cli.own import network_options, own_networks, own_platforms
from roofcube.cli.printing import as_json_option, say, table_text, to_json
from roofcube.wording import in_shown_unit, with_unit

if TYPE_CHECKING:
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
@COLUMN
@as_json_option
def platforms_command(file: Path | None, columns: tuple[str, ...], as_json: bool) -> None:
    """List the embedded platforms, or those of a FILE (TOML, CSV): what they offer by mode and precision, the source.

    \b
    roofcube platforms boards.csv --column Board=platform --column TOPS=peak_compute:TOP/s --column Price=
    """  # noqa: D301  click takes the backspace itself
    import roofcube

    own = own_platforms([] if file is None else [file], columns=columns)
    table = own[0] if own else roofcube.platforms()
    names = [*PLATFORMS, *QUANTITIES, *(name for name in table.columns if name.endswith("source"))]
    _print(table.select(name for name in names if name in table.columns), as_json=as_json)


@main.command("networks")
@click.argument("file", type=EXISTING, required=False)
@click.option("--task", help="Of this task only.")
@click.option(
    "--column", "columns", multiple=True, help="What a foreign column of a table is: NAME=COLUMN; NAME= for nothing."
)
@network_options
@as_json_option
def networks_command(file: Path | None, task: str | None, as_json: bool, **said: Any) -> None:
    """List the embedded networks, or those of an ONNX, CSV or config.json FILE: operations, parameters, the source."""
    import roofcube
    from roofcube.errors import check_choice

    own = own_networks([] if file is None else [file], **said)
    if own:
        table = own[0]
        if "layer" in table.columns:
            keys = [name for name in ("topology", "task", "pruning_percent", "source") if name in table.columns]
            table = table.group_by(keys, maintain_order=True).agg(pl.col("ops", "params").sum())
    else:
        table = roofcube.networks()
    if task is not None:
        check_choice("--task", task, table["task"].unique(maintain_order=True).to_list())
        table = table.filter(pl.col("task") == task)
    _print(table.select(name for name in NETWORKS if name in table.columns), as_json=as_json)


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
