"""The facts: tidy tables of platforms, networks, accuracy, measurements and power, with units, sources and reasons.

Every loader gives a validated `polars.DataFrame` with the units in its column names (SI; `_percent` for accuracy and
channels kept). Beside the benchmark there are collections, read when they are asked for. `manifest()` tells for each
table its source, licence, checksum and what was changed.
"""

from __future__ import annotations

if __name__ != "roofcube.datasets":
    msg = (
        f"imported as {__name__!r}: the folder of roofcube's sources shadows another package; run from elsewhere "
        "or use `pytest`"
    )
    raise ImportError(msg)

from roofcube.datasets.aliases import canonical
from roofcube.datasets.embedded import collections, manifest
from roofcube.datasets.layer_demands import layer_demands
from roofcube.datasets.tables import (
    load_accuracy,
    load_aliases,
    load_corrections,
    load_layers,
    load_measurements,
    load_platform_figures,
    load_platforms,
    load_power_traces,
    load_repeats,
    load_topologies,
    tasks,
)

__all__ = [
    "canonical",
    "collections",
    "layer_demands",
    "load_accuracy",
    "load_aliases",
    "load_corrections",
    "load_layers",
    "load_measurements",
    "load_platform_figures",
    "load_platforms",
    "load_power_traces",
    "load_repeats",
    "load_topologies",
    "manifest",
    "tasks",
]
