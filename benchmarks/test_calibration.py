"""Calibration beside general-purpose learners on the same physical features, and how long its steps take."""

import warnings

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration import crossvalidation
from roofcube.calibration.facts import facts_of
from roofcube.calibration.fitting.law import features
from roofcube.calibration.fitting.residual import descriptors
from roofcube.calibration.measured import measured

MILLION = 1_000_000


@pytest.fixture
def whole(full):
    """Ask for the full size: what takes minutes is no smoke run."""
    if not full:
        pytest.skip("minutes of cross-validation: with --full only")


@pytest.fixture(scope="module")
def rows():
    return rc.datasets.load_measurements()


@pytest.fixture(scope="module")
def data(rows):
    return measured(rows, facts_of(None))


@pytest.fixture(scope="module")
def strict(data):
    return crossvalidation.held_out(data, "network").seconds


def physical_features(data):
    """The terms of the law at every tile, the counts of the network, and which platform and network it is."""
    rows = data.rows
    columns = [np.log(np.maximum(features(rows, tile), 1e-12)) for tile in range(3)]
    counts = [
        np.log(np.maximum(rows.net(name), 1.0))
        for name in ("ops", "dense_ops", "weights", "activations", "patches", "layers")
    ]
    columns += [np.stack([*counts, np.log2(rows.batch), np.log(rows.machine("peak"))], axis=1)]
    for label in (rows.hardware, rows.network):
        columns.append((label[:, None] == np.unique(label)).astype("f8"))
    return np.hstack(columns)


def held_out_by(make, data):
    """The strict scheme of the calibration: a network held out on all modes and precisions of its family."""
    there = np.flatnonzero(data.rows.known & np.isfinite(data.seconds))
    part = data.take(there)
    x, found = physical_features(part), np.full(len(data), np.nan)
    family, network = part.rows.family(), part.rows.network
    for name, one in dict.fromkeys(zip(family.tolist(), network.tolist(), strict=True)):
        out = (family == name) & (network == one)
        # all other rows of all families: more than the calibration of one family sees
        kept = ~out & part.usable
        found[there[out]] = make().fit(x[kept], part.seconds[kept]).predict(x[out])
    return found


def score(data, seconds):
    there = data.scored & np.isfinite(seconds)
    error = np.abs(np.expm1(data.seconds[there] - seconds[there]))
    plain = ~np.array([*(one.dataflow for one in data.rows.machines), False])[data.rows.hardware[there]]
    near = np.abs(data.seconds[there] - seconds[there]) < np.log(1.25)
    return {"all": np.median(error), "without dataflow": np.median(error[plain]), "within 25 %": near.mean()}


@pytest.mark.parametrize("learner", ["extra trees", "gradient boosting"])
def test_general_learners_lose_on_networks_never_seen(whole, benchmark, data, strict, learner):
    ensemble = pytest.importorskip("sklearn.ensemble")
    make = {
        "extra trees": lambda: ensemble.ExtraTreesRegressor(300, n_jobs=2, random_state=0),
        "gradient boosting": lambda: ensemble.GradientBoostingRegressor(
            n_estimators=300, max_depth=5, subsample=0.7, random_state=0
        ),
    }[learner]
    found = benchmark.pedantic(held_out_by, args=(make, data), rounds=1)
    theirs, ours = score(data, found), score(data, strict)
    benchmark.extra_info.update({"peer": {k: round(float(v), 4) for k, v in theirs.items()}})
    benchmark.extra_info.update({"roofcube": {k: round(float(v), 4) for k, v in ours.items()}})
    print(f"\n{learner}: {theirs}\nroofcube: {ours}")
    assert ours["all"] < theirs["all"]
    assert ours["without dataflow"] < theirs["without dataflow"]
    assert ours["within 25 %"] > theirs["within 25 %"]


# networks and boards of today -----------------------------------------------------------------------------------------

NETWORKS, ROWS_OF_SCALES = 60, 350
PEERS = ("quadratic ridge", "extra trees", "GP with ARD")
# medians of the boards' medians at most, in percent
AT_MOST = {"network": 7.5, "architecture": 11.0}


@pytest.fixture(scope="module")
def zoo(full):
    """The inputs of the collection, and of each board the rows of its networks: of a smoke run few, on two boards."""
    inputs, table = rc.inputs("zoo"), rc.datasets.load_measurements("zoo")
    data = measured(table, facts_of(inputs))
    table = table[np.flatnonzero(data.usable)]
    boards = {name: rows for (name,), rows in table.group_by("platform", maintain_order=True)}
    if not full:
        boards = {name: boards[name].sample(NETWORKS, seed=1) for name in ("RTX3090", "i7-12700H")}
    return inputs, boards


