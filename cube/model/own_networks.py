"""The user's own networks as the tables behind `inputs`: counts, layers and accuracy; two sources never merge."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.datasets.forms.reading import columns_of
from roofcube.datasets.networks import UNSAID_TASK, VECTOR_KINDS, with_one_task
from roofcube.datasets.schema import OwnAccuracy
from roofcube.errors import InvalidDataError
from roofcube.labels import axis, labelled
from roofcube.vocabulary import PHASE_DIMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

__all__ = ["OwnNetworks", "own_networks", "own_tasks", "with_experts_read", "with_notes", "with_phases", "with_totals"]

EMBEDDED = "the embedded tables"
KEY = ("topology", "pruning_percent")
OF_THE_MODEL = ("params", "active_params", "expert_share")
BY_PHASE = ("ops", "params", "active_params", "expert_share", "tokens", "activations", "activation_memory", "state")
TOTALS = ("activations", "activation_memory", "state", "vector_ops", "vector_elements")


@dataclass(frozen=True)
class OwnNetworks:
    """Tables of the user's networks.

    Attributes
    ----------
    counts : DataFrame
        A row a network and share of channels kept, in the columns of `load_topologies`, and where totals differ by
        `precision` a row for each.
    layers : DataFrame
        Layers with operations or parameters, numbered anew; networks known by totals have none.
    accuracy : DataFrame
        As of `load_accuracy`; without a precision where it holds at every one that has no row of its own.
    phases : DataFrame
        Of networks that need other things in each phase and context, a row for each.
    notes : DataFrame
        What must be said of the counts of a network: `topology`, `note`.
    """

    counts: pl.DataFrame
    layers: pl.DataFrame
    accuracy: pl.DataFrame
    phases: pl.DataFrame
    notes: pl.DataFrame


def own_tasks(tables: Iterable[pl.DataFrame]) -> list[str]:
    """Name the tasks that tables of networks speak of."""
    return list(dict.fromkeys(task for table in tables if "task" in table.columns for task in table["task"].to_list()))


def own_networks(tables: Sequence[pl.DataFrame], task: str | None, embedded: pl.DataFrame) -> OwnNetworks:
    """Sort tables of `read_network` into counts, layers and accuracy.

    Raises
    ------
    InvalidDataError
        If a network or a layer of it comes from two sources, naming the label and both, or says two tasks; if a table
        is neither of layers nor of totals; if it holds no network of the task.

    Warns
    -----
    UserWarning
        Naming the networks of a table that are left out, being of other tasks.
    """
    completed = [_completed_totals(table, number, task) for number, table in enumerate(tables, start=1)]
    for table, chosen in zip(tables, completed, strict=True):
        _tell_left_out(table, chosen, task)
    _check_distinct(completed, embedded)
    layers = [table for table in completed if "layer" in table.columns]
    totals = [table for table in completed if "layer" not in table.columns]
    return OwnNetworks(
        _joined_networks([*map(_counts_of_layers, layers), *map(_counts_of_totals, totals)]),
        _joined_networks([_numbered(table) for table in layers]),
        _joined_networks([_accuracy_of(table) for table in completed]),
        _joined_networks([table for table in totals if "phase" in table.columns]),
        _joined_networks([_notes_of(table) for table in layers if "note" in table.columns]),
    )


def _joined_networks(tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame()


def _completed_totals(table: pl.DataFrame, number: int, task: str | None) -> pl.DataFrame:
    """Return a table its optional columns, and drop networks of other tasks."""
    name = f"table {number} of `topologies`"
    needed = (
        ("topology", "pruning_percent", "layer", "ops") if "layer" in table.columns else ("topology", "ops", "params")
    )
    missing = next((column for column in needed if column not in table.columns), None)
    if missing is not None:
        msg = (
            f"`topologies`: {name} has no column {missing!r}, so it is neither a table of layers nor of totals; read "
            "it with `roofcube.read_network`"
        )
        raise InvalidDataError(msg)
    defaults = {"pruning_percent": 100.0, "task": UNSAID_TASK, "source": name}
    table = table.with_columns(
        pl.lit(value).alias(column) for column, value in defaults.items() if column not in table.columns
    )
    table = with_one_task(table, source=f"`topologies`: {name}")
    if task is None:
        return table
    chosen = table.filter(pl.col("task").is_in([task, UNSAID_TASK]))
    if chosen.is_empty():
        others = ", ".join(map(repr, own_tasks([table])))
        msg = f"`topologies`: {name} holds no network of the task {task!r}, only of {others}; leave it out, or the task"
        raise InvalidDataError(msg)
    return chosen


def _tell_left_out(table: pl.DataFrame, chosen: pl.DataFrame, task: str | None) -> None:
    """Warn where a table has networks of other tasks, beside those that are chosen."""
    there = set(chosen["topology"].to_list())
    left = [name for name in table["topology"].unique(maintain_order=True) if name not in there]
    if left:
        names = ", ".join(map(repr, left))
        msg = f"`topologies`: left out {names} of another task than {task!r}; ask for each task by itself"
        warnings.warn(msg, UserWarning, stacklevel=5)


def _check_distinct(tables: list[pl.DataFrame], embedded: pl.DataFrame) -> None:
    """Raise where a network has two sources, two tasks, or one layer twice."""
    sources: dict[tuple[object, ...], str] = dict.fromkeys(embedded.select(KEY).iter_rows(), EMBEDDED)
    task_of: dict[object, tuple[str, str]] = {
        topology: (task, EMBEDDED) for topology, task in embedded.select("topology", "task").iter_rows()
    }
    for table in tables:
        pairs = table.select(*KEY, "task", "source").unique(maintain_order=True)
        for topology, pruning, task, source in pairs.iter_rows():
            first = sources.get((topology, pruning))
            if first is not None:
                msg = (
                    f"`topologies`: {topology!r} at {pruning:g} % comes twice, from {first} and from {source}; give "
                    "one another label with `roofcube.read_network(..., name=...)`, or leave one out"
                )
                raise InvalidDataError(msg)
            other, where = task_of.setdefault(topology, (task, source))
            if other != task:
                msg = (
                    f"`topologies`: {topology!r} is of the task {other!r} in {where} and of {task!r} in {source}; give "
                    "one another label with `roofcube.read_network(..., name=...)`, or both the same task"
                )
                raise InvalidDataError(msg)
            sources[topology, pruning] = source
        _check_rows(table)


def _check_rows(table: pl.DataFrame) -> None:
    last = "layer" if "layer" in table.columns else "precision" if "precision" in table.columns else None
    key = [*KEY, *(name for name in PHASE_DIMS if name in table.columns), *([last] if last else [])]
    twice = table.filter(table.select(key).is_duplicated())
    if not twice.is_empty():
        row = twice.row(0, named=True)
        told = f"{last} {row[last]!r} of " if last and row[last] is not None else ""
        msg = (
            f"`topologies`: {told}{row['topology']!r} at {row['pruning_percent']:g} % is there twice in "
            f"{row['source']}; keep one row"
        )
        raise InvalidDataError(msg)


# counts ---------------------------------------------------------------------------------------------------------------


def _counts_of_layers(layers: pl.DataFrame) -> pl.DataFrame:
    """Total the layers of networks, in the columns of `load_topologies`; vector work only where a table has any."""
    sums = {name: pl.col(name).sum().cast(pl.Float64) for name in ("ops", "params")}
    vector = pl.col("kind").is_in(VECTOR_KINDS)
    if "kind" in layers.columns and not layers.filter(vector).is_empty():
        moved = (pl.col("input_elements") + pl.col("output_elements")).filter(vector)
        sums |= {
            "vector_ops": pl.col("vector_ops").sum().cast(pl.Float64),
            "vector_elements": moved.sum().cast(pl.Float64),
            # such a table has every operator of the network, and weights that are in memory alone
            "kernels": (~((pl.col("kind") == "embedding") & (pl.col("output_elements") == 0))).sum().cast(pl.Float64),
        }
    totals = layers.group_by(*KEY, "task", maintain_order=True).agg(**sums)
    return totals.with_columns(counts_source=pl.lit("layers"), ops_source="ops", shapes=pl.lit("published"))


def _notes_of(layers: pl.DataFrame) -> pl.DataFrame:
    return layers.filter(pl.col("note") != "").select("topology", "note").unique(maintain_order=True)


def _counts_of_totals(totals: pl.DataFrame) -> pl.DataFrame:
    if "phase" in totals.columns:
        # what differs by phase is laid down by `with_phases`
        totals = totals.unique(KEY, keep="first", maintain_order=True)
    figures = [name for name in TOTALS if name in totals.columns]
    columns = [*KEY, "task", *(name for name in ("precision",) if name in totals.columns)]
    return totals.select(
        *columns, *(pl.col(name).cast(pl.Float64) for name in ("ops", "params", *figures))
    ).with_columns(counts_source=pl.lit("totals"), ops_source="ops", shapes=pl.lit("published"))


def _numbered(layers: pl.DataFrame) -> pl.DataFrame:
    """Keep the layers with operations or parameters, numbered from 0 in the order of the table's own numbers."""
    if "kind" in layers.columns and not layers.filter(pl.col("kind").is_in(VECTOR_KINDS)).is_empty():
        layers = layers.filter(~pl.col("kind").is_in(VECTOR_KINDS)).with_columns(
            layer=pl.col("layer").rank("ordinal").over(KEY).cast(pl.Int64) - 1
        )
    return layers


