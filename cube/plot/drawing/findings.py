"""Titles that say what marks show: of all of them when a figure is drawn, on a page of those that are switched on.

A title is of texts and terms. A term is (how, value, words): of a column or of the ratio of two,
``measured/predicted``, the `max`, `min`, `median`, the median `error` of the ratio or the `span` from the least to the
most. A `max` or `min` is told by the `words` of the rows that have it, a column, or by ``%``. `count` counts the rows,
`front` those on the front, whose `words` `names` lists, after the text that its value is. The script of a page reads
the same terms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.plot.drawing import tables
from roofcube.wording import counted, percent, short, with_thousands

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BELIEVED", "ON_FRONT", "Finding"]

BELIEVED, ON_FRONT = "believed", "on_front"
MOST_NAMES = 6
Term = tuple[str, str, str]
Title = tuple["str | Term", ...]


@dataclass(frozen=True)
class Finding:
    """What some marks show; `single` is the title where two terms say the same, `brief` where it has too many letters.

    The words of a value whose unit is given are its text, a column ``{value}_text`` of the marks.
    """

    marks: str
    title: Title
    units: Mapping[str, str] = field(default_factory=dict)
    same: tuple[Term, Term | str] | None = None
    single: Title = ()
    most: int = 10_000
    brief: Title = ()

    def over(self, columns: tables.Columns) -> str:
        """Write the title of these rows: of those of them that are `believed`, where that is known."""
        columns = tables.taken(columns, columns[BELIEVED]) if BELIEVED in columns else columns

        def said(part: str | Term) -> str:
            return part if isinstance(part, str) else self._said(columns, *part)

        alike = self.same is not None and len(set(map(said, self.same))) == 1
        text = "".join(map(said, self.single if alike else self.title))
        return "".join(map(said, self.brief)) if len(text) > self.most else text

    def tag(self) -> dict[str, Any]:
        """Return what the script of a page needs to write it anew."""
        return {"finding": {name: value for name, value in asdict(self).items() if name != "units"}}

    def _said(self, columns: tables.Columns, how: str, value: str, words: str) -> str:
        if how in ("count", "front", "names"):
            return _counted(columns, how, value, words)
        numbers = _numbers(columns, value)
        if how in ("median", "error"):
            return percent(_median(numbers if how == "median" else np.abs(numbers - 1.0)))
        if how == "span":
            with np.errstate(divide="ignore", invalid="ignore"):
                return short(float(np.nanmax(numbers) / np.nanmin(numbers)))
        held = float(np.nanmax(numbers) if how == "max" else np.nanmin(numbers))
        if words == "%":
            return percent(held)
        if value in self.units and words == f"{value}_text":
            return str(tables.value_text(np.array([held]), self.units[value])[0])
        return tables.holders(columns[words], numbers, held)


def _counted(columns: tables.Columns, how: str, before: str, words: str) -> str:
    """Count the rows or those on the front, or name what the latter are of."""
    mask = columns[ON_FRONT]
    if how == "count":
        return counted(len(mask), "point")
    if how == "front":
        return with_thousands(int(mask.sum()))
    names = list(dict.fromkeys(map(str, np.asarray(columns[words])[mask])))
    rest = len(names) - MOST_NAMES
    listed = ", ".join(names[:MOST_NAMES]) + (f" and {counted(rest, 'other')}" if rest > 0 else "")
    return f"{before}{listed}" if names else ""


def _median(numbers: tables.Array) -> float:
    known = numbers[np.isfinite(numbers)]
    return float(np.median(known)) if known.size else float("nan")


def _numbers(columns: tables.Columns, value: str) -> tables.Array:
    one, _, other = value.partition("/")
    numbers = np.asarray(columns[one], dtype="f8")
    if not other:
        return numbers
    with np.errstate(divide="ignore", invalid="ignore"):  # what has no ratio is left out
        return np.asarray(numbers / np.asarray(columns[other], dtype="f8"))
