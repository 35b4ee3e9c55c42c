"""Read a table into the columns of a schema: aliases resolved, units checked, all faults told at once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

import polars as pl

from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.delimited import read_delimited
from roofcube.datasets.forms.faults import FROM_ZERO, Fault, check_no_faults
from roofcube.datasets.forms.fields import decimal_of, kind_of, read_column
from roofcube.datasets.forms.opposites import opposite_fault
from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

__all__ = [
    "Sheet",
    "check_keys",
    "choices_of",
    "columns_of",
    "decimal_in",
    "frame_of",
    "header_faults",
    "hints_of",
    "is_required",
    "model_of",
    "parse_rows",
    "read_sheet",
    "read_table",
    "read_trusted",
    "typed_columns",
    "without_blanks",
]

NUMBERS = (int, float)
BRACKETS = re.compile(r"[\[({<][^\[\](){}<>]*[\])}>]")
# ending of a column → what it may be called instead, with the factor to its unit
UNIT_FACTORS = {
    "s": {"ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "per_s": {"fps": 1.0, "kfps": 1e3, "per_ms": 1e3, "per_us": 1e6, "per_ns": 1e9},
    "w": {"mw": 1e-3, "kw": 1e3},
    "percent": {"fraction": 100.0, "ratio": 100.0},
    "op_per_s": {"tops": 1e12, "gops": 1e9, "top_per_s": 1e12, "gop_per_s": 1e9},
    "b_per_s": {"gb_per_s": 1e9, "mb_per_s": 1e6, "gbps": 1e9},
    "b": {"mb": 1e6, "gb": 1e9, "kb": 1e3},
}
TYPO = 0.7  # share of letters in common from which a word is taken for a slip of another
SHORT = 4  # letters of a word that others are alike by chance: mode, model
FAMILY = 4  # columns alike but for their middle that a message still lists one by one
RUN_TOGETHER = 0.25  # more that names have in common whose words are not as many


@dataclass(frozen=True)
class Sheet:
    """A table as it was read: text or typed columns, the row of its source behind each, what is amiss so far.

    Attributes
    ----------
    frame : DataFrame
    rows : sequence of int
        Line of the text on which each row begins, where the header is line 1 if nothing is above it; of a table that is
        no text, numbers from 0, as its index has them.
    header : int
        Line of the header; 0 where there is no text.
    separator : str
        Between fields; empty where the source is no text.
    faults : sequence of Fault
        Lines that do not have the fields of the header.
    each : str
        What a row is called in errors: ``[[network]]`` where each is a table of TOML.
    """

    frame: pl.DataFrame
    rows: Sequence[int]
    header: int = 1
    separator: str = ""
    faults: Sequence[Fault] = ()
    each: str = "row"

    @classmethod
    def of(cls, table: pl.DataFrame | Sheet) -> Sheet:
        """Take a table that is no text, unless it is a sheet already."""
        return table if isinstance(table, Sheet) else cls(table, range(table.height), header=0)

    def with_frame(self, frame: pl.DataFrame) -> Sheet:
        """Put other columns of the same rows in the place of these."""
        return replace(self, frame=frame)


def columns_of(row: type) -> list[str]:
    """List the columns of a table."""
    return list(hints_of(row))


@cache
def hints_of(row: type) -> dict[str, Any]:
    """Return the annotations of a schema by column."""
    return get_type_hints(row, include_extras=True)


def is_required(row: type, column: str) -> bool:
    """Check whether a table must have a column."""
    return not hasattr(row, column)


@cache
def model_of(row: type) -> type[BaseModel]:
    """Make the pydantic model of a row: unknown columns and infinite numbers are errors, text is read as numbers."""
    # here, not on top: loading pydantic takes a sixth of the time of `import xarray, polars`
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {name: (hint, getattr(row, name, ...)) for name, hint in hints_of(row).items()}
    return create_model(row.__name__, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def read_trusted(path: Path, row: type) -> pl.DataFrame:
    """Read a CSV or Parquet file that is known to keep its schema, as an embedded table whose checksum holds."""
    kinds = _types(row)
    if path.suffix == ".parquet":
        table = pl.read_parquet(path)
        table = table.cast({name: kinds[name] for name in table.columns})
        whole = {name for name in table.columns if not table[name].null_count()}
        absent = {name: pl.lit(getattr(row, name, None), kind) for name, kind in kinds.items() if name not in whole}
        filled = {name: pl.coalesce(name, one) if name in table.columns else one for name, one in absent.items()}
        return table.with_columns(**filled).select(list(kinds))
    table = pl.read_csv(path, schema_overrides=kinds)
    defaults = {name: pl.lit(getattr(row, name, None), kind) for name, kind in kinds.items()}
    return table.select(
        pl.coalesce(name, default) if name in table.columns else default.alias(name)
        for name, default in defaults.items()
    )


def read_table(path: Path, row: type) -> pl.DataFrame:
    """Read and validate a delimited file of the user's.

    Raises
    ------
    InvalidDataError
        Naming file, row (a line of the file), column, value and the fix, for all that is wrong.
    """
    return parse_rows(read_sheet(path, row), row, source=str(path))


def read_sheet(path: Path, row: type | None = None, *, sep: str | None = None) -> Sheet:
    """Read a delimited file of the user's as text; nothing but its form is checked."""
    content = read_delimited(path, sep=sep, expected=", ".join(columns_of(row)) if row else "")
    header, faults = _named_columns(content.header)
    faults += content.faults
    frame = pl.DataFrame(content.records, schema=dict.fromkeys(header, pl.String), orient="row")
    return Sheet(frame, content.lines, content.header_line, content.separator, faults)


