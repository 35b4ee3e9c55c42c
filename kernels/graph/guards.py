"""What conditions leave unread: a branch of `where` that is not chosen need not be computed, nor known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import topological

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["guards", "without_unread_gaps"]

Array = np.ndarray[Any, np.dtype[Any]]


def guards(outputs: Mapping[str, Node]) -> dict[Node, frozenset[Node]]:
    """Name, for every node, the leaves that have to be 0 for anything to read it.

    Examples
    --------
    >>> from roofcube.kernels.graph.expression import leaf, where
    >>> time = leaf("ops") / leaf("peak")
    >>> guards({"latency": where(leaf("refused"), 1.0, time)})[time]
    frozenset({refused})
    """
    found: dict[Node, frozenset[Node]] = {node: frozenset() for node in outputs.values()}
    for node in reversed(topological(outputs.values())):
        for place, argument in enumerate(node.arguments):
            mine = found[node]
            if node.operation == "where" and place == 2 and node.arguments[0].operation == "leaf":
                mine = mine | {node.arguments[0]}
            found[argument] = found[argument] & mine if argument in found else mine
    return found


def without_unread_gaps(space: Space, outputs: Mapping[str, Node]) -> Space:
    """Put numbers for the NaN that no output reads, so that what is computed from them is known to be no NaN."""
    tables = dict(space.tables)
    for node, conditions in guards(outputs).items():
        table = tables[node.name] if node.operation == "leaf" else None
        if table is None or not conditions:
            continue
        gaps = np.isnan(table)
        for condition in conditions if gaps.any() and not gaps.all() else ():
            unread = _all_along_others(space.tables[condition.name] != 0, table.shape)
            tables[node.name] = np.where(gaps & unread, np.nanmin(table), tables[node.name])
    return replace(space, tables=tables)


def _all_along_others(chosen: Array, shape: tuple[int, ...]) -> Array:
    """Reduce to a table's axes: true where all along the others is."""
    lacking = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return np.asarray(chosen.all(axis=lacking, keepdims=True))
