"""Validate a user's own platforms: entries of a file or rows of a table, with units, sources and physical ranges."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.aliases import canonical, plain_label
from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.faults import FROM_ZERO, MOST, all_in_one
from roofcube.datasets.forms.fields import MISSING
from roofcube.datasets.forms.reading import columns_of, model_of
from roofcube.datasets.quantities import (
    QUANTITIES,
    SPARSE_PEAK,
    factor_of,
    is_sparse,
    number_of,
    range_fault,
    spelling_in,
)
from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SOURCES", "check_platform_keys", "device_class_of", "platform_table", "structure_of"]

# how a quantity may be called too: as in cubes
NAMES = {name: one.column for name, one in QUANTITIES.items()}
COLUMNS = {one.column: name for name, one in QUANTITIES.items()}
# the column that holds where a number is from, by variable
SOURCES = {name: f"{name}_source" for name in QUANTITIES}
KEY = ("platform", "mode", "precision")
# what a platform has once, whatever its modes and precisions
OF_PLATFORM = ("device_class", "family", "board", "cores", "channel_tile", "weights_shared", "dataflow")
FLAGS = ("weights_shared", "dataflow")
# what stands where nothing is said of a platform; its family is its name
UNSAID: dict[str, Any] = {"cores": 1, "channel_tile": 1, "weights_shared": True, "dataflow": False}
LABELS = ("platform", "mode", "family", "board")
DENSE = re.compile(r"dense|hal[fv]|[/÷]\s*2", re.IGNORECASE)  # a source that says how it comes from the sparse peak
BANDWIDTH = "memory_bandwidth_b_per_s"
UNKNOWN = ("not known", "unknown")  # what a bandwidth is that nobody publishes, where a format has no empty value


def platform_table(
    entries: Sequence[Mapping[str, Any]], *, source: str, each: str, numbers: Sequence[int] | None = None
) -> pl.DataFrame:
    """Validate platforms, a mapping for each platform, mode and precision.

    Parameters
    ----------
    entries : sequence of mappings
        Columns of `roofcube.datasets.load_platforms`, or names of variables. A number may be text with its unit, or
        ``{"value": …, "source": …}``.
    source : str
        Where they are from, for errors and the column `source`.
    each : str
        What an entry is called in errors: ``[[platform]]``, which are counted from 1, or ``row``.
    numbers : sequence of int, optional
        Lines of a text file behind rows; else those are counted from 0, and errors say so.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidDataError
        Naming source, entry, key, value and the fix, for all that is wrong.
    """
    check_not_forked()
    if not entries:
        msg = f"{source}: expected at least one {each}, got none; see read_platforms"
        raise InvalidDataError(msg)
    rows, faults = [], []
    said: dict[str, dict[str, tuple[Any, str]]] = {}
    unknown: set[str] = set()
    places = _entry_places(source, each, len(entries), numbers)
    for where, entry in zip(places, entries, strict=True):
        row, wrong = _platform_row(entry, where, source, unknown)
        if not wrong:
            rows.append(row)
            wrong = _contradictions(said.setdefault(row["platform"], {}), row, entry, where)
        faults += wrong
    if faults:
        raise InvalidDataError(all_in_one(faults, source=source))
    for row in rows:
        row |= {column: value for column, (value, _) in said[row["platform"]].items()}
    for column in SOURCES.values():
        if all(not row.get(column) for row in rows):
            for row in rows:
                row.pop(column, None)
    table = pl.DataFrame(rows, infer_schema_length=None)
    check_platform_keys([(source, table, places)], what=source)
    return table


def _entry_places(source: str, each: str, count: int, numbers: Sequence[int] | None) -> list[str]:
    """Name entries for errors."""
    if each != "row":
        numbers = range(1, count + 1)
    elif numbers is None:
        source, numbers = source + FROM_ZERO, range(count)
    return [f"{source}, {each} {number}" for number in numbers]


def _contradictions(
    said: dict[str, tuple[Any, str]], row: Mapping[str, Any], entry: Mapping[str, Any], where: str
) -> list[str]:
    """Keep what an entry says of its platform as a whole, and tell where another one said something else."""
    faults = []
    for column in OF_PLATFORM:
        if entry.get(column) is None:
            continue
        value, place = said.setdefault(column, (row[column], where))
        if value != row[column]:
            faults.append(
                f"{where}, key {column!r}: got {row[column]!r}, but {place} says {value!r} of {row['platform']!r}; a "
                "platform has one in all its modes and precisions: give another name, or correct one"
            )
    return faults


def check_platform_keys(tables: Sequence[tuple[str, pl.DataFrame, Sequence[str]]], *, what: str) -> None:
    """Raise where a platform is given twice in one mode at one precision, or is said to be two things.

    Parameters
    ----------
    tables : sequence of (origin, DataFrame, places)
        What the error calls each table, and each of its rows.
    what : str
        What the error begins with.
    """
    seen: dict[tuple[Any, ...], str] = {}
    for _, table, places in tables:
        for place, key in zip(places, table.select(KEY).iter_rows(), strict=True):
            if key in seen:
                told = ", ".join(f"{name}={label!r}" for name, label in zip(KEY, key, strict=True))
                msg = (
                    f"{what}: got the same key twice ({told}), from {seen[key]} and from {place}; give one another "
                    "name or mode, or leave one out"
                )
                raise InvalidDataError(msg)
            seen[key] = place
    for column in ("device_class", "family", *UNSAID):
        _check_same(tables, column, what=what)


def _check_same(tables: Sequence[tuple[str, pl.DataFrame, Sequence[str]]], column: str, *, what: str) -> None:
    """Raise where two tables say something else of one platform."""
    values: dict[str, tuple[Any, str]] = {}
    for origin, table, _ in tables:
        said = table.filter(_is_said(column)) if column in table.columns else table.clear()
        for platform, value in said.select("platform", column).unique(maintain_order=True).iter_rows():
            other, there = values.setdefault(platform, (value, origin))
            if other != value:
                msg = (
                    f"{what}: {platform!r} has the {column} {other!r} in {there} and {value!r} in {origin}; correct "
                    "one, or give one another name"
                )
                raise InvalidDataError(msg)


def _is_said(column: str) -> pl.Expr:
    """Tell where a column holds something else than what stands where nothing is said."""
    if column == "device_class":
        return pl.col(column).is_not_null()
    return pl.col(column) != (pl.col("platform") if column == "family" else pl.lit(UNSAID[column]))


def structure_of(table: pl.DataFrame) -> pl.DataFrame:
    """Return a row a platform: what any row says of it as a whole."""
    columns = ("device_class", "family", *UNSAID)
    said = (pl.col(column).filter(_is_said(column)).first() for column in columns)
    either = (pl.coalesce(one, pl.col(column).first()) for one, column in zip(said, columns, strict=True))
    return table.group_by("platform", maintain_order=True).agg(*either)


def _platform_row(entry: Any, where: str, source: str, unknown: set[str]) -> tuple[dict[str, Any], list[str]]:
    """Validate one entry against both halves of the platform schema; return its row, and all that is wrong."""
    if not hasattr(entry, "items"):
        return {}, [f"{where}: expected keys and values, got {entry!r:.60}; see read_platforms"]
    offered, structure = set(columns_of(schema.Platform)), set(columns_of(schema.PlatformStructure))
    given, faults = _known_keys(entry, {*offered, *structure, "source", *SOURCES.values()}, where, unknown)
    told = str(given.pop("source", "") or "")
    sources = {column: given.pop(column, None) for column in SOURCES.values()}
    absent = {
        column: given[column]
        for column in COLUMNS
        if isinstance(given.get(column), str) and given[column].strip().casefold() in MISSING
    }
    given |= dict.fromkeys(absent)
    if BANDWIDTH in given and (given[BANDWIDTH] is None or str(given[BANDWIDTH]).strip().casefold() in UNKNOWN):
        given[BANDWIDTH] = None
    wrong = set()
    for column, name in COLUMNS.items():
        if given.get(column) is not None:
            try:
                given[column], own = _checked_number(name, given[column], f"{where}, key {column!r}")
            except InvalidDataError as error:
                faults.append(str(error))
                wrong.add(column)
                continue
            # a table that was read before names its file in `source`
            sources[SOURCES[name]] = own or sources[SOURCES[name]] or (told if told != source else None)
    said = str(sources[SOURCES["peak_compute"]] or "")
    if is_sparse(said) and not DENSE.search(said):
        faults.append(f"{where}, key 'peak_compute_source': {said!r:.60} says sparse; {SPARSE_PEAK}, and say so")
    given = {column: plain_label(value) if isinstance(value, str) else value for column, value in given.items()}
    # a number that is a label, as rows have it too
    given |= {name: str(given[name]) for name in LABELS if type(given.get(name)) is int}
    for column, value in given.items():
        if isinstance(value, bool) and column not in (*FLAGS, *wrong):
            faults.append(f"{where}, key {column!r}: expected no true or false, got {value!r}; correct it")
            wrong.add(column)
    labels, misspelt = _resolved_labels(given, where)
    row, invalid = _validated(labels, given, offered, structure, where, wrong, absent)
    return {**row, "source": source, **sources}, list(dict.fromkeys([*faults, *misspelt, *invalid]))


def _known_keys(
    entry: Mapping[str, Any], known: set[str], where: str, unknown: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return values by column, and the keys that are there twice or not known, each key that nobody told before."""
    given: dict[str, Any] = {}
    faults = []
    for key, value in entry.items():
        column = NAMES.get(key, key)
        if column not in known and key not in unknown:
            unknown.add(key)
            united = _with_unit(str(key), value)
            near = suggestion(key, sorted(known | set(NAMES))) if len(unknown) <= MOST and not united else ""
            listed = f"expected {', '.join(sorted(known))}"
            fix = united or f"say with columns= what it is, or None to leave it out; {listed}"
            faults.append(f"{where}, key {key!r}: not known{near}; {fix}")
        elif column not in known:
            continue
        elif column in given:
            faults.append(f"{where}, key {key!r}: got {column!r} twice, in two spellings; keep one")
        else:
            given[column] = value
    return given, faults


