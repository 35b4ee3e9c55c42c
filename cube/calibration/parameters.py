"""The fitted parameters as a table that one can read: values, units, meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roofcube.calibration.facts import TILES
from roofcube.calibration.fitting import law
from roofcube.calibration.fitting.power import POWER_TERMS
from roofcube.calibration.rows import Records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roofcube.calibration.facts import Facts, Machine
    from roofcube.calibration.fitting.families import FittedFamilies
    from roofcube.calibration.fitting.family import FamilyModel

__all__ = ["parameter_table"]

POWER_MEANING = {
    "power_at_rest": "drawn whatever the load",
    "power_of_compute_time": "more while the time goes into compute",
    "power_of_memory_time": "more while the time goes into memory traffic",
    "power_of_operations": "more at full use of the listed peak",
    "power_of_traffic": "more at full use of the listed bandwidth",
    "power_of_operations_root": "more at full use of the listed peak, growing with the root of the use",
    "power_of_traffic_root": "more at full use of the listed bandwidth, growing with the root of the use",
}


def parameter_table(engine: FittedFamilies, facts: Facts) -> pl.DataFrame:
    """Tabulate the parameters of every platform, mode and precision that was measured.

    Where several structures carry weight, the values are their weighted means.
    """
    machines = Records(facts.hardware.values())
    lines = []
    for name, model in engine.families.items():
        watts = engine.power[name].watts_of(machines) if name in engine.power else None
        for group, place in enumerate(model.groups):
            machine = machines[place]
            labels = {
                "platform": machine.platform,
                "mode": machine.mode,
                "precision": machine.precision,
                "family": name,
            }
            lines += [{**labels, **line} for line in _law_lines(model, group, machine)]
            if watts is not None and np.isfinite(watts[place]).all():
                lines += [
                    {**labels, "parameter": term, "value": float(value), "unit": "W", "meaning": POWER_MEANING[term]}
                    for term, value in zip(POWER_TERMS, watts[place], strict=True)
                ]
    return pl.DataFrame(lines)


def _law_lines(model: FamilyModel, group: int, machine: Machine) -> Iterator[dict[str, object]]:
    weight = np.array([one.weight for one in model.structures])
    theta = np.array([one.posterior.theta[group] for one in model.structures])
    factor = weight @ law.coefficients(theta)
    for place, parameter in enumerate(law.PARAMETERS):
        value = factor[place]
        if parameter.kind == "efficiency":
            value = 1.0 / value
        elif parameter.kind == "overhead":
            value /= machine.reference
        yield {"parameter": parameter.name, "value": float(value), "unit": parameter.unit, "meaning": parameter.meaning}
    likely = max(model.structures, key=lambda one: one.weight)
    width = TILES[likely.tile][0]
    yield {
        "parameter": "channel_tile",
        "value": float(width),
        "unit": "1",
        "meaning": f"{law.label(likely.tile)} (weight {likely.weight:.2f})",
    }
