"""Answer queries by bounding boxes of the space: what bounds exclude is never visited, nothing is ever lost.

Boxes are split where it narrows their bounds the most, in batches; what remains in doubt ends as single points, which
are evaluated like any other. Nothing is special-cased: an objective that lacks an axis has the same bounds along it,
one that is monotone has exact corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from roofcube.kernels.bounds.intervals import Bounder, Interval, bounder_of
from roofcube.kernels.bounds.monotone import slice_of
from roofcube.kernels.pareto.archive import Archive, distinct_front
from roofcube.kernels.query.partials import BestPartial, FrontPartial, TopPartial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Limit, Query

__all__ = ["Pace", "TooManyBoxes", "best", "classified", "fits", "front", "top"]

Array = np.ndarray[Any, np.dtype[Any]]

Known: TypeAlias = "Mapping[Node, Interval]"
Keep: TypeAlias = "Callable[[Array, Known], Array]"


class Pace(NamedTuple):
    """Nanoseconds that visiting takes for each point, and more for each operation at a point.

    A search that took as long as visiting every point would gives up.
    """

    point: float
    operation: float


class TooManyBoxes(Exception):  # noqa: N818  a signal to stream instead, not an error
    """Bounds decide too little for this query."""


def fits(query: Query) -> bool:
    """Tell whether the tables of a query are small enough for pyramids."""
    return (
        all(table.size <= query.tuning.indexed_table for table in query.space.tables.values())
        and query.space.size < 2**62
    )


@dataclass
class Batch:
    """Boxes with what is known of them.

    Attributes
    ----------
    boxes : array (axes, n)
    intervals : bounds of every node of the graph
    met, lost : arrays of bool
        Boxes all of whose points surely meet all limits; boxes none of whose points can.
    """

    boxes: Array
    intervals: Mapping[Node, Interval]
    met: Array
    lost: Array


class Search:
    """Boxes waiting to be split, and the rules for splitting them.

    Parameters
    ----------
    query : Query
    watched : sequence of str
        Outputs whose bounds are to be narrowed.
    rival : Pace, optional
        What visiting every point takes; without one, never give up.
    """

    def __init__(self, query: Query, watched: Sequence[str], *, rival: Pace | None = None) -> None:
        self.query = query
        self.bounder = bounder_of(query)
        self.watched = [query.outputs[name] for name in dict.fromkeys(watched)]
        self.limited = [query.outputs[limit.name] for limit in query.limits]
        self.looked = 0
        self.chunk = query.tuning.split_boxes
        self.most = None if rival is None else max(query.tuning.least_boxes, self._worth(rival))

    def _worth(self, rival: Pace) -> int:
        """Count the boxes that take as long as visiting every point."""
        space, tuning = self.query.space, self.query.tuning
        operations = len(self.bounder.nodes) * prod(space.all_sizes[len(space.sizes) :])
        visit = space.size * (rival.point + rival.operation * operations)
        return int(visit / (tuning.box_nanoseconds[0] + tuning.box_nanoseconds[1] * operations))

    def root(self) -> Array:
        """Give the first boxes: one a group, whole along the other axes."""
        groups = self.query.groups
        cells = np.unravel_index(np.arange(self.query.n_groups), self.query.group_sizes) if groups else ()
        boxes = np.zeros((len(self.bounder.trees), self.query.n_groups), dtype=np.int64)
        for axis, cell in enumerate(cells):
            tree = self.bounder.trees[axis]
            position = np.empty(len(tree.order), dtype=np.int64)
            position[tree.order] = np.arange(len(tree.order))
            boxes[axis] = tree.leaf[position[cell]]
        return boxes

    def bound(self, boxes: Array) -> Batch:
        """Bound boxes and compare them with the limits."""
        self.looked += boxes.shape[1]
        if self.most is not None and self.looked > self.most:
            raise TooManyBoxes
        intervals = self.bounder.bounds(boxes)
        met, lost = np.ones(boxes.shape[1], dtype=bool), np.zeros(boxes.shape[1], dtype=bool)
        for limit, node in zip(self.query.limits, self.limited, strict=True):
            surely, never = _against(limit, intervals[node])
            met &= surely
            lost |= never
        return Batch(boxes, intervals, met, lost)

    def probe(self, doubtful: Callable[[Array], Array]) -> None:
        """Give up before the search if random boxes say that it would take longer than visiting every point."""
        tuning = self.query.tuning
        volume = self.query.space.size / self.most if self.most is not None else 0.0
        if volume <= tuning.open_points:
            return
        most = tuning.probes / (tuning.probe_caution * (volume / tuning.open_points) ** tuning.probe_surface)
        rng = np.random.default_rng(0)
        root = self.root()
        boxes = root[:, rng.integers(root.shape[1], size=tuning.probes)]
        while boxes.shape[1] > most:
            boxes = boxes[:, doubtful(boxes)]
            large = self.bounder.size(boxes) > volume
            if not large.any():
                break
            boxes = np.concatenate([boxes[:, ~large], self._random_parts(boxes[:, large], rng)], axis=1)
        if boxes.shape[1] > most:
            raise TooManyBoxes

    def _random_parts(self, boxes: Array, rng: np.random.Generator) -> Array:
        """Cut each box as `split` does, and give one of its parts."""
        axes = self._axis(boxes, self.bounder.bounds(boxes))
        parts = boxes.copy()
        for axis, tree in enumerate(self.bounder.trees):
            cut = np.flatnonzero(axes == axis)
            nodes = boxes[axis, cut]
            parts[axis, cut] = tree.child[nodes] + rng.integers(0, np.maximum(tree.children[nodes], 1))
        return parts

    def split(self, boxes: Array, known: Mapping[Node, Interval]) -> Array:
        """Cut each box along the axis that narrows its bounds the most; a few boxes along several axes at once."""
        burst = self.query.tuning.burst_boxes
        several = (
            int(np.log(burst / boxes.shape[1]) / np.log(self.query.tuning.branches)) if boxes.shape[1] < burst else 0
        )
        if several > 1:
            longest = [tree.count[nodes].max() for tree, nodes in zip(self.bounder.trees, boxes, strict=True)]
            for axis in np.argsort(longest)[::-1][:several]:
                boxes = self._cut(boxes, int(axis))
            return boxes
        axis = self._axis(boxes, known)
        parts = [self._cut(boxes[:, axis == number], number) for number in range(len(self.bounder.trees))]
        return np.concatenate(parts, axis=1)

    def _cut(self, boxes: Array, axis: int) -> Array:
        """Cut boxes along one axis; those of a single index there stay."""
        tree = self.bounder.trees[axis]
        nodes = boxes[axis]
        counts = np.maximum(tree.children[nodes], 1)
        origin = np.repeat(np.arange(len(nodes)), counts)
        rank = np.arange(len(origin)) - np.repeat(np.cumsum(counts) - counts, counts)
        children = boxes[:, origin]
        single = tree.children[nodes[origin]] == 0
        children[axis] = np.where(single, children[axis], tree.child[children[axis]] + rank)
        return children

    def _axis(self, boxes: Array, known: Mapping[Node, Interval]) -> Array:
        n = boxes.shape[1]
        width = self._width(known, n)
        chosen = np.full(n, -1)
        narrowest = np.full(n, np.inf)
        longest = np.zeros(n)
        for axis, tree in enumerate(self.bounder.trees):
            can = np.flatnonzero(tree.children[boxes[axis]] > 0)
            if not len(can):
                continue
            inside = boxes[:, can]
            inside[axis] = tree.child[inside[axis]] + tree.children[inside[axis]] // 2
            mine = {node: _picked(interval, can, n) for node, interval in known.items()}
            new = self._width(self.bounder.narrowed(inside, axis, mine), len(can))
            new = np.where(new < width[can], new, np.inf)
            length = tree.count[boxes[axis, can]]
            # where no axis narrows anything, the longest is cut
            better = (new < narrowest[can]) | (np.isinf(new) & np.isinf(narrowest[can]) & (length > longest[can]))
            taken = can[better]
            chosen[taken], narrowest[taken], longest[taken] = axis, new[better], length[better]
        return chosen

    def _width(self, intervals: Mapping[Node, Interval], n: int) -> Array:
        """Add up the relative widths of the watched outputs, and of limits in doubt."""
        total = np.zeros(n)
        with np.errstate(all="ignore"):
            for node in self.watched:
                total += _relative_width(intervals[node], n)
            for limit, node in zip(self.query.limits, self.limited, strict=True):
                surely, never = _against(limit, intervals[node])
                total += np.where(surely | never, 0.0, 1.0 + _relative_width(intervals[node], n))
        return total

    def levels(self, keep: Keep | None = None) -> Iterator[Array]:
        """Go through batches of boxes; hand back, with `push`, those to be split further.

        `keep` is asked, before boxes are split, which of them still matter, the most promising first.
        """
        self._waiting: list[Array] = []
        yield self.root()
        while self._waiting:
            boxes = self._waiting.pop()
            known = self.bounder.bounds(boxes)
            n = boxes.shape[1]
            chosen = np.arange(n) if keep is None else keep(boxes, known)
            if len(chosen) > self.chunk:
                self._waiting.append(boxes[:, chosen[self.chunk :]])
                chosen = chosen[: self.chunk]
            if len(chosen):
                known = {node: _picked(interval, chosen, n) for node, interval in known.items()}
                yield self.split(boxes[:, chosen], known)

    def push(self, boxes: Array) -> None:
        """Have boxes split later."""
        if boxes.shape[1]:
            self._waiting.append(boxes)


def _picked(interval: Interval, chosen: Array, n: int) -> Interval:
    if interval.low.shape[0] != n and (interval.nan is None or interval.nan.shape[0] != n):
        return interval
    return Interval(
        interval.low[chosen] if interval.low.shape[0] == n else interval.low,
        interval.high[chosen] if interval.high.shape[0] == n else interval.high,
        None if interval.nan is None else interval.nan[chosen] if interval.nan.shape[0] == n else interval.nan,
    )


def ends(interval: Interval, n: int) -> tuple[Array, Array, Array]:
    """Give the ends and the doubt about NaN of an output as arrays of n."""
    low = np.broadcast_to(interval.low.reshape(-1), (n,))
    high = np.broadcast_to(interval.high.reshape(-1), (n,))
    nan = np.zeros(1, dtype=bool) if interval.nan is None else interval.nan.reshape(-1)
    return low, high, np.broadcast_to(nan, (n,))


def _relative_width(interval: Interval, n: int) -> Array:
    low, high, nan = ends(interval, n)
    scale = np.maximum(np.abs(low), np.abs(high)).astype("f8")
    width = np.where(high > low, (high.astype("f8") - low) / np.where(scale > 0, scale, 1.0), 0.0)
    return np.nan_to_num(width, nan=1.0, posinf=1.0) + np.where(nan & ~np.isnan(low), 0.5, 0.0)


def _against(limit: Limit, interval: Interval) -> tuple[Array, Array]:
    """Say where all points surely meet a limit, and where none can."""
    n = interval.low.shape[0]
    low, high, nan = ends(interval, n)
    floor, ceiling, one_of = limit.rounded(low.dtype)
    nothing = np.isnan(low)
    if one_of is not None:
        possible = np.zeros(n, dtype=bool)
        exact = np.zeros(n, dtype=bool)
        for value in one_of:
            possible |= (low <= value) & (value <= high)
            exact |= (low == value) & (high == value)
        return exact & ~nan, ~possible
    met, lost = ~nan & ~nothing, nothing.copy()
    if floor is not None:
        met &= low >= floor
        lost |= high < floor
    if ceiling is not None:
        met &= high <= ceiling
        lost |= low > ceiling
    return met, lost


# one objective --------------------------------------------------------------------------------------------------------


def _keys(interval: Interval, sign: int, n: int) -> tuple[Array, Array, Array]:
    """Give the ends of the key, where more is better."""
    low, high, nan = ends(interval, n)
    return (low, high, nan) if sign > 0 else (-high, -low, nan)


def _settled(search: Search, boxes: Array, valid: Array) -> tuple[Array, Array]:
    """Part boxes in doubt into those to split and those to open now."""
    small = search.bounder.size(boxes) <= search.query.tuning.open_points
    return boxes[:, valid & ~small], boxes[:, valid & small]


def best(query: Query, *, rival: Pace | None = None) -> BestPartial:
    """Find the largest key and its first point of each group; `count` is not counted."""
    found, exact = _best_of_slice(query, rival)
    if exact:
        return found
    name, sign = query.objectives[0]
    search = Search(query, [name], rival=rival)
    bounder, node = search.bounder, query.outputs[name]
    per_group = max(1, query.group_points)

    def improve(key: Array, first: Array) -> None:
        """Take candidates: the best of each group, the first of equal ones."""
        group = first // per_group
        order = np.lexsort((first, -key, group))
        head = np.ones(len(order), dtype=bool)
        head[1:] = group[order][1:] != group[order][:-1]
        chosen = order[head]
        at, key, first = group[chosen], key[chosen], first[chosen]
        better = (found.first[at] < 0) | (key > found.key[at]) | ((key == found.key[at]) & (first < found.first[at]))
        found.key[at[better]], found.first[at[better]] = key[better], first[better]

    def hopeful(boxes: Array, high: Array) -> Array:
        lowest = bounder.first(boxes)
        group = lowest // per_group
        none = found.first[group] < 0
        earlier = (high == found.key[group]) & (lowest < found.first[group])
        return np.asarray(none | (high > found.key[group]) | earlier)

    def keep(boxes: Array, known: Known) -> Array:
        _, high, _ = _keys(known[node], sign, boxes.shape[1])
        hope = np.flatnonzero(hopeful(boxes, high))
        return hope[np.argsort(-high[hope], kind="stable")]

    for boxes in search.levels(keep):
        n = boxes.shape[1]
        batch = search.bound(boxes)
        low, high, nan = _keys(batch.intervals[node], sign, n)
        alive = ~batch.lost & ~np.isnan(low)
        flat = alive & (low == high) & batch.met & ~nan
        if flat.any():
            improve(high[flat], bounder.first(boxes[:, flat]))
        doubt = alive & ~flat
        _try_points(search, boxes[:, doubt], name, sign, improve)
        split, opened = _settled(search, boxes, doubt & hopeful(boxes, high))
        if opened.shape[1]:
            points, _ = bounder.opened(opened)
            _evaluate(search, points, name, sign, improve)
        search.push(split)
    return found


def _best_of_slice(query: Query, rival: Pace | None) -> tuple[BestPartial, bool]:
    """Find the largest keys where aligned axes are at their best end, and whether their points are the first."""
    found = BestPartial(query, range(query.n_groups))
    chosen = slice_of(query)
    if chosen is None:
        return found, False
    if chosen.values is not None:
        exact = chosen.best(query)
        if exact is not None:
            found.key, found.first = exact
            return found, True
    there = best(chosen.query, rival=rival)
    found.key, found.first = there.key, chosen.whole(query, there.first)
    return found, False


def _try_points(search: Search, boxes: Array, name: str, sign: int, improve: Callable[[Array, Array], None]) -> None:
    """Evaluate two corners of each box, so that good points are known early."""
    if boxes.shape[1]:
        _evaluate(search, np.concatenate(corners(search, boxes), axis=1), name, sign, improve)


def corners(search: Search, boxes: Array) -> tuple[Array, Array]:
    """Give the first and the last point of each box."""
    trees = search.bounder.trees
    first = (
        np.stack([tree.leaf[tree.start[nodes]] for tree, nodes in zip(trees, boxes, strict=True)]) if trees else boxes
    )
    last = (
        np.stack([tree.leaf[tree.stop[nodes] - 1] for tree, nodes in zip(trees, boxes, strict=True)])
        if trees
        else boxes
    )
    return first, last


def _evaluate(search: Search, points: Array, name: str, sign: int, improve: Callable[[Array, Array], None]) -> None:
    values = search.bounder.points(points)
    valid = search.query.valid(values, (points.shape[1],))
    if valid.any():
        key = values[name] * values[name].dtype.type(sign)
        improve(key[valid], search.bounder.first(points[:, valid]))


def top(query: Query, n: int, *, rival: Pace | None = None) -> TopPartial:
    """Find the n largest keys of a query without groups."""
    name, sign = query.objectives[0]
    search = Search(query, [name], rival=rival)
    bounder, node = search.bounder, query.outputs[name]
    found = TopPartial.empty(query, n)

    def hopeful(boxes: Array, high: Array) -> Array:
        if len(found.key) < n:
            return np.ones(len(high), dtype=bool)
        earlier = (high == found.key[-1]) & (bounder.first(boxes) < found.index[-1])
        return np.asarray((high > found.key[-1]) | earlier)

    def keep(boxes: Array, known: Known) -> Array:
        _, high, _ = _keys(known[node], sign, boxes.shape[1])
        hope = np.flatnonzero(hopeful(boxes, high))
        return hope[np.argsort(-high[hope], kind="stable")]

    for boxes in search.levels(keep):
        batch = search.bound(boxes)
        low, high, nan = _keys(batch.intervals[node], sign, boxes.shape[1])
        alive = ~batch.lost & ~np.isnan(low) & hopeful(boxes, high)
        flat = alive & (low == high) & batch.met & ~nan
        for k in np.flatnonzero(flat)[np.argsort(-high[flat], kind="stable")]:
            if hopeful(boxes[:, [k]], high[[k]])[0]:
                index = _first_points(search, boxes[:, k], n)
                found.take(np.full(len(index), high[k]), index)
        split, opened = _settled(search, boxes, alive & ~flat & hopeful(boxes, high))
        if opened.shape[1]:
            points, _ = bounder.opened(opened)
            values = bounder.points(points)
            valid = query.valid(values, (points.shape[1],))
            key = (values[name] * values[name].dtype.type(sign))[valid]
            found.take(key, bounder.first(points[:, valid]))
        search.push(split)
    return found


def _first_points(search: Search, box: Array, n: int) -> Array:
    """List the n lowest flat indices of a box, ascending."""
    trees = search.bounder.trees
    indices = [np.sort(tree.order[tree.start[k] : tree.stop[k]]) for tree, k in zip(trees, box, strict=True)]
    lengths = [len(index) for index in indices]
    total = int(np.prod(lengths, dtype=np.float64)) if np.prod(lengths, dtype=np.float64) < n else n
    places = np.unravel_index(np.arange(total), lengths) if lengths else ()
    flat = np.zeros(total, dtype=np.int64)
    for index, place, length in zip(indices, places, search.query.space.sizes, strict=True):
        flat = flat * length + index[place]
    return flat


# several objectives ---------------------------------------------------------------------------------------------------


@dataclass
class BoxFront:
    """A front as boxes of equal points.

    Attributes
    ----------
    partial : FrontPartial
    boxes : array (axes, n)
        All boxes whose points are on the front.
    number : array
        The vector that each box has.
    bounder : Bounder
    """

    partial: FrontPartial
    boxes: Array
    number: Array
    bounder: Bounder

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        points, origin = self.bounder.opened(self.boxes)
        flat, number = self.bounder.first(points), self.number[origin]
        order = np.argsort(flat, kind="stable")
        return flat[order], number[order]


def front(query: Query, *, rival: Pace | None = None) -> BoxFront:
    """Find the front of a query without groups."""
    search = Search(query, [name for name, _ in query.objectives], rival=rival)
    bounder = search.bounder
    nodes = [(query.outputs[name], sign) for name, sign in query.objectives]
    archive = Archive(len(nodes), np.dtype(query.space.dtype))
    candidates: list[tuple[Array, Array]] = []

    def costs(batch_intervals: Mapping[Node, Interval], n: int) -> tuple[Array, Array, Array]:
        low, high, nan = zip(*(_keys(batch_intervals[node], -sign, n) for node, sign in nodes), strict=True)
        return np.stack(low, axis=1), np.stack(high, axis=1), np.logical_or.reduce(nan)

    def points_costs(points: Array) -> tuple[Array, Array]:
        values = bounder.points(points)
        valid = query.valid(values, (points.shape[1],))
        kind = np.dtype(query.space.dtype).type
        vectors = np.stack([values[name][valid] * kind(-sign) for name, sign in query.objectives], axis=1)
        return vectors, points[:, valid]

    def keep(boxes: Array, known: Known) -> Array:
        ideal, _, _ = costs(known, boxes.shape[1])
        return np.flatnonzero(~archive.dominates(ideal))

    def accept(vectors: Array, boxes: Array) -> None:
        inside = ~archive.dominates(vectors)
        archive.add(vectors[inside])
        candidates.append((vectors[inside], boxes[:, inside]))

    for boxes in search.levels(keep):
        n = boxes.shape[1]
        batch = search.bound(boxes)
        ideal, worst, nan = costs(batch.intervals, n)
        alive = ~batch.lost & ~np.isnan(ideal).any(axis=1)
        flat = alive & (ideal == worst).all(axis=1) & batch.met & ~nan
        if flat.any():
            accept(ideal[flat], boxes[:, flat])
        doubt = np.flatnonzero(alive & ~flat)
        if len(doubt):
            samples = np.concatenate(corners(search, boxes[:, doubt]), axis=1)
            archive.add(points_costs(samples)[0])
            doubt = doubt[~archive.dominates(ideal[doubt])]
        split, opened = _settled(search, boxes[:, doubt], np.ones(len(doubt), dtype=bool))
        if opened.shape[1]:
            vectors, points = points_costs(bounder.opened(opened)[0])
            accept(vectors, points)
        search.push(split)
    return _collected(query, bounder, candidates)


def _collected(query: Query, bounder: Bounder, candidates: list[tuple[Array, Array]]) -> BoxFront:
    none = FrontPartial.empty(query)
    vectors = np.concatenate([none.vectors, *(part[0] for part in candidates)])
    boxes = np.concatenate(
        [np.zeros((len(bounder.trees), 0), dtype=np.int64), *(part[1] for part in candidates)], axis=1
    )
    result = distinct_front(vectors, bounder.first(boxes), bounder.size(boxes))
    from roofcube.kernels.pareto.archive import match

    number = match(vectors + 0, result[0])
    kept = number >= 0
    return BoxFront(FrontPartial(query.objectives, *result), boxes[:, kept], number[kept], bounder)


# counting -------------------------------------------------------------------------------------------------------------


def classified(
    query: Query,
    classes: int,
    name: str | None,
    classify: Callable[[Array], Array],
    *,
    rival: Pace | None = None,
) -> Array:
    """Count the valid points of each group in each class of an output's value.

    Parameters
    ----------
    query : Query
    classes : int
    name : str or None
        Output that decides the class; without one all points are of class 0.
    classify : callable
        Gives the class of values, -1 for none; monotone, so that equal classes at both ends hold between them.

    Returns
    -------
    array (groups, classes)
    """
    search = Search(query, [] if name is None else [name], rival=rival)
    bounder = search.bounder
    counts = np.zeros((query.n_groups, classes), dtype=np.int64)
    per_group = max(1, query.group_points)

    def add(boxes: Array, number: Array) -> None:
        inside = number >= 0
        boxes, number = boxes[:, inside], number[inside]
        np.add.at(counts, (bounder.first(boxes) // per_group, number), bounder.size(boxes))

    def judged(boxes: Array) -> tuple[Array, Array, Array]:
        """Say which boxes may count, which of them are decided, and for what."""
        n = boxes.shape[1]
        batch = search.bound(boxes)
        alive, decided, number = ~batch.lost, batch.met.copy(), np.zeros(n, dtype=np.int64)
        if name is not None:
            low, high, nan = ends(batch.intervals[query.outputs[name]], n)
            number, upper = classify(low), classify(high)
            nothing = np.isnan(low)
            alive &= ~nothing
            decided &= (number == upper) & (~nan | (number < 0)) & ~nothing
        return alive, decided, number

    def doubtful(boxes: Array) -> Array:
        alive, decided, _ = judged(boxes)
        return alive & ~decided

    search.probe(doubtful)
    for boxes in search.levels():
        alive, decided, number = judged(boxes)
        add(boxes[:, alive & decided], number[alive & decided])
        split, opened = _settled(search, boxes, alive & ~decided)
        if opened.shape[1]:
            points, _ = bounder.opened(opened)
            values = bounder.points(points)
            valid = query.valid(values, (points.shape[1],))
            mine = np.zeros(int(valid.sum()), dtype=np.int64) if name is None else classify(values[name][valid])
            add(points[:, valid], mine)
        search.push(split)
    return counts