def _with_unit(key: str, value: Any) -> str:
    """Say how a quantity is given whose key holds a unit, such as `power (mW)`; empty where it is none."""
    plain = key.strip().casefold()
    name = next((one for one in sorted(QUANTITIES, key=len, reverse=True) if plain.startswith(one)), "")
    rest = key.strip()[len(name) :].strip(" _,:") if name else ""
    word = rest.strip("()[] ")
    if not word:
        return ""
    own = QUANTITIES[name].unit
    # whether gb means bits or bytes is not guessed
    spelt = word if own.startswith("B") else spelling_in(own, word)
    unit = spelt if spelt and factor_of(own, spelt) else None
    if unit is None and rest[0] not in "([":
        return ""
    example = f'"{value} {unit}"' if unit is not None else "its unit"
    return f"a unit stands beside its number: call it {name!r} and write {example}, or a number in {own}"


def _checked_number(name: str, value: Any, where: str) -> tuple[Any, str | None]:
    """Read a number with its unit and source, and judge whether it is physical."""
    own = None
    if isinstance(value, dict):
        odd = next((key for key in value if key not in ("value", "source")), None)
        if odd is not None or "value" not in value:
            got = ", ".join(map(str, value)) or "(none)"
            msg = f'{where}: expected the keys value and source, got {got}; write {{value = …, source = "…"}}'
            raise InvalidDataError(msg)
        own = str(value.get("source", "")) or None
        value = value["value"]
    number = number_of(name, value, where=where)
    if isinstance(number, int | float) and not isinstance(number, bool):
        fault = range_fault(name, float(number))
        if fault:
            msg = f"{where}: {fault}"
            raise InvalidDataError(msg)
    return number, own


