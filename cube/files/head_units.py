"""Read the unit in the head of a foreign column: brackets before words, whole words only; what is no unit says nothing.

A head is a name and, somewhere, a unit: `latency (ms)`, `t/ms`, `Latency, ms`, `latencyMs`, `latency_ms_p50`. In
brackets stands a unit or a word about the figure (`p50`, `mean`); what is neither is a unit that is not known. Letters
of a unit within a word are none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from roofcube.datasets.networks import PREFIXES, QUANTITY
from roofcube.datasets.quantities import factor_of, spelling_in

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HeadUnit", "count_fault", "unit_behind", "unit_in_head"]

BRACKETS = re.compile(r"[\[({<]\s*([^\[\](){}<>]*?)\s*[\])}>]")
PER = re.compile(r"(?<=[^\W_])(?:[\s_]+(?i:per)[\s_]+|Per(?=[A-Z])|\s*/\s*)")
APART = re.compile(r"[\s_,;:=|.#-]+")
APART_PREFIX = re.compile(r"\b([kKMG])\s+(?=[^\W_]+/)")
CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
AROUND = " _,;:=|.#-()[]{}<>"
# minutes and hours, unless they are a minimum or a letter: only where a head ends in them
DOUBTFUL = ("min", "h")
QUANTITIES_OF_UNITS = ("op/s", "B/s", "B", "W", "J", "op", "s")
# words about a figure that stand in brackets and are no unit
ABOUT = re.compile(
    r"\d+|p\d+|\d+th|(?:nv|mx)?(?:fp|int|bf|tf)\d+|top[-@]?\d|in|of|at|the|per|batch|mean|avg|average|median|mode|std|min|max|"
    r"minimum|maximum|percentile|typ|typical|peak|best|nominal|reported|val|test|total|all|each|dense|sparse|measured|compute|system|board|"
    r"full|base|idle|load|device|host|end-to-end|e2e|latency|time|speed|throughput|power|accuracy|acc|bandwidth|memory|"
    r"is|lower|higher|less|more|smaller|larger|better|[↓↑]",
    re.IGNORECASE,
)
SCALES = {
    **dict.fromkeys(("k", "kilo", "thousand", "thousands", "1e3", "10^3"), 1e3),
    **dict.fromkeys(("m", "mega", "mio", "million", "millions", "1e6", "10^6"), 1e6),
    **dict.fromkeys(("g", "giga", "b", "bn", "billion", "billions", "1e9", "10^9"), 1e9),
    **dict.fromkeys(("t", "tera", "trillion", "trillions", "1e12", "10^12"), 1e12),
}
COUNTED = "macs?|madds?|ops?|flops?|params?|parameters?|weights?|elements?|activations?|acts?|bytes?"
COUNT = re.compile(rf"({'|'.join(map(re.escape, SCALES))})?({COUNTED}|b)?", re.IGNORECASE)
BINARY = re.compile(r"[kmgt]ib", re.IGNORECASE)
SHARES = re.compile(r"(top[15]|pruning)(_.*)?")
IN_BYTES = ("activation_memory", "state")


class HeadUnit(NamedTuple):
    """A unit as a head has it, and its factor to that of the column; none where it is not known."""

    written: str
    factor: float | None


def unit_in_head(name: str, own: str) -> HeadUnit | None:
    """Return the unit that a head says of a column whose unit is `own`; None where it says none.

    Examples
    --------
    >>> unit_in_head("Latency, ms", "s"), unit_in_head("latency_mean", "s")
    (HeadUnit(written='ms', factor=0.001), None)
    >>> unit_in_head("latency (ms/image)", "s"), unit_in_head("samples_per_sec", "1/s")
    (HeadUnit(written='ms/image', factor=None), HeadUnit(written='samples/sec', factor=1.0))
    """
    for text in BRACKETS.findall(name):
        unit = _in_brackets(text, own)
        if unit is not None:
            return unit
    words = [word for word in APART.split(_with_strokes(BRACKETS.sub(" ", name))) if word]
    last = words[-1].casefold() if words else ""
    units = []
    for word in words:
        for part in [word] if _read(word, own) else CAPITALS.split(word):
            unit = _read(part, own)
            if unit is not None and not part.isdigit() and (part.casefold() not in DOUBTFUL or part.casefold() == last):
                units.append(unit)
    units = [unit for unit in units if unit.written.casefold() not in DOUBTFUL] or units
    return units[-1] if units else None


def unit_behind(name: str, stem: Sequence[str], own: str) -> HeadUnit | None:
    """Return the unit of a head that is nothing but the words of a stem and a unit of `own`; None of any other.

    Examples
    --------
    >>> unit_behind("Latency (ms)", ["latency"], "s"), unit_behind("latency_ms_p50", ["latency"], "s")
    (HeadUnit(written='ms', factor=0.001), None)
    """
    words = r"[\W_]*".join(stem)
    parts = re.fullmatch(rf"(?i:{words})(?=[\W_A-Z])(.*)", _with_strokes(name))
    written = re.sub(r"\s+", "", parts[1].strip(AROUND)) if parts else ""
    spelt = spelling_in(own, written) or spelling_in(own, written.removeprefix("/"))
    if spelt is None or written.casefold() in DOUBTFUL or written.isdigit():
        return None
    return HeadUnit(spelt, factor_of(own, spelt))


def _in_brackets(text: str, own: str) -> HeadUnit | None:
    text = _with_strokes(text)
    whole = _read(re.sub(r"\s+", "", text), own)
    if whole is not None:
        return whole
    told = [word for word in re.split(r"[\s,;]+", text) if word and not ABOUT.fullmatch(word)]
    units = [unit for word in told if (unit := _read(word, own)) is not None]
    return units[0] if units else HeadUnit(text, None) if told else None


def _with_strokes(text: str) -> str:
    """Write `per` as a stroke, and a prefix at what it is of: `k images per s` is `kimages/s`."""
    return APART_PREFIX.sub(r"\1", PER.sub("/", text))


def _read(word: str, own: str) -> HeadUnit | None:
    """Read one word as a unit; what counts or is measured may stand before a stroke, as in `t/ms`."""
    spelt = spelling_in(own, word)
    if spelt is not None:
        return HeadUnit(spelt, factor_of(own, spelt))
    quantity, stroke, unit = word.partition("/")
    if not stroke:
        return None
    time = spelling_in("s", unit) if own.endswith("/s") else None
    if time is not None and own == "1/s":
        return _rate(word, quantity, time)
    if time is not None and factor_of("s", time) == 1.0 and unit != "s":
        return _read(f"{quantity}/s", own)
    if _is_unit(quantity):
        return HeadUnit(word, None)
    return _read(unit, own)


def _rate(word: str, counted: str, time: str) -> HeadUnit:
    """Read what is counted in a time, whatever it is, unless it is a unit of another quantity."""
    if _is_unit(counted):
        return HeadUnit(word, None)
    spelt = f"1/{time}"
    factor = factor_of("1/s", spelt)
    return HeadUnit(word, 1.0) if factor_of("s", time) == 1.0 else HeadUnit(spelt if factor else word, factor)


def _is_unit(word: str) -> bool:
    return word.casefold() not in DOUBTFUL and any(spelling_in(unit, word) for unit in QUANTITIES_OF_UNITS)


# counts of networks ---------------------------------------------------------------------------------------------------


def count_fault(name: str, column: str) -> str:
    """Return what is wrong where a head says a count in other thousands, or of MACs, than the column; else nothing.

    Examples
    --------
    >>> count_fault("MACs (M)", "macs")
    "'MACs (M)' seems to be in M, 'macs' is not; map it to 'mmacs'"
    >>> count_fault("param_count", "mparams"), count_fault("MACs", "gmacs"), count_fault("GMACs", "gmacs")
    ('', '', '')
    """
    target = QUANTITY.fullmatch(column.strip().casefold())
    if target is None:
        unit = unit_in_head(name, "%") if SHARES.fullmatch(column.strip().casefold()) else None
        if unit is None or unit.factor == 1.0:
            return ""
        return f"{name!r} seems to be in {unit.written}, {column!r} is in %; bring its values to %, and rename it"
    quantity = target[2]
    for written, scale, what in _counts(name, quantity):
        if what.startswith(("mac", "madd")) and quantity == "ops":
            return f"{name!r} seems to count MACs, of two operations each; map it to {target[1] + 'macs'!r}"
        if what.startswith("op") and quantity == "macs":
            return f"{name!r} seems to count operations, of which a MAC is two; map it to {target[1] + 'ops'!r}"
        if scale is None:
            return f"{name!r} seems to be in {written!r}, which is not known; bring its values to {column!r}, rename it"
        if scale not in (1.0, PREFIXES[target[1]]):
            better = next((prefix + quantity for prefix, factor in PREFIXES.items() if factor == scale), "")
            do = f"map it to {better!r}" if better else "bring its values to billions, rename it, and map it"
            return f"{name!r} seems to be in {written}, {column!r} is not; {do}"
    return ""


def _counts(name: str, quantity: str) -> list[tuple[str, float | None, str]]:
    """List what a head says of a count: as it is written, in which thousands, and of what."""
    counts: list[tuple[str, float | None, str]] = []
    for text in BRACKETS.findall(name):
        told = [word for word in re.split(r"[\s,;]+", text) if word and not (ABOUT.fullmatch(word))]
        counts += [_count(word, quantity) or (text, None, "") for word in told]
    words = [word for word in APART.split(BRACKETS.sub(" ", name)) if word]
    words = [part for word in words for part in ([word] if _count(word, quantity) else CAPITALS.split(word))]
    for place, word in enumerate(words):
        count = _count(word, quantity)
        # a letter alone says thousands at either end only
        if count is not None and (count[2] or len(word) > 1 or (place in (0, len(words) - 1) and word in "kKmMgG")):
            counts.append(count)
        elif BINARY.fullmatch(word):
            counts.append((word, None, ""))
    return counts


def _count(word: str, quantity: str) -> tuple[str, float | None, str] | None:
    parts = COUNT.fullmatch(word)
    if parts is None:
        return None
    scale, what = (parts[1] or "").casefold(), (parts[2] or "").casefold()
    if scale == "b" and not what and quantity in IN_BYTES:
        scale, what = "", "b"
    if what in ("b", "byte", "bytes") and quantity not in IN_BYTES:
        return None if what == "b" else (word, None, what)
    return word, SCALES.get(scale, 1.0), what
