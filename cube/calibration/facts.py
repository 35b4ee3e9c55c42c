"""What a calibration knows of hardware and networks, as flat arrays; from labelled inputs and embedded layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.errors import InvalidDataError
from roofcube.labels import full_rank
from roofcube.model.inputs import inputs as all_inputs
from roofcube.variables import ELEMENT_BYTES, HARDWARE_DIMS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# without facts a device is taken to offer this many times what it was seen to do
HEADROOM = 4.0

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
        Padded to the channel tile, one figure for each of `TILES`.
    patches : float
        Elements that a lowering of the convolutions to matrix products reads (im2col).
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

    @property
    def key(self) -> tuple[str, float]:
        """Labels."""
        return self.topology, self.pruning


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
    return Facts(
        {**embedded.hardware, **{one.key: one for one in _machines_of(inputs)}},
        {**embedded.networks, **{one.key: one for one in _networks_of(inputs)}},
    )


@cache
def _embedded() -> Facts:
    inputs = all_inputs()
    return Facts({one.key: one for one in _machines_of(inputs)}, {one.key: one for one in _networks_of(inputs)})


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
                    element_bytes=ELEMENT_BYTES[runs if runs in ELEMENT_BYTES else precision], cores=float(cores[here]),
                    weight_memory=float(np.nan_to_num(memory[here])), dataflow=bool(dataflow[here]),
                )  # fmt: skip


def guessed(measured: pl.DataFrame, facts: Facts) -> Facts:
    """Add hardware that only the measurements tell of: what it was seen to do, with headroom."""
    hardware = dict(facts.hardware)
    unknown = measured.filter([key not in hardware for key in measured.select(HARDWARE_DIMS).iter_rows()])
    for (platform,), table in unknown.group_by("platform", maintain_order=True):
        rates = [
            (facts.networks[topology, pruning], rate)
            for topology, pruning, rate in table.select(
                "topology", "pruning_percent", "throughput_compute_per_s"
            ).iter_rows()
            if (topology, pruning) in facts.networks and rate is not None
        ]
        if not rates:
            continue
        peak = HEADROOM * max(net.ops * rate for net, rate in rates)
        bandwidth = HEADROOM * max(net.activations * rate for net, rate in rates)
        for mode, precision in table.select("mode", "precision").unique(maintain_order=True).iter_rows():
            hardware[str(platform), mode, precision] = Machine(
                str(platform), mode, precision, family=str(platform), device_class="", peak=peak, reference=peak,
                bandwidth=bandwidth, element_bytes=ELEMENT_BYTES.get(precision, 1.0), cores=1.0, weight_memory=0.0,
                dataflow=False, stated=False,
            )  # fmt: skip
    return Facts(hardware, facts.networks)


# networks -------------------------------------------------------------------------------------------------------------


def _networks_of(inputs: xr.Dataset) -> Iterator[NetworkTotals]:
    if "topology" not in inputs.coords or "pruning" not in inputs.coords:
        return
    tables = dict(datasets.load_layers().group_by("topology", "pruning_percent"))
    for topology in np.atleast_1d(inputs["topology"].to_numpy()).tolist():
        for pruning in np.atleast_1d(inputs["pruning"].to_numpy()).tolist():
            here = {dim: value for dim, value in (("topology", topology), ("pruning", pruning)) if dim in inputs.dims}
            ops = float(inputs["ops"].sel(here)) if "ops" in inputs and set(inputs["ops"].dims) <= {*here} else np.nan
            table = tables.get((topology, pruning))
            if "layer_patches" in inputs:
                # a network known by totals that lack its activations is no network to calibrate with
                if np.isfinite(ops) and np.isfinite(inputs["layer_activations"].sel(here)).all():
                    yield _from_inputs(inputs.sel(here), str(topology), float(pruning))
            elif table is not None:
                yield _from_table(table, str(topology), float(pruning))


def _from_inputs(network: xr.Dataset, topology: str, pruning: float) -> NetworkTotals:
    channels = network["layer_out_channels"].to_numpy()
    real = network["layer_ops"].to_numpy() > 0
    column = {name: network[f"layer_{name}"].to_numpy()[real] for name in ("ops", "params", "activations", "patches")}
    return _totals(
        topology, pruning, column["ops"], channels[real], network["layer_fully_connected"].to_numpy()[real] > 0,
        column["params"], column["activations"], column["patches"],
    )  # fmt: skip


def _from_table(layers: pl.DataFrame, topology: str, pruning: float) -> NetworkTotals:
    demands = datasets.layer_demands(layers)
    values = {name: demands[name].cast(pl.Float64).to_numpy() for name in demands.columns}
    return _totals(
        topology, pruning, values["ops"], values["out_channels"], values["fully_connected"] > 0, values["params"],
        values["activations"], values["patches"],
    )  # fmt: skip


def _totals(
    topology: str,
    pruning: float,
    ops: Array,
    channels: Array,
    dense: Array,
    weights: Array,
    activations: Array,
    patches: Array,
) -> NetworkTotals:
    # without channels, as of a network known by totals, nothing is padded
    padded = tuple(
        float(
            np.where(channels > 0, ops * (np.ceil(channels / tile) * tile + fill) / np.maximum(channels, 1.0), ops)[
                ~dense
            ].sum()
        )
        for tile, fill in TILES
    )
    return NetworkTotals(
        topology, pruning, layers=float(len(ops)), ops=float(ops.sum()), convolution_ops=padded,
        dense_ops=float(ops[dense].sum()), weights=float(weights.sum()), activations=float(activations.sum()),
        patches=float(patches.sum()),
    )  # fmt: skip


def with_facts(facts: Facts, inputs: xr.Dataset | None) -> Facts:
    """Add the facts of the inputs behind those of the calibration, whose places stay valid."""
    more = facts_of(inputs)
    hardware = {key: one for key, one in more.hardware.items() if key not in facts.hardware}
    networks = {key: one for key, one in more.networks.items() if key not in facts.networks}
    return Facts({**facts.hardware, **hardware}, {**facts.networks, **networks})
