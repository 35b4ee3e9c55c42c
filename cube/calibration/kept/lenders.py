"""Boards of the collection `zoo` that lend to what has few rows: fitted by `roofcube errors --write`, kept as data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from roofcube.calibration.facts import facts_of
from roofcube.calibration.fitting.borrowed import Borrowed, Lender
from roofcube.calibration.fitting.families import family_model, one_thread
from roofcube.calibration.fitting.residual import Kernel, Place
from roofcube.calibration.kept.code_key import code_key
from roofcube.calibration.measured import measured
from roofcube.datasets import load_measurements
from roofcube.disk import replacing
from roofcube.errors import CorruptFileError
from roofcube.model.inputs import inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roofcube.calibration.measured import Measured

__all__ = ["known_lenders", "lenders_of", "written_by", "zoo_boards"]

Array = np.ndarray[Any, np.dtype[Any]]

COLLECTION = "zoo"
FIGURES = ("amplitude", "common", "noise", "spread")  # of a kernel that are learned, beside its reach
COLUMNS = ("precision", "size", "octave")


def lenders_of(data: Measured) -> tuple[Lender, ...]:
    """Return the lenders that ran networks like those of some board, but for those whose own rows a board has."""
    usable = np.flatnonzero(data.usable & (data.rows.hardware >= 0))
    platform = data.rows.take(usable).machine("platform")
    parts = [usable[platform == one] for one in np.unique(platform)]
    rows = [(data.rows.take(index), data.seconds[index]) for index in parts]
    return tuple(
        one
        for one in known_lenders()
        if any(one.knows(some) for some, _ in rows) and not any(one.ran(*some) for some in rows)
    )


@cache
def known_lenders(path: Path | None = None) -> tuple[Lender, ...]:
    """Read the boards that came with the package, or those of a file; none where they were never written.

    Raises
    ------
    CorruptFileError
        If the file is torn.
    """
    path = path or _lenders_file()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return tuple(_lenders(dict(kept)))
    except OSError:
        return ()
    except (BadZipFile, EOFError, KeyError, ValueError) as error:
        msg = f"{path.name}: not a whole file of boards that lend ({error}); install roofcube again"
        raise CorruptFileError(msg) from error


def written_by() -> str:
    """Return the key of the code that the kept boards were fitted by; empty where there are none."""
    try:
        with _lenders_file().open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return str(kept["code"])
    except OSError:
        return ""


def zoo_boards() -> Iterator[tuple[str, Measured]]:
    """Return the usable rows of each board of the collection."""
    facts, table = facts_of(inputs(COLLECTION)), load_measurements(COLLECTION)
    for (name,), rows in table.group_by("platform", maintain_order=True):
        data = measured(rows, facts)
        yield str(name), data.take(np.flatnonzero(data.usable))


def write_lenders() -> Path:
    """Fit the boards of the collection to all their rows and keep what they lend; give the file."""
    code = code_key()
    with one_thread():
        found = [_fitted(name, data) for name, data in zoo_boards()]
    path = _lenders_file()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, code=np.array(code), **_arrays(found))
    known_lenders.cache_clear()
    return path


def _lenders_file() -> Path:
    return Path(str(files("roofcube.calibration"))) / "kept" / "lenders.npz"


def _fitted(name: str, data: Measured) -> Lender:
    every = np.arange(len(data))
    model = family_model(data, every, {}, name)
    left = model.lend(data.rows, 1.0)
    if left is None:
        msg = f"{name}: expected a board of many networks"
        raise ValueError(msg)
    return Lender(model.modes, left, data.seconds)


def _arrays(found: list[Lender]) -> dict[str, Any]:
    """Lay the rows of all boards one after the other; networks, which boards share, once."""
    lent = [one.left for one in found]
    names = sorted({name for one in lent for name in one.topologies})
    number = {name: place for place, name in enumerate(names)}
    topology = [np.array([number[name] for name in one.topologies])[one.place.topology] for one in lent]
    return {
        "boards": np.array([one.of for one in lent]),
        "rows": np.array([len(one.pull) for one in lent], dtype="i4"),
        "modes": np.array([one.modes for one in found]),
        "figures": np.array([[getattr(one.kernel, figure) for figure in FIGURES] for one in lent]),
        "reach": np.array([one.kernel.reach for one in lent]),
        "topologies": np.array(names),
        "topology": np.concatenate(topology).astype("i2"),
        "pull": np.concatenate([one.pull for one in lent]).astype("f4"),
        "seconds": np.concatenate([one.seconds for one in found]).astype("f4"),
        "descriptors": np.concatenate([one.place.descriptors for one in lent]).astype("f4"),
        **{name: np.concatenate([getattr(one.place, name) for one in lent]).astype("f4") for name in COLUMNS},
    }


def _lenders(kept: dict[str, Array]) -> Iterator[Lender]:
    topologies = tuple(kept["topologies"].tolist())
    ends = np.cumsum(kept["rows"])
    for number, (name, end) in enumerate(zip(kept["boards"].tolist(), ends.tolist(), strict=True)):
        rows = slice(end - int(kept["rows"][number]), end)
        figures = dict(zip(FIGURES, kept["figures"][number].tolist(), strict=True))
        kernel = Kernel(**figures, reach=tuple(kept["reach"][number].tolist()))
        columns = {column: kept[column][rows].astype("f8") for column in COLUMNS}
        topology = kept["topology"][rows].astype("i8")
        unnumbered = np.zeros(len(topology), dtype="i8")
        place = Place(unnumbered, topology, unnumbered, columns["precision"], columns["size"], columns["octave"],
                      kept["descriptors"][rows].astype("f8"))  # fmt: skip
        left = Borrowed(name, 1.0, kernel, topologies, place, kept["pull"][rows].astype("f8"))
        yield Lender(kept["modes"][number], left, kept["seconds"][rows].astype("f8"))
