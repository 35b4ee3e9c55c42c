from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import stored_cubes
import stored_oracle as oracle
import sweep_oracle
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError, RoofcubeError, UnknownLabelError
from roofcube.sweep.contexts.stored import StoredContext

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("question", oracle.QUESTIONS)
@pytest.mark.filterwarnings("ignore:.*1 % or less")  # limits on percentages are drawn at random
@given(seed=st.integers(0, 2**32))
@example(seed=460658501)
@settings(max_examples=60, deadline=None)
def test_every_question_equals_brute_force(question, seed):
    oracle.check(seed, question, most=200)


@pytest.fixture(scope="module", params=rc.tasks()[:3])
def task_cube(request) -> xr.Dataset:
    return rc.benchmark(request.param).load()


@pytest.mark.parametrize("question", [name for name in oracle.QUESTIONS if name not in ("pareto", "distance")])
def test_questions_of_a_benchmark_equal_brute_force(task_cube, question):
    for seed in range(2):
        oracle.ask(stored_cubes.case_of(task_cube, seed), question, f"{task_cube.attrs.get('task')} seed={seed}")


@pytest.mark.parametrize("question", oracle.QUESTIONS)
def test_questions_of_a_front_equal_brute_force(task_cube, question):
    front = rc.pareto(task_cube, ["measured_throughput", "measured_top1"], ties="all")
    for seed in range(4):
        oracle.ask(stored_cubes.case_of(front, seed), question, f"front seed={seed}")


def test_fronts_of_measured_rows_equal_brute_force(task_cube):
    # few cells are measured, so that all pairs can be compared
    goals = {"measured_throughput": "max", "measured_top1": "max"}
    case = stored_cubes.case_of(task_cube, 0)
    valid = ~np.isnan(case.full["measured_throughput"]) & ~np.isnan(case.full["measured_top1"])
    vectors = np.stack([oracle.costs(case, name, sense) for name, sense in goals.items()], axis=1)
    for ties in ("first", "all"):
        points, n_ties = oracle.front_of(vectors, np.flatnonzero(valid), ties)
        front = rc.pareto(task_cube, goals, ties=ties)
        oracle.assert_points(case, front, points, ties)
        assert front["n_ties"].values.tolist() == n_ties


@pytest.mark.parametrize("where", [{}, {"a": ["a1", "a3"]}, {"x": (0.5, None)}])
def test_a_front_of_many_points_tells_what_they_lack(where):
    rng = np.random.default_rng(0)
    x, y = rng.random((5, 40_000)), rng.random(40_000)
    x[rng.random(x.shape) < 0.1], y[rng.random(y.shape) < 0.1] = np.nan, np.nan
    coords = {"a": [f"a{k}" for k in range(5)], "c": ["c0", "c1"]}
    cube = xr.Dataset({"x": (("a", "b"), x), "y": ("b", y)}, coords=coords)
    front = rc.pareto(cube.assign(z=("c", [1.0, 2.0])), {"x": "min", "y": "max"}, where=where)
    rows = [1, 3] if "a" in where else range(5)
    assert front.attrs["missing_x"] == 2 * np.isnan(x[rows]).sum()
    assert front.attrs["missing_y"] == 2 * len(rows) * np.isnan(y).sum()
    assert np.isfinite(front["x"]).all()
    assert (front["n_ties"] >= 2).all()


@pytest.mark.parametrize("coord", ["device_class", "family"])
def test_a_coordinate_groups_as_its_labels_do(task_cube, coord):
    together = rc.best(task_cube, "measured_throughput", per=[coord, "precision"])
    assert together["found"].dims == (coord, "precision")
    for label in together[coord].values.tolist():
        alone = rc.best(task_cube, "measured_throughput", per="precision", where={coord: label})
        for name in ("measured_throughput", "platform", "batch", "found", "bound", "quality"):
            np.testing.assert_array_equal(together[name].sel({coord: label}), alone[name])


# a filled cube and the sweep of its model ----------------------------------------------------------------------------


def questions(goals: dict, per: list[str], where: dict) -> dict:
    """Give every question about a cube, stored or swept."""
    name, sense = next(iter(goals.items()))
    few = {"per": per[:1], "where": where}
    asked = {
        "best": lambda c: rc.best(c, name, sense=sense, per=per, where=where),
        "top": lambda c: rc.top(c, 7, name, sense=sense, **few),
        "pareto": lambda c: rc.pareto(c, goals, **few),
        "all ties": lambda c: rc.pareto(c, goals, where=where, ties="all"),
        "count": lambda c: rc.count(c, per=per, where=where),
        "count by": lambda c: rc.count(c, by="bound", **few),
        "bins": lambda c: rc.histogram(c, name, bins=4, **few),
        "edges": lambda c: rc.histogram(c, name, bins=[0, 1, 2, 7], **few),
        "quantile": lambda c: rc.quantile(c, name, [0, 0.3, 1], **few),
        "distance": lambda c: rc.distance_to_front(c, goals, where=where).to_dataset(),
    }
    if len(per) > 1:
        asked["crossover"] = lambda c: rc.crossover(c, name, sense=sense, between=per[0], along=per[1], where=where)
    return asked


def assert_same_answer(stored: xr.Dataset, swept: xr.Dataset, told: str) -> None:
    """Compare what both have; a stored cube also has inputs that its model did not use."""
    for name, one in swept.variables.items():
        if name not in stored.variables:
            continue
        other = stored.variables[name]
        assert other.dims == one.dims, f"{told} {name}"
        assert other.dtype == one.dtype or {other.dtype.kind, one.dtype.kind} <= set("iuf"), f"{told} {name}"
        np.testing.assert_array_equal(other.values.astype(one.dtype), one.values, err_msg=f"{told} {name}")
    account = ("n_points", "missing_", "removed_by_", "objective")
    for key, value in swept.attrs.items():
        if key.startswith(account):
            assert stored.attrs[key] == value, f"{told} {key}"


@given(seed=st.integers(0, 2**32))
@example(seed=725018)  # all values are one, beside which f4 knows no quarter
@settings(max_examples=6, deadline=None)
def test_a_filled_cube_answers_as_the_sweep_of_its_model(seed):
    case = sweep_oracle.random_case(seed, most=400)
    cube = rc.predict(case.inputs, assumptions=case.assumptions, dtype=case.dtype)
    # a sweep rounds its inputs to the dtype in which it computes
    cube = cube.assign({name: one.astype(case.dtype) for name, one in cube.data_vars.items() if one.dtype.kind == "f"})
    sweep = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype, strategy="numpy")
    names = case.form.permutation(sorted(set(case.full) & set(sweep.model.outputs)))[:3].tolist()
    goals = {name: str(case.form.choice(["min", "max"])) for name in names}
    where = sweep_oracle.random_where(case)
    per = [str(dim) for dim in case.form.permutation(case.dims)[:2]]
    for question, ask in questions(goals, per, where).items():
        assert_same_answer(ask(cube), ask(sweep), f"seed={seed} {question} {goals} {per} {where} {case.dtype}")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_order_of_dims_goes_with_the_filled_cube(dtype):
    hardware = rc.hypothetical(peak_compute=[1e11, 1e12], memory_bandwidth=[1e9, 1e10], power=[5.0, 20.0])
    sweep = rc.Sweep(rc.inputs("mnist", platforms=hardware, batch=[1, 8]), dims=["batch", "watts"], dtype=dtype)
    cube = sweep.compute()
    assert StoredContext(cube).dims == sweep.dims
    goals = {"predicted_throughput": "max", "power": "min"}
    for question, ask in questions(goals, ["precision", "batch"], {"top1": (90, None)}).items():
        stored = ask(cube) if question != "distance" else None
        if stored is not None:
            assert_same_answer(stored, ask(sweep), question)


# what has no answer --------------------------------------------------------------------------------------------------


