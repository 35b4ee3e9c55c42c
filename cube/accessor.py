"""`Dataset.roof`: the labelled functions as methods; every method only delegates."""

from __future__ import annotations

from functools import partial
from typing import Any

import xarray as xr

__all__ = ["RoofAccessor"]


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

    def as_offered(self) -> Any:
        """Delegate to `roofcube.as_offered`."""
        return _public("as_offered")(self._cube)

    def as_product(self) -> Any:
        """Delegate to `roofcube.as_product`."""
        return _public("as_product")(self._cube)

    def best(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.best`."""
        return _public("best")(self._cube, *args, **kwargs)

    def count(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.count`."""
        return _public("count")(self._cube, *args, **kwargs)

    def crossover(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.crossover`."""
        return _public("crossover")(self._cube, *args, **kwargs)

    def distance_to_front(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.distance_to_front`."""
        return _public("distance_to_front")(self._cube, *args, **kwargs)

    def efficiency(self, **kwargs: Any) -> Any:
        """Delegate to `roofcube.efficiency`."""
        return _public("efficiency")(self._cube, **kwargs)

    def explain(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.explain`."""
        return _public("explain")(self._cube, *args, **kwargs)

    def explore(self, **kwargs: Any) -> Any:
        """Delegate to `roofcube.explore`."""
        return _public("explore")(self._cube, **kwargs)

    def histogram(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.histogram`."""
        return _public("histogram")(self._cube, *args, **kwargs)

    def join(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.join`."""
        return _public("join")(self._cube, *args, **kwargs)

    def pareto(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.pareto`."""
        return _public("pareto")(self._cube, *args, **kwargs)

    def predict(self, **kwargs: Any) -> Any:
        """Delegate to `roofcube.predict`."""
        return _public("predict")(self._cube, **kwargs)

    def quantile(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.quantile`."""
        return _public("quantile")(self._cube, *args, **kwargs)

    def report(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.report`."""
        return _public("report")(self._cube, *args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.save`."""
        return _public("save")(self._cube, *args, **kwargs)

    def table(self, *names: str) -> Any:
        """Return a row per known cell as a pandas table, for hvplot: `roofcube.plot.drawing.frames.table`."""
        from roofcube.plot.drawing.frames import table

        return table(self._cube, *names)

    def top(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.top`."""
        return _public("top")(self._cube, *args, **kwargs)

    def unmatched(self, *args: Any, **kwargs: Any) -> Any:
        """Delegate to `roofcube.unmatched`."""
        return _public("unmatched")(self._cube, *args, **kwargs)

    @property
    def plot(self) -> _Figures:
        """The figures of `roofcube.plot` with this cube as their first argument."""
        return _Figures(self._cube)


class _Figures:
    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(_public("plot"), name), self._cube)

    def __dir__(self) -> list[str]:
        return list(_public("plot").__all__)


def _public(name: str) -> Any:
    import roofcube

    return getattr(roofcube, name)


# a call, not a decorator: the decorator is untyped and would hide the class from type checkers
xr.register_dataset_accessor("roof")(RoofAccessor)  # type: ignore[no-untyped-call]
