"""Networks that a board runs unlike its sister: which sets are found, and that one of them moves little else."""

import json

import numpy as np
import pytest
from made_up_boards import board, data_of, error_after, rows_of, truth

from roofcube.calibration.fitting.families import family_model
from roofcube.calibration.fitting.family import fit_family, prior_from, weak_prior
from roofcube.calibration.fitting.mistakes import mistakes
from roofcube.calibration.fitting.oddness import ODD, ODD_CHANCE, odd_sets
from roofcube.calibration.saved.restoring import Part, _kinship


def evidence(covariance, residual, odd, network):
    """Return the ln density of residuals where some networks are odd, with the chance of these."""
    same = network[:, None] == network
    total = covariance + ODD**2 * (same & odd)
    count, all_ = len(np.unique(network[odd])), len(np.unique(network))
    usual = -0.5 * residual @ np.linalg.solve(total, residual) - 0.5 * np.linalg.slogdet(total)[1]
    return usual + count * np.log(ODD_CHANCE) + (all_ - count) * np.log1p(-ODD_CHANCE)


@pytest.fixture
def believed():
    return 0.04 * np.ones((5, 5)) + 0.01 * np.eye(5)


def test_the_odd_network_is_found_with_all_its_rows(believed):
    network = np.array([3, 7, 7, 8, 9])
    residual = np.array([0.1, 1.0, 1.1, 0.05, 0.12])
    sets, gain = odd_sets(np.linalg.inv(believed), residual, network)
    assert sets[np.argmax(gain)].tolist() == [False, True, True, False, False]


def test_where_nothing_is_odd_none_is_likeliest(believed):
    sets, gain = odd_sets(np.linalg.inv(believed), np.full(5, 0.2), np.arange(5))
    assert not sets[np.argmax(gain)].any()
    assert gain.max() == 0.0


def test_gains_are_differences_of_evidence(believed):
    network = np.array([0, 1, 1, 2, 3])
    residual = np.array([0.0, 0.5, 0.6, -0.5, 0.1])
    sets, gain = odd_sets(np.linalg.inv(believed), residual, network)
    none = evidence(believed, residual, np.zeros(5, dtype=bool), network)
    assert max(one.sum() for one in sets) >= 3
    for some, found in zip(sets, gain, strict=True):
        assert found == pytest.approx(evidence(believed, residual, some, network) - none)


def test_of_no_rows_there_is_one_set():
    sets, gain = odd_sets(np.zeros((0, 0)), np.zeros(0), np.zeros(0, dtype=int))
    assert sets.shape == (1, 0)
    assert gain.tolist() == [0.0]


@pytest.mark.parametrize(("factor", "wrong"), [(2.0, False), (30.0, True)])
def test_an_odd_row_is_no_mistake_but_a_gross_one_is(factor, wrong):
    residual = np.zeros(8)
    residual[3] = np.log(factor)
    covariance = 0.01 * np.eye(8)
    found, _ = mistakes(covariance, residual, np.arange(8), (ODD_CHANCE, ODD**2))
    assert found[3] == wrong
    assert mistakes(covariance, residual, np.arange(8))[0][3]


@pytest.mark.parametrize("count", [3, 5])
def test_one_odd_network_does_not_undo_a_sister(world, count):
    """Of three rows and more: the others move by a small part of it, and the sister keeps most of the weight."""
    rows, seconds = world["new"]
    own = [1, 8, 20, 33, 47][:count]
    odd = seconds.copy()
    odd[own[1]] += 0.8
    near = {"near": family_model(data_of(*world["near"]), np.arange(60), {}, "near")}
    clean, moved = (error_after({**world, "new": (rows, one)}, near, own) for one in (seconds, odd))
    rest = rows.take(np.setdiff1d(np.arange(60), own))
    assert np.median(np.abs(moved[0].log_time(rest) - clean[0].log_time(rest))) < 0.25
    assert sum(one.weight for one in moved[0].sisters) > 0.5


def test_the_evidence_of_few_rows_is_that_of_all_structures(nets):
    rows = rows_of(nets, (board("one", 1.0),), 0, [2, 9, 17])
    seconds = truth(rows, weak_prior().mean + 0.4, np.zeros(60))
    # tiles tell nothing of these networks, so that of one prior all structures are the same
    alike = [fit_family(rows, seconds, [weak_prior()] * 6, draws=draws).evidence for draws in (0, 1)]
    assert alike[0] == pytest.approx(alike[1])
    each = [fit_family(rows, seconds, [prior] * 3).evidence for prior in prior_from([])[::3]]
    both = fit_family(rows, seconds, prior_from([]), draws=1).evidence
    assert min(each) < both < max(each)
    plausible = np.array([prior.plausible for prior in prior_from([])[::3]])
    expected = np.logaddexp.reduce(np.array(each) + np.log(plausible / plausible.sum()))
    assert both == pytest.approx(expected, abs=1e-3)  # a fit stops near its best, from whatever start


def test_kinships_of_a_file_that_knew_no_odd_networks_stay_as_they_were():
    kept = {"degree": 0.5, "weight": 0.25, "pull": [0.1, 0.0], "wrong": [False, True]}
    found = _kinship(Part(json.loads(json.dumps(kept))), 2)
    assert found.odd.tolist() == [False, False]
    assert found.common == pytest.approx(np.log(2.0))
