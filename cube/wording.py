"""Numbers in words: counts, quantities and configurations the way a reader wants them; knows no cube."""

from __future__ import annotations

import math
from typing import Any

from roofcube.labels import KEY, configuration_text

__all__ = ["configuration_of", "counted", "listed", "percent", "quantity", "short"]

LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a count and its noun: 1 row, 378 rows.

    Examples
    --------
    >>> counted(1, "row"), counted(378, "finding"), counted(0, "match", "matches")
    ('1 row', '378 findings', '0 matches')
    """
    words = noun if number == 1 else plural or f"{noun}s"
    return f"{grouped(number)} {words}"


def grouped(number: int) -> str:
    """Group digits by thousands with a narrow space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def short(value: float, digits: int = 3) -> str:
    """Write a number with a few digits and a letter for its thousands.

    Examples
    --------
    >>> short(60757.0), short(12.5), short(0.00123)
    ('60.8k', '12.5', '0.00123')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    for step, letter in LETTERS:
        if abs(value) >= step * 0.9995:
            return f"{_plain(value / step, digits)}{letter}"
    return _plain(value, digits)


def _plain(value: float, digits: int) -> str:
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:g}"


def quantity(value: float, unit: str) -> str:
    """Write a value in SI with a prefix of human scale: 4.2 ms, 310 mJ, 60.8 k inputs/s.

    Examples
    --------
    >>> quantity(0.0042, "s"), quantity(0.31, "J"), quantity(60757.0, "inputs/s")
    ('4.2 ms', '310 mJ', '60.8k inputs/s')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    if unit in ("s", "J", "W") and 0 < abs(value) < 1:
        for step, letter in SMALL:
            if abs(value) >= step * 0.9995:
                return f"{_plain(value / step, 3)} {letter}{unit}"
    return f"{short(value)} {unit}"


def percent(ratio: float) -> str:
    """Write a ratio as a percentage."""
    if ratio is None or not math.isfinite(ratio):
        return "not known"
    return f"{_plain(100.0 * ratio, 3)} %"


def listed(words: list[str], *, most: int = 6) -> str:
    """Join words with commas and an and; the rest is counted."""
    shown = words[:most] + ([f"{len(words) - most} more"] if len(words) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def configuration_of(point: Any) -> str:
    """Write the labels of one point of a cube; dims with several labels left are not told."""
    labels = {name: point[name].values.reshape(-1)[0].item() for name in point.coords if point[name].size == 1}
    own = [
        f"{name} {short(labels[name]) if isinstance(labels[name], float) else labels[name]}"
        for name in str(point.attrs.get("dim_order", "")).split()
        if name in labels and name not in KEY
    ]
    return " · ".join([text for text in (configuration_text(labels).strip(" ·"), *own) if text])
