"""From labelled inputs and assumptions to an expression graph and its tables; what predict and sweeps both read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr

from roofcube.datasets import canonical
from roofcube.errors import (
    InvalidDataError,
    MissingInputError,
    UnknownLabelError,
    check_kind,
    suggestion,
    unknown_label,
)
from roofcube.kernels.graph import roofline
from roofcube.kernels.graph.expression import (
    Node,
    ceil,
    constant,
    formula_text,
    leaf,
    leaves,
    ordered_sum,
    rebuilt,
    topological,
    where,
)
from roofcube.labels import labelled
from roofcube.model.assumptions import PUBLISHED, Assumptions, check_assumptions
from roofcube.model.hardware import check_hardware, check_units
from roofcube.model.made import EXTRAPOLATES, INTERVAL_ENDS, LEVEL, LISTED, OF_CALIBRATIONS, RESULTS, without_results
from roofcube.vocabulary import ACTIVATION_BYTES, BOUNDS, DIMS, ELEMENT_BYTES, INFEASIBLE, VARIABLES, attributes

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from roofcube.model.assumptions import Storage

__all__ = ["LAYER", "Calibrated", "Model", "build_model", "dim_order", "dims_of", "why_no_node"]

LAYER = roofline.LAYER_AXIS


class Calibrated(Protocol):
    """What a calibration must offer to serve as assumptions."""

    @property
    def label(self) -> str:
        """Its label along the dim `assumptions`."""

    @property
    def description(self) -> str:
        """What tells it from others of its label."""

    def tables(self, inputs: xr.Dataset, *, level: float | None = None) -> xr.Dataset:
        """Its predictions over the labelled dims of the inputs."""


@dataclass(frozen=True)
class Model:
    """An expression graph with the labelled tables that its leaves stand for.

    Attributes
    ----------
    outputs : dict of name to Node
        Every result and every numeric input variable.
    tables : dict of name to DataArray
        What each leaf reads, float, over just the dims that it depends on.
    dim_order : tuple of str
        Dims of the sweep space in tie order; `layer` is summed inside and never among them.
    coords : Mapping
        Coordinates of the inputs.
    labels : dict of name to dict
        Attributes of outputs that are not in the table of variables.
    """

    outputs: dict[str, Node]
    tables: dict[str, xr.DataArray]
    dim_order: tuple[str, ...]
    coords: Mapping[Hashable, xr.DataArray]
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of an output."""
        return self.labels.get(name) or attributes(name)

    @cached_property
    def label_arrays(self) -> dict[str, Any]:
        """The values of every coordinate."""
        return {str(name): coordinate.values for name, coordinate in self.coords.items()}


def dim_order(inputs: xr.Dataset) -> tuple[str, ...]:
    """Order the dims of the space: the known ones first, the user's own by first appearance, batch last.

    Examples
    --------
    >>> import xarray as xr
    >>> from roofcube.model.graph import dim_order
    >>> dim_order(xr.Dataset({"ops": ("batch", [1.0]), "price": (("shop", "topology"), [[2.0]])}))
    ('topology', 'shop', 'batch')
    """
    seen: dict[str, None] = {}
    coords = inputs._coord_names  # `inputs[name]` would build an array for each: 1.3 ms for an embedded cube
    for name, variable in inputs.variables.items():
        if name not in coords:
            seen.update(dict.fromkeys(map(str, variable.dims)))
    seen.update((str(dim), None) for dim in inputs.dims if dim in coords)
    own = [dim for dim in seen if dim not in DIMS and dim != LAYER]
    known = [dim for dim in DIMS if dim in seen]
    return (*(dim for dim in known if dim != "batch"), *own, *(dim for dim in known if dim == "batch"))


def _with_dims_of(tables: Mapping[str, xr.DataArray], order: tuple[str, ...]) -> tuple[str, ...]:
    """Add dims that only coordinates have which the model reads, such as a batch of its own for each label."""
    lacking = {str(dim): None for table in tables.values() for dim in table.dims if dim not in (*order, LAYER)}
    last = tuple(dim for dim in order if dim == "batch")
    return (*(dim for dim in order if dim != "batch"), *lacking, *last)


