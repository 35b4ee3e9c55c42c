"""Brute-force answers about stored cubes: every point looked at, one after the other; naive by design."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import chances
import numpy as np
import stored_cubes
import stored_limits
import sweep_oracle
import xarray as xr

import roofcube as rc
from roofcube.errors import MemoryLimitError
from roofcube.kernels.tuning import TUNING
from roofcube.sweep.contexts import streamed
from roofcube.sweep.contexts.stored import StoredContext

if TYPE_CHECKING:
    from stored_cubes import Array, Case
    from stored_limits import Limits

LOW, HIGH = sweep_oracle.INTERVALS
# what questions must meet now and then
KINDS = (
    *stored_cubes.KINDS,
    *stored_limits.KINDS,
    *("groups", "no groups", "groups by label", "groups by both", "equal points", "nothing found", "everything found"),
    *("1 objective", "2 objectives", "3 objectives", "4 objectives", "ties all", "ties first", "a group of nothing"),
    *("bounds before values", "slabs", "removed by limits", "bins", "edges", "chances"),
)


# what is asked -------------------------------------------------------------------------------------------------------


def ranks(values: Array) -> Array:
    """Give numbers that keep order and ties, compared as Python objects; -1 where there is no value."""
    listed = stored_limits.items(values)
    distinct = sorted({one for one in listed if one is not None and one == one})
    rank_of = {one: k for k, one in enumerate(distinct)}
    return np.array([-1 if one is None or one != one else rank_of[one] for one in listed], dtype=int)


def costs(case: Case, objective: str, sense: str) -> Array:
    """Give ranks where less is better; what is missing is beyond all."""
    rank = ranks(case.full[objective])
    return np.where(rank < 0, case.size, rank if sense == "min" else rank.max(initial=0) - rank)


@dataclass
class Groups:
    """The groups of a question, in the order in which it names them.

    Attributes
    ----------
    names : what answers have as dims
    indices : of the dims, or labels of coordinates, that are left
    inside : of each group, in order: which points belong to it
    """

    names: list[str]
    indices: list[Array]
    inside: list[Array]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dim of an answer."""
        return tuple(len(one) for one in self.indices)


def random_per(case: Case, most: int = 3) -> list[str]:
    """Draw dims and coordinates along dims to group by."""
    names = [str(name) for name in case.rng.permutation([*case.dims, *case.groupings()])]
    return names[: case.rng.integers(0, most + 1)]


def groups_of(case: Case, per: list[str], limits: Limits) -> Groups:
    """Part the points; labels that limits on labels leave nothing of are no groups."""
    names = [name for name in per if name in case.dims or case.own[name][0] not in per]
    members: list[list[Array]] = []
    shown: list[Array] = []
    left_of = {dim: np.ones(len_, dtype=bool) for dim, len_ in zip(case.dims, case.shape, strict=True)}
    for name, dim in limits.cut.items():
        index = case.index(dim)
        left_of[dim] &= np.array([limits.left[name][index == k].all() for k in range(len(left_of[dim]))], dtype=bool)
        if case.size == 0:  # no point tells which labels are left
            left_of[dim] &= _labels_left(case, name, limits)
    for name in names:
        if name in case.dims:
            kept = np.flatnonzero(left_of[name])
            members.append([case.index(name) == k for k in kept])
            shown.append(kept)
            continue
        dim = case.own[name][0]
        labels = case.plain[name]
        distinct = list(
            dict.fromkeys(one for one, left in zip(labels.tolist(), left_of[dim], strict=True) if one == one and left)
        )
        # a label stands where it first comes among all labels
        order = list(dict.fromkeys(one for one in labels.tolist() if one in distinct))
        members.append([(labels == label)[case.index(dim)] for label in order])
        shown.append(np.array(order, dtype=labels.dtype))
    inside = [
        np.logical_and.reduce([np.ones(case.size, dtype=bool), *chosen]) & limits.by_label
        for chosen in product(*members)
    ]
    case.kinds |= {"groups"} if names else {"no groups"}
    case.kinds |= {"groups by label"} if set(names) - set(case.dims) else set()
    case.kinds |= {"groups by both"} if set(names) - set(case.dims) and set(names) & set(case.dims) else set()
    case.kinds |= {"a group of nothing"} if any(not one.any() for one in inside) and case.size else set()
    return Groups(names, shown, inside)


