"""Groups of HDF5 files that circle, through which netCDF would go without an end, are refused before it opens them."""

from __future__ import annotations

import base64
import zlib

import netCDF4
import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import CorruptFileError
from roofcube.files.guards.hdf_links import groups_of

# made with h5py: a number, and a link to the root in the root
CIRCLES = {
    "in a table": (
        "eNrr9HBx4+WS4mIAAQ4OBhYGAQZk8B8KgFIofJh8ApRmhNIdUHoFE0yckQHElICKC0LNR1cXEuTqClL9Hw3A7DFggdAcDKNgJAIP"
        "V8cAEB0B5cPS0wkmVHUVUDonP78AOV06kGkvIwMrxAxGGJ8DJb0zA10CYgsq2ENlHBhMuBlM/jND5FmBoiB5JiYmRkj6hbicGWYQ"
        "RoqeMajjIdjP3wWUowWIzP8w3ykwj6bhUTAKBif4YA8AkuMyVQ=="
    ),
    "in a message": (
        "eNrr9HBx4+WS4mLm4GCAgf9QABMygIo7CSte9fdwCWJiqGASQlYIA1xMDIwMDGw8DECKsWIzVBsbN5DPwciSk59fwMigz2DJQD5Y"
        "JDL/MtgJQAsYWRgYmIBizCIMjIIK9gwQ1zowmHAzmPxnZmBgBbqGmYsD6FJmRqgkA9yTBxiGPOA/rX+ZYRSMglEwCkbBKCAffLAH"
        "ADrhKhk="
    ),
    "in a heap": (
        "eNrr9HBx4+WS4mLm4GCAgf9QABMygIo7CSte9fdwCWJiqOBiYmBkYGASAgkLMEGkF0FpMVYGFgYw25+B2mC/3+mdYCcwMjAysjCA"
        "rWEWYWAUVLBngLjWgcGEm8HkPzMDAyvQjcxcHEA3MjNCJWEUxI2cINZ2hqEKKriNUt2Cg10ZTkADnjGDkWEGiNExJ0CQTEPdgjwC"
        "GNgZQCErwICRIoAWgAHMRgZ0Ggq4iLSNBUknxGgFIC3FChPbeGezvFOIhwsDK0gdN1AkRUOKGWYHzBauV4e3ugUDVTHA3MfIgEoj"
        "7AtgqADaAZPZD1UgxYBKZy4qVHUK8XFjYH0vHqDMUAMU4mWY4/XflMEazFyTWWrL4AFmTpOfEsqgB2Y+PfWjliEJzGQPWDqPoRPI"
        "5GdYvLdhD4MiWPS4pPYbhlAwc3nrml8MokAmD8PWCSv/M+SDRXO+sK1iGAWDArh5uDjByzYQmDox5Bew2KnYDE9cTIkGyBxDZI4R"
        "MscYmWOCzDFF5pghc8wRHJac/PwCg9EoGQU0Ah/sASNrYJE="
    ),
}


@pytest.fixture(params=CIRCLES)
def circle(tmp_path, request):
    path = tmp_path / "circle.nc"
    path.write_bytes(zlib.decompress(base64.b64decode(CIRCLES[request.param])))
    return path


def test_groups_that_circle_are_refused(circle):
    message = r"circle\.nc: expected variables alone, got the groups 'loop'; make a file of each that is wanted"
    for ask in (rc.load, rc.verify, lambda path: rc.load(path, chunks={}), lambda path: rc.load(path, untrusted=True)):
        with pytest.raises(CorruptFileError, match=message):
            ask(circle)


def test_of_many_variables_none_is_taken_for_a_group(tmp_path):
    with netCDF4.Dataset(tmp_path / "many.nc", "w") as file:
        file.createDimension("i", 3)
        for number in range(300):
            file.createVariable(f"{number}" * (number % 50 + 1), "f8", ("i",))[:] = np.arange(3)
    assert groups_of(tmp_path / "many.nc") == []
    with netCDF4.Dataset(tmp_path / "many.nc", "a") as file:
        file.renameVariable("7" * 8, "seven")
        file.createGroup("inner")
    assert groups_of(tmp_path / "many.nc") == ["inner"]
    with netCDF4.Dataset(tmp_path / "classic.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createVariable("x", "f8", ())[:] = 1
    assert groups_of(tmp_path / "classic.nc") == []


def test_a_damaged_structure_is_told(circle):
    content = circle.read_bytes()
    for place in range(8, 400, 8):
        circle.write_bytes(content[:place] + b"\xfe" * 8 + content[place + 8 :])
        try:
            groups_of(circle)
        except ValueError as error:
            assert str(error).startswith("the structure of HDF5 is damaged: ")  # noqa: PT017
    circle.write_bytes(content[:100])
    with pytest.raises(
        CorruptFileError, match=r"circle\.nc: not readable as a cube \(the structure of HDF5 is damaged"
    ):
        rc.load(circle)
