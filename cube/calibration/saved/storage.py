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
    from collections.abc import Sequence

    from roofcube.calibration.fitted import Fitted

__all__ = ["read_fitted", "signed", "write_fitted"]

# 1: without a checksum, of a law of fewer terms; 2: without sisters; 3: without odd networks; 4: nothing is borrowed;
# 5: watts grow with the use alone; 6: inputs of all sizes are staged in one time
FORMAT, VERSION = "roofcube calibration", 7
CHECKSUM = "sha256"
# the parameters of the law in files of version 1, which knew neither other kinds of work nor kernels
FIRST = (
    "fixed_overhead", "layer_overhead", "input_overhead", "convolution_efficiency", "dense_efficiency",
    "weight_bandwidth_efficiency", "activation_bandwidth_efficiency", "patch_traffic",
)  # fmt: skip
# what those of version 2 to 6 did not know, and the logarithm of an overhead that takes no time
SINCE_7, NOTHING = "staging_overhead", -60.0


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
            return fitted_of(_as_now(found, version))
    except Exception as error:
        msg = (
            f"{source.name}: not a whole calibration file ({type(error).__name__}: {str(error)[:200]}); save it again "
            "with Calibration.save"
        )
        raise CorruptFileError(msg) from error


def _as_now(found: dict[str, Any], version: int) -> dict[str, Any]:
    """Return what a file says in the words of this version."""
    if version >= 7:
        return found
    if version > 1:
        known = [one.name for one in PARAMETERS if one.name != SINCE_7]
        return found | {"families": {name: _with_parameters(one, known) for name, one in found["families"].items()}}
    models = {name: _without_descriptors(one) for name, one in found["families"].items()}
    return found | {
        "networks": [{**one, "kernels": one["layers"]} for one in found["networks"]],
        "families": {name: _with_parameters(one, FIRST) for name, one in models.items()},
        "power": {name: _without_descriptors(one) for name, one in found["power"].items()},
    }


def _without_descriptors(part: Any) -> Any:
    """Give the places of rows, wherever they are told, no descriptors."""
    if isinstance(part, list):
        return [_without_descriptors(one) for one in part]
    if not isinstance(part, dict):
        return part
    part = {name: _without_descriptors(one) for name, one in part.items()}
    return {**part, "descriptors": np.zeros((len(part["octave"]), 0))} if "octave" in part else part


def _with_parameters(part: Any, known: Sequence[str]) -> Any:
    """Give models the parameters that they did not know, wherever they are told: at their priors, an overhead at none.

    Networks have nothing of them in these files, and inputs that tell more find an overhead that takes no time.
    """
    if isinstance(part, list):
        return [_with_parameters(one, known) for one in part]
    if not isinstance(part, dict):
        return part
    place = [number for number, one in enumerate(PARAMETERS) if one.name in known]
    unknown = np.where([one.name == SINCE_7 for one in PARAMETERS], NOTHING, PRIOR_MEAN)
    missing = {"theta": unknown, "modes": unknown, "tilt": 0.0, "gradient": 0.0}

    def whole(values: Any, rest: Any) -> Any:
        given = np.array(values)
        wide = np.broadcast_to(rest, (*given.shape[:-1], len(PARAMETERS))).copy()
        wide[..., place] = given
        return wide

    def prior(one: dict[str, Any]) -> dict[str, Any]:
        covariance = np.diag(PRIOR_DEVIATION**2)
        covariance[np.ix_(place, place)] = one["covariance"]
        return {**one, "mean": whole(one["mean"], PRIOR_MEAN), "covariance": covariance}

    return {
        name: prior(one) if name == "prior" else whole(one, missing[name]) if name in missing
        else _with_parameters(one, known)
        for name, one in part.items()
    }  # fmt: skip
