"""The sources of kernels that fill arrays with a query's outputs: through the caches, or past them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofcube.kernels.codegen.writer import Writer

if TYPE_CHECKING:
    from roofcube.kernels.codegen.rows import RowTables

__all__ = ["FILL_ROW", "fill_source", "streamed_fill_source"]

# shorter than for scans: what is not divided at every point counts, and the buffers of some rows have to stay in L1
FILL_ROW = (128, 512)
BUFFERED_ROWS, BUFFERED_POINTS = 8, 512  # at least; a buffer holds several lines of any dtype


def fill_source(tables: RowTables) -> str:
    """Write the source of a fill: every output at every point of some rows, into flat arrays that start at `origin`."""
    writer = Writer(tables)
    write = writer.write
    _fill_start(writer)
    write(1, "for row in range(start, stop):")
    writer.width(2)
    write(2, f"position = {writer.position()} - origin")
    for number in range(len(tables.outputs)):
        write(2, f"p{number} = out{number}[position : position + width]")
    _fill_row(writer)
    writer.odometer(2)
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
    writer.width(1)
    write(1, f"position = {writer.position()} - origin")
    for number in outputs:
        for line in STREAM_START.format(n=number, points=rows * tables.layout.chunk).splitlines():
            write(1, line)
    write(1, "buffered = 0")
    write(1, "for row in range(start, stop):")
    writer.width(2)
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
    writer.odometer(2)
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
    writer.write(0, f"def fill(start, stop, origin{outs}{writer.arguments()}):")
    writer.constants()
    writer.first_row()


def _fill_row(writer: Writer) -> None:
    """Write the loop over a row's points."""
    outputs = writer.tables.outputs.values()
    writer.row(2)
    writer.write(2, "for j in range(width):")
    writer.points(3, outputs)
    for number, node in enumerate(outputs):
        writer.write(3, f"p{number}[j] = {writer.value(node)}")
