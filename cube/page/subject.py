"""What a page is about: the cube and, where its rows are the embedded ones, what is known of each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from roofcube import datasets
from roofcube.explorer.cells import title_of
from roofcube.measured.join import benchmark, join, unmatched
from roofcube.measured.physics_gate import check
from roofcube.variables import QUALITY
from roofcube.wording import task_title

if TYPE_CHECKING:
    import polars as pl
    import xarray as xr

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """A cube, its task, and the rows it was joined with where those are the embedded ones."""

    cube: xr.Dataset
    title: str
    task: str | None = None
    rows: pl.DataFrame | None = None
    traces: pl.DataFrame | None = field(default=None)

    @cached_property
    def findings(self) -> pl.DataFrame | None:
        """The lines of the physics gate on the rows; None where the rows are not at hand."""
        return None if self.rows is None else check(self.rows, traces=self.traces)

    @cached_property
    def unmatched(self) -> pl.DataFrame | None:
        """The rows that found no cell, with the reason."""
        return None if self.rows is None else unmatched(self.cube, self.rows)

    @property
    def file_stem(self) -> str:
        """Name for the files of this page."""
        words = self.task or self.title
        return "roofcube-" + "".join(letter if letter.isalnum() else "-" for letter in words.lower()).strip("-")[:60]

    def has(self, *names: str) -> bool:
        """Check whether the cube holds these variables, with at least one value each."""
        return all(name in self.cube and bool(self.cube[name].notnull().any()) for name in names)

    def flagged(self, *rules: str) -> xr.DataArray:
        """Mask the cells that break any of these rules (all rules where none is named)."""
        mask = sum(QUALITY[rule] for rule in (rules or QUALITY))
        return (self.cube["quality"] & mask) != 0


def subject_of(task_or_cube: str | xr.Dataset, title: str | None) -> Subject:
    """Find out what a page is about."""
    cube = benchmark(task_or_cube) if isinstance(task_or_cube, str) else task_or_cube
    task = cube.attrs.get("task")
    rows = _embedded_rows(cube, task)
    named = f"{task_title(str(task))} on real hardware" if rows is not None else title_of(cube)
    traces = None
    if rows is not None:
        every = datasets.load_power_traces()
        # idle runs carry no network and stay with the others
        traces = every if every["topology"].is_in(cube["topology"].values.tolist()).any() else None
    return Subject(cube, title or named, task, rows, traces)


def _embedded_rows(cube: xr.Dataset, task: str | None) -> pl.DataFrame | None:
    """Return the embedded measurements of the task where they are what the cube holds."""
    if task not in datasets.tasks() or "n_rows" not in cube:
        return None
    rows = datasets.load_measurements(task)
    again = join(cube, rows)
    same = all(
        np.array_equal(cube[name].values, again[name].values, equal_nan=True)
        for name in ("n_rows", "measured_throughput", "power_full")
    )
    return rows if same else None
