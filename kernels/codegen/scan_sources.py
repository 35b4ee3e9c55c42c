"""The sources of kernels that visit every point of a query: the best, counts, tallies and sieves."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roofcube.kernels.codegen.writer import Writer

if TYPE_CHECKING:
    from roofcube.kernels.codegen.rows import RowTables
    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Query

__all__ = ["count_source", "grouped_scan_source", "scan_source", "sieve_source", "tally_source"]

INTEGERS = {"float32": "int32", "float64": "int64"}


def scan_source(query: Query, tables: RowTables) -> str:
    """Write the source of a scan: largest key, its tile and the number of valid points, group by group."""
    writer = Writer(tables)
    layout, kind, write = tables.layout, writer.kind, writer.write
    write(0, f"def scan(start, stop, rows_of_group, first_group, limits, key, tile, count{writer.arguments()}):")
    writer.constants()
    writer.limits(query)
    write(1, f"highest = np.empty({layout.chunk}, dtype=np.{kind})")
    write(1, f"met = np.empty({layout.chunk}, dtype=np.{kind})")
    writer.first_row()
    write(1, "row = start")
    write(1, "while row < stop:")
    write(2, "group = row // rows_of_group")
    write(2, f"last = min(stop, (group + 1) * rows_of_group, row + {max(1, query.tuning.scan_tile // layout.chunk)})")
    write(2, "highest[:] = -INFINITY")
    write(2, f"met[:] = {writer.literal(0.0)}")
    write(2, "for r in range(row, last):")
    writer.width(3)
    writer.row(3)
    write(3, "for j in range(width):")
    _scan_point(writer, 4, query, _reciprocal(query, tables))
    writer.odometer(3)
    best = "highest[0]"
    if (reciprocal := _reciprocal(query, tables)) is not None:
        sign = query.objectives[0][1]
        best = f"{'' if sign > 0 else '-'}({writer.literal(reciprocal.over)} / {'-' if sign > 0 else ''}{best})"
    for line in SCAN_TAIL.format(chunk=layout.chunk, best=best).splitlines():
        write(2, line)
    return "\n".join(writer.lines) + "\n"


SCAN_TAIL = """\
found = 0
for j in range({chunk}):
    found += int(met[j])
left = {chunk}
while left > 1:
    shift = left // 2
    left = left - shift
    for j in range(left):
        met[j] = highest[j + shift] if highest[j + shift] > highest[j] else highest[j]
    for j in range(left):
        highest[j] = met[j]
g = group - first_group
count[g] += found
best = {best}
if found > 0 and (tile[g] < 0 or best > key[g]):
    key[g] = best
    tile[g] = row
row = last
"""


class _Reciprocal(NamedTuple):
    """An objective that is a positive number over what is always above 0, where a condition does not take it away."""

    over: float
    below: Node
    conditions: tuple[Node, ...]  # where one of these is not 0, the objective is NaN


def _reciprocal(query: Query, tables: RowTables) -> _Reciprocal | None:
    """Read an objective that falls with a node: of a tile the best is found by that node, and divided once.

    Division rounds to the nearest, so that it keeps the order and the best of a tile is the same to the last bit.
    """
    node, conditions = tables.outputs[query.objectives[0][0]], []
    while node.operation == "where" and node.arguments[1].operation == "constant" and np.isnan(node.arguments[1].value):
        conditions.append(node.arguments[0])
        node = node.arguments[2]
    if node.operation != "divide" or node.arguments[0].operation != "constant" or not tables.inner(node):
        return None
    over, below = node.arguments[0].value, node.arguments[1]
    known = 0 < over < np.inf and tables.certain[below].positive and tables.certain[below].number
    return _Reciprocal(over, below, tuple(conditions)) if known else None


def grouped_scan_source(query: Query, tables: RowTables) -> str:
    """Write the source of a scan of many groups: largest key, its first point and the number of valid points of each.

    Groups lie side by side: the places of a row are groups, and the rows of a block go through the points that these
    groups have; each place remembers at which of them it saw its largest key. Nothing is compared across places.

    Parameters
    ----------
    query : Query
        With its points before those groups that make up a row (see `roofcube.kernels.engine.scans.GroupedScan`).
    """
    writer = Writer(tables)
    layout, kind, write = tables.layout, writer.kind, writer.write
    write(0, f"def scan(start, stop, points_of_group, first_block, limits, key, first, count{writer.arguments()}):")
    writer.constants()
    writer.limits(query)
    for name in ("keys", "counts", "places"):
        write(1, f"{name} = np.empty({layout.points}, dtype=np.{kind})")
    writer.first_row()
    write(1, "row = start")
    write(1, "while row < stop:")
    for line in BLOCK_HEAD.format(chunks=layout.chunks, kind=kind).splitlines():
        write(2, line)
    write(2, "for r in range(row, last):")
    write(3, f"here = {kind}(r // {layout.chunks} - point)")
    writer.width(3)
    for name, whole in (("highest", "keys"), ("met", "counts"), ("seen", "places")):
        write(3, f"{name} = {whole}[begin : begin + width]")
    writer.row(3)
    write(3, "for j in range(width):")
    _scan_point(writer, 4, query, located=True)
    writer.odometer(3)
    for line in BLOCK_TAIL.format(points=layout.points).splitlines():
        write(2, line)
    return "\n".join(writer.lines) + "\n"


# point: counted over all blocks
BLOCK_HEAD = """\
point = row // {chunks}
block = point // points_of_group
last = min(stop, (block + 1) * points_of_group * {chunks})
keys[:] = -INFINITY
counts[:] = {kind}(0.0)
places[:] = {kind}(-1.0)"""
BLOCK_TAIL = """\
for j in range({points}):
    g = (block - first_block) * {points} + j
    key[g] = keys[j]
    count[g] = int(counts[j])
    place = (block * {points} + j) * points_of_group + point - block * points_of_group + int(places[j])
    first[g] = place if places[j] >= 0 else -1
