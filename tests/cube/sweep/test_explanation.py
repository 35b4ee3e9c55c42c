from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import roofcube as rc
from roofcube.cli import main
from roofcube.errors import InvalidDataError, MissingInputError, UnknownLabelError
from roofcube.sweep.limit_words import read_limits
from roofcube.wording import read_quantity


@pytest.fixture(scope="module")
def chips() -> xr.Dataset:
    """Four designs of two platforms: speed against latency and cost."""
    return xr.Dataset(
        {
            "speed": (("platform", "size"), [[1.0, 4.0], [2.0, 3.0]], {"sense": "max", "units": "1/s"}),
            "delay": (("platform", "size"), [[1.0, 9.0], [2.0, 5.0]], {"units": "s"}),
            "state": (
                ("platform", "size"),
                np.array([[0, 0], [0, 2]], dtype="i4"),
                {"flag_masks": np.array([1, 2], dtype="i4"), "flag_meanings": "odd off_scale"},
            ),
        },
        coords={"platform": ["a", "b"], "size": ["s", "l"]},
    ).rename(state="quality")


def test_the_winner_its_margin_and_the_least_relaxation(chips):
    reasons = rc.explain(chips, "speed", where={"delay": (None, 5)})
    assert (reasons.winner.platform.item(), float(reasons.winner.speed)) == ("b", 3.0)
    assert (reasons.runner_up.platform.item(), float(reasons.runner_up.speed)) == ("a", 1.0)
    assert reasons.margin == 2.0
    assert reasons.removed == {"delay": 1}
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("delay", 9.0, 4.0)]
    assert reasons.doubts == ("off scale",)
    assert "3 times as good as the runner-up" in repr(reasons)
    assert "relax delay to" in repr(reasons)


def test_a_tie_is_as_good_as_the_runner_up(chips):
    words = repr(rc.explain(chips.assign(speed=xr.full_like(chips.speed, 2.0)), "speed"))
    assert ", as good as the runner-up" in words
    assert "times" not in words


def test_configurations_are_told_with_dims_of_ones_own():
    inputs = rc.inputs("mnist", platforms=["TX2", "NCS2"], batch=[1])
    price = xr.DataArray([1.0, 2.0], dims="price", coords={"price": [1.0004, 1.0005]})
    words = repr(
        rc.explain(
            rc.predict(inputs.assign(memory_bandwidth=inputs["memory_bandwidth"] * price)), "predicted_throughput"
        )
    )
    assert "price 1.0005: " in words.splitlines()[0]
    assert "runner-up NCS2" in words
    assert "price 1.000" in words.splitlines()[1]


def test_a_dim_called_as_numbers_of_labels_are_is_told_like_any_other():
    cost = xr.DataArray([[3.0, 2.0], [1.0, 4.0]], dims=("region_code", "kind"), attrs={"sense": "min"})
    shop = xr.Dataset({"cost": cost}, {"region_code": ["north", "south"], "kind": ["a", "b"]})
    reasons = rc.explain(shop, "cost")
    assert reasons.to_dict()["winner"] == {"region_code": "south", "kind": "a", "cost": 1.0}
    assert "region_code south, kind a" in str(reasons)
    winners = rc.best(shop, "cost", per="kind")
    assert "region_code_code" not in rc.explain(winners, "cost").to_dict()["winner"]


def test_a_limit_that_does_not_bind_is_not_relaxed(chips):
    reasons = rc.explain(chips, "speed", where={"delay": (None, 50)})
    assert reasons.relaxations == ()
    assert reasons.doubts == ()


@pytest.mark.parametrize("make", [rc.predict, rc.Sweep], ids=["stored", "swept"])
def test_nothing_qualifies_where_nothing_is_known(make):
    inputs = rc.inputs("mnist", platforms=rc.hypothetical(peak_compute=[1e12, 2e12], memory_bandwidth=1e11))
    cube = make(inputs.assign(price=("peak", [np.nan, np.nan], {"units": "dollar"})))
    reasons = rc.explain(cube, "predicted_throughput", where={"price": (None, 10)})
    assert reasons.unknown == ("price",)
    assert "without a value at any point: price" in repr(reasons)
    assert reasons.to_dict()["unknown"] == ["price"]
    assert rc.explain(cube, "predicted_throughput", where={"top1": (101, None)}).unknown == ()


