"""The class Sweep: a model over a space that is never stored; each method asks its context."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from roofcube.errors import InvalidDataError, check_choice, check_kind, unknown_label
from roofcube.kernels.engine.engine import STRATEGIES, Engine
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.model.assumptions import PUBLISHED, Assumptions
from roofcube.notebook import html_table
from roofcube.options import thread_count
from roofcube.sweep import plans, zarr_store
from roofcube.sweep.answers import best, counts, crossovers, lookup, pareto, quantiles
from roofcube.sweep.cluster import ClusterEngine
from roofcube.sweep.contexts.context import with_made
from roofcube.sweep.contexts.model_context import ModelContext
from roofcube.sweep.contexts.stored import StoredContext
from roofcube.wording import labelled_text, noun_of, plain_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

    from roofcube.model.graph import Model
    from roofcube.sweep.contexts.context import Names

__all__ = ["Sweep"]

Sense = Literal["max", "min"]


class Sweep:
    """The model over the whole product of the inputs' dims, evaluated as it is asked, never stored.

    Parameters
    ----------
    inputs : Dataset
        From `roofcube.inputs`; any variable may carry dims of your own.
    assumptions : Assumptions or Calibration
        `roofcube.PUBLISHED` (default), `roofcube.BOUND`, your own (also with terms of your own), or a calibration.
    dims : sequence of str, optional
        Order of the dims, which decides ties. Default: platform, mode, topology, pruning, precision, your own by first
        appearance, batch last.
    dtype : {"f4", "f8"}
        Everything is computed in it; whole numbers of the inputs are compared as they are.
    client : dask.distributed.Client, optional
        Runs the sweep on its workers; the answers are the same.
    strategy : {"auto", "bounds", "stream", "numpy"}
        How to find answers: by interval bounds, which skip what cannot matter; by visiting every point with generated
        kernels; or the same with NumPy. All give the same answers; ``"auto"`` takes what should be fastest.
    tuning : Tuning
        Thresholds between the ways, for benchmarks: they decide times, never answers.

    Examples
    --------
    >>> import numpy as np
    >>> import roofcube as rc
    >>> hardware = rc.hypothetical(
    ...     peak_compute=np.geomspace(1e11, 1e14, 50), memory_bandwidth=np.geomspace(1e9, 1e12, 50), power=10.0
    ... )
    >>> sweep = rc.Sweep(rc.inputs("cifar10", platforms=hardware))
    >>> sweep.size
    440000
    >>> best = sweep.best("predicted_throughput", where={"top1": (85, None)})
    >>> str(best.precision.values), round(float(best.top1), 2)
    ('FP16', 85.55)
    """

    def __init__(
        self,
        inputs: xr.Dataset,
        *,
        assumptions: Assumptions | Any = PUBLISHED,
        dims: Sequence[str] | None = None,
        dtype: str = "f4",
        client: Any = None,
        strategy: str = "auto",
        tuning: Tuning = TUNING,
    ) -> None:
        check_choice("dtype", dtype, ("f4", "f8"))
        check_choice("strategy", strategy, STRATEGIES)
        if client is not None and not hasattr(client, "scheduler_info"):
            msg = f"`client`: expected a dask.distributed.Client, got {client!r:.60}; leave it out for threads"
            raise InvalidDataError(msg)
        self.inputs = inputs
        self.assumptions = assumptions
        self.dtype = dtype
        self.client = client
        self.strategy = strategy
        self.context = ModelContext(
            inputs,
            assumptions,
            dims=dims,
            dtype=dtype,
            make_engine=partial(_engine, client, strategy),
            tuning=tuning,
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.sizes.items())
        return f"<roofcube.Sweep of {self.size:,} {noun_of(self.size, 'point')} ({sizes}) in {self.dtype}>"

    def _repr_html_(self) -> str:
        """Tell the dims and what is computed along them, for notebooks."""
        labelled = [dim for dim, size in self.sizes.items() if size and dim in self.inputs.coords]
        ends = {dim: dict.fromkeys(plain_values(self.inputs[dim].values[[0, -1]])) for dim in labelled}
        rows = [[dim, size, " … ".join(map(labelled_text, ends.get(dim, ())))] for dim, size in self.sizes.items()]
        note = f"Any of {', '.join(self.context.outputs)} can be asked for; nothing is stored."
        heading = f"Sweep of {self.size:,} {noun_of(self.size, 'point')} in {self.dtype}"
        return html_table(heading, ("dim", "labels", "from … to"), rows, [note])

    @property
    def model(self) -> Model:
        """The expression graph with its tables."""
        return self.context.model

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims, in the order that decides ties."""
        return self.context.dims

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every dim, in the order that decides ties."""
        return self.context.sizes

    @property
    def size(self) -> int:
        """Number of points."""
        return self.context.size

    def sel(self, indexers: Mapping[str, Any] | None = None, **labels: Any) -> Sweep:
        """Choose labels along dims, as `xarray.Dataset.sel` does; what is left is a sweep too.

        Parameters
        ----------
        indexers, **labels : dim to label, list of labels or slice

        Returns
        -------
        Sweep

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"))
        >>> sweep.sel(platform="TX2", batch=[1, 8]).sizes["batch"]
        2
        """
        chosen = _by_dim(indexers, labels)
        self._check_dims("sel", chosen)
        for dim, wanted in chosen.items():
            ends = (wanted.start, wanted.stop) if isinstance(wanted, slice) else ()
            # pandas takes some texts for types, and finds nothing
            if any(isinstance(end, str) for end in ends) and self.inputs[dim].dtype.kind in "fiub":
                msg = f"`sel`: expected numbers along {dim!r}, got {wanted}; give a slice from number to number"
                raise InvalidDataError(msg)
        try:
            return self._of(self.inputs.sel(chosen))
        except (TypeError, ValueError, IndexError) as error:
            dims = ", ".join(chosen)
            msg = f"`sel`: expected labels of {dims}, got {chosen} ({error}); give a label, a list or a slice"
            raise InvalidDataError(msg) from error
        except KeyError as error:
            for dim, wanted in chosen.items():
                for label in [wanted] if isinstance(wanted, slice) else plain_values(np.asarray(wanted)):
                    if dim in self.inputs.coords and label not in self.inputs[dim].values:
                        raise unknown_label(dim, label, self.inputs[dim].values) from error
            raise

    def isel(self, indexers: Mapping[str, Any] | None = None, **indices: Any) -> Sweep:
        """Choose indices along dims, as `xarray.Dataset.isel` does; what is left is a sweep too.

        Parameters
        ----------
        indexers, **indices : dim to int, list of int or slice

        Returns
        -------
        Sweep

        Examples
        --------
        >>> import roofcube as rc
        >>> rc.Sweep(rc.inputs("mnist")).isel(batch=slice(0, 2)).sizes["batch"]
        2
        """
        chosen = _by_dim(indexers, indices)
        self._check_dims("isel", chosen)
        try:
            left = self.inputs.isel(chosen)
        except (IndexError, TypeError, ValueError) as error:
            sizes = ", ".join(f"{self.inputs.sizes[dim]} along {dim!r}" for dim in chosen)
            msg = f"`isel`: expected indices of {sizes}, got {chosen} ({error}); give whole numbers or slices"
            raise InvalidDataError(msg) from error
        return self._of(left)

    def context_of_values(self, question: str, *, intervals: bool = False) -> StoredContext:
        """Return the context of the whole cube, filled, for what has to look at every value.

        Parameters
        ----------
        question : str
            What has to, for the error where the cube would be too large.
        intervals : bool
            Whether what asks needs the intervals of a calibration.

        Examples
        --------
        >>> import roofcube as rc
        >>> rc.Sweep(rc.inputs("mnist")).context_of_values("pareto").sizes["batch"]
        10
        """
        if intervals and isinstance(self.assumptions, Assumptions):
            msg = "`probability`: expected a calibration as `assumptions`, got a model without intervals; calibrate"
            raise InvalidDataError(msg)
        cube = zarr_store.compute(
            self.context, question, do="it needs every value at once: select a part of the space with `sel`"
        )
        # inputs as every other question of the sweep sees them
        cast = {name: one.astype(self.dtype) for name, one in cube.data_vars.items() if one.dtype.kind == "f"}
        return StoredContext(cube.assign(cast))

    def _check_dims(self, what: str, chosen: Iterable[str]) -> None:
        """Raise where something is none of the dims; layers are none, for they are what a network is made of."""
        for dim in chosen:
            if dim not in self.dims:
                raise unknown_label(what, dim, self.dims)

    def _of(self, inputs: xr.Dataset) -> Sweep:
        return Sweep(
            inputs,
            assumptions=self.assumptions,
            dims=None if self.dims == self.model.dim_order else self._dims_of(inputs),
            dtype=self.dtype,
            client=self.client,
            strategy=self.strategy,
            tuning=self.context.tuning,
        )

    def _dims_of(self, inputs: xr.Dataset) -> tuple[str, ...]:
        """Return the caller's order of the dims that are left, with those that choosing made."""
        left = [dim for dim in self.dims if dim in inputs.dims]
        return with_made(left, [str(dim) for dim in inputs.dims if dim not in self.inputs.dims])

    # reductions ---------------------------------------------------------------------------------------------------

    def best(
        self, objective: str, *, per: Names = None, where: Mapping[str, Any] | None = None, sense: Sense | None = None
    ) -> xr.Dataset:
        """Find the best point, or the best of each group.

        Parameters
        ----------
        objective : str
            Any output of the model: a result, an input, a term of your own.
        per : str or sequence of str, optional
            Dims to keep: a winner for each of their labels.
        where : mapping, optional
            Limits: ``{"predicted_latency": (None, 0.01), "platform": ["TX2"]}``, both ends inclusive; NaN meets none.
        sense : {"max", "min"}, optional
            Default: from the table of variables.

        Returns
        -------
        Dataset
            Dims `per`. All variables of the winner, its labels as coords, and `found`; where nothing meets the limits,
            values are NaN and labels empty.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> best = sweep.best("predicted_throughput", per="platform", where={"predicted_latency": (None, 0.001)})
        >>> str(best.precision.sel(platform="TX2").values)
        'FP16'
        """
        return best.best(self.context, objective, per=per, where=where, sense=sense)

    def top(
        self,
        n: int,
        objective: str,
        *,
        per: Names = None,
        where: Mapping[str, Any] | None = None,
        sense: Sense | None = None,
    ) -> xr.Dataset:
        """Find the n best points, best first, equal ones in dim order.

        Parameters
        ----------
        n : int
        objective, per, where, sense
            As in `best`; with `per`, the n best of each group, group after group.

        Returns
        -------
        Dataset
            Along `point`, with all coordinates and variables of each.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> sweep.top(3, "predicted_latency", where={"precision": "INT8"}).batch.values.tolist()
        [1, 1, 2]
        """
        return best.top(self.context, n, objective, per=per, where=where, sense=sense)

    def pareto(
        self,
        objectives: Mapping[str, Sense] | Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
        per: Names = None,
        ties: Literal["all", "first"] = "first",
        probability: bool = False,
        epsilon: float | None = None,
    ) -> xr.Dataset:
        """Find the true non-dominated set.

        Parameters
        ----------
        objectives : mapping of name to {"max", "min"}, or names whose sense the table of variables knows
        where, per
            As in `best`; with `per`, a front of each group, group after group.
        ties : {"first", "all"}
            Of points with equal objectives, keep the first in dim order or all.
        probability : bool
            Add the probabilities of being on the front and of meeting the limits; needs a calibration as assumptions,
            and the whole cube within the memory limit.
        epsilon : float, optional
            Keep also what would be on the front if it were better by this share in every objective; needs the whole
            cube within the memory limit.

        Returns
        -------
        Dataset
            Along `point`, best first in the first objective, then in dim order; all coordinates and variables of each
            point, and `n_ties`. Attributes say how many points each limit (`removed_by_<name>`) and each missing
            figure (`missing_<name>`) removed of the `n_points`; each is counted alone, limits on labels first.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> front = sweep.pareto({"predicted_throughput": "max", "top1": "max"}, where={"batch": 8})
        >>> front.sizes["point"] == len(set(front.top1.values.tolist()))
        True
        """
        pareto.check_truth("probability", probability)
        values = probability or epsilon is not None
        context = self.context_of_values("pareto", intervals=probability) if values else self.context
        return pareto.pareto(
            context, objectives, where=where, per=per, ties=ties, probability=probability, epsilon=epsilon
        )

    def count(self, *, where: Mapping[str, Any] | None = None, per: Names = None, by: str | None = None) -> xr.Dataset:
        """Count the points that meet the limits.

        Parameters
        ----------
        where, per
            As in `best`.
        by : str, optional
            Count by the meaning of a flag, such as `infeasible` or `bound`, along the dim `reason`.

        Returns
        -------
        Dataset
            `count` over `per` (and `reason`).

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> int(sweep.count(by="infeasible")["count"].sel(reason="mode_not_offered"))
        8400
        """
        return counts.count(self.context, where=where, per=per, by=by)

    def histogram(
        self,
        variable: str,
        *,
        bins: int | Sequence[float] | None = None,
        where: Mapping[str, Any] | None = None,
        per: Names = None,
    ) -> xr.Dataset:
        """Count points by the value of a variable.

        Parameters
        ----------
        variable : str
        bins : int or edges, optional
            A number of equal bins over the finite values, or their edges, ascending; each bin includes its low edge,
            the last one both. Edges are rounded to the dtype of the sweep. Default: 50, of a flag (`bound`,
            `infeasible`) one for each of its meanings.
        where, per
            As in `best`.

        Returns
        -------
        Dataset
            `count` over `per` and `bin`, with coords `bin_low` and `bin_high`, of a flag also `meaning`.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> counts = sweep.histogram("predicted_latency", bins=[0, 1e-4, 1e-2, 1], where={"batch": 1})
        >>> counts["count"].sizes["bin"]
        3
        """
        return counts.histogram(self.context, variable, bins=bins, where=where, per=per)

    def quantile(
        self,
        variable: str,
        q: float | Sequence[float],
        *,
        where: Mapping[str, Any] | None = None,
        per: Names = None,
    ) -> xr.Dataset:
        """Find quantiles of a variable, exactly.

        Parameters
        ----------
        variable : str
        q : number or sequence of numbers from 0 to 1
        where, per
            As in `best`; NaN does not count.

        Returns
        -------
        Dataset
            The variable over `per` and `quantile`, interpolated linearly between the two nearest points as
            `numpy.quantile` does; NaN where there are no points.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> spread = sweep.quantile("predicted_latency", [0.1, 0.9], where={"batch": 1}).predicted_latency
        >>> bool(spread[0] < spread[1])
        True
        """
        return quantiles.quantile(self.context, variable, q, where=where, per=per)

    def crossover(
        self,
        objective: str,
        *,
        between: str = "platform",
        along: str = "batch",
        per: Names = None,
        where: Mapping[str, Any] | None = None,
        sense: Sense | None = None,
    ) -> xr.Dataset:
        """Find which label of a dim wins where, and where along another dim the winner changes.

        Parameters
        ----------
        objective : str
        between : str
            Dim whose labels compete, each with its best point over all other dims.
        along : str
            Dim along which the winner may change.
        per, where, sense
            As in `best`.

        Returns
        -------
        Dataset
            Over `per` and `along`: `winner`, the objective and `found`, `changes` where the winner differs from the one
            before. Along `crossover`: every change with the labels `per`, `before` and `after` along the dim, `loser`
            and `gainer`.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> where = {"platform": ["TX2", "NCS2"], "pruning": 100, "precision": "FP16"}
        >>> sweep.crossover("predicted_throughput", along="batch", where=where).winner.sel(batch=1).item()
        'TX2'
        """
        return crossovers.crossover(
            self.context, objective, between=between, along=along, per=per, where=where, sense=sense
        )

    # points and the whole -----------------------------------------------------------------------------------------

    def at(self, table: Any) -> xr.Dataset:
        """Evaluate the model at the rows of a table.

        Parameters
        ----------
        table : polars.DataFrame, Dataset or mapping of columns
            A column of labels for each dim; a dim of length 1 may be left out.

        Returns
        -------
        Dataset
            Along `point`, row by row: all variables, the labels asked for, and `found`; where a label is not in the
            space NaN, NaT, no text, no count.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> row = {"platform": "TX2", "mode": "maxn", "precision": "FP16", "topology": "MLP", "pruning": 100.0}
        >>> sweep.at({**{name: [label] * 2 for name, label in row.items()}, "batch": [8, 9]}).found.values.tolist()
        [True, False]
        """
        return lookup.at(self.context, table)

    def compute(self) -> xr.Dataset:
        """Fill the whole cube, as `roofcube.predict` does, if it fits into the memory limit.

        Raises
        ------
        MemoryLimitError
            If the results would take more than the limit of `roofcube.set_options`.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> sweep.compute().predicted_throughput.size == sweep.size
        True
        """
        return zarr_store.compute(self.context)

    def to_zarr(self, path: Any) -> xr.Dataset:
        """Write the whole cube to a Zarr store, chunk by chunk; an interrupted one is continued where it stopped.

        Parameters
        ----------
        path : str or Path
            Ending in `.zarr`, which `roofcube.load` and `roofcube.verify` go by.

        Returns
        -------
        Dataset
            The store, opened lazily.

        Raises
        ------
        InvalidDataError
            If the suffix is that of another format, or something else has that name.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> import pathlib, tempfile
        >>> lazy = sweep.to_zarr(pathlib.Path(tempfile.mkdtemp()) / "space.zarr")
        >>> lazy.predicted_throughput.shape == tuple(sweep.sizes.values())
        True
        """
        return zarr_store.to_zarr(self.context, path)

    def plan(self) -> Any:
        """Return what a reduction over all results would take, before anything runs.

        Examples
        --------
        >>> import roofcube as rc
        >>> sweep = rc.Sweep(rc.inputs("mnist"), assumptions=rc.BOUND)
        >>> sweep.plan()  # doctest: +ELLIPSIS
        10,800 points
        stored ...
        """
        return plans.plan_of(self.context, self.strategy)


def _engine(client: Any, strategy: str) -> Engine:
    return Engine(strategy, thread_count()) if client is None else ClusterEngine(client, strategy)


def _by_dim(indexers: Any, others: dict[str, Any]) -> dict[str, Any]:
    """Put together what is chosen along dims, given as a mapping or by name."""
    if indexers is not None:
        check_kind("indexers", indexers, Mapping, do="give what to choose by dim, such as platform='TX2'")
    return {**(indexers or {}), **others}