@pytest.fixture
def lazy(tmp_path: Path) -> xr.Dataset:
    """A cube on disk, of 80 kB a variable, one of them too wide for floating point."""
    values = np.arange(10_000.0).reshape(100, 100)
    cube = xr.Dataset(
        {"x": (("platform", "batch"), values), "y": (("platform", "batch"), -values), "n": ("platform", range(100))},
        coords={"platform": [f"board {k}" for k in range(100)], "batch": np.arange(100)},
    )
    cube["wide"] = (("platform", "batch"), (1 << 60) + np.arange(10_000).reshape(100, 100))
    for name in ("predicted_throughput_low", "predicted_throughput_high"):
        cube[name] = cube["x"]
    cube.to_netcdf(tmp_path / "cube.nc")
    with xr.open_dataset(tmp_path / "cube.nc") as opened:
        yield opened


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: rc.best(c, "x", sense="max", per=["platform", "batch"]), "`best`.*group by fewer dims"),
        (lambda c: rc.top(c, 10_000, "x", sense="max"), "`top`.*ask for fewer points"),
        (lambda c: rc.pareto(c, {"x": "max", "y": "max"}), '`pareto`.*ties="first"'),
        (lambda c: rc.count(c, per=["platform", "batch"]), "`count`.*group by fewer dims"),
        (lambda c: rc.histogram(c, "x", bins=5000), "`histogram`.*take fewer bins, or raise"),
        (lambda c: rc.histogram(c, "x", bins=10**15), "`histogram`.*take fewer bins, or raise"),
        (lambda c: rc.quantile(c, "x", [0.1, 0.5], per=["platform", "batch"]), "`quantile`.*group by fewer dims"),
        (lambda c: rc.distance_to_front(c, {"x": "max", "y": "max"}), "`distance_to_front`.*raise the limit"),
        (lambda c: rc.best(c, "wide", sense="max"), "`wide`: larger than the memory limit.*compared as a whole"),
        (
            lambda c: rc.pareto(c, {"x": "max"}, where={"platform": "board 3"}, probability=True),
            "`probability`: draws look at all values at once",
        ),
    ],
)
def test_what_is_too_large_is_refused_before_the_work(lazy, ask, message, read):
    with rc.set_options(memory=35_000), pytest.raises(MemoryLimitError, match=message):
        ask(lazy)
    assert sum(read) < 250_000  # a front has to be found before its size is known


def test_a_crossover_too_large_is_told_by_its_own_name(lazy):
    with rc.set_options(memory=15_000), pytest.raises(MemoryLimitError, match=r"`crossover`.*got 100 points"):
        rc.crossover(lazy, "x", sense="max")


@pytest.fixture
def read(monkeypatch):
    """The bytes of each read."""
    sizes, load = [], xr.Dataset.load
    monkeypatch.setattr(xr.Dataset, "load", lambda self: sizes.append(self.nbytes) or load(self))
    return sizes


def test_answers_about_a_part_of_what_is_larger_than_memory(lazy):
    whole = lazy.copy(deep=True).load()
    where = {"platform": ["board 3", "board 70"], "x": (None, 7050)}
    with rc.set_options(memory=35_000):
        distance = rc.distance_to_front(lazy, {"x": "max", "y": "max"}, where=where, relative=False)
        best = rc.best(lazy, "x", sense="max", where=where, per="platform")
        near = rc.pareto(lazy, {"x": "max"}, where=where, epsilon=0.001)
    xr.testing.assert_identical(
        distance, rc.distance_to_front(whole, {"x": "max", "y": "max"}, where=where, relative=False)
    )
    assert best["x"].values.tolist() == [399.0, 7050.0]
    assert near["x"].values.tolist() == [7050.0 - k for k in range(8)]


def test_a_streamed_question_reads_a_block_of_the_groups_that_are_asked_only(lazy, read):
    with rc.set_options(memory=35_000):
        rc.quantile(lazy, "x", 0.5, where={"platform": "board 3"})
    assert max(read) <= 35_000 / 2
    assert sum(read) < lazy["x"].nbytes


@pytest.mark.parametrize("question", ["pareto", "distance"])
@pytest.mark.parametrize("kind", ["datetime", "wide i8", "g"])
def test_what_is_only_compared_has_no_distance(kind, question):
    values, _ = stored_cubes.values_of(np.random.default_rng(0), kind, [5])
    cube = xr.Dataset({"x": ("a", values)})
    ask = {
        "pareto": lambda: rc.pareto(cube, {"x": "max"}, epsilon=0.1),
        "distance": lambda: rc.distance_to_front(cube, {"x": "max"}),
    }[question]
    with pytest.raises(InvalidDataError, match="`objectives`: expected numbers that f8 holds exactly, got 'x'"):
        ask()


# names that answers need ---------------------------------------------------------------------------------------------


def named(name: str, *, coord: bool = False) -> xr.Dataset:
    cube = xr.Dataset({"x": ("platform", [1.0, 3.0, 2.0])}, coords={"platform": ["a", "b", "c"]})
    made = cube.assign({name: ("platform", [7.0, 8.0, 9.0])})
    return made.set_coords(name) if coord else made


@pytest.mark.parametrize("coord", [False, True])
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("found", lambda c: rc.best(c, "x", sense="max")),
        ("found", lambda c: rc.best(c, "found", sense="max")),
        ("n_ties", lambda c: rc.pareto(c, {"x": "max"})),
        ("n_ties", lambda c: rc.pareto(c, {"n_ties": "max"})),
        ("point", lambda c: rc.pareto(c, {"x": "max"})),
        ("point", lambda c: rc.top(c, 2, "x", sense="max")),
        ("quantile", lambda c: rc.quantile(c, "quantile", 0.5)),
    ],
)
def test_a_variable_named_as_what_an_answer_adds_is_refused(name, ask, coord):
    with pytest.raises(InvalidDataError, match=f"`cube`: expected no variable '{name}'.*rename it"):
        ask(named(name, coord=coord))


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("count", lambda c: rc.count(c, per="platform")),
        ("bin_low", lambda c: rc.histogram(c, "x", per="platform")),
        ("meaning", lambda c: rc.histogram(c, "x", per="platform")),
        ("quantile", lambda c: rc.quantile(c, "x", 0.5, per="platform")),
        ("count", lambda c: rc.count(c, per="count")),
    ],
)
def test_a_label_of_groups_named_as_what_an_answer_adds_is_refused(name, ask):
    with pytest.raises(InvalidDataError, match=f"`cube`: expected no variable '{name}'.*rename it"):
        ask(named(name, coord=True))


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("found", lambda c: rc.best(c, "x", sense="max")),
        ("found", lambda c: rc.crossover(c, "x", sense="max", between="found", along="b")),
        ("found", lambda c: rc.Sweep(rc.inputs("mnist").assign(x=c.x)).at({"platform": ["TX2"], "found": [0]})),
        ("n_ties", lambda c: rc.pareto(c, {"x": "max"})),
    ],
)
def test_a_dim_without_labels_named_as_what_an_answer_adds_is_refused(name, ask):
    cube = xr.Dataset({"x": ((name, "b"), [[1.0, 3.0], [2.0, 5.0]])})
    with pytest.raises(InvalidDataError, match=f"`cube`: expected no variable '{name}'.*rename it"):
        ask(cube)


def test_a_variable_named_as_a_limit_becomes_is_refused_where_it_matters():
    cube = xr.Dataset({"f": ("a", [1.0, 2.0, 3.0]), "where f": ("a", [5.0, 6.0, 4.0])})
    assert float(rc.best(cube, "where f", sense="max", where={"f": (3, None)})["where f"]) == 4.0
    with pytest.raises(InvalidDataError, match="`cube`: expected no variable 'where f' where that limit is set"):
        rc.best(cube, "where f", sense="max", where={"f": cube.f > 2})