@pytest.mark.parametrize(
    ("limits", "said"), [({"delay": (None, 0.0144)}, "14.6 ms"), ({"yield": (84, None)}, "83.9 %")]
)
def test_what_a_text_says_to_relax_to_still_lets_the_point_in(limits, said):
    """Rounded to the nearest, 14.52 ms would be 14.5 and 83.98 % would be the limit itself."""
    cube = xr.Dataset(
        {
            "speed": ("size", [1.0, 2.0], {"sense": "max"}),
            "delay": ("size", [0.0143, 0.01452], {"units": "s"}),
            "yield": ("size", [84.5, 83.98], {"units": "%"}),
        },
        coords={"size": ["s", "l"]},
    )
    reasons = rc.explain(cube, "speed", where=limits)
    (one,) = reasons.relaxations
    assert one.to in (0.01452, 83.98)
    assert f"relax {one.name} to {said}: 2" in repr(reasons)
    ends = tuple(None if end is None else one.rounded for end in limits[one.name])
    assert float(rc.best(cube, "speed", where={one.name: ends}).speed) == one.gains


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (("platform", "topology"), "no other platform meets the limits"),
        (("topology", "batch"), "no other topology meets the limits"),
    ],
)
def test_without_a_runner_up_it_is_said_of_what_there_is_none(dims, words):
    cube = xr.Dataset({"speed": (dims, [[1.0, 2.0], [3.0, np.nan]])}, {dim: [1, 2] for dim in dims})
    reasons = rc.explain(cube, "speed", where={dims[0]: [1]}, sense="max")
    assert reasons.runner_up is None
    assert f"no runner-up: {words}" in repr(reasons)
    alone = rc.explain(cube.isel({dim: [0] for dim in dims}), "speed", sense="max")
    assert "no runner-up: nothing else meets the limits" in repr(alone)


def test_nothing_qualifies_and_what_would_help(chips):
    reasons = rc.explain(chips, "speed", where={"delay": (None, 0.5), "platform": ["b"]})
    assert not bool(reasons.winner.found)
    assert reasons.runner_up is None
    assert np.isnan(reasons.margin)
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("delay", 2.0, 2.0)]
    assert "nothing of 4 points meets all limits" in repr(reasons)
    assert json.loads(json.dumps(reasons.to_dict()))["found"] is False


def test_the_nearest_point_whose_objective_is_known_is_what_to_relax_to():
    cube = xr.Dataset(
        {"speed": ("board", [10.0, np.nan, 30.0]), "top1": ("board", [70.0, 79.0, 60.0])}, {"board": ["a", "b", "c"]}
    )
    for one in (cube, cube.astype("f4"), cube.assign_coords(speed=cube.speed)):
        reasons = rc.explain(one, "speed", where={"top1": (80, None)}, sense="max")
        assert "relax top1 to 70: 10" in repr(reasons)
    fastest = rc.explain(cube.fillna(np.inf), "speed", where={"top1": (80, None)}, sense="max")
    assert [(one.to, one.gains) for one in fastest.relaxations] == [(79.0, np.inf)]


@pytest.mark.parametrize("kind", ["f8", "i8"])
def test_where_nothing_qualifies_a_gain_is_told_without_what_it_is_compared_with(kind):
    cube = xr.Dataset({"delay": ("board", np.array([3, 2], kind)), "top1": ("board", [70.0, 60.0])})
    reasons = rc.explain(cube, "delay", where={"top1": (80, None)}, sense="min")
    assert repr(reasons).endswith("relax top1 to 70: 3")


def test_limits_on_variables_are_told_as_those_of_what_labels_leave(chips):
    reasons = rc.explain(chips, "speed", where={"delay": (None, 5), "platform": ["b"]})
    assert reasons.removed == {"platform": 2, "delay": 0}
    words = "each alone, those on labels first, of 4 points: platform removes 2, delay removes 0"
    assert words in repr(reasons)
    assert "removes alone, those on labels first, of 4" in reasons._repr_html_()


def test_less_is_better(chips):
    reasons = rc.explain(chips, "delay", where={"speed": (2, None)}, sense="min")
    assert (reasons.winner.platform.item(), reasons.margin) == ("b", 3.5)
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("speed", 1.0, 1.0)]


