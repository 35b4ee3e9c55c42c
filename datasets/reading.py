"""Read a CSV into a validated polars table: aliases resolved, units checked, every error with file, row and column."""

from __future__ import annotations

import csv
import io
import re
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import polars as pl

from roofcube.datasets.aliases import canonical, spellings
from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import BaseModel, TypeAdapter, ValidationError

__all__ = [
    "check_keys",
    "choices_of",
    "columns_of",
    "frame_of",
    "model_of",
    "parse_rows",
    "read_table",
    "read_text",
    "read_trusted",
]

# other units of a quantity that a column may arrive in, with the factor to the unit of the schema
UNIT_FACTORS = {
    "s": {"ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "per_s": {"fps": 1.0, "kfps": 1e3, "per_ms": 1e3},
    "w": {"mw": 1e-3, "kw": 1e3},
    "percent": {"fraction": 100.0, "ratio": 100.0},
    "op_per_s": {"tops": 1e12, "gops": 1e9, "top_per_s": 1e12, "gop_per_s": 1e9},
    "b_per_s": {"gb_per_s": 1e9, "mb_per_s": 1e6, "gbps": 1e9},
    "b": {"mb": 1e6, "gb": 1e9, "kb": 1e3},
}


def columns_of(row: type) -> list[str]:
    """List the columns of a table."""
    return list(_hints(row))


@cache
def _hints(row: type) -> dict[str, Any]:
    return get_type_hints(row, include_extras=True)


def _is_required(row: type, column: str) -> bool:
    return not hasattr(row, column)


@cache
def model_of(row: type) -> type[BaseModel]:
    """Make the pydantic model of a row: unknown columns and infinite numbers are errors, text is read as numbers."""
    # here, not on top: loading pydantic takes a sixth of the time of `import xarray, polars`
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {name: (hint, getattr(row, name, ...)) for name, hint in _hints(row).items()}
    return create_model(row.__name__, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


@cache
def _adapter(row: type) -> TypeAdapter[list[BaseModel]]:
    from pydantic import TypeAdapter

    rows: Any = list[model_of(row)]  # type: ignore[misc]
    return TypeAdapter(rows)


def read_trusted(path: Path, row: type) -> pl.DataFrame:
    """Read a CSV that is known to keep its schema, as an embedded table whose checksum holds."""
    kinds = _types(row)
    table = pl.read_csv(path, schema_overrides=kinds)
    defaults = {name: pl.lit(getattr(row, name, None), kind) for name, kind in kinds.items()}
    return table.select(
        pl.coalesce(name, default) if name in table.columns else default.alias(name)
        for name, default in defaults.items()
    )


def read_table(path: Path, row: type) -> pl.DataFrame:
    """Read and validate a CSV of the user's.

    Raises
    ------
    InvalidDataError
        Naming file, row (the header is row 1), column, value and the fix.
    """
    return parse_rows(read_text(path, row), row, source=str(path))


def read_text(path: Path, row: type) -> pl.DataFrame:
    """Read a CSV of the user's as text; nothing but its form is checked."""
    header, *records = _records(path, row)
    return pl.DataFrame(records, schema=dict.fromkeys(header, pl.String), orient="row")


def frame_of(rows: Sequence[dict[str, Any]], row: type) -> pl.DataFrame:
    """Lay rows that are made here, not read, out in the columns of a schema; labels stay as they are."""
    columns = {name: [one.get(name, getattr(row, name, None)) for one in rows] for name in columns_of(row)}
    return pl.DataFrame(columns, schema=_types(row))


def choices_of(row: type, column: str) -> tuple[str, ...]:
    """List the values that a column of closed choices may have."""
    hint = _hints(row)[column]
    choices = [part for part in (hint, *get_args(hint)) if get_origin(part) is Literal]
    return get_args(choices[0]) if choices else ()


def _records(path: Path, row: type) -> list[list[str]]:
    """Split a file into its header and rows, all of one length; empty lines at the end are no rows."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = error.object[: error.start].count(b"\n") + 1
        msg = f"{path}, row {place}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise InvalidDataError(msg) from None
    if "\0" in text:
        msg = f"{path}: holds zero bytes, so it is no text or not UTF-8; save the file as UTF-8"
        raise InvalidDataError(msg)
    records: list[list[str]] = []
    try:
        records.extend(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        msg = f"{path}, row {len(records) + 1}: not readable as CSV ({error}); close every quotation mark"
        raise InvalidDataError(msg) from None
    while records and not any(field.strip() for field in records[-1]):
        records.pop()
    if not records:
        msg = f"{path}: the file is empty; expected a header with the columns {', '.join(columns_of(row))}"
        raise InvalidDataError(msg)
    header = [name.strip() for name in records[0]]
    _check_header(header, path)
    for place, fields in enumerate(records[1:], start=2):
        if len(fields) != len(header):
            msg = (
                f"{path}, row {place}: got {len(fields)} fields, expected {len(header)} as in the header; write one "
                "line a row, put a field with a comma into quotation marks"
            )
            raise InvalidDataError(msg)
    return [header, *records[1:]]


def _check_header(header: list[str], path: Path) -> None:
    for separator, name in {";": "semicolons", "\t": "tabs"}.items():
        if len(header) == 1 and separator in header[0]:
            msg = f"{path}, header (row 1): fields are separated by {name}; separate them by commas"
            raise InvalidDataError(msg)
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        msg = f"{path}, header (row 1): column {twice!r} is there twice; keep one"
        raise InvalidDataError(msg)


def parse_rows(frame: pl.DataFrame, row: type, *, source: str) -> pl.DataFrame:
    """Validate a table of text or typed columns against a schema.

    Parameters
    ----------
    frame : DataFrame
        Columns as in the schema; optional ones may be missing.
    row : type
        A class of `roofcube.datasets.schema`.
    source : str
        Named in errors.
    """
    from pydantic import ValidationError

    frame = frame.rename(str.strip)
    _check_columns(frame.columns, row, source)
    aliased = [column for column in spellings() if column in frame.columns]
    for column in aliased:
        frame = frame.with_columns(_resolved(frame[column]))
    try:
        rows = _adapter(row).validate_python([_fields_given(values, row) for values in frame.iter_rows(named=True)])
    except ValidationError as error:
        raise _explained(error, row, source) from None
    columns = {name: [getattr(one, name) for one in rows] for name in columns_of(row)}
    return pl.DataFrame(columns, schema=_types(row))


def _fields_given(values: dict[str, Any], row: type) -> dict[str, Any]:
    """Read a field as CSV has it: empty is the default, or None; shares may end in a percent sign."""
    given = {}
    for name, value in values.items():
        if isinstance(value, str):
            value = value.strip()
            value = value.removesuffix("%").rstrip() if name.endswith("_percent") else value
        if value not in (None, ""):
            given[name] = value
        elif _is_required(row, name):
            given[name] = None
    return given


def _resolved(labels: pl.Series) -> pl.Series:
    if labels.dtype != pl.String:
        return labels
    names = {label: canonical(labels.name, label) for label in labels.unique().to_list() if label is not None}
    return pl.Series(labels.name, [names.get(label) for label in labels.to_list()], dtype=pl.String)


def _check_columns(found: Sequence[str], row: type, source: str) -> None:
    known = columns_of(row)
    for name in found:
        if name not in known:
            msg = (
                f"{source}, header (row 1): column {name!r} is not "
                f"known{_unit_hint(name, known) or suggestion(name, known)}; expected columns: {', '.join(known)}"
            )
            raise InvalidDataError(msg)
    required = [name for name in known if _is_required(row, name)]
    missing = [name for name in required if name not in found]
    if missing:
        msg = (
            f"{source}, header (row 1): column {missing[0]!r} is missing; add it (required columns: "
            f"{', '.join(required)})"
        )
        raise InvalidDataError(msg)


def _unit_hint(name: str, known: Sequence[str]) -> str:
    """Recognise a known quantity in another unit, or without one, and say how to name it."""
    whole = [one for one in known if one.startswith(f"{name}_")]
    if name and whole:
        return f": a column says its unit; did you mean {whole[0]!r}?"
    for unit, others in UNIT_FACTORS.items():
        for other, factor in others.items():
            if name.endswith(f"_{other}") and (right := name.removesuffix(f"_{other}") + f"_{unit}") in known:
                return f": wrong unit {other!r}; multiply by {factor:g} and name it {right!r}"
    return ""


def _explained(error: ValidationError, row: type, source: str) -> InvalidDataError:
    first = error.errors()[0]
    place, column = first["loc"][0], str(first["loc"][1]) if len(first["loc"]) > 1 else ""
    line = int(place) + 2
    value = first["input"]
    got = "nothing" if value is None else repr(value)
    msg = f"{source}, row {line}, column {column!r}: got {got}; {_expectation(first, row, column)}"
    count = error.error_count()
    return InvalidDataError(msg + (f" ({count - 1} more like this in the file)" if count > 1 else ""))


def _expectation(first: Any, row: type, column: str) -> str:
    value, kind = first["input"], first["type"]
    if kind == "literal_error":
        choices = choices_of(row, column)
        return f"expected one of {', '.join(choices)}{suggestion(value, choices)}"
    if value is None:
        return "the field is empty and must not be; fill it in"
    if kind.startswith(("float", "int")):
        what = "a whole number" if kind.startswith("int") else "a number"
        plain = _plain_number(str(value), column) or "a plain one, or leave an optional field empty"
        return f"expected {what}; write {plain}"
    return f"{first['msg'][0].lower()}{first['msg'][1:]}; correct the value or leave an optional field empty"


def _plain_number(text: str, column: str) -> str:
    """Rewrite a number with separators, a decimal comma or a unit as a plain one in the unit of its column."""
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        return text.replace(",", "")
    if re.fullmatch(r"-?\d+,\d+", text):
        return text.replace(",", ".")
    number = re.fullmatch(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z_/]+)", text, re.IGNORECASE)
    if number is None:
        return ""
    digits, given = number[1], number[2].casefold().replace("/", "_per_").removeprefix("_")
    own = [unit for unit in UNIT_FACTORS if column.endswith(f"_{unit}")]
    for unit in sorted(own, key=len)[-1:]:
        factor = {unit: 1.0, **UNIT_FACTORS[unit]}.get(given)
        if factor is not None:
            return f"{float(digits) * factor:g}"
    return ""


@cache
def _types(row: type) -> dict[str, Any]:
    kinds: dict[type, Any] = {bool: pl.Boolean, int: pl.Int64, float: pl.Float64, str: pl.String}

    def plain(hint: Any) -> Any:
        if get_origin(hint) is types.UnionType or str(get_origin(hint)) == "typing.Union":
            return next(plain(part) for part in get_args(hint) if part is not type(None))
        if get_origin(hint) is Literal:
            return pl.String
        return kinds[get_args(hint)[0] if hasattr(hint, "__metadata__") else hint]

    return {name: plain(hint) for name, hint in _hints(row).items()}


def check_keys(frame: pl.DataFrame, key: Sequence[str], *, source: str) -> None:
    """Raise on the first duplicate key.

    Raises
    ------
    InvalidDataError
        Naming both rows and the key.
    """
    numbered = frame.with_row_index("_row", offset=2)
    groups = numbered.group_by(key, maintain_order=True).agg(pl.col("_row")).filter(pl.col("_row").list.len() > 1)
    if groups.height:
        first = groups.row(0, named=True)
        rows = " and ".join(str(one) for one in first.pop("_row"))
        values = ", ".join(f"{name}={value!r}" for name, value in first.items())
        column = list(key)[-1]
        msg = (
            f"{source}, rows {rows}, column {column!r}: got the same key twice ({values}); keep one row, average "
            "them, or tell them "
            f"apart by mode or batch ({groups.height} duplicate key{'s' if groups.height > 1 else ''} in all)"
        )
        raise InvalidDataError(msg)
