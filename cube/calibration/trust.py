"""Which predictions interpolate, extrapolate or are refused, and why; what a calibration cannot be trusted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.calibration.fitting.intervals import MINIMUM_NETWORKS
from roofcube.calibration.measured import NO_HARDWARE, NO_NETWORK
from roofcube.calibration.rows import UNCOUNTABLE, distinct
from roofcube.measured.rules import WATTS_RANGE_FACTOR

if TYPE_CHECKING:
    from roofcube.calibration.facts import Machine, NetworkTotals
    from roofcube.calibration.fitting.families import FittedFamilies
    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.measured import Measured
    from roofcube.calibration.rows import IndexedRows

__all__ = ["Reach", "reaches", "statuses", "trust_table", "unlike"]

Array = np.ndarray[Any, np.dtype[Any]]

# beyond the measured sizes and batches by more than this factor a prediction extrapolates
MARGIN = 2.0
FEW = 7
# who lends less than this is not named
LEAST_SHARE = 0.1
UNMEASURED = "no row of this family was calibrated: measure what suggest() names"
OTHER_WIDTHS = "no width of this network was measured"
NOTHING_NEAR = "no network with such layers was measured"


@dataclass(frozen=True)
class Reach:
    """What the rows of one family cover."""

    dense: bool
    convolution: bool
    ranges: dict[str, tuple[float, float]]
    topologies: frozenset[str]


def reaches(data: Measured) -> dict[str, Reach]:
    """Find what the rows of each family cover, of those that count."""
    found = {}
    for name, index in data.by_family():
        rows = data.rows.take(index)
        dense = rows.net("dense_ops") / rows.net("ops")
        ranges = {"operations": rows.net("ops"), "weights": rows.net("weights"), "batch": rows.batch}
        found[name] = Reach(
            dense=bool((dense > 0.5).any()),
            convolution=bool((dense < 0.5).any()),
            ranges={what: (float(values.min()), float(values.max())) for what, values in ranges.items()},
            topologies=frozenset(rows.net("topology").tolist()),
        )
    return found


def unlike(model: FamilyModel, reach: Reach, rows: IndexedRows) -> tuple[Array, Array]:
    """Return which rows are of hardware, and which of a kind of network, that no row of the family has."""
    dense = rows.net("dense_ops") / rows.net("ops")
    kind: Array = ((dense > 0.5) & (not reach.dense)) | ((dense < 0.5) & (not reach.convolution))
    return ~np.isin(rows.hardware, model.groups), kind


def statuses(
    engine: FittedFamilies, reach: dict[str, Reach], rows: IndexedRows, flow: Array
) -> tuple[pl.Series, pl.Series]:
    """Return status and reason of every row; each distinct one is looked at once.

    Parameters
    ----------
    flow : array of bool
        Dataflow designs whose initiation interval is given.
    """
    first, inverse = distinct(rows.hardware, rows.network, np.nan_to_num(rows.batch, nan=-1.0), flow)
    strange = _strange(engine, reach, rows.take(first))
    found = [
        _status(engine, reach, rows, int(machine), int(net), float(batch), given=bool(given), strange=text)
        for machine, net, batch, given, text in zip(
            rows.hardware[first], rows.network[first], rows.batch[first], flow[first], strange, strict=True
        )
    ]
    status = pl.Series("status", [one for one, _ in found], dtype=pl.String)
    reason = pl.Series("reason", [one for _, one in found], dtype=pl.String)
    return status.gather(inverse), reason.gather(inverse)


def _strange(engine: FittedFamilies, reach: dict[str, Reach], rows: IndexedRows) -> list[str]:
    """Say of each row why its network is unlike those measured: by descriptors where there are many, else by name."""
    said = np.full(len(rows), "", dtype=object)
    family = rows.family()
    for name, model in engine.families.items():
        here = np.flatnonzero((family == name) & rows.known & (rows.batch > 0))
        if not len(here):
            continue
        some = rows.take(here)
        far = model.far(some)
        if far is None:
            said[here[~np.isin(some.net("topology"), list(reach[name].topologies))]] = OTHER_WIDTHS
        else:
            said[here[far]] = NOTHING_NEAR
    return [str(one) for one in said]


def _status(
    engine: FittedFamilies,
    reach: dict[str, Reach],
    rows: IndexedRows,
    machine: int,
    net: int,
    batch: float,
    *,
    given: bool,
    strange: str,
) -> tuple[str, str | None]:
    refusal = NO_HARDWARE if machine < 0 else NO_NETWORK if net < 0 else None if batch > 0 else UNCOUNTABLE
    if refusal:
        return "refused", refusal
    hardware = rows.machines[machine]
    if hardware.family not in engine.families:
        return "refused", UNMEASURED
    if given:
        return "interpolates", None
    doubts = _beyond_reach(reach[hardware.family], rows.nets[net], batch)
    if strange:
        doubts.append(strange)
    if machine not in engine.families[hardware.family].groups:
        doubts.insert(0, "this platform, mode or precision was not measured, only others of its family")
    if not hardware.stated:
        doubts.append("peak and bandwidth were guessed from the measurements")
    return ("extrapolates" if doubts else "interpolates"), ("; ".join(doubts) or None)


def _beyond_reach(reach: Reach, network: NetworkTotals, batch: float) -> list[str]:
    doubts = []
    if network.dense_ops > 0.5 * network.ops and not reach.dense:
        doubts.append("mostly fully connected, and no such network was measured")
    if network.dense_ops < 0.5 * network.ops and not reach.convolution:
        doubts.append("mostly convolutions, and no such network was measured")
    for what, value in (("operations", network.ops), ("weights", network.weights), ("batch", batch)):
        low, high = reach.ranges[what]
        if not low / MARGIN <= value <= high * MARGIN:
            doubts.append(f"{what} outside the measured range")
    return doubts


def trust_table(data: Measured, reach: dict[str, Reach], engine: FittedFamilies) -> pl.DataFrame:
    """Return what can and cannot be trusted, a row per platform, mode and precision that has rows that count."""
    lines = []
    for machine in np.unique(data.rows.hardware).tolist():
        rows = data.rows.take(np.flatnonzero(data.rows.hardware == machine))
        hardware, networks = rows.machines[machine], len(np.unique(rows.network))
        doubts = _reservations(hardware, rows, networks, reach[hardware.family])
        doubts += _several_set_ups(data, hardware)
        doubts += _leaning(engine.families[hardware.family], machine)
        lines.append({
            "platform": hardware.platform, "mode": hardware.mode, "precision": hardware.precision,
            "family": hardware.family, "rows": len(rows), "networks": networks,
            "batch_low": int(rows.batch.min()), "batch_high": int(rows.batch.max()),
            "trust": "; ".join(doubts) or "networks and batches within twice the measured range",
        })  # fmt: skip
    return pl.DataFrame(lines)


def _several_set_ups(data: Measured, hardware: Machine) -> list[str]:
    """Doubt watts whose base differs between rows of one platform and mode, by the rule of the physics gate."""
    if "power_base_w" not in data.table.columns:
        return []
    here = (pl.col("platform") == hardware.platform) & (pl.col("mode") == hardware.mode)
    base = data.table.filter(here)["power_base_w"].cast(pl.Float64).drop_nulls().to_numpy()
    base = base[base > 0]  # 0: not measured
    if not len(base) or base.max() <= WATTS_RANGE_FACTOR * base.min():
        return []
    return [f"power of several set-ups (base {base.min():.2g} to {base.max():.2g} W): do not trust watts"]


def _leaning(model: FamilyModel, machine: int) -> list[str]:
    """Say how much of what is believed of a board leans on what others leave of the same networks."""
    lent: dict[str, float] = {}
    for one in model.sisters:
        borrowed = getattr(one.model, "borrowed", None)
        if borrowed and (not one.hardware or machine in one.hardware):
            lent[borrowed.of] = lent.get(borrowed.of, 0.0) + one.weight
    share = sum(lent.values())
    if share < LEAST_SHARE:
        return []
    names = [name for name in sorted(lent, key=lambda name: -lent[name]) if lent[name] >= LEAST_SHARE * share]
    return [f"{100 * share:.0f} % leans on how {', '.join(names)} run{'s' if len(names) == 1 else ''} such networks"]


def _reservations(hardware: Machine, rows: IndexedRows, networks: int, reach: Reach) -> list[str]:
    doubts = []
    if not hardware.stated:
        doubts.append("peak and bandwidth were guessed: efficiencies are relative to them")
    if len(rows) < FEW:
        doubts.append(f"fewer than {FEW} rows: figures may be off by tens of percent")
    if networks < MINIMUM_NETWORKS:
        doubts.append("few networks: intervals lean on the rest of the family or on others")
    if rows.batch.min() == rows.batch.max():
        doubts.append("one batch: others lean on the rest of the family, or on none")
    if not reach.dense:
        doubts.append("no fully connected network measured: do not trust such networks")
    if not reach.convolution:
        doubts.append("no convolutional network measured: do not trust such networks")
    if hardware.dataflow:
        doubts.append("folding unknown without initiation_interval_s: expect errors of tens of percent")
    return doubts