def test_a_sweep_is_explained_too():
    sweep = rc.Sweep(rc.inputs("mnist"), dtype="f8")
    stored = rc.predict(rc.inputs("mnist"))
    limits = {"top1": (95, None), "precision": ["INT4"], "pruning": [100, 50]}
    one, other = (rc.explain(cube, "predicted_throughput", where=limits).to_dict() for cube in (sweep, stored))
    assert one == other
    assert one["found"]


def test_the_command_answers_in_words_and_in_json():
    limits = ["--top1", "85", "--latency", "10ms", "--max-power", "15W"]
    words = CliRunner().invoke(main, ["best", "cifar10", *limits])
    assert words.exit_code == 0
    assert words.output.startswith("TX2 maxn FP16 · CNV 50 %, batch 64: 7.45k inputs/s")
    answer = json.loads(CliRunner().invoke(main, ["best", "cifar10", *limits, "--json"]).output)
    assert answer["winner"]["platform"] == "TX2"
    nothing = CliRunner().invoke(main, ["best", "cifar10", "--top1", "99"])
    assert nothing.exit_code == 1
    assert "relax measured_top1 to 87.4" in nothing.output
    labels = CliRunner().invoke(main, ["best", "cifar10", "--limit", "platform=NCS2", "--limit", "batch<=8", "--json"])
    assert json.loads(labels.output)["winner"]["platform"] == "NCS2"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda cube: read_quantity("85x", "s", what="--latency"),
            InvalidDataError,
            "`--latency`: expected a number with a unit, such as 10ms",
        ),
        (
            lambda cube: read_limits(cube, None, {"top1": "0.85"}, [], predicted=False),
            InvalidDataError,
            '`--top1`: expected percent, got 0.85, a fraction; write 85, or "0.85%"',
        ),
        (
            lambda cube: read_limits(cube, "speed", {}, ["share>=0.5"], predicted=False),
            InvalidDataError,
            '`--limit share`: expected percent, got 0.5, a fraction; write 50, or "0.5%"',
        ),
        (
            lambda cube: read_limits(cube, "speed", {"latency": "10"}, [], predicted=False),
            InvalidDataError,
            "`--latency`: expected a number with its unit, got '10'; write 10ms, or 10s if that is meant",
        ),
        (
            lambda cube: read_limits(cube, "speed", {"latency": "10W"}, [], predicted=False),
            InvalidDataError,
            "`--latency`: expected a number with a unit, such as 10ms, got '10W'",
        ),
        (
            lambda cube: read_limits(cube, "speed", {}, ["energy<=3"], predicted=False),
            InvalidDataError,
            "`--limit energy`: expected a number with its unit, got '3'; write 3mJ, or 3J",
        ),
        (lambda cube: read_limits(cube, None, {}, ["speed"], predicted=False), InvalidDataError, "NAME<=VALUE"),
        (lambda cube: read_limits(cube, "speed", {}, ["sped<=1"], predicted=False), UnknownLabelError, "mean 'speed'"),
        (
            lambda cube: read_limits(cube, "speed", {"power": "5W"}, [], predicted=False),
            MissingInputError,
            "`power`: neither 'power_full' nor 'power' is in the cube",
        ),
    ],
)
def test_what_cannot_be_read_is_told(chips, call, error, message):
    more = {
        "share": ("platform", [50.0, 60.0], {"units": "%"}),
        "top1": ("platform", [80.0, 90.0]),
        "predicted_latency": ("platform", [0.1, 0.2], {"units": "s"}),
        "predicted_energy": ("platform", [0.1, 0.2]),
    }
    with pytest.raises(error, match=message):
        call(chips if "power" in message else chips.assign(more))


def test_a_variable_of_a_short_name_is_that_variable(chips):
    own = chips.rename(delay="latency").assign(energy=("platform", [2.0, 1.0], {"units": "J"}))
    name, where = read_limits(
        own, "latency", {"latency": "3s", "energy": "1500mJ"}, ["latency>=500ms"], predicted=False
    )
    assert (name, where) == ("latency", {"latency": (0.5, 3.0), "energy": (None, 1.5)})


def test_percentages_that_are_small_are_no_fractions(chips):
    own = chips.assign(loss=("platform", [0.2, 3.0], {"units": "%"}))
    _, where = read_limits(own, "speed", {}, ["loss<=1"], predicted=False)
    assert where == {"loss": (None, 1.0)}


