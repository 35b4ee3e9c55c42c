"""The inputs that the labels of rows name, from whichever collection knows them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from roofcube.datasets import canonical
from roofcube.datasets.embedded import BENCHMARK
from roofcube.datasets.tables import collections_of
from roofcube.model.inputs import inputs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl
    import xarray as xr

__all__ = ["inputs_beside", "inputs_named"]
SELECTED = {"platform": "platforms", "topology": "topologies"}  # column of the rows: what `inputs` calls it


def inputs_named(rows: pl.DataFrame) -> xr.Dataset:
    """Return the inputs of the platforms and networks of rows, at one batch; the benchmark's where all are of it."""
    named = _holders(rows)
    beside = any(holder != BENCHMARK for holders in named.values() for holder in holders.values())
    return _inputs({column: [*holders] for column, holders in named.items()} if beside else {})


def inputs_beside(rows: pl.DataFrame, known: Mapping[str, Collection[str]]) -> xr.Dataset | None:
    """Return the inputs of what only a collection beside the benchmark knows, at one batch; None where there is none.

    Parameters
    ----------
    rows : DataFrame
        With the columns platform and topology.
    known : mapping
        Labels of a column that need none.
    """
    labels = {
        column: [label for label, holder in holders.items() if holder != BENCHMARK]
        for column, holders in _holders(rows, known).items()
    }
    return _inputs(labels) if any(labels.values()) else None


def _inputs(labels: Mapping[str, list[str]]) -> xr.Dataset:
    """Return inputs; where no label of a column is known, with those of the benchmark."""
    chosen = {SELECTED[column]: some for column, some in labels.items() if some}
    return inputs(**chosen, batch=1)  # type: ignore[arg-type]


def _holders(
    rows: pl.DataFrame, known: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, dict[str, str]]:
    """Return the collection that knows each label, by column; those that are known are not looked for."""
    return {
        column: collections_of(column, [one for one in _distinct(rows, column) if one not in known.get(column, ())])
        for column in SELECTED
    }


def _distinct(rows: pl.DataFrame, column: str) -> list[str]:
    labels = rows[column].drop_nulls().unique(maintain_order=True).to_list() if column in rows.columns else []
    return [canonical(column, label) for label in labels]
