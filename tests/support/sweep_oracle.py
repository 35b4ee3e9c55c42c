"""Random spaces and a brute-force oracle for sweeps: the whole cube by `predict`, then plain NumPy, naive by design.

What shapes generated code (dims, sizes, which variable has which dims and which odd values, assumptions, dtype,
questions) is drawn from one seed, the values from another, so that many spaces can share compiled kernels.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING
from unittest.mock import patch

import calibrated_spaces
import chances
import numpy as np
import xarray as xr

import roofcube as rc
from roofcube.kernels.bounds import search
from roofcube.kernels.engine import reductions, stream
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.sweep import cluster
from roofcube.vocabulary import INFEASIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGES = ("memory per input", "memory per batch", "on chip", "on chip if it fits", "free")
OWN = ("design", "cooling", "shop")
# (variable, dims it may have, values it takes)
VARIABLES = {
    "peak_compute": (("platform", "precision", "design", "peak"), (1.0, 2.0, 4.0, 8.0)),
    "memory_bandwidth": (("platform", "bandwidth", "design"), (0.5, 1.0, 3.0)),
    "memory_capacity": (("platform", "cooling"), (3.0, 10.0, 40.0)),
    "on_chip_memory": (("platform", "design"), (0.0, 2.0, 8.0)),
    "power": (("platform", "cooling", "mode"), (1.0, 2.0, 5.0)),
    "cores": (("platform", "mode"), (1.0, 2.0, 3.0)),
    "weights_shared": (("platform",), (0.0, 1.0)),
    "ops": (("topology", "pruning"), (2.0, 4.0, 6.0, 7.0)),
    "params": (("topology", "pruning"), (1.0, 2.0, 3.0)),
    "activations": (("topology", "pruning"), (1.0, 2.0)),
    "activation_memory": (("topology", "pruning"), (1.0, 2.0)),
    "state": (("topology", "pruning"), (0.0, 1.0)),
    "top1": (("topology", "pruning", "precision"), (60.0, 70.0, 80.0)),
    "price": (("shop", "platform", "design"), (1.0, 2.0, -1.0, 0.0)),
    "mode_offered": (("platform", "mode"), (0.0, 1.0, 1.0, 1.0)),
}
NEEDED = ("peak_compute", "memory_bandwidth", "ops", "params", "activations", "top1")
SMALL_PIECES = {
    "tile_points": 127,
    "job_tiles": 2,
    "split_boxes": 64,
    "open_points": 1,
    "row_points": (8, 32),
    "scan_tile": 64,
    "scan_job_points": 300,
    "tally_job_points": 300,
    "sieve_job_points": 300,
}
CALIBRATED = 0.2  # of all spaces
INTERVALS = ("predicted_throughput_low", "predicted_throughput_high")
FREE_SEARCHES = {
    "box_nanoseconds": (0.0, 0.0),
    "index_nanoseconds": 0.0,
    "least_search_seconds": 0.0,
    "probed_seconds": 0.0,
}
# own terms in every operation
TERMS = (
    lambda model: rc.log(model.predicted_throughput) - model.ops**0.3,
    lambda model: rc.exp(-model.predicted_latency) + rc.sqrt(model.params),
    lambda model: rc.ceil(model.predicted_throughput) // rc.maximum(model.batch, 2.0),
    lambda model: abs(model.ops % (model.params + 0.7)) * rc.log2(model.batch),
    lambda model: rc.where((model.ops > 3) & (model.params < 3) | (model.batch > 4), rc.floor(model.ops), -model.ops),
)
ODD = (np.nan, np.inf, -np.inf, 0.0, -2.0, -0.0)
# what random spaces must hold now and then, or a check of them is blind
KINDS = (
    *("NaN", "infinity", "-infinity", "negative input", "infeasible rows", "equal points", "points removed by limits"),
    *("a dim of size 1", "a dim of size 0", "more than 1000 points", "f4", "f8", "whole network", "per layer"),
    *(f"{what} {storage}" for what in ("weights", "activations", "state") for storage in STORAGES),
    *("a limit on numbers", "a limit on labels", "a limit on flags", "no limit", "an own term"),
    *(
        "groups",
        "no groups",
        "groups one by one",
        "1 objective",
        "2 objectives",
        "3 objectives",
        "4 objectives",
        "ties all",
        "ties first",
    ),
    *("a calibration", "chances", "chances of limits"),
    *("everything folded", "some folded", "nothing folded", "small pieces", "large pieces"),
)


@dataclass
class Case:
    """A random space with everything a check needs; `form` draws what its structure decides, `rng` the rest.

    `sigma` and `configuration` are of the intervals of a calibration, as `chances` wants them.
    """

    inputs: xr.Dataset
    assumptions: rc.Assumptions | rc.Calibration
    dtype: str
    full: dict[str, np.ndarray]
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    form: np.random.Generator
    rng: np.random.Generator
    kinds: set[str] = field(default_factory=set)
    sigma: np.ndarray | None = None
    configuration: np.ndarray | None = None


def random_case(seed: int, *, structure: int | None = None, most: int = 3000, calibrated: float = CALIBRATED) -> Case:
    """Draw a space of at most `most` points; `calibrated` says how many of them a calibration predicts."""
    form = np.random.default_rng(seed if structure is None else structure)
    rng = np.random.default_rng([seed, 1])
    # drawn apart, here and below, so that the other spaces of a seed stay as they were
    if np.random.default_rng([seed if structure is None else structure, 3]).random() < calibrated:
        return _calibrated_case(form, rng, most)
    sizes = _sizes(form, most)
    coords = {dim: _labels(dim, size) for dim, size in sizes.items()}
    odd = form.random() < 0.4
    layered = form.random() < 0.4
    variables = {}
    for name, (may, values) in VARIABLES.items():
        if name not in NEEDED and form.random() < 0.3:
            continue
        dims = [dim for dim in may if dim in sizes and form.random() < 0.8]
        if form.random() < 0.15:  # any input may gain any dim
            dims = list(dict.fromkeys([*dims, str(form.choice(list(sizes)))]))
        variables[name] = (dims, _values(form, rng, values, [sizes[dim] for dim in dims], odd))
    if layered:
        layers = int(form.choice([1, 3, 4]))
        for name in ("ops", "params", "activations"):
            dims = [*variables[name][0], "layer"]
            shape = [*(sizes[dim] for dim in dims[:-1]), layers]
            variables[f"layer_{name}"] = (dims, _values(form, rng, VARIABLES[name][1], shape, odd))
        if form.random() < 0.3:
            variables["layer_tile_use"] = (["layer"], _values(form, rng, (0.5, 1.0), [layers], odd))
    # relative numbers, of which any are taken
    inputs = xr.Dataset({name: (*one, {"units": "1"}) for name, one in variables.items()}, coords=coords)
    assumptions = rc.Assumptions(
        weights=str(form.choice(STORAGES)),
        activations=str(form.choice(STORAGES)),
        state=str(form.choice(STORAGES)),
        layers="per layer" if layered else "whole network",
    )
    if "price" in inputs:
        assumptions = assumptions.with_term("cost", lambda model: model.price / model.predicted_throughput, sense="min")
    own = np.random.default_rng([seed if structure is None else structure, 2])
    if own.random() < 0.5:
        assumptions = assumptions.with_term("score", TERMS[own.integers(len(TERMS))])
    dtype = str(form.choice(["f4", "f8"]))
    case = Case(inputs, assumptions, dtype, *_everything(inputs, assumptions, dtype), form, rng)
    case.kinds |= _kinds_of(case)
    return case


def _calibrated_case(form: np.random.Generator, rng: np.random.Generator, most: int) -> Case:
    inputs, calibration = calibrated_spaces.random_space(form, rng, most)
    dtype = str(form.choice(["f4", "f8"]))
    full, dims, shape = _everything(inputs, calibration, dtype)
    low, high = (full.pop(name) for name in INTERVALS)
    del full["extrapolates"]  # no more than these two an output of a sweep
    case = Case(inputs, calibration, dtype, full, dims, shape, form, rng)
    case.sigma = chances.deviations(low, high).ravel()
    case.configuration = chances.configurations(dims, shape, calibrated_spaces.MOST_LABELS)
    case.kinds |= _kinds_of(case)
    return case


def _kinds_of(case: Case) -> set[str]:
    numbers = [array.values for array in case.inputs.data_vars.values() if array.dtype.kind in "fiub"]
    values = np.concatenate([array.ravel().astype("f8") for array in numbers])
    assume = case.assumptions
    found = {
        "NaN": np.isnan(values).any(),
        "infinity": np.isposinf(values).any(),
        "-infinity": np.isneginf(values).any(),
        "negative input": (values < 0).any(),
        "infeasible rows": case.full["infeasible"].any(),
        "a dim of size 1": 1 in case.shape,
        "a dim of size 0": 0 in case.shape,
        "more than 1000 points": np.prod(case.shape) > 1000,
        "a calibration": case.sigma is not None,
    }
    if case.sigma is not None:
        return {name for name, is_there in found.items() if is_there} | {case.dtype}
    found |= {"an own term": assume.terms}
    stored = {f"{what} {getattr(assume, what)}" for what in ("weights", "activations", "state")}
    return {name for name, is_there in found.items() if is_there} | stored | {case.dtype, assume.layers}


def _sizes(rng: np.random.Generator, most: int) -> dict[str, int]:
    dims = ["platform", "mode", "topology", "pruning", "precision", "peak", "bandwidth", *OWN, "batch"]
    sizes = {"batch": int(rng.integers(1, 9)), "precision": int(rng.integers(1, 4))}
    for dim in rng.permutation(dims):
        if dim not in sizes and rng.random() < 0.6:
            sizes[str(dim)] = int(rng.choice([1, 2, 3, 4, 7]))
    while np.prod(list(sizes.values())) > most:
        largest = max(sizes, key=lambda dim: sizes[dim])
        sizes[largest] -= 1
    if rng.random() < 0.03:
        sizes[str(rng.choice(list(sizes)))] = 0
    return sizes


def _labels(dim: str, size: int) -> list:
    if dim == "precision":
        return ["INT8", "FP16", "FP32"][:size]
    if dim in ("platform", "mode", "topology", "shop"):
        return [f"{dim} {k}" for k in range(size)]
    return [float(2**k) for k in range(size)]


def _values(
    form: np.random.Generator, rng: np.random.Generator, values: tuple, shape: list[int], odd: bool
) -> np.ndarray:
    array = rng.choice(values, size=shape)
    if form.random() < 0.3:
        array = array * rng.lognormal(size=shape)
    kinds = form.choice(ODD, size=form.integers(1, 4), replace=False)
    rare = form.random()
    if not odd or rare < (0.5 if array.size > 3 * len(kinds) else 0.9):
        return array
    array = np.where(rng.random(shape) < 0.1, rng.choice(kinds, size=shape), array)
    # each kind at least once: which values may occur shapes the generated code
    np.put(array, rng.permutation(array.size)[: len(kinds)], kinds)
    return array


def _everything(inputs: xr.Dataset, assumptions: rc.Assumptions, dtype: str) -> tuple:
    cube = rc.predict(inputs, assumptions=assumptions, dtype=dtype)
    dims = tuple(cube.attrs["dim_order"].split())
    shape = tuple(cube.sizes[dim] for dim in dims)
    full = {}
    for name, array in cube.data_vars.items():
        if "layer" in array.dims or array.dtype.kind not in "fiub":
            continue
        ordered = array.transpose(*(dim for dim in dims if dim in array.dims)).values.astype(dtype)
        spread = ordered.reshape([cube.sizes[dim] if dim in array.dims else 1 for dim in dims])
        full[str(name)] = np.broadcast_to(spread, shape)
    return full, dims, shape


def random_where(case: Case) -> dict:
    """Draw limits on variables, flags and labels."""
    form = case.form
    where: dict = {}
    for name in form.permutation(sorted(case.full))[: form.integers(0, 3)]:
        kind, flags = form.integers(0, 3), form.integers(0, 6, size=3)
        if name in ("bound", "infeasible"):
            where[str(name)] = [float(flag) for flag in dict.fromkeys(flags.tolist())]
            continue
        values = case.full[name][np.isfinite(case.full[name])]
        low, high = np.sort(case.rng.choice(values if values.size else [0.0, 1.0], 2)).astype(float)
        where[str(name)] = [(low, high), (None, high), (low, None)][kind]
    if form.random() < 0.3:
        dim = str(form.choice(case.dims))
        where[dim] = [label for label in case.inputs[dim].values.tolist() if form.random() < 0.7]
    return where


def valid(case: Case, where: dict, objectives: tuple[str, ...] = ()) -> np.ndarray:
    """Say which points meet limits and have objectives."""
    ok = np.ones(case.shape, dtype=bool)
    for name, limit in where.items():
        if name in case.dims:
            kept = np.isin(case.inputs[name].values, limit) if limit else np.zeros(case.inputs.sizes[name], dtype=bool)
            ok &= kept.reshape([-1 if dim == name else 1 for dim in case.dims])
            continue
        values = case.full[name]
        if isinstance(limit, list):
            ok &= np.isin(values, limit)
            continue
        low, high = limit
        kind = values.dtype.type
        ok &= ~np.isnan(values)
        ok &= (values >= kind(low)) if low is not None else True
        ok &= (values <= kind(high)) if high is not None else True
    for name in objectives:
        ok &= ~np.isnan(case.full[name])
    return ok


def flat_points(case: Case, result: xr.Dataset) -> list[int]:
    """Turn the labels of points back into flat indices."""
    index = np.zeros(result.sizes.get("point", 0), dtype=np.int64)
    for dim, size in zip(case.dims, case.shape, strict=True):
        known = {label: k for k, label in enumerate(case.inputs[dim].values.tolist())}
        index = index * size + np.array([known[label] for label in result[dim].values.tolist()], dtype=np.int64)
    return index.tolist()


def groups_left(case: Case, where: dict, per: list[str]) -> list[np.ndarray]:
    """Say which points belong to each group that limits on labels leave, in the order of results."""
    left = [kept_groups(case, np.arange(case.inputs.sizes[dim]), where, [dim]) for dim in per]
    groups = []
    for place in product(*left):
        inside = np.zeros(case.shape, dtype=bool)
        inside[tuple(dict(zip(per, place, strict=True)).get(dim, slice(None)) for dim in case.dims)] = True
        groups.append(inside)
    return groups


def brute_front(case: Case, objectives: dict, inside: np.ndarray, ties: str) -> tuple[list[int], list[int]]:
    """Find a front of some points by comparing all pairs: flat indices in order, and ties."""
    ok = np.flatnonzero(inside.ravel())
    signs = [1 if sense == "min" else -1 for sense in objectives.values()]
    costs = np.stack(
        [
            case.full[name].ravel()[ok] * case.full[name].dtype.type(s)
            for name, s in zip(objectives, signs, strict=True)
        ],
        1,
    )
    unique, number, counts = np.unique(costs + 0, axis=0, return_inverse=True, return_counts=True)
    number = number.ravel()
    kept = [not ((unique <= v).all(1) & (unique < v).any(1)).any() for v in unique]
    points = [(costs[k, 0], int(ok[k]), int(counts[number[k]]), number[k]) for k in range(len(ok)) if kept[number[k]]]
    points.sort(key=lambda point: point[:2])
    if ties == "first":
        seen: set = set()
        lowest = {}
        for point in points:
            lowest[point[3]] = min(lowest.get(point[3], point[1]), point[1])
        points = [p for p in points if lowest[p[3]] == p[1] and not (p[3] in seen or seen.add(p[3]))]
    return [point[1] for point in points], [point[2] for point in points]


class Twins:
    """Two sweeps that are asked the same and must answer the same, bit for bit."""

    def __init__(self, one: rc.Sweep, other: rc.Sweep) -> None:
        self.one, self.other = one, other

    def __getattr__(self, name: str) -> object:
        def asked(*arguments: object, **options: object) -> xr.Dataset:
            first, second = (getattr(sweep, name)(*arguments, **options) for sweep in (self.one, self.other))
            xr.testing.assert_identical(first, second)
            for key, array in first.variables.items():
                if array.dtype.kind == "f":  # identical() takes both zeros for the same
                    zeros = (one.values[one.values == 0] for one in (array, second[key].variable))
                    np.testing.assert_array_equal(*map(np.signbit, zeros))
            return first

        return asked


def tuning_of(case: Case) -> Tuning:
    """Draw sizes that show the engines, on a small space, what only larger ones would."""
    form = case.form
    fold, small = int(form.integers(0, 3)), form.random() < 0.5
    case.kinds |= {("everything", "some", "nothing")[fold] + " folded", ("small" if small else "large") + " pieces"}
    # without a fold, everything of so small a space is a table before any engine sees it
    folds = [{}, {"fold_steps": (64,), "table_bytes": 4096}, {"fold_steps": (1,), "table_bytes": 0}][fold]
    pieces = SMALL_PIECES if small else {}
    # searches that seem to pay and do, or that seem to cost nothing and are given up
    costs = {"tile_nanoseconds": (1e6, 0.0)} if form.random() < 0.5 else FREE_SEARCHES
    return replace(TUNING, row_worth=1, **folds, **pieces, **costs)


@contextmanager
def witnesses(seen: Counter) -> Iterator[None]:
    """Count what each engine really did."""
    with ExitStack() as stack:

        def witnessed(place: object, name: str, what: str) -> None:
            plain = getattr(place, name)

            def counted(*arguments: object, **options: object) -> object:
                found = plain(*arguments, **options)
                seen[what] += 1
                return found

            stack.enter_context(patch.object(place, name, counted))

        witnessed(reductions.Reduction, "rows", "kernels")
        witnessed(stream, "visit_tiles", "tiles")
        witnessed(cluster.ClusterEngine, "_merged", "cluster")
        for name in ("slice_of", "explore"):
            witnessed(search, name, "bounds")
        yield


def check(
    seed: int,
    strategy: str,
    *,
    structure: int | None = None,
    questions: int | None = None,
    client: object = None,
    most: int = 3000,
    changes: dict[str, object] | None = None,
) -> Counter:
    """Compare reductions of one random space with brute force; tell what kinds of things it held, and who answered.

    `changes` are made to the tuning that is drawn.
    """
    case = random_case(seed, structure=structure, most=most)
    seen: Counter = Counter()
    tuned = {"strategy": strategy, "tuning": replace(tuning_of(case), **(changes or {}))}
    with witnesses(seen):
        sweep = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype, client=client, **tuned)
        assert sweep.dims == case.dims
        assert tuple(sweep.sizes.values()) == case.shape
        numeric = sorted(set(case.full) & set(sweep.model.outputs))
        form = case.form
        objectives = {
            str(n): str(form.choice(["min", "max"])) for n in form.permutation(numeric)[: form.integers(1, 5)]
        }
        where = random_where(case)
        if case.sigma is not None and form.random() < 0.6:
            objectives, where = _about_predictions(case, where)
        per = [str(dim) for dim in form.permutation(case.dims)[: form.integers(0, 3)]]
        few = per if form.random() < 0.3 and np.prod([case.inputs.sizes[dim] for dim in per]) <= 8 else []
        context = f"seed={seed} structure={structure} strategy={strategy} dtype={case.dtype} "
        context += f"objectives={objectives} where={where} per={per}"
        _note_questions(case, objectives, where, per)
        if client is not None:
            here = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype, **tuned)
            sweep = Twins(sweep, here)
        for name in form.permutation(list(QUESTIONS))[:questions]:
            seen[str(name)] += 1
            together = name in ("best", "count")
            case.kinds |= {"groups one by one"} if few and not together else set()
            QUESTIONS[name](case, sweep, objectives, where, per if together else few, context)
    seen.update(case.kinds)
    return seen


def _about_predictions(case: Case, where: dict) -> tuple[dict, dict]:
    """Draw objectives that are sure and others that are not, and now and then a limit on one of these."""
    unsure = [name for name in chances.MOVES if name in case.full]
    goals = [case.form.choice(unsure), *case.form.permutation(["top1", "price", "power", *unsure])[:2]]
    objectives = {str(name): str(case.form.choice(["min", "max"])) for name in goals if name in case.full}
    if case.form.random() < 0.5:
        name = str(case.form.choice(unsure))
        values = case.full[name][np.isfinite(case.full[name])]
        end = float(case.rng.choice(values)) if values.size else 1.0
        where = where | {name: [(end, None), (None, end)][case.form.integers(2)]}
    return objectives, where


def _note_questions(case: Case, objectives: dict, where: dict, per: list[str]) -> None:
    numbers = [name for name, limit in where.items() if isinstance(limit, tuple)]
    labels = [name for name in where if name in case.dims]
    flags = set(where) - {*numbers, *labels}
    for kind, is_there in {
        "a limit on numbers": numbers,
        "a limit on labels": labels,
        "a limit on flags": flags,
        "no limit": not where,
        "points removed by limits": not valid(case, where).all(),
        "groups": per,
        "no groups": not per,
        f"{len(objectives)} objective{'s' * (len(objectives) > 1)}": True,
    }.items():
        if is_there:
            case.kinds.add(kind)


def check_front(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    ties = str(case.rng.choice(["all", "first"]))
    case.kinds.add(f"ties {ties}")
    chancy = {"probability": True} if case.sigma is not None and case.rng.random() < 0.7 else {}
    front = sweep.pareto(objectives, where=where, per=per, ties=ties, **chancy)
    ok = valid(case, where, tuple(objectives))
    brute = [brute_front(case, objectives, ok & group, ties) for group in groups_left(case, where, per)]
    points = [point for one, _ in brute for point in one]
    n_ties = [ties_of for _, one in brute for ties_of in one]
    assert flat_points(case, front) == points, f"{context} ties={ties}"
    assert front["n_ties"].values.tolist() == n_ties, context
    if max(n_ties, default=0) > 1:
        case.kinds.add("equal points")
    for name in objectives:
        expected = case.full[name].ravel()[points]
        np.testing.assert_array_equal(front[name].values.astype(case.dtype), expected, err_msg=context)
    labels = {name: limit for name, limit in where.items() if name in case.dims}
    left = valid(case, labels)
    for name in objectives:
        assert front.attrs[f"missing_{name}"] == int((np.isnan(case.full[name]) & left).sum()), context
    for name, limit in where.items():
        of = np.ones_like(left) if name in labels else left
        assert front.attrs[f"removed_by_{name}"] == int((~valid(case, {name: limit}) & of).sum()), context
    if chancy:
        _check_chances(case, front, objectives, where, per, context)


def _check_chances(case: Case, front: xr.Dataset, objectives: dict, where: dict, per: list[str], context: str) -> None:
    values = {name: array.ravel().astype("f8") for name, array in case.full.items()}
    points = np.array(flat_points(case, front), dtype=int)
    on_front = np.zeros(len(points))
    for group in groups_left(case, where, per):

        def competes(world: dict, group: np.ndarray = group) -> np.ndarray:
            full = {name: one.reshape(case.shape) for name, one in world.items()}
            return (valid(replace(case, full=full), where, tuple(objectives)) & group).ravel()

        mine = group.ravel()[points]
        on_front[mine] = chances.on_front(
            values, objectives, competes, case.sigma, case.configuration, points[mine].tolist()
        )
    limits = {name: limit for name, limit in where.items() if isinstance(limit, tuple)}
    meets = np.array([chances.meets(values, limits, case.sigma, point) for point in points.tolist()])
    found = (front[f"probability_{what}"].values for what in ("on_front", "meets_limits"))
    for name, one, expected, draws in zip(
        ("on front", "meets limits"), found, (on_front, meets), (chances.DRAWS, np.inf), strict=True
    ):
        agrees = chances.agree(one, expected, draws)
        assert agrees.all(), f"{context}: {name} {one[~agrees]}, expected {expected[~agrees]}"
    case.kinds |= {"chances"} if ((on_front > 0) & (on_front < 1)).any() else set()
    case.kinds |= {"chances of limits"} if ((meets > 0.01) & (meets < 0.99)).any() else set()


def check_best(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    name, sense = next(iter(objectives.items()))
    best = sweep.best(name, per=per, where=where, sense=sense)
    assert set(best["found"].dims) == set(per), context
    ok = valid(case, where, (name,))
    key = case.full[name] if sense == "max" else -case.full[name]
    axes = [case.dims.index(dim) for dim in per]
    rest = [k for k in range(len(case.dims)) if k not in axes]
    order = axes + rest
    flat = kept_groups(case, np.arange(key.size).reshape(case.shape).transpose(order), where, per)
    assert flat.shape[: len(per)] == best["found"].transpose(*per).shape, context
    groups = int(np.prod(flat.shape[: len(per)], dtype=int))
    flat = flat.reshape(groups, flat.size // max(groups, 1))
    stacked = {dim: best[dim].broadcast_like(best["found"]).transpose(*per).values.ravel() for dim in case.dims}
    for group in range(groups):
        points = flat[group]
        chosen = points[ok.ravel()[points]]
        found = bool(best["found"].transpose(*per).values.ravel()[group])
        assert found == bool(len(chosen)), context
        if found:
            keys = key.ravel()[chosen]
            first = int(chosen[np.flatnonzero(keys == keys.max())[0]])
            place = np.unravel_index(first, case.shape)
            expected = [case.inputs[dim].values[k] for dim, k in zip(case.dims, place, strict=True)]
            assert [stacked[dim][group] for dim in case.dims] == expected, context


def kept_groups(case: Case, array: np.ndarray, where: dict, per: list[str]) -> np.ndarray:
    """Leave only the labels that limits keep along the first axes, which are `per`."""
    for axis, dim in enumerate(per):
        if dim in where:
            kept = [k for k, label in enumerate(case.inputs[dim].values.tolist()) if label in where[dim]]
            array = np.take(array, np.array(kept, dtype=int), axis=axis)
    return array


def check_top(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    name, sense = next(iter(objectives.items()))
    n = int(case.rng.integers(1, 40))
    top = sweep.top(n, name, per=per, where=where, sense=sense)
    expected = []
    for group in groups_left(case, where, per):
        ok = np.flatnonzero(valid(case, where, (name,)) & group)
        key = (case.full[name] if sense == "max" else -case.full[name]).ravel()[ok]
        expected += ok[np.lexsort((ok, -key))][:n].tolist()
        if np.unique(key).size < key.size:
            case.kinds.add("equal points")
    assert flat_points(case, top) == expected, f"{context} n={n}"


def check_counts(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    ok = valid(case, where)
    drop = tuple(k for k, dim in enumerate(case.dims) if dim not in per)
    kept = [dim for dim in case.dims if dim in per]
    count = sweep.count(where=where, per=per)["count"].transpose(*kept)
    np.testing.assert_array_equal(count.values, kept_groups(case, ok.sum(axis=drop), where, kept), err_msg=context)
    by = sweep.count(where=where, by="infeasible")["count"]
    codes = case.full["infeasible"][ok]
    assert by.values.tolist() == [int((codes == code).sum()) for code in INFEASIBLE.values()], context


def check_histogram(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    name = next(iter(objectives))
    edges = np.sort(case.rng.choice([0.0, 0.5, 1.0, 2.0, 3.3, 7.0, 70.0], 4)).astype(case.dtype)
    histogram = sweep.histogram(name, bins=edges, where=where, per=per)["count"].transpose(*per, "bin").values
    for found, values in zip(histogram.reshape(-1, 3), _values_left(case, name, where, per), strict=True):
        np.testing.assert_array_equal(found, np.histogram(values[np.isfinite(values)], edges)[0], err_msg=context)


def check_quantile(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    name, wanted = next(iter(objectives)), [0.0, 0.3, 0.5, 1.0]
    quantiles = sweep.quantile(name, wanted, where=where, per=per)[name].transpose(*per, "quantile").values
    for found, values in zip(quantiles.reshape(-1, 4), _values_left(case, name, where, per), strict=True):
        if len(values) and np.isfinite(values).all():
            np.testing.assert_allclose(found, np.quantile(values, wanted), rtol=1e-12, err_msg=context)
        assert np.isnan(found).all() or len(values), context


def _values_left(case: Case, name: str, where: dict, per: list[str]) -> list[np.ndarray]:
    ok = valid(case, where, (name,))
    return [case.full[name][ok & group].astype("f8") for group in groups_left(case, where, per)]


QUESTIONS = {
    "front": check_front,
    "best": check_best,
    "top": check_top,
    "count": check_counts,
    "histogram": check_histogram,
    "quantile": check_quantile,
}
