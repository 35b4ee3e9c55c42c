"""Options that say what the columns of a foreign table are, rows that are read so, and errors that speak of options."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from roofcube.files.foreign_columns import Target
    from roofcube.files.measurements import NumberedRows

__all__ = ["COLUMN", "column_map", "column_targets", "in_options", "naming_options", "numbered_rows", "reading_options"]

SIZE = re.compile(r"'([^']*)': \(?(…)\)?(?:, )?")
# how messages speak of arguments, and what that is on the command line
SAID_OF_ARGUMENTS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"columns=\{'(\w+)': \('(\w+)', '(\w+)'\)\}", r"--column \1=\2:\3"),
    (r'\("(\w+)", "([^"]+)"\)', r"\1:\2"),
    (
        r"(column ('[^']*')[^\n]*?), or to None to keep it as it is",
        r"\1, or to nothing, --column \2=, to keep it as it is",
    ),
    (r"\bto None\b", "to nothing (--column NAME=)"),
    (r"\bor None to leave it out", "or nothing, --column NAME=, to leave it out"),
    (r"`(column|unit|constant)s(\[[^\]]*\])?`", r"`--\1\2`"),
    (r"\b(column|unit|constant)s=", r"--\1"),
    (r"\b(sep|decimal)= ?", r"--\1 "),
    (r"sizes=\{(.*?)\}", lambda match: re.sub(SIZE, r"--size \1=\2 ", match[1]).strip()),
    (r"`sizes(\[[^`]*\])?`", r"`--size\1`"),
    (r"\{'([^']*)': '(\w+)'\}", r"--column \1=\2"),
    (r"`(context|phase|sep|decimal|seconds)`", r"`--\1`"),
    (r"\b(context|phase)=", r"--\1 "),
    (r"`objective`", "`--for`"),
    (r"`where\['([^']*)'\]`", r"`--limit \1`"),
    (
        r"`sense`: expected 'max' or 'min' for ('[^']*'), got None; say which way is better with `sense`",
        r"`--for`: expected a variable of which more or less is better, got \1; choose another, or limit it by --limit",
    ),
)
# the same of tables whose columns no option names
SAID_OF_FILES = (
    ("say with columns= what it is, or None to leave it out", "name it in the file by what it is, or take it out"),
    ("say with columns= which one it is", "name it so in the file"),
)
COLUMN = click.option(
    "--column", "columns", multiple=True, help="What a foreign column is: NAME=COLUMN or NAME=COLUMN:UNIT."
)
OPTIONS = (
    COLUMN,
    click.option("--unit", "units", multiple=True, help="Unit of a column: COLUMN=UNIT."),
    click.option("--constant", "constants", multiple=True, help="What holds for all rows: COLUMN=VALUE."),
    click.option("--sep", help="Character between fields [default: found out]."),
    click.option("--decimal", help="Point or comma of decimals: . or , [default: found out]."),
)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a file of measurements is to be read, for `numbered_rows`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def numbered_rows(
    rows: Path,
    *,
    columns: Sequence[str] = (),
    units: Sequence[str] = (),
    constants: Sequence[str] = (),
    sep: str | None = None,
    decimal: str | None = None,
) -> NumberedRows:
    """Read measurements as the options say, with the row of the file behind each."""
    from roofcube.files.measurements import read_numbered

    given: dict[str, Any] = {
        "columns": column_targets(columns),
        "units": column_map("--unit", units),
        "constants": {name: _constant(name, said) for name, said in column_map("--constant", constants).items()},
        "sep": {"tab": "\t", "\\t": "\t"}.get(sep or "", sep),
        "decimal": decimal,
    }
    with naming_options():
        return read_numbered(rows, **given)


@contextmanager
def naming_options(*, columns: bool = True) -> Iterator[None]:
    """Let errors in a block speak of options, not of arguments; of the file, where no option says what columns are."""
    from roofcube.errors import RoofcubeError

    try:
        yield
    except RoofcubeError as error:
        message = str(error)
        for said, otherwise in () if columns else SAID_OF_FILES:
            message = message.replace(said, otherwise)
        message = in_options(message)
        if message == str(error):
            raise
        raise type(error)(message) from error


def in_options(message: str) -> str:
    """Say of options what a message of a reader says of its arguments.

    Examples
    --------
    >>> in_options("the size of 'h' is not fixed; give it with sizes={'h': …, 'w': …}")
    "the size of 'h' is not fixed; give it with --size h=… --size w=…"
    >>> in_options("column 'ms' is not known; map it with columns= (and its unit), or to None to keep it as it is")
    "column 'ms' is not known; map it with --column (and its unit), or to nothing, --column 'ms'=, to keep it as it is"
    """
    for pattern, option in SAID_OF_ARGUMENTS:
        message = re.sub(pattern, option, message)
    return message


def column_map(option: str, said: Sequence[str]) -> dict[str, str]:
    """Read what options say: NAME=VALUE, several times; a name may hold =, or else the value of a constant.

    Examples
    --------
    >>> column_map("--constant", ["platform=RTX3090", "precision=FP16"])
    {'platform': 'RTX3090', 'precision': 'FP16'}
    >>> column_map("--column", ["latency (bs=1)=latency_compute_s:ms"]), column_map("--constant", ["flags=-O=3"])
    ({'latency (bs=1)': 'latency_compute_s:ms'}, {'flags': '-O=3'})
    """
    from roofcube.errors import InvalidDataError

    found: dict[str, str] = {}
    for one in said:
        name, equals, value = one.partition("=") if option == "--constant" else one.rpartition("=")
        if not equals or not name.strip():
            msg = f"`{option}`: expected NAME=VALUE, got {one!r}; write it like {option} platform=mine"
            raise InvalidDataError(msg)
        name, value = name.strip(), value.strip()
        if found.setdefault(name, value) != value:
            msg = f"`{option}`: expected one value of {name!r}, got {found[name]!r} and {value!r}; give it once"
            raise InvalidDataError(msg)
    return found


def column_targets(said: Sequence[str]) -> dict[str, Target]:
    """Read what options say foreign columns are, with the unit where that is another; None for nothing.

    Examples
    --------
    >>> column_targets(["model=topology", "step_time=latency_compute_s:ms", "year="])
    {'model': 'topology', 'step_time': ('latency_compute_s', 'ms'), 'year': None}
    """
    parts = {name: text.partition(":") for name, text in column_map("--column", said).items()}
    return {name: (column, unit) if colon else column or None for name, (column, colon, unit) in parts.items()}


def _constant(name: str, said: str) -> str | int | float:
    """Read a constant of a column of the user's own: as a number where it is plainly one."""
    from roofcube.datasets import schema
    from roofcube.datasets.forms.fields import WRITTEN
    from roofcube.datasets.forms.reading import columns_of

    if name in columns_of(schema.Measurement) or not re.fullmatch(WRITTEN, said):
        return said
    return float(said) if "." in said else int(said)
