"""All that is wrong with a table is in one message."""

from __future__ import annotations

import pytest

from roofcube.datasets.forms.faults import MOST, Fault, check_no_faults
from roofcube.errors import InvalidDataError


def message_of(faults, **given):
    with pytest.raises(InvalidDataError) as caught:
        check_no_faults(faults, source="rows.csv", **given)
    return str(caught.value)


def test_one_fault_is_one_line():
    assert message_of([Fault(7, "batch", "got 'x'; write 1")]) == "rows.csv, row 7, column 'batch': got 'x'; write 1"
    assert message_of([Fault(None, "b", "column 'b' is missing")]) == "rows.csv, header (row 1): column 'b' is missing"
    assert message_of([Fault(None, "b", "`units`: no")], header=0) == "rows.csv, `units`: no"


def test_each_fault_has_its_row_and_what_to_do_is_said_once():
    told = message_of([Fault(3, "a", "got 1; do x"), Fault(None, "c", "no c"), Fault(2, "a", "got 2; do x")], header=4)
    assert told.splitlines() == [
        "rows.csv: 3 faults",
        "  header (row 4): no c",
        "  row 2, column 'a': got 2; do x",
        "  row 3, column 'a': got 1",
    ]


def test_the_first_of_every_column_is_shown_and_the_rest_counted():
    faults = [Fault(row, "a", f"got {row}") for row in range(2, 102)] + [Fault(500, "b", "got b")]
    told = message_of(faults).splitlines()
    assert told[0] == "rows.csv: 101 faults"
    assert len(told) == MOST + 2
    assert told[-2] == "  row 500, column 'b': got b"
    assert told[-1] == "  and 81 more (81 in column 'a')"


def test_no_fault_is_no_error():
    check_no_faults([], source="rows.csv")
