"""inputs: the labelled inputs of a model from the facts, each variable over just the dims that it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.datasets import canonical
from roofcube.datasets.embedded import BENCHMARK, collection_of, entry_name
from roofcube.datasets.own_platforms import SOURCES, check_platform_keys, platform_table, structure_of
from roofcube.datasets.tables import collections_of
from roofcube.errors import InvalidDataError, check_choice, unknown_label
from roofcube.labels import axis, in_order, labelled
from roofcube.model.beside import beside
from roofcube.model.given import as_list, platforms_given, topologies_given
from roofcube.model.hardware import at_labels, check_hardware
from roofcube.model.offered import as_offered
from roofcube.model.own_networks import own_networks, own_tasks, with_experts_read, with_notes, with_phases, with_totals
from roofcube.vocabulary import FORMATS, MODES, PRECISIONS, attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["inputs"]

Counts = Literal["exact", "site"]
Layout = Literal["product", "offered"]

# what a table of counts may say that layers with weights do not
BESIDE_LAYERS = ("vector_ops", "vector_elements", "kernels")
WIDE = 16  # bits that formats multiply in whose weights alone are narrow
# cells of one variable over (topology, pruning, layer), 1.6 MB; beyond them layers of one shape are laid down together
MOST_LAYER_CELLS = 200_000
# cells of the share of a channel tile over platforms and layers, 80 MB
MOST_TILE_CELLS = 10_000_000
# demands of layers that do not add up
WHOLE = ("out_channels", "fully_connected", "grouped")

EFFECTIVE = (
    "effective parameters behind the source's predictions (ops over its printed intensity); not the size of the network"
)


def inputs(
    task: str | None = None,
    *,
    platforms: Any = None,
    topologies: Any = None,
    precision: str | Sequence[str] | None = None,
    pruning: float | str | Sequence[float | str] | None = None,
    batch: int | Sequence[int] | None = None,
    mode: str | Sequence[str] | None = None,
    counts: Counts = "exact",
    layout: Layout = "product",
) -> xr.Dataset:
    """Return the inputs of a model: what the hardware offers and what the networks need.

    Parameters
    ----------
    task : str, optional
        One of `tasks()`, or a task of the tables in `topologies`; decides the default topologies and batches. All where
        not given.
    platforms : names, tables of `read_platforms`, Datasets of `hypothetical`, or a list of them
        A table may be polars, pandas, a LazyFrame, a dict of columns, a list of dicts, or the name of a file (.toml,
        .csv, .parquet); the same holds for networks (.onnx, .csv, .parquet).
    topologies : names, a table of `read_network`, or a list of them
    precision : str or sequence of str, optional
        In any usual spelling (``"half"``, ``"int8"``); default: what the platforms offer.
    mode : str or sequence of str, optional
        A platform that does not offer it stays and says so: `mode_offered` is 0 and `infeasible` tells.
    pruning : number or sequence, optional
        Channels kept, percent: 100 is unpruned.
    batch : int or sequence of int, optional
        Default: the union of what was measured for the task.
    counts : {"exact", "site"}
        ``"exact"``: from layers where they reproduce the source within 1 %, else the source's count (coord
        `counts_source`). ``"site"``: the figures behind the source's published predictions, of networks that have any.
    layout : {"product", "offered"}
        ``"product"``: over platform, mode and precision. ``"offered"``: over one dim `offer` of those that exist, whose
        coordinates they are, as `as_offered` makes it: for many platforms with modes of their own.

    Returns
    -------
    Dataset
        Hardware: `peak_compute(platform, mode, precision)` [op/s], `memory_bandwidth`, `memory_capacity`,
        `on_chip_memory`, `power`, `cores`, `mode_offered`, `executed_precision`, …. Networks: `ops`, `params`,
        `activations`, `activation_memory`, `state` over (topology, pruning), the same per layer as `layer_…`, `top1`,
        `top5` over (topology, pruning, precision) [%]; `vector_ops` and `vector_elements` where a network of your own
        has them. A network known by its totals is one roofline as a whole; what its totals do not say is NaN. Coords
        `device_class`, `family` on platform, `task` and (where it is known) `architecture` on topology.

    Raises
    ------
    UnknownLabelError
        Naming the closest known label.
    InvalidDataError
        If a network, or a platform in one mode at one precision, comes from two sources, naming both; if hardware is
        not physical.

    Examples
    --------
    >>> import roofcube as rc
    >>> inputs = rc.inputs("cifar10", platforms=["TX2", "NCS"], pruning=[100, 50])
    >>> dict(inputs.sizes)["platform"], inputs.peak_compute.dims
    (2, ('platform', 'mode', 'precision'))
    >>> float(inputs.ops.sel(topology="CNV", pruning=100))
    469449728.0

    One network at two precisions, batches and modes; the counts of the published predictions; only what exists:

    >>> small = rc.inputs("imagenet", topologies="ResNet-50", precision=["int8", "half"], batch=[1, 8], mode="maxn")
    >>> dict(small.sizes)["precision"], small.batch.values.tolist()
    (2, [1, 8])
    >>> float(rc.inputs("cifar10", counts="site").ops.sel(topology="CNV", pruning=12.5))
    10000000.0
    >>> rc.inputs("cifar10", layout="offered").sizes["offer"]
    20
    """
    check_choice("counts", counts, ("exact", "site"))
    check_choice("layout", layout, ("product", "offered"))
    chosen = _chosen(
        platforms=platforms, topologies=topologies, precision=precision, pruning=pruning, batch=batch, mode=mode
    )
    hardware_given, networks_given = platforms_given(chosen["platforms"]), topologies_given(chosen["topologies"])
    if task is not None:
        own = own_tasks(one for one in networks_given or () if isinstance(one, pl.DataFrame))
        if task not in own:
            do = f"for networks of a task of your own say it: read_network(..., task={task!r})" if own else ""
            task = _known_label("task", task, dict.fromkeys([*datasets.tasks(), *own]), do=do)
    networks = _network_tables(task, networks_given)
    asked = chosen["precision"]
    wanted = asked and list(dict.fromkeys(canonical("precision", f"{one}") for one in asked))
    hardware = _hardware_inputs(hardware_given, chosen["mode"], wanted, collection_of(task))
    kept = _pruning_labels(chosen["pruning"], networks)
    precisions = _precisions(asked, hardware, networks)
    needs = _needs(networks, kept, precisions, counts)
    if "precision" in hardware.dims and hardware["precision"].values.tolist() != precisions:
        hardware = hardware.reindex(precision=precisions, fill_value={"executed_precision": ""})
    needs = needs.assign_coords(batch=axis("batch", _batches(task, chosen["batch"])))
    hardware = at_labels(hardware, {str(dim): needs[dim].values.tolist() for dim in needs.dims if dim != "precision"})
    result = with_experts_read(
        xr.merge([hardware, needs], combine_attrs="drop_conflicts", join="exact", compat="no_conflicts")
    )
    if "layer_out_channels" in result:
        cells = result["layer_out_channels"].size * (result["channel_tile"].size if "channel_tile" in result else 1)
        # of very many the model works it out from the two
        if cells <= MOST_TILE_CELLS or bool((result["channel_tile"].values == 1).all()):
            result = result.assign(layer_tile_use=_tile_use(result)).drop_vars(["channel_tile"], errors="ignore")
    described = _described(result, counts, task)
    return as_offered(described) if layout == "offered" else described


# labels ---------------------------------------------------------------------------------------------------------------


def _chosen(**arguments: Any) -> dict[str, list[Any] | None]:
    """Return what each argument lists, read once; none where it is left out."""
    chosen = {what: as_list(given) for what, given in arguments.items()}
    for what, given in chosen.items():
        if given is not None and not given:
            msg = f"`{what}`: expected at least one label, got none; leave it out for all"
            raise InvalidDataError(msg)
    return chosen


def _known_label(what: str, label: str, known: Iterable[str], *, do: str = "") -> str:
    names = list(known)
    name = canonical(what, label)
    if name not in names:
        raise unknown_label(what, label, names, do=do)
    return name


def _batches(task: str | None, chosen: list[Any] | None) -> np.ndarray[Any, Any]:
    if chosen is None:
        measured = task if task in datasets.tasks() else None
        chosen = sorted(datasets.load_measurements(measured)["batch"].unique().to_list())
    values = np.asarray(chosen)
    if values.ndim != 1 or (values.size and (values.dtype.kind not in "iuf" or not (values > 0).all())):
        msg = f"`batch`: expected positive numbers, got {chosen!r:.80}; give the inputs in flight together, 1 or more"
        raise InvalidDataError(msg)
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)]


def _pruning_labels(chosen: list[Any] | None, networks: dict[str, Any]) -> list[float]:
    known = sorted(networks["counts"]["pruning_percent"].unique().to_list(), reverse=True)
    if chosen is None:
        return known
    kept = []
    for value in chosen:
        text = canonical("pruning_percent", f"{value}").removesuffix("%")
        try:
            number = float(text)
        except ValueError:
            raise unknown_label("pruning", value, [f"{one:g}" for one in known]) from None
        if number not in known:
            raise unknown_label(
                "pruning", value, [f"{one:g}" for one in known], do="give channels kept in percent (100 is unpruned)"
            )
        kept.append(number)
    return list(dict.fromkeys(kept))


def _precisions(chosen: list[Any] | None, hardware: xr.Dataset, networks: dict[str, Any]) -> list[str]:
    offered = hardware["precision"].values.tolist() if "precision" in hardware.dims else []
    trained = networks["accuracy"]["precision"].drop_nulls().unique().to_list()
    if "precision" in networks["counts"].columns:
        trained += networks["counts"]["precision"].drop_nulls().unique().to_list()
    known = in_order([*offered, *trained] if offered else [*trained, *PRECISIONS], PRECISIONS)
    if chosen is not None:
        named = [_known_label("precision", one, dict.fromkeys([*known, *FORMATS])) for one in chosen]
        return list(dict.fromkeys(named))
    return [one for one in known if one in offered] if offered else in_order(trained or ["INT8"], PRECISIONS)


# hardware -------------------------------------------------------------------------------------------------------------


def _hardware_inputs(
    chosen: list[Any] | None, modes: list[str] | None, precisions: list[str] | None, collection: str
) -> xr.Dataset:
    def real_hardware(given: list[Any] | None) -> xr.Dataset:
        return _hardware_of(_with_stored_apart(_platform_table(given, collection), precisions))

    designs = [one for one in chosen or () if isinstance(one, xr.Dataset)]
    for one in designs:
        check_hardware(one)
    if not designs:
        return _of_modes(real_hardware(chosen), modes)
    if len(designs) == 1 and len(chosen or ()) == 1:
        design = _of_precisions(designs[0], precisions, PRECISIONS)
        return design if modes is None else _of_modes(design, modes)
    real = [one for one in chosen or () if not isinstance(one, xr.Dataset)]
    together = beside(
        real_hardware(real) if real else None,
        designs,
        precisions,
    )
    order = [label for one in chosen or () for label in _platform_labels(one)]
    return _of_modes(together.sel(platform=list(dict.fromkeys(order))), modes)


def _platform_labels(one: Any) -> list[str]:
    if isinstance(one, str):
        return [canonical("platform", one)]
    labels = one["platform"]
    distinct = labels.unique(maintain_order=True) if isinstance(one, pl.DataFrame) else labels.values
    return list(map(str, distinct.tolist() if isinstance(distinct, np.ndarray) else distinct.to_list()))


def _of_precisions(design: xr.Dataset, precisions: list[str] | None, usual: Sequence[str]) -> xr.Dataset:
    """Cut a design whose peak scales, which is known at every precision, to those asked for."""
    if design.attrs.get("peak_scaling") != "bits":
        return design
    known = design["precision"].values.tolist()
    wanted = [one for one in (usual if precisions is None else precisions) if one in known]
    return design.sel(precision=wanted or known).drop_attrs(deep=False)


def _of_modes(hardware: xr.Dataset, modes: list[str] | None) -> xr.Dataset:
    """Select modes; a platform that does not offer them stays and says so in `mode_offered`."""
    if modes is None:
        return hardware
    known = hardware["mode"].values.tolist() if "mode" in hardware.dims else ["default"]
    chosen = [_known_label("mode", one, known) for one in modes]
    if "mode" not in hardware.dims:
        return hardware
    return hardware.isel(mode=[known.index(one) for one in dict.fromkeys(chosen)])


def _platform_table(chosen: list[Any] | None, collection: str) -> pl.DataFrame:
    """Collect platforms by name, those of the task's own collection first, and from tables."""
    embedded = datasets.load_platforms(collection=collection)
    if embedded.is_empty():
        collection, embedded = BENCHMARK, datasets.load_platforms()
    if chosen is None:
        return embedded
    names = [canonical("platform", one) for one in chosen if isinstance(one, str)]
    holders = collections_of("platform", names, first=collection)
    parts: dict[str, tuple[str, pl.DataFrame, list[str]]] = {}
    for number, one in enumerate(chosen):
        if isinstance(one, pl.DataFrame):
            sources = one["source"].unique(maintain_order=True).to_list() if "source" in one.columns else []
            source = str(sources[0]) if len(sources) == 1 else f"`platforms[{number}]`"
            table = platform_table(one.to_dicts(), source=source, each="row")
            # what is no file is told by its place
            origin = f"`platforms[{number}]`" if source.startswith("`") else source
            parts[f"{number}"] = (origin, table, [origin] * table.height)
        elif isinstance(one, str):
            name = canonical("platform", one)
            if name not in holders:
                _check_sure_peak(name)
                raise unknown_label("platform", one, _embedded_labels("platform", collection))
            table = datasets.load_platforms(collection=holders[name]).filter(pl.col("platform") == name)
            origin = "the embedded table"
            parts[f"embedded {name}"] = (origin, _with_sources(table, holders[name]), [origin] * table.height)
        else:
            msg = (
                "`platforms`: expected names, tables of read_platforms or Datasets of hypothetical(), got "
                f"{type(one).__name__}; give one of them, or a list"
            )
            raise InvalidDataError(msg)
    check_platform_keys(list(parts.values()), what="`platforms`")
    tables = [table for _, table, _ in parts.values()]
    return pl.concat(tables, how="diagonal_relaxed") if tables else embedded.clear()


