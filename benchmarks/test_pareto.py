"""Fronts of stored points beside moocore, paretoset and pymoo: ours by the labelled call, theirs on bare arrays.

Same points, warm, answers compared before timing; every equal point is asked for. One row a claim: where a claim covers
many point sets, the row shows the worst of them and names it, or the median of all.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.kernels.pareto.front import non_dominated, non_dominated_by_group
from roofcube.kernels.pareto.near.near_front import distance_to_front, epsilon_front

sys.path.insert(0, str(Path(__file__).parent))
from point_sets import KINDS, point_set

moocore = pytest.importorskip("moocore")
paretoset = pytest.importorskip("paretoset").paretoset
sorting = pytest.importorskip("pymoo.util.nds.non_dominated_sorting")

# a peer that took so many times ours, or so many seconds, is not asked about ten times the points
TOO_SLOW, PATIENCE = 20.0, 5.0
PEERS = {
    "moocore": lambda points: moocore.is_nondominated(points, keep_weakly=True),
    "paretoset": lambda points: paretoset(points, distinct=False),
    "pymoo": lambda points: sorting.NonDominatedSorting().do(points, only_non_dominated_front=True),
}


def labelled(points):
    """Give the labelled call on a stored cube of these points."""
    names = [f"x{k}" for k in range(points.shape[1])]
    cube = xr.Dataset({name: ("point", points[:, k]) for k, name in enumerate(names)})
    return lambda: rc.pareto(cube, dict.fromkeys(names, "min"), ties="all")


def same_points(front, expected):
    """Compare a labelled front with the optimal rows, in whatever order."""
    found = np.stack([front[f"x{k}"].values for k in range(expected.shape[1])], axis=1)
    return all(
        np.array_equal(*pair) for pair in zip(*(np.sort(part, axis=0).T for part in (found, expected)), strict=True)
    )


def seconds(call, rounds):
    """Median time of a warm call; one round is enough where a call takes more than a second."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
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


def compare(kind, objectives, counts, rounds):
    """Time ours and the peers on growing sets; yield the size, our time and theirs."""
    peers = dict(PEERS)
    for count in counts:
        points = point_set(kind, count, objectives, seed=1)
        call = labelled(points)
        mask = non_dominated(points)
        assert same_points(call(), points[mask])
        mine = seconds(call, rounds)
        theirs = {}
        for name, peer in list(peers.items()):
            assert np.array_equal(as_mask(peer(points), count), mask), name
            theirs[name] = seconds(lambda peer=peer, points=points: peer(points), rounds)
            if theirs[name] > TOO_SLOW * mine or theirs[name] > PATIENCE:
                del peers[name]
        yield count, mine, theirs


def test_labelled_fronts(add_row, full):
    counts = (10**4, 10**5, 10**6, 10**7) if full else (10**3,)
    ratios, worst = [], {}
    for objectives in (2, 3, 4, 5) if full else (2, 5):
        for kind in KINDS:
            for count, mine, theirs in compare(kind, objectives, counts, 5):
                if not theirs:
                    continue  # all were left behind at a smaller size
                peer = min(theirs, key=theirs.get)
                ratio = theirs[peer] / mine
                ratios.append(ratio)
                key = objectives, count
                if key not in worst or ratio < worst[key][0]:
                    worst[key] = ratio, f"{peer} on {kind}", f"{mine * 1e3:.3g} ms"
    for (objectives, count), (ratio, where, ours) in worst.items():
        add_row(f"rc.pareto, {objectives} objectives, {count:.0e} points, worst kind", where, ratio, ours, "1")
    add_row("rc.pareto, median of all of these sets", "the best peer of each", statistics.median(ratios), "", "3")


@pytest.mark.parametrize("kind", ["uniform", "correlated", "roofline"])
@pytest.mark.parametrize("objectives", [2, 3])
def test_large_fronts(kind, objectives, add_row, full):
    points = point_set(kind, 10**7 if full else 10**5, objectives, seed=1)
    call = labelled(points)
    mask = non_dominated(points)
    assert same_points(call(), points[mask])
    mine = seconds(call, 5)
    for name, at_least in (("moocore", "20"), ("paretoset", "2.5")):
        assert np.array_equal(PEERS[name](points), mask)
        ratio = seconds(lambda peer=PEERS[name]: peer(points), 3) / mine
        add_row(f"rc.pareto, {objectives}-D {kind}, {len(points):.0e}", name, ratio, f"{mine * 1e3:.3g} ms", at_least)


@pytest.mark.parametrize("kind", ["anti-correlated", "thin"])
def test_three_objectives_against_each_other(kind, add_row, full):
    for count in (10**6, 10**7) if full else (10**5,):
        points = point_set(kind, count, 3, seed=1)
        call = labelled(points)
        assert same_points(call(), points[PEERS["moocore"](points)])
        mine = seconds(call, 3)
        ratio = seconds(lambda points=points: PEERS["moocore"](points), 3) / mine
        add_row(f"rc.pareto, 3-D {kind}, {count:.0e}", "moocore", ratio, f"{mine * 1e3:.3g} ms", "2")


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
    mine = seconds(lambda: non_dominated_by_group(points, codes), 5)
    work = f"kernel, front in each of {groups:.0e} groups, {count:.0e}"
    add_row(work, "moocore in a loop", theirs / mine, f"{mine * 1e3:.3g} ms")


@pytest.mark.parametrize("objectives", [3, 5])
def test_near_a_front(objectives, add_row, full):
    """Tolerance and distance beside moocore's additive epsilon, asked point by point, and beside the front alone."""
    count = 10**6 if full else 10**5
    points = point_set("anti-correlated", count, objectives, seed=1)
    mask = non_dominated(points)
    front = points[mask]
    alone = seconds(lambda: non_dominated(points), 3)
    assert (epsilon_front(points, 0.01, relative=False) >= mask).all()
    tolerance = seconds(lambda: epsilon_front(points, 0.01, relative=False), 3)
    add_row(
        f"epsilon_front, {objectives}-D, {count:.0e}", "the front alone", alone / tolerance, f"{tolerance * 1e3:.3g} ms"
    )
    distance = distance_to_front(points, front, relative=False)
    few = points[:: count // 200]
    start = time.perf_counter()
    expected = [-moocore.epsilon_additive(front, ref=point[None]) for point in few]
    theirs = (time.perf_counter() - start) * count / len(few)
    np.testing.assert_allclose(distance[:: count // 200], np.maximum(expected, 0), atol=1e-12)
    mine = seconds(lambda: distance_to_front(points, front, relative=False), 3)
    add_row(
        f"distance_to_front, {objectives}-D, {count:.0e}", "moocore in a loop", theirs / mine, f"{mine * 1e3:.3g} ms"
    )
