"""The tables of a page: best choices, counts, the physics gate, corrections, rows without a cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.labels import is_judged, whole_flags
from roofcube.model.made import EXTRAPOLATES
from roofcube.page.content import Table
from roofcube.page.selection import MANY, figures_of_merit
from roofcube.sweep.low_ends import EXPECTED, at_low_ends, has_intervals
from roofcube.sweep.questions import best
from roofcube.vocabulary import FINDINGS, IMPOSSIBLE, QUALITY, finding_bits, sense_of
from roofcube.wording import (
    counted,
    digits_along,
    inputs_are_tokens,
    labels_text,
    plain_values,
    quantity,
    short,
    units_of,
    with_thousands,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from roofcube.page.subject import Subject

__all__ = ["best_choices", "corrections", "count_differences", "findings_by_rule", "spoken", "unmatched_rows"]

CHOICE = ("Configuration", "Throughput", "Latency of the batch", "Top-1", "Energy per input", "In doubt")
NEAR = 1.0  # percentage points of accuracy
DIFFERENCE_PERCENT = 1.0
DOUBTS = sum(bit for rule, bit in QUALITY.items() if FINDINGS[rule].doubts)


# best choices ---------------------------------------------------------------------------------------------------------


def best_choices(subject: Subject) -> tuple[Table, ...]:
    """Name the winner for each goal, and the fastest of each network: measured where possible, else predicted."""
    names = figures_of_merit(subject.cube)
    if names["throughput"] not in subject.cube:
        return ()
    measured = names["throughput"].startswith("measured")
    cube = _sound(subject.cube) if measured else at_low_ends(subject.cube)
    if "pruning" in cube.dims and cube["pruning"].values.tolist() == [100]:
        cube = cube.isel(pruning=0, drop=True)  # nothing is pruned: not worth a word in every row
    goals = _goals(cube, names)
    if not goals:
        return ()
    kind = "measured" if measured else "predicted"
    found = Table("best", f"Best {kind} choices", ("Goal", *CHOICE), tuple(goals), _note(subject, measured=measured))
    return tuple(map(_without_blank_columns, (found, *_fastest_of_each(subject, cube, names, kind))))


def _without_blank_columns(table: Table) -> Table:
    """Leave out the columns in which nothing stands: doubts, where nothing is in doubt."""
    if not table.rows:
        return table
    kept = [place for place in range(len(table.columns)) if any(row[place] for row in table.rows)]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[place] for place in kept), rows=rows)


def _note(subject: Subject, *, measured: bool) -> str:
    if measured:
        return (
            "Accelerator alone, host and transfers not counted. Rows that the physics gate calls impossible cannot "
            "win, nor rows with doubtful power where power decides."
        )
    note = "Predictions, not measurements: nothing here was run."
    if has_intervals(subject.cube):
        note += " Choices are judged on the low end of each interval; the prediction itself is in brackets."
    if EXTRAPOLATES in subject.cube:
        note += " A choice beyond what was calibrated on says so."
    return note


def _fastest_of_each(subject: Subject, cube: xr.Dataset, names: dict[str, str], kind: str) -> tuple[Table, ...]:
    """Name the fastest configuration of each network; of many, those in the figures, and all in a table to search."""
    if cube.sizes.get("topology", 0) < 2:
        return ()
    winners = best(cube, names["throughput"], per="topology")
    told = _rows_of_winners(winners, names, digits_along(cube))
    rows = dict(zip(winners["topology"].values.tolist(), told, strict=True))
    order = np.argsort(-winners[names["throughput"]].fillna(-np.inf).values, kind="stable")
    fastest_first = winners["topology"].values[order].tolist()
    columns, caption = ("Network", *CHOICE), f"Most {kind} inputs a second, network by network"
    if sum(map(bool, rows.values())) <= MANY:
        return (Table("fastest", caption, columns, tuple(row for row in rows.values() if row)),)
    shown = set(subject.drawn["topology"].values.tolist())
    in_figures = tuple(rows[label] for label in fastest_first if label in shown and rows[label])
    few = Table("fastest", f"{caption}: those in the figures, the fastest first", columns, in_figures)
    every = tuple(rows[label] for label in fastest_first if rows[label])
    whole = f"{caption}: all {with_thousands(len(every))}, the fastest first"
    return few, Table("networks", whole, columns, every, folded=True, searched=True)


def _rows_of_winners(winners: xr.Dataset, names: dict[str, str], digits: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Write a row for each network; empty where it has no winner."""
    # point by point through xarray a thousand networks take ten seconds: columns are read at once
    wanted = [name for name in map(str, winners.variables) if winners[name].dims in ((), ("topology",))]
    columns = {name: plain_values(np.broadcast_to(winners[name].values, winners.sizes["topology"])) for name in wanted}
    points = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [
        _row_of_point(point.pop("topology"), point, names, winners, digits) if point["found"] else ()
        for point in points
    ]


