"""Read the unit in the head of a foreign column: brackets before words, whole words only; what is no unit says nothing.

A head is a name and, somewhere, a unit: `latency (ms)`, `t/ms`, `Latency, ms`, `latencyMs`, `latency_ms_p50`. In
brackets stands a unit or a word about the figure (`p50`, `mean`); what is neither is a unit that is not known. Letters
of a unit within a word are none. A unit of another quantity (`energy_mJ` of a power), or one that a power of ten stands
beside (`1e-6 s`), is one that is not known. Behind a number it is that number's: `power at 30 fps`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from roofcube.datasets.networks import PREFIXES, QUANTITY
from roofcube.datasets.quantities import LONG, PER_MINUTE, UNITS, factor_of, spelling_in

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DOUBTFUL", "HeadUnit", "count_fault", "unit_behind", "unit_in_head"]

BRACKETS = re.compile(r"[\[({<]\s*([^\[\](){}<>]*?)\s*[\])}>]")
PER = re.compile(r"(?<=[^\W_])(?:[\s_]+(?i:per)[\s_]+|Per(?=[A-Z])|\s*/\s*)")
APART = re.compile(r"[\s_,;:=|.#-]+")
# but for nano, which is a board
APART_PREFIX = re.compile(
    r"\b([kKMG])\s+(?=[^\W_]+/)|(?<![^\W_])((?i:micro|milli|kilo|mega|giga))[\s_-]+(?=(?i:sec|watt|joule|byte)|[^\W_]+/)"
)
CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
AROUND = " _,;:=|.#-()[]{}<>"
# minutes and hours, unless they are a minimum or a letter: only where a head ends in them
DOUBTFUL = ("min", "h", "day")
# initials of rates are so only where nothing but words about the figure stands behind: IPM is a kind of mapping too
INITIALS = {one.casefold() for one in PER_MINUTE}
OF_FIGURE = re.compile(r"p?\d+|mean|avg|average|median|std|max|maximum|peak|total", re.IGNORECASE)
QUANTITIES_OF_UNITS = ("op/s", "B/s", "B", "W", "J", "op", "s", "1/s")
# quantity → prefixes with which heads have its units, in whatever case: `nw` is a network, `pw` a kind of layer
PREFIXED = {
    **dict.fromkeys(("op/s", "op"), "k m g t p"),
    **dict.fromkeys(("B/s", "B"), "k m g t ki mi gi ti kilo mega giga"),
    **dict.fromkeys(("W", "J"), "u µ μ m k milli micro kilo"),
    "s": "n u µ μ m nano micro milli",
    "1/s": "k m g",
}
# words that are units too, but rarely so: Mac, Top-1, 8-bit; and those that are so behind a stroke only: second run
NO_UNITS = {"b", "bit", "byte", "mac", "mop", "op", "pop", "top", *DOUBTFUL}
STROKED = {"second", "minute", "hour", "watt", "joule", "flop", "macs", "ops", "MS", "NS", "US"}
SPELT = {
    **{
        (prefix + one).casefold(): prefix != ""
        for unit, prefixes in PREFIXED.items()
        for one in UNITS[unit]
        for prefix in ("", *prefixes.split())
    },
    **dict.fromkeys((*LONG, "%", "percent", "pct"), False),
    **dict.fromkeys(("millis", "micros", "nanos"), True),
    **dict.fromkeys(("amps", "amperes", "volts"), False),
    **{prefix + one: True for prefix in ("milli", "micro", "kilo") for one in ("amps", "amperes", "volts")},
}
# case counts: kv is a cache, ma a moving mean
ELECTRIC = {prefix + one for prefix in ("m", "u", "µ", "μ", "k") for one in "AV"}
ELECTRIC_NAMES = {
    name: {one, *(each.casefold() for each in ELECTRIC if each.casefold().endswith(one))}
    for name, one in (("current", "a"), ("voltage", "v"))
}
# what a rate may count that is not one input
NO_INPUTS = re.compile(
    r"(?:^|[\W\d_])(?:(?i:(?:mini)?batch(?:es)?|steps?|it|iters?|iterations?|epochs?|cycles?|(?:thousand|million)s?)|[kKMG])$"
)
# prefixes that no unit has here: cW, deciwatt
OTHER_PREFIX = re.compile(r"[cdf]W|(?i:deka|deci|centi|hecto|pico|femto)(?=(?i:watt|sec|joule|byte))\w+")
# powers of ten and their parts at a unit: 1e-6 s, 10^3 img/s, s x 1000, 1/10 s, 0.1 ms; and what many take: s per 100
MULTIPLE = re.compile(
    r"(?<![\w.])1\s*/\s*10+(?![\w])|(?<![\w.])0?\.0*1(?=\s*[^\W\d_])|(?:/|(?<![^\W_])per)[\s_]*10+(?!\d)|"
    r"(?<![\w.])[x×*·]?\s*1(?:\.0*)?[eE][-+]?\d+(?!\w)|"
    r"(?<!\w)(?:[xX×*·]\s*)?10\s*(?:(?:\^|\*\*)[\s{(]*[-+]?\d+|[⁻⁺]?[⁰¹²³⁴-⁹]+)|"
    r"(?<!\d)(?<!\d\s)(?:(?<![^\W_])[xX]|[×*·])\s*10+(?![\w⁻⁺]|\s*(?:\^|\*\*))|(?<![\w.])10{3,}\s*[x×*·](?!\s*\d)"
)
THOUSAND = re.compile(r"10{0,2}(?:[,. ]?0{3})+\s+(.*)")
THOUSANDS = re.compile(r"(?:thousand|mio|million|billion|trillion)(s?)|kilo|mega|giga|tera", re.IGNORECASE)
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
# how counted things are spelt out; a rate of them is no count
SPELT_OUT = {
    "macs": re.compile(r"multiply[\W_]*(?:and[\W_]*)?(?:accumulat(?:es?|ions?)|adds?)|mult[\W_]*adds?", re.IGNORECASE),
    "ops": re.compile(r"(?<!mac[ _-])(?<!macs[ _-])operations?(?![a-z])", re.IGNORECASE),
}
PER_TIME = re.compile(
    r"/\s*(?:s|secs?|seconds?|ms|us|µs|ns|min|minutes?|h|hours?|cycles?|clk)(?![^\W_])", re.IGNORECASE
)
# what is of a batch, unless of one input or of an element of the batch
PER_BATCH = re.compile(
    r"(?:/|\bper)[\s_-]*(?:mini[\s_-]*)?batch(?:es)?(?![^\W_])"
    r"(?![\W_]*(?:elem|item|sample|input|image|entry|row|(?:(?:of|size|batch|bs)[\W_]*)*1(?!\d)))",
    re.IGNORECASE,
)
AT_BATCH = re.compile(
    r"(?<![^\W_])(?:batch(?:[\s_-]*size)?|bs)[\s_=:-]*(?:of[\s_]*)?(?!0*1(?!\d))\d+(?![^\W_])", re.IGNORECASE
)
PER_INPUT = re.compile(
    r"(?:/|\bper)[\s_-]*(?:inputs?|images?|img|samples?|inf|inferences?|frames?)(?![^\W_])", re.IGNORECASE
)
COUNTED = "macs?|madds?|fmas?|ops?|flops?|params?|parameters?|weights?|elements?|activations?|acts?|bytes?"
COUNT = re.compile(rf"({'|'.join(map(re.escape, SCALES))})?({COUNTED}|b)?", re.IGNORECASE)
TEN_TO = re.compile(r"10\s*(?:(?:\^|\*\*)[\s{(]*|(?=[⁻⁺⁰¹²³⁴-⁹]))")
RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
BYTES = re.compile(r"[kmgt]i?b(its?)?", re.IGNORECASE)
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
        power = MULTIPLE.search(BRACKETS.sub(" ", name)) if own != "%" else None
        if unit is not None:
            return HeadUnit(f"{unit.written} {power[0].strip()}", None) if power else unit
    rest = _with_strokes(BRACKETS.sub(" ", name))
    words = [word for word in APART.split(rest) if word]
    last = words[-1].casefold() if words else ""
    parts = []
    for word in words:
        whole = OTHER_PREFIX.fullmatch(word) or _read(word, own) or _is_other(word, own)
        parts += [word] if whole else CAPITALS.split(word)
    units = []
    for place, (before, part) in enumerate(zip(["", *parts], parts, strict=False)):
        unit = _read(part, own)
        of_number = before.isdigit() and not own.endswith("/s")
        doubtful = _is_doubtful(part, parts[place + 1 :], last)
        if unit is not None and not doubtful and not (unit.factor is None and of_number):
            units.append(unit)
    units = _likeliest(units)
    unit = units[-1] if units else _of_another(parts, last, own)
    multiple = _multiple(rest, parts, own)
    return HeadUnit(f"{multiple} {unit.written if unit else ''}".strip(), None) if multiple else unit


def _is_doubtful(part: str, behind: Sequence[str], last: str) -> bool:
    """Tell what is read as a unit, but is a number, a minimum, or initials that words follow."""
    folded = part.casefold()
    followed = folded in INITIALS and not all(OF_FIGURE.fullmatch(word) for word in behind)
    return part.isdigit() or (folded in DOUBTFUL and folded != last) or followed


def _likeliest(units: list[HeadUnit]) -> list[HeadUnit]:
    return [unit for unit in units if unit.written.casefold() not in {*DOUBTFUL, *INITIALS}] or units


def _of_another(parts: Sequence[str], last: str, own: str) -> HeadUnit | None:
    """Find a unit of another quantity: with a prefix anywhere, without one at the end, if no number stands before.

    Of watts they may also be amperes and volts behind their names, in any case.
    """
    for before, part in zip(["", *parts], parts, strict=False):
        if own == "W" and part.casefold() in ELECTRIC_NAMES.get(before.casefold(), ()):
            return HeadUnit(part, None)
        if not _is_other(part, own) or before.isdigit() or {part, part.casefold()} & STROKED:
            continue
        if part in ELECTRIC or SPELT[part.casefold()] or (part.casefold() == last and own != "%" and part != "S"):
            return HeadUnit(part, None)
    return None


def _multiple(text: str, parts: Sequence[str], own: str) -> str:
    """Return the thousands that stand before a unit outside brackets, as a power of ten or in words."""
    power = MULTIPLE.search(text)
    if power is not None and (power[0][0] in "xX×*·" or any(_read(part, own) for part in parts)):
        return power[0]
    for part, behind in zip(parts, [*parts[1:], ""], strict=True):
        scale = THOUSANDS.fullmatch(part)
        if scale is not None and (scale[1] or behind == "of" or _read(behind, own)):
            return part
    return ""


def unit_behind(name: str, stem: Sequence[str], own: str) -> HeadUnit | None:
    """Return the unit of a head that is nothing but the words of a stem and a unit of `own`; None of any other.

    Of a rate in thousands an hour the factor is none.

    Examples
    --------
    >>> unit_behind("Latency (ms)", ["latency"], "s"), unit_behind("latency_ms_p50", ["latency"], "s")
    (HeadUnit(written='ms', factor=0.001), None)
    """
    words = r"[\W_]*".join(stem)
    parts = re.fullmatch(rf"(?i:{words})(?=[\W_A-Z])(.*)", _with_strokes(name))
    written = re.sub(r"\s+", "", parts[1].strip(AROUND)) if parts else ""
    if not written or written.isdigit() or written.casefold() in DOUBTFUL:
        return None
    counted, stroke, time = written.partition("/")
    inputs = not counted or spelling_in(own, f"{counted}/s") is not None
    if own == "1/s" and stroke and not (inputs and spelling_in("s", time)):
        return None
    unit = _read(written, own)
    return unit if unit is not None and (unit.factor is not None or own == "1/s") else None


def _in_brackets(text: str, own: str) -> HeadUnit | None:
    text = _with_strokes(text)
    thousand = THOUSAND.fullmatch(text)
    if MULTIPLE.search(text) or (thousand and _read(re.sub(r"\s+", "", thousand[1]), own)):
        return HeadUnit(text, None)
    told = [word for word in re.split(r"[\s,;]+", text) if word and not ABOUT.fullmatch(word)]
    if any(THOUSANDS.fullmatch(word) or word in tuple("kKMG") for word in told):
        return HeadUnit(text, None)
    whole = _read(re.sub(r"\s+", "", text), own)
    if whole is not None:
        return whole
    units = _likeliest([unit for word in told if (unit := _read(word, own)) is not None])
    return units[0] if units else HeadUnit(text, None) if told else None


def _with_strokes(text: str) -> str:
    """Write `per` as a stroke, and a prefix at what it is of: `k images per s` is `kimages/s`."""
    return APART_PREFIX.sub(r"\1\2", PER.sub("/", text))


def _read(word: str, own: str) -> HeadUnit | None:
    """Read one word as a unit; what counts or is measured may stand before a stroke, as in `t/ms`."""
    spelt = spelling_in(own, word)
    if spelt is not None:
        return HeadUnit(spelt, factor_of(own, spelt))
    quantity, stroke, unit = word.partition("/")
    if not stroke:
        return HeadUnit(word, None) if OTHER_PREFIX.fullmatch(word) else None
    time = spelling_in("s", unit) if own.endswith("/s") else None
    if time is not None and own == "1/s":
        return _rate(word, quantity, time)
    if time is not None:
        whole = factor_of("s", time) == 1.0 and unit != "s"
        return _read(f"{quantity}/s", own) if whole else HeadUnit(word, None)
    if _is_unit(quantity) or _is_other(unit, own):
        return HeadUnit(word, None)
    return _read(unit, own)


def _rate(word: str, counted: str, time: str) -> HeadUnit:
    """Read what is counted in a time, whatever it is, unless it is a unit of another quantity or surely no input."""
    if _is_unit(counted) or NO_INPUTS.search(counted):
        return HeadUnit(word, None)
    known = spelling_in("1/s", f"{counted}/s")
    scaled = known is not None and factor_of("1/s", known) != 1.0
    if factor_of("s", time) == 1.0:
        return HeadUnit(known, factor_of("1/s", known)) if known is not None and scaled else HeadUnit(word, 1.0)
    spelt = f"1/{time}"
    factor = None if scaled else factor_of("1/s", spelt)
    return HeadUnit(word if factor is None else spelt, factor)


def _is_unit(word: str) -> bool:
    known = word.casefold() not in DOUBTFUL and any(spelling_in(unit, word) for unit in QUANTITIES_OF_UNITS)
    return known or word in ELECTRIC


def _is_other(word: str, own: str) -> bool:
    """Tell a unit of another quantity than `own`."""
    known = word in ELECTRIC or (word.casefold() in SPELT and word.casefold() not in NO_UNITS)
    return known and spelling_in(own, word) is None


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
    if PER_TIME.search(_with_strokes(name)):
        return f"{name!r} seems to be a rate, {column!r} is a count of one input; give that, and rename it"
    if quantity != "params" and _is_of_batch(_with_strokes(name)):
        return f"{name!r} seems to be of a batch, {column!r} is a count of one input; give that, and rename it"
    for written, scale, what in _counts_told(name, quantity):
        if what.startswith(("mac", "madd", "fma")) and quantity == "ops":
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


def _is_of_batch(text: str) -> bool:
    return PER_BATCH.search(text) is not None or (AT_BATCH.search(text) is not None and not PER_INPUT.search(text))


def _counts_told(name: str, quantity: str) -> list[tuple[str, float | None, str]]:
    """List what a head says of a count: as it is written, in which thousands, and of what."""
    counts: list[tuple[str, float | None, str]] = []
    for short, spelt in SPELT_OUT.items():
        name = spelt.sub(short, name)
    for text in BRACKETS.findall(name):
        told = [word for word in re.split(r"[\s,;]+", text) if word and not (ABOUT.fullmatch(word))]
        counts += [_read_count(word, quantity) or (text, None, "") for word in told]
    rest = BRACKETS.sub(" ", name)
    counts += _counts_in_words(MULTIPLE.sub(" ", rest), quantity)
    scales = {scale for _, scale, _ in counts} - {1.0}
    for power in MULTIPLE.finditer(rest):
        scale = _thousands(power[0])
        counts.append((power[0].strip(), scale if not scales or scale in scales else None, ""))
    return counts


def _counts_in_words(text: str, quantity: str) -> list[tuple[str, float | None, str]]:
    """List what a head says of a count outside brackets."""
    counts: list[tuple[str, float | None, str]] = []
    words: list[str] = []
    for word in filter(None, APART.split(text)):
        words += [word] if _read_count(word, quantity) or BYTES.fullmatch(word) else CAPITALS.split(word)
    for place, word in enumerate(words):
        count = _read_count(word, quantity)
        # a letter alone says thousands at either end only
        if count is not None and (count[2] or len(word) > 1 or (place in (0, len(words) - 1) and word in "kKmMgG")):
            counts.append(count)
        elif BYTES.fullmatch(word):
            counts.append((word, None, ""))
    # beside operations it says how they are counted: ops, FMA = 2
    operations = any(what.startswith(("op", "flop")) for _, _, what in counts)
    return [count for count in counts if not (operations and count[2].startswith("fma"))]


def _thousands(power: str) -> float | None:
    """Return the thousands of a count beside which a power of ten stands, whether this parts or multiplies it."""
    digits, _, exponent = TEN_TO.sub("1e", power).translate(RAISED).casefold().partition("e")
    return {0.0: 1.0, 3.0: 1e3, 6.0: 1e6, 9.0: 1e9, 12.0: 1e12}.get(abs(float(exponent or digits.count("0"))))


def _read_count(word: str, quantity: str) -> tuple[str, float | None, str] | None:
    parts = COUNT.fullmatch(word)
    if parts is None:
        return None
    scale, what = (parts[1] or "").casefold(), (parts[2] or "").casefold()
    if scale == "b" and not what and quantity in IN_BYTES:
        scale, what = "", "b"
    if what in ("b", "byte", "bytes") and quantity not in IN_BYTES:
        return None if what == "b" else (word, None, what)
    return word, SCALES.get(scale, 1.0), what
