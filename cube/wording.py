"""Numbers, units, flags and configurations in words, the way a reader wants them; the only place that formats them."""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.datasets.quantities import UNITS, factor_of
from roofcube.errors import InvalidDataError
from roofcube.vocabulary import DIMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import xarray as xr

__all__ = [
    "AS_GIVEN",
    "FEWEST_DIGITS",
    "OF_TOKENS",
    "configuration_of",
    "configuration_text",
    "counted",
    "digits_along",
    "digits_apart",
    "distinct_texts",
    "flag_words",
    "in_percent",
    "in_shown_unit",
    "inputs_are_tokens",
    "labels_text",
    "listed",
    "noun_of",
    "outward",
    "percent",
    "plain_values",
    "quantity",
    "read_quantity",
    "said_order",
    "sentence",
    "short",
    "shown_unit",
    "span_text",
    "task_title",
    "title_of",
    "unit_for",
    "unit_of",
    "units_of",
    "with_thousands",
    "with_unit",
    "with_units_for",
]

LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
PREFIXED = ("op", "B", "B/s")  # units whose letter for thousands stands before them: 7.7 Gop, 12 MB, 1.02 TB/s
RISING = ("MB", "GB/s", "TOP/s")  # of a thousand the next prefix: 1 TB/s
NOT_KNOWN = "not known"
MISSING: dict[Any, Any] = {kind: kind("NaT") for kind in (np.datetime64, np.timedelta64)}
FEWEST_DIGITS, MOST_DIGITS = 3, 16  # of a number in a text
ALONE = 6  # digits of a label whose neighbours are not known
WHOLE = 100_000  # floats below it that are whole numbers have all their digits, as integers do: 20240115 is a date
# how the long name of a variable ends that is a column of the user's measurements
AS_GIVEN = "as given with the measurements"
# limits as they are typed, by the unit of what is limited
LIMITS_LIKE = {
    "s": "10ms", "J": "2mJ", "W": "15W", "%": "85%", "B": "64MB", "B/s": "19.2GB/s", "op/s": "4TOP/s", "op": "8Gop",
    "1/s": "30fps",
}  # fmt: skip

# SI units inside, human scale outside: unit → (factor, unit shown)
SCALES = {
    "s": (1e3, "ms"),
    "J": (1e3, "mJ"),
    "1/s": (1.0, "inputs/s"),
    "1/J": (1.0, "inputs/J"),
    "token/s": (1.0, "tokens/s"),
    "op/s": (1e-12, "TOP/s"),
    "B/s": (1e-9, "GB/s"),
    "B": (1e-6, "MB"),
    "1": (1.0, ""),
}
OF_TOKENS = {"1/s": "token/s"}  # unit of rates of inputs that are a token each
TASKS = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "mnist": "MNIST"}


# numbers --------------------------------------------------------------------------------------------------------------


def moment_text(moment: np.datetime64 | np.timedelta64) -> str:
    """Write a time or a duration without the digits that say nothing; '' where it is none.

    Examples
    --------
    >>> import numpy as np
    >>> moment_text(np.datetime64("2026-01-31T00:00:00.000000000")), moment_text(np.timedelta64(36, "h"))
    ('2026-01-31', '1 days 12:00:00')
    """
    import pandas as pd  # type: ignore[import-untyped]

    if np.isnat(moment):
        return ""
    return str(
        np.datetime_as_string(moment, unit="auto") if isinstance(moment, np.datetime64) else pd.Timedelta(moment)
    )


def counted(number: int, noun: str) -> str:
    """Write a count and its noun: 1 row, 378 rows.

    Examples
    --------
    >>> counted(1, "row"), counted(378, "finding"), counted(0, "match")
    ('1 row', '378 findings', '0 matches')
    """
    return f"{with_thousands(number)} {noun_of(number, noun)}"


def sentence(words: str) -> str:
    """Begin words with a capital and leave the others as they are.

    Examples
    --------
    >>> sentence("energy of DPUs"), sentence("")
    ('Energy of DPUs', '')
    """
    return words[:1].upper() + words[1:]