def _resolved_labels(given: dict[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """Resolve spellings; a platform keeps its name, a class that looks misspelt is told."""
    told = {key: value for key, value in given.items() if value is not None or key == BANDWIDTH}
    labels = {"family": given.get("platform"), "executed_precision": given.get("precision"), **told}
    for key in ("precision", "executed_precision", "mode"):
        if isinstance(labels.get(key), str):
            labels[key] = canonical(key, labels[key])
    kind, faults = labels.get("device_class"), []
    if isinstance(kind, str):
        labels["device_class"], fault = device_class_of(kind)
        if fault:
            faults.append(f"{where}, key 'device_class': {fault}")
    return {key: value for key, value in labels.items() if value is not None or key == BANDWIDTH}, faults


def device_class_of(kind: str) -> tuple[str, str]:
    """Return a class in its usual spelling, and what is wrong where it looks like a slip of a known one."""
    folded = {one.casefold(): one for one in schema.DEVICE_CLASSES}
    plain = kind.strip()
    if plain.casefold() in folded:
        return folded[plain.casefold()], ""
    near = get_close_matches(plain.casefold(), folded, n=1, cutoff=0.8) if len(plain) > 3 else []
    if not near:
        return plain, ""
    known = ", ".join(schema.DEVICE_CLASSES)
    fault = f"got {kind!r}, which looks like {folded[near[0]]!r}; write that, or a name of its own (known: {known})"
    return plain, fault


def _validated(
    labels: dict[str, Any],
    given: dict[str, Any],
    offered: set[str],
    structure: set[str],
    where: str,
    wrong: set[str],
    absent: Mapping[str, str],
) -> tuple[dict[str, Any], list[str]]:
    """Validate an entry by both schemas; return its row, and what is wrong but for columns of which it was told."""
    from pydantic import ValidationError

    row: dict[str, Any] = {}
    faults = []
    # a bandwidth may be empty, but must not be forgotten
    kind = schema.ListedPlatform if BANDWIDTH in labels else schema.Platform
    for model, columns in ((kind, offered), (schema.PlatformStructure, structure)):
        try:
            valid = model_of(model).model_validate({key: value for key, value in labels.items() if key in columns})
            row |= valid.model_dump()
        except ValidationError as error:
            # what a platform executes is its precision where nothing else is said, and its family its name
            derived = {"executed_precision", "family"}.difference(key for key in given if given[key] is not None)
            wrongs = [one for one in error.errors() if one["loc"][0] not in {*wrong, *derived}]
            faults += [_fault_text(one, where, absent.get(str(one["loc"][0]), "").strip()) for one in wrongs]
    return row, faults


def _fault_text(error: Any, where: str, absent: str) -> str:
    key = str(error["loc"][0])
    nothing = f"{absent!r}, which stands for nothing" if absent else "nothing"
    got = nothing if error["type"] == "missing" else repr(error["input"])
    near = suggestion(error["input"], get_args(schema.Precision)) if error["type"] == "literal_error" else ""
    if key == BANDWIDTH and error["type"] == "missing":
        near = f"; write {UNKNOWN[0]!r} where nobody publishes it"
    return f"{where}, key {key!r}: got {got}; {error['msg'][0].lower()}{error['msg'][1:]}{near}"