def with_totals(needs: xr.Dataset, totals: pl.DataFrame) -> xr.Dataset:
    """Put networks that are known by their totals among those of layers.

    Over layers such a network is one roofline as a whole, max of sums for sum of maxima: a looser bound than its layers
    would give, never a tighter one. What its totals do not say is NaN: not known, which is not 0.

    Parameters
    ----------
    needs : Dataset
        As of `inputs`, where these networks still lack everything.
    totals : DataFrame
        Of `OwnNetworks.counts`, a row a network, or one for each precision where they differ.
    """
    if totals.is_empty():
        return needs
    by_precision = "precision" in totals.columns and totals["precision"].is_not_null().any()
    added: dict[str, Any] = {}
    for name in ("ops", "params", *(one for one in TOTALS if one in needs)):
        array = needs[name].values.copy()
        if by_precision:
            array = np.repeat(array[..., None], needs.sizes["precision"], axis=-1)
        for place, value in _places_of(totals, name, needs, bool(by_precision)):
            array[place] = value
        dims = needs[name].dims
        if by_precision and not _same_along_last(array):
            dims = (*dims, "precision")
        elif by_precision:
            array = array[..., 0]
        added[name] = labelled(dims, array)
        if f"layer_{name}" in needs:
            added[f"layer_{name}"] = _as_one_layer(needs[f"layer_{name}"], added[name], totals, needs)
    missing = {
        str(name): _deepened(needs[name]) for name in needs if "layer" in needs[name].dims and str(name) not in added
    }
    return needs.drop_vars([*added, *missing]).assign(added | missing)[list(needs)]


