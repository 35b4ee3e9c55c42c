"""The source of kernels that fill arrays with a query's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofcube.kernels.codegen.writer import Writer

if TYPE_CHECKING:
    from roofcube.kernels.codegen.rows import RowTables

__all__ = ["fill_source"]

TERMS = (1,)  # of a sum at a time: several outputs are no faster for more (measured), and compile half as long


def fill_source(tables: RowTables) -> str:
    """Write the source of a fill: every output at every point of some rows, into flat arrays that start at `origin`."""
    writer = Writer(tables, terms=TERMS)
    write, outputs = writer.write, list(tables.outputs.values())
    outs = "".join(f", out{number}" for number in range(len(outputs)))
    write(0, f"def fill(start, stop, origin{outs}{writer.arguments()}):")
    writer.constants()
    writer.first_row()
    write(1, "for row in range(start, stop):")
    writer.width(2)
    write(2, f"position = {writer.position()} - origin")
    for number in range(len(outputs)):
        write(2, f"p{number} = out{number}[position : position + width]")
    writer.row(2)
    write(2, "for j in range(width):")
    writer.points(3, outputs)
    for number, node in enumerate(outputs):
        write(3, f"p{number}[j] = {writer.value(node)}")
    writer.odometer(2)
    return "\n".join(writer.lines) + "\n"
