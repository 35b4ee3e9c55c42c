"""Calibrations of made-up boards whose truth is known: bad rows, few networks, precisions that no sheet lists, watts."""

import numpy as np
import pytest

import roofcube as rc

NOISE = 0.03


class Truth:
    """A board with a roofline of its own, and made-up networks that it runs."""

    def __init__(self, networks, seed, *, peak=9.7e12, bandwidth=1.15e11):
        self.draw, self.peak, self.bandwidth = np.random.default_rng(seed), peak, bandwidth
        self.macs, self.params, self.activations = (
            np.exp(self.draw.uniform(np.log(low), np.log(high), networks))
            for low, high in ((5e6, 4e9), (2e5, 3e7), (2e5, 2e7))
        )
        names = [f"n{number}" for number in range(networks)]
        table = {"topology": names, "macs": self.macs, "params": self.params, "activations": self.activations}
        self.networks = rc.read_network(table, task="own")

    def inputs(self, *platforms):
        sheet = {"platform": "Kite", "device_class": "NPU", "precision": "INT8", "peak_compute": self.peak,
                 "memory_bandwidth": self.bandwidth}  # fmt: skip
        boards = rc.read_platforms([*platforms] or [sheet])
        return rc.inputs("own", platforms=boards, topologies=self.networks, batch=[1])

    def row(self, network, batch, **more):
        size = 2.0 if more.get("precision") == "FP16" else 1.0
        work = 2 * self.macs[network] * batch * size / (0.63 * self.peak)
        traffic = (self.params[network] + self.activations[network] * batch) * size / (0.42 * self.bandwidth)
        seconds = 2.3e-5 + max(work, traffic) + 0.3 * min(work, traffic)
        rate = batch / seconds * np.exp(NOISE * self.draw.standard_normal())
        key = {"platform": "Kite", "precision": "INT8", "topology": f"n{network}", "batch": batch}
        watts = (1.5 + 2.5 * work / seconds) * np.exp(0.02 * self.draw.standard_normal())
        return key | {"throughput_compute_per_s": rate, "power_full_w": watts} | more


def slipped(rows, bad, factor, name="throughput_compute_per_s"):
    return [row | ({name: row[name] * factor} if place in bad else {}) for place, row in enumerate(rows)]


