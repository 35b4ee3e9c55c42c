"""A calibration from what its file says, each part checked against the others: a forger makes a checksum that matches.

Once it is made, no index leads beside a table, no array has another length than the rows that it is of, and no matrix
is one that cannot be inverted, so that whatever is asked later has an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from roofcube.calibration.facts import TILES, Facts, Machine, NetworkTotals
from roofcube.calibration.fitted import Fitted
from roofcube.calibration.fitting.borrowed import Borrowed
from roofcube.calibration.fitting.dataflow import PipelineFill
from roofcube.calibration.fitting.families import FittedFamilies
from roofcube.calibration.fitting.family import FamilyModel, Structure
from roofcube.calibration.fitting.intervals import Scores
from roofcube.calibration.fitting.law import PARAMETERS
from roofcube.calibration.fitting.least_squares import Prior
from roofcube.calibration.fitting.power import POWER_TERMS, PowerModel
from roofcube.calibration.fitting.residual import Kernel, Place, Posterior, descriptors
from roofcube.calibration.fitting.sisters import Kinship, Sister
from roofcube.calibration.kept.lenders import known_lenders
from roofcube.calibration.measured import NO_THROUGHPUT, RATE, UNSCORED, Measured
from roofcube.calibration.rows import LARGEST_BATCH, IndexedRows, Records, indexed_rows
from roofcube.calibration.saved.definite import has_root
from roofcube.datasets import load_measurements
from roofcube.labels import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PLAIN_LABELS", "PLAIN_TYPES", "fitted_of"]

Array = np.ndarray[Any, np.dtype[Any]]
Record = TypeVar("Record", Machine, NetworkTotals, Kernel)

# types of columns that JSON gives back as they were
PLAIN_TYPES: dict[str, Any] = {
    str(kind): kind
    for kind in (
        *(pl.String, pl.Boolean, pl.Null, pl.Float32, pl.Float64),
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
    )
}
PLAIN_LABELS = (str, bool, int, float)
COUNT = len(PARAMETERS)
# what is divided by, or whose logarithm is taken; of networks, where rows of them are used
POSITIVE = {
    Machine: ("peak", "reference", "bandwidth", "element_bytes", "cores"),
    NetworkTotals: (),
    Kernel: ("size_length", "batch_length", "noise"),
}
USED = ("layers", "ops", "activations", "kernels")
LEAST, MOST = 1e-30, 1e300
# watts before version 6: they grew with the use alone, and what they left was of this kernel
LINEAR_TERMS, FIRST = 5, Kernel(amplitude=0.075, common=0.035, noise=0.02)
# no parameter in ln, and no variance, is larger; with larger ones matrices could not be inverted
PLAUSIBLE = 1e4
NUMBERS = ("pruning_percent", "batch", RATE)
# deviations in ln, and factors on them
LEAST_NOISE, FARTHEST = 1e-4, 100.0
NO_ROWS = np.zeros(0, dtype=np.intp)
DESCRIPTORS = descriptors(IndexedRows(NO_ROWS, NO_ROWS, NO_ROWS, Records(), Records())).shape[1]
EXACT = 1e-9  # within which what is told twice agrees


@dataclass(frozen=True)
class Part:
    """A part of a document, and where it stands there."""

    value: Any
    where: str = ""

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, dict) and name in self.value

    def __getitem__(self, name: str) -> Part:
        if name not in self:
            raise _wrong(self, f"an object with {name!r}", "none")
        return Part(self.value[name], f"{self.where}.{name}" if self.where else name)

    def items(self) -> Iterator[tuple[str, Part]]:
        """Go through an object."""
        if not isinstance(self.value, dict):
            raise _wrong(self, "an object")
        return ((Part(name, self.where).text(), self[name]) for name in self.value)

    def parts(self) -> list[Part]:
        """Return what is in a list."""
        if not isinstance(self.value, list | tuple):
            raise _wrong(self, "a list")
        return [Part(one, f"{self.where}[{place}]") for place, one in enumerate(self.value)]

    def text(self) -> str:
        """Return text, which lone surrogates are not."""
        try:
            return bytes(self.value, "utf-8").decode("utf-8")
        except (TypeError, UnicodeEncodeError):
            raise _wrong(self, "text") from None

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise _wrong(self, "true or false")
        return self.value

    def number(self, least: float = -MOST, most: float = MOST) -> float:
        """Return a finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not least <= self.value <= most:
            raise _wrong(self, f"a number from {least:g} to {most:g}")
        return float(self.value)

    def numbers(
        self, *shape: int | None, least: float = -MOST, most: float = MOST, kinds: str = "if", unknown: bool = False
    ) -> Array:
        """Return an array of a shape, None for any length, of numbers between two; `unknown` ones may be NaN."""
        try:
            values = np.array(self.value)
        except ValueError:
            raise _wrong(self, "lists of one length", "others") from None
        if values.size and values.dtype.kind not in kinds:
            raise _wrong(self, "numbers" if "f" in kinds else "whole numbers" if "i" in kinds else "true and false")
        fits = len(values.shape) == len(shape) and all(
            size in (None, own) for size, own in zip(shape, values.shape, strict=True)
        )
        if not fits:
            named = " x ".join("any" if size is None else str(size) for size in shape)
            raise _wrong(self, f"{named} values", " x ".join(map(str, values.shape)) or "one")
        inside = (least <= values) & (values <= most)
        if not (inside | np.isnan(values) if unknown and values.dtype.kind == "f" else inside).all():
            raise _wrong(self, f"numbers from {least:g} to {most:g}", "others")
        return values.astype({"b": "?", "i": "i8"}.get(kinds, "f8"))

    def flags(self, count: int) -> Array:
        """Return an array of true and false."""
        return self.numbers(count, kinds="b")

    def places(self, *shape: int | None, count: int) -> Array:
        """Return an array of places in a list of so many."""
        return self.numbers(*shape, least=0, most=count - 1, kinds="i")

    def some_of(self, count: int) -> tuple[int, ...]:
        """Return places in a list, each once and in their order."""
        values = self.places(None, count=count)
        if (np.diff(values) <= 0).any():
            raise _wrong(self, "each place once, in their order")
        return tuple(values.tolist())


