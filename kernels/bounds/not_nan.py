"""Where an output is a number: the same question asked of a smaller graph.

A sum of numbers is a number unless infinities meet, so where bounds rule infinities out, the question passes down to
the arguments, and most of a graph falls away. What bounds cannot rule out is asked of the node itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roofcube.kernels.bounds.intervals import whole_intervals
from roofcube.kernels.graph.expression import COMPARISONS, constant, ordered_sum, where

if TYPE_CHECKING:
    from roofcube.kernels.bounds.intervals import Interval
    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["not_nan"]

ARITHMETIC = frozenset({"add", "subtract", "multiply"})
CHOICES = frozenset({"minimum", "maximum"})


def not_nan(space: Space, output: Node) -> Node:
    """Build a graph that is 1 where an output is a number and 0 where it is NaN, as small as bounds allow.

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import leaf
    >>> from roofcube.kernels.bounds.not_nan import not_nan
    >>> from roofcube.kernels.graph.space import Space
    >>> space = Space(("a", "b"), (2, 2), {"x": np.array([[1.0], [np.nan]]), "y": np.array([[2.0, 3.0]])})
    >>> not_nan(space, leaf("x") * leaf("y"))
    x == x
    """
    intervals = whole_intervals(space, {"output": output})
    built: dict[Node, Node] = {}
    one = constant(1.0)

    def build(node: Node) -> Node:
        if node not in built:
            built[node] = _not_nan(node)
        return built[node]

    def _not_nan(node: Node) -> Node:
        if node.operation == "constant":
            return constant(0.0 if np.isnan(node.value) else 1.0)
        if node.operation in COMPARISONS or intervals[node].nan is None:
            return one
        arguments = node.arguments
        if node.operation == "where":
            condition, true, false = arguments
            return one if build(true) is one and build(false) is one else where(condition, build(true), build(false))
        finite = all(_finite(intervals[argument]) for argument in arguments)
        if node.operation in CHOICES or (finite and node.operation in ARITHMETIC):
            return _both(build(arguments[0]), build(arguments[1]))
        if node.operation == "divide" and finite and not _holds_zero(intervals[arguments[1]]):
            return _both(build(arguments[0]), build(arguments[1]))
        if node.operation == "ordered_sum" and finite:
            return ordered_sum(1.0 - build(arguments[0]), node.name).equals(0.0)
        return node.equals(node)

    def _both(left: Node, right: Node) -> Node:
        if left is one or left is right:
            return right
        return left if right is one else left * right

    return build(output)


def _finite(interval: Interval) -> bool:
    """Check whether all values that are numbers are finite."""
    return not bool(np.isinf(interval.low).any() or np.isinf(interval.high).any())


def _holds_zero(interval: Interval) -> bool:
    return bool(((interval.low <= 0) & (interval.high >= 0)).any())
