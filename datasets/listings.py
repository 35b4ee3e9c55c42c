"""What there is by name: platforms and networks of all collections, each with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from roofcube.datasets.embedded import collections, entry_name, manifest
from roofcube.datasets.tables import load_platform_figures, load_platforms, load_topologies
from roofcube.errors import check_choice

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["networks", "platforms"]


def platforms() -> pl.DataFrame:
    """Return the embedded platforms: what they offer by mode and precision, and the source.

    Returns
    -------
    DataFrame
        Columns of `roofcube.datasets.load_platforms` and `source`; those that are known by name alone, because no
        source says their peak, have no figures.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.platforms().filter(pl.col("platform") == "NCS2")["memory_bandwidth_b_per_s"].unique().to_list()
    [12800000000.0]
    """
    table = _of_all_collections("platforms", load_platforms)
    figures = load_platform_figures().filter(~pl.col("platform").is_in(table["platform"].unique().to_list()))
    names = figures.unique("platform", keep="first", maintain_order=True)
    by_name = names.select("platform", "device_class", "mode", source=pl.lit("known by name: no peak is sure"))
    return pl.concat([table, by_name], how="diagonal_relaxed")


def networks(task: str | None = None) -> pl.DataFrame:
    """Return the embedded networks: operations and parameters, and the source.

    Parameters
    ----------
    task : str, optional
        Of this task only.

    Returns
    -------
    DataFrame
        Columns of `roofcube.datasets.load_topologies` and `source`.

    Raises
    ------
    InvalidDataError
        If there is no such task.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.networks("cifar10")["topology"].unique().to_list()
    ['CNV']
    """
    table = _of_all_collections("topologies", load_topologies)
    if task is None:
        return table
    check_choice("task", task, table["task"].unique(maintain_order=True).to_list())
    return table.filter(pl.col("task") == task)


def _of_all_collections(table: str, load: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """Put the tables of all collections below each other, each with its source."""
    parts = []
    for collection in collections(table):
        entry = manifest()[entry_name(table, collection) or table]
        part = load(collection=collection)
        if "source" not in part.columns:
            part = part.with_columns(source=pl.lit(f"{entry['source']}, {entry['licence']}"))
        parts.append(part)
    return pl.concat(parts, how="diagonal_relaxed")