def noun_of(number: int, noun: str) -> str:
    """Return the noun of a count, the names of dims among them.

    Examples
    --------
    >>> noun_of(1, "point"), noun_of(4, "point"), noun_of(2, "topology"), noun_of(3, "batch"), noun_of(9, "watts")
    ('point', 'points', 'topologies', 'batches', 'watts')
    """
    if number == 1 or (noun.endswith("s") and not noun.endswith("ss")):
        return noun
    if noun.endswith(("ss", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def with_thousands(number: int) -> str:
    """Group digits by thousands with a narrow space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def short(value: float | None, digits: int = 3) -> str:
    """Write a number with a few digits and a letter for its thousands.

    Examples
    --------
    >>> short(60757.0), short(12.5), short(0.00123), short(float("nan"))
    ('60.8k', '12.5', '0.00123', 'not known')
    """
    number, letter = _scaled(value, digits)
    return f"{number}{letter}"


def outward(value: float, *, up: bool, digits: int = 3) -> float:
    """Round to so many digits away from what a limit is now, so that the rounded limit still lets the value in.

    Examples
    --------
    >>> outward(0.014523, up=True), outward(83.98, up=False), outward(0.005, up=True), outward(-1.2345, up=False)
    (0.0146, 83.9, 0.005, -1.24)
    """
    rounding = Context(prec=digits, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return float(rounding.create_decimal(repr(float(value))))


def with_unit(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number in a unit: 12.4k inputs/s, 0.5 W, 7.7 Gop, 12.3 MB.

    Examples
    --------
    >>> with_unit(12449.2, "inputs/s"), with_unit(7.7e9, "op"), with_unit(0.00123, "ms"), with_unit(2.0, "")
    ('12.4k inputs/s', '7.7 Gop', '0.00123 ms', '2')
    >>> with_unit(1024.0, "GB/s"), with_unit(2.5e6, "MB"), with_unit(1979.0, "TOP/s")
    ('1.02 TB/s', '2.5 TB', '1.98 POP/s')
    """
    number, letter = _scaled(value, digits)
    if number == NOT_KNOWN:
        return number
    if letter and unit in RISING:
        order = "kMGTPEZY"
        letter, unit = "", order[order.index(unit[0]) + "kMGT".index(letter) + 1] + unit[1:]
    return f"{number} {letter}{unit}" if unit in PREFIXED else f"{number}{letter} {unit}".rstrip()


def span_text(low: float, high: float, unit: str) -> str:
    """Write a range in one unit, with as few digits as tell its ends apart.

    Examples
    --------
    >>> span_text(900.0, 12449.2, "inputs/s"), span_text(800.0, 1230.0, "GB/s"), span_text(96.852, 96.91, "%")
    ('900 … 12.4k inputs/s', '0.8 … 1.23 TB/s', '96.85 … 96.91 %')
    >>> span_text(3.0, 3.0, "W")
    '3 W'
    """
    if math.isclose(low, high):
        return with_unit(high, unit)
    apart = (digits for digits in range(FEWEST_DIGITS, MOST_DIGITS) if short(low, digits) != short(high, digits))
    digits = next(apart, FEWEST_DIGITS)
    letter = _scaled(high, digits)[1]
    begins = short(low, digits)
    if letter and unit in (*RISING, *PREFIXED):  # it becomes that of the unit, which is that of both ends
        begins = _rounded(low / next(step for step, one in LETTERS if one == letter), digits)
    return f"{begins} … {with_unit(high, unit, digits)}"


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a value in SI with a prefix of human scale: 4.2 ms, 310 mJ, 60.8k inputs/s.

    Examples
    --------
    >>> quantity(0.0042, "s"), quantity(0.31, "J"), quantity(60757.0, "inputs/s")
    ('4.2 ms', '310 mJ', '60.8k inputs/s')
    """
    if value is not None and unit in ("s", "J", "W") and 0 < abs(value) < 1:
        for step, letter in SMALL:
            if abs(value) >= step * 0.9995:
                return f"{_rounded(value / step, digits)} {letter}{unit}"
    return with_unit(value, unit, digits)


def in_shown_unit(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a value in SI in the unit in which figures show it: 16.9 ms, 1.02 TB/s, 60.8k inputs/s.

    What is a thousand times too small or a hundred thousand times too large for it is in a unit of its own size.

    Examples
    --------
    >>> in_shown_unit(0.0169, "s"), in_shown_unit(1.024e12, "B/s"), in_shown_unit(60757.0, "1/s")
    ('16.9 ms', '1.02 TB/s', '60.8k inputs/s')
    >>> in_shown_unit(8.36e-8, "s"), in_shown_unit(7200.0, "s")
    ('83.6 ns', '7.2k s')
    """
    factor, shown = (1.0, unit) if unit in PREFIXED else shown_unit(unit)
    if value and factor != 1.0 and unit in ("s", "J") and not 1e-3 <= abs(value) * factor < 1e5:
        return quantity(value, unit, digits)
    return with_unit(None if value is None else value * factor, shown, digits)


def read_quantity(text: str, unit: str, *, what: str, smallest: float = math.inf) -> float:
    """Read a number as a person writes it, in SI: 10ms, 15 W, 85 %; without a unit where that is not in doubt.

    Parameters
    ----------
    text : str
    unit : str
        SI unit of the variable; a bare number is in it where figures show it so too (W, %, inputs/s), else refused.
    what : str
        What errors begin with: the option, or the key.
    smallest : float
        Smallest value of the variable, where it is known: where it is as small, a percentage is no fraction.

    Raises
    ------
    InvalidDataError
        If it is no number, the unit is that of something else or missing, or a percentage is given as a fraction.

    Examples
    --------
    >>> limits = [("10ms", "s"), ("15", "W"), ("85 %", "%"), ("2.5 mJ", "J"), ("20", "1/s")]
    >>> [read_quantity(text, unit, what="limit") for text, unit in limits]
    [0.01, 15.0, 85.0, 0.0025, 20.0]
    """
    unit = next((of_inputs for of_inputs, of_tokens in OF_TOKENS.items() if of_tokens == unit), unit)
    match = re.fullmatch(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*", text)
    spelling = match[2].replace(" ", "") if match else ""
    factor, shown = shown_unit(unit)
    own = _factor_between(spelling, unit)
    try:
        number = float(match[1]) if match else math.nan
    except ValueError:
        number = math.nan
    if math.isnan(number) or (spelling and own is None):
        example = LIMITS_LIKE.get(unit, "")
        told = f"a number with a unit, such as {example}" if example else f"a number{f' in {unit}' if unit else ''}"
        msg = f"`{what}`: expected {told}, got {text!r}; write it so"
        raise InvalidDataError(msg)
    if not spelling and factor != 1.0 and math.isfinite(number) and number:
        msg = (
            f"`{what}`: expected a number with its unit, got {text!r}; write {match[1]}{shown}, or "  # type: ignore[index]
            f"{match[1]}{unit} if that is meant"  # type: ignore[index]
        )
        raise InvalidDataError(msg)
    return number * own if spelling and own is not None else in_percent(number, unit, what=what, smallest=smallest)


def _factor_between(spelling: str, unit: str) -> float | None:
    """Return the factor from a unit as it is written to another, whichever way that is spelt; None where none leads."""
    factors = ((factor_of(one, spelling), factor_of(one, unit)) for one in UNITS)
    known = (written / own for written, own in factors if written and own)
    return next(known, 1.0 if spelling == unit else None)


def in_percent(number: float, unit: str, *, what: str, smallest: float = math.inf) -> float:
    """Return a limit; refuse one of a percentage that is a fraction, where no value is known to be so small.

    Raises
    ------
    InvalidDataError
    """
    if unit == "%" and 0.0 < number <= 1.0 < smallest:
        msg = (
            f'`{what}`: expected percent, got {number:g}, a fraction; write {100.0 * number:g}, or "{number:g}%" if '
            "so little is meant"
        )
        raise InvalidDataError(msg)
    return number


def percent(ratio: float | None) -> str:
    """Write a ratio as a percentage: three digits, and a decimal below 100.

    Examples
    --------
    >>> percent(0.0011), percent(0.04), percent(0.0198), percent(0.867), percent(13.9)
    ('0.11 %', '4.0 %', '1.98 %', '86.7 %', '1390 %')
    """
    if ratio is None or not math.isfinite(ratio):
        return NOT_KNOWN
    value = 100.0 * ratio
    text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text}.0 %" if 0.95 <= value < 100 and "." not in text else f"{text} %"


def shown_unit(unit: str) -> tuple[float, str]:
    """Return the factor to the unit in which an SI unit is shown, and that unit: seconds as ms."""
    return SCALES.get(unit, (1.0, unit))


def _scaled(value: float | None, digits: int = 3) -> tuple[str, str]:
    """Return the digits of a number, and the letter for its thousands."""
    if value is None or math.isnan(value):
        return NOT_KNOWN, ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞", ""
    for step, letter in LETTERS:
        if abs(value) >= step * (1.0 - 0.5 * 10.0**-digits):
            return _rounded(value / step, digits), letter
    return _rounded(value, digits), ""


def _rounded(value: float, digits: int) -> str:
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"


# words ----------------------------------------------------------------------------------------------------------------


def listed(words: list[str], *, most: int = 6) -> str:
    """Join words with commas and an and; the rest is counted."""
    shown = words[:most] + ([f"{len(words) - most} more"] if len(words) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def task_title(task: str) -> str:
    """Write the name of a task as its community does; one of the user's own as it is."""
    return TASKS.get(task, task)


def flag_words(
    values: np.ndarray[Any, Any],
    attributes: Mapping[str, Any],
    *,
    spaced: bool = True,
    between: str = ", ",
    nothing: str = "",
) -> np.ndarray[Any, Any]:
    """Write CF flags as their words; what is no flag stays as it is.

    Parameters
    ----------
    values : array of int
    attributes : mapping
        With ``flag_meanings`` and ``flag_values`` or ``flag_masks``.
    spaced : bool
        Spaces in place of underscores.
    between : str
        What joins the words of a bit mask.
    nothing : str
        Word for a mask without a bit.

    Examples
    --------
    >>> flags = {"flag_masks": [1, 2], "flag_meanings": "unit_off above_bound"}
    >>> flag_words(np.array([0, 2, 3]), flags, nothing="none").tolist()
    ['none', 'above bound', 'unit off, above bound']
    """
    if not {"flag_values", "flag_masks"} & set(attributes):
        return values
    names = str(attributes.get("flag_meanings", "")).split()
    words = [name.replace("_", " ") if spaced else name for name in names]
    codes, number = np.unique(values, return_inverse=True)
    if "flag_values" in attributes:
        known = dict(zip(np.atleast_1d(attributes["flag_values"]).tolist(), words, strict=True))
        texts = [known.get(code, str(code)) for code in codes.tolist()]
    else:
        bits = dict(zip(np.atleast_1d(attributes["flag_masks"]).tolist(), words, strict=True))
        texts = [between.join(word for bit, word in bits.items() if code & bit) or nothing for code in codes.tolist()]
    return np.array(texts, dtype=object)[number].reshape(values.shape)


# configurations -------------------------------------------------------------------------------------------------------


def configuration_text(row: Mapping[str, Any]) -> str:
    """Write a configuration the way tooltips and errors show it.

    Examples
    --------
    >>> configuration_text({"platform": "TX2", "mode": "maxn", "precision": "FP16", "topology": "CNV", "batch": 8})
    'TX2 maxn FP16 · CNV, batch 8'
    >>> configuration_text({"platform": "TX2", "mode": "default", "precision": "FP16", "batch": 8})
    'TX2 FP16, batch 8'
    """
    pruning = row.get("pruning", row.get("pruning_percent"))
    share = labelled_text(pruning, " %")
    mode = row["mode"] if row.get("mode") not in (None, "default") else ""
    batch = f"batch {labelled_text(row['batch'])}" if row.get("batch") is not None else ""
    parts = ((row.get("platform"), mode, row.get("precision")), (row.get("topology"), share))
    told = " · ".join(filter(None, (" ".join(str(word) for word in part if word not in (None, "")) for part in parts)))
    return ", ".join(filter(None, (told, batch)))


def labelled_text(label: Any, unit: str = "") -> str:
    """Write a label of a dim that is usually of numbers; '' for none."""
    if label is None:
        return ""
    if _reads_as_number(label):
        return f"{label:g}{unit}" if label == label else NOT_KNOWN
    return _text_of(label)


def configuration_of(point: Any, digits: Mapping[str, int] | None = None) -> str:
    """Write the labels of one point of a cube; dims with several labels left are not told."""
    labels = {name: plain_values(point[name].values)[0] for name in point.coords if point[name].size == 1}
    return labels_text(labels, point.attrs, units_of(point), digits)


def plain_values(values: np.ndarray[Any, Any]) -> list[Any]:
    """List values as Python has them; times as NumPy's, of which Python's are mere numbers of nanoseconds.

    One object stands for all that are missing: NaN equals no NaN, and as labels they are one.

    Examples
    --------
    >>> len({*plain_values(np.array([1.0, np.nan])), *plain_values(np.array([np.nan]))})
    2
    """
    given: list[Any] = list(values.ravel()) if values.dtype.kind in "mM" else values.ravel().tolist()
    return [_one_if_missing(value) for value in given] if values.dtype.kind in "fmMO" else given


def _one_if_missing(value: Any) -> Any:
    if isinstance(value, float | np.inexact) and value != value:
        return math.nan
    return MISSING[type(value)] if isinstance(value, np.datetime64 | np.timedelta64) and np.isnat(value) else value


def unit_of(cube: Any, name: str, known: str = "") -> str:
    """Return the SI unit of a variable of a cube, of tokens where each input is one; `known` where it says none.

    Examples
    --------
    >>> import xarray as xr
    >>> speed = xr.DataArray(900.0, attrs={"units": "1/s"})
    >>> unit_of(xr.Dataset({"speed": speed}), "speed"), unit_of(xr.Dataset({"speed": speed, "tokens": 1.0}), "speed")
    ('1/s', 'token/s')
    """
    return unit_for(cube, str(cube[name].attrs.get("units", known)))


def unit_for(cube: Any, unit: str) -> str:
    """Return a unit as a cube has it: of tokens where each of its inputs is one.

    Examples
    --------
    >>> import xarray as xr
    >>> unit_for(xr.Dataset({"tokens": 1.0}), "1/s"), unit_for(xr.Dataset({"tokens": 1.0}), "s")
    ('token/s', 's')
    """
    return OF_TOKENS[unit] if unit in OF_TOKENS and inputs_are_tokens(cube) else unit


def with_units_for(answer: xr.Dataset, cube: Any) -> xr.Dataset:
    """Say the units of an answer as those of the cube that was asked, of which a count or a quantile holds no tokens.

    Examples
    --------
    >>> import xarray as xr
    >>> answer = xr.Dataset({"speed": xr.DataArray(900.0, attrs={"units": "1/s"})})
    >>> with_units_for(answer, xr.Dataset({"tokens": 1.0}))["speed"].attrs
    {'units': 'token/s'}
    """
    told = answer.copy()
    for variable in told.variables.values():
        if "units" in variable.attrs:
            variable.attrs["units"] = unit_for(cube, variable.attrs["units"])
    return told


def inputs_are_tokens(cube: Any) -> bool:
    """Check whether a cube says that each input of its networks is one token, as those of a model that decodes are."""
    if "tokens" not in cube.variables:
        return False
    single = cube["tokens"] == 1
    # where there is no such network nothing is known
    known = single | cube["ops"].isnull() if "ops" in cube.variables else single
    return bool(single.any() and known.all())


def units_of(cube: Any) -> dict[str, str]:
    """Return the units of coordinates."""
    return {str(name): str(cube[name].attrs.get("units", "")) for name in cube.coords}


def distinct_texts(labels: Sequence[Any], unit: str = "", *, digits: int = FEWEST_DIGITS) -> list[str]:
    """Write labels of a dim for a reader: numbers in the unit shown, with as few digits as tell them apart.

    `digits` are the fewest: of a few labels of a dim those of `digits_apart`, which tell all of them apart.

    Examples
    --------
    >>> distinct_texts([512, 20240115]), distinct_texts([1e11, 1.001e11], "op/s"), distinct_texts(["a", "b"])
    (['512', '20240115'], ['0.1 TOP/s', '0.1001 TOP/s'], ['a', 'b'])
    """
    labels = [_one_if_missing(label) for label in labels]
    numbers = {label for label in labels if _reads_as_number(label)}
    shown = "" if unit == "1" else unit
    texts: dict[Any, str] = {}
    for needed in range(digits, MOST_DIGITS + 1):
        texts = {number: _number_text(number, shown, needed) for number in numbers}
        if len(set(texts.values())) == len(numbers):
            break
    return [texts[label] if label in numbers else _text_of(label) for label in labels]


def digits_apart(labels: np.ndarray[Any, Any]) -> int:
    """Return how many digits tell all numbers of a dim apart; those of a text where they are none.

    Examples
    --------
    >>> digits_apart(np.array([0.5, 0.25])), digits_apart(np.array([1.0004, 1.0005])), digits_apart(np.array(["a"]))
    (3, 5, 3)
    """
    if labels.dtype.kind not in "iuf":
        return FEWEST_DIGITS
    values = np.unique(labels[np.isfinite(labels)]).astype("f8")
    with np.errstate(divide="ignore"):
        powers = np.where(values == 0, 0.0, np.floor(np.log10(np.abs(values))))
    scaled = values / 10.0**powers
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        rounded = np.round(scaled, digits - 1)
        carried = np.abs(rounded) >= 10.0
        heads, orders = np.where(carried, rounded / 10.0, rounded), powers + carried
        if ((np.diff(heads) != 0) | (np.diff(orders) != 0)).all():
            return digits
    return MOST_DIGITS


def digits_along(cube: Any) -> dict[str, int]:
    """Return how many digits tell the labels of each dim of a cube apart."""
    return {str(dim): digits_apart(cube[dim].values) for dim in cube.dims if dim in cube.coords}


def _reads_as_number(label: Any) -> bool:
    # NumPy counts durations among its whole numbers
    return isinstance(label, int | float | np.number) and not isinstance(label, bool | np.timedelta64)


@lru_cache(maxsize=20_000)
def _number_text(number: Any, unit: str, digits: int) -> str:
    whole = isinstance(number, int | np.integer) or (abs(number) < WHOLE and number == int(number))
    return str(int(number)) if whole and not unit else in_shown_unit(float(number), unit, digits)


def _text_of(label: Any) -> str:
    return (moment_text(label) or NOT_KNOWN) if isinstance(label, np.datetime64 | np.timedelta64) else str(label)


def said_order(attrs: Mapping[str, Any], known: Iterable[Any]) -> list[str]:
    """Read those of some dims that the attribute `dim_order` names, in order; their names may have blanks."""
    rest, found = str(attrs.get("dim_order", "")), []
    longest_first = sorted(map(str, known), key=len, reverse=True)
    while rest:
        name = next((one for one in longest_first if f"{rest} ".startswith(f"{one} ")), None)
        found += [] if name is None else [name]
        rest = rest.partition(" ")[2] if name is None else rest[len(name) + 1 :]
    return found


def labels_text(
    labels: Mapping[str, Any],
    attrs: Mapping[str, Any],
    units: Mapping[str, str] | None = None,
    digits: Mapping[str, int] | None = None,
) -> str:
    """Write the labels of a point: the configuration, then those of own dims, with the digits that tell them apart."""
    units, digits = units or {}, digits or {}
    own = {name: labels[name] for name in said_order(attrs, labels) if name not in DIMS}
    texts = {
        name: distinct_texts([label], units.get(name, ""), digits=digits.get(name, ALONE))[0]
        for name, label in own.items()
    }
    shown = [configuration_text(labels), *(f"{name} {text or own[name]}" for name, text in texts.items())]
    return " · ".join(text for text in shown if text)


def title_of(cube: Any) -> str:
    """Name a cube: its own title, or what it predicts and whether it was measured."""
    title = str(cube.attrs.get("title") or "")
    if title and not title.startswith("Model inputs"):
        return title
    task = task_title(str(cube.attrs.get("task") or ""))
    predicted = "predicted_throughput" in cube
    measured = any(name == "n_rows" or str(name).startswith("measured_") for name in cube.data_vars)
    what = (
        "Measurements" if measured and not predicted else "Predictions and measurements" if measured else "Predictions"
    )
    return f"{what} for {task}" if task else what
