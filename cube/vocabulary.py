"""The table of variables: name, units, meaning and sense of everything that a cube may hold; no computing here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from roofcube.errors import check_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    import xarray as xr

__all__ = [
    "ACTIVATION_BYTES",
    "ALL_IMPOSSIBLE",
    "BOUNDS",
    "CONFIGURATION",
    "DESCRIBING",
    "DIMS",
    "ELEMENT_BYTES",
    "FINDINGS",
    "FLAGS",
    "FORMATS",
    "GRADES",
    "HARDWARE_DIMS",
    "HARDWARE_FACTS",
    "IMPOSSIBLE",
    "IMPOSSIBLE_ACCURACY",
    "IMPOSSIBLE_POWER",
    "INFEASIBLE",
    "LAB",
    "LEVEL",
    "MEASURED_ACCURACY",
    "MEASURED_POWER",
    "MEASURED_SPEED",
    "MODES",
    "NETWORK_DIMS",
    "NETWORK_FACTS",
    "OFFER",
    "PHASE_DIMS",
    "PRECISIONS",
    "QUALITY",
    "QUANTITIES_OF",
    "THREADED",
    "VARIABLES",
    "Finding",
    "Variable",
    "attributes",
    "finding_bits",
    "flag_attributes",
    "sense_of",
    "variables",
    "with_meanings",
]

Sense = Literal["max", "min"]

# The order of dims is the rule for ties and so part of every result: these first, the user's own next, batch last.
# `offer` stands for platform, mode and precision together where each is laid out by what exists.
OFFER = "offer"
DIMS = (OFFER, "platform", "mode", "topology", "pruning", "precision", "batch")

# What a configuration is made of, in the order in which it is written: hardware, then network; a batch comes on top.
HARDWARE_DIMS = ("platform", "mode", "precision")
NETWORK_DIMS = ("topology", "pruning")
CONFIGURATION = (*HARDWARE_DIMS, *NETWORK_DIMS)
PHASE_DIMS = ("phase", "context")  # along which a transformer needs other figures
# coordinates that describe the labels of a dim, and are none where a cube was cut to one of them
DESCRIBING = ("task", "device_class", "family", "dataflow", "architecture", "counts_source", "mode_rank")
# what is a fact of the hardware alone, whatever runs, and of the network alone, whatever it runs on
HARDWARE_FACTS = (
    "peak_compute", "memory_bandwidth", "memory_capacity", "on_chip_memory", "cores", "power", "executed_precision",
    "executed_bytes", "mode_offered", "weights_shared", "channel_tile", "device_class", "family", "dataflow",
    "mode_rank",
)  # fmt: skip
NETWORK_FACTS = (
    "ops", "params", "active_params", "expert_share", "params_read", "params_read_alone", "tokens", "activations",
    "activation_memory", "state", "vector_ops", "vector_elements", "kernels", "layer_ops", "layer_params",
    "layer_params_read", "layer_params_read_alone",
    "layer_activations", "layer_out_channels", "layer_patches", "layer_fully_connected", "layer_grouped",
    "layer_repeats", "top1", "top5", "element_bytes", "operational_intensity", "task", "architecture", "counts_source",
)  # fmt: skip
LAB = "lab"  # the dim along which measurements of several sources stand side by side
LEVEL = 0.9  # of the intervals that pages show, and that are kept of rows held out
THREADED = "batch_is_threads"  # attribute of platform: those whose batch is a number of threads


class Format(NamedTuple):
    """Bits of a number format: stored of weights and of activations, scales counted, and multiplied."""

    weights: float
    activations: float
    computed: float


# NVFP4 has a scale of 8 bits for 16 elements, the MX formats one for 32 (OCP Microscaling Formats 1.0); TF32 is stored
# in 32 bits; WxAy has weights of x bits and activations of y.
FORMATS = {
    "INT1": Format(1, 1, 1),
    "INT2": Format(2, 2, 2),
    "INT4": Format(4, 4, 4),
    "INT8": Format(8, 8, 8),
    "INT16": Format(16, 16, 16),
    "FP4": Format(4, 4, 4),
    "NVFP4": Format(4.5, 4.5, 4),
    "MXFP4": Format(4.25, 4.25, 4),
    "MXFP6": Format(6.25, 6.25, 6),
    "MXFP8": Format(8.25, 8.25, 8),
    "FP8": Format(8, 8, 8),
    "FP16": Format(16, 16, 16),
    "BF16": Format(16, 16, 16),
    "TF32": Format(32, 32, 32),
    "FP32": Format(32, 32, 32),
    "FP64": Format(64, 64, 64),
    "W2A16": Format(2, 16, 16),
    "W4A4": Format(4, 4, 4),
    "W4A8": Format(4, 8, 8),
    "W4A16": Format(4, 16, 16),
    "W8A8": Format(8, 8, 8),
    "W8A16": Format(8, 16, 16),
}

# Bytes an element of weights and one of activations, by precision.
ELEMENT_BYTES = {name: one.weights / 8 for name, one in FORMATS.items()}
ACTIVATION_BYTES = {name: one.activations / 8 for name, one in FORMATS.items()}

# The order in which cubes hold precisions and modes; others follow as they come.
PRECISIONS = ("INT2", "INT4", "INT8", "FP16", "FP32")
MODES = ("default", "maxn", "maxp", "maxq", "fast", "slow")

# Why a point has no value. Physical reasons blank every result; `untrained` is told without blanking.
INFEASIBLE = {
    "feasible": 0,
    "mode_not_offered": 1,
    "precision_not_supported": 2,
    "network_not_defined": 3,
    "does_not_fit_memory": 4,
    "untrained": 5,
    "not_calibrated": 6,
    "counts_not_known": 7,
    "bandwidth_not_known": 8,
}

# What limits a point.
BOUNDS = {"none": -1, "compute": 0, "memory": 1, "weights": 2, "activations": 3, "overhead": 4}

# The flags that models compute.
FLAGS = {"bound": BOUNDS, "infeasible": INFEASIBLE}

# How bad a finding is: no such thing can be; something is likely wrong; worth knowing.
Grade = Literal["impossible", "doubtful", "note"]


@dataclass(frozen=True)
class Finding:
    """What the physics gate may find: its bit in `quality`, how bad it is, and the quantities that it makes doubtful.

    Samples of a meter have no bit. What a doubtful quantity decides is hollow in figures, and named beside a winner.
    """

    bit: int
    grade: Grade
    doubts: tuple[str, ...] = ()


OF_SPEED = ("throughput", "latency", "system_throughput", "system_latency")
OF_POWER, OF_ACCURACY = ("power",), ("accuracy",)
FINDINGS = {
    "above_compute_peak": Finding(1, "impossible", OF_SPEED),
    "above_roofline": Finding(2, "note"),
    "above_bound": Finding(4, "impossible", OF_SPEED),
    "throughput_latency_mismatch": Finding(8, "doubtful", ("latency",)),
    "full_power_below_idle": Finding(16, "doubtful", OF_POWER),
    "system_faster_than_compute": Finding(32, "doubtful", ("latency", "system_throughput", "system_latency")),
    "duplicate_key": Finding(64, "note"),
    "accuracy_differs": Finding(128, "note"),
    "unit_off": Finding(256, "impossible", OF_SPEED),
    "missing_value": Finding(512, "note"),
    "unknown_label": Finding(1024, "doubtful"),
    "does_not_scale": Finding(2048, "doubtful", OF_SPEED),
    "foreign_power": Finding(4096, "doubtful", OF_POWER),
    "other_precision_executed": Finding(8192, "note"),
    "power_set_up_differs": Finding(16384, "doubtful", OF_POWER),
    "compute_time_incomplete": Finding(32768, "note"),
    "power_is_maximum": Finding(65536, "note", OF_POWER),
    "zero_power": Finding(131072, "impossible", OF_POWER),
    "power_unit_off": Finding(262144, "impossible", OF_POWER),
    "accuracy_is_a_fraction": Finding(524288, "doubtful", OF_ACCURACY),
    "measured_but_infeasible": Finding(1048576, "doubtful", OF_SPEED),
    "slower_with_batch": Finding(2097152, "note"),
    "repeats_disagree": Finding(4194304, "doubtful", (*OF_SPEED, *OF_POWER)),
    "duplicate_row": Finding(8388608, "note"),
    "far_below_sisters": Finding(16777216, "doubtful", OF_SPEED),
    "top5_below_top1": Finding(33554432, "impossible", OF_ACCURACY),
    "impossible_sample": Finding(0, "impossible", OF_POWER),
    "stuck_sample": Finding(0, "doubtful", OF_POWER),
}
QUALITY = {name: one.bit for name, one in FINDINGS.items() if one.bit}
GRADES = {name: one.grade for name, one in FINDINGS.items()}


def finding_bits(*quantities: str, grade: Grade | None = None) -> int:
    """Return the bits of `quality` that make any of these quantities doubtful, of one grade alone if named."""
    asked = set(quantities)
    return sum(one.bit for one in FINDINGS.values() if asked & set(one.doubts) and grade in (None, one.grade))


# Impossible findings that discredit the power or the accuracy of a row only, and those that discredit all of it.
IMPOSSIBLE_POWER = finding_bits(*OF_POWER, grade="impossible")
IMPOSSIBLE_ACCURACY = finding_bits(*OF_ACCURACY, grade="impossible")
IMPOSSIBLE = finding_bits(*OF_SPEED, grade="impossible")
ALL_IMPOSSIBLE = IMPOSSIBLE | IMPOSSIBLE_POWER | IMPOSSIBLE_ACCURACY

# what an accuracy says that is not the network's own
MEASURED_ACCURACY = "of networks that came without an accuracy, the mean of the measured rows"

# What of a cube rests on measurements of speed, of accuracy, and of power.
MEASURED_ACCURACIES = frozenset({"measured_top1", "measured_top5"})
MEASURED_SPEED = frozenset(
    {
        "measured_throughput",
        "measured_latency",
        "measured_system_throughput",
        "measured_system_latency",
        "measured_initiation_interval",
        "measured_top1",
        "measured_top5",
        "efficiency",
    }
)
MEASURED_POWER = frozenset({"power_base", "power_idle", "power_full", "energy_per_input", "inputs_per_joule"})
# and which quantities each is made of, that findings make doubtful
QUANTITIES_OF = {
    "measured_throughput": ("throughput",),
    "measured_latency": ("latency",),
    "measured_system_throughput": ("system_throughput",),
    "measured_system_latency": ("system_latency",),
    "efficiency": ("throughput",),
    **dict.fromkeys(MEASURED_ACCURACIES, OF_ACCURACY),
    **dict.fromkeys(("power_base", "power_idle", "power_full"), OF_POWER),
    **dict.fromkeys(("energy_per_input", "inputs_per_joule"), ("power", "throughput")),
}


@dataclass(frozen=True)
class Variable:
    """One line of the table: what a variable is, in which units, and which way is better."""

    units: str
    long_name: str
    sense: Sense | None = None


VARIABLES: dict[str, Variable] = {
    # what the hardware offers
    "peak_compute": Variable("op/s", "peak compute rate at the precision", "max"),
    "memory_bandwidth": Variable("B/s", "off-chip memory bandwidth", "max"),
    "memory_capacity": Variable("B", "off-chip memory capacity", "max"),
    "on_chip_memory": Variable("B", "on-chip memory that can hold weights", "max"),
    "cores": Variable("1", "cores that each take one input at a time", None),
    "power": Variable("W", "power used for predictions (listed power unless given)", "min"),
    "listed_power": Variable("W", "listed power, beside the power that a calibration predicts", "min"),
    "executed_precision": Variable("", "precision that the platform really computes in", None),
    "executed_bytes": Variable("B", "bytes an element at the precision that is really executed", None),
    "element_bytes": Variable("B", "bytes an element at the precision of the network", None),
    "mode_offered": Variable("1", "1 where the platform has that operating mode", None),
    "weights_shared": Variable("1", "1 where the inputs in flight share one reading of the weights", None),
    # what the network needs
    "ops": Variable("op", "operations per input (1 multiply-accumulate = 2 op)", "min"),
    "params": Variable("1", "parameters", "min"),
    "active_params": Variable("1", "parameters that one token passes or looks up", "min"),
    "expert_share": Variable("1", "share of the routed experts that one token passes"),
    "params_read": Variable("1", "parameters that a batch reads (of a mixture the experts chosen)", "min"),
    "params_read_alone": Variable("1", "parameters that an input reads by itself (of experts those chosen)", "min"),
    "tokens": Variable("1", "tokens of one input"),
    "activations": Variable("1", "activation elements read and written per input", "min"),
    "activation_memory": Variable("1", "activation elements alive at once per input (largest layer)", "min"),
    "state": Variable("1", "state elements carried from input to input", "min"),
    "vector_ops": Variable("1", "element-wise operations per input, not among the operations", "min"),
    "vector_elements": Variable("1", "elements that element-wise operators read and write per input", "min"),
    "kernels": Variable("1", "operators that run for one input", "min"),
    "layer_ops": Variable("op", "operations per input and layer", "min"),
    "layer_params": Variable("1", "parameters per layer", "min"),
    "layer_params_read": Variable("1", "parameters per layer that a batch reads (of experts those chosen)", "min"),
    "layer_params_read_alone": Variable(
        "1", "parameters per layer that an input reads by itself (of experts those chosen)", "min"
    ),
    "layer_activations": Variable("1", "activation elements read and written per input and layer", "min"),
    "layer_out_channels": Variable("1", "output channels of a layer"),
    "layer_patches": Variable("1", "elements that lowering a convolution to a matrix product reads (im2col)"),
    "layer_fully_connected": Variable("1", "1 where a layer is fully connected"),
    "layer_grouped": Variable("1", "1 where a layer is a depthwise or grouped convolution"),
    "layer_repeats": Variable("1", "layers of one shape that are laid down as one"),
    "layer_tile_use": Variable("1", "share of the platform's channel tile that a layer fills", "max"),
    "top1": Variable("%", "top-1 accuracy of the trained network", "max"),
    "top5": Variable("%", "top-5 accuracy of the trained network", "max"),
    # model results
    "operational_intensity": Variable("op/B", "operations per byte of weights", "max"),
    "predicted_throughput": Variable("1/s", "predicted inputs per second", "max"),
    "predicted_latency": Variable("s", "predicted time for the whole batch", "min"),
    "peak_throughput": Variable("1/s", "inputs per second at the compute peak", "max"),
    "predicted_energy": Variable("J", "predicted energy per input", "min"),
    "memory_required": Variable("B", "memory that weights, state and live activations take", "min"),
    "bound": Variable("", "what limits the prediction", None),
    "infeasible": Variable("", "why the point cannot run (0: it can)", None),
    # measurements
    "n_rows": Variable("1", "measurement rows behind the cell", None),
    "measured_throughput": Variable("1/s", "measured inputs per second, accelerator alone", "max"),
    "measured_latency": Variable("s", "measured time for the whole batch, accelerator alone", "min"),
    "measured_system_throughput": Variable("1/s", "measured inputs per second with host and transfers", "max"),
    "measured_system_latency": Variable("s", "measured time for the whole batch with host and transfers", "min"),
    "measured_initiation_interval": Variable("s", "time between inputs of a dataflow design", "min"),
    "measured_top1": Variable("%", "top-1 accuracy measured on the platform", "max"),
    "measured_top5": Variable("%", "top-5 accuracy measured on the platform", "max"),
    "power_base": Variable("W", "measured power of the board, application not started", "min"),
    "power_idle": Variable("W", "measured power with the platform idle", "min"),
    "power_full": Variable("W", "measured power under load", "min"),
    "efficiency": Variable("1", "measured throughput over predicted throughput", "max"),
    "energy_per_input": Variable("J", "measured energy per input", "min"),
    "inputs_per_joule": Variable("1/J", "measured inputs per joule", "max"),
    "quality": Variable("", "findings of the physics gate (source values are never changed)", None),
}


def attributes(name: str) -> dict[str, Any]:
    """Return the CF attributes of a known variable; an empty dict for a user's own."""
    variable = VARIABLES.get(name)
    if variable is None:
        return {}
    flags = FLAGS.get(name)
    if flags is not None:
        return {"long_name": variable.long_name, **flag_attributes(flags)}
    if name == "quality":
        return {"long_name": variable.long_name, **flag_attributes(QUALITY, masks=True)}
    return {"units": variable.units, "long_name": variable.long_name}


