"""The class Sweep: what users call, each method a few lines over queries and labelled results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from roofcube.errors import InvalidDataError, check_choice, unknown_label
from roofcube.kernels.engine.engine import STRATEGIES, Engine
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.model.assumptions import PUBLISHED, Assumptions
from roofcube.model.graph import Model, build_model
from roofcube.options import thread_count
from roofcube.sweep import best, pareto
from roofcube.sweep.context import Asked, asked, ordered_dims, space_of
from roofcube.sweep.where import Where, read_where
from roofcube.variables import sense_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from roofcube.kernels.graph.expression import Node

__all__ = ["Sweep"]

Array = np.ndarray[Any, np.dtype[Any]]
Sense = Literal["max", "min"]
Names = str | list[str] | tuple[str, ...] | None


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
        Everything is computed in it.
    client : dask.distributed.Client, optional
        Runs the sweep on its workers; the answers are the same.
    strategy : {"auto", "bounds", "stream", "numpy"}
        How to find answers: by interval bounds, which skip what cannot matter; by visiting every point with generated
        kernels; or the same with NumPy. All give the same answers; ``"auto"`` takes what should be fastest.

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
        built = getattr(assumptions, "build_model", None)
        self.inputs = inputs
        self.model: Model = built(inputs) if built else build_model(inputs, assumptions)
        self.assumptions = assumptions
        self.dims = ordered_dims(self.model, dims)
        self.dtype = dtype
        self.client = client
        self.strategy = strategy
        self.whole = space_of(self.model, self.dims, dtype)
        self.whole.kept["tuning"] = tuning
        self.questions: dict[str, Node] = {}
        self.frames: dict[tuple[str, ...], xr.Dataset] = {}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.sizes.items())
        return f"<roofcube.Sweep of {self.size:,} points ({sizes}) in {self.dtype}>"

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Length of every dim, in the order that decides ties."""
        return dict(zip(self.whole.axes, self.whole.sizes, strict=True))

    @cached_property
    def size(self) -> int:
        """Number of points."""
        return prod(self.sizes.values())

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
        """
        groups = self._dims("per", per)
        sign = self._sign(objective, sense)
        found = self._ask(where, objectives=[(objective, sign)], per=groups)
        return best.labelled(self, found, self._engine.best(found.query), groups)

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
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            msg = f"`n`: expected a whole number of at least 1, got {n!r}; ask for one point or more"
            raise InvalidDataError(msg)
        sign = self._sign(objective, sense)
        return best.top(self, int(n), (objective, sign), self._dims("per", per), self._where(where))

    def pareto(
        self,
        objectives: Mapping[str, Sense] | Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
        per: Names = None,
        ties: Literal["all", "first"] = "all",
        probability: bool = False,
    ) -> xr.Dataset:
        """Find the true non-dominated set.

        Parameters
        ----------
        objectives : mapping of name to {"max", "min"}, or names whose sense the table of variables knows
        where, per
            As in `best`; with `per`, a front of each group, group after group.
        ties : {"all", "first"}
            Of points with equal objectives, keep all or the first in dim order.
        probability : bool
            Add the probabilities of being on the front and of meeting the limits; needs a calibration as assumptions,
            and the whole cube within the memory limit.

        Returns
        -------
        Dataset
            Along `point`, best first in the first objective, then in dim order; all coordinates and variables of each
            point, and `n_ties`. Attributes say how many points each limit (`removed_by_<name>`) and each missing
            figure (`missing_<name>`) removed of the `n_points`; each is counted alone, limits on labels first.
        """
        check_choice("ties", ties, ("all", "first"))
        senses = self._objectives(objectives)
        if probability:
            return pareto.with_probability(self, senses, where=where, per=per, ties=ties)
        return pareto.labelled(self, senses, self._dims("per", per), self._where(where), ties)

    def count(self, *, where: Mapping[str, Any] | None = None, per: Names = None, by: str | None = None) -> xr.Dataset:
        """Count the points that meet the limits.

        Parameters
        ----------
        where, per
            As in `best`.
        by : {"infeasible", "bound"}, optional
            Count by the meaning of a flag, along the dim `reason`.

        Returns
        -------
        Dataset
            `count` over `per` (and `reason`).
        """
        from roofcube.sweep import counts

        return counts.counted(self, self._where(where), self._dims("per", per), by)

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
        """
        from roofcube.sweep import counts

        self._known("variable", variable)
        return counts.histogram(self, variable, bins, self._where(where), self._dims("per", per))

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
        """
        from roofcube.sweep import quantiles

        self._known("variable", variable)
        return quantiles.quantile(self, variable, q, self._where(where), self._dims("per", per))

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
        """
        from roofcube.sweep import crossovers

        groups = [dim for dim in self._dims("per", per) if dim not in (between, along)]
        (between,), (along,) = self._dims("between", between), self._dims("along", along)
        if between == along:
            msg = f"`along`: expected another dim than between={between!r}, got the same; choose two dims"
            raise InvalidDataError(msg)
        return crossovers.crossover(self, objective, between, along, groups, where, sense)

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
            Along `point`, row by row: all variables, the labels asked for, and `found`; NaN where a label is not in the
            space.
        """
        from roofcube.sweep import lookup

        return lookup.at(self, table)

    def compute(self) -> xr.Dataset:
        """Fill the whole cube, as `roofcube.predict` does, if it fits into the memory limit.

        Raises
        ------
        MemoryLimitError
            If the results would take more than the limit of `roofcube.set_options`.
        """
        from roofcube.sweep import zarr_store

        return zarr_store.compute(self)

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
        """
        from roofcube.sweep import zarr_store

        return zarr_store.to_zarr(self, path)

    def plan(self) -> Any:
        """Say what a reduction over all results would take, before anything runs."""
        from roofcube.sweep import plans

        return plans.plan_of(self)

    # shared by the methods ----------------------------------------------------------------------------------------

    @property
    def _engine(self) -> Any:
        if self.client is not None:
            from roofcube.sweep.cluster import ClusterEngine

            return ClusterEngine(self.client, self.strategy)
        return Engine(self.strategy, thread_count())

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes that every result carries."""
        return {"dim_order": " ".join(self.dims), "assumptions": getattr(self.assumptions, "label", "calibration")}

    def _where(self, where: Mapping[str, Any] | None) -> Where:
        return read_where(self.model, where)

    def _ask(self, where: Mapping[str, Any] | None, **query: Any) -> Asked:
        return asked(self.whole, self.model.outputs, self._where(where), **query)

    def _known(self, what: str, name: str) -> None:
        if name not in self.model.outputs:
            raise unknown_label(what, name, self.model.outputs)

    def _sign(self, objective: str, sense: str | None) -> int:
        self._known("objective", objective)
        chosen = sense or self.model.labels.get(objective, {}).get("sense") or sense_of(objective)
        if chosen is None:
            msg = f"`sense`: expected 'max' or 'min' for {objective!r}, got None; say which way is better with `sense`"
            raise InvalidDataError(msg)
        check_choice("sense", chosen, ("max", "min"))
        return 1 if chosen == "max" else -1

    def _objectives(self, objectives: Mapping[str, Sense] | Sequence[str]) -> tuple[tuple[str, int], ...]:
        listed = [objectives] if isinstance(objectives, str) else objectives
        given = listed if isinstance(listed, Mapping) else dict.fromkeys(listed)
        if not given:
            msg = '`objectives`: expected one or more, got none; give for example {"predicted_throughput": "max"}'
            raise InvalidDataError(msg)
        return tuple((name, self._sign(name, sense)) for name, sense in given.items())

    def _dims(self, what: str, names: Names) -> list[str]:
        listed = [] if names is None else [names] if isinstance(names, str) else list(names)
        for name in listed:
            if name not in self.dims:
                raise unknown_label(what, name, self.dims)
        return list(dict.fromkeys(listed))
