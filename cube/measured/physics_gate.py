"""The physics gate: puts measured rows and meter samples through the rules; findings, never corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.datasets.table_forms import as_table
from roofcube.labels import labelled, locate, rows_of
from roofcube.measured.findings import FINDINGS, finding_lines
from roofcube.measured.label_rules import label_findings, missing_values
from roofcube.measured.rows import measurement_rows
from roofcube.measured.rules import rules_for
from roofcube.measured.trace_rules import trace_findings
from roofcube.model.assumptions import BOUND
from roofcube.model.inputs import inputs as model_inputs
from roofcube.model.predict import predict
from roofcube.variables import CONFIGURATION, QUALITY

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.measured.rules import Rule

__all__ = ["check", "quality_bits"]
LEAST = ("infeasible", "memory_required")  # of these the least allows most


def check(measurements: Any, *, traces: Any = None, inputs: xr.Dataset | None = None) -> pl.DataFrame:
    """Put measurements and meter traces through the physics gate.

    Parameters
    ----------
    measurements : table
        In the schema of `roofcube.datasets.load_measurements`: a DataFrame of polars or pandas, a LazyFrame, a dict of
        columns, a list of dicts, or the name of a file, which is read by `read_measurements`.
    traces : table, optional
        In the schema of `roofcube.datasets.load_power_traces`.
    inputs : Dataset, optional
        Platforms and networks to judge by; the embedded ones where not given.

    Returns
    -------
    DataFrame
        A line per finding (a row may have several): `row` (0-based, of `table`), `source_row` (of the file), `rule`,
        `grade` (impossible, doubtful or note), `column`, `value`, `limit`, `ratio`, `finding` and `action`. No row is
        changed or dropped. Where a row has no throughput, batch / latency is judged as its throughput.

    Examples
    --------
    >>> import roofcube as rc
    >>> findings = rc.check(rc.datasets.load_measurements())
    >>> findings.filter(findings["rule"] == "above_compute_peak").height
    9
    """
    rows = measurement_rows(measurements)
    space = _space(inputs)
    table = _with_references(_with_all_columns(rows), space)
    parts = _broken(table, rules_for(table))
    parts += [*label_findings(table, space), missing_values(table, rows.columns)]
    if traces is not None:
        parts += trace_findings(table, as_table(traces, what="traces"))
    findings = (
        pl.concat([part.select(list(FINDINGS)).cast(FINDINGS) for part in parts])  # type: ignore[arg-type]
        if parts
        else pl.DataFrame(schema=FINDINGS)
    )
    order = {name: place for place, name in enumerate(QUALITY)}
    return findings.sort("table", "row", pl.col("rule").replace_strict(order, default=len(order)), maintain_order=True)


def quality_bits(measurements: pl.DataFrame, findings: pl.DataFrame) -> np.ndarray:
    """Combine the findings of each row into its flag bits."""
    bits = np.zeros(measurements.height, dtype="i4")
    own = findings.filter(pl.col("table") == "measurements", pl.col("rule").is_in(list(QUALITY)))
    for row, rule in own.select("row", "rule").iter_rows():
        bits[row] |= QUALITY[rule]
    return bits


# what the rules compare with ------------------------------------------------------------------------------------------


def _space(inputs: xr.Dataset | None) -> xr.Dataset:
    """Return what to judge by, without batches: those of the rows are judged."""
    return (model_inputs(batch=1) if inputs is None else inputs).drop_dims("batch", errors="ignore")


def _with_all_columns(measurements: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that a table may leave out, empty; of other columns keep whether they tell rows apart."""
    kinds = {**datasets.load_measurements().schema}
    absent = [pl.lit(None, kinds[name]).alias(name) for name in kinds if name not in measurements.columns]
    told = measurements.drop("source_row", strict=False)
    identical = told.is_duplicated() if told.width else pl.repeat(value=False, n=measurements.height, eager=True)
    table = measurements.with_columns(absent).select(list(kinds)).with_columns(pl.col("mode").fill_null("default"))
    return table.with_columns(identical=identical).with_row_index("row")


