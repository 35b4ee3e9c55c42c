"""Figures of a cube as HoloViews objects; they may not know kernels, and never show themselves unasked."""

from __future__ import annotations

from roofcube.plot.comparisons import comparison
from roofcube.plot.distributions import histogram, intervals, parallel
from roofcube.plot.drawing.saving import save
from roofcube.plot.experiments import boxes, latency_throughput
from roofcube.plot.frontiers import front, overlap, pareto
from roofcube.plot.grids import heatmap
from roofcube.plot.maps import map  # noqa: A004  the name of a figure
from roofcube.plot.overviews import overview
from roofcube.plot.power_figures import energy, inputs_per_joule, power
from roofcube.plot.ratios import efficiency
from roofcube.plot.requirement_figures import peaks, requirements
from roofcube.plot.roofline_figures import rooflines
from roofcube.plot.traces import power_trace

__all__ = [
    "boxes",
    "comparison",
    "efficiency",
    "energy",
    "front",
    "heatmap",
    "histogram",
    "inputs_per_joule",
    "intervals",
    "latency_throughput",
    "map",
    "overlap",
    "overview",
    "parallel",
    "pareto",
    "peaks",
    "power",
    "power_trace",
    "requirements",
    "rooflines",
    "save",
]
