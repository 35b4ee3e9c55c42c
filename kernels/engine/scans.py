"""Run generated kernels over all rows of a query in a pool of threads: bests, counts, tallies, sieves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from roofcube.kernels.codegen import scan_sources
from roofcube.kernels.codegen.rows import Layout, axes_of_a_row, row_tables_of, terms_of
from roofcube.kernels.codegen.writer import compiled, limit_values
from roofcube.kernels.engine.pool import cut
from roofcube.kernels.pareto.few import dominated_by_each
from roofcube.kernels.query.partials import BestPartial, CountPartial, HistogramPartial, Partial, Sieved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from roofcube.kernels.query.query import Query

__all__ = ["Count", "GroupedScan", "Rows", "Scan", "Sieve", "Tally", "scan_of", "scannable"]

Array = np.ndarray[Any, np.dtype[Any]]
PartialT = TypeVar("PartialT", bound=Partial)
SievedT = TypeVar("SievedT", bound=Sieved)
CELLS = 1 << 16  # what the leading bits of a float tell apart


def scannable(query: Query) -> bool:
    """Check whether a query can be scanned by generated kernels with profit."""
    if not query.space.size or any(limit.one_of == () for limit in query.limits):
        return False
    return Layout.of(query).chunk >= query.tuning.row_worth


class Rows(ABC, Generic[PartialT]):
    """The rows of a query as jobs, with the arguments that every kernel over them takes.

    Parameters
    ----------
    query : Query
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.tables = row_tables_of(query)
        self.layout = self.tables.layout
        self.flat = self.tables.arrays
        self.rows_of_group = self.layout.rows // max(1, query.n_groups)
        self.limits = limit_values(query)
        self.kernel: Callable[..., None]

    def kernel_of(self, write: Callable[[], str], *form: Any) -> Callable[..., None]:
        """Return the kernel whose source is written so; a question of the same form finds it."""
        limits = tuple((limit.name, limit.one_of and len(limit.one_of)) for limit in self.query.limits)
        key = (type(self), self.query.objectives, limits, form)
        if key not in self.tables.kernels:
            self.tables.kernels[key] = compiled(write())
        return self.tables.kernels[key]

    @property
    def job_points(self) -> int:
        """Points of a job: Ctrl-C waits for no more than one a thread."""
        return self.query.tuning.scan_job_points

    @property
    def jobs(self) -> Iterator[range]:
        """Ranges of rows that make a job each, in one thread."""
        return self.jobs_for(1)

    def jobs_for(self, threads: int) -> Iterator[range]:
        """Cut the rows into jobs; where layers are summed, each point takes as many times as long.

        All threads get some, unless so few points are left to each that handing them out would cost more.
        """
        most = self.job_points // (self.layout.chunk * terms_of(self.query))
        least = self.query.tuning.least_job_points // self.layout.chunk
        even = -(-self.layout.rows // (4 * threads)) if threads > 1 else most
        return cut(self.layout.rows, max(1, min(most, max(even, least))))

    def groups(self, rows: range) -> range:
        """Return the groups that rows belong to."""
        return range(rows.start // self.rows_of_group, (rows.stop - 1) // self.rows_of_group + 1)

    @property
    def readiness(self) -> str:
        """How far the kernel is compiled."""
        from roofcube.kernels.compilation import readiness

        return readiness(self.kernel)

    def load(self) -> None:
        """Have the kernel in memory: in the calling thread, for a pool could not be interrupted while it compiles."""
        if self.layout.rows and self.readiness != "loaded":
            self.run(range(1))

    @abstractmethod
    def run(self, rows: range) -> PartialT:
        """Return the partial result of some rows."""

    def finished(self, part: PartialT) -> PartialT:
        """Complete the partial result of all rows."""
        return part


class Scan(Rows[BestPartial]):
    """A compiled scan of one query: largest key, its first point and the number of valid points of each group.

    Parameters
    ----------
    query : Query
        With one objective.
    """

    def __init__(self, query: Query) -> None:
        super().__init__(query)
        self.kernel = self.kernel_of(lambda: scan_sources.scan_source(query, self.tables))

    def run(self, rows: range) -> BestPartial:
        """Scan rows; `first` is only the row in whose tile the maximum lies, until `finished`."""
        part = BestPartial(self.query, self.groups(rows))
        self.kernel(
            rows.start,
            rows.stop,
            self.rows_of_group,
            part.groups.start,
            self.limits,
            part.key,
            part.first,
            part.count,
            *self.flat,
        )
        return part

    def finished(self, part: BestPartial) -> BestPartial:
        """Turn the tile of each maximum into its first point."""
        for place, row in enumerate(part.first.tolist()):
            if row >= 0:
                part.first[place] = self._first(row, part.groups.start + place, part.key[place])
        return part

    def _first(self, row: int, group: int, key: Any) -> int:
        last = min(row + max(1, self.query.tuning.scan_tile // self.layout.chunk), (group + 1) * self.rows_of_group)
        while last - row > 1:
            middle = (row + last) // 2
            part = self.run(range(row, middle))
            row, last = (row, middle) if part.count[0] and part.key[0] == key else (middle, last)
        start, stop = self.layout.start(row), self.layout.stop(row)
        return start + self._place(np.arange(start, stop), key)

    def _place(self, flat: Array, key: Any) -> int:
        query = self.query
        name, sign = query.objectives[0]
        indices = np.unravel_index(flat, query.space.sizes) if query.space.sizes else ()
        values = query.space.at(indices, query.outputs)
        valid = query.valid(values, (len(flat),))
        return int(np.flatnonzero(valid & (values[name] * values[name].dtype.type(sign) == key))[0])


class GroupedScan(Rows[BestPartial]):
    """A compiled scan of a query of many groups: what `Scan` gives, but groups lie side by side in rows.

    Nothing is left to be looked for in each group, and groups of few points fill rows.

    Parameters
    ----------
    query : Query
        With one objective.
    """

    def __init__(self, query: Query) -> None:
        axes, groups = query.space.axes, query.groups
        inside = axes_of_a_row(query, query.group_sizes)
        turned = (*axes[: groups - inside], *axes[groups:], *axes[groups - inside : groups])
        super().__init__(replace(query, space=query.space.reordered(turned), groups=len(axes) - inside))
        self.group_points = query.group_points
        self.kernel = self.kernel_of(lambda: scan_sources.grouped_scan_source(self.query, self.tables))

    def groups(self, rows: range) -> range:
        """Return the groups that rows belong to."""
        rows_of_block, groups_of_block = self.group_points * self.layout.chunks, self.layout.points
        blocks = range(rows.start // rows_of_block, (rows.stop - 1) // rows_of_block + 1)
        return range(blocks.start * groups_of_block, blocks.stop * groups_of_block)

    def run(self, rows: range) -> BestPartial:
        """Scan rows."""
        part = BestPartial(self.query, self.groups(rows))
        first_block = part.groups.start // self.layout.points
        numbers = (rows.start, rows.stop, self.group_points, first_block)
        self.kernel(*numbers, self.limits, part.key, part.first, part.count, *self.flat)
        return part


def scan_of(query: Query) -> Rows[BestPartial]:
    """Return the scan that suits a query: many groups side by side, or one after the other."""
    return (GroupedScan if query.n_groups >= query.tuning.many_groups else Scan)(query)


class Tally(Rows[HistogramPartial]):
    """A compiled histogram of one query's output.

    Parameters
    ----------
    query : Query
    name : str
        The output that is counted.
    edges : array
        Ascending; each bin includes its low edge, the last one both.
    """

    def __init__(self, query: Query, name: str, edges: Array) -> None:
        super().__init__(query)
        self.name = name
        self.given = edges
        self.kernel = self.kernel_of(lambda: scan_sources.tally_source(query, self.tables, name), name)
        kind = np.dtype(query.space.dtype)
        with np.errstate(over="ignore"):  # nothing but infinity follows the largest number
            self.edges = edges.astype(kind)
            above = np.nextafter(self.edges, kind.type(np.inf))
        # what is at or above an edge is at or above the next number that there is; what equals the last one is inside
        rises = self.edges < edges
        rises[-1:] |= self.edges[-1:] == edges[-1:]
        self.edges = np.where(rises, above, self.edges)
        self.keys = ordered_bits(np.append(self.edges, kind.type(np.nan)))
        self.opens, self.closes = cells(self.edges)
        self.ways = query.tuning.tally_ways if len(edges) <= query.tuning.tally_many_edges else 1

    @property
    def job_points(self) -> int:
        """Points of a job."""
        return self.query.tuning.tally_job_points

    def counts(self, rows: range) -> Array:
        """Count rows: shape (groups, bins)."""
        groups = self.groups(rows)
        # below the first edge, the bins, above the last edge, not valid
        counts = np.zeros((len(groups), len(self.edges) + 2), dtype=np.int64)
        numbers = (rows.start, rows.stop, self.rows_of_group, groups.start)
        self.kernel(*numbers, self.limits, self.keys, self.opens, self.closes, self.ways, counts, *self.flat)
        if np.isposinf(self.given[-1]):
            counts[:, -3] += counts[:, -2]  # nothing follows infinity, so what equals it was above the last edge
        return counts[:, 1:-2]

    def run(self, rows: range) -> HistogramPartial:
        """Count rows."""
        part = HistogramPartial(self.query, self.groups(rows), self.name, self.given)
        part.counts += self.counts(rows)
        return part


class Count(Rows[CountPartial]):
    """A compiled count of one query's valid points.

    Parameters
    ----------
    query : Query
        With a limit, where no output is given.
    by : str, optional
        An output whose codes are counted apart.
    codes : sequence of float
    """

    def __init__(self, query: Query, by: str | None = None, codes: Sequence[float] = ()) -> None:
        super().__init__(query)
        self.by = by
        self.codes = np.asarray(codes, dtype=query.space.dtype)
        n = max(1, len(codes))
        self.kernel = self.kernel_of(lambda: scan_sources.count_source(query, self.tables, by, n), by, n)

    def run(self, rows: range) -> CountPartial:
        """Count rows."""
        part = CountPartial(self.query, self.groups(rows), self.by, self.codes.tolist())
        numbers = (rows.start, rows.stop, self.rows_of_group, part.groups.start)
        self.kernel(*numbers, self.limits, self.codes, part.counts, *self.flat)
        return part


class Sieve(Rows[SievedT]):
    """A compiled sieve of one query's points for a partial that only some of the best belong to.

    Parameters
    ----------
    query : Query
        Without groups.
    start : callable
        Starts an empty partial for a range of groups.

    Notes
    -----
    What the kernel compares points with are real points' costs, so nothing that they dominate is ever lost; they are
    chosen to dominate as much as possible of a sample, and chosen anew after every job.
    """

    def __init__(self, query: Query, start: Callable[[range], SievedT]) -> None:
        super().__init__(query)
        self.start = start
        self.kernel = self.kernel_of(lambda: scan_sources.sieve_source(query, self.tables))
        # each point once: a top counts its points
        flat = np.unique(np.linspace(0, query.space.size - 1, query.tuning.sieve_sample).astype(np.int64))
        indices = np.unravel_index(flat, query.space.sizes) if query.space.sizes else ()
        values = query.space.at(indices, query.outputs)
        valid = query.valid(values, (len(flat),))
        kind = np.dtype(query.space.dtype)
        self.sample = np.stack([values[name][valid] * kind.type(-sign) for name, sign in query.objectives], axis=1)
        self.vectors = np.zeros((0, len(query.objectives)), dtype=kind)
        part = self.start(range(1))
        part.absorb(flat[valid], self.sample)
        self.learn(part)

    @property
    def job_points(self) -> int:
        """Points of a job."""
        return self.query.tuning.sieve_job_points

    def learn(self, part: SievedT) -> None:
        """Choose what to compare points with."""
        found = part.sentinels()
        pool = np.concatenate([self.vectors, found[:: 1 + len(found) // self.query.tuning.sieve_pool]])
        covers = dominated_by_each(pool, self.sample)
        left = np.ones(len(self.sample), dtype=bool)
        chosen: list[int] = []
        while len(pool) and len(chosen) < self.query.tuning.sieve_vectors:
            gains = np.count_nonzero(covers & left, axis=1)
            best = int(gains.argmax())
            if not gains[best]:
                break
            chosen.append(best)
            left &= ~covers[best]
        self.vectors = pool[chosen]

    def run(self, rows: range) -> SievedT:
        """Sieve rows."""
        part = self.start(range(1))
        room = self.query.tuning.sieve_candidates
        index = np.empty(room, dtype=np.int64)
        costs = np.empty((room, self.vectors.shape[1]), dtype=self.vectors.dtype)
        found = np.array([0, rows.start])
        while found[1] < rows.stop:
            self.kernel(int(found[1]), rows.stop, self.limits, self.vectors, index, costs, found, *self.flat)
            part.absorb(index[: found[0]], costs[: found[0]])
            self.learn(part)
        return part


def ordered_bits(edges: Array) -> Array:
    """Return integers that compare as the floats do: both zeros are that of -0.0, and NaN is just above infinity.

    Examples
    --------
    >>> import numpy as np
    >>> keys = ordered_bits(np.array([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan], dtype="f4"))
    >>> np.diff(keys) > 0
    array([ True,  True, False,  True,  True,  True])
    """
    integer = np.dtype(f"i{edges.dtype.itemsize}")
    bits = np.where(edges == 0, edges.dtype.type(-0.0), edges).view(integer)
    keys = bits ^ ((bits >> (8 * integer.itemsize - 1)) & np.iinfo(integer).max)
    infinity = np.array(np.inf, dtype=edges.dtype).view(integer)[()]
    return np.asarray(np.where(np.isnan(edges), infinity + integer.type(1), keys))


def cells(edges: Array) -> tuple[Array, Array]:
    """Say, for each cell of floats that share their leading bits, the edges at or below its lowest and its highest.

    NaN is above everything: its number is that of the edges plus one.

    Examples
    --------
    >>> import numpy as np
    >>> opens, closes = cells(np.array([1.0, 2.0], dtype="f4"))
    >>> cell = (np.array([1.5], dtype="f4").view("i4") >> 16) + 32768
    >>> opens[cell], closes[cell]
    (array([1], dtype=int32), array([1], dtype=int32))
    """
    width = 8 * edges.dtype.itemsize
    integer = np.dtype(f"i{edges.dtype.itemsize}")
    rest = integer.type((1 << (width - 1)) - 1)
    infinity = np.array(np.inf, dtype=edges.dtype).view(integer)[()]
    first = (np.arange(CELLS, dtype=integer) - CELLS // 2) << (width - 16)
    last = first | integer.type((1 << (width - 16)) - 1)
    # the cells of the infinities also hold the bits of some NaN, which are never asked for
    ends = [np.clip(ordered, ~infinity, infinity) for ordered in (first, last)]
    values = [(ordered ^ ((ordered >> (width - 1)) & rest)).view(edges.dtype) for ordered in ends]
    numbers = [np.searchsorted(edges, value, side="right").astype(np.int32) for value in values]
    opens, closes = (np.where(first > infinity, np.int32(len(edges) + 1), number) for number in numbers)
    return opens, closes
