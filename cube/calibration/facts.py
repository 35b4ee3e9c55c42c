"""What a calibration knows of hardware and networks, as flat arrays; from labelled inputs and embedded layers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.errors import InvalidDataError, unknown_label
from roofcube.labels import full_rank
from roofcube.model.inputs import inputs as all_inputs
from roofcube.model.offered import as_product, is_offered
from roofcube.vocabulary import ELEMENT_BYTES, HARDWARE_DIMS, attributes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = [
    "TILES",
    "Facts",
    "Machine",
    "NetworkTotals",
    "facts_of",
    "guessed",
    "with_facts",
]

# width of the output-channel tile, and the channels' worth of time that filling it costs, per kernel call
TILES: tuple[tuple[int, int], ...] = ((32, 0), (64, 0), (32, 32))
# what each layer demands, and what a network does beside its layers
DEMANDS = ("ops", "params", "activations", "patches", "out_channels", "fully_connected", "grouped", "repeats")
BESIDE = ("vector_elements", "kernels")
# without facts a device is taken to offer this many times what it was seen to do
HEADROOM = 4.0
FEW_OF, BEYOND = 4, 10.0**1.5  # one row of four that is so far beyond the others is of a wrong unit
# what inputs may say of hardware, and where; what of it parameters are relative to; how exactly figures are the same
STATED = {
    "peak": "peak_compute", "bandwidth": "memory_bandwidth", "cores": "cores", "element_bytes": "precision",
    "weight_memory": "on_chip_memory", "dataflow": "dataflow", "weights_shared": "weights_shared",
}  # fmt: skip
RELATIVE_TO = ("peak", "bandwidth", "cores")
SAME = 1e-6

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Machine:
    """One platform in one mode at one precision.

    Attributes
    ----------
    peak : float
        [op/s], all cores together.
    reference : float
        [op/s] of one core at the fastest precision of this platform and mode: the unit in which overheads are counted,
        so that a platform that is faster in everything keeps its parameters.
    stated : bool
        False where peak and bandwidth were not given but guessed from the measurements.
    weights_shared : bool
        Whether the inputs in flight share one reading of the weights.
    """

    platform: str
    mode: str
    precision: str
    family: str
    device_class: str
    peak: float
    reference: float
    bandwidth: float
    element_bytes: float
    cores: float
    weight_memory: float
    dataflow: bool
    stated: bool = True
    weights_shared: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """Labels."""
        return self.platform, self.mode, self.precision


@dataclass(frozen=True)
class NetworkTotals:
    """Totals over the layers of a network, per input.

    Attributes
    ----------
    convolution_ops : tuple of float
        Of convolutions without groups, padded to the channel tile, one figure for each of `TILES`.
    dense_ops : float
        Of fully connected layers and other products with weights.
    activations : float
        Elements read and written by all these layers.
    patches : float
        Elements that a lowering of the convolutions to matrix products reads (im2col).
    grouped_ops, grouped_activations : float
        Of depthwise and grouped convolutions.
    attention_ops, attention_activations : float
        Of products of two activations.
    elementwise : float
        Elements that element-wise operators read and write, where they are known; else 0.
    kernels : float
        Operators that run, where they are known; else the layers.
    architecture : str
        What the inputs call networks of its kind; empty where they do not say.
    input_elements : float
        Elements of an input, where the first layer tells them; else 0.
    """

    topology: str
    pruning: float
    layers: float
    ops: float
    convolution_ops: tuple[float, ...]
    dense_ops: float
    weights: float
    activations: float
    patches: float
    grouped_ops: float = 0.0
    grouped_activations: float = 0.0
    attention_ops: float = 0.0
    attention_activations: float = 0.0
    elementwise: float = 0.0
    kernels: float = 0.0
    architecture: str = ""
    input_elements: float = 0.0

    @property
    def key(self) -> tuple[str, float]:
        """Labels."""
        return self.topology, self.pruning

    @property
    def kin(self) -> str:
        """The architecture; where it is not stated, the letters that the name begins with, which often tell it.

        It decides how wide intervals are, never a prediction.
        """
        if self.architecture:
            return self.architecture.casefold()
        return re.match(r"[^\W\d_]*", self.topology)[0].casefold() or self.topology  # type: ignore[index]


@dataclass(frozen=True)
class Facts:
    """Hardware and networks by label."""

    hardware: dict[tuple[str, str, str], Machine]
    networks: dict[tuple[str, float], NetworkTotals]

    def families(self) -> list[str]:
        """Name the families in order of appearance."""
        return list(dict.fromkeys(one.family for one in self.hardware.values()))


def facts_of(inputs: xr.Dataset | None) -> Facts:
    """Collect facts from labelled inputs, with the embedded ones for labels that they lack."""
    embedded = _embedded()
    if inputs is None:
        return embedded
    return Facts({**embedded.hardware, **_machines_told(inputs)}, {**embedded.networks, **_networks_told(inputs)})


@cache
def _embedded() -> Facts:
    inputs = all_inputs()
    return Facts(_machines_told(inputs), _networks_told(inputs))


def _machines_told(inputs: xr.Dataset) -> dict[tuple[str, str, str], Machine]:
    product_of = as_product(inputs) if is_offered(inputs) else inputs
    return {one.key: one for one in _machines_of(product_of)}


def _networks_told(inputs: xr.Dataset) -> dict[tuple[str, float], NetworkTotals]:
    return {one.key: one for one in _networks_of(inputs)}


# hardware -------------------------------------------------------------------------------------------------------------


def _machines_of(inputs: xr.Dataset) -> Iterator[Machine]:
    if "peak_compute" not in inputs or "platform" not in inputs.coords:
        return
    names = ("peak_compute", "memory_bandwidth", "cores", "on_chip_memory")
    own = set().union(*(set(inputs[name].dims) for name in names if name in inputs)) - set(HARDWARE_DIMS)
    if own:
        listed = ", ".join(sorted(map(str, own)))
        msg = f"`inputs`: expected real platforms, got hardware with dims of its own ({listed}); pick one value of each"
        raise InvalidDataError(msg)
    sizes = tuple(inputs.sizes.get(dim, 1) for dim in HARDWARE_DIMS)

    def full(name: str, missing: Any) -> Array:
        value = inputs[name] if name in inputs.variables else xr.DataArray(missing)
        return np.broadcast_to(np.asarray(full_rank(value, HARDWARE_DIMS)), sizes)

    modes = inputs["mode"].to_numpy().tolist() if "mode" in inputs.coords else ["default"]
    precisions = np.atleast_1d(inputs["precision"].to_numpy()).tolist() if "precision" in inputs.coords else ["INT8"]
    peak, bandwidth = full("peak_compute", np.nan), full("memory_bandwidth", np.nan)
    cores, memory = full("cores", 1.0), full("on_chip_memory", 0.0)
    executed, dataflow = full("executed_precision", ""), full("dataflow", 0)
    shared = full("weights_shared", 1)
    told = "element_bytes" in inputs and set(inputs["element_bytes"].dims) <= set(HARDWARE_DIMS)
    stated = full("element_bytes", np.nan) if told else np.full(sizes, np.nan)
    family, device = full("family", ""), full("device_class", "")
    for place, platform in enumerate(np.atleast_1d(inputs["platform"].to_numpy()).tolist()):
        for at, mode in enumerate(np.atleast_1d(modes).tolist()):
            best = np.nanmax(peak[place, at], initial=0.0)
            for kind, precision in enumerate(precisions):
                here = (place, at, kind)
                if np.isnan(peak[here]) or np.isnan(bandwidth[here]):
                    continue
                runs = str(executed[here]) or precision
                yield Machine(
                    platform=platform, mode=mode, precision=precision,
                    family=str(family[here]) or platform, device_class=str(device[here]),
                    peak=float(peak[here]), reference=float(best / cores[here]), bandwidth=float(bandwidth[here]),
                    element_bytes=_bytes_of(runs, precision, float(stated[here])), cores=float(cores[here]),
                    weight_memory=float(np.nan_to_num(memory[here])), dataflow=bool(dataflow[here]),
                    weights_shared=bool(shared[here]),
                )  # fmt: skip


def _bytes_of(executed: str, precision: str, stated: float) -> float:
    """Return the bytes of an element as executed; of a precision that is not known, those that the inputs state."""
    if executed != precision and executed in ELEMENT_BYTES:
        return ELEMENT_BYTES[executed]
    if np.isfinite(stated):
        return stated
    if precision not in ELEMENT_BYTES:
        raise unknown_label("precision", precision, ELEMENT_BYTES, do="or give `element_bytes` as a variable")
    return ELEMENT_BYTES[precision]


def guessed(measured: pl.DataFrame, facts: Facts) -> Facts:
    """Add hardware that only the measurements tell of: as listed for the board at another precision, or as seen."""
    hardware = dict(facts.hardware)
    unknown = measured.filter([key not in hardware for key in measured.select(HARDWARE_DIMS).iter_rows()])
    for (platform,), table in unknown.group_by("platform", maintain_order=True):
        listed = [one for one in facts.hardware.values() if one.platform == platform and one.stated]
        # of a board of which nothing is listed all rows tell together what it offers
        parts = table.partition_by("mode", "precision", maintain_order=True) if listed else [table]
        for rows in parts:
            seen = _rates_seen(rows, facts)
            if not len(seen):
                continue
            wrong = _far_beyond(seen[:, 0]) & _far_beyond(seen[:, 1])
            most = seen[~wrong].max(0).tolist()
            for mode, precision in rows.select("mode", "precision").unique(maintain_order=True).iter_rows():
                key = str(platform), mode, precision
                hardware[key] = _at_other_precision(listed, mode, precision, *most) if listed else _as_seen(key, *most)
    return Facts(hardware, facts.networks)


def _as_seen(key: tuple[str, str, str], peak: float, bandwidth: float) -> Machine:
    """Guess that a board offers what it was seen to do, with headroom."""
    platform, mode, precision = key
    return Machine(
        platform, mode, precision, family=platform, device_class="", peak=HEADROOM * peak, reference=HEADROOM * peak,
        bandwidth=HEADROOM * bandwidth, element_bytes=ELEMENT_BYTES.get(precision, 1.0), cores=1.0, weight_memory=0.0,
        dataflow=False, stated=False,
    )  # fmt: skip


def _at_other_precision(listed: Sequence[Machine], mode: str, precision: str, peak: float, bandwidth: float) -> Machine:
    """Guess what a board offers from what is listed of it, the peak in proportion to the bits, or more if seen."""
    size = ELEMENT_BYTES.get(precision, 1.0)
    like = min(listed, key=lambda one: (one.mode != mode, abs(np.log(one.element_bytes / size))))
    return replace(
        like, mode=mode, precision=precision, element_bytes=size, stated=False,
        peak=max(like.peak * like.element_bytes / size, peak), bandwidth=max(like.bandwidth, bandwidth),
    )  # fmt: skip


def _rates_seen(table: pl.DataFrame, facts: Facts) -> Array:
    """Return the operations and the bytes per second of each row that tells them, weights read once a batch."""
    columns = ("topology", "pruning_percent", "precision", "batch", "throughput_compute_per_s")
    found = []
    for topology, pruning, precision, batch, rate in table.select(columns).iter_rows():
        net = facts.networks.get((topology, pruning))
        if net is not None and rate is not None and batch >= 1:
            size = ELEMENT_BYTES.get(precision, 1.0)
            found.append((net.ops * rate, (net.activations + net.weights / batch) * size * rate))
    return np.array(found)


def _far_beyond(figures: Array) -> Array:
    """Tell the few that are far beyond the others; a wrong unit makes them so in all that a row tells."""
    falling = np.argsort(-figures, kind="stable")
    few = min(len(falling) // FEW_OF, len(falling) - 1)
    gaps = np.flatnonzero(figures[falling[:few]] > BEYOND * figures[falling[1 : few + 1]])
    beyond = np.zeros(len(figures), dtype=bool)
    beyond[falling[: gaps[-1] + 1 if len(gaps) else 0]] = True
    return beyond


# networks -------------------------------------------------------------------------------------------------------------


def _networks_of(inputs: xr.Dataset) -> Iterator[NetworkTotals]:
    if "topology" not in inputs.coords or "pruning" not in inputs.coords:
        return
    topologies = np.atleast_1d(inputs["topology"].to_numpy()).tolist()
    kept = np.atleast_1d(inputs["pruning"].to_numpy()).tolist()
    if "layer_patches" not in inputs:
        tables = dict(datasets.load_layers().group_by("topology", "pruning_percent"))
        for key in product(topologies, kept):
            if key in tables:
                yield _totals(*key, _demands_of(tables[key]))
        return
    sizes = (len(topologies), len(kept))
    layered = {name: _laid_out(inputs, f"layer_{name}", (*sizes, -1)) for name in DEMANDS}
    whole = {name: _laid_out(inputs, name, sizes) for name in ("ops", *BESIDE)}
    architectures = _architectures(inputs, len(topologies))
    for place in np.ndindex(*sizes):
        # a network known by totals that lack its activations is no network to calibrate with
        if np.isfinite(whole["ops"][place]) and np.isfinite(layered["activations"][place]).all():
            demands = {name: values[place] for name, values in layered.items()}
            beside = {name: float(whole[name][place]) for name in BESIDE}
            one = _totals(topologies[place[0]], float(kept[place[1]]), demands, **beside)
            if np.isfinite(one.weights):
                yield replace(one, architecture=architectures[place[0]])


def _architectures(inputs: xr.Dataset, count: int) -> list[str]:
    """Return what the inputs call the kind of each topology; nothing where they do not say."""
    stated = inputs.coords.get("architecture")
    if stated is None or not set(stated.dims) <= {"topology"}:
        return [""] * count
    return [str(one) for one in np.broadcast_to(stated.to_numpy(), count).tolist()]


def _laid_out(inputs: xr.Dataset, name: str, shape: tuple[int, ...]) -> Array:
    """Return a variable over (topology, pruning), and layer where `shape` has one; missing where it depends on more."""
    dims = ("topology", "pruning", "layer")[: len(shape)]
    missing = 1.0 if name == "layer_repeats" else 0.0 if name == "layer_grouped" else np.nan
    value = inputs.get(name)
    if value is None or not set(value.dims) <= set(dims):
        value = xr.DataArray(missing)
    array = np.asarray(full_rank(value, dims), dtype="f8")
    layers = inputs.sizes.get("layer", 1)
    result: Array = np.broadcast_to(array, tuple(layers if size < 0 else size for size in shape))
    return result


def _demands_of(layers: pl.DataFrame) -> dict[str, Array]:
    demands = datasets.layer_demands(layers)
    values = {name: demands[name].cast(pl.Float64).to_numpy() for name in demands.columns}
    return {**values, "repeats": np.ones(layers.height)}


def _totals(
    topology: str,
    pruning: float,
    demands: Mapping[str, Array],
    *,
    vector_elements: float = np.nan,
    kernels: float = np.nan,
) -> NetworkTotals:
    """Add up the layers with operations, each with how many of its shape there are."""
    real = demands["ops"] > 0
    of = {name: values[real] for name, values in demands.items()}
    dense, grouped, ops, channels = of["fully_connected"] > 0, of["grouped"] > 0, of["ops"], of["out_channels"]
    attention = dense & (of["params"] == 0)
    plain = ~dense & ~grouped
    # without channels, as of a network known by totals, nothing is padded
    padded = tuple(
        float(
            np.where(channels > 0, ops * (np.ceil(channels / tile) * tile + fill) / np.maximum(channels, 1.0), ops)[
                plain
            ].sum()
        )
        for tile, fill in TILES
    )
    layers = float(of["repeats"].sum())
    return NetworkTotals(
        topology, pruning, layers=layers, ops=float(ops.sum()), convolution_ops=padded,
        dense_ops=float(ops[dense & ~attention].sum()), weights=float(of["params"].sum()),
        activations=float(of["activations"].sum()), patches=float(of["patches"][plain].sum()),
        grouped_ops=float(ops[grouped].sum()), grouped_activations=float(of["activations"][grouped].sum()),
        attention_ops=float(ops[attention].sum()), attention_activations=float(of["activations"][attention].sum()),
        elementwise=float(np.nan_to_num(vector_elements)),
        kernels=kernels if np.isfinite(kernels) else layers, input_elements=_read_by_first(of),
    )  # fmt: skip


def _read_by_first(layers: Mapping[str, Array]) -> float:
    """Return the elements that the first layer reads: those that it moves but for one of each channel at each place.

    A transposed convolution has its places where it reads; there its lowering unfolds a window of each channel that it
    writes, where others gather one of each that they read.
    """
    moved, ops, params, patches, channels, repeats = (
        layers[name][:1] for name in ("activations", "ops", "params", "patches", "out_channels", "repeats")
    )
    plain = (layers["fully_connected"][:1] == 0) & (layers["grouped"][:1] == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = ops / (2.0 * params)
        read = moved / repeats - places * np.where(channels > 0, channels, np.nan)
        transposed = plain & (patches > 0) & ~np.isclose(patches * channels, places * params)
        read = np.where(transposed, places * places * params / patches, read)
    return float(read[np.isfinite(read)].clip(0.0).sum())


def with_facts(facts: Facts, inputs: xr.Dataset | None, *, measured: Collection[tuple[str, str, str]]) -> Facts:
    """Add the facts of the inputs behind those of a calibration, whose places stay valid.

    What the calibration knows is what the inputs say of it, in its place.

    Parameters
    ----------
    measured : collection of keys
        Hardware of which rows were measured: the parameters are relative to its figures.

    Raises
    ------
    InvalidDataError
        If the inputs have other figures of hardware that was measured, or tell several things of one network.
    """
    told = Facts({}, {}) if inputs is None else Facts(_machines_told(inputs), _one_of_each(facts, inputs))
    stated = [name for name, variable in STATED.items() if inputs is not None and variable in inputs.variables]
    _check_figures({key: facts.hardware[key] for key in measured}, told, stated)
    hardware = {
        key: _beside(one, [facts.hardware[other] for other in measured])
        for key, one in told.hardware.items()
        if key not in measured and not (key in facts.hardware and _same(facts.hardware[key], one, stated))
    }
    # without layers the inputs say nothing of a network but its name
    networks = told.networks if inputs is not None and "layer_patches" in inputs else {}
    embedded = _embedded()
    return Facts(
        {**facts.hardware, **hardware, **_behind({**facts.hardware, **hardware}, embedded.hardware)},
        {**facts.networks, **networks, **_behind(facts.networks, {**embedded.networks, **told.networks})},
    )


def _behind(known: Mapping[Any, Any], more: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: one for key, one in more.items() if key not in known}


def _same(ours: Machine, theirs: Machine, stated: Collection[str]) -> bool:
    """Whether they say the same; the reference of inputs is not compared, as those that were cut lack precisions."""
    return all(np.isclose(getattr(ours, name), getattr(theirs, name), rtol=SAME, atol=0.0) for name in stated)


def _beside(told: Machine, measured: Collection[Machine]) -> Machine:
    """Refer a precision to the fastest one, which may have been measured and left out of these inputs."""
    others = [one for one in measured if one.key[:2] == told.key[:2] and one.stated]
    return replace(told, reference=max(told.reference, *(one.peak / one.cores for one in others), 0.0))


def _one_of_each(facts: Facts, inputs: xr.Dataset) -> dict[tuple[str, float], NetworkTotals]:
    """Return the networks of inputs; raise where the demands of one that is known depend on more than the network."""
    names = [name for name in ("ops", *(f"layer_{one}" for one in DEMANDS), *BESIDE) if name in inputs.variables]
    own = {dim: 0 for name in names for dim in inputs[name].dims if dim not in ("topology", "pruning", "layer")}
    if not own or "topology" not in inputs.coords:
        return _networks_told(inputs)
    inputs = inputs[[*names]].isel({dim: 0 for dim in own if inputs.sizes[dim] == 1})
    known = {name for name, _ in facts.networks}
    labels = np.atleast_1d(inputs["topology"].to_numpy()).tolist()
    first = inputs.isel(dict.fromkeys(own, 0), missing_dims="ignore")
    for name in names:
        for place in [at for at, label in enumerate(labels) if label in known]:
            one, other = (cube[name].isel(topology=place, missing_dims="ignore") for cube in (inputs, first))
            for dim in [dim for dim in own if dim in one.dims]:
                if not ((one == other) | (one.isnull() & other.isnull())).all():
                    msg = (
                        f"`inputs`: expected one {labels[place]!r}, got `{name}` of it along {dim}, which a "
                        f"calibration does not know; pick one label, inputs.sel({dim}=...)"
                    )
                    raise InvalidDataError(msg)
    same = {key: one for key, one in _networks_told(first).items() if key[0] in known}
    return _networks_told(inputs) | same


def _check_figures(measured: Mapping[tuple[str, str, str], Machine], told: Facts, stated: Collection[str]) -> None:
    """Raise where hardware that was measured has other figures; those that were guessed give way to none."""
    for key in measured.keys() & told.hardware.keys():
        for name in (one for one in RELATIVE_TO if one in stated):
            ours, theirs = getattr(measured[key], name), getattr(told.hardware[key], name)
            if measured[key].stated and not np.isclose(ours, theirs, rtol=SAME, atol=0.0):
                variable = STATED[name]
                unit = str(attributes(variable).get("units", ""))
                msg = (
                    f"`inputs`: {' '.join(key)} was calibrated with {variable} {ours:.6g} {unit}, got {theirs:.6g} "
                    f"{unit}; calibrate its rows with these inputs, or give the board another name"
                )
                raise InvalidDataError(msg)
