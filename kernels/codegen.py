"""Generated kernels: the source of a loop over a query's rows, written for its graph, layout and dtype, and compiled.

A row is the block of the last axes, a few hundred to a few thousand points, in which everything is element-wise so that
the compiler vectorises it; what does not change inside a row is computed once. The text of the source is the key of the
compiled code. Limits are tables, so that changing one compiles nothing.

Trap: NaN. ``np.maximum`` gives NaN where either is NaN, a plain ``a if a > b else b`` does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds import certainties
from roofcube.kernels.expression import topological
from roofcube.kernels.space import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from roofcube.kernels.expression import Node
    from roofcube.kernels.query import Query

__all__ = [
    "Layout",
    "RowTables",
    "compiled",
    "count_source",
    "fill_source",
    "limit_values",
    "scan_source",
    "sieve_source",
    "streamed_fill_source",
    "tally_source",
]

Array = np.ndarray[Any, np.dtype[Any]]

ROW = (256, 4096)  # points of a row: enough to hide what is done once a row, few enough for L1
# shorter for fills: what is not divided at every point counts, and the buffers of some rows have to stay in L1
FILL_ROW = (128, 512)
BUFFERED_ROWS, BUFFERED_POINTS = 8, 512  # at least; a buffer holds several lines of any dtype
TILE = 1 << 16  # points between two looks at the maximum
TABLE_BYTES = 1 << 20  # all tables together: recomputing beats loading from beyond L2
NAMES = {"float32": "float32", "float64": "float64"}


@dataclass(frozen=True, eq=False)
class Layout:
    """How a query's axes are cut into rows.

    Attributes
    ----------
    sizes : tuple of int
    outer : int
        Number of leading axes that enumerate rows; the others make up a row.
    chunk : int
        Points of a row; where the axes that make up a row are too long together, they are cut into several.
    """

    sizes: tuple[int, ...]
    outer: int
    chunk: int

    @classmethod
    def of(cls, query: Query, row: tuple[int, int] | None = None) -> Layout:
        """Choose the rows of a query, of about so many points: they never cross a group."""
        least, most = row or ROW
        sizes = query.space.sizes
        outer, points = len(sizes), 1
        while outer > query.groups and points < least:
            outer -= 1
            points *= sizes[outer]
        chunks = -(-points // most)
        return cls(sizes, outer, -(-points // chunks))

    @property
    def points(self) -> int:
        """Points of the axes that make up a row."""
        return prod(self.sizes[self.outer :])

    @property
    def chunks(self) -> int:
        """Rows that the axes of a row are cut into."""
        return -(-self.points // self.chunk)

    @property
    def row_sizes(self) -> tuple[int, ...]:
        """Lengths of what enumerates rows."""
        return (*self.sizes[: self.outer], self.chunks)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return prod(self.row_sizes)

    def start(self, row: int) -> int:
        """Give the flat index of a row's first point."""
        block, part = divmod(row, self.chunks)
        return block * self.points + part * self.chunk

    def stop(self, row: int) -> int:
        """Give the flat index after a row's last point."""
        block, part = divmod(row, self.chunks)
        return block * self.points + min((part + 1) * self.chunk, self.points)


