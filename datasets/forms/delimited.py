"""Split a delimited text file into header and records with their line numbers: encodings, separators, comments.

Whatever Excel, pandas or a shell script writes: byte order marks, UTF-16, a line `sep=;`, lines of comment that begin
with `#`, blank lines, quoted fields over several lines, separators left over at the end. Knows no schema.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

from roofcube.datasets.forms.faults import Fault
from roofcube.disk import contents_of
from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Delimited", "check_width", "read_delimited"]

# longest first: the mark of UTF-32 begins with that of UTF-16
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# first bytes of what is no text, with what to do
FOREIGN = (
    (b"PK\x03\x04", "an Excel workbook or another archive; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV"),
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"\x89HDF", "a NetCDF file; a cube is loaded by roofcube.load"),
    (b"ARROW1", "an Arrow (Feather) file; save it as Parquet or CSV"),
    (b"Obj\x01", "an Avro file; save it as Parquet or CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed with xz; unpack it"),
)
BRACKETS = {"[": "]", "{": "}"}  # of JSON
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_TITLES = 20  # rows among which a header is looked for
FEW_FIELDS = 3  # with fewer a comment that has as many as a row is likely prose
MOST_COLUMNS = 1_000  # names are compared letter by letter with those that are expected
NUMBER = re.compile(r"\s*[-+]?[0-9.]*[0-9][0-9.]*(e[-+]?[0-9]+)?\s*", re.IGNORECASE)
SAID = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class Delimited(NamedTuple):
    """A file of text: its header, its records all as long, the line that each begins on, and what is amiss."""

    header: list[str]
    header_line: int
    records: list[list[str]]
    lines: list[int]
    separator: str
    faults: list[Fault]


def read_delimited(path: Path, *, sep: str | None = None, expected: str = "") -> Delimited:
    r"""Split a file; the first line that is neither blank nor a comment is the header.

    A line that begins with `#` is a comment, unless it is the header and `#` is the name of its first column; of one
    that has the fields of a row a warning tells.

    Parameters
    ----------
    path : Path
    sep : str, optional
        One character; found out from a line `sep=;` or the header where not given: comma, semicolon, tab or bar.
    expected : str
        What the header should hold, for the message on an empty file.

    Raises
    ------
    InvalidDataError
        If the bytes are no text, a quotation mark is not closed, nothing is in it, or its header begins with `#`.
    """
    if sep is not None and (not isinstance(sep, str) or len(sep) != 1 or sep in '"#\r\n'):
        msg = f"`sep`: expected one character between fields, such as ';' or '\\t', got {sep!r}; give one, or none"
        raise InvalidDataError(msg)
    lines = _Lines(_decoded_text(path), sep)
    records: list[tuple[int, list[str]]] = []
    try:
        separator = lines.separator = _separator(lines, sep)
        for fields in csv.reader(lines, strict=True, delimiter=separator):
            if "".join(fields).strip():
                records.append((lines.first, fields))
                lines.width = lines.width or len(fields)
            lines.begin()
    except csv.Error as error:
        msg = (
            f"{path}, row {lines.first}: not readable as CSV ({error}); close every quotation mark, write fields of at "
            f"most {csv.field_size_limit():,} characters"
        )
        raise InvalidDataError(msg) from None
    if not records:
        msg = f"{path}: the file is empty{f'; expected a header with the columns {expected}' if expected else ''}"
        raise InvalidDataError(msg)
    _check_header_on_top(path, records, expected)
    (header_line, header), *rest = records
    _check_header_no_comment(path, lines.titles, header_line, header, separator, expected)
    if lines.rows:
        msg = (
            f"{path}, row {lines.rows[0]}: begins with # and is taken as a comment, though it has the fields of a row"
            f"{f', as {len(lines.rows) - 1} more' if lines.rows[1:] else ''}; if it is one, put its first field into "
            "quotation marks"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    check_width(str(path), len(header))
    return _padded([name.strip() for name in header], header_line, rest, separator)


def _check_header_on_top(path: Path, records: list[tuple[int, list[str]]], expected: str) -> None:
    """Raise where a title stands above the header, as spreadsheets have it."""
    known = {name.casefold() for name in expected.split(", ") if name}
    named = [sum(field.strip().casefold() in known for field in fields) for _, fields in records[:MOST_TITLES]]
    if named[0] == 0 and max(named) > 1:
        line = records[named.index(max(named))][0]
        msg = (
            f"{path}, row {line}: looks like the header, and row {records[0][0]} does not; begin what stands above it "
            "with #, or take it away"
        )
        raise InvalidDataError(msg)


def _check_header_no_comment(
    path: Path, titles: list[tuple[int, str]], header_line: int, header: list[str], separator: str, expected: str
) -> None:
    """Raise where a comment above the first row is the header: it has its names, or as many fields and no number."""
    known = {name.casefold() for name in expected.split(", ") if name}
    if any(field.strip().casefold() in known for field in header):
        return
    for line, text in titles:
        fields = [field.strip().strip('"') for field in text.lstrip().lstrip("#").split(separator)]
        names = sum(field.casefold() in known for field in fields)
        numbers = [any(NUMBER.fullmatch(field) for field in row) for row in (fields, header)]
        if names > 1 or (len(fields) == len(header) > 1 and numbers == [False, True]):
            msg = (
                f"{path}, row {line}: looks like the header, begins with # and is taken as a comment, and row "
                f"{header_line} as the header; take the # away, or put the first field into quotation marks"
            )
            raise InvalidDataError(msg)


def check_width(source: str, columns: int) -> None:
    """Raise where a table has more columns than anybody compares with a schema."""
    if columns > MOST_COLUMNS:
        msg = f"{source}: expected at most {MOST_COLUMNS:,} columns, got {columns:,}; keep those that are wanted"
        raise InvalidDataError(msg)


class _Lines:
    """Lines of a text, without blank lines and comments between records; counts all of them.

    Of comments it keeps those above the header, and where others have as many fields as the header, of `width`.
    """

    def __init__(self, text: str, sep: str | None) -> None:
        self.text = io.StringIO(text, newline="")
        self.separator = sep or ""
        self.width = 0
        self.titles: list[tuple[int, str]] = []
        self.rows: list[int] = []
        self.number = self.first = 0
        self.between = True
        self.returned: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.returned is not None:
            line, self.returned = self.returned, None
            return line
        for line in self.text:
            self.number += 1
            if not self.between:
                return line
            if line.strip() and not self._is_comment(line):
                self.between, self.first = False, self.number
                return line
        raise StopIteration

    def _is_comment(self, line: str) -> bool:
        if not line.lstrip().startswith("#"):
            return False
        if self.width:
            if line.count(self.separator) + 1 == self.width >= FEW_FIELDS:
                self.rows.append(self.number)
            return True
        separator = line.lstrip()[1:2]
        if separator and separator in (self.separator or tuple(SEPARATORS)):
            return sum(bool(one.strip()) for one in line.split(separator)[1:]) < FEW_FIELDS - 1
        self.titles = [*self.titles, (self.number, line)][-MOST_TITLES:]
        return True

    def again(self, line: str) -> None:
        """Give a line back, to be read once more."""
        self.returned = line

    def begin(self) -> None:
        """Tell that the next line begins a record."""
        self.between = True


def _decoded_text(path: Path) -> str:
    data = contents_of(path)
    for magic, what in FOREIGN:
        if data.startswith(magic):
            msg = f"{path}: expected delimited text, got {what}"
            raise InvalidDataError(msg)
    mark, encoding = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data.decode(encoding) if encoding != "utf-8" else data[len(mark) :].decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            msg = f"{path}: begins as {encoding.upper()} and is not to its end; save the file as UTF-8"
            raise InvalidDataError(msg) from None
        place = error.object[: error.start].count(b"\n") + 1
        msg = (
            f"{path}, row {place}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8 "
            "(it may be Latin-1 or Windows-1252; Excel's 'CSV UTF-8')"
        )
        raise InvalidDataError(msg) from None
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in BRACKETS and text.rstrip()[-1:] in BRACKETS.values():
        msg = f"{path}: expected delimited text, got JSON; give what json.load makes of it, a list of rows or columns"
        raise InvalidDataError(msg)
    if "\0" in text:
        wide = len(data) > 3 and data[:400].count(0) > len(data[:400]) // 4
        guess = "it looks like UTF-16 without its byte order mark" if wide else "it is no text, or not UTF-8"
        msg = f"{path}: holds zero bytes: {guess}; save the file as UTF-8"
        raise InvalidDataError(msg)
    return text


def _separator(lines: _Lines, sep: str | None) -> str:
    """Choose the separator: the one given, that of a line `sep=;`, or what the header says; the header is left."""
    for line in lines:
        said = SAID.fullmatch(line)
        if said is None:
            lines.again(line)
            return sep or _sniffed(line)
        sep = sep or said[1]
        lines.begin()
    return sep or ","


def _sniffed(header: str) -> str:
    """Choose the separator that makes the most columns of the header; a comma where several do."""
    counts = {one: len(next(csv.reader([header], delimiter=one), [])) for one in SEPARATORS}
    return max(counts, key=lambda one: counts[one])


def _padded(header: list[str], header_line: int, records: list[tuple[int, list[str]]], separator: str) -> Delimited:
    """Lay records out in the columns of the header; empty fields at the end of all rows alike are no fields.

    At the end of some rows they may say that a comma within a field, as that of a decimal, has moved the others.
    """
    written, lengths = len(header), {len(fields) for _, fields in records}
    while (
        header and not header[-1] and all(not field.strip() for _, one in records for field in one[len(header) - 1 :])
    ):
        header.pop()
    width = len(header)
    kept: list[list[str]] = []
    lines: list[int] = []
    faults = []
    for line, fields in records:
        alike = len(fields) == written or len(lengths) == 1
        if len(fields) >= width and alike and not any(field.strip() for field in fields[width:]):
            kept.append(fields[:width])
            lines.append(line)
            continue
        text = (
            f"got {len(fields)} fields, expected {written} as in the header; write one line a row, put a field with a "
            "comma into quotation marks"
        )
        other = next((name for one, name in SEPARATORS.items() if one != separator and one in fields[0]), "")
        if len(fields) == 1 and other:
            text = (
                f"got one field, with {other} in it; the header is separated by {SEPARATORS.get(separator, separator)}"
            )
        faults.append(Fault(line, "", text))
    return Delimited(header, header_line, kept, lines, separator, faults)
