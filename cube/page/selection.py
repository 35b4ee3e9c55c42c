"""Which part of a large cube the figures of a page show: the best, the front, and what is between, with a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roofcube.errors import RoofcubeError
from roofcube.model.graph import LAYER
from roofcube.model.offered import as_product, is_offered
from roofcube.plot.drawing.tables import accuracy_of, sound
from roofcube.sweep.questions import best, pareto
from roofcube.vocabulary import CONFIGURATION, DIMS
from roofcube.wording import counted, listed, with_thousands

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

__all__ = ["MANY", "Selection", "evenly", "figures_of_merit", "selection_of"]

MANY = 50  # networks, or platforms, that figures with a row each can still show
ROWS = 250  # configurations that such a figure holds in rows of 20 pixels
LEAST, MOST = 6, 16  # of many networks, or platforms
OWN = 12  # combinations of labels of own dims
FEW = 3  # labels of an own dim where there are more combinations
BATCHES = 24
GOALS = ("throughput", "latency", "energy")
WORDS = {"topology": "network", "platform": "platform"}


@dataclass(frozen=True)
class Selection:
    """The part of a cube that figures show, and sentences that say which part it is."""

    cube: xr.Dataset
    notes: tuple[str, ...] = ()


def figures_of_merit(cube: xr.Dataset) -> dict[str, str]:
    """Name the variables by which a cube is judged: measured where it has measurements, else predicted."""
    measured = "measured_throughput" in cube and bool(cube["measured_throughput"].notnull().any())
    kind = "measured" if measured else "predicted"
    return {
        "throughput": f"{kind}_throughput",
        "latency": f"{kind}_latency",
        "top1": accuracy_of(cube) if measured else "top1",
        "energy": "energy_per_input" if measured else "predicted_energy",
    }


def selection_of(cube: xr.Dataset) -> Selection:
    """Choose what figures show; a cube that they can show whole comes back as it is."""
    names = figures_of_merit(cube)
    if names["throughput"] not in cube:
        return Selection(cube)
    notes = []
    for dim in ("topology", "platform"):
        if _number_of_labels(cube, dim) > (MANY if _count_configurations(cube, names["throughput"]) <= ROWS else MOST):
            labels, note = _labels_to_show(cube, dim, names)
            cube = cube.sel({dim: labels}) if dim in cube.dims else cube.isel(offer=np.isin(cube[dim].values, labels))
            notes.append(note)
    # what figures lay out by platform, mode and precision
    cube, own = _few_of_own_dims(as_product(cube), names)
    cube, batches = _few_batches(cube, names)
    return Selection(cube, (*notes, *filter(None, (own, batches))))


def _number_of_labels(cube: xr.Dataset, dim: str) -> int:
    """Count the labels of a dim, or of a coordinate of what is offered."""
    return cube.sizes[dim] if dim in cube.dims else len(np.unique(cube[dim].values)) if is_offered(cube) else 0


# networks and platforms -----------------------------------------------------------------------------------------------


def _labels_to_show(cube: xr.Dataset, dim: str, names: dict[str, str]) -> tuple[list[str], str]:
    """Choose labels of a dim: those that win something, then the front, then others, as many as a figure can hold."""
    number = _number_of(cube, dim, names["throughput"])
    wanted = _winners(cube, dim, names)
    note = "the best by each goal"
    for labels, what in (
        (_labels_on_front(cube, dim, names), "on the front of accuracy and throughput"),
        (_fastest_first(cube, dim, names["throughput"]), "from the fastest to the slowest"),
    ):
        others = [label for label in labels if label not in wanted]
        thinned = [others[place] for place in evenly(len(others), max(number - len(wanted), 0))]
        wanted += thinned
        if thinned:
            part = f"{len(thinned)} of the {with_thousands(len(others))}" if len(thinned) < len(others) else "all"
            note += f", {part} others {what}"
    noun, total = WORDS[dim], _number_of_labels(cube, dim)
    found = " Every network is in the table “network by network” of the summary, which can be searched."
    rest = found if dim == "topology" else " The text counts all."
    labels = [label for label in dict.fromkeys(cube[dim].values.tolist()) if label in set(wanted)]
    return labels, f"The figures show {len(labels)} of {counted(total, noun)}: {note}.{rest}"


def _number_of(cube: xr.Dataset, dim: str, throughput: str) -> int:
    """Return how many labels a figure with a row for each configuration can hold."""
    known = _has_throughput(cube, throughput)
    each = float(known.sum([one for one in known.dims if one != dim]).mean()) if dim in known.dims else 1.0
    return int(np.clip(ROWS / max(each, 1.0), LEAST, MOST))


def _count_configurations(cube: xr.Dataset, throughput: str) -> int:
    """Count the configurations whose throughput is known."""
    return int(_has_throughput(cube, throughput).sum())


def _has_throughput(cube: xr.Dataset, throughput: str) -> xr.DataArray:
    known = cube[throughput].notnull()
    return known.any([one for one in known.dims if one not in CONFIGURATION])


def _winners(cube: xr.Dataset, dim: str, names: dict[str, str]) -> list[str]:
    labels = []
    for goal in (*GOALS, "top1"):
        name = names[goal]
        # of what does not depend on the dim any label would be the best
        if name in cube and set(cube[dim].dims) <= set(cube[name].dims) and bool(cube[name].notnull().any()):
            winner = best(cube, name)
            labels += [winner[dim].item()] if bool(winner["found"]) and dim in winner.coords else []
    return list(dict.fromkeys(labels))


def _labels_on_front(cube: xr.Dataset, dim: str, names: dict[str, str]) -> list[str]:
    """Return the labels on the front of accuracy and throughput; none without accuracy."""
    throughput, accuracy = names["throughput"], names["top1"]
    if accuracy not in cube or not bool(cube[accuracy].notnull().any()):
        return []
    try:
        front = pareto(cube, {throughput: "max", accuracy: "max"})
    except RoofcubeError:
        return []
    return list(dict.fromkeys(front[dim].values.tolist()))


def _fastest_first(cube: xr.Dataset, dim: str, throughput: str) -> list[str]:
    """Return the labels that have a throughput, by their highest."""
    array = cube[throughput]
    highest = array.max([one for one in array.dims if one not in cube[dim].dims]).values
    order = np.argsort(-np.nan_to_num(highest, nan=-np.inf), kind="stable")
    labels = cube[dim].values
    return list(dict.fromkeys(labels[place] for place in order if highest[place] == highest[place]))


def evenly(size: int, number: int) -> list[int]:
    """Choose places of a sequence, evenly spaced, both ends among them."""
    return sorted(set(np.linspace(0, size - 1, min(size, number)).round().astype(int).tolist())) if size else []


# own dims and batches -------------------------------------------------------------------------------------------------


def _few_of_own_dims(cube: xr.Dataset, names: dict[str, str]) -> tuple[xr.Dataset, str]:
    """Keep some labels of own dims where their combinations are too many to tell apart."""
    own = [str(dim) for dim in cube.dims if dim not in (*DIMS, LAYER) and cube.sizes[dim] > FEW]
    if not own or np.prod([cube.sizes[dim] for dim in own]) <= OWN:
        return cube, ""
    winner = best(cube, names["throughput"])
    kept, told = {}, []
    for dim in own:
        size = cube.sizes[dim]
        places = set(evenly(size, FEW if len(own) == 1 else FEW - 1))
        if bool(winner["found"]) and dim in winner.coords and dim in cube.coords:
            places.add(int(np.flatnonzero(cube[dim].values == winner[dim].item())[0]))
        kept[dim] = sorted(places)
        told.append(f"{len(kept[dim])} of {with_thousands(size)} labels of {dim}")
    return cube.isel(kept), f"The figures show {listed(told)}; the text and the summary take all."


def _few_batches(cube: xr.Dataset, names: dict[str, str]) -> tuple[xr.Dataset, str]:
    """Keep the best batch of each configuration, and some of the measured, where there are too many for a line each."""
    size = cube.sizes.get("batch", 0)
    if size <= BATCHES:
        return cube, ""
    measured: Iterable[int] = ()
    if "n_rows" in cube and "batch" in cube["n_rows"].dims:
        measured = np.flatnonzero((cube["n_rows"] > 0).any([one for one in cube["n_rows"].dims if one != "batch"]))
    places = sorted({*(int(place) for place in measured), 0, size - 1})
    if len(places) < FEW:
        places = sorted({*places, *np.geomspace(1, size, BATCHES // 2).round().astype(int) - 1})
    best = {place for name in {names["throughput"], "predicted_throughput"} for place in _best_batches(cube, name)}
    places = sorted({*best, *(places[place] for place in evenly(len(places), max(FEW, BATCHES - len(best))))})
    return cube.isel(batch=places), f"The figures show {len(places)} of {with_thousands(size)} batches."


def _best_batches(cube: xr.Dataset, name: str) -> list[int]:
    """Return the places of the batches that are the best of a configuration."""
    if name not in cube or "batch" not in cube[name].dims:
        return []
    worth = sound(cube, cube[name], (name,), ["batch"])
    known = worth.notnull().any("batch").values
    places = np.unique(worth.fillna(-np.inf).argmax("batch").values[known])
    return [int(place) for place in places]
