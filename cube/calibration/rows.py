"""Rows of a table as indices into what is known of hardware and networks; the one place where labels become numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.datasets import canonical
from roofcube.errors import unknown_label
from roofcube.labels import KEY_COLUMNS
from roofcube.vocabulary import HARDWARE_DIMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roofcube.calibration.facts import Facts, Machine, NetworkTotals

__all__ = ["IndexedRows", "batches", "canonical_keys", "distinct", "indexed_rows"]

Array = np.ndarray[Any, np.dtype[Any]]
LARGEST_BATCH = float(1 << 53)


@dataclass(frozen=True)
class IndexedRows:
    """Rows of a table as indices into lists of hardware and networks; -1 where a label is not known."""

    hardware: Array
    network: Array
    batch: Array
    machines: tuple[Machine, ...]
    nets: tuple[NetworkTotals, ...]

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, index: Array) -> IndexedRows:
        """Return the rows at these places."""
        return replace(self, hardware=self.hardware[index], network=self.network[index], batch=self.batch[index])

    def machine(self, name: str) -> Array:
        """Return a figure of the hardware for every row."""
        return np.array([getattr(one, name) for one in self.machines])[self.hardware]

    def net(self, name: str) -> Array:
        """Return a figure of the network for every row."""
        return np.array([getattr(one, name) for one in self.nets])[self.network]

    @property
    def known(self) -> Array:
        """True where hardware and network are known."""
        known: Array = (self.hardware >= 0) & (self.network >= 0)
        return known

    def family(self) -> Array:
        """Family of every row; empty where the hardware is not known."""
        names = np.array([*(one.family for one in self.machines), ""], dtype=object)
        return names[self.hardware]

    def configuration(self) -> Array:
        """Return each row a number of its configuration: everything but the batch."""
        code: Array = self.hardware * (len(self.nets) + 1) + self.network
        return code


def canonical_keys(table: pl.DataFrame) -> pl.DataFrame:
    """Return the key columns of a table in canonical labels; a missing mode and pruning are the default and 100."""
    if "pruning_percent" not in table.columns and "pruning" in table.columns:
        table = table.rename({"pruning": "pruning_percent"})
    if "mode" not in table.columns:
        table = table.with_columns(mode=pl.lit("default"))
    if "pruning_percent" not in table.columns:
        table = table.with_columns(pruning_percent=pl.lit(100.0))
    for name in KEY_COLUMNS:
        if name not in table.columns:
            raise unknown_label(
                "column", name, table.columns, do=f"a table to calibrate or predict has {', '.join(KEY_COLUMNS)}"
            )
    names = {
        column: pl.col(column)
        .cast(pl.String)
        .replace({label: canonical(column, label) for label in _label_texts(table[column])})
        for column in ("platform", "mode", "precision", "topology")
    }
    return table.select(
        **names, pruning_percent=pl.col("pruning_percent").cast(pl.Float64), batch=batches(pl.col("batch"))
    )


def batches(column: pl.Expr) -> pl.Expr:
    """Return batches as numbers; null where no float is that number."""
    values = column.cast(pl.Float64)
    return pl.when(values.is_finite() & (values <= LARGEST_BATCH)).then(values)


def _label_texts(column: pl.Series) -> Iterable[str]:
    return [str(label) for label in column.unique().to_list() if label is not None]


def distinct(*columns: Array) -> tuple[Array, Array]:
    """Return the first place of each distinct combination, and for every row the number of its combination."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    first = code
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        _, first, code = np.unique(code * len(values) + place.ravel(), return_index=True, return_inverse=True)
        code = code.ravel()
    return first, code


def indexed_rows(keys: pl.DataFrame, facts: Facts) -> IndexedRows:
    """Turn canonical labels into indices."""
    machines, nets = tuple(facts.hardware.values()), tuple(facts.networks.values())
    hardware = pl.DataFrame(
        {name: [getattr(one, name) for one in machines] for name in HARDWARE_DIMS},
        schema={"platform": pl.String, "mode": pl.String, "precision": pl.String},
    ).with_columns(hardware=pl.int_range(pl.len(), dtype=pl.Int64))
    networks = pl.DataFrame(
        {"topology": [one.topology for one in nets], "pruning_percent": [one.pruning for one in nets]},
        schema={"topology": pl.String, "pruning_percent": pl.Float64},
    ).with_columns(network=pl.int_range(pl.len(), dtype=pl.Int64))
    found = keys.join(hardware, on=list(HARDWARE_DIMS), how="left", maintain_order="left").join(
        networks, on=["topology", "pruning_percent"], how="left", maintain_order="left"
    )
    return IndexedRows(
        found["hardware"].fill_null(-1).to_numpy(),
        found["network"].fill_null(-1).to_numpy(),
        found["batch"].fill_null(float("nan")).to_numpy(),
        machines,
        nets,
    )