def parts(rows, inputs, what, count):
    """Divide rows into folds of whole networks or of whole architectures; of both the same for everybody."""
    kinds = dict(zip(inputs.topology.values.tolist(), inputs.architecture.values.tolist(), strict=True))
    names = rows["topology"].to_list()
    label = np.array(names if what == "network" else [kinds[name] or name for name in names])
    values, number = np.unique(label, return_inverse=True)
    part = (np.random.default_rng(0).permutation(len(values)) % count)[number]
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in range(count)]


class GaussianProcess:
    """That of scikit-learn with a length for each count, learned from as many rows as ours are."""

    def fit(self, x, y):
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        self.centre, self.scale = x.mean(0), x.std(0) + 1e-9
        x = (x - self.centre) / self.scale
        some = np.random.default_rng(0).permutation(len(x))[:ROWS_OF_SCALES]
        start = ConstantKernel() * RBF(np.ones(x.shape[1])) + WhiteKernel(0.01)
        with warnings.catch_warnings():
            # lengths of counts that tell nothing grow to their bound, as they should
            warnings.simplefilter("ignore")
            learned = GaussianProcessRegressor(start, normalize_y=True, random_state=0).fit(x[some], y[some])
        self.process = GaussianProcessRegressor(learned.kernel_, normalize_y=True, optimizer=None).fit(x, y)
        return self

    def predict(self, x):
        return self.process.predict((x - self.centre) / self.scale)


def peer_of(name):
    pytest.importorskip("sklearn")
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    if name == "GP with ARD":
        return GaussianProcess()
    if name == "extra trees":
        return ExtraTreesRegressor(300, random_state=0)
    ridge = RidgeCV(np.logspace(-3, 4, 15))
    return make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler(), ridge)


def errors_of_ours(inputs, rows, folds):
    """Through the public calls alone; absolute errors of throughput."""
    found = np.full(rows.height, np.nan)
    for kept, out in folds:
        predicted = rc.calibrate(rows[kept], inputs=inputs).predict(rows[out], level=None)
        found[out] = predicted["predicted_throughput"].to_numpy()
    return np.abs(found / rows["throughput_compute_per_s"].to_numpy() - 1)


def errors_of_peer(name, inputs, rows, folds):
    """On the counts that ours takes: ln of sizes, shares of kinds of work, batch."""
    data = measured(rows, facts_of(inputs))
    x, found = descriptors(data.rows), np.full(rows.height, np.nan)
    for kept, out in folds:
        found[out] = peer_of(name).fit(x[kept], data.seconds[kept]).predict(x[out])
    return np.abs(np.expm1(data.seconds - found))


@pytest.mark.parametrize("what", list(AT_MOST))
def test_stock_learners_on_networks_of_today(benchmark, zoo, full, what):
    """Ahead of each on four boards of five, on networks left out and on whole architectures left out."""
    inputs, boards = zoo
    folds = {name: parts(rows, inputs, what, 10 if full else 3) for name, rows in boards.items()}

    def run():
        return {name: errors_of_ours(inputs, rows, folds[name]) for name, rows in boards.items()}

    ours = benchmark.pedantic(run, rounds=1)
    theirs = {
        peer: {name: errors_of_peer(peer, inputs, rows, folds[name]) for name, rows in boards.items()} for peer in PEERS
    }
    for learner, errors in {"roofcube": ours, **theirs}.items():
        told = {
            name: f"{100 * np.median(error):.1f} % (p90 {100 * np.quantile(error, 0.9):.0f})"
            for name, error in errors.items()
        }
        benchmark.extra_info[learner] = told
        print(f"\n{what} left out, {learner}: {told}")
    medians = {name: np.median(error) for name, error in ours.items()}
    assert all(np.isfinite(one).all() for errors in (ours, *theirs.values()) for one in errors.values())
    if full:
        assert np.median(list(medians.values())) < AT_MOST[what] / 100
        for errors in theirs.values():
            assert sum(medians[name] < np.median(error) for name, error in errors.items()) >= 4


def test_intervals_of_networks_of_today(benchmark, zoo, full):
    """Of a board with all its networks: calibrated and predicted with intervals in one go."""
    inputs, boards = zoo
    rows = boards["RTX3090"]

    def run():
        return rc.calibrate(rows, inputs=inputs).predict(rows)

    found = benchmark.pedantic(run, rounds=1)
    assert found.height == (1372 if full else NETWORKS)
    assert found["low"].null_count() == 0


