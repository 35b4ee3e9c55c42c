"""Keep a calibration as JSON text: every float exactly, so that it predicts the same when loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.calibration.facts import Facts, Machine, NetworkTotals
from roofcube.calibration.fitted import Fitted
from roofcube.calibration.fitting.dataflow import PipelineFill
from roofcube.calibration.fitting.families import FittedFamilies
from roofcube.calibration.fitting.family import FamilyModel, Structure
from roofcube.calibration.fitting.intervals import Scores
from roofcube.calibration.fitting.law import PARAMETERS, PRIOR_DEVIATION, PRIOR_MEAN
from roofcube.calibration.fitting.least_squares import Prior
from roofcube.calibration.fitting.power import PowerModel
from roofcube.calibration.fitting.residual import Kernel, Place, Posterior
from roofcube.calibration.fitting.sisters import Kinship, Sister
from roofcube.calibration.measured import Measured
from roofcube.calibration.rows import indexed_rows
from roofcube.datasets.forks import check_not_forked
from roofcube.disk import digest, path_of, replacing, text_of
from roofcube.errors import CorruptFileError
from roofcube.labels import KEY_COLUMNS

if TYPE_CHECKING:
    import os

__all__ = ["read_fitted", "write_fitted"]

# 1: without a checksum, of a law of fewer terms; 2: without sisters; 3: without odd networks
FORMAT, VERSION = "roofcube calibration", 4
CHECKSUM = "sha256"
# the parameters of the law in files of version 1, which knew neither other kinds of work nor kernels
FIRST = (
    "fixed_overhead", "layer_overhead", "input_overhead", "convolution_efficiency", "dense_efficiency",
    "weight_bandwidth_efficiency", "activation_bandwidth_efficiency", "patch_traffic",
)  # fmt: skip


def write_fitted(calibration: Fitted, path: str | os.PathLike[str]) -> None:
    """See `Calibration.save`."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": calibration.name,
        "hardware": [asdict(one) for one in calibration.facts.hardware.values()],
        "networks": [asdict(one) for one in calibration.facts.networks.values()],
        "measurements": {name: calibration.data.table[name].to_list() for name in calibration.data.table.columns},
        "types": {name: str(kind) for name, kind in calibration.data.table.schema.items()},
        "reason": calibration.data.reason.tolist(),
        "arrays": {name: getattr(calibration.data, name).tolist() for name in ("seconds", "power", "interval")},
        "families": {name: _as_json(model) for name, model in calibration.engine.families.items()},
        "power": {name: _as_json(model) for name, model in calibration.engine.power.items()},
        "fill": _as_json(calibration.engine.fill),
        "scores": {name: _as_json(one) for name, one in calibration.scores.items()},
    }
    document[CHECKSUM] = _checksum(document)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")


def _checksum(document: dict[str, Any]) -> str:
    """Hash what a calibration says, but for its checksum; every float is written with all its digits."""
    return digest([json.dumps({name: part for name, part in document.items() if name != CHECKSUM})])