def _with_stored_apart(table: pl.DataFrame, precisions: list[str] | None) -> pl.DataFrame:
    """Add formats whose weights alone are narrow where they are asked for: they multiply in 16 bits.

    Weights are read as they are stored and widened on the way; a platform that lists such a format itself keeps that.
    """
    added = []
    for name in precisions or ():
        if name not in FORMATS or not FORMATS[name].weights < FORMATS[name].computed == WIDE:
            continue
        lacking = table.join(table.filter(pl.col("precision") == name), on=["platform", "mode"], how="anti")
        # of equal peaks that which reads faster, then FP16
        best = ["peak_compute_op_per_s", "memory_bandwidth_b_per_s", pl.col("precision") == "FP16"]
        wide = lacking.filter(pl.col("precision").is_in(["FP16", "BF16"])).sort(best, descending=True, nulls_last=True)
        runs = wide.unique(["platform", "mode"], keep="first", maintain_order=True)
        added.append(runs.with_columns(precision=pl.lit(name), executed_precision=pl.lit(name)))
    return pl.concat([table, *added], how="diagonal_relaxed") if added else table


def _check_sure_peak(name: str) -> None:
    """Raise where a platform is known by name, but no peak of it rests on more than one table of a third party."""
    figures = datasets.load_platform_figures().filter(pl.col("platform") == name, pl.col("quantity") == "peak_compute")
    if figures.height:
        row = figures.row(0, named=True)
        msg = (
            f"`platform`: {name!r} is known by name, but no peak of it is sure ({row['evidence']}: {row['value']:g} "
            f"{row['unit']}, {row['source']:.80}); give it with roofcube.read_platforms (all that are sure: "
            "roofcube.platforms().drop_nulls('peak_compute_op_per_s'))"
        )
        raise InvalidDataError(msg)


