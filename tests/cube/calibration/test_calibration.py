"""Calibration as users call it: rows in, rows out, refusals, storage, new devices, suggestions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError, UnknownLabelError

KEY = ["platform", "mode", "precision", "topology", "pruning_percent", "batch"]
RATE = "throughput_compute_per_s"
SIZES = {"macs": (5e6, 4e9), "params": (2e5, 3e7), "activations": (2e5, 2e7)}


@pytest.fixture(scope="module")
def rows():
    return rc.datasets.load_measurements()


@pytest.fixture(scope="module")
def calibration(rows):
    return rc.calibrate(rows)


@pytest.fixture(scope="module")
def small(rows):
    return rc.calibrate(rows.filter(pl.col("platform").is_in(["NCS2", "ZCU104-BISMO"])))


def config(**changes):
    one = {
        "platform": "NCS2",
        "mode": "default",
        "precision": "FP16",
        "topology": "CNV",
        "pruning_percent": 50.0,
        "batch": 4,
    }
    return pl.DataFrame([{**one, **changes}])


# predictions ----------------------------------------------------------------------------------------------------------


def test_the_same_rows_come_back_in_the_same_order(calibration, rows):
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=3)
    predicted = calibration.predict(shuffled, level=0.8)
    assert predicted.select(rows.columns).equals(shuffled)
    there = predicted.filter(pl.col("status") != "refused")
    assert there.height == rows.height
    assert there.select((pl.col("low") < pl.col("predicted_throughput")).all()).item()
    assert there.select((pl.col("predicted_throughput") < pl.col("high")).all()).item()


def test_predictions_do_not_depend_on_the_other_rows(calibration, rows):
    some = rows[100:103]
    alone = calibration.predict(some)["predicted_throughput"]
    together = calibration.predict(rows)["predicted_throughput"][100:103]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_latency_and_energy_follow_from_throughput_and_power(calibration, rows):
    found = calibration.predict(rows, level=None).drop_nulls("power")
    np.testing.assert_allclose(found["predicted_latency"] * found["predicted_throughput"], found["batch"], rtol=1e-9)
    np.testing.assert_allclose(found["predicted_energy"] * found["predicted_throughput"], found["power"], rtol=1e-9)


@pytest.mark.parametrize("level", [1 - 2**-53, np.nextafter(1.0, 0.0), 1 - 1e-12])
def test_a_level_too_near_to_one_is_refused_and_the_highest_is_answered(small, level):
    for ask in (lambda: small.predict(config(), level=level), lambda: small.tables(rc.inputs("mnist"), level=level)):
        with pytest.raises(InvalidDataError, match=r"`level`: expected a share of at most 0\.999999999, got .*; no"):
            ask()
    one = config().with_columns(pl.lit(80.0).alias(RATE))  # of which no network is left to tell an error
    highest = rc.calibrate(one, alone=True).predict(one, level=1 - 1e-9)
    assert (highest["low"] < highest["high"]).all()


def test_a_wider_level_gives_a_wider_interval(calibration):
    narrow, wide = (calibration.predict(config(), level=level).row(0, named=True) for level in (0.5, 0.95))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"platform": "Abacus"}, "not known"),
        ({"precision": "INT2"}, "not known"),
        ({"topology": "Perceptron"}, "network not known"),
        ({"pruning_percent": 33.0}, "network not known"),
        ({"batch": 0}, "from 1 to 2"),
    ],
)
def test_what_is_not_known_is_refused_with_a_reason(calibration, changes, reason):
    one = calibration.predict(config(**changes)).row(0, named=True)
    assert one["status"] == "refused"
    assert reason in one["reason"]
    assert one["predicted_throughput"] is None
    assert one["low"] is None
    assert one["power"] is None


def test_rows_that_say_no_mode_and_share_are_of_the_whole_network_in_the_usual_one(rows):
    whole = rows.filter(pl.col("platform") == "NCS2", pl.col("pruning_percent") == 100.0)
    parts = rows.filter(pl.col("platform") == "NCS2", pl.col("pruning_percent") == 50.0)
    told = pl.concat([parts, whole])
    silent = pl.concat([parts, whole.drop("mode", "pruning_percent")], how="diagonal")
    calibration, other = rc.calibrate(told), rc.calibrate(silent)
    assert other.parameters.equals(calibration.parameters)
    assert other.data.usable.tolist() == calibration.data.usable.tolist()
    answers, wanted = ["predicted_throughput", "status", "reason"], told.with_columns(batch=pl.lit(3))
    for mode, share in ((None, None), ("", None), (None, float("nan"))):
        asked = silent.with_columns(pl.lit(3).alias("batch"), pl.col("mode").fill_null(pl.lit(mode, pl.String)),
                                    pl.col("pruning_percent").fill_null(pl.lit(share, pl.Float64)))  # fmt: skip
        assert calibration.predict(asked).select(answers).equals(calibration.predict(wanted).select(answers))
        suggested = calibration.suggest(4, candidates=asked)
        assert suggested.equals(calibration.suggest(4, candidates=wanted))
        assert set(suggested["mode"]) == {"default"}
        assert not calibration.predict(pd.DataFrame(asked.to_dict(as_series=False)))["status"].eq("refused").any()


@pytest.mark.parametrize(
    "empty",
    [
        {"topology": None}, {"topology": ""}, {"platform": ""}, {"precision": None}, {"batch": None},
        {"batch": float("nan")}, {"precision": "", "batch": None},
    ],
)  # fmt: skip
def test_what_is_empty_is_named_and_not_as_unknown(small, empty):
    asked = pl.concat([config(batch=5), config(**empty)], how="diagonal_relaxed")
    whole, lacking = small.predict(asked)["reason"]
    assert whole is None
    assert lacking == f"no {' and no '.join(empty)}: fill in what is empty"
    with pytest.warns(UserWarning, match=f"`candidates`: 1 of 2 rows is left out: {lacking}"):
        assert small.suggest(1, candidates=asked).height == 1


def test_a_family_without_rows_is_refused(small):
    one = small.predict(config(platform="TX2", mode="maxn")).row(0, named=True)
    assert one["status"] == "refused"
    assert "suggest" in one["reason"]


def test_extrapolation_is_named_and_widens(rows):
    dense = rc.calibrate(rows.filter(pl.col("platform") == "NCS2", pl.col("topology") == "MLP"))
    inside = dense.predict(config(topology="MLP")).row(0, named=True)
    outside = dense.predict(config()).row(0, named=True)
    assert inside["status"] == "interpolates"
    assert outside["status"] == "extrapolates"
    assert "convolutions" in outside["reason"]
    assert outside["high"] / outside["low"] > 2.0 * inside["high"] / inside["low"]


@pytest.mark.parametrize("platform", ["NCS2", "TX2", "U96-A53"])
@pytest.mark.parametrize("dense", [True, False])
def test_intervals_hold_networks_of_a_kind_that_was_not_measured(rows, platform, dense):
    here = rows.filter(pl.col("platform") == platform)
    of_kind = (pl.col("topology") == "MLP") == dense
    # errors on many networks of one kind say nothing of the other kind
    found = rc.calibrate(here.filter(of_kind)).predict(here.filter(~of_kind))
    assert found.select(pl.col(RATE).is_between("low", "high").mean()).item() > 0.9
    assert (found["predicted_throughput"] / found["low"]).min() >= 1e3**0.45 * (1 - 1e-12)
    # but nothing is expected to be faster than what would be believed
    facts = rc.inputs(platforms=platform)
    needs = found.select("topology", "pruning_percent", "platform", "mode", "precision", "high", "predicted_throughput")
    for one in needs.iter_rows(named=True):
        peak = facts.peak_compute.sel({name: one[name] for name in ("platform", "mode", "precision")}).item()
        ops = facts.ops.sel(topology=one["topology"], pruning=one["pruning_percent"]).item()
        assert (
            one["predicted_throughput"]
            <= one["high"]
            <= max(1.5 * peak / ops * (1 + 1e-9), one["predicted_throughput"])
        )


@pytest.mark.parametrize(
    "unseen",
    [{"platform": "TX2", "precision": "FP32"}, {"platform": "TX2", "mode": "maxn"}, {"platform": "ZCU104-DPU"},
     {"platform": "ZCU104-BISMO", "precision": "INT4"}],
)  # fmt: skip
def test_intervals_hold_rows_of_hardware_that_was_not_measured(rows, unseen):
    out = pl.all_horizontal(*(pl.col(name) == value for name, value in unseen.items()))
    found = rc.calibrate(rows.filter(~out)).predict(rows.filter(out))
    assert found.select(pl.col(RATE).is_between("low", "high").mean()).item() > 0.9


def test_a_mode_that_was_not_measured_is_predicted_from_its_sisters(rows):
    seen = rows.filter(pl.col("platform") == "TX2", pl.col("mode") != "maxq")
    new = rows.filter(pl.col("platform") == "TX2", pl.col("mode") == "maxq")
    found = rc.calibrate(seen).predict(new, level=None)
    assert set(found["status"]) == {"extrapolates"}
    assert (found["predicted_throughput"] / found[RATE] - 1).abs().median() < 0.1


def test_aliases_and_a_missing_mode_are_understood(calibration):
    table = config(platform="MYRIAD").drop("mode").rename({"pruning_percent": "pruning"})
    found = calibration.predict(table)
    assert found["platform"].to_list() == ["MYRIAD"]
    assert found["predicted_throughput"].item() == calibration.predict(config())["predicted_throughput"].item()


def test_tables_agree_with_rows(small):
    inputs = rc.inputs("cifar10", platforms=["NCS2", "ZCU104-BISMO"], batch=[1, 8, 64])
    cube = small.predict(inputs, level=0.9)
    one = small.predict(config(batch=8), level=0.9).row(0, named=True)
    where = {"platform": "NCS2", "mode": "default", "precision": "FP16", "topology": "CNV", "pruning": 50, "batch": 8}
    for name in ("predicted_throughput", "predicted_latency", "low", "high", "power"):
        assert float(cube[name].sel(where)) == pytest.approx(one[name], rel=1e-12)
        assert cube[name].attrs["units"]
    assert bool(cube.predicted_throughput.sel(where | {"precision": "INT2"}).isnull())
    assert float(cube.extrapolates.sel(where)) == 0
    far = small.predict(rc.inputs("cifar10", platforms=["NCS2"], batch=[100_000]))
    assert float(far.extrapolates.max()) == 1


# what binds ------------------------------------------------------------------------------------------------------------


def test_each_prediction_says_what_takes_the_largest_part_of_the_time(calibration, rows):
    """Against the printed parameters and the likely tile: the terms of the law, computed by hand, where one is clear."""
    there = rows.filter(pl.col("platform") == "ZCU104-BISMO", pl.col("precision") == "INT2")
    found = calibration.predict(there, level=None)
    model = calibration.engine.families["BISMO"]
    named = calibration.parameters.filter(pl.col("platform") == "ZCU104-BISMO", pl.col("precision") == "INT2")
    value = dict(zip(named["parameter"], named["value"], strict=True))
    batch, place = there["batch"].to_numpy(), calibration.data.facts.hardware["ZCU104-BISMO", "default", "INT2"]
    nets = [calibration.facts.networks[key] for key in there.select("topology", "pruning_percent").iter_rows()]
    tile = max(model.structures, key=lambda one: one.weight).tile
    total = {name: np.array([getattr(one, name) for one in nets]) for name in ("layers", "dense_ops", "weights")}
    traffic = {name: np.array([getattr(one, name) for one in nets]) for name in ("activations", "patches")}
    convolution = np.array([one.convolution_ops[tile] for one in nets])
    part = {
        "compute": batch
        / place.peak
        * (convolution / value["convolution_efficiency"] + total["dense_ops"] / value["dense_efficiency"]),
        "weights": np.maximum(total["weights"] * place.element_bytes - place.weight_memory, 0)
        / place.bandwidth
        / value["weight_bandwidth_efficiency"],
        "activations": batch
        * place.element_bytes
        / place.bandwidth
        * (
            traffic["activations"] / value["activation_bandwidth_efficiency"]
            + traffic["patches"] * value["patch_traffic"]
        ),
        "overhead": value["fixed_overhead"]
        + value["layer_overhead"] * total["layers"]
        + value["input_overhead"] * batch,
    }
    names = list(part)
    terms = np.array([np.broadcast_to(part[name], len(batch)) for name in names])
    # the structures weigh little against each other where one term is half as large again as the next
    clear = np.flatnonzero(np.sort(terms, axis=0)[-1] > 1.5 * np.sort(terms, axis=0)[-2])
    assert len(clear) > 0.5 * len(batch)
    assert found["bound"][clear].to_list() == [names[place] for place in np.argmax(terms[:, clear], axis=0)]
    assert found["bound"].n_unique() > 1


def test_what_binds_is_null_where_refused(calibration):
    assert calibration.predict(config(platform="Abacus"))["bound"].to_list() == [None]


def test_a_pipeline_is_bound_by_its_pace_once_it_is_full(calibration):
    design = {"platform": "ZCU104-FINN", "precision": "INT4"}
    table = pl.concat([config(**design, batch=batch) for batch in (1, 1000)]).with_columns(initiation_interval_s=1e-3)
    assert calibration.predict(table)["bound"].to_list() == ["overhead", "compute"]


@pytest.mark.parametrize("calibrated_first", [True, False])
def test_an_interval_is_not_of_the_model_beside_it(small, calibrated_first):
    inputs = rc.inputs("cifar10", platforms=["NCS2"], batch=[1, 8])
    models = [small, rc.BOUND] if calibrated_first else [rc.BOUND, small]
    cube = rc.predict(inputs, assumptions=models)
    for name in ("predicted_throughput_low", "predicted_throughput_high", "extrapolates"):
        assert cube[name].sel(assumptions="bound").isnull().all()
        assert cube[name].sel(assumptions="calibrated").notnull().any()
    assert cube.attrs["dim_order"].split()[-2:] == ["assumptions", "batch"]
    front = rc.pareto(cube, {"predicted_throughput": "max", "top1": "max"}, per="assumptions", probability=True)
    # without an interval a figure is certain
    assert (front.probability_on_front.where(front.assumptions == "bound", drop=True) == 1).all()


def test_cubes_and_sweeps_of_a_calibration_say_what_binds(small):
    inputs = rc.inputs("cifar10", platforms=["NCS2", "ZCU104-BISMO"], batch=[1, 8, 64])
    cube = rc.predict(inputs, assumptions=[rc.BOUND, small])
    mine = cube.bound.sel(assumptions="calibrated")
    names = dict(zip(cube.bound.attrs["flag_values"].tolist(), cube.bound.attrs["flag_meanings"].split(), strict=True))
    assert cube.bound.dtype == np.dtype("i1")
    there = cube.predicted_throughput.sel(assumptions="calibrated").notnull()
    assert there.any()
    assert not there.all()
    np.testing.assert_array_equal((mine != -1).values, there.values)
    keys = mine.where(there).stack(point=mine.dims).dropna("point")
    table = pl.DataFrame([{dim: one[dim].item() for dim in mine.dims} for one in keys.point]).rename(
        {"pruning": "pruning_percent"}
    )
    assert [names[int(code)] for code in keys.values] == small.predict(table, level=None)["bound"].to_list()
    sweep = rc.Sweep(inputs, assumptions=small)
    counted = sweep.count(by="bound")["count"]
    for code, name in names.items():
        assert int(counted.sel(reason=name)) == int((mine == code).sum())
    assert int(sweep.count(where={"bound": ["overhead"]})["count"]) == int((mine == 4).sum()) > 0


def test_wrong_arguments_say_what_to_do(calibration, rows):
    with pytest.raises(InvalidDataError, match="between 0 and 1"):
        calibration.predict(rows, level=90)
    for ask in (calibration.predict, rc.calibrate, lambda table: calibration.suggest(1, candidates=table)):
        own = [{"topology": "CNV", "platform": "NCS2", "precision": "FP16", RATE: 80.0}]
        with pytest.raises(UnknownLabelError, match="`column`: 'batch' is not known") as told:
            ask(own)
        assert f": {', '.join(own[0])};" in str(told.value)  # those that were given, none that was filled in
    with pytest.raises(InvalidDataError, match="throughput_compute_per_s"):
        rc.calibrate(rows.drop(RATE, "latency_compute_s"))
    with pytest.raises(InvalidDataError, match="none that can be used"):
        rc.calibrate(rows.filter(pl.col(RATE).is_null()).drop("latency_compute_s"))
    with pytest.raises(UnknownLabelError, match="Abacus"):
        calibration.suggest(2, platform="Abacus")


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda small: small.predict(config(pruning_percent="half")), "`table`.*row 0, column 'pruning_percent'"),
        (lambda small: small.predict(config(batch="one")), "`table`.*row 0, column 'batch': got 'one'"),
        (lambda small: small.predict(config(platform=["NCS2"])), "`table`.*row 0, column 'platform'"),
        (
            lambda small: small.predict(config(initiation_interval_s="fast")),
            "column 'initiation_interval_s': got 'fast'",
        ),
        (lambda small: small.predict(config(power=9.5, status="run 3")), "`table`: .*'power', 'status'; rename it"),
        (lambda small: small.predict(config(), level="0.9"), "`level`: expected a share between 0 and 1, got '0.9'"),
        (lambda small: small.predict(config(), inputs=3), "`inputs`: expected a Dataset, got 3"),
        (lambda small: small.tables(rc.inputs("mnist"), level=90), "`level`: expected a share"),
        (lambda small: small.suggest(3, candidates=config(batch="one")), "`candidates`.*column 'batch': got 'one'"),
        (lambda small: small.suggest(3, platform=3), "`platform`: expected a str, got 3"),
        (lambda small: small.suggest(3, inputs="TX2"), "`inputs`: expected a Dataset, got 'TX2'"),
        (lambda small: rc.calibrate(config(), inputs="TX2"), "`inputs`: expected a Dataset, got 'TX2'"),
        *(
            (lambda small, n=n: small.suggest(n), "`n`: expected a whole number of at least 1")
            for n in (0, "3", None, 2.5)
        ),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(small, ask, text):
    with pytest.raises(InvalidDataError, match=text):
        ask(small)


def test_shares_of_weights_may_be_text(small):
    whole, text = (small.predict(config(pruning_percent=share), level=None) for share in (50.0, "50%"))
    assert text.drop("pruning_percent").equals(whole.drop("pruning_percent"))


# what it is made of ---------------------------------------------------------------------------------------------------


def test_parameters_are_readable_and_physical(calibration):
    table = calibration.parameters
    assert table.null_count().pipe(lambda t: t.sum_horizontal()).item() == 0
    assert (table["value"] >= 0).all()
    efficiency = table.filter(pl.col("parameter").str.ends_with("efficiency"))
    assert efficiency.height == 7 * 18
    assert (efficiency["value"] <= 1).all()
    assert set(table["unit"]) == {"s", "1", "W"}


def test_rows_that_are_left_out_say_why(calibration, rows):
    reasons = dict(calibration.unused["reason"].value_counts().iter_rows())
    alike = 1  # two runs that hardly differ are one row
    assert sum(reasons.values()) + int(calibration.data.usable.sum()) == rows.height - alike
    assert sorted(reasons.values()) == [2, 5, 8]


def test_rows_are_told_by_their_place_in_the_table_as_given():
    same = {"topology": "CNV", "platform": "NCS2", "precision": "FP16", "row": "mine"}
    speeds = ((1, 90), (1, 91), (1, 90.5), (2, 120), (4, None), (8, 250))
    calibration = rc.calibrate([same | {"batch": batch, RATE: speed} for batch, speed in speeds])
    assert calibration.rows["row"].to_list() == [0, 3, 4, 5]
    assert calibration.unused["row"].to_list() == [4]


def test_rows_a_little_above_the_listed_peak_stay_those_far_above_do_not():
    table = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    fastest = pl.col("throughput_compute_per_s") == table["throughput_compute_per_s"].max()
    row = table.filter(fastest).row(0, named=True)
    needs = rc.inputs("mnist").ops.sel(topology=row["topology"], pruning=row["pruning_percent"]).item()
    peak = float(rc.inputs("mnist").peak_compute.sel(platform="NCS2", precision="FP16").max())
    for factor, reasons in ((1.4, []), (1.6, ["far more operations per second than the compute peak"])):
        rate = pl.when(fastest).then(factor * peak / needs).otherwise(pl.col("throughput_compute_per_s"))
        unused = rc.calibrate(table.with_columns(throughput_compute_per_s=rate)).unused
        assert unused["reason"].to_list() == reasons


def test_power_of_two_set_ups_is_not_to_be_trusted(calibration):
    doubted = calibration.trust.filter(pl.col("trust").str.contains("several set-ups"))
    assert set(doubted["platform"]) == {"EdgeTPU"}
    assert "0.25 to 0.81 W" in doubted.filter(pl.col("mode") == "fast")["trust"].item()


def test_repr_says_what_to_trust(small):
    text = repr(small)
    assert "NCS2 default FP16" in text
    assert "72 rows" in text


def test_saving_and_loading_predicts_the_same(small, rows, tmp_path):
    path = tmp_path / "calibration.json"
    small.save(path)
    loaded = rc.load_calibration(path)
    assert loaded.predict(rows).equals(small.predict(rows))
    assert loaded.parameters.equals(small.parameters)
    assert loaded.suggest(3, platform="NCS2").equals(small.suggest(3, platform="NCS2"))
    assert [one.name for one in tmp_path.iterdir()] == ["calibration.json"]


def test_a_broken_or_foreign_file_is_refused(small, tmp_path):
    path = tmp_path / "calibration.json"
    small.save(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(CorruptFileError, match="not a whole calibration"):
        rc.load_calibration(path)
    path.write_text(json.dumps({"format": "recipe"}))
    with pytest.raises(CorruptFileError, match="another kind"):
        rc.load_calibration(path)
    path.write_text(json.dumps({"format": "roofcube calibration", "version": 99}))
    with pytest.raises(CorruptFileError, match="update roofcube"):
        rc.load_calibration(path)
    path.write_text("[" * 100_000)
    with pytest.raises(CorruptFileError, match="not a whole calibration"):
        rc.load_calibration(path)


def test_an_altered_calibration_is_refused(small, tmp_path):
    path = tmp_path / "calibration.json"
    small.save(path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"name": "another"}))
    with pytest.raises(CorruptFileError, match=r"calibration\.json: the content was altered"):
        rc.load_calibration(path)
    before = json.loads((Path(__file__).parent / "saved_before" / "version_1.json").read_text())
    path.write_text(json.dumps(before | {"families": {"GPU": {}}}))
    with pytest.raises(
        CorruptFileError, match=r"calibration\.json: not a whole calibration file \(ValueError: `families`"
    ):
        rc.load_calibration(path)


# new devices ----------------------------------------------------------------------------------------------------------


def test_ten_rows_of_a_new_device_say_what_cannot_be_trusted(rows):
    ten = (
        rows.filter(pl.col("platform") == "NCS2", pl.col("topology") == "CNV")
        .sort("pruning_percent", "batch")
        .gather_every(3)
        .head(10)
        .with_columns(platform=pl.lit("Gadget"))
    )
    calibration = rc.calibrate(ten)
    trust = calibration.trust.row(0, named=True)
    assert trust["rows"] == calibration.rows["used"].sum() == 10
    assert "guessed" in trust["trust"]
    assert "no fully connected" in trust["trust"]
    found = calibration.predict(ten)
    assert (found["predicted_throughput"] / found[RATE] - 1).abs().median() < 0.1
    assert set(found["status"]) == {"extrapolates"}
    assert calibration.predict(config(platform="Gadget", topology="MLP"))["reason"].item().count("fully connected")


def test_a_board_without_a_data_sheet_predicts_its_fully_connected_networks(rows):
    board = rows.filter(pl.col("platform") == "NCS2").with_columns(platform=pl.lit("Gadget"))
    for table in (board.filter(pl.col("topology") == "MLP"), board):
        calibration = rc.calibrate(table)
        assert calibration.rows["used"].all()
        found = calibration.predict(table)
        assert (found["predicted_throughput"] / found[RATE] - 1).abs().median() < 0.02


@pytest.mark.parametrize("topology", ["MLP", "CNV"])
def test_a_row_in_a_wrong_unit_does_not_move_what_is_guessed_of_a_board(rows, topology):
    board = rows.filter(pl.col("platform") == "NCS2").with_columns(platform=pl.lit("Gadget"))
    wrong = (pl.col("topology") == topology) & (pl.col("batch") == 1) & (pl.col("pruning_percent") == 100.0)
    slipped = rc.calibrate(board.with_columns(pl.when(wrong).then(pl.col(RATE) * 1000).otherwise(RATE).alias(RATE)))
    assert slipped.rows.filter(~pl.col("used"))["topology"].to_list() == [topology]
    whole, without = rc.calibrate(board).facts.hardware, slipped.facts.hardware
    key = ("Gadget", "default", "FP16")
    assert without[key].peak == pytest.approx(whole[key].peak)
    assert without[key].bandwidth == pytest.approx(whole[key].bandwidth, rel=0.5)


def test_facts_of_a_new_platform_come_with_inputs(rows):
    facts = rc.datasets.load_platforms().filter(pl.col("platform") == "NCS2")
    facts = facts.with_columns(platform=pl.lit("Gadget"), family=pl.lit("Gadget"))
    named = rows.filter(pl.col("platform") == "NCS2").with_columns(platform=pl.lit("Gadget"))
    inputs = rc.inputs(platforms=[facts])
    calibration = rc.calibrate(named, inputs=inputs)
    assert "guessed" not in calibration.trust["trust"].item()
    plain = rc.calibrate(rows.filter(pl.col("platform") == "NCS2"))
    found = calibration.predict(config(platform="Gadget"))["predicted_throughput"].item()
    assert found == pytest.approx(plain.predict(config())["predicted_throughput"].item(), rel=1e-9)


def test_a_dataflow_design_with_its_interval_is_predicted_closely(rows):
    finn = rows.filter(pl.col("platform") == "ZCU104-FINN")
    design = ["precision", "topology", "pruning_percent"]
    pace = 1 / pl.col(RATE).sort_by("batch").last()
    interval = finn.group_by(design, maintain_order=True).agg(initiation_interval_s=pace)
    held = finn.filter(pl.col("topology") == "CNV", pl.col("precision") == "INT4").drop("initiation_interval_s")
    calibration = rc.calibrate(finn.join(held.select(KEY), on=KEY, how="anti"))
    wanted = held.join(interval, on=design, how="left", maintain_order="left")
    assert wanted["initiation_interval_s"].null_count() == 0
    blind, told = calibration.predict(held), calibration.predict(wanted)
    assert set(told["status"]) == {"interpolates"}
    assert (told["predicted_throughput"] / told[RATE] - 1).abs().median() < 0.08
    assert (told["high"] / told["low"]).median() < (blind["high"] / blind["low"]).median()


def test_suggestions_for_a_brand_new_platform_beat_none_and_come_without_rows(rows):
    known = rows.filter(pl.col("platform") != "ZCU104-BISMO")
    target = rows.filter(pl.col("platform") == "ZCU104-BISMO", pl.col("precision") == "INT4")
    calibration = rc.calibrate(known)
    seven = calibration.suggest(7, candidates=target)
    assert seven.select(KEY).is_unique().all()
    assert seven["expected_error_percent"].is_sorted(descending=True)
    picked = target.join(seven.select(KEY), on=KEY, how="semi")
    assert picked.height == 7
    rest = target.join(seven.select(KEY), on=KEY, how="anti")
    found = rc.calibrate(pl.concat([known, picked])).predict(rest, level=None)
    assert (found["predicted_throughput"] / found[RATE] - 1).abs().median() < 0.15
    free = calibration.suggest(3, platform="BISMO")
    assert set(free["platform"]) == {"ZCU104-BISMO"}


def test_batches_that_are_no_batch_are_refused_with_the_reason():
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2").head(12)
    calibration = rc.calibrate(rows)
    wanted = rows.head(4).select("platform", "mode", "precision", "topology", "pruning_percent")
    wrong = [float("inf"), -1.0, 0.0, 0.5, 2.5, 2.0**54]
    asked = wanted[:1].drop("batch", strict=False).join(pl.DataFrame({"batch": [*wrong, 8.0, 2.0**53]}), how="cross")
    found = calibration.predict(asked)
    assert found["status"].to_list()[:6] == ["refused"] * 6
    assert set(found["reason"][:6]) == {"batch must be a whole number from 1 to 2**53"}
    assert found["predicted_throughput"].is_null().to_list() == [True] * 6 + [False] * 2
    with pytest.warns(UserWarning, match=r"6 of 8 .*left out: inf, -1, 0, …: batch must be a whole number from 1 to"):
        assert calibration.suggest(1, candidates=asked).height == 1
    cube = rc.inputs("mnist", platforms="NCS2", batch=[1, 2.5])
    for ask in (calibration.tables, calibration.predict, lambda cube: rc.predict(cube, assumptions=calibration)):
        with pytest.raises(InvalidDataError, match=r"`inputs`: batch must be a whole .* got 2\.5; leave"):
            ask(cube)
    for wrong, text in ((float("inf"), "finite"), (1e30, "equal to 9223372036854775807")):
        with pytest.raises(InvalidDataError, match=f"row 0, column 'batch': got .*{text}"):
            rc.calibrate(rows.with_columns(batch=pl.Series([wrong, *rows["batch"][1:].to_list()])))


def test_a_calibration_with_a_batch_beyond_all_numbers_is_saved_and_read(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2").head(12)
    calibration = rc.calibrate(rows.with_columns(batch=pl.Series([2**60, *rows["batch"][1:].to_list()])))
    assert calibration.unused.height == 1
    calibration.save(tmp_path / "one.json")
    assert rc.load_calibration(tmp_path / "one.json").unused.height == 1


def test_what_inputs_say_of_what_is_known_counts_or_is_refused():
    inputs = rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 4])
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"), inputs=inputs)
    once = rc.predict(inputs, assumptions=calibration)["predicted_throughput"]
    demands = [
        name for name in inputs if str(name) in ("ops", "params", "activations") or str(name).startswith("layer_")
    ]
    demands = [name for name in demands if name not in ("layer_fully_connected", "layer_grouped", "layer_repeats")]
    larger = inputs.assign({name: 10 * inputs[name] for name in demands})
    slower = rc.predict(larger, assumptions=calibration)["predicted_throughput"]
    ratio = (slower / once).to_series().dropna()
    assert len(ratio) == once.count()
    assert ratio.max() < 1
    assert ratio.median() < 0.5
    resolution = xr.DataArray([1.0, 4.0], dims="resolution", coords={"resolution": [28, 56]})
    along = inputs.assign(layer_ops=inputs["layer_ops"] * resolution)
    with pytest.raises(InvalidDataError, match="`layer_ops` of it along resolution"):
        rc.predict(along, assumptions=calibration)
    at_one = rc.predict(along.sel(resolution=28, drop=True), assumptions=calibration)
    xr.testing.assert_equal(at_one["predicted_throughput"], once)
    other = inputs.assign(memory_bandwidth=inputs["memory_bandwidth"] / 100)
    wanted = rc.datasets.load_measurements("mnist").filter(platform="NCS2").head(3)
    for ask in (
        lambda: rc.predict(other, assumptions=calibration),
        lambda: calibration.predict(wanted, inputs=other),
        lambda: calibration.suggest(1, inputs=other),
    ):
        with pytest.raises(InvalidDataError, match="NCS2 default FP16 was calibrated with memory_bandwidth"):
            ask()


def test_inputs_that_were_cut_or_hold_other_networks_say_the_same(rows):
    board = {"platform": "Gadget", "device_class": "NPU", "memory_bandwidth": "10 GB/s", "cores": 2}
    peaks = {"INT8": "4 TOP/s", "FP32": "0.5 TOP/s"}
    boards = rc.read_platforms([board | {"precision": name, "peak_compute": peak} for name, peak in peaks.items()])
    inputs = rc.inputs("mnist", platforms=boards, batch=[1, 4])
    named = rows.filter(platform="NCS2", topology="MLP").with_columns(
        platform=pl.lit("Gadget"), precision=pl.lit("INT8")
    )
    calibration = rc.calibrate(named, inputs=inputs)
    name = "predicted_throughput"
    whole = calibration.tables(inputs)[name]
    cut = calibration.tables(inputs.sel(precision=["FP32"]))[name]
    assert whole.notnull().any()
    np.testing.assert_array_equal(cut, whole.sel(precision=["FP32"]))
    np.testing.assert_array_equal(calibration.tables(inputs.drop_vars("cores"))[name], whole)
    asked = named.head(3)
    assert calibration.predict(asked, inputs=rc.as_offered(inputs)).equals(calibration.predict(asked, inputs=inputs))
    phases = xr.DataArray([1.0, 2.0], dims="phase", coords={"phase": ["one", "two"]})
    other = inputs.assign_coords(topology=["Other"])
    phased = [name for name in inputs if "topology" in inputs[name].dims and inputs[name].dtype.kind == "f"]
    both = xr.concat(
        [inputs.assign({name: inputs[name] * phases**0 for name in phased}),
         other.assign({name: other[name] * phases for name in phased})],
        "topology", data_vars="minimal",
    )  # fmt: skip
    found = calibration.tables(both)[name]
    np.testing.assert_array_equal(found.sel(topology=["MLP"]), whole)
    assert found.sel(topology="Other").isnull().all()
    assert calibration.tables(both.sel(phase=["two"]))[name].sel(topology="Other").notnull().any()


def test_suggestions_for_a_known_platform_are_new_rows(small, rows):
    five = small.suggest(5, platform="NCS2")
    assert five.height == 5
    assert five.join(rows.select(KEY), on=KEY, how="semi").height == 0


@pytest.mark.parametrize("count", [24, 45])
def test_of_a_board_of_one_mode_networks_never_measured_come_first(count):
    draw = np.random.default_rng(0)
    size = {name: np.exp(draw.uniform(*np.log(ends), 24)) for name, ends in SIZES.items()}
    names = [f"n{place}" for place in range(24)]
    board = rc.hypothetical(name="Kite", peak_compute="9.7 TOP/s", memory_bandwidth="115 GB/s")
    own = rc.read_network({"topology": names, **size}, task="own")
    inputs = rc.inputs("own", platforms=board, topologies=own, precision="INT8", batch=[1])

    def row(place, batch):
        compute = 2.0 * size["macs"][place] * batch / 6.1e12
        memory = (size["params"][place] + size["activations"][place] * batch) / 4.8e10
        seconds = (2.3e-5 + max(compute, memory) + 0.3 * min(compute, memory)) * np.exp(0.03 * draw.normal())
        return {
            "platform": "Kite",
            "precision": "INT8",
            "topology": names[place],
            "batch": batch,
            RATE: batch / seconds,
        }

    seen = [row(place, batch) for place in range(20) for batch in (1, 8, 64)][:count]
    calibration = rc.calibrate(seen, inputs=inputs)
    left = [row(place, batch) for place in range(24) for batch in (2, 32)]
    chosen = calibration.suggest(4, candidates=left, inputs=inputs)
    assert not {*chosen["topology"]} & {one["topology"] for one in seen}
    error, found = chosen["expected_error_percent"], calibration.predict(left, level=None, inputs=inputs)
    assert error.is_sorted(descending=True)
    assert error.n_unique() == 4
    real = 100.0 * (found["predicted_throughput"] / found[RATE]).log().abs().median()
    assert 0.5 < error[0] / real < 2.0


@pytest.fixture(scope="module")
def kite_inputs():
    board = rc.hypothetical(name="Kite", peak_compute="2 TOP/s", memory_bandwidth="10 GB/s")
    return rc.inputs("cifar10", platforms=board, precision=["INT8", "FP16"])


@pytest.fixture(scope="module")
def kite(kite_inputs):
    same = {"topology": "CNV", "platform": "Kite", "precision": "INT8"}
    return rc.calibrate([same | {"batch": batch, RATE: 900.0 * batch**0.4} for batch in (1, 2, 4)], inputs=kite_inputs)


def test_precisions_without_rows_are_suggested(kite):
    assert kite.suggest(2).equals(kite.suggest(2, platform="Kite"))
    assert set(kite.suggest(2)["precision"]) == {"FP16"}


def test_candidates_are_suggested_once_and_those_left_out_are_told(kite):
    same = {"topology": "CNV", "platform": "Kite", "precision": "INT8", "pruning_percent": 50.0, "batch": 8.0}
    wrong = [{"batch": 2.5}, {"platform": "Kit"}, {"topology": "CNVV"}]
    with pytest.warns(UserWarning, match="`candidates`: 3 of 5 rows are left out") as told:
        found = kite.suggest(5, candidates=[same, same, *(same | one for one in wrong)])
    assert found.select(KEY[3:]).rows() == [("CNV", 50.0, 8)]
    (text,) = (str(one.message) for one in told)
    assert "left out: 2.5: batch must be" in text
    for name in ("Kit default INT8: platform, mode or", "CNVV 50: network not known"):
        assert name in text
    with pytest.raises(InvalidDataError, match=r"got none \(Kit default INT8: .*\); give"):
        kite.suggest(1, candidates=[same | wrong[1]])


def test_candidates_are_thinned_after_those_measured_are_left_out(kite, kite_inputs):
    same = {"topology": "CNV", "platform": "Kite", "precision": "INT8", "pruning_percent": [12.5, 25.0, 50.0, 100.0]}
    every = pl.DataFrame(same).join(pl.DataFrame({"batch": range(1, 121)}), how="cross")
    rows = every.with_columns((900.0 * pl.col("batch") ** 0.4).alias(RATE))
    left = rows[[150, 300]]
    most = rc.calibrate(rows.join(left, on=rows.columns, how="anti"), inputs=kite_inputs)
    assert sorted(most.suggest(3, candidates=every)["batch"]) == sorted(left["batch"])
    with pytest.warns(
        UserWarning, match="`candidates`: 477 are left to measure, of which 400 drawn evenly are compared"
    ):
        assert kite.suggest(1, candidates=every).height == 1


def test_a_sister_platform_is_predicted_once_its_facts_are_given(rows):
    two = rows.filter(pl.col("platform").is_in(["Ultra96-DPU", "ZCU102-DPU"]))
    facts = rc.datasets.load_platforms().filter(pl.col("platform") == "ZCU104-DPU")
    inputs = rc.inputs(platforms=[facts.with_columns(platform=pl.lit("Board"))])
    calibration = rc.calibrate(two)
    wanted = rows.filter(pl.col("platform") == "ZCU104-DPU", pl.col("topology") == "ResNet-50")
    wanted = wanted.with_columns(platform=pl.lit("Board"))
    assert set(calibration.predict(wanted)["status"]) == {"refused"}
    found = calibration.predict(wanted, inputs=inputs)
    assert set(found["status"]) == {"extrapolates"}
    assert (found["predicted_throughput"] / found[RATE] - 1).abs().median() < 0.25


# of the file's own code: throughput and its low end
EXPECTED_OF_VERSION_1 = ([616.09460015, 1014.23016741, 1489.50650095], [521.496881148, 858.501062889, 1260.80149786])


def test_a_calibration_saved_by_version_1_predicts_what_it_did():
    kept = rc.load_calibration(Path(__file__).parent / "saved_before" / "version_1.json")
    wanted = pl.DataFrame(
        {"platform": "NCS2", "precision": "FP16", "topology": "MLP", "pruning_percent": 12.5, "batch": [1, 2, 4]}
    )
    found = kept.predict(wanted)
    np.testing.assert_allclose(found["predicted_throughput"], EXPECTED_OF_VERSION_1[0], rtol=1e-9)
    np.testing.assert_allclose(found["low"], EXPECTED_OF_VERSION_1[1], rtol=1e-9)


def test_errors_of_several_boards_without_data_sheets(rows):
    boards = rows.filter(pl.col("platform").is_in(["NCS2", "EdgeTPU"]))
    boards = boards.with_columns(platform=pl.lit("My ") + pl.col("platform"))
    errors = rc.calibrate(boards).errors
    assert {"My NCS2", "My EdgeTPU"} <= set(errors["family"])


def test_rows_without_pruning_are_of_the_whole_network():
    rows = [
        {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "batch": batch, "throughput_compute_per_s": speed}
        for batch, speed in ((1, 90), (2, 91), (4, 95))
    ]
    whole = [row | {"pruning_percent": 100} for row in rows]
    wanted = {name: [rows[0][name]] for name in ("topology", "platform", "precision")} | {"batch": [3]}
    first, second = (rc.calibrate(one).predict(wanted, level=None) for one in (rows, whole))
    assert first["status"].to_list() == ["interpolates"]
    assert first.equals(second)


def test_rows_that_a_dim_of_the_inputs_tells_apart_are_of_one_label():
    sites = xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["a", "b"]})
    inputs = rc.inputs("mnist", platforms="TX2")
    inputs = inputs.assign(price=sites)
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "TX2")
    slow = rows.with_columns(pl.col("throughput_compute_per_s") / 10, pl.col("latency_compute_s") * 10)
    both = pl.concat([rows.with_columns(site=pl.lit("a")), slow.with_columns(site=pl.lit("b"))])
    with pytest.raises(InvalidDataError, match="`inputs`: expected one label along site, which the measurements tell"):
        rc.calibrate(both, inputs=inputs)
    with pytest.warns(
        UserWarning, match=f"{rows.height} of {both.height} rows are left out: `inputs` are those of site 'a'"
    ):
        one = rc.calibrate(both, inputs=inputs.sel(site="a"))
    assert one.rows.equals(rc.calibrate(rows, inputs=inputs.sel(site="a")).rows)
    with pytest.raises(InvalidDataError, match="expected one label along site"):
        rc.calibrate(both.rename({"site": "Site"}), inputs=inputs)


def test_rows_of_another_label_than_calibrated_are_neither_predicted_nor_suggested(tmp_path):
    sites = xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["a", "b"]})
    inputs = rc.inputs("mnist", platforms="TX2").assign(price=sites)
    rows = rc.datasets.load_measurements("mnist").filter(platform="TX2").with_columns(site=pl.lit("a"))
    calibration = rc.calibrate(rows, inputs=inputs.sel(site="a"))
    calibration.save(tmp_path / "site.json")
    here, there = rows.head(2), rows.head(2).with_columns(site=pl.lit("b"))
    asked = pl.concat([here, there]).rename({"site": "Site"})
    for one in (calibration, rc.load_calibration(tmp_path / "site.json")):
        found = one.predict(asked)
        assert found["status"].to_list() == ["interpolates"] * 2 + ["refused"] * 2
        assert found["predicted_throughput"].is_null().to_list() == [False, False, True, True]
        assert found["reason"][3] == "not of site 'a': calibrate such rows by themselves"
        new = asked.with_columns(batch=3)
        with pytest.warns(UserWarning, match="`candidates`: 2 of 4 rows are left out: not of site 'a'"):
            assert one.suggest(4, candidates=new).height == new[:2].select(KEY).n_unique()
    moved = calibration.predict(there, inputs=inputs.sel(site="b"))
    assert moved["status"].to_list() == ["extrapolates"] * 2
    assert moved["reason"][0] == "calibrated on rows of site 'a'"
    for site, beyond in {"a": {0.0, 1.0}, "b": {1.0}}.items():
        cube = rc.predict(inputs.sel(site=site), assumptions=calibration)
        assert set(cube["extrapolates"].values[cube["predicted_throughput"].notnull()]) == beyond
    assert calibration.suggest(1, candidates=there, inputs=inputs.sel(site="b")).height == 1


def test_labels_that_no_file_keeps_are_named(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2")
    inputs = rc.inputs("mnist", platforms="NCS2").assign_coords(site=xr.DataArray(1j))
    with pytest.raises(InvalidDataError, match="`site`: expected a label of text, a number or a flag, got 1j"):
        rc.calibrate(rows, inputs=inputs).save(tmp_path / "site.json")


@pytest.mark.parametrize("name", ["TPU", "tx2", "MYRIAD"])
def test_a_board_of_ones_own_is_no_other_that_is_spelt_alike(name, tmp_path):
    board = rc.hypothetical(name=name, peak_compute="2 TOP/s", memory_bandwidth="10 GB/s", power="6 W")
    inputs = rc.inputs("cifar10", platforms=board, precision="INT8", batch=[1, 2, 4, 8])
    board_name = inputs["platform"].item()
    same = {"topology": "CNV", "platform": name, "precision": "INT8", "pruning_percent": 100}
    rows = [same | {"batch": batch, RATE: 900.0 * batch**0.3} for batch in (1, 2, 4, 8)]
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    for given in (rows, tmp_path / "rows.csv"):
        calibration = rc.calibrate(given, inputs=inputs)
        assert calibration.trust["platform"].to_list() == [board_name]
        assert rc.predict(inputs, assumptions=calibration)["predicted_throughput"].notnull().all()
        assert set(calibration.predict(given)["status"]) == {"interpolates"}
        new = [same | {"batch": 16}]
        assert calibration.suggest(1, platform=name, candidates=new)["platform"].to_list() == [board_name]


def test_tables_that_do_not_fit_are_refused(small):
    inputs = rc.inputs("mnist", batch=range(1, 1001))
    with rc.set_options(memory="1 MB"), pytest.raises(MemoryLimitError, match="`calibrated tables`: expected a cube"):
        small.predict(inputs)


def test_what_a_collection_knows_needs_no_inputs():
    rows = rc.datasets.load_measurements("accelerators").filter(
        pl.col("mode") == "graph", pl.col("precision") == "FP16"
    )
    calibration = rc.calibrate(rows)
    names = rows["topology"].unique().to_list()
    told = rc.calibrate(rows, inputs=rc.inputs(platforms="H100-SXM", topologies=names, batch=1))
    wanted = rows.select(KEY).head(6)
    assert calibration.predict(wanted).equals(told.predict(wanted))

    # a network that was not measured, on the board and beside a network of nobody
    new = {"platform": "H100-SXM", "mode": "graph", "precision": "FP16", "topology": ["resnet26d@288", "nobody's"]}
    found = calibration.predict({**new, "batch": [8, 8]})
    assert "resnet26d@288" not in names
    assert found["predicted_throughput"].is_not_null().to_list() == [True, False]
    assert found["status"].to_list()[1] == "refused"
    assert calibration.suggest(2, platform="RTX3090")["platform"].unique().to_list() == ["RTX3090"]
    with pytest.warns(UserWarning, match="were measured, nothing is left"):
        assert calibration.suggest(2, candidates=wanted).height == 0


def test_a_network_of_a_collection_on_a_board_of_ones_own_needs_no_inputs():
    rows = [
        {"platform": "Kite", "precision": "FP16", "topology": name, "batch": batch, RATE: speed * batch**0.5}
        for name, speed in (("resnet18@224", 900.0), ("resnet50@224", 300.0), ("mobilenetv3_large_100@224", 1900.0))
        for batch in (1, 4, 16)
    ]
    predicted = rc.calibrate(rows).predict({**rows[0], "topology": ["resnet34@224"]})
    assert predicted["predicted_throughput"].is_not_null().all()
