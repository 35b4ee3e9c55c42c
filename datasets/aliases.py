"""One table of other spellings, used by every loader and every lookup of a label."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import get_args
from unicodedata import normalize

from roofcube.datasets.schema import Precision

__all__ = ["canonical", "plain_label", "spellings"]


def plain_label(text: str) -> str:
    """Return a label without blanks around it and with composed letters: some systems write accents apart (NFD)."""
    return normalize("NFC", text.strip())


@cache
def spellings() -> dict[str, dict[str, str]]:
    """Map column → folded spelling → canonical name."""
    table: dict[str, dict[str, str]] = {}
    text = files("roofcube.datasets").joinpath("data", "aliases.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        table.setdefault(row["column"], {})[row["alias"].casefold()] = row["name"]
    table.setdefault("precision", {}).update({name.casefold(): name for name in get_args(Precision)})
    # a name that has other spellings is one itself, in any case
    return {column: {name.casefold(): name for name in known.values()} | known for column, known in table.items()}


def canonical(column: str, label: str) -> str:
    """Return the canonical name of a label; a label without an alias comes back as it is.

    Parameters
    ----------
    column : str
        What the label is of: ``platform``, ``topology``, ``precision``, ``mode`` or ``pruning_percent``.
    label : str
        Any spelling.

    Examples
    --------
    >>> from roofcube.datasets import canonical
    >>> canonical("platform", "MYRIAD"), canonical("topology", "RN50"), canonical("pruning_percent", "12.50%")
    ('NCS2', 'ResNet-50', '12.5')
    >>> canonical("precision", "half"), canonical("precision", "int8")
    ('FP16', 'INT8')
    """
    column = "precision" if column == "executed_precision" else column
    text = plain_label(str(label))  # what is no text is no label either: it is told where it is looked up
    return spellings().get(column, {}).get(text.casefold(), text)