def _with_sources(table: pl.DataFrame, collection: str) -> pl.DataFrame:
    """Add where the figures of data sheets are from, for the attributes of the variables."""
    if entry_name("figures", collection) is None:
        return table
    figures = datasets.load_platform_figures().filter("used", pl.col("platform").is_in(table["platform"].unique()))
    for quantity, column in SOURCES.items():
        told = (
            figures.filter(pl.col("quantity") == quantity)
            .unique("platform", keep="first", maintain_order=True)
            .select("platform", pl.format("data sheet, not measured ({}): {}", "evidence", "source").alias(column))
        )
        if told.height:
            table = table.join(told, on="platform", how="left", maintain_order="left")
    return table


def _embedded_labels(column: str, collection: str) -> list[str]:
    """List the labels of a collection, then those of the others: what a name may have meant."""
    load = datasets.load_platforms if column == "platform" else datasets.load_topologies
    table = "platforms" if column == "platform" else "topologies"
    order = dict.fromkeys([collection, *datasets.collections(table)])
    return list(dict.fromkeys(label for one in order for label in load(collection=one)[column].to_list()))


def _hardware_of(table: pl.DataFrame) -> xr.Dataset:
    platforms = table["platform"].unique(maintain_order=True).to_list()
    modes, precisions = in_order(table["mode"].to_list(), MODES), in_order(table["precision"].to_list(), PRECISIONS)
    coords = {"platform": platforms, "mode": modes, "precision": precisions}
    dims, shape = tuple(coords), tuple(map(len, coords.values()))
    at = tuple(_positions(table[dim], labels) for dim, labels in coords.items())

    def full(column: str) -> np.ndarray[Any, Any]:
        values = np.full(shape, np.nan)
        values[at] = table[column].cast(pl.Float64).to_numpy()
        return values

    def of_board(column: str) -> np.ndarray[Any, Any]:
        """Memory is the same chips in every mode: where a platform tells one size, it has it throughout."""
        values = full(column)
        least = np.fmin.reduce(values, axis=(1, 2), keepdims=True, initial=np.inf)
        most = np.fmax.reduce(values, axis=(1, 2), keepdims=True, initial=-np.inf)
        return np.where(np.isnan(values) & (least == most), most, values)

    whole = structure_of(table)
    peak = full("peak_compute_op_per_s")
    exists = ~np.isnan(peak)
    offered = exists.any(axis=dims.index("precision"))
    executed: Any = np.full(shape, "", dtype=object)
    executed[at] = table["executed_precision"].to_list()
    hardware = xr.Dataset(
        {
            "peak_compute": labelled(dims, peak),
            "mode_offered": labelled(("platform", "mode"), offered.astype("i1")),
            "memory_bandwidth": _only_needed(dims, full("memory_bandwidth_b_per_s"), exists),
            "memory_capacity": _only_needed(dims, of_board("memory_capacity_b"), exists),
            "on_chip_memory": _only_needed(dims, of_board("weight_memory_b"), exists),
            "power": _only_needed(dims, full("listed_power_w"), exists),
            "executed_precision": _by_mode_if_needed(dims, executed),
            **{name: _by_platform(whole, name) for name in ("cores", "weights_shared", "channel_tile")},
        },
        coords={
            **{dim: axis(dim, labels) for dim, labels in coords.items()},
            **{name: _by_platform(whole, name) for name in ("device_class", "family", "dataflow")},
        },
    )
    for name, column in SOURCES.items():
        if column in table.columns:
            told = table.select("platform", column).drop_nulls().unique(maintain_order=True).iter_rows()
            hardware[name].attrs["source"] = "; ".join(f"{platform}: {source}" for platform, source in told)
    return hardware


