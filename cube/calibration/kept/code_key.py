"""A key of the code that computes errors and intervals: kept figures say by it whether this very code made them."""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files

from roofcube.disk import digest

__all__ = ["code_key", "statements"]

# what decides the figures; the face of a calibration, its files, tables of trust and suggestions do not
MODULES = ("facts", "rows", "measured", "folds", "crossvalidation", "choice", "kept/held_out")
ROOM = "fitting"


@cache
def code_key() -> str:
    """Hash the statements of all modules that compute, wherever they lie; imports, comments and docstrings aside."""
    folder = files("roofcube.calibration")
    sources = [folder.joinpath(f"{name}.py") for name in MODULES]
    sources += [source for source in folder.joinpath(ROOM).iterdir() if source.name.endswith(".py")]
    return digest(sorted(statements(source.read_text(encoding="utf-8")) for source in sources))[:16]


def statements(source: str) -> str:
    r"""Leave out of a module's text what computes nothing: imports, docstrings, comments, empty lines, `__all__`.

    By lines, not by syntax tree: trees differ between versions of Python.

    Examples
    --------
    >>> statements("import os\n\n# squared\ndef area(side):\n    return side * side\n")
    'def area(side):\n    return side * side'
    """
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if _computes_nothing(node):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))  # type: ignore[attr-defined]
    lines = [line.rstrip() for number, line in enumerate(source.splitlines(), start=1) if number not in left_out]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def _computes_nothing(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    return isinstance(node, ast.Import | ast.ImportFrom)
