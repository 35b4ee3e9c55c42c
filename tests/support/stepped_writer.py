"""Write a file in a process that ends, runs out of room or loses what was not flushed at a given step of the system's."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import roofcube as rc
from roofcube.errors import RoofcubeError

KIND, PATH, NUMBER, WHAT, STEP = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.truncate")
steps = 0
synced: set[int] = set()


def cut_the_power() -> None:
    """Lose what was written since the last flush: files that nobody flushed are empty after a power cut."""
    for file in [one for one in PATH.parent.rglob("*") if one.is_file()]:
        if file.stat().st_ino not in synced and file.stat().st_mtime > BEGAN:
            file.write_bytes(b"" if file.stat().st_size % 2 else file.read_bytes()[: file.stat().st_size // 2])


def happens(what: str, name: Any) -> None:
    """Count a step in the folder that is written to, and let happen what is to happen at one."""
    global steps
    if not str(name).startswith(str(PATH.parent)):
        return
    steps += 1
    if steps != STEP or WHAT == "count":
        return
    if WHAT == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if WHAT == "lost":
        sys.addaudithook(lambda *_: None)
        cut_the_power()
    os._exit(9)


def audited(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS and arguments and isinstance(arguments[0], str | os.PathLike):
        writes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if writes:
            happens(event, arguments[0])


def flushed(flush: Any) -> Any:
    def flush_at_a_step(descriptor: int) -> None:
        happens("fsync", Path(f"/proc/self/fd/{descriptor}").readlink())
        flush(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    return flush_at_a_step


def write() -> None:
    inputs = rc.inputs("mnist", platforms=["TX2"], pruning=[100, 50], batch=[1, 8])
    cube = rc.predict(inputs).assign_attrs(title=f"version {NUMBER}")
    cube["ops"] = cube.ops + NUMBER
    if KIND in ("nc", "zarr"):
        rc.save(cube, PATH)
    elif KIND == "sweep":
        rc.Sweep(inputs.assign_attrs(title=f"version {NUMBER}")).to_zarr(PATH)
    elif KIND == "calibration":
        rows = rc.datasets.load_measurements("mnist")
        calibration = rc.calibrate(rows.filter(rows["platform"] == "TX2"))
        object.__setattr__(calibration, "name", f"version {NUMBER}")
        calibration.save(PATH)
    else:
        rc.report("mnist", PATH, title=f"version {NUMBER}")


if __name__ == "__main__":
    import time

    # what is imported or compiled on the way is no step of writing
    warm = PATH.parent.parent / f"warm-{os.getpid()}"
    warm.mkdir()
    target, PATH = PATH, warm / PATH.name
    write()
    shutil.rmtree(warm)
    PATH, BEGAN, steps = target, time.time() - 0.01, 0
    os.fsync = flushed(os.fsync)
    sys.addaudithook(audited)
    np.random.default_rng(0)
    try:
        write()
    except RoofcubeError as error:
        print(f"told {error}")
        print("steps", steps)
        sys.exit(3)
    print("steps", steps)
