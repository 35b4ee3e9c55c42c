"""Load the embedded tables: checksum and derived columns; nothing of cubes or kernels.

A table whose checksum is the manifest's is the file that the tests validate row by row; it is not validated again.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file
from typing import TYPE_CHECKING

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.aliases import canonical
from roofcube.datasets.embedded import (
    BENCHMARK,
    collection_of,
    collections,
    data_file,
    entry_name,
    manifest,
    tasks_beside,
)
from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.reading import columns_of, read_trusted
from roofcube.disk import digest
from roofcube.errors import CorruptFileError, unknown_label

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "collections_of",
    "load_accuracy",
    "load_aliases",
    "load_corrections",
    "load_layers",
    "load_measurements",
    "load_platform_figures",
    "load_platforms",
    "load_power_traces",
    "load_repeats",
    "load_topologies",
    "manifest",
    "tasks",
]

# counts from layers are taken as exact where they reproduce the source within this
COUNTS_TOLERANCE_PERCENT = 1.0


def _embedded_table(name: str, row: type) -> pl.DataFrame:
    check_not_forked()
    return _read_csv(name, row)


@cache
def _read_csv(name: str, row: type) -> pl.DataFrame:
    entry = manifest()[name]
    with as_file(data_file(entry["file"])) as path:
        return _read_unaltered(path, entry["sha256"], row)


def _read_unaltered(path: Path, expected: str, row: type) -> pl.DataFrame:
    found = digest([path.read_bytes()])
    if found != expected:
        msg = (
            f"{path.name}: the embedded table was altered (sha256 {found[:12]}…, the manifest says {expected[:12]}…); "
            "reinstall roofcube"
        )
        raise CorruptFileError(msg)
    return read_trusted(path, row)


def _table_in(table: str, row: type, collection: str) -> pl.DataFrame | None:
    """Load a table of a collection; None where it has none."""
    name = entry_name(table, collection)
    return None if name is None else _embedded_table(name, row)


def _or_empty(table: pl.DataFrame | None, like: pl.DataFrame) -> pl.DataFrame:
    return like.clear() if table is None else table


def load_platforms(*, collection: str = BENCHMARK) -> pl.DataFrame:
    """Load what the platforms offer, a row per platform, mode and precision.

    Parameters
    ----------
    collection : str, optional
        Tables beside the benchmark (`collections`); the benchmark's where not given.

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
    if collection == BENCHMARK:
        platforms = _embedded_table("platforms", schema.Platform)
    else:
        listed = _table_in("platforms", schema.ListedPlatform, collection)
        platforms = _or_empty(listed, _embedded_table("platforms", schema.Platform))
    structure = _table_in("platform_structure", schema.PlatformStructure, collection)
    if structure is None:
        defaults = {name: getattr(schema.PlatformStructure, name) for name in columns_of(schema.PlatformStructure)[1:]}
        return platforms.with_columns(pl.lit(value).alias(name) for name, value in defaults.items())
    return platforms.join(structure, on="platform", how="left", maintain_order="left")


@cache
def load_platform_figures() -> pl.DataFrame:
    """Load every published figure of platforms of today, one a row, with its source; used or not, agreeing or not.

    Returns
    -------
    DataFrame
        `platform`, `mode`, `precision`, `quantity`, `value` and `unit` in SI, `source`, `source_kind`, `basis`,
        what the source says as `seen`, `read` (the day), `evidence`, `used` and `note`.

    Examples
    --------
    >>> import polars as pl
    >>> from roofcube.datasets import load_platform_figures
    >>> figures = load_platform_figures().filter(pl.col("platform") == "TPU v3")
    >>> figures.filter(pl.col("quantity") == "memory_bandwidth")["value"][0]
    900000000000.0
    """
    tables = [_table_in("figures", schema.PlatformFigure, one) for one in collections("figures")]
    return pl.concat([table for table in tables if table is not None])


