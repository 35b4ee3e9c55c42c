"""Gather all that is wrong with a table, so that one message names every row and column; knows no schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FROM_ZERO", "MOST", "Fault", "all_in_one", "check_no_faults"]

MOST = 20  # faults that one message shows
# how rows count where a table is no text: as its index; those of text are lines, where the header is 1
FROM_ZERO = " (rows from 0)"


class Fault(NamedTuple):
    """What is wrong in one place of a table; no `row` where it is the header."""

    row: int | None
    column: str
    text: str


def check_no_faults(faults: Sequence[Fault], *, source: str, header: int = 1, each: str = "row") -> None:
    """Raise unless there are none; one message names them all, the first of every column in any case.

    Parameters
    ----------
    faults : sequence of Fault
    source : str
        What the message begins with: a file, or an argument.
    header : int
        Line of the text that holds the header; 0 where there is no text, and rows count from 0, which is said.
    each : str
        What a row is called: that, or the name of a table of TOML, whose columns are keys.

    Raises
    ------
    InvalidDataError
    """
    if not faults:
        return
    if not header and each == "row" and any(fault.row is not None for fault in faults):
        source += FROM_ZERO
    shown = _shown_faults(faults)
    lines = [_fault_line(fault, header, each) for fault in _without_repetition(shown)]
    if len(faults) == 1:
        msg = f"{source}, {lines[0]}"
        raise InvalidDataError(msg)
    rest = len(faults) - len(shown)
    ending = [f"and {rest} more{_columns_of_rest(faults, shown)}"] if rest else []
    msg = "\n  ".join([f"{source}: {len(faults)} faults", *lines, *ending])
    raise InvalidDataError(msg)


def all_in_one(messages: Sequence[str], *, source: str) -> str:
    """Return one message of several whole ones."""
    if len(messages) == 1:
        return messages[0]
    rest = len(messages) - MOST
    ending = [f"and {rest} more"] if rest > 0 else []
    return "\n  ".join([f"{source}: {len(messages)} faults", *messages[:MOST], *ending])


def _shown_faults(faults: Sequence[Fault]) -> list[Fault]:
    """Choose faults to show: those of few sisters in their column first, then in the order of rows."""
    seen: dict[str, int] = {}
    ranked = []
    for place, fault in enumerate(faults):
        seen[fault.column] = seen.get(fault.column, 0) + 1
        ranked.append((seen[fault.column], -1 if fault.row is None else fault.row, place))
    places = sorted(ranked)[:MOST]
    return [faults[place] for _, _, place in sorted(places, key=lambda one: one[1:])]


def _without_repetition(faults: Sequence[Fault]) -> list[Fault]:
    """Leave out what to do where it was said of the column before."""
    said = set()
    short = []
    for fault in faults:
        got, _, do = fault.text.partition("; ")
        place = fault.column if fault.row is not None else None
        short.append(fault._replace(text=got) if do and (place, do) in said else fault)
        said.add((place, do))
    return short


def _columns_of_rest(faults: Sequence[Fault], shown: Sequence[Fault]) -> str:
    counts: dict[str, int] = {}
    for fault in faults:
        counts[fault.column] = counts.get(fault.column, 0) + 1
    for fault in shown:
        counts[fault.column] -= 1
    counted = [f"{count} in column {column!r}" for column, count in counts.items() if count and column]
    return f" ({', '.join(counted[:6])})" if counted else ""


def _fault_line(fault: Fault, header: int, each: str) -> str:
    if fault.row is None:
        return f"header (row {header}): {fault.text}" if header else fault.text
    column = f", {'column' if each == 'row' else 'key'} {fault.column!r}" if fault.column else ""
    return f"{each} {fault.row}{column}: {fault.text}"