def _wrong(part: Part, expected: str, got: str = "") -> ValueError:
    """Return the error that tells of a part."""
    return ValueError(f"`{part.where}`: expected {expected}, got {got or brief(part.value)}")


def fitted_of(document: dict[str, Any]) -> Fitted:
    """Return the calibration that a document of the present version tells of.

    Raises
    ------
    ValueError, TypeError
        If a part is not what it has to be, or does not fit another; names it.
    """
    whole = Part(document)
    data = _measured(whole, _facts(whole))
    index = {name: places[data.usable[places]] for name, places in data.by_family()}
    hardware = {name: data.rows.hardware[places] for name, places in index.items() if len(places)}
    machines = list(data.facts.hardware.values())
    families = {name: _family(one, machines, hardware[name]) for name, one in _of_each(whole["families"], hardware)}
    power = {name: _power(one, len(machines)) for name, one in whole["power"].items()}
    if not power.keys() <= families.keys():
        raise _wrong(whole["power"], "families that there are", ", ".join(power)[:60])
    fill = whole["fill"]
    pipeline = PipelineFill(fill["inputs"].number(0.0), fill["errors"].numbers(None, least=0.0))
    scores = {name: _scores(one) for name, one in _of_each(whole["scores"], hardware)}
    engine = FittedFamilies(families, power, pipeline)
    # in older files it is not told which labels the rows are of
    own = {name: _label_of(one) for name, one in whole["own_labels"].items()} if "own_labels" in whole else {}
    return Fitted(data.facts, data, engine, whole["name"].text(), scores, own)


def _label_of(part: Part) -> str | float:
    if not isinstance(part.value, PLAIN_LABELS):
        raise _wrong(part, "a label of text, a number or a flag")
    return part.value


def _of_each(part: Part, wanted: dict[str, Any]) -> list[tuple[str, Part]]:
    """Return the parts of an object that has one for each family of which rows are used."""
    of_each = list(part.items())
    if {name for name, _ in of_each} != wanted.keys():
        told = ", ".join(name for name, _ in of_each)
        raise _wrong(part, f"a part for each family with rows ({', '.join(wanted):.60})", f"{told:.60}")
    return of_each


# facts and rows -------------------------------------------------------------------------------------------------------


def _record(kind: type[Record], part: Part) -> Record:
    """Make a record of text, flags and numbers from 0 on, as its fields say."""
    read: dict[str, Callable[[Part], Any]] = {
        "str": Part.text,
        "bool": Part.flag,
        "float": lambda one: one.number(0.0),
        "tuple[float, ...]": lambda one: tuple(one.numbers(None, least=0.0).tolist()),
    }
    types = {field.name: str(field.type) for field in fields(kind)}
    for name in POSITIVE[kind]:
        part[name].number(LEAST)
    return kind(**{name: read[types[name]](one) for name, one in part.items() if name in types})


