"""A sweep as the explorer asks it: every number is a question to the engine; nothing is stored but a small sample."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from math import prod
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.explorer.answers import LATENCIES, MOST_CELLS, Answer, AtLatency, Grid, Step, limits_of, where_of
from roofcube.explorer.categories import MOST_LABELS, Category, label_text, shown_labels, spaced
from roofcube.explorer.rows import Rows
from roofcube.explorer.stored import latency_of
from roofcube.model.made import EXTRAPOLATES
from roofcube.sweep.answers.points import as_points
from roofcube.sweep.stopping import stoppable
from roofcube.vocabulary import sense_of
from roofcube.wording import counted, plain_values, title_of, unit_for, with_thousands

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roofcube.explorer.state import View
    from roofcube.kernels.budget import Stop
    from roofcube.sweep.sweep import Sweep
    from roofcube.vocabulary import Sense

__all__ = ["SweptSource"]

Array = np.ndarray[Any, np.dtype[Any]]
SAMPLE = 1_000  # points that stand for all: what they take to send and draw is half of what a reader waits for
MOST_GROUPS = 1_024  # labels along a dim that are counted one by one
FINEST = 90_000  # cells of a heatmap
BARS = 24
REMEMBERED = 4  # answers of the engine


class SweptSource:
    """A sweep; a sample of its points stands for all in the trade-off, counts and fronts are exact."""

    kinds: tuple[str, ...] = ("predicted",)
    careful = False

    def __init__(self, sweep: Sweep) -> None:
        if not sweep.size:
            msg = "`cube`: expected a sweep with points, got one without; give every dim a label"
            raise InvalidDataError(msg)
        self.cube = sweep
        inputs = sweep.inputs
        self.title = f"{title_of(inputs)}: a sweep of {counted(sweep.size, 'point')}"
        self._extents: dict[str, tuple[float, float]] = {}
        self._results: OrderedDict[Any, tuple[Any, ...]] = OrderedDict()
        self._lock = RLock()

    # what there is --------------------------------------------------------------------------------------------------

    @cached_property
    def _sample(self) -> xr.Dataset:
        """An even sample of the whole space, the same each time."""
        context = self.cube.context
        generator = np.random.default_rng(0)
        count = min(SAMPLE, context.size)
        if context.size <= SAMPLE:
            flat = np.arange(context.size)
            return as_points(context, list(np.unravel_index(flat, tuple(context.sizes.values()))))
        return as_points(context, [generator.integers(0, size, count) for size in context.sizes.values()])

    @cached_property
    def _measures(self) -> list[str]:
        sample = Rows(self._sample, ("point",), np.arange(self._sample.sizes["point"]), (), self.cube.dims)
        names = [name for name in sample.numbers if name in self.cube.context.outputs and name not in self._coords]
        varying = [name for name in names if len(np.unique(sample.column(name))) > 1] or names
        first = [name for name in varying if name.startswith("predicted_") or name == "top1"]
        return first + [name for name in varying if name not in first]

    @property
    def _coords(self) -> dict[str, Any]:
        return self.cube.context.coords

    def measures(self, kind: str) -> list[str]:  # noqa: ARG002
        """Name the variables that can be an objective or an axis."""
        return self._measures

    def numbers(self, kind: str) -> list[str]:
        """Name the variables that a limit can be on."""
        return [*self._measures, *self.ranges(kind)]

    @cached_property
    def _categories(self) -> dict[str, Category]:
        made = {}
        for name, variable in self._coords.items():
            labels = self.cube.context.label_arrays[name]
            texts = [label_text(label) for label in plain_values(labels)] if variable.ndim == 1 else []
            numeric = labels.dtype.kind in "iuf"
            beside = numeric and name not in self.cube.dims
            if len(set(texts)) < 2 or beside or len(set(texts)) > (MOST_LABELS if numeric else MOST_GROUPS):
                continue
            keys = list(dict.fromkeys(texts))
            label_of = dict(zip(texts, plain_values(labels), strict=True))
            number_of = {text: number for number, text in enumerate(keys)}
            places = np.array([number_of[text] for text in texts], dtype=np.intp)
            chosen = [label_of[text] for text in keys]
            shown = shown_labels(chosen, self.unit(name))
            made[name] = Category(name, chosen, keys, shown, str(variable.dims[0]), places)
        order = [name for name in self.cube.dims if name in made]
        return {name: made[name] for name in [*order, *(name for name in made if name not in order)]}

    def categories(self, kind: str) -> dict[str, Category]:  # noqa: ARG002
        """Return everything whose labels can be chosen."""
        return self._categories

    def ranges(self, kind: str) -> list[str]:  # noqa: ARG002
        """Name the dims of which a range is chosen."""
        numeric = [name for name in self.cube.dims if name in self._coords and self._coords[name].dtype.kind in "iuf"]
        return [name for name in numeric if name not in self._categories and self.cube.sizes[name] > 1]

    def sense(self, name: str) -> Sense:
        """Return which way of a variable is better."""
        return "min" if sense_of(name, self.cube.context.attributes(name)) == "min" else "max"

    def unit(self, name: str) -> str:
        """Return the SI unit of a variable."""
        coordinate = self._coords.get(name)
        if coordinate is not None:
            return str(coordinate.attrs.get("units", ""))
        unit = str(self.cube.context.attributes(name).get("units", ""))
        return unit_for(self.cube.inputs, unit)

    def extent(self, kind: str, name: str) -> tuple[float, float]:  # noqa: ARG002
        """Return the least and the largest value of a variable."""
        if name in self._coords:
            labels = self.cube.context.label_arrays[name]
            return float(labels.min()), float(labels.max())
        if name not in self._extents:
            ends = [float(self.cube.best(name, sense=sense)[name]) for sense in ("min", "max")]
            self._extents[name] = (ends[0], ends[1])
        return self._extents[name]

    def anchored(self, view: View, names: Iterable[str]) -> dict[str, Any]:
        """Return what keeps a question on variables to points that can run, where neither they nor the limits do."""
        results = {name for name in self._measures if name.startswith("predicted_")}
        if not results or {*names, *view.limits} & results:
            return {}
        return {sorted(results)[-1]: (float("-inf"), None)}

    def hidden(self, kind: str) -> dict[str, Any]:  # noqa: ARG002
        """Return the limits that leave out what is doubtful."""
        hidden: dict[str, Any] = {"infeasible": ["feasible"]} if "infeasible" in self.cube.context.outputs else {}
        return {**hidden, EXTRAPOLATES: (None, 0.5)} if EXTRAPOLATES in self.cube.context.outputs else hidden

    def asked_of(self, stop: Stop | None = None) -> Sweep:
        """Return the sweep, which ends its work once a flag is set."""
        return self.cube if stop is None else stoppable(self.cube, stop)

    def script(self, kind: str, *, anchored: bool) -> str:  # noqa: ARG002
        """Write nothing: the cube is the sweep."""
        return ""

    # answers --------------------------------------------------------------------------------------------------------

    def ask(self, view: View, stop: Stop | None = None) -> Answer:
        """Answer for all views; the latest answers of the engine are remembered."""
        with self._lock:
            results = self._results.get(view.asked)
        if results is None:
            results = self._asked(view, stop)
            with self._lock:
                self._results[view.asked] = results
                while len(self._results) > REMEMBERED:
                    self._results.popitem(last=False)
        front, best, steps, left, doubtful, counts, bars = results
        rows, inside, order, winner = self._rows(view, front, best)
        sampled = min(SAMPLE, self.cube.size) if self.cube.size > SAMPLE else 0
        drawn = np.arange(rows.size)
        return Answer(
            rows, self.cube.size, steps, left, order, winner, inside, drawn, doubtful, counts, bars, None, sampled
        )

    def _asked(self, view: View, stop: Stop | None) -> tuple[Any, ...]:
        """Ask the engine: the front and the best first, then counts."""
        sweep, conditions = self.asked_of(stop), limits_of(view, self)
        axes = dict.fromkeys([view.x, view.y])
        front = sweep.pareto({name: self.sense(name) for name in axes}, where=where_of(view, self, axes))
        where = where_of(view, self, [view.objective])
        best = sweep.best(view.objective, where=where, sense=self.sense(view.objective))
        known = {name: (float("-inf"), None) for name in (view.x, view.y) if name not in conditions}
        steps, left, so_far = [], sweep.size, {}
        for name, condition in {**conditions, **self.anchored(view, axes), **known}.items():
            so_far[name] = condition
            now = int(sweep.count(where=so_far)["count"])
            words = f"no {spaced(name)}" if name not in conditions else spaced(name)
            steps.append(Step(name, "in doubt" if name in self.hidden(view.kind) else words, left - now))
            left = now
        hidden = self.hidden(view.kind)
        doubtful = left - int(sweep.count(where={**so_far, **hidden})["count"]) if hidden else 0
        counts, bars = self._counts(sweep, so_far), self._bars(sweep, view, so_far)
        return front, best, tuple(steps), left, doubtful, counts, bars

    def _counts(self, sweep: Sweep, where: dict[str, Any]) -> dict[str, Array]:
        """Count the points of each label that all other conditions leave."""
        counts = {}
        for name, category in self._categories.items():
            others = {key: limit for key, limit in where.items() if key != name}
            answer = sweep.count(where=others, per=name)
            number = np.zeros(len(category.labels), dtype=np.int64)
            labels = plain_values(answer[name].values)
            for label, count in zip(labels, answer["count"].values.tolist(), strict=True):
                number[category.number_of[label_text(label)]] = count
            counts[name] = number
        return counts

    def _bars(self, sweep: Sweep, view: View, where: dict[str, Any]) -> dict[str, Array]:
        """Count points along a dim in equal steps of its places, as all other conditions leave them."""
        bars = {}
        for name in self.ranges(view.kind):
            if self.cube.sizes[name] > MOST_GROUPS:
                continue
            others = {key: limit for key, limit in where.items() if key != name}
            counts = sweep.count(where=others, per=name)["count"].values
            steps = np.arange(counts.size) * BARS // counts.size
            labels = np.maximum(np.bincount(steps, minlength=BARS), 1)
            bars[name] = np.rint(np.bincount(steps, weights=counts, minlength=BARS) / labels).astype(np.int64)
        return bars

    def _rows(self, view: View, front: xr.Dataset, best: xr.Dataset) -> tuple[Rows, Array, Array, int]:
        """Put the front, the best and the sample into one table of rows, each point once."""
        parts = [front.drop_vars("n_ties", errors="ignore")]
        if bool(best["found"]):
            parts.append(best.drop_vars("found"))
        chosen = self._of_ids([*view.selected, *view.pinned])
        parts += [chosen] if chosen is not None else []
        parts.append(self._sample)
        names = [name for name in self._sample.variables if all(name in part for part in parts)]
        columns = {
            name: xr.Variable(
                "point", np.concatenate([np.atleast_1d(part[name].values) for part in parts]), self._sample[name].attrs
            )
            for name in names
            if self._sample[name].ndim
        }
        labels = {str(name): columns.pop(name) for name in list(columns) if name in self._sample.coords}
        attrs = {**self._sample.attrs, "dim_order": " ".join(self.cube.dims)}
        joined = xr.Dataset(columns, labels, attrs)
        rows = Rows(joined, ("point",), np.arange(joined.sizes["point"]), ("predicted_throughput",), self.cube.dims)
        first: dict[str, int] = {}
        ids = rows.ids(rows.flat)
        numbers = np.array([first.setdefault(name, number) for number, name in enumerate(ids)], dtype=np.int64)
        unique = np.flatnonzero(numbers == np.arange(rows.size))
        rows = Rows(
            joined.isel(point=unique), ("point",), np.arange(unique.size), ("predicted_throughput",), self.cube.dims
        )
        place_of = {ids[number]: place for place, number in enumerate(unique.tolist())}
        count = front.sizes["point"]
        order = np.array([place_of[name] for name in ids[:count]], dtype=np.int64)
        winner = place_of[ids[count]] if bool(best["found"]) else -1
        order = order[np.argsort(rows.column(view.x)[order], kind="stable")] if count else order
        return rows, self._inside(rows, view), order, winner

    def _inside(self, rows: Rows, view: View) -> Array:
        """Return which of some rows meet the conditions."""
        inside = ~(np.isnan(rows.column(view.x)) | np.isnan(rows.column(view.y)))
        for name, (low, high) in view.limits.items():
            values = rows.column(name)
            inside &= (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
        for name, labels in view.keep.items():
            texts = np.array([label_text(label) for label in plain_values(rows.values(name))], dtype=object)
            inside &= np.isin(texts, [label_text(label) for label in labels])
        return inside & ~rows.doubtful if view.hide_doubts else inside

    # single points --------------------------------------------------------------------------------------------------

    def _of_ids(self, ids: list[str]) -> xr.Dataset | None:
        """Evaluate the points of ids; None where no id is known."""
        points = []
        for name in dict.fromkeys(ids):
            texts = [unquote(part) for part in name.split("~")]
            if len(texts) == len(self.cube.dims):
                point = [self._place(dim, text) for dim, text in zip(self.cube.dims, texts, strict=True)]
                points += [point] if None not in point else []
        if not points:
            return None
        return as_points(self.cube.context, [np.array(column, dtype=np.int64) for column in zip(*points, strict=True)])

    def _place(self, dim: str, text: str) -> int | None:
        """Return the place of a label along a dim, which may have a million; None where it is not there."""
        if dim not in self._coords:
            return int(text) if text.isdigit() and int(text) < self.cube.sizes[dim] else None
        labels = self.cube.context.label_arrays[dim]
        if labels.dtype.kind not in "iuf":
            matches = [place for place, label in enumerate(plain_values(labels)) if label_text(label) == text]
            return matches[0] if matches else None
        try:
            equal = np.flatnonzero(labels == float(text))
        except ValueError:
            return None
        return int(equal[0]) if equal.size else None

    def find(self, kind: str, ids: list[str]) -> list[str]:  # noqa: ARG002
        """Return the ids that no point has."""
        return [name for name in ids if self._of_ids([name]) is None]

    def selection(self, view: View) -> xr.Dataset:
        """Return what is selected, as points."""
        chosen = self._of_ids(view.selected)
        return self._sample.isel(point=slice(0)) if chosen is None else chosen

    # other views ----------------------------------------------------------------------------------------------------

    def grid(self, view: View, stop: Stop | None = None) -> Grid:
        """Return the best of each pair of labels of the dims on the axes of the heatmap."""
        sweep, names = self.asked_of(stop), list(dict.fromkeys([view.rows, view.columns]))
        cells = prod(self._axis_length(name) for name in names)
        if cells > FINEST:
            msg = f"a heatmap of {with_thousands(cells)} cells is too fine to see; choose other labels for its axes"
            raise InvalidDataError(msg)
        where = where_of(view, self, [view.objective])
        best = sweep.best(view.objective, per=names, where=where, sense=self.sense(view.objective))
        best = best.transpose(*names)
        values = np.where(best["found"], best[view.objective].values.astype("f8"), np.nan)
        columns = [
            np.broadcast_to(np.asarray(best[dim].broadcast_like(best["found"])), values.shape) for dim in sweep.dims
        ]
        flat = Rows(
            xr.Dataset(
                coords={dim: ("point", part.reshape(-1)) for dim, part in zip(sweep.dims, columns, strict=True)}
            ),
            ("point",),
            np.arange(values.size),
            (),
            sweep.dims,
        )
        won = np.isfinite(values.reshape(-1))
        texts = np.full(values.size, "", dtype=object)
        if values.size <= MOST_CELLS:
            texts[won] = flat.names(np.flatnonzero(won))
        axes = [[label_text(label) for label in plain_values(best[name].values)] for name in names]
        shape = values.shape if len(names) > 1 else (values.size, 1)

        def id_at(row: int, column: int) -> str:
            number = row * shape[1] + column
            return flat.ids(np.array([number]))[0] if won[number] else ""

        columns_shown = axes[1] if len(names) > 1 else [""]
        return Grid(axes[0], columns_shown, values.reshape(shape), texts.reshape(shape), id_at)

    def _axis_length(self, name: str) -> int:
        return len(self._categories[name].texts) if name in self._categories else self.cube.sizes[name]

    def at_latency(self, view: View, stop: Stop | None = None) -> AtLatency | None:
        """Return the best objective within each latency; None where no latency is known."""
        sweep = self.asked_of(stop)
        latency = latency_of(self._measures, view.objective)
        dim = next((name for name in ("platform", *self._categories) if name in self._categories), "")
        if not latency or not dim:
            return None
        where = {name: limit for name, limit in limits_of(view, self).items() if name not in (latency, dim)}
        category, largest = self._categories[dim], self.sense(view.objective)
        cells = np.full((len(category.labels), len(LATENCIES)), np.nan)
        chosen = {dim: list(view.keep[dim])} if dim in view.keep else {}
        for number, limit in enumerate(LATENCIES):
            best = sweep.best(view.objective, per=dim, where={**where, **chosen, latency: (None, limit)}, sense=largest)
            values = np.where(best["found"], best[view.objective].values.astype("f8"), np.nan)
            for label, value in zip(plain_values(best[dim].values), values.tolist(), strict=True):
                cells[category.number_of[label_text(label)], number] = value
        return AtLatency(dim, category.shown, category.texts, cells)
