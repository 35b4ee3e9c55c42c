"""explain: why a point wins, by what margin, which limits bind, and what relaxing each would gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import xarray as xr

from roofcube.labels import dataset_of, labelled
from roofcube.model.assumptions import Assumptions
from roofcube.model.made import EXTRAPOLATES
from roofcube.model.predict import predict
from roofcube.moments import ticks_beyond
from roofcube.notebook import html_table
from roofcube.sweep.contexts.where import readable_again
from roofcube.sweep.flags import bits_of, codes_of, is_code, meanings_of
from roofcube.sweep.low_ends import EXPECTED
from roofcube.sweep.questions import best, context_of
from roofcube.vocabulary import HARDWARE_DIMS, OFFER
from roofcube.wording import (
    configuration_of,
    counted,
    digits_apart,
    in_shown_unit,
    listed,
    moment_text,
    noun_of,
    outward,
    short,
    unit_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roofcube.sweep.contexts.context import Context
    from roofcube.sweep.sweep import Sweep

__all__ = ["Explanation", "Relaxation", "explain"]

DOUBTS = ("quality", "infeasible")
BEYOND = "the prediction extrapolates beyond what was measured"


@dataclass(frozen=True)
class Relaxation:
    """What it takes, and what it gives, to relax one limit until the winner changes.

    Attributes
    ----------
    name : str
        The limited variable or coordinate.
    to : object
        The least relaxed end, the label or the meaning of the flag to allow; None where the limit has to go.
    gains : float
        The objective that is then reached.
    rounded : object
        `to`, with three digits rounded away from the limit: what a text says, and what still lets the point in.
    unit : str
        Of the objective there.
    """

    name: str
    to: Any
    gains: float
    rounded: Any
    unit: str


@dataclass(frozen=True)
class Explanation:
    """An answer with its reasons; prints as sentences.

    Attributes
    ----------
    objective : str
    sense : {"max", "min"}
    winner : Dataset
        As `roofcube.best` gives it; its `found` says whether anything qualifies.
    runner_up : Dataset or None
        The best of another platform (of another label of the first dim, where there is no platform).
    margin : float
        How many times as good as the runner-up the winner is, less one; NaN where there is none.
    removed : dict of name to int
        Points that each limit alone removes; limits on labels first, those on variables of what these leave.
    n_points : int
    relaxations : tuple of Relaxation
        Of each limit that binds, dearest gain first; where nothing qualifies, of each that alone empties the rest.
    doubts : tuple of str
        Flags of the winner: findings of the physics gate, why it could not run.
    unknown : tuple of str
        Where nothing qualifies, those of the objective and the limits that have no value at any point.
    removed_by_trust : int
        Points whose measurements the physics gate finds impossible, which win nothing.
    digits : mapping of name to int
        How many digits tell the labels of each dim apart.
    along : str
        Dim or coordinate of whose other labels the runner-up is the best; empty where all labels are one.
    """

    objective: str
    sense: str
    winner: xr.Dataset
    runner_up: xr.Dataset | None
    margin: float
    removed: dict[str, int]
    n_points: int
    relaxations: tuple[Relaxation, ...]
    doubts: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    removed_by_trust: int = 0
    digits: Mapping[str, int] = field(default_factory=dict, repr=False)
    along: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and text, for JSON."""
        return {
            "objective": self.objective,
            "sense": self.sense,
            "found": bool(self.winner["found"]),
            "winner": _point_as_dict(self.winner, self.objective) if bool(self.winner["found"]) else None,
            "runner_up": None if self.runner_up is None else _point_as_dict(self.runner_up, self.objective),
            "margin": _finite_or_none(self.margin),
            "n_points": self.n_points,
            "removed": dict(self.removed),
            "removed_by_trust": self.removed_by_trust,
            "binding": [one.name for one in self.relaxations],
            "relaxations": [
                {"name": one.name, "to": _item(one.to), "gains": _finite_or_none(one.gains)} for one in self.relaxations
            ],
            "doubts": list(self.doubts),
            "unknown": list(self.unknown),
        }

    def __repr__(self) -> str:
        found = bool(self.winner["found"])
        lines = self._words_of_winner() if found else self._nothing()
        if self.removed:
            parts = [f"{name} removes {number:,}" for name, number in self.removed.items()]
            lines.append(f"limits, each alone{self._order}, of {self._points}: {', '.join(parts)}")
        lines += self._words_of_impossible()
        lines += [self._words_of(one) for one in self.relaxations]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Tell the same with the limits as a table, for notebooks."""
        words = self._words_of_winner() if bool(self.winner["found"]) else self._nothing()
        relaxed = {one.name: self._words_of(one) for one in self.relaxations}
        rows = [[name, number, relaxed.get(name, "")] for name, number in self.removed.items()]
        columns = ("limit", f"removes alone{self._order}, of {self.n_points:,}", "what would gain")
        return html_table(words[0], columns, rows, [*words[1:], *self._words_of_impossible()])

    @property
    def _points(self) -> str:
        return f"{self.n_points:,} {noun_of(self.n_points, 'point')}"

    @property
    def _order(self) -> str:
        """Say that limits on variables are counted among what those on labels leave."""
        on_labels = sum(name in self.winner.coords for name in self.removed)
        return ", those on labels first" if 0 < on_labels < len(self.removed) else ""

    @property
    def without_runner_up(self) -> str:
        """Say that there is no runner-up, and of what none."""
        return f"no runner-up: {f'no other {self.along}' if self.along else 'nothing else'} meets the limits"

    def _words_of_winner(self) -> list[str]:
        lines = [f"{_configuration(self.winner, self.digits)}: {_figure(self.winner, self.objective)}"]
        if self.runner_up is None:
            lines.append(self.without_runner_up)
        else:
            ratio = short(1.0 + self.margin)
            if np.isfinite(self.margin):
                lines[0] += f", {'' if ratio == '1' else f'{ratio} times '}as good as the runner-up"
            lines.append(
                f"runner-up {_configuration(self.runner_up, self.digits)}: {_figure(self.runner_up, self.objective)}"
            )
        lines.append(f"in doubt: {listed(list(self.doubts))}" if self.doubts else "in doubt: nothing that is known")
        binding = [one.name for one in self.relaxations]
        if self.removed:
            lines.append(
                f"binding: {listed(binding)}"
                if binding
                else "binding: no limit, without any one of them nothing better wins"
            )
        return lines

    def _nothing(self) -> list[str]:
        lines = [f"nothing of {self._points} meets all limits"]
        return [*lines, f"without a value at any point: {listed(list(self.unknown))}"] if self.unknown else lines

    def _words_of_impossible(self) -> list[str]:
        number = self.removed_by_trust
        return [f"left out: {counted(number, 'point')} that the physics gate finds impossible"] if number else []

    def _words_of(self, one: Relaxation) -> str:
        unit = self.winner[one.name].attrs.get("units", "") if one.name in self.winner.variables else ""
        to = in_shown_unit(one.rounded, unit) if isinstance(one.to, float) else _word(one.to)
        gain = in_shown_unit(one.gains, one.unit)
        before = float(self.winner[self.objective])
        more, less = (one.gains, before) if self.sense == "max" else (before, one.gains)
        times = f", {short(more / less)} times as good" if bool(self.winner["found"]) and less > 0 else ""
        return f"{f'leave out {one.name}' if one.to is None else f'relax {one.name} to {to}'}: {gain}{times}"


def explain(
    cube: xr.Dataset | Sweep,
    objective: str,
    *,
    where: Mapping[str, Any] | xr.DataArray | None = None,
    sense: Literal["max", "min"] | None = None,
) -> Explanation:
    """Find the best point and say why it wins, how clearly, and what relaxing each limit would gain.

    Parameters
    ----------
    cube : Dataset or Sweep
    objective, where, sense
        As in `best`.

    Returns
    -------
    Explanation

    Raises
    ------
    UnknownLabelError, InvalidDataError
        As in `best`.

    Examples
    --------
    >>> import roofcube as rc
    >>> reasons = rc.explain(rc.benchmark("cifar10"), "measured_throughput", where={"measured_top1": (85, None)})
    >>> reasons.winner.platform.item(), reasons.runner_up.platform.item(), reasons.relaxations[0].name
    ('TX2', 'ZCU104-FINN', 'measured_top1')
    >>> rc.explain(rc.benchmark("cifar10"), "measured_latency", sense="min").winner.platform.item()
    'ZCU104-FINN'
    """
    context = context_of(cube)
    where = readable_again(where) if isinstance(where, Mapping) else where
    read = context.where(where)
    way: Literal["max", "min"] = "max" if context.sign(objective, sense) > 0 else "min"
    context.output("objective", objective)
    given = {str(where.name or "where"): where} if isinstance(where, xr.DataArray) else dict(where or {})
    limits = {name: _as_range(context, name, limit) for name, limit in given.items()}
    winner = best(cube, objective, where=limits, sense=way)
    winner = _with_filled_interval(cube, winner)
    removed = {
        key.removeprefix("removed_by_"): int(number)
        for key, number in context.removed((), read).items()
        if key.startswith("removed_by_")
    }
    runner_up = _runner_up(cube, objective, read, way, winner)
    margin = np.nan
    if runner_up is not None:
        one, other = (float(part[objective]) for part in (winner, runner_up))
        more, less = (one, other) if way == "max" else (other, one)
        margin = more / less - 1.0 if less > 0 else np.nan
    return Explanation(
        objective,
        way,
        winner,
        runner_up,
        float(margin),
        removed,
        context.size,
        _relaxations(cube, objective, limits, way, winner),
        _doubts(winner),
        () if bool(winner["found"]) else _unknown(cube, (objective, *limits)),
        int(winner.attrs.get("removed_by_trust", 0)),
        {dim: digits_apart(labels) for dim, labels in context.label_arrays.items()},
        _compared_along(context),
    )


def _with_filled_interval(cube: xr.Dataset | Sweep, winner: xr.Dataset) -> xr.Dataset:
    """Add to the winner of a calibrated sweep what only its filled cube has: interval, and whether it extrapolates."""
    if isinstance(cube, xr.Dataset) or isinstance(cube.assumptions, Assumptions) or not bool(winner["found"]):
        return winner
    places = {dim: np.flatnonzero(cube.inputs[dim].values == winner[dim].values)[:1] for dim in cube.dims}
    if not all(place.size for place in places.values()):  # a label that is no number equals none
        return winner
    # what a precision may reach is relative to the others, so that the hardware stays whole
    hardware = {dim: place for dim, place in places.items() if dim in (*HARDWARE_DIMS, OFFER)}
    rest = {dim: place for dim, place in places.items() if dim not in hardware}
    one = predict(cube.inputs.isel(rest), assumptions=cube.assumptions).isel(hardware).squeeze(drop=True)
    names = [name for name in one.data_vars if str(name).endswith(("_low", "_high")) or name == EXTRAPOLATES]
    return winner.assign({name: one[name].variable for name in names if name not in winner})


def _unknown(cube: xr.Dataset | Sweep, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some variables that are known at no point."""
    context = context_of(cube)
    anywhere = context.where(None)
    numbers = (name for name in names if name in context.outputs)
    return tuple(name for name in numbers if 0 < context.size == context.missing(name, anywhere))


