"""The physics gate: puts measured rows and meter samples through the rules; findings, never corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.datasets.tables import collections_of
from roofcube.errors import check_kind
from roofcube.labels import KEY_COLUMNS, check_labelled, labelled, locate, named_as_dims, own_dims, rows_of, spelt_as_in
from roofcube.measured.findings import FINDING_COLUMNS, finding_lines
from roofcube.measured.label_rules import label_findings, missing_values
from roofcube.measured.named import inputs_named
from roofcube.measured.rows import USUAL, measurement_rows, trace_rows
from roofcube.measured.rules import rules_for
from roofcube.measured.trace_rules import trace_findings
from roofcube.model.assumptions import BOUND
from roofcube.model.made import RESULTS, without_results
from roofcube.model.own_networks import with_experts_read
from roofcube.model.predict import predict
from roofcube.vocabulary import CONFIGURATION, HARDWARE_FACTS, NETWORK_FACTS, PHASE_DIMS, QUALITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.measured.rules import Rule

__all__ = ["check", "quality_bits"]
ROWS_TOGETHER = 400  # judged at once: of 7,388 rows of deep networks all at once take 150 MB
OWN = "own dim "  # before the names of dims of the user's own: no column of the gate is one of them
BATCH_OF_INPUTS = "batch of the inputs"
NO_BATCH = 0  # apart from every batch: what depends on it is not known of a row that does not say it
# made of the batch, and for one input by itself
EXPERTS_READ = ("params_read", "layer_params_read", "params_read_alone", "layer_params_read_alone")
LEAST = ("infeasible", "memory_required")  # of these the least allows most


def check(measurements: Any, *, traces: Any = None, inputs: xr.Dataset | None = None) -> pl.DataFrame:
    """Put measurements and meter traces through the physics gate.

    Parameters
    ----------
    measurements : table
        In the schema of `roofcube.datasets.load_measurements`: a DataFrame of polars or pandas, a LazyFrame, a dict of
        columns, a list of dicts, or the name of a file, which is read by `read_measurements`.
    traces : table, optional
        In the schema of `roofcube.datasets.load_power_traces`; watts, or volts and amperes.
    inputs : Dataset, optional
        Platforms and networks to judge by; the embedded ones where not given, those of other collections by name.

    Returns
    -------
    DataFrame
        A line per finding (a row may have several): `row` (0-based), `table` (what it is a row of), `source_row` (of
        the file), `rule`, `grade` (impossible, doubtful or note), `column`, `value`, `limit`, `ratio`, `finding` and
        `action`. No row is changed or dropped. Where a row has no throughput, batch / latency is judged as its
        throughput.

    Examples
    --------
    >>> import roofcube as rc
    >>> findings = rc.check(rc.datasets.load_measurements())
    >>> findings.filter(findings["rule"] == "above_compute_peak").height
    9

    Of a board of your own, and of the samples of a meter:

    >>> board = rc.hypothetical(name="Kite", peak_compute="1 TOP/s", memory_bandwidth="8 GB/s")
    >>> inputs = rc.inputs("mnist", platforms=board, precision="INT8")
    >>> row = {"topology": "MLP", "platform": "Kite", "precision": "INT8", "batch": 1, "throughput_compute_per_s": 9e9}
    >>> rc.check([row], inputs=inputs)["rule"].to_list()
    ['above_compute_peak', 'above_roofline', 'above_bound', 'unit_off']
    >>> samples = rc.check([row], traces=rc.datasets.load_power_traces(), inputs=inputs)
    >>> "impossible_sample" in samples["rule"].to_list()
    True
    """
    rows = measurement_rows(measurements, as_said=True)
    space = _space(inputs, rows)
    check_labelled(space, rows)
    rows = spelt_as_in(space, named_as_dims(space, rows))
    space, rows, own = _own_dims_apart(space, rows)
    *labels, batch = (*KEY_COLUMNS[:-1], *own, KEY_COLUMNS[-1])
    table = _with_references(_with_all_columns(rows, own), space, (*CONFIGURATION, *own))
    table = table.with_columns(_batch_kind((*labels, batch)))
    parts = _broken(table, rules_for(table, keys=(*labels, "batch_kind", batch)))
    parts += [*label_findings(table, space), missing_values(table, rows.columns)]
    if traces is not None:
        parts += trace_findings(table, spelt_as_in(space, trace_rows(traces)))
    findings = (
        pl.concat([part.select(list(FINDING_COLUMNS)).cast(FINDING_COLUMNS) for part in parts])  # type: ignore[arg-type]
        if parts
        else pl.DataFrame(schema=FINDING_COLUMNS)
    )
    findings = findings.with_columns(pl.col("column", "finding").str.strip_prefix(OWN))
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


def _space(inputs: xr.Dataset | None, rows: pl.DataFrame) -> xr.Dataset:
    """Return what to judge by; its batches are called otherwise, for those of the rows are judged."""
    if inputs is not None:
        check_kind("inputs", inputs, xr.Dataset, do="give what `roofcube.inputs` returns, of a sweep its `inputs`")
    space = without_results(inputs_named(rows) if inputs is None else inputs)
    if "active_params" in space:
        space = space.drop_vars(EXPERTS_READ, errors="ignore")
    of_batch = {name for name, one in space.data_vars.items() if "batch" in one.dims}
    facts = of_batch & {*HARDWARE_FACTS, *NETWORK_FACTS}
    if not facts:
        return space.drop_dims("batch", errors="ignore")
    return space.drop_vars(of_batch - facts).rename(batch=BATCH_OF_INPUTS)


def _own_dims_apart(space: xr.Dataset, rows: pl.DataFrame) -> tuple[xr.Dataset, pl.DataFrame, list[str]]:
    """Name dims of the user's own that the rows tell apart from all else, but for those that the model knows."""
    own = own_dims(space, rows)
    names = {dim: OWN + dim for dim in own if dim not in PHASE_DIMS}
    return space.rename(names), rows.rename(names), [names.get(dim, dim) for dim in own]