def dims_of(node: Node, tables: Mapping[str, xr.DataArray]) -> set[str]:
    """Return which dims a node depends on; `layer` is gone where it was summed."""
    dims: dict[Node, frozenset[str]] = {}
    for one in topological([node]):
        if one.operation == "leaf":
            dims[one] = frozenset(map(str, tables[one.name].dims))
        else:
            dims[one] = frozenset().union(*(dims[argument] for argument in one.arguments)) - {one.name}
    return set(dims[node])


def build_model(inputs: xr.Dataset, assumptions: Assumptions | Calibrated) -> Model:
    """Build the expression graph of a model over labelled inputs.

    Parameters
    ----------
    inputs : Dataset
        As `roofcube.inputs` gives it; any variable may carry dims of the user's own.
    assumptions : Assumptions or Calibration
        A calibration brings its own times, as tables over the labelled dims, with the ends of their intervals.

    Returns
    -------
    Model

    Raises
    ------
    MissingInputError
        If the assumptions need a variable that the inputs lack.
    InvalidDataError
        If a variable has the name of a dim that it does not index, or if totals and layers differ in dims.
    """
    check_kind("inputs", inputs, xr.Dataset, do="make them with `roofcube.inputs`")
    check_assumptions(assumptions)
    inputs = without_results(inputs)
    if isinstance(assumptions, Assumptions):
        builder = _Builder(inputs, assumptions)
        builder.results()
        for term in assumptions.terms:
            builder.add_term(term)
    else:
        builder = _Builder(inputs, PUBLISHED)
        builder.calibrated_results(assumptions.tables(inputs, level=LEVEL))
    order = _with_dims_of(builder.tables, dim_order(inputs))
    sizes = {dim: int(inputs.sizes[dim]) for dim in order}
    return Model(builder.nodes, builder.tables, order, dict(inputs.coords), builder.labels, sizes)