def _by_platform(table: pl.DataFrame, column: str) -> xr.Variable:
    series = table[column]
    if series.dtype == pl.String:
        return labelled("platform", np.asarray(series.to_list(), dtype=str))
    if series.dtype == pl.Boolean:
        told = (
            {"long_name": "whether the design is a pipeline of its layers", "units": "1"}
            if column == "dataflow"
            else {}
        )
        return labelled("platform", series.fill_null(column != "dataflow").to_numpy().astype("i1"), told)
    return labelled("platform", series.fill_null(1).to_numpy().astype("f8"))


def _positions(series: pl.Series, labels: Sequence[Any]) -> np.ndarray[Any, Any]:
    index = {label: place for place, label in enumerate(labels)}
    return np.array([index[label] for label in series.to_list()], dtype=np.intp)


def _only_needed(dims: tuple[str, ...], values: np.ndarray[Any, Any], exists: np.ndarray[Any, Any]) -> xr.Variable:
    """Drop the dims along which nothing changes but where nothing is offered; what is offered and unknown stays so."""
    for dim in ("precision", "mode"):
        place = dims.index(dim)
        if not values.shape[place]:
            continue
        filled = np.fmax.reduce(values, axis=place, keepdims=True)
        if ((values == filled) | (np.isnan(values) & (~exists | np.isnan(filled)))).all():
            values, exists = filled.squeeze(place), np.asarray(exists.any(axis=place))
            dims = (*dims[:place], *dims[place + 1 :])
    return labelled(dims, values)


