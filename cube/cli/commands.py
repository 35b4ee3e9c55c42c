"""The command line: each command is one call of a public function; no logic of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roofcube.errors import RoofcubeError

if TYPE_CHECKING:
    import polars as pl
    import xarray as xr

__all__ = ["main"]

EXISTING = click.Path(exists=True, path_type=Path)
SWEEP_EXAMPLE = """
\b
[inputs]                      # the arguments of roofcube.inputs
topologies = ["CNV"]
precision = ["INT8", "INT4"]
batch = [1, 8, 64]            # or { start = 1, stop = 256, steps = 9, spacing = "log" }

\b
[hypothetical]                # hardware as axes; leave out to sweep the embedded platforms
peak_compute = { start = 1e11, stop = 1e14, steps = 100, spacing = "log" }   # op/s at INT8
memory_bandwidth = { start = 1e9, stop = 1e12, steps = 100, spacing = "log" } # B/s
power = 10                    # W
peak_scaling = "bits"

\b
[reduce]                      # leave out to store the whole cube
kind = "pareto"               # or best, top, count
objectives = { predicted_latency = "min", top1 = "max" }
where = { predicted_latency = { max = 0.01 }, precision = ["INT8"] }
per = ["topology"]

\b
Above the first table: assumptions = "published" or "bound" (or a table
[assumptions] with weights, activations, state, layers) and dtype = "f4" or "f8".
"""


class _Commands(click.Group):
    """Print an expected error as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (RoofcubeError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="roofcube")
def main() -> None:
    """Find which hardware, network, precision, pruning, batch and mode to run: how fast, how exact, at what power."""


@main.command("report")
@click.argument("task")
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write [default: roofcube-TASK.html].",
)
def report_command(task: str, output: Path | None) -> None:
    """Write the page of TASK (cifar10, mnist or imagenet): one HTML file that needs no network.

    TASK may also be a cube of your own, written by roofcube.save (.nc or .zarr).
    """
    import roofcube

    click.echo(roofcube.report(_task_or_cube(task), output))


@main.command("explore")
@click.argument("task")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 [default: any free one].")
@click.option("--show/--no-show", default=True, help="Open the browser.")
def explore_command(task: str, port: int, show: bool) -> None:
    """Explore TASK, or a cube of your own (.nc or .zarr), in the browser; served on this machine only."""
    from roofcube.explorer.app import serve

    serve(_task_or_cube(task), port=port, show=show)


@main.command("sweep", epilog="An example of a spec:\n" + SWEEP_EXAMPLE)
@click.argument("spec", type=EXISTING)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Cube to write: .nc, or .zarr for what is larger than memory.",
)
def sweep_command(spec: Path, output: Path) -> None:
    """Run the sweep that the TOML file SPEC describes and write its result."""
    from roofcube.sweep_spec import read_sweep_spec, run_sweep

    path, result = run_sweep(read_sweep_spec(spec), output)
    click.echo(path if result is None else f"{path}: {_sizes_text(result)}")


