"""Figures of a cube as Bokeh objects; they may not know kernels, and never show or save themselves."""

from __future__ import annotations

from roofcube.plot.calibrated import comparison
from roofcube.plot.demands import peaks, requirements
from roofcube.plot.experiments import boxes, latency_throughput
from roofcube.plot.frontiers import overlap, pareto
from roofcube.plot.grids import heatmap, overview
from roofcube.plot.ratios import efficiency
from roofcube.plot.roofs import rooflines
from roofcube.plot.traces import power_trace
from roofcube.plot.watts import energy, inputs_per_joule, power

__all__ = [
    "boxes",
    "comparison",
    "efficiency",
    "energy",
    "heatmap",
    "inputs_per_joule",
    "latency_throughput",
    "overlap",
    "overview",
    "pareto",
    "peaks",
    "power",
    "power_trace",
    "requirements",
    "rooflines",
]