def _labels_left(case: Case, name: str, limits: Limits) -> Array:
    """Ask the limit on a coordinate of a cube without points again, on a cube of its own."""
    labels = case.plain[name]
    one = xr.Dataset({"x": (case.own[name], np.zeros(labels.shape))}, coords={name: (case.own[name], labels)})
    top = rc.top(one, max(1, labels.size), "x", sense="max", where={name: limits.asked[name]})
    return (
        np.isin(np.arange(labels.size), top[case.own[name][0]].values)
        if name not in case.dims
        else np.isin(labels, top[name].values)
    )


@dataclass
class Question:
    """What every question has: objectives, limits, groups."""

    objectives: dict[str, str]
    limits: Limits
    per: list[str]
    groups: Groups
    told: str

    @property
    def first(self) -> tuple[str, str]:
        """The first objective and its sense."""
        return next(iter(self.objectives.items()))


def random_question(case: Case, *, exact: bool = False, most_per: int = 3) -> Question | None:
    """Draw a question; None where the cube has nothing to ask about."""
    rng = case.rng
    usable = [name for name in (case.exact() if exact else case.numbers()) if name != "n_ties"]
    if not usable:
        return None
    names = [str(name) for name in rng.permutation(usable)[: rng.integers(1, 5)]]
    if LOW in case.plain and rng.random() < 0.8:  # what is not sure, and what is
        names = [str(rng.choice([*chances.MOVES])), str(rng.choice(usable))]
    objectives = {name: str(rng.choice(["min", "max"])) for name in names}
    limits = stored_limits.random_limits(case)
    per = random_per(case, most_per)
    told = (
        f"objectives={objectives} where={limits.asked!r} per={per} dims={case.dims} {case.shape} memory={case.memory}"
    )
    if not limits.all.all():
        case.kinds.add("removed by limits")
    return Question(objectives, limits, per, groups_of(case, per, limits), told)


# comparing -----------------------------------------------------------------------------------------------------------


