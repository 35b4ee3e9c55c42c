"""Load the embedded tables: checksum and derived columns; nothing of cubes or kernels.

A table whose checksum is the manifest's is the file that the tests validate row by row; it is not validated again.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.aliases import canonical
from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.reading import read_trusted
from roofcube.disk import digest
from roofcube.errors import CorruptFileError, unknown_label

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "load_accuracy",
    "load_aliases",
    "load_corrections",
    "load_layers",
    "load_measurements",
    "load_platforms",
    "load_power_traces",
    "load_repeats",
    "load_topologies",
    "manifest",
    "tasks",
]

# counts from layers are taken as exact where they reproduce the source within this
COUNTS_TOLERANCE_PERCENT = 1.0


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """Tell for each table its file, sha256, source, licence and what was changed.

    Examples
    --------
    >>> from roofcube.datasets import manifest
    >>> manifest()["measurements"]["licence"]
    'Apache-2.0'
    """
    return tomllib.loads(_data("manifest.toml").read_text(encoding="utf-8"))


def _data(name: str) -> Traversable:
    return files("roofcube.datasets").joinpath("data", name)


def _table(name: str, row: type) -> pl.DataFrame:
    check_not_forked()
    return _read(name, row)


@cache
def _read(name: str, row: type) -> pl.DataFrame:
    entry = manifest()[name]
    with as_file(_data(entry["file"])) as path:
        found = digest([path.read_bytes()])
        if found != entry["sha256"]:
            msg = (
                f"{path.name}: the embedded table was altered (sha256 {found[:12]}…, the manifest says "
                f"{entry['sha256'][:12]}…); reinstall roofcube"
            )
            raise CorruptFileError(msg)
        return read_trusted(path, row)


def load_platforms() -> pl.DataFrame:
    """Load what the platforms offer, a row per platform, mode and precision.

    Returns
    -------
    DataFrame
        `peak_compute_op_per_s`, `memory_bandwidth_b_per_s`, `memory_capacity_b`, `listed_power_w`,
        `executed_precision`, and the structure of the platform: `cores`, `weight_memory_b`, `channel_tile`,
        `weights_shared`, `dataflow`, `basis`.

    Examples
    --------
    >>> from roofcube.datasets import load_platforms
    >>> load_platforms()["platform"].n_unique()
    9
    """
    return _table("platforms", schema.Platform).join(
        _table("platform_structure", schema.PlatformStructure),
        on="platform",
        how="left",
        maintain_order="left",
    )


def load_topologies() -> pl.DataFrame:
    """Load the networks, a row per topology and share of channels kept.

    Returns
    -------
    DataFrame
        `ops` and `params` per input with `counts_source`: ``layers`` where the layer table reproduces the source within
        1 %, else ``source``; `ops_from_layers`, `params_from_layers`, `ops_source` (behind the source's predictions),
        `ops_difference_percent` (layers against source), the printed figures, and `shapes` (``assumed`` for the pruned
        ResNet-50s, whose widths were not published).

    Examples
    --------
    >>> import polars as pl
    >>> from roofcube.datasets import load_topologies
    >>> cnv = load_topologies().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == 12.5)
    >>> cnv["ops"].item(), cnv["params"].item()
    (8017792.0, 97712.0)
    """
    totals = (
        load_layers()
        .group_by("topology", "pruning_percent")
        .agg(
            ops_from_layers=pl.col("ops").sum().cast(pl.Float64),
            params_from_layers=pl.col("params").sum().cast(pl.Float64),
        )
    )
    # the size behind the source's predictions is the one that its intensity implies, not the rounded figure it prints
    implied_params = pl.col("ops_source") / pl.col("ops_per_byte_int8_printed")
    references = {
        "ops": pl.coalesce("ops_source_exact", "ops_source", "ops_printed"),
        "params": pl.coalesce("params_source_exact", implied_params, "params_printed"),
    }
    table = (
        _table("topologies", schema.Topology)
        .join(totals, on=["topology", "pruning_percent"], how="left", maintain_order="left")
        .with_columns(
            **{
                f"{what}_difference_percent": 100.0 * (pl.col(f"{what}_from_layers") / source - 1.0)
                for what, source in references.items()
            }
        )
    )
    agree = pl.all_horizontal(
        pl.col(f"{what}_difference_percent").fill_null(0.0).abs() <= COUNTS_TOLERANCE_PERCENT for what in references
    )
    table = table.with_columns(counts_source=pl.when(agree).then(pl.lit("layers")).otherwise(pl.lit("source")))
    from_layers = pl.col("counts_source") == "layers"
    return table.with_columns(
        **{
            what: pl.when(from_layers).then(f"{what}_from_layers").otherwise(source)
            for what, source in references.items()
        }
    )


def load_layers() -> pl.DataFrame:
    """Load the weight layers of all networks, in order; see `roofcube.datasets.architectures` for their definitions.

    Returns
    -------
    DataFrame
        Shapes, `ops` (2 per multiply-accumulate), `params` (weights only), `input_elements`, `output_elements`.
    """
    return _table("layers", schema.LayerRow)


def load_accuracy() -> pl.DataFrame:
    """Load the accuracy of the trained networks per topology, channels kept and precision, in percent."""
    return _table("accuracy", schema.Accuracy)


def load_measurements(task: str | None = None) -> pl.DataFrame:
    """Load the measurements, source values unaltered.

    Parameters
    ----------
    task : str, optional
        One of `tasks()`; all where not given.

    Returns
    -------
    DataFrame
        A row per measured configuration; `batch` is the batch size, or threads where `batch_kind` says so.

    Raises
    ------
    UnknownLabelError
        If the task is not known.

    Examples
    --------
    >>> from roofcube.datasets import load_measurements
    >>> load_measurements().height, load_measurements("mnist").height
    (974, 406)
    """
    return _rows_of_task(_table("measurements", schema.Measurement), task)


def load_repeats(task: str | None = None) -> pl.DataFrame:
    """Load an independent second run on the TX2 (CNV): the noise floor of the measurements."""
    return _rows_of_task(_table("repeats", schema.Repeat), task)


def load_power_traces() -> pl.DataFrame:
    """Load the EdgeTPU meter samples: volts and amperes, or watts when idle; one sample was taken as one second."""
    return _table("power_traces", schema.PowerSample)


def load_aliases() -> pl.DataFrame:
    """Load the other spellings of labels that every loader understands."""
    return _table("aliases", schema.Alias)


def load_corrections() -> pl.DataFrame:
    """Load what is wrong or doubtful in the source: source value, corrected value and why."""
    return _table("corrections", schema.Correction)


@cache
def tasks() -> tuple[str, ...]:
    """Name the tasks that have embedded measurements.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.tasks()
    ('cifar10', 'imagenet', 'mnist')
    """
    return tuple(sorted(_table("measurements", schema.Measurement)["task"].unique().to_list()))


def _rows_of_task(table: pl.DataFrame, task: str | None) -> pl.DataFrame:
    if task is None:
        return table
    name = canonical("task", task)
    if name not in tasks():
        raise unknown_label("task", task, tasks())
    return table.filter(pl.col("task") == name)