def _as_range(context: Context, name: str, limit: Any) -> Any:
    """Return the ends of a slice, where it is read as they are: of numbers and times."""
    if not isinstance(limit, slice) or limit.step is not None:
        return limit
    variable = context.coords.get(name)
    kind = "f" if variable is None or variable.ndim > 1 else variable.dtype.kind
    is_text = any(isinstance(end, str) for end in (limit.start, limit.stop)) and kind not in "mM"
    return limit if is_text or kind in "USO" else (limit.start, limit.stop)


def _runner_up(cube: xr.Dataset | Sweep, objective: str, where: Any, way: Any, winner: xr.Dataset) -> xr.Dataset | None:
    """Find the best point of another platform."""
    context = context_of(cube)
    dim = _compared_along(context)
    if not dim or not bool(winner["found"]):
        return None
    each = best(cube, objective, per=dim, where=where, sense=way)
    # a coordinate of the whole cube is the same everywhere
    values = np.broadcast_to(each[objective].values, each[dim].shape).astype("f8")
    won = winner[dim].values[()]
    values[~each["found"].values | [_is_same_label(one, won) for one in each[dim].values]] = np.nan
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return None
    index = int(known[np.argmax(values[known]) if way == "max" else np.argmin(values[known])])
    parts = {
        str(name): labelled((), one.values[index : index + 1].reshape(()), one.attrs) if one.dims == (dim,) else one
        for name, one in each.variables.items()
    }
    coords = {dim: labelled((), each[dim].values[index : index + 1].reshape(()))}
    coords |= {str(name): parts.pop(str(name)) for name in each.coords}
    return dataset_of(parts, coords, each.attrs)