class _Builder:
    """Collects nodes and tables."""

    def __init__(self, inputs: xr.Dataset, assumptions: Assumptions) -> None:
        self.inputs = inputs
        self.assumptions = assumptions
        self.tables: dict[str, xr.DataArray] = {}
        self.nodes: dict[str, Node] = {}
        self.labels: dict[str, dict[str, Any]] = {}
        for name in inputs.dims:
            # xarray drops the index of such a dim without a word
            if name in inputs.variables and inputs[name].dims != (name,):
                msg = (
                    f"`{name}`: a variable over {', '.join(map(str, inputs[name].dims))} must not share its name "
                    "with a dim; name it after what it holds"
                )
                raise InvalidDataError(msg)
        for name in inputs.variables:
            if name in RESULTS:
                msg = (
                    f"`{name}`: expected no input of that name, which is a result of the model; leave it out, or give "
                    "the assumptions a term of that name (with_term)"
                )
                raise InvalidDataError(msg)
        for name, array in inputs.data_vars.items():
            if array.dtype.kind in "fiub":
                self.tables[str(name)] = _as_doubles(array)
                if LAYER not in array.dims:
                    self.nodes[str(name)] = leaf(str(name))
        check_units(inputs)
        check_hardware(inputs)
        self._derive_tables()

    def _derive_tables(self) -> None:
        if "batch" in self.inputs.coords:
            self.tables["batch"] = _as_doubles(self.inputs["batch"])
            self.nodes["batch"] = leaf("batch")
        if "element_bytes" not in self.tables and "precision" in self.inputs.coords:
            self._derive_bytes(self.inputs["precision"], "element_bytes", "activation_bytes")
        if "executed_precision" in self.inputs and "executed_bytes" not in self.tables:
            self._derive_bytes(self.inputs["executed_precision"], "executed_bytes", "executed_activation_bytes")
        for name in ("element_bytes", "activation_bytes", "executed_bytes", "executed_activation_bytes"):
            if name in self.tables:
                self.nodes.setdefault(name, leaf(name))

    def _derive_bytes(self, precisions: xr.DataArray, weights: str, activations: str) -> None:
        """Turn precisions into bytes an element; those of activations have a table where any differs."""
        self.tables[weights] = _bytes_by_label(precisions, ELEMENT_BYTES)
        apart = _bytes_by_label(precisions, ACTIVATION_BYTES)
        if activations not in self.tables and not _same_dims(apart, self.tables[weights]):
            self.tables[activations] = apart

    # leaves -------------------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        return name in self.tables

    def need(self, name: str, why: str) -> Node:
        if name not in self.tables:
            msg = f"`{name}`: {why} needs this variable and the inputs lack it; add it, or change the assumptions"
            raise MissingInputError(msg)
        return leaf(name)

    def total(self, name: str, why: str) -> Node:
        """Refer to a whole-network figure; a variable given per layer is summed."""
        node = self.need(name, why)
        return ordered_sum(node, LAYER) if LAYER in self.tables[name].dims else node

    def per_layer(self, name: str, why: str) -> Node:
        """Refer to a figure per layer: `layer_<name>`, else the variable itself with its own `layer` dim."""
        layered = f"layer_{name}"
        if layered not in self.tables:
            return self.need(name, why)
        extra = set(self.tables[name].dims) - set(self.tables[layered].dims) if name in self.tables else set()
        if extra - {LAYER}:
            gained = ", ".join(sorted(map(str, extra)))
            msg = (
                f"`{name}`: has dim {gained}, which `{layered}` lacks, so the layers do not add up to it; give "
                f"`{layered}` "
                f'the same dim, drop it, or use layers="whole network"'
            )
            raise InvalidDataError(msg)
        return leaf(layered)

    # results ------------------------------------------------------------------------------------------------------

    @property
    def layered(self) -> bool:
        return self.assumptions.layers == "per layer" and any(
            LAYER in self.tables[name].dims for name in ("layer_ops", "ops") if name in self.tables
        )

    def results(self) -> None:
        times = self._times()
        ops, peak = self.total("ops", "every model"), leaf("peak_compute")
        # raw, before infeasible points are blanked
        self.nodes |= {
            "predicted_throughput": 1.0 / roofline.period(times),
            "predicted_latency": roofline.latency(times),
            "peak_throughput": peak / ops,
            "bound": roofline.binding(times),
            "memory_required": self._memory_required(),
        }
        if self.has("params") and self.has("element_bytes"):
            self.nodes["operational_intensity"] = ops / (self.total("params", "intensity") * leaf("element_bytes"))
        if self.has("power"):
            self.nodes["predicted_energy"] = roofline.energy(times, leaf("power"))
        self.nodes["infeasible"] = self._infeasible()
        self._blank()

    def calibrated_results(self, tables: xr.Dataset) -> None:
        """Take throughput, power and what binds from tables; what fits and is offered is judged as published."""
        for name in ("predicted_throughput", "power"):
            self._bring(f"calibrated_{name}", tables[name])
        throughput, power = leaf("calibrated_predicted_throughput"), leaf("calibrated_power")
        ops = self.total("ops", "every model")
        for name in (LISTED, *OF_CALIBRATIONS):
            if name in self.inputs.coords or (name in self.inputs and name != "power"):
                msg = f"`{name}`: expected no input of that name, which a calibration makes itself; rename it"
                raise InvalidDataError(msg)
        if self.has("power"):
            self.nodes[LISTED] = leaf("power")
            self.labels[LISTED] = attributes(LISTED)
        self.nodes |= {
            "power": power,
            "predicted_throughput": throughput,
            "predicted_latency": (self.nodes["batch"] if self.has("batch") else constant(1.0)) / throughput,
            "predicted_energy": power / throughput,
            "peak_throughput": self.need("peak_compute", "every model") / ops,
            "memory_required": self._memory_required(),
        }
        if self.has("params") and self.has("element_bytes"):
            self.nodes["operational_intensity"] = ops / (self.total("params", "intensity") * leaf("element_bytes"))
        if "bound" in tables:
            self._bring("calibrated_bound", tables["bound"])
            self.nodes["bound"] = leaf("calibrated_bound")
        for end in ("low", "high"):
            if end in tables:
                self._bring(f"calibrated_{end}", tables[end])
                name = f"predicted_throughput_{end}"
                self.nodes[name] = leaf(f"calibrated_{end}")
                self.labels[name] = {"units": "1/s", "long_name": INTERVAL_ENDS[name]}
        if EXTRAPOLATES in tables:
            self._bring(f"calibrated_{EXTRAPOLATES}", tables[EXTRAPOLATES])
            self.nodes[EXTRAPOLATES] = leaf(f"calibrated_{EXTRAPOLATES}")
            self.labels[EXTRAPOLATES] = {"units": "1", "long_name": OF_CALIBRATIONS[EXTRAPOLATES]}
        self.labels["power"] = {"units": "W", "long_name": OF_CALIBRATIONS["power"]}
        code = self._infeasible()
        self.nodes["infeasible"] = code
        self._blank()
        # a refusal is told, and blanks only what was refused
        physical = where(code.equals(INFEASIBLE["untrained"]), 0.0, code)
        refused = where(_is_given(throughput), code, INFEASIBLE["not_calibrated"])
        self.nodes["infeasible"] = where(physical, code, refused)

    def _bring(self, name: str, table: xr.DataArray) -> None:
        """Take a table of a calibration."""
        if name in self.inputs.variables or name in self.inputs.dims:
            msg = f"`{name}`: expected no input of this name, which a calibration needs for its own table; rename it"
            raise InvalidDataError(msg)
        self.tables[name] = table.reset_coords(drop=True).astype("f8")

    def _times(self) -> roofline.Times:
        layered = self.layered
        peak = self.need("peak_compute", "every model")
        ops = self.per_layer("ops", "per layer") if layered else self.total("ops", "every model")
        if layered and self.has("layer_tile_use"):
            ops = ops / leaf("layer_tile_use")
        elif layered and self.has("channel_tile") and self.has("layer_out_channels"):
            channels, tile = leaf("layer_out_channels"), leaf("channel_tile")
            ops = ops / where(channels, channels / (ceil(channels / tile) * tile), 1.0)
        return roofline.Times(
            compute=ops / peak,
            weights=self._weights(),
            activations=self._activations(),
            batch=leaf("batch") if self.has("batch") else constant(1.0),
            cores=leaf("cores") if layered and self.has("cores") else None,
            layered=layered,
        )

    def _weights(self) -> tuple[roofline.Transfer, ...]:
        storage = self.assumptions.weights
        if storage in ("free", "on chip"):
            return ()
        time = self._transfer_time(("params",), storage)
        if storage == "memory per input":
            return (roofline.Transfer(time, shared=False),)
        return (roofline.Transfer(time, leaf("weights_shared") if self.has("weights_shared") else True),)

    def _activations(self) -> tuple[roofline.Transfer, ...]:
        wanted = {"activations": self.assumptions.activations, "state": self.assumptions.state}
        if not self.has("state"):
            del wanted["state"]
        groups: dict[Storage, list[str]] = {}
        for name, storage in wanted.items():
            if storage not in ("free", "on chip"):
                groups.setdefault(storage, []).append(name)
        return tuple(
            roofline.Transfer(self._transfer_time(tuple(names), storage), shared=storage == "memory per batch")
            for storage, names in groups.items()
        )

    def _element_bytes(self, name: str = "params") -> Node:
        """Refer to the bytes an element of weights (`params`), or of activations and state."""
        executed = self.assumptions.layers == "per layer" and self.has("executed_bytes")
        apart = "executed_activation_bytes" if executed else "activation_bytes"
        if name != "params" and self.has(apart):
            return leaf(apart)
        return leaf("executed_bytes") if executed else self.need("element_bytes", "memory traffic")

    def _transfer_time(self, names: tuple[str, ...], storage: Storage) -> Node:
        """Time to move the named elements once; 0 where they may stay on chip and fit."""
        why = f"{'weights' if names == ('params',) else ' and '.join(names)}={storage!r}"
        elements = _added([self._moved(name, storage, why) for name in names])
        assert elements is not None
        time = elements * self._element_bytes(names[0]) / self.need("memory_bandwidth", why)
        if storage == "on chip if it fits" and self.has("on_chip_memory"):
            stored = _added([self._kept_on_chip(name, why) for name in names])
            assert stored is not None
            return roofline.resident(stored * self._element_bytes(names[0]), leaf("on_chip_memory"), time)
        return time

    def _kept_on_chip(self, name: str, why: str) -> Node:
        # of the activations only one layer's are alive at once
        alive = "activation_memory" if name == "activations" and self.has("activation_memory") else name
        return self.total(alive, why)

    def _moved(self, name: str, storage: Storage, why: str) -> Node:
        """Refer to the elements of a reading; of a mixture of experts those that the batch chose, or each input."""
        if name != "params" or not self.has("params_read"):
            return self._elements(name, why)
        together = self._elements("params_read", why)
        if not self.has("params_read_alone"):
            return together
        alone = self._elements("params_read_alone", why)
        if storage == "memory per input":
            return alone
        return where(leaf("weights_shared"), together, alone) if self.has("weights_shared") else together

    def _elements(self, name: str, why: str) -> Node:
        if not self.layered:
            return self.total(name, why)
        node = self.per_layer(name, why)
        if LAYER in self.tables.get(f"layer_{name}", self.tables[name]).dims:
            return node
        # a figure known only for the whole network is spread evenly over its layers, so that they add up to it
        return node / self._parts(name)

    def _parts(self, name: str) -> Node:
        """Refer to how many parts a whole network's figure is in, none of them in layers that only others have."""
        if not (self.tables[name].values > 0).any():
            return constant(float(self.layer_count))
        if "layer_parts" not in self.tables:
            self.tables["layer_parts"] = self._derive_parts()
        return leaf("layer_parts")

    def _derive_parts(self) -> xr.DataArray:
        needed = [self._needs_of_layers(name) for name in ("ops", "params", "activations")]
        # what is not known (NaN) is there
        share = reduce(or_, (one != 0 for one in needed if one is not None)).astype("f8")
        if "layer_repeats" in self.tables:
            repeats = self.tables["layer_repeats"]
            share = share * repeats.where(repeats > 0, 1.0)
        layers = share.sum(LAYER)
        parts = (layers / share.where(share > 0)).fillna(np.inf).where(layers > 0, float(self.layer_count))
        return parts.transpose(..., LAYER)

    def _needs_of_layers(self, name: str) -> xr.DataArray | None:
        tables = (self.tables.get(one) for one in (f"layer_{name}", name))
        return next((one for one in tables if one is not None and LAYER in one.dims), None)

    @property
    def layer_count(self) -> int:
        return next(
            self.tables[name].sizes[LAYER]
            for name in ("layer_ops", "ops")
            if name in self.tables and LAYER in self.tables[name].dims
        )

    def _memory_required(self, *, at_least: bool = False) -> Node:
        """Add up what has to be held; `at_least` without the activations of networks that do not tell theirs."""
        assume = self.assumptions
        parts: list[Node] = []
        if assume.weights != "free":
            parts.append(self.total("params", "weights") * self._element_bytes())
        alive: list[Node] = []
        if assume.activations != "free" and self.has("activation_memory"):
            elements = self.total("activation_memory", "activations")
            if at_least:
                elements = where(_is_given(elements), elements, 0.0)
            alive.append(elements * self._element_bytes("activations"))
        if assume.state != "free" and self.has("state"):
            alive.append(self.total("state", "state") * self._element_bytes("state"))
        if (living := _added(alive)) is not None:
            parts.append(living * leaf("batch") if self.has("batch") else living)
        required = _added(parts)
        return constant(0.0) if required is None else required

    def _infeasible(self) -> Node:
        code = constant(INFEASIBLE["feasible"])
        if self.has("top1"):
            code = where(_is_given(leaf("top1")), code, INFEASIBLE["untrained"])
        for needed, available in self._limits():
            code = where(available < needed, INFEASIBLE["does_not_fit_memory"], code)
        if self._lacks_activations():
            code = where(_is_given(self.total("activations", "activations")), code, INFEASIBLE["counts_not_known"])
        if self._lacks_bandwidth():
            code = where(_is_given(leaf("memory_bandwidth")), code, INFEASIBLE["bandwidth_not_known"])
        code = where(_is_given(self.total("ops", "every model")), code, INFEASIBLE["network_not_defined"])
        code = where(_is_given(leaf("peak_compute")), code, INFEASIBLE["precision_not_supported"])
        if self.has("mode_offered"):
            code = where(leaf("mode_offered"), code, INFEASIBLE["mode_not_offered"])
        return code

    def _lacks_activations(self) -> bool:
        """Check whether a network known by totals says nothing of the activations that these assumptions move."""
        return self.assumptions.activations not in ("free", "on chip") and self._is_unknown("activations")

    def _is_unknown(self, name: str) -> bool:
        """Check whether some network whose operations are known lacks a count."""
        if not self.has(name):
            return False
        counts, ops = self.tables[name], self.tables["ops"]
        # in NumPy: whatever xarray computes asks whether it is dask's, and imports it
        if not np.isnan(counts.values).any():
            return False
        if counts.dims != ops.dims:
            return bool((counts.isnull() & ops.notnull()).any())
        return bool((np.isnan(counts.values) & ~np.isnan(ops.values)).any())

    def _lacks_bandwidth(self) -> bool:
        """Check whether a platform whose bandwidth nobody publishes would have to read from memory."""
        assume = self.assumptions
        reads = any(one not in ("free", "on chip") for one in (assume.weights, assume.activations, assume.state))
        if not reads or "memory_bandwidth" not in self.tables:
            return False
        bandwidth, peak = self.tables["memory_bandwidth"], self.tables.get("peak_compute")
        unknown = np.isnan(bandwidth.values)
        if not unknown.any() or peak is None:
            return False
        # a gap where nothing is offered is none of its own
        shared = [dim for dim in bandwidth.dims if dim in peak.dims]
        offered = (~np.isnan(peak.transpose(*shared, ...).values)).any(axis=tuple(range(len(shared), peak.ndim)))
        whole = bandwidth.transpose(*shared, ...)
        axes = tuple(range(len(shared), whole.ndim))
        return bool((np.isnan(whole.values).any(axis=axes) & offered).any())

    def _limits(self) -> list[tuple[Node, Node]]:
        """Pair what is needed with what is there; an unknown (NaN) capacity limits nothing."""
        limits: list[tuple[Node, Node]] = []
        if self.has("memory_capacity"):
            # what is known may be too much by itself
            partly = self._is_unknown("activation_memory")
            required = self._memory_required(at_least=True) if partly else self.nodes["memory_required"]
            limits.append((required, leaf("memory_capacity")))
        if self.assumptions.weights == "on chip" and self.has("on_chip_memory"):
            limits.append((self.total("params", "weights") * self._element_bytes(), leaf("on_chip_memory")))
        return limits

    def _blank(self) -> None:
        """Put NaN (for the flag `bound`: none) where a physical reason forbids the point.

        What it would need of memory stays where it does not fit: it says by how much.
        """
        code = self.nodes["infeasible"]
        physical = where(code.equals(INFEASIBLE["untrained"]), 0.0, code)
        absent = where(code.equals(INFEASIBLE["does_not_fit_memory"]), 0.0, physical)
        # of what a calibration makes: its power replaces that of the inputs, which stays
        made = [name for name in self.nodes if name in RESULTS or (name in OF_CALIBRATIONS and name in self.labels)]
        for name in made:
            if name not in ("infeasible", "operational_intensity"):
                empty = float(BOUNDS["none"]) if name == "bound" else float("nan")
                self.nodes[name] = where(absent if name == "memory_required" else physical, empty, self.nodes[name])

    # own terms ----------------------------------------------------------------------------------------------------

    def add_term(self, term: Any) -> None:
        """Add an output; what derives from an output of that name moves with it, or it is refused."""
        self._check_name(term.name)
        units = self._units_of(term)
        formula = term.formula(_Names(self, term.name))
        if not isinstance(formula, Node):
            msg = (
                f"`{term.name}`: expected the formula to give a node, got {type(formula).__name__}; build it from "
                "model.<name>"
            )
            raise InvalidDataError(msg)
        node = _substituted(formula, {leaf(name): known for name, known in self.nodes.items()})
        replaced = self._derived(term.name, node)
        moved = {self.nodes[name]: new for name, new in replaced.items() if name in self.nodes}
        for name in self.labels:
            if name in self.nodes and name not in replaced:
                self.nodes[name] = _substituted(self.nodes[name], moved)
        self.nodes |= replaced
        self.labels[term.name] = {"units": units, "long_name": term.long_name, "formula": formula_text(formula)}
        if term.sense:
            self.labels[term.name]["sense"] = term.sense

    def _units_of(self, term: Any) -> str:
        """Return the unit of a term; in place of a result, of which others are made, that of the result."""
        own = VARIABLES[term.name].units if term.name in self.nodes and term.name in RESULTS else str(term.units)
        if term.units not in (own, "1"):
            msg = (
                f"`{term.name}`: a term in place of a result, of which others are made, is in its unit {own}, got "
                f"{term.units!r}; scale the formula, or give the term another name"
            )
            raise InvalidDataError(msg)
        return own

    def _check_name(self, name: str) -> None:
        if name in self.inputs.dims or name in self.inputs.coords:
            kind = "dim" if name in self.inputs.dims else "coordinate"
            msg = f"`{name}`: a term must not be called like a {kind} of the inputs; name it after what it holds"
            raise InvalidDataError(msg)
        # what was predicted before may hold results of own terms, which are made anew
        is_input = name in self.inputs and (name in VARIABLES or "assumptions" not in self.inputs.attrs)
        known = is_input and name not in RESULTS
        if known or name in leaves(self.nodes[one] for one in RESULTS if one in self.nodes):
            msg = (
                f"`{name}`: an input, which results are built from; change it with inputs.assign, or give the "
                "term another name"
            )
            raise InvalidDataError(msg)
        if name == "bound":
            msg = "`bound`: flags of what takes the time, which a term cannot replace; give the term another name"
            raise InvalidDataError(msg)
        if name in ("memory_required", "infeasible"):
            msg = (
                f"`{name}`: what is feasible derives from it, so a term cannot replace it; change params, activations, "
                "memory_capacity or the assumptions, or give the term another name"
            )
            raise InvalidDataError(msg)

    def _derived(self, name: str, node: Node) -> dict[str, Node]:
        """Derive throughput, latency and energy from the one that is replaced."""
        batch = self.nodes.get("batch", constant(1.0))
        derived = {name: node}
        if name == "predicted_throughput":
            derived["predicted_latency"] = batch / node
        elif name == "predicted_latency":
            derived["predicted_throughput"] = batch / node
        if name in ("predicted_throughput", "predicted_latency") and "predicted_energy" in self.nodes:
            derived["predicted_energy"] = self.nodes["power"] / derived["predicted_throughput"]
        return derived