def _places_of(totals: pl.DataFrame, name: str, needs: xr.Dataset, by_precision: bool) -> list[tuple[Any, float]]:
    """List where each figure of a network goes: what holds at every precision first, then what holds at one."""
    axes = {dim: {label: place for place, label in enumerate(needs[dim].values.tolist())} for dim in needs.indexes}
    places: list[tuple[Any, float]] = []
    unknown = 0.0 if name == "state" else np.nan
    rows = sorted(totals.iter_rows(named=True), key=lambda row: bool(by_precision and row["precision"] is not None))
    for row in rows:
        place = axes["topology"][row["topology"]], axes["pruning"][row["pruning_percent"]]
        value = unknown if row.get(name) is None else float(row[name])
        if by_precision and row["precision"] is not None:
            if row["precision"] in axes["precision"]:
                places.append(((*place, axes["precision"][row["precision"]]), value))
            # at the precisions of which no row speaks nothing is known
            places.insert(0, (place, np.nan))
        else:
            places.append((place, value))
    return places


def _same_along_last(array: np.ndarray[Any, Any]) -> bool:
    first = array[..., :1]
    return bool(((array == first) | (np.isnan(array) & np.isnan(first))).all())


def _deepened(layers: xr.DataArray) -> xr.Variable:
    """Return every network at least one layer to lay its totals in."""
    array = layers.values
    if not layers.sizes["layer"]:
        array = np.zeros((*array.shape[:-1], 1))
    return labelled(layers.dims, array)


