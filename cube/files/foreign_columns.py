"""Map the columns of foreign tables of measurements to the schema: names, units, constants, a known template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.forms.faults import Fault, check_no_faults
from roofcube.datasets.forms.opposites import opposite_fault
from roofcube.datasets.forms.reading import columns_of, without_blanks
from roofcube.datasets.quantities import SPARSE_PEAK, factor_of, is_sparse, spelling_in, spellings_of
from roofcube.errors import InvalidDataError, suggestion
from roofcube.files.head_units import DOUBTFUL, count_fault, unit_behind, unit_in_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from roofcube.datasets.forms.reading import Sheet

__all__ = ["UNITS", "ColumnMap", "Foreign", "Target", "is_template", "mapped_columns", "renamed_columns", "unit_of"]

Target = str | tuple[str, str] | None

# ending of a column → its unit
UNITS = {"_per_s": "1/s", "_percent": "%", "_w": "W", "_s": "s"}
IN_BRACKETS = re.compile(r"(.*\S)\s*[\[(]\s*([^\[\]()]+?)\s*[\])]")
# the contribution template of QuTiBench (Xilinx Research): 18 columns, times in ms; its others (TOP/s, level of the
# experiment, …) are kept as they are
TEMPLATE_MARKS = ("nntopology", "hwtype")
TEMPLATE: dict[str, Target] = {
    "nntopology": "topology",
    "hwtype": "platform",
    "precision": "precision",
    "opmode": "mode",
    "batchthreadstream": "batch",
    "latcomp": ("latency_compute_s", "ms"),
    "latsystem": ("latency_system_s", "ms"),
    "latsys": ("latency_system_s", "ms"),
    "fpscomp": "throughput_compute_per_s",
    "fpssystem": "throughput_system_per_s",
    "top1": ("top1_percent", "%"),
    "top5": ("top5_percent", "%"),
    "basepwr": ("power_base_w", "W"),
    "idlepwr": ("power_idle_w", "W"),
    "fullpwr": ("power_full_w", "W"),
    "pruningfactor": "pruning_percent",
}
TEMPLATE_OTHERS = ("tpcomp", "tpsystem", "tpsys", "gops", "level")
SLIP = 0.7  # share of letters in common from which a name is taken for a slip of a figure of the template


@dataclass(frozen=True)
class ColumnMap:
    """What the user says of a foreign table: its columns, their units, and what holds for all rows."""

    columns: Mapping[str, Target]
    units: Mapping[str, str]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, columns: Any, units: Any, constants: Any) -> ColumnMap:
        """Check the kinds of the three arguments."""
        for what, given, example in (
            ("columns", columns, '{"model": "topology", "step_time": ("latency_compute_s", "ms")}'),
            ("units", units, '{"latency_compute_s": "ms"}'),
            ("constants", constants, '{"platform": "my board"}'),
        ):
            if given is not None and not hasattr(given, "items"):
                msg = f"`{what}`: expected a mapping, got {given!r:.60}; write it like {example}"
                raise InvalidDataError(msg)
        for name, target in dict(columns or {}).items():
            pair = isinstance(target, tuple | list) and len(target) == 2 and all(isinstance(one, str) for one in target)
            if not (target is None or isinstance(target, str) or pair):
                msg = (
                    f"`columns[{name!r}]`: expected the name of a column, a name with a unit, or None, got {target!r}; "
                    'write it like ("latency_compute_s", "ms")'
                )
                raise InvalidDataError(msg)
        return cls(dict(columns or {}), dict(units or {}), dict(constants or {}))


@dataclass(frozen=True)
class Foreign:
    """A table in the columns of the schema, and how it came to them.

    Attributes
    ----------
    sheet : Sheet
    factors : dict
        From the unit of the values to that of the column.
    names : dict
        What the file calls a column of the schema that it calls otherwise.
    kept : set
        Columns that are to be kept as they are, whatever they look like.
    faults : list of Fault
    template : bool
        Whether it is the community template.
    """

    sheet: Sheet
    factors: dict[str, float]
    names: dict[str, str]
    kept: frozenset[str]
    faults: list[Fault]
    template: bool


def mapped_columns(sheet: Sheet, given: ColumnMap) -> Foreign:
    """Rename the columns of a table to those of the schema; what was said of columns that it lacks is a fault."""
    frame = without_blanks(sheet.frame)
    present = frame.columns
    targets, faults = _said(given, present)
    named: dict[str, Target] = {name: target for name, target in targets.items() if target is not None}
    for name, target in _understood(present, given).items():
        column = _known_column(target)
        if name not in targets and column not in {_known_column(one) for one in named.values()}:
            # what the user says of a unit goes before what the head or the template does
            named[name] = column if {name, column} & set(given.units) else target
    if is_template(present):
        faults += _template_slips([name for name in present if name not in {*named, *targets}], named, present)
    renamed = {name: _known_column(target) for name, target in named.items()}
    moved = _moved([name for name, target in targets.items() if target is None], renamed, present)
    faults += _clashes(renamed, [name for name in present if name not in moved])
    factors: dict[str, float] = {}
    for name, target in named.items():
        if _known_column(target) in columns_of(schema.Measurement):
            faults += _add_factor(factors, name, target, given.units)
    faults += _units_of_others(factors, given.units, renamed, [*present, *given.constants])
    final = {name: column for name, column in renamed.items() if list(renamed.values()).count(column) == 1}
    final = {name: column for name, column in final.items() if column in (name, *moved) or column not in present}
    frame = frame.rename(final | moved)
    for name, value in given.constants.items():
        if name in frame.columns:
            faults.append(Fault(None, name, f"column {name!r} is in the table and in `constants`; leave it out of one"))
        elif value is None or isinstance(value, str | bool | int | float) or getattr(value, "ndim", None) == 0:
            frame = frame.with_columns(pl.lit(value).alias(name))
        else:
            faults.append(
                Fault(None, name, f"`constants[{name!r}]`: expected one text or number, got {value!r:.60}; give one")
            )
    kept = frozenset(moved.get(name, name) for name, target in targets.items() if target is None)
    names = {column: name for name, column in final.items() if column != name}
    return Foreign(sheet.with_frame(frame), factors, names, kept, faults, is_template(present))


def renamed_columns(
    sheet: Sheet, columns: Mapping[str, Target] | None, *, source: str, units: Mapping[str, str] | None = None
) -> Sheet:
    """Rename columns of a foreign table as the user says, and leave out those mapped to None.

    `units` are those of columns for which another may be said; a column of no type holds no plain numbers.

    Raises
    ------
    InvalidDataError
        Naming all that the table lacks and all that has two meanings then.
    """
    given = ColumnMap.of(columns, None, None).columns
    frame = without_blanks(sheet.frame)
    faults = []
    for name, target in given.items():
        if name not in frame.columns:
            near = suggestion(name, frame.columns)
            faults.append(Fault(None, name, f"`columns`: there is no column {name!r}{near}; give names of the table"))
        if _known_column(target).startswith("peak_compute") and is_sparse(str(name)):
            faults.append(Fault(None, name, f"`columns`: {name!r} says sparse; {SPARSE_PEAK}, and rename it"))
        elif opposite := opposite_fault(str(name), _known_column(target)):
            faults.append(Fault(None, name, f"`columns`: {opposite}, and rename it"))
        elif isinstance(target, tuple | list):
            faults += _other_unit(name, *target, units or {})
        elif target is not None and units:
            plain = name in frame.columns and frame.schema[name] != pl.Null
            faults += _unit_fault(name, target, units.get(target, "")) if plain else []
        elif target is not None and (count := count_fault(name, target)):
            faults.append(Fault(None, name, f"`columns`: {count}"))
    renamed = {name: _known_column(target) for name, target in given.items() if target is not None}
    faults += _clashes(renamed, [name for name in frame.columns if given.get(name, name) is not None])
    check_no_faults(faults, source=source, header=sheet.header)
    left_out = [name for name, target in given.items() if target is None]
    return sheet.with_frame(frame.drop(left_out).rename(renamed))


def _other_unit(name: str, column: str, unit: str, units: Mapping[str, str]) -> list[Fault]:
    """Check that a column may have another unit, and that this is one of it."""
    if not units:
        text = f"expected a name, got {(column, unit)!r}; the names of quantities say their units"
    elif column not in units:
        text = f"{column!r} has no unit, got {unit!r}; leave it out"
    elif factor_of(units[column], unit) is None:
        spelt = ", ".join(spellings_of(units[column])[:12])
        text = f"{unit!r} is no unit of {column!r}; expected one of {spelt}, …, with or without a prefix"
    else:
        return []
    return [Fault(None, name, f"`columns[{name!r}]`: {text}")]


def is_template(columns: Iterable[str]) -> bool:
    """Tell the community template by its first columns."""
    bare = set(map(_bare, columns))
    return all(mark in bare for mark in TEMPLATE_MARKS)


def unit_of(column: str) -> str:
    """Return the unit of a column of the schema; empty where it has none."""
    return next((unit for ending, unit in UNITS.items() if column.endswith(ending)), "")


def _known_column(target: Target) -> str:
    return target if isinstance(target, str) else target[0] if target else ""


def _said(given: ColumnMap, present: list[str]) -> tuple[dict[str, Target], list[Fault]]:
    """Take what the user says of the columns that are there."""
    known = columns_of(schema.Measurement)
    targets: dict[str, Target] = {}
    faults = []
    for name, target in given.columns.items():
        column = _known_column(target)
        if name not in present:
            turned = column in present and name in known
            do = f"write it the other way round, {{{column!r}: {name!r}}}" if turned else "give names of the table"
            faults.append(Fault(None, name, f"`columns`: there is no column {name!r}{suggestion(name, present)}; {do}"))
        elif target is not None and column not in known:
            if _is_own(name, target, given.units):
                targets[name] = target
                continue
            whole = next((one for one in known if one.startswith(f"{column}_")), "")
            near = f"; did you mean {whole!r}?" if whole else suggestion(column, known)
            text = (
                f"`columns[{name!r}]`: {column!r} is not known{near}; expected one of "
                f"{', '.join(known)}, a plain name of your own, or None to keep it as it is"
            )
            faults.append(Fault(None, name, text))
            targets[name] = None
        else:
            targets[name] = target
    return targets, faults


def _is_own(name: str, target: Target, units: Mapping[str, str]) -> bool:
    """Tell a name of the user's own, such as that of a dim of a cube, from a slip of a column of the schema."""
    known = columns_of(schema.Measurement)
    plain = isinstance(target, str) and target.isidentifier() and not {name, target} & set(units)
    return plain and not suggestion(target, known) and not any(one.startswith(f"{target}_") for one in known)


