"""That a covariance has a root is told without one, of what is plain; whatever is told so has one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration.fitting.residual import Place
from roofcube.calibration.saved.definite import _is_definite, has_root


@pytest.fixture(scope="module")
def posteriors():
    rows = rc.datasets.load_measurements().filter(pl.col("platform").is_in(["NCS2", "TX2"]))
    families = rc.calibrate(rows).engine.families.values()
    return [one.posterior for family in families for one in family.structures]


def forged(posterior, rng):
    """A covariance whose rows are alike, whose noise is next to none or whose descriptors are beyond all sizes."""
    size = 10.0 ** rng.uniform(-8, 8)
    place = posterior.place
    if rng.random() < 0.5:
        index = rng.integers(0, rng.integers(1, len(posterior.noise)), len(posterior.noise))
        place = place.take(index)
        posterior = replace(posterior, gradient=posterior.gradient[index], group=posterior.group[index])
    columns = {name: getattr(place, name) for name in Place.__dataclass_fields__} | {
        "descriptors": rng.normal(size=(len(posterior.noise), 14)) * 10.0 ** rng.uniform(-3, 9)
    }
    kernel = replace(
        posterior.kernel, noise=10.0 ** rng.uniform(-4, 0), spread=rng.choice([0.0, 0.3, 90.0]), reach=(1.0,) * 14
    )
    root = rng.normal(size=posterior.prior.covariance.shape)
    prior = replace(posterior.prior, covariance=posterior.prior.covariance + size * root @ root.T)
    noise = posterior.noise * 10.0 ** rng.uniform(-12, 0)
    return replace(posterior, place=Place(**columns), kernel=kernel, prior=prior, noise=noise)


def test_calibrations_as_they_are_need_no_factor(posteriors):
    for one in posteriors:
        fresh = replace(one)
        assert has_root(fresh)
        assert "factor" not in fresh.__dict__


def test_what_is_told_to_have_a_root_has_one(posteriors):
    rng, told = np.random.default_rng(0), []
    for number in range(100):
        one = forged(posteriors[number % len(posteriors)], rng)
        told.append(_is_definite(one))
        if told[-1]:
            assert np.isfinite(one.factor).all()
    assert 5 < sum(told) < 90


def test_rows_that_are_alike_without_noise_have_no_root(posteriors):
    one, first = posteriors[0], np.zeros(len(posteriors[0].noise), "i8")
    alike = {"place": one.place.take(first), "gradient": one.gradient[first], "group": one.group[first]}
    assert not has_root(replace(one, noise=np.full(len(first), 1e-30), **alike))
    assert has_root(replace(one, **alike))
