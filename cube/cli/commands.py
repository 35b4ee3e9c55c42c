"""The command line: each command is one call of a public function; no logic of its own."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import click

from roofcube.cli.foreign import naming_options, reading_options
from roofcube.cli.outputs import EXISTING, OUTPUT_FILE, CheckedCommand, write_csv
from roofcube.cli.own import cube_of, is_cube, network_options
from roofcube.cli.printing import as_json_option, expected_lines, say, sizes_text, table_text, to_json
from roofcube.errors import RoofcubeError, page_of
from roofcube.garbage import end_without_search
from roofcube.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

__all__ = ["main"]

ATTRIBUTES = ("title", "task", "assumptions", "counts", "left_out", "count_notes")
MOST_SAID = 12  # different findings of one rule that a summary lists


class _Commands(click.Group):
    """Print an expected error or a warning as one message, without a traceback or a line of our code."""

    command_class = CheckedCommand

    def invoke(self, ctx: click.Context) -> Any:
        end_without_search()
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _print_warning
                return super().invoke(ctx)
        except (RoofcubeError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            say("\n".join([f"Error: {error}", *getattr(error, "__notes__", ())]), err=True)
            ctx.exit(2)


def _print_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    say(f"Note: {message}", err=True)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Documentation: {page_of('')}",
)
@click.version_option(package_name="roofcube")
def main() -> None:
    """Find which hardware, network, precision, pruning, batch and mode to run: how fast, how exact, at what power."""


@main.command("report")
@click.argument("task")
@click.option(
    "-o",
    "--output",
    "output",
    type=OUTPUT_FILE,
    help="File to write [default: roofcube-TASK.html].",
)
@click.option("--title", help="Heading of the page.")
@as_json_option
def report_command(task: str, output: Path | None, title: str | None, as_json: bool) -> None:
    """Write the page of TASK (cifar10, mnist or imagenet): one HTML file that needs no network.

    TASK may also be a cube of your own, written by roofcube.save (.nc or .zarr).
    """
    import roofcube

    path = roofcube.report(_task_or_cube(task), output, title=title)
    say(to_json({"file": path, "bytes": path.stat().st_size}) if as_json else path)


@main.command("explore")
@click.argument("task")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on [default: any free one].")
@click.option("--host", default="127.0.0.1", help="Address to listen on, open to others; needs --allow-origin.")
@click.option("--allow-origin", "origins", multiple=True, help="NAME:PORT under which others open it.")
@click.option("--show/--no-show", default=True, help="Open the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def explore_command(task: str, port: int, host: str, origins: tuple[str, ...], show: bool, as_json: bool) -> None:
    """Explore TASK, or a cube or front of your own (.nc or .zarr), in the browser; served on this machine only."""
    import roofcube

    explorer = roofcube.explore(_task_or_cube(task))
    explorer.show(port=port, show=show, as_json=as_json, host=host, allow_origin=origins)


@main.command("best")
@click.argument("task")
@click.option("--for", "objective", help="Variable to make best [default: measured, else predicted throughput].")
@click.option("--predicted", is_flag=True, help="Choose by predictions, not by measurements.")
@click.option("--top1", help="Least accuracy: 85.")
@click.option("--latency", help="Most time of a batch: 10ms.")
@click.option("--max-power", "power", help="Most power: 15W.")
@click.option("--energy", help="Most energy an input: 2mJ.")
@click.option("--limit", "limits", multiple=True, help="Any other: NAME<=VALUE, NAME>=VALUE or NAME=LABEL.")
@as_json_option
def best_command(
    task: str,
    objective: str | None,
    predicted: bool,
    top1: str | None,
    latency: str | None,
    power: str | None,
    energy: str | None,
    limits: tuple[str, ...],
    as_json: bool,
) -> None:
    """Return what to run for TASK (or a cube, .nc or .zarr) within limits, and why; exit with 1 where nothing does.

    \b
    roofcube best cifar10 --top1 85 --latency 10ms --max-power 15W

    Predictions with intervals are judged on the end that promises less. Where nothing that was measured meets the
    limits, what predictions say follows. Of platforms that were timed but never counted, throughput is batch / latency;
    where some cells were counted, those that were only timed are left out, and their number is told.
    """  # noqa: D301  click takes the backspace itself
    import roofcube
    from roofcube.measured.efficiency import timed_gaps, with_timed_throughput
    from roofcube.sweep.limit_words import check_is_predicted, read_limits
    from roofcube.sweep.low_ends import at_low_ends

    cube, timed = with_timed_throughput(at_low_ends(cube_of(task)))
    given = {"top1": top1, "latency": latency, "power": power, "energy": energy}
    with naming_options():
        name, where = read_limits(cube, objective, given, limits, predicted=predicted)
        if predicted:
            check_is_predicted(name)
        answer = roofcube.explain(cube, name, where=where)
        other = None
        if not bool(answer.winner["found"]) and not predicted and objective is None and name.startswith("measured"):
            name, where = read_limits(cube, objective, given, limits, predicted=True)
            other = roofcube.explain(cube, name, where=where) if name.startswith("predicted") else None
    predicted_only = other is not None and bool(other.winner["found"])
    if as_json:
        say(to_json(answer.to_dict() | ({} if other is None else {"by_prediction": other.to_dict()})))
    else:
        if timed and name.startswith("measured"):
            say(f"throughput of {counted(timed, 'cell')} is batch / latency: it was timed, and never counted")
        if name == "measured_throughput" and (gaps := timed_gaps(cube)):
            say(f"left out: {counted(gaps, 'cell')} timed and not counted")
        if name.startswith("predicted") and other is None and objective is None and not predicted:
            say(f"by prediction, as the cube has no measured throughput{_system_figures(cube)}:")
        said = "by prediction, nothing of which was measured so:" if predicted_only else "nor by prediction:"
        say(answer if other is None else f"{answer}\n{said}\n{other}")
    sys.exit(0 if predicted_only or bool(answer.winner["found"]) else 1)


def _system_figures(cube: Any) -> str:
    """Say how to ask for what was measured of whole systems, where nothing else was."""
    names = [name for name in ("measured_system_throughput", "measured_system_latency") if name in cube]
    measured = [name for name in names if bool(cube[name].notnull().any())]
    return f" of accelerators alone (of whole systems ask with --for {measured[0]})" if measured else ""


@main.command("check")
@click.argument("rows", type=EXISTING)
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write all findings to this CSV.")
@click.option("--all", "everything", is_flag=True, help="Print every finding, not a summary by rule.")
@click.option("--strict", is_flag=True, help="Exit with 1 when there is any finding.")
@click.option("--platforms", multiple=True, type=EXISTING, help="Platforms of your own (.toml, .csv).")
@click.option("--networks", multiple=True, type=EXISTING, help="Networks of your own (.onnx, .csv, config.json).")
@network_options
@reading_options
@as_json_option
def check_command(rows: Path, output: Path | None, everything: bool, strict: bool, as_json: bool, **given: Any) -> None:
    """Put the measurements of a file (CSV, TSV, Parquet) through the physics gate.

    \b
    roofcube check rows.csv --platforms mine.toml --networks net.onnx --strict
    roofcube check board.csv --column model=topology --column step_time=latency_compute_s:ms --constant platform=mine
    """  # noqa: D301  click takes the backspace itself
    from roofcube.cli.checking import check_file

    checked = check_file(rows, **given)
    findings = checked.findings
    if output is not None:
        write_csv(findings, output)
    if as_json:
        record = {"file": rows, "rows": checked.n_rows, "kept": checked.kept, "replaced": checked.replaced}
        say(to_json({**record, "findings": findings.to_dicts()}))
    else:
        say(f"{rows}: {counted(checked.n_rows, 'row')}, {counted(findings.height, 'finding')}")
        if checked.kept:
            say(f"not judged, kept as they are: {', '.join(checked.kept)}")
        if checked.replaced:
            say(f"yours, in place of the embedded: {', '.join(checked.replaced)}")
        if findings.height:
            say(table_text(findings if everything else _by_rule(findings)))
            say(f"rules and what to do: {page_of('explain/gate.html')}")
        if output is not None:
            say(output)
    sys.exit(1 if strict and findings.height else 0)


@main.command()
@click.argument("file", type=EXISTING)
@click.option(
    "--seconds", type=float, help="How long reading may take. Default: 5 of a processor, and one more for each 10 MB."
)
@as_json_option
def info(file: Path, seconds: float | None, as_json: bool) -> None:
    """Show what a cube FILE holds, and whether it is as it was saved.

    The file is read in a process of its own, with an end to its time and memory: it need not be trusted.
    """
    from roofcube.errors import CorruptFileError
    from roofcube.files.guards.sandbox import describe_untrusted

    with naming_options():
        cube, wrong = describe_untrusted(file, seconds=seconds)
    record = {
        "file": file,
        "sizes": dict(cube.sizes),
        "bytes": cube.nbytes,
        "attributes": {name: cube.attrs[name] for name in ATTRIBUTES if name in cube.attrs},
        "variables": {
            name: {
                "dims": array.dims,
                "units": array.attrs.get("units", ""),
                "meaning": array.attrs.get("long_name", ""),
            }
            for name, array in cube.data_vars.items()
        },
    }
    sizes = sizes_text(cube)
    if not as_json:
        say("\n".join(line.replace("\n", r"\n") for line in _info_lines(record, sizes)))
    if wrong is not None:
        raise CorruptFileError(wrong)
    say(to_json({**record, "verified": True}) if as_json else "content matches its checksum")


def _info_lines(record: dict[str, Any], sizes: str) -> list[str]:
    lines = [f"{record['file']}: {sizes}, {record['bytes'] / 1e6:.1f} MB in memory"]
    lines += [f"{name}: {value}" for name, value in record["attributes"].items()]
    for name, one in record["variables"].items():
        units = f"[{one['units']}] " if one["units"] else ""
        lines.append(f"  {name} ({', '.join(map(str, one['dims']))}) {units}{one['meaning']}")
    return lines


@main.command("diff")
@click.argument("a", type=EXISTING)
@click.argument("b", type=EXISTING)
@as_json_option
def diff_command(a: Path, b: Path, as_json: bool) -> None:
    """List what differs between the cubes A and B; exit with 1 when anything does."""
    import roofcube

    differences = roofcube.diff(a, b)
    if as_json:
        say(to_json(differences.to_dicts()))
    else:
        named_twice = differences.height and (differences["labels"] == differences["detail"]).all()
        told = differences.drop("labels") if named_twice else differences
        say(table_text(told) if differences.height else "no difference")
    sys.exit(1 if differences.height else 0)


@main.command()
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the table to this CSV.")
@click.option(
    "--write", is_flag=True, help="Keep the tables and predictions that pages show, and boards that lend (minutes)."
)
@as_json_option
def errors(output: Path | None, write: bool, as_json: bool) -> None:
    """Print the cross-validated errors of the calibrated predictions against all embedded measurements.

    First what to expect of a new network, topology, architecture or board; then every scheme and family.
    """
    import roofcube

    calibration = roofcube.calibrate(roofcube.datasets.load_measurements())
    if as_json:
        say(to_json(calibration.errors.to_dicts()))
    else:
        say("\n".join(expected_lines(calibration.expectations)))
        say(f"\n{table_text(calibration.errors)}")
    if output is not None:
        write_csv(calibration.errors, output)
        say(output, err=as_json)
    if write:
        from roofcube.calibration.kept import held_out
        from roofcube.calibration.kept.lenders import write_lenders

        say(held_out.write_held_out(held_out.compute_held_out(calibration)), err=as_json)
        try:
            say(write_lenders(), err=as_json)
        except OSError as error:
            # the tables above go to the cache then; boards that lend are read from the package alone
            say(f"boards that lend are as they were: {error.strerror or error}", err=True)


def _task_or_cube(task: str) -> Any:
    """Take a file name for a cube, anything else for a task."""
    import roofcube

    return roofcube.load(task) if is_cube(task) else task


def _by_rule(findings: pl.DataFrame) -> pl.DataFrame:
    """Sum findings up: a line a rule and what it says, or a line a rule that says very many things."""
    import polars as pl

    meant = pl.col("action").str.extract(r"(; did you mean .*)$").fill_null("")
    said = findings.with_columns(finding=pl.col("finding") + meant)
    others = pl.col("finding").n_unique().over("rule") - 1
    first = pl.col("finding").first().over("rule")
    summed = pl.format("{}, and {} more (--all)", first, others)
    said = said.with_columns(finding=pl.when(others < MOST_SAID).then("finding").otherwise(summed))
    return said.group_by("rule", "finding", maintain_order=True).agg(
        findings=pl.len(),
        rows=pl.col("row").n_unique(),
        first_row=pl.col("row").first(),
    )[["rule", "findings", "rows", "first_row", "finding"]]
