"""New boards, alone and beside others, and rows that are mistaken: what few rows teach, and what bad ones must not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from made_up_boards import board, data_of, error_after, rows_of, truth

import roofcube as rc
from roofcube.calibration.facts import facts_of
from roofcube.calibration.fitting import law
from roofcube.calibration.fitting.families import FittedFamilies, family_model
from roofcube.calibration.fitting.family import fit_family, prior_from
from roofcube.calibration.fitting.mistakes import mistakes
from roofcube.calibration.measured import measured
from roofcube.calibration.residuals import off_by
from roofcube.calibration.rows import IndexedRows
from roofcube.errors import InvalidDataError

RATE = "throughput_compute_per_s"


@pytest.fixture(scope="module")
def larger(world):
    return {name: family_model(data_of(*world[name]), np.arange(60), {}, name) for name in ("near", "far", "strange")}


def test_a_sister_is_found_among_other_boards_and_no_key_is_needed(world, larger):
    own = [1, 8, 20, 33, 47]
    alone, helped = error_after(world, {}, own), error_after(world, larger, own)
    assert not alone[0].sisters
    share = {
        name: sum(one.weight for one in helped[0].sisters if one.model.groups == larger[name].groups) for name in larger
    }
    assert share["near"] > 0.8
    assert helped[1] < 0.06 < 0.6 * alone[1]


def test_without_a_sister_the_rows_speak_for_themselves(world, larger):
    own = np.arange(0, 60, 5)
    unlike = {name: larger[name] for name in ("far", "strange")}
    alone, helped = error_after(world, {}, own), error_after(world, unlike, own)
    assert helped[1] < 1.15 * alone[1]


def test_more_rows_of_a_board_with_a_sister_are_no_worse(world, larger):
    generator = np.random.default_rng(1)
    draws = [generator.permutation(60)[:10] for _ in range(4)]
    found = [np.mean([error_after(world, larger, draw[:count])[1] for draw in draws]) for count in (1, 4, 10)]
    assert (np.diff(found) < 0.01).all()


def test_deviations_with_a_sister_are_smaller_and_hold_what_they_promise(world, larger):
    own = [1, 8, 20, 33, 47]
    rows, seconds = world["new"]
    rest = rows.take(np.setdiff1d(np.arange(60), own))
    helped, alone = error_after(world, larger, own)[0], error_after(world, {}, own)[0]
    assert np.median(helped.deviation(rest)) < 0.8 * np.median(alone.deviation(rest))
    off = np.abs(helped.log_time(rest) - seconds[rest.network])
    assert (off < 2 * helped.deviation(rest)).mean() > 0.85


def test_leaving_networks_out_with_a_sister_is_what_fits_without_them_predict(world, larger):
    own = np.arange(0, 60, 3)
    rows, seconds = world["new"]
    some = rows.take(own)
    model = family_model(data_of(rows, seconds), own, larger, "new")
    mean, _ = model.without_each(some, seconds[own], some.network)
    for one in (2, 11):
        again = family_model(data_of(rows, seconds), np.delete(own, one), larger, "new")
        assert mean[one] == pytest.approx(again.log_time(some.take(np.array([one])))[0], abs=0.05)


def test_a_wrong_key_is_overruled(nets):
    """A board of eight rows under the key of one that is unlike it is no worse off than alone, in the mean of draws."""
    machines = (board("big", 1.0, "one"), board("small", 1.5, "one"))
    big, small = (rows_of(nets, machines, place, np.arange(60)) for place in (0, 1))
    unlike = law.PRIOR_MEAN + np.where(law.MEMORY, 2.5, -1.5)
    error = []
    for draw in range(5):
        generator = np.random.default_rng(draw)
        first = truth(big, law.PRIOR_MEAN, generator.normal(0, 0.1, 60))
        second = truth(small, unlike, generator.normal(0, 0.1, 60)) + 0.8
        own = np.sort(generator.permutation(60)[:8])
        rows = IndexedRows(*(np.concatenate([getattr(one, name) for one in (big, small.take(own))]) for name in
                             ("hardware", "network", "batch")), machines, nets)  # fmt: skip
        together = family_model(data_of(rows, np.concatenate([first, second[own]])), np.arange(len(rows)), {}, "one")
        alone = fit_family(small.take(own), second[own], prior_from([]), draws=12)
        rest = np.setdiff1d(np.arange(60), own)
        there = small.take(rest)
        error.append([np.median(np.abs(model.log_time(there) - second[rest])) for model in (together, alone)])
        assert together.sisters
    together, alone = np.mean(error, axis=0)
    assert together < 1.2 * alone


# mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [8.0, 1000.0, 1 / 1000, 1 / 8])
def test_a_gross_mistake_is_found_and_its_neighbours_are_not(factor):
    generator = np.random.default_rng(0)
    size = np.linspace(0, 3, 30)
    covariance = 0.04 * np.exp(-0.5 * (size[:, None] - size) ** 2) + 0.01 + 0.002 * np.eye(30)
    residual = np.linalg.cholesky(covariance) @ generator.standard_normal(30)
    dirty = residual.copy()
    dirty[[4, 15, 22]] += np.log(factor)
    wrong, evidence = mistakes(covariance, dirty, np.arange(30))
    assert np.flatnonzero(wrong).tolist() == [4, 15, 22]
    clean, better = mistakes(covariance, residual, np.arange(30))
    assert not clean.any()
    assert better > evidence


def test_what_a_configuration_says_at_every_batch_is_no_mistake():
    covariance = 0.04 * np.eye(12)
    residual = np.zeros(12)
    residual[8:] = 2.0
    apart, _ = mistakes(covariance, residual, np.arange(12))
    together, _ = mistakes(covariance, residual, np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]))
    assert apart.sum() == 4
    assert not together.any()


def test_of_two_rows_none_is_called_wrong():
    assert not mistakes(0.01 * np.eye(2), np.array([0.0, 5.0]), np.arange(2))[0].any()


@pytest.fixture(scope="module")
def thirty_two():
    rows = rc.datasets.load_measurements().filter(pl.col("platform") == "NCS2", pl.col(RATE).is_not_null())
    return rows[np.sort(np.random.default_rng(7).permutation(rows.height)[:32])]


@pytest.mark.parametrize("given", ["throughput", "latency"])
@pytest.mark.parametrize("slip", [1000.0, 8.0, 1 / 8, 1 / 1000])
def test_three_bad_rows_of_32_change_the_other_predictions_little(thirty_two, given, slip):
    bad = [4, 13, 27]
    rate = thirty_two[RATE].to_numpy().copy()
    rate[bad] *= slip
    dirty = thirty_two.with_columns(pl.Series(RATE, rate))
    if given == "latency":
        without = [name for name in dirty.columns if "throughput" in name or "latency" in name]
        dirty = dirty.with_columns(latency_s=pl.col("batch") / pl.col(RATE)).drop(without)
        dirty = dirty.rename({"latency_s": "latency_compute_s"})
    calibration = rc.calibrate(dirty)
    asked = thirty_two[[one for one in range(32) if one not in bad]]
    clean = rc.calibrate(thirty_two).predict(asked, level=None)["predicted_throughput"]
    found = calibration.predict(asked, level=None)["predicted_throughput"]
    assert (found / clean - 1).abs().quantile(0.9) < 0.05
    rows = calibration.rows
    assert rows.filter(~pl.col("used"))["row"].to_list() == bad
    assert rows["why"][bad].is_not_null().all()
    assert "29 of 32 rows" in repr(calibration)


def test_a_thousandfold_between_throughput_and_latency_is_left_out_and_named(thirty_two):
    latency = thirty_two["latency_compute_s"].to_numpy().copy()
    latency[5] *= 1000
    calibration = rc.calibrate(thirty_two.with_columns(latency_compute_s=pl.Series(latency)))
    assert calibration.unused["row"].to_list() == [5]
    assert "a unit is off" in calibration.unused["reason"].item()
    assert "a unit is off" in calibration.rows["why"][5]


def test_rows_without_throughput_and_latency_are_refused(thirty_two):
    with pytest.raises(InvalidDataError, match="latency_compute_s"):
        rc.calibrate(thirty_two.drop(RATE, "latency_compute_s"))


@pytest.mark.parametrize(
    ("factor", "slip"),
    [
        (1000.0, "ms for s"),
        (1e-6, "us for s"),
        (2.0, "multiply-accumulate"),
        (8.0, "says nothing"),
        (700.0, "ms for s"),
        (30_000.0, "says nothing"),
    ],
)
def test_the_size_of_an_error_tells_its_slip(factor, slip):
    text = off_by(np.log(factor))
    assert ("slower" in text) == (factor < 1)
    assert (slip in text) == (slip != "says nothing")
    assert ("perhaps" in text) == (slip != "says nothing")


def test_rows_as_expected_have_no_why(thirty_two):
    rows = rc.calibrate(thirty_two).rows
    assert rows.height == 32
    near = rows.filter(pl.col("measured_over_predicted").is_between(0.81, 1.24))
    assert near["why"].null_count() == near.height > 25
    assert rows["used"].all()


# what predictions must keep to ----------------------------------------------------------------------------------------


def test_latency_never_falls_as_the_batch_grows_unless_the_rows_say_so():
    rows = rc.datasets.load_measurements().filter(pl.col("platform") == "NCS2")
    model = rc.calibrate(rows).engine.families["NCS2"]
    data = measured(rows, facts_of(None))
    networks = np.unique(data.rows.network[data.usable])
    batch = 2.0 ** np.arange(10)
    hardware = int(data.rows.hardware[data.usable][0])
    allowed = dict.fromkeys(model.falling)
    for network in networks.tolist():
        some = replace(data.rows, hardware=np.full(10, hardware), network=np.full(10, network), batch=batch)
        seconds = model.log_time(some)
        assert (np.diff(seconds) >= -1e-12).all() or (hardware, network) in allowed


def test_a_fall_that_was_measured_is_kept(thirty_two):
    one = thirty_two.filter(pl.struct("topology", "pruning_percent") == thirty_two.select(
        pl.struct("topology", "pruning_percent").mode().first()).to_series()[0]).sort("batch")  # fmt: skip
    last = one["batch"][-1]
    slow = (pl.col("batch") < last) & pl.col("source_row").is_in(one["source_row"].implode())
    # every smaller batch takes a quarter more time than the largest
    slower = 0.8 * pl.col("batch") * one[RATE][-1] / last
    falls = thirty_two.with_columns(pl.when(slow).then(slower).otherwise(RATE).alias(RATE))
    model = rc.calibrate(falls).engine.families["NCS2"]
    assert model.falling


def test_no_prediction_needs_less_than_peak_and_bandwidth_allow(nets):
    machines = (board("one", 1.0),)
    rows = rows_of(nets, machines, 0, np.arange(60))
    seconds = np.maximum(*law.floor(rows)) + 0.3 * np.random.default_rng(0).standard_normal(60) ** 2
    model = fit_family(rows, seconds, prior_from([]))
    strange = replace(nets[0], weights=1e3, activations=1e9)
    there = replace(rows.take(np.array([0])), nets=(strange, *nets[1:]))
    for least, above in zip(law.floor(there), (model.above_peak, model.above_bandwidth), strict=True):
        assert model.log_time(there)[0] >= least[0] - np.log(above[0]) - 1e-12


def test_a_calibration_with_sisters_predicts_the_same_when_loaded(world, larger, tmp_path):
    """The rows are of a second, smaller platform beside a larger one; both from the embedded rows."""
    rows = rc.datasets.load_measurements()
    few = rows.filter(pl.col("platform") == "EdgeTPU")
    calibration = rc.calibrate(pl.concat([rows.filter(pl.col("platform") == "U96-A53"), few]))
    assert isinstance(calibration.engine, FittedFamilies)
    calibration.save(tmp_path / "board.json")
    again = rc.load_calibration(tmp_path / "board.json")
    for name, model in calibration.engine.families.items():
        assert len(again.engine.families[name].sisters) == len(model.sisters)
        assert again.engine.families[name].falling == model.falling
    one, other = (kept.predict(few)["predicted_throughput"] for kept in (calibration, again))
    np.testing.assert_array_equal(one, other)