def _with_all_columns(measurements: pl.DataFrame, own: Sequence[str]) -> pl.DataFrame:
    """Add the columns that a table may leave out; of other columns than dims keep whether they tell rows apart."""
    kinds = {**datasets.load_measurements().schema}
    absent = [pl.lit(USUAL.get(name), kinds[name]).alias(name) for name in kinds if name not in measurements.columns]
    told = measurements.drop("source_row", strict=False)
    identical = told.is_duplicated() if told.width else pl.repeat(value=False, n=measurements.height, eager=True)
    table = measurements.with_columns(absent).select(*kinds, *own)
    return table.with_columns(identical=identical).with_row_index("row")


def _with_references(table: pl.DataFrame, space: xr.Dataset, dims: Sequence[str]) -> pl.DataFrame:
    """Add to each row what its platform and network allow; null where a label is unknown."""
    where = locate(space, table, dims=dims)
    # many rows share a configuration, which is predicted once
    labels = np.stack([*where.indices.values(), table["batch"].fill_null(NO_BATCH).to_numpy()])[:, where.mask]
    _, first, number = np.unique(labels, axis=1, return_index=True, return_inverse=True)
    judged = table[np.flatnonzero(where.mask)[first].tolist()]
    blocks = [_references(space, judged[start : start + ROWS_TOGETHER], dims) for start in _starts(judged.height)]
    number = number.reshape(-1)
    columns = [
        _reference_column(name, np.concatenate([one[name] for one in blocks]), where.mask, number)
        for name in blocks[0]
        if name != "executed_precision"
    ]
    structure = _boards(table)
    executed = _executed_precisions(np.concatenate([one["executed_precision"] for one in blocks]), where.mask, number)
    table = table.with_columns(*columns, executed, unknown=pl.Series(where.reasons, dtype=pl.String))
    table = table.join(structure, on="platform", how="left", maintain_order="left")
    return table.with_columns(pl.col("source_row").fill_null(""))


