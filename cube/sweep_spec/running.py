"""A sweep as its spec says: inputs, assumptions and a question, by the public functions; the answer, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.datasets import canonical
from roofcube.datasets.forms.reading import Sheet
from roofcube.datasets.forms.table_forms import as_table
from roofcube.datasets.networks import check_network_entries, described, network_table
from roofcube.datasets.own_platforms import platform_table
from roofcube.errors import InvalidDataError, unknown_label
from roofcube.files.readers import read_network, read_platforms
from roofcube.files.store import save
from roofcube.labels import column_of
from roofcube.model.assumptions import Assumptions, named_assumptions
from roofcube.model.hardware import hypothetical
from roofcube.model.inputs import inputs as model_inputs
from roofcube.model.made import RESULTS
from roofcube.model.predict import predict
from roofcube.sweep import questions
from roofcube.sweep.contexts.exact import compared_as_stored
from roofcube.sweep.emptied import Emptied, why_empty
from roofcube.sweep.flags import is_flag
from roofcube.sweep.sweep import Sweep
from roofcube.sweep_spec.formulas import formula_of
from roofcube.sweep_spec.tables import NETWORK_FILES, PLATFORM_FILES, Custom, NetworkFile, Steps, Values
from roofcube.vocabulary import DIMS
from roofcube.wording import with_units_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl
    import xarray as xr

    from roofcube.sweep.contexts.context import Context
    from roofcube.sweep_spec.tables import Hardware, Reduce, SweepSpec

__all__ = ["Outcome", "answer_sweep", "run_sweep"]


@dataclass(frozen=True)
class Outcome:
    """What a sweep gave.

    Attributes
    ----------
    path : Path or None
        The file, where one was asked for.
    result : Dataset or None
        None where the whole space was streamed to Zarr.
    points : int
        Points of the space.
    emptied : Emptied or None
        Why there is no answer, where there is none.
    shown : Dataset or None
        The answer for a reader, its rates of tokens where each input is one.
    """

    path: Path | None
    result: xr.Dataset | None
    points: int
    emptied: Emptied | None = None
    shown: xr.Dataset | None = None


def run_sweep(spec: SweepSpec, path: str | Path) -> tuple[Path, xr.Dataset | None]:
    """Run a sweep and write its result.

    Returns
    -------
    path : Path
    result : Dataset or None
        None where the whole space was streamed to Zarr.
    """
    return Path(path), answer_sweep(spec, path).result


def answer_sweep(spec: SweepSpec, path: str | Path | None = None) -> Outcome:
    """Run a sweep, write its result where a path is given, and say why it is empty where it is.

    Raises
    ------
    InvalidDataError
        If a whole cube is to be stored and there is no path for it; if own values do not fit their dim.
    """
    inputs = _inputs_of_spec(spec)
    assumptions = _assumptions(spec, inputs)
    target = None if path is None else Path(path)
    sweep = Sweep(inputs, assumptions=assumptions, dtype=spec.dtype)
    if spec.reduce is None:
        if target is None:
            msg = "`output`: a sweep without [reduce] stores the whole cube and needs a file; name one with -o, or ask"
            raise InvalidDataError(msg)
        if target.suffix == ".zarr":
            sweep.to_zarr(target)
            return Outcome(target, None, sweep.size)
        cube = predict(inputs, assumptions=assumptions, dtype=spec.dtype)
        return Outcome(save(cube, target), cube, sweep.size)
    context = sweep.context
    units = {name: str(context.attributes(name).get("units", "")) for name in context.names}
    kinds = {name: _kind_of(context, name) for name in spec.reduce.where or {} if name in units}
    where = spec.reduce.limits(units, kinds)
    result = _answer(sweep, spec.reduce, where)
    emptied = None
    if _is_empty(result):
        emptied = why_empty(sweep, spec.reduce.asked, where=where)
    written = None if target is None else save(result, target)
    return Outcome(written, result, sweep.size, emptied, with_units_for(result, inputs))


def _kind_of(context: Context, name: str) -> str:
    """Tell what limits a name: labels where it is ``text``, a ``range`` alone where it is a figure; else empty."""
    variable = context.coords.get(name)
    is_label = variable is not None and variable.ndim <= 1
    if not is_label:
        variable = context.native(name)
    if variable is not None and variable.dtype.kind in "USOT":
        return "text"
    several = (
        is_label
        or is_flag(context.attributes(name))
        or (variable is not None and compared_as_stored(variable, context.dtype))
    )
    return "" if several else "range"


def _answer(sweep: Sweep, reduce: Reduce, where: dict[str, Any]) -> xr.Dataset:
    first = {"top": ("n", "objective"), "quantile": ("variable", "q"), "pareto": ("objectives",)}
    positional = first.get(reduce.kind, ("objective", "variable"))
    given = reduce.model_fields_set - {"kind", "where"}
    options = {name: getattr(reduce, name) for name in given if name not in positional}
    if reduce.where is not None:
        options["where"] = where
    arguments = [getattr(reduce, name) for name in positional if name in given]
    answer: xr.Dataset = getattr(questions, reduce.kind)(sweep, *arguments, **options)
    return answer


def _is_empty(result: xr.Dataset) -> bool:
    """Check whether an answer holds nothing: no point, no winner, no count, no value."""
    if "point" in result.dims:
        return not result.sizes["point"]
    for name in ("found", "count"):
        if name in result:
            return not bool(result[name].any())
    return not any(bool(array.notnull().any()) for array in result.data_vars.values())


# inputs ---------------------------------------------------------------------------------------------------------------


def _inputs_of_spec(spec: SweepSpec) -> xr.Dataset:
    names = ("precision", "pruning", "mode", "counts")
    given = {name: getattr(spec.inputs, name) for name in names if getattr(spec.inputs, name) is not None}
    batch = spec.inputs.batch
    if batch is not None:
        given["batch"] = list(map(int, np.unique(np.rint(batch.values())))) if isinstance(batch, Steps) else batch
    inputs = model_inputs(spec.inputs.task, platforms=_spec_platforms(spec), topologies=_topologies(spec), **given)
    for name, values in spec.variables.items():
        inputs = _with_variable(inputs, name, values)
    return inputs


def _spec_platforms(spec: SweepSpec) -> Any:
    parts: list[Any] = [] if spec.hypothetical is None else [_hardware(spec.hypothetical)]
    parts += [
        read_platforms(one) if _is_file(one, PLATFORM_FILES) else one for one in _one_or_more(spec.inputs.platforms)
    ]
    if spec.platform:
        parts.append(platform_table(spec.platform, source="the spec", each="[[platform]]"))
    return parts if parts or spec.inputs.platforms is not None else None


def _hardware(given: Hardware) -> xr.Dataset:
    values: dict[str, Any] = {name: getattr(given, name) for name in given.model_fields_set}
    axes: dict[str, Any] = {name: one.values() if isinstance(one, Steps) else one for name, one in values.items()}
    return hypothetical(**axes)


def _topologies(spec: SweepSpec) -> Any:
    parts: list[Any] = []
    for one in _one_or_more(spec.inputs.topologies):
        if isinstance(one, NetworkFile):
            parts.append(read_network(one.file, **one.model_dump(exclude={"file"}, exclude_none=True)))
        else:
            parts.append(read_network(one) if _is_file(one, NETWORK_FILES) else one)
    if spec.network:
        parts.append(_networks_told(spec.network))
    return parts if parts or spec.inputs.topologies is not None else None


def _networks_told(entries: list[dict[str, Any]]) -> pl.DataFrame:
    """Read the tables ``[[network]]``; errors name each by its number, as those of ``[[platform]]`` do."""
    source, each = "the spec", "[[network]]"
    check_network_entries(entries, source=source, each=each)
    sheet = Sheet(as_table(entries, what="network"), range(1, len(entries) + 1), header=0, each=each)
    return described(network_table(sheet, source=source), source=source)


def _one_or_more(given: Any) -> list[Any]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _is_file(name: str, suffixes: Iterable[str]) -> bool:
    return name.lower().endswith(tuple(suffixes))


def _with_variable(inputs: xr.Dataset, name: str, given: float | Values) -> xr.Dataset:
    if name in inputs.dims or name in inputs.coords:
        msg = f"`variables.{name}`: expected a name of its own, got that of a dim or label; give it another"
        raise InvalidDataError(msg)
    if not isinstance(given, Values):
        return inputs.assign({name: given})
    values = given.values.values() if isinstance(given.values, Steps) else np.asarray(given.values)
    if given.dim == name:
        msg = f"`variables.{name}.dim`: expected a name other than the variable's, got {given.dim!r}; rename one"
        raise InvalidDataError(msg)
    if given.dim not in inputs.dims and given.dim in inputs.coords and given.labels is not None:
        return _with_value_of_labels(inputs, name, given, values)
    if given.dim not in inputs.dims and (given.dim in inputs.variables or given.dim in RESULTS):
        msg = (
            f"`variables.{name}.dim`: expected a dim, or a name of its own, got {given.dim!r}, which another variable "
            "has; give it another"
        )
        raise InvalidDataError(msg)
    known = {str(one).casefold(): str(one) for one in (*DIMS, *inputs.coords, *inputs.dims)}
    if given.dim not in inputs.dims and known.get(given.dim.casefold(), given.dim) != given.dim:
        msg = (
            f"`variables.{name}.dim`: expected a dim, or a name of its own, got {given.dim!r}; did you mean "
            f"{known[given.dim.casefold()]!r}?"
        )
        raise InvalidDataError(msg)
    size = inputs.sizes.get(given.dim, len(values if given.labels is None else given.labels))
    if len(values) != size:
        msg = (
            f"`variables.{name}.values`: expected {size} values along {given.dim!r}, got {len(values)}; give one for "
            "each label"
        )
        raise InvalidDataError(msg)
    if given.dim in inputs.dims and given.labels is not None:
        values = values[_order_of(name, given, inputs[given.dim].values.tolist())]
    assigned = inputs.assign({name: (given.dim, values, {"units": given.units})})
    if given.dim in inputs.dims:
        return assigned
    return assigned.assign_coords({given.dim: values if given.labels is None else given.labels})


def _with_value_of_labels(inputs: xr.Dataset, name: str, given: Values, values: Any) -> xr.Dataset:
    """Give each label along a dim the value of what it is of: every platform that of its class."""
    coordinate = inputs[given.dim]
    of = coordinate.values.tolist()
    if coordinate.ndim != 1:
        msg = f"`variables.{name}.dim`: expected a dim, or labels along one, got {given.dim!r}; give it another"
        raise InvalidDataError(msg)
    known = list(dict.fromkeys(of))
    place = dict(zip(known, _order_of(name, given, known), strict=True))
    return inputs.assign({name: (coordinate.dims, values[[place[one] for one in of]], {"units": given.units})})


def _order_of(name: str, given: Values, known: list[Any]) -> list[int]:
    """Return where the value of each label of a dim of the model stands."""
    labels = [canonical(column_of(given.dim), one) if isinstance(one, str) else one for one in given.labels or ()]
    for place, label in enumerate(labels):
        if label not in known:
            what = f"variables.{name}.labels"
            raise unknown_label(what, (given.labels or ())[place], known)
    missing = next((one for one in known if one not in labels), None)
    if missing is not None or len(labels) != len(known):
        msg = (
            f"`variables.{name}.labels`: expected each label of {given.dim!r} once, "
            f"{f'{missing!r} is missing' if missing is not None else 'one is there twice'}; give all"
        )
        raise InvalidDataError(msg)
    return [labels.index(one) for one in known]


def _assumptions(spec: SweepSpec, inputs: xr.Dataset) -> Assumptions:
    if isinstance(spec.assumptions, Custom):
        custom: dict[str, Any] = spec.assumptions.model_dump()
        assumptions = Assumptions(**custom)
    else:
        assumptions = named_assumptions(spec.assumptions, inputs)
    for name, term in spec.terms.items():
        options = term.model_dump(exclude={"formula"})
        assumptions = assumptions.with_term(name, formula_of(term.formula), **options)
    return assumptions
