"""Rules on labels: those that nothing is known of, modes and precisions not offered; and values not measured."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.datasets import canonical
from roofcube.datasets.embedded import collection_of
from roofcube.datasets.listings import networks, platforms
from roofcube.datasets.networks import UNSAID_TASK
from roofcube.errors import suggestion
from roofcube.labels import column_of, locate, own_dims, spelt_as_in
from roofcube.measured.findings import finding_lines, no_numbers
from roofcube.measured.rows import without_figure
from roofcube.vocabulary import CONFIGURATION, INFEASIBLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

__all__ = ["label_findings", "missing_values", "task_reasons"]

MEND = "correct the label, or give the platform or network in `inputs`"
MOST_COMPARED = 30_000  # pairs of labels; 0.3 s


def label_findings(table: pl.DataFrame, space: xr.Dataset) -> list[pl.DataFrame]:
    """Judge the labels of measured rows by those of a space of inputs."""
    return [_unknown_labels(table, space), _not_offered(table, space), _of_another_task(table, space)]


def _unknown_labels(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    """Find every label of a row that nothing is known of."""
    rows = no_numbers(table.filter(pl.col("unknown") != ""))
    if not rows.height:
        return _mislabelled(rows, "", [], [])
    lines = []
    for dim in (name for name in (*CONFIGURATION, *own_dims(space, table)) if name in space.coords):
        column = column_of(dim)
        away = pl.Series(~locate(space, rows, dims=(dim,)).mask, dtype=pl.Boolean)
        strange = rows.filter(away)
        labels = strange[column].to_list()
        closest = _closest(column, list(dict.fromkeys(labels)), space)
        elsewhere = frozenset(_known_labels(column)) if labels else frozenset()
        findings = [
            f"{dim} {label!r} is not {'among the inputs' if label in elsewhere else 'known'}" for label in labels
        ]
        lines.append(_mislabelled(strange, column, findings, [MEND + closest[label] for label in labels]))
    told = {row for part in lines for row in part["row"].to_list()}
    # known each, but not together: a platform without this mode where hardware is laid out by offers
    rest = rows.filter(~pl.col("row").is_in(list(told)))
    columns = rest["unknown"].str.split(" ").list.first().replace("pruning", "pruning_percent")
    together = _mislabelled(rest, "", rest["unknown"].to_list(), [MEND] * rest.height).with_columns(column=columns)
    return pl.concat([*lines, together])


def _not_offered(table: pl.DataFrame, space: xr.Dataset) -> pl.DataFrame:
    """Find rows in a mode or precision that their platform does not have, known as it may be elsewhere."""
    parts = []
    for column, reason in (("mode", "mode_not_offered"), ("precision", "precision_not_supported")):
        rows = no_numbers(table.filter(pl.col("infeasible") == INFEASIBLE[reason]))
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
    """Find rows whose task is not the one that their network is known for."""
    tasks = dict(datasets.load_topologies().select("topology", "task").iter_rows())
    if "task" in space.coords and space["task"].dims == ("topology",):
        # an own network that says no task is known for none, whatever is embedded by its name
        tasks |= dict(zip(space["topology"].values.tolist(), space["task"].values.tolist(), strict=True))
    tasks = {topology: task for topology, task in tasks.items() if task != UNSAID_TASK}
    said = table.filter(pl.col("task") != UNSAID_TASK)
    known_for = pl.col("topology").replace_strict(tasks, default=None, return_dtype=pl.String)
    rows = said.with_columns(known_for=known_for).filter(pl.col("task") != pl.col("known_for"))
    rows = no_numbers(_not_shared(rows))
    findings, actions = [], []
    for topology, task in rows.select("topology", "task").iter_rows():
        findings.append(f"topology {topology!r} is known for task {tasks[topology]!r}, not {task!r}")
        actions.append(f"give task {tasks[topology]!r}, or name your network otherwise")
    return _mislabelled(rows, "task", findings, actions)


def _not_shared(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out rows of networks that embedded collections hold for both tasks, that of the row and the known one."""
    held = _embedded_pairs([task for name in ("task", "known_for") for task in rows[name].unique()])
    pairs = rows.select("topology", "task", "known_for").iter_rows()
    apart = [not {(topology, task), (topology, other)} <= held for topology, task, other in pairs]
    return rows.filter(pl.Series(apart, dtype=pl.Boolean)).drop("known_for")