def test_a_ratio_may_be_said_in_percent_and_a_count_may_not():
    cube = rc.benchmark("mnist")
    for said in ("0.07", "7%", "7 %"):
        assert read_limits(cube, None, {}, [f"efficiency>={said}"], predicted=False)[1] == {"efficiency": (0.07, None)}
    with pytest.raises(InvalidDataError, match="`--limit n_rows`: expected a number, got '7%'"):
        read_limits(cube, None, {}, ["n_rows>=7%"], predicted=False)


def test_a_bare_number_is_taken_in_the_unit_that_answers_show():
    cube = rc.benchmark("cifar10")
    given = {"top1": "85", "power": "15", "latency": "1e1 ms", "energy": "2 mJ"}
    _, where = read_limits(cube, None, given, ["batch<=8", "throughput>=20", "pruning>=0.5%"], predicted=False)
    assert where == {
        "measured_top1": (85.0, None),
        "power_full": (None, 15.0),
        "measured_latency": (None, 0.01),
        "energy_per_input": (None, 0.002),
        "batch": (None, 8.0),
        "measured_throughput": (20.0, None),
        "pruning": (0.5, None),
    }


@pytest.mark.parametrize("of", [rc.benchmark, lambda task: rc.Sweep(rc.inputs(task))])
def test_a_percentage_limited_by_a_fraction_is_told(of):
    cube = of("cifar10")
    with pytest.warns(UserWarning, match=r"`where\['top1'\]`: got \(0\.92, None\), 1 % or less, and no value is so"):
        rc.count(cube, where={"top1": (0.92, None)})
    with pytest.warns(UserWarning, match=r"`where\['pruning'\]`: got \(None, 0\.5\)"):
        rc.count(cube, where={"pruning": (None, 0.5)})
    rc.count(cube, where={"top1": (85, None), "predicted_latency": (None, 0.5), "pruning": (25, 100)})


@pytest.fixture(scope="module")
def shop() -> xr.Dataset:
    """Four boards with a date, a state that is a flag, and a power of which one is not known."""
    days = np.datetime64("2026-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
    return xr.Dataset(
        {
            "speed": ("platform", [4.0, 3.0, 2.0, 1.0], {"sense": "max"}),
            "power": ("platform", [np.nan, 5.0, 7.0, 9.0]),
            "state": (
                "platform",
                np.array([1, 0, 1, 0], "i1"),
                {"flag_values": np.array([0, 1], "i1"), "flag_meanings": "ok worn"},
            ),
        },
        coords={"platform": ["a", "b", "c", "d"], "since": ("platform", days)},
    )


def test_limits_on_times_are_relaxed_to_the_nearest_and_told_as_dates(shop):
    reasons = rc.explain(shop, "speed", where={"since": ("2026-01-03", "2026-01-31")})
    (one,) = reasons.relaxations
    assert (one.name, one.to, one.gains) == ("since", np.datetime64("2026-01-02"), 3.0)
    assert "relax since to 2026-01-02: 3" in repr(reasons)
    told = json.loads(json.dumps(reasons.to_dict(), allow_nan=False))
    assert told["winner"]["since"] == "2026-01-03"
    assert told["relaxations"][0]["to"] == "2026-01-02"


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_month_as_text_is_relaxed_from_its_end_as_it_is_limited_to_it(unit):
    days = np.array(["2024-01-03", "2024-02-10", "2024-03-06"], f"M8[{unit}]")
    cube = xr.Dataset({"speed": ("board", [9.0, 1.0, 5.0]), "when": ("board", days)})
    for limit in (("2024-02", "2024-02"), ("2024-02-01", "2024-02-29T23:59:59"), ("2024-02-01", "2024-02-29")):
        (one,) = rc.explain(cube, "speed", where={"when": limit}, sense="max").relaxations
        assert (one.to, one.gains) == (np.datetime64("2024-03-06"), 5.0)


def test_a_boolean_array_is_a_limit_like_any_other(shop):
    reasons = rc.explain(shop, "speed", where=shop["speed"] < 3)
    assert reasons.winner.platform.item() == "c"
    assert reasons.removed == {"speed": 2}
    assert [(one.name, one.to) for one in reasons.relaxations] == [("speed", 4.0)]
    unnamed = rc.explain(shop, "speed", where=(shop["speed"] < 3).rename(None))
    assert [(one.name, one.to) for one in unnamed.relaxations] == [("where", None)]
    assert "leave out where: 4" in repr(unnamed)


def test_what_a_limit_has_to_allow_is_told_in_words_or_not_at_all(shop):
    reasons = rc.explain(shop, "speed", where={"state": ["ok"]})
    assert [(one.name, one.to) for one in reasons.relaxations] == [("state", "worn")]
    unknown = rc.explain(shop, "speed", where={"power": [5.0, 7.0]})
    assert [(one.name, one.to) for one in unknown.relaxations] == [("power", None)]
    assert "leave out power: 4" in repr(unknown)
    assert json.dumps(unknown.to_dict(), allow_nan=False)


def test_times_are_no_objective_to_explain(shop):
    with pytest.raises(InvalidDataError, match="`objective`: expected numbers that f8 holds exactly, got 'since'"):
        rc.explain(shop, "since", sense="max")


def test_relaxations_keep_to_what_limits_the_objective():
    cube = xr.Dataset({"t": ("x", [50.0, 200.0, 80.0]), "lat": ("x", [1.0, 2.0, 3.0])}, coords={"x": ["A", "B", "C"]})
    reasons = rc.explain(cube, "t", sense="max", where={"t": (None, 100), "lat": (None, 1)})
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("lat", 3.0, 80.0)]
    alone = rc.explain(cube, "t", sense="max", where={"t": (None, 100)})
    assert [(one.name, one.to) for one in alone.relaxations] == [("t", 200.0)]
    least = rc.explain(cube, "t", sense="min", where={"t": (60, None)})
    assert [(one.name, one.to) for one in least.relaxations] == [("t", 50.0)]