@main.command("best")
@click.argument("task")
@click.option("--for", "objective", help="Variable to make best [default: measured, else predicted throughput].")
@click.option("--predicted", is_flag=True, help="Choose by predictions, not by measurements.")
@click.option("--top1", help="Least accuracy: 85.")
@click.option("--latency", help="Most time of a batch: 10ms.")
@click.option("--max-power", "power", help="Most power: 15W.")
@click.option("--energy", help="Most energy an input: 2mJ.")
@click.option("--limit", "limits", multiple=True, help="Any other: NAME<=VALUE, NAME>=VALUE or NAME=LABEL.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
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
    r"""Return what to run for TASK (or a cube, .nc or .zarr) within limits, and why.

    \b
    roofcube best cifar10 --top1 85 --latency 10ms --max-power 15W
    """
    import roofcube
    from roofcube.sweep.limit_words import read_limits

    cube = roofcube.load(task) if task.endswith((".nc", ".zarr")) else roofcube.benchmark(task)
    given = {"top1": top1, "latency": latency, "power": power, "energy": energy}
    name, where = read_limits(cube, objective, given, limits, predicted=predicted)
    answer = roofcube.explain(cube, name, where=where)
    click.echo(json.dumps(answer.to_dict(), indent=1) if as_json else answer)
    sys.exit(0 if bool(answer.winner["found"]) else 1)


@main.command("check")
@click.argument("rows", type=EXISTING)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write all findings to this CSV.")
@click.option("--all", "everything", is_flag=True, help="Print every finding, not a summary by rule.")
@click.option("--strict", is_flag=True, help="Exit with 1 when there is any finding.")
@click.option("--platforms", type=EXISTING, help="TOML with platforms of your own, beside the embedded ones.")
def check_command(rows: Path, output: Path | None, everything: bool, strict: bool, platforms: Path | None) -> None:
    """Put the measurements of a CSV through the physics gate."""
    import roofcube

    measurements = roofcube.read_measurements(rows)
    findings = roofcube.check(measurements, inputs=None if platforms is None else _with_embedded(platforms))
    click.echo(f"{rows}: {measurements.height} rows, {findings.height} findings")
    if findings.height:
        click.echo(_table_text(findings if everything else _by_rule(findings)))
    if output is not None:
        findings.write_csv(output)
        click.echo(output)
    sys.exit(1 if strict and findings.height else 0)


def _with_embedded(platforms: Path) -> xr.Dataset:
    import roofcube

    names = roofcube.datasets.load_platforms()["platform"].unique(maintain_order=True).to_list()
    return roofcube.inputs(platforms=[*names, roofcube.read_platforms(platforms)])


@main.command()
@click.argument("file", type=EXISTING)
def info(file: Path) -> None:
    """Return what a cube FILE holds, and whether it is as it was saved."""
    import roofcube
    from roofcube.files.store import opened

    with opened(file) as cube:
        click.echo(f"{file}: {_sizes_text(cube)}, {cube.nbytes / 1e6:.1f} MB in memory")
        for name in ("title", "task", "assumptions", "counts"):
            if name in cube.attrs:
                click.echo(f"{name}: {cube.attrs[name]}")
        for variable, array in cube.data_vars.items():
            units = array.attrs.get("units", "")
            click.echo(
                f"  {variable} ({', '.join(map(str, array.dims))}) "
                f"{f'[{units}] ' if units else ''}{array.attrs.get('long_name', '')}"
            )
    roofcube.verify(file)
    click.echo("content matches its checksum")


@main.command("diff")
@click.argument("a", type=EXISTING)
@click.argument("b", type=EXISTING)
def diff_command(a: Path, b: Path) -> None:
    """List what differs between the cubes A and B; exit with 1 when anything does."""
    import roofcube

    differences = roofcube.diff(a, b)
    click.echo(_table_text(differences) if differences.height else "no difference")
    sys.exit(1 if differences.height else 0)


@main.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this CSV.")
@click.option("--write", is_flag=True, help="Keep the tables and the predictions that the pages show (half a minute).")
def errors(output: Path | None, write: bool) -> None:
    """Print the cross-validated errors of the calibrated predictions against all embedded measurements."""
    import roofcube

    calibration = roofcube.calibrate(roofcube.datasets.load_measurements())
    click.echo(_table_text(calibration.errors))
    if output is not None:
        calibration.errors.write_csv(output)
        click.echo(output)
    if write:
        from roofcube.calibration import held_out

        click.echo(held_out.write_held_out(held_out.compute_held_out(calibration)))


def _task_or_cube(task: str) -> Any:
    """Take a file name for a cube, anything else for a task."""
    import roofcube

    return roofcube.load(task) if task.endswith((".nc", ".zarr")) else task


def _sizes_text(cube: Any) -> str:
    return " × ".join(f"{size} {dim}" for dim, size in cube.sizes.items()) or "one cell"


def _by_rule(findings: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return findings.group_by("rule", maintain_order=True).agg(
        findings=pl.len(),
        rows=pl.col("row").n_unique(),
        first=pl.col("source_row").first(),
        finding=pl.col("finding").first(),
    )


def _table_text(table: pl.DataFrame) -> str:
    import polars as pl

    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_formatting="NOTHING",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        fmt_str_lengths=100,
        tbl_width_chars=-1,
        float_precision=4,
    ):
        return str(table)