def test_a_term_may_be_named_as_what_counts_the_figures_known():
    terms = rc.PUBLISHED.with_term("known predicted_latency", lambda m: m.predicted_latency * 2.0, sense="min")
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2"), assumptions=terms)
    front = sweep.pareto({"predicted_latency": "min"})
    again = sweep.pareto({"known predicted_latency": "min"})
    np.testing.assert_array_equal(again["known predicted_latency"], 2 * front["predicted_latency"])
    assert again.attrs["missing_known predicted_latency"] == front.attrs["missing_predicted_latency"]


def test_a_dim_named_as_what_an_answer_adds_is_refused_where_it_is_in_the_answer():
    cube = xr.Dataset({"x": (("reason", "winner"), [[1.0, 3.0], [2.0, 5.0]])})
    cube["flag"] = ("winner", np.array([0, 1], "i1"), {"flag_values": [0, 1], "flag_meanings": "no yes"})
    assert rc.count(cube, by="flag")["count"].values.tolist() == [2, 2]
    assert rc.count(cube, per="reason")["count"].values.tolist() == [2, 2]
    with pytest.raises(InvalidDataError, match="'reason', which the answer needs"):
        rc.count(cube, by="flag", per="reason")
    with pytest.raises(InvalidDataError, match="'winner', which the answer needs"):
        rc.crossover(cube, "x", sense="max", between="reason", along="winner")


def test_labels_of_groups_are_no_objective_of_quantiles_and_crossovers():
    cube = xr.Dataset({"x": (("a", "b"), np.ones((2, 2)))}, coords={"a": [1.0, 2.0], "b": [3.0, 4.0]})
    with pytest.raises(InvalidDataError, match="`variable`: expected another than the labels of groups, got 'a'"):
        rc.quantile(cube, "a", 0.5, per="a")
    with pytest.raises(InvalidDataError, match="`objective`: expected another than the labels of groups, got 'b'"):
        rc.crossover(cube, "b", sense="max", between="a", along="b")


def test_answers_can_be_asked_again():
    cube = xr.Dataset(
        {"x": (("platform", "batch"), [[1.0, 3.0], [3.0, 2.0]])}, coords={"platform": ["a", "b"], "batch": [1, 2]}
    )
    best = rc.best(cube, "x", sense="max", per="platform")
    assert bool(rc.best(best, "x", sense="max", where={"platform": "b"})["found"])
    front = rc.pareto(cube, {"x": "max"}, ties="all", where={"batch": [1, 2]})
    assert front["n_ties"].values.tolist() == [2, 2]
    again = rc.pareto(front, {"x": "max"}, where={"platform": "a"})
    assert again["n_ties"].values.tolist() == [1]
    assert {key for key in again.attrs if key.startswith("removed_by_")} == {"removed_by_platform"}


def test_an_answer_says_which_way_of_a_variable_is_better_as_the_cube_does():
    cost = ("platform", [3.0, 1.0, 2.0], {"units": "USD", "sense": "min"})
    cube = xr.Dataset({"cost": cost}, coords={"platform": ["a", "b", "c"]})
    for answer in (rc.best(cube, "cost", per="platform"), rc.pareto(cube, ["cost"]), rc.top(cube, 2, "cost")):
        assert answer["cost"].attrs == cube["cost"].attrs
        assert float(rc.best(answer, "cost")["cost"]) == 1.0


@pytest.mark.parametrize("unit", ["s", "ns"])
@pytest.mark.parametrize("as_coordinate", [True, False])
@pytest.mark.parametrize(
    "ends",
    [("2026-01-02", "2026-01-02"), (None, "2026-01"), ("2026-01-30", None), (None, "2026-02-01T05"), ("2025", "2025")],
)
def test_a_day_written_as_text_reaches_to_its_end(unit, as_coordinate, ends):
    hours = (np.datetime64("2026-01-01", unit) + np.arange(24 * 40) * np.timedelta64(1, "h")).astype(f"M8[{unit}]")
    cube = xr.Dataset({"x": ("time", np.arange(len(hours), dtype="f8"))}, coords={"time": hours})
    expected = cube.sel(time=slice(*ends)).sizes["time"]
    asked = cube if as_coordinate else xr.Dataset({"x": cube["x"].variable, "when": ("time", hours)})
    name = "time" if as_coordinate else "when"
    assert int(rc.count(asked, where={name: ends})["count"]) == expected
    with pytest.raises(InvalidDataError, match="expected a datetime, got '20260101'"):
        rc.count(asked, where={name: ("20260101", None)})


def test_a_code_of_a_label_never_hides_a_variable():
    cube = named("platform_code").expand_dims(batch=[1, 2])
    best = rc.best(cube, "x", sense="max", per="batch")
    assert best["platform_code"].values.tolist() == [8.0, 8.0]


# labels of groups ----------------------------------------------------------------------------------------------------


@pytest.fixture
def classes() -> xr.Dataset:
    return xr.Dataset(
        {"x": (("platform", "batch"), [[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]])},
        coords={
            "platform": ["a", "b", "c"],
            "batch": [1, 2],
            "device_class": ("platform", ["GPU", "CPU", "GPU"]),
            "task": "mnist",
        },
    )


def test_groups_of_a_coordinate_are_those_that_limits_leave(classes):
    count = rc.count(classes, per="device_class", where={"platform": ["a", "c"]})
    assert count["device_class"].values.tolist() == ["GPU"]
    assert count["count"].values.tolist() == [4]
    nothing = rc.best(classes, "x", sense="max", per=["device_class", "batch"], where={"platform": []})
    assert dict(nothing.sizes) == {"device_class": 0, "batch": 2}


def test_winners_of_a_coordinate_have_codes_of_their_own_labels(classes):
    best = rc.best(classes, "x", sense="max", per="device_class")
    assert best["platform_code"].values.tolist() == [2, 1]
    assert "device_class_code" not in best
    assert best["task"].dims == ()


def test_bins_are_the_same_for_all_labels_of_a_coordinate(classes):
    bins = rc.histogram(classes, "x", bins=[0, 2, 5], per="device_class")
    assert bins["bin_low"].dims == ("bin",)
    assert bins["count"].values.tolist() == [[1, 2], [0, 2]]


def test_groups_come_in_the_order_in_which_they_are_asked_for(classes):
    by_batch = rc.top(classes, 1, "x", sense="max", per=["batch", "device_class"])
    assert list(zip(by_batch["batch"].values.tolist(), by_batch["device_class"].values.tolist(), strict=True)) == [
        (1, "GPU"),
        (1, "CPU"),
        (2, "GPU"),
        (2, "CPU"),
    ]
    front = rc.pareto(classes, {"x": "max"}, per=["batch", "device_class"])
    assert front["x"].values.tolist() == by_batch["x"].values.tolist()


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: rc.count(c),
        lambda c: rc.count(c, where={"x1": (1.5, None)}),
        lambda c: rc.histogram(c, "x0", bins=2),
        lambda c: rc.quantile(c, "x0", 0.5),
        lambda c: rc.pareto(c, {"x0": "max"}),
    ],
)
def test_more_points_than_can_be_counted_are_refused(ask):
    cube = xr.Dataset({f"x{k}": (f"d{k}", np.linspace(1, 2, 1000)) for k in range(8)})
    assert float(rc.best(cube, "x0", sense="max").x0) == 2.0
    with pytest.raises(InvalidDataError, match=r"`space`: expected fewer than 2\^63 = 9.2e18 points, got 1e\+24"):
        ask(cube)
    few = xr.Dataset({f"x{k}": (f"d{k}", np.linspace(1, 2, 100)) for k in range(9)})
    assert int(rc.count(few)["count"]) == 10**18


@pytest.mark.parametrize("per", [None, "platform"])
@pytest.mark.parametrize("ties", ["all", "first"])
def test_a_front_slab_by_slab_as_the_memory_allows_is_that_of_all_points(per, ties):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 300, (3, 50_000)) * 1.0
    cube = xr.Dataset({"x": (("platform", "i"), values), "y": (("platform", "i"), 300 - values[::-1] % 7)})
    objectives = {"x": "max", "y": "min"}
    whole = rc.pareto(cube, objectives, per=per, ties=ties)
    with rc.set_options(memory="2 MB"):
        assert rc.pareto(cube, objectives, per=per, ties=ties).identical(whole)
    assert whole.n_ties.max() > 1


