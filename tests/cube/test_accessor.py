"""`Dataset.roof`: which functions are methods, and what their help shows."""

from __future__ import annotations

import inspect

import pytest

import roofcube as rc
from roofcube.accessor import RoofAccessor

METHODS = [name for name in vars(RoofAccessor) if name[0] != "_" and name != "plot"]


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("mnist")


def test_every_function_of_a_cube_is_a_method():
    functions = [name for name in rc.__all__ if inspect.isfunction(getattr(rc, name))]
    first = {name: next(iter(inspect.signature(getattr(rc, name)).parameters), "") for name in functions}
    of_cubes = {name for name, argument in first.items() if argument in ("cube", "inputs")}
    assert of_cubes <= set(METHODS)
    assert set(METHODS) - {"table"} <= set(functions)


@pytest.mark.parametrize("name", METHODS)
def test_help_of_a_method_is_that_of_its_function(cube, name):
    method, function = getattr(cube.roof, name), getattr(RoofAccessor, name)
    assert inspect.getdoc(method) == inspect.getdoc(function)
    assert list(inspect.signature(method).parameters) == list(inspect.signature(function).parameters)[1:]


def test_figures_are_methods_too(cube):
    assert dir(cube.roof.plot) == sorted(rc.plot.__all__)
    assert inspect.getdoc(cube.roof.plot.pareto) == inspect.getdoc(rc.plot.pareto)
    assert type(cube.roof.plot.pareto()) is type(rc.plot.pareto(cube))
    with pytest.raises(AttributeError, match="nowhere"):
        _ = cube.roof.plot.nowhere