class _Names:
    """What a user's own term sees: its attributes are the nodes of inputs, results and numeric labels."""

    def __init__(self, builder: _Builder, term: str) -> None:
        self.__dict__["_builder"] = builder
        self.__dict__["_term"] = term

    def __getattr__(self, name: str) -> Node:
        builder: _Builder = self.__dict__["_builder"]
        if name in builder.nodes:
            return leaf(name)  # for which its node is put later: the formula is also to be read
        if name in self._numeric_labels():
            builder.tables.setdefault(name, _as_doubles(builder.inputs[name].reset_coords(drop=True)))
            return leaf(name)
        known = dir(self)
        missing = f"the model has no node {name!r}{suggestion(name, known)}; it has: {', '.join(known)}"
        msg = why_no_node(self, name) or f"`{self.__dict__['_term']}`: {missing}"
        raise AttributeError(msg)

    def __getitem__(self, name: str) -> Node:
        """Return the node of a name that may be no word of Python."""
        node: Node = getattr(self, name)
        return node

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__["_builder"].nodes, *self._numeric_labels()})

    def _numeric_labels(self) -> list[str]:
        coords = self.__dict__["_builder"].inputs.coords
        return [str(name) for name, one in coords.items() if one.dtype.kind in "fiub" and LAYER not in one.dims]


