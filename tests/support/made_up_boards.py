"""Boards and networks that are made up: two boards of one kin, and others that are unlike them."""

from dataclasses import replace

import numpy as np
import polars as pl

from roofcube.calibration.facts import NetworkTotals, facts_of
from roofcube.calibration.fitting import law
from roofcube.calibration.fitting.families import family_model
from roofcube.calibration.measured import Measured
from roofcube.calibration.rows import IndexedRows

BOARDS = ("near", "far", "strange", "new")


def board(name, speed, family=None):
    like = next(one for one in facts_of(None).hardware.values() if one.platform == "NCS2")
    return replace(
        like, platform=name, family=family or name, peak=speed * like.peak, reference=speed * like.reference,
        bandwidth=speed * like.bandwidth, cores=1.0, weight_memory=0.0,
    )  # fmt: skip


def made_up_networks():
    """Return sixty made-up networks, of which some have groups and some dense layers."""
    generator = np.random.default_rng(2)
    made = []
    for number in range(60):
        ops, part = 10 ** generator.uniform(8, 10), generator.uniform(0, 1)
        made.append(
            NetworkTotals(
                f"{'abc'[number % 3]}{number}", 100.0, layers=30.0, ops=ops, convolution_ops=(ops * (1 - part),) * 3,
                dense_ops=0.0, weights=10 ** generator.uniform(5, 7), activations=10 ** generator.uniform(5, 7),
                patches=1e6, grouped_ops=ops * part, grouped_activations=5e4, kernels=generator.uniform(20, 200),
            )
        )  # fmt: skip
    return tuple(made)


def rows_of(nets, machines, hardware, networks, batch=8.0):
    networks = np.asarray(networks)
    return IndexedRows(np.full(len(networks), hardware), networks, np.full(len(networks), float(batch)), machines, nets)


def truth(rows, theta, own):
    """Return ln seconds of a law plus what each network has of its own."""
    return law.log_time(law.features(rows, 0), theta)[0] + own[rows.network]


def made_up_world(nets):
    """Return boards: two of one kin (the new one a quarter slower), and one with other efficiencies and networks."""
    generator = np.random.default_rng(3)
    machines = tuple(board(name, speed) for name, speed in zip(BOARDS, (1.0, 2.0, 1.5, 3.0), strict=True))
    share = np.array([one.grouped_ops / one.ops for one in nets])
    own, other = 0.4 * np.sin(6.0 * share), 0.4 * np.cos(6.0 * share)
    kin, else_ = law.PRIOR_MEAN + 0.3, law.PRIOR_MEAN + np.where(law.MEMORY, 2.0, -1.0)
    every = np.arange(len(nets))
    found = {}
    for place, (name, theta, personal, factor) in enumerate(
        [("near", kin, own, 0.0), ("far", else_, other, 0.0), ("strange", else_, -other, 0.5), ("new", kin, own, 0.25)]
    ):
        rows = rows_of(nets, machines, place, every)
        found[name] = rows, truth(rows, theta, personal) + factor + 0.02 * generator.standard_normal(len(nets))
    return found


def data_of(rows, seconds):
    nothing = np.full(len(rows), np.nan)
    table = pl.DataFrame({"row": np.arange(len(rows))})
    return Measured(table, facts_of(None), rows, seconds, nothing, nothing, np.full(len(rows), "", dtype=object))


def error_after(world, others, own):
    rows, seconds = world["new"]
    rest = np.setdiff1d(np.arange(len(rows)), own)
    model = family_model(data_of(rows, seconds), np.asarray(own), others, "new")
    return model, float(np.median(np.abs(model.log_time(rows.take(rest)) - seconds[rest])))
