"""Boards of the collection `zoo` lend to boards of few rows whose networks are like theirs."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration.fitting.borrowed import ALIKE
from roofcube.calibration.kept import lenders
from roofcube.calibration.kept.code_key import code_key
from roofcube.calibration.saved.storage import signed

NAME, COUNT = "RTX4090", 8


@pytest.fixture(scope="module")
def zoo():
    return rc.datasets.load_measurements("zoo").filter(platform=NAME)


@pytest.fixture(scope="module")
def mine(zoo):
    """Eight rows of a board that is half as fast as the one in the collection at everything, under a name of its own."""
    rate = pl.col("throughput_compute_per_s") / 2.0
    rows = zoo.sample(COUNT, seed=3).select("topology", "precision", "batch", "pruning_percent", rate)
    return rows.with_columns(platform=pl.lit("Kite"))


def board(name):
    """Half of the board in the collection, under another name."""
    sheet = rc.inputs("zoo", platforms=NAME, precision="FP16", batch=8).squeeze(drop=True)
    return rc.hypothetical(
        name=name,
        peak_compute=f"{sheet.peak_compute.item() / 2e12} TOP/s",
        memory_bandwidth=f"{sheet.memory_bandwidth.item() / 2e9} GB/s",
    )


@pytest.fixture(scope="module")
def facts():
    return rc.inputs("zoo", platforms=board("Kite"), precision="FP16", batch=8)


@pytest.fixture(scope="module")
def both(mine, facts):
    return {alone: rc.calibrate(mine, inputs=facts, alone=alone) for alone in (False, True)}


def test_the_boards_kept_are_those_of_this_code():
    """`roofcube errors --write` fits them anew."""
    assert lenders.written_by() == code_key()
    assert [one.name for one in lenders.known_lenders()] == [name for name, _ in lenders.zoo_boards()]


def test_what_is_kept_is_what_was_fitted():
    name, data = next(iter(lenders.zoo_boards()))
    some = data.take(np.arange(0, len(data), 5))
    made = lenders._fitted(name, some)
    (read,) = lenders._lenders(lenders._arrays([made]))
    assert read.name == name
    np.testing.assert_array_equal(read.modes, made.modes)
    np.testing.assert_allclose(read.left.log_factor(some.rows), made.left.log_factor(some.rows), atol=2e-3)
    np.testing.assert_allclose(read.left.nearness(some.rows), made.left.nearness(some.rows), atol=1e-3)
    assert read.ran(some.rows, some.seconds)
    assert not read.ran(some.rows, some.seconds + 0.01)


def test_few_rows_of_a_new_board_are_helped(both, mine, facts, zoo):
    """Errors on networks of which it has no row, against rows alone; and it says who helped."""
    asked = zoo.sample(150, seed=5).join(mine, on="topology", how="anti").with_columns(platform=pl.lit("Kite"))
    truth, off = asked["throughput_compute_per_s"].to_numpy() / 2.0, {}
    for alone, one in both.items():
        found = one.predict(asked, level=None, inputs=facts)["predicted_throughput"].to_numpy()
        assert np.isfinite(found).mean() > 0.9
        off[alone] = np.nanmedian(np.abs(found / truth - 1))
    assert off[False] < 0.95 * off[True]
    assert "leans on how RTX4090" in both[False].trust["trust"].item()
    assert "leans" not in both[True].trust["trust"].item()
    assert both[True].data.lenders == ()


def test_a_boards_own_rows_are_no_lender_of_it(zoo):
    """They would be counted twice, under whatever name."""
    few = zoo.sample(COUNT, seed=3)
    for rows in (few, few.with_columns(platform=pl.lit("Kite"))):
        data = rc.calibrate(rows).data
        assert NAME not in [one.name for one in data.lenders]
        assert data.lenders


def test_boards_of_other_networks_or_bytes_learn_from_their_rows_alone():
    rows = rc.datasets.load_measurements()
    for platform in ("NCS2", "EdgeTPU"):
        some = rows.filter(platform=platform)
        given, alone = rc.calibrate(some), rc.calibrate(some, alone=True)
        assert given.data.lenders == ()
        one, other = (part.predict(some, level=None)["predicted_throughput"] for part in (given, alone))
        assert one.equals(other)


def test_a_board_that_mostly_ran_other_networks_knows_nothing(both):
    data = both[False].data
    one = next(one for one in data.lenders if one.name == NAME)
    assert one.knows(data.rows)
    assert one.lend(data.rows, 0.5).share == 0.5
    far = tuple(replace(net, ops=1e4 * net.ops, kernels=1e4, layers=1.0) for net in data.rows.nets)
    mixed = replace(data.rows, nets=tuple(far[number] if number % 2 else net for number, net in
                                          enumerate(data.rows.nets)))  # fmt: skip
    assert np.mean(one.left.nearness(mixed) < 0.6) > 0
    strange = replace(data.rows, nets=far)
    assert one.left.nearness(strange).max() < 0.6 < ALIKE + 0.2
    assert not one.knows(strange)
    assert one.lend(strange, 0.5) is None


def test_what_leans_on_others_is_kept_to_the_last_bit(both, facts, tmp_path):
    """Also where none of those boards comes with the package any more."""
    wanted = {"platform": "Kite", "precision": "FP16", "topology": ["resnet50", "vit_base_patch16_224"], "batch": 8}
    before = both[False].predict(wanted, level=None, inputs=facts)["predicted_throughput"]
    path = tmp_path / "kite.json"
    both[False].save(path)
    document = json.loads(path.read_text())
    for names, known in ((document["lenders"], document["lenders"]), (["long gone"], [])):
        path.write_text(json.dumps(signed(document | {"lenders": names})))
        again = rc.load_calibration(path)
        assert [one.name for one in again.data.lenders] == known
        assert again.predict(wanted, level=None, inputs=facts)["predicted_throughput"].equals(before)
        assert "leans on how RTX4090" in again.trust["trust"].item()


def test_calibrations_that_lean_on_others_are_told_apart(both):
    assert both[False].description != both[True].description


@pytest.mark.parametrize("alone", ["no", None, float("nan"), np.array([True, False])])
def test_alone_is_a_flag(mine, facts, alone):
    with pytest.raises(rc.errors.InvalidDataError, match="`alone`: expected"):
        rc.calibrate(mine, inputs=facts, alone=alone)


def test_under_one_key_a_board_is_lent_to_by_itself(mine, zoo):
    """Not by the board whose own rows it has, however many rows of others stand beside it under its key."""
    inputs = rc.inputs("zoo", platforms=[board("Kite"), board("Heron")], precision="FP16", batch=8)
    inputs = inputs.assign_coords(family=("platform", ["one", "one"]))
    own = zoo.sample(COUNT, seed=3).select(mine.columns[:-1]).with_columns(platform=pl.lit("Kite"))
    others = zoo.sample(30, seed=2).select(mine.columns[:-1]).with_columns(platform=pl.lit("Heron"))
    slower = others.with_columns(pl.col("throughput_compute_per_s") / 2.0)
    data = rc.calibrate(pl.concat([own, slower]), inputs=inputs).data
    assert NAME not in [one.name for one in data.lenders]
    assert data.lenders
    unlike = (
        rc.datasets.load_measurements("zoo").filter(platform="RTX3090").sample(30, seed=2).select(mine.columns[:-1])
    )
    unlike = unlike.with_columns(pl.col("throughput_compute_per_s") / 2.1, platform=pl.lit("Heron"))
    found = rc.calibrate(pl.concat([mine, unlike]), inputs=inputs)
    assert "RTX4090" in found.trust.filter(platform="Kite")["trust"].item()


def test_a_torn_file_is_named(tmp_path):
    torn = tmp_path / "torn.npz"
    torn.write_bytes(lenders._lenders_file().read_bytes()[:1000])
    with pytest.raises(rc.errors.CorruptFileError, match=r"torn\.npz: not a whole file of boards that lend"):
        lenders.known_lenders(torn)
    assert lenders.known_lenders(tmp_path / "none.npz") == ()
