"""Labels as figures and pages can show them: short, in one direction, no mathematics, and still told apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["inert_label", "with_inert_labels"]

LONGEST = 40
# marks that turn the direction of what follows, and controls; an override of one label would garble its neighbours
TURNING = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
# what Bokeh would read as the start of a formula in a title
FORMULA = re.compile(r"(\$)(?=\$)|(\\)(?=[\[(])")


def inert_label(label: str) -> str:
    """Write a label so that it cannot turn a line, become a formula or push a figure out of the page.

    Examples
    --------
    >>> inert_label("TX2"), inert_label("a" * 100), inert_label("left\u202etfel")
    ('TX2', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa…aaaaaaaaaaa', 'left tfel')
    """
    text = TURNING.sub(" ", label)
    text = FORMULA.sub(lambda match: f"{match[0]}\u200b", text)
    if len(text) <= LONGEST:
        return text
    tail = LONGEST // 4 + 1
    return f"{text[: LONGEST - tail - 1]}…{text[-tail:]}"


def with_inert_labels(cube: xr.Dataset) -> xr.Dataset:
    """Exchange the labels of a cube that are not inert; labels of a dim that would become equal get a number."""
    changed = {}
    for name, coordinate in cube.coords.items():
        if coordinate.dtype.kind not in "UO":
            continue
        given = [str(label) for label in np.ravel(coordinate.values)]
        texts = [inert_label(label) for label in given]
        if texts == given:
            continue
        if name in cube.dims:
            texts = _told_apart(texts)
        values = np.array(texts, dtype=object).reshape(coordinate.shape)
        changed[str(name)] = (coordinate.dims, values.astype(str), coordinate.attrs)
    return cube.assign_coords(changed) if changed else cube


def _told_apart(texts: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        result.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return result
