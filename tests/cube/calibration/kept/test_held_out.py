"""Held-out predictions: accurate, blind to what is held out, and indifferent to names and to scale."""

import inspect
import re
import sys

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration import crossvalidation
from roofcube.calibration.facts import facts_of
from roofcube.calibration.measured import measured

RATE = "throughput_compute_per_s"


@pytest.fixture(scope="module")
def rows():
    return rc.datasets.load_measurements()


@pytest.fixture(scope="module")
def data(rows):
    return measured(rows, facts_of(None))


@pytest.fixture(scope="module")
def strict(data):
    return crossvalidation.held_out(data, "network", power=True)


def family_of(rows, *names):
    families = rc.datasets.load_platforms().select("platform", "family").unique()
    return rows.join(families.filter(pl.col("family").is_in(names)), on="platform", how="semi")


def test_the_scored_set_is_965_rows_of_129_configurations(data):
    assert int(data.scored.sum()) == 965
    assert len(np.unique(data.rows.configuration()[data.scored])) == 129


def test_networks_that_were_never_seen_are_predicted_closely(data, strict):
    """At least what issue 4 asks of the strict scheme."""
    there = np.flatnonzero(data.scored)
    off = (strict.seconds - data.seconds)[there]
    error, near = np.abs(np.expm1(-off)), np.abs(off) < np.log(1.25)
    family = data.rows.family()[there]
    plain = ~data.rows.take(there).machine("dataflow")
    assert np.isfinite(off).all()
    assert np.median(error) <= 0.077
    assert np.median(error[plain]) <= 0.063
    assert near.mean() >= 0.84
    assert near[plain].mean() >= 0.92
    assert np.mean([np.median(error[family == name]) for name in np.unique(family[plain])]) <= 0.094


def test_power_and_energy_of_networks_that_were_never_seen(data, strict):
    there = np.flatnonzero(data.scored & np.isfinite(data.power))
    power = (strict.power - data.power)[there]
    energy = power + (strict.seconds - data.seconds)[there]
    assert np.isfinite(power).mean() > 0.99  # but for a board whose only network with watts was left out
    assert np.nanmedian(np.abs(np.expm1(power))) <= 0.025
    assert np.nanmedian(np.abs(np.expm1(energy))) <= 0.0675


def test_poisoned_rows_reach_nothing_that_predicts_them(data, strict, rows):
    """Whatever is measured of a held-out network, its prediction and interval stay the same, bit for bit."""
    generator = np.random.default_rng(4)
    held = (pl.col("platform") == "NCS2") & (pl.col("topology") == "CNV") & (pl.col("pruning_percent") == 25)
    noise = pl.Series(10.0 ** generator.uniform(-6, 0, rows.height))
    poisoned = rows.with_columns(
        pl.when(held).then(pl.col(RATE) * noise).otherwise(pl.col(RATE)),
        pl.when(held).then(pl.col("power_full_w") * noise).otherwise(pl.col("power_full_w")),
    )
    other = measured(poisoned, facts_of(None))
    out = np.flatnonzero(rows.select(held).to_series().to_numpy())
    found = crossvalidation.held_out(other, "network", power=True)
    assert (other.seconds[out] != data.seconds[out]).all()
    np.testing.assert_array_equal(found.seconds[out], strict.seconds[out])
    np.testing.assert_array_equal(found.power[out], strict.power[out])
    rest = np.flatnonzero(data.scored & (data.rows.family() == "NCS2") & ~np.isin(np.arange(len(data)), out))
    assert (found.seconds[rest] != strict.seconds[rest]).any(), "the poison does not reach others either: no test"


def test_poisoned_rows_reach_no_interval(rows):
    bismo = family_of(rows, "BISMO")
    held = (pl.col("topology") == "MLP") & (pl.col("pruning_percent") == 50)
    poisoned = bismo.with_columns(pl.when(held).then(pl.col(RATE) * 0.01).otherwise(pl.col(RATE)))
    clean, dirty = (measured(table, facts_of(None)) for table in (bismo, poisoned))
    out = np.flatnonzero(bismo.select(held).to_series().to_numpy())
    one, other = (crossvalidation.held_out_intervals(table, (0.9,))[1][0.9] for table in (clean, dirty))
    np.testing.assert_array_equal(one[out], other[out])
    assert (np.delete(one, out) != np.delete(other, out)).any()


