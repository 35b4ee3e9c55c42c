"""explore: the interactive explorer of anything; knows the public questions and the look of figures, not kernels."""

from roofcube.explorer.app import explore

__all__ = ["explore"]
