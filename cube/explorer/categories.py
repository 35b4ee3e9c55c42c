"""Labels to choose from, of dims, coordinates and flags; as `where` takes them, as text, and as a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from roofcube.inert import inert_label, inert_labels
from roofcube.sweep.flags import is_code
from roofcube.wording import FEWEST_DIGITS, distinct_texts, moment_text, plain_values

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MOST_LABELS", "Category", "category_of", "label_text", "quoted", "shown_labels", "spaced", "worded"]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_LABELS = 24  # numbers along a dim that are chosen one by one; of more, a range is
UNNAMED = "(empty)"  # a label without a letter, as a reader sees it
SAFE = " +-()[]*&='!;:@/$"  # marks that an id holds as they are


@dataclass(frozen=True)
class Category:
    """Labels to choose from: of a dim, of a coordinate along it, or the meanings of a flag.

    Attributes
    ----------
    name : str
    labels : list
        As `where` takes them.
    texts : list of str
        As an address writes them.
    shown : list of str
        As a reader sees them.
    dim : str
        Dim along which it goes; empty for a flag.
    places : array of int
        Of each index along the dim, the number of its label; -1 where it has none.
    """

    name: str
    labels: list[Any]
    texts: list[str]
    shown: list[str]
    dim: str
    places: Array

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of the label of each text."""
        return {text: number for number, text in enumerate(self.texts)}


def spaced(name: str) -> str:
    """Write the name of a variable in words: measured top-1 accuracy."""
    words = name.replace("top1", "top-1 accuracy").replace("top5", "top-5 accuracy").replace("_", " ")
    return inert_label(words)


def label_text(label: Any) -> str:
    """Write a label so that it can be read back: 100 for 100.0, text as it is, times without idle digits."""
    if isinstance(label, np.datetime64 | np.timedelta64):
        return moment_text(label) or "NaT"
    if isinstance(label, float) and abs(label) < 1e15 and label.is_integer():
        return str(int(label))
    return str(label)


def category_of(cube: xr.Dataset, name: str) -> Category | None:
    """Return the labels of a coordinate along one dim; None where there are none to choose one by one."""
    values = cube[name].values
    if values.dtype.kind not in "UOiufbmM" or is_code(cube, name):
        return None
    given = plain_values(values)
    missing = {None, "", *(label for label in given if label != label)} if name not in cube.dims else set()
    texts = [label_text(label) for label in given]
    distinct = dict.fromkeys(text for text, label in zip(texts, given, strict=True) if label not in missing)
    numeric = values.dtype.kind in "iufb"
    beside = name not in cube.dims and str(cube[name].dims[0]) in cube.coords  # a property of a label, not a label
    if len(distinct) < 2 or (numeric and (beside or len(distinct) > MOST_LABELS)):
        return None
    label_of = dict(zip(texts, given, strict=True))
    ordered = name not in cube.dims and values.dtype.kind in "iufbmM"
    keys = sorted(distinct, key=lambda text: label_of[text]) if ordered else list(distinct)
    number_of = {text: number for number, text in enumerate(keys)}
    places = np.array([number_of.get(text, -1) for text in texts], dtype=np.min_scalar_type(-len(keys) - 1))
    labels = [label_of[text] for text in keys]
    shown = shown_labels(labels, str(cube[name].attrs.get("units", "")))
    return Category(name, labels, keys, shown, str(cube[name].dims[0]), places)


def shown_labels(labels: list[Any], unit: str = "", digits: int = FEWEST_DIGITS) -> list[str]:
    """Write labels for a reader: numbers with their unit and as few digits as tell them apart, texts inert."""
    texts = [text or UNNAMED for text in distinct_texts(labels, unit, digits=digits)]
    return inert_labels(texts) if any(isinstance(label, str) for label in labels) else texts


@lru_cache(maxsize=50_000, typed=True)
def quoted(label: Any) -> str:
    """Write a label as a part of an id, in which ~ stands between labels; rows share few labels, so each is kept."""
    return quote(label_text(label), safe=SAFE).replace("~", "%7E")


def worded(name: str, labels: list[Any], unit: str = "", digits: int = FEWEST_DIGITS) -> list[str]:
    """Write labels with the word that makes numbers readable: batch 8, 50 %, peak 0.5 TOP/s."""
    texts = shown_labels(labels, unit, digits)
    plain = name == "pruning" or any(isinstance(label, str) for label in labels)
    word = spaced(name)
    return texts if plain else [f"{word} {text}" for text in texts]