def test_coverage_says_how_sure_it_is(rows):
    """Rows of one network agree, so that the error is that of a share of networks, not of rows."""
    table = crossvalidation.coverage_table(measured(family_of(rows, "BISMO"), facts_of(None)), (0.5,))
    assert set(table["family"]) == {"all", "BISMO"}
    one = table.row(0, named=True)
    share = one["rows_covered_percent"] / 100
    rowwise = 100 * np.sqrt(share * (1 - share) / one["rows"])
    assert rowwise < one["standard_error_percent"] < 100 / np.sqrt(7)


def test_coverage_of_one_network_is_empty_and_the_same_from_the_cache(rows):
    one = measured(rows.filter(platform="NCS2", topology="MLP", pruning_percent=50.0), facts_of(None))
    first, second = (crossvalidation.cached_coverage_table(one) for _ in range(2))
    assert first.height == 0
    assert first.equals(second)
    assert first.schema == second.schema == pl.Schema(crossvalidation.COVERAGE)


@pytest.mark.parametrize("platform", ["NCS2", "ZCU102-DPU", "TX2"])
def test_a_renamed_platform_three_times_as_fast_is_predicted_as_well(rows, platform):
    """No constant is tuned to the embedded platforms: errors move by less than a point."""
    name = "Gadget"
    family = rc.datasets.load_platforms().filter(pl.col("platform") == platform)["family"][0]
    table = family_of(rows, family)
    facts = rc.datasets.load_platforms().filter(pl.col("platform") == platform)
    speed = ["peak_compute_op_per_s", "memory_bandwidth_b_per_s"]
    facts = facts.with_columns(pl.col(speed) * 3.0, platform=pl.lit(name))
    here = pl.col("platform") == platform
    renamed = table.with_columns(
        pl.when(here).then(pl.col(RATE) * 3.0).otherwise(pl.col(RATE)),
        pl.when(here).then(pl.lit(name)).otherwise(pl.col("platform")).alias("platform"),
    )
    before = measured(table, facts_of(None))
    after = measured(renamed, facts_of(rc.inputs(platforms=[facts])))
    errors = [
        np.abs(np.expm1(one.seconds - crossvalidation.held_out(one, "network").seconds)) for one in (before, after)
    ]
    mine = table.select(here).to_series().to_numpy() & before.scored
    assert abs(np.median(errors[0][mine]) - np.median(errors[1][mine])) < 0.01


def test_the_error_table_has_every_scheme_and_family(rows):
    some = measured(family_of(rows, "NCS2", "BISMO", "FINN"), facts_of(None))
    table = crossvalidation.error_table(some)
    assert set(table["quantity"]) == {"throughput", "power", "energy", "choice"}
    schemes = {*crossvalidation.SCHEMES, crossvalidation.FAMILY, crossvalidation.PUBLISHED, crossvalidation.GIVEN}
    schemes -= {"platform"}
    assert schemes == set(table.filter(pl.col("quantity") == "throughput")["scheme"])
    strict = table.filter(pl.col("scheme") == "network", pl.col("quantity") == "throughput")
    families = {"all", "all but dataflow", "mean of families but dataflow", "NCS2", "BISMO", "FINN"}
    assert set(strict["family"]) == families
    value = dict(zip(strict["family"], strict["median_ape_percent"], strict=True))
    assert value["mean of families but dataflow"] == pytest.approx((value["NCS2"] + value["BISMO"]) / 2)
    assert value["FINN"] > value["NCS2"]
    regret = table.filter(pl.col("quantity") == "choice")
    assert set(regret["family"]) == {"within platforms", "across platforms"}
    lines = {scheme: part for (scheme,), part in regret.group_by("scheme")}
    ours, theirs = lines["network"], lines[crossvalidation.PUBLISHED]
    assert (ours["regret_percent"] < theirs["regret_percent"]).all()
    bold, cautious = lines[crossvalidation.TOLERANT], lines[crossvalidation.CAUTIOUS]
    missed = "latency_missed_percent"
    assert (cautious[missed] <= ours[missed]).all()
    assert (ours[missed] <= bold[missed]).all()
    assert (cautious["all_in_percent"] <= ours["all_in_percent"]).all()


