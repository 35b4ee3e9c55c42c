"""The questions that anything can be asked: best, top, pareto, count, histogram, quantile, crossover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.sweep.answers import best as winners
from roofcube.sweep.answers import counts, crossovers, quantiles
from roofcube.sweep.answers import pareto as fronts
from roofcube.sweep.contexts.stored import StoredContext
from roofcube.sweep.sweep import Sweep
from roofcube.sweep.trust import trusted

if TYPE_CHECKING:
    from roofcube.sweep.contexts.context import Context, Names

__all__ = [
    "best",
    "context_of",
    "count",
    "crossover",
    "distance_to_front",
    "histogram",
    "pareto",
    "quantile",
    "senses_of",
    "top",
]

Sense = Literal["max", "min"]
Trust = Literal["possible", "all"]
Limits = Mapping[str, Any] | xr.DataArray | None


def context_of(cube: Any) -> Context:
    """Return the context of a cube, stored or swept.

    Raises
    ------
    InvalidDataError
        If it is neither.
    """
    if isinstance(cube, xr.Dataset):
        return StoredContext(cube)
    if isinstance(cube, Sweep):
        return cube.context
    msg = (
        f"`cube`: expected a Dataset or a Sweep, got {type(cube).__name__}; make one with `roofcube.predict`, "
        "`roofcube.benchmark` or `roofcube.load`"
    )
    raise InvalidDataError(msg)


def senses_of(
    cube: xr.Dataset | Sweep, objectives: Mapping[str, Sense | None] | Sequence[str] | str
) -> dict[str, Sense]:
    """Check objectives, and say of each which way is better."""
    return {name: "max" if sign > 0 else "min" for name, sign in context_of(cube).objectives(objectives)}


def best(
    cube: xr.Dataset | Sweep,
    objective: str,
    *,
    per: Names = None,
    where: Limits = None,
    sense: Sense | None = None,
    trust: Trust = "possible",
) -> xr.Dataset:
    """Find the labelled winner, or one for each label of some dims.

    Parameters
    ----------
    cube : Dataset or Sweep
        Predicted, joined, calibrated, loaded or made by hand; a front; or a sweep that is never stored.
    objective : str
        Variable to make as good as possible.
    per : str or sequence of str, optional
        Dims to keep, or coordinates along dims (`device_class`): a winner for each of their labels, in that order.
    where : mapping or boolean DataArray, optional
        Limits, see Notes.
    sense : {"max", "min"}, optional
        Overrides the table of variables.
    trust : {"possible", "all"}
        ``"possible"``: where an objective or a limit is measured, leave out what the physics gate finds impossible
        (`quality`), and count it in the attr `removed_by_trust`. ``"all"`` keeps it.

    Returns
    -------
    Dataset
        Over `per`: the winner's labels as coords, all its variables, and `found`. Where nothing qualifies, `found` is
        False, labels are empty, numbers NaN, times NaT, flags -1, counts and bits 0. The first in dim order wins a tie.
        With `per`, text labels have a number with flag meanings beside them (`platform_code`), so that they can be
        drawn.

    Raises
    ------
    UnknownLabelError
        If a variable, dim or label is not in the cube.
    InvalidDataError
        If a sense or limit makes no sense.
    MemoryLimitError
        If the answer would be larger than the limit of `roofcube.set_options`.

    Notes
    -----
    `where` may say, for each name: ``(low, high)`` for numbers and datetimes, both inclusive, None for an open end; a
    label, a list or set of labels, or a slice, for coordinates; names of flags (``{"bound": ["compute"]}``,
    ``{"quality": ["not above_compute_peak"]}``); or be a boolean DataArray. NaN meets no limit. Times with a zone are
    told in UTC, in which limits without one are read.

    Examples
    --------
    >>> import roofcube as rc
    >>> winner = rc.best(rc.benchmark("cifar10"), "measured_throughput", where={"measured_top1": (85, None)})
    >>> winner.platform.item(), winner.precision.item(), round(float(winner.measured_throughput))
    ('TX2', 'FP16', 7707)

    The best of each device class; the least of what is rather less; what the physics gate finds impossible, too:

    >>> per_class = rc.best(rc.benchmark("cifar10"), "measured_throughput", per="device_class")
    >>> per_class.device_class.values.tolist()
    ['FPGA', 'GPU', 'TPU', 'VLIW', 'CPU']
    >>> slowest = rc.best(rc.benchmark("cifar10"), "measured_throughput", sense="min")
    >>> slowest.platform.item()
    'U96-A53'
    >>> all_rows = rc.best(rc.benchmark("mnist"), "measured_throughput", where={"platform": "NCS2"}, trust="all")
    >>> float(all_rows.measured_throughput) >= 0
    True
    """
    context = context_of(cube)
    limits, removed = trusted(context, [objective], where, trust)
    answer = winners.best(context, objective, per=per, where=limits, sense=sense)
    return answer.assign_attrs(removed) if removed else answer


def top(
    cube: xr.Dataset | Sweep,
    n: int,
    objective: str,
    *,
    per: Names = None,
    where: Limits = None,
    sense: Sense | None = None,
    trust: Trust = "possible",
) -> xr.Dataset:
    """Find the n best points, best first, equal ones in dim order.

    Parameters
    ----------
    cube : Dataset or Sweep
    n : int
    objective, per, where, sense, trust
        As in `best`; with `per`, the n best of each group, group after group.

    Returns
    -------
    Dataset
        Along `point`, with all coordinates and variables of each.

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> three = rc.top(rc.benchmark("mnist"), 3, "measured_throughput", where={"device_class": "GPU"})
    >>> three.platform.values.tolist(), three.batch.values.tolist()
    (['TX2', 'TX2', 'TX2'], [128, 128, 128])
    >>> two = rc.top(rc.benchmark("mnist"), 2, "measured_latency", per="device_class", sense="max", trust="all")
    >>> two.device_class.values.tolist()
    ['FPGA', 'FPGA', 'GPU', 'GPU', 'VLIW', 'VLIW', 'CPU', 'CPU']
    """
    context = context_of(cube)
    limits, removed = trusted(context, [objective], where, trust)
    answer = winners.top(context, n, objective, per=per, where=limits, sense=sense)
    return answer.assign_attrs(removed) if removed else answer


def pareto(
    cube: xr.Dataset | Sweep,
    objectives: Mapping[str, Sense | None] | Sequence[str] | str,
    *,
    where: Limits = None,
    per: Names = None,
    ties: Literal["all", "first"] = "first",
    probability: bool = False,
    epsilon: float | None = None,
    trust: Trust = "possible",
) -> xr.Dataset:
    """Find the true non-dominated set.

    Parameters
    ----------
    cube : Dataset or Sweep
    objectives : mapping of name to {"max", "min"}
        One or more variables; a list of names takes the sense from the table of variables.
    where, per
        As in `best`; with `per`, a front of each group, group after group.
    ties : {"first", "all"}
        Of points with equal objectives, keep the first in dim order or all.
    probability : bool
        Add `probability_on_front` and `probability_meets_limits` of each point; needs the intervals of a calibration.
    trust : {"possible", "all"}
        As in `best`.
    epsilon : float, optional
        Keep also the near misses: points that would be on the front if they were better by this share in every
        objective. A sweep then has to fit into the memory limit as a whole.

    Returns
    -------
    Dataset
        Along `point`, best first in the first objective, then in dim order; all coordinates and variables of each
        point; `n_ties` counts the points of equal objectives. Attrs say how many points there were (`n_points`), lacked
        a figure (`missing_<name>`) and broke each limit (`removed_by_<name>`), each counted alone, limits on labels
        first.

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> front = rc.pareto(rc.benchmark("cifar10"), {"measured_throughput": "max", "measured_top1": "max"})
    >>> front.sizes["point"], round(float(front.measured_throughput[0]))
    (11, 60757)

    A front of each device class; near misses too; every point of equal trade-offs:

    >>> cube, objectives = rc.benchmark("cifar10"), ["measured_throughput", "measured_top1"]
    >>> rc.pareto(cube, objectives, per="device_class", where={"power_full": (None, 15)}).sizes["point"]
    20
    >>> rc.pareto(cube, objectives, epsilon=0.05).sizes["point"]
    262
    >>> rc.pareto(cube, objectives, ties="all", trust="all").sizes["point"]
    11

    How sure each point is, of predictions with intervals:

    >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
    >>> predicted = rc.predict(rc.inputs("mnist", platforms="NCS2", batch=[1, 8]), assumptions=calibration)
    >>> front = rc.pareto(predicted, {"predicted_throughput": "max", "top1": "max"}, probability=True)
    >>> bool((front.probability_on_front <= 1).all())
    True

    Notes
    -----
    Probabilities are shares of 400 draws, and so known to within 0.025 (one standard deviation) at 0.5. In each draw
    the logarithm of every configuration's throughput is off by a normal error as wide as its 90 % interval says; its
    latency and its energy move with it, batches and whatever else the prediction does not depend on share the error,
    and two configurations err independently. All other variables are taken as certain, also those computed from the
    throughput by hand.
    """
    fronts.check_truth("probability", probability)
    values = probability or epsilon is not None
    swept = values and isinstance(cube, Sweep)
    context = cube.context_of_values("pareto", intervals=probability) if swept else context_of(cube)
    limits, removed = trusted(context, [name for name, _ in context.objectives(objectives)], where, trust)
    front = fronts.pareto(
        context, objectives, where=limits, per=per, ties=ties, probability=probability, epsilon=epsilon
    )
    return front.assign_attrs(removed) if removed else front


def distance_to_front(
    cube: xr.Dataset | Sweep,
    objectives: Mapping[str, Sense | None] | Sequence[str] | str,
    *,
    front: xr.Dataset | None = None,
    where: Limits = None,
    relative: bool = True,
    trust: Trust = "possible",
) -> xr.DataArray:
    """Measure by how much each point must improve, in every objective, to get level with the front.

    Parameters
    ----------
    cube : Dataset or Sweep
        A sweep has to fit into the memory limit as a whole.
    objectives, where, trust
        As in `pareto`.
    front : Dataset, optional
        A front with the objectives as variables, in the units of the cube. Default: that of the cube itself.
    relative : bool
        Whether distances are shares of each value, else in the units of the objectives.

    Returns
    -------
    DataArray
        Over the dims that the objectives and limits depend on: the largest, over the front, of the least, over the
        objectives, of the gap; 0 on the front, NaN where a figure is missing or impossible, or a limit is not met, and
        everywhere where no point of the front has all objectives. It is the epsilon indicator of each point on its own
        (Zitzler et al., IEEE TEC 7(2), 2003).

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`; InvalidDataError also if `front` lacks an objective, or has one in another unit.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("cifar10")
    >>> distance = rc.distance_to_front(cube, ["measured_throughput", "measured_top1"])
    >>> int((distance == 0).sum()) >= rc.pareto(cube, ["measured_throughput", "measured_top1"]).sizes["point"]
    True

    How far the boards that compute in floating point are from the front of all, in units, not in shares:

    >>> front = rc.pareto(cube, ["measured_throughput", "measured_top1"])
    >>> where = {"precision": ["FP16", "FP32"]}
    >>> objectives = ["measured_throughput", "measured_top1"]
    >>> far = rc.distance_to_front(cube, objectives, front=front, where=where, relative=False)
    >>> float(far.min())
    0.0

    From the front of all that was measured, the impossible included:

    >>> rc.distance_to_front(cube, objectives, trust="all").attrs["objectives"]
    'measured_throughput:max measured_top1:max'
    """
    context = cube.context_of_values("distance_to_front") if isinstance(cube, Sweep) else context_of(cube)
    limits, removed = trusted(context, [name for name, _ in context.objectives(objectives)], where, trust)
    distance = fronts.distance(context, objectives, front=front, where=limits, relative=relative)
    return distance.assign_attrs(removed) if removed else distance


def count(cube: xr.Dataset | Sweep, *, where: Limits = None, per: Names = None, by: str | None = None) -> xr.Dataset:
    """Count the points that meet the limits.

    Parameters
    ----------
    cube : Dataset or Sweep
    where, per
        As in `best`.
    by : str, optional
        A flag (`infeasible`, `bound`, `quality`): count by its meanings, along the dim `reason`; a point with several
        bits counts in several.

    Returns
    -------
    Dataset
        `count` over `per` (and `reason`).

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("mnist")
    >>> int(rc.count(cube, where={"measured_throughput": (1000, None)})["count"])
    350

    How many of each platform; why predictions are blank:

    >>> rc.count(cube, per="platform", where={"measured_throughput": (1000, None)})["count"].sel(platform="TX2").item()
    192
    >>> reasons = rc.count(cube, by="infeasible")["count"]
    >>> reasons.sel(reason="mode_not_offered").item()
    8400
    """
    return counts.count(context_of(cube), where=where, per=per, by=by)


def histogram(
    cube: xr.Dataset | Sweep,
    variable: str,
    *,
    bins: int | Sequence[float] | None = None,
    where: Limits = None,
    per: Names = None,
) -> xr.Dataset:
    """Count points by the value of a variable.

    Parameters
    ----------
    cube : Dataset or Sweep
    variable : str
    bins : int or edges, optional
        A number of equal bins over the finite values, or their edges, ascending; each bin includes its low edge, the
        last one both. Default: 50, of a flag (`bound`, `infeasible`) one for each of its meanings.
    where, per
        As in `best`.

    Returns
    -------
    Dataset
        `count` over `per` and `bin`, with coords `bin_low` and `bin_high`, of a flag also `meaning`.

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> bins = rc.histogram(rc.benchmark("mnist"), "measured_top1", bins=[0, 90, 95, 100])
    >>> bins["count"].values.tolist()
    [0, 0, 406]
    >>> of_each = rc.histogram(rc.benchmark("mnist"), "measured_top1", where={"batch": 1}, per="platform", bins=4)
    >>> of_each["count"].dims
    ('platform', 'bin')
    """
    return counts.histogram(context_of(cube), variable, bins=bins, where=where, per=per)


def quantile(
    cube: xr.Dataset | Sweep,
    variable: str,
    q: float | Sequence[float],
    *,
    where: Limits = None,
    per: Names = None,
) -> xr.Dataset:
    """Find quantiles of a variable, exactly.

    Parameters
    ----------
    cube : Dataset or Sweep
    variable : str
    q : number or sequence of numbers from 0 to 1
    where, per
        As in `best`; NaN does not count.

    Returns
    -------
    Dataset
        The variable over `per` and `quantile`, interpolated linearly between the two nearest points as
        `numpy.quantile` does; NaN where there are no points.

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> median = rc.quantile(rc.benchmark("mnist"), "measured_latency", 0.5, per="platform")
    >>> median.measured_latency.dims
    ('platform',)
    >>> small = rc.quantile(rc.benchmark("mnist"), "measured_latency", [0.1, 0.9], where={"batch": 1})
    >>> small.sizes["quantile"]
    2
    """
    return quantiles.quantile(context_of(cube), variable, q, where=where, per=per)


def crossover(
    cube: xr.Dataset | Sweep,
    objective: str,
    *,
    between: str = "platform",
    along: str = "batch",
    per: Names = None,
    where: Limits = None,
    sense: Sense | None = None,
    trust: Trust = "possible",
) -> xr.Dataset:
    """Find which label of a dim wins where, and where along another dim the winner changes.

    Parameters
    ----------
    cube : Dataset or Sweep
    objective : str
    between : str
        Dim, or coordinate along dims, whose labels compete, each with its best point over all other dims.
    along : str
        Dim along which the winner may change.
    per, where, sense, trust
        As in `best`.

    Returns
    -------
    Dataset
        Over `per` and `along`: `winner`, `winner_code`, the objective, `found`, and `changes` where the winner differs
        from the one before. Along `crossover`: every change with the labels `per`, `before` and `after` along the dim,
        `loser` and `gainer`.

    Raises
    ------
    UnknownLabelError, InvalidDataError, MemoryLimitError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> winners = rc.crossover(rc.benchmark("mnist"), "measured_latency")
    >>> winners.winner.dims
    ('batch',)

    From which batch on another precision is faster, network by network, on one platform:

    >>> where = {"platform": "TX2"}
    >>> winners = rc.crossover(
    ...     rc.benchmark("mnist"), "measured_latency", between="precision", along="batch", per="pruning", where=where,
    ...     sense="min", trust="all",
    ... )
    >>> winners.winner.dims
    ('pruning', 'batch')
    """
    context = context_of(cube)
    limits, removed = trusted(context, [objective], where, trust)
    answer = crossovers.crossover(context, objective, between=between, along=along, per=per, where=limits, sense=sense)
    return answer.assign_attrs(removed) if removed else answer
