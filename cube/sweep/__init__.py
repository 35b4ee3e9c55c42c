"""Sweep: questions asked of spaces of any size, stored or not; knows labels, leaves all computing to the kernels."""

from roofcube.sweep.sweep import Sweep

__all__ = ["Sweep"]