def load_topologies(*, collection: str = BENCHMARK) -> pl.DataFrame:
    """Load the networks, a row per topology and share of channels kept.

    Parameters
    ----------
    collection : str, optional
        As for `load_platforms`. Networks beside the benchmark have the published counts as `ops_published`,
        `params_published`, `activations_published`, and `counts_source` ``totals`` where they have no layers.

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
    if collection != BENCHMARK:
        return _published_topologies(collection)
    totals = _totals_of(load_layers())
    # the size behind the source's predictions is the one that its intensity implies, not the rounded figure it prints
    implied_params = pl.col("ops_source") / pl.col("ops_per_byte_int8_printed")
    references = {
        "ops": pl.coalesce("ops_source_exact", "ops_source", "ops_printed"),
        "params": pl.coalesce("params_source_exact", implied_params, "params_printed"),
    }
    table = (
        _embedded_table("topologies", schema.Topology)
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


@cache
def _published_topologies(collection: str) -> pl.DataFrame:
    """Put the counts of layers beside the published ones of a collection; without layers a network has the latter."""
    table = _table_in("topologies", schema.PublishedNetwork, collection)
    if table is None:
        return load_topologies().clear()
    totals = _totals_of(load_layers(collection=collection))
    table = table.join(totals, on=["topology", "pruning_percent"], how="left", maintain_order="left")
    traced = pl.col("ops_from_layers").is_not_null()
    return table.with_columns(
        ops=pl.coalesce("ops_from_layers", "ops_published"),
        params=pl.coalesce("params_from_layers", "params_published"),
        counts_source=pl.when(traced).then(pl.lit("layers")).otherwise(pl.lit("totals")),
        ops_source=pl.coalesce("ops_published", "ops_from_layers"),
        ops_difference_percent=100.0 * (pl.col("ops_from_layers") / pl.col("ops_published") - 1.0),
        params_difference_percent=100.0 * (pl.col("params_from_layers") / pl.col("params_published") - 1.0),
        shapes=pl.lit("published"),
    )


def _totals_of(layers: pl.DataFrame) -> pl.DataFrame:
    # of all columns together polars takes 40 MB more
    narrow = layers.select("topology", "pruning_percent", "ops", "params")
    return narrow.group_by("topology", "pruning_percent").agg(
        ops_from_layers=pl.col("ops").sum().cast(pl.Float64),
        params_from_layers=pl.col("params").sum().cast(pl.Float64),
    )


def load_layers(*, collection: str = BENCHMARK) -> pl.DataFrame:
    """Load the weight layers of all networks, in order; see `roofcube.datasets.architectures` for their definitions.

    Parameters
    ----------
    collection : str, optional
        As for `load_platforms`. Beside the benchmark there are layers of all kinds: products of attention, and layers
        whose weights another one has (`weights_of`).

    Returns
    -------
    DataFrame
        Shapes, `ops` (2 per multiply-accumulate), `params` (weights only), `input_elements`, `output_elements`.

    Examples
    --------
    >>> from roofcube.datasets import load_layers
    >>> layers = load_layers().filter(topology="MLP", pruning_percent=100.0)
    >>> layers.height, layers["params"].sum()
    (4, 10014720)
    """
    if collection != BENCHMARK:
        layers = _table_in("layers", schema.TracedLayer, collection)
        return load_layers().clear() if layers is None else layers
    return _embedded_table("layers", schema.LayerRow)


def load_accuracy(*, collection: str = BENCHMARK) -> pl.DataFrame:
    """Load the accuracy of the trained networks per topology, channels kept and precision, in percent.

    Parameters
    ----------
    collection : str, optional
        As for `load_platforms`.

    Examples
    --------
    >>> from roofcube.datasets import load_accuracy
    >>> load_accuracy().filter(topology="CNV", pruning_percent=100.0, precision="INT2")["top1_percent"].item()
    86.86
    """
    return _or_empty(_table_in("accuracy", schema.Accuracy, collection), _embedded_table("accuracy", schema.Accuracy))


def load_measurements(task: str | None = None) -> pl.DataFrame:
    """Load the measurements, source values unaltered.

    Parameters
    ----------
    task : str, optional
        One of `tasks()`; all of the benchmark where not given.

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
    return _rows_of_task(_embedded_table("measurements", schema.Measurement), task)


