"""What questions collect while a space is explored by boxes: winners, a front, counts.

A collector says which boxes may still matter and takes those that are decided, whose bounds are a single value; single
points are taken like any other. Good points are taken as early as they are seen, because they decide other boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from roofcube.kernels.bounds.boxes import corners, ends, keys
from roofcube.kernels.pareto.archive import Archive, distinct_front, match
from roofcube.kernels.query.partials import FrontPartial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from roofcube.kernels.bounds.bounder import Bounder
    from roofcube.kernels.bounds.boxes import Batch, Intervals, Search
    from roofcube.kernels.query.partials import BestPartial, TopPartial

__all__ = ["BestCollector", "BoxFront", "ClassCollector", "Collector", "FrontCollector", "TopCollector"]

Array = np.ndarray[Any, np.dtype[Any]]
OPENED = 16  # times n: points of equal boxes that are listed at once sooner than box by box


class Collector(Protocol):
    """What a question collects while the space is explored."""

    def promising(self, boxes: Array, intervals: Intervals) -> Array:
        """Return which boxes may still matter, the most promising first."""

    def take(self, batch: Batch) -> Array:
        """Take boxes that are decided; say which others may matter."""

    def take_points(self, points: Array, values: Mapping[str, Array], valid: Array) -> None:
        """Take single points, as boxes of one index an axis."""


class BestCollector:
    """The best key and its first point of each group so far, in a partial."""

    def __init__(self, search: Search, part: BestPartial) -> None:
        self.search = search
        self.part = part
        self.name, self.sign = search.query.objectives[0]
        self.node = search.query.outputs[self.name]
        self.group_points = max(1, search.query.group_points)

    def promising(self, boxes: Array, intervals: Intervals) -> Array:
        """Return which boxes may hold a better point, the best first."""
        _, high, _ = keys(intervals[self.node], self.sign, boxes.shape[1])
        hope = np.flatnonzero(self._hopeful(boxes, high))
        return hope[np.argsort(-high[hope], kind="stable")]

    def take(self, batch: Batch) -> Array:
        """Take boxes of a single key, and two corners of the others, so that good points are known early."""
        boxes, bounder = batch.boxes, self.search.bounder
        low, high, nan = keys(batch.intervals[self.node], self.sign, boxes.shape[1])
        alive = ~batch.lost & ~np.isnan(low)
        flat = alive & (low == high) & batch.met & ~nan
        if flat.any():
            self._improve(high[flat], bounder.first(boxes[:, flat]))
        doubt = alive & ~flat
        if doubt.any():
            samples = corners(self.search, boxes[:, doubt])
            self.take_points(samples, *self.search.evaluate(samples))
        return np.asarray(doubt & self._hopeful(boxes, high))

    def take_points(self, points: Array, values: Mapping[str, Array], valid: Array) -> None:
        """Take points."""
        if valid.any():
            key = values[self.name] * values[self.name].dtype.type(self.sign)
            self._improve(key[valid], self.search.bounder.first(points[:, valid]))

    def _hopeful(self, boxes: Array, high: Array) -> Array:
        lowest = self.search.bounder.first(boxes)
        group = lowest // self.group_points
        key, first = self.part.key[group], self.part.first[group]
        return np.asarray((first < 0) | (high > key) | ((high == key) & (lowest < first)))

    def _improve(self, key: Array, first: Array) -> None:
        """Take candidates: the best of each group, the first of equal ones."""
        group = first // self.group_points
        order = np.lexsort((first, -key, group))
        head = np.ones(len(order), dtype=bool)
        head[1:] = group[order][1:] != group[order][:-1]
        chosen = order[head]
        at, key, first = group[chosen], key[chosen], first[chosen]
        part = self.part
        better = (part.first[at] < 0) | (key > part.key[at]) | ((key == part.key[at]) & (first < part.first[at]))
        part.key[at[better]], part.first[at[better]] = key[better], first[better]


class TopCollector:
    """The n best keys with their points so far, in a partial."""

    def __init__(self, search: Search, part: TopPartial) -> None:
        self.search = search
        self.part = part
        self.node = search.query.outputs[part.objective]

    def promising(self, boxes: Array, intervals: Intervals) -> Array:
        """Return which boxes may hold one of the n best, the best first."""
        _, high, _ = keys(intervals[self.node], self.part.sign, boxes.shape[1])
        hope = np.flatnonzero(self._hopeful(boxes, high))
        return hope[np.argsort(-high[hope], kind="stable")]

    def take(self, batch: Batch) -> Array:
        """Take the first points of boxes of a single key."""
        boxes, part = batch.boxes, self.part
        low, high, nan = keys(batch.intervals[self.node], part.sign, boxes.shape[1])
        alive = ~batch.lost & ~np.isnan(low) & self._hopeful(boxes, high)
        flat = alive & (low == high) & batch.met & ~nan
        if flat.any():
            self._take_flat(boxes[:, flat], high[flat])
        return np.asarray(alive & ~flat & self._hopeful(boxes, high))

    def _take_flat(self, boxes: Array, high: Array) -> None:
        """Take boxes of a single key each: whole, or of the last equal ones the first points."""
        part, bounder = self.part, self.search.bounder
        points = np.minimum(bounder.size(boxes), part.n)
        order = np.argsort(-high, kind="stable")
        enough = int(np.searchsorted(np.cumsum(points[order]), part.n))
        last = high[order[min(enough, len(order) - 1)]]
        whole = high > last
        tied = np.flatnonzero(high == last)
        if bounder.size(boxes[:, tied]).sum() <= OPENED * part.n:
            whole[tied], tied = True, tied[:0]
        if whole.any():
            opened, origin = bounder.opened(boxes[:, whole])
            part.take(high[whole][origin], bounder.first(opened))
        for k in tied:
            if self._hopeful(boxes[:, [k]], high[[k]])[0]:
                index = _first_points(self.search, boxes[:, k], part.n)
                part.take(np.full(len(index), high[k]), index)

    def take_points(self, points: Array, values: Mapping[str, Array], valid: Array) -> None:
        """Take points."""
        key = values[self.part.objective] * values[self.part.objective].dtype.type(self.part.sign)
        self.part.take(key[valid], self.search.bounder.first(points[:, valid]))

    def _hopeful(self, boxes: Array, high: Array) -> Array:
        part = self.part
        if len(part.key) < part.n:
            return np.ones(len(high), dtype=bool)
        earlier = (high == part.key[-1]) & (self.search.bounder.first(boxes) < part.index[-1])
        return np.asarray((high > part.key[-1]) | earlier)


def _first_points(search: Search, box: Array, n: int) -> Array:
    """List the n lowest flat indices of a box, ascending."""
    trees = search.bounder.trees
    indices = [np.sort(tree.order[tree.start[k] : tree.stop[k]]) for tree, k in zip(trees, box, strict=True)]
    lengths = [len(index) for index in indices]
    total = min(n, int(np.prod(lengths, dtype=np.float64)))
    inside = np.unravel_index(np.arange(total), lengths) if lengths else ()
    flat = np.zeros(total, dtype=np.int64)
    for index, place, length in zip(indices, inside, search.query.space.sizes, strict=True):
        flat = flat * length + index[place]
    return flat


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
    missing: Array | None = None

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        points, origin = self.bounder.opened(self.boxes)
        flat, number = self.bounder.first(points), self.number[origin]
        order = np.argsort(flat, kind="stable")
        return flat[order], number[order]


class FrontCollector:
    """Candidates of a front, and an archive of real points' costs that says what is dominated."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.query = query = search.query
        self.nodes = [(query.outputs[name], sign) for name, sign in query.objectives]
        self.archive = Archive(len(self.nodes), np.dtype(query.space.dtype))
        self.vectors = [FrontPartial.empty(query).vectors]
        self.boxes = [np.zeros((len(search.bounder.trees), 0), dtype=np.int64)]

    def promising(self, boxes: Array, intervals: Intervals) -> Array:
        """Return the boxes whose ideal nothing dominates."""
        ideal, _, _ = self._costs(intervals, boxes.shape[1])
        return np.flatnonzero(~self.archive.dominates(ideal))

    def take(self, batch: Batch) -> Array:
        """Take boxes of equal points, and corners of the others into the archive."""
        boxes = batch.boxes
        ideal, worst, nan = self._costs(batch.intervals, boxes.shape[1])
        alive = ~batch.lost & ~np.isnan(ideal).any(axis=1)
        flat = alive & (ideal == worst).all(axis=1) & batch.met & ~nan
        if flat.any():
            self._accept(ideal[flat], boxes[:, flat])
        doubt = alive & ~flat
        if doubt.any():
            values, valid = self.search.evaluate(corners(self.search, boxes[:, doubt]))
            self.archive.add(self._vectors(values, valid))
            doubt[doubt] = ~self.archive.dominates(ideal[doubt])
        return np.asarray(doubt)

    def take_points(self, points: Array, values: Mapping[str, Array], valid: Array) -> None:
        """Take points."""
        self._accept(self._vectors(values, valid), points[:, valid])

    def front(self) -> BoxFront:
        """Return the front of all that was taken."""
        bounder = self.search.bounder
        vectors, boxes = np.concatenate(self.vectors), np.concatenate(self.boxes, axis=1)
        distinct = distinct_front(vectors, bounder.first(boxes), bounder.size(boxes))
        number = match(vectors + 0, distinct[0])
        inside = number >= 0
        partial = FrontPartial(self.query.objectives, *distinct)
        return BoxFront(partial, boxes[:, inside], number[inside], bounder)

    def _costs(self, intervals: Intervals, n: int) -> tuple[Array, Array, Array]:
        low, high, nan = zip(*(keys(intervals[node], -sign, n) for node, sign in self.nodes), strict=True)
        return np.stack(low, axis=1), np.stack(high, axis=1), np.logical_or.reduce(nan)

    def _vectors(self, values: Mapping[str, Array], valid: Array) -> Array:
        kind = np.dtype(self.query.space.dtype).type
        return np.stack([values[name][valid] * kind(-sign) for name, sign in self.query.objectives], axis=1)

    def _accept(self, vectors: Array, boxes: Array) -> None:
        inside = ~self.archive.dominates(vectors)
        self.archive.add(vectors[inside])
        self.vectors.append(vectors[inside])
        self.boxes.append(boxes[:, inside])


