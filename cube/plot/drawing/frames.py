"""A cube as a pandas table for hvplot and the like: a row per known cell, labels as categoricals, flags in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofcube.errors import MissingInputError, check_kind
from roofcube.plot.drawing.tables import POINT, carried_labels, has_value, require
from roofcube.vocabulary import DIMS, VARIABLES
from roofcube.wording import flag_words

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import xarray as xr

__all__ = ["table"]

BESIDE = ("device_class", "family", "task")  # coordinates that are worth a column


def table(cube: xr.Dataset, *names: str) -> pd.DataFrame:
    """Return a row per known cell: what `hvplot` and pandas draw without ado.

    Parameters
    ----------
    cube : Dataset or Sweep
        A cube, a front, a winner; of a Sweep its answers per configuration.
    *names : str
        Variables; default: all but those of layers.

    Returns
    -------
    pandas.DataFrame
        Columns of labels (categoricals in the order of the cube; numbers stay numbers), then the variables, flags in
        words. ``attrs["units"]`` and ``attrs["long_name"]`` map columns to what they are in SI.

    Raises
    ------
    MissingInputError
        If a variable is not in the cube, or no cell is known.

    Examples
    --------
    >>> import roofcube as rc
    >>> frame = rc.benchmark("mnist").roof.table("measured_throughput", "measured_top1")
    >>> len(frame), str(frame["platform"].dtype), frame.attrs["units"]["measured_throughput"]
    (406, 'category', '1/s')
    """
    import pandas as pd

    for name in names:
        check_kind("names", name, str, do="give names one by one: table('top1', 'ops')")
    wanted = list(names) or _all_of(cube)
    cube = require(cube, wanted, figure="table", every_model=True)
    small = cube[wanted]
    frame = (small if small.dims else small.expand_dims(POINT)).to_dataframe().reset_index()
    values = [name for name in wanted if cube[name].dtype.kind == "f"] or wanted  # integers have no way to be unknown
    frame = frame[frame[values].notna().any(axis=1)].reset_index(drop=True)
    if frame.empty:
        msg = f"`{wanted[0]}`: expected a known cell, got none; pass a cube where {' or '.join(wanted[:4])} is known"
        raise MissingInputError(msg)
    held = list(map(str, small.dims))
    own = [dim for dim in dict.fromkeys([*held, *carried_labels(cube, held)]) if dim not in (*DIMS, POINT)]
    labels = [name for name in (*DIMS, *own, *BESIDE) if name in frame and name not in wanted]
    result = frame[list(dict.fromkeys([*labels, *wanted]))].copy()
    for name in (name for name in labels if frame[name].dtype.kind not in "fiubM"):
        order = list(dict.fromkeys(map(str, cube[name].values.ravel())))
        result[name] = pd.Categorical(frame[name].astype(str), categories=order)
    for name in (name for name in wanted if "flag_meanings" in cube[name].attrs):
        known = frame[name].notna()
        words = flag_words(frame.loc[known, name].to_numpy().astype("i8"), cube[name].attrs)
        result[name] = pd.Categorical(pd.Series(words, index=frame.index[known]).reindex(frame.index))
    for what in ("units", "long_name"):
        table_of = {name: getattr(VARIABLES.get(name), what, "") for name in wanted}
        result.attrs[what] = {name: str(cube[name].attrs.get(what, text)) for name, text in table_of.items()}
    return result


def _all_of(cube: Any) -> list[str]:
    held = getattr(cube, "data_vars", {})
    return [str(name) for name in held if "layer" not in held[name].dims and has_value(cube, name)] or [
        "predicted_throughput"
    ]
