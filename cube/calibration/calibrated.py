"""calibrate and the Calibration it gives: predictions with intervals, parameters, honest errors, what to measure next."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.calibration import engine as engines
from roofcube.calibration.facts import Facts, Rows, facts_of, labelled, rows_of
from roofcube.calibration.intervals import MINIMUM_NETWORKS, Scores, pooled
from roofcube.calibration.measured import INTERVAL, NO_HARDWARE, NO_NETWORK, Measured, measured
from roofcube.calibration.parameters import parameter_table
from roofcube.calibration.threads import one_thread
from roofcube.errors import InvalidDataError
from roofcube.variables import attributes

if TYPE_CHECKING:
    from os import PathLike

    from roofcube.calibration.engine import Engine

__all__ = ["Calibration", "calibrate", "with_facts"]

Array = np.ndarray[Any, np.dtype[Any]]

RESULTS = ("predicted_throughput", "low", "high", "predicted_latency", "power", "predicted_energy", "status", "reason")
# beyond the measured sizes and batches by more than this factor a prediction extrapolates
MARGIN = 2.0
UNMEASURED = "no row of this family was calibrated: measure what suggest() names"


def calibrate(measurements: pl.DataFrame, *, inputs: xr.Dataset | None = None) -> Calibration:
    """Learn from measurements what each platform really does, from those rows alone.

    Parameters
    ----------
    measurements : DataFrame
        Columns of `roofcube.datasets.load_measurements`: platform, mode, precision, topology, pruning_percent, batch and
        `throughput_compute_per_s`; `power_full_w` for power; `initiation_interval_s` for dataflow designs, where known.
    inputs : Dataset, optional
        Facts of platforms and networks that are not embedded, as `roofcube.inputs` gives them. A platform without facts
        is taken as fast as it was seen to be, with headroom, and its status says so.

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidDataError
        If no row can be used.

    Examples
    --------
    >>> import polars as pl
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    >>> calibration = rc.calibrate(rows)
    >>> wanted = pl.DataFrame({"platform": "NCS2", "precision": "FP16", "topology": "MLP", "pruning_percent": 50.0, "batch": [3]})
    >>> calibration.predict(wanted).select("platform", "batch", "status").row(0)
    ('NCS2', 3, 'interpolates')

    Notes
    -----
    The time of a batch is a sum of overheads, compute and traffic with eight non-negative parameters per platform, mode and
    precision, fitted in log space and pooled over a family; a Gaussian process takes what is left. Intervals are conformal:
    they come from errors on networks left out (Vovk et al., Algorithmic Learning in a Random World, 2005).
    """
    data = measured(measurements, facts_of(inputs))
    if not data.usable.any():
        reasons = ", ".join(sorted(set(data.reason.tolist()))) or "the table is empty"
        msg = f"`measurements`: expected rows to calibrate on, got none that can be used ({reasons}); see the reasons and fix the rows"
        raise InvalidDataError(msg)
    with one_thread():
        return Calibration(data.facts, data, engines.fit(data))


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was learnt; made by `roofcube.calibrate`, also an `assumptions=` for `predict` and `Sweep`.

    Attributes
    ----------
    facts : Facts
        Hardware and networks that it knows.
    data : Measured
        The rows it was made from.
    engine : Engine
        What was fitted.
    """

    facts: Facts
    data: Measured
    engine: Engine
    name: str = "calibrated"
    stored_scores: dict[str, Scores] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """The label along the dim `assumptions`."""
        return self.name

    # predictions --------------------------------------------------------------------------------------------------

    def predict(self, table: pl.DataFrame | xr.Dataset, *, level: float | None = 0.9) -> Any:
        """Predict throughput with an interval, latency, power and energy.

        Parameters
        ----------
        table : DataFrame or Dataset
            Rows with platform, mode, precision, topology, pruning_percent and batch, measured or not; or labelled inputs.
        level : float, optional
            Share of measurements that the interval is to hold; None leaves the interval out, which is faster.

        Returns
        -------
        DataFrame or Dataset
            The same rows in the same order plus `predicted_throughput` [1/s], `low`, `high` [1/s], `predicted_latency`
            [s], `power` [W], `predicted_energy` [J per input], `status` (``interpolates``, ``extrapolates``, ``refused``)
            and `reason`; refused rows are null. For inputs: the same over their dims, see `tables`.

        Raises
        ------
        InvalidDataError
            If the level is not between 0 and 1.
        UnknownLabelError
            If a key column is missing.
        """
        if level is not None and not 0.0 < level < 1.0:
            msg = f"`level`: expected a share between 0 and 1, got {level!r}; use 0.9 for 90 %"
            raise InvalidDataError(msg)
        if isinstance(table, xr.Dataset):
            return table.assign(self.tables(table, level=level).data_vars)
        rows = rows_of(labelled(table), self.facts)
        interval = np.full(len(rows), np.nan)
        if INTERVAL in table.columns:
            interval = table[INTERVAL].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        columns = self._predicted(rows, interval, level)
        status, reason = self._status(rows, interval)
        values = [pl.Series(name, values).fill_nan(None) for name, values in columns.items()]
        return table.with_columns(
            *values, pl.Series("status", status, dtype=pl.String), pl.Series("reason", reason, dtype=pl.String)
        )

    def _predicted(self, rows: Rows, interval: Array, level: float | None) -> dict[str, Array]:
        """Predict each distinct row once."""
        key = np.stack([rows.hardware, rows.network, rows.batch, np.nan_to_num(interval, nan=-1.0)], axis=1)
        if len(rows) > 10_000:
            _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
        else:
            first = inverse = np.arange(len(rows))
        some, period = rows.take(first), interval[first]
        seconds = self.engine.log_time(some, period)
        half = np.full(len(first), np.nan) if level is None else self._half_width(some, period, level)
        watts = np.exp(self.engine.log_power(some, seconds))
        rate = some.batch * np.exp(-seconds)
        columns = {
            "predicted_throughput": rate,
            "low": rate * np.exp(-half),
            "high": rate * np.exp(half),
            "predicted_latency": np.exp(seconds),
            "power": watts,
            "predicted_energy": watts / rate,
        }
        return {name: values[inverse.ravel()] for name, values in columns.items()}

    def _half_width(self, rows: Rows, interval: Array, level: float) -> Array:
        half = np.full(len(rows), np.nan)
        family = rows.family()
        for name, scores in self.scores.items():
            here = np.flatnonzero((family == name) & rows.known & (rows.batch > 0))
            if len(here):
                part = rows.take(here)
                half[here] = scores.half_width(self.engine.families[name].deviation(part), level)
        half[self.engine.flows(rows, interval)] = self.engine.fill.half_width(level)
        return half

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Errors on left-out networks per family, which the intervals come from; computed once, when first needed."""
        if self.stored_scores is not None:
            return self.stored_scores
        own = {}
        with one_thread():
            for name, index in self.data.by_family():
                if name in self.engine.families:
                    others = {other: model for other, model in self.engine.families.items() if other != name}
                    own[name] = engines.leave_networks_out(self.data, index[self.data.scored[index]], others, name)
        everything = pooled(own.values())
        return {name: one if one.networks >= MINIMUM_NETWORKS else everything for name, one in own.items()}

    # what can be trusted ------------------------------------------------------------------------------------------

    def _status(self, rows: Rows, interval: Array) -> tuple[list[str], list[str | None]]:
        code = np.stack([rows.hardware, rows.network, rows.batch, self.engine.flows(rows, interval)], axis=1)
        distinct, inverse = np.unique(np.nan_to_num(code, nan=-1.0), axis=0, return_inverse=True)
        found = [self._status_of(int(machine), int(net), batch, bool(flow)) for machine, net, batch, flow in distinct]
        return [found[place][0] for place in inverse.ravel()], [found[place][1] for place in inverse.ravel()]

    def _status_of(self, machine: int, net: int, batch: float, flow: bool) -> tuple[str, str | None]:
        if machine < 0:
            return "refused", NO_HARDWARE
        if net < 0:
            return "refused", NO_NETWORK
        if not batch > 0:
            return "refused", "batch must be a positive number"
        hardware, network = list(self.facts.hardware.values())[machine], list(self.facts.networks.values())[net]
        if hardware.family not in self.engine.families:
            return "refused", UNMEASURED
        if flow:
            return "interpolates", None
        doubts = self._doubts(machine, network, batch, hardware.family)
        if not hardware.stated:
            doubts.append("peak and bandwidth were guessed from the measurements")
        return ("extrapolates" if doubts else "interpolates"), ("; ".join(doubts) or None)

    def _doubts(self, machine: int, network: Any, batch: float, family: str) -> list[str]:
        reach = self._reach[family]
        doubts = []
        if machine not in self.engine.families[family].groups:
            doubts.append("this platform, mode or precision was not measured, only others of its family")
        if network.dense_ops > 0.5 * network.ops and not reach["dense"]:
            doubts.append("mostly fully connected, and no such network was measured")
        if network.dense_ops < 0.5 * network.ops and not reach["convolution"]:
            doubts.append("mostly convolutions, and no such network was measured")
        for what, value in (("operations", network.ops), ("weights", network.weights), ("batch", batch)):
            low, high = reach[what]
            if not low / MARGIN <= value <= high * MARGIN:
                doubts.append(f"{what} outside the measured range")
        if network.topology not in reach["topologies"]:
            doubts.append("no width of this network was measured")
        return doubts

    @cached_property
    def _reach(self) -> dict[str, dict[str, Any]]:
        reach = {}
        for name, index in self.data.by_family():
            rows = self.data.rows.take(index[self.data.usable[index]])
            if not len(rows):
                continue
            dense = rows.net("dense_ops") / rows.net("ops")
            reach[name] = {
                "dense": bool((dense > 0.5).any()),
                "convolution": bool((dense < 0.5).any()),
                "operations": (rows.net("ops").min(), rows.net("ops").max()),
                "weights": (rows.net("weights").min(), rows.net("weights").max()),
                "batch": (rows.batch.min(), rows.batch.max()),
                "topologies": set(rows.net("topology").tolist()),
            }
        return reach

    @cached_property
    def trust(self) -> pl.DataFrame:
        """What can and cannot be trusted, a row per platform, mode and precision."""
        lines = []
        usable = self.data.take(np.flatnonzero(self.data.usable))
        for machine in np.unique(usable.rows.hardware).tolist():
            rows = usable.rows.take(np.flatnonzero(usable.rows.hardware == machine))
            hardware, reach = rows.machines[machine], self._reach[rows.machines[machine].family]
            networks = len(np.unique(rows.network))
            doubts = [] if hardware.stated else ["peak and bandwidth were guessed: efficiencies are relative to them"]
            if len(rows) < 7:
                doubts.append("fewer than 7 rows: absolute figures may be off by tens of percent")
            if networks < MINIMUM_NETWORKS:
                doubts.append("intervals come from other families or from the model alone")
            if not reach["dense"]:
                doubts.append("no fully connected network measured: do not trust such networks")
            if not reach["convolution"]:
                doubts.append("no convolutional network measured: do not trust such networks")
            if hardware.dataflow:
                doubts.append(
                    "folding is unknown unless initiation_interval_s is given: expect errors of tens of percent"
                )
            lines.append({
                "platform": hardware.platform, "mode": hardware.mode, "precision": hardware.precision, "family": hardware.family,
                "rows": len(rows), "networks": networks, "batch_low": int(rows.batch.min()), "batch_high": int(rows.batch.max()),
                "trust": "; ".join(doubts) or "networks and batches within twice the measured range",
            })  # fmt: skip
        return pl.DataFrame(lines)

    @property
    def unused(self) -> pl.DataFrame:
        """The rows that were not fitted to, as given, plus `reason`."""
        left = np.flatnonzero(~self.data.usable)
        return self.data.table[left].with_columns(reason=pl.Series(self.data.reason[left].tolist(), dtype=pl.String))

    @property
    def parameters(self) -> pl.DataFrame:
        """The parameters, a row per platform, mode, precision and parameter, with unit and meaning."""
        return parameter_table(self.engine, self.facts)

    # honest error -------------------------------------------------------------------------------------------------

    @cached_property
    def errors(self) -> pl.DataFrame:
        """Cross-validated errors by scheme and family; see `roofcube.calibration.crossvalidation.error_table`."""
        from roofcube.calibration.crossvalidation import cached_error_table

        return cached_error_table(self.data)

    @cached_property
    def coverage(self) -> pl.DataFrame:
        """Empirical coverage of the intervals on networks left out, nested; over rows and over configurations."""
        from roofcube.calibration.crossvalidation import cached_coverage_table

        return cached_coverage_table(self.data)

    def suggest(
        self,
        n: int = 5,
        *,
        platform: str | None = None,
        candidates: pl.DataFrame | None = None,
        inputs: xr.Dataset | None = None,
    ) -> pl.DataFrame:
        """Name the configurations whose measurement would cut the error most.

        Parameters
        ----------
        n : int
            How many.
        platform : str, optional
            A platform, calibrated or brand-new; all calibrated ones where not given.
        candidates : DataFrame, optional
            What can be measured and matters: platform, mode, precision, topology, pruning_percent, batch. Default: the networks
            and batches that were calibrated, on every mode and precision of the platform.
        inputs : Dataset, optional
            Facts of a platform or of networks that are not embedded.

        Returns
        -------
        DataFrame
            platform, mode, precision, topology, pruning_percent, batch, in the order to measure, and `expected_error_percent`,
            the typical error of all candidates once this row and those before it are measured.

        Raises
        ------
        UnknownLabelError
            If the platform has no facts.
        InvalidDataError
            If `n` is less than 1, or if no candidate is known.
        """
        from roofcube.calibration.suggestion import suggest

        return suggest(self, n, platform=platform, candidates=candidates, inputs=inputs)

    # as a model ---------------------------------------------------------------------------------------------------

    def tables(self, inputs: xr.Dataset, *, level: float | None = None) -> xr.Dataset:
        """Tabulate the calibrated results over the dims of labelled inputs.

        Parameters
        ----------
        inputs : Dataset
            With coords platform, mode, precision, topology, pruning and batch; what lacks one takes its default.
        level : float, optional
            Adds `low` and `high` at this level.

        Returns
        -------
        Dataset
            `predicted_throughput`, `predicted_latency`, `power`, `predicted_energy` over (platform, mode, precision,
            topology, pruning, batch), as many of them as the inputs have; NaN where refused.
        """
        dims = ("platform", "mode", "precision", "topology", "pruning", "batch")
        defaults = {"mode": "default", "batch": 1}
        facts = with_facts(self.facts, inputs)
        labels = {
            dim: np.atleast_1d(inputs[dim].to_numpy()) if dim in inputs.coords else np.array([defaults[dim]])
            for dim in dims
        }
        machines = {key: place for place, key in enumerate(facts.hardware)}
        nets = {key: place for place, key in enumerate(facts.networks)}
        hardware = np.array([
            machines.get((p, m, q), -1) for p in labels["platform"].tolist() for m in labels["mode"].tolist() for q in labels["precision"].tolist()
        ])  # fmt: skip
        network = np.array(
            [nets.get((t, float(k)), -1) for t in labels["topology"].tolist() for k in labels["pruning"].tolist()]
        )
        shape = (len(hardware), len(network), len(labels["batch"]))
        offered = np.flatnonzero(np.broadcast_to(((hardware >= 0)[:, None] & (network >= 0))[..., None], shape).ravel())
        grid = np.unravel_index(offered, shape)
        rows = Rows(
            hardware[grid[0]], network[grid[1]], labels["batch"].astype("f8")[grid[2]],
            tuple(facts.hardware.values()), tuple(facts.networks.values()),
        )  # fmt: skip
        found = self._predicted(rows, np.full(len(rows), np.nan), level)
        kept = tuple(dim for dim in dims if dim in inputs.dims)
        sizes = tuple(len(labels[dim]) for dim in dims)
        result = {}
        for name, values in found.items():
            if level is None and name in ("low", "high"):
                continue
            full = np.full(int(np.prod(shape)), np.nan)
            full[offered] = values
            array = xr.DataArray(full.reshape(sizes), dims=dims).isel({dim: 0 for dim in dims if dim not in kept})
            result[name] = array.transpose(*kept).assign_attrs(_attributes(name))
        return xr.Dataset(result, coords={dim: inputs[dim] for dim in kept})

    # keeping ------------------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the calibration as JSON text; `roofcube.load_calibration` gives the same predictions."""
        from roofcube.calibration.storage import save_calibration

        save_calibration(self, path)

    def __repr__(self) -> str:
        used, given = int(self.data.usable.sum()), len(self.data)
        lines = [f"<roofcube.Calibration> {used} of {given} rows, {len(self.engine.families)} families"]
        for one in self.trust.iter_rows(named=True):
            where = f"{one['platform']} {one['mode']} {one['precision']}"
            lines.append(f"  {where:<28} {one['rows']:>4} rows {one['networks']:>3} networks  {one['trust']}")
        left = self.unused["reason"].value_counts(sort=True)
        lines += [f"  left out: {count} rows, {reason}" for reason, count in left.iter_rows()]
        return "\n".join(lines)


def _attributes(name: str) -> dict[str, Any]:
    own = {
        "low": {"units": "1/s", "long_name": "lower end of the interval of throughput"},
        "high": {"units": "1/s", "long_name": "upper end of the interval of throughput"},
        "power": {"units": "W", "long_name": "calibrated power under load"},
    }
    return own.get(name) or attributes(name)


def with_facts(facts: Facts, inputs: xr.Dataset | None) -> Facts:
    """Add the facts of the inputs behind those of the calibration, whose places stay valid."""
    more = facts_of(inputs)
    hardware = {key: one for key, one in more.hardware.items() if key not in facts.hardware}
    networks = {key: one for key, one in more.networks.items() if key not in facts.networks}
    return Facts({**facts.hardware, **hardware}, {**facts.networks, **networks})