class ClassCollector:
    """How many points of each group were found to be in each class."""

    def __init__(self, search: Search, classes: int, name: str | None, classify: Callable[[Array], Array]) -> None:
        self.search = search
        self.name = name
        self.classify = classify
        self.counts = np.zeros((search.query.n_groups, classes), dtype=np.int64)

    def promising(self, boxes: Array, _intervals: Intervals) -> Array:
        """Return all boxes: what is in doubt stays in doubt."""
        return np.arange(boxes.shape[1])

    def take(self, batch: Batch) -> Array:
        """Count boxes whose points are all of one class."""
        alive, decided, number = self._judged(batch)
        self._add(batch.boxes[:, alive & decided], number[alive & decided])
        return alive & ~decided

    def doubtful(self, batch: Batch) -> Array:
        """Return which boxes are in doubt, and take none."""
        alive, decided, _ = self._judged(batch)
        return alive & ~decided

    def take_points(self, points: Array, values: Mapping[str, Array], valid: Array) -> None:
        """Take points."""
        n = int(np.count_nonzero(valid))
        number = np.zeros(n, dtype=np.int64) if self.name is None else self.classify(values[self.name][valid])
        self._add(points[:, valid], number)

    def _judged(self, batch: Batch) -> tuple[Array, Array, Array]:
        """Return which boxes may count, which of them are decided, and for what."""
        n = batch.boxes.shape[1]
        alive, decided, number = ~batch.lost, batch.met.copy(), np.zeros(n, dtype=np.int64)
        if self.name is not None:
            low, high, nan = ends(batch.intervals[self.search.query.outputs[self.name]], n)
            number, upper = self.classify(low), self.classify(high)
            nothing = np.isnan(low)
            alive &= ~nothing
            decided &= (number == upper) & (~nan | (number < 0)) & ~nothing
        return alive, decided, number

    def _add(self, boxes: Array, number: Array) -> None:
        inside = number >= 0
        boxes, number = boxes[:, inside], number[inside]
        group = self.search.bounder.first(boxes) // max(1, self.search.query.group_points)
        np.add.at(self.counts, (group, number), self.search.bounder.size(boxes))
