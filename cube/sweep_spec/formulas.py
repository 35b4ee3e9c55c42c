"""Formulas of terms as text: parsed, checked against a closed list of operations, turned into nodes; nothing is run.

The text is Python's syntax for expressions: names of the model, numbers, + - * / // % **, comparisons, `and`, `or`,
`not`, ``a if condition else b`` and the functions below. The tree is walked here, so that a file from elsewhere can
say nothing but arithmetic.
"""

from __future__ import annotations

import ast
import operator
import sys
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError, unknown_label
from roofcube.kernels.graph import expression
from roofcube.model.graph import why_no_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.kernels.graph.expression import Node

__all__ = ["formula_of"]

FUNCTIONS = {
    **dict.fromkeys(("exp", "log", "log2", "sqrt", "ceil", "floor", "abs"), 1),
    **dict.fromkeys(("minimum", "maximum"), 2),
    "where": 3,
}
BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: lambda left, right: left.equals(right),
    ast.NotEq: lambda left, right: ~left.equals(right),
    ast.And: operator.and_,
    ast.Or: operator.or_,
}
UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: lambda operand: operand,
    ast.Not: operator.invert,
}
DEEPEST = 200


def formula_of(text: str) -> Callable[[Any], Node]:
    """Read a formula, as `roofcube.Assumptions.with_term` takes it.

    Parameters
    ----------
    text : str

    Returns
    -------
    callable
        Takes the model, whose attributes are the nodes that the formula names.

    Raises
    ------
    InvalidDataError
        If it is no arithmetic of the operations above; of the callable, also if a name is that of text, dates or what
        runs along `layer`, and `UnknownLabelError` if the model lacks it.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.sweep_spec.formulas import formula_of
    >>> dearer = rc.PUBLISHED.with_term("cost", formula_of("5e-8 * predicted_energy if batch > 8 else 1.0"))
    >>> dearer.terms[0].name
    'cost'
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        msg = f"`formula`: expected arithmetic such as 'predicted_energy * price', got {text!r:.80} ({error})"
        raise InvalidDataError(msg) from None
    _check(tree, text)
    return lambda model: _node_of(tree, model)


def _check(tree: ast.AST, text: str, depth: int = 0) -> None:
    """Raise unless a formula holds nothing but what can be turned into nodes."""
    called = tree.func if isinstance(tree, ast.Call) else None
    if called is not None and isinstance(called, ast.Name) and called.id in FUNCTIONS:
        arguments = len(tree.args) if isinstance(tree, ast.Call) and not tree.keywords else -1
        if arguments != FUNCTIONS[called.id]:
            msg = (
                f"`formula`: {called.id} takes {FUNCTIONS[called.id]} arguments in order, got {ast.unparse(tree)!r:.80}"
            )
            raise InvalidDataError(msg)
    allowed = (
        (isinstance(tree, ast.BinOp) and type(tree.op) in BINARY)
        or (isinstance(tree, ast.UnaryOp) and type(tree.op) in UNARY)
        or (isinstance(tree, ast.Compare) and all(type(one) in BINARY for one in tree.ops))
        or isinstance(tree, ast.BoolOp | ast.IfExp | ast.Name)
        or (isinstance(tree, ast.Constant) and _is_number(tree.value))
        or (isinstance(called, ast.Name) and called.id in FUNCTIONS)
    )
    if not allowed or depth > DEEPEST:
        part = ast.unparse(tree) if depth <= DEEPEST else text
        msg = (
            f"`formula`: {part!r:.80} is not understood; expected names, numbers, + - * / // % **, comparisons, and, "
            f"or, not, a if b else c, {', '.join(FUNCTIONS)}"
        )
        raise InvalidDataError(msg)
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.expr) and child is not called:
            _check(child, text, depth + 1)


def _is_number(value: Any) -> bool:
    # a whole number longer than the largest float has none
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _node_of(tree: ast.AST, model: Any) -> Any:
    match tree:
        case ast.Constant():
            return expression.constant(float(tree.value))  # type: ignore[arg-type]
        case ast.Name():
            if tree.id not in dir(model):
                if why := why_no_node(model, tree.id):
                    raise InvalidDataError(why)
                raise unknown_label("formula", tree.id, dir(model))
            return getattr(model, tree.id)
        case ast.UnaryOp():
            return UNARY[type(tree.op)](_node_of(tree.operand, model))
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=exponent)):
            return _node_of(tree.left, model) ** exponent  # small whole ones are exact products
        case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=exponent))):
            return _node_of(tree.left, model) ** -exponent  # type: ignore[operator]
        case ast.BinOp():
            return BINARY[type(tree.op)](_node_of(tree.left, model), _node_of(tree.right, model))
        case ast.IfExp():
            parts = [_node_of(one, model) for one in (tree.test, tree.body, tree.orelse)]
            return expression.where(*parts)
        case ast.Call(func=ast.Name(id="abs")):
            return abs(_node_of(tree.args[0], model))
        case ast.Call(func=ast.Name(id=name)):
            return getattr(expression, name)(*(_node_of(one, model) for one in tree.args))
        case ast.BoolOp():
            return _joined_by(BINARY[type(tree.op)], [_node_of(one, model) for one in tree.values])
        case ast.Compare():
            sides = [_node_of(one, model) for one in (tree.left, *tree.comparators)]
            pairs = zip(tree.ops, sides, sides[1:], strict=False)
            return _joined_by(operator.and_, [BINARY[type(one)](left, right) for one, left, right in pairs])
    raise AssertionError(tree)


def _joined_by(operation: Callable[[Any, Any], Any], nodes: list[Any]) -> Any:
    result = nodes[0]
    for one in nodes[1:]:
        result = operation(result, one)
    return result