def _understood(present: list[str], given: ColumnMap) -> dict[str, Target]:
    """Name the columns that need no mapping: other capitals, units in brackets, the known template."""
    known = columns_of(schema.Measurement)
    template = is_template(present)
    understood: dict[str, Target] = {}
    for name in present:
        if name in known or name in given.constants:
            continue
        plain = re.sub(r"[^a-z0-9]+", "_", _without_unit(name).casefold()).strip("_")
        unit = IN_BRACKETS.fullmatch(name)
        whole = next((one for one in known if one in [plain + ending for ending in ("", *UNITS)] and unit_of(one)), "")
        if template and (target := _of_template(name)) is not None:
            understood[name] = target
        elif unit and whole and (spelt := _sure_unit(unit_of(whole), unit[2])):
            understood[name] = (whole, spelt)
        elif plain in known and not unit:
            understood[name] = plain
    return {name: target for name, target in understood.items() if _known_column(target) not in present}


def _sure_unit(own: str, written: str) -> str | None:
    """Spell a unit in brackets; None where it is none of `own`, or may be a word about the figure: a minimum."""
    if written.casefold() in DOUBTFUL:
        return None
    return spelling_in(own, written) if own == "s" else written if factor_of(own, written) is not None else None


def _of_template(name: str) -> Target:
    """Find what a column of the template is, which may say another unit than the template's own; None of any other."""
    bare, unit = _bare(name), IN_BRACKETS.fullmatch(name)
    if bare in TEMPLATE:
        target = TEMPLATE[bare]
        own = unit_of(_known_column(target))
        if not unit or not own:
            return target
        doubtful = unit[2].casefold() in DOUBTFUL
        return None if doubtful else (_known_column(target), _sure_unit(own, unit[2]) or unit[2])
    for known, target in TEMPLATE.items():
        column = _known_column(target)
        behind = unit_behind(name, list(known), unit_of(column)) if unit_of(column) else None
        if behind is not None and behind.factor is not None:
            return column, behind.written
    return None


