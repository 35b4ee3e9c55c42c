"""The physics gate: puts measured rows and meter samples through the rules; findings, never corrections."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.datasets import canonical
from roofcube.datasets.table_forms import as_table
from roofcube.errors import suggestion
from roofcube.labels import labelled, locate, rows_of
from roofcube.measured.rows import measurement_rows
from roofcube.measured.rules import rules_for
from roofcube.model.assumptions import BOUND
from roofcube.model.inputs import inputs as model_inputs
from roofcube.model.predict import predict
from roofcube.variables import CONFIGURATION, GRADES, INFEASIBLE, QUALITY

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.measured.rules import Rule

__all__ = ["check", "quality_bits"]

USB_VOLTS = (4.75, 5.25)  # USB 2.0 supply range at the device, section 7.2.2 of the specification
MOST_COMPARED = 30_000  # pairs of labels; 0.3 s
STUCK_RUN = 25  # equal samples in a row; honest runs of the embedded meters reach 19

FINDINGS: dict[str, type[pl.DataType]] = {
    "row": pl.Int64,
    "table": pl.String,
    "source_row": pl.String,
    "rule": pl.String,
    "grade": pl.String,
    "column": pl.String,
    "value": pl.Float64,
    "limit": pl.Float64,
    "ratio": pl.Float64,
    "finding": pl.String,
    "action": pl.String,
}


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
    parts += [_unknown_labels(table, space), _not_offered(table, space), _of_another_task(table, space)]
    parts.append(_missing_values(table, rows.columns))
    if traces is not None:
        traces = as_table(traces, what="traces")
        parts += [rule(traces) for rule in (_impossible_volts, _stuck_samples)]
        parts.append(_maximum_as_power(table, traces))
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
    identical = told.is_duplicated() if told.width else pl.Series([], dtype=pl.Boolean)
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
        "memory_required": _memory_required(at, published["infeasible"]),
    }
    columns = [_reference_column(name, array, where.mask, number.reshape(-1)) for name, array in references.items()]
    structure = datasets.load_platforms().unique("platform", keep="first").select("platform", "board")
    executed = _executed_precisions(at, where.mask, number.reshape(-1))
    table = table.with_columns(*columns, executed, unknown=pl.Series(where.reasons, dtype=pl.String))
    table = table.join(structure, on="platform", how="left", maintain_order="left")
    return table.with_columns(pl.col("batch_kind", "source_row").fill_null(""))


def _memory_required(at: xr.Dataset, infeasible: xr.DataArray) -> xr.DataArray | None:
    """Return the memory that each row takes, also where there is less: as if there were no end of it."""
    if "memory_capacity" not in at or not (infeasible.values == INFEASIBLE["does_not_fit_memory"]).any():
        return None
    endless = at.variables["memory_capacity"]
    endless = labelled(endless.dims, np.full(endless.shape, np.inf), endless.attrs)
    return predict(at.assign(memory_capacity=endless)).get("memory_required")


def _reference_column(
    name: str, array: xr.DataArray | None, known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]
) -> pl.Series:
    values = np.full(len(known), np.nan)
    if array is not None and len(number):
        each = np.asarray(array.values, dtype="f8")
        values[known] = each[number] if each.ndim else each
    return pl.Series(name, values).fill_nan(None)


def _executed_precisions(at: xr.Dataset, known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]) -> pl.Series:
    """Return the precision that each row's platform computes in, where its facts say it."""
    values = np.full(len(known), "", dtype=object)
    if "executed_precision" in at and len(number):
        each = at["executed_precision"].values
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
    return _finding_lines(judged.filter(mask), "measurements", rule.name, rule.column, rule.finding, rule.action)


def _finding_lines(rows: pl.DataFrame, table: str, rule: str, column: str, finding: str, action: str) -> pl.DataFrame:
    return rows.with_columns(
        table=pl.lit(table),
        rule=pl.lit(rule),
        grade=pl.lit(GRADES[rule]),
        column=pl.lit(column),
        ratio=pl.col("value") / pl.col("limit"),
        finding=pl.lit(finding),
        action=pl.lit(action),
    ).select(list(FINDINGS))


