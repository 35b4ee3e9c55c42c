"""What a page is about: the cube and, where its rows are the embedded ones, what is known of each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.datasets.embedded import collection_of, entry_name
from roofcube.errors import check_kind
from roofcube.inert import inert_label, with_inert_labels
from roofcube.labels import check_labels_apart, is_judged, whole_flags
from roofcube.measured.join import benchmark, holds, located, unmatched
from roofcube.measured.physics_gate import check
from roofcube.model.assumptions import BOUND, PUBLISHED
from roofcube.model.hardware import check_convertible, in_known_units
from roofcube.model.offered import as_product, is_offered
from roofcube.options import check_fits
from roofcube.page.selection import Selection, selection_of
from roofcube.plot.drawing.tables import EVERY, one_model
from roofcube.vocabulary import DIMS, MEASURED_POWER, MEASURED_SPEED, QUALITY
from roofcube.wording import listed, task_title, title_of

__all__ = ["Subject", "own_figures", "subject_of"]

MEASURED = MEASURED_SPEED | MEASURED_POWER
PASSES = 4  # times a cube that its figures, counts and tables take


@dataclass(frozen=True)
class Subject:
    """A cube, its task, and the rows it was joined with where those are the embedded ones.

    Attributes
    ----------
    cube : Dataset
        One model of the cube, with labels that can be shown: what the text counts.
    models : Dataset
        The same with all its models.
    source : Dataset
        The cube as it was given: what the page lets the reader save.
    title, task : str
    rows : DataFrame or None
        The embedded rows that the cube holds, where it holds embedded rows and nothing else.
    whole : bool
        Whether it is the embedded benchmark itself: all its rows beside published predictions.
    traces : DataFrame or None
    """

    cube: xr.Dataset
    models: xr.Dataset
    source: xr.Dataset
    title: str
    task: str | None = None
    rows: pl.DataFrame | None = None
    whole: bool = False
    traces: pl.DataFrame | None = field(default=None)

    @cached_property
    def selection(self) -> Selection:
        """What the figures show."""
        return selection_of(self.cube)

    @property
    def drawn(self) -> xr.Dataset:
        """The part of the cube that the figures show."""
        return self._in_its_colours(self.selection.cube)

    @property
    def drawn_models(self) -> xr.Dataset:
        """The same part of all models."""
        if is_offered(self.cube):
            offered = np.isin(self.models["platform"].values, self.drawn["platform"].values)
            cut = self.models.isel(offer=offered)
            dims = [dim for dim in self.drawn.dims if dim in cut.dims and self.drawn.sizes[dim] != cut.sizes[dim]]
            return self._in_its_colours(as_product(cut.sel({dim: self.drawn[dim].values for dim in dims})))
        dims = [dim for dim in self.drawn.dims if self.drawn.sizes[dim] != self.cube.sizes[dim]]
        return self._in_its_colours(self.models.sel({dim: self.drawn[dim].values for dim in dims}))

    def _in_its_colours(self, part: xr.Dataset) -> xr.Dataset:
        """Let platforms of a part look as they do beside all of them."""
        if "platform" not in part.coords:
            return part
        every = list(dict.fromkeys(map(str, self.cube["platform"].values.ravel().tolist())))
        return part.assign_coords(platform=part["platform"].assign_attrs({EVERY: every}))

    @property
    def model(self) -> str:
        """What kind of predictions the cube holds: published, bound, calibrated, own or none."""
        label = str(self.cube.attrs.get("assumptions", ""))
        if not self.has("predicted_throughput"):
            return "none"
        if self.has("predicted_throughput_low"):
            return "calibrated"
        return label if label in (PUBLISHED.label, BOUND.label) else "own"

    @cached_property
    def findings(self) -> pl.DataFrame | None:
        """The lines of the physics gate on the rows; None where the rows are not at hand."""
        return None if self.rows is None else check(self.rows, traces=self.traces)

    @cached_property
    def unmatched(self) -> pl.DataFrame | None:
        """The rows that found no cell, with the reason."""
        return None if self.rows is None else unmatched(self.cube, self.rows)

    @cached_property
    def origin(self) -> tuple[str, str] | None:
        """Source and licence of the rows, where they are of a collection of ours."""
        if self.rows is None:
            return None
        entry = datasets.manifest()[entry_name("measurements", collection_of(self.task)) or "measurements"]
        return entry["source"], entry["licence"]

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
        if not is_judged(self.cube):
            return xr.zeros_like(self.cube["n_rows"], dtype=bool)
        mask = sum(QUALITY[rule] for rule in (rules or QUALITY))
        return (whole_flags(self.cube["quality"]) & mask) != 0


def subject_of(task_or_cube: str | xr.Dataset, title: str | None) -> Subject:
    """Find out what a page is about."""
    source = benchmark(task_or_cube) if isinstance(task_or_cube, str) else task_or_cube
    check_kind("cube", source, xr.Dataset, do="pass the name of a task, or a cube of `roofcube.predict` or `join`")
    check_fits("report", PASSES * source.nbytes)
    check_labels_apart(source)
    check_convertible(source, map(str, source.variables))
    source = in_known_units(source)
    task = source.attrs.get("task")
    every = _embedded_rows(source, task)
    rows = None if every is None else every.filter(pl.Series(located(source, every).mask))
    named = f"{task_title(str(task))} on real hardware" if rows is not None else _title_of(source)
    models = _with_energy(_with_rows(with_inert_labels(source)))
    whole = rows is not None and every is not None and rows.height == every.height
    whole = whole and source.attrs.get("assumptions") == PUBLISHED.label
    return Subject(one_model(models), models, source, title or named, task, rows, whole, _traces(source, rows))


def _with_rows(cube: xr.Dataset) -> xr.Dataset:
    """Count one row behind each cell that was measured, where a cube made by hand does not tell how many."""
    if "n_rows" in cube or "measured_throughput" not in cube:
        return cube
    return cube.assign(n_rows=cube["measured_throughput"].notnull().astype("i4").drop_attrs())


def _with_energy(cube: xr.Dataset) -> xr.Dataset:
    """Work energy an input out of power under load, where a cube made by hand does not tell it."""
    if "energy_per_input" in cube or not {"power_full", "measured_throughput"} <= set(cube.data_vars):
        return cube
    energy = cube["power_full"] / cube["measured_throughput"]
    energy.attrs = {"units": "J", "long_name": "power_full over measured_throughput"}
    return cube.assign(energy_per_input=energy.where((energy > 0) & np.isfinite(energy)))


def _title_of(cube: xr.Dataset) -> str:
    """Name a cube, one that holds neither predictions nor measurements by what it holds."""
    own = own_figures(cube)
    return f"A cube of {listed(own)}" if own and not cube.attrs.get("title") else title_of(cube)


def own_figures(cube: xr.Dataset) -> list[str]:
    """Name the variables of a cube that is about neither predictions nor measurements; of others none."""
    names = [str(name) for name in cube.data_vars]
    known = any(name in MEASURED or name.startswith(("predicted_", "measured_")) for name in names)
    return [] if known else [inert_label(name.replace("_", " ")) for name in names]


def _traces(cube: xr.Dataset, rows: pl.DataFrame | None) -> pl.DataFrame | None:
    """Return the power traces of the platforms and networks of the cube; idle runs carry no network and stay."""
    if rows is None:
        return None
    every = datasets.load_power_traces()
    every = every.filter(pl.col("platform").is_in(np.atleast_1d(cube["platform"].values).tolist()))
    return every if every["topology"].is_in(np.atleast_1d(cube["topology"].values).tolist()).any() else None


def _embedded_rows(cube: xr.Dataset, task: str | None) -> pl.DataFrame | None:
    """Return the embedded measurements of the task where they are what the cube holds."""
    compared = ("measured_throughput", "power_full")
    if task not in datasets.tasks() or any(name not in cube for name in ("n_rows", *compared)):
        return None
    if not set(cube["n_rows"].dims) <= set(DIMS):
        return None
    rows = datasets.load_measurements(task)
    where = located(cube, rows)
    return rows if where.mask.any() and holds(cube, rows, where, compared) else None
