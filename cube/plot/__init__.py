"""Figures of a cube as Bokeh objects; they may not know kernels, and never show or save themselves."""

from __future__ import annotations

from roofcube.plot.demands import peaks, requirements
from roofcube.plot.experiments import boxes, latency_throughput
from roofcube.plot.frontiers import overlap, pareto
from roofcube.plot.grids import heatmap, overview
from roofcube.plot.roofs import rooflines

__all__ = ["boxes", "heatmap", "latency_throughput", "overlap", "overview", "pareto", "peaks", "requirements", "rooflines"]