def _named_columns(header: Sequence[str]) -> tuple[list[str], list[Fault]]:
    """Give columns without a name one; find those that are there twice."""
    names: list[str] = []
    faults = []
    for place, name in enumerate(header, start=1):
        if name and name in names:
            faults.append(Fault(None, name, f"column {name!r} is there twice; keep one"))
        whole = name or f"column_{place}"
        while whole in names:
            whole += "_"
        names.append(whole)
    return names, faults


def frame_of(rows: Sequence[dict[str, Any]], row: type) -> pl.DataFrame:
    """Lay rows that are made here, not read, out in the columns of a schema; labels stay as they are."""
    check_not_forked()
    columns = {name: [one.get(name, getattr(row, name, None)) for one in rows] for name in columns_of(row)}
    return pl.DataFrame(columns, schema=_types(row))


def choices_of(row: type, column: str) -> tuple[str, ...]:
    """List the values that a column of closed choices may have."""
    return kind_of(hints_of(row)[column]).choices


def parse_rows(table: pl.DataFrame | Sheet, row: type, *, source: str) -> pl.DataFrame:
    """Validate a table of text or typed columns against a schema that knows all its columns.

    Parameters
    ----------
    table : DataFrame or Sheet
        Columns as in the schema; optional ones may be missing.
    row : type
        A class of `roofcube.datasets.schema`.
    source : str
        Named in errors.

    Raises
    ------
    InvalidDataError
        Naming all that is wrong.
    """
    check_not_forked()
    sheet = Sheet.of(table)
    sheet = sheet.with_frame(without_blanks(sheet.frame))
    faults = header_faults(sheet.frame.columns, row)
    typed, wrong = typed_columns(sheet, row)
    check_no_faults([*faults, *sheet.faults, *wrong], source=source, header=sheet.header, each=sheet.each)
    return typed


