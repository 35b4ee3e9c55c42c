"""Take a table in whatever form a user has it: polars, pandas, Arrow, columns, rows or a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.delimited import check_width
from roofcube.datasets.forms.faults import check_no_faults
from roofcube.datasets.forms.fields import inferred
from roofcube.datasets.forms.reading import Sheet, read_sheet
from roofcube.datasets.quantities import UNITS, factor_of
from roofcube.disk import existing
from roofcube.errors import InvalidDataError, MemoryLimitError, RoofcubeError
from roofcube.options import fits_memory, megabytes, memory_limit

__all__ = ["TABLE_SUFFIXES", "as_sheet", "as_table", "is_table"]

DELIMITED, PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
FIELD_BYTES = 16  # of a value in a table: text has a view of so many
FIELD_LETTERS = 1 << 17  # as `csv` has it
EXACT = 1 << 53  # below it a float holds every whole number
WIDE = tuple(getattr(pl, name) for name in ("Int128", "UInt128", "Decimal") if hasattr(pl, name))
# what stands in a row of units where a column has none
NO_UNITS = ("", "-", "–", "—", "[]", "[-]", "[1]", "(-)", "(1)", "#", "n/a", "none", "unit", "units", "text", "string")
BRACKETED = re.compile(r"[\[(]\s*(.*?)\s*[\])]")
FIRST_DIGIT = re.compile(r"\s*[-+]?\.?\d")
TABLE_SUFFIXES = (*DELIMITED, *PARQUET)


def is_table(value: Any) -> bool:
    """Tell whether something is a table in one of the forms; a text is one where it names a file of a known suffix."""
    if isinstance(value, str):
        return value.lower().endswith(TABLE_SUFFIXES)
    if isinstance(value, Path | pl.DataFrame | pl.LazyFrame | Mapping) or _is_pandas(value):
        return not hasattr(value, "data_vars")
    return _streams(value)


def as_table(value: Any, *, what: str) -> pl.DataFrame:
    """Return a polars DataFrame of a table in any form; categories become text, NaN of pandas null, wide numbers plain.

    Parameters
    ----------
    value : table
        polars DataFrame or LazyFrame, pandas DataFrame (a named index becomes columns), anything with an Arrow stream,
        mapping of columns, sequence of mappings (rows), or the name of a CSV, TSV or Parquet file.
    what : str
        The argument, for errors.

    Raises
    ------
    InvalidDataError
        If it is no table, columns have one name or different lengths, or a number of more than 64 bits is no float.
    MissingFileError
        If there is no such file.

    Examples
    --------
    >>> from roofcube.datasets.forms.table_forms import as_table
    >>> as_table([{"platform": "TX2", "batch": 1}, {"platform": "NCS2"}], what="rows").rows()
    [('TX2', 1), ('NCS2', None)]
    """
    sheet = as_sheet(value, what=what)
    check_no_faults(sheet.faults, source=str(value), header=sheet.header)
    return sheet.frame.with_columns(map(inferred, sheet.frame)) if sheet.separator else sheet.frame


def as_sheet(value: Any, *, what: str, row: type | None = None, sep: str | None = None) -> Sheet:
    """Return a table in any form with the row of its source behind each row; of a text file all columns are text.

    Parameters
    ----------
    value : table
        As for `as_table`.
    what : str
        The argument, for errors.
    row : type, optional
        A class of `roofcube.datasets.schema` that says what is expected.
    sep : str, optional
        One character between fields of a text file.
    """
    check_not_forked()
    if isinstance(value, str | Path):
        sheet = _of_file(Path(value), row, sep)
        _check_no_row_of_units(sheet, str(value))
        return sheet
    if sep is not None:
        msg = f"`sep`: only for text files, got a {type(value).__name__}; leave it out"
        raise InvalidDataError(msg)
    frame = _as_frame(value, what)
    check_width(f"`{what}`", frame.width)
    categories = [name for name, dtype in frame.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    frame = frame.with_columns(pl.col(categories).cast(pl.String)) if categories else frame
    wide = [column for column in frame if column.dtype.base_type() in WIDE]
    sheet = Sheet.of(frame.with_columns(_narrowed(column, what) for column in wide) if wide else frame)
    _check_no_row_of_units(sheet, f"`{what}` (rows from 0)")
    return sheet


def _check_no_row_of_units(sheet: Sheet, source: str) -> None:
    """Raise where the first row holds nothing but units, and numbers stand below them."""
    if sheet.frame.height < 2:
        return
    cells, below = (["" if one is None else one for one in sheet.frame.row(place)] for place in (0, 1))
    if not all(isinstance(one, str) for one in cells):
        return
    plain = [BRACKETED.sub(r"\1", one.strip()) for one in cells]
    are_units = [any(factor_of(unit, one) is not None for unit in UNITS) and one != "1" for one in plain]
    numbers = [
        FIRST_DIGIT.match(str(one)) is not None for one, is_unit in zip(below, are_units, strict=True) if is_unit
    ]
    others = [one for one, is_unit in zip(cells, are_units, strict=True) if not is_unit]
    if numbers and all(numbers) and all(one.strip().casefold() in NO_UNITS for one in others):
        shown = ", ".join(dict.fromkeys(one for one, is_unit in zip(plain, are_units, strict=True) if is_unit))
        msg = (
            f"{source}, row {sheet.rows[0]}: looks like units ({shown:.60}), not like values; take it away, and say "
            "them in the header or with columns="
        )
        raise InvalidDataError(msg)


def _narrowed(column: pl.Series, what: str) -> pl.Series:
    """Return whole numbers of up to 64 bits as such, others as floats; raise where a float is not the same number."""
    whole = column.cast(pl.Int64, strict=False)
    if (whole.cast(column.dtype, strict=False).eq_missing(column)).all():
        return whole
    numbers = column.cast(pl.Float64)
    for row in (numbers.abs() >= EXACT).arg_true().to_list():
        if int(column[row]) == column[row] != int(numbers[row]):
            msg = (
                f"`{what}` (rows from 0), row {row}, column {column.name!r}: got {column[row]}; expected whole numbers "
                "of 64 bits, or that a float holds exactly; round it"
            )
            raise InvalidDataError(msg)
    return numbers


def _of_file(path: Path, row: type | None, sep: str | None) -> Sheet:
    existing(path)
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        try:
            _check_parquet(path)
            frame = pl.read_parquet(path)
            _check_text(path, frame)
        except RoofcubeError:
            raise
        except Exception as error:
            msg = f"{path}: not readable as Parquet ({error!s:.300}); write it again"
            raise InvalidDataError(msg) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # what polars says where its own checks miss something
                raise
            msg = f"{path}: not readable as Parquet ({error!s:.300}); write it again"
            raise InvalidDataError(msg) from None
        return as_sheet(frame, what=str(path))
    return read_sheet(path, row, sep=sep)


def _check_parquet(path: Path) -> None:
    """Raise where a file says of itself that it does not fit: repeated values take a few bytes in it."""
    scanned = pl.scan_parquet(path)
    columns = len(scanned.collect_schema())
    check_width(str(path), columns)
    rows = int(scanned.select(pl.len()).collect().item())
    size = max(rows * columns * FIELD_BYTES, path.stat().st_size)
    if not fits_memory(size):
        msg = (
            f"{path}: expected a table within {megabytes(memory_limit())}, got {rows:,} rows of {columns} columns, "
            f"{megabytes(size)}; read a part of it, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


def _check_text(path: Path, frame: pl.DataFrame) -> None:
    """Raise where text is longer than that of a field in a CSV file may be."""
    lengths = frame.select(pl.col(pl.String).str.len_bytes().max()).to_dicts()
    name = next((one for one, length in (lengths[0] if lengths else {}).items() if (length or 0) > FIELD_LETTERS), None)
    if name is not None:
        msg = f"{path}, column {name!r}: expected text of at most {FIELD_LETTERS:,} bytes, got more; shorten it"
        raise InvalidDataError(msg)


def _as_frame(value: Any, what: str) -> pl.DataFrame:
    if isinstance(value, pl.DataFrame):
        return value
    if isinstance(value, pl.LazyFrame):
        return _collected(value, what)
    if _is_pandas(value):
        return _of_pandas(value, what)
    if isinstance(value, Mapping) and not hasattr(value, "data_vars"):
        return _of_columns(value, what)
    if _streams(value):
        return _collected(value, what)
    if isinstance(value, Sequence) and value and all(isinstance(one, Mapping) for one in value):
        names = list(dict.fromkeys(str(name) for one in value for name in one))
        return _framed({name: [one.get(name) for one in value] for name in names})
    msg = (
        f"`{what}`: expected the name of a file, a DataFrame or a dict of columns, got {_kind(value)}; give "
        "one of them (polars, pandas, LazyFrame, Arrow, a list of dicts; CSV, TSV, Parquet)"
    )
    raise InvalidDataError(msg)


def _streams(value: Any) -> bool:
    """Check whether something gives columns as Arrow does; a Series of polars or pandas is a single one."""
    return hasattr(value, "__arrow_c_stream__") and type(value).__name__ != "Series"


def _collected(value: Any, what: str) -> pl.DataFrame:
    try:
        return value.collect() if isinstance(value, pl.LazyFrame) else pl.DataFrame(value)
    except (pl.exceptions.PolarsError, ImportError, OSError, TypeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        msg = f"`{what}`: the {_kind(value)} cannot be read ({first:.300}); give a DataFrame of it"
        raise InvalidDataError(msg) from error


def _kind(value: Any) -> str:
    """Name a type, with its library where its name alone says nothing."""
    kind = type(value)
    if isinstance(value, list | tuple) and not value:
        return f"an empty {kind.__name__}"
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}" if kind.__name__ == "DataFrame" else kind.__name__


def _is_pandas(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns")


def _of_pandas(table: Any, what: str) -> pl.DataFrame:
    # by hand: polars' own conversion needs pyarrow for text
    table = _without_repeated_levels(table, what)
    if any(name is not None for name in table.index.names):
        try:
            table = table.reset_index()
        except ValueError as error:
            msg = f"`{what}`: the index cannot become columns ({error!s:.200}); give its levels names of their own"
            raise InvalidDataError(msg) from None
    if any(isinstance(name, tuple) for name in table.columns):
        msg = f"`{what}`: expected columns of one level, got {table.columns.nlevels}; flatten their names"
        raise InvalidDataError(msg)
    names = [str(name) for name in table.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"`{what}`: column {twice!r} is there twice; keep one"
        raise InvalidDataError(msg)
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        column = table.iloc[:, place]
        array = column.to_numpy()
        if array.dtype.kind == "f":
            # polars has no longer floats
            columns[name] = pl.Series(name, array.astype("f8") if array.dtype.itemsize > 8 else array).fill_nan(None)
        elif array.dtype.kind in "iub":
            columns[name] = pl.Series(name, array)
        else:
            absent = column.isna().tolist()
            columns[name] = [None if gone else one for one, gone in zip(column.tolist(), absent, strict=True)]
    return _framed(columns)


def _without_repeated_levels(table: Any, what: str) -> Any:
    """Drop the levels of an index that stand in columns of the same name too."""
    names = [str(name) for name in table.columns]
    repeated = [place for place, name in enumerate(table.index.names) if name is not None and str(name) in names]
    for place in repeated:
        name = str(table.index.names[place])
        level, column = table.index.get_level_values(place), table.iloc[:, names.index(name)]
        present = ~level.isna()
        if (present == column.isna().to_numpy()).any() or level[present].tolist() != column[present].tolist():
            msg = f"`{what}`: the index {name!r} and the column {name!r} differ; rename one of them"
            raise InvalidDataError(msg)
    if not repeated:
        return table
    return table.droplevel(repeated) if len(repeated) < table.index.nlevels else table.reset_index(drop=True)


def _of_columns(table: Mapping[Any, Any], what: str) -> pl.DataFrame:
    """Take a mapping of columns; one of numbers and texts alone is a row."""
    if table and not any(_is_column(one) for one in table.values()):
        return _framed({str(name): [one] for name, one in table.items()})
    alone = [name for name, one in table.items() if not _is_column(one)]
    columns = {
        str(name): one if isinstance(one, pl.Series) else list(one) for name, one in table.items() if _is_column(one)
    }
    lengths = {len(one) for one in columns.values()}
    if len(lengths) != 1:
        msg = f"`{what}`: expected columns of one length, got {sorted(lengths) or 'none'}; give every row a value"
        raise InvalidDataError(msg)
    length = lengths.pop()
    columns |= {str(name): [table[name]] * length for name in alone}
    return _framed({str(name): columns[str(name)] for name in table})


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping) and getattr(value, "ndim", 1) != 0


def _framed(columns: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([_as_series(name, values) for name, values in columns.items()])


def _as_series(name: str, values: Any) -> pl.Series:
    if not isinstance(values, list):
        return pl.Series(name, values)
    plain = [one.item() if hasattr(one, "item") and getattr(one, "ndim", 0) == 0 else one for one in values]
    plain = [None if isinstance(one, float) and one != one else one for one in plain]
    kinds = {type(one) for one in plain if one is not None}
    if (str in kinds and len(kinds) > 1) or any(issubclass(kind, Path) for kind in kinds):
        plain = [None if one is None else str(one) for one in plain]
    if bool in kinds and kinds & {int, float}:
        place = next(place for place, one in enumerate(plain) if isinstance(one, bool))
        msg = f"column {name!r}, row {place} (from 0): got {plain[place]} among numbers; write numbers alone, or truths"
        raise InvalidDataError(msg)
    try:
        series = pl.Series(name, plain, strict=False)
    except (pl.exceptions.PolarsError, UnicodeEncodeError, OverflowError, TypeError, ValueError) as error:
        msg = f"column {name!r}: cannot be held in a table ({type(error).__name__}: {error!s:.200}); correct its values"
        raise InvalidDataError(msg) from error
    # older versions of polars keep numbers that no type holds as objects
    large = pl.Series([type(one) is int and abs(one) > sys.float_info.max for one in plain], dtype=pl.Boolean)
    lost = series.is_null() & pl.Series([one is not None for one in plain], dtype=pl.Boolean) | large
    if lost.any():
        place = lost.arg_true()[0]
        kind = pl.Float64() if large[place] else series.dtype
        msg = (
            f"column {name!r}, row {place} (from 0): got {plain[place]!r:.60}, which does not fit a column of {kind}; "
            "write numbers within the range of a float, and values of one kind"
        )
        raise InvalidDataError(msg)
    return series