def test_groups_along_a_dim_that_nothing_depends_on_are_no_copies_in_blocks(tmp_path):
    """A quantile is taken between two points: of each point three times it is another."""
    rng = np.random.default_rng(2)
    values, platforms = rng.random((4, 20_002)), {"platform": ["a", "b", "c"]}
    cube = xr.Dataset({"x": (("p", "i"), values)}, coords=platforms)
    whole = rc.quantile(cube, "x", [0.3, 0.77], per=["platform", "p"])
    path = rc.save(cube, tmp_path / "cube.nc")
    with xr.open_dataset(path) as lazy, rc.set_options(memory=150_000):
        found = rc.quantile(lazy, "x", [0.3, 0.77], per=["platform", "p"])
    np.testing.assert_array_equal(found["x"], whole["x"])
    np.testing.assert_allclose(whole["x"].sel(platform="b").T, np.quantile(values, [0.3, 0.77], axis=1))


def test_blocks_of_a_lazy_cube_are_whole_chunks(tmp_path):
    pytest.importorskip("dask")
    pytest.importorskip("zarr")
    values = np.random.default_rng(0).integers(0, 50, (40, 3000)) * 1.0
    path = rc.save(xr.Dataset({"x": (("p", "i"), values), "y": (("p", "i"), -values)}), tmp_path / "cube.zarr")
    cube = rc.load(path, chunks={"p": 7, "i": 1000})
    with rc.set_options(memory=500_000):
        found = rc.pareto(cube, {"x": "max"}, ties="all")
        assert int(rc.count(cube, where={"x": (25, None)})["count"]) == (values >= 25).sum()
    assert found.identical(rc.pareto(cube.compute(), {"x": "max"}, ties="all"))
    assert found.sizes["point"] == (values == values.max()).sum()


def test_what_is_better_is_asked_for_in_a_way_that_the_question_takes():
    cube = xr.Dataset({"t": ("x", [1.0, 2.0])})
    for question in (rc.pareto, rc.distance_to_front):
        with pytest.raises(InvalidDataError, match=r'`objectives\[\'t\'\]`.*give a mapping .*\{"t": "max"\}'):
            question(cube, ["t"])
    with pytest.raises(InvalidDataError, match=r"`sense`.*with `sense`"):
        rc.best(cube, "t")


def test_advice_on_memory_is_on_what_the_question_takes():
    cube = xr.Dataset({"t": ("x", np.arange(2e5))})
    with rc.set_options(memory="1 MB"):
        with pytest.raises(MemoryLimitError, match=r"got 1 point, .*; take fewer bins, or raise"):
            rc.histogram(cube, "t", bins=10**6)
        with pytest.raises(MemoryLimitError, match="; choose fewer labels with `isel` or `where`, or raise"):
            rc.distance_to_front(cube, {"t": "max"})


@pytest.mark.parametrize("none", [None, np.nan])
def test_what_has_no_label_is_no_group(none):
    vendor = np.array(["p", none, "p"], dtype=object)
    cube = xr.Dataset({"v": ("x", [1.0, 9.0, 3.0])}, coords={"x": ["a", "b", "c"], "vendor": ("x", vendor)})
    assert rc.count(cube, per="vendor")["count"].to_series().to_dict() == {"p": 2}
    assert rc.best(cube, "v", sense="max", per="vendor")["v"].values.tolist() == [3.0]


def test_a_label_without_a_winner_hides_no_crossover():
    speed = [[5.0, np.nan, 1.0, np.nan], [4.0, np.nan, 2.0, 1.0]]
    cube = xr.Dataset({"speed": (("platform", "batch"), speed)}, coords={"platform": ["A", "B"], "batch": [1, 2, 4, 8]})
    found = rc.crossover(cube, "speed", sense="max")
    assert found["changes"].values.tolist() == [False, False, True, False]
    assert [found[name].values.tolist() for name in ("before", "after", "loser", "gainer")] == [[1], [4], ["A"], ["B"]]


def test_along_dims_without_labels_answers_tell_the_place_that_limits_left():
    days = {"x": ["p", "q"], "day": ("run", ["mo", "tu", "mo"])}
    cube = xr.Dataset({"v": (("x", "run"), [[9.0, 5.0, 1.0], [1.0, 6.0, 2.0]])}, coords=days)
    limits = {"where": {"day": "mo"}}
    found = rc.crossover(cube, "v", between="x", along="run", sense="max", **limits)
    assert (found["before"].values.tolist(), found["after"].values.tolist()) == ([0], [2])
    for answer in (
        rc.best(cube, "v", sense="max", per="run", **limits),
        rc.best(cube.assign_coords(kind=("x", ["u", "v"])), "v", sense="max", per=["kind", "run"], **limits),
        rc.count(cube, per="run", **limits),
        rc.quantile(cube, "v", 0.5, per="run", **limits),
    ):
        assert answer["run"].values.tolist() == [0, 2]


@pytest.mark.parametrize(
    "labels", [[True, False], [2, 1], np.array(["2026-01-02", "2026-01-01"], "M8[s]"), ["b", "a"], [0.5, np.nan]]
)
def test_masks_are_laid_by_labels_of_any_type(labels):
    cube = xr.Dataset({"v": (("turbo", "x"), [[1.0, 2.0], [3.0, 4.0]])}, coords={"turbo": labels, "x": ["a", "b"]})
    turned = cube["v"].isel(turbo=[1, 0], x=[1, 0]) > 1
    assert rc.best(cube, "v", where=turned, sense="min")["v"].item() == 2.0
    with pytest.raises(UnknownLabelError, match="expected the cube's labels along 'turbo', got no "):
        rc.best(cube.isel(turbo=[0]), "v", where=turned.isel(turbo=[0]), sense="min")
    with pytest.raises(UnknownLabelError, match="along 'turbo', got some of them twice"):
        rc.best(cube, "v", where=turned.isel(turbo=[0, 0]), sense="min")


def test_points_of_a_front_are_paired_by_their_labels():
    values = {"a": (("p", "q"), [[1.0, 4.0], [2.0, 3.0]]), "b": (("p", "q"), [[4.0, 1.0], [3.0, 2.0]])}
    cube = xr.Dataset(values, coords={"p": ["u", "v"], "q": ["m", "n"]})
    goals = {"a": "max", "b": "max"}
    turned = cube.assign(b=cube["b"].transpose("q", "p"))
    assert rc.distance_to_front(cube, goals, front=turned).equals(rc.distance_to_front(cube, goals, front=cube))
    apart = cube.assign(b=("q", [2.0, 1.0]))
    assert float(rc.distance_to_front(cube.isel(p=0, q=0), goals, front=apart)) == pytest.approx(0.0)


def test_a_distance_keeps_the_dims_of_one_label():
    cube = xr.Dataset(
        {"a": (("p", "q"), [[1.0], [2.0]]), "b": ("p", [2.0, 1.0]), "late": ("r", np.array([5], "M8[s]"))},
        coords={"p": ["u", "v"], "q": ["m"], "r": ["s"], "kind": ("q", ["k"])},
        attrs={"dim_order": "p q r"},
    )
    goals = {"a": "max", "b": "max"}
    distance = rc.distance_to_front(cube, goals)
    assert (distance.dims, distance.shape) == (("p", "q"), (2, 1))
    assert (distance["q"].item(), distance["kind"].item()) == ("m", "k")
    assert rc.distance_to_front(cube.transpose("r", "q", "p"), goals).identical(distance)
    assert rc.distance_to_front(cube, goals, where={"p": ["u"], "late": (None, "2026")}).shape == (1, 1, 1)
    assert rc.distance_to_front(cube, {"b": "max"}).dims == ("p",)