def with_meanings(name: str, kind: str, attrs: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return the attributes of a variable of some kind of dtype; of a known flag whose file lost its meanings, ours."""
    lost = (name in FLAGS or name == "quality") and kind in "iu" and "flag_meanings" not in attrs
    return {**attributes(name), **attrs} if lost and "long_name" not in attrs else attrs


def flag_attributes(flags: dict[str, int], *, masks: bool = False) -> dict[str, Any]:
    """Describe an integer variable as CF flags."""
    import numpy as np

    kind = np.dtype("i4" if masks else "i1")
    key = "flag_masks" if masks else "flag_values"
    return {"units": "1", key: np.array(list(flags.values()), dtype=kind), "flag_meanings": " ".join(flags)}


def variables(cube: xr.Dataset | None = None) -> pl.DataFrame:
    """Return the variables that cubes can have, or those of one cube.

    Parameters
    ----------
    cube : Dataset, optional
        List what this one holds, coordinates too.

    Returns
    -------
    DataFrame
        Columns `variable`, `units`, `better` (``max``, ``min``, or empty where neither is), `meaning`; of a cube also
        `dims` and `source`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.variables().row(0)
    ('peak_compute', 'op/s', 'max', 'peak compute rate at the precision')
    >>> cube = rc.best(rc.benchmark("mnist"), "measured_throughput")
    >>> dict(rc.variables(cube).select("variable", "units").iter_rows())["measured_throughput"]
    '1/s'
    """
    import polars as pl

    if cube is None:
        rows = [
            {"variable": name, "units": one.units, "better": one.sense or "", "meaning": one.long_name}
            for name, one in VARIABLES.items()
        ]
    else:
        import xarray as xr

        check_kind("cube", cube, xr.Dataset, do="load a file with `roofcube.load`; of a sweep give its `inputs`")
        rows = [_described_variable(str(name), array) for name, array in cube.variables.items()]
    return pl.DataFrame(rows)


def _described_variable(name: str, array: xr.Variable) -> dict[str, str]:
    return {
        "variable": name,
        "dims": ", ".join(map(str, array.dims)),
        "units": str(array.attrs.get("units", "")),
        "better": str(sense_of(name, array.attrs) or ""),
        "meaning": str(array.attrs.get("long_name", "")),
        "source": str(array.attrs.get("source", "")),
    }


def sense_of(name: str, attrs: Mapping[str, Any] | None = None) -> Sense | None:
    """Check whether more (`max`) or less (`min`) is better: by its attributes, else by the table; None if neither."""
    variable = VARIABLES.get(name)
    own = str((attrs or {}).get("sense", ""))
    return cast("Sense", own) if own else variable.sense if variable else None
