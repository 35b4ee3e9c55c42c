"""Killed, cut off from the disk or out of room at any step of writing: what has the final name is the old or the new."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

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
ALL = [(kind, what) for kind in KINDS for what in ("kill", "full", "lost")]
SAMPLE = [("nc", "kill"), ("calibration", "full")]  # a Zarr store takes a minute and a half a step


def write(kind: str, folder: Path, number: int, what: str, step: int) -> tuple[int, int, str]:
    """Write version `number` of a file in a process that something happens to at a step; return how it ended."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(WRITER), kind, str(folder / KINDS[kind]), str(number), what, str(step)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    steps = int(lines[-1].split()[-1]) if lines and lines[-1].startswith("steps") else 0
    return done.returncode, steps, done.stdout + done.stderr


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


def chosen(steps: int) -> list[int]:
    return sorted(random.Random(0).sample(range(1, steps + 1), min(steps, 250 if FULL else 2)))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "what"), ALL if FULL else SAMPLE)
def test_what_has_the_name_is_old_or_new(tmp_path, kind, what):
    folder = tmp_path / "whole"
    folder.mkdir()
    ended, steps, said = write(kind, folder, 0, "count", 0)
    assert ended == 0, said
    old = state(kind, folder / KINDS[kind])
    seen = Counter[str]()
    for step in chosen(steps):
        place = tmp_path / f"{step}"
        if kind == "sweep":  # never replaces another: it begins, and goes on
            place.mkdir()
        else:
            shutil.copytree(folder, place)
        ended, _, said = write(kind, place, 1, what, step)
        if what == "full":
            assert ended == 0 or "told " in said, said
        path = place / KINDS[kind]
        if path.exists():
            found = state(kind, path)
            seen["old" if found == old else "new"] += 1
        else:
            assert kind == "sweep"
        ended, _, said = write(kind, place, 1, "count", 0)
        assert ended == 0, said
        assert state(kind, path) is not None
        left = [one.name for one in place.iterdir() if one.name != path.name]
        assert left == [], left
        shutil.rmtree(place)
    print(kind, what, steps, dict(seen))