def test_masks_are_laid_by_labels_without_an_index_too():
    cube = xr.Dataset({"v": ("x", [1.0, 2.0, 3.0])}, coords={"x": [0, 1, 2]})
    mask = xr.DataArray([True, False, False], coords={"x": [2, 1, 0]}, dims="x").drop_indexes("x")
    assert rc.best(cube, "v", where=mask, sense="min")["v"].item() == 3.0


def test_a_mask_with_labels_is_refused_where_the_cube_has_none():
    cube = xr.Dataset({"v": ("x", [1.0, 2.0, 3.0])})
    labelled = (cube["v"] > 1).assign_coords(x=[2, 1, 0])
    with pytest.raises(
        InvalidDataError, match=r"`where\['where'\]`: expected no labels along 'x', as the cube has none"
    ):
        rc.count(cube, where=labelled.rename(None))
    assert rc.count(cube, where=labelled.drop_vars("x"))["count"].item() == 2


KINDS = xr.Dataset(
    {
        "v": ("x", [0.0, 1.0, 2.0, 3.0]),
        "on": ("x", [True, False, True, True]),
        "loose": ("x", np.array([True, False, True, True], object)),
        "kept": ("x", np.array([1, 0, 1, 1], "i1")),
        "sizes": ("x", np.array([4, 1, 2, 8], object)),
        "code": ("x", np.array([0, 1, 0, 1], "i1"), {"flag_values": np.array([0, 1]), "flag_meanings": "a b"}),
    },
    coords={"x": np.array([8, 1, 2, 4], object), "turbo": ("x", [True, False, False, False])},
)


@pytest.mark.parametrize("name", ["v", "sizes", "code", "x"])
@pytest.mark.parametrize("limit", [True, [True, False], np.array([True] * 4), (True, 3), slice(False, None)])
def test_true_is_no_number_and_an_array_of_it_no_mask(name, limit):
    with pytest.raises(InvalidDataError, match=rf"`where\['{name}'\]`: .*a mask is a boolean DataArray"):
        rc.count(KINDS, where={name: limit})


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"on": True}, 3),
        ({"on": [False]}, 1),
        ({"loose": True}, 3),
        ({"kept": True}, 3),
        ({"kept": [False]}, 1),
        ({"turbo": False}, 3),
        ({"turbo": np.array([True])}, 1),
        ({"x": (1, 4)}, 3),
        ({"x": (2, None)}, 3),
        ({"x": slice(1, 2)}, 2),
        ({"x": [1, 8]}, 2),
        ({"x": ["1", "8"]}, 2),
        ({"sizes": (2, None)}, 3),
        ({"sizes": [1, 2]}, 2),
    ],
)
def test_objects_are_limited_as_the_numbers_or_truths_that_they_are(where, count):
    assert rc.count(KINDS, where=where)["count"].item() == count


@pytest.mark.parametrize("limit", [("1", "8"), (1, "8"), ("2", None)])
@pytest.mark.parametrize("kind", [object, "i8", "f4"])
def test_a_pair_of_texts_is_no_range_of_numbers(limit, kind):
    cube = KINDS.assign_coords(x=KINDS.x.astype(kind))
    with pytest.raises(InvalidDataError, match=r"`where\['x'\]`: expected \(low, high\) with numbers or None, got \("):
        rc.count(cube, where={"x": limit})


def test_a_front_is_in_the_units_of_the_cube():
    cube = xr.Dataset({"t": ("x", [1.0, 2.0], {"units": "s"}), "cost": ("x", [2.0, 1.0], {"units": "USD"})})
    goals = {"t": "min", "cost": "min"}
    front = rc.pareto(cube, goals)
    wanted = rc.distance_to_front(cube, goals, front=front)
    for unit in ({"units": "sec"}, {}):
        same = front.assign(t=front.t.drop_attrs().assign_attrs(unit))
        assert rc.distance_to_front(cube, goals, front=same).identical(wanted)
    for name, unit, fix in (("t", "ms", r"\(front\['t'\] \* 0\.001\)"), ("cost", "EUR", "the objective")):
        other = front.assign({name: front[name].assign_attrs(units=unit)})
        with pytest.raises(InvalidDataError, match=rf"`front`: expected {name} in .*, got '{unit}'; convert {fix}"):
            rc.distance_to_front(cube, goals, front=other)


NO_TRUTHS = [0, 1, 1.5, None, "yes", np.array([True, False]), pd.NA]


@pytest.mark.parametrize("truth", NO_TRUTHS, ids=repr)
def test_what_is_neither_true_nor_false_is_no_truth(truth):
    cube = xr.Dataset({"t": ("x", [3.0, 1.0, 0.0])})
    with pytest.raises(InvalidDataError, match=r"`relative`: expected True or False, got .*; write relative=True"):
        rc.distance_to_front(cube, {"t": "max"}, relative=truth)
    sweep = rc.Sweep(rc.inputs("mnist"))
    for ask in (lambda **more: rc.pareto(cube, {"t": "max"}, **more), lambda **more: sweep.pareto("top1", **more)):
        with pytest.raises(
            InvalidDataError, match=r"`probability`: expected True or False, got .*; write probability="
        ):
            ask(probability=truth)


def test_a_truth_of_numpy_is_one():
    cube = xr.Dataset({"t": ("x", [3.0, 1.0, 0.0])})
    assert rc.distance_to_front(cube, {"t": "max"}, relative=np.True_).values.tolist() == [0.0, 2.0, np.inf]
    assert rc.distance_to_front(cube, {"t": "max"}, relative=np.False_).values.tolist() == [0.0, 2.0, 3.0]
    assert rc.pareto(cube, {"t": "max"}, probability=np.False_).identical(rc.pareto(cube, {"t": "max"}))


@pytest.mark.parametrize("number", [np.float16, np.float32, np.float64, np.longdouble, np.int64, np.uint8, int, float])
def test_a_tolerance_is_any_real_number(number):
    cube = xr.Dataset({"t": ("x", [3.0, 1.0, 2.9])})
    assert rc.pareto(cube, {"t": "max"}, epsilon=number(0.1)).sizes["point"] == (1 if number(0.1) == 0 else 2)


@pytest.mark.parametrize(
    "epsilon",
    [
        True,
        np.True_,
        -1,
        np.float32("nan"),
        np.longdouble("inf"),
        10**400,
        np.longdouble("1e4000"),
        0.1j,
        "0.1",
        np.array([0.1]),
        pd.NA,
    ],
)
def test_what_is_no_tolerance_is_refused(epsilon):
    with pytest.raises(
        InvalidDataError, match=r"`epsilon`: expected a finite number of at least 0, got .*; give a share"
    ):
        rc.pareto(xr.Dataset({"t": ("x", [3.0, 1.0])}), {"t": "max"}, epsilon=epsilon)


@pytest.mark.parametrize("relative", [True, False])
def test_nothing_is_near_a_front_without_points(relative):
    cube = xr.Dataset({"t": ("x", [1.0, 2.0])})
    front = rc.pareto(cube, {"t": "min"})
    for empty in (front.isel(point=[]), front * np.nan):
        assert rc.distance_to_front(cube, {"t": "min"}, front=empty, relative=relative).isnull().all()


@pytest.mark.parametrize(
    ("labels", "label", "why"),
    [
        ([1.0, np.nan], np.nan, "nan is not known, as nothing equals NaN"),
        (["1", "2"], 1, "1 is not known, as labels are text; write '1'"),
    ],
)
def test_a_label_of_another_kind_is_not_suggested_as_it_is_written(labels, label, why):
    cube = xr.Dataset({"v": ("x", [1.0, 2.0])}, coords={"x": labels})
    with pytest.raises(UnknownLabelError, match=f"`x`: {why}; expected one of"):
        rc.count(cube, where={"x": label})


LONGEST = np.iinfo("i8").min  # as which NaN becomes a whole number


