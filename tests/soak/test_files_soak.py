"""Files torn or altered anywhere are refused or hold what was saved; kills leave whole files, writers whole reads.

Any legal cube comes back as it was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import odd_cubes
import pytest
from endless_writer import numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roofcube as rc
from roofcube.errors import CorruptFileError

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
EACH = 10_000 if FULL else 20
WRITER = Path(__file__).parent.parent / "support" / "endless_writer.py"
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


@pytest.mark.soak
@pytest.mark.parametrize("suffix", odd_cubes.SUFFIXES)
def test_a_reader_beside_two_writers_sees_what_one_of_them_wrote(tmp_path, suffix):
    path = rc.save(numbered(0), tmp_path / f"cube{suffix}")
    command = [sys.executable, "-W", "ignore", str(WRITER), str(path)]
    with ExitStack() as stack:
        writers = [stack.enter_context(subprocess.Popen([*command, str(first)])) for first in (1, 2)]
        for writer in writers:
            stack.callback(writer.kill)
        seen: list[int] = []
        while len(seen) < EACH or {number % 2 for number in seen[-EACH:]} != {0, 1}:
            cube = rc.load(path)
            seen.append(cube.attrs["number"])
            assert cube.identical(numbered(seen[-1]))
            assert len(seen) % 10 or rc.verify(path)
            assert [writer.poll() for writer in writers] == [None, None]
    print(suffix, f"{len(seen)} loads of {len(set(seen))} cubes")


@pytest.mark.soak
@settings(max_examples=EACH, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cube=odd_cubes.cubes(), suffix=st.sampled_from(odd_cubes.SUFFIXES))
def test_any_legal_cube_comes_back_as_it_was(cube, suffix, tmp_path):
    odd_cubes.assert_comes_back(cube, tmp_path / f"any{suffix}")
