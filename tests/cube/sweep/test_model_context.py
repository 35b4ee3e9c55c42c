"""A sweep answers what the cube that it would fill answers, whatever inputs and coordinates it was given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError


@pytest.fixture(scope="module")
def twins() -> tuple[xr.Dataset, rc.Sweep]:
    """A filled cube and its sweep, with inputs and coordinates of many kinds."""
    inputs = rc.inputs("mnist", batch=[1, 8])
    shape = inputs.sizes["platform"], inputs.sizes["mode"]
    number = np.arange(shape[0])
    grid = np.arange(shape[0] * shape[1]).reshape(shape)
    inputs = inputs.assign(
        price=("platform", number, {"units": "EUR", "sense": "min"}),
        stocked=("platform", number % 2 == 0, {"sense": "max"}),
        maker=("platform", [f"maker {k}" for k in number]),
    ).assign_coords(
        shelf=(("platform", "mode"), grid.astype("f8")),
        seen=(("platform", "mode"), np.datetime64("2026-01-01", "ns") + grid * np.timedelta64(1, "D")),
        state=(
            "platform",
            (number % 3).astype("i1"),
            {"flag_values": np.arange(3, dtype="i1"), "flag_meanings": "new worn broken"},
        ),
    )
    return rc.predict(inputs), rc.Sweep(inputs, dtype="f8")


QUESTIONS = (
    lambda cube: rc.best(cube, "price", per="mode"),
    lambda cube: rc.best(cube, "price", where={"platform": []}),
    lambda cube: rc.best(cube, "stocked"),
    lambda cube: rc.best(cube, "pruning", sense="min"),
    lambda cube: rc.best(cube, "shelf", sense="max"),
    lambda cube: rc.top(cube, 3, "price", where={"stocked": True}),
    lambda cube: rc.top(cube, 3, "predicted_latency", where={"stocked": False}),
    lambda cube: rc.pareto(cube, ["price", "predicted_latency"], where={"maker": ["maker 3", "maker 5"]}),
    lambda cube: rc.pareto(
        cube, {"memory_required": "min", "ops": "max"}, where={"counts_source": "layers"}, ties="all"
    ),
    lambda cube: rc.count(cube, by="state"),
    lambda cube: rc.count(cube, where={"state": "not worn"}),
    lambda cube: rc.count(cube, where={"shelf": (3, 9)}),
    lambda cube: rc.count(cube, where={"shelf": [3, 9]}),
    lambda cube: rc.count(cube, where={"seen": ("2026-01-03", "2026-01-09")}),
    lambda cube: rc.count(cube, where={"seen": slice("2026-01-03", None)}),
    lambda cube: rc.count(cube, where={"seen": ["2026-01-09"]}),
    lambda cube: rc.histogram(cube, "state"),
    lambda cube: rc.quantile(cube, "pruning", [0.1, 0.5], per="device_class"),
)


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_the_same_answer_as_the_filled_cube(twins, number):
    stored, swept = (QUESTIONS[number](cube) for cube in twins)
    # what the model derives and a filled cube does not keep
    swept = swept.drop_vars(["executed_bytes", "element_bytes"], errors="ignore")
    xr.testing.assert_identical(stored, swept)
    assert {name: one.dtype for name, one in stored.variables.items()} == {
        name: one.dtype for name, one in swept.variables.items()
    }


def test_fronts_within_a_mask_account_for_what_is_missing(twins):
    mask = twins[0]["price"] > 3
    fronts = [rc.pareto(cube, {"memory_required": "min", "top1": "max"}, where=mask) for cube in twins]
    assert fronts[0].attrs == fronts[1].attrs
    assert fronts[1].attrs["missing_memory_required"] > 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda cube: rc.best(cube, "platform"), InvalidDataError, "expected a numeric variable, got 'platform'"),
        (lambda cube: rc.count(cube, where={"counts_source": ["x"]}), UnknownLabelError, "`counts_source`: 'x' is not"),
        (lambda cube: rc.count(cube, where={"seen": None}), InvalidDataError, r"`where\['seen'\]`: expected \(low"),
        (lambda cube: rc.count(cube, where={"price": True}), InvalidDataError, r"expected no True or False, got True"),
    ],
)
def test_the_same_errors_as_of_the_filled_cube(twins, call, error, message):
    for cube in twins:
        with pytest.raises(error, match=message):
            call(cube)


def test_an_end_in_text_of_a_numeric_axis_is_told_the_unit_of_its_numbers():
    hardware = rc.hypothetical(peak_compute=[1e12, 2e12], memory_bandwidth=[1e10, 1e11])
    sweep = rc.Sweep(rc.inputs("mnist", platforms=hardware))
    with pytest.raises(
        InvalidDataError, match=r"`where\['bandwidth'\]`: expected \(low, high\) with numbers in B/s or"
    ):
        rc.count(sweep, where={"bandwidth": (None, "50 GB/s")})
    with pytest.raises(InvalidDataError, match=r"expected \(low, high\) with numbers in s or None, got '10ms'"):
        rc.count(sweep, where={"predicted_latency": "10ms"})


DAYS = [20240115, 20240116, 20240117]  # f4 takes them for equal
LATE = {"release": (20240116, None)}


@pytest.fixture(scope="module", params=["input", "coordinate"])
def dated(request) -> rc.Sweep:
    """A sweep in f4 over whole numbers that f4 rounds."""
    inputs = rc.inputs("mnist", platforms="TX2", precision="FP16", pruning=100, batch=1)
    inputs = inputs.assign(release=("rev", DAYS)).assign_coords(rev=["a", "b", "c"])
    return rc.Sweep(inputs if request.param == "input" else inputs.set_coords("release"))


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda cube: rc.best(cube, "release", sense="max").release.item(), DAYS[2]),
        (lambda cube: rc.best(cube, "release", sense="min", where={"rev": ["b", "c"]}).release.item(), DAYS[1]),
        (lambda cube: rc.best(cube, "predicted_throughput", where=LATE).release.item(), DAYS[1]),
        (lambda cube: rc.best(cube, "release", sense="max", per="rev").release.values.tolist(), DAYS),
        (lambda cube: rc.top(cube, 2, "release", sense="max").release.values.tolist()[0], DAYS[2]),
        (lambda cube: rc.pareto(cube, {"release": "max", "top1": "max"}, where=LATE).release.values.tolist(), DAYS[2:]),
        (lambda cube: rc.pareto(cube, {"release": "max"}).attrs["missing_release"], 0),
        (lambda cube: int(rc.count(cube, where=LATE)["count"] / rc.count(cube)["count"] * 3), 2),
        (lambda cube: int(rc.count(cube, where={"release": DAYS[:1]})["count"] / rc.count(cube)["count"] * 3), 1),
    ],
)
def test_whole_numbers_are_compared_as_given_where_the_sweep_would_round_them(dated, ask, found):
    assert ask(dated) == found
    assert ask(dated.compute()) == found


def test_no_bins_over_whole_numbers_that_a_sweep_takes_for_equal(dated):
    with pytest.raises(
        InvalidDataError, match=r'`variable`: .*f4 tells apart, got .release. of type int64; take dtype="f8"'
    ):
        dated.histogram("release", bins=3)
    wide = rc.Sweep(dated.inputs, dtype="f8").histogram("release", bins=3)["count"].values
    assert len(set(wide.tolist())) == 1


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "ask", [lambda cube: rc.quantile(cube, "serial", 1.0), lambda cube: rc.histogram(cube, "serial")]
)
def test_no_figures_of_whole_numbers_that_f8_rounds(dtype, ask):
    serial = np.array([1, 2**64 - 1], "u8")
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2", batch=[1, 8]).assign(serial=("batch", serial)), dtype=dtype)
    for cube in (sweep, sweep.compute()):
        with pytest.raises(InvalidDataError, match="`variable`: expected numbers that f8 holds exactly, got 'serial'"):
            ask(cube)


def test_a_row_that_is_not_found_carries_nothing_of_another():
    inputs = rc.inputs("mnist", platforms=["TX2", "NCS2"], precision="FP16", pruning=100, batch=1).assign(
        vendor=("platform", ["nv", "in"]),
        stocked=("platform", [True, True]),
        slots=("platform", np.array([4, 5], "u4")),
        born=("platform", np.array(["2020-01-01", "2021-01-01"], "M8[ns]")),
    )
    asked = {"platform": ["TX2", "nope"], "mode": "maxn", "topology": "MLP"}
    rows = rc.Sweep(inputs).at(
        [{name: one if isinstance(one, str) else one[k] for name, one in asked.items()} for k in (0, 1)]
    )
    assert rows.found.values.tolist() == [True, False]
    assert rows.vendor.values.tolist() == ["nv", ""]
    assert rows.stocked.values.tolist() == [True, False]
    assert rows.slots.values.tolist() == [4, 0]
    assert np.isnat(rows.born.values).tolist() == [False, True]
    assert np.isnan(rows.predicted_throughput.values).tolist() == [False, True]


@pytest.mark.parametrize("volt", [0.1, "0.1"])
def test_labels_shorter_than_f8_are_found_by_the_number_as_written(volt):
    inputs = rc.inputs("mnist", platforms="TX2", precision="FP16", pruning=100, batch=1)
    inputs = inputs.assign(price=("volt", [1.0, 2.0])).assign_coords(volt=np.array([0.1, 0.2], "f4"))
    sweep = rc.Sweep(inputs)
    row = {"platform": "TX2", "mode": "maxn", "topology": "MLP", "volt": volt}
    assert sweep.at([row]).price.values.tolist() == [1.0]
    assert sweep.best("price", where={"volt": volt}, sense="max").price.item() == 1.0
    assert not sweep.at([{**row, "volt": 1e300}]).found.item()
    for far in (1e300, 10**400):  # beyond f4, and beyond every float
        with pytest.raises(UnknownLabelError, match="volt"):
            sweep.best("price", where={"volt": far}, sense="max")


def test_long_whole_labels_are_found_by_all_their_digits():
    big = 1 << 53
    inputs = rc.inputs("mnist", platforms="TX2", precision="FP16", pruning=100, batch=1)
    inputs = inputs.assign(price=("run", [1.0, 2.0, 3.0])).assign_coords(run=[big, big + 1, big + 2])
    sweep = rc.Sweep(inputs, dtype="f8")
    for texts in (False, True):
        rows = [
            {"platform": "TX2", "mode": "maxn", "topology": "MLP", "run": str(big + k) if texts else big + k}
            for k in range(3)
        ]
        assert sweep.at(rows).price.values.tolist() == [1.0, 2.0, 3.0]
        for k, row in enumerate(rows):
            assert sweep.best("price", where={"run": row["run"]}, sense="max").price.item() == k + 1