@pytest.mark.parametrize(("meaning", "place"), [("ok", "q"), ("worse", "p"), ("not ok", "r")])
def test_codes_of_a_flag_are_no_ranks_where_one_is_very_long(meaning, place):
    flag = {"flag_values": np.array([0, 1, 5]), "flag_meanings": "ok bad worse"}
    status = ("a", np.array([5, 0, 1, LONGEST]), flag)
    cube = xr.Dataset({"x": ("a", [1.0, 2.0, 3.0, 4.0]), "status": status}, coords={"a": list("pqrs")})
    assert rc.best(cube, "x", where={"status": meaning}, sense="max").a.item() == place
    assert rc.count(cube, by="status")["count"].values.tolist() == [1, 1, 1]
    assert rc.count(cube, by="status", per="a")["count"].values.sum(axis=0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("codes", [[0, 9, 5], [2, 1, 0], [4]])
def test_a_flag_has_a_bin_for_each_meaning_whatever_its_codes(codes):
    words = ["ok", "bad", "worse"][: len(codes)]
    flag = {"flag_values": np.array(codes, "i1"), "flag_meanings": " ".join(words)}
    cube = xr.Dataset({"state": ("a", np.array([*codes, codes[0]], "i1"), flag)})
    bins = rc.histogram(cube, "state")
    order = np.argsort(codes)
    assert bins["meaning"].values.tolist() == [words[k] for k in order]
    assert bins["count"].values.tolist() == [2 if k == 0 else 1 for k in order]
    assert (bins["bin_low"].values < np.sort(codes)).all()
    assert (bins["bin_high"].values > np.sort(codes)).all()
    assert rc.histogram(cube, "state", per="a")["count"].sum() == len(codes) + 1


def test_booleans_of_which_some_are_missing_are_asked_as_others():
    table = pd.DataFrame(
        {"on": pd.array([True, None, False], dtype="boolean"), "x": [1.0, 2.0, 3.0]}, index=list("abc")
    )
    cube = table.rename_axis("k").to_xarray()
    assert rc.best(cube, "on", sense="max").k.item() == "a"
    assert rc.best(cube, "x", where={"on": True}, sense="max").k.item() == "a"
    assert rc.best(cube, "x", where={"on": [False]}, sense="max").k.item() == "c"
    assert rc.histogram(cube, "on", bins=2)["count"].values.tolist() == [1, 1]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no text of any length")
def test_text_of_any_length_is_limited_as_text():
    words = np.array(["p", "q"], dtype=np.dtypes.StringDType())
    cube = xr.Dataset({"x": ("k", [1.0, 2.0]), "v": ("k", words)}, coords={"k": ["a", "b"]})
    assert rc.best(cube, "x", where={"v": "p"}, sense="max").k.item() == "a"
    assert rc.best(cube.set_coords("v"), "x", where={"v": slice("p", "q")}, sense="max").k.item() == "b"


@pytest.mark.parametrize(("meaning", "place"), [("high", "b"), ("low", "a"), ("not high", "a")])
def test_a_flag_may_use_all_its_bits(meaning, place):
    flag = {"flag_masks": np.array([1, 1 << 63], "u8"), "flag_meanings": "low high"}
    cube = xr.Dataset(
        {"x": ("k", [1.0, 2.0]), "q": ("k", np.array([1, 1 << 63], "u8"), flag)}, coords={"k": ["a", "b"]}
    )
    assert rc.best(cube, "x", where={"q": meaning}, sense="max").k.item() == place
    assert rc.count(cube, by="q")["count"].values.tolist() == [1, 1]
    assert rc.explain(cube, "x", sense="max").winner["k"] == "b"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pd.array(["u", None, "u"], "string"), ["u"]),
        (pd.array([7, None, 7], "Int64"), [7]),
        (pd.Categorical(["u", None, "u"]), ["u"]),
    ],
)
def test_arrays_of_pandas_group_by_what_is_known(values, labels):
    cube = xr.Dataset({"x": ("p", pd.array([1, 2, None], "Int64"))}, coords={"s": ("p", values)})
    counted = rc.count(cube, per="s")
    assert (counted["s"].values.tolist(), counted["count"].values.tolist()) == (labels, [2])
    assert rc.best(cube, "x", per="s", sense="max")["x"].values.tolist() == [1.0]
    assert not rc.best(cube, "x", where={"x": (5, None)}, sense="max")["found"]


def test_groups_may_be_pairs_of_labels():
    pairs = np.empty(3, dtype=object)
    pairs[:] = [("a", 1), ("b", 2), ("a", 1)]
    cube = xr.Dataset({"x": ("k", [1.0, 2.0, 3.0])}, coords={"pair": ("k", pairs), "k": [0, 1, 2]})
    assert rc.best(cube, "x", per="pair", sense="max").k.values.tolist() == [2, 1]
    assert rc.pareto(cube, {"x": "max"}, per="pair").k.values.tolist() == [2, 1]


def test_the_label_of_a_winner_keeps_all_its_digits_beside_a_group_without_one():
    label = (1 << 53) + 1
    cube = xr.Dataset({"x": (("k", "j"), [[1.0], [np.nan]])}, coords={"k": ["a", "b"], "j": [label]})
    assert rc.best(cube, "x", per="k", sense="max").j.values.tolist() == [label, None]


def test_dims_without_names_are_refused():
    with pytest.raises(
        InvalidDataError, match=r"`cube`: expected dims with names, got 0; rename it, cube.rename\(\{0: "
    ):
        rc.best(xr.Dataset({"x": ((0, 1), np.ones((2, 3)))}), "x", sense="max")


def test_a_scalar_coordinate_is_an_objective_of_many_groups():
    coords = {"g": ("k", list("abcdefghij")), "batch": 4}
    cube = xr.Dataset({"x": ("k", np.arange(10.0))}, coords=coords)
    assert rc.best(cube, "batch", per="g", sense="max").batch.item() == 4
    places = rc.best(cube, "x", per="g", sense="max")
    assert places.k.values.tolist() == list(range(10))


@pytest.mark.parametrize(
    "limit", [np.timedelta64(10_000_000, "ns"), np.timedelta64(5, "ms"), np.datetime64("2026-01-01", "ns")]
)
def test_a_moment_is_no_limit_of_numbers_in_whatever_unit(limit):
    cube = xr.Dataset({"lat": ("x", [0.001, 0.02, 5.0])}, {"x": [1, 2, 3]})
    for where in ({"lat": (None, limit)}, {"lat": [limit]}, {"x": (limit, None)}):
        with pytest.raises(InvalidDataError, match="expected "):
            rc.count(cube, where=where)


@pytest.mark.parametrize("limit", [(None, np.timedelta64(2, "M")), [np.timedelta64(1, "Y")]])
def test_a_month_is_no_duration(limit):
    cube = xr.Dataset({"soak": ("x", np.array([1, 2], "m8[s]"))})
    with pytest.raises(InvalidDataError, match="expected a duration"):
        rc.count(cube, where={"soak": limit})


@pytest.mark.parametrize("kind", ["f2", "f4"])
def test_numbers_beyond_a_dtype_are_met_by_nothing(kind):
    cube = xr.Dataset({"a": ("x", np.array([1.0, 2.0], kind))})
    assert int(rc.count(cube, where={"a": [10**39]})["count"]) == 0
    with pytest.raises(InvalidDataError, match=r"expected \(low, high\) with numbers"):
        rc.count(rc.benchmark("mnist"), where={"quality": [2**70]})


@pytest.mark.parametrize("limits", [None, {"q": (0.5, None)}])
@pytest.mark.parametrize("strategy", ["auto", "bounds", "numpy", "stream"])
def test_a_value_in_single_precision_is_in_the_bin_that_begins_with_it(limits, strategy):
    values = np.tile(np.array([0.7, 0.1], "f4"), 32)
    cube = xr.Dataset({"a": ("x", values), "q": ("y", np.ones(64, "f4"))})
    where = {"a": (0.7, None), **(limits or {})}
    over = rc.histogram(cube if limits else cube[["a"]], "a", bins=[0, 0.7, 1], where=limits)
    assert over["count"].values[1] == int(rc.count(cube if limits else cube[["a"]], where=where)["count"])
    inputs = rc.inputs("mnist", platforms="TX2", batch=[1, 2]).assign(a=("batch", values[:2]))
    sweep = rc.Sweep(inputs, dtype="f4", strategy=strategy)
    bins = sweep.histogram("a", bins=[0, 0.7, 1], where={"ops": (1, None)})
    assert bins["count"].values[1] == int(sweep.count(where={"a": (0.7, None), "ops": (1, None)})["count"])


