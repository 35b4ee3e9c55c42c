"""Run generated scans over all rows of a query in a pool of threads: largest key, its first point and a count."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from roofcube.kernels import codegen
from roofcube.kernels.partials import BestPartial

if TYPE_CHECKING:
    from roofcube.kernels.query import Query

__all__ = ["Scan", "scan_of", "scannable"]

Array = np.ndarray[Any, np.dtype[Any]]
JOB_POINTS = 1 << 27  # about 20 ms: Ctrl-C waits for no more than one job a thread
LEAST_ROW = 32  # points of a row below which NumPy tiles are as fast


def scannable(query: Query) -> bool:
    """Tell whether a query can be scanned by generated kernels with profit."""
    if not query.space.size or any(limit.one_of is not None for limit in query.limits):
        return False
    return codegen.Layout.of(query).chunk >= LEAST_ROW


class Scan:
    """A compiled scan of one query.

    Parameters
    ----------
    query : Query
        With one objective.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.tables = codegen.RowTables(query)
        self.layout = self.tables.layout
        self.source = codegen.scan_source(query, self.tables)
        self.kernel = codegen.compiled(self.source)
        self.flat = [self.tables.flat(node) for node in self.tables.leaves]
        self.rows_of_group = self.layout.rows // max(1, query.n_groups)
        kind = np.dtype(query.space.dtype)
        self.limits = np.array([[-np.inf, np.inf]] * max(1, len(query.limits)), dtype=kind)
        for number, limit in enumerate(query.limits):
            low, high, _ = limit.rounded(kind)
            self.limits[number] = (-np.inf if low is None else low, np.inf if high is None else high)

    @cached_property
    def jobs(self) -> list[range]:
        """Ranges of rows that make a job each."""
        step = max(1, JOB_POINTS // self.layout.chunk)
        return [range(k, min(k + step, self.layout.rows)) for k in range(0, self.layout.rows, step)]

    def groups(self, rows: range) -> range:
        """Give the groups that rows belong to."""
        return range(rows.start // self.rows_of_group, (rows.stop - 1) // self.rows_of_group + 1)

    def run(self, rows: range) -> BestPartial:
        """Scan rows; `first` is only the row in whose tile the maximum lies, until `located`."""
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

    def located(self, part: BestPartial) -> BestPartial:
        """Turn the tile of each maximum into its first point."""
        for place, row in enumerate(part.first.tolist()):
            if row >= 0:
                part.first[place] = self._first(row, part.groups.start + place, part.key[place])
        return part

    def _first(self, row: int, group: int, key: Any) -> int:
        last = min(row + max(1, codegen.TILE // self.layout.chunk), (group + 1) * self.rows_of_group)
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


_scans: WeakKeyDictionary[Query, Scan] = WeakKeyDictionary()


def scan_of(query: Query) -> Scan:
    """Prepare the scan of a query, or find it prepared."""
    scan = _scans.get(query)
    if scan is None:
        scan = _scans[query] = Scan(query)
    return scan