def _facts(whole: Part) -> Facts:
    machines = [_record(Machine, one) for one in whole["hardware"].parts()]
    networks = [_record(NetworkTotals, one) for one in whole["networks"].parts()]
    facts = Facts({one.key: one for one in machines}, {one.key: one for one in networks})
    if len(facts.hardware) < len(machines) or len(facts.networks) < len(networks):
        raise _wrong(
            whole["hardware" if len(facts.hardware) < len(machines) else "networks"], "labels that differ", "one twice"
        )
    for one in networks:
        if len(one.convolution_ops) != len(TILES):
            raise _wrong(whole["networks"], f"{len(TILES)} figures of convolutions", str(len(one.convolution_ops)))
    return facts


def _table(whole: Part) -> pl.DataFrame:
    types, columns = dict(whole["types"].items()), dict(whole["measurements"].items())
    if types.keys() != columns.keys() or not {"row", RATE, *KEY_COLUMNS} <= types.keys():
        raise _wrong(whole["types"], "the columns of the measurements, keys and throughput among them", "others")
    known, kinds = load_measurements().schema, {}
    for name, one in types.items():
        kind: Any = PLAIN_TYPES.get(one.text())
        wanted: Any = known.get(name, kind)
        if kind is None or (wanted != kind and kind != pl.Null and not (kind.is_numeric() and wanted.is_numeric())):
            raise _wrong(one, f"a type of this column ({wanted or ', '.join(PLAIN_TYPES)})")
        kinds[name] = kind
    return pl.DataFrame({name: one.value for name, one in columns.items()}, schema=kinds)


