"""What was fitted, and the figures that follow from it: rows given as indices in, arrays out; knows no tables.

`Calibration` is its face: it reads labels and writes tables. What keeps, tabulates or extends a calibration works on
this record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from roofcube.calibration.facts import with_facts
from roofcube.calibration.fitting.families import FittedFamilies, leave_networks_out, one_thread, unseen_kin
from roofcube.calibration.fitting.intervals import Intervals, Scores, anywhere, cautious
from roofcube.calibration.measured import fastest
from roofcube.calibration.rows import IndexedRows, distinct
from roofcube.calibration.trust import Reach, reaches, unlike
from roofcube.wording import plain_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import xarray as xr

    from roofcube.calibration.facts import Facts
    from roofcube.calibration.measured import Measured

__all__ = ["Fitted"]

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learnt from measured rows.

    Attributes
    ----------
    facts : Facts
        Hardware and networks that it knows.
    data : Measured
        The rows it was made from.
    engine : FittedFamilies
        What was fitted.
    name : str
        Its label along the dim `assumptions`.
    own_labels : dict
        The label along each dim of the user's own, such as a context, that its rows are of.
    """

    facts: Facts
    data: Measured
    engine: FittedFamilies
    name: str = "calibrated"
    stored_scores: dict[str, Scores] | None = field(default=None, repr=False)
    own_labels: dict[str, Any] = field(default_factory=dict)

    def columns(self, rows: IndexedRows, interval: Array, level: float | None) -> dict[str, Array]:
        """Predict rows given as indices, each distinct one once; NaN (for the flag `bound`: none) where refused."""
        first, inverse = distinct(rows.hardware, rows.network, rows.batch, np.nan_to_num(interval, nan=-1.0))
        some, period = rows.take(first), interval[first]
        # the number of threads decides how sums are ordered, so it is part of the result
        with one_thread():
            seconds = self.engine.log_time(some, period)
            half = np.full(len(first), np.nan) if level is None else self._half_width(some, period, level)
            watts = np.exp(self.engine.log_power(some, seconds))
        rate = some.batch * np.exp(-seconds)
        columns = {
            "predicted_throughput": rate,
            "low": rate * np.exp(-half),
            # no faster than any row that is believed
            "high": np.maximum(rate, np.minimum(rate * np.exp(half), fastest(some))),
            "predicted_latency": np.exp(seconds),
            "power": watts,
            "predicted_energy": watts / rate,
            "bound": self.engine.binding(some, period),
        }
        return {name: values[inverse] for name, values in columns.items()}

    def _half_width(self, rows: IndexedRows, interval: Array, level: float) -> Array:
        half = np.full(len(rows), np.nan)
        family = rows.family()
        for name in self.engine.families:
            here = np.flatnonzero((family == name) & rows.known & (rows.batch > 0))
            if len(here):
                half[here] = self._half_width_of(name, self.intervals[name], rows.take(here), level)
        half[self.engine.flows(rows, interval)] = self.engine.fill.half_width(level)
        return half

    def _half_width_of(self, family: str, intervals: Intervals, rows: IndexedRows, level: float) -> Array:
        """Return widths of rows of one family; errors on its networks do not reach to other hardware or other kinds."""
        model = self.engine.families[family]
        deviation = model.deviation(rows)
        known = self.data.rows.take(np.flatnonzero(self.data.usable & (self.data.rows.family() == family)))
        half = intervals.half_width(deviation, level, unseen_kin(known, rows))
        hardware, kind = unlike(model, self.reach[family], rows)
        strange = np.maximum(half, cautious(deviation, level))
        half = np.where(kind, np.maximum(strange, anywhere(level)), np.where(hardware, strange, half))
        # no efficiency is less than the least known nor more than 1
        return np.minimum(half, anywhere(1.0))

    def facts_with(self, inputs: xr.Dataset | None) -> Facts:
        """Return its facts and those of inputs, as `with_facts` has it."""
        measured = np.unique(self.data.rows.hardware[self.data.usable]).tolist()
        return with_facts(self.facts, inputs, measured={self.data.rows.machines[one].key for one in measured})

    def is_of_others(self, inputs: xr.Dataset | None) -> bool:
        """Check whether inputs hold only other labels of one's own, such as a context, than its rows are of."""
        told = {} if inputs is None else {dim: inputs[dim].values for dim in self.own_labels if dim in inputs.coords}
        return any(self.own_labels[dim] not in plain_values(np.atleast_1d(labels)) for dim, labels in told.items())

    @cached_property
    def mistaken(self) -> Array:
        """True for rows that were given to the fit and do not count: likelier mistaken than measured."""
        wrong = np.zeros(len(self.data), dtype=bool)
        for name, index in self.data.by_family():
            usable = index[self.data.usable[index]]
            if name in self.engine.families and len(usable):
                wrong[usable] = self.engine.families[name].wrong
        return wrong

    @cached_property
    def used(self) -> Measured:
        """The rows that count: neither left out by rule nor taken for mistakes."""
        return self.data.take(np.flatnonzero(self.data.usable & ~self.mistaken))

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        """Errors on left-out networks per family, which the intervals come from; computed once, when first needed."""
        if self.stored_scores is not None:
            return self.stored_scores
        return _WhenAsked(self.engine.families, self._scores_of)

    def _scores_of(self, family: str) -> Scores:
        others = {other: model for other, model in self.engine.families.items() if other != family}
        index = np.flatnonzero(self.data.rows.family() == family)
        with one_thread():
            return leave_networks_out(self.data, index, others, family, self.engine.families[family])

    @cached_property
    def intervals(self) -> Mapping[str, Intervals]:
        """Widths of the intervals per family."""
        return _WhenAsked(self.engine.families, self._intervals_of)

    def _intervals_of(self, family: str) -> Intervals:
        return Intervals(self.scores[family], _Others(self.scores, family))

    @cached_property
    def reach(self) -> dict[str, Reach]:
        """What the rows of each family cover."""
        return reaches(self.used)


class _WhenAsked(Mapping[str, T]):
    """Values by name, each computed once, when it is asked for: fifty boards take as many times what one does."""

    def __init__(self, names: Iterable[str], compute: Callable[[str], T]) -> None:
        self._names, self._compute, self._known = dict.fromkeys(names), compute, dict[str, T]()

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._compute(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class _Others:
    """The values of all names but one."""

    every: Mapping[str, Scores]
    name: str

    def __iter__(self) -> Iterator[Scores]:
        return (self.every[other] for other in self.every if other != self.name)
