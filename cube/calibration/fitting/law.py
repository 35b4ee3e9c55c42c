"""The physical law: time of a batch as a sum of overheads, compute and traffic, and its gradient; arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import TILES
from roofcube.vocabulary import BOUNDS

if TYPE_CHECKING:
    from roofcube.calibration.rows import IndexedRows

__all__ = [
    "COMPUTE",
    "EFFICIENCY",
    "MEMORY",
    "OVERHEAD",
    "PARAMETERS",
    "PARTS",
    "PRIOR_COVARIANCE",
    "PRIOR_DEVIATION",
    "PRIOR_MEAN",
    "Parameter",
    "coefficients",
    "features",
    "floor",
    "label",
    "log_time",
]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Parameter:
    """One non-negative parameter of the law.

    Attributes
    ----------
    kind : str
        ``overhead`` (a time), ``efficiency`` (a share of the listed peak or bandwidth, at most 1) or ``share``.
    typical : float
        Prior median: overheads in operations that the reference core could have done meanwhile, else as it is.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    typical: float


# round numbers: the order of magnitude of a driver call (10⁸ operations at 10¹² op/s: 100 µs) and of a bus (10², 10¹⁰
# elements a second), quarter, half
PARAMETERS = (
    Parameter("fixed_overhead", "overhead", "s", "per batch: driver call, start and end of the run", 1e8),
    Parameter("layer_overhead", "overhead", "s", "per kernel and batch: its start", 1e7),
    Parameter("input_overhead", "overhead", "s", "per input, however large: what does not overlap", 1e7),
    Parameter("staging_overhead", "overhead", "s", "per element of an input: staging that does not overlap", 1e2),
    Parameter(
        "convolution_efficiency",
        "efficiency",
        "1",
        "share of the listed peak in convolutions, after channel tiles",
        0.25,
    ),
    Parameter(
        "grouped_efficiency", "efficiency", "1", "share of the listed peak in depthwise and grouped convolutions", 0.25
    ),
    Parameter("dense_efficiency", "efficiency", "1", "share of the listed peak in fully connected layers", 0.25),
    Parameter("attention_efficiency", "efficiency", "1", "share of the listed peak in products of activations", 0.25),
    Parameter(
        "weight_bandwidth_efficiency", "efficiency", "1", "share of the listed bandwidth when reading weights", 0.5
    ),
    Parameter(
        "activation_bandwidth_efficiency", "efficiency", "1", "share of the listed bandwidth for activations", 0.5
    ),
    Parameter(
        "grouped_bandwidth_efficiency",
        "efficiency",
        "1",
        "share of the listed bandwidth for activations of depthwise and grouped convolutions",
        0.5,
    ),
    Parameter(
        "elementwise_traffic",
        "share",
        "1",
        "traffic of element-wise operators that passes through memory, in listed bandwidths",
        0.5,
    ),
    Parameter("patch_traffic", "share", "1", "convolution patches that pass through memory, in listed bandwidths", 0.3),
)
EFFICIENCY = np.array([one.kind == "efficiency" for one in PARAMETERS])
OVERHEAD = np.array([one.kind == "overhead" for one in PARAMETERS])
COMPUTE = np.array([one.kind == "efficiency" and "bandwidth" not in one.name for one in PARAMETERS])
MEMORY = ~COMPUTE & ~OVERHEAD
WEIGHTS = np.array([one.name == "weight_bandwidth_efficiency" for one in PARAMETERS])
# what can bind, by its flag; patches are activations on their way into a matrix product
PARTS = {
    BOUNDS["compute"]: COMPUTE,
    BOUNDS["weights"]: WEIGHTS,
    BOUNDS["activations"]: MEMORY & ~WEIGHTS,
    BOUNDS["overhead"]: OVERHEAD,
}
# an efficiency e is 1 / (1 + exp(θ)), so that it never exceeds 1; the others are exp(θ)
PRIOR_MEAN = np.array(
    [np.log(1 / one.typical - 1) if one.kind == "efficiency" else np.log(one.typical) for one in PARAMETERS]
)
# weak: a factor of 27 for overheads, 5.7 for the rest
PRIOR_DEVIATION = np.where(OVERHEAD, np.log(27.0), 2.5 * np.log(2.0))
# most of it is one factor on all overheads and one on all the rest: a board that is slow in one kind of work is slow in
# most, and what remains to each parameter is a factor of 4.5 for overheads, 2.2 for the rest
OWN_DEVIATION = np.where(OVERHEAD, np.log(4.5), np.log(2.2))
COMMON_VARIANCE: Array = np.square(PRIOR_DEVIATION) - np.square(OWN_DEVIATION)
PRIOR_COVARIANCE: Array = np.diag(np.square(OWN_DEVIATION)) + np.where(
    OVERHEAD[:, None] == OVERHEAD, COMMON_VARIANCE, 0.0
)