def _template_slips(names: list[str], named: Mapping[str, Target], present: list[str]) -> list[Fault]:
    """Find columns that look like a figure of the template that the table lacks."""
    spoken = {*present, *map(_known_column, named.values())}
    figures = {bare: target for bare, target in TEMPLATE.items() if unit_of(_known_column(target))}
    absent = {bare: _known_column(target) for bare, target in figures.items() if _known_column(target) not in spoken}
    faults = []
    for name in names:
        near = get_close_matches(_bare(name), absent, n=1, cutoff=SLIP) if _bare(name) not in TEMPLATE_OTHERS else []
        if near and name not in columns_of(schema.Measurement):
            text = (
                f"column {name!r} is none of the template's; it seems to be {absent[near[0]]!r}; map it with columns=, "
                "its unit too, or to None to keep it as it is"
            )
            faults.append(Fault(None, name, text))
    return faults


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", _without_unit(name).casefold())


def _without_unit(name: str) -> str:
    parts = IN_BRACKETS.fullmatch(name)
    return parts[1] if parts else name


def _moved(kept: list[str], renamed: Mapping[str, str], present: list[str]) -> dict[str, str]:
    """Name columns otherwise that are to be kept, and whose name another is mapped to."""
    moved: dict[str, str] = {}
    for name in kept:
        whole = name
        while whole in renamed.values() or (whole != name and whole in present):
            whole = f"given_{whole}"
        if whole != name:
            moved[name] = whole
    return moved


