"""How far is each point from a front: the compiled search through a tree of the front's bounding boxes.

The best corner of a box bounds the gap to all that it holds, so that boxes which cannot exceed the gap found so far
are passed by. A point usually has the same farthest of the front as the point before, so that is asked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit
from roofcube.kernels.pareto.archive_compiled import BoxTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BoxTree", "reach"]

DEEPEST = 128  # boxes that wait while one is looked into, two a level


def reach(tree: BoxTree, points: NDArray[Any], relative: bool, distance: NDArray[Any]) -> None:
    """Write how far each point (points, objectives) is from the front; 0 if it is no worse in some objective."""
    scale = np.abs(points) if relative else np.ones_like(points)
    scale[np.isinf(points)] = 0  # nothing improves there
    boxes = (tree.vectors, tree.low, tree.start, tree.stop)
    search(points, scale, *boxes, np.empty(DEEPEST, np.int64), np.empty(DEEPEST), distance)


@jit
def gap(value: Any, other: Any, scale: Any) -> Any:
    """Measure one objective; scale 0 says that no share of the value improves it."""
    if value == other:
        return 0.0
    if scale == 0:
        return np.inf if value > other else -np.inf
    return (value - other) / scale


@jit
def least_gap(points: Any, scales: Any, point: int, others: Any, other: int, enough: Any) -> Any:
    """Measure the least gap over the objectives; one that is no more than enough ends it."""
    least = np.inf
    for k in range(points.shape[1]):
        least = min(least, gap(points[point, k], others[other, k], scales[point, k]))
        if not least > enough:
            break
    return least


@jit
def search(
    points: Any, scales: Any, vectors: Any, low: Any, start: Any, stop: Any, boxes: Any, bounds: Any, distance: Any
) -> None:
    """Find for each point the largest, over the front, of the least gap; node k of the tree has 2k+1 and 2k+2."""
    farthest = 0
    for point in range(len(points)):
        most = max(least_gap(points, scales, point, vectors, farthest, 0.0), 0.0)
        waiting = 1
        boxes[0] = 0
        bounds[0] = np.inf
        while waiting:
            waiting -= 1
            node = boxes[waiting]
            if not bounds[waiting] > most:
                continue
            if 2 * node + 2 >= len(start):
                for other in range(start[node], stop[node]):
                    least = least_gap(points, scales, point, vectors, other, most)
                    if least > most:
                        most = least
                        farthest = other
                continue
            near, far = 2 * node + 1, 2 * node + 2
            near_bound = least_gap(points, scales, point, low, near, most)
            far_bound = least_gap(points, scales, point, low, far, most)
            if near_bound < far_bound:
                near, far = far, near
                near_bound, far_bound = far_bound, near_bound
            # the promising one last: it is taken first, and may spare the other
            for box, bound in ((far, far_bound), (near, near_bound)):
                if bound > most:
                    boxes[waiting] = box
                    bounds[waiting] = bound
                    waiting += 1
        distance[point] = most