def assert_same(found: Any, expected: Any, told: str) -> None:
    """Compare values and signs of zeros; NaN equals NaN, NaT equals NaT."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{told}: shape {found.shape}, expected {expected.shape}"
    if found.dtype.kind in "UOST" or expected.dtype.kind in "UO":
        assert found.ravel().tolist() == expected.ravel().tolist(), told
        return
    np.testing.assert_array_equal(found, expected, err_msg=told, strict=False)
    if found.dtype.kind == "f" and expected.dtype.kind == "f":
        zeros = found == 0
        np.testing.assert_array_equal(np.signbit(found)[zeros], np.signbit(expected)[zeros], err_msg=told)


def assert_kind(found: Any, stored: Any, told: str) -> None:
    """Compare dtypes but for the byte order and the length of text, and the unit of times of which there are none."""
    kind = stored.dtype
    if kind.kind == "U" or (kind.kind in "mM" and not stored.size):
        assert found.kind == kind.kind, f"{told}: {found}, expected {kind}"
    else:
        assert found.newbyteorder("=") == kind.newbyteorder("="), f"{told}: {found}, expected {kind}"


def empty_of(name: str, values: Array, attrs: dict[str, Any], *, is_label: bool) -> Any:
    """Give what stands for no value."""
    kind = values.dtype.kind
    if kind in "UO":
        return ""
    if kind in "mM":
        return np.array("NaT", values.dtype)
    if is_label or kind == "f":
        return np.nan
    return -1 if kind == "i" and name not in ("n_rows", "count", "n_ties") and "flag_masks" not in attrs else 0


def at(case: Case, name: str, points: Any, *, is_label: bool) -> tuple[Array, bool]:
    """Read a variable at points, empty where a point is -1; also tell whether all were found."""
    points = np.asarray(points, dtype=int)
    everywhere = bool((points >= 0).all())
    values = case.full[name]
    read = values[np.maximum(points, 0)] if case.size else np.zeros(points.shape, dtype=values.dtype)
    if everywhere:
        return read, True
    empty = empty_of(name, values, case.cube[name].attrs, is_label=is_label)
    if is_label and values.dtype.kind in "iub":
        read = np.asarray(read).astype("f8")
    filled = np.array(read)
    filled[points < 0] = empty
    return filled, everywhere


def assert_points(case: Case, answer: xr.Dataset, points: list[int], told: str) -> None:
    """Check every variable and coordinate of points along `point`."""
    assert answer.sizes["point"] == len(points), f"{told}: {answer.sizes['point']} points, expected {len(points)}"
    for name in case.plain:
        if name == "n_ties" and name in answer:
            continue  # counted anew
        if not case.own[name] and name in case.coords:
            assert_same(answer[name].values, case.plain[name], f"{told} {name}")
            continue
        assert (name in answer.coords) == (name in case.coords), told
        assert_same(answer[name].values, at(case, name, points, is_label=False)[0], f"{told} {name}")
        assert_kind(answer[name].dtype, case.cube[name], f"{told} {name}")
    for dim in case.dims:
        if dim not in case.coords:
            expected = case.index(dim)[points] if points else np.zeros(0)
            assert_same(answer[dim].values, expected, f"{told} index along {dim}")


# the questions -------------------------------------------------------------------------------------------------------


def _winner(cost: Array, valid: Array) -> int:
    chosen = np.flatnonzero(valid)
    return int(chosen[np.argmin(cost[chosen])]) if len(chosen) else -1


def check_best(case: Case, question: Question) -> None:
    (objective, sense), groups = question.first, question.groups
    answer = rc.best(case.cube, objective, per=question.per, where=question.limits.asked, sense=sense, trust="all")
    told = question.told
    cost = costs(case, objective, sense)
    valid = question.limits.all & (cost < case.size)
    winners = np.array([_winner(cost, valid & inside) for inside in groups.inside], dtype=int).reshape(groups.shape)
    case.kinds |= {"everything found"} if (winners >= 0).all() else {"nothing found"}
    assert answer["found"].dims == tuple(groups.names), told
    assert_same(answer["found"].values, winners >= 0, told)
    assert answer.attrs["objective"] == f"{objective}:{sense}"
    for name, own in case.own.items():
        is_label = name in case.coords
        assert (name in answer.coords) == is_label, f"{told} {name}"
        if is_label and (not own or _is_own(name, own, groups)):
            expected = _cut(case, name, own, groups)
            assert_same(answer[name].transpose(*expected.dims).values, expected.values, f"{told} label {name}")
            continue
        expected, everywhere = at(case, name, winners, is_label=is_label)
        assert answer[name].dims == tuple(groups.names), f"{told} {name}: {answer[name].dims}"
        assert_same(answer[name].values, expected, f"{told} {name}")
        if winners.size and (everywhere or not is_label):
            assert_kind(answer[name].dtype, case.cube[name], f"{told} {name}")
        if is_label and groups.names and case.plain[name].dtype.kind in "UO" and case.plain[name].size:
            _check_code(answer, name, winners, told)
    for dim in case.dims:
        if dim not in case.coords and dim not in groups.names:
            index = case.index(dim)[np.maximum(winners, 0)] if case.size else np.zeros(winners.shape)
            assert_same(answer[dim].values, np.where(winners >= 0, index, np.nan), f"{told} index along {dim}")


def _is_own(name: str, own: tuple[str, ...], groups: Groups) -> bool:
    return name in groups.names or set(own) <= set(groups.names)


def _cut(case: Case, name: str, own: tuple[str, ...], groups: Groups) -> xr.Variable:
    """Give a coordinate of groups as it is shown: where its labels are left."""
    if name in groups.names and name not in case.dims:
        return xr.Variable(name, groups.indices[groups.names.index(name)])
    indices = {dim: groups.indices[groups.names.index(dim)] for dim in own}
    return xr.Variable(own, case.plain[name]).isel(indices)


def _check_code(answer: xr.Dataset, name: str, winners: Array, told: str) -> None:
    code = answer[f"{name}_code"]
    meanings = code.attrs["flag_meanings"].split()
    assert code.attrs["flag_values"].tolist() == list(range(len(meanings))), told
    for number, label, winner in zip(code.values.ravel(), answer[name].values.ravel(), winners.ravel(), strict=True):
        assert ("_".join(label.split()) or "_") == meanings[number] if winner >= 0 else number == -1, f"{told} {name}"


def check_top(case: Case, question: Question) -> None:
    objective, sense = question.first
    n = int(case.rng.integers(1, 30))
    cost = costs(case, objective, sense)
    valid = question.limits.all & (cost < case.size)
    answer = rc.top(case.cube, n, objective, per=question.per, where=question.limits.asked, sense=sense, trust="all")
    expected: list[int] = []
    for inside in question.groups.inside:
        chosen = np.flatnonzero(valid & inside)
        expected += chosen[np.argsort(cost[chosen], kind="stable")][:n].tolist()
    assert_points(case, answer, expected, f"{question.told} n={n}")


def check_pareto(case: Case, question: Question) -> None:
    ties = str(case.rng.choice(["all", "first"]))
    case.kinds |= {f"ties {ties}", f"{len(question.objectives)} objective{'s' * (len(question.objectives) > 1)}"}
    told = f"{question.told} ties={ties}"
    sure = not {LOW, HIGH} <= set(case.plain) or set(chances.MOVES) & set(question.limits.left)
    chancy = {} if sure else {"probability": True}
    answer = rc.pareto(
        case.cube, question.objectives, per=question.per, where=question.limits.asked, ties=ties, trust="all", **chancy
    )
    vectors = np.stack([costs(case, name, sense) for name, sense in question.objectives.items()], axis=1)
    valid = question.limits.all & (vectors < case.size).all(axis=1)
    points: list[int] = []
    n_ties: list[int] = []
    for inside in question.groups.inside:
        front, equals = front_of(vectors, np.flatnonzero(valid & inside), ties)
        points += front
        n_ties += equals
    case.kinds |= {"equal points"} if max(n_ties, default=0) > 1 else set()
    assert_points(case, answer, points, told)
    assert_same(answer["n_ties"].values, np.array(n_ties, dtype=int), told)
    assert answer["n_ties"].dtype == np.int64
    _check_account(case, question, answer, told)
    if chancy:
        _check_chances(case, question, answer, points, valid, told)


def _check_chances(
    case: Case, question: Question, answer: xr.Dataset, points: list[int], valid: Array, told: str
) -> None:
    """Compare with draws of our own; no limit is on what is not sure, so that every point meets all."""
    sigma = chances.deviations(case.full[LOW], case.full[HIGH])
    configuration = chances.configurations(case.dims, case.shape, {*case.own[LOW], *case.own[HIGH]})
    values = {name: case.full[name].astype("f8") for name in question.objectives}
    expected = [
        chances.on_front(
            values,
            question.objectives,
            lambda world, inside=inside: valid & inside,
            sigma,
            configuration,
            [point for point in points if inside[point]],
        )
        for inside in question.groups.inside
    ]
    share = np.concatenate([np.zeros(0), *expected])
    found = answer["probability_on_front"].values
    agrees = chances.agree(found, share, chances.DRAWS)
    assert agrees.all(), f"{told}: on front {found[~agrees]}, expected {share[~agrees]}"
    assert (answer["probability_meets_limits"] == 1).all(), told
    case.kinds |= {"chances"} if ((share > 0) & (share < 1)).any() else set()


def front_of(vectors: Array, chosen: Array, ties: str) -> tuple[list[int], list[int]]:
    """Find the front of some points by comparing all: flat indices, best first, and how many equal each."""
    unique, number, counts = np.unique(vectors[chosen], axis=0, return_inverse=True, return_counts=True)
    optimal = [not ((unique <= v).all(axis=1) & (unique < v).any(axis=1)).any() for v in unique]
    number = number.reshape(-1)
    points = [(vectors[point, 0], point, number[k]) for k, point in enumerate(chosen.tolist()) if optimal[number[k]]]
    points.sort(key=lambda one: one[:2])
    if ties == "first":
        first: dict[int, int] = {}
        for _, point, vector in points:
            first[vector] = min(point, first.get(vector, point))
        points = [one for one in points if first[one[2]] == one[1]]
    return [point for _, point, _ in points], [int(counts[vector]) for _, _, vector in points]


def _check_account(case: Case, question: Question, answer: xr.Dataset, told: str) -> None:
    """Check how many points there were, lacked a figure, and broke each limit."""
    limits, attrs = question.limits, answer.attrs
    expected = {"n_points": case.size}
    expected |= {
        f"missing_{name}": int(((ranks(case.full[name]) < 0) & limits.by_label).sum()) for name in question.objectives
    }
    for name, left in limits.left.items():
        among = np.ones(case.size, dtype=bool) if name in limits.cut else limits.by_label
        expected[f"removed_by_{name}"] = int((among & ~left).sum())
    account = {name: value for name, value in attrs.items() if name.startswith(("n_points", "missing_", "removed_by_"))}
    assert account == expected, told


def check_count(case: Case, question: Question) -> None:
    flags = [name for name in case.plain if {"flag_values", "flag_masks"} & set(case.cube[name].attrs)]
    by = str(case.rng.choice(flags)) if flags and case.rng.random() < 0.7 else None
    answer = rc.count(case.cube, per=question.per, where=question.limits.asked, by=by)
    told, groups, valid = f"{question.told} by={by}", question.groups, question.limits.all
    if by is None:
        expected = np.array([(valid & inside).sum() for inside in groups.inside]).reshape(groups.shape)
    else:
        attrs, values = case.cube[by].attrs, case.full[by]
        codes = np.atleast_1d(attrs["flag_masks" if "flag_masks" in attrs else "flag_values"]).tolist()
        whole = np.where(values == values, values, 0).astype(int)
        hits = [(whole & code) != 0 if "flag_masks" in attrs else values == code for code in codes]
        expected = np.array([[(valid & inside & hit).sum() for hit in hits] for inside in groups.inside])
        expected = expected.reshape(*groups.shape, len(codes))
        assert answer["reason"].values.tolist() == attrs["flag_meanings"].split(), told
    assert answer["count"].dims == (*groups.names, *(("reason",) if by else ())), told
    assert answer["count"].dtype == np.int64, told
    assert_same(answer["count"].values, expected, told)
    _check_labels(case, answer, groups, told)


def _check_labels(case: Case, answer: xr.Dataset, groups: Groups, told: str) -> None:
    for name, own in case.own.items():
        if name in case.coords and own and _is_own(name, own, groups):
            expected = _cut(case, name, own, groups)
            assert_same(answer[name].transpose(*expected.dims).values, expected.values, f"{told} label {name}")


def _numbers(case: Case, name: str) -> Array:
    """Give values as f8, which holds them exactly."""
    return case.full[name].astype("f8")


def check_histogram(case: Case, question: Question) -> None:
    name, groups, valid = question.first[0], question.groups, question.limits.all
    values = _numbers(case, name)
    finite = np.sort(values[valid & np.isfinite(values)])
    bins: Any = int(case.rng.integers(1, 6))
    if case.rng.random() < 0.5:
        pool = [*(finite[case.rng.integers(finite.size, size=3)] if finite.size else []), -1.0, 0.0, 0.3, 2.0, np.inf]
        bins = np.sort(case.rng.choice(pool, 4)).tolist()
    case.kinds.add("bins" if isinstance(bins, int) else "edges")
    answer = rc.histogram(case.cube, name, bins=bins, where=question.limits.asked, per=question.per)
    told = f"{question.told} bins={bins}"
    low, high = answer["bin_low"].values, answer["bin_high"].values
    edges = np.append(low, high[-1])
    assert_same(low[1:], high[:-1], told)
    if isinstance(bins, int):
        first, last = (finite[0], finite[-1]) if finite.size else (0.0, 0.0)
        assert len(low) == bins, told
        if last == first:  # single precision tells the edges apart
            last = first + max(1.0, bins * abs(first) * 2.0**-23)
        np.testing.assert_allclose(edges, np.linspace(first, last, bins + 1), err_msg=told)
        assert edges[0] <= first, told
        assert not finite.size or finite[-1] <= edges[-1], told
    else:
        assert_same(edges, np.array(bins), told)
        stored = case.cube[name].dtype
        if stored.kind == "f" and stored.itemsize < 8:  # as limits are: an edge equal to a value includes it
            edges = edges.astype(stored).astype("f8")
    expected = [[_between(values[valid & inside], edges, k) for k in range(len(low))] for inside in groups.inside]
    assert answer["count"].dims == (*groups.names, "bin"), told
    assert_same(answer["count"].values, np.array(expected, dtype=int).reshape(*groups.shape, len(low)), told)
    _check_labels(case, answer, groups, told)


def _between(values: Array, edges: Array, k: int) -> int:
    low, high = edges[k], edges[k + 1]
    within = (values >= low) & ((values <= high) if k == len(edges) - 2 else (values < high))
    return int(within.sum())


def check_quantile(case: Case, question: Question) -> None:
    name, groups, valid = question.first[0], question.groups, question.limits.all
    if name in groups.names or (name in case.coords and case.own[name] and _is_own(name, case.own[name], groups)):
        return  # the answer could not hold both the labels and the quantiles
    wanted = sorted({float(one) for one in case.rng.choice([0.0, 0.1, 0.3, 0.5, 0.75, 1.0], 3)})
    answer = rc.quantile(case.cube, name, wanted, where=question.limits.asked, per=question.per)
    values = _numbers(case, name)
    valid = valid & ~np.isnan(values)
    expected = [[_quantile(np.sort(values[valid & inside]), q) for q in wanted] for inside in groups.inside]
    assert answer[name].dims == (*groups.names, "quantile"), question.told
    shape = (*groups.shape, len(wanted))
    found = answer[name].values
    np.testing.assert_array_equal(found, np.array(expected).reshape(shape), err_msg=question.told)
    _check_labels(case, answer, groups, question.told)


def _quantile(ordered: Array, q: float) -> float:
    if not len(ordered):
        return np.nan
    place = q * (len(ordered) - 1)
    below = int(np.floor(place))
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    share = place - below
    if low == high or share == 0:
        return low + 0.0
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)


def check_crossover(case: Case, question: Question) -> None:
    if len(case.dims) < 2:
        return
    between, along = (str(dim) for dim in case.rng.permutation(case.dims)[:2])
    objective, sense = question.first
    fixed = (between, along)
    per = [name for name in question.per if name not in fixed and (name in case.dims or case.own[name][0] != along)]
    groups = groups_of(case, [*per, along], question.limits)
    if objective in (*groups.names, *per):
        return
    answer = rc.crossover(
        case.cube,
        objective,
        between=between,
        along=along,
        per=per,
        where=question.limits.asked,
        sense=sense,
        trust="all",
    )
    told = f"{question.told} between={between} along={along} per={per}"
    cost = costs(case, objective, sense)
    valid = question.limits.all & (cost < case.size)
    winners = np.array([_winner(cost, valid & inside) for inside in groups.inside], dtype=int).reshape(groups.shape)
    labels = case.full[between] if between in case.coords else case.index(between)
    # the label of the winner, an empty one where there is none
    shown = labels[np.maximum(winners, 0)] if case.size else np.zeros(winners.shape, dtype=labels.dtype)
    if not (winners >= 0).all():
        shown = shown.astype("f8") if shown.dtype.kind in "iu" else shown
        empty = {"f": np.nan, "U": "", "M": "NaT", "O": ""}[shown.dtype.kind]
        shown = np.where(winners >= 0, shown, np.array(empty).astype(shown.dtype))
    changes, last, lost_at = np.zeros(groups.shape, dtype=bool), {}, {}
    for cell in np.ndindex(groups.shape):  # a label without a winner hides no change
        before = last.get(cell[:-1])
        if winners[cell] >= 0:
            changes[cell] = before is not None and shown[cell] != shown[before]
            last[cell[:-1]] = cell
            lost_at[cell] = before
    assert answer["winner"].dims == tuple(groups.names), told
    assert_same(answer["winner"].values, shown, told)
    assert_same(answer["found"].values, winners >= 0, told)
    assert_same(answer["changes"].values, changes, told)
    cells = list(zip(*np.nonzero(changes), strict=True))
    assert answer.sizes.get("crossover", 0) == len(cells), told
    gained, lost = [shown[cell] for cell in cells], [shown[lost_at[cell]] for cell in cells]
    assert answer["gainer"].values.tolist() == np.array(gained, dtype=shown.dtype).tolist(), told
    assert answer["loser"].values.tolist() == np.array(lost, dtype=shown.dtype).tolist(), told


def check_distance(case: Case, question: Question) -> None:
    objectives, limits = dict(list(question.objectives.items())[:3]), question.limits
    relative = bool(case.rng.random() < 0.5)
    front = None
    if case.rng.random() < 0.3:
        front = xr.Dataset({name: ("point", [1.0, 2.0]) for name in objectives})
    answer = rc.distance_to_front(case.cube, objectives, front=front, where=limits.asked, relative=relative)
    told = f"{question.told} relative={relative}"
    values = {name: _numbers(case, name) * (1.0 if sense == "min" else -1.0) for name, sense in objectives.items()}
    columns = np.stack(list(values.values()), axis=1)
    valid = limits.all & ~np.isnan(columns).any(axis=1)
    best = columns[valid]
    if front is not None:
        best = np.array([[k if sense == "min" else -k for sense in objectives.values()] for k in (1.0, 2.0)])
    expected = np.full(case.size, np.nan)
    for point in np.flatnonzero(valid):
        expected[point] = _distance(columns[point], best, relative)
    answer = answer.transpose(*(dim for dim in case.dims if dim in answer.dims))
    index = []
    for dim in answer.dims:
        left = np.unique(case.index(dim)[limits.by_label])
        if not left.size:
            return  # no point tells which labels are left
        assert answer.sizes[dim] == len(left), told
        index.append(np.searchsorted(left, case.index(dim)[limits.by_label]))
    shown = answer.values[tuple(index)] if index else np.full(int(limits.by_label.sum()), answer.values)
    narrow = all(case.plain[name].dtype.itemsize <= 4 for name in objectives)
    np.testing.assert_allclose(
        shown.astype("f8"), expected[limits.by_label], rtol=1e-5 if narrow else 1e-12, atol=1e-6, err_msg=told
    )


def _distance(point: Array, front: Array, relative: bool) -> float:
    """Give the largest, over the front, of the least, over the objectives, of the gap."""
    largest = 0.0
    for other in front:
        gaps = []
        for own, best in zip(point.tolist(), other.tolist(), strict=True):
            if own == best:
                gaps.append(0.0)
            elif np.isinf(own) or (relative and own == 0):
                gaps.append(np.inf if own > best else -np.inf)
            else:
                gaps.append((own - best) / (abs(own) if relative else 1.0))
        largest = max(largest, min(gaps))
    return largest


QUESTIONS = {
    "best": check_best,
    "top": check_top,
    "pareto": check_pareto,
    "count": check_count,
    "histogram": check_histogram,
    "quantile": check_quantile,
    "crossover": check_crossover,
    "distance": check_distance,
}
EXACT = ("histogram", "quantile", "distance")  # compute with values, and so need numbers that f8 holds


def check(seed: int, name: str, *, most: int = 300) -> Counter[str]:
    """Ask one question of one random cube and compare with brute force; tell what kinds of things it met."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        case = stored_cubes.random_case(seed, Path(folder), most=most)
        stack.callback(case.cube.close)
        _draw_paths(case, stack)
        ask(case, name, f"seed={seed}")
    return Counter(case.kinds)


def ask(case: Case, name: str, told: str) -> None:
    """Ask a random question of a kind and compare with brute force."""
    question = random_question(case, exact=name in EXACT, most_per=2 if name in ("quantile", "crossover") else 3)
    if question is None:
        case.kinds.add("nothing to ask")
        return
    question.told = f"{told} {name} {question.told}"
    with rc.set_options(memory=case.memory):
        try:
            QUESTIONS[name](case, question)
        except MemoryLimitError:
            assert case.memory is not None, question.told
            case.kinds.add("refused")


def _draw_paths(case: Case, stack: ExitStack) -> None:
    """Make small cubes take, now and then, the ways that only large ones take."""
    tuning = TUNING
    if case.rng.random() < 0.3:
        case.kinds.add("bounds before values")
        tuning = replace(tuning, small_space=0, stored_spread=1)
    if case.rng.random() < 0.3:
        case.kinds.add("slabs")
        tuning = replace(tuning, slab_points=int(case.rng.integers(1, 50)))
    stack.enter_context(patch.object(StoredContext, "tuning", tuning))
    if case.memory is not None and case.rng.random() < 0.5:
        stack.enter_context(patch.object(streamed, "SHARE", 1))