def _compared_along(context: Context) -> str:
    """Name what the runner-up has another label of: platforms, also as labels of what is offered, or a dim."""
    platforms = context.coords.get("platform")
    if platforms is not None and platforms.ndim == 1 and len(set(context.label_arrays["platform"].tolist())) > 1:
        return "platform"
    return next((dim for dim in ("platform", *context.dims) if context.sizes.get(dim, 1) > 1), "")


def _is_same_label(one: Any, other: Any) -> bool:
    """Check whether two labels are one; none is one too."""
    try:
        return one is other or bool(one == other) or bool(one != one and other != other)
    except TypeError:  # pandas' NA is neither equal nor unequal
        return False


def _relaxations(
    cube: xr.Dataset | Sweep, objective: str, limits: dict[str, Any], way: Any, winner: xr.Dataset
) -> tuple[Relaxation, ...]:
    """Relax each limit as little as changes the winner, the others held."""
    context = context_of(cube)
    found = bool(winner["found"])
    relaxations = []
    for name, limit in limits.items():
        others: Any = context.where({other: one for other, one in limits.items() if other != name})
        relaxed = None
        if isinstance(limit, tuple) and len(limit) == 2 and name in context.outputs:
            relaxed = _least_relaxed(cube, objective, name, limit, others, way, winner)
        if relaxed is None:  # no range, or what is beyond it is not known
            relaxed = best(cube, objective, where=others, sense=way)
        if not bool(relaxed["found"]):
            continue
        reached = float(relaxed[objective])
        if found and not (reached > float(winner[objective]) if way == "max" else reached < float(winner[objective])):
            continue
        to = _allowed(relaxed[name].variable) if name in relaxed.variables else None
        relaxations.append(Relaxation(name, to, reached, _rounded_outward(to, limit), unit_of(relaxed, objective)))
    return tuple(sorted(relaxations, key=lambda one: one.gains, reverse=way == "max"))


