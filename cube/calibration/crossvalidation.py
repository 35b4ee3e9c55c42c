"""Honest error: rows predicted by models that never saw them, by scheme and family; cached by content."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.calibration.choice import choices
from roofcube.calibration.fitting.dataflow import interval_seen
from roofcube.calibration.fitting.families import (
    FEW_ROWS,
    family_model,
    fit,
    leave_networks_out,
    log_time_of_no_rows,
    one_thread,
    unseen_kin,
)
from roofcube.calibration.fitting.intervals import Intervals, Scores
from roofcube.calibration.fitting.power import fit_power
from roofcube.calibration.fitting.residual import KERNEL
from roofcube.calibration.folds import SCHEMES, STRICT, fold_rows, folds
from roofcube.calibration.kept.code_key import code_key
from roofcube.disk import cache_folder, digest, make_private, replacing
from roofcube.options import progress_bar
from roofcube.vocabulary import ELEMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.measured import Measured
    from roofcube.calibration.rows import IndexedRows

__all__ = [
    "FAMILY",
    "SCHEMES",
    "Predicted",
    "coverage_table",
    "error_table",
    "expectations",
    "held_out",
    "held_out_intervals",
    "published",
]

Array = np.ndarray[Any, np.dtype[Any]]

ALL, SPREAD, MACRO = "all", "all but dataflow", "mean of families but dataflow"
GIVEN = "network, initiation interval given"
PUBLISHED = "published roofline (nothing fitted)"
FAMILY = "device family never seen"
TOLERANT = "network, limit plus the noise of a measurement"
CAUTIOUS = "network, throughput times the chance to hold the limit"
NEAR = 1.25
COVERAGE = {
    "level_percent": pl.Float64, "family": pl.String, "rows": pl.Int64, "rows_covered_percent": pl.Float64,
    "standard_error_percent": pl.Float64, "configurations": pl.Int64,
    "configurations_half_covered_percent": pl.Float64, "half_width": pl.Float64,
}  # fmt: skip
# what is new to a calibration → the scheme that measured what to expect of it
NEW = {
    "network, other widths of it measured": STRICT,
    "topology, no width of it measured": "topology",
    "architecture, no kin of it measured": "architecture",
    "precision of known boards": "precision",
    "board or mode of a known family": "platform",
    "board of a family never seen": FAMILY,
}


@dataclass(frozen=True)
class Predicted:
    """Out-of-fold ln seconds, ln watts and deviation of ln seconds; NaN where a row could not be predicted."""

    seconds: Array
    power: Array
    deviation: Array


def held_out(data: Measured, scheme: str, *, power: bool = False, deviation: bool = False) -> Predicted:
    """Predict every scored row from the rows that its scheme leaves.

    Parameters
    ----------
    data : Measured
    scheme : str
        One of `SCHEMES`, or `FAMILY`. A family with but one value of what is held out is not predicted.
    power : bool
        Predict watts too.
    deviation : bool
        Tell how sure the models are, too.

    Notes
    -----
    A fold sees the usable rows of its family that are not held out; other families only where it has few rows, as a
    prior. Of a family never seen the others are all that is known.
    """
    with one_thread():
        return _HeldOut(data).predicted(scheme, power=power, deviation=deviation)


class _HeldOut:
    """Schemes of the same rows: folds that they share are predicted once."""

    def __init__(self, data: Measured, step: Callable[[], object] = bool) -> None:
        self.data, self.step, self.others = data, step, _family_models(data)
        self.seconds: dict[tuple[bytes, bytes], Array] = {}

    def predicted(self, scheme: str, *, power: bool = False, deviation: bool = False) -> Predicted:
        seconds, watts, doubt = (np.full(len(self.data), np.nan) for _ in range(3))
        if scheme == FAMILY:
            return Predicted(self._families_never_seen(), watts, doubt)
        for name, out, kept in folds(self.data, scheme):
            key = out.tobytes(), kept.tobytes()
            if power or deviation or key not in self.seconds:
                self.seconds[key], doubt[out], watts[out] = self._fold(
                    name, out, kept, power=power, deviation=deviation
                )
            seconds[out] = self.seconds[key]
            self.step()
        return Predicted(seconds, watts, doubt)

    def _fold(self, name: str, out: Array, kept: Array, *, power: bool, deviation: bool) -> tuple[Array, Array, Array]:
        fold, rows = fold_rows(self.data, kept, out)
        alike = fold.rows.machines == self.data.rows.machines
        model = family_model(fold, np.arange(len(fold)), _without(self.others, name), name, sisters=alike)
        seconds, watts = model.log_time(rows), np.full(len(out), np.nan)
        if power:
            seen = fold.rows.take(np.flatnonzero(fold.usable))
            found = fit_power(model, seen, model.log_time(seen), fold.power[fold.usable])
            watts = watts if found is None else found.predict(model, rows, seconds)
        return seconds, model.deviation(rows) if deviation else np.full(len(out), np.nan), watts

    def _families_never_seen(self) -> Array:
        """Predict each family from what the others are like; NaN where there are no others, or no data sheet."""
        seconds = np.full(len(self.data), np.nan)
        stated = np.array([*(one.stated for one in self.data.rows.machines), False])
        for name, index in self.data.by_family():
            out = index[self.data.scored[index] & stated[self.data.rows.hardware[index]]]
            if len(out):
                seconds[out] = log_time_of_no_rows(_without(self.others, name), self.data.rows.take(out))
        return seconds


def _without(models: Mapping[str, FamilyModel], name: str) -> dict[str, FamilyModel]:
    return {key: one for key, one in models.items() if key != name}


def _family_models(data: Measured) -> dict[str, FamilyModel]:
    """Fit each family to all its rows: what other families learn their prior from, so none where there is but one."""
    families = [name for name, index in data.by_family() if data.usable[index].any()]
    return fit(data, power=False).families if len(families) > 1 else {}


# baselines ------------------------------------------------------------------------------------------------------------


def published(rows: IndexedRows) -> Array:
    """Return ln seconds per batch of the published roofline: weights read for every input, activations free."""
    # bytes follow the precision of the network, whatever the platform executes
    size = np.array([ELEMENT_BYTES.get(one.precision, one.element_bytes) for one in rows.machines])[rows.hardware]
    seconds = np.maximum(rows.net("ops") / rows.machine("peak"), rows.net("weights") * size / rows.machine("bandwidth"))
    result: Array = np.log(rows.batch * seconds)
    return result


def interval_given(data: Measured) -> tuple[Array, Array]:
    """Predict dataflow rows as if their interval were known, the fill being that of the other configurations.

    Returns
    -------
    array, array
        Places of the rows, without those that an interval was taken from, and ln seconds.
    """
    flows = np.flatnonzero(data.scored)
    flows = flows[data.rows.take(flows).machine("dataflow")]
    configuration = data.rows.configuration()
    fills: dict[int, float] = {}
    intervals: dict[int, float] = {}
    for one in np.unique(configuration[flows]).tolist():
        here = flows[configuration[flows] == one]
        batch, seconds = data.rows.batch[here], data.seconds[here]
        intervals[one] = interval_seen(batch, seconds)
        rest = batch < batch.max()
        fills[one] = float(np.median(np.maximum(np.exp(seconds[rest]) / intervals[one] - batch[rest], 0.0)))
    places, values = [], []
    for one, interval in intervals.items():
        rest = flows[
            (configuration[flows] == one)
            & (data.rows.batch[flows] < data.rows.batch[flows[configuration[flows] == one]].max())
        ]
        fill = (
            float(np.median([value for other, value in fills.items() if other != one]))
            if len(fills) > 1
            else fills[one]
        )
        places.append(rest)
        values.append(np.log(interval) + np.log(data.rows.batch[rest] + fill))
    if not places:
        return np.zeros(0, dtype=np.intp), np.zeros(0)
    return np.concatenate(places), np.concatenate(values)


# tables ---------------------------------------------------------------------------------------------------------------


def error_table(data: Measured) -> pl.DataFrame:
    """Tabulate held-out errors.

    Parameters
    ----------
    data : Measured
        As `Calibration.data`.

    Returns
    -------
    DataFrame
        `quantity` (throughput, power, energy, choice), `scheme` (what is held out together), `family`, `rows`,
        `configurations`, `median_ape_percent`, `p90_ape_percent`, `within_25_percent`, `rank_correlation`; for choices
        `scenarios`, `regret_percent`, `latency_missed_percent`, `all_in_percent`. Choices are made by predicted
        throughput among what is predicted to hold the limit; once more with limits a little softer, and once more by
        throughput times the chance to hold the limit.
    """
    lines: list[dict[str, Any]] = []
    baseline = np.full(len(data), np.nan)
    there = np.flatnonzero(data.scored)
    baseline[there] = published(data.rows.take(there))
    lines += _error_lines(data, "throughput", PUBLISHED, baseline, data.seconds)
    strict = Predicted(baseline, baseline, baseline)
    for scheme, found in _every_scheme(data):
        lines += _error_lines(data, "throughput", scheme, found.seconds, data.seconds)
        if scheme == STRICT:
            strict = found
            lines += _error_lines(data, "power", scheme, found.power, data.power)
            # joules per input: watts × seconds; the batch cancels
            lines += _error_lines(data, "energy", scheme, found.power + found.seconds, data.power + data.seconds)
    place, values = interval_given(data)
    given = np.where(_flow(data), np.nan, strict.seconds)
    given[place] = values
    if len(place):
        lines += _error_lines(data, "throughput", GIVEN, given, data.seconds)
    lines += _choice_lines(data, PUBLISHED, baseline)
    lines += _choice_lines(data, STRICT, strict.seconds)
    # limits are measured latencies: a prediction off by less than a repeated measurement is no reason to pass one over
    lines += _choice_lines(data, TOLERANT, strict.seconds - KERNEL.noise)
    lines += _choice_lines(data, CAUTIOUS, strict.seconds, strict.deviation)
    return pl.DataFrame(lines, infer_schema_length=None)


def _every_scheme(data: Measured) -> Iterator[tuple[str, Predicted]]:
    # the strict one first: it alone predicts power too, and its folds may be those of others
    order = dict.fromkeys([STRICT, *SCHEMES])
    total = sum(len(list(folds(data, scheme))) for scheme in order)
    with progress_bar(total, "errors of rows left out") as bar, one_thread():
        held = _HeldOut(data, bar.update)
        for scheme in order:
            yield scheme, held.predicted(scheme, power=scheme == STRICT, deviation=scheme == STRICT)
        yield FAMILY, held.predicted(FAMILY)


def expectations(errors: pl.DataFrame) -> pl.DataFrame:
    """Tell what error to expect of what was not measured, by what is new about it.

    Parameters
    ----------
    errors : DataFrame
        Of `error_table`.

    Returns
    -------
    DataFrame
        `new`, `scheme`, `rows`, `median_ape_percent` and `p90_ape_percent` of throughput over all families; a line for
        what can be told from these rows.
    """
    lines = []
    for new, scheme in NEW.items():
        found = errors.filter(quantity="throughput", scheme=scheme, family=ALL)
        if found.height:
            line = found.select("scheme", "rows", "median_ape_percent", "p90_ape_percent").row(0, named=True)
            lines.append({"new": new, **line})
    schema = {"new": pl.String, "scheme": pl.String, "rows": pl.Int64}
    return pl.DataFrame(lines, schema=schema | dict.fromkeys(("median_ape_percent", "p90_ape_percent"), pl.Float64))


def _flow(data: Measured) -> Array:
    flow = np.array([*(one.dataflow for one in data.rows.machines), False])
    marked: Array = flow[data.rows.hardware]
    return marked


def _error_lines(
    data: Measured, quantity: str, scheme: str, predicted: Array, measured_: Array
) -> list[dict[str, Any]]:
    """Make a line for each family, all rows, all but dataflow, and the mean of the families."""
    there = data.scored & np.isfinite(predicted) & np.isfinite(measured_)
    family, flow = data.rows.family(), _flow(data)
    # throughput falls as time grows; the rank correlation is the same
    chosen = {name: there & (family == name) for name, _ in data.by_family()}
    chosen = {name: mask for name, mask in chosen.items() if mask.any()}
    if not chosen:
        return []
    lines = {name: _line(data, mask, predicted, measured_, quantity) for name, mask in chosen.items()}
    plain = [line for name, line in lines.items() if not flow[chosen[name]].any()]
    macro = {}
    if plain:
        macro[MACRO] = {key: _mean_of_families(key, [line[key] for line in plain]) for key in plain[0]}
        macro[SPREAD] = _line(data, there & ~flow, predicted, measured_, quantity)
    lines = {ALL: _line(data, there, predicted, measured_, quantity), **macro, **lines}
    return [{"quantity": quantity, "scheme": scheme, "family": name, **line} for name, line in lines.items()]


def _mean_of_families(key: str, values: list[Any]) -> Any:
    if key in ("rows", "configurations"):
        return sum(values)
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _line(data: Measured, mask: Array, predicted: Array, measured_: Array, quantity: str) -> dict[str, Any]:
    off = predicted[mask] - measured_[mask]
    # of throughput = batch / seconds, of watts and joules as they are
    error = np.abs(np.expm1(-off if quantity == "throughput" else off))
    scale = np.log(data.rows.batch[mask])
    ranks = (
        (scale - predicted[mask], scale - measured_[mask])
        if quantity == "throughput"
        else (predicted[mask], measured_[mask])
    )
    return {
        "rows": int(mask.sum()),
        "configurations": len(np.unique(data.rows.configuration()[mask])),
        "median_ape_percent": 100.0 * float(np.median(error)),
        "p90_ape_percent": 100.0 * float(np.quantile(error, 0.9)),
        "within_25_percent": 100.0 * float((np.abs(off) < np.log(NEAR)).mean()),
        "rank_correlation": _spearman(*ranks),
    }


def _spearman(one: Array, other: Array) -> float | None:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    # of polars, for scipy.stats takes 0.4 s to load
    ranks, other_ranks = (pl.Series(values).rank("average").to_numpy() for values in (one, other))
    return float(np.corrcoef(ranks, other_ranks)[0, 1])


def _choice_lines(
    data: Measured, scheme: str, seconds: Array, deviation: Array | None = None
) -> Iterator[dict[str, Any]]:
    for pool in ("within platforms", "across platforms"):
        found = choices(data, seconds, within=pool == "within platforms", deviation=deviation)
        if found is not None:
            yield {"quantity": "choice", "scheme": scheme, "family": pool, **found}


def coverage_table(data: Measured, levels: tuple[float, ...] = (0.8, 0.9)) -> pl.DataFrame:
    """Tabulate how often intervals hold rows of networks that neither model nor intervals saw.

    Returns
    -------
    DataFrame
        `level_percent`, `family`, `rows`, `rows_covered_percent`, `standard_error_percent` (of that, with networks as
        the units: what another choice of as many networks would change), `configurations`,
        `configurations_half_covered_percent` (those with at least half their rows inside), `half_width` (median
        factor: ×/÷). No line where no network can be left out, as of one network.
    """
    error, half = held_out_intervals(data, levels)
    lines = [line for level in levels for line in _coverage_lines(data, error, half[level], level)]
    return pl.DataFrame(lines, schema=COVERAGE)


def held_out_intervals(data: Measured, levels: tuple[float, ...]) -> tuple[Array, dict[float, Array]]:
    """Return |ln error| and half-widths of rows whose network neither model nor interval saw: a fold within a fold."""
    error, half = np.full(len(data), np.nan), {level: np.full(len(data), np.nan) for level in levels}
    parts = list(folds(data, STRICT))
    with one_thread(), progress_bar(len(parts), "coverage of rows left out") as bar:
        others = _family_models(data)
        elsewhere = _scores_elsewhere(data, others)
        for name, out, kept in parts:
            rest = _without(others, name)
            fold, rows = fold_rows(data, kept, out)
            if rows.machines == data.rows.machines:
                fold, index = data, kept
                model = family_model(data, kept, rest, name)
            else:
                index = np.arange(len(fold))
                model = family_model(fold, index, rest, name, sisters=False)
            intervals = Intervals(leave_networks_out(fold, index, rest, name, model), elsewhere.get(name, ()))
            error[out] = np.abs(model.log_time(rows) - data.seconds[out])
            deviation = model.deviation(rows)
            strange = unseen_kin(data.rows.take(kept), rows)
            for level in levels:
                half[level][out] = intervals.half_width(deviation, level, strange)
            bar.update()
    return error, half


def _scores_elsewhere(data: Measured, models: Mapping[str, FamilyModel]) -> dict[str, tuple[Scores, ...]]:
    """Return for each family the scores of the others, which it teaches nothing."""
    found: dict[str, list[Scores]] = {name: [] for name in models}
    for name, index in data.by_family():
        if name not in models:
            continue
        # with rows enough for each of its folds a family learns from no other, so its scores are the same for all
        network = data.rows.network[index[data.usable[index]]]
        rich = len(network) - np.unique(network, return_counts=True)[1].max(initial=0) >= FEW_ROWS
        common = leave_networks_out(data, index, {}, name) if rich else None
        for left in models:
            rest = {key: one for key, one in models.items() if key not in (name, left)}
            if left != name:
                found[left].append(common or leave_networks_out(data, index, rest, name))
    return {name: tuple(scores) for name, scores in found.items()}


def _coverage_lines(data: Measured, error: Array, half: Array, level: float) -> Iterator[dict[str, Any]]:
    there, family = np.isfinite(error), data.rows.family()
    for name in [ALL, *dict.fromkeys(family[there].tolist())] if there.any() else []:
        mask = there if name == ALL else there & (family == name)
        inside = error[mask] <= half[mask]
        _, place = np.unique(data.rows.configuration()[mask], return_inverse=True)
        share = np.bincount(place, inside) / np.bincount(place)
        yield {
            "level_percent": 100.0 * level,
            "family": name,
            "rows": int(mask.sum()),
            "rows_covered_percent": 100.0 * float(inside.mean()),
            "standard_error_percent": _standard_error(inside, family[mask], data.rows.network[mask]),
            "configurations": len(share),
            "configurations_half_covered_percent": 100.0 * float((share >= 0.5).mean()),
            "half_width": float(np.exp(np.median(half[mask]))),
        }


def _standard_error(inside: Array, family: Array, network: Array) -> float | None:
    """Return the standard error [%] of a share of rows that come in networks, which agree within themselves."""
    _, number = np.unique(family.astype(str), return_inverse=True)
    _, place = np.unique(np.stack([number, network]), axis=1, return_inverse=True)
    excess = np.bincount(place.ravel(), inside - inside.mean())
    count = len(excess)
    if count < 2:
        return None
    return 100.0 * float(np.sqrt(np.square(excess).sum() * count / (count - 1))) / len(inside)


# cache ----------------------------------------------------------------------------------------------------------------


def cached_error_table(data: Measured) -> pl.DataFrame:
    """Return `error_table`, from the user's cache folder if the same rows, facts and code were seen before."""
    return _cached("errors", data, error_table)


def cached_coverage_table(data: Measured) -> pl.DataFrame:
    """Return `coverage_table`, cached like the errors."""
    return _cached("coverage", data, coverage_table, schema=COVERAGE)


def _cached(
    what: str, data: Measured, compute: Callable[[Measured], pl.DataFrame], *, schema: dict[str, Any] | None = None
) -> pl.DataFrame:
    path = cache_folder("calibration") / f"{what}-{_cache_key(data)}.json"
    try:
        return pl.DataFrame(json.loads(path.read_text(encoding="utf-8")), schema=schema, infer_schema_length=None)
    except (OSError, ValueError):
        pass
    table = compute(data)
    try:
        make_private(path.parent)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(table.to_dicts()), encoding="utf-8")
    except OSError:
        # a read-only or missing home: computed anew next time
        pass
    return table


def _cache_key(data: Measured) -> str:
    """Hash rows, facts, who lends and this package's code."""
    facts = [asdict(machine) for machine in data.facts.hardware.values()]
    facts += [asdict(network) for network in data.facts.networks.values()]
    lenders = [one.name for one in data.lenders]
    return digest([code_key(), data.table.write_csv(), json.dumps(facts), *lenders])[:24]
