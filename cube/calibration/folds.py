"""What is held out together, and the rows that are left to learn from: schemes and folds of cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import Facts
from roofcube.calibration.measured import Measured, measured
from roofcube.calibration.rows import indexed_rows
from roofcube.labels import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roofcube.calibration.rows import IndexedRows

__all__ = ["SCHEMES", "STRICT", "fold_rows", "folds"]

Array = np.ndarray[Any, np.dtype[Any]]

# values that are each held out by themselves; of more, ten parts are: a thousand networks would be as many fits
MOST_FOLDS, FOLDS, SEED = 60, 10, 20210
# rows from which a fit takes seconds, so that ten are enough
MANY_ROWS = 1000


def _hardware_numbers(*names: str) -> Callable[[IndexedRows], Array]:
    """Make a function that numbers rows by figures of their hardware."""

    def numbered(rows: IndexedRows) -> Array:
        keys = [tuple(getattr(one, name) for name in names) for one in rows.machines]
        number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        return np.array([number[key] for key in keys])[rows.hardware]

    return numbered


def _network_figure(name: str) -> Callable[[IndexedRows], Array]:
    return lambda rows: rows.net(name)


def _configuration_numbers(rows: IndexedRows) -> Array:
    machine: Array = _hardware_numbers("platform", "mode", "element_bytes")(rows)
    return machine * (len(rows.nets) + 1) + rows.network


# what is held out together, always in all modes and precisions of the family unless it says so
# precisions that a platform executes alike are one: their rows are the same measurement twice
SCHEMES: dict[str, Callable[[IndexedRows], Array]] = {
    "configuration": _configuration_numbers,
    "network": lambda rows: rows.network,
    "pruning": _network_figure("pruning"),
    "topology": _network_figure("topology"),
    "architecture": _network_figure("kin"),
    "precision": _hardware_numbers("element_bytes"),
    "platform": _hardware_numbers("platform", "mode"),
}
STRICT = "network"


def folds(data: Measured, scheme: str) -> Iterator[tuple[str, Array, Array]]:
    """Return for each fold of a scheme its family, the places held out and those that are left to learn from."""
    for name, index in data.by_family():
        scored, usable = index[data.scored[index]], index[data.usable[index]]
        label, known = SCHEMES[scheme](data.rows.take(scored)), SCHEMES[scheme](data.rows.take(usable))
        for values in _values_left_out(label):
            kept = usable[~np.isin(known, values)]
            if len(kept):
                yield name, scored[np.isin(label, values)], kept


def _values_left_out(label: Array) -> list[Array]:
    """Return what is held out together: each value by itself, or where there are many, some of them at a time."""
    values = np.array(list(dict.fromkeys(label.tolist())))
    if len(values) <= (MOST_FOLDS if len(label) < MANY_ROWS else FOLDS):
        return [values[place : place + 1] for place in range(len(values))]
    mixed = np.random.default_rng(SEED).permutation(len(values))
    return [values[part] for part in np.array_split(mixed, FOLDS)]


def fold_rows(data: Measured, kept: Array, out: Array) -> tuple[Measured, IndexedRows]:
    """Return the kept rows and the places of those held out; guessed facts are guessed anew from the kept rows."""
    stated = np.array([one.stated for one in data.rows.machines])
    if stated[data.rows.hardware[np.concatenate([kept, out])]].all():
        return data.take(kept), data.rows.take(out)
    facts = Facts({key: one for key, one in data.facts.hardware.items() if one.stated}, data.facts.networks)
    fold = replace(measured(data.table[kept].drop("row"), facts), lenders=data.lenders)
    return fold, indexed_rows(data.table[out].select(KEY_COLUMNS), fold.facts)