def _rounded_outward(to: Any, limit: Any) -> Any:
    """Round a relaxed end to the few digits of a text, never to what keeps the point out."""
    if not isinstance(to, float) or not isinstance(limit, tuple):
        return to
    low = limit[0]
    return outward(to, up=low is None or to > low)


def _allowed(variable: xr.Variable) -> Any:
    """Return what a limit has to allow: a number, a label, the meaning of a flag; None for what is not known."""
    value: Any = variable.values[()]
    flags = codes_of(variable.attrs)
    if flags or bits_of(variable.attrs):
        words = meanings_of(variable)
        return ", ".join(words) if words else value
    if isinstance(value, np.floating | float):
        return None if np.isnan(value) else float(value)
    return value


def _least_relaxed(
    cube: xr.Dataset | Sweep,
    objective: str,
    name: str,
    limit: tuple[Any, Any],
    others: Any,
    way: Any,
    winner: xr.Dataset,
) -> xr.Dataset | None:
    """Find the point nearest to an end of a limit, outside of it, that beats the winner."""
    context = context_of(cube)
    ends: tuple[Any, Any] = (None, None)  # which lets in all that is known
    if bool(winner["found"]):
        value = winner[objective].values[()]
        kind = value.dtype if value.dtype.kind == "f" else np.dtype("f8")
        beyond = np.nextafter(kind.type(value), kind.type(np.inf if way == "max" else -np.inf))
        ends = (float(beyond), None) if way == "max" else (None, float(beyond))
    better = others.also(context.where({objective: ends}))
    low, high = limit
    wider: list[tuple[float, tuple[Any, Any]]] = []
    for end, outside, side in ((high, (high, None), "min"), (low, (None, low), "max")):
        if end is None:
            continue
        limited: Any = better.also(context.where({name: outside}))
        beyond_end = best(cube, name, where=limited, sense=cast('Literal["max", "min"]', side))
        if bool(beyond_end["found"]):
            value = beyond_end[name].values[()]
            distance = _distance(name, value, end, is_high=side == "min")
            wider.append((distance, (low, value) if side == "min" else (value, high)))
    if not wider:
        return None
    least = min(wider, key=lambda one: one[0])[1]
    return best(cube, objective, where=others.also(context.where({name: least})), sense=way)