def _with_references(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    """Add to each row what its platform and network allow; null where a label is unknown."""
    where = locate(space, table, dims=CONFIGURATION)
    # many rows share a configuration, which is predicted once
    labels = np.stack([*where.indices.values(), table["batch"].fill_null(1).to_numpy()])[:, where.mask]
    _, first, number = np.unique(labels, axis=1, return_index=True, return_inverse=True)
    judged = table[np.flatnonzero(where.mask)[first].tolist()]
    at, _ = rows_of(space, judged, dims=CONFIGURATION)
    at = at.assign_coords(batch=labelled("row", judged["batch"].to_numpy()))
    published, bound = predict(at), predict(at, assumptions=BOUND)
    references = {
        "peak_throughput": published["peak_throughput"],
        "published_throughput": published["predicted_throughput"],
        "bound_throughput": bound["predicted_throughput"],
        "table_top1": at.get("top1"),
        "cores": at.get("cores"),
        "infeasible": published["infeasible"],
        "listed_power": at.get("power"),
        "memory_capacity": at.get("memory_capacity"),
        "memory_required": published.get("memory_required"),
    }
    columns = [_reference_column(name, array, where.mask, number.reshape(-1)) for name, array in references.items()]
    structure = datasets.load_platforms().unique("platform", keep="first").select("platform", "board")
    executed = _executed_precisions(at, where.mask, number.reshape(-1))
    table = table.with_columns(*columns, executed, unknown=pl.Series(where.reasons, dtype=pl.String))
    table = table.join(structure, on="platform", how="left", maintain_order="left")
    return table.with_columns(pl.col("batch_kind", "source_row").fill_null(""))


def _reference_column(
    name: str, array: xr.DataArray | None, known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]
) -> pl.Series:
    values = np.full(len(known), np.nan)
    if array is not None and len(number):
        each = _most_generous(name, array)
        values[known] = each[number] if each.ndim else each
    return pl.Series(name, values).fill_nan(None)


def _most_generous(name: str, array: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return a number a row: along dims that rows know nothing of, such as a site, what allows most."""
    each = np.asarray(array.transpose("row", ..., missing_dims="ignore").values, dtype="f8")
    others = tuple(range(1 if "row" in array.dims else 0, each.ndim))
    if not others:
        return each
    return np.asarray(np.fmin.reduce(each, axis=others) if name in LEAST else np.fmax.reduce(each, axis=others))


def _executed_precisions(at: xr.Dataset, known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]) -> pl.Series:
    """Return the precision that each row's platform computes in, where its facts say it."""
    values = np.full(len(known), "", dtype=object)
    if "executed_precision" in at and len(number):
        names = at["executed_precision"]
        each = names.isel({dim: 0 for dim in names.dims if dim != "row"}).values
        values[known] = each[number] if each.ndim else each
    return pl.Series("executed_precision", values.tolist(), dtype=pl.String).replace("", None)


def _broken(table: pl.DataFrame, rules: list[Rule]) -> list[pl.DataFrame]:
    """Return the findings of the rules that any row breaks; all are evaluated together, which takes a third."""
    broken = [rule.broken.fill_null(value=False).alias(f"{number}") for number, rule in enumerate(rules)]
    masks = table.select(broken).get_columns()
    return [_lines_of(table, rule, mask) for rule, mask in zip(rules, masks, strict=True) if mask.any()]


def _lines_of(table: pl.DataFrame, rule: Rule, mask: pl.Series) -> pl.DataFrame:
    # evaluated before filtering: some rules look at sister rows
    judged = table.with_columns(value=rule.value.cast(pl.Float64), limit=rule.limit.cast(pl.Float64))
    return finding_lines(judged.filter(mask), "measurements", rule.name, rule.column, rule.finding, rule.action)
