"""Any cube goes through everything without an error, and what only rearranges it changes no answer."""

from __future__ import annotations

import os
import re

import foreign_cubes
import numpy as np
import pytest
import xarray as xr

import roofcube as rc

CUBES = int(os.environ.get("ROOFCUBE_SOAK_CUBES", "1000" if os.environ.get("ROOFCUBE_SOAK") else "4"))
KINDS = ("hypothetical", "own_task", "own_dim", "merged", "one_platform", "measured_only")
made: dict[str, xr.Dataset] = {}


def cube_of(rng: np.random.Generator) -> xr.Dataset:
    """One of the cubes that users bring, or of the embedded."""
    kind = str(rng.choice([*KINDS, *rc.tasks()[:3]]))
    if kind not in made:
        made[kind] = rc.benchmark(kind) if kind in rc.tasks() else getattr(foreign_cubes, kind)()
    return made[kind]


def transposed(cube, rng):
    return cube.transpose(*rng.permutation(list(cube.dims)).tolist())


def reordered(cube, rng):
    """Labels in another order: what is best stays so, unless there are ties."""
    dim = str(rng.choice([dim for dim in cube.dims if dim != "layer"]))
    return cube.isel({dim: rng.permutation(cube.sizes[dim])})


def chunked(cube, rng):
    pytest.importorskip("dask")
    return cube.chunk({dim: int(rng.integers(1, size + 1)) for dim, size in cube.sizes.items()})


def saved(cube, rng, folder):
    return rc.load(rc.save(cube, folder / str(rng.choice(["cube.nc", "cube.zarr"]))))


def sliced(cube, rng):
    """One label of a dim, kept as a scalar coordinate."""
    dims = [dim for dim in cube.dims if dim not in ("layer", "platform") and cube.sizes[dim] > 1]
    return cube.isel({str(dim): int(rng.integers(cube.sizes[dim])) for dim in rng.permutation(dims)[:1]})


def own_dim(cube, rng):
    """The same at two sites, of which one pays twice the power."""
    sites = xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["a", "b"]})
    if "power" not in cube:
        return cube
    return cube.assign(power=cube["power"] * sites)


def merged(cube, rng):
    return rc.merge(cube, cube)


def objective_of(cube) -> str | None:
    names = ("measured_throughput", "predicted_throughput")
    return next((name for name in names if name in cube and bool(cube[name].notnull().any())), None)


def answers(cube, objective) -> tuple:
    """What must not depend on how a cube is laid out: values, not labels, which ties may choose."""
    best = rc.best(cube, objective)
    accuracy = next((name for name in ("measured_top1", "top1") if name in cube), None)
    goals = {objective: "max", **({accuracy: "max"} if accuracy else {})}
    front = rc.pareto(cube, goals)
    limit = {objective: (float(best[objective]) / 3, None)}
    return (
        float(best[objective]),
        np.stack([np.sort(front[name].values) for name in goals]).tolist(),
        int(rc.count(cube, where=limit)["count"]),
        float(rc.quantile(cube, objective, 0.5)[objective].item()),
        rc.top(cube, 3, objective)[objective].values.tolist(),
    )


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(CUBES))
def test_any_cube_goes_through_everything(seed, tmp_path):
    rng = np.random.default_rng(seed)
    cube = cube_of(rng)
    for change in rng.permutation([sliced, own_dim, merged])[: rng.integers(0, 3)]:
        cube = change(cube, rng)
    objective = objective_of(cube)
    if objective is None:
        return
    expected = answers(cube, objective)
    other = cube
    for change in rng.permutation([transposed, reordered, chunked])[: rng.integers(1, 4)]:
        other = change(other, rng)
    assert answers(other, objective) == expected
    kept = saved(other, rng, tmp_path)
    assert answers(kept, objective) == expected
    assert rc.diff(other.compute(), kept).height == 0
    assert rc.verify(next(iter(tmp_path.iterdir())))
    if {"predicted_throughput", "measured_throughput"} <= set(kept) and "assumptions" not in kept.dims:
        rc.efficiency(kept)
    if len([dim for dim in kept.dims if kept.sizes[dim] > 1]) > 1:
        rc.explore(kept)
    if seed % 5 == 0:
        page = rc.report(kept, tmp_path / "page.html").read_text(encoding="utf-8")
        words = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
        assert "could not be" not in words