def _batch_kind(keys: Sequence[str]) -> pl.Expr:
    """Return whether the batch of each row is one or threads; a row that does not say it is of its sisters' kind."""
    said = pl.col("batch_kind")
    return pl.coalesce(said, said.max().over(keys), said.max().over(keys[:-1]), pl.lit(""))


def _starts(rows: int) -> range:
    return range(0, max(rows, 1), ROWS_TOGETHER)


def _boards(table: pl.DataFrame) -> pl.DataFrame:
    """Return the printed circuit boards of the platforms that the facts know, in whatever collection."""
    holders = collections_of("platform", table["platform"].drop_nulls().unique().to_list())
    known = [datasets.load_platforms(collection=one) for one in dict.fromkeys(["", *holders.values()])]
    return pl.concat(one.select("platform", "board") for one in known).unique("platform", keep="first")


def _references(space: xr.Dataset, judged: pl.DataFrame, dims: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return what platform and network allow, a number a row."""
    at, _ = rows_of(space, judged, dims=dims)
    at = _at_batches(at.assign_coords(batch=labelled("row", judged["batch"].to_numpy())))
    # a measured row had room: what it may reach is asked apart from what it needs
    roomy = at.drop_vars(["memory_capacity", *RESULTS], errors="ignore")
    published, bound = predict(roomy), predict(roomy, assumptions=BOUND)
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
    each = {name: _most_generous(name, array, judged.height) for name, array in references.items()}
    return {**each, "executed_precision": _first_names(at, judged.height)}


def _at_batches(at: xr.Dataset) -> xr.Dataset:
    """Read what depends on the batch at that of each row, at all of the inputs' where they lack it."""
    if BATCH_OF_INPUTS in at.coords:
        labels, number = at[BATCH_OF_INPUTS].values, np.arange(at.sizes["row"])
        same = at["batch"].values[:, None] == labels
        places = np.where(same.any(1, keepdims=True), same.argmax(1)[:, None], np.arange(len(labels)))
        chosen = xr.DataArray(places, dims=("row", BATCH_OF_INPUTS))
        at = at.drop_vars(BATCH_OF_INPUTS).isel({"row": xr.DataArray(number, dims="row"), BATCH_OF_INPUTS: chosen})
    return with_experts_read(at)


def _reference_column(
    name: str, each: np.ndarray[Any, Any], known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]
) -> pl.Series:
    values = np.full(len(known), np.nan)
    values[known] = each[number]
    return pl.Series(name, values).fill_nan(None)


def _most_generous(name: str, array: xr.DataArray | None, rows: int) -> np.ndarray[Any, Any]:
    """Return a number a row: along dims that rows know nothing of, such as a site, what allows most."""
    if array is None:
        return np.full(rows, np.nan)
    each = np.asarray(array.transpose("row", ..., missing_dims="ignore").values, dtype="f8")
    others = tuple(range(1 if "row" in array.dims else 0, each.ndim))
    if others:
        each = np.asarray(np.fmin.reduce(each, axis=others) if name in LEAST else np.fmax.reduce(each, axis=others))
    return np.broadcast_to(each, (rows,))


def _first_names(at: xr.Dataset, rows: int) -> np.ndarray[Any, Any]:
    """Return the precision that each row's platform computes in, where its facts say it."""
    if "executed_precision" not in at:
        return np.full(rows, "", dtype=object)
    names = at["executed_precision"]
    return np.broadcast_to(names.isel({dim: 0 for dim in names.dims if dim != "row"}).values.astype(object), (rows,))


def _executed_precisions(
    each: np.ndarray[Any, Any], known: np.ndarray[Any, Any], number: np.ndarray[Any, Any]
) -> pl.Series:
    values = np.full(len(known), "", dtype=object)
    values[known] = each[number]
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
