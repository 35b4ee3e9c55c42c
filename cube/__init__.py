"""roofcube: which hardware, network, precision, pruning, batch and mode to run, how fast, how accurate, at what power.

Import as ``import roofcube as rc``. A cube is an `xarray.Dataset` with known names, units and flags; the functions here
fill, join, reduce, store and draw it. Everything is loaded on first use: importing compiles nothing and loads no
plotting library.
"""

from __future__ import annotations

if __name__ != "roofcube":
    msg = (
        f"imported as {__name__!r}: the folder of roofcube's sources shadows another package; run from elsewhere "
        "or use `pytest`"
    )
    raise ImportError(msg)

from importlib import import_module
from typing import TYPE_CHECKING, Any

import roofcube.accessor  # noqa: F401  registers `Dataset.roof`
from roofcube.interrupts import end_waits, import_whole

if TYPE_CHECKING:
    from roofcube import datasets, kernels, plot
    from roofcube import errors as errors
    from roofcube.calibration import Calibration, calibrate, load_calibration
    from roofcube.datasets import tasks
    from roofcube.datasets.listings import networks, platforms
    from roofcube.explorer.app import explore
    from roofcube.files.differences import diff
    from roofcube.files.measurements import read_measurements
    from roofcube.files.merging import merge
    from roofcube.files.readers import read_network, read_platforms
    from roofcube.files.store import load, save, verify
    from roofcube.kernels.graph.expression import ceil, exp, floor, log, log2, maximum, minimum, sqrt, where
    from roofcube.measured.efficiency import efficiency
    from roofcube.measured.join import benchmark, join, unmatched
    from roofcube.measured.physics_gate import check
    from roofcube.model.assumptions import BOUND, PUBLISHED, SERVING, Assumptions
    from roofcube.model.hardware import hypothetical
    from roofcube.model.inputs import inputs
    from roofcube.model.offered import as_offered, as_product
    from roofcube.model.predict import predict
    from roofcube.options import set_options
    from roofcube.page import report
    from roofcube.sweep import Sweep
    from roofcube.sweep.explanation import explain
    from roofcube.sweep.questions import best, count, crossover, distance_to_front, histogram, pareto, quantile, top
    from roofcube.versions import show_versions
    from roofcube.vocabulary import variables

__version__ = "0.1.0"

# public name → the module that holds it; a module never shares its name with a public function,
# because importing `roofcube.<name>` would put the module in the function's place
_HOMES = {
    "BOUND": "model.assumptions",
    "PUBLISHED": "model.assumptions",
    "SERVING": "model.assumptions",
    "Assumptions": "model.assumptions",
    "Calibration": "calibration",
    "Sweep": "sweep",
    "as_offered": "model.offered",
    "as_product": "model.offered",
    "benchmark": "measured.join",
    "best": "sweep.questions",
    "calibrate": "calibration",
    "ceil": "kernels.graph.expression",
    "check": "measured.physics_gate",
    "count": "sweep.questions",
    "crossover": "sweep.questions",
    "diff": "files.differences",
    "distance_to_front": "sweep.questions",
    "efficiency": "measured.efficiency",
    "exp": "kernels.graph.expression",
    "explain": "sweep.explanation",
    "explore": "explorer",
    "floor": "kernels.graph.expression",
    "histogram": "sweep.questions",
    "hypothetical": "model.hardware",
    "inputs": "model.inputs",
    "join": "measured.join",
    "load": "files.store",
    "load_calibration": "calibration",
    "log": "kernels.graph.expression",
    "log2": "kernels.graph.expression",
    "maximum": "kernels.graph.expression",
    "merge": "files.merging",
    "minimum": "kernels.graph.expression",
    "networks": "datasets.listings",
    "pareto": "sweep.questions",
    "platforms": "datasets.listings",
    "predict": "model.predict",
    "quantile": "sweep.questions",
    "read_measurements": "files.measurements",
    "read_network": "files.readers",
    "read_platforms": "files.readers",
    "report": "page",
    "save": "files.store",
    "set_options": "options",
    "show_versions": "versions",
    "sqrt": "kernels.graph.expression",
    "tasks": "datasets",
    "top": "sweep.questions",
    "unmatched": "measured.join",
    "variables": "vocabulary",
    "verify": "files.store",
    "where": "kernels.graph.expression",
}
_ROOMS = ("datasets", "kernels", "plot")
_BESIDE = ("errors",)  # at hand as a module, not by `import *`

__all__ = [
    "BOUND",
    "PUBLISHED",
    "SERVING",
    "Assumptions",
    "Calibration",
    "Sweep",
    "as_offered",
    "as_product",
    "benchmark",
    "best",
    "calibrate",
    "ceil",
    "check",
    "count",
    "crossover",
    "datasets",
    "diff",
    "distance_to_front",
    "efficiency",
    "exp",
    "explain",
    "explore",
    "floor",
    "histogram",
    "hypothetical",
    "inputs",
    "join",
    "kernels",
    "load",
    "load_calibration",
    "log",
    "log2",
    "maximum",
    "merge",
    "minimum",
    "networks",
    "pareto",
    "platforms",
    "plot",
    "predict",
    "quantile",
    "read_measurements",
    "read_network",
    "read_platforms",
    "report",
    "save",
    "set_options",
    "show_versions",
    "sqrt",
    "tasks",
    "top",
    "unmatched",
    "variables",
    "verify",
    "where",
]


def __getattr__(name: str) -> Any:
    if name == "explore":
        import_whole("panel")
    if name in _HOMES:
        value = getattr(import_module(f"roofcube.{_HOMES[name]}"), name)
    elif name in (*_ROOMS, *_BESIDE):
        value = import_module(f"roofcube.{name}")
    else:
        msg = f"module 'roofcube' has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = value
    end_waits()  # polars may have come with it
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
