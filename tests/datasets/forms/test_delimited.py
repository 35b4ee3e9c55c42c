"""Text files as Excel, pandas and scripts write them are split alike, or told apart."""

from __future__ import annotations

import pytest

from roofcube.datasets.forms.delimited import read_delimited
from roofcube.errors import InvalidDataError

PLAIN = "a,b,c\n1,x,2.5\n3,y,\n"
RECORDS = [["1", "x", "2.5"], ["3", "y", ""]]


def split(tmp_path, content, **given):
    path = tmp_path / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path, **given)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (PLAIN, [2, 3]),
        (PLAIN.replace(",", ";"), [2, 3]),
        (PLAIN.replace(",", "\t"), [2, 3]),
        (PLAIN.replace(",", "|"), [2, 3]),
        ("sep=;\n" + PLAIN.replace(",", ";"), [3, 4]),
        ('"sep=,"\r\n' + PLAIN.replace("\n", "\r\n"), [3, 4]),
        (PLAIN.replace("\n", "\r"), [2, 3]),
        ("\ufeff" + PLAIN, [2, 3]),
        ("# made by hand\n\n" + PLAIN.replace("3,y", "# a run went wrong\n\n  \n3,y"), [4, 8]),
        ("a,b,c\n1,x,2.5\n,,\n3,y,\n,,\n", [2, 4]),
        ("a,b,c,,\n1,x,2.5,,\n3,y,,,\n", [2, 3]),
        ("a,b,c\n1,x,2.5,\n3,y,,\n", [2, 3]),
        ("a,b,c,\n1,x,2.5\n3,y,\n", [2, 3]),
        (PLAIN.encode("utf-16"), [2, 3]),
        (("\ufeff" + PLAIN).encode("utf-16-be"), [2, 3]),
        (("\ufeff" + PLAIN).encode("utf-32-le"), [2, 3]),
    ],
)
def test_what_programs_write_is_split_alike(tmp_path, content, lines):
    found = split(tmp_path, content)
    assert (found.header, found.records, found.lines, found.faults) == (["a", "b", "c"], RECORDS, lines, [])


def test_a_quoted_field_may_hold_lines_that_look_like_comments(tmp_path):
    found = split(tmp_path, 'a,b\n"one\n# two\n\nthree",4\n5,6\n')
    assert found.records == [["one\n# two\n\nthree", "4"], ["5", "6"]]
    assert found.lines == [2, 6]


def test_the_header_tells_where_it_stands(tmp_path):
    assert split(tmp_path, "# one\n# two\n" + PLAIN).header_line == 3


def test_a_column_may_be_named_by_a_hash(tmp_path):
    for separator in ",;\t|":
        content = "# by hand\n#,a,b\n1,x,2.5\n2,y,3\n".replace(",", separator)
        found = split(tmp_path, content, expected="a, b")
        assert (found.header, found.lines) == (["#", "a", "b"], [3, 4])
    assert split(tmp_path, "#^a^b\n1^x^2\n", sep="^").header == ["#", "a", "b"]
    with pytest.raises(InvalidDataError, match="the file is empty"):
        split(tmp_path, "#", sep=";")
    assert split(tmp_path, "#,,\n#\n" + PLAIN).header_line == 3


@pytest.mark.parametrize("header", ["# a,b,c", "#a,b,c", '#"a",b,c', "# model,time,c"])
def test_a_header_that_is_a_comment_is_told(tmp_path, header):
    with pytest.raises(
        InvalidDataError, match=r"row 2: looks like the header, begins with # and is taken as a comment"
    ):
        split(tmp_path, f"# by hand\n{header}\n1,x,2.5\n3,y,\n", expected="a, b, d")
    assert split(tmp_path, f"{header}\n{PLAIN}", expected="a, b").header == ["a", "b", "c"]
    assert split(tmp_path, f"{header}\n{PLAIN.replace('b', 'x')}").header == ["a", "x", "c"]


def test_a_row_that_is_a_comment_is_told(tmp_path):
    with pytest.warns(
        UserWarning, match=r"row 2: begins with # and is taken as a comment, .*, as 1 more; if it is one"
    ):
        assert split(tmp_path, "a,b,c\n#1 net,x,2\n# none, or few\n3,y,\n#2 net,x,2\n").records == [["3", "y", ""]]
    assert split(tmp_path, 'a,b,c\n"#1 net",x,2\n').records == [["#1 net", "x", "2"]]


def test_a_separator_may_be_said(tmp_path):
    assert split(tmp_path, PLAIN.replace(",", "^"), sep="^").records == RECORDS
    assert split(tmp_path, "sep=;\n" + PLAIN, sep=",").records == RECORDS


@pytest.mark.parametrize(
    ("content", "row", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", 3, "got 3 fields, expected 2 as in the header"),
        ("# x\na;b\n\n1;2\n3\n", 5, "got 1 fields, expected 2"),
        ("a,b,c\n100,1,\n12,5,8,\n", 3, "got 4 fields, expected 3 as in the header"),
        ("a,b,c,\n100,1,,\n12,5,8,,\n", 3, "got 5 fields, expected 4 as in the header"),
        ("a,b\n1;2\n", 2, "got one field, with semicolons in it; the header is separated by commas"),
    ],
)
def test_lines_of_another_length_are_faults_with_their_row(tmp_path, content, row, message):
    (fault,) = split(tmp_path, content).faults
    assert fault.row == row
    assert message in fault.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", r"rows\.csv: expected delimited text, got an Excel workbook or another archive; save the"),
        (b"\xd0\xcf\x11\xe0rest", "got an old Excel workbook"),
        (b"\x1f\x8brest", "compressed with gzip; unpack it"),
        (b"PAR1rest", r"a Parquet file; name it \.parquet"),
        (b"ARROW1rest", "an Arrow .Feather. file; save it as Parquet or CSV"),
        (b"\x28\xb5\x2f\xfdrest", "compressed with Zstandard; unpack it"),
        (b'[{"a": 1, "b": 2}]\n', "got JSON; give what json.load makes of it"),
        (b'\n{"a": [1], "b": [2]}', "got JSON; give what json.load makes of it"),
        (b"\x89HDF\r\n", "a NetCDF file; a cube is loaded by roofcube.load"),
        (PLAIN.encode("utf-16-le"), "holds zero bytes: it looks like UTF-16 without its byte order mark; save"),
        (b"a,b\n\0,1\n" + b"1,2\n" * 200, "holds zero bytes: it is no text, or not UTF-8"),
        (PLAIN.encode("utf-16")[:-1], "begins as UTF-16 and is not to its end"),
        ("a,b\n1,é\n".encode("latin-1"), r"row 2: byte 0xe9 is not UTF-8; save .* Latin-1 or Windows-1252"),
        (b'a,b\n1,"x\n', "row 2: not readable as CSV .*; close every quotation mark"),
        (b"a,b\n1," + b"x" * 200_000, "row 2: not readable as CSV .*write fields of at most 131,072 characters"),
        (b"[" * 200_000, "row .: not readable as CSV .*write fields of at most"),
        (b"# nothing\n\n", r"the file is empty; expected a header with the columns a, b"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, content, message):
    with pytest.raises(InvalidDataError, match=message):
        split(tmp_path, content, expected="a, b")


@pytest.mark.parametrize("sep", ["", ";;", '"', 3, "#"])
def test_a_separator_is_one_character(tmp_path, sep):
    with pytest.raises(InvalidDataError, match="`sep`: expected one character between fields"):
        split(tmp_path, PLAIN, sep=sep)