def _clashes(renamed: dict[str, str], present: list[str]) -> list[Fault]:
    faults = []
    for name, column in renamed.items():
        others = [one for one, other in renamed.items() if other == column and one != name]
        if others and name < min(others):
            faults.append(
                Fault(None, name, f"`columns`: {name!r} and {others[0]!r} are both mapped to {column!r}; map one")
            )
        if column != name and column in present and column not in renamed:
            text = f"`columns`: {name!r} is mapped to {column!r}, which is in the table too; map one of them to None"
            faults.append(Fault(None, name, text))
    return faults


def _add_factor(factors: dict[str, float], name: str, target: Target, units: Mapping[str, str]) -> list[Fault]:
    """Find the factor to the unit of a column; a unit in the foreign name that nobody speaks of is a fault."""
    column = _known_column(target)
    if opposite := opposite_fault(name, column):
        return [Fault(None, name, f"`columns`: {opposite}, and rename it")]
    said = {target[1]} if isinstance(target, tuple | list) else set()
    said |= {units[one] for one in (name, column) if one in units}
    if len(said) > 1:
        return [Fault(None, name, f"`units`: {name!r} has the units {' and '.join(sorted(map(repr, said)))}; say one")]
    if not said:
        return _unit_fault(name, column, unit_of(column))
    return _unit_factor(factors, column, said.pop())


def _unit_fault(name: str, column: str, own: str) -> list[Fault]:
    """Find a unit in a head that is not that of the column, `own`, which is empty where it has none."""
    unit = unit_in_head(name, own) if own else None
    if unit is None or unit.factor == 1.0:
        return []
    if unit.factor is None:
        text = f'{unit.written!r}, no known unit of {column!r}; bring its values to {own}, say ("{column}", "{own}")'
    else:
        text = f'{unit.written}, {column!r} is in {own}; say its unit: ("{column}", "{unit.written}")'
    return [Fault(None, name, f"`columns`: {name!r} seems to be in {text}")]


def _unit_factor(factors: dict[str, float], column: str, unit: str) -> list[Fault]:
    own = unit_of(column)
    if not own:
        return [Fault(None, column, f"`units`: {column!r} has no unit, got {unit!r}; leave it out")]
    factor = factor_of(own, unit) if isinstance(unit, str) else None
    if factor is None:
        spelt = ", ".join(spellings_of(own)[:12])
        return [
            Fault(
                None,
                column,
                f"`units`: {unit!r} is no unit of {column!r}; expected one of {spelt}, …, with or without a prefix",
            )
        ]
    factors[column] = factor
    return []


def _units_of_others(
    factors: dict[str, float], units: Mapping[str, str], renamed: Mapping[str, str], present: list[str]
) -> list[Fault]:
    """Find the factors of columns that need no other name."""
    faults = []
    spoken = {*renamed, *renamed.values()}
    for name, unit in units.items():
        if name in spoken:
            continue
        if name not in present:
            near = suggestion(name, [*present, *renamed.values()])
            text = f"`units`: there is no column {name!r}{near}; give names of the table"
            faults.append(Fault(None, name, text))
        elif name not in columns_of(schema.Measurement):
            text = f"`units`: {name!r} is kept as it is; say in `columns` what it is, or leave it out"
            faults.append(Fault(None, name, text))
        else:
            faults += _unit_factor(factors, name, unit)
    return faults