def _sound(cube: xr.Dataset) -> xr.Dataset:
    """Blank the measured figures of cells that cannot be true, and the energy of those with doubtful power."""
    if not is_judged(cube):
        return cube
    quality = whole_flags(cube["quality"])
    impossible = (quality & IMPOSSIBLE) != 0
    doubtful = impossible | ((quality & finding_bits("power")) != 0)
    blanked = {
        name: cube[name].where(~impossible) for name in ("measured_throughput", "measured_latency") if name in cube
    }
    if "energy_per_input" in cube:
        blanked["energy_per_input"] = cube["energy_per_input"].where(~doubtful)
    return cube.assign(blanked)


def _goals(cube: xr.Dataset, names: dict[str, str]) -> list[tuple[str, ...]]:
    accuracy, rows = names["top1"], []
    limited: dict[str, Any] = {}
    if accuracy in cube and bool(cube[accuracy].notnull().any()):
        running = cube[accuracy].where(cube[names["throughput"]].notnull())
        if bool(running.notnull().any()):
            limited = {accuracy: (float(running.max()) - NEAR, None)}
    goals: list[tuple[str, str, dict[str, Any]]] = [("Most inputs a second", names["throughput"], {})]
    if limited:
        goals.append((f"Most inputs a second within {NEAR:g} point of the best accuracy", names["throughput"], limited))
    goals.append(("Shortest latency", names["latency"], {}))
    goals.append(("Least energy per input", names["energy"], {}))
    for goal, objective, where in goals:
        if objective not in cube or not bool(cube[objective].notnull().any()):
            continue
        winner = best(cube, objective, where=where)
        if not bool(winner["found"]):
            continue
        rows.append(_row_of_winner(goal, winner, names, digits_along(cube)))
        # beside a winner in doubt the best that is not
        certain = best(_certain(cube, objective), objective, where=where) if rows[-1][-1] else winner
        if certain is not winner and bool(certain["found"]):
            rows.append(_row_of_winner("… with nothing in doubt", certain, names, digits_along(cube)))
    return rows


def _certain(cube: xr.Dataset, objective: str) -> xr.Dataset:
    """Blank an objective where a finding doubts what was measured, or a prediction extrapolates."""
    if not objective.startswith("predicted") and is_judged(cube):
        return cube.assign({objective: cube[objective].where((whole_flags(cube["quality"]) & DOUBTS) == 0)})
    return cube.assign({objective: cube[objective].where(cube[EXTRAPOLATES] != 1)}) if EXTRAPOLATES in cube else cube


def _row_of_winner(goal: str, winner: xr.Dataset, names: dict[str, str], digits: Mapping[str, int]) -> tuple[str, ...]:
    point = {str(name): _one_value(str(name), winner[name]) for name in winner.variables if winner[name].size}
    return _row_of_point(goal, point, names, winner, digits)


def _one_value(name: str, array: xr.DataArray) -> Any:
    """Return the one value; of a dim that the objective does not depend on the best."""
    if array.size == 1 or array.dtype.kind not in "fiu":
        return plain_values(array.values.reshape(-1)[:1])[0]
    return float(array.max() if sense_of(name) == "max" else array.min())


def _row_of_point(
    goal: str, point: dict[str, Any], names: dict[str, str], winner: xr.Dataset, digits: Mapping[str, int]
) -> tuple[str, ...]:
    def told(name: str, unit: str) -> str:
        expected = point.get(f"{names[name]}{EXPECTED}")
        return quantity(point.get(names[name]), unit) + (f" ({quantity(expected, unit)})" if expected else "")

    top1 = point.get(names["top1"])
    return (
        goal,
        labels_text(point, winner.attrs, units_of(winner), digits),
        told("throughput", "tokens/s" if inputs_are_tokens(winner) else "inputs/s"),
        told("latency", "s"),
        "not known" if top1 is None or top1 != top1 else f"{top1:.2f} %",
        told("energy", "J"),
        _findings_on(point, measured=names["throughput"].startswith("measured")),
    )


