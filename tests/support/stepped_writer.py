"""Write files by processes that end, run out of room or lose what was not flushed at a step, or end at any moment.

Reads requests (`number what step path`, one a line; of what ends at a moment the step is its microsecond) and answers
each with one line of JSON: how it ended, the steps counted, what was told, the microseconds it took. Each is written by
a process forked for it, so that thousands of ends cost no imports.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import roofcube as rc
from roofcube.errors import RoofcubeError

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.truncate")
TOLD, CUT, AT_A_MOMENT = 3, 9, -signal.SIGALRM


class Steps:
    """Count the steps of writing in a folder, and let happen what is to happen at one; told through a pipe."""

    def __init__(self, folder: Path, what: str, step: int, pipe: int) -> None:
        self.folder, self.what, self.step, self.pipe = folder, what, step, pipe
        self.flushed: set[int] = set()
        self.counted = 0
        flush = os.fsync

        def flush_at_a_step(descriptor: int) -> None:
            self.happens(Path(f"/proc/self/fd/{descriptor}").readlink())
            flush(descriptor)
            self.flushed.add(os.fstat(descriptor).st_ino)

        os.fsync = flush_at_a_step
        sys.addaudithook(self.audited)

    def audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and arguments and isinstance(arguments[0], str | os.PathLike):
            writes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
            if writes:
                self.happens(arguments[0])

    def happens(self, name: Any) -> None:
        if not str(name).startswith(str(self.folder)):
            return
        self.counted += 1
        if self.counted != self.step or self.what in ("count", "moment"):
            return
        if self.what == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.end(CUT)

    def end(self, code: int, told: str = "") -> None:
        os.write(self.pipe, json.dumps([self.counted, told, sorted(self.flushed)]).encode())
        os._exit(code)


def cut_the_power(folder: Path, began: float, flushed: set[int]) -> None:
    """Lose what was written since the last flush: files that nobody flushed are empty or halved after a power cut."""
    for file in [one for one in folder.rglob("*") if one.is_file()]:
        if file.stat().st_ino not in flushed and file.stat().st_mtime > began:
            file.write_bytes(b"" if file.stat().st_size % 2 else file.read_bytes()[: file.stat().st_size // 2])


def writer_of(kind: str) -> Callable[[Path, str], object]:
    """Return how a file of a kind is written; what goes before the first step is done here, before the forks."""
    if kind == "page":  # whose tables are not read where they were read before a fork
        return lambda path, title: rc.report("mnist", path, title=title)
    inputs = rc.inputs("mnist", platforms=["TX2"], pruning=[100, 50], batch=[1, 8])
    if kind == "sweep":
        return lambda path, title: rc.Sweep(inputs.assign_attrs(title=title)).to_zarr(path)
    if kind == "calibration":
        rows = rc.datasets.load_measurements("mnist")
        calibration = rc.calibrate(rows.filter(rows["platform"] == "TX2"))

        def save(path: Path, title: str) -> None:
            object.__setattr__(calibration, "name", title)
            calibration.save(path)

        return save
    cube = rc.predict(inputs)
    return lambda path, title: rc.save(
        cube.assign(ops=cube.ops + int(title.split()[-1])).assign_attrs(title=title), path
    )


def answered(write: Callable[[Path, str], object], number: str, what: str, step: str, path: Path) -> None:
    """Write a version of a file in a process of its own, and print how it ended."""
    reading, writing = os.pipe()
    clock, began = time.perf_counter(), time.time() - 0.01
    child = os.fork()
    if child == 0:
        steps = Steps(path.parent, what, int(step), writing)
        try:
            if what == "moment":  # also where HDF5 writes, which Python does not see
                signal.setitimer(signal.ITIMER_REAL, int(step) / 1e6)
            write(path, f"version {number}")
        except RoofcubeError as error:
            steps.end(TOLD, str(error))
        steps.end(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        counted, told, flushed = json.loads(said.read() or '[0, "", []]')
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    took = round((time.perf_counter() - clock) * 1e6)
    if what == "lost":  # when no thread of the writer reads any more
        cut_the_power(path.parent, began, set(flushed))
    print(json.dumps({"ended": ended, "steps": counted, "told": told, "took": took}), flush=True)


if __name__ == "__main__":
    import zarr  # noqa: F401  (imported before the forks, like what it imports)

    write = writer_of(sys.argv[1])
    for line in sys.stdin:
        number, what, step, path = line.rstrip("\n").split(" ", 3)
        answered(write, number, what, step, Path(path))