def test_a_range_that_leaves_out_what_is_not_known_binds():
    cube = xr.Dataset({"t": ("x", [5.0, 9.0]), "v": ("x", [1.0, np.nan])}, coords={"x": ["a", "b"]})
    reasons = rc.explain(cube, "t", sense="max", where={"v": (0, None)})
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("v", None, 9.0)]
    assert "leave out v: 9" in repr(reasons)


def test_a_slice_is_relaxed_as_its_ends_are_and_a_mask_is_not_rounded():
    cube = xr.Dataset(
        {"t": ("x", [50.0, 60.0, 200.0]), "top1": ("x", [80.0, 75.53, 70.0])}, coords={"x": ["A", "B", "C"]}
    )
    pair, cut, mask = (
        rc.explain(cube, "t", sense="max", where={"top1": limit}).relaxations[0]
        for limit in ((78, None), slice(78, None), cube.top1 >= 78)
    )
    assert (cut.to, cut.rounded) == (pair.to, pair.rounded) == (75.53, 75.5)
    assert mask.rounded == mask.to == 70.0


NONE = np.array(["A", None], dtype=object)


@pytest.mark.filterwarnings("ignore:.*float16:FutureWarning")
@pytest.mark.parametrize(
    ("labels", "second"),
    [
        (np.array(["2026-01-01", "2026-01-02"], "M8[ns]"), "2026-01-01"),
        (np.array([1, 2], "m8[s]"), "0 days 00:00:01"),
        (np.array([86400, 2 * 86400], "m8[s]").astype("m8[ns]"), "1 days 00:00:00"),
        (np.array([0.5, 0.25], "f2"), 0.5),
        (np.array(["NaT", "2026-01-01"], "M8[s]"), None),
        (NONE, "A"),
        (np.array(["A", pd.NA], dtype=object), "A"),
        (None, 0),
    ],
)
@pytest.mark.parametrize("dim", ["time", "platform", "batch"])
def test_the_runner_up_has_another_label_whatever_labels_are(labels, second, dim):
    coords = {} if labels is None else {dim: labels}
    reasons = rc.explain(xr.Dataset({"t": (dim, [5.0, 9.0])}, coords=coords), "t", sense="max")
    assert float(reasons.runner_up.t) == 5.0
    assert reasons.to_dict()["runner_up"][dim] == second
    assert "runner-up" in repr(reasons)
    assert ("NaT" in repr(reasons)) == (second is None)
    assert "None" not in repr(reasons)
    assert json.dumps(reasons.to_dict()["runner_up"]["t"]) == "5.0"


