"""What the physics gate finds impossible wins no question on measurements, unless all is asked for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.vocabulary import QUALITY


@pytest.fixture(scope="module")
def cube():
    """Measurements of one board; the row of the largest batch is a thousandfold too fast, another has no power."""
    rows = rc.datasets.load_measurements("cifar10").filter(
        (pl.col("platform") == "TX2") & (pl.col("mode") == "maxn") & (pl.col("precision") == "FP16")
    )
    last = pl.col("batch") == pl.col("batch").max()
    first = pl.col("batch") == pl.col("batch").min()
    rows = rows.with_columns(
        throughput_compute_per_s=pl.when(last)
        .then(pl.col("throughput_compute_per_s") * 1000)
        .otherwise("throughput_compute_per_s"),
        power_full_w=pl.when(first).then(0.0).otherwise("power_full_w"),
    )
    return rc.join(rc.predict(rc.inputs("cifar10", platforms="TX2")), rows)


def bits(cube, *names):
    return (cube["quality"] & sum(QUALITY[name] for name in names)) != 0


def test_an_impossible_speed_does_not_win(cube):
    impossible = bits(cube, "above_compute_peak", "above_bound", "unit_off")
    assert impossible.any()
    winner = rc.best(cube, "measured_throughput")
    assert float(winner.measured_throughput) == float(cube.measured_throughput.where(~impossible).max())
    assert winner.attrs["removed_by_trust"] == int(impossible.sum())
    everything = rc.best(cube, "measured_throughput", trust="all")
    assert float(everything.measured_throughput) == float(cube.measured_throughput.max())
    assert "removed_by_trust" not in everything.attrs


def test_fronts_tops_and_crossovers_leave_it_out_too(cube):
    highest = float(cube.measured_throughput.max())
    goals = {"measured_throughput": "max", "measured_top1": "max"}
    assert float(rc.pareto(cube, goals).measured_throughput.max()) < highest
    assert float(rc.pareto(cube, goals, trust="all").measured_throughput.max()) == highest
    assert float(rc.top(cube, 3, "measured_throughput").measured_throughput.max()) < highest
    assert float(rc.top(cube, 3, "measured_throughput", trust="all").measured_throughput[0]) == highest
    crossing = rc.crossover(cube, "measured_throughput", between="topology")
    assert float(crossing.measured_throughput.max()) < highest
    assert (
        float(rc.crossover(cube, "measured_throughput", between="topology", trust="all").measured_throughput.max())
        == highest
    )


def test_a_limit_on_something_measured_leaves_it_out(cube):
    fast = {"measured_throughput": (1e5, None)}
    assert not bool(rc.best(cube, "top1", where=fast).found)
    assert bool(rc.best(cube, "top1", where=fast, trust="all").found)


def test_no_power_decides_nothing_that_rests_on_power_but_speed_stands(cube):
    powerless = bits(cube, "zero_power")
    assert powerless.any()
    winner = rc.best(cube, "inputs_per_joule")
    assert np.isfinite(float(winner.inputs_per_joule))
    at = {dim: winner[dim].item() for dim in ("batch", "topology", "pruning")}
    assert not bool(powerless.sel(at).any())
    assert float(rc.best(cube, "measured_latency").measured_latency) == float(
        cube.measured_latency.where(~bits(cube, "above_compute_peak", "above_bound", "unit_off")).min()
    )


def test_predictions_are_not_judged_by_measurements(cube):
    best = rc.best(cube, "predicted_throughput")
    assert "removed_by_trust" not in best.attrs
    assert float(best.predicted_throughput) == float(cube.predicted_throughput.max())


def test_with_other_limits_and_groups(cube):
    some = rc.best(cube, "measured_throughput", per="batch", where={"topology": "CNV"})
    impossible = bits(cube, "above_compute_peak", "above_bound", "unit_off")
    other = [dim for dim in cube.measured_throughput.dims if dim != "batch"]
    expected = cube.measured_throughput.where(~impossible).sel(topology=["CNV"]).max(other)
    np.testing.assert_array_equal(some.measured_throughput, expected)


def test_what_to_trust_is_one_of_two():
    with pytest.raises(InvalidDataError, match="`trust`: expected one of 'possible', 'all'"):
        rc.best(rc.benchmark("mnist"), "measured_throughput", trust="some")


def test_a_limit_on_a_variable_named_trust_is_refused_and_none_is_lost(cube):
    own = cube.assign(trust=cube.measured_throughput * 0 + 1)
    with pytest.raises(InvalidDataError, match=r"`where\['trust'\]`: expected another name"):
        rc.best(own, "measured_throughput", where={"trust": (0, None)})
    limits = {"quality": ["not above_compute_peak"], "quality too": (2, None)}
    with_both = cube.assign({"quality too": cube.quality * 0 + 1})
    assert int(rc.count(with_both, where=limits)["count"]) == 0
    assert int(rc.count(with_both, where=limits, by="quality")["count"].sum()) == 0


def test_an_objective_that_is_no_name_is_told():
    with pytest.raises(UnknownLabelError, match=r"`objective`: \['a'\] is not known"):
        rc.best(rc.benchmark("mnist"), ["a"])


def test_flags_that_became_floats_still_judge(cube):
    wider = cube.reindex(batch=[*cube["batch"].values, 4096])
    assert wider["quality"].dtype.kind == "f"
    for goals in ("measured_throughput", "measured_latency"):
        expected, found = rc.best(cube, goals), rc.best(wider, goals)
        assert float(found[goals]) == float(expected[goals])
        assert found.attrs["removed_by_trust"] == expected.attrs["removed_by_trust"]
    assert rc.efficiency(wider).equals(rc.efficiency(cube))


def test_what_it_removes_is_counted_in_points(cube):
    twice = cube.assign(price=("shop", [1.0, 2.0]))
    once, both = (rc.pareto(one, ["measured_throughput"]).attrs for one in (cube, twice))
    assert (both["n_points"], both["removed_by_trust"]) == (2 * once["n_points"], 2 * once["removed_by_trust"])


def test_distances_are_from_the_front_that_is_told(cube):
    goals = ["measured_throughput", "measured_top1"]
    distance = rc.distance_to_front(cube, goals)
    assert distance.equals(rc.distance_to_front(cube, goals, front=rc.pareto(cube, goals)))
    assert int((distance == 0).sum()) > 0
    assert distance.attrs["removed_by_trust"] == rc.pareto(cube, goals).attrs["removed_by_trust"]
    assert float(rc.distance_to_front(cube, goals, trust="all").max()) > float(distance.max())


def test_limits_on_bits_take_none_of_them_too(cube):
    without = int((cube["quality"] == 0).sum())
    for wanted in (0, [0], (0, 0)):
        assert int(rc.count(cube, where={"quality": wanted})["count"]) == without


def test_limits_may_be_read_once_only(cube):
    for limit in ({"bound": ["memory"]}, {"platform": ["TX2"]}):
        ((name, labels),) = limit.items()
        once = rc.count(cube, where={name: (label for label in labels)})
        assert once.identical(rc.count(cube, where=limit))


def test_the_labels_that_compete_are_no_groups(cube):
    with pytest.raises(InvalidDataError, match="`per`: expected other dims than between='platform'"):
        rc.crossover(cube, "measured_latency", per=["pruning", "platform"])


def test_flags_that_lost_their_meanings_are_known_by_name():
    """Other tools keep the numbers of `quality` and drop its attributes: what is impossible wins no more for that."""
    cube = rc.benchmark("mnist")[["efficiency", "quality", "measured_throughput", "infeasible"]].reset_coords(drop=True)
    bare = cube.drop_attrs()
    for objective in ("efficiency", "measured_throughput"):
        mine, theirs = (rc.best(one, objective, sense="max") for one in (cube, bare))
        assert theirs[objective].item() == mine[objective].item()
        assert theirs.attrs["removed_by_trust"] == mine.attrs["removed_by_trust"]
    assert int(rc.count(bare, where={"quality": "unit_off"})["count"]) == int(
        rc.count(cube, where={"quality": "unit_off"})["count"]
    )
    assert rc.explain(bare, "efficiency", sense="max").doubts == rc.explain(cube, "efficiency").doubts
    rated = bare.assign(quality=xr.full_like(bare["quality"], 5).assign_attrs(long_name="stars"))
    assert "removed_by_trust" not in rc.best(rated, "measured_throughput").attrs
