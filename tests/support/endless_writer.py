"""Write one cube after the other under one name until killed: `python endless_writer.py PATH FIRST`, every other number."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import xarray as xr

import roofcube as rc


def numbered(number: int) -> xr.Dataset:
    """Make a cube all of whose values are one number, so that a mixture is seen."""
    return xr.Dataset({f"v{k}": ("a", np.full(50, float(number))) for k in range(4)}, attrs={"number": number})


if __name__ == "__main__":
    for number in itertools.count(int(sys.argv[2]), 2):
        rc.save(numbered(number), sys.argv[1])
