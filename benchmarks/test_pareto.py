"""Fronts of stored points beside moocore, paretoset and pymoo: same points, warm, masks compared before timing.

One row a claim; where a claim covers many point sets, the row shows the worst of them and names it.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from roofcube.kernels.pareto.front import non_dominated, non_dominated_by_group

sys.path.insert(0, str(Path(__file__).parent))
from point_sets import KINDS, point_set

moocore = pytest.importorskip("moocore")
paretoset = pytest.importorskip("paretoset").paretoset
sorting = pytest.importorskip("pymoo.util.nds.non_dominated_sorting")

TOO_SLOW = 20.0  # a peer that took so many times ours on a tenth of the points is not asked again
PEERS = {
    "moocore": lambda points: moocore.is_nondominated(points, keep_weakly=True),
    "paretoset": lambda points: paretoset(points, distinct=False),
    "pymoo": lambda points: sorting.NonDominatedSorting().do(points, only_non_dominated_front=True),
}


def seconds(call, points, rounds):
    """Median time of a warm call; one round is enough where a call takes more than a second."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call(points)
        times.append(time.perf_counter() - start)
        if times[-1] > 1:
            break
    return statistics.median(times)


def as_mask(found, count):
    if found.dtype == np.bool_:
        return found
    mask = np.zeros(count, np.bool_)
    mask[found] = True
    return mask


def compare(kind, objectives, counts, peers, rounds, *, seed=1):
    """Time ours and the peers on growing sets; yield the size, our time and theirs."""
    peers = dict(peers)
    for count in counts:
        points = point_set(kind, count, objectives, seed=seed)
        mask = non_dominated(points)
        mine = seconds(non_dominated, points, rounds)
        theirs = {}
        for name, call in list(peers.items()):
            assert np.array_equal(as_mask(call(points), count), mask), name
            theirs[name] = seconds(call, points, rounds)
            if theirs[name] > TOO_SLOW * mine:
                del peers[name]
        yield count, mine, theirs


@pytest.mark.parametrize("kind", ["uniform", "correlated", "roofline"])
@pytest.mark.parametrize("objectives", [2, 3])
def test_large_fronts(kind, objectives, add_row, full):
    points = point_set(kind, 10**7 if full else 10**5, objectives, seed=1)
    mask = non_dominated(points)
    mine = seconds(non_dominated, points, 5)
    for name, at_least in (("moocore", "20"), ("paretoset", "2.5")):
        assert np.array_equal(PEERS[name](points), mask)
        ratio = seconds(PEERS[name], points, 3) / mine
        add_row(f"front, {objectives}-D {kind}, {len(points):.0e}", name, ratio, f"{mine * 1e3:.3g} ms", at_least)


@pytest.mark.parametrize("kind", ["anti-correlated", "thin"])
def test_three_objectives_against_each_other(kind, add_row, full):
    for count in (10**6, 10**7) if full else (10**5,):
        points = point_set(kind, count, 3, seed=1)
        assert np.array_equal(PEERS["moocore"](points), non_dominated(points))
        mine = seconds(non_dominated, points, 3)
        ratio = seconds(PEERS["moocore"], points, 3) / mine
        add_row(f"front, 3-D {kind}, {count:.0e}", "moocore", ratio, f"{mine * 1e3:.3g} ms", "2")


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
def test_never_slower_than_the_best_peer(objectives, add_row, full):
    counts = (10**4, 10**5, 10**6) if full else (10**4,)
    worst = {}
    for kind in KINDS:
        for count, mine, theirs in compare(kind, objectives, counts, PEERS, 7):
            if not theirs:
                continue
            peer = min(theirs, key=theirs.get)
            ratio = theirs[peer] / mine
            if count not in worst or ratio < worst[count][0]:
                worst[count] = ratio, f"{peer} on {kind}", f"{mine * 1e3:.3g} ms"
    for count, (ratio, where, ours) in worst.items():
        add_row(f"front, {objectives}-D, worst kind, {count:.0e}", where, ratio, ours, "0.8", "1")


@pytest.mark.parametrize("groups", [10, 100_000])
def test_front_in_each_group(groups, add_row, full):
    count = 10**6 if full else 10**5
    points = point_set("roofline", count, 3, seed=1)
    codes = np.random.default_rng(2).integers(0, groups, count)
    mask = non_dominated_by_group(points, codes)
    few = range(0, groups, max(groups // 200, 1))
    members = [np.flatnonzero(codes == group) for group in few]
    start = time.perf_counter()
    for own in members:
        assert np.array_equal(PEERS["moocore"](points[own]), mask[own])
    theirs = (time.perf_counter() - start) * groups / len(few)
    mine = seconds(lambda both: non_dominated_by_group(*both), (points, codes), 5)
    add_row(
        f"front in each of {groups:.0e} groups, {count:.0e}", "moocore in a loop", theirs / mine, f"{mine * 1e3:.3g} ms"
    )