def test_fit_all_embedded_rows(benchmark, rows):
    calibration = benchmark(rc.calibrate, rows)
    assert len(calibration.engine.families) == 7


def test_point_errors_of_every_scheme(whole, benchmark, data):
    table = benchmark.pedantic(crossvalidation.error_table, args=(data,), rounds=1)
    assert table.filter(pl.col("scheme") == "configuration").height


def test_nested_intervals(whole, benchmark, data):
    table = benchmark.pedantic(crossvalidation.coverage_table, args=(data,), rounds=1)
    covered = dict(table.filter(pl.col("family") == "all").select("level_percent", "rows_covered_percent").iter_rows())
    assert 75 < covered[80.0] < 85
    assert 85 < covered[90.0] < 95


@pytest.fixture(scope="module")
def million(rows, full):
    """A million offered configurations, drawn with replacement; of a smoke run fewer."""
    count = MILLION if full else MILLION // 100
    generator = np.random.default_rng(0)
    platforms = rc.datasets.load_platforms().select("platform", "mode", "precision")
    networks = rc.datasets.load_topologies().select("topology", "pruning_percent")
    parts = [table[generator.integers(0, table.height, count)] for table in (platforms, networks)]
    return pl.concat(parts, how="horizontal").with_columns(batch=pl.Series(generator.integers(1, 513, count)))


@pytest.mark.parametrize("level", [None, 0.9])
def test_predict_a_million_rows(benchmark, rows, million, level):
    calibration = rc.calibrate(rows)
    assert calibration.scores
    found = benchmark.pedantic(calibration.predict, args=(million,), kwargs={"level": level}, rounds=3, warmup_rounds=1)
    assert found["predicted_throughput"].null_count() == 0


@pytest.mark.parametrize("model", ["bound", "calibrated"])
def test_predict_a_cube_of_a_million_points(benchmark, rows, model, full):
    """Calibrated points at no less than a third of the speed of the bound, over the same cube."""
    assumptions = rc.BOUND if model == "bound" else rc.calibrate(rows)
    inputs = rc.inputs("cifar10", batch=list(range(1, 926 if full else 10)))
    if model == "calibrated":
        assert assumptions.scores
    cube = benchmark.pedantic(
        rc.predict, args=(inputs,), kwargs={"assumptions": assumptions}, rounds=3, warmup_rounds=1
    )
    assert cube.predicted_throughput.size == 1080 * (925 if full else 9)


KEY = ["platform", "mode", "precision", "topology", "pruning_percent", "batch"]
POINTS = (3, 5, 7)


def error_after(rows, family, target, points):
    """Median error on the other rows of a platform once the first of its suggested rows were measured."""
    known = rows.filter(pl.col("family") != family)
    seven = rc.calibrate(known).suggest(max(points), candidates=target)
    found = {}
    for count in points:
        chosen = seven.head(count).select(KEY)
        picked, rest = (target.join(chosen, on=KEY, how=how) for how in ("semi", "anti"))
        if seven.height >= count and rest.height:
            predicted = rc.calibrate(pl.concat([known, picked])).predict(rest, level=None)
            ratio = predicted["predicted_throughput"] / predicted["throughput_compute_per_s"]
            found[count] = float((ratio - 1).abs().median())
    return found


def test_new_platform_after_suggested_points(whole, benchmark, rows, data):
    """Nothing of its family is known before; mean of the median errors over 16 platforms, modes and precisions."""
    families = rc.datasets.load_platforms().select("platform", "family", "dataflow").unique()
    scored = rows[data.table["row"].filter(pl.Series(data.scored))]
    scored = scored.join(families, on="platform", how="left", maintain_order="left")
    targets = scored.filter(~pl.col("dataflow")).group_by("platform", "mode", "precision", maintain_order=True)

    def run():
        return [error_after(scored, table["family"][0], table, POINTS) for _, table in targets]

    found = benchmark.pedantic(run, rounds=1)
    mean = {count: float(np.mean([one[count] for one in found if count in one])) for count in POINTS}
    benchmark.extra_info.update({f"{count} points": round(value, 3) for count, value in mean.items()})
    print(f"\nnew platform after suggested points: {mean}")
    assert mean[3] < 0.20
    assert mean[5] < 0.11
    assert mean[7] < 0.07
