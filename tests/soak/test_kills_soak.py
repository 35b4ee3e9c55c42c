"""Killed, cut off from the disk or out of room at any step of writing: what has the final name is the old or the new."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from stepped_writer import AT_A_MOMENT, CUT, TOLD

import roofcube as rc

pytest.importorskip("zarr")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="steps are counted by names of Linux")

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
WRITER = Path(__file__).parent.parent / "support" / "stepped_writer.py"
KINDS = {
    "nc": "cube.nc",
    "zarr": "cube.zarr",
    "sweep": "sweep.zarr",
    "calibration": "calibration.json",
    "page": "page.html",
}
ENDED = {"kill": {CUT}, "lost": {CUT}, "full": {0, TOLD}, "moment": {0, AT_A_MOMENT}}
ALL = [(kind, what) for kind in KINDS for what in ENDED]
SAMPLE = [("nc", "kill"), ("nc", "moment"), ("zarr", "lost"), ("sweep", "kill"), ("calibration", "full")]
# of each pair, at steps drawn at random, each step before any comes again; unsynced writes are lost a thousand times
ENDS = {**dict.fromkeys(ENDED, 140), "lost": 250} if FULL else dict.fromkeys(ENDED, 3)
OF_PAGES = 14 if FULL else 3  # which take seconds each, nearly all of them before the first step


class Written(NamedTuple):
    ended: int
    steps: int
    told: str
    took: int


@pytest.fixture
def write(kind):
    """Write version `number` of a file in a process that something happens to at a step; return how it ended."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(WRITER), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin
        assert writer.stdout

        def write(folder: Path, number: int, what: str = "count", step: int = 0) -> Written:
            print(number, what, step, folder / KINDS[kind], file=writer.stdin, flush=True)
            return Written(**json.loads(writer.stdout.readline()))

        yield write
        writer.stdin.close()


def state(kind: str, path: Path) -> object:
    """Return what a whole file says, so that old and new can be told apart; raises where it is not whole."""
    if kind == "calibration":
        return rc.load_calibration(path).name
    if kind == "page":
        text = path.read_text("utf-8")
        assert text.rstrip().endswith("</html>")
        return "version 1" in text
    assert rc.verify(path)
    return rc.load(path).attrs["title"]


def chosen(steps: int, ends: int) -> list[int]:
    order = random.Random(0)
    each = [order.sample(range(1, steps + 1), min(steps, ends)) for _ in range(-(-ends // steps))]
    return [step for some in each for step in some][:ends]


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "what"), ALL if FULL else SAMPLE)
def test_what_has_the_name_is_old_or_new(tmp_path, write, kind, what):
    whole, after = tmp_path / "whole", tmp_path / "after"
    whole.mkdir()
    assert write(whole, 0).ended == 0
    old = state(kind, whole / KINDS[kind])

    def begin() -> None:
        if kind == "sweep":  # never replaces another: it begins, and goes on
            after.mkdir()
        else:
            shutil.copytree(whole, after)

    begin()
    counted = write(after, 1)
    steps = counted.took if what == "moment" else counted.steps
    shutil.rmtree(after)
    seen = Counter[str]()
    for step in chosen(steps, OF_PAGES if kind == "page" else ENDS[what]):
        begin()
        written = write(after, 1, what, step)
        assert written.ended in ENDED[what], (step, written)
        assert (written.ended == TOLD) == bool(written.told), (step, written)
        path = after / KINDS[kind]
        if path.exists():
            found = state(kind, path)
            seen["old" if found == old else "new"] += 1
        else:
            assert kind == "sweep"
            seen["not yet there"] += 1
        again = write(after, 1)
        assert again.ended == 0, (step, again)
        assert state(kind, path) is not None
        left = [one.name for one in after.iterdir() if one.name != path.name]
        assert left == [], (step, left)
        shutil.rmtree(after)
    print(kind, what, f"{steps} steps, {seen.total()} ends:", dict(seen))