@pytest.mark.parametrize("networks", [8, 15, 16])
@pytest.mark.parametrize("factor", [1e-3, 1e3, 0.125])
def test_three_bad_rows_of_32_do_not_count_nor_widen_intervals(networks, factor):
    """Also where the scales of what the law leaves are learned, from fifteen topologies on."""
    truth = Truth(networks, seed=1)
    rows = [truth.row(network, batch) for network in range(networks) for batch in (1, 2, 4, 16)[: -(-32 // networks)]]
    rows, bad = rows[:32], truth.draw.choice(30, 3, replace=False).tolist()
    good, other = (rc.calibrate(one, inputs=truth.inputs()) for one in (rows, slipped(rows, bad, factor)))
    assert not other.rows["used"].to_numpy()[bad].any()
    before, after = (one.predict(rows) for one in (good, other))
    moved = np.abs(np.log((after["predicted_throughput"] / before["predicted_throughput"]).to_numpy()))
    assert np.quantile(np.delete(moved, bad), 0.9) < 0.05
    widths = [float((one["high"] / one["low"]).median()) ** 0.5 for one in (before, after)]
    assert widths[1] < 1.0 + 2.0 * (widths[0] - 1.0)


def test_intervals_of_two_networks_are_wider_at_higher_levels_and_hold():
    inside, width = {0.8: [], 0.99: []}, {0.8: [], 0.99: []}
    for seed in range(6):
        truth = Truth(12, seed, peak=1.2e12, bandwidth=8.5e9)
        calibration = rc.calibrate([truth.row(0, 1), truth.row(1, 8)], inputs=truth.inputs())
        asked = [truth.row(network, batch) for network in range(2, 12) for batch in (1, 16)]
        for level, found in inside.items():
            table = calibration.predict(asked, level=level)
            found.append(table["throughput_compute_per_s"].is_between(table["low"], table["high"]).mean())
            width[level].append((table["high"] / table["low"]).median())
    assert np.median(width[0.99]) > 1.2 * np.median(width[0.8])
    assert np.mean(inside[0.8]) > 0.7
    assert np.mean(inside[0.99]) > 0.97


def test_a_precision_that_the_sheet_lacks_is_told_from_the_one_that_it_lists():
    truth = Truth(12, seed=3, peak=7e13, bandwidth=9e11)
    rows = [truth.row(network, batch) for network in range(5) for batch in (1, 16)] + [
        truth.row(0, 1, precision="FP16")
    ]
    asked = [truth.row(network, batch, precision="FP16") for network in range(12) for batch in (1, 16, 64)]
    calibration = rc.calibrate(rows, inputs=truth.inputs())
    found = calibration.predict(asked)
    off = (found["predicted_throughput"] / found["throughput_compute_per_s"]).log().abs()
    assert off.median() < 0.15
    assert found["throughput_compute_per_s"].is_between(found["low"], found["high"]).mean() > 0.8
    guess = calibration.facts.hardware["Kite", "default", "FP16"]
    assert (guess.peak, guess.bandwidth, guess.stated) == (truth.peak / 2, truth.bandwidth, False)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_one_wrong_figure_of_power_moves_the_others_little(factor):
    truth = Truth(12, seed=5, peak=1.2e12, bandwidth=8.5e9)
    rows = [truth.row(network, batch) for network in range(8) for batch in (1, 8, 64)]
    asked = [truth.row(network, batch) for network in range(12) for batch in (1, 32)]
    good = rc.calibrate(rows, inputs=truth.inputs()).predict(asked, level=None)["power"]
    for bad in (0, 11, 23):
        other = rc.calibrate(slipped(rows, [bad], factor, "power_full_w"), inputs=truth.inputs())
        moved = (other.predict(asked, level=None)["power"] / good).log().abs()
        assert moved.median() < 0.05
        assert moved.max() < 0.25


def test_watts_of_a_board_without_any_are_not_those_of_its_family():
    truth = Truth(8, seed=1, peak=1.2e12, bandwidth=8.5e9)
    sheets = [{"platform": name, "family": "F", "device_class": "NPU", "precision": "INT8", "peak_compute": size * 1.2e12,
               "memory_bandwidth": size * 8.5e9} for name, size in (("Kite", 1), ("Heron", 10))]  # fmt: skip
    rows = [truth.row(network, batch) for network in range(8) for batch in (1, 8, 64)]
    large = [row | {"platform": "Heron", "power_full_w": None} for row in rows]
    calibration = rc.calibrate(rows + large, inputs=truth.inputs(*sheets))
    assert calibration.predict(large)["power"].null_count() == len(large)
    assert calibration.predict(large)["predicted_throughput"].null_count() == 0
    assert calibration.predict(rows)["power"].null_count() == 0
    told = calibration.parameters.filter(unit="W")
    assert told["platform"].unique().to_list() == ["Kite"]


def test_latency_rises_again_beyond_the_batch_to_which_it_was_measured_to_fall():
    truth, falls = Truth(3, seed=2), 0
    for milliseconds in ([3.05, 3.08, 2.83], [2.9, 2.8, 2.85], [3.0, 2.6, 2.7]):
        rows = [truth.row(0, batch) | {"throughput_compute_per_s": 1e3 * batch / time}
                for batch, time in zip((1, 2, 4), milliseconds, strict=True)]  # fmt: skip
        calibration = rc.calibrate(rows, inputs=truth.inputs())
        asked = [truth.row(0, batch) for batch in (1, 2, 4, 8, 16, 64)]
        seconds = calibration.predict(asked, level=None)["predicted_latency"].to_numpy()
        falls += int(seconds[:3].min() < seconds[0] * (1 - 1e-9))
        assert (np.diff(seconds[2:]) >= -1e-12).all()
    assert falls


@pytest.mark.parametrize("rate", [1e-310, 5e-324, 1e300])
def test_a_throughput_beyond_all_measure_is_none(rate):
    truth = Truth(4, seed=6)
    rows = [truth.row(network, batch) for network in range(4) for batch in (1, 8)]
    calibration = rc.calibrate([*rows, truth.row(0, 16) | {"throughput_compute_per_s": rate}], inputs=truth.inputs())
    assert calibration.unused["reason"].to_list() == ["no compute throughput"]


def test_intervals_of_one_board_ask_nothing_of_the_others():
    truth = Truth(10, seed=7)
    sheets = [{"platform": name, "device_class": "NPU", "precision": "INT8", "peak_compute": 9.7e12,
               "memory_bandwidth": 1.15e11} for name in ("Kite", "Heron")]  # fmt: skip
    rows = [truth.row(network, batch) | {"platform": name} for name in ("Kite", "Heron") for network in range(10)
            for batch in (1, 16)]  # fmt: skip
    calibration = rc.calibrate(rows, inputs=truth.inputs(*sheets))
    calibration.predict(rows[:3])
    assert list(calibration.scores) == ["Kite", "Heron"]
    assert list(calibration.scores._known) == ["Kite"]
    calibration.predict(rows[:3], level=0.99)
    assert list(calibration.scores._known) == ["Kite", "Heron"]
    assert "Egret" not in calibration.scores
