"""Files that were torn or altered anywhere are refused, or still hold exactly what was saved; and kills leave whole files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import CorruptFileError

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
KILLED = (
    "import sys, numpy as np, xarray as xr, roofcube as rc\n"
    "cube = xr.Dataset({'x': (('a', 'b'), np.random.default_rng(0).random((1000, 1000)))})\n"
    "print('ready', flush=True)\n"
    "while True: rc.save(cube, sys.argv[1])\n"
)


@pytest.mark.soak
def test_no_altered_file_passes_for_another(tmp_path):
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"]))
    content = rc.save(cube, tmp_path / "cube.nc").read_bytes()
    random = np.random.default_rng(0)
    altered = tmp_path / "altered.nc"
    refused = cut = 0
    for _ in range(2000 if FULL else 40):
        wrong = bytearray(content)
        if random.random() < 0.3:
            del wrong[random.integers(1, len(wrong)) :]
            cut += 1
        else:
            for place in random.integers(0, len(wrong), random.integers(1, 5)):
                wrong[place] ^= 1 << random.integers(8)
        altered.write_bytes(bytes(wrong))
        try:
            rc.verify(altered)
        except CorruptFileError:
            refused += 1
        else:
            # the checksum covers values and labels; a flipped bit in the text of an attribute is seen by nobody
            found = rc.diff(cube, altered)
            assert found.filter(found["kind"] != "units").height == 0
    assert refused >= cut > 5
    assert not FULL or refused > cut


@pytest.mark.soak
def test_kills_leave_a_whole_file(tmp_path):
    path = rc.save(rc.inputs("mnist"), tmp_path / "cube.nc")
    for delay in np.random.default_rng(1).uniform(0.0, 0.5, 40 if FULL else 2):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert rc.verify(path)
