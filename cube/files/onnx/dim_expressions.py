"""Symbolic dims that are computed from others, as exporters write them: ``past + seq``, ``2*s0``; knows no graph."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["parts_of", "with_computed"]

OPERATIONS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
LONGEST = 200  # characters; a formula of dims is short, and a parser's stack is not endless


def parts_of(dim: str) -> tuple[str, ...]:
    """Return the names in a dim that is a formula of others; none where it is a name itself.

    Examples
    --------
    >>> from roofcube.files.onnx.dim_expressions import parts_of
    >>> parts_of("past + 2*seq"), parts_of("seq")
    (('past', 'seq'), ())
    """
    formula = _formula(dim)
    if not isinstance(formula, ast.BinOp):
        return ()
    return tuple(dict.fromkeys(node.id for node in ast.walk(formula) if isinstance(node, ast.Name)))


def with_computed(sizes: Mapping[str, int], dims: Iterable[str], source: str) -> dict[str, int]:
    """Add the sizes of the dims that are formulas of dims whose sizes are there.

    Raises
    ------
    InvalidDataError
        If the size given for a formula is another one than it has.
    """
    known = dict(sizes)
    for dim in dims:
        parts = parts_of(dim)
        if not parts or not all(part in sizes for part in parts):
            continue
        size = _value(_formula(dim), sizes)
        if size is None or size < 0:
            continue
        if known.setdefault(dim, size) != size:
            told = ", ".join(f"{part!r}: {sizes[part]}" for part in parts)
            msg = f"{source}, `sizes`: {dim!r} is {size} with {told}, got {known[dim]}; leave it out, or correct one"
            raise InvalidDataError(msg)
    return known


def _formula(dim: str) -> Any:
    if len(dim) > LONGEST:
        return None
    try:
        formula = ast.parse(dim, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    usual = (ast.BinOp, ast.Name, ast.Constant, ast.Load, *OPERATIONS)
    return formula if all(isinstance(node, usual) for node in ast.walk(formula)) else None


def _value(node: Any, sizes: Mapping[str, int]) -> int | None:
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    one, other = _value(node.left, sizes), _value(node.right, sizes)
    if one is None or other is None or (isinstance(node.op, ast.FloorDiv) and not other):
        return None
    size: int = OPERATIONS[type(node.op)](one, other)
    return size