def _by_mode_if_needed(dims: tuple[str, ...], texts: np.ndarray[Any, Any]) -> xr.Variable:
    """Drop the dim `mode` where no two modes have another text; a mode that has none has the text of the others."""
    place = dims.index("mode")
    one = np.maximum.reduce(texts, axis=place, keepdims=True, initial="")
    if ((texts == one) | (texts == "")).all():
        dims, texts = (*dims[:place], *dims[place + 1 :]), one.squeeze(place)
    return labelled(dims, texts.astype(str))


# networks -------------------------------------------------------------------------------------------------------------


def _network_tables(task: str | None, chosen: list[Any] | None) -> dict[str, pl.DataFrame]:
    collection = collection_of(task)
    counts = datasets.load_topologies(collection=collection)
    if task is not None:
        counts = counts.filter(pl.col("task") == task)
    known = counts["topology"].unique(maintain_order=True).to_list()
    if chosen is None:
        names, tables = known, []
    else:
        names = [canonical("topology", one) for one in chosen if isinstance(one, str)]
        tables = [one for one in chosen if isinstance(one, pl.DataFrame)]
    holders = dict.fromkeys(names, collection)
    unknown = set(names).difference(known)
    if unknown:
        # without a task a name may be of any collection
        holders |= collections_of("topology", unknown, first=collection) if task is None else {}
        wrong = next((name for name in names if name in unknown and holders[name] == collection), None)
        if wrong is not None:
            raise unknown_label("topology", wrong, known if task else _embedded_labels("topology", collection))
    parts = {
        one: [name for name in names if holders[name] == one] for one in dict.fromkeys([collection, *holders.values()])
    }
    embedded = _embedded_networks(parts, counts)
    own = own_networks(tables, task, embedded["counts"] if tables else counts.clear())
    beside = {"counts": own.counts, "layers": own.layers, "accuracy": own.accuracy}
    return {name: _stacked([table, beside[name]]) for name, table in embedded.items()} | {
        "phases": own.phases,
        "notes": own.notes,
    }