def _as_one_layer(layers: xr.DataArray, whole: xr.Variable, totals: pl.DataFrame, needs: xr.Dataset) -> xr.Variable:
    array = _deepened(layers).values.copy()
    if "precision" in whole.dims:
        array = np.repeat(array[..., None, :], whole.shape[-1], axis=-2)
    for place, _ in _places_of(totals.unique(KEY, maintain_order=True), "ops", needs, by_precision=False):
        array[place][..., 0] = whole.values[place]
    return labelled((*whole.dims, "layer"), array)


# phases and contexts --------------------------------------------------------------------------------------------------


def with_phases(needs: xr.Dataset, phases: pl.DataFrame) -> xr.Dataset:
    """Give the networks of a table what they need in each phase and context, along dims of these names.

    A network of another kind needs the same in each. Where it is one roofline, so it is over layers.
    """
    if phases.is_empty():
        return needs
    labels: dict[str, list[Any]] = {
        "phase": phases["phase"].unique(maintain_order=True).to_list(),
        "context": sorted(phases["context"].unique().to_list()),
    }
    sizes = tuple(map(len, labels.values()))
    at = [needs[dim].values.tolist() for dim in ("topology", "pruning")]
    phases = phases.filter(pl.col("pruning_percent").is_in(at[1]))
    place = tuple(
        np.array([known.index(one) for one in phases[column].to_list()], dtype=np.intp)
        for known, column in zip([*at, labels["phase"], labels["context"]], [*KEY, *PHASE_DIMS], strict=True)
    )
    added: dict[str, Any] = {}
    for name in BY_PHASE:
        whole = np.full((*map(len, at), *sizes), np.nan)
        if name in needs:
            if "precision" in needs[name].dims:
                msg = f"`topologies`: totals by precision and by phase do not go together ({name}); give them apart"
                raise InvalidDataError(msg)
            whole[...] = needs[name].values[..., None, None]
            whole[place[0], place[1]] = np.nan
        whole[place] = phases[name].cast(pl.Float64).to_numpy()
        same = (whole == whole[..., :1, :1]) | np.isnan(whole)
        added[name] = (
            labelled(("topology", "pruning"), whole[..., 0, 0])
            if name in OF_THE_MODEL and same.all()
            else labelled(("topology", "pruning", *PHASE_DIMS), whole)
        )
        if f"layer_{name}" in needs:
            layers = np.repeat(needs[f"layer_{name}"].values[:, :, None, None], sizes[0], axis=2)
            layers = np.repeat(layers, sizes[1], axis=3)
            layers[place[0], place[1], :, :, 0] = whole[place[0], place[1]]
            added[f"layer_{name}"] = labelled(("topology", "pruning", *PHASE_DIMS, "layer"), layers)
    if "left_out" in phases.columns:
        needs = needs.assign_attrs(left_out="; ".join(phases["left_out"].drop_nulls().unique(maintain_order=True)))
    axes = {dim: axis(dim, np.array(values)) for dim, values in labels.items()}
    axes["phase"].attrs["long_name"] = "phase of generation"
    axes["context"].attrs.update(long_name="tokens of a sequence", units="1")
    return needs.assign(added).assign_coords(axes)