def test_no_label_and_a_coordinate_of_the_whole_cube_have_a_runner_up():
    unlike = xr.Dataset({"t": ("x", [5.0, 9.0])}, coords={"x": [np.nan, 1.0], "price": 3.0})
    assert float(rc.explain(unlike, "t", sense="max").runner_up.t) == 5.0
    same = rc.explain(unlike, "price", sense="min")
    assert (same.margin, same.runner_up.x.item()) == (0.0, 1.0)


def test_labels_of_several_levels_are_asked_by_and_explained():
    cube = xr.Dataset({"t": (("a", "b"), [[5.0, 9.0], [8.0, 1.0]])}, coords={"a": [1, 2], "b": ["u", "v"]})
    stacked = cube.stack(s=("a", "b"))
    assert rc.best(stacked, "t", sense="max", per="s").t.values.tolist() == [5.0, 9.0, 8.0, 1.0]
    assert rc.best(stacked, "t", sense="max", per="a").t.values.tolist() == [9.0, 8.0]
    assert float(rc.explain(stacked, "t", sense="max").runner_up.t) == 8.0


@pytest.mark.filterwarnings("ignore:.*float16:FutureWarning")
def test_labels_of_half_precision_are_asked_by():
    cube = xr.Dataset(
        {"t": (("r", "batch"), [[5.0, 9.0], [8.0, 1.0]])}, coords={"r": np.array([0.5, 0.25], "f2"), "batch": [1, 2]}
    )
    assert rc.best(cube, "t", sense="max", per="r").t.values.tolist() == [9.0, 8.0]
    assert rc.crossover(cube, "t", sense="max", between="batch", along="r").sizes["r"] == 2


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["size>=2", "size<=3", "size<=9"], (2.0, 3.0)),
        (["size<=3", "size=2,4"], ["2"]),
        (["size=2,4", "size>=3"], ["4"]),
        (["size=2,4", "size=4.0,8"], ["4"]),
        (["platform=tx2,NCS2", "platform=TX2"], ["tx2"]),
    ],
)
def test_limits_on_one_name_hold_together(more, expected):
    cube = xr.Dataset(coords={"size": [1, 2, 4], "platform": ["TX2", "NCS2"]}).assign(t=("size", [1.0, 2.0, 3.0]))
    _, where = read_limits(cube, "t", {}, more, predicted=True)
    assert where == {more[0].partition("=")[0].rstrip("<>"): expected}


def test_a_short_name_and_a_limit_on_the_same_hold_together():
    cube = xr.Dataset({"latency": ("x", [1.0, 2.0], {"units": "s"})})
    _, where = read_limits(cube, "latency", {"latency": "20 ms"}, ["latency<=1 s"], predicted=True)
    assert where == {"latency": (None, 0.02)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["size=8", "size<=4"], "expected limits that something can meet, got 8"),
        (["platform=A", "platform=B"], "list all labels in one, platform=A,B"),
        (["platform=A", "platform>=3"], "expected labels or a range"),
        (["quality=odd", "quality=not off_scale"], "expected one limit on a flag"),
    ],
)
def test_limits_on_one_name_that_cannot_hold_together_are_refused(chips, more, message):
    cube = chips.assign_coords(size=[4, 8])
    with pytest.raises(InvalidDataError, match=message):
        read_limits(cube, "speed", {}, more, predicted=True)


@pytest.mark.parametrize("dim", ["pruning", "batch"])
def test_configurations_are_told_where_labels_are_text(dim):
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"], batch=[1, 8]))
    texts = [f"no{number}" for number in range(cube.sizes[dim])]
    assert " no" in repr(rc.explain(cube.assign_coords({dim: texts}), "predicted_throughput"))


@pytest.mark.parametrize("limit", [slice("2", "3"), slice(2, 3), slice(None, 3), slice(None)])
def test_slices_of_labels_are_read_as_best_reads_them(limit):
    cube = xr.Dataset({"t": ("x", [5.0, 9.0, 8.0, 99.0])}, coords={"x": [1.0, 2.0, 3.0, 4.0]})
    best = rc.best(cube, "t", sense="max", where={"x": limit})
    reasons = rc.explain(cube, "t", sense="max", where={"x": limit})
    assert reasons.winner.x.item() == best.x.item()
    assert [one.to for one in reasons.relaxations] == ([] if limit == slice(None) else [4.0])


