from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from roofcube.kernels.budget import Cancelled
from roofcube.kernels.engine import choice
from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.engine.reductions import COUNT
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.history import Searched
from roofcube.kernels.query.query import Limit, Query, ask
from roofcube.kernels.tuning import Tuning


def product(n: int = 40, **options) -> Query:
    rng = np.random.default_rng(0)
    space = Space(("a", "b"), (n, n), {"x": rng.random((n, 1)), "y": rng.random((1, n))})
    return ask(space, {"v": leaf("x") * leaf("y")}, objectives=[("v", 1)], points=1, **options)


class Watched(Engine):
    """Notes the tuning of what it visits."""

    def run(self, reduction, query, *arguments):
        self.seen = query.tuning
        return super().run(reduction, query, *arguments)


def test_an_engine_may_be_tuned_for_all_its_queries():
    query = product(tuning=Tuning(tile_points=9))
    for tuning in (None, Tuning(tile_points=7)):
        engine = Watched("numpy", tuning=tuning)
        assert engine.best(query).key == Engine("bounds").best(query).key
        assert engine.seen == (tuning or query.tuning)


NO_KERNELS = {"row_worth": 1 << 30}
COSTLY_VISIT = Tuning(tile_nanoseconds=(1e6, 0.0), **NO_KERNELS)
FREE_SEARCH = {"box_nanoseconds": (0.0, 0.0), "index_nanoseconds": 0.0, "least_search_seconds": 0.0}


def count_of(engine: Engine, query: Query) -> int:
    return int(engine.count(query)[0, 0])


def limited(tuning: Tuning) -> Query:
    return product(n=200, limits=[Limit("v", None, 0.3)], tuning=tuning)


def test_a_search_that_ends_sooner_is_not_followed_by_a_visit():
    query, engine = limited(COSTLY_VISIT), Watched()
    assert count_of(engine, query) == count_of(Engine("numpy"), query)
    assert not hasattr(engine, "seen")


def test_a_search_that_is_given_up_is_followed_by_a_visit_and_not_tried_again():
    query, engine = limited(Tuning(**FREE_SEARCH, **NO_KERNELS)), Watched()
    expected = count_of(Engine("bounds"), query)
    visit = choice.kind_of(COUNT, query, (None, ())), 1, False
    query.history.note_visit(visit, 1e-9)  # less than any search takes, whatever else the machine does
    assert count_of(engine, query) == expected
    assert engine.seen == query.tuning
    (past,) = {id(one): one for one in query.history._exact.values()}.values()
    assert not past.ended
    query.history.note_visit(visit, 1e-9)
    assert engine.expect(COUNT, query, None, ())[0] == "numpy"
    assert count_of(engine, query) == expected


@pytest.mark.parametrize(("search", "visit", "strategy"), [(2.0, 1.0, "numpy"), (1.0, 2.0, "bounds")])
def test_the_second_asking_takes_the_faster_way(search, visit, strategy):
    query = limited(Tuning(**NO_KERNELS))
    kind, values = choice.kind_of(COUNT, query, (None, ())), choice.values_of(query, (None, ()))
    query.history.note_search(kind, values, Searched(search, ended=True), search)
    query.history.note_visit((kind, 1, False), visit)
    assert Engine().expect(COUNT, query, None, ()) == (strategy, min(search, visit))


@pytest.mark.parametrize("strategy", ["bounds", "stream", "numpy"])
def test_a_fixed_strategy_is_expected_as_it_is(strategy):
    query = replace(limited(Tuning()), tuning=Tuning(row_worth=1))
    used, seconds = Engine(strategy).expect(COUNT, query, None, ())
    assert used == strategy
    assert seconds > 0


@pytest.mark.parametrize("strategy", ["auto", "bounds", "stream", "numpy"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_flag_ends_the_work(strategy, threads):
    flag, query = Event(), limited(Tuning(tile_points=100, row_worth=1, scan_job_points=100))
    flag.set()
    with pytest.raises(Cancelled):
        Engine(strategy, threads, stop=flag).count(query)
