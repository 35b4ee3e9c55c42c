"""Which versions run here, for reports of bugs."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["show_versions"]

PACKAGES = (
    "roofcube", "numpy", "numba", "xarray", "pandas", "polars", "scipy", "netCDF4", "bokeh", "holoviews", "hvplot",
    "panel", "dask", "distributed", "zarr", "numcodecs", "onnx", "moocore", "datashader",
)  # fmt: skip


def show_versions() -> None:
    """Print the versions of Python, the system and the packages that roofcube works with.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.show_versions()  # doctest: +ELLIPSIS
    python ...
    """
    print(f"python {sys.version.split()[0]} on {platform.system()} {platform.machine()}")
    for name in PACKAGES:
        print(line_of(name))


def line_of(package: str) -> str:
    """Say which version of a package is installed, if any."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"