def test_limits_that_can_be_read_once_only_are_read_whole():
    cube = rc.benchmark("mnist")
    once = rc.explain(cube, "measured_throughput", where={"platform": (name for name in ("TX2", "NCS2"))})
    assert repr(once) == repr(rc.explain(cube, "measured_throughput", where={"platform": ["TX2", "NCS2"]}))


def test_the_runner_up_of_dims_without_labels_and_of_infinite_values_is_another():
    days = xr.Dataset(
        {"v": (("run", "x"), [[9.0, 1.0], [5.0, 2.0], [7.0, 3.0]])},
        coords={"x": ["p", "q"], "day": ("run", ["mo", "tu", "we"])},
    )
    reasons = rc.explain(days, "v", where={"day": ["tu", "we"]}, sense="max")
    assert (float(reasons.winner.v), float(reasons.runner_up.v), int(reasons.runner_up.run)) == (7.0, 5.0, 1)
    times = xr.Dataset({"t": ("p", [1.0, np.inf, np.inf])}, coords={"p": ["a", "b", "c"]})
    assert rc.explain(times, "t", sense="min").runner_up.p.item() == "b"


@pytest.mark.parametrize(
    ("more", "times"),
    [
        (["day>=2024-01-30"], [2.0, 3.0, 4.0]),
        (["day<=2024-01"], [1.0, 2.0, 3.0]),
        (["day<=2024-01", "day<=2024-01-30"], [1.0, 2.0]),
        (["day>=2024-01", "day>=2024-01-30T13"], [3.0, 4.0]),
        (["day=2024-01-30T12"], [2.0]),
        (["took<=36h"], [1.0, 2.0]),
        (["took=36h, 1h"], [1.0, 2.0]),
        (["took<=36h", "took>=1 days"], [2.0]),
        (["ok=True"], [1.0, 4.0]),
    ],
)
def test_limits_on_times_and_truths_are_read_as_they_are_typed(more, times):
    days = np.array(["2024-01-01", "2024-01-30T12", "2024-01-31", "2024-02-01"], "M8[ns]")
    beside = {
        "took": ("day", np.array([1, 36, 48, 72], "m8[h]").astype("m8[ns]")),
        "ok": ("day", [True, False, False, True]),
    }
    cube = xr.Dataset({"t": ("day", [1.0, 2.0, 3.0, 4.0])}, {"day": days, **beside})
    _, where = read_limits(cube, "t", {}, more, predicted=False)
    assert rc.top(cube, 4, "t", where=where, sense="min")["t"].values.tolist() == times


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("day>=tomorrow", r"where\['day'\]`: expected a datetime"),
        ("took<=3", "expected a duration with its unit, such as 36h"),
    ],
)
def test_what_is_no_time_is_refused(limit, message):
    took = "day", np.array([1, 2], "m8[s]")
    cube = xr.Dataset(
        {"t": ("day", [1.0, 2.0])}, {"day": np.array(["2024-01-01", "2024-01-02"], "M8[ns]"), "took": took}
    )
    with pytest.raises(InvalidDataError, match=message):
        read_limits(cube, "t", {}, [limit], predicted=False)


def test_a_calibrated_sweep_is_doubted_as_its_cube_is():
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
    inputs = rc.inputs("mnist", platforms="NCS2", batch=[1, 4096])
    reasons = [
        rc.explain(cube, "predicted_throughput")
        for cube in (rc.Sweep(inputs, assumptions=calibration, dtype="f8"), rc.predict(inputs, assumptions=calibration))
    ]
    assert "the prediction extrapolates beyond what was measured" in reasons[0].doubts
    assert reasons[0].doubts == reasons[1].doubts
    of_sweep, of_cube = (one.winner["predicted_throughput_low"].item() for one in reasons)
    assert of_sweep == pytest.approx(of_cube)


def test_what_is_infinite_is_no_number_of_json():
    import json

    cube = xr.Dataset({"v": ("x", [np.inf, 1.0])}, {"x": [1, 2]})
    told = rc.explain(cube, "v", sense="max").to_dict()
    assert told["margin"] is None
    json.dumps(told, allow_nan=False)