def _distance(name: str, value: Any, end: Any, *, is_high: bool) -> float:
    if np.asarray(value).dtype.kind in "mM":
        return ticks_beyond(name, value, end, is_high=is_high)
    return abs(float(value) - float(end)) / (abs(float(end)) or 1.0)


def _doubts(winner: xr.Dataset) -> tuple[str, ...]:
    if not bool(winner["found"]):
        return ()
    words = [word for name in DOUBTS if name in winner and int(winner[name]) for word in meanings_of(winner[name])]
    if EXTRAPOLATES in winner and float(winner[EXTRAPOLATES]) == 1.0:
        words.append(BEYOND)
    return tuple(word.replace("_", " ") for word in words)


def _configuration(point: xr.Dataset, digits: Mapping[str, int]) -> str:
    if {"platform", "topology"} <= set(point.variables):
        return configuration_of(point, digits)
    labels = [f"{name} {_word(label)}" for name, label in _point_labels(point).items()]
    return ", ".join(label for label in labels if not label.startswith("task ")) or "the only point"


def _figure(point: xr.Dataset, objective: str) -> str:
    unit = unit_of(point, objective)
    told = in_shown_unit(float(point[objective]), unit)
    expected = f"{objective}{EXPECTED}"
    if expected not in point:
        return told
    end = "at least" if float(point[expected]) >= float(point[objective]) else "at most"
    return f"{end} {told} (expected {in_shown_unit(float(point[expected]), unit)})"


def _point_labels(point: xr.Dataset) -> dict[str, Any]:
    scalars = {str(name): array for name, array in point.coords.items() if array.ndim == 0}
    return {name: array.values[()] for name, array in scalars.items() if not is_code(point, name)}


def _point_as_dict(point: xr.Dataset, objective: str) -> dict[str, Any]:
    labels = {name: _item(label) for name, label in _point_labels(point).items()}
    ends = (objective, *(f"{objective}{end}" for end in (EXPECTED, "_low", "_high")), EXTRAPOLATES)
    return {**labels, **{name: _finite_or_none(point[name]) for name in ends if name in point}}


def _finite_or_none(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _word(label: Any) -> str:
    item = _item(label)
    return str(item) if item is not None else "no label" if label is None else "NaT"


def _item(value: Any) -> Any:
    """Return a plain number or text, times as ISO 8601 writes them."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return moment_text(value) or None
    return value.item() if hasattr(value, "item") else value