def test_a_dim_that_is_called_like_the_layers_of_a_network_is_told():
    cube = xr.Dataset({"t": (("layer", "batch"), [[1.0, 2.0], [3.0, 4.0]]), "u": ("batch", [1.0, 2.0])})
    for ask in (
        lambda: rc.count(cube[["t"]]),
        lambda: rc.best(cube, "t", sense="min"),
        lambda: rc.count(cube, where={"t": (0, 1)}),
        lambda: rc.histogram(cube, "t"),
    ):
        with pytest.raises(
            InvalidDataError, match=r"along 'layer', the layers of a network, .*cube.rename\(layer=...\)"
        ):
            ask()
    assert int(rc.count(cube)["count"]) == 2


def test_dims_whose_names_have_blanks_keep_their_order():
    inputs = rc.inputs("mnist", platforms="TX2", batch=[1]).assign(
        flat=(("a a", "b b"), [[1.0, 2.0], [2.0, 1.0]]), **{"a a": ("a a", [0, 1]), "b b": ("b b", [0, 1])}
    )
    sweep = rc.Sweep(inputs, dims=["b b", "a a"], assumptions=rc.PUBLISHED.with_term("cost", lambda m: m.flat * 1.0))
    asked = [rc.best(of, "cost", sense="max") for of in (sweep, sweep.compute())]
    assert [(int(one["a a"]), int(one["b b"])) for one in asked] == [(1, 0)] * 2


def test_nothing_changes_where_a_label_without_a_name_wins_everywhere():
    cube = xr.Dataset({"v": (("r", "k"), [[3.0] * 3, [1.0] * 3])}, {"r": [np.nan, 2.0], "k": [1, 2, 3]})
    assert not rc.crossover(cube, "v", between="r", along="k", sense="max")["changes"].any()


def test_all_labels_of_a_dim_without_any_are_none():
    cube = xr.Dataset({"v": ("x", np.zeros(0))}, {"x": np.array([], "U1")})
    assert int(rc.count(cube, where={"x": slice(None)})["count"]) == 0


def held_as(kind, labels):
    """Hold labels as those of a dim, beside one, or as a variable."""
    values = np.empty(len(labels), object) if isinstance(labels, list) else labels
    values[:] = labels
    numbers = ("x" if kind != "dim" else "k", np.arange(1.0, len(labels) + 1))
    held = ("k" if kind == "dim" else "x", values)
    if kind == "variable":
        return xr.Dataset({"v": numbers, "k": held})
    return xr.Dataset({"v": numbers}, coords={"k": held})


KINDS_OF_LABELS = ["dim", "coordinate", "variable"]
MISSING = [None, np.nan, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), np.float32("nan")]


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
def test_what_is_missing_is_no_text(kind):
    cube = held_as(kind, ["y", *MISSING, "x"])
    for one in (cube, cube.chunk()):
        assert rc.count(one, where={"k": ["x", "y"]})["count"].item() == 2
    assert rc.count(cube, where={"k": []})["count"].item() == 0
    for absent in ("nan", "None", "<NA>", "NaT", np.nan, pd.NA, np.float32("nan")):
        with pytest.raises(UnknownLabelError, match=r"`k`: .* is not known.*; expected one of: y, x\n"):
            rc.count(cube, where={"k": absent})
    with pytest.raises(RoofcubeError, match=r"`k`: None is not known|expected labels, got None; list some of y, x"):
        rc.count(cube, where={"k": None})
    assert rc.count(held_as(kind, ["nan", *MISSING]), where={"k": "nan"})["count"].item() == 1


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
def test_a_number_and_its_text_are_two_labels(kind):
    cube = held_as(kind, [1, "1", 2, "1"])
    found = [rc.count(cube, where={"k": limit})["count"].item() for limit in (1, "1", [1, "1"], [2], "2")]
    assert found == [1, 2, 3, 1, 1]


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
@pytest.mark.parametrize("dtype", ["S3", object])
def test_text_in_bytes_is_text(kind, dtype):
    cube = held_as(kind, np.array([b"x", "é".encode(), b"\xe9\xe9"], dtype))
    for limit in ("x", b"x", ["x"], "é", "é".encode(), "éé", b"\xe9\xe9"):
        assert rc.count(cube, where={"k": limit})["count"].item() == 1
    with pytest.raises(UnknownLabelError, match="`k`: 'z' is not known"):
        rc.count(cube, where={"k": "z"})


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
def test_pairs_are_labels(kind):
    cube = held_as(kind, [("a", 1), ("b", 2), ("a", 1)])
    assert rc.count(cube, where={"k": [("a", 1)]})["count"].item() == 2
    with pytest.raises(UnknownLabelError, match=r"`k`: \('c', 1\) is not known"):
        rc.count(cube, where={"k": [("c", 1)]})


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
def test_periods_and_dates_are_labels_by_themselves_and_by_their_text(kind):
    months = list(pd.period_range("2026-01", periods=3, freq="M"))
    assert rc.count(held_as(kind, months), where={"k": ["2026-02", months[2]]})["count"].item() == 2


@pytest.mark.parametrize("label", [["a"], {"a": 1}, {"a"}, np.array([1, 2]), ("a", ["b"])], ids=repr)
def test_labels_that_nothing_tells_apart_are_refused(label):
    message = (
        "`k`: expected text, numbers, times or tuples of them to tell apart, got a .*; convert each, e.g. with str"
    )
    for kind in KINDS_OF_LABELS:
        cube = held_as(kind, [label, label])
        asked = [{"where": {"k": ["a"]}}]
        asked += [{"where": cube.v > 0}, {"where": (cube.v > 0)[::-1]}] if kind == "dim" else []
        asked += [{"per": "k"}] if kind == "coordinate" else []
        for question in asked:
            with pytest.raises(InvalidDataError, match=message):
                rc.count(cube, **question)


LACKING = {
    "floats": [1.0, np.nan, np.nan],
    "long floats": np.array([1, np.nan, np.nan], np.longdouble),
    "datetimes": np.array(["2026-01-01", "NaT", "NaT"], "M8[ns]"),
    "durations": np.array([1, "NaT", "NaT"], "m8[s]"),
    "objects": np.array(["x", None, np.nan], object),
    "objects of pandas": np.array(["x", pd.NA, pd.NaT], object),
    "integers of pandas": pd.Index([1, None, None], dtype="Int64"),
    "text of pandas": pd.Index(["x", None, None], dtype="string"),
    "truths of pandas": pd.Index([True, None, None], dtype="boolean"),
    "pairs": pd.Index([("x", 1.0), ("x", np.nan), ("x", np.nan)], tupleize_cols=False),
}


