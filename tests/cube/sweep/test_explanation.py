from __future__ import annotations

import json

import numpy as np
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


def test_nothing_qualifies_and_what_would_help(chips):
    reasons = rc.explain(chips, "speed", where={"delay": (None, 0.5), "platform": ["b"]})
    assert not bool(reasons.winner.found)
    assert reasons.runner_up is None
    assert np.isnan(reasons.margin)
    assert [(one.name, one.to, one.gains) for one in reasons.relaxations] == [("delay", 2.0, 2.0)]
    assert "nothing of 4 points meets all limits" in repr(reasons)
    assert json.loads(json.dumps(reasons.to_dict()))["found"] is False


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
