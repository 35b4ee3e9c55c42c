"""`Dataset.roof`: the labelled functions as methods; every method only delegates."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RoofAccessor"]


class _Method:
    """A function as a method, with the text and the arguments of the function; its module is loaded on first use."""

    def __init__(self, module: str = "roofcube") -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, accessor: RoofAccessor | None, owner: type | None = None) -> Callable[..., Any]:
        function = getattr(import_module(self.module), self.name)
        return function if accessor is None else _with_cube_given(function, accessor._cube)


class RoofAccessor:
    """Methods of roofcube on a cube: ``cube.roof.pareto(...)`` is ``roofcube.pareto(cube, ...)``.

    Every public function that takes a cube first is here under its own name; ``cube.roof.plot`` holds the figures.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("mnist")
    >>> cube.roof.best("measured_throughput").platform.item()
    'ZCU104-FINN'
    """

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube

    as_offered = _Method()
    as_product = _Method()
    best = _Method()
    count = _Method()
    crossover = _Method()
    distance_to_front = _Method()
    efficiency = _Method()
    explain = _Method()
    explore = _Method()
    histogram = _Method()
    join = _Method()
    pareto = _Method()
    predict = _Method()
    quantile = _Method()
    report = _Method()
    save = _Method()
    table = _Method("roofcube.plot.drawing.frames")
    top = _Method()
    unmatched = _Method()
    variables = _Method()

    @property
    def plot(self) -> _Figures:
        """The figures of `roofcube.plot` with this cube as their first argument."""
        return _Figures(self._cube)


class _Figures:
    """The figures of a cube; names are loaded with `roofcube.plot`."""

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return _with_cube_given(getattr(import_module("roofcube.plot"), name), self._cube)

    def __dir__(self) -> list[str]:
        return list(import_module("roofcube.plot").__all__)


def _with_cube_given(function: Callable[..., Any], cube: xr.Dataset) -> Callable[..., Any]:
    """Return a function with its first argument given; help shows the text and the other arguments."""

    @wraps(function)
    def method(*args: Any, **kwargs: Any) -> Any:
        return function(cube, *args, **kwargs)

    whole = signature(function)
    others = list(whole.parameters.values())[1:]
    method.__signature__ = whole.replace(parameters=others)  # type: ignore[attr-defined]
    return method


# a call, not a decorator: the decorator is untyped and would hide the class from type checkers
xr.register_dataset_accessor("roof")(RoofAccessor)  # type: ignore[no-untyped-call]
