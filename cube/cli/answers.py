"""The commands sweep and join: what a sweep answers, and measurements joined to a cube."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from roofcube.cli.commands import main
from roofcube.cli.foreign import numbered_rows, reading_options
from roofcube.cli.outputs import EXISTING, OUTPUT, OUTPUT_FILE, write_csv
from roofcube.cli.own import ASSUMPTIONS, network_options, predicted_cube
from roofcube.cli.printing import (
    as_json_option,
    changes_of,
    print_answer,
    records_of,
    say,
    sizes_text,
    table_text,
    to_json,
)
from roofcube.wording import counted, noun_of, unit_of

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from roofcube.sweep_spec import Outcome, SweepSpec

__all__: list[str] = []

SWEEP_EXAMPLE = """
[inputs]                      # the arguments of roofcube.inputs; names ending in .toml, .csv, .onnx, … are files
topologies = ["CNV"]
precision = ["INT4", "INT2"]
batch = [1, 8, 64]            # or { start = 1, stop = 256, steps = 9, spacing = "log" }

[hypothetical]                # hardware as axes; leave out to sweep the embedded platforms
peak_compute = { start = 1e11, stop = 1e14, steps = 100, spacing = "log" }    # op/s at INT8, or "1 TOP/s"
memory_bandwidth = { start = 1e9, stop = 1e12, steps = 100, spacing = "log" } # B/s
power = 10                    # W
peak_scaling = "bits"

[variables]                   # inputs of your own: a number, or values along a dim
dollars_per_joule = 5e-8
licence = { dim = "precision", labels = ["INT4", "INT2"], values = [1e-7, 2e-7], units = "USD" }

[terms.cost]                  # outputs of your own
formula = "predicted_energy * dollars_per_joule + licence"
units = "USD"
sense = "min"

[reduce]                      # the question; leave out to store the whole cube
kind = "pareto"               # or best, top, count, histogram, quantile, crossover
objectives = { cost = "min", top1 = "max" }
where = { predicted_latency = { max = "10ms" }, precision = ["INT4", "INT2"] }
per = ["precision"]
"""
SWEEP_MORE = """
Hardware and networks of your own stand in the same file too: a table [[platform]] as in roofcube.read_platforms, a
table [[network]] with topology, gmacs (or ops), params, top1, task as in roofcube.read_network.

Questions take: pareto objectives, ties, epsilon; best objective; top objective, n; count by; histogram variable, bins;
quantile variable, q; crossover objective, between, along; all take where and per.

Above the first table: assumptions = "published", "bound" or "serving" (or a table [assumptions] with weights,
activations, state, layers; default: serving where a network is a config.json, else published) and dtype = "f4" or "f8".
"""


def _verbatim(text: str) -> str:
    """Keep the lines of a text, which click would fill."""
    return "\n\n".join("\b\n" + part for part in text.strip("\n").split("\n\n"))


@main.command("sweep", epilog="An example of a spec:\n\n" + _verbatim(SWEEP_EXAMPLE) + "\n\n" + SWEEP_MORE)
@click.argument("spec", type=EXISTING)
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    help="File for the answer, or for the whole cube: .nc, or .zarr for what is larger than memory.",
)
@as_json_option
def sweep_command(spec: Path, output: Path | None, as_json: bool) -> None:
    """Ask the question of the TOML file SPEC of its sweep, and print the answer; exit with 1 where there is none.

    Without [reduce] the whole cube is written to the file of -o.
    """
    from roofcube.sweep_spec import answer_sweep, read_sweep_spec

    read = read_sweep_spec(spec)
    outcome = answer_sweep(read, output)
    say(to_json(_outcome_record(read, outcome)) if as_json else _outcome_text(read, outcome))
    sys.exit(1 if outcome.emptied else 0)


def _outcome_record(spec: SweepSpec, outcome: Outcome) -> dict[str, Any]:
    record: dict[str, Any] = {"points": outcome.points, "file": outcome.path}
    if spec.reduce is not None and outcome.shown is not None:
        record |= {"kind": spec.reduce.kind, "answer": records_of(outcome.shown, _answer_columns(spec))}
        if "crossover" in outcome.shown.dims:
            record["crossovers"] = changes_of(outcome.shown)
        record["units"] = _units_of(outcome.shown, [*record["answer"], *record.get("crossovers", ())])
        record["emptied"] = None if outcome.emptied is None else outcome.emptied.to_dict()
    return record


def _units_of(answer: xr.Dataset, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the units of what rows of an answer show, where they have one."""
    units = {name: unit_of(answer, name) for name in dict.fromkeys(name for row in rows for name in row)}
    return {name: unit for name, unit in units.items() if unit}