def _findings_on(point: dict[str, Any], *, measured: bool) -> str:
    """Name the findings on what was measured at a winner, or whether its prediction extrapolates."""
    bits = int(point.get("quality", 0)) if measured else 0
    beyond = ["extrapolates"] if point.get(EXTRAPOLATES) == 1.0 and not measured else []
    rules = [spoken(rule) for rule, bit in QUALITY.items() if bits & bit & DOUBTS]
    return ", ".join([*beyond, *rules])


# counts ---------------------------------------------------------------------------------------------------------------


def count_differences(subject: Subject) -> Table | None:
    """List published op and parameter counts that differ by more than 1 % from those used, and why."""
    cube = subject.cube
    if "topology" not in cube.dims or "ops" not in cube or "pruning" not in cube.dims:
        return None
    table = datasets.load_topologies().filter(pl.col("topology").is_in(cube["topology"].values.tolist()))
    table = table.filter(pl.Series([_is_ours(cube, row) for row in table.iter_rows(named=True)], dtype=pl.Boolean))
    corrected = {row: (source, reason) for row, column, source, reason in _topology_corrections() if column == "ops"}
    lines: list[tuple[str | float, ...]] = []
    for row in table.iter_rows(named=True):
        lines += _count_lines(row, corrected)
    columns = ("Network", "Kept", "Figure", "Says", "Used here", "Difference", "Why")
    caption = "Counts that differ by more than 1 % from those used"
    note = (
        "One operation is one multiply or one add. Counts come from the layers where they reproduce the source "
        "within 1 %, else from the source."
    )
    return Table("counts", caption, columns, tuple(lines), note) if lines else None


def _is_ours(cube: xr.Dataset, row: dict[str, Any]) -> bool:
    """Check whether a cube's network is the embedded one of that name: with its counts."""
    if set(cube["ops"].dims) != {"topology", "pruning"} or row["pruning_percent"] not in cube["pruning"].values:
        return False
    return bool(float(cube["ops"].sel(topology=row["topology"], pruning=row["pruning_percent"])) == row["ops"])


def _topology_corrections() -> list[tuple[str, str, str, str]]:
    table = datasets.load_corrections().filter(pl.col("table") == "topologies")
    return [(row["row"], row["column"], row["source_value"], row["reason"]) for row in table.iter_rows(named=True)]


def _count_lines(row: dict[str, Any], corrected: dict[str, tuple[str, str]]) -> list[tuple[str | float, ...]]:
    name, kept = row["topology"], f"{row['pruning_percent']:g} %"
    lines: list[tuple[str | float, ...]] = []

    def add(figure: str, told: float | None, used: float, why: str) -> None:
        if told is not None and abs(told / used - 1.0) > DIFFERENCE_PERCENT / 100.0:
            lines.append(
                (name, kept, figure, short(told, 4), short(used, 4), f"{100.0 * (told / used - 1.0):+.1f} %", why)
            )

    source, reason = corrected.get(f"{name} {row['pruning_percent']:g}", (None, ""))
    add("operations, source's exact count", float(source) if source else None, row["ops"], reason)
    add(
        "operations, behind the source's predictions",
        row["ops_source"],
        row["ops"],
        _rounding(row["ops_source"], row["ops"]),
    )
    add("operations, as printed", row["ops_printed"], row["ops"], _rounding(row["ops_printed"], row["ops"]))
    add("parameters, as printed", row["params_printed"], row["params"], _rounding(row["params_printed"], row["params"]))
    if row["counts_source"] == "source":
        why = "the standard layers do not give the source's figure, so its own is used; per layer, the layers are"
        add("operations, sum of the standard layers", row["ops_from_layers"], row["ops"], why)
        add("parameters, sum of the standard layers", row["params_from_layers"], row["params"], why)
    return lines


