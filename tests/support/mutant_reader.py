"""Read damaged files, named on the standard input, and say of each what became of it; a hang ends the process."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import roofcube as rc
from roofcube.errors import RoofcubeError

SECONDS = 20
SILENT = ("forged", "rows", "platforms", "spec", "onnx")  # formats without a checksum: what is legal is read


def read(kind: str, path: Path) -> Any:
    if kind in ("nc", "zarr", "sweep"):
        return rc.load(path)
    if kind == "forged":
        return asked(rc.load_calibration(path), at_length=path.stem.endswith("00"))
    if kind == "calibration":
        rows = rc.datasets.load_measurements("mnist")
        return rc.load_calibration(path).predict(rows.filter(rows["platform"] == "TX2"))
    if kind == "rows":
        return rc.read_measurements(path)
    if kind == "platforms":
        return rc.read_platforms(path)
    if kind == "onnx":
        return rc.read_network(path)
    from roofcube.sweep_spec import read_sweep_spec

    return read_sweep_spec(path)


def asked(calibration: rc.Calibration, *, at_length: bool) -> rc.Calibration:
    """Ask a calibration all that it answers; what takes seconds only where asked `at_length`."""
    calibration.predict(rc.datasets.load_measurements("mnist")[::8])
    calibration.suggest(1, platform="TX2")
    calibration.suggest(1)
    repr(calibration)
    told = [calibration.rows, calibration.unused, calibration.parameters]
    if at_length:
        told += [calibration.errors, calibration.coverage]
        calibration.tables(rc.inputs("mnist"), level=0.9)
    return calibration


def same(kind: str, one: Any, other: Any) -> bool:
    if kind in SILENT:
        return True
    return bool(one.equals(other) if kind == "calibration" else one.identical(other))


def main(kind: str, seed: str) -> None:
    expected = read(kind, Path(seed))
    for line in sys.stdin.read().splitlines():
        signal.alarm(SECONDS)
        try:
            found = "read" if same(kind, read(kind, Path(line)), expected) else "other"
        except RoofcubeError as error:
            found = "refused" if Path(line).name in str(error) else f"unnamed {error}".replace("\n", " ")
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            found = f"raw {type(error).__name__}: {error} at {place}".replace("\n", " ")[:300]
        signal.alarm(0)
        print(found, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
