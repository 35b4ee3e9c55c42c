"""Which embedded tables stand together: the benchmark, whose tables have no collection, and collections beside it.

A collection is a set of tables of the manifest with one `collection`; it is read when a task, platform or network of it
is asked for, and costs nothing until then. Nothing here knows its name: a new one is files and lines of the manifest.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["BENCHMARK", "collection_of", "collections", "data_file", "entry_name", "manifest", "tasks_beside"]

#: The collection of the tables that name none.
BENCHMARK = ""


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """Tell for each table its file, sha256, source, licence and what was changed.

    Examples
    --------
    >>> from roofcube.datasets import manifest
    >>> manifest()["measurements"]["licence"]
    'Apache-2.0'
    """
    return tomllib.loads(data_file("manifest.toml").read_text(encoding="utf-8"))


def data_file(name: str) -> Traversable:
    """Return an embedded file by its name in the folder of the data."""
    return files("roofcube.datasets").joinpath("data", *name.split("/"))


@cache
def collections(table: str) -> tuple[str, ...]:
    """Name the collections that have a table, the benchmark first.

    Parameters
    ----------
    table : str
        ``platforms``, ``topologies``, ``measurements`` and so on, as the loaders are called.

    Examples
    --------
    >>> from roofcube.datasets.embedded import collections
    >>> collections("power_traces")
    ('',)
    """
    return tuple(entry.get("collection", BENCHMARK) for name, entry in manifest().items() if _table_of(name) == table)


def _table_of(name: str) -> str:
    return str(manifest()[name].get("table", name))


def entry_name(table: str, collection: str) -> str | None:
    """Return the name in the manifest of a table of a collection; None where it has none."""
    for name, entry in manifest().items():
        if _table_of(name) == table and entry.get("collection", BENCHMARK) == collection:
            return name
    return None


@cache
def tasks_beside() -> dict[str, str]:
    """Map each task of a collection beside the benchmark to that collection."""
    return {
        task: entry["collection"]
        for entry in manifest().values()
        if "collection" in entry
        for task in entry.get("tasks", ())
    }


def collection_of(task: str | None) -> str:
    """Return the collection of a task; the benchmark for any that is not known, or for none."""
    return BENCHMARK if task is None else tasks_beside().get(task, BENCHMARK)
