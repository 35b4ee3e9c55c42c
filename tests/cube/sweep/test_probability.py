from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError


def cube(throughput, top1, spread):
    predicted = np.asarray(throughput, dtype="f8")
    widths = np.exp(np.asarray(spread) * 1.6448536269514722)
    return xr.Dataset(
        {
            "predicted_throughput": ("network", predicted),
            "predicted_throughput_low": ("network", predicted / widths),
            "predicted_throughput_high": ("network", predicted * widths),
            "predicted_latency": ("network", 1 / predicted),
            "top1": ("network", np.asarray(top1, dtype="f8")),
        }
    )


def front(data, **more):
    return rc.pareto(data, ["predicted_throughput", "top1"], probability=True, **more)


def test_certain_points_are_on_the_front_for_certain():
    assert front(cube([3, 2, 1], [1, 2, 3], [0, 0, 0])).probability_on_front.values.tolist() == [1, 1, 1]


def test_two_equal_rivals_share_the_front():
    found = front(cube([1.0, 1.0000001], [5, 5], [0.3, 0.3]))
    assert float(found.probability_on_front[0]) == pytest.approx(0.5, abs=0.1)


def test_probability_of_meeting_a_limit_is_that_of_the_normal_distribution():
    data = cube([100.0], [5], [0.2])
    at_median = front(data, where={"predicted_throughput": (100, None)})
    assert float(at_median.probability_meets_limits[0]) == pytest.approx(0.5, abs=0.1)
    one_deviation = front(data, where={"predicted_latency": (None, 0.01 * np.exp(0.2))})
    assert float(one_deviation.probability_meets_limits[0]) == pytest.approx(0.84, abs=0.07)


def test_a_cube_without_intervals_is_told():
    with pytest.raises(MissingInputError, match="`predicted_throughput_low`: probabilities need the intervals"):
        front(rc.predict(rc.inputs("mnist")))


@pytest.mark.parametrize("per", ["kind", "network"])
def test_fronts_by_a_coordinate_are_as_sure_as_each_by_itself(per):
    data = cube([100.0, 10, 9], [5, 5, 5], [0.1, 0.1, 0.1]).assign_coords(
        network=["a", "b", "c"], kind=("network", ["x", "y", "y"])
    )
    together = front(data, per=per)
    for label in np.unique(data[per].values):
        alone = front(data, where={per: label})
        mine = together.isel(point=together[per].values == label)
        assert mine.probability_on_front.values.tolist() == alone.probability_on_front.values.tolist()
    assert float(together.probability_on_front.sel(point=together[per].values == together[per].values[-1])[0]) > 0.5


def test_one_configuration_errs_alike_wherever_it_is_sold():
    data = cube([100.0, 50], [5, 5], [0.01, 0.01])
    price = xr.Variable(("network", "shop"), [[1.0, 1.0], [1.0, 2.0]])
    sold = rc.pareto(data.assign(price=price), {"predicted_throughput": "max", "price": "min"}, probability=True)
    # at the same price in both shops the same is the best in both, whatever the error
    assert sold.n_ties.values.tolist() == [2]
    assert sold.probability_on_front.values.tolist() == [1]


def test_a_latency_of_durations_is_refused_for_errors_could_not_move_it():
    data = cube([100.0, 50], [1, 2], [0.1, 0.1])
    data["predicted_latency"] = ("network", np.array([10, 20], dtype="m8[ms]").astype("m8[ns]"))
    with pytest.raises(InvalidDataError, match=r"`predicted_latency`: expected numbers.*timedelta64\(1, 's'\)"):
        rc.pareto(data, {"predicted_latency": "min", "top1": "max"}, probability=True)
    with pytest.raises(InvalidDataError, match="`predicted_latency`: expected numbers"):
        front(data, where={"predicted_latency": (None, np.timedelta64(30, "ms"))})


@pytest.mark.parametrize("low", [0.0, -1.0, 200.0])
def test_what_is_no_interval_is_refused(low):
    data = cube([100.0, 50], [1, 2], [0.1, 0.1])
    data["predicted_throughput_low"] = ("network", [low, 40.0])
    with pytest.raises(InvalidDataError, match=r"expected intervals from above 0 .* at 1 of 2 points; give NaN"):
        front(data)


def test_where_there_is_no_interval_a_figure_is_taken_as_it_is():
    data = cube([100.0, 90], [5, 5], [0.3, 0.3])
    data["predicted_throughput_low"] = ("network", [np.nan, np.nan])
    assert front(data).probability_on_front.values.tolist() == [1]
