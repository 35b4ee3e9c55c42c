"""All families fitted together, and predictions of rows from them; arrays only, no tables and no files."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import TILES
from roofcube.calibration.fitting.borrowed import SHARES
from roofcube.calibration.fitting.dataflow import PipelineFill, fit_fill
from roofcube.calibration.fitting.evidence import LEAST_TOPOLOGIES
from roofcube.calibration.fitting.family import FamilyModel, fit_family, prior_from
from roofcube.calibration.fitting.intervals import Scores, pooled
from roofcube.calibration.fitting.kin import scores_without_kin, unseen_kin
from roofcube.calibration.fitting.law import features, log_time
from roofcube.calibration.fitting.power import PowerModel, fit_power
from roofcube.calibration.fitting.sisters import Sister, kinships, weighed
from roofcube.vocabulary import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from roofcube.calibration.fitting.borrowed import Lender
    from roofcube.calibration.measured import Measured
    from roofcube.calibration.rows import IndexedRows

__all__ = [
    "FEW_ROWS",
    "FittedFamilies",
    "family_model",
    "fit",
    "leave_networks_out",
    "log_time_of_no_rows",
    "one_thread",
    "teachers",
    "unseen_kin",
]

Array = np.ndarray[Any, np.dtype[Any]]

# a family with fewer rows than this leans on what the other families teach; more rows speak for themselves
FEW_ROWS = 24
# plausible centres of the prior tried beside its mean, the more the likelier it is: new platforms of 3 and 5 rows are
# 17 and 8 % off, not 20 and 9
DRAWS = 36
# a board is tried as a sister of what has at most half of its rows, and lends to what has no more than so many: these
# tell themselves what the law leaves, and a fit beside each other board would take seconds
LARGER, LENT_TO = 2, 200
# that one of the others is a sister is three to one beforehand, whatever their keys say
SISTER = 3.0


@dataclass(frozen=True)
class FittedFamilies:
    """Everything fitted: a model, its power and its fill per family."""

    families: dict[str, FamilyModel]
    power: dict[str, PowerModel]
    fill: PipelineFill

    def log_time(self, rows: IndexedRows, interval: Array | None = None) -> Array:
        """Return ln seconds per batch; NaN where no family fits."""
        result = np.full(len(rows), np.nan)
        for model, here in self._parts(rows):
            result[here] = model.log_time(rows.take(here))
        if interval is not None:
            flow = np.flatnonzero(self.flows(rows, interval))
            result[flow] = self.fill.log_time(interval[flow], rows.batch[flow])
        return result

    def flows(self, rows: IndexedRows, interval: Array) -> Array:
        """Return which rows are dataflow designs whose initiation interval is given."""
        flow: Array = np.isfinite(interval) & (interval > 0) & (rows.hardware >= 0)
        flow[flow] = rows.take(np.flatnonzero(flow)).machine("dataflow")
        return flow

    def binding(self, rows: IndexedRows, interval: Array) -> Array:
        """Return the flag of what binds; none where no family fits."""
        result = np.full(len(rows), BOUNDS["none"], dtype="i1")
        for model, here in self._parts(rows):
            result[here] = model.binding(rows.take(here))
        flow = np.flatnonzero(self.flows(rows, interval))
        result[flow] = self.fill.binding(rows.batch[flow])
        return result

    def deviation(self, rows: IndexedRows) -> Array:
        """Return the deviation of ln seconds."""
        result = np.full(len(rows), np.nan)
        for model, here in self._parts(rows):
            result[here] = model.deviation(rows.take(here))
        return result

    def log_power(self, rows: IndexedRows, seconds: Array) -> Array:
        """Return ln watts under load; NaN where the family has no power rows."""
        result = np.full(len(rows), np.nan)
        family = rows.family()
        for name, power in self.power.items():
            here = np.flatnonzero((family == name) & np.isfinite(seconds))
            if len(here):
                result[here] = power.predict(self.families[name], rows.take(here), seconds[here])
        return result

    def _parts(self, rows: IndexedRows) -> Iterable[tuple[FamilyModel, Array]]:
        family = rows.family()
        for name, model in self.families.items():
            here = np.flatnonzero((family == name) & rows.known & (rows.batch > 0))
            if len(here):
                yield model, here


def one_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread inside a `with`: the order of sums, and so the last bits, depend on it.

    The matrices are small, and waiting threads cost up to seven times the work. Measured on two busy cores: leaving
    every embedded network out once takes 2.4 s, with two BLAS threads 15.8 s.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def family_model(
    data: Measured, index: Array, others: Mapping[str, FamilyModel], name: str, *, sisters: bool = True
) -> FamilyModel:
    """Fit one family to the usable ones of some rows; what has few rows learns from others as far as evidence goes.

    Parameters
    ----------
    index : array of int
    others : mapping of FamilyModel
        Other families: of few rows the prior is learnt from them, and all larger ones are tried as sisters.
    sisters : bool
        False where the others number hardware in another way, so that they teach the prior alone.
    """
    index = index[data.usable[index]]
    model = _by_itself(data, index, others, name)
    return _with_sisters(model, data, index, others if sisters else {}, name)


def _by_itself(data: Measured, index: Array, others: Mapping[str, FamilyModel], name: str) -> FamilyModel:
    """Fit one family to its rows; of few, with the prior that the others teach."""
    few, rows = len(index) < FEW_ROWS, data.rows.take(index)
    priors = prior_from(_taught(data, rows, others, name))
    return fit_family(rows, data.seconds[index], priors, draws=DRAWS if few else 0)


def _taught(data: Measured, rows: IndexedRows, others: Mapping[str, FamilyModel], name: str) -> list[Array]:
    """Return the parameters of other boards that few rows lean on: of this table, and what is known of others."""
    if len(rows) >= FEW_ROWS:
        return []
    return [*teachers(others, name), *(one.modes for one in data.lenders if one.knows(rows))]


def _with_sisters(
    model: FamilyModel, data: Measured, index: Array, others: Mapping[str, FamilyModel], name: str
) -> FamilyModel:
    """Let larger boards predict what has fewer rows, as far as the rows say that they are alike."""
    if model.dataflow:
        return model
    rows, target = data.rows.take(index), data.seconds[index]
    known = [replace(one, sisters=()) for other, one in others.items() if other != name and not one.dataflow]
    known = [one for one in known if one.rows >= LARGER * len(index)]
    found: list[Sister] = []
    platform = rows.machine("platform")
    names, count = np.unique(platform, return_counts=True)
    for one, few in zip(names, count, strict=True):
        here, rest = np.flatnonzero(platform == one), np.flatnonzero(platform != one)
        # of fewer topologies pooling tells more than either part
        rich = LARGER * few <= len(rest) and len(np.unique(rows.net("topology")[rest])) >= LEAST_TOPOLOGIES
        lent = len(rest) and few <= LENT_TO and any(lender.knows(rows.take(here)) for lender in data.lenders)
        if rich or lent:
            found += _inside(model, data, index[here], np.delete(index, here))
    if not found and len(index):
        pairs = [kinships(one, (), rows, target) for one in known]
        # no board is likelier a sister than another
        pairs = [(sister, evidence + np.log(SISTER / len(known))) for sister, evidence in pairs]
        pairs += _beside([*known, *data.lenders], rows, target, _taught(data, rows, others, name))
        found += weighed(model.evidence, pairs)[1]
    return replace(model, sisters=tuple(found)) if found else model


def _beside(
    known: Sequence[FamilyModel | Lender],
    rows: IndexedRows,
    target: Array,
    taught: Sequence[Array],
    hardware: tuple[int, ...] = (),
) -> list[tuple[Sister, Array]]:
    """Fit the law to the rows of a board beside what it leaves on other boards of many networks, with ln evidence.

    Together they are as likely beforehand as the rows by themselves.
    """
    if len(rows) > LENT_TO:
        return []
    lent = [one for board, share in itertools.product(known, SHARES) if (one := board.lend(rows, share))]
    priors = prior_from(taught, hidden=False)
    models = [fit_family(rows, target, priors, draws=1, borrowed=one) for one in lent]
    return [(Sister(hardware, one, own=1.0), np.array([one.evidence - np.log(len(models))])) for one in models]


def _inside(model: FamilyModel, data: Measured, own: Array, rest: Array) -> list[Sister]:
    """Weigh for one platform of a family: pooled with the rest, predicted from the rest, or by its rows alone."""
    rows, seconds = data.rows, data.seconds
    hardware = tuple(np.unique(rows.hardware[own]).tolist())
    others = fit_family(rows.take(rest), seconds[rest], prior_from([]))
    alone = fit_family(rows.take(own), seconds[own], prior_from([]), draws=DRAWS if len(own) < FEW_ROWS else 0)
    sister, evidence = kinships(others, hardware, rows.take(own), seconds[own])
    pooled = model.evidence - others.evidence
    apart = [(Sister(hardware, alone, own=1.0), np.array([alone.evidence]))]
    apart += _beside([others, *data.lenders], rows.take(own), seconds[own], [], hardware)
    return list(weighed(pooled, [(sister, evidence), *((one, weak - np.log(SISTER)) for one, weak in apart)])[1])


def teachers(models: Mapping[str, FamilyModel], name: str = "") -> list[Array]:
    """Return the parameters of the families that a new one learns from: the law does not describe dataflow designs."""
    return [model.modes for other, model in models.items() if other != name and not model.dataflow]


def log_time_of_no_rows(others: Mapping[str, FamilyModel], rows: IndexedRows) -> Array:
    """Return ln seconds of a family of which no row is known, from what other families are like; NaN without any."""
    known = teachers(others)
    if not known:
        return np.full(len(rows), np.nan)
    # no row tells which way to count the work, so each counts the same
    means = [prior.mean for prior in prior_from(known)][: len(TILES)]
    values = [log_time(features(rows, tile), mean)[0] for tile, mean in enumerate(means)]
    least: Array = np.log(rows.batch * rows.net("ops") / rows.machine("peak"))
    return np.maximum(np.mean(values, axis=0), least)


def fit(data: Measured, *, power: bool = True) -> FittedFamilies:
    """Fit every family that has usable rows."""
    families = {name: index[data.usable[index]] for name, index in data.by_family()}
    families = {name: index for name, index in families.items() if len(index)}
    rich = {name: _by_itself(data, index, {}, name) for name, index in families.items() if len(index) >= FEW_ROWS}
    models = {
        name: rich[name] if name in rich else _by_itself(data, index, rich, name) for name, index in families.items()
    }
    models = {name: _with_sisters(models[name], data, index, rich, name) for name, index in families.items()}
    watts = {}
    for name, index in families.items() if power else ():
        rows = data.rows.take(index)
        found = fit_power(models[name], rows, models[name].log_time(rows), data.power[index])
        if found is not None:
            watts[name] = found
    return FittedFamilies(models, watts, fit_fill(data))


def leave_networks_out(
    data: Measured, index: Array, others: Mapping[str, FamilyModel], name: str, model: FamilyModel | None = None
) -> Scores:
    """Predict each network of a family from its other networks; what was left out or taken for mistakes says nothing.

    Parameters
    ----------
    index : array of int
        Rows of the family.
    others : mapping of FamilyModel
        Other families, for the prior of a family of few rows.
    model : FamilyModel, optional
        The family fitted to the usable ones of these rows, where it is at hand.
    """
    index = index[data.usable[index]]
    if not len(index):
        return pooled([])
    model = model or family_model(data, index, others, name)
    right = ~model.wrong
    if len(np.unique(data.rows.net("topology")[index])) >= LEAST_TOPOLOGIES:
        return _left_out_at_once(data, index, model, right)
    network = data.rows.network[index]
    errors, deviations = np.full(len(index), np.nan), np.full(len(index), np.nan)
    for one in np.unique(network[right]):
        out, kept = np.flatnonzero(right & (network == one)), index[network != one]
        if not len(kept):
            continue
        rest, rows = family_model(data, kept, others, name), data.rows.take(index[out])
        errors[out] = np.abs(rest.log_time(rows) - data.seconds[index[out]])
        deviations[out] = rest.deviation(rows)
    return Scores(errors, deviations, network).take(np.isfinite(errors))


def _left_out_at_once(data: Measured, index: Array, model: FamilyModel, right: Array) -> Scores:
    """Predict each network from the others in closed form, from one fit to all; then each kin from the others.

    Of many networks one moves neither the parameters' linearisation nor the learned scales: the errors are those of as
    many fits within a few per cent of themselves. A kin moves the scales, so they are learned anew without it.
    """
    rows, seconds = data.rows.take(index), data.seconds[index]
    mean, deviation = model.without_each(rows, seconds, rows.network)
    near = Scores(np.abs(mean - seconds), deviation, rows.network, scaled=True)
    return replace(near, far=scores_without_kin(model, rows, seconds)).take(right)
