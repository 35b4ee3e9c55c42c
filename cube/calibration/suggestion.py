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
from roofcube.calibration.fitting.residual import KERNEL, covariance, kernel_inputs
from roofcube.calibration.measured import TOO_MANY
from roofcube.calibration.rows import IndexedRows, canonical_keys, indexed_rows
from roofcube.datasets import canonical
from roofcube.datasets.forms.table_forms import as_table
from roofcube.errors import InvalidDataError, unknown_label
from roofcube.labels import KEY_COLUMNS

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


def suggest(
    calibration: Fitted,
    n: int,
    *,
    platform: str | None,
    candidates: Any,
    inputs: xr.Dataset | None,
) -> pl.DataFrame:
    """See `Calibration.suggest`.

    Notes
    -----
    Greedy: each step takes the row after which the mean log deviation of all candidates is smallest. For a family
    without rows the mean is also over draws from the prior that the other families teach.
    """
    if n < 1:
        msg = f"`n`: expected at least 1, got {n!r}; say how many configurations you can measure"
        raise InvalidDataError(msg)
    facts = calibration.facts_with(inputs)
    if candidates is None:
        table = _default(calibration, facts, platform)
    else:
        table = canonical_keys(as_table(candidates, what="candidates"))
    if candidates is not None and platform is not None:
        table = table.filter(pl.col("platform") == canonical("platform", platform))
    rows = indexed_rows(table, facts)
    known = np.flatnonzero(rows.known & (rows.batch > 0))
    if not len(known):
        msg = "`candidates`: expected known platforms and networks, got none; give their facts with inputs="
        raise InvalidDataError(msg)
    if len(known) > MOST_CANDIDATES:
        known = known[np.unique(np.linspace(0, len(known) - 1, MOST_CANDIDATES).astype(int))]
    table, rows = table[known], rows.take(known)
    taken = _measured_rows(calibration, table)
    if taken.all():
        msg = f"`candidates`: all {len(taken)} were measured, nothing is left; give other networks or batches"
        warnings.warn(msg, UserWarning, stacklevel=3)
    with one_thread():
        beliefs = _beliefs(calibration, rows)
        chosen, errors = _greedy(beliefs, n, taken)
    batch = pl.col("batch").cast(pl.Int64)
    return table[chosen].with_columns(batch, expected_error_percent=pl.Series(errors, dtype=pl.Float64))


def _default(calibration: Fitted, facts: Facts, platform: str | None) -> pl.DataFrame:
    """List what was calibrated, networks and batches, for all modes and precisions of the platforms."""
    usable = calibration.data.take(np.flatnonzero(calibration.data.usable))
    if platform is None:
        machines = [usable.rows.machines[one] for one in np.unique(usable.rows.hardware).tolist()]
    else:
        name = canonical("platform", platform)
        machines = [one for one in facts.hardware.values() if one.platform == name]
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
    seen = data.table[np.flatnonzero(data.usable | (data.reason == TOO_MANY))]
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
    group = model.group(rows)
    place = kernel_inputs(rows)
    beliefs = []
    for one in model.structures:
        post = one.posterior
        _, gradient = log_time(features(rows, one.tile), post.theta[group])
        own = _prior_covariance(gradient, rows.hardware, post.prior) + covariance(post.kernel, place, place)
        seen = np.array([*model.groups, -1])
        linked = gradient @ post.prior.covariance @ post.gradient.T
        linked += (gradient * GROUP_DEVIATION**2) @ post.gradient.T * (rows.hardware[:, None] == seen[post.group])
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


def _prior_covariance(gradient: Array, hardware: Array, prior: Prior) -> Array:
    same = hardware[:, None] == hardware
    result: Array = gradient @ prior.covariance @ gradient.T + (gradient * GROUP_DEVIATION**2) @ gradient.T * same
    return result


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
