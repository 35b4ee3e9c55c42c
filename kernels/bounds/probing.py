"""How many boxes a count would look at, told from random ways down into the boxes in doubt.

Knuth's estimate of the size of a search tree (Mathematics of Computation 29, 1975): a random way down stands for as
many boxes as there were branches on it, whatever the tree looks like. Where most ways have ended, those that go on are
doubled (splitting, Kahn and Harris, 1951), so that the depth of the tree is seen as well as its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.kernels.bounds.boxes import Batch, Search

__all__ = ["expected_boxes", "probe"]

Array = np.ndarray[Any, np.dtype[Any]]


def probe(search: Search, doubtful: Callable[[Batch], Array]) -> None:
    """Raise `BudgetExceeded` if a search would take longer than visiting every point, where it pays to know."""
    budget = search.budget
    if budget is None or not budget.probed:
        return
    affordable = budget.visit_seconds / max(budget.box_seconds, 1e-12)
    expected = expected_boxes(search, doubtful, most=2 * affordable)
    if expected > affordable or budget.look is not None:
        budget.give_up(expected * budget.box_seconds)


def expected_boxes(search: Search, doubtful: Callable[[Batch], Array], *, most: float = np.inf) -> float:
    """Estimate how many boxes a search looks at, points of opened ones included; stop at `most`.

    Parameters
    ----------
    search : Search
    doubtful : callable
        Says which boxes of a batch are in doubt.
    """
    bounder, tuning = search.bounder, search.query.tuning
    rng = np.random.default_rng(0)
    top = _first_cut(search, doubtful)
    boxes = top[:, rng.integers(top.shape[1], size=tuning.probes)]
    weight = np.full(tuning.probes, top.shape[1] / tuning.probes)  # boxes that each stands for
    total = 0.0
    while boxes.shape[1] and total <= most:
        total += weight.sum()
        doubt = doubtful(search.bound(boxes))
        boxes, weight = boxes[:, doubt], weight[doubt]
        size = bounder.size(boxes)
        small = size <= tuning.open_points
        total += tuning.point_share * (weight * size)[small].sum()
        boxes, weight = boxes[:, ~small], weight[~small]
        if 0 < boxes.shape[1] < tuning.probes // 2:
            chosen = rng.choice(boxes.shape[1], size=tuning.probes, p=weight / weight.sum())
            boxes, weight = boxes[:, chosen], np.full(tuning.probes, weight.sum() / tuning.probes)
        if boxes.shape[1]:
            boxes, branches = search.random_parts(boxes, rng)
            weight = weight * branches
    return float(total)


def _first_cut(search: Search, doubtful: Callable[[Batch], Array]) -> Array:
    """Return the boxes that a search begins with: a few are cut along several axes at once, unlike all that follow."""
    root = search.root()
    if root.shape[1] >= search.query.tuning.burst_boxes:
        return root
    batch = search.bound(root)
    doubt = doubtful(batch)
    cut = root[:, doubt & (search.bounder.size(root) > search.query.tuning.open_points)]
    if not cut.shape[1]:
        return root
    return search.split(cut, search.bounder.bounds(cut))
