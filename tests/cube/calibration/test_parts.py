"""The parts of a calibration: gradient, fit, residual process, intervals, choices, dataflow."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roofcube as rc
from roofcube.calibration.choice import regret
from roofcube.calibration.facts import TILES, NetworkTotals, facts_of
from roofcube.calibration.fitting import law
from roofcube.calibration.fitting.dataflow import fit_fill, interval_seen
from roofcube.calibration.fitting.families import family_model
from roofcube.calibration.fitting.family import fit_family, prior_from, weak_prior
from roofcube.calibration.fitting.intervals import Intervals, Scores, pooled
from roofcube.calibration.fitting.least_squares import by_group, fit_laws
from roofcube.calibration.fitting.residual import KERNEL, covariance, kernel_inputs, pulled
from roofcube.calibration.measured import MOST_ROWS, measured
from roofcube.calibration.rows import IndexedRows, Records, canonical_keys, distinct, indexed_rows
from roofcube.calibration.suggestion import _measured_rows, _of_known
from roofcube.errors import InvalidDataError
from roofcube.labels import KEY_COLUMNS

COUNT = len(law.PARAMETERS)


def rows_like(**columns):
    table = pl.DataFrame(
        {"platform": "NCS2", "precision": "FP16", "topology": "CNV", "pruning_percent": 50.0} | columns
    )
    return indexed_rows(canonical_keys(table), facts_of(None))


@pytest.fixture(scope="module")
def many():
    networks = rc.datasets.load_topologies().select("topology", "pruning_percent").filter(pl.col("topology") != "X")
    table = networks.join(pl.DataFrame({"batch": [1, 2, 8, 64]}), how="cross")
    return indexed_rows(
        canonical_keys(table.with_columns(platform=pl.lit("NCS2"), precision=pl.lit("FP16"))), facts_of(None)
    )


def test_records_are_laid_out_once_and_numbered_as_they_appear():
    nets = tuple(NetworkTotals(name, part, layers=1.0, ops=part, convolution_ops=(0.0, 1.0, part), dense_ops=0.0,
                               weights=1.0, activations=1.0, patches=0.0)
                 for name, part in (("b", 2.0), ("a", 2.0), ("b", 3.0)))  # fmt: skip
    rows = replace(rows_like(batch=[1, 2]), nets=nets, network=np.array([2, 1]))
    assert rows.net("ops").tolist() == [3.0, 2.0]
    assert rows.take(np.array([1])).nets is rows.nets
    assert rows.nets == nets
    assert rows.nets.column("ops") is rows.nets.column("ops")
    assert rows.nets.column("convolution_ops").shape == (3, 3)
    assert rows.nets.numbers("topology").tolist() == [0, 1, 0]
    assert rows.nets.numbers("topology", "pruning").tolist() == [0, 1, 2]
    assert Records().column("ops").shape == (0,)


# law ------------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=COUNT, max_size=COUNT), st.integers(0, len(TILES) - 1))
def test_the_gradient_is_that_of_the_law(theta, tile):
    rows = rows_like(batch=[1, 7, 300])
    theta = law.PRIOR_MEAN + np.array(theta)
    feature = law.features(rows, tile)
    _, gradient = law.log_time(feature, theta)
    step = 1e-6
    for place in range(COUNT):
        moved = theta.copy()
        moved[place] += step
        slope = (law.log_time(feature, moved)[0] - law.log_time(feature, theta - (moved - theta))[0]) / (2 * step)
        np.testing.assert_allclose(gradient[:, place], slope, atol=1e-6)


def test_at_full_efficiency_and_no_overhead_the_law_is_the_sum_of_the_terms():
    rows = rows_like(batch=[4])
    feature = law.features(rows, 0)
    fast = np.where(law.EFFICIENCY, -60.0, -60.0)
    assert np.exp(law.log_time(feature, fast)[0]) == pytest.approx(feature[:, law.EFFICIENCY].sum())
    peak = 4 * 118922752 / 0.5e12
    compute = feature[0, law.COMPUTE].sum()
    assert compute == pytest.approx(peak, rel=0.02)
    assert compute >= peak * (1 - 1e-12)


def test_everything_three_times_as_fast_keeps_the_parameters(many):
    faster = replace(
        many,
        machines=tuple(
            replace(one, peak=3 * one.peak, reference=3 * one.reference, bandwidth=3 * one.bandwidth)
            for one in many.machines
        ),
    )
    np.testing.assert_allclose(law.features(many, 1), 3 * law.features(faster, 1))


def test_known_parameters_are_found_again(many):
    moved = [0.5, -0.5, 0.3, -0.4, -0.8, 0.5, 1.0, 0.0, -0.2, 0.4, 0.3, 0.0, -0.6]
    truth = law.PRIOR_MEAN + np.array(moved)
    feature = law.features(many, 0)
    group = np.zeros(len(many), dtype=int)
    target = law.log_time(feature, truth)[0]
    (found,) = fit_laws([feature], target, group, 1, [weak_prior()])
    np.testing.assert_allclose(law.log_time(feature, found.theta)[0], target, atol=0.02)
    # an outlier of a factor of 20 hardly moves the others
    dirty = target.copy()
    dirty[5] += 3.0
    (robust,) = fit_laws([feature], dirty, group, 1, [weak_prior()])
    assert np.median(np.abs(law.log_time(feature, robust.theta)[0] - target)) < 0.05
    assert robust.noise[5] == robust.noise.max() > 10


def test_laws_fitted_at_once_are_those_fitted_one_by_one(many):
    feature, priors = law.features(many, 0), prior_from([])
    target = law.log_time(feature, law.PRIOR_MEAN + 0.5)[0]
    group = np.arange(len(many)) % 3
    whole = fit_laws([feature] * len(priors), target, group, 3, priors)
    parts = [fit_laws([feature], target, group, 3, [prior])[0] for prior in priors]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.theta, other.theta, rtol=1e-6, atol=1e-6)
        assert one.evidence == pytest.approx(other.evidence, abs=1e-6)


def test_groups_differ_from_their_family_and_unseen_ones_are_the_family():
    theta = np.concatenate([np.zeros(COUNT), np.full(COUNT, 0.1), np.full(COUNT, -0.1)])
    np.testing.assert_allclose(by_group(theta, 2), [[0.1] * COUNT, [-0.1] * COUNT, [0.0] * COUNT])


def test_a_new_family_learns_where_the_others_are():
    others = [np.tile(law.PRIOR_MEAN + shift, (len(TILES), 1)) for shift in (1.9, 2.0, 2.1)]
    learnt = prior_from(others)[0]
    assert (learnt.mean > law.PRIOR_MEAN + 1).all()
    assert (np.diag(learnt.covariance) < np.diag(weak_prior().covariance)).all()
    np.testing.assert_array_equal(prior_from([])[0].mean, law.PRIOR_MEAN)


def test_what_is_like_no_other_family_is_not_predicted_as_if_it_were(many):
    moved = np.where(law.OVERHEAD, 3.0, -2.0)
    target = law.log_time(law.features(many, 0), law.PRIOR_MEAN + moved)[0]
    others = [np.tile(law.PRIOR_MEAN - moved / 2 + shift, (len(TILES), 1)) for shift in (-0.1, 0.0, 0.05, 0.1, 0.2)]
    off = []
    for draw in range(6):
        seen = np.random.default_rng(draw).permutation(len(many))[:4]
        models = [fit_family(many.take(seen), target[seen], prior_from(known), draws=12) for known in ([], others)]
        off.append([np.median(np.abs(model.log_time(many) - target)) for model in models])
    alone, among = np.mean(off, axis=0)
    assert among < 1.8 * alone  # three times where nothing but what others teach is believed


def test_an_overhead_that_rows_do_not_show_is_none(many):
    """Of batches of 64 alone nothing tells of the time of a batch: the law believes that there is none."""
    hidden = np.array([one.name in ("fixed_overhead", "input_overhead") for one in law.PARAMETERS])
    truth = np.where(hidden, np.log(1e3), law.PRIOR_MEAN)
    target = law.log_time(law.features(many, 0), truth)[0]
    seen, asked = np.flatnonzero(many.batch == 64.0), np.flatnonzero(many.batch == 1.0)
    off = {
        may: np.median(np.abs(fit_family(many.take(seen), target[seen], prior_from([], hidden=may))
                              .log_time(many.take(asked)) - target[asked]))
        for may in (True, False)
    }  # fmt: skip
    assert off[True] < 0.5 * off[False]
    assert all(np.exp(prior.mean[hidden]).max() < 1e5 for prior in prior_from([])[-2 * len(TILES) :])


def test_rows_that_err_together_do_not_tell_as_often_as_they_are_measured():
    """What the law leaves of a network is in all its rows: else they seem to tell what work that they lack takes."""
    data = measured(rc.datasets.load_measurements().filter(platform="TX2"), facts_of(None))
    seen = data.rows.net("topology") != "MLP"
    model = family_model(data, np.flatnonzero(seen), {}, "TX2")
    off = model.log_time(data.rows.take(np.flatnonzero(~seen))) - data.seconds[~seen]
    assert np.median(np.abs(off)) < 0.5  # 1.2 where every row counts by itself


# residual -------------------------------------------------------------------------------------------------------------


def test_summing_by_batch_first_changes_nothing(many):
    here, there = kernel_inputs(many), kernel_inputs(many.take(np.arange(0, len(many), 3)))
    pull = np.random.default_rng(0).standard_normal(len(there.size))
    np.testing.assert_allclose(pulled(KERNEL, here, there, pull), covariance(KERNEL, here, there) @ pull, atol=1e-12)


def test_the_model_goes_through_its_rows_and_doubts_far_from_them(many):
    few = np.flatnonzero(many.net("topology") == "CNV")
    rows = many.take(few)
    target = law.log_time(law.features(rows, 0), law.PRIOR_MEAN)[0] + 0.1 * np.sin(np.log2(rows.batch))
    model = fit_family(rows, target, [weak_prior()] * len(TILES))
    assert np.abs(model.log_time(rows) - target).max() < 0.05
    far = many.take(np.flatnonzero(many.net("topology") == "MLP"))
    assert model.deviation(far).mean() > 2 * model.deviation(rows).mean()


@pytest.fixture
def zoo():
    """Return rows of sixty made-up networks, whose time depends on how much of their work is grouped."""
    generator = np.random.default_rng(4)
    share, ops = generator.uniform(0, 1, 60), 10 ** generator.uniform(8, 10, 60)
    nets = tuple(
        NetworkTotals(
            f"{'ab'[number % 2]}{number}", 100.0, layers=30.0, ops=size, convolution_ops=(size * (1 - part),) * 3,
            dense_ops=0.0, weights=1e6, activations=1e6, patches=1e6, grouped_ops=size * part,
            grouped_activations=5e5, kernels=60.0,
        )
        for number, (size, part) in enumerate(zip(ops, share, strict=True))
    )  # fmt: skip
    places = np.arange(len(nets))
    like = rows_like(batch=[8])
    rows = IndexedRows(np.full(len(nets), like.hardware[0]), places, np.full(len(nets), 8.0), like.machines, nets)
    seconds = law.log_time(law.features(rows, 0), law.PRIOR_MEAN)[0] + 0.3 * np.sin(3 * share)
    return rows, seconds + 0.01 * generator.standard_normal(len(nets))


def test_many_networks_teach_what_descriptors_say(zoo):
    rows, seconds = zoo
    odd, even = (np.arange(start, len(rows), 2) for start in (1, 0))
    model = fit_family(rows.take(even), seconds[even], [weak_prior()] * len(TILES))
    kernel = model.structures[0].posterior.kernel
    assert kernel.spread > 0
    off = model.log_time(rows.take(odd)) - seconds[odd]
    assert np.median(np.abs(off)) < 0.03
    # names alone, of few topologies, know nothing of it
    few = even[:10]
    assert (
        fit_family(rows.take(few), seconds[few], [weak_prior()] * len(TILES)).structures[0].posterior.kernel == KERNEL
    )


def test_leaving_out_in_closed_form_is_close_to_fitting_without(zoo):
    rows, seconds = zoo
    priors = [weak_prior()] * len(TILES)
    mean, deviation = fit_family(rows, seconds, priors).without_each(rows, seconds, rows.network)
    for one in (3, 20, 41):
        kept = np.delete(np.arange(len(rows)), one)
        model = fit_family(rows.take(kept), seconds[kept], priors)
        there = rows.take(np.array([one]))
        assert mean[one] == pytest.approx(model.log_time(there)[0], abs=0.02)
        assert deviation[one] == pytest.approx(model.deviation(there)[0], rel=0.35)


def test_far_from_all_networks_the_model_says_so(zoo):
    rows, seconds = zoo
    model = fit_family(rows, seconds, [weak_prior()] * len(TILES))
    assert not model.far(rows).any()
    strange = replace(rows.nets[0], weights=1e12, kernels=1e5, grouped_ops=0.0)
    there = replace(rows.take(np.array([0])), nets=(strange, *rows.nets[1:]))
    assert model.far(there).all()
    assert model.deviation(there)[0] > 1.5 * model.deviation(rows.take(np.array([0])))[0]


def test_intervals_are_wider_where_no_kin_was_seen():
    generator = np.random.default_rng(0)
    network, sure = np.arange(200), np.full(200, 0.1)
    far = Scores(generator.exponential(0.3, 200), sure, network, scaled=True)
    own = Scores(generator.exponential(0.1, 200), sure, network, scaled=True, far=far)
    near, strange = Intervals(own).half_width(np.array([0.1, 0.1]), 0.8, np.array([False, True]))
    assert strange == pytest.approx(3 * near, rel=0.3)
    # in proportion to what the model says
    twice = Intervals(own).half_width(np.array([0.2]), 0.8, np.array([False]))[0]
    assert twice == pytest.approx(2 * near)


def test_a_quantile_of_few_units_is_corrected_for_them():
    """Two hundred errors of four kin bound those of a fifth at no more than what five times as many would."""
    generator = np.random.default_rng(0)
    rows = Scores(generator.exponential(0.1, 200), np.ones(200), np.arange(200), scaled=True)
    kin = replace(rows, units=4)
    one = np.ones(1)
    assert kin.half_width(one, 0.6) == rows.half_width(one, 0.6 * 1.25 * 200 / 201)
    assert kin.half_width(one, 0.8) == kin.half_width(one, 0.95) == rows.error.max()


def test_nothing_is_faster_than_the_peak_that_was_seen(many):
    rows = many.take(np.flatnonzero(many.net("topology") == "CNV"))
    listed = np.log(rows.batch * rows.net("ops") / rows.machine("peak"))
    model = fit_family(rows, listed - np.log(1.2), [weak_prior()] * len(TILES))
    assert model.above_peak == (pytest.approx(1.2),)
    assert (model.log_time(rows) >= listed - np.log(1.2) - 1e-9).all()


def test_deviations_between_knots_are_close_to_exact(many):
    few = np.flatnonzero(many.net("topology") == "CNV")
    rows = many.take(few)
    target = law.log_time(law.features(rows, 0), law.PRIOR_MEAN)[0]
    model = fit_family(rows, target, [weak_prior()] * len(TILES))
    between = replace(rows, batch=rows.batch * 1.3)
    np.testing.assert_allclose(model.deviation(between), model._deviation(between), rtol=0.02)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2), st.floats(0, 5)), min_size=1, max_size=30))
def test_distinct_rows_rebuild_the_table(rows):
    columns = [np.array(column, dtype="f8") for column in zip(*rows, strict=True)]
    first, place = distinct(*columns)
    assert len(first) == len(set(rows))
    for column in columns:
        np.testing.assert_array_equal(column[first][place], column)


# intervals ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9]))
def test_at_least_the_level_of_the_scores_lies_inside(seed, level):
    generator = np.random.default_rng(seed)
    scores = Scores(generator.exponential(1, 60), np.full(60, 0.1), np.repeat(np.arange(6), 10))
    half = scores.half_width(np.full(60, 0.1), level)
    assert (scores.error <= half).mean() >= level
    wider = scores.half_width(np.full(60, 0.2), level)
    np.testing.assert_allclose(wider, 2 * half)


def test_without_scores_the_model_is_taken_with_caution():
    nothing = pooled([])
    assert nothing.half_width(np.array([0.1]), 0.9)[0] == pytest.approx(2 * 1.645 * 0.1, rel=1e-3)


def test_networks_weigh_the_same_whatever_their_rows():
    scores = Scores(np.array([0.1] * 90 + [1.0] * 2), np.full(92, 0.1), np.array([0] * 90 + [1] * 2))
    assert scores.half_width(np.array([0.1]), 0.6)[0] == 1.0


def scores_of(seed, networks, rows=10, scale=1.0):
    generator = np.random.default_rng(seed)
    network = np.repeat(np.arange(networks), rows)
    return Scores(scale * generator.exponential(1, len(network)), np.full(len(network), 0.1), network)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 12), st.lists(st.floats(0.05, 0.99), min_size=2, max_size=6))
def test_intervals_grow_with_the_level_and_hold_the_families_own_errors(seed, networks, levels):
    own = scores_of(seed, networks)
    intervals = Intervals(own, (scores_of(seed + 1, 9, scale=0.1), scores_of(seed + 2, 5, scale=10.0)))
    half = [float(intervals.half_width(np.array([0.1]), level)[0]) for level in sorted(levels)]
    assert half == sorted(half)
    if networks >= 4:
        assert half[-1] >= own.half_width(np.array([0.1]), max(levels))[0]


def test_levels_beyond_a_familys_networks_use_the_tails_of_all():
    """Four networks support 80 %; above, the factor comes from families of any scale."""
    own, others = scores_of(0, 4), (scores_of(1, 20), scores_of(2, 20))
    deviation = np.array([0.1])
    alone, helped = Intervals(own), Intervals(own, others)
    assert alone.half_width(deviation, 0.8) == helped.half_width(deviation, 0.8) == own.half_width(deviation, 0.8)
    assert alone.half_width(deviation, 0.95) != helped.half_width(deviation, 0.95)
    scaled = tuple(replace(one, error=1000 * one.error) for one in others)
    np.testing.assert_allclose(Intervals(own, scaled).half_width(deviation, 0.95), helped.half_width(deviation, 0.95))


def test_new_networks_lie_inside_as_often_as_the_level_says():
    """Families of seven networks whose errors differ by network: the quantile of the family alone holds too few."""
    generator = np.random.default_rng(6)
    held, plain, level = [], [], 0.9
    for _ in range(60):
        families = []
        for _ in range(6):
            size = np.exp(generator.normal(0, 0.7, 8))
            errors = np.abs(generator.normal(0, 1, (8, 10))) * size[:, None]
            families.append(errors)
        scores = [Scores(one[:7].ravel(), np.full(70, 0.1), np.repeat(np.arange(7), 10)) for one in families]
        deviation = np.array([0.1])
        wide = Intervals(scores[0], tuple(scores[1:])).half_width(deviation, level)[0]
        held.append((families[0][7] <= wide).mean())
        plain.append((families[0][7] <= scores[0].half_width(deviation, level)[0]).mean())
    assert np.mean(plain) < np.mean(held)
    assert abs(np.mean(held) - level) < abs(np.mean(plain) - level)


# choices, dataflow, facts ---------------------------------------------------------------------------------------------


def test_perfect_predictions_regret_nothing_and_a_wrong_order_does():
    batch, accuracy = np.ones(4), np.array([80.0, 85.0, 90.0, 95.0])
    seconds = np.log(np.array([0.001, 0.002, 0.004, 0.008]))
    assert set(regret(batch, seconds, seconds, accuracy)) == {(0.0, False)}
    outcomes = regret(batch, seconds, seconds[::-1], accuracy)
    assert any(miss for _, miss in outcomes)
    assert any(loss > 0.4 for loss, _ in outcomes)


def test_a_doubtful_pick_is_passed_over_for_a_safe_one():
    batch, accuracy = np.ones(2), np.full(2, 90.0)
    seconds, predicted = np.log([1.0, 0.9]), np.log([0.95, 0.9])
    sure = regret(batch, seconds, predicted, accuracy)
    doubtful = regret(batch, seconds, predicted, accuracy, np.array([0.2, 0.2]))
    assert sure == doubtful
    # at a limit of 0.9 the first is predicted to miss it by little: a gamble that its gain must pay for
    fast = np.array([4.0, 1.0])
    outcomes = regret(fast, np.log([1.0, 0.9]), np.log([0.91, 0.9]), accuracy, np.array([0.2, 0.2]))
    assert (1.0, True) not in outcomes
    assert outcomes[0][1], "four times the throughput at even odds is worth the gamble"
    assert not regret(fast, np.log([1.0, 0.9]), np.log([0.91, 0.9]), accuracy, np.array([0.001, 0.001]))[0][1]


def test_the_fill_of_a_pipeline_is_found():
    batch = [1, 2, 4, 8, 16, 64]
    rate = [b / (1e-3 * (b + 3)) for b in batch]
    table = pl.DataFrame(
        {
            "platform": "ZCU104-FINN",
            "precision": "INT4",
            "topology": "CNV",
            "pruning_percent": 50.0,
            "batch": batch,
            "throughput_compute_per_s": rate,
            "initiation_interval_s": [1e-3] * len(batch),
        }
    )
    assert fit_fill(measured(table, facts_of(None))).inputs == pytest.approx(3.0)
    blind = fit_fill(measured(table.drop("initiation_interval_s"), facts_of(None)))
    assert blind.inputs == pytest.approx(3.0, rel=0.15)
    assert np.isnan(interval_seen(np.array([1.0, 2.0]), np.zeros(2)))
    assert fit_fill(measured(table[:1].drop("initiation_interval_s"), facts_of(None))).inputs == 2.5


def test_networks_from_inputs_equal_those_from_the_layer_table():
    inputs = rc.inputs("cifar10")
    for pruning in (100.0, 12.5):
        mine, embedded = facts_of(inputs).networks["CNV", pruning], facts_of(None).networks["CNV", pruning]
        assert mine == embedded


def test_the_first_layer_tells_how_large_an_input_is():
    elements = {one.topology: one.input_elements for one in facts_of(None).networks.values()}
    assert {name: elements[name] for name in ("MLP", "CNV", "ResNet-50")} == {
        "MLP": 784.0, "CNV": 3.0 * 32 * 32, "ResNet-50": 3.0 * 224 * 224
    }  # fmt: skip
    layer = {"pruning_percent": 100.0, "kind": "conv", "kernel_height": 3, "kernel_width": 3, "stride": 1, "groups": 2,
             "in_channels": 4, "out_channels": 8, "in_height": 8, "in_width": 8, "out_height": 8, "out_width": 8,
             "ops": 18432, "params": 144, "input_elements": 256, "output_elements": 512}  # fmt: skip
    upsampling = layer | {"kind": "conv_transpose", "kernel_height": 4, "kernel_width": 4, "stride": 4, "groups": 1,
                          "out_height": 32, "out_width": 32, "ops": 65536, "params": 512, "output_elements": 8192,
                          "topology": "up", "layer": 0, "name": "up"}  # fmt: skip
    # two layers of one shape are told of together
    alike = [layer | {"topology": "alike", "layer": place, "name": str(place)} for place in range(2)]
    totals = rc.read_network({"topology": ["totals"], "gmacs": [1.0], "mparams": [3.0], "activations": [1e6]}, task="x")
    told = rc.inputs(
        "x", platforms="NCS2", topologies=[rc.read_network([*alike, upsampling], task="x"), totals], batch=[1]
    )
    found = [facts_of(told).networks[name, 100.0].input_elements for name in ("alike", "up", "totals")]
    assert found == [256.0, 256.0, 0.0]


def test_hypothetical_hardware_with_its_own_dims_is_refused():
    inputs = rc.inputs("cifar10")
    inputs["peak_compute"] = inputs["peak_compute"].expand_dims(peak=[1.0, 2.0])
    with pytest.raises(InvalidDataError, match="dims of its own"):
        facts_of(inputs)


def test_threads_that_add_nothing_mark_another_set_up():
    table = rc.datasets.load_measurements().filter(pl.col("platform") == "ZCU104-DPU")
    data = measured(table, facts_of(None))
    left = data.table.filter(pl.Series(~data.usable))
    assert set(left["topology"]) == {"MobileNetv1"}
    assert left.height == 8


def test_of_very_many_rows_some_of_each_hardware_are_fitted_to_whatever_their_order():
    networks = rc.datasets.load_topologies().filter(pl.col("topology").str.starts_with("CNV"))
    batches = pl.DataFrame({"batch": range(1, 1200)})
    many = networks.select("topology", "pruning_percent").join(batches, how="cross")
    many = many.with_columns(platform=pl.lit("NCS2"), precision=pl.lit("FP16"))
    few = many.head(30).with_columns(platform=pl.lit("TX2"), mode=pl.lit("maxn"))
    table = pl.concat([many, few], how="diagonal").with_columns(throughput_compute_per_s=pl.lit(1.0) + pl.col("batch"))
    data = measured(table.with_columns(mode=pl.col("mode").fill_null("default")), facts_of(None))
    platform = data.rows.machine("platform")
    assert (data.reason[platform == "NCS2"] == "").sum() == MOST_ROWS
    assert (data.reason[platform == "TX2"] == "").all()  # a family of few keeps all
    assert data.scored.all()  # the others can tell how far off the calibration is
    known = _measured_rows(
        SimpleNamespace(data=data, used=data.take(np.flatnonzero(data.usable))),
        data.table.select(KEY_COLUMNS).cast({"batch": pl.Float64}),
    )
    assert known.all()  # nothing of it is suggested again
    turned = measured(data.table.drop("row").reverse(), facts_of(None))
    assert (turned.reason[::-1] == data.reason).all()


@pytest.mark.parametrize("hardware", [1, 2])
def test_what_is_measured_next_is_chosen_by_the_deviations_that_predictions_have(hardware):
    """Of one mode and precision nothing departs from the others, of several each does, and more so what is new."""
    rows = rc.datasets.load_measurements().filter(pl.col("platform") == "TX2", pl.col("precision") == "FP16")
    modes = rows["mode"].unique(maintain_order=True).to_list()
    assert len(modes) > hardware
    calibration = rc.calibrate(rows.filter(pl.col("mode").is_in(modes[:hardware])), alone=True)
    asked = indexed_rows(canonical_keys(rows), calibration.facts)
    (model,) = calibration.engine.families.values()
    group, place = model.group(asked), kernel_inputs(asked)
    assert set(group) == {*range(hardware), hardware}
    for (weight, matrix), one in zip(_of_known(model, asked), model.structures, strict=True):
        post = one.posterior
        assert weight == one.weight
        shared = covariance(post.kernel, place, post.place)
        deviation = post.deviation(law.features(asked, one.tile), group, shared)
        np.testing.assert_allclose(np.diag(matrix) + post.kernel.noise**2, deviation**2, rtol=1e-6)
        assert np.linalg.eigvalsh(matrix).min() > -1e-9  # of rows together too it is a covariance


def test_an_onnx_file_tells_of_every_kind_of_work(tmp_path):
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper, save

    shapes = {"w": (8, 8, 3, 3), "d": (8, 1, 3, 3)}
    weights = [numpy_helper.from_array(np.ones(shape, "f4"), name) for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "d"], ["c"], group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 4, 4]) for name in "xy"]
    save(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)), tmp_path / "net.onnx")
    inputs = rc.inputs("kws", topologies=rc.read_network(tmp_path / "net.onnx", task="kws"))
    net = facts_of(inputs).networks["net", 100.0]
    assert (net.layers, net.kernels) == (2, 4)
    assert net.convolution_ops[0] == 2 * 8 * 8 * 9 * 16 * 4  # padded to 32 channels
    assert net.grouped_ops == 2 * 8 * 9 * 16
    assert net.grouped_activations == 2 * 8 * 16
    assert net.elementwise == 2 * 2 * 8 * 16