def _measured(whole: Part, facts: Facts) -> Measured:
    table = _table(whole)
    keys = table.select(
        pl.col(name).cast(pl.Float64 if name in NUMBERS else pl.String) for name in (*KEY_COLUMNS, RATE)
    )
    rows, rate = indexed_rows(keys.drop(RATE), facts), keys[RATE].fill_null(float("nan")).to_numpy()
    arrays = {
        name: whole["arrays"][name].numbers(table.height, least=-np.inf, most=np.inf, unknown=True)
        for name in ("seconds", "power", "interval")
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = np.isclose(arrays["seconds"], np.log(rows.batch / rate), rtol=EXACT, atol=EXACT)
    timed = agree & (rows.batch > 0) & np.isfinite(arrays["seconds"])
    reason = np.array([*(one.text() for one in whole["reason"].parts()), None], dtype=object)[:-1]
    if len(reason) != table.height:
        raise _wrong(whole["reason"], f"a reason for each of {table.height} rows", str(len(reason)))
    usual = np.array([all(getattr(one, name) >= LEAST for name in USED) for one in rows.nets] + [False])
    used = reason == ""
    if not (timed & rows.known & usual[rows.network])[used].all():
        row = int(np.flatnonzero(used & ~(timed & rows.known & usual[rows.network]))[0])
        raise _wrong(whole["reason"], "used rows of known hardware, network and time, as throughput says", f"row {row}")
    # whatever is told of the others: of these no prediction can be scored
    reason[~timed & ~used & rows.known & (rows.batch > 0) & ~np.isin(reason, UNSCORED)] = NO_THROUGHPUT
    # of older files nothing was lent; what is computed later of rows left out takes the boards of today
    names = [one.text() for one in whole["lenders"].parts()] if "lenders" in whole else []
    lenders = tuple(one for one in known_lenders() if one.name in names)
    return Measured(table, facts, rows, reason=reason, lenders=lenders, **arrays)


# what was fitted ------------------------------------------------------------------------------------------------------


def _family(part: Part, machines: list[Machine], hardware: Array | None = None) -> FamilyModel:
    """Return the model of a family; `hardware` are places of what its rows are of, None of another's model."""
    groups = part["groups"].some_of(len(machines))
    structures = [_structure(one, len(groups)) for one in part["structures"].parts()]
    if not structures or not groups:
        raise _wrong(part, "hardware and structures", "none")
    group = structures[0].posterior.group if hardware is None else np.searchsorted(groups, hardware)
    if hardware is not None and groups != tuple(np.unique(hardware).tolist()):
        raise _wrong(part["groups"], f"the places of what was measured, {np.unique(hardware).tolist()}")
    if not all(np.array_equal(one.posterior.group, group) for one in structures):
        raise _wrong(part["structures"], f"the groups of the {len(group)} rows of this family", "others")
    if not all(_is_alike(one.posterior, structures[0].posterior) for one in structures):
        raise _wrong(part["structures"], "one kernel and one place of each row", "others")
    _check_shares(part["structures"], [one.weight for one in structures], whole=True)
    sisters = []
    if hardware is not None:
        sisters = [_sister(one, machines, hardware) for one in part["sisters"].parts()] if "sisters" in part else []
        for names in {one.hardware for one in sisters}:
            _check_shares(part["sisters"], [one.weight for one in sisters if one.hardware == names])
    elif "sisters" in part and part["sisters"].parts():
        raise _wrong(part["sisters"], "no sisters of a sister")
    above, wide = (
        part[name].numbers(len(groups), least=LEAST) if name in part and part[name].value else np.zeros(0)
        for name in ("above_peak", "above_bandwidth")
    )
    return FamilyModel(
        groups, tuple(structures), part["modes"].numbers(len(TILES), COUNT, least=-PLAUSIBLE, most=PLAUSIBLE),
        part["dataflow"].flag() if "dataflow" in part else machines[groups[0]].dataflow, tuple(above.tolist()),
        part["evidence"].number() if "evidence" in part else 0.0, tuple(sisters),
        tuple(_falling(part)), tuple(wide.tolist()),
        _borrowed(part["borrowed"]) if "borrowed" in part and part["borrowed"].value is not None else None,
    )  # fmt: skip


def _falling(part: Part) -> Iterator[tuple[int, int, float]]:
    """Read where time was measured to fall; before version 6 it was free to at every batch."""
    for one in part["falling"].parts() if "falling" in part else []:
        numbers = one.numbers(None, least=0.0).tolist()
        if len(numbers) not in (2, 3):
            raise _wrong(one, "a place of hardware, one of a network, and a batch", str(len(numbers)))
        yield int(numbers[0]), int(numbers[1]), (numbers[2] if len(numbers) == 3 else LARGEST_BATCH)


def _borrowed(part: Part) -> Borrowed:
    kernel, pull = _kernel_of(part["kernel"]), part["pull"].numbers(None, least=-PLAUSIBLE, most=PLAUSIBLE)
    names = tuple(one.text() for one in part["topologies"].parts())
    if len(set(names)) < len(names):
        raise _wrong(part["topologies"], "names that differ", "one twice")
    if not kernel.spread or not len(pull):
        raise _wrong(part, "rows whose descriptors tell", "none")
    place = _place(part["place"], len(pull), described=True)
    part["place"]["topology"].places(len(pull), count=len(names))
    return Borrowed(part["of"].text(), part["share"].number(0.0, 1.0), kernel, names, place, pull)


def _is_alike(one: Posterior, other: Posterior) -> bool:
    columns = [(getattr(one.place, field.name), getattr(other.place, field.name)) for field in fields(Place)]
    return one.kernel == other.kernel and all(np.array_equal(*column, equal_nan=True) for column in columns)


def _check_shares(part: Part, weights: list[float], *, whole: bool = False) -> None:
    """Raise where weights are more than one together, or less where nothing else has a share."""
    if not (1.0 - EXACT if whole else 0.0) <= sum(weights) <= 1.0 + EXACT:
        raise _wrong(part, "weights that sum to 1", f"{sum(weights):g}")


def _structure(part: Part, groups: int) -> Structure:
    tile = int(part["tile"].places(count=len(TILES)))
    return Structure(tile, part["weight"].number(0.0, 1.0), _posterior(part["posterior"], groups))


def _posterior(part: Part, groups: int) -> Posterior:
    pull = part["pull"].numbers(None)
    rows, kernel = len(pull), _kernel_of(part["kernel"])
    if part["groups"].value != groups:
        raise _wrong(part["groups"], str(groups))
    made = Posterior(
        theta=part["theta"].numbers(groups + 1, COUNT),
        tilt=part["tilt"].numbers(groups + 1, COUNT),
        pull=pull,
        place=_place(part["place"], rows, described=bool(kernel.spread)),
        gradient=part["gradient"].numbers(rows, COUNT, least=0.0, most=1.0 + EXACT),
        group=part["group"].places(rows, count=groups),
        groups=groups,
        prior=_prior_of(part["prior"]),
        noise=part["noise"].numbers(rows, least=LEAST),
        kernel=kernel,
    )
    if not has_root(made):
        raise _wrong(part, "rows that differ, or noise", "a covariance without a root")
    return made


def _prior_of(part: Part) -> Prior:
    covariance = part["covariance"].numbers(COUNT, COUNT, least=-PLAUSIBLE, most=PLAUSIBLE)
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] <= 0.0:
        raise _wrong(part["covariance"], "a symmetric matrix with positive eigenvalues", "another")
    plausible = part["plausible"].number(LEAST) if "plausible" in part else 1.0
    return Prior(part["mean"].numbers(COUNT), covariance, plausible)