def _outcome_text(spec: SweepSpec, outcome: Outcome) -> str:
    lines = []
    if spec.reduce is not None and outcome.shown is not None:
        over = f"{outcome.points:,} {noun_of(outcome.points, 'point')}"
        kind, asked = spec.reduce.kind, ", ".join(spec.reduce.asked)
        number = f" with {counted(outcome.shown.sizes['point'], 'point')}" if "point" in outcome.shown.dims else ""
        lines.append(f"{kind}{number}{f' of {asked}' if asked else ''} over {over}")
        lines.append(str(outcome.emptied) if outcome.emptied else print_answer(outcome.shown, _answer_columns(spec)))
    if outcome.path is not None:
        lines.append(
            f"{outcome.path}: {sizes_text(outcome.result)}" if outcome.result is not None else str(outcome.path)
        )
    return "\n".join(lines)


def _answer_columns(spec: SweepSpec) -> list[str]:
    """Name what an answer shows: what was asked for and what was limited."""
    return [] if spec.reduce is None else list(dict.fromkeys([*spec.reduce.asked, *(spec.reduce.where or {})]))


@main.command("join")
@click.argument("task")
@click.argument("rows", type=EXISTING)
@click.option("-o", "--output", required=True, type=OUTPUT, help="Cube to write: .nc or .zarr.")
@click.option("--platforms", type=EXISTING, multiple=True, help="TOML with platforms of your own; may be repeated.")
@click.option("--networks", type=EXISTING, multiple=True, help="ONNX, CSV or config.json of your own; may be repeated.")
@network_options
@click.option(
    "--assumptions",
    type=click.Choice(ASSUMPTIONS),
    help="Of the predictions [default: serving where a network is a config.json, else published].",
)
@click.option("--unmatched", type=OUTPUT_FILE, help="Write rows without a cell to this CSV.")
@reading_options
@as_json_option
def join_command(
    task: str,
    rows: Path,
    output: Path,
    platforms: tuple[Path, ...],
    networks: tuple[Path, ...],
    context: tuple[int, ...],
    phase: tuple[str, ...],
    sizes: tuple[str, ...],
    assumptions: str | None,
    unmatched: Path | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Put the measurements of a file beside the predictions of TASK, or of a cube (.nc or .zarr), and write the cube.

    \b
    roofcube join cifar10 mine.csv --platforms mine.toml -o mine.nc
    roofcube join imagenet board.csv --column model=topology --constant platform=TX2 --constant mode=maxn -o board.nc
    """  # noqa: D301  click takes the backspace itself
    import roofcube

    numbered = numbered_rows(rows, **reading)
    measurements = numbered.table
    said = {"context": context, "phase": phase, "sizes": sizes}
    cube, replaced = predicted_cube(task, platforms, networks, rows=measurements, assumptions=assumptions, **said)
    joined, left = roofcube.join(cube, numbered.said), roofcube.unmatched(cube, numbered.said)
    reasons = left.group_by("reason", maintain_order=True).len("rows").sort("rows", descending=True)
    found = measurements.height - left.height
    findings = roofcube.check(numbered.said, inputs=cube)
    judged = {
        grade: findings.filter(findings["grade"] == grade)["row"].n_unique() for grade in ("impossible", "doubtful")
    }
    written = roofcube.save(joined, output)
    if unmatched is not None:
        write_csv(left, unmatched)
    if as_json:
        record = {"file": written, "rows": measurements.height, "joined": found, "unmatched": reasons.to_dicts()}
        record |= {"judged": judged, "assumptions": cube.attrs.get("assumptions"), "replaced": replaced}
        say(to_json(record))
        return
    rows_found = f"{measurements.height} rows found their" if measurements.height != 1 else "1 row found its"
    say(f"{written}: {found} of {rows_found} cell")
    if replaced:
        say(f"yours, in place of the embedded: {', '.join(replaced)}")
    if any(judged.values()):
        told = " and ".join(f"{counted(number, 'row')} {grade}" for grade, number in judged.items() if number)
        say(f"the physics gate finds {told}; roofcube check says why")
    if "assumptions" in cube.attrs:
        say(f"predicted with the assumptions {cube.attrs['assumptions']}")
    if left.height:
        say(table_text(reasons))