def without_blanks(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the blanks around the names of columns away.

    Raises
    ------
    InvalidDataError
        If two columns have one name then.
    """
    names = [name.strip() for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"column {twice!r} is there twice, once with blanks around its name; keep one"
        raise InvalidDataError(msg)
    return frame.rename(str.strip)


def decimal_in(sheet: Sheet, row: type, *, constants: Collection[str] = ()) -> tuple[str, str]:
    """Find how a sheet writes decimals, by the columns of a schema that are its own; also why a comma is in doubt."""
    if sheet.separator in ("", ","):
        return ".", ""
    kinds = {name: kind_of(hint) for name, hint in hints_of(row).items()}
    own = [name for name in sheet.frame.columns if name not in constants]
    return decimal_of([sheet.frame[name] for name in own if name in kinds and kinds[name].type in NUMBERS])


def typed_columns(
    sheet: Sheet,
    row: type,
    *,
    decimal: str | None = None,
    factors: Mapping[str, float] | None = None,
    constants: Collection[str] = (),
) -> tuple[pl.DataFrame, list[Fault]]:
    """Read the columns that a schema knows, each in its type; columns left out have their default.

    Parameters
    ----------
    sheet : Sheet
    row : type
    decimal : {".", ","}, optional
        Found out where fields are not separated by commas, a point elsewhere.
    factors : mapping of column to number, optional
        From the unit of the values to that of the column.
    constants : collection of str
        Columns that the table does not have itself: they say nothing of its decimals, and may have a point.
    """
    kinds = {name: kind_of(hint) for name, hint in hints_of(row).items()}
    known = [name for name in kinds if name in sheet.frame.columns]
    decimal, doubt = (decimal, "") if decimal else decimal_in(sheet, row, constants=constants)
    columns: dict[str, pl.Series] = {}
    faults = []
    for name, kind in kinds.items():
        default = getattr(row, name, None)
        if name not in known:
            columns[name] = pl.Series(name, [default], dtype=kind.dtype).new_from_index(0, sheet.frame.height)
            continue
        column = sheet.frame[name]
        values, wrong = read_column(
            column,
            kind,
            default=default,
            required=is_required(row, name),
            decimal="." if name in constants and not _has_comma(column) else decimal,
            factor=(factors or {}).get(name, 1.0),
        )
        columns[name] = values
        why = "" if name in constants else doubt
        faults += [Fault(sheet.rows[place], name, _with_doubt(text, why)) for place, text in wrong]
    return pl.DataFrame(columns), faults


def _has_comma(column: pl.Series) -> bool:
    return column.dtype == pl.String and bool(column.str.contains(",", literal=True).any())


def _with_doubt(text: str, doubt: str) -> str:
    """Add why a comma or point was not read as that of decimals."""
    return f"{text} ({doubt})" if doubt and re.match(r"got '[^']*[.,]", text) else text


def header_faults(
    names: Sequence[str],
    row: type,
    *,
    extra: bool = False,
    filled: Sequence[str] = (),
    constants: Collection[str] = (),
) -> list[Fault]:
    """Find columns that are not known or missing; where others may be there, those that are a slip of a known one.

    `filled` are columns that the reader fills in where they are missing, `constants` those that no table has.
    """
    known = columns_of(row)
    absent = [name for name in known if name not in names]
    faults = []
    meant = set()
    for name in names:
        if name in known:
            continue
        hint = _unit_hint(name, absent if extra else known)
        slip = "" if hint else _column_slip(name, absent)
        meant.add(slip)
        if hint or slip or not extra:
            near = hint or (f"; did you mean {slip!r}?" if slip else suggestion(name, known))
            do = "say with columns= what it is, or None to leave it out"
            opposite = next((text for one in known if repr(one) in near and (text := opposite_fault(name, one))), "")
            if opposite:
                near, do = f": {opposite}", "and rename it, or map it to None"
            elif name in constants:
                do = "name it so in `constants`"
            elif extra:
                do = "map it with columns= (and its unit), or to None to keep it as it is"
            elif not near:
                do += f"; expected columns: {', '.join(_without_families(known))}"
            faults.append(Fault(None, name, f"column {name!r} is not known{near}{',' if opposite else ';'} {do}"))
    required = [name for name in known if is_required(row, name) and name not in filled]
    for name in absent:
        if name in required and name not in meant:
            do = "add it, or say with columns= which one it is"
            text = f"column {name!r} is missing; {do} (required columns: {', '.join(required)})"
            faults.append(Fault(None, name, text))
    return faults


def _without_families(known: Sequence[str]) -> list[str]:
    """List columns for a message; where many differ in their middle only, they are one entry."""
    ends = {name: re.sub(r"_.+_", "_…_", name) for name in known}
    sizes = Counter(ends.values())
    return list(dict.fromkeys(ends[name] if sizes[ends[name]] > FAMILY else name for name in known))


def _column_slip(name: str, absent: Sequence[str]) -> str:
    """Return the column of the schema, not in the table, that a name is a slip of, or the plural where it is short."""
    plain = name.casefold()
    alike = {one: _likeness(plain, one) for one in absent if len(one) > SHORT or plain in (one, f"{one}s")}
    best = max(alike, key=lambda one: alike[one], default="")
    return best if best and alike[best] >= TYPO else ""


def _likeness(name: str, known: str) -> float:
    """Compare names word by word, as `…_std_…` is no slip of `…_system_…`; as a whole where words are run together."""
    words, others = re.split(r"[_\s]+", name), known.split("_")
    if len(words) == len(others):
        return min(SequenceMatcher(None, one, other).ratio() for one, other in zip(words, others, strict=True))
    return SequenceMatcher(None, "".join(words), "".join(others)).ratio() - RUN_TOGETHER


def _run_together(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _unit_hint(name: str, known: Sequence[str]) -> str:
    """Recognise a known quantity in another unit, or without one, and say how to name it.

    Brackets behind its name may hold a unit or a word about it: `latency compute (s, p50)`.
    """
    stem = _run_together(BRACKETS.sub("", name))
    whole = [
        one
        for one in known
        for unit in UNIT_FACTORS
        if one.endswith(f"_{unit}")
        and (one.startswith(f"{name.casefold()}_") or stem == _run_together(one.removesuffix(f"_{unit}")))
    ]
    if name and whole:
        return f": a column says its unit; did you mean {whole[0]!r}?"
    meant = {
        other: (factor, right)
        for unit, others in UNIT_FACTORS.items()
        for other, factor in others.items()
        if name.endswith(f"_{other}") and (right := name.removesuffix(f"_{other}") + f"_{unit}") in known
    }
    if not meant:
        return ""
    # `per_ms` ends in `ms` too
    other = max(meant, key=len)
    factor, right = meant[other]
    return f": wrong unit {other!r}; multiply by {factor:g} and name it {right!r}"


@cache
def _types(row: type) -> dict[str, Any]:
    return {name: kind_of(hint).dtype for name, hint in hints_of(row).items()}


def check_keys(table: pl.DataFrame, key: Sequence[str], *, source: str, sheet: Sheet) -> None:
    """Raise where rows have the same key; `sheet` has their numbers.

    Raises
    ------
    InvalidDataError
        Naming the rows and the key.
    """
    numbered = table.with_columns(_row=pl.Series(sheet.rows, dtype=pl.Int64))
    groups = numbered.group_by(key, maintain_order=True).agg(pl.col("_row")).filter(pl.col("_row").list.len() > 1)
    if groups.height:
        first = groups.row(0, named=True)
        places = first.pop("_row")
        told = " and ".join(map(str, places[:4])) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
        values = ", ".join(f"{name}={value!r}" for name, value in first.items())
        column = list(key)[-1]
        tables = sheet.each != "row"
        rows = f"{sheet.each} {told}" if tables else f"rows {told}, column {column!r}"
        msg = (
            f"{source}{'' if sheet.header or tables else FROM_ZERO}, {rows}: got the same key twice "
            f"({values}); keep one {'table' if tables else 'row'} "
            f"({groups.height} duplicate key{'s' if groups.height > 1 else ''} in all)"
        )
        raise InvalidDataError(msg)
