"""Tables in a forked process: they work where polars had not begun, else they are refused, and never wait forever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are told by Linux")
START = """
import multiprocessing, os, signal, warnings
warnings.simplefilter("ignore")
import numpy as np, roofcube as rc
from roofcube.errors import ForkedProcessError
ctx = multiprocessing.get_context("fork")
signal.alarm(100)

def run(work):
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        try:
            work()
            os._exit(3)
        except ForkedProcessError as error:
            os._exit(7 if "forked off after tables had been computed" in str(error) else 8)
        except BaseException:
            os._exit(9)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), end=" ", flush=True)
"""
AFTERWARDS = """
inputs = rc.inputs("mnist", platforms=["TX2"])
rows = rc.datasets.load_measurements("mnist")
cube = rc.predict(inputs)
for work in (
    lambda: rc.inputs("mnist"), lambda: rc.datasets.load_layers(), rc.tasks,  # known already
    lambda: rc.benchmark("mnist"),
    lambda: rc.join(cube, rows), lambda: rc.check(rows), lambda: rc.calibrate(rows), lambda: rc.diff(cube, cube),
    lambda: rc.read_platforms([{"platform": "Mine", "precision": "INT8", "peak_compute_op_per_s": 1e12}]),
    lambda: rc.inputs("mnist", platforms=[{"platform": "Mine"}]), lambda: rc.Sweep(inputs).at({"platform": ["TX2"]}),
    lambda: rc.predict(inputs), lambda: rc.best(cube, "predicted_throughput"),
    lambda: rc.Sweep(inputs, strategy="numpy").count(),
):
    run(work)
try:
    with ctx.Pool(1, initializer=signal.alarm, initargs=(20,)) as pool:
        pool.apply(rc.inputs, ("mnist",))
except ForkedProcessError as error:
    print("refused")
"""
BEFORE = """
run(lambda: rc.inputs("mnist"))
run(lambda: rc.benchmark("mnist"))
"""


def printed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tables_in_a_fork_are_refused_where_their_threads_stayed_behind():
    assert printed(AFTERWARDS).split() == ["7", "7", "3", *["7"] * 8, "3", "3", "3", "refused"]


def test_tables_in_a_fork_work_where_their_threads_had_not_begun():
    assert printed(BEFORE).split() == ["3", "3"]
