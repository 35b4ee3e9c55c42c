from __future__ import annotations

import pytest

from roofcube.kernels.engine.pool import cut, in_order


def test_an_error_in_a_job_comes_through():
    def work(job):
        if job == 3:
            raise KeyboardInterrupt
        return job

    with pytest.raises(KeyboardInterrupt):
        list(in_order(work, range(9), threads=2))


def test_results_come_in_order():
    assert list(in_order(lambda job: job, range(50), threads=3)) == list(range(50))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_few_jobs_are_run_too(jobs, threads):
    assert list(in_order(lambda job: job, range(jobs), threads=threads)) == list(range(jobs))


@pytest.mark.parametrize("threads", [1, 3])
def test_jobs_are_asked_for_as_they_are_run(threads):
    asked = []

    def jobs():
        for job in range(10**9):
            asked.append(job)
            yield job

    results = in_order(lambda job: job, jobs(), threads=threads)
    assert [next(results) for _ in range(5)] == list(range(5))
    results.close()
    assert len(asked) <= 5 + 2 * threads + 1


def test_a_space_is_cut_without_a_list():
    pieces = cut(1 << 70, 1 << 20)
    assert next(pieces) == range(1 << 20)
    assert [len(piece) for piece in cut(10, 4)] == [4, 4, 2]
