"""Held-out errors and predictions of the embedded rows: computed by `roofcube errors --write`, kept as data, read."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from roofcube.calibration.kept.code_key import code_key
from roofcube.calibration.measured import fastest
from roofcube.disk import cache_folder, digest, make_private, replacing
from roofcube.labels import KEY_COLUMNS, rows_of
from roofcube.model.assumptions import BOUND
from roofcube.model.inputs import inputs
from roofcube.model.predict import predict
from roofcube.vocabulary import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roofcube.calibration import Calibration
    from roofcube.calibration.measured import Measured

__all__ = ["KEYS", "HeldOut", "code_key", "compute_held_out", "read", "rows_key", "write_held_out"]

State = Literal["current", "other code", "other rows"]
TABLES = ("errors", "coverage", "rows")
KEYS = ("task", *KEY_COLUMNS)
MEASURED = ("throughput_compute_per_s", "power_full_w", "initiation_interval_s")
HEAD = re.compile(r"# rows (\w+) code (\w+)")


@dataclass(frozen=True)
class HeldOut:
    """What is known of predictions for networks that the calibration had not seen.

    Attributes
    ----------
    errors, coverage : DataFrame
        `Calibration.errors` and `Calibration.coverage`.
    rows : DataFrame
        The scored rows: keys, `family`, and throughput [1/s] `measured`, `published`, `bound`, `predicted_throughput`
        (calibrated without this network), `low`, `high`.
    rows_key, code_key : str
        Of the rows and facts, and of the code, that the tables were computed from.
    """

    errors: pl.DataFrame
    coverage: pl.DataFrame
    rows: pl.DataFrame
    rows_key: str
    code_key: str

    def state(self, data: Measured) -> State:
        """Check whether the tables belong to these rows and this code."""
        if self.rows_key != rows_key(data):
            return "other rows"
        return "current" if self.code_key == code_key() else "other code"


# keys -----------------------------------------------------------------------------------------------------------------


def rows_key(data: Measured) -> str:
    """Hash the rows and the facts behind a calibration, the same on every machine."""
    columns = [name for name in (*KEYS, *MEASURED) if name in data.table.columns]
    content: list[Any] = [list(data.table.select(columns).iter_rows())]
    content += [[asdict(one) for one in known.values()] for known in (data.facts.hardware, data.facts.networks)]
    content += [one.name for one in data.lenders]
    return digest([json.dumps(_nine_digits(content))])[:16]


def _nine_digits(value: Any) -> Any:
    """Write numbers with nine digits: more may differ between machines."""
    if isinstance(value, dict):
        return {str(name): _nine_digits(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_nine_digits(one) for one in value]
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.9g}"
    return value if value is None else str(value)


# computing ------------------------------------------------------------------------------------------------------------


def compute_held_out(calibration: Calibration) -> HeldOut:
    """Predict every scored row without its network, with an interval that did not see it either.

    Takes a minute or two on the embedded rows; errors and coverage come from the user's cache if they were computed
    before.
    """
    from roofcube.calibration.crossvalidation import held_out, held_out_intervals, published

    # taken first: code that changes while this runs is not what ran
    code, data = code_key(), calibration.data
    seconds = held_out(data, "network").seconds
    half = held_out_intervals(data, (LEVEL,))[1][LEVEL]
    place = np.flatnonzero(data.scored)
    rows, table = data.rows.take(place), data.table[place]
    rate = rows.batch * np.exp(-seconds[place])
    values = {
        "measured": table["throughput_compute_per_s"].to_numpy(),
        "published": rows.batch * np.exp(-published(rows)),
        "bound": _bound_of_rows(table),
        "predicted_throughput": rate,
        "low": rate * np.exp(-half[place]),
        "high": np.maximum(rate, np.minimum(rate * np.exp(half[place]), fastest(rows))),
    }
    digits = {name: [float(f"{value:.6g}") for value in column] for name, column in values.items()}
    found = (
        table.select(KEYS)
        .with_columns(pl.col("batch").cast(pl.Int64))
        .with_columns(family=pl.Series(rows.family().tolist()), **_series(digits))
    )
    return HeldOut(calibration.errors, calibration.coverage, found, rows_key(data), code)


def _series(columns: dict[str, list[float]]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, values).fill_nan(None) for name, values in columns.items()}


def _bound_of_rows(table: pl.DataFrame) -> np.ndarray[Any, Any]:
    bound = np.full(table.height, np.nan)
    for task in table["task"].unique().to_list():
        here = np.flatnonzero((table["task"] == task).to_numpy())
        cube = predict(inputs(task), assumptions=BOUND)[["predicted_throughput"]]
        cells, where = rows_of(cube, table[here])
        bound[here] = np.where(where.mask, cells["predicted_throughput"].values, np.nan)
    return bound


# files ----------------------------------------------------------------------------------------------------------------


def write_held_out(found: HeldOut) -> Path:
    """Write the tables beside this module, or into the user's cache where that is read-only; give the folder."""
    package, cached = _folders()
    try:
        return _written(found, package)
    except OSError:
        return _written(found, cached)


def _folders() -> tuple[Path, Path]:
    return Path(str(files("roofcube.calibration"))) / "kept", cache_folder("calibration")


def _file(folder: Path, name: str) -> Path:
    return folder / f"held_out_{name}.csv"


def _written(found: HeldOut, folder: Path) -> Path:
    make_private(folder)
    for name in TABLES:
        text = f"# rows {found.rows_key} code {found.code_key}\n{getattr(found, name).write_csv()}"
        with replacing(_file(folder, name)) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return folder


def read(data: Measured) -> HeldOut | None:
    """Read the tables that belong to these rows; if there are none, those that came with the package."""
    known = list(_stored_tables())
    return next((one for one in known if one.state(data) == "current"), known[0] if known else None)


def _stored_tables() -> Iterator[HeldOut]:
    for folder in _folders():
        try:
            texts = {name: _file(folder, name).read_text(encoding="utf-8") for name in TABLES}
        except (OSError, UnicodeError):
            continue
        heads = {match.groups() if (match := HEAD.match(text)) else None for text in texts.values()}
        # three files of one run, else one of them was lost or replaced
        if len(heads) == 1 and (keys := heads.pop()) is not None:
            # columns that only the last lines fill have their type from them
            tables = {
                name: pl.read_csv(StringIO(text), comment_prefix="#", infer_schema_length=None)
                for name, text in texts.items()
            }
            yield HeldOut(**tables, rows_key=keys[0], code_key=keys[1])
