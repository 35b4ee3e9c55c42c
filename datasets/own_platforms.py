"""Validate a user's own platforms: entries of a file or rows of a table, with units, sources and physical ranges."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.aliases import canonical
from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.faults import all_in_one
from roofcube.datasets.forms.reading import columns_of, model_of
from roofcube.datasets.quantities import QUANTITIES, number_of, range_fault
from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SOURCES", "check_platform_keys", "platform_table"]

# how a quantity may be called too: as in cubes
NAMES = {name: one.column for name, one in QUANTITIES.items()}
COLUMNS = {one.column: name for name, one in QUANTITIES.items()}
# the column that holds where a number is from, by variable
SOURCES = {name: f"{name}_source" for name in QUANTITIES}
KEY = ("platform", "mode", "precision")
BANDWIDTH = "memory_bandwidth_b_per_s"
UNKNOWN = ("not known", "unknown")  # what a bandwidth is that nobody publishes, where a format has no empty value


def platform_table(entries: Sequence[Mapping[str, Any]], *, source: str, each: str) -> pl.DataFrame:
    """Validate platforms, a mapping for each platform, mode and precision.

    Parameters
    ----------
    entries : sequence of mappings
        Columns of `roofcube.datasets.load_platforms`, or names of variables. A number may be text with its unit, or
        ``{"value": …, "source": …}``.
    source : str
        Where they are from, for errors and the column `source`.
    each : str
        What an entry is called in errors, such as ``[[platform]]``.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidDataError
        Naming source, entry, key, value and the fix, the first fault of every entry.
    """
    check_not_forked()
    if not entries:
        msg = f"{source}: expected at least one {each}, got none; see read_platforms"
        raise InvalidDataError(msg)
    rows, faults = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            rows.append(_platform_row(entry, f"{source}, {each} {number}", source))
        except InvalidDataError as error:
            faults.append(str(error))
    if faults:
        raise InvalidDataError(all_in_one(faults, source=source))
    for column in SOURCES.values():
        if all(not row.get(column) for row in rows):
            for row in rows:
                row.pop(column, None)
    table = pl.DataFrame(rows, infer_schema_length=None)
    check_platform_keys([(source, table)], what=source)
    return table


def check_platform_keys(tables: Sequence[tuple[str, pl.DataFrame]], *, what: str) -> None:
    """Raise where a platform is given twice in one mode at one precision.

    Parameters
    ----------
    tables : sequence of (origin, DataFrame)
        Origins are named in the error.
    what : str
        What the error begins with.
    """
    places: dict[tuple[Any, ...], str] = {}
    for origin, table in tables:
        for number, key in enumerate(table.select(KEY).iter_rows(), start=1):
            place = f"{origin} (entry {number})"
            if key in places:
                told = ", ".join(f"{name}={label!r}" for name, label in zip(KEY, key, strict=True))
                msg = (
                    f"{what}: got the same key twice ({told}), from {places[key]} and from {place}; give one another "
                    "name or mode, or leave one out"
                )
                raise InvalidDataError(msg)
            places[key] = place


def _platform_row(entry: Mapping[str, Any], where: str, source: str) -> dict[str, Any]:
    """Validate one entry against both halves of the platform schema."""
    if not hasattr(entry, "items"):
        msg = f"{where}: expected keys and values, got {entry!r:.60}; see read_platforms"
        raise InvalidDataError(msg)
    offered, structure = set(columns_of(schema.Platform)), set(columns_of(schema.PlatformStructure))
    known = {*offered, *structure, "source", *SOURCES.values()}
    given: dict[str, Any] = {}
    for key, value in entry.items():
        column = NAMES.get(key, key)
        if column not in known:
            near = suggestion(key, sorted(known | set(NAMES)))
            msg = f"{where}, key {key!r}: not known{near}; expected {', '.join(sorted(known))}"
            raise InvalidDataError(msg)
        if column in given:
            msg = f"{where}, key {key!r}: got {column!r} twice, in two spellings; keep one"
            raise InvalidDataError(msg)
        given[column] = value
    told = str(given.pop("source", "") or "")
    sources = {column: given.pop(column, None) for column in SOURCES.values()}
    if BANDWIDTH in given and (given[BANDWIDTH] is None or str(given[BANDWIDTH]).strip().casefold() in UNKNOWN):
        given[BANDWIDTH] = None
    for column, name in COLUMNS.items():
        if given.get(column) is not None:
            given[column], own = _checked_number(name, given[column], f"{where}, key {column!r}")
            # a table that was read before names its file in `source`
            sources[SOURCES[name]] = own or sources[SOURCES[name]] or (told if told != source else None)
    given = _resolved_labels(given, where)
    row = _validated(given, offered, structure, where)
    return {**row, "source": source, **sources}


def _checked_number(name: str, value: Any, where: str) -> tuple[Any, str | None]:
    """Read a number with its unit and source, and judge whether it is physical."""
    own = None
    if isinstance(value, dict):
        odd = next((key for key in value if key not in ("value", "source")), None)
        if odd is not None or "value" not in value:
            got = ", ".join(value) or "(none)"
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


def _resolved_labels(given: dict[str, Any], where: str) -> dict[str, Any]:
    """Resolve spellings; a platform keeps its name, a class that looks misspelt is refused."""
    told = {key: value for key, value in given.items() if value is not None or key == BANDWIDTH}
    labels = {"family": given.get("platform"), "executed_precision": given.get("precision"), **told}
    for key in ("precision", "executed_precision", "mode"):
        if isinstance(labels.get(key), str):
            labels[key] = canonical(key, labels[key])
    kind = labels.get("device_class")
    if isinstance(kind, str):
        labels["device_class"] = _device_class(kind.strip(), where)
    return {key: value for key, value in labels.items() if value is not None or key == BANDWIDTH}


def _device_class(kind: str, where: str) -> str:
    folded = {one.casefold(): one for one in schema.DEVICE_CLASSES}
    if kind.casefold() in folded:
        return folded[kind.casefold()]
    near = get_close_matches(kind.casefold(), folded, n=1, cutoff=0.8) if len(kind) > 3 else []
    if near:
        msg = (
            f"{where}, key 'device_class': got {kind!r}, which looks like {folded[near[0]]!r}; write that, or a name "
            f"of its own (known: {', '.join(schema.DEVICE_CLASSES)})"
        )
        raise InvalidDataError(msg)
    return kind


def _validated(given: dict[str, Any], offered: set[str], structure: set[str], where: str) -> dict[str, Any]:
    from pydantic import ValidationError

    try:
        # a bandwidth may be empty, but must not be forgotten
        kind = schema.ListedPlatform if BANDWIDTH in given else schema.Platform
        platform = model_of(kind).model_validate({key: value for key, value in given.items() if key in offered})
        inside = model_of(schema.PlatformStructure).model_validate(
            {key: value for key, value in given.items() if key in structure}
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        got = "nothing" if first["type"] == "missing" else repr(first["input"])
        near = suggestion(first["input"], get_args(schema.Precision)) if first["type"] == "literal_error" else ""
        if key == BANDWIDTH and first["type"] == "missing":
            near = f"; write {UNKNOWN[0]!r} where nobody publishes it"
        msg = f"{where}, key {key!r}: got {got}; {first['msg'][0].lower()}{first['msg'][1:]}{near}"
        raise InvalidDataError(msg) from None
    return {**platform.model_dump(), **inside.model_dump()}
