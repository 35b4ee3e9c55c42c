"""How the command line prints: tables and sizes in words, the same as JSON where `--json` asks for it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from roofcube.inert import inert_text
from roofcube.labels import flat_column
from roofcube.sweep.flags import is_code
from roofcube.vocabulary import DIMS
from roofcube.wording import (
    digits_apart,
    distinct_texts,
    flag_words,
    in_shown_unit,
    noun_of,
    percent,
    said_order,
    unit_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import xarray as xr

__all__ = [
    "as_json_option",
    "expected_lines",
    "print_answer",
    "records_of",
    "say",
    "sizes_text",
    "table_text",
    "to_json",
]

MOST_ROWS = 20  # of a table in words; all are in the file and in the JSON
SIDES = (("before", "after"), ("loser", "gainer"))  # of a change: labels of one dim
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


def say(content: object, *, err: bool = False) -> None:
    """Print text, of which what files hold cannot move the cursor of a terminal."""
    click.echo(inert_text(str(content)), err=err)


def to_json(content: Any) -> str:
    """Write plain JSON: NumPy numbers as numbers, paths as text, what is not known (NaN) as null, infinity as text."""
    return json.dumps(_plain_cell(content), indent=1, ensure_ascii=False)


def _plain_cell(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(name): _plain_cell(one) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_plain_cell(one) for one in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float):
        return None if math.isnan(content) else content if math.isfinite(content) else str(content)  # "inf" or "-inf"
    return content if content is None or isinstance(content, bool | int | str) else str(content)


def expected_lines(expectations: pl.DataFrame) -> list[str]:
    """Write what error to expect of what was not measured: the median, and what one in ten exceeds."""
    lines = ["Expect, of throughput, for a new"]
    for one in expectations.iter_rows(named=True):
        median, high = (percent(one[f"{name}_ape_percent"] / 100.0) for name in ("median", "p90"))
        lines.append(f"  {one['new']:<38} {median:>8} in the median, one in ten more than {high}")
    return lines


def sizes_text(cube: xr.Dataset) -> str:
    """Write the sizes of a cube: 9 platforms × 11 batches."""
    return " × ".join(f"{size} {noun_of(size, str(dim))}" for dim, size in cube.sizes.items()) or "one cell"


def table_text(table: pl.DataFrame) -> str:
    """Write a table whole, without frames, numbers with four digits that count."""
    import polars as pl
    from polars import selectors

    as_text = selectors.float().map_elements(lambda value: f"{value:.4g}", return_dtype=pl.String)
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_formatting="NOTHING",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        fmt_str_lengths=160,
        tbl_width_chars=-1,
    ):
        return str(table.with_columns(as_text))


# answers --------------------------------------------------------------------------------------------------------------


def records_of(answer: xr.Dataset, names: Sequence[str]) -> list[dict[str, Any]]:
    """Lay an answer out as rows: the labels of each cell, then the named variables and what it counts."""
    if "winner" in answer and "crossover" in answer.dims:
        answer = answer.drop_dims("crossover")
    wanted = [*names, "winner", "found", "changes", "count", "n_ties", "meaning"]
    shown = [name for name in dict.fromkeys(wanted) if name in answer.variables]
    dims = list(answer.dims)
    labels = [str(name) for name in answer.coords if not is_code(answer, str(name)) and name not in shown]
    columns = {name: _table_column(answer, name, dims) for name in (*labels, *shown)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _table_column(answer: xr.Dataset, name: str, dims: list[Any]) -> list[Any]:
    values = flat_column(answer[name], dims, [answer.sizes[dim] for dim in dims])
    return list(flag_words(values, answer[name].attrs))


def changes_of(answer: xr.Dataset) -> list[dict[str, Any]]:
    """Lay the changes of a crossover out as rows: before, after, who loses and who gains."""
    other = [name for name in answer.variables if "crossover" not in answer[name].dims]
    changes = answer.drop_vars(other)
    return records_of(changes, [str(name) for name in changes.data_vars])


def print_answer(answer: xr.Dataset, names: Sequence[str]) -> str:
    """Write an answer in words: what all rows share, then a row each with what differs."""
    import polars as pl

    if "crossover" in answer.dims and (changes := _crossover_text(answer)):
        return changes
    rows = records_of(answer, names)
    if "found" in answer:
        nothing = sum(not row.pop("found") for row in rows)
        rows = [row for row in rows if any(_has_value(row.get(name)) for name in (*names, "winner"))] or rows
    else:
        nothing = 0
    hidden = set(map(str, answer.coords)) - _labels_shown(answer) - set(names)
    rows = [{name: one for name, one in row.items() if name not in hidden} for row in rows]
    told = _cells_written(answer, rows)
    if not told:
        return ""
    shared = {name for name in told[0] if len(told) > 1 and len({_equal_to_itself(row[name]) for row in rows}) == 1}
    shared -= {*names, "count", "winner", *map(str, answer.dims)}
    lines = []
    labels = _labels_shown(answer)
    if kept := [f"{name} {told[0][name]}" for name in told[0] if name in shared & labels and told[0][name]]:
        lines.append(", ".join(kept))
    table = [{name: text for name, text in row.items() if name not in shared} for row in told[:MOST_ROWS]]
    if len(told) == 1:
        lines += [f"{name}: {text}" for name, text in table[0].items() if text]
    else:
        lines.append(table_text(pl.DataFrame(table)))
    if len(told) > MOST_ROWS:
        lines.append(f"… and {len(told) - MOST_ROWS:,} more")
    if nothing:
        lines.append(f"nothing found for {nothing:,} more")
    return "\n".join(lines)


def _labels_shown(answer: xr.Dataset) -> set[str]:
    """Name the labels that tell the rows of an answer apart: those of dims, and the ends of bins."""
    order = said_order(answer.attrs, answer.variables)
    return {*DIMS, *order, *map(str, answer.dims), "bin_low", "bin_high", "meaning"}


def _crossover_text(answer: xr.Dataset) -> str:
    """Write where the winner changes, or who wins everywhere; nothing where groups differ."""
    import polars as pl

    rows = changes_of(answer)
    if not rows:
        winners = sorted(set(np.ravel(answer["winner"].values).tolist()) - {""})
        told = _cells_written(answer, [{"winner": one} for one in winners])
        return f"the winner never changes: {told[0]['winner']}" if len(told) == 1 else ""
    more = [f"… and {len(rows) - MOST_ROWS:,} more"] if len(rows) > MOST_ROWS else []
    return "\n".join([table_text(pl.DataFrame(_cells_written(answer, rows)[:MOST_ROWS])), *more])


def _has_value(value: Any) -> bool:
    return value is not None and value != "" and value == value


def _equal_to_itself(value: Any) -> Any:
    """Return a value that equals itself: NaN and NaT do not."""
    return value if value == value else None


def _cells_written(answer: xr.Dataset, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Write the cells of rows, labels with the digits that tell them apart."""
    digits = {name: _digits_apart(answer, name) for name in (rows[0] if rows else ()) if _is_label(answer, name)}
    return [{name: _shown_value(answer, name, one, digits.get(name)) for name, one in row.items()} for row in rows]


def _is_label(answer: xr.Dataset, name: str) -> bool:
    return name in answer.coords or name == "winner" or "crossover" in answer[name].dims


def _digits_apart(answer: xr.Dataset, name: str) -> int:
    """Return how many digits tell labels apart, on either side of a change."""
    names = next((pair for pair in SIDES if name in pair), (name,))
    return digits_apart(np.concatenate([np.ravel(answer[one].values) for one in names]))


def _shown_value(answer: xr.Dataset, name: str, value: Any, digits: int | None) -> str:
    if not isinstance(value, float | np.floating):
        return str(value)
    unit = unit_of(answer, name, "1")
    if digits is None:
        return in_shown_unit(float(value), unit)
    return distinct_texts([float(value)], "" if name in DIMS else unit, digits=digits)[0]