def _no_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(value=pl.lit(None, pl.Float64), limit=pl.lit(None, pl.Float64))


# rules with a shape of their own --------------------------------------------------------------------------------------


def _unknown_labels(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    rows = _no_numbers(table.filter(pl.col("unknown") != ""))
    columns = rows["unknown"].str.split(" ").list.first().replace("pruning", "pruning_percent")
    mend = "correct the label, or give the platform or network in `inputs`"
    given = {column: rows[column].to_list() for column in columns.unique()}
    labels = [(column, given[column][place]) for place, column in enumerate(columns)]
    closest = _closest(list(dict.fromkeys(labels)), space)
    actions = [mend + closest[label] for label in labels]
    return _mislabelled(rows, "", rows["unknown"].to_list(), actions).with_columns(column=columns)


def _not_offered(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    """Find rows in a mode or precision that their platform does not have, known as it may be elsewhere."""
    parts = []
    for column, reason in (("mode", "mode_not_offered"), ("precision", "precision_not_supported")):
        rows = _no_numbers(table.filter(pl.col("infeasible") == INFEASIBLE[reason]))
        findings, actions = [], []
        offered = {platform: _offered(space, platform, column) for platform in rows["platform"].unique().to_list()}
        for platform, label in rows.select("platform", column).iter_rows():
            findings.append(f"platform {platform!r} has no {column} {label!r}")
            names = offered[platform]
            actions.append(f"give {' or '.join(map(repr, names))}" if names else f"give a {column} that it has")
        parts.append(_mislabelled(rows, column, findings, actions))
    return pl.concat(parts)


def _offered(space: xr.Dataset, platform: str, column: str) -> list[str]:
    """List the modes or precisions in which a platform has a peak."""
    dims = space["peak_compute"].dims
    if not {"platform", column} <= set(dims):
        return []
    # in NumPy: the first selection by xarray imports dask, which takes longer than all else
    place = canonical("platform", platform)
    known = np.isfinite(space["peak_compute"].values)[
        tuple(space["platform"].values == place if dim == "platform" else slice(None) for dim in dims)
    ]
    has = known.any(axis=tuple(number for number, dim in enumerate(dims) if dim != column))
    return [str(label) for label, offered in zip(space[column].values.tolist(), has, strict=True) if offered]


def _of_another_task(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    """Find rows whose task is not the one that their network is known for; labels are joined without the task."""
    tasks = dict(datasets.load_topologies().select("topology", "task").iter_rows())
    if "task" in space.coords and space["task"].dims == ("topology",):
        own = zip(space["topology"].values.tolist(), space["task"].values.tolist(), strict=True)
        tasks |= {topology: task for topology, task in own if task != "custom"}
    rows = _no_numbers(table.filter(pl.col("task") != pl.col("topology").replace_strict(tasks, default=None)))
    findings, actions = [], []
    for topology, task in rows.select("topology", "task").iter_rows():
        findings.append(f"topology {topology!r} is known for task {tasks[topology]!r}, not {task!r}")
        actions.append(f"give task {tasks[topology]!r}, or name your network otherwise")
    return _mislabelled(rows, "task", findings, actions)


def _mislabelled(rows: pl.DataFrame, column: str, findings: list[str], actions: list[str]) -> pl.DataFrame:
    lines = _finding_lines(rows, "measurements", "unknown_label", column, "", "")
    texts = {"finding": findings, "action": actions}
    return lines.with_columns(pl.Series(name, text, dtype=pl.String) for name, text in texts.items())


def _closest(labels: list[tuple[str, object]], space: xr.Dataset) -> dict[tuple[str, object], str]:
    """Suggest a label of the facts for each that they do not have; of very many only for the first."""
    known: dict[str, tuple[Any, ...]] = {}
    compared = 0
    found = {}
    for column, label in labels:
        if column not in known:
            here = space[column].values.tolist() if column in space.dims else []
            known[column] = tuple(dict.fromkeys([*here, *_known_labels(column)]))
        compared += len(known[column])
        near = isinstance(label, str) and label not in known[column] and compared <= MOST_COMPARED
        found[column, label] = suggestion(label, known[column]) if near else ""
    return found


@cache
def _known_labels(column: str) -> tuple[Any, ...]:
    facts = (datasets.load_platforms(), datasets.load_topologies())
    return tuple(
        name for table in facts if column in table.columns for name in table[column].unique(maintain_order=True)
    )


def _missing_values(table: pl.DataFrame, given: list[str]) -> pl.DataFrame:
    columns = [
        name
        for name in (
            "throughput_compute_per_s",
            "latency_compute_s",
            "throughput_system_per_s",
            "latency_system_s",
            "top1_percent",
            "power_full_w",
        )
        if name in given and table[name].null_count() < table.height
    ]
    lines = [
        _finding_lines(
            _no_numbers(table.filter(pl.col(name).is_null())),
            "measurements",
            "missing_value",
            name,
            "not measured",
            "the cube holds NaN there; nothing is filled in",
        )
        for name in columns
    ]
    return pl.concat(lines) if lines else pl.DataFrame(schema=FINDINGS)


def _numbered_samples(traces: pl.DataFrame) -> pl.DataFrame:
    place = pl.format("{} {} {} sample {}", "platform", "mode", "topology", "sample")
    return traces.with_row_index("row").with_columns(source_row=place)


def _impossible_volts(traces: pl.DataFrame) -> pl.DataFrame:
    low, high = USB_VOLTS
    volts = pl.col("voltage_v")
    rows = (
        _numbered_samples(traces)
        .filter((volts < low) | (volts > high))
        .with_columns(value=volts, limit=pl.when(volts < low).then(pl.lit(low)).otherwise(pl.lit(high)))
    )
    return _finding_lines(
        rows,
        "traces",
        "impossible_sample",
        "voltage_v",
        "outside the supply range of 4.75 to 5.25 V",
        "leave the sample out of means and maxima",
    )


def _stuck_samples(traces: pl.DataFrame) -> pl.DataFrame:
    reading = pl.struct("platform", "mode", "topology", "voltage_v", "current_a", "power_w").rle_id()
    rows = (
        _numbered_samples(traces)
        .with_columns(_run=reading)
        .with_columns(value=pl.len().over("_run").cast(pl.Float64), limit=pl.lit(float(STUCK_RUN)))
    )
    return _finding_lines(
        rows.filter(pl.col("value") >= STUCK_RUN),
        "traces",
        "stuck_sample",
        "current_a",
        "the meter shows the same reading too often in a row",
        "leave the run out",
    )


def _maximum_as_power(table: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """Tell rows whose power under load is the highest meter sample from rows that hold a mean."""
    if "power_full_w" not in table.columns:
        return pl.DataFrame(schema=FINDINGS)
    watts = pl.coalesce("power_w", pl.col("voltage_v") * pl.col("current_a"))
    bad = pl.concat([_impossible_volts(traces), _stuck_samples(traces)])["row"].unique()
    usable = traces.with_row_index("row").filter(~pl.col("row").is_in(bad.implode()))
    key = ["platform", "mode", "topology"]
    highest = traces.group_by(key).agg(highest=watts.max())
    means = usable.group_by(key).agg(mean=watts.mean(), usable_highest=watts.max())
    rows = table.join(highest, on=key, how="inner").join(means, on=key, how="left").sort("row")
    full = pl.col("power_full_w")
    is_highest = ((full / pl.col("highest") - 1.0).abs() < 1e-3) | (
        (full / pl.col("usable_highest") - 1.0).abs() < 1e-3
    )
    rows = rows.filter(is_highest).with_columns(value=full, limit=pl.col("mean"))
    return _finding_lines(
        rows,
        "measurements",
        "power_is_maximum",
        "power_full_w",
        "power under load is the highest meter sample, not the mean",
        "compare with the mean of the trace",
    )