def _embedded_pairs(tasks: Iterable[str]) -> set[tuple[str, str]]:
    """Return the networks, each with its task, of the collections of these tasks."""
    collections = dict.fromkeys(collection_of(canonical("task", task)) for task in tasks)
    tables = [datasets.load_topologies(collection=one) for one in collections]
    return {pair for table in tables for pair in table.select("topology", "task").iter_rows()}


def task_reasons(cube: xr.Dataset, table: pl.DataFrame) -> list[str]:
    """Say of each row whose task is not that of its network in a cube that it is another; nothing where one says none.

    A task that a network is embedded for may be filled in, by `read_measurements`: it is another only beside rows of
    the cube's own task, and where the network is not embedded for both.
    """
    known = _tasks_in(cube)
    if "task" not in table.columns or not known:
        return [""] * table.height
    rows = spelt_as_in(cube, table)
    topologies = rows["topology"].to_list() if "topology" in rows.columns else [next(iter(known))] * rows.height
    pairs = list(zip(topologies, rows["task"].to_list(), strict=True))
    own = {pair: known.get(pair[0], known.get("")) for pair in pairs}
    said = {pair: (_plain_task(pair[1]), _plain_task(task)) for pair, task in own.items()}
    apart = [pair for pair, (task, other) in said.items() if task and other and task != other]
    beside = {topology for (topology, _), (task, other) in said.items() if task and task == other}
    tasks: list[Any] = [one for pair in apart for one in (pair[1], own[pair])]
    held = {(topology, _plain_task(task)) for topology, task in _embedded_pairs(tasks)}
    told = {}
    for topology, task in apart:
        embedded = [(canonical("topology", topology or ""), one) in held for one in said[topology, task]]
        if not embedded[0] or (topology in beside and not embedded[1]):
            network = repr(topology) if topology else "the network"  # of a cube that was cut to one
            told[topology, task] = f"task {task!r} is not that of {network} in the cube, {own[topology, task]!r}"
    return [told.get(pair, "") for pair in pairs]


def _tasks_in(cube: xr.Dataset) -> dict[str, Any]:
    """Return the task of each network of a cube; none where it is a dim, by which rows find their cells."""
    task = cube.coords.get("task")
    topologies = np.ravel(cube["topology"].values).tolist() if "topology" in cube.coords else [""]
    if task is None or not task.ndim:
        return dict.fromkeys(topologies, cube.attrs.get("task") if task is None else task.item())
    return dict(zip(topologies, task.values.tolist(), strict=True)) if task.dims == ("topology",) else {}


def _plain_task(task: object) -> str:
    """Return a task without its case and separators; nothing where none is said."""
    plain = re.sub(r"[\W_]+", "", canonical("task", task)).casefold() if isinstance(task, str) else ""
    return "" if plain == UNSAID_TASK else plain


def _mislabelled(rows: pl.DataFrame, column: str, findings: list[str], actions: list[str]) -> pl.DataFrame:
    lines = finding_lines(rows, "measurements", "unknown_label", column, "", "")
    texts = {"finding": findings, "action": actions}
    return lines.with_columns(pl.Series(name, text, dtype=pl.String) for name, text in texts.items())


def _closest(column: str, labels: list[object], space: xr.Dataset) -> dict[object, str]:
    """Suggest labels of the facts for each that they do not have; of very many only for the first."""
    here = space[column].values.tolist() if column in space.dims else []
    known = tuple(dict.fromkeys([*here, *_known_labels(column)])) if labels else ()
    told = labels[: MOST_COMPARED // max(len(known), 1)]
    near: dict[object, str] = {
        label: suggestion(label, known) for label in told if isinstance(label, str) and label not in known
    }
    return {label: near.get(label, "") for label in labels}


@cache
def _known_labels(column: str) -> tuple[Any, ...]:
    """Return the labels of all collections."""
    facts = (platforms(), networks())
    named = (table[column].drop_nulls().unique(maintain_order=True) for table in facts if column in table.columns)
    return tuple(dict.fromkeys(label for labels in named for label in labels))


def missing_values(table: pl.DataFrame, given: list[str]) -> pl.DataFrame:
    """Find empty fields of columns that the table has a value in; where that is none, rows without any figure."""
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
        finding_lines(
            no_numbers(table.filter(pl.col(name).is_null())),
            "measurements",
            "missing_value",
            name,
            "not measured",
            "the cube holds NaN there; nothing is filled in",
        )
        for name in columns
    ]
    if not lines:
        empty = no_numbers(table.filter(without_figure(table)))
        text = "no figure was measured"
        lines = [finding_lines(empty, "measurements", "missing_value", "", text, "measure one; such a row has no cell")]
    return pl.concat(lines)
