from __future__ import annotations

from threading import Event

import pytest

from roofcube.kernels.budget import Budget, BudgetExceeded, Cancelled, check


def spent(seconds: float, **options) -> Budget:
    """A budget of a visit of one second of which so many have passed."""
    budget = Budget(1.0, **options)
    budget._start -= seconds
    return budget


def test_nothing_is_promised_in_the_first_share():
    spent(0.2).spend(lambda: 10.0)
    spent(0.05).spend(lambda: 1e9)


@pytest.mark.parametrize(("seconds", "rest"), [(0.2, 20.0), (0.6, 1.1), (1.9, 0.2), (5.0, 0.0)])
def test_a_search_without_a_promise_is_given_up(seconds, rest):
    budget = spent(seconds)
    with pytest.raises(BudgetExceeded):
        budget.spend(lambda: rest)
    assert budget.projected == pytest.approx(seconds + rest, abs=0.1)


@pytest.mark.parametrize(("seconds", "rest"), [(0.6, 0.9), (1.5, 0.3)])
def test_a_search_that_promises_an_end_goes_on(seconds, rest):
    spent(seconds).spend(lambda: rest)


def test_a_visit_is_measured_once_before_a_search_is_given_up():
    asked = []
    budget = spent(0.6, refine=lambda: asked.append(1) or 10.0)
    budget.spend(lambda: 9.0)
    budget.spend(lambda: 9.0)
    assert (asked, budget.visit_seconds) == ([1], 10.0)


def test_a_look_ends_in_any_case():
    budget = spent(0.2, look=0.1)
    with pytest.raises(BudgetExceeded):
        budget.spend(lambda: 3.0)
    assert budget.projected == pytest.approx(3.2, abs=0.1)


def test_a_flag_ends_work():
    flag = Event()
    check(None)
    check(flag)
    flag.set()
    with pytest.raises(Cancelled):
        check(flag)
