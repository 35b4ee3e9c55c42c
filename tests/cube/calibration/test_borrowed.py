"""What the law leaves on another board, lent to one of few rows whose law is another."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_boards import board, data_of, rows_of, truth

from roofcube.calibration.fitting import law
from roofcube.calibration.fitting.borrowed import SHARES, Borrowed
from roofcube.calibration.fitting.families import LENT_TO, _beside, family_model
from roofcube.calibration.fitting.family import fit_family, prior_from
from roofcube.calibration.saved.restoring import Part, _borrowed
from roofcube.calibration.saved.storage import _as_json

OWN = np.arange(2, 60, 5)


@pytest.fixture(scope="module")
def boards(nets):
    """Two boards with laws far apart that are slow at the same networks, as the share of grouped operations has it."""
    generator = np.random.default_rng(4)
    machines = (board("lender", 1.0), board("other", 2.0))
    share = np.array([one.grouped_ops / one.ops for one in nets])
    slow = 0.5 * np.sin(6.0 * share)
    laws = (law.PRIOR_MEAN + 0.2, law.PRIOR_MEAN + np.where(law.OVERHEAD, 5.0, np.where(law.MEMORY, -2.5, 3.0)))
    found = []
    for place, theta in enumerate(laws):
        rows = rows_of(nets, machines, place, np.arange(60))
        found.append((rows, truth(rows, theta, slow) + 0.02 * generator.standard_normal(60)))
    return found


@pytest.fixture(scope="module")
def lender(boards):
    return family_model(data_of(*boards[0]), np.arange(60), {}, "lender")


@pytest.fixture(scope="module")
def helped(boards, lender):
    return family_model(data_of(*boards[1]), OWN, {"lender": lender}, "other")


def off(model, rows, seconds):
    rest = np.setdiff1d(np.arange(len(rows)), OWN)
    return np.abs(model.log_time(rows.take(rest)) - seconds[rest])


def test_what_another_board_leaves_helps_one_whose_law_is_another(boards, lender, helped):
    rows, seconds = boards[1]
    alone = family_model(data_of(rows, seconds), OWN, {}, "other")
    beside = fit_family(rows.take(OWN), seconds[OWN], prior_from([]), borrowed=lender.lend(rows, 1.0))
    for model in (helped, beside):
        assert np.median(off(model, rows, seconds)) < 0.4 * np.median(off(alone, rows, seconds))
    lent = [one for one in helped.sisters if one.own]
    by_itself = 1.0 - sum(one.weight for one in helped.sisters)
    assert sum(one.weight for one in lent) > 0.1 > 100 * by_itself
    assert all(one.model.borrowed.place is max(lender.structures, key=lambda one: one.weight).posterior.place
               for one in lent)  # fmt: skip


def test_what_is_lent_does_not_depend_on_how_a_table_numbers_its_networks(boards, lender, nets):
    rows, _ = boards[1]
    lent = lender.lend(rows, 0.5)
    order = np.random.default_rng(0).permutation(60)
    place = np.argsort(order)
    mixed = replace(rows, nets=tuple(nets[one] for one in order), network=place[rows.network])
    np.testing.assert_allclose(lent.log_factor(mixed), lent.log_factor(rows), rtol=1e-12)
    np.testing.assert_allclose(lender.lend(rows, 1.0).log_factor(rows), 2.0 * lent.log_factor(rows), rtol=1e-12)


def test_what_is_lent_is_surer_of_networks_that_the_other_board_ran(boards, lender, nets):
    rows, _ = boards[1]
    lent = lender.lend(rows, 1.0)
    unlike = replace(rows, nets=tuple(replace(one, topology="new", ops=1e4 * one.ops, kernels=1e4) for one in nets))
    assert lent.variance(rows).max() < 0.1 * lent.kernel.spread**2  # another board agrees by 0.95
    assert lent.variance(unlike).min() > 0.5 * lent.kernel.spread**2
    assert np.median(np.abs(lent.log_factor(unlike))) < 0.5 * np.median(np.abs(lent.log_factor(rows)))


def test_deviations_beside_a_lender_hold_what_they_promise(boards, helped):
    rows, seconds = boards[1]
    rest = rows.take(np.setdiff1d(np.arange(60), OWN))
    assert (off(helped, rows, seconds) < 2 * helped.deviation(rest)).mean() > 0.85


def test_leaving_networks_out_beside_a_lender_is_what_fits_without_them_predict(boards, lender, helped):
    rows, seconds = boards[1]
    some = rows.take(OWN)
    mean, _ = helped.without_each(some, seconds[OWN], some.network)
    again = family_model(data_of(rows, seconds), np.delete(OWN, 3), {"lender": lender}, "other")
    assert mean[3] == pytest.approx(again.log_time(some.take(np.array([3])))[0], abs=0.15)


def test_a_board_of_many_rows_borrows_nothing(boards, lender):
    """It tells itself what the law leaves."""
    rows, seconds = boards[1]
    many = rows.take(np.tile(np.arange(60), LENT_TO // 60 + 1))
    many = replace(many, batch=np.repeat(2.0 ** np.arange(len(many) // 60), 60))
    found = _beside([lender], many, np.tile(seconds, len(many) // 60), [])
    assert found == []
    assert len(_beside([lender], rows, seconds, [])) == len(SHARES)


def test_names_alone_lend_nothing(boards):
    """Of fewer than fifteen topologies nothing is known but by name."""
    rows, seconds = boards[0]
    few = family_model(data_of(rows, seconds), np.arange(12), {}, "lender")
    assert few.lend(rows, 1.0) is None


def test_what_is_borrowed_is_kept_to_the_last_bit(boards, lender):
    lent = lender.lend(boards[1][0], 0.5)
    again = _borrowed(Part(json.loads(json.dumps(_as_json(lent)))))
    assert isinstance(again, Borrowed)
    assert np.array_equal(again.log_factor(boards[1][0]), lent.log_factor(boards[1][0]))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("share", 1.5), ("share", "half"), ("topologies", ["a0"]), ("topologies", [1] * 60), ("pull", []),
        ("pull", [0.0, 1.0]), ("pull", [1e300] * 60), ("topologies", ["a0"] * 60), ("kernel", {}), ("place", {}),
    ],
)  # fmt: skip
def test_what_is_borrowed_of_a_forged_file_is_refused(boards, lender, part, value):
    forged = _as_json(lender.lend(boards[1][0], 0.5)) | {part: value}
    with pytest.raises(ValueError, match="expected"):
        _borrowed(Part(json.loads(json.dumps(forged))))
