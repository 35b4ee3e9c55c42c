"""Sweep: reductions over spaces of any size, nothing stored; knows labels, leaves all computing to the kernels."""

from roofcube.sweep.sweep import Sweep

__all__ = ["Sweep"]