def load_repeats(task: str | None = None) -> pl.DataFrame:
    """Load an independent second run on the TX2 (CNV): the noise floor of the measurements.

    Parameters
    ----------
    task : str, optional
        As for `load_measurements`.

    Examples
    --------
    >>> from roofcube.datasets import load_repeats
    >>> load_repeats()["platform"].unique().to_list(), load_repeats("mnist").height
    (['TX2'], 0)
    """
    repeats = _embedded_table("repeats", schema.Repeat)
    if task is not None and collection_of(canonical("task", task)) != BENCHMARK:
        return repeats.clear()
    return _rows_of_task(repeats, task)


def load_power_traces() -> pl.DataFrame:
    """Load the EdgeTPU meter samples: volts and amperes, or watts when idle; one sample was taken as one second.

    Examples
    --------
    >>> from roofcube.datasets import load_power_traces
    >>> load_power_traces().filter(topology="GoogLeNetv1", sample=0)["voltage_v"].to_list()
    [5.03, 5.04]
    """
    return _embedded_table("power_traces", schema.PowerSample)


def load_aliases() -> pl.DataFrame:
    """Load the other spellings of labels that every loader understands.

    Examples
    --------
    >>> from roofcube.datasets import load_aliases
    >>> load_aliases().filter(column="platform", alias="MYRIAD")["name"].item()
    'NCS2'
    """
    return _embedded_table("aliases", schema.Alias)


def load_corrections() -> pl.DataFrame:
    """Load what is wrong or doubtful in the source: source value, corrected value and why.

    Examples
    --------
    >>> from roofcube.datasets import load_corrections
    >>> load_corrections().row(0, named=True)["reason"][:30]
    'the figure is that of the ZCU1'
    """
    return _embedded_table("corrections", schema.Correction)


@cache
def tasks() -> tuple[str, ...]:
    """Name the tasks that have embedded measurements: those of the benchmark, then those of collections beside it.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.tasks()[:3]
    ('cifar10', 'imagenet', 'mnist')
    """
    own = _embedded_table("measurements", schema.Measurement)["task"].unique().to_list()
    return (*sorted(own), *tasks_beside())


def collections_of(column: str, labels: Iterable[str], *, first: str = BENCHMARK) -> dict[str, str]:
    """Find the collection that knows each label; other collections are read only for what the first ones lack.

    Parameters
    ----------
    column : {"platform", "topology"}
    labels : iterable of str
    first : str
        The collection to look in before all others.

    Returns
    -------
    dict
        Label → collection; a label that none knows is left out.
    """
    load = load_platforms if column == "platform" else load_topologies
    table = "platforms" if column == "platform" else "topologies"
    missing = dict.fromkeys(labels)
    holders: dict[str, str] = {}
    for collection in dict.fromkeys([first, *collections(table)]):
        if not missing:
            break
        names = set(load(collection=collection)[column].unique())
        holders |= {label: collection for label in missing if label in names}
        missing = {label: None for label in missing if label not in names}
    return holders


def _rows_of_task(table: pl.DataFrame, task: str | None) -> pl.DataFrame:
    if task is None:
        return table
    name = canonical("task", task)
    if name not in tasks():
        raise unknown_label("task", task, tasks())
    collection = collection_of(name)
    if collection != BENCHMARK:
        beside = _table_in("measurements", schema.Measurement, collection)
        return table.clear() if beside is None else beside.filter(pl.col("task") == name)
    return table.filter(pl.col("task") == name)
