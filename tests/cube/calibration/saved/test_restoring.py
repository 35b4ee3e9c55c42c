"""What a calibration's file says is checked part against part: of a forged one the checksum matches too."""

from __future__ import annotations

import datetime
import json
import random
import warnings
from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest
from mutants import edited

import roofcube as rc
from roofcube.calibration.fitting.law import PARAMETERS
from roofcube.calibration.fitting.residual import KERNEL, Kernel
from roofcube.calibration.saved.storage import signed
from roofcube.errors import CorruptFileError, InvalidDataError

MUTANTS = 20
STAGING = [one.name for one in PARAMETERS].index("staging_overhead")
POSTERIOR = ("families", "NCS2", "structures", 0, "posterior")
DESCRIBED = asdict(Kernel(spread=0.1, reach=(1.0,) * 14))


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibration") / "whole.json"
    rows = rc.datasets.load_measurements().filter(pl.col("platform").is_in(["NCS2", "ZCU104-BISMO"]))
    rc.calibrate(rows).save(path)
    return json.loads(path.read_text())


def loaded(document, folder):
    path = folder / "forged.json"
    path.write_text(json.dumps(signed(document)))
    return rc.load_calibration(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("own_labels",), {"site": ["a"]}, r"`own_labels\.site`: expected a label of text, a number or a flag"),
        (("hardware", 0, "peak"), 0.0, r"`hardware\[0\]\.peak`: expected a number from 1e-30"),
        (("hardware", 0, "dataflow"), 1, r"`hardware\[0\]\.dataflow`: expected true or false, got 1"),
        (("hardware", 0, "family"), "\ud800", r"`hardware\[0\]\.family`: expected text"),
        (("networks", 0, "ops"), float("nan"), r"`networks\[0\]\.ops`: expected a number from 0"),
        (("networks", 0, "convolution_ops"), [1.0], "`networks`: expected 3 figures of convolutions, got 1"),
        (("measurements", "batch", 0), 1e30, r"`reason`: expected used rows of known hardware, network and time"),
        (("types", "batch"), "String", r"`types\.batch`: expected a type of this column \(Int64\), got 'String'"),
        (("types", "batch"), "read_csv", r"`types\.batch`: expected a type of this column"),
        (("reason",), [], "`reason`: expected a reason for each of 163 rows, got 0"),
        (("arrays", "seconds", 3), 7.0, "`reason`: expected used rows .* as throughput says, got row 3"),
        (("families", "NCS2", "groups"), [10**6], r"`families\.NCS2\.groups`: expected numbers from 0 to"),
        (("families", "NCS2", "modes"), [[0.0]], r"`families\.NCS2\.modes`: expected 3 x 13 values, got 1 x 1"),
        (("families", "NCS2", "structures"), [], r"`families\.NCS2`: expected hardware and structures, got none"),
        (("families", "NCS2", "structures", 0, "weight"), -1.0, "expected a number from 0 to 1, got -1.0"),
        (("families", "NCS2", "structures", 0, "weight"), 0.0, "expected weights that sum to 1"),
        (("families", "NCS2", "structures", 0, "tile"), 3, r"tile`: expected numbers from 0 to 2"),
        ((*POSTERIOR, "theta"), [[0.0] * 13], r"theta`: expected 2 x 13 values, got 1 x 13"),
        ((*POSTERIOR, "pull"), [1.0], r"posterior\.place\.precision`: expected 1 values, got 72"),
        ((*POSTERIOR, "group", 0), 5, r"group`: expected numbers from 0 to 0, got others"),
        ((*POSTERIOR, "noise", 0), None, r"noise`: expected numbers, got"),
        ((*POSTERIOR, "gradient", 0), [1.0], r"gradient`: expected lists of one length, got others"),
        ((*POSTERIOR, "prior", "covariance"), [[1.0] * 13] * 13, "expected a symmetric matrix with positive"),
        ((*POSTERIOR, "kernel", "noise"), 0.0, r"kernel\.noise`: expected a number from 0\.0001 to 100"),
        ((*POSTERIOR, "kernel", "spread"), 0.1, "expected a reach along each of 14 descriptors"),
        (("power", "NCS2", "watts"), [[1.0] * 5], r"power\.NCS2\.watts`: expected 1 x 7 values, got 1 x 5"),
        (("power", "NCS2", "kernel", "noise"), 0.0, r"power\.NCS2\.kernel\.noise`: expected a number from 0\.0001"),
        (("power", "NCS2", "kernel"), DESCRIBED, r"power\.NCS2\.kernel`: expected a spread of 0, got 0\.1"),
        (("power", "NoSuch"), {}, "expected an object with 'hardware', got none"),
        (("fill", "errors"), [-1.0], r"`fill\.errors`: expected numbers from 0"),
        (("scores",), {}, "`scores`: expected a part for each family with rows"),
        (("scores", "NCS2", "deviation"), [0.1], r"scores\.NCS2\.deviation`: expected 72 values, got 1"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_its_place(document, tmp_path, place, value, message):
    forged = deepcopy(document)
    inner = forged
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(CorruptFileError, match=rf"forged\.json: not a whole calibration file .*{message}"):
        loaded(forged, tmp_path)


def test_labels_that_are_there_twice_are_refused(document, tmp_path):
    with pytest.raises(CorruptFileError, match="`networks`: expected labels that differ, got one twice"):
        loaded(document | {"networks": document["networks"] * 2}, tmp_path)


def test_forged_at_random_it_is_refused_or_answers(document, tmp_path):
    rows, refused = rc.datasets.load_measurements("mnist"), 0
    for number in range(MUTANTS):
        forged = edited(document, random.Random(number))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # figures of no sense overflow
            try:
                calibration = loaded(forged, tmp_path)
            except CorruptFileError:
                refused += 1
                continue
            assert calibration.predict(rows).height == rows.height
            assert calibration.suggest(1, platform="NCS2").height == 1
            assert min(one.height for one in (calibration.trust, calibration.rows, calibration.parameters)) > 0
    assert MUTANTS / 3 < refused < MUTANTS


def test_a_checksum_holds_however_the_text_is_laid_out(document, tmp_path):
    path = tmp_path / "own.json"
    for text in (
        json.dumps(document),
        json.dumps(document, indent=1),
        json.dumps(document | {"name": document["name"]}),
    ):
        path.write_text(text)
        assert rc.load_calibration(path).rows.height == 163
        path.write_text(text.replace('"INT8"', '"INT4"', 1))
        with pytest.raises(CorruptFileError, match=r"own\.json: the content was altered"):
            rc.load_calibration(path)


def test_versions_that_never_were_are_refused(document, tmp_path):
    for version in (True, 0, -1):
        with pytest.raises(CorruptFileError, match="expected format version 1 to 7"):
            loaded(document | {"version": version}, tmp_path)


def test_columns_that_json_does_not_give_back_are_refused_at_save(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2").with_columns(day=datetime.date(2020, 1, 2))
    with pytest.raises(InvalidDataError, match="`day`: expected measurements of numbers, text or flags, got Date"):
        rc.calibrate(rows).save(tmp_path / "calibration.json")


def before_version_7(document):
    """Return what was told of a calibration while inputs of all sizes were staged in one time."""

    def without(values):
        return np.delete(values, STAGING, axis=-1).tolist()

    document = deepcopy(document) | {"version": 6}
    for network in document["networks"]:
        del network["input_elements"]
    for model in document["families"].values():
        model["modes"] = without(model["modes"])
        for structure in model["structures"]:
            part, prior = structure["posterior"], structure["posterior"]["prior"]
            part |= {name: without(part[name]) for name in ("theta", "tilt", "gradient")}
            prior |= {"mean": without(prior["mean"]), "covariance": without(np.transpose(without(prior["covariance"])))}
    return document


def test_inputs_of_before_version_7_are_staged_in_no_time(document, tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2")
    before = loaded(before_version_7(document), tmp_path)
    value = before.parameters.filter(parameter="staging_overhead")["value"]
    assert value.len() > 1
    assert (value < 1e-30).all()
    found = before.predict(rows)
    assert found["predicted_throughput"].is_not_null().all()
    # not even where inputs tell how large they are
    again = before.predict(rows, inputs=rc.inputs("mnist", platforms="NCS2"))
    assert again["predicted_throughput"].equals(found["predicted_throughput"])
    assert not found["predicted_throughput"].equals(loaded(document, tmp_path).predict(rows)["predicted_throughput"])


def test_watts_of_before_version_6_are_what_they_were(document, tmp_path):
    """They grew with the use alone, and what was left of them was half of what is left of times."""
    document = before_version_7(document)
    now, before = deepcopy(document), deepcopy(document) | {"version": 5}
    half = replace(KERNEL, amplitude=KERNEL.amplitude / 2, common=KERNEL.common / 2, noise=KERNEL.noise / 2)
    for name, model in document["power"].items():
        linear = [row[:5] for row in model["watts"]]
        now["power"][name] |= {"kernel": asdict(half), "watts": [[*row, 0.0, 0.0] for row in linear]}
        before["power"][name] |= {"watts": [*linear, [9.0] * 5]}
        del before["power"][name]["kernel"]
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2")
    watts = [loaded(one, tmp_path).predict(rows)["power"] for one in (document, now, before)]
    assert watts[2].equals(watts[1])
    assert not watts[2].equals(watts[0])
