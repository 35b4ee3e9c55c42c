"""Labels as figures, pages, terminals and spreadsheets can show them: inert, and still told apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.wording import distinct_texts, plain_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

__all__ = [
    "GIVEN",
    "inert_cell",
    "inert_cells",
    "inert_label",
    "inert_labels",
    "inert_text",
    "isolated",
    "with_inert_labels",
]

GIVEN = "given_labels"  # attribute of a coordinate: shown label → that of the cube, by which looks are chosen
# what is named by its label, whatever kind the label is of
NAMES = ("platform", "mode", "topology", "precision", "device_class", "family", "task")
LONGEST = 40
HEAD = 12  # characters of the common start of labels that are shown where they differ
# marks that turn the direction of what follows, and controls; an override of one label would garble its neighbours
TURNING = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
# words of scripts that go from right to left: Hebrew, Arabic and their kin
LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
LEFTWARD = re.compile(f"{LETTER}+(?:[\\s'’-]+{LETTER}+)*")
# what Bokeh would read as the start of a formula in a title
FORMULA = re.compile(r"(\$)(?=\$)|(\\)(?=[\[(])")

# what a spreadsheet would read as the start of a formula in a cell
CALCULATED = r"^([=+\-@\t\r\n＝＋－＠])"


def inert_label(label: str, longest: int = LONGEST) -> str:
    """Write a label so that it cannot turn a line, become a formula or push a figure out of the page.

    Examples
    --------
    >>> inert_label("TX2"), inert_label("a" * 100), inert_label("left\u202etfel")
    ('TX2', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa…aaaaaaaaaaa', 'left tfel')
    """
    text = TURNING.sub(" ", label)
    text = FORMULA.sub(lambda match: f"{match[0]}\u200b", text)
    if len(text) <= longest:
        return text
    tail = longest // 4 + 1
    return f"{text[: longest - tail - 1]}…{text[-tail:]}"


def inert_text(text: str) -> str:
    r"""Write lines so that they move no cursor, colour no terminal and turn no direction, whatever a file puts in them.

    Examples
    --------
    >>> print(inert_text("left\u202etfel\n\x1b[31mred"))
    left\u202etfel
    \u001b[31mred
    """
    # escaped as JSON is too, which may be the text
    return TURNING.sub(lambda marks: "".join(one if one == "\n" else f"\\u{ord(one):04x}" for one in marks[0]), text)


def inert_cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would compute; what is no text stays.

    Examples
    --------
    >>> inert_cell("=1+1"), inert_cell("TX2"), inert_cell(-1.0)
    ("'=1+1", 'TX2', -1.0)
    """
    return re.sub(CALCULATED, r"'\1", value) if isinstance(value, str) else value


def inert_cells(table: pl.DataFrame) -> pl.DataFrame:
    """Put an apostrophe before all that a spreadsheet would compute, of text and of names of columns.

    Examples
    --------
    >>> inert_cells(pl.DataFrame({"platform": ["TX2", "=1+1"], "off": [-1.0, 1.0]})).rows()
    [('TX2', -1.0), ("'=1+1", 1.0)]
    """
    return table.with_columns(pl.col(pl.String).str.replace(CALCULATED, "'$1")).rename(inert_cell)


def isolated(text: str) -> str:
    r"""Write a line so that words in it which go from right to left turn nothing beside them.

    Examples
    --------
    >>> isolated("\u05e9\u05dd 100 %").encode("unicode_escape"), isolated("TX2 100 %")
    (b'\\u2068\\u05e9\\u05dd\\u2069 100 %', 'TX2 100 %')
    """
    return LEFTWARD.sub("\u2068\\g<0>\u2069", text)


def inert_labels(labels: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Write labels so, each distinct one apart from the others: where they differ is shown, else they get a number.

    Examples
    --------
    >>> inert_labels([f"Accelerator of the very long family, {size} (one core)" for size in ("B512", "B4096")])
    ['Accelerator…B512 (one core)', 'Accelerator…B4096 (one core)']
    """
    shown = {label: inert_label(label, longest) for label in labels}
    alike: dict[str, list[str]] = {}
    for label, text in shown.items():
        alike.setdefault(text, []).append(label)
    for group in (group for group in alike.values() if len(group) > 1):
        first = next((at for at, letters in enumerate(zip(*group, strict=False)) if len(set(letters)) > 1), 0)
        first = max(group[0].rfind(" ", 0, first) + 1, first - HEAD, 0)  # from the word in which they differ
        for label in group:
            parted = inert_label(f"{label[:HEAD].rstrip()}…{label[first:]}", longest)
            shown[label] = parted if first > HEAD else shown[label]
    seen: dict[str, int] = {}
    for label, text in shown.items():
        seen[text] = seen.get(text, 0) + 1
        shown[label] = text if seen[text] == 1 else f"{text} ({seen[text]})"
    return [shown[label] for label in labels]


def with_inert_labels(cube: xr.Dataset) -> xr.Dataset:
    """Exchange the labels of a cube that are not inert, and names that are no text; different labels stay different."""
    changed = {}
    for name, coordinate in cube.coords.items():
        if coordinate.dtype.kind not in "UO" and name not in NAMES:
            continue
        labels = plain_values(coordinate.values)
        given = distinct_texts(labels) if name in NAMES else [str(label) for label in labels]
        texts = inert_labels(given)
        if texts != given or (name in NAMES and not all(isinstance(label, str) for label in labels)):
            before = coordinate.attrs.get(GIVEN, {})
            attrs = {
                **coordinate.attrs,
                GIVEN: {text: before.get(label, label) for text, label in zip(texts, given, strict=True)},
            }
            values = np.array(texts, dtype=object).reshape(coordinate.shape)
            changed[str(name)] = (coordinate.dims, values.astype(str), attrs)
    return cube.assign_coords(changed) if changed else cube