def with_notes(needs: xr.Dataset, notes: pl.DataFrame) -> xr.Dataset:
    """Say in an attribute what must be said of the counts of networks."""
    if notes.is_empty():
        return needs
    return needs.assign_attrs(
        count_notes="; ".join(f"{topology}: {note.replace('; ', ', ')}" for topology, note in notes.iter_rows())
    )


def with_experts_read(inputs: xr.Dataset) -> xr.Dataset:
    """Add how many weights a batch reads of a mixture of experts, and an input alone: those that any token chose.

    Of experts each taken with the share s by a token, t tokens take 1 − (1 − s)^t, chosen evenly and independently.
    """
    if "active_params" not in inputs or "batch" not in inputs.coords:
        return inputs
    share = inputs["expert_share"]
    if not bool((share < 1).any()):
        return inputs
    routed = (inputs["params"] - inputs["active_params"]) / (1 - share.where(share < 1, 0.0))
    added = {}
    tokens = inputs["tokens"]
    for name, together in {"params_read": inputs["batch"] * tokens, "params_read_alone": tokens}.items():
        read = (inputs["params"] - routed * (1 - share) ** together).where(share < 1, inputs["params"])
        dims = [dim for dim in (*inputs["ops"].dims, "batch") if dim in read.dims]
        added[name] = read.transpose(*dims)
        if "layer_params" in inputs:
            added[f"layer_{name}"] = (inputs["layer_params"] * (read / inputs["params"])).transpose(..., "layer")
    return inputs.assign(added)


# accuracy -------------------------------------------------------------------------------------------------------------


def _accuracy_of(table: pl.DataFrame) -> pl.DataFrame:
    """Bring the columns of accuracies into a row for each precision."""
    names = [name for name in columns_of(OwnAccuracy) if name in table.columns]
    precision = "precision" if "precision" in table.columns and "layer" not in table.columns else None
    rows: dict[tuple[object, ...], dict[str, float]] = {}
    columns = [*KEY, *([precision] if precision else [])]
    for row in table.select(*columns, *names).unique(maintain_order=True).iter_rows(named=True) if names else ():
        for name in names:
            figure, *middle, unit = name.split("_")
            where = middle[0].upper() if middle else row[precision] if precision else None
            if row[name] is not None:
                place = (*(row[column] for column in KEY), where)
                first = rows.setdefault(place, {}).setdefault(f"{figure}_{unit}", row[name])
                _check_same_accuracy(place, figure, first, row[name])
    for (*key, where), values in rows.items():
        # a figure that is not given for this precision is the one for all
        for name, value in rows.get((*key, None), {}).items() if where is not None else ():
            values.setdefault(name, value)
    kinds = dict(zip((*KEY, "precision"), (pl.String, pl.Float64, pl.String), strict=True))
    figures = {"top1_percent": pl.Float64, "top5_percent": pl.Float64}
    return pl.DataFrame(
        [(*key, *(values.get(name) for name in figures)) for key, values in rows.items()],
        schema={**kinds, **figures},
        orient="row",
    )


def _check_same_accuracy(place: tuple[Any, ...], figure: str, first: float, other: float) -> None:
    if first != other and not (np.isnan(first) and np.isnan(other)):
        topology, kept, precision = place
        at = "" if precision is None else f" at {precision}"
        msg = (
            f"`topologies`: expected one {figure} of {topology!r} at {kept:g} %{at}, got {first:g} and {other:g}; "
            "correct one, or give one network another label with `roofcube.read_network(..., name=...)`"
        )
        raise InvalidDataError(msg)
