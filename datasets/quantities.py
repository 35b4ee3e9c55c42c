"""Physical ranges of what hardware offers, and numbers with units: one table for files, arguments and Datasets."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "PER_MINUTE",
    "QUANTITIES",
    "SPARSE_PEAK",
    "UNITS",
    "Quantity",
    "check_numbers",
    "factor_of",
    "is_sparse",
    "number_of",
    "range_fault",
    "spelling_in",
    "spellings_of",
]


class Quantity(NamedTuple):
    """A quantity of hardware: unit, ends of what is physical, whether 0 means none, and its column in tables."""

    unit: str
    low: float
    high: float
    column: str
    zero: bool = False


# variable → what is physical today, with room: a processor of 1 MHz or 256 B of memory to the largest clusters.
# Slips of a factor fall out below: 40 (TOP/s) and 4e4 (GOP/s) as op/s, 19.2 (GB/s) and 19200 (MB/s) as B/s.
QUANTITIES = {
    "peak_compute": Quantity("op/s", 1e6, 1e21, "peak_compute_op_per_s"),
    "memory_bandwidth": Quantity("B/s", 1e5, 1e18, "memory_bandwidth_b_per_s"),
    "memory_capacity": Quantity("B", 256.0, 1e18, "memory_capacity_b"),
    "on_chip_memory": Quantity("B", 64.0, 1e15, "weight_memory_b", zero=True),
    "power": Quantity("W", 1e-6, 1e9, "listed_power_w"),
}

# what rates are of
INPUTS = (
    *("inputs", "input", "images", "image", "img", "imgs", "frames", "frame", "samples", "sample"),
    *("inferences", "inference", "inf", "queries", "query", "requests", "request", "req"),
    *("tokens", "token", "tok"),
)
# unit → spellings, with the factor to it; case counts: mW is no MW, and b (bit or byte?) is not taken
UNITS = {
    "op/s": {
        **dict.fromkeys(("op/s", "OP/s", "ops/s", "OPs/s", "OPS", "OPs"), 1.0),
        **dict.fromkeys(("FLOP/s", "flop/s", "FLOPs/s", "FLOPS", "FLOPs", "flops"), 1.0),
        **dict.fromkeys(("MAC/s", "MACs/s"), 2.0),
    },
    "B/s": {"B/s": 1.0, "Bps": 1.0, "byte/s": 1.0, "bytes/s": 1.0, "bit/s": 0.125, "bits/s": 0.125},
    "B": {"B": 1.0, "byte": 1.0, "bytes": 1.0, "bit": 0.125, "bits": 0.125},
    "W": {"W": 1.0, "watt": 1.0, "watts": 1.0},
    "J": {"J": 1.0, "joule": 1.0, "joules": 1.0, "Wh": 3600.0, "J/input": 1.0, "J/inference": 1.0, "J/image": 1.0},
    "op/B": {f"{what}/{size}": 1.0 for what in ("op", "OP", "ops", "flop", "FLOP") for size in ("B", "byte")},
    "1/J": {
        f"{what}/{unit}": factor
        for what in ("1", "", "inputs", "inferences", "images")
        for unit, factor in {"J": 1.0, "mJ": 1e3, "kJ": 1e-3}.items()
    }
    | dict.fromkeys(("FPS/W", "fps/W", "inputs/s/W", "images/s/W"), 1.0),
    "op": {"op": 1.0, "ops": 1.0, "FLOP": 1.0, "MAC": 2.0, "MACs": 2.0},
    "s": {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0},
    "1/s": {
        "1/s": 1.0,
        "/s": 1.0,
        "fps": 1.0,
        "FPS": 1.0,
        "Hz": 1.0,
        "QPS": 1.0,
        "qps": 1.0,
        "IPS": 1.0,
        "ips": 1.0,
        **{f"{what}/{each}": 1.0 for each in ("s", "sec") for what in INPUTS},
    },
    "%": {"%": 1.0, "percent": 1.0, "pct": 1.0},
}
# units of more than a second, by the seconds that they have
LONG = {
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("day", "days"), 86400.0),
}
# rates a minute by their initials, with the prefixes that they have
PER_MINUTE = {
    prefix + one: factor / 60.0
    for one in ("TPM", "RPM", "QPM", "FPM", "IPM")
    for prefix, factor in (("", 1.0), ("k", 1e3), ("M", 1e6))
}
# units that take no prefix
WHOLE = {
    "s": {**LONG, "millis": 1e-3, "micros": 1e-6, "nanos": 1e-9},
    "1/s": {
        **{f"1/{time}": factor for time, factor in {"ms": 1e3, "us": 1e6, "ns": 1e9}.items()},
        **{f"{what}/{time}": 1 / seconds for time, seconds in LONG.items() for what in ("1", *INPUTS)},
        **PER_MINUTE,
    },
    "%": {"1": 100.0, "fraction": 100.0, "ratio": 100.0, "share": 100.0},
}
PREFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "P": 1e15, "E": 1e18, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip
# prefixes of words: milliseconds, kilobytes
PREFIX_WORDS = {
    "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12, "peta": 1e15,
}  # fmt: skip
WORD = re.compile(r"[a-z]{3,}(/.*)?")
NUMBER = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")
COMMA = re.compile(r"(?<=\d),(?=\d)")
SPARSE = re.compile(r"spars|(?<![\d:.])[1-4]\s*:\s*(?:4|8)(?![\d:])", re.IGNORECASE)
# what denies the sparsity itself, or says what a dense peak becomes with it
NOT_SPARSE = re.compile(
    r"(?:(?<![^\W_])(?:no|non|not|without|w/o|un|excl(?:uding|\.)?|zero)(?:[\W_]+(?:any|the|use|using|of|structured|weight|2:4))*"
    r"[\W_]*|(?<=dense).*(?:\d\s*[x×]|twice|double|half)(?:[\W_]+(?:with|of|the|if|when))*[\W_]+)(?:spars[^\W_]*|2:4)"
    r"|spars[^\W_]*[\s:=_(-]+(?:off|disabled|unused|no|none)[\W_]*$",
    re.IGNORECASE,
)
SPARSE_PEAK = "a peak of sparse operations is no peak: write the dense one, half of it at 2:4"
SMALL_B = re.compile(r"[kKMGT]?i?b(ps|/s)?")
SLIPS = {"op/s": (("TOP/s", 1e12), ("GOP/s", 1e9), ("MOP/s", 1e6)), "W": (("kW", 1e3),)}
BYTE_SLIPS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def number_of(name: str, value: Any, *, where: str = "") -> Any:
    """Read a number that may carry its unit, such as ``"19.2 GB/s"``; what is no text comes back as it is.

    Parameters
    ----------
    name : str
        A key of `QUANTITIES`.
    value : number or str
        SI and binary prefixes with op/s (also OPS, FLOP/s, and MAC/s of two operations), B/s, bit/s, B and W. Text
        without a unit is a number in the unit of the table.
    where : str, optional
        What errors name instead of the variable.

    Examples
    --------
    >>> from roofcube.datasets.quantities import number_of
    >>> number_of("memory_bandwidth", "19.2 GB/s"), number_of("peak_compute", "2 TMAC/s"), number_of("power", 5)
    (19200000000.0, 4000000000000.0, 5)
    """
    if not isinstance(value, str):
        return value
    unit = QUANTITIES[name].unit
    parts = NUMBER.fullmatch(value)
    factor = None if parts is None else 1.0 if parts[2] is None else factor_of(unit, parts[2])
    if parts is None or factor is None:
        pointed = COMMA.sub(".", value)
        read = NUMBER.fullmatch(pointed) if pointed != value else None
        if read is not None and (read[2] is None or factor_of(unit, read[2]) is not None):
            msg = (
                f"{where or f'`{name}`'}: expected a number without commas, got {value!r}; write {pointed!r}, or leave "
                "out what parts thousands"
            )
            raise InvalidDataError(msg)
        examples = {"op/s": "40 TOP/s", "B/s": "19.2 GB/s", "B": "8 GiB", "W": "7.5 W"}
        msg = (
            f"{where or f'`{name}`'}: expected a number in {unit} or one with its unit, got {value!r}; "
            f'write it like "{examples[unit]}"'
        )
        if parts is not None and unit in ("B", "B/s") and SMALL_B.fullmatch(parts[2]):
            msg += "; b may be a bit or a byte, say bit or B"
        elif parts is not None and (near := spelling_in(unit, parts[2])):
            msg += f"; did you mean {parts[1]} {near}?"
        if name == "peak_compute" and is_sparse(value):
            msg += f"; {SPARSE_PEAK}"
        raise InvalidDataError(msg)
    digits, exponent = parts[1].replace("_", ""), round(math.log10(factor))
    # "19.2 GB/s" is 19.2e9 to the last bit
    exact = factor == 10.0**exponent and "e" not in digits.lower()
    number = float(f"{digits}e{exponent}") if exact else float(digits) * factor
    low = QUANTITIES[name].low
    if parts[2] is not None and 0 < number < low:
        msg = (
            f"{where or f'`{name}`'}: expected at least {low:g} {unit}, got {value!r}; check number and unit: no "
            "hardware has as little"
        )
        raise InvalidDataError(msg)
    return number


def is_sparse(text: str) -> bool:
    """Tell a text that says sparse operations, not those without sparsity.

    Examples
    --------
    >>> from roofcube.datasets.quantities import is_sparse
    >>> is_sparse("TOPS (sparse)"), is_sparse("TOPS without sparsity")
    (True, False)
    """
    return SPARSE.search(NOT_SPARSE.sub(" ", text)) is not None


def factor_of(unit: str, spelling: str) -> float | None:
    """Return the factor from a unit as it is written to one of `UNITS`; None where it is not known.

    Examples
    --------
    >>> from roofcube.datasets.quantities import factor_of
    >>> factor_of("s", "ms"), factor_of("1/s", "kfps"), factor_of("%", "fraction"), factor_of("s", "W")
    (0.001, 1000.0, 100.0, None)
    """
    return _factors(unit).get(spelling.strip())


def spelling_in(unit: str, written: str) -> str | None:
    """Return how a unit is spelt that is written in whatever case; None where it is not known.

    Of two that differ in case alone it is the one as written, else the likelier: ms, mW, but GB. No head has Ms.

    Examples
    --------
    >>> from roofcube.datasets.quantities import spelling_in
    >>> spelling_in("s", "Ms"), spelling_in("W", "MW"), spelling_in("op/s", "tops"), spelling_in("B/s", "Gb/s")
    ('ms', 'MW', 'TOPS', None)
    """
    factors = _factors(unit)
    if unit != "s" and written in factors:
        return written
    if unit == "B/s" and SMALL_B.fullmatch(written):
        return None
    alike = [one for one in factors if one.casefold() == written.casefold()]
    return (min if unit in ("s", "W") else max)(alike, key=lambda one: factors[one], default=None)


def spellings_of(unit: str) -> list[str]:
    """List how a unit may be written, without prefixes."""
    return [*UNITS[unit], *WHOLE.get(unit, {})]


@cache
def _factors(unit: str) -> dict[str, float]:
    prefixes = {"": 1.0} if unit == "%" else PREFIXES
    units = UNITS.get(unit, {})
    prefixed = {prefix + one: by * factor for one, factor in units.items() for prefix, by in prefixes.items()}
    words = [one for one in units if WORD.fullmatch(one)] if unit != "%" else []
    spelt_out = {prefix + one: by * units[one] for one in words for prefix, by in PREFIX_WORDS.items()}
    return {**spelt_out, **prefixed, **WHOLE.get(unit, {})}


def range_fault(name: str, value: float) -> str:
    """Return what is wrong with a number of a quantity and what to do; empty where nothing is."""
    unit, low, high, _, zero = QUANTITIES[name]
    if zero and value == 0:
        return ""
    ends = f"expected {'0, or ' if zero else ''}{unit} from {low:g} to {high:g}"
    if math.isnan(value) or math.isinf(value):
        return f"{ends}, got {value!r}; give a number, or leave it out where it is not known"
    if value <= 0:
        return f"{ends}, got {value!r}; give what the data sheet says, in {unit}"
    if value < low:
        slip, factor = _slip(unit, value, low)
        meant = f'if {slip} is meant, write {value * factor:g}, or "{value:g} {slip}"' if slip else "check the unit"
        return f"{ends}, got {value:g}; {meant}"
    return f"{ends}, got {value:g}; check the unit: no hardware has as much" if value > high else ""


def check_numbers(name: str, values: Iterable[float], *, where: str = "", unknown: bool = False) -> None:
    """Raise on the first number that is not physical.

    Parameters
    ----------
    name : str
        A key of `QUANTITIES`.
    values : iterable of float
    where : str, optional
        What the error names instead of the variable.
    unknown : bool
        NaN is taken: it says that there is none, or that it is not known.

    Raises
    ------
    InvalidDataError
    """
    for value in values:
        if unknown and math.isnan(value):
            continue
        fault = range_fault(name, float(value))
        if fault:
            msg = f"{where or f'`{name}`'}: {fault}"
            raise InvalidDataError(msg)


def _slip(unit: str, value: float, low: float) -> tuple[str, float]:
    """Guess the unit in which a number would be physical, the largest first."""
    slips = SLIPS.get(unit) or [(one + unit.removeprefix("B"), factor) for one, factor in BYTE_SLIPS]
    likely = [(one, factor) for one, factor in slips if value * factor >= low]
    if not likely:
        return "", 1.0
    # thousands of a unit are rather of the next smaller one
    return likely[0] if value < 1e3 else likely[min(1, len(likely) - 1)]