def test_what_to_expect_of_what_is_new_stands_beside_the_headline(rows):
    """A line for each kind of new that the rows can tell of, with the error of its scheme and what one in ten exceeds."""
    table = crossvalidation.error_table(measured(family_of(rows, "EdgeTPU", "DPU"), facts_of(None)))
    expected = crossvalidation.expectations(table)
    assert expected["scheme"].to_list() == ["network", "topology", "architecture", "platform", crossvalidation.FAMILY]
    for one in expected.iter_rows(named=True):
        line = table.filter(quantity="throughput", scheme=one["scheme"], family="all").row(0, named=True)
        assert {name: line[name] for name in expected.columns[1:]} == {name: one[name] for name in expected.columns[1:]}
        assert one["median_ape_percent"] < one["p90_ape_percent"]
    assert crossvalidation.expectations(table.filter(pl.col("scheme") == crossvalidation.PUBLISHED)).is_empty()


def test_a_family_never_seen_is_predicted_from_the_others_alone(rows):
    """Whatever is measured of it; without others there is nothing to say."""
    table = family_of(rows, "NCS2", "TX2")
    mine = (pl.col("platform") == "NCS2").alias("mine")
    other = table.with_columns(pl.when(mine).then(pl.col(RATE) * 0.2).otherwise(pl.col(RATE)))
    out = np.flatnonzero(table.select(mine).to_series().to_numpy())
    one, two = (
        crossvalidation.held_out(measured(part, facts_of(None)), crossvalidation.FAMILY).seconds
        for part in (table, other)
    )
    assert np.isfinite(one[out]).all()
    np.testing.assert_array_equal(one[out], two[out])
    assert (np.delete(one, out) != np.delete(two, out)).all()
    alone = measured(family_of(rows, "NCS2"), facts_of(None))
    assert np.isnan(crossvalidation.held_out(alone, crossvalidation.FAMILY).seconds).all()


def test_schemes_with_the_same_folds_are_predicted_once(rows):
    some = measured(rows.filter(pl.col("platform") == "EdgeTPU", pl.col("mode") == "fast"), facts_of(None))
    fit, fits = inspect.unwrap(crossvalidation.family_model).__code__, []
    sys.setprofile(lambda frame, event, _: fits.append(1) if event == "call" and frame.f_code is fit else None)
    try:
        table = crossvalidation.error_table(some)
    finally:
        sys.setprofile(None)
    lines = table.filter(quantity="throughput", family="all")
    same = lines.filter(pl.col("scheme").is_in(["configuration", "network", "topology"]))
    assert same["median_ape_percent"].n_unique() == 1
    assert 0 < len(fits) < 2 * some.rows.take(np.flatnonzero(some.scored)).network.size


def test_long_work_shows_how_far_it_is(rows, capsys):
    some = measured(rows.filter(pl.col("platform") == "EdgeTPU"), facts_of(None))
    with rc.set_options(progress=True):
        crossvalidation.error_table(some)
        crossvalidation.coverage_table(some)
    told = capsys.readouterr().err
    # the last step is drawn only where a tenth of a second has gone since the one before
    for what in ("errors", "coverage"):
        assert re.search(rf"{what} of rows left out: +[1-9]\d*%", told)


def test_errors_are_cached_by_content(rows, monkeypatch, tmp_path):
    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(tmp_path))
    calls = []

    def table(data):
        calls.append(len(data))
        return pl.DataFrame({"rows": [len(data)], "note": [None]})

    one = measured(rows[:20], facts_of(None))
    for _ in range(2):
        found = crossvalidation._cached("trial", one, table)
        assert found["rows"].to_list() == [20]
    assert calls == [20]
    crossvalidation._cached("trial", measured(rows[:19], facts_of(None)), table)
    assert calls == [20, 19]


def test_guessed_facts_are_guessed_without_the_held_out_rows(rows):
    table = rows.filter(pl.col("platform") == "NCS2").with_columns(platform=pl.lit("Gadget"))
    one = measured(table, facts_of(None))
    held = (pl.col("topology") == "ResNet-50").alias("held")
    faster = measured(table.with_columns(pl.when(held).then(pl.col(RATE) * 5).otherwise(pl.col(RATE))), facts_of(None))
    out = np.flatnonzero(table.select(held).to_series().to_numpy())
    before, after = (crossvalidation.held_out(data, "network").seconds[out] for data in (one, faster))
    np.testing.assert_array_equal(before, after)
