"""The TOML of `roofcube sweep`: what it may say, validated; turned into calls of the public functions, nothing more."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roofcube.errors import InvalidDataError, suggestion
from roofcube.files.store import save
from roofcube.model.assumptions import BOUND, PUBLISHED, Assumptions
from roofcube.model.hardware import hypothetical
from roofcube.model.inputs import inputs as model_inputs
from roofcube.model.predict import predict
from roofcube.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SweepSpec", "read_sweep_spec", "run_sweep"]


class SpecTable(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Steps(SpecTable):
    """Evenly spaced numbers: ``{ start = 1e11, stop = 1e14, steps = 100, spacing = "log" }``."""

    start: float
    stop: float
    steps: Annotated[int, Field(ge=1)]
    spacing: Literal["log", "linear"] = "linear"

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.spacing == "log" and not (self.start > 0 and self.stop > 0):
            msg = "start and stop must be above 0 where spacing is 'log'"
            raise ValueError(msg)
        return self

    def values(self) -> np.ndarray[Any, Any]:
        """Return the numbers."""
        between = np.geomspace if self.spacing == "log" else np.linspace
        return between(self.start, self.stop, self.steps)


class Span(SpecTable):
    """Low and high of a limit, both inclusive: ``{ max = 0.01 }``."""

    min: float | None = None
    max: float | None = None


Axis = float | list[float] | Steps
Labels = str | list[str]


class Inputs(SpecTable):
    """`[inputs]`: the arguments of `roofcube.inputs`."""

    task: str | None = None
    platforms: Labels | None = None
    topologies: Labels | None = None
    precision: Labels | None = None
    pruning: float | list[float] | None = None
    batch: int | list[int] | Steps | None = None
    mode: Labels | None = None
    counts: Literal["exact", "site"] = "exact"


class Hardware(SpecTable):
    """`[hypothetical]`: the arguments of `roofcube.hypothetical`; each list or range becomes an axis."""

    peak_compute: Axis
    memory_bandwidth: Axis
    memory_capacity: Axis | None = None
    on_chip_memory: Axis | None = None
    power: Axis | None = None
    peak_scaling: Literal["bits"] | None = None


class Custom(SpecTable):
    """Assumptions of your own, as in `roofcube.Assumptions`."""

    weights: str = PUBLISHED.weights
    activations: str = PUBLISHED.activations
    state: str = PUBLISHED.state
    layers: str = PUBLISHED.layers


class Reduce(SpecTable):
    """`[reduce]`: which reduction, with the arguments of the `roofcube.Sweep` method of that name."""

    kind: Literal["pareto", "best", "top", "count"]
    objectives: dict[str, Literal["max", "min"]] | None = None
    objective: str | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    by: str | None = None
    where: dict[str, Span | list[str | float]] | None = None
    per: Labels | None = None
    ties: Literal["all", "first"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        takes = {
            "pareto": ({"objectives"}, {"per", "ties"}),
            "best": ({"objective"}, {"per"}),
            "top": ({"objective", "n"}, {"per"}),
            "count": (set(), {"per", "by"}),
        }
        needed, optional = takes[self.kind]
        given = self.model_fields_set - {"kind", "where"}
        if needed - given:
            msg = f"kind = {self.kind!r} needs {', '.join(sorted(needed - given))}"
            raise ValueError(msg)
        if given - needed - optional:
            msg = f"kind = {self.kind!r} takes no {', '.join(sorted(given - needed - optional))}"
            raise ValueError(msg)
        return self


class SweepSpec(SpecTable):
    """A sweep: inputs, hardware, assumptions, and what to keep of the result.

    Parameters
    ----------
    inputs : Inputs
    hypothetical : Hardware, optional
        In place of `inputs.platforms`.
    assumptions : {"published", "bound"} or Custom
    dtype : {"f4", "f8"}
    reduce : Reduce, optional
        Without it the whole cube is written.

    Examples
    --------
    >>> from roofcube.sweep_spec import SweepSpec
    >>> spec = SweepSpec.model_validate({"reduce": {"kind": "best", "objective": "predicted_latency"}})
    >>> spec.reduce.kind
    'best'
    """

    inputs: Inputs = Inputs()
    hypothetical: Hardware | None = None
    assumptions: Literal["published", "bound"] | Custom = "published"
    dtype: Literal["f4", "f8"] = "f4"
    reduce: Reduce | None = None

    @model_validator(mode="after")
    def _one_hardware(self) -> Self:
        if self.hypothetical is not None and self.inputs.platforms is not None:
            msg = "give [hypothetical] or inputs.platforms, not both"
            raise ValueError(msg)
        return self


def read_sweep_spec(path: str | Path) -> SweepSpec:
    """Read and validate the TOML of a sweep.

    Raises
    ------
    InvalidDataError
        If the file is not TOML or says something that a sweep does not know; names the file, the key and the value.
    """
    source = Path(path)
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{source}: not TOML ({error}); see `roofcube sweep --help` for an example"
        raise InvalidDataError(msg) from error
    try:
        return SweepSpec.model_validate(content)
    except ValidationError as error:
        raise InvalidDataError(f"{source}, " + _first_problem(error, content)) from error


def _first_problem(error: ValidationError, content: dict[str, Any]) -> str:
    # a union of types reports each member's complaint: the one that looked deepest is the one that was meant
    problem = max(error.errors(), key=lambda one: (one["type"] in ("extra_forbidden", "value_error"), len(one["loc"])))
    # a union of types adds its members' names to the path; only keys of the file are of use
    place, here = [], content
    for part in problem["loc"]:
        if isinstance(here, dict) and part in here:
            place.append(str(part))
            here = here[part]
        elif not place or problem["type"] == "missing":
            place.append(str(part))
    key = ".".join(place) or "the whole file"
    if problem["type"] == "extra_forbidden":
        return f"`{key}`: not a key of a sweep{suggestion(place[-1], _known_keys())}; see `roofcube sweep --help`"
    message = problem["msg"].removeprefix("Value error, ")
    return f"`{key}`: {message[0].lower()}{message[1:]}, got {problem['input']!r}; see `roofcube sweep --help`"


def _known_keys() -> list[str]:
    parts: list[type[SpecTable]] = [SweepSpec, Inputs, Hardware, Custom, Reduce, Steps, Span]
    return sorted({name for part in parts for name in part.model_fields})


def run_sweep(spec: SweepSpec, path: str | Path) -> tuple[Path, xr.Dataset | None]:
    """Run a sweep and write its result.

    Returns
    -------
    path : Path
    result : Dataset or None
        None where the whole space was streamed to Zarr.
    """
    hardware = _hardware_of_spec(spec)
    given = {name: value for name, value in spec.inputs.model_dump(exclude_none=True).items() if name != "batch"}
    batch = spec.inputs.batch
    if batch is not None:
        given["batch"] = np.unique(np.rint(batch.values()).astype("i8")) if isinstance(batch, Steps) else batch
    if hardware is not None:
        given["platforms"] = hardware
    inputs = model_inputs(given.pop("task", None), **given)
    assumptions = _assumptions(spec.assumptions)
    if spec.reduce is None:
        return _store_whole(inputs, assumptions, spec, Path(path))
    sweep = Sweep(inputs, assumptions=assumptions, dtype=spec.dtype)
    result = _run_reduction(sweep, spec.reduce)
    return save(result, path), result


def _store_whole(
    inputs: xr.Dataset, assumptions: Assumptions, spec: SweepSpec, path: Path
) -> tuple[Path, xr.Dataset | None]:
    if path.suffix == ".zarr":
        Sweep(inputs, assumptions=assumptions, dtype=spec.dtype).to_zarr(path)
        return path, None
    cube = predict(inputs, assumptions=assumptions, dtype=spec.dtype)
    return save(cube, path), cube


def _hardware_of_spec(spec: SweepSpec) -> xr.Dataset | None:
    if spec.hypothetical is None:
        return None
    given: dict[str, Any] = {name: getattr(spec.hypothetical, name) for name in spec.hypothetical.model_fields_set}
    axes: dict[str, Any] = {
        name: value.values() if isinstance(value, Steps) else value for name, value in given.items()
    }
    return hypothetical(**axes)


def _assumptions(given: Literal["published", "bound"] | Custom) -> Assumptions:
    if isinstance(given, Custom):
        custom: dict[str, Any] = given.model_dump()
        return Assumptions(**custom)
    return {"published": PUBLISHED, "bound": BOUND}[given]


def _run_reduction(sweep: Any, reduce: Reduce) -> xr.Dataset:
    options = {name: getattr(reduce, name) for name in reduce.model_fields_set - {"kind", "where"}}
    if reduce.where is not None:
        options["where"] = {
            name: (limit.min, limit.max) if isinstance(limit, Span) else limit for name, limit in reduce.where.items()
        }
    first = [options.pop(name) for name in ("objectives", "objective", "n") if name in options]
    if reduce.kind == "top":
        first.reverse()
    result: Any = getattr(sweep, reduce.kind)(*first, **options)
    counted: xr.Dataset = result.to_dataset(name="count") if hasattr(result, "to_dataset") else result
    return counted
