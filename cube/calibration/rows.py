"""Rows of a table as indices into what is known of hardware and networks; the one place where labels become numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from roofcube.datasets import canonical, schema
from roofcube.datasets.forms.faults import Fault, check_no_faults
from roofcube.datasets.forms.fields import Kind, kind_of, read_column
from roofcube.datasets.forms.reading import hints_of
from roofcube.errors import unknown_label
from roofcube.labels import KEY_COLUMNS
from roofcube.measured.rows import USUAL, with_usual
from roofcube.vocabulary import HARDWARE_DIMS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from roofcube.calibration.facts import Facts, Machine, NetworkTotals

__all__ = [
    "LABELS",
    "UNCOUNTABLE",
    "IndexedRows",
    "Records",
    "canonical_keys",
    "canonical_label",
    "countable",
    "distinct",
    "empty_cells",
    "indexed_rows",
    "key_columns",
    "typed_columns",
]

Array = np.ndarray[Any, np.dtype[Any]]
Record = TypeVar("Record", "Machine", "NetworkTotals")
LARGEST_BATCH = float(1 << 53)
UNCOUNTABLE = "batch must be a whole number from 1 to 2**53"
LABELS = ("platform", "mode", "precision", "topology")
NUMBER = Kind(float, nullable=True, choices=(), bounds=(), label=False)


class Records(tuple[Record, ...]):
    """What rows lead to, by number; laid out in columns once, for a few rows of a thousand networks are asked often."""

    def column(self, name: str) -> Array:
        """Return a figure of each."""
        return self._laid_out(name, lambda: [getattr(one, name) for one in self])

    def numbers(self, *names: str) -> Array:
        """Return of each the number of its values of some figures together, in order of first appearance."""

        def count() -> list[int]:
            values = [tuple(getattr(one, name) for name in names) for one in self]
            number = {value: place for place, value in enumerate(dict.fromkeys(values))}
            return [number[value] for value in values]

        return self._laid_out(f"number of {names}", count)

    def _laid_out(self, what: str, values: Callable[[], list[Any]]) -> Array:
        if what not in self.__dict__:
            self.__dict__[what] = np.array(values())
        found: Array = self.__dict__[what]
        return found


@dataclass(frozen=True)
class IndexedRows:
    """Rows of a table as indices into records of hardware and networks; -1 where a label is not known."""

    hardware: Array
    network: Array
    batch: Array
    machines: Records[Machine]
    nets: Records[NetworkTotals]

    def __post_init__(self) -> None:
        """Lay records out in columns, whatever they come in."""
        for name in ("machines", "nets"):
            if not isinstance(getattr(self, name), Records):
                object.__setattr__(self, name, Records(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, index: Array) -> IndexedRows:
        """Return the rows at these places."""
        return replace(self, hardware=self.hardware[index], network=self.network[index], batch=self.batch[index])

    def machine(self, name: str) -> Array:
        """Return a figure of the hardware for every row."""
        return self.machines.column(name)[self.hardware]

    def net(self, name: str) -> Array:
        """Return a figure of the network for every row."""
        return self.nets.column(name)[self.network]

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


def canonical_keys(
    table: pl.DataFrame, own: Mapping[str, Collection[str]] = MappingProxyType({}), *, what: str = "table"
) -> pl.DataFrame:
    """Return the key columns of a table in canonical labels; a missing mode and pruning are the default and 100.

    Parameters
    ----------
    table : DataFrame
    own : mapping
        Labels of a column that win before the canonical ones that they are other spellings of, the first ones first.
    what : str
        The argument, for errors.
    """
    keys = key_columns(table, what=what)
    names = {}
    for name in LABELS:
        spelt = _spellings(name, own.get(name, ()))
        labels = keys[name].unique().drop_nulls().to_list()
        names[name] = pl.col(name).replace({label: _canonical(name, label, spelt) for label in labels})
    return keys.with_columns(**names)


def canonical_label(column: str, label: str, own: Collection[str]) -> str:
    """Return the canonical name of a label as `canonical_keys` does."""
    return _canonical(column, label, _spellings(column, own))


def _spellings(column: str, own: Collection[str]) -> dict[str, str]:
    """Return the labels of one's own by themselves and, as `locate` has it, by their canonical names."""
    return {canonical(column, label): label for label in reversed([*own])} | {label: label for label in own}


def _canonical(column: str, label: str, spelt: Mapping[str, str]) -> str:
    name = canonical(column, label)
    return spelt.get(label, spelt.get(name, name))


def key_columns(table: pl.DataFrame, *, what: str) -> pl.DataFrame:
    """Return the key columns of a table in their types, labels as they are; null where a cell is empty."""
    given = table.columns
    if "pruning_percent" not in table.columns and "pruning" in table.columns:
        table = table.rename({"pruning": "pruning_percent"})
    table = table.with_columns(pl.lit(value).alias(name) for name, value in USUAL.items() if name not in table.columns)
    for name in KEY_COLUMNS:
        if name not in table.columns:
            raise unknown_label(
                "column", name, given, do=f"a table to calibrate or predict has {', '.join(KEY_COLUMNS)}"
            )
    keys = with_usual(typed_columns(table, KEY_COLUMNS, what=what))
    return keys.with_columns(pl.col(*LABELS).replace("", None), pl.col("batch").fill_nan(None))


def empty_cells(keys: pl.DataFrame) -> pl.Series:
    """Say of rows which cells of their keys are empty; null where none is."""
    names = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in KEY_COLUMNS]
    told = pl.concat_str(*names, separator=" and no ", ignore_nulls=True)
    some = pl.any_horizontal(pl.col(*KEY_COLUMNS).is_null())
    reason = pl.when(some).then(pl.format("no {}: fill in what is empty", told))
    return keys.select(reason.alias("reason")).to_series()


def typed_columns(table: pl.DataFrame, names: Collection[str], *, what: str) -> pl.DataFrame:
    """Return columns of labels and numbers in their types, text read as that of measurements.

    Raises
    ------
    InvalidDataError
        If a value is none, naming row (from 0) and column.
    """
    hints = hints_of(schema.Measurement)
    columns: list[pl.Series] = []
    faults: list[Fault] = []
    for name in names:
        column, kind = table[name], kind_of(hints[name])
        kind = kind._replace(choices=(), nullable=True) if kind.type is str else NUMBER
        plain = column.dtype.is_numeric() if kind is NUMBER else column.dtype == pl.String
        if not plain and column.dtype != pl.Null:
            column, wrong = read_column(column, kind)
            faults += [Fault(row, name, text) for row, text in wrong]
        columns.append(column.cast(kind.dtype))
    check_no_faults(faults, source=f"`{what}`", header=0)
    return pl.DataFrame(columns)


def countable(batch: Array) -> Array:
    """Return which batches are whole numbers of at least 1 that no float rounds."""
    result: Array = (batch >= 1.0) & (batch <= LARGEST_BATCH) & (batch == np.floor(batch))
    return result


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
    """Turn canonical labels into indices; a batch that is none is NaN."""
    machines, nets = Records(facts.hardware.values()), Records(facts.networks.values())
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
    batch = found["batch"].fill_null(float("nan")).to_numpy()
    return IndexedRows(
        found["hardware"].fill_null(-1).to_numpy(),
        found["network"].fill_null(-1).to_numpy(),
        np.where(countable(batch), batch, np.nan),
        machines,
        nets,
    )
