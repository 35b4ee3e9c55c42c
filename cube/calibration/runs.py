"""Runs of configurations before they are averaged: which went wrong, and watts that no such platform takes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.calibration.measured import unit_off
from roofcube.labels import KEY_COLUMNS, full_rank
from roofcube.measured.rows import LATENCY, THROUGHPUT, averaged_repeats
from roofcube.measured.rules import POWER_FACTOR, REPEATS_FACTOR, SISTERS
from roofcube.wording import counted

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["averaged_runs", "without_wrong_watts"]

FULL = "power_full_w"
REPEATS = 3  # runs from which a configuration was repeated; of two that differ nothing says which set-up is meant
ALIKE = 1.1  # two runs of which neither is faster by this factor do not differ


def averaged_runs(table: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """Put the mean of its runs in place of each configuration that was repeated.

    Returns
    -------
    table : DataFrame
        Runs that went wrong stand in it as they are.
    wrong : list of int
        The `row` of those that are far from the other runs of their configuration.
    """
    keys = [name for name in (*KEY_COLUMNS, "batch_kind") if name in table.columns]
    speeds = [name for name in (THROUGHPUT, LATENCY) if name in table.columns]
    repeated = table.select(repeated=pl.len().over(keys) > 1)["repeated"]
    if not repeated.any() or not speeds:
        return table, []
    off = repeated & pl.Series(unit_off(table))
    sound = table.filter(~off)
    several = pl.len().over(keys) >= REPEATS
    apart = [
        pl.max_horizontal(pl.col(name) / (usual := pl.col(name).median().over(keys)), usual / pl.col(name))
        > REPEATS_FACTOR
        for name in speeds
    ]
    far = sound.select(far=several & pl.any_horizontal(apart).fill_null(value=False))["far"]
    averaged = averaged_repeats(sound.filter(~far), least=REPEATS, alike=ALIKE)
    wrong = sound.filter(far)
    return pl.concat([averaged, wrong, table.filter(off)]).sort("row"), wrong["row"].to_list()


def without_wrong_watts(table: pl.DataFrame, inputs: xr.Dataset | None) -> pl.DataFrame:
    """Leave out watts that the platform cannot take, by the rules of the physics gate, and say of which rows.

    Parameters
    ----------
    table : DataFrame
        Runs, with `row`.
    inputs : Dataset, optional
        Say the `power` of platforms, beside the embedded ones.
    """
    if FULL not in table.columns:
        return table
    watts = pl.col(FULL).cast(pl.Float64).fill_nan(None)
    usual = watts.filter(watts > 0).median().over("platform")
    several = (watts > 0).sum().over("platform") >= SISTERS
    # without columns of the user's own, which may have any name
    known = table.select("platform", FULL)
    beside = known.join(_listed_watts(inputs), on="platform", how="left", maintain_order="left")
    low = pl.coalesce("least", pl.when(several).then(usual))
    high = pl.coalesce("most", pl.when(several).then(usual))
    off = (watts > POWER_FACTOR * high) | (watts < low / POWER_FACTOR)
    wrong = beside.select(wrong=((watts <= 0) | off).fill_null(value=False))["wrong"]
    if not wrong.any():
        return table
    rows = table.filter(wrong)
    some = ", ".join(f"{row} ({watts:g} W)" for row, watts in rows.select("row", FULL).head(3).iter_rows())
    msg = (
        f"the watts of {counted(rows.height, 'row')} are left out, as they are 0 or about a hundredfold off what the "
        f"platform takes: row {some}{' …' if rows.height > 3 else ''}; check the unit (W) and whose power it is"
    )
    warnings.warn(msg, UserWarning, stacklevel=3)
    return table.with_columns(pl.when(~wrong).then(pl.col(FULL)).alias(FULL))


def _listed_watts(inputs: xr.Dataset | None) -> pl.DataFrame:
    """Return the least and the most watts that are listed of each platform, in whatever mode."""
    embedded = datasets.load_platforms().select("platform", watts="listed_power_w")
    parts = [embedded]
    if inputs is not None and "power" in inputs and "platform" in inputs.coords:
        names = np.atleast_1d(inputs["platform"].values).astype(str).tolist()
        others = [str(dim) for dim in inputs["power"].dims if dim != "platform"]
        told = full_rank(inputs["power"].variable, ("platform", *others))
        each = np.broadcast_to(np.asarray(told, dtype="f8").reshape(len(told), -1), (len(names), told[0].size))
        own = pl.DataFrame({"platform": names, "watts": each.tolist()}).explode("watts").fill_nan(None)
        parts = [embedded.filter(~pl.col("platform").is_in(names)), own]
    listed = pl.concat(parts).filter(pl.col("watts") > 0)
    return listed.group_by("platform").agg(least=pl.col("watts").min(), most=pl.col("watts").max())