def _as_json(value: Any) -> Any:
    """Turn dataclasses, arrays and tuples into what JSON has; floats keep every bit."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        return {name: _as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [_as_json(one) for one in value]
    return value


def read_fitted(path: str | os.PathLike[str]) -> Fitted:
    """See `roofcube.load_calibration`."""
    check_not_forked()
    source = path_of(path)
    try:
        found = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        msg = f"{source.name}: not a whole calibration file ({error}); save it again with Calibration.save"
        raise CorruptFileError(msg) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        msg = f"{source.name}: expected a file of Calibration.save, got another kind of JSON; give the right file"
        raise CorruptFileError(msg)
    version = found.get("version")
    if not isinstance(version, int) or version > VERSION:
        msg = f"{source.name}: expected format version up to {VERSION}, got {version!r:.40}; update roofcube"
        raise CorruptFileError(msg)
    if version > 1 and found.get(CHECKSUM) != _checksum(found):
        msg = f"{source.name}: the content was altered; restore it from its source, or calibrate again"
        raise CorruptFileError(msg)
    try:
        return _fitted(_of_version_1(found) if version == 1 else found)
    except Exception as error:
        msg = (
            f"{source.name}: not a whole calibration file ({type(error).__name__}: {str(error)[:200]}); save it again "
            "with Calibration.save"
        )
        raise CorruptFileError(msg) from error


def _fitted(found: dict[str, Any]) -> Fitted:
    hardware = [Machine(**one) for one in found["hardware"]]
    networks = [NetworkTotals(**{**one, "convolution_ops": tuple(one["convolution_ops"])}) for one in found["networks"]]
    facts = Facts({one.key: one for one in hardware}, {one.key: one for one in networks})
    engine = FittedFamilies(
        {name: _family(one, hardware) for name, one in found["families"].items()},
        {name: _power(one) for name, one in found["power"].items()},
        PipelineFill(found["fill"]["inputs"], np.array(found["fill"]["errors"], dtype="f8")),
    )
    scores = {name: _scores(one) for name, one in found["scores"].items()}
    return Fitted(facts, _rows_of_file(found, facts), engine, found["name"], scores)


def _of_version_1(found: dict[str, Any]) -> dict[str, Any]:
    """Give a calibration the parameters that it did not know, at their priors; its networks have nothing of them."""
    old = [[one.name for one in PARAMETERS].index(name) for name in FIRST]

    def wide(values: Any, missing: Any) -> Any:
        given = np.array(values)
        whole = np.broadcast_to(missing, (*given.shape[:-1], len(PARAMETERS))).copy()
        whole[..., old] = given
        return whole

    def posterior(one: dict[str, Any]) -> dict[str, Any]:
        covariance = np.diag(PRIOR_DEVIATION**2)
        covariance[np.ix_(old, old)] = one["prior"]["covariance"]
        rows = len(one["pull"])
        return {
            **one,
            "theta": wide(one["theta"], PRIOR_MEAN),
            "tilt": wide(one["tilt"], 0.0),
            "gradient": wide(one["gradient"], 0.0),
            "prior": {"mean": wide(one["prior"]["mean"], PRIOR_MEAN), "covariance": covariance},
            "place": {**one["place"], "descriptors": np.zeros((rows, 0))},
        }

    families = {
        name: {
            **one,
            "modes": wide(one["modes"], PRIOR_MEAN),
            "structures": [{**part, "posterior": posterior(part["posterior"])} for part in one["structures"]],
        }
        for name, one in found["families"].items()
    }
    power = {
        name: {**one, "place": {**one["place"], "descriptors": np.zeros((len(one["pull"]), 0))}}
        for name, one in found["power"].items()
    }
    networks = [{**one, "kernels": one["layers"]} for one in found["networks"]]
    return {**found, "networks": networks, "families": families, "power": power}


def _scores(found: dict[str, Any]) -> Scores:
    far = found.get("far")
    error, deviation, network = (np.array(found[part]) for part in ("error", "deviation", "network"))
    scaled, units = found.get("scaled", False), found.get("units")
    return Scores(error, deviation, network, scaled, None if far is None else _scores(far), units)


def _rows_of_file(found: dict[str, Any], facts: Facts) -> Measured:
    kinds = {name: getattr(pl, kind) for name, kind in found["types"].items()}
    table = pl.DataFrame(found["measurements"], schema=kinds)
    keys = table.select(*KEY_COLUMNS[:-1], pl.col("batch").cast(pl.Float64))
    arrays = {name: np.array(values, dtype="f8") for name, values in found["arrays"].items()}
    return Measured(table, facts, indexed_rows(keys, facts), reason=np.array(found["reason"], dtype=object), **arrays)


def _family(found: dict[str, Any], machines: list[Machine]) -> FamilyModel:
    structures = tuple(
        Structure(one["tile"], one["weight"], _posterior(one["posterior"])) for one in found["structures"]
    )
    flows = found.get("dataflow", machines[found["groups"][0]].dataflow)
    return FamilyModel(
        tuple(found["groups"]), structures, np.array(found["modes"]), flows, tuple(found.get("above_peak", ())),
        found.get("evidence", 0.0), tuple(_sister(one, machines) for one in found.get("sisters", ())),
        tuple((int(one), int(other)) for one, other in found.get("falling", ())),
        tuple(found.get("above_bandwidth", ())),
    )  # fmt: skip


def _sister(found: dict[str, Any], machines: list[Machine]) -> Sister:
    degrees = tuple(_kinship(one) for one in found["kinships"])
    place = None if found["place"] is None else _place(found["place"])
    return Sister(
        tuple(found["hardware"]), _family(found["model"], machines), found["own"], degrees, place,
        np.array(found["gradient"]),
    )  # fmt: skip


def _kinship(found: dict[str, Any]) -> Kinship:
    wrong = np.array(found["wrong"], dtype=bool)
    # in version 3 no network was odd, and the one factor was of two at every degree
    odd = np.array(found.get("odd", np.zeros(len(wrong))), dtype=bool)
    common = found.get("common", float(np.log(2.0)))
    return Kinship(found["degree"], found["weight"], np.array(found["pull"]), wrong, odd, common)


def _posterior(found: dict[str, Any]) -> Posterior:
    prior = Prior(np.array(found["prior"]["mean"]), np.array(found["prior"]["covariance"]))
    arrays = {name: np.array(found[name]) for name in ("theta", "tilt", "pull", "gradient", "group", "noise")}
    return Posterior(
        place=_place(found["place"]), groups=found["groups"], prior=prior, kernel=Kernel(**found["kernel"]), **arrays
    )


def _place(found: dict[str, Any]) -> Place:
    return Place(**{name: np.array(values) for name, values in found.items()})


def _power(found: dict[str, Any]) -> PowerModel:
    return PowerModel(
        tuple(found["hardware"]), np.array(found["watts"]), np.array(found["pull"]), _place(found["place"])
    )