def _rounding(published: float | None, used: float) -> str:
    """Check whether the published figure is the used one with fewer digits."""
    for digits in (1, 2):
        if published is not None and float(f"{used:.{digits}g}") == published:
            return f"rounded to {counted(digits, 'digit')}"
    step = 1e7 if used > 1e6 else 1e4
    return (
        "rounded to 0.01 of its unit"
        if published is not None and abs(published - used) <= step / 2
        else "differs in the source itself"
    )


# the physics gate -----------------------------------------------------------------------------------------------------


def findings_by_rule(subject: Subject) -> Table | None:
    """Count the findings of the physics gate by rule, the worst first in each."""
    if subject.findings is None:
        return _flags_of_cells(subject)
    rows = []
    grouped = subject.findings.group_by("table", "rule", maintain_order=True)
    for (table, rule), lines in sorted(grouped, key=lambda group: -group[1].height):
        where = "measured rows" if table == "measurements" else "meter samples"
        ratio = (
            lines.with_columns(away=pl.col("ratio").log().abs())
            .sort("away", descending=True, nulls_last=True)
            .row(0, named=True)
        )
        rows.append(
            (
                spoken(rule),
                lines["row"].n_unique(),
                where,
                lines["finding"][0],
                "" if ratio["ratio"] is None else f"×{short(ratio['ratio'])}",
                str(ratio["source_row"]).removeprefix("experimental_data_"),
                lines["action"][0],
            )
        )
    columns = ("Rule", "Number", "Of", "Finding", "Worst", "Row", "What to do")
    note = "A finding changes nothing: every figure shows the source values and marks those that are in doubt."
    return Table("gate", "What the physics gate found, by rule", columns, tuple(rows), note) if rows else None


def _flags_of_cells(subject: Subject) -> Table | None:
    """Count flagged cells where the rows themselves are not at hand."""
    if "quality" not in subject.cube:
        return None
    rows = tuple(
        (spoken(rule), int(subject.flagged(rule).sum())) for rule in QUALITY if bool(subject.flagged(rule).any())
    )
    return Table("gate", "Cells that the physics gate flags, by rule", ("Rule", "Cells"), rows) if rows else None


def spoken(rule: str) -> str:
    """Write the name of a rule in words."""
    return rule.replace("_", " ")


def corrections(subject: Subject) -> Table | None:
    """List corrections and doubts on the rows of this page, those of one reason together."""
    if subject.rows is None:
        return None
    here = set(subject.rows["source_row"].to_list())
    networks = set(subject.cube["topology"].values.tolist())
    table = datasets.load_corrections().filter(
        pl.col("row").is_in(list(here))
        | ((pl.col("table") == "topologies") & pl.col("row").str.split(" ").list.first().is_in(list(networks)))
    )
    elsewhere = set(datasets.load_platforms()["platform"]) - set(
        np.atleast_1d(subject.cube["platform"].values).tolist()
    )
    if elsewhere:
        table = table.filter(~pl.col("column").str.contains_any(sorted(elsewhere)))
    rows = []
    for (name, column, reason), lines in table.group_by("table", "column", "reason", maintain_order=True):
        which = counted(lines.height, "row") if name == "measurements" else ", ".join(lines["row"].to_list())
        rows.append(
            (f"{column}", which, _value_range(lines["source_value"]), _value_range(lines["corrected_value"]), reason)
        )
    columns = ("Figure", "Where", "Source value", "Corrected value", "Why")
    note = (
        "Corrections are kept beside the source values, never in their place; the operation counts are the only "
        "ones that predictions use."
    )
    return Table("corrections", "Corrections and doubts", columns, tuple(rows), note) if rows else None


def _value_range(values: pl.Series) -> str:
    numbers = sorted({float(value) for value in values.to_list() if value not in (None, "")})
    if not numbers:
        return ""
    ends = [short(number, 4) for number in dict.fromkeys((numbers[0], numbers[-1]))]
    return " … ".join(ends)


def unmatched_rows(subject: Subject) -> Table | None:
    """Count the rows that found no cell, by reason."""
    if subject.unmatched is None or not subject.unmatched.height:
        return None
    groups = (
        subject.unmatched.group_by("reason").agg(pl.len(), pl.col("source_row").first()).sort("len", descending=True)
    )
    return Table("unmatched", "Rows that found no cell", ("Reason", "Rows", "First"), tuple(groups.iter_rows()))
