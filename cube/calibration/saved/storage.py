"""Keep a calibration as JSON text: every float exactly, so that it predicts the same when loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.fitting.families import one_thread
from roofcube.calibration.fitting.law import PARAMETERS, PRIOR_DEVIATION, PRIOR_MEAN
from roofcube.calibration.saved.restoring import PLAIN_LABELS, PLAIN_TYPES, fitted_of
from roofcube.datasets.forks import check_not_forked
from roofcube.disk import digest, path_of, replacing, text_of
from roofcube.errors import CorruptFileError, InvalidDataError

if TYPE_CHECKING:
    import os

    from roofcube.calibration.fitted import Fitted

__all__ = ["read_fitted", "signed", "write_fitted"]

# 1: without a checksum, of a law of fewer terms; 2: without sisters; 3: without odd networks; 4: nothing is borrowed;
# 5: watts grow with the use alone
FORMAT, VERSION = "roofcube calibration", 6
CHECKSUM = "sha256"
# the parameters of the law in files of version 1, which knew neither other kinds of work nor kernels
FIRST = (
    "fixed_overhead", "layer_overhead", "input_overhead", "convolution_efficiency", "dense_efficiency",
    "weight_bandwidth_efficiency", "activation_bandwidth_efficiency", "patch_traffic",
)  # fmt: skip


def write_fitted(calibration: Fitted, path: str | os.PathLike[str]) -> None:
    """See `Calibration.save`."""
    types = {name: str(kind) for name, kind in calibration.data.table.schema.items()}
    for name, kind in types.items():
        if kind not in PLAIN_TYPES:
            msg = (
                f"`{name}`: expected measurements of numbers, text or flags, got {kind}; calibrate without this column"
            )
            raise InvalidDataError(msg)
    for name, label in calibration.own_labels.items():
        if not isinstance(label, PLAIN_LABELS):
            msg = (
                f"`{name}`: expected a label of text, a number or a flag, got {label!r:.60} of type "
                f"{type(label).__name__}; calibrate with inputs whose {name} has such labels"
            )
            raise InvalidDataError(msg)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": calibration.name,
        **({"own_labels": calibration.own_labels} if calibration.own_labels else {}),
        "lenders": [one.name for one in calibration.data.lenders],
        "hardware": [asdict(one) for one in calibration.facts.hardware.values()],
        "networks": [asdict(one) for one in calibration.facts.networks.values()],
        "measurements": {name: calibration.data.table[name].to_list() for name in calibration.data.table.columns},
        "types": types,
        "reason": calibration.data.reason.tolist(),
        "arrays": {name: getattr(calibration.data, name).tolist() for name in ("seconds", "power", "interval")},
        "families": {name: _as_json(model) for name, model in calibration.engine.families.items()},
        "power": {name: _as_json(model) for name, model in calibration.engine.power.items()},
        "fill": _as_json(calibration.engine.fill),
        "scores": {name: _as_json(one) for name, one in calibration.scores.items()},
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(signed(document)), encoding="utf-8")


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with its checksum."""
    return document | {CHECKSUM: _checksum(document)}


def _checksum(document: dict[str, Any]) -> str:
    """Hash what a calibration says, but for its checksum; every float is written with all its digits."""
    return digest([json.dumps({name: part for name, part in document.items() if name != CHECKSUM})])


def _is_as_written(text: str, found: dict[str, Any]) -> bool:
    """Compare the checksum with the text, which costs next to nothing, or with what it says, however it is laid out."""
    end = f', "{CHECKSUM}": "{found.get(CHECKSUM)}"}}'
    laid_out = text.endswith(end) and digest([text.removesuffix(end), "}"]) == found[CHECKSUM]
    return laid_out or found.get(CHECKSUM) == _checksum(found)


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
        text = text_of(path)
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{source.name}: not a whole calibration file ({error}); save it again with Calibration.save"
        raise CorruptFileError(msg) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        msg = f"{source.name}: expected a file of Calibration.save, got another kind of JSON; give the right file"
        raise CorruptFileError(msg)
    version = found.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        msg = f"{source.name}: expected format version 1 to {VERSION}, got {version!r:.40}; update roofcube"
        raise CorruptFileError(msg)
    if version > 1 and not _is_as_written(text, found):
        msg = f"{source.name}: the content was altered; restore it from its source, or calibrate again"
        raise CorruptFileError(msg)
    try:
        with one_thread():
            return fitted_of(_of_version_1(found) if version == 1 else found)
    except Exception as error:
        msg = (
            f"{source.name}: not a whole calibration file ({type(error).__name__}: {str(error)[:200]}); save it again "
            "with Calibration.save"
        )
        raise CorruptFileError(msg) from error


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
