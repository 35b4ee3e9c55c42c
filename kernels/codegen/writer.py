"""Generated kernels: writes the parts that all loops over a query's rows have in common, and compiles what was written.

The text of the source is the key of the compiled code. Limits are tables, so that changing one compiles nothing.

Trap: NaN. ``np.maximum`` gives NaN where either is NaN, a plain ``a if a > b else b`` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import topological

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from roofcube.kernels.codegen.rows import RowTables
    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Query

__all__ = ["Writer", "compiled", "is_loaded", "limit_values"]

Array = np.ndarray[Any, np.dtype[Any]]

SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
PREFIXED = {"negative": "-", "absolute": "abs", "floor": "np.floor", "ceil": "np.ceil", "sqrt": "np.sqrt"}
# computed in float64, by `roofcube.kernels.codegen.elementary`
ELEMENTARY = ("exp", "log", "log2", "power", "floor_divide", "remainder")
COMPARED = {"less": "<", "less_equal": "<=", "equal": "=="}


class Writer:
    """Writes the body of a kernel: what is done once a row, sums, and the expressions of a point."""

    def __init__(self, tables: RowTables, *, terms: tuple[int, ...] | None = None) -> None:
        self.tables = tables
        self.terms = tables.tuning.terms if terms is None else terms
        self.names: dict[Node, str] = {}
        self.lines: list[str] = []
        self.kind = np.dtype(tables.space.dtype).name
        for number, node in enumerate(tables.nodes):
            self.names[node] = f"v{number}"
        self.leaf_number = {node: number for number, node in enumerate(tables.leaves)}

    def write(self, indent: int, line: str) -> None:
        """Add a line."""
        self.lines.append("    " * indent + line)

    def literal(self, value: float) -> str:
        """Write a constant of the model's dtype."""
        if np.isnan(value):
            return "NAN"
        if np.isinf(value):
            return "INFINITY" if value > 0 else "(-INFINITY)"
        return f"{self.kind}({value!r})"

    def value(self, node: Node) -> str:
        """Name the value of a node at a point."""
        if node.operation == "constant":
            return self.literal(node.value)
        if self.tables.inner(node) and node.operation in ("leaf", "ordered_sum"):
            return f"{self.names[node]}[j]"
        return self.names[node]

    def expression(self, node: Node) -> str:
        """Write the operation of a node on the values of its arguments."""
        a = [self.value(argument) for argument in node.arguments]
        numbers = all(self.tables.certain[argument].number for argument in node.arguments)
        one, zero = self.literal(1.0), self.literal(0.0)
        if node.operation in SYMBOLS:
            return f"{a[0]} {SYMBOLS[node.operation]} {a[1]}"
        if node.operation in PREFIXED:
            return f"{PREFIXED[node.operation]}({a[0]})"
        if node.operation in ELEMENTARY:
            wide = ", ".join(f"float64({one})" for one in a)
            return f"{self.kind}(elementary_{node.operation}({wide}))"
        if node.operation in COMPARED:
            return f"{one} if {a[0]} {COMPARED[node.operation]} {a[1]} else {zero}"
        if node.operation == "finite":
            return f"{one} if {a[0]} - {a[0]} == {zero} else {zero}"
        if node.operation == "where":
            return f"{a[1]} if {a[0]} != {zero} else {a[2]}"
        sign = "<" if node.operation == "minimum" else ">"
        chosen = f"{a[0]} {sign} {a[1]}" if numbers else f"({a[0]} {sign} {a[1]}) | ({a[0]} != {a[0]})"
        return f"{a[0]} if {chosen} else {a[1]}"

    # rows ---------------------------------------------------------------------------------------------------------

    def offsets(self, indent: int) -> None:
        """Compute where in each table a row starts, and load what is constant over the row."""
        for node in self.tables.leaves:
            number = self.leaf_number[node]
            pairs, summed, length = self.tables.strides(node)
            terms = [f"i{axis} * {stride}" for axis, stride in pairs]
            self.write(indent, f"o{number} = {' + '.join(terms) or '0'}")
            if summed:
                continue
            if length:
                self.write(indent, f"{self.names[node]} = t{number}[o{number} + begin : o{number} + begin + width]")
            else:
                self.write(indent, f"{self.names[node]} = t{number}[o{number}]")

    def row(self, indent: int) -> None:
        """Write what a row needs before its points: offsets, sums, scalars; sums of sums after what they add up."""
        self.offsets(indent)
        depths = _depths(self.tables.nodes)
        for depth in range(max(depths.values(), default=0) + 1):
            mine = [node for node in self.tables.nodes if depths[node] == depth and not self.tables.summed(node)]
            together: dict[tuple[str, int, bool], list[Node]] = {}
            for node in mine:
                if node.operation == "ordered_sum":
                    kind = node.name, self._terms(node), self.tables.inner(node)
                    together.setdefault(kind, []).append(node)
            for (axis, terms, inner), sums in together.items():
                self.sums(indent, sums, axis, terms, inner)
            for node in mine:
                if node.operation not in ("leaf", "constant", "ordered_sum") and not self.tables.inner(node):
                    self.write(indent, f"{self.names[node]} = {self.expression(node)}")

    def _terms(self, node: Node) -> int:
        """Count what an ordered sum adds up."""
        (argument,) = node.arguments
        if node.name not in self.tables.depends[argument]:
            return 1
        place = len(self.tables.layout.sizes) + self.tables.space.summed.index(node.name)
        shapes = [
            self.tables.space.tables[one.name].shape for one in topological([argument]) if one.operation == "leaf"
        ]
        return max(int(shape[place]) for shape in shapes)

    def sums(self, indent: int, nodes: list[Node], axis: str, terms: int, inner: bool) -> None:
        """Write ordered sums of as many terms in one loop: some terms at a time outermost, points innermost.

        What several sums have in common is computed once; several terms at a time spare the subtotals a way to memory.
        """
        for node in nodes:
            name = self.names[node]
            if inner:
                self.write(indent, f"{name} = s{name}[:width]")
            self.write(indent, f"{name}{'[:]' if inner else ''} = {self.literal(0.0)}")
        if conditions := [f"({self.value(one)} == {self.literal(0.0)})" for one in self.tables.guard(nodes)]:
            self.write(indent, f"if {' & '.join(conditions)}:")
            indent += 1
        step = min(self.terms, key=lambda step: (terms % step, -step))
        whole = terms - terms % step
        for first, last, each in ((0, whole, step), (whole, terms, terms - whole)):
            if first < last:
                self.write(indent, f"for l in range({first}, {last}, {each}):")
                self._some_terms(indent + 1, nodes, axis, each, inner)

    def _some_terms(self, indent: int, nodes: list[Node], axis: str, terms: int, inner: bool) -> None:
        below = [one for one in topological([node.arguments[0] for node in nodes]) if self.tables.summed(one)]
        names = self.names
        copies = [{**names, **{one: f"{names[one]}_{term}" for one in below}} for term in range(terms)]
        for term, self.names in enumerate(copies):
            for one in below:
                if one.operation == "leaf":
                    self._term_of_leaf(indent, one, axis, term)
                elif not self.tables.inner(one):
                    self.write(indent, f"{self.names[one]} = {self.expression(one)}")
        if inner:
            self.write(indent, "for j in range(width):")
        totals = {node: f"a{names[node]}" if inner else names[node] for node in nodes}
        for node in nodes if inner else ():
            self.write(indent + 1, f"{totals[node]} = {names[node]}[j]")
        done: set[str] = set()
        for self.names in copies:
            if inner:
                self.points(indent + 1, [node.arguments[0] for node in nodes], done)
            for node, total in totals.items():
                self.write(indent + inner, f"{total} = {total} + {self.value(node.arguments[0])}")
        self.names = names
        for node in nodes if inner else ():
            self.write(indent + 1, f"{names[node]}[j] = {totals[node]}")

    def _term_of_leaf(self, indent: int, node: Node, axis: str, term: int) -> None:
        number = self.leaf_number[node]
        _, summed, row = self.tables.strides(node)
        start = f"o{number} + (l + {term}) * {summed[axis]}"
        cut = f"{start} + begin : {start} + begin + width" if row else start
        self.write(indent, f"{self.names[node]} = t{number}[{cut}]")

    def points(self, indent: int, wanted: Iterable[Node], done: set[str] | None = None) -> None:
        """Write the expressions of a point; sums are there already, and so is what is `done`."""
        written = set() if done is None else done

        def visit(node: Node) -> None:
            if node.operation in ("leaf", "constant", "ordered_sum") or not self.tables.inner(node):
                return
            if self.names[node] in written:
                return
            written.add(self.names[node])
            for argument in node.arguments:
                visit(argument)
            self.write(indent, f"{self.names[node]} = {self.expression(node)}")

        for node in wanted:
            visit(node)

    # what every kernel has -----------------------------------------------------------------------------------------

    def constants(self) -> None:
        """Write what a kernel needs once: constants and room for sums."""
        tables = self.tables
        self.write(1, f"NAN = {self.kind}(np.nan)")
        self.write(1, f"INFINITY = {self.kind}(np.inf)")
        for node in tables.nodes:
            if node.operation == "ordered_sum" and tables.inner(node):
                self.write(1, f"s{self.names[node]} = np.empty({tables.layout.chunk}, dtype=np.{self.kind})")

    def limits(self, query: Query) -> None:
        """Write the numbers of the limits as scalars."""
        for number in range(len(limit_values(query))):
            self.write(1, f"m{number} = limits[{number}]")

    def first_row(self) -> None:
        """Write the indices of the first row."""
        sizes = self.tables.layout.row_sizes
        self.write(1, "rest = start")
        for axis in range(len(sizes) - 1, -1, -1):
            self.write(1, f"i{axis} = rest % {sizes[axis]}")
            self.write(1, f"rest = rest // {sizes[axis]}")

    def width(self, indent: int) -> None:
        """Write where a row begins in the axes that make up rows, and its length."""
        layout = self.tables.layout
        if layout.chunks == 1:
            self.write(indent, "begin = 0")
            self.write(indent, f"width = {layout.chunk}")
            return
        self.write(indent, f"begin = i{len(layout.row_sizes) - 1} * {layout.chunk}")
        self.write(indent, f"width = min({layout.chunk}, {layout.points} - begin)")

    def odometer(self, indent: int) -> None:
        """Write the step to the next row's indices."""
        sizes = self.tables.layout.row_sizes
        for depth, axis in enumerate(range(len(sizes) - 1, -1, -1)):
            self.write(indent + depth, f"i{axis} += 1")
            if axis:
                self.write(indent + depth, f"if i{axis} == {sizes[axis]}:")
                self.write(indent + depth + 1, f"i{axis} = 0")

    def position(self) -> str:
        """Write where in the outputs a row starts."""
        layout = self.tables.layout
        return f"row * {layout.chunk}" if layout.chunks == 1 else f"row // {layout.chunks} * {layout.points} + begin"

    def conditions(self, query: Query) -> list[str]:
        """Return the conditions that a point meets all limits; comparisons with NaN fail, an open end is infinite."""
        conditions, number = [], 0
        for limit in query.limits:
            value = self.value(self.tables.outputs[limit.name])
            if limit.one_of is None:
                conditions.append(f"({value} >= m{number}) & ({value} <= m{number + 1})")
                number += 2
            else:
                allowed = " | ".join(f"({value} == m{number + k})" for k in range(len(limit.one_of)))
                conditions.append(f"({allowed})")
                number += len(limit.one_of)
        return conditions

    def arguments(self) -> str:
        """Name the tables that every kernel takes."""
        return "".join(f", t{number}" for number in range(len(self.tables.leaves)))