class RowTables:
    """The leaf tables of a folded query as flat arrays that rows read in order.

    Parameters
    ----------
    query : Query
        Folded again, as far as tables stay small.
    row : (int, int), optional
        Least and most points of a row.
    """

    def __init__(self, query: Query, row: tuple[int, int] | None = None) -> None:
        self.layout = Layout.of(query, row)
        self.inner_axes = frozenset(query.space.axes[self.layout.outer :])
        for points in (1 << 17, 1 << 15, 1 << 13, 1 << 11, 1):
            space, outputs = fold(query.space, query.outputs, points=points, together=self.inner_axes)
            if sum(self._expanded_size(table) for table in space.tables.values()) <= TABLE_BYTES or points == 1:
                break
        self.space, self.outputs = space, outputs
        self.nodes = topological(outputs.values())
        self.depends = space.dependence(outputs.values())
        self.certain = certainties(space, outputs)

    def _expanded_size(self, table: Array) -> int:
        rank = len(self.layout.sizes)
        inner = table.shape[self.layout.outer : rank]
        size = int(table.size)
        if prod(inner) > 1:
            size = size // prod(inner) * self.layout.points
        return size * table.dtype.itemsize

    def inner(self, node: Node) -> bool:
        """Tell whether a node changes inside a row."""
        return bool(self.depends[node] & self.inner_axes)

    def summed(self, node: Node) -> frozenset[str]:
        """Name the summed axes that a node still has."""
        return self.depends[node] & frozenset(self.space.summed)

    @cached_property
    def leaves(self) -> list[Node]:
        """The leaves, in the order of the kernel's arguments."""
        return [node for node in self.nodes if node.operation == "leaf"]

    def flat(self, node: Node) -> Array:
        """Lay a table out as (outer axes it has, summed axes it has, row)."""
        table = self.space.tables[node.name]
        rank, outer = len(self.layout.sizes), self.layout.outer
        if self.inner(node):
            shape = (*table.shape[:outer], *self.layout.sizes[outer:], *table.shape[rank:])
            table = np.broadcast_to(table, shape)
        order = [*range(outer), *range(rank, table.ndim), *range(outer, rank)]
        return np.ascontiguousarray(table.transpose(order)).reshape(-1)

    def strides(self, node: Node) -> tuple[list[tuple[int, int]], dict[str, int], int]:
        """Give (outer axis, stride) pairs, the stride of each summed axis, and the length of a row (0: scalar)."""
        table = self.space.tables[node.name]
        rank, outer = len(self.layout.sizes), self.layout.outer
        step = self.layout.points if self.inner(node) else 1
        length = self.layout.points if self.inner(node) else 0
        summed = {}
        for k in range(len(self.space.summed) - 1, -1, -1):
            if table.shape[rank + k] != 1:
                summed[self.space.summed[k]] = step
                step *= table.shape[rank + k]
        pairs = []
        for axis in range(outer - 1, -1, -1):
            if table.shape[axis] != 1:
                pairs.append((axis, step))
                step *= table.shape[axis]
        return pairs[::-1], summed, length


class Writer:
    """Writes the body of a kernel: what is done once a row, sums, and the expressions of a point."""

    def __init__(self, tables: RowTables) -> None:
        self.tables = tables
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
        clean = all(self.tables.certain.get(argument, (False, False))[0] for argument in node.arguments)
        one, zero = self.literal(1.0), self.literal(0.0)
        if node.operation in SYMBOLS:
            return f"{a[0]} {SYMBOLS[node.operation]} {a[1]}"
        if node.operation in COMPARED:
            return f"{one} if {a[0]} {COMPARED[node.operation]} {a[1]} else {zero}"
        if node.operation == "finite":
            return f"{one} if {a[0]} - {a[0]} == {zero} else {zero}"
        if node.operation == "where":
            return f"{a[1]} if {a[0]} != {zero} else {a[2]}"
        sign = "<" if node.operation == "minimum" else ">"
        chosen = f"{a[0]} {sign} {a[1]}" if clean else f"({a[0]} {sign} {a[1]}) | ({a[0]} != {a[0]})"
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
        """Write what a row needs before its points: offsets, scalars, sums."""
        self.offsets(indent)
        for node in self.tables.nodes:
            if node.operation in ("leaf", "constant") or self.tables.summed(node):
                continue
            if node.operation == "ordered_sum":
                self.sum(indent, node)
            elif not self.tables.inner(node):
                self.write(indent, f"{self.names[node]} = {self.expression(node)}")

    def sum(self, indent: int, node: Node) -> None:
        """Write an ordered sum: terms outermost, so that points stay innermost."""
        (argument,) = node.arguments
        name, axis = self.names[node], node.name
        place = len(self.tables.layout.sizes) + self.tables.space.summed.index(axis)
        lengths = [
            self.tables.space.tables[leaf.name].shape[place]
            for leaf in topological([argument])
            if leaf.operation == "leaf"
        ]
        length = max(lengths, default=1) if axis in self.tables.depends[argument] else 1
        inner = self.tables.inner(node)
        if inner:
            self.write(indent, f"{name} = s{name}[:width]")
            self.write(indent, f"{name}[:] = {self.literal(0.0)}")
        else:
            self.write(indent, f"{name} = {self.literal(0.0)}")
        self.write(indent, f"for l in range({length}):")
        below = [one for one in topological([argument]) if self.tables.summed(one)]
        for one in below:
            if one.operation == "leaf":
                number = self.leaf_number[one]
                _, summed, row = self.tables.strides(one)
                start = f"o{number} + l * {summed[axis]}"
                cut = f"{start} + begin : {start} + begin + width" if row else start
                self.write(indent + 1, f"{self.names[one]} = t{number}[{cut}]")
            elif not self.tables.inner(one):
                self.write(indent + 1, f"{self.names[one]} = {self.expression(one)}")
        if not inner:
            self.write(indent + 1, f"{name} = {name} + {self.value(argument)}")
            return
        self.write(indent + 1, "for j in range(width):")
        self.points(indent + 2, [argument])
        self.write(indent + 2, f"{name}[j] = {name}[j] + {self.value(argument)}")

    def points(self, indent: int, wanted: Iterable[Node]) -> None:
        """Write the expressions of a point; sums are there already."""
        done: set[Node] = set()

        def visit(node: Node) -> None:
            if node in done or node.operation in ("leaf", "constant", "ordered_sum") or not self.tables.inner(node):
                return
            done.add(node)
            for argument in node.arguments:
                visit(argument)
            self.write(indent, f"{self.names[node]} = {self.expression(node)}")

        for node in wanted:
            visit(node)


SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
COMPARED = {"less": "<", "less_equal": "<=", "equal": "=="}


def scan_source(query: Query, tables: RowTables) -> str:
    """Write the source of a scan: largest key, its tile and the number of valid points, group by group."""
    writer = Writer(tables)
    layout, kind, write = tables.layout, writer.kind, writer.write
    write(0, f"def scan(start, stop, rows_of_group, first_group, limits, key, tile, count{_arguments(tables)}):")
    _constants(writer)
    _limits(writer, query)
    write(1, f"highest = np.empty({layout.chunk}, dtype=np.{kind})")
    write(1, f"met = np.empty({layout.chunk}, dtype=np.{kind})")
    _first_row(writer)
    write(1, "row = start")
    write(1, "while row < stop:")
    write(2, "group = row // rows_of_group")
    write(2, f"last = min(stop, (group + 1) * rows_of_group, row + {max(1, TILE // layout.chunk)})")
    write(2, "highest[:] = -INFINITY")
    write(2, f"met[:] = {writer.literal(0.0)}")
    write(2, "for r in range(row, last):")
    _width(writer, 3)
    writer.row(3)
    write(3, "for j in range(width):")
    _scan_point(writer, 4, query)
    _odometer(writer, 3, layout.row_sizes)
    for line in SCAN_TAIL.format(chunk=layout.chunk).splitlines():
        write(2, line)
    return "\n".join(writer.lines) + "\n"


SCAN_TAIL = """\
found = 0
for j in range({chunk}):
    found += int(met[j])
half = {chunk}
while half > 1:
    rest = half // 2
    shift = half - rest
    for j in range(rest):
        highest[j] = highest[j + shift] if highest[j + shift] > highest[j] else highest[j]
    half = shift
g = group - first_group
count[g] += found
if found > 0 and (tile[g] < 0 or highest[0] > key[g]):
    key[g] = highest[0]
    tile[g] = row
row = last
"""


def _scan_point(writer: Writer, indent: int, query: Query) -> None:
    """Write what a scan does at a point: key, limits, maximum and count, all element-wise."""
    tables, write = writer.tables, writer.write
    name, sign = query.objectives[0]
    wanted = [tables.outputs[one] for one in dict.fromkeys([name, *(limit.name for limit in query.limits)])]
    writer.points(indent, wanted)
    objective = tables.outputs[name]
    write(indent, f"k = {'' if sign > 0 else '-'}{writer.value(objective)}")
    conditions = _conditions(writer, query)
    if not tables.certain[objective][0]:
        conditions.append("(k == k)")
    if conditions:
        write(indent, f"ok = {' & '.join(conditions)}")
        write(indent, "k = k if ok else -INFINITY")
        write(indent, f"met[j] += {writer.literal(1.0)} if ok else {writer.literal(0.0)}")
    else:
        write(indent, f"met[j] += {writer.literal(1.0)}")
    write(indent, "highest[j] = k if k > highest[j] else highest[j]")


