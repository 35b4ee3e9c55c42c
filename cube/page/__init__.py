"""report: one self-contained HTML page of a task or cube; knows the public functions and the figures, not kernels."""

from roofcube.page.document import report

__all__ = ["report"]