def _depths(nodes: Iterable[Node]) -> dict[Node, int]:
    """Count the sums on the longest way from each node, itself included, down to the leaves."""
    depths: dict[Node, int] = {}
    for node in nodes:
        below = max((depths[argument] for argument in node.arguments), default=0)
        depths[node] = below + (node.operation == "ordered_sum")
    return depths


def limit_values(query: Query) -> Array:
    """Lay the numbers of all limits out as generated kernels read them: both ends of a range, or each allowed value."""
    values: list[Any] = []
    for limit in query.limits:
        low, high, one_of = limit.rounded(query.space.dtype)
        values += (-np.inf if low is None else low, np.inf if high is None else high) if one_of is None else one_of
    return np.array(values, dtype=query.space.dtype)


_compiled: dict[str, Callable[..., None]] = {}


def compiled(source: str) -> Callable[..., None]:
    """Compile a generated kernel, or find it compiled."""
    if source not in _compiled:
        from numba import float32, float64

        from roofcube.kernels.compilation import jit

        namespace: dict[str, Any] = {"np": np, "float32": float32, "float64": float64, "__name__": __name__}
        if "elementary_" in source:
            from roofcube.kernels.codegen.elementary import FUNCTIONS

            namespace |= {name: one for name, one in FUNCTIONS.items() if f"{name}(" in source}
        exec(compile(source, "<generated kernel>", "exec"), namespace)
        _compiled[source] = jit(namespace[source[4 : source.index("(")]], source=source)
    return _compiled[source]


def is_loaded() -> bool:
    """Check whether any generated kernel is compiled in this process."""
    return bool(_compiled)