def count_source(query: Query, tables: RowTables, by: str | None, codes: int) -> str:
    """Write the source of a count: the valid points of each group, by the codes of an output where one is given."""
    writer = Writer(tables)
    write = writer.write
    integer = INTEGERS[writer.kind]
    write(0, f"def count(start, stop, rows_of_group, first_group, limits, codes, counts{_arguments(tables)}):")
    _constants(writer)
    _limits(writer, query)
    for code in range(codes if by is not None else 0):
        write(1, f"k{code} = codes[{code}]")
    _first_row(writer)
    write(1, "for row in range(start, stop):")
    _width(writer, 2)
    writer.row(2)
    for code in range(codes):
        write(2, f"c{code} = np.{integer}(0)")
    write(2, "for j in range(width):")
    names = [*(limit.name for limit in query.limits), *([] if by is None else [by])]
    writer.points(3, [tables.outputs[name] for name in dict.fromkeys(names)])
    conditions = _conditions(writer, query)
    if conditions:
        write(3, f"ok = {' & '.join(conditions)}")
    for code in range(codes):
        own = [] if by is None else [f"({writer.value(tables.outputs[by])} == k{code})"]
        met = " & ".join([*(["ok"] if conditions else []), *own]) or "True"
        # numba widens a sum of short integers, which would halve the width of the vectors
        write(3, f"c{code} = np.{integer}(c{code} + (1 if {met} else 0))")
    write(2, "group = row // rows_of_group - first_group")
    for code in range(codes):
        write(2, f"counts[group, {code}] += c{code}")
    _odometer(writer, 2, tables.layout.row_sizes)
    return "\n".join(writer.lines) + "\n"


INTEGERS = {"float32": "int32", "float64": "int64"}


def tally_source(query: Query, tables: RowTables, name: str) -> str:
    """Write the source of a tally: how many valid points of each group lie between ascending edges of an output.

    The leading bits of a float, read as a number, say which of a table's cells it lies in; the table says how many
    edges are below the cell and below its end, so that only points that share a cell with an edge are compared with
    any. A row whose first and last cell lie between the same edges is counted at once.
    """
    writer = Writer(tables)
    layout, kind, write = tables.layout, writer.kind, writer.write
    integer, width = INTEGERS[kind], 8 * np.dtype(kind).itemsize
    arguments = "limits, edges, opens, closes, ways, counts"
    write(0, f"def tally(start, stop, rows_of_group, first_group, {arguments}{_arguments(tables)}):")
    _constants(writer)
    _limits(writer, query)
    write(1, f"value = np.empty({layout.chunk}, dtype=np.{kind})")
    write(1, f"bits = value.view(np.{integer})")
    write(1, f"cell = np.empty({layout.chunk}, dtype=np.{integer})")
    write(1, "mine = np.zeros((ways, counts.shape[1]), dtype=np.int64)")
    _first_row(writer)
    write(1, "row = start")
    write(1, "while row < stop:")
    write(2, "group = row // rows_of_group")
    write(2, "last = min(stop, (group + 1) * rows_of_group)")
    write(2, "for r in range(row, last):")
    _width(writer, 3)
    writer.row(3)
    write(3, "for j in range(width):")
    node = tables.outputs[name]
    writer.points(4, [tables.outputs[one] for one in dict.fromkeys([name, *(limit.name for limit in query.limits)])])
    conditions = _conditions(writer, query)
    own = writer.value(node)
    if conditions:
        write(4, f"ok = {' & '.join(conditions)}")
    write(4, f"value[j] = {own} if {'ok & ' if conditions else ''}({own} == {own}) else NAN")
    for line in TALLY_ROW.format(fold=width - 1, rest=(1 << (width - 1)) - 1, cell=width - 16).splitlines():
        write(3, line)
    _odometer(writer, 3, layout.row_sizes)
    write(2, "for way in range(ways):")
    write(3, "for k in range(counts.shape[1]):")
    write(4, "counts[group - first_group, k] += mine[way, k]")
    write(4, "mine[way, k] = 0")
    write(2, "row = last")
    return "\n".join(writer.lines) + "\n"