row = last"""


def _scan_point(
    writer: Writer, indent: int, query: Query, reciprocal: _Reciprocal | None = None, *, located: bool = False
) -> None:
    """Write what a scan does at a point: key, limits, maximum and count, all element-wise."""
    tables, write = writer.tables, writer.write
    name, sign = query.objectives[0]
    objective = tables.outputs[name]
    if reciprocal is not None:
        sign, ordered = -sign, reciprocal.below
    else:
        ordered = objective
    wanted = [ordered, *(reciprocal.conditions if reciprocal else ())]
    wanted += [tables.outputs[one] for one in dict.fromkeys(limit.name for limit in query.limits)]
    writer.points(indent, dict.fromkeys(wanted))
    write(indent, f"k = {'' if sign > 0 else '-'}{writer.value(ordered)}")
    for condition in reciprocal.conditions if reciprocal else ():
        write(indent, f"k = NAN if {writer.value(condition)} != {writer.literal(0.0)} else k")
    write(indent, "h = highest[j]")
    conditions = writer.conditions(query)
    better, valid = "(k > h)", writer.literal(1.0)
    if not tables.certain[objective].number:
        conditions.append("(k == k)")
        better += " | (ok & (s < 0))"  # a valid key may be no larger than what stands for none
    if conditions:
        write(indent, f"ok = {' & '.join(conditions)}")
        write(indent, "k = k if ok else -INFINITY")
        valid = f"{valid} if ok else {writer.literal(0.0)}"
    if located:
        write(indent, "s = seen[j]")
        write(indent, f"seen[j] = s + (here - s) * {writer.kind}({better})")
    # between reading and writing `highest`: of `x[j] = a if c else x[j]` the compiler makes a masked store, which takes
    # 20 cycles where there is no AVX-512, so that a scan took three times as long (the same below, with two arrays)
    write(indent, f"met[j] += {valid}")
    write(indent, "highest[j] = k if k > h else h")


def count_source(query: Query, tables: RowTables, by: str | None, codes: int) -> str:
    """Write the source of a count: the valid points of each group, by the codes of an output where one is given."""
    writer = Writer(tables)
    write = writer.write
    integer = INTEGERS[writer.kind]
    write(0, f"def count(start, stop, rows_of_group, first_group, limits, codes, counts{writer.arguments()}):")
    writer.constants()
    writer.limits(query)
    for code in range(codes if by is not None else 0):
        write(1, f"k{code} = codes[{code}]")
    writer.first_row()
    write(1, "for row in range(start, stop):")
    writer.width(2)
    writer.row(2)
    for code in range(codes):
        write(2, f"c{code} = np.{integer}(0)")
    write(2, "for j in range(width):")
    names = [*(limit.name for limit in query.limits), *([] if by is None else [by])]
    writer.points(3, [tables.outputs[name] for name in dict.fromkeys(names)])
    conditions = writer.conditions(query)
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
    writer.odometer(2)
    return "\n".join(writer.lines) + "\n"


def tally_source(query: Query, tables: RowTables, name: str) -> str:
    """Write the source of a tally: how many valid points of each group lie between ascending edges of an output.

    Floats are compared as integers of the same order, NaN above all. Between the edges at a row's lowest and highest
    point, each edge is compared with all points at once; where there are many of them, each point is looked up: its
    leading bits say which of a table's cells it lies in, and the cell says between which edges that is.
    """
    writer = Writer(tables)
    layout, kind, write = tables.layout, writer.kind, writer.write
    integer, width = INTEGERS[kind], 8 * np.dtype(kind).itemsize
    arguments = "limits, keys, opens, closes, ways, counts"
    write(0, f"def tally(start, stop, rows_of_group, first_group, {arguments}{writer.arguments()}):")
    writer.constants()
    writer.limits(query)
    write(1, f"value = np.empty({layout.chunk}, dtype=np.{kind})")
    write(1, f"bits = value.view(np.{integer})")
    write(1, f"sign, flipped = np.{integer}({width - 1}), np.{integer}({(1 << (width - 1)) - 1})")
    write(1, "mine = np.zeros((ways, counts.shape[1]), dtype=np.int64)")
    writer.first_row()
    write(1, "row = start")
    write(1, "while row < stop:")
    write(2, "group = row // rows_of_group")
    write(2, "last = min(stop, (group + 1) * rows_of_group)")
    write(2, "for r in range(row, last):")
    writer.width(3)
    writer.row(3)
    write(3, "for j in range(width):")
    node = tables.outputs[name]
    writer.points(4, [tables.outputs[one] for one in dict.fromkeys([name, *(limit.name for limit in query.limits)])])
    conditions = writer.conditions(query)
    own = writer.value(node)
    if conditions:
        write(4, f"ok = {' & '.join(conditions)}")
    write(4, f"value[j] = {own} if {'ok & ' if conditions else ''}({own} == {own}) else NAN")
    values = {"first": "lowest", "final": "highest", "low": "bits[j]"}
    found = {low: EDGES_BELOW.format(low=low, value=value, cell=width - 16) for low, value in values.items()}
    found["low"] = textwrap.indent(found["low"], 8 * " ")
    for line in TALLY_ROW.format(integer=integer, most=query.tuning.compared_edges, **found).splitlines():
        write(3, line)
    writer.odometer(3)
    write(2, "for way in range(ways):")
    write(3, "for k in range(counts.shape[1]):")
    write(4, "counts[group - first_group, k] += mine[way, k]")
    write(4, "mine[way, k] = 0")
    write(2, "row = last")
    return "\n".join(writer.lines) + "\n"


# the edges that a value is at or above, of those in its cell
EDGES_BELOW = """\
{low}, upper = opens[({value} >> {cell}) + 32768], closes[({value} >> {cell}) + 32768]
while {low} < upper:
    middle = ({low} + upper) >> 1
    if {value} >= keys[middle]:
        {low} = middle + 1
    else:
        upper = middle"""
# integers of one width throughout: numba widens, which would halve the width of the vectors
TALLY_ROW = """\
lowest = highest = np.{integer}(bits[0] ^ ((bits[0] >> sign) & flipped))
for j in range(width):
    ordered = np.{integer}(bits[j] ^ ((bits[j] >> sign) & flipped))
    bits[j] = ordered
    lowest = ordered if ordered < lowest else lowest
    highest = ordered if ordered > highest else highest
{first}
{final}
if final - first <= {most}:
    left = width
    for k in range(first, final):
        key = keys[k]
        above = np.{integer}(0)
        for j in range(width):
            above = np.{integer}(above + (1 if bits[j] >= key else 0))
        mine[0, k] += left - above
        left = above
    mine[0, final] += left