@pytest.mark.parametrize("labels", LACKING.values(), ids=LACKING)
def test_a_mask_of_the_cube_itself_is_one_whatever_labels_are_missing(labels):
    cube = pd.DataFrame({"v": [1.0, 2.0, 3.0]}, index=pd.Index(labels, name="a", tupleize_cols=False)).to_xarray()
    if isinstance(labels, np.ndarray):
        cube = xr.Dataset({"v": ("a", [1.0, 2.0, 3.0])}, coords={"a": labels})
    assert rc.count(cube, where=cube.v > 0)["count"].item() == 3
    assert rc.best(cube, "v", where=cube.v < 3, sense="max")["v"].item() == 2.0
    once = cube.isel(a=[0, 1])  # where one is missing, it is found
    assert rc.best(once, "v", where=(once.v < 2)[::-1], sense="max")["v"].item() == 1.0
    with pytest.raises(UnknownLabelError, match="along 'a', got some of them twice; make the mask from the cube's"):
        rc.count(cube, where=(cube.v > 1)[::-1])


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g", "c8", "c16", "G"])
@pytest.mark.filterwarnings("ignore:.*float16")
def test_a_mask_in_another_order_is_laid_by_numbers_of_any_length(kind):
    cube = xr.Dataset({"v": ("a", [1.0, 2.0, 3.0])}, coords={"a": np.array([0.1, 0.2, np.nan], kind)})
    assert rc.best(cube, "v", where=(cube.v < 3)[::-1], sense="max")["v"].item() == 2.0


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_a_crossover_is_between_labels_of_which_one_is_missing(missing):
    kinds = np.array(["x", missing, "y"], object)
    cube = xr.Dataset(
        {"v": (("a", "b"), [[1.0, 2.0, 3.0], [2.0, 1.0, 1.0], [0.0, 0.0, 0.0]])},
        coords={"a": ["p", "q", "r"], "b": [1, 2, 3], "kind": ("a", kinds)},
    )
    assert rc.crossover(cube, "v", between="kind", along="b", sense="max")["changes"].values.tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_a_range_may_end_with_the_month_that_holds_its_start(kind, unit):
    days = np.array(["2026-01-10", "2026-01-14", "2026-01-20", "2026-02-01"], "M8[D]").astype(f"M8[{unit}]")
    cube = held_as(kind, days)
    for low, high, number in (
        ("2026-01-14", "2026-01", 2),
        ("2026-01-14", "2026", 3),
        (np.datetime64("2026-01-14"), "2026-01", 2),
        ("2026-01-31T23:59", "2026-01", 0),
    ):
        for limit in ((low, high), slice(low, high)):
            assert rc.count(cube, where={"k": limit})["count"].item() == number
    for low, high in (("2026-02", "2026-01"), (np.datetime64("2026-02-01"), "2026-01"), ("2026-01-14", days[0])):
        with pytest.raises(InvalidDataError, match=r"`where\['k'\]`: expected low ≤ high, got .*; swap them"):
            rc.count(cube, where={"k": (low, high)})


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("kind", [*KINDS_OF_LABELS, "index"])
def test_times_with_a_zone_are_limited_as_the_moments_that_they_are(kind, unit):
    days = pd.date_range("2026-01-01", periods=3, tz="Asia/Tokyo", name="k").as_unit(unit)
    cube = held_as(kind, list(days))
    if kind == "index":
        cube = pd.DataFrame({"v": [1.0, 2.0, 3.0]}, index=days).to_xarray()
    second = days[1]
    for limit, number in (
        (second, 1),
        ([second.to_pydatetime(), "2026-01-02T15:00"], 2),
        ((second, None), 2),
        (slice(None, second), 2),
        ((None, "2025-12"), 1),
        ("2026-01-02T00:00:00+09:00", 1),
        (("2026-01-02T00:00+09:00", "2026-01-02T15:00+00:00"), 2),
    ):
        assert rc.count(cube, where={"k": limit})["count"].item() == number, limit
    mask = (cube.v > 1)[::-1]
    assert rc.best(cube, "v", where=mask, sense="min")["v"].item() == (2.0 if kind in ("dim", "index") else 1.0)


@pytest.mark.parametrize("kind", ["i8", "u8", "f4", "f8", "g", object])
def test_whether_one_number_is_a_limit_does_not_depend_on_the_others(kind):
    for more in (6, 1 << 60):
        cube = xr.Dataset({"v": ("x", np.array([5, more], kind))})
        with pytest.raises(
            InvalidDataError, match=r"`where\['v'\]`: expected \(low, high\) with numbers or None, got 5"
        ):
            rc.count(cube, where={"v": 5})
        assert rc.count(cube, where={"v": [5]})["count"].item() == 1
        assert rc.count(cube, where={"v": (5, 5)})["count"].item() == 1


@pytest.mark.parametrize("kind", KINDS_OF_LABELS)
def test_objects_of_numbers_of_which_some_are_missing_are_limited_as_numbers(kind):
    cube = held_as(kind, [1, None, 2.5, pd.NA])
    assert rc.count(cube, where={"k": (2, None)})["count"].item() == 1
    assert rc.count(cube, where={"k": [1, 2.5]})["count"].item() == 2
    long = held_as(kind, [(1 << 60) + 1, 1 << 60, None])  # of which f8 holds one
    assert rc.count(long, where={"k": [(1 << 60) + 1]})["count"].item() == 1


@pytest.mark.parametrize(
    "cube",
    [
        xr.Dataset({0: ("a", [1.0, 2.0]), "0": ("a", [3.0, 4.0])}),
        xr.Dataset({"0": ("a", [1.0, 2.0])}, coords={0: ("a", [3.0, 4.0])}),
    ],
)
def test_names_that_are_one_as_text_are_refused(cube):
    message = (
        r"`cube`: expected variables with names that differ as text, got .*0.*; rename one, cube.rename\(\{0: 'var"
    )
    with pytest.raises(InvalidDataError, match=message):
        rc.top(cube, 1, "0", sense="max")
    assert rc.top(cube.drop_vars(0), 1, "0", sense="max").sizes["point"] == 1


SPEEDS = xr.Dataset(
    {"v": (("a", "b"), [[1.0, 2.0], [2.0, 1.0]]), "w": ("a", [1, 0], {"flag_values": [0, 1], "flag_meanings": "n y"})},
    coords={"a": [1, 2], "b": [1, 2]},
)
QUESTIONS = {
    "objective": lambda odd: rc.best(SPEEDS, odd, sense="max"),
    "objective of crossovers": lambda odd: rc.crossover(SPEEDS, odd, between="a", along="b", sense="max"),
    "sense": lambda odd: rc.best(SPEEDS, "v", sense=odd),
    "sense of objectives": lambda odd: rc.pareto(SPEEDS, {"v": odd}),
    "sense of crossovers": lambda odd: rc.crossover(SPEEDS, "v", between="a", along="b", sense=odd),
    "between": lambda odd: rc.crossover(SPEEDS, "v", between=odd, along="b", sense="max"),
    "along": lambda odd: rc.crossover(SPEEDS, "v", between="a", along=odd, sense="max"),
    "per": lambda odd: rc.count(SPEEDS, per=["a", odd]),
    "per of crossovers": lambda odd: rc.crossover(SPEEDS, "v", between="a", along="b", per=[odd], sense="max"),
    "by": lambda odd: rc.count(SPEEDS, by=odd),
    "trust": lambda odd: rc.best(SPEEDS, "v", sense="max", trust=odd),
    "ties": lambda odd: rc.pareto(SPEEDS, {"v": "max"}, ties=odd),
}


@pytest.mark.parametrize("odd", [np.array([1, 2]), np.array(["max"]), ["v"], pd.NA, {"a": 1}, 7], ids=repr)
@pytest.mark.parametrize("what", QUESTIONS)
def test_what_is_no_name_and_no_choice_is_told(what, odd):
    messages = {"sense of objectives": r"`objectives\['v'\]`: expected 'max' or 'min', got "}
    with pytest.raises(RoofcubeError, match=messages.get(what, f"`{what.partition(' ')[0]}`: .*expected ")):
        QUESTIONS[what](odd)


def test_numbers_beyond_all_floats_are_no_edges_and_no_shares():
    with pytest.raises(InvalidDataError, match="`bins`: expected two or more ascending edges, got "):
        rc.histogram(SPEEDS, "v", bins=[10**400, 2])
    with pytest.raises(MemoryLimitError, match="histogram"):
        rc.histogram(SPEEDS, "v", bins=10**400)
    for shares in ([10**400], 10**400):
        with pytest.raises(InvalidDataError, match="`q`: expected numbers from 0 to 1, got "):
            rc.quantile(SPEEDS, "v", q=shares)
