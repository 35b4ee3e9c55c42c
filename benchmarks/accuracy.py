"""Measure the tables of docs/explain/trust.md on the collection `zoo`, and write them there: run with --write.

What is left out is whole networks, whole architectures, or all rows of a board but some drawn at random; what is
printed is the median error of throughput on it. All draws are seeded, so that the figures come out the same again.
The folds take some minutes of one core for each board, new boards about a minute for each line.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.fitting.families import family_model, one_thread
from roofcube.calibration.kept.lenders import known_lenders, zoo_boards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.measured import Measured

Array = np.ndarray[Any, np.dtype[Any]]

PAGE = Path(__file__).parents[1] / "docs" / "explain" / "trust.md"
FOLDS = 10
# rows of its own that a new board has
ALONE, BESIDE = (5, 10, 20), (0, 1, 2, 5, 10, 20)
PAIRS = (("RTX3090", "RTX5090"), ("RTX5090", "RTX3090"), ("i9-10940X", "i7-12700H"))
# of the other rows of a new board so many are asked, drawn at random: the median of all is within half a point
SEED, ASKED = 100, 300


def boards(networks: int | None = None) -> Iterator[tuple[str, Measured]]:
    """Return the usable rows of each board, of some of its networks where a number is given."""
    for name, data in zoo_boards():
        places = np.arange(len(data))
        if networks is not None:
            places = np.sort(np.random.default_rng(1).permutation(places)[:networks])
        yield name, data.take(places)


def error(model: FamilyModel, data: Measured, places: Array) -> Array:
    """Return the absolute relative errors of throughput."""
    off: Array = np.abs(np.expm1(data.seconds[places] - model.log_time(data.rows.take(places))))
    return off


def parts(data: Measured, what: str) -> list[tuple[Array, Array]]:
    """Divide rows into folds of whole networks or of whole architectures: what stays and what is left out."""
    names = [one.topology if what == "network" else one.architecture or one.topology for one in data.rows.nets]
    label = np.array(names)[data.rows.network]
    values = np.unique(label)
    np.random.default_rng(0).shuffle(values)
    place = {value: number % FOLDS for number, value in enumerate(values.tolist())}
    part = np.array([place[one] for one in label.tolist()])
    folds = [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in range(FOLDS)]
    return [(kept, out) for kept, out in folds if len(out)]


def left_out(name: str, data: Measured, what: str) -> tuple[float, float]:
    """Return the median and the 90 % quantile of errors of what was left out, in percent."""
    found = [error(family_model(data, kept, {}, name), data, out) for kept, out in parts(data, what)]
    middle, tail = np.quantile(np.concatenate(found), (0.5, 0.9))
    return 100.0 * float(middle), 100.0 * float(tail)


def new_board(name: str, data: Measured, others: dict[str, FamilyModel], count: int, draws: int) -> Array:
    """Return the median error [%] on its other rows after so many rows of its own, for each draw."""
    medians = []
    for draw in range(draws if count else 1):
        mixed = np.random.default_rng(SEED + draw).permutation(len(data))
        own, asked = np.sort(mixed[:count]), np.sort(mixed[count : count + ASKED] if count else mixed)
        model = family_model(data, own, others, name) if count else next(iter(others.values()))
        medians.append(100.0 * np.median(error(model, data, asked)))
    return np.array(medians)


def table_of_folds(known: dict[str, Measured], _: int) -> Iterator[str]:
    """Make the lines of networks and architectures left out."""
    yield "| board | network left out: median (one in ten) | architecture left out: median (one in ten) |"
    yield "|---|---|---|"
    medians = []
    for name, data in known.items():
        found = [left_out(name, data, what) for what in ("network", "architecture")]
        medians.append([middle for middle, _ in found])
        yield f"| {name} | " + " | ".join(f"{middle:.1f} % ({tail:.0f} %)" for middle, tail in found) + " |"
    yield "| median of the boards | " + " | ".join(f"{one:.1f} %" for one in np.median(medians, axis=0)) + " |"


def table_of_new_boards(known: dict[str, Measured], draws: int) -> Iterator[str]:
    """Make the lines of boards with some rows of their own: alone, as `calibrate` has it, and beside all others' rows.

    What the board itself lends to boards like it is left out.
    """
    hosts = {name: family_model(data, np.arange(len(data)), {}, name) for name, data in known.items()}
    ways = ("with `alone=True`", "as they are", "beside the others' rows")
    columns = [f"{count} rows, {way}" for way in ways for count in ALONE]
    yield "| board | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    means = []
    for name, data in known.items():
        others = {other: host for other, host in hosts.items() if other != name}
        beside = replace(data, lenders=tuple(one for one in known_lenders() if one.name != name))
        found = [
            new_board(name, rows, given, count, draws).mean()
            for rows, given in ((data, {}), (beside, {}), (data, others))
            for count in ALONE
        ]
        means.append(found)
        yield f"| {name} | " + " | ".join(f"{one:.1f} %" for one in found) + " |"
    yield "| mean of the boards | " + " | ".join(f"{one:.1f} %" for one in np.mean(means, axis=0)) + " |"


def table_of_sisters(known: dict[str, Measured], draws: int) -> Iterator[str]:
    """Make the lines of boards with some rows of their own beside all rows of another board: mean, and worst draw."""
    yield "| board | beside | " + " | ".join(f"{count} row" + "s" * (count != 1) for count in BESIDE) + " |"
    yield "|---" * (len(BESIDE) + 2) + "|"
    for other, name in PAIRS:
        if other not in known or name not in known:
            continue
        host = family_model(known[other], np.arange(len(known[other])), {}, other)
        found = [new_board(name, known[name], {other: host}, count, draws) for count in BESIDE]
        cells = [f"{one.mean():.1f} % ({one.max():.0f} %)" if len(one) > 1 else f"{one[0]:.1f} %" for one in found]
        yield f"| {name} | {other} | " + " | ".join(cells) + " |"


TABLES: dict[str, Callable[[dict[str, Measured], int], Iterator[str]]] = {
    "folds": table_of_folds,
    "alone": table_of_new_boards,
    "sisters": table_of_sisters,
}


def written(page: str, name: str, lines: list[str]) -> str:
    """Return the page with a table between its marks; both must be there."""
    start, end = f"<!-- accuracy {name}: start -->", f"<!-- accuracy {name}: end -->"
    head, rest = page.split(start)
    return "\n".join([head + start, *lines, end + rest.split(end)[1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help="folds, alone, sisters; all of them by default")
    parser.add_argument("--networks", type=int, help="of each board so many networks alone, drawn at random")
    parser.add_argument("--board", action="append", help="measure this board alone; may be given more than once")
    parser.add_argument("--draws", type=int, default=12, help="of the rows of a new board [default: 12]")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/explain/trust.md")
    asked = parser.parse_args()
    known = {name: data for name, data in boards(asked.networks) if name in (asked.board or [name])}
    for name in asked.tables or TABLES:
        lines = []
        with one_thread():
            for line in TABLES[name](known, asked.draws):
                print(line, flush=True)
                lines.append(line)
        if asked.write:
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), name, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