def why_no_node(model: object, name: str) -> str:
    """Say why a term cannot use what the inputs hold by a name; empty where they hold nothing by it."""
    builder: _Builder | None = vars(model).get("_builder") if isinstance(model, _Names) else None
    if builder is None or name not in builder.inputs:
        return ""
    array = builder.inputs[name]
    others = [str(dim) for dim in array.dims if dim != LAYER]
    numbers = f"numbers along {', '.join(others)}" if others else "a number"
    if LAYER in array.dims:
        reason = f"runs along {LAYER!r}, which no result has; give {numbers}, such as its sum"
    else:
        kinds = {"U": "text", "T": "text", "M": "a date", "m": "a time span", "c": "a complex number"}
        kind = kinds.get(array.dtype.kind, f"of type {array.dtype}")
        reason = f"is {kind}, with which no term computes; give {numbers} in its place"
    return f"`{vars(model)['_term']}`: the input {name!r} {reason}"


def _substituted(node: Node, moved: Mapping[Node, Node]) -> Node:
    """Put other nodes for some of a graph."""
    new: dict[Node, Node] = {}
    for one in topological([node]):
        new[one] = moved[one] if one in moved else rebuilt(one, tuple(new[argument] for argument in one.arguments))
    return new[node]


def _added(parts: list[Node]) -> Node | None:
    total: Node | None = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _is_given(node: Node) -> Node:
    # NaN is the only value that does not equal itself; infinity counts as known
    return node.equals(node)


def _same_dims(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Check whether two tables are equal; in NumPy, which asks nothing of dask."""
    return one.dims == other.dims and np.array_equal(one.values, other.values, equal_nan=True)


def _as_doubles(array: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(labelled(array.dims, array.data.astype("f8")))


def _bytes_by_label(labels: xr.DataArray, table: Mapping[str, float]) -> xr.DataArray:
    """Turn precision labels into bytes an element; an empty label gives NaN."""

    def bytes_of(label: object) -> float:
        if str(label) == "":
            return float("nan")
        try:
            return table[canonical("precision", str(label))]
        except KeyError:
            raise _unknown_precision(str(label)) from None

    # a table of measurements has thousands of labels, of a few kinds
    distinct, number = np.unique(np.asarray(labels.values, dtype=str), return_inverse=True)
    values = np.array([bytes_of(label) for label in distinct.tolist()], dtype="f8")[number].reshape(labels.shape)
    return xr.DataArray(labelled(labels.dims, values))


def _unknown_precision(label: str) -> UnknownLabelError:
    return unknown_label("precision", label, ELEMENT_BYTES, do="or give `element_bytes` as a variable")