def _kernel_of(part: Part) -> Kernel:
    for name in ("amplitude", "common", "spread", "noise"):
        if name in part:
            part[name].number(LEAST_NOISE if name == "noise" else 0.0, FARTHEST)
    for name in ("other_topology", "other_mode", "other_precision"):
        part[name].number(0.0, 1.0)
    kernel = _record(Kernel, part)
    if len(kernel.reach) != (DESCRIPTORS if kernel.spread else 0) or min(kernel.reach, default=LEAST) < LEAST:
        raise _wrong(part, f"a reach along each of {DESCRIPTORS} descriptors where they count", str(len(kernel.reach)))
    return kernel


def _place(part: Part, rows: int, *, described: bool = False) -> Place:
    numbers = {name: part[name].numbers(rows) for name in ("precision", "size", "octave")}
    names = {name: part[name].numbers(rows, kinds="i") for name in ("corner", "topology", "mode")}
    end = MOST if described else np.inf  # what is not asked may be anything
    width = DESCRIPTORS if described else None
    return Place(
        **names,
        **numbers,
        descriptors=part["descriptors"].numbers(rows, width, least=-end, most=end, unknown=not described),
    )


def _sister(part: Part, machines: list[Machine], of_rows: Array) -> Sister:
    """Return what predicts some of the rows of a family, given the hardware of all."""
    hardware = part["hardware"].some_of(len(machines))
    rows = int(np.isin(of_rows, hardware).sum()) if hardware else len(of_rows)
    own, model = part["own"].number(0.0, 1.0), _family(part["model"], machines)
    degrees = tuple(_kinship(one, rows) for one in part["kinships"].parts())
    if (own and (degrees or model.rows != rows)) or not (own or degrees) or not rows:
        raise _wrong(
            part, f"a model of {rows} rows, or degrees of kinship", f"{model.rows} rows, {len(degrees)} degrees"
        )
    place = (
        None
        if own
        else _place(
            part["place"],
            rows,
            described=bool(max(model.structures, key=lambda one: one.weight).posterior.kernel.spread),
        )
    )
    gradient = np.zeros((0, 0)) if own else part["gradient"].numbers(rows, COUNT, least=0.0, most=1.0 + EXACT)
    return Sister(hardware, model, own, degrees, place, gradient)


def _kinship(part: Part, rows: int) -> Kinship:
    # in version 3 no network was odd, and the one factor was of two at every degree
    odd = part["odd"].flags(rows) if "odd" in part else np.zeros(rows, dtype=bool)
    common = part["common"].number(0.0, FARTHEST) if "common" in part else float(np.log(2.0))
    degree, weight = part["degree"].number(LEAST, FARTHEST), part["weight"].number(0.0, 1.0)
    return Kinship(degree, weight, part["pull"].numbers(rows), part["wrong"].flags(rows), odd, common)


def _power(part: Part, machines: int) -> PowerModel:
    hardware, pull = part["hardware"].some_of(machines), part["pull"].numbers(None)
    place = _place(part["place"], len(pull))
    if "kernel" not in part:  # before version 6, when a last line was of a typical board
        watts = part["watts"].numbers(len(hardware) + 1, LINEAR_TERMS, least=0.0)[:-1]
        return PowerModel(hardware, np.pad(watts, ((0, 0), (0, len(POWER_TERMS) - LINEAR_TERMS))), pull, place, FIRST)
    kernel = _kernel_of(part["kernel"])
    if kernel.spread:
        raise _wrong(part["kernel"], "a spread of 0", f"{kernel.spread:g}")
    watts = part["watts"].numbers(len(hardware), len(POWER_TERMS), least=0.0)
    return PowerModel(hardware, watts, pull, place, kernel)


def _scores(part: Part, *, near: bool = True) -> Scores:
    error = part["error"].numbers(None, least=0.0)
    deviation = part["deviation"].numbers(len(error), least=LEAST)
    far = part["far"] if "far" in part and part["far"].value is not None else None
    units = part["units"] if "units" in part and part["units"].value is not None else None
    if far is not None and not near:
        raise _wrong(far, "none of errors far from all kin")
    return Scores(
        error,
        deviation,
        part["network"].numbers(len(error), kinds="i"),
        part["scaled"].flag() if "scaled" in part else False,
        None if far is None else _scores(far, near=False),
        None if units is None else int(units.numbers(kinds="i", least=1)),
    )