def _embedded_networks(names: dict[str, list[str]], counts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Read counts, layers and accuracy of named networks, by collection; `counts` is of the first."""
    parts: dict[str, list[pl.DataFrame]] = {"counts": [], "layers": [], "accuracy": []}
    for number, (collection, labels) in enumerate(names.items()):
        tables = {
            "counts": datasets.load_topologies(collection=collection) if number else counts,
            "layers": datasets.load_layers(collection=collection),
            "accuracy": datasets.load_accuracy(collection=collection),
        }
        for name, table in tables.items():
            parts[name].append(table.filter(pl.col("topology").is_in(labels)))
    return {name: _stacked(tables) for name, tables in parts.items()}


def _stacked(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """Put tables below each other; one alone is not copied."""
    filled = [table for table in tables if not table.is_empty()] or tables[:1]
    return filled[0] if len(filled) == 1 else pl.concat(filled, how="diagonal_relaxed")


def _needs(networks: dict[str, pl.DataFrame], kept: list[float], precisions: list[str], counts: Counts) -> xr.Dataset:
    table, layers = networks["counts"], networks["layers"]
    names = table["topology"].unique(maintain_order=True).to_list()
    table = table.filter(pl.col("pruning_percent").is_in(kept))
    layers = layers.filter(pl.col("pruning_percent").is_in(kept))
    by_totals = table.filter(pl.col("counts_source") == "totals")
    table = table.unique(["topology", "pruning_percent"], keep="first", maintain_order=True)
    place = (_positions(table["topology"], names), _positions(table["pruning_percent"], kept))
    dims, shape = ("topology", "pruning"), (len(names), len(kept))

    def total(values: pl.Series) -> np.ndarray[Any, Any]:
        array = np.full(shape, np.nan)
        array[place] = values.cast(pl.Float64).to_numpy()
        return array

    if counts == "site":
        table = _as_printed(table)
    source = np.full(shape, "", dtype=object)
    source[place] = table["counts_source"].to_list()
    per_layer = _layer_arrays(layers, names, kept)
    activations = per_layer["layer_activations"]
    defined = ~np.isnan(total(table["ops"]))
    vector_work = [name for name in BESIDE_LAYERS if name in table.columns]
    largest = per_layer.pop("activation_memory")
    if "activation_memory" in table.columns:
        largest = np.where(np.isnan(given := total(table["activation_memory"])), largest, given)
    needs = xr.Dataset(
        {
            "ops": labelled(dims, total(table["ops"])),
            "params": labelled(dims, total(table["params"])),
            "activations": labelled(dims, np.where(defined, activations.sum(-1), np.nan)),
            "activation_memory": labelled(dims, np.where(defined, largest, np.nan)),
            "state": labelled(dims, np.where(defined, 0.0, np.nan)),
            **{name: labelled(dims, total(table[name])) for name in vector_work},
            **{name: labelled((*dims, "layer"), array) for name, array in per_layer.items()},
            **_accuracy_arrays(networks["accuracy"], names, kept, precisions),
        },
        coords={
            "topology": axis("topology", names),
            "pruning": axis("pruning", kept),
            **_told_of_topologies(table, names),
            "counts_source": labelled(dims, source.astype(str)),
            "precision": axis("precision", precisions),
        },
    )
    return with_notes(with_phases(with_totals(needs, by_totals), networks["phases"]), networks["notes"])


def _as_printed(table: pl.DataFrame) -> pl.DataFrame:
    """Put the figures behind the source's predictions where it printed any; other networks keep their own."""
    if "ops_per_byte_int8_printed" not in table.columns:
        return table
    printed = pl.col("ops_source").is_not_null() & pl.col("ops_per_byte_int8_printed").is_not_null()
    effective = {
        "ops": pl.col("ops_source"),
        "params": pl.col("ops_source") / pl.col("ops_per_byte_int8_printed"),
        "counts_source": pl.lit("site"),
    }
    return table.with_columns(
        pl.when(printed).then(one).otherwise(pl.col(name)).alias(name) for name, one in effective.items()
    )


def _told_of_topologies(table: pl.DataFrame, names: list[str]) -> dict[str, xr.Variable]:
    """Return the task of each topology, and its architecture where the table tells any."""
    table = table.select("topology", *(name for name in ("task", "architecture") if name in table.columns)).fill_null(
        ""
    )
    told = [name for name in table.columns[1:] if name == "task" or (table[name] != "").any()]
    of = {name: dict(table.select("topology", name).iter_rows()) for name in told}
    return {name: labelled("topology", np.array([of[name].get(one, "") for one in names], dtype=str)) for name in told}


def _layer_arrays(layers: pl.DataFrame, names: list[str], kept: list[float]) -> dict[str, np.ndarray[Any, Any]]:
    """Lay layers out as (topology, pruning, layer); shorter networks end in layers that need nothing.

    Where that takes many cells, the layers of one shape of a network are one: their sums, and how many they are. A
    roofline of each is the same as one of their sums, as max(n·a, n·b) = n·max(a, b).
    """
    key = ["topology", "pruning_percent"]
    columns = datasets.layer_demands(layers)
    figures = columns.columns
    demands = pl.concat([layers.select(*key, "layer"), columns], how="horizontal")
    largest = demands.select(*key, "activations").group_by(key).agg(pl.col("activations").max().cast(pl.Float64))
    depth = int(demands["layer"].max()) + 1 if demands.height else 0  # type: ignore[arg-type]
    if len(names) * len(kept) * depth > MOST_LAYER_CELLS:
        demands, figures = _together(demands, key, figures), [*figures, "repeats"]
        depth = int(demands["layer"].max()) + 1  # type: ignore[arg-type]
    at = (
        _positions(demands["topology"], names),
        _positions(demands["pruning_percent"], kept),
        demands["layer"].to_numpy(),
    )
    arrays = {}
    for column in figures:
        array = np.zeros((len(names), len(kept), depth))
        array[at] = demands[column].cast(pl.Float64).to_numpy()
        arrays[f"layer_{column}"] = array
    most = np.zeros((len(names), len(kept)))
    most[_positions(largest["topology"], names), _positions(largest["pruning_percent"], kept)] = largest["activations"]
    return arrays | {"activation_memory": most}


def _together(demands: pl.DataFrame, key: list[str], figures: list[str]) -> pl.DataFrame:
    """Add up the layers of a network that demand the same, in the order of the first of each."""
    return (
        demands.group_by([*key, *figures])
        .agg(pl.col("layer").min(), repeats=pl.len().cast(pl.Float64))
        .with_columns(pl.col(name) * pl.col("repeats") for name in figures if name not in WHOLE)
        .with_columns(layer=pl.col("layer").rank("ordinal").over(key).cast(pl.Int64) - 1)
    )


def _accuracy_arrays(
    table: pl.DataFrame, names: list[str], kept: list[float], precisions: list[str]
) -> dict[str, xr.Variable]:
    table = table.filter(pl.col("pruning_percent").is_in(kept))
    # what holds at every precision first, then what holds at one
    everywhere = table.filter(pl.col("precision").is_null()).drop("precision")
    table = pl.concat(
        [
            everywhere.join(pl.DataFrame({"precision": precisions}), how="cross").select(table.columns),
            table.filter(pl.col("precision").is_in(precisions)),
        ]
    ).unique(["topology", "pruning_percent", "precision"], keep="last", maintain_order=True)
    at = (
        _positions(table["topology"], names),
        _positions(table["pruning_percent"], kept),
        _positions(table["precision"], precisions),
    )
    arrays = {}
    for name in ("top1", "top5"):
        values = np.full((len(names), len(kept), len(precisions)), np.nan)
        values[at] = table[f"{name}_percent"].to_numpy()
        arrays[name] = labelled(("topology", "pruning", "precision"), values)
    return arrays


def _tile_use(result: xr.Dataset) -> xr.Variable:
    """Share of the platform's channel tile that a layer fills: cout / (ceil(cout / T) · T)."""
    if "channel_tile" in result and bool((result["channel_tile"].values == 1).all()):
        return labelled(result["channel_tile"].dims, np.ones(result["channel_tile"].shape))
    parts = [result[name] for name in ("layer_out_channels", "channel_tile") if name in result]
    channels, *tiles = xr.broadcast(*parts)
    used = np.ones(channels.shape)
    for tile in tiles:
        filled = np.ceil(channels.values / tile.values) * tile.values
        np.divide(channels.values, filled, out=used, where=channels.values > 0)
    return labelled(channels.dims, used)


def _described(result: xr.Dataset, counts: Counts, task: str | None) -> xr.Dataset:
    for name, variable in result.variables.items():
        variable.attrs.update(attributes(str(name)))
    if "params" in result and (result["counts_source"].values == "site").any():
        result["params"].attrs["long_name"] = EFFECTIVE
    labels = {
        "platform": "platform",
        "mode": "operating mode",
        "precision": "numeric precision of weights and activations",
        "topology": "network",
    }
    for name, text in labels.items():
        if name in result.coords:
            result[name].attrs["long_name"] = text
    result["pruning"].attrs.update(units="%", long_name="channels kept (100: unpruned)")
    result["batch"].attrs.update(units="1", long_name="inputs in flight together (batch size, or threads)")
    result.attrs.update(title=f"Model inputs{f' for {task}' if task else ''}", counts=counts)
    if task:
        result.attrs["task"] = task
    return result