TALLY_ROW = """\
lowest = highest = (bits[0] ^ ((bits[0] >> {fold}) & {rest})) >> {cell}
for j in range(width):
    ordered = (bits[j] ^ ((bits[j] >> {fold}) & {rest})) >> {cell}
    cell[j] = ordered
    lowest = min(lowest, ordered)
    highest = max(highest, ordered)
if opens[lowest + 32768] == closes[highest + 32768]:
    mine[0, opens[lowest + 32768]] += width
else:
    for j in range(width):
        low, high = opens[cell[j] + 32768], closes[cell[j] + 32768]
        while low < high:
            middle = (low + high) >> 1
            if value[j] >= edges[middle]:
                low = middle + 1
            else:
                high = middle
        mine[j & (ways - 1), low] += 1
"""


def limit_values(query: Query) -> Array:
    """Lay the numbers of all limits out as generated kernels read them: both ends of a range, or each allowed value."""
    values: list[Any] = []
    for limit in query.limits:
        low, high, one_of = limit.rounded(query.space.dtype)
        values += (-np.inf if low is None else low, np.inf if high is None else high) if one_of is None else one_of
    return np.array(values, dtype=query.space.dtype)


def _limits(writer: Writer, query: Query) -> None:
    """Write the numbers of the limits as scalars."""
    for number in range(len(limit_values(query))):
        writer.write(1, f"m{number} = limits[{number}]")


def _conditions(writer: Writer, query: Query) -> list[str]:
    """Give the conditions that a point meets all limits; comparisons with NaN fail, an open end is infinite."""
    conditions, number = [], 0
    for limit in query.limits:
        value = writer.value(writer.tables.outputs[limit.name])
        if limit.one_of is None:
            conditions.append(f"({value} >= m{number}) & ({value} <= m{number + 1})")
            number += 2
        else:
            allowed = " | ".join(f"({value} == m{number + k})" for k in range(len(limit.one_of)))
            conditions.append(f"({allowed})")
            number += len(limit.one_of)
    return conditions


def sieve_source(query: Query, tables: RowTables) -> str:
    """Write the source of a sieve: the valid points whose costs none of some given vectors dominates.

    Whatever the vectors are, what remains is a superset of the front; it is written out with its flat indices until the
    arrays are full.
    """
    writer = Writer(tables)
    write, integer = writer.write, INTEGERS[writer.kind]
    columns = range(len(query.objectives))
    write(0, f"def sieve(start, stop, limits, vectors, index, costs, found{_arguments(tables)}):")
    _constants(writer)
    _limits(writer, query)
    write(1, f"alive = np.empty({tables.layout.chunk}, dtype=np.{integer})")
    for column in columns:
        write(1, f"cost{column} = np.empty({tables.layout.chunk}, dtype=np.{writer.kind})")
    _first_row(writer)
    write(1, "n = 0")
    write(1, "for row in range(start, stop):")
    _width(writer, 2)
    write(2, "if n + width > len(index):")
    write(3, "found[0], found[1] = n, row")
    write(3, "return")
    writer.row(2)
    write(2, "for j in range(width):")
    names = [*(limit.name for limit in query.limits), *(name for name, _ in query.objectives)]
    writer.points(3, [tables.outputs[name] for name in dict.fromkeys(names)])
    conditions = _conditions(writer, query)
    for column, (name, sign) in enumerate(query.objectives):
        value = writer.value(tables.outputs[name])
        write(3, f"cost{column}[j] = {'-' if sign > 0 else ''}{value}")
        conditions.append(f"({value} == {value})")
    write(3, f"alive[j] = 1 if {' & '.join(conditions)} else 0")
    write(2, "left = 1")
    write(2, "for k in range(len(vectors)):")
    for column in columns:
        write(3, f"k{column} = vectors[k, {column}]")
    no_worse = " & ".join(f"(k{column} <= cost{column}[j])" for column in columns)
    better = " | ".join(f"(k{column} < cost{column}[j])" for column in columns)
    write(3, f"left = np.{integer}(0)")
    write(3, "for j in range(width):")
    write(4, f"one = np.{integer}(0 if {no_worse} & ({better}) else alive[j])")
    write(4, "alive[j] = one")
    write(4, f"left = np.{integer}(left + one)")
    write(3, "if left == 0:")
    write(4, "break")
    write(2, "if left > 0:")
    write(3, f"position = {_position(writer)}")
    write(3, "for j in range(width):")
    write(4, "index[n] = position + j")
    for column in columns:
        write(4, f"costs[n, {column}] = cost{column}[j]")
    write(4, "n += alive[j]")
    _odometer(writer, 2, tables.layout.row_sizes)
    write(1, "found[0], found[1] = n, stop")
    return "\n".join(writer.lines) + "\n"