def features(rows: IndexedRows, tile: int) -> Array:
    """Return the seconds that each term takes at coefficient 1, shape (rows, parameters).

    Parameters
    ----------
    rows : IndexedRows
        All known.
    tile : int
        Place in `TILES`.
    """
    batch, cores = rows.batch, rows.machine("cores")
    # all cores share the listed peak; fewer inputs than cores leave cores idle
    busy = np.maximum(batch, cores)
    tick = 1.0 / rows.machine("reference")
    peak, bandwidth, size = rows.machine("peak"), rows.machine("bandwidth"), rows.machine("element_bytes")
    convolution = rows.nets.column("convolution_ops")[rows.network, tile]
    grouped, attention = rows.net("grouped_activations"), rows.net("attention_activations")
    plain = rows.net("activations") - grouped - attention
    outside = np.maximum(rows.net("weights") * size - rows.machine("weight_memory"), 0.0)
    return np.stack(
        [
            tick,
            tick * rows.net("kernels"),
            tick * busy,
            tick * busy * rows.net("input_elements"),
            busy * convolution / peak,
            busy * rows.net("grouped_ops") / peak,
            busy * rows.net("dense_ops") / peak,
            busy * rows.net("attention_ops") / peak,
            outside / bandwidth,
            batch * plain * size / bandwidth,
            batch * grouped * size / bandwidth,
            batch * (rows.net("elementwise") + attention) * size / bandwidth,
            busy * rows.net("patches") * size / bandwidth,
        ],
        axis=1,
    )


def floor(rows: IndexedRows) -> tuple[Array, Array]:
    """Return ln of the seconds that no batch can do without, for all operations and for all traffic of the network.

    `roofcube.BOUND` adds the larger of the two over layers, so it is no lower than either.
    """
    batch, size = rows.batch, rows.machine("element_bytes")
    weights = rows.net("weights") * size
    # where all weights fit they stay on the chip; else they are read once, or for each input in flight
    once = np.where(rows.machine("weights_shared"), 1.0, batch)
    readings = np.where(weights <= rows.machine("weight_memory"), 0.0, once)
    traffic = (readings * weights + batch * rows.net("activations") * size) / rows.machine("bandwidth")
    return np.log(batch * rows.net("ops") / rows.machine("peak")), np.log(traffic)


def coefficients(theta: Array) -> Array:
    """Return the factors on the features: exp(θ), or 1 + exp(θ) = 1 / efficiency."""
    factor: Array = np.where(EFFICIENCY, 1.0, 0.0) + np.exp(np.clip(theta, -60.0, 40.0))
    return factor


def log_time(feature: Array, theta: Array) -> tuple[Array, Array]:
    """Return ln of the seconds of a batch and its gradient in θ, the last axis; `theta` is one row or one a row."""
    moved = np.exp(np.clip(theta, -60.0, 40.0)) * feature
    seconds = (np.where(EFFICIENCY, feature, 0.0) + moved).sum(-1)
    return np.log(seconds), moved / seconds[..., None]


def label(tile: int) -> str:
    """Describe a structure."""
    width, fill = TILES[tile]
    return f"tiles of {width} output channels" + (f", {fill} more to fill each" if fill else "")
