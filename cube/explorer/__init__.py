"""explore: the interactive explorer of a cube; knows the public functions and the figures, not kernels."""

from roofcube.explorer.app import explore

__all__ = ["explore"]