def fill_source(tables: RowTables) -> str:
    """Write the source of a fill: every output at every point of some rows, into flat arrays."""
    writer = Writer(tables)
    write = writer.write
    _fill_start(writer)
    write(1, "for row in range(start, stop):")
    _width(writer, 2)
    write(2, f"position = {_position(writer)}")
    for number in range(len(tables.outputs)):
        write(2, f"p{number} = out{number}[position : position + width]")
    _fill_row(writer)
    _odometer(writer, 2, tables.layout.row_sizes)
    return "\n".join(writer.lines) + "\n"


def streamed_fill_source(tables: RowTables) -> str:
    """Write the source of the same fill, but through buffers and past the caches (see `nontemporal`).

    A row is sent when the next one is computed: reading back what was just written waits until it is in the cache,
    behind all that is on its way to memory (measured: nothing is gained then).
    """
    writer = Writer(tables)
    write, outputs = writer.write, range(len(tables.outputs))
    rows = max(BUFFERED_ROWS, -(-BUFFERED_POINTS // tables.layout.chunk))
    _fill_start(writer)
    write(1, "row = start")
    _width(writer, 1)
    write(1, f"position = {_position(writer)}")
    for number in outputs:
        for line in STREAM_START.format(n=number, points=rows * tables.layout.chunk).splitlines():
            write(1, line)
    write(1, "buffered = 0")
    write(1, "for row in range(start, stop):")
    _width(writer, 2)
    write(2, f"turned = buffered == {rows}")
    write(2, "buffered = 1 if turned else buffered + 1")
    for number in outputs:
        write(2, f"end{number} = full{number}")
        write(2, f"full{number} = full{number} % items{number} if turned else full{number}")
        write(2, f"p{number} = buffer{number}[full{number} : full{number} + width]")
    _fill_row(writer)
    for number in outputs:
        for line in STREAM_ROW.format(n=number).splitlines():
            write(2, line)
    _odometer(writer, 2, tables.layout.row_sizes)
    for number in outputs:
        write(1, f"finish(out{number}, base{number}, buffer{number}, sent{number}, full{number}, skip{number})")
    return "\n".join(writer.lines) + "\n"


# base: where in the output the buffer starts, which is where a line starts; skip: items of that line before our first;
# sent: lines that were written; full: items that the buffer holds, until it is turned: starts again at its front
STREAM_START = """\
items{n} = line_items(out{n})
buffer{n} = np.empty({points} + 2 * items{n}, dtype=out{n}.dtype)
buffer{n} = buffer{n}[items_to_line(buffer{n}, 0) :]
full{n} = (items{n} - items_to_line(out{n}, position)) % items{n}
base{n} = position - full{n}
skip{n} = full{n}
sent{n} = 1 if skip{n} > 0 else 0
"""
# all in place: calling a kernel counts references to its arrays, and every count waits for all stores (5x slower)
STREAM_ROW = """\
ready = end{n} // items{n} - sent{n}
if ready > 0:
    copy_lines(out{n}, base{n} + sent{n} * items{n}, buffer{n}, sent{n} * items{n}, ready)
    sent{n} += ready
    if skip{n} > 0:
        copy_items(out{n}, base{n} + skip{n}, buffer{n}, skip{n}, items{n} - skip{n})
        skip{n} = 0
if turned:
    copy_items(buffer{n}, 0, buffer{n}, end{n} - full{n}, full{n})
    base{n} += end{n} - full{n}
    sent{n} = 0
full{n} += width
"""


def _fill_start(writer: Writer) -> None:
    """Write a fill's signature, constants, and the indices of its first row."""
    outs = "".join(f", out{number}" for number in range(len(writer.tables.outputs)))
    writer.write(0, f"def fill(start, stop{outs}{_arguments(writer.tables)}):")
    _constants(writer)
    _first_row(writer)


def _position(writer: Writer) -> str:
    """Write where in the outputs a row starts."""
    layout = writer.tables.layout
    return f"row * {layout.chunk}" if layout.chunks == 1 else f"row // {layout.chunks} * {layout.points} + begin"


def _fill_row(writer: Writer) -> None:
    """Write the loop over a row's points."""
    outputs = writer.tables.outputs.values()
    writer.row(2)
    writer.write(2, "for j in range(width):")
    writer.points(3, outputs)
    for number, node in enumerate(outputs):
        writer.write(3, f"p{number}[j] = {writer.value(node)}")


def _arguments(tables: RowTables) -> str:
    return "".join(f", t{number}" for number in range(len(tables.leaves)))


def _constants(writer: Writer) -> None:
    """Write what a kernel needs once: constants and room for sums."""
    tables = writer.tables
    writer.write(1, f"NAN = {writer.kind}(np.nan)")
    writer.write(1, f"INFINITY = {writer.kind}(np.inf)")
    for node in tables.nodes:
        if node.operation == "ordered_sum" and tables.inner(node):
            writer.write(1, f"s{writer.names[node]} = np.empty({tables.layout.chunk}, dtype=np.{writer.kind})")


def _first_row(writer: Writer) -> None:
    """Write the indices of the first row."""
    sizes = writer.tables.layout.row_sizes
    writer.write(1, "rest = start")
    for axis in range(len(sizes) - 1, -1, -1):
        writer.write(1, f"i{axis} = rest % {sizes[axis]}")
        writer.write(1, f"rest = rest // {sizes[axis]}")


def _width(writer: Writer, indent: int) -> None:
    """Write where a row begins in the axes that make up rows, and its length."""
    layout = writer.tables.layout
    if layout.chunks == 1:
        writer.write(indent, "begin = 0")
        writer.write(indent, f"width = {layout.chunk}")
        return
    writer.write(indent, f"begin = i{len(layout.row_sizes) - 1} * {layout.chunk}")
    writer.write(indent, f"width = min({layout.chunk}, {layout.points} - begin)")


def _odometer(writer: Writer, indent: int, sizes: tuple[int, ...]) -> None:
    """Write the step to the next row's indices."""
    for depth, axis in enumerate(range(len(sizes) - 1, -1, -1)):
        writer.write(indent + depth, f"i{axis} += 1")
        if axis:
            writer.write(indent + depth, f"if i{axis} == {sizes[axis]}:")
            writer.write(indent + depth + 1, f"i{axis} = 0")


STREAMING = ("copy_items", "copy_lines", "finish", "items_to_line", "line_items")
_compiled: dict[str, Callable[..., None]] = {}


def compiled(source: str) -> Callable[..., None]:
    """Compile a generated kernel, or find it compiled."""
    if source not in _compiled:
        from numba import float32, float64

        from roofcube.kernels.compilation import jit

        namespace: dict[str, Any] = {"np": np, "float32": float32, "float64": float64, "__name__": __name__}
        if "copy_lines(" in source:
            from roofcube.kernels import nontemporal

            namespace |= {name: getattr(nontemporal, name) for name in STREAMING}
        exec(compile(source, "<generated kernel>", "exec"), namespace)
        _compiled[source] = jit(namespace[source[4 : source.index("(")]], source=source)
    return _compiled[source]


def is_loaded() -> bool:
    """Tell whether any generated kernel is compiled in this process."""
    return bool(_compiled)
