"""Random spaces and a brute-force oracle for sweeps: the whole cube by `predict`, then plain NumPy, naive by design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import roofcube as rc
from roofcube.variables import INFEASIBLE

STORAGES = ("memory per input", "memory per batch", "on chip", "on chip if it fits", "free")
OWN = ("design", "cooling", "shop")
# (variable, dims it may have, values it takes)
VARIABLES = {
    "peak_compute": (("platform", "precision", "design", "peak"), (1.0, 2.0, 4.0, 8.0)),
    "memory_bandwidth": (("platform", "bandwidth", "design"), (0.5, 1.0, 3.0)),
    "memory_capacity": (("platform", "cooling"), (3.0, 10.0, 40.0)),
    "on_chip_memory": (("platform", "design"), (0.0, 2.0, 8.0)),
    "power": (("platform", "cooling", "mode"), (1.0, 2.0, 5.0)),
    "ops": (("topology", "pruning"), (2.0, 4.0, 6.0, 7.0)),
    "params": (("topology", "pruning"), (1.0, 2.0, 3.0)),
    "activations": (("topology", "pruning"), (1.0, 2.0)),
    "state": (("topology", "pruning"), (0.0, 1.0)),
    "top1": (("topology", "pruning", "precision"), (60.0, 70.0, 80.0)),
    "price": (("shop", "platform", "design"), (1.0, 2.0, -1.0, 0.0)),
    "mode_offered": (("platform", "mode"), (0.0, 1.0, 1.0, 1.0)),
}
ODD = (np.nan, np.inf, -np.inf, 0.0, -2.0, -0.0)


@dataclass
class Case:
    """A random space with everything a check needs."""

    inputs: xr.Dataset
    assumptions: rc.Assumptions
    dtype: str
    full: dict[str, np.ndarray]
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    rng: np.random.Generator


def random_case(seed: int, *, most: int = 3000) -> Case:
    """Draw a space of at most `most` points."""
    rng = np.random.default_rng(seed)
    sizes = _sizes(rng, most)
    coords = {dim: _labels(dim, size) for dim, size in sizes.items()}
    odd = rng.random() < 0.4
    layered = rng.random() < 0.4
    variables = {}
    for name, (may, values) in VARIABLES.items():
        if (
            name in ("state", "price", "on_chip_memory", "memory_capacity", "mode_offered", "power")
            and rng.random() < 0.3
        ):
            continue
        dims = [dim for dim in may if dim in sizes and rng.random() < 0.8]
        if rng.random() < 0.15:  # any input may gain any dim
            dims = list(dict.fromkeys([*dims, str(rng.choice(list(sizes)))]))
        variables[name] = (dims, _values(rng, values, [sizes[dim] for dim in dims], odd))
    if layered:
        for name in ("ops", "params", "activations"):
            dims = [*variables[name][0], "layer"]
            shape = [*(sizes[dim] for dim in dims[:-1]), 3]
            variables[f"layer_{name}"] = (dims, _values(rng, VARIABLES[name][1], shape, odd))
    inputs = xr.Dataset(variables, coords=coords)
    assumptions = rc.Assumptions(
        weights=str(rng.choice(STORAGES)),
        activations=str(rng.choice(STORAGES)),
        state=str(rng.choice(STORAGES)),
        layers="per layer" if layered else "whole network",
    )
    if "price" in inputs:
        assumptions = assumptions.with_term("cost", lambda model: model.price / model.predicted_throughput, sense="min")
    dtype = str(rng.choice(["f4", "f8"]))
    full, dims, shape = _everything(inputs, assumptions, dtype)
    return Case(inputs, assumptions, dtype, full, dims, shape, rng)


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


def _values(rng: np.random.Generator, values: tuple, shape: list[int], odd: bool) -> np.ndarray:
    array = rng.choice(values, size=shape)
    if rng.random() < 0.3:
        array = array * rng.lognormal(size=shape)
    if odd:
        array = np.where(rng.random(shape) < 0.1, rng.choice(ODD, size=shape), array)
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
    """Draw limits on variables and labels."""
    where: dict = {}
    for name in case.rng.permutation(list(case.full))[: case.rng.integers(0, 3)]:
        values = case.full[name][np.isfinite(case.full[name])]
        if name in ("bound", "infeasible") or not values.size:
            continue
        low, high = np.sort(case.rng.choice(values, 2)).astype(float)
        where[str(name)] = [(low, high), (None, high), (low, None)][case.rng.integers(0, 3)]
    if case.rng.random() < 0.3:
        dim = str(case.rng.choice(case.dims))
        labels = case.inputs[dim].values.tolist()
        if labels:
            where[dim] = [label for label in labels if case.rng.random() < 0.7]
    return where


def valid(case: Case, where: dict, objectives: tuple[str, ...] = ()) -> np.ndarray:
    """Say which points meet limits and have objectives."""
    ok = np.ones(case.shape, dtype=bool)
    for name, limit in where.items():
        if name in case.dims:
            kept = np.isin(case.inputs[name].values, limit) if limit else np.zeros(case.inputs.sizes[name], dtype=bool)
            ok &= kept.reshape([-1 if dim == name else 1 for dim in case.dims])
            continue
        values, (low, high) = case.full[name], limit
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


def brute_front(case: Case, objectives: dict, where: dict, ties: str) -> tuple[list[int], list[int]]:
    """Find a front by comparing all pairs: flat indices in order, and ties."""
    ok = np.flatnonzero(valid(case, where, tuple(objectives)).ravel())
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


def check(seed: int, strategy: str, *, client: object = None, most: int = 3000) -> None:
    """Compare every reduction of one random space with brute force."""
    case = random_case(seed, most=most)
    sweep = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype, strategy=strategy, client=client)
    assert sweep.dims == case.dims
    assert tuple(sweep.sizes.values()) == case.shape
    numeric = sorted(set(case.full) & set(sweep.model.outputs))
    rng = case.rng
    objectives = {str(n): str(rng.choice(["min", "max"])) for n in rng.permutation(numeric)[: rng.integers(1, 5)]}
    where = random_where(case)
    per = [str(dim) for dim in rng.permutation(case.dims)[: rng.integers(0, 3)]]
    context = f"seed={seed} strategy={strategy} dtype={case.dtype} objectives={objectives} where={where} per={per}"
    check_front(case, sweep, objectives, where, context)
    check_best(case, sweep, objectives, where, per, context)
    check_top(case, sweep, objectives, where, context)
    check_counts(case, sweep, objectives, where, per, context)


def check_front(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, context: str) -> None:
    for ties in ("all", "first"):
        front = sweep.pareto(objectives, where=where, ties=ties)
        points, n_ties = brute_front(case, objectives, where, ties)
        assert flat_points(case, front) == points, f"{context} ties={ties}"
        assert front["n_ties"].values.tolist() == n_ties, context
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


def check_top(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, context: str) -> None:
    name, sense = next(iter(objectives.items()))
    n = int(case.rng.integers(1, 40))
    top = sweep.top(n, name, where=where, sense=sense)
    ok = np.flatnonzero(valid(case, where, (name,)).ravel())
    key = (case.full[name] if sense == "max" else -case.full[name]).ravel()[ok]
    assert flat_points(case, top) == ok[np.lexsort((ok, -key))][:n].tolist(), f"{context} n={n}"


def check_counts(case: Case, sweep: rc.Sweep, objectives: dict, where: dict, per: list[str], context: str) -> None:
    name = next(iter(objectives))
    ok = valid(case, where)
    drop = tuple(k for k, dim in enumerate(case.dims) if dim not in per)
    kept = [dim for dim in case.dims if dim in per]
    count = sweep.count(where=where, per=per)["count"].transpose(*kept)
    np.testing.assert_array_equal(count.values, kept_groups(case, ok.sum(axis=drop), where, kept), err_msg=context)
    by = sweep.count(where=where, by="infeasible")["count"]
    codes = case.full["infeasible"][ok]
    assert by.values.tolist() == [int((codes == code).sum()) for code in INFEASIBLE.values()], context
    values = case.full[name][ok & ~np.isnan(case.full[name])].astype("f8")
    edges = np.sort(case.rng.choice([0.0, 0.5, 1.0, 2.0, 3.3, 7.0, 70.0], 4)).astype(case.dtype)
    histogram = sweep.histogram(name, bins=edges, where=where)["count"].values
    np.testing.assert_array_equal(histogram, np.histogram(values[np.isfinite(values)], edges)[0], err_msg=context)
    finite = values[np.isfinite(values)]
    if len(finite) == len(values) and len(values):
        quantiles = sweep.quantile(name, [0.0, 0.3, 0.5, 1.0], where=where)[name].values
        np.testing.assert_allclose(quantiles, np.quantile(values, [0.0, 0.3, 0.5, 1.0]), rtol=1e-12, err_msg=context)