else:
    for j in range(width):
{low}
        mine[j & (ways - 1), low] += 1
"""


def sieve_source(query: Query, tables: RowTables) -> str:
    """Write the source of a sieve: the valid points whose costs none of some given vectors dominates.

    Whatever the vectors are, what remains is a superset of the front; it is written out with its flat indices until the
    arrays are full.
    """
    writer = Writer(tables)
    write, integer = writer.write, INTEGERS[writer.kind]
    columns = range(len(query.objectives))
    write(0, f"def sieve(start, stop, limits, vectors, index, costs, found{writer.arguments()}):")
    writer.constants()
    writer.limits(query)
    write(1, f"alive = np.empty({tables.layout.chunk}, dtype=np.{integer})")
    for column in columns:
        write(1, f"cost{column} = np.empty({tables.layout.chunk}, dtype=np.{writer.kind})")
    writer.first_row()
    write(1, "n = 0")
    write(1, "for row in range(start, stop):")
    writer.width(2)
    write(2, "if n + width > len(index):")
    write(3, "found[0], found[1] = n, row")
    write(3, "return")
    writer.row(2)
    write(2, "for j in range(width):")
    names = [*(limit.name for limit in query.limits), *(name for name, _ in query.objectives)]
    writer.points(3, [tables.outputs[name] for name in dict.fromkeys(names)])
    conditions = writer.conditions(query)
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
    write(3, f"position = {writer.position()}")
    write(3, "for j in range(width):")
    write(4, "index[n] = position + j")
    for column in columns:
        write(4, f"costs[n, {column}] = cost{column}[j]")
    write(4, "n += alive[j]")
    writer.odometer(2)
    write(1, "found[0], found[1] = n, stop")
    return "\n".join(writer.lines) + "\n"
