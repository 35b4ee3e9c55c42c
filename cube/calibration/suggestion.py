"""What to measure next: the rows whose measurement leaves the candidates least uncertain, one after the other."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.calibration.facts import TILES, Facts
from roofcube.calibration.fitting.families import FEW_ROWS, one_thread, teachers
from roofcube.calibration.fitting.family import prior_from
from roofcube.calibration.fitting.law import features, log_time
from roofcube.calibration.fitting.least_squares import GROUP_DEVIATION
from roofcube.calibration.fitting.residual import KERNEL, UNSEEN, covariance, kernel_inputs, parameter_covariance
from roofcube.calibration.measured import NO_HARDWARE, NO_NETWORK, TOO_MANY
from roofcube.calibration.rows import UNCOUNTABLE, IndexedRows, empty_cells, indexed_rows
from roofcube.errors import InvalidDataError, unknown_label
from roofcube.labels import KEY_COLUMNS
from roofcube.wording import counted, with_thousands

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.calibration.fitted import Fitted
    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.fitting.least_squares import Prior

__all__ = ["suggest"]

Array = np.ndarray[Any, np.dtype[Any]]

# plausible parameter sets of a family that was never measured; the law bends, so one tangent would not do
DRAWS = 90
SEED = 20210
# below this deviation (ln) a candidate is known well enough
ENOUGH = 0.02
# median of |error| of a normal deviate
MEDIAN = 0.6745
MOST_CANDIDATES = 400
SHOWN = 3  # names of what is left out for one reason


def suggest(
    calibration: Fitted,
    n: int,
    *,
    platform: str | None,
    candidates: pl.DataFrame | None,
    inputs: xr.Dataset | None,
) -> pl.DataFrame:
    """See `Calibration.suggest`; labels are canonical, and candidates say by `reason` why they cannot be measured.

    Notes
    -----
    Greedy: each step takes the row after which the mean log deviation of all candidates is smallest. For a family
    without rows the mean is also over draws from the prior that the other families teach.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        msg = f"`n`: expected a whole number of at least 1, got {n!r}; say how many configurations you can measure"
        raise InvalidDataError(msg)
    facts = calibration.facts_with(inputs)
    table = _default(calibration, facts, platform) if candidates is None else candidates
    if candidates is not None and platform is not None:
        table = table.filter(pl.col("platform") == platform)
    rows = indexed_rows(table, facts)
    known = _known(table, rows, given=candidates is not None)
    taken = _measured_rows(calibration, table[known])
    if calibration.is_of_others(inputs):
        taken = np.zeros_like(taken)  # what was measured is of other labels
    compared, taken = _places_compared(known, taken, given=candidates is not None)
    table, rows = table[compared], rows.take(compared)
    with one_thread():
        beliefs = _beliefs(calibration, rows)
        chosen, errors = _greedy(beliefs, n, taken)
    batch = pl.col("batch").cast(pl.Int64)
    chosen_rows = table[chosen].select(KEY_COLUMNS)
    return chosen_rows.with_columns(batch, expected_error_percent=pl.Series(errors, dtype=pl.Float64))


def _known(table: pl.DataFrame, rows: IndexedRows, *, given: bool) -> Array:
    """Return the places of candidates that can be compared, each once; tell of others of those `given`."""
    reason = _reasons_against(table, rows)
    known, told = np.flatnonzero(reason == ""), _left_out(table, reason)
    if not len(known):
        why = f" ({told})" if told else ""
        msg = f"`candidates`: expected known platforms and networks, got none{why}; give their facts with inputs="
        raise InvalidDataError(msg)
    if given and told:
        out = table.height - len(known)
        msg = f"`candidates`: {out} of {counted(table.height, 'row')} {'is' if out == 1 else 'are'} left out: {told}"
        warnings.warn(msg, UserWarning, stacklevel=4)
    first = table[known].select(pl.struct(KEY_COLUMNS).is_first_distinct()).to_series()
    result: Array = known[first.to_numpy()]
    return result


def _places_compared(known: Array, taken: Array, *, given: bool) -> tuple[Array, Array]:
    """Return the places that are compared, those left to measure first, and which were measured."""
    free, seen = known[~taken], known[taken]
    if not len(free):
        msg = f"`candidates`: all {len(seen)} were measured, nothing is left; give other networks or batches"
        warnings.warn(msg, UserWarning, stacklevel=4)
    if given and len(free) > MOST_CANDIDATES:
        msg = (
            f"`candidates`: {with_thousands(len(free))} are left to measure, of which {MOST_CANDIDATES} drawn evenly "
            "are compared; give fewer to compare each"
        )
        warnings.warn(msg, UserWarning, stacklevel=4)
    some = _evenly(free, MOST_CANDIDATES)
    compared = np.sort(np.concatenate([some, _evenly(seen, MOST_CANDIDATES - len(some))]))
    return compared, np.isin(compared, seen)


def _reasons_against(table: pl.DataFrame, rows: IndexedRows) -> Array:
    """Say of candidates why they cannot be measured or compared; empty where they can."""
    reason = np.full(len(rows), "", dtype=object)
    # later rules are the stronger ones
    reason[np.isnan(rows.batch)] = UNCOUNTABLE
    reason[rows.network < 0] = NO_NETWORK
    reason[rows.hardware < 0] = NO_HARDWARE
    for told in (empty_cells(table), *([table["reason"]] if "reason" in table.columns else [])):
        here = told.is_not_null().to_numpy()
        reason[here] = told.filter(here).to_numpy()
    return reason


def _left_out(table: pl.DataFrame, reason: Array) -> str:
    """Say why candidates are left out, naming what is not known of them."""
    naming = {
        NO_HARDWARE: ("platform", "mode", "precision"),
        NO_NETWORK: ("topology", "pruning_percent"),
        UNCOUNTABLE: ("batch",),
    }
    parts = []
    for why in dict.fromkeys(reason[reason != ""].tolist()):
        texts = []
        if why in naming:
            names = table.filter(pl.Series(reason == why)).select(naming[why]).unique(maintain_order=True).rows()
            texts = [" ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in name) for name in names]
        shown = ", ".join(texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")
        parts.append(f"{shown}: {why}" if shown else why)
    return "; ".join(parts)


def _evenly(places: Array, most: int) -> Array:
    """Return at most so many of them, drawn evenly."""
    if len(places) <= most:
        return places
    some: Array = places[np.unique(np.linspace(0, len(places) - 1, most).astype(int))]
    return some


def _default(calibration: Fitted, facts: Facts, platform: str | None) -> pl.DataFrame:
    """List what was calibrated, networks and batches, for all modes and precisions of the platforms."""
    usable = calibration.data.take(np.flatnonzero(calibration.data.usable))
    platforms = set(usable.table["platform"]) if platform is None else {platform}
    machines = [one for one in facts.hardware.values() if one.platform in platforms]
    if not machines:
        known = dict.fromkeys(one.platform for one in facts.hardware.values())
        raise unknown_label("platform", platform, known, do="give a new platform's peak and bandwidth with inputs=")
    networks = usable.table.select("topology", "pruning_percent").unique(maintain_order=True)
    family = usable.rows.family()
    lines = []
    for machine in machines:
        own = np.unique(usable.rows.batch[family == machine.family])
        # a brand-new platform: every power of two up to the largest batch that is usual
        batch = own if len(own) else 2.0 ** np.arange(8)
        labels = {"platform": machine.platform, "mode": machine.mode, "precision": machine.precision}
        lines.append(
            networks.with_columns(**{key: pl.lit(value) for key, value in labels.items()}).join(
                pl.DataFrame({"batch": batch}), how="cross"
            )
        )
    return pl.concat(lines).select(KEY_COLUMNS)


def _measured_rows(calibration: Fitted, table: pl.DataFrame) -> Array:
    """Mark candidates that were measured already."""
    data = calibration.data
    seen = pl.concat([calibration.used.table, data.table[np.flatnonzero(data.reason == TOO_MANY)]])
    keys = seen.select(*KEY_COLUMNS[:-1], pl.col("batch").cast(pl.Float64)).unique().with_columns(seen=True)
    return (
        table.join(keys, on=list(KEY_COLUMNS), how="left", maintain_order="left")["seen"]
        .fill_null(value=False)
        .to_numpy()
    )


def _beliefs(calibration: Fitted, rows: IndexedRows) -> list[tuple[float, Array]]:
    """Return covariance matrices of the candidates with their weights; families are independent of each other."""
    family = rows.family()
    parts = []
    for name in dict.fromkeys(family.tolist()):
        here = np.flatnonzero(family == name)
        part = rows.take(here)
        seen = _rows_of_family(calibration, name)
        # the law bends: with few rows one tangent would be too sure of itself
        few = len(seen) < FEW_ROWS
        parts.append(
            (
                here,
                _of_new(calibration, part, seen, name) if few else _of_known(calibration.engine.families[name], part),
            )
        )
    if len(parts) == 1:
        return parts[0][1]
    # mean over what each family believes, put side by side
    total = np.zeros((len(rows), len(rows)))
    for here, beliefs in parts:
        total[np.ix_(here, here)] = sum(weight * matrix for weight, matrix in beliefs)
    return [(1.0, total)]


def _of_known(model: FamilyModel, rows: IndexedRows) -> list[tuple[float, Array]]:
    """Return covariance matrices whose diagonals are the variances of `Posterior.deviation`, without the noise."""
    group, place = model.group(rows), kernel_inputs(rows)
    beliefs = []
    for one in model.structures:
        post = one.posterior
        _, gradient = log_time(features(rows, one.tile), post.theta[group])
        unseen = group == post.groups
        own = _prior_covariance(gradient, rows.hardware, post.prior, apart=unseen | (post.groups > 1))
        own += UNSEEN**2 * _same(rows.hardware, among=unseen) + covariance(post.kernel, place, place)
        linked = parameter_covariance(gradient, group, post.gradient, post.group, post.prior, post.groups)
        linked += covariance(post.kernel, place, post.place)
        half = np.linalg.solve(post.factor, linked.T)
        beliefs.append((one.weight, own - half.T @ half))
    return beliefs


def _rows_of_family(calibration: Fitted, name: str) -> IndexedRows:
    usable = calibration.data.take(np.flatnonzero(calibration.data.usable))
    return usable.rows.take(np.flatnonzero(usable.rows.family() == name))


def _of_new(calibration: Fitted, rows: IndexedRows, seen: IndexedRows, name: str) -> list[tuple[float, Array]]:
    """Draw parameters that the other families make plausible; condition on the few rows there are."""
    others = teachers(calibration.engine.families, name)
    generator = np.random.default_rng(SEED)
    everything = _concatenated(rows, seen)
    place, count = kernel_inputs(everything), len(rows)
    residual = covariance(KERNEL, place, place)
    beliefs = []
    priors = prior_from(others)[: 2 * len(TILES)]  # what others teach, where there are any
    for number, prior in enumerate(priors):
        feature, root = features(everything, number % len(TILES)), np.linalg.cholesky(prior.covariance)
        for _ in range(DRAWS // len(priors)):
            theta = prior.mean + root @ generator.standard_normal(len(prior.mean))
            _, gradient = log_time(feature, theta)
            total = _prior_covariance(gradient, everything.hardware, prior) + residual
            known = total[count:, count:] + KERNEL.noise**2 * np.eye(len(seen))
            linked = total[:count, count:]
            beliefs.append(total[:count, :count] - linked @ np.linalg.solve(known, linked.T))
    return [(1.0 / len(beliefs), matrix) for matrix in beliefs]


def _concatenated(one: IndexedRows, other: IndexedRows) -> IndexedRows:
    return replace(
        one,
        hardware=np.concatenate([one.hardware, other.hardware]),
        network=np.concatenate([one.network, other.network]),
        batch=np.concatenate([one.batch, other.batch]),
    )


def _prior_covariance(gradient: Array, hardware: Array, prior: Prior, *, apart: Array | bool = True) -> Array:
    """Return the covariance that parameters cause; hardware that is `apart` departs from what its family shares."""
    departing: Array = (gradient * GROUP_DEVIATION**2) @ gradient.T * _same(hardware, among=apart)
    return gradient @ prior.covariance @ gradient.T + departing


def _same(hardware: Array, *, among: Array | bool) -> Array:
    same: Array = (hardware[:, None] == hardware) & among
    return same


def _greedy(beliefs: list[tuple[float, Array]], n: int, taken: Array) -> tuple[list[int], list[float]]:
    """Take one row after the other; give their places and the typical error, percent, left after each."""
    noise = KERNEL.noise**2
    matrices = [matrix.copy() for _, matrix in beliefs]
    weights = [weight for weight, _ in beliefs]
    chosen: list[int] = []
    errors: list[float] = []
    blocked = taken.copy()
    for _ in range(min(n, int((~taken).sum()))):
        score = np.zeros(len(taken))
        for weight, matrix in zip(weights, matrices, strict=True):
            variance = np.maximum(np.diag(matrix), 0.0)
            left = variance[:, None] - matrix**2 / (variance + noise)
            score += weight * 0.5 * np.log(np.maximum(left, 0.0) + ENOUGH**2).mean(0)
        score[blocked] = np.inf
        best = int(np.argmin(score))
        chosen.append(best)
        blocked[best] = True
        errors.append(100.0 * float(np.expm1(MEDIAN * np.exp(score[best]))))
        for place, matrix in enumerate(matrices):
            column = matrix[:, best]
            matrices[place] = matrix - np.outer(column, column) / (max(matrix[best, best], 0.0) + noise)
    return chosen, errors
