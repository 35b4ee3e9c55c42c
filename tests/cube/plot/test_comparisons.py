"""The figure of calibrated predictions holds every configuration, takes any cube, and says what is missing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from bokeh.models import ColumnDataSource, Legend, Plot, Title

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.plot.drawing.elements import rendered

KEY = ["platform", "mode", "topology", "precision", "pruning_percent"]


@pytest.fixture(scope="module")
def rows():
    return rc.datasets.load_measurements("mnist").filter(pl.col("platform").is_in(["NCS2", "TX2"]))


@pytest.fixture(scope="module")
def calibration(rows):
    return rc.calibrate(rows)


@pytest.fixture(scope="module")
def inputs():
    return rc.inputs("mnist", platforms=["NCS2", "TX2"])


@pytest.fixture(scope="module")
def cube(inputs, calibration, rows):
    return rc.join(rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.BOUND, calibration)), rows)


def marks(figure):
    return rendered(figure).select_one({"name": "comparison.rows", "type": ColumnDataSource}).data


def test_every_configuration_is_shown_at_its_best_batch(cube, rows, calibration):
    data = marks(rc.plot.comparison(cube))
    per = ["platform", "mode", "topology", "precision", "pruning"]
    believed = rc.best(cube, "measured_throughput", per=per)["measured_throughput"].values.ravel()
    best = rows.filter(pl.col("throughput_compute_per_s").is_in(believed)).sort("throughput_compute_per_s")
    best = best.unique(KEY, keep="last", maintain_order=True)
    assert sorted(data["measured"]) == pytest.approx(sorted(best["throughput_compute_per_s"]))
    expected = calibration.predict(best).sort("throughput_compute_per_s", "predicted_throughput")
    order = np.lexsort((data["calibrated"], data["measured"]))
    for column, name in (("calibrated", "predicted_throughput"), ("low", "low"), ("high", "high")):
        np.testing.assert_allclose(data[column][order], expected[name], rtol=1e-9)
    assert np.isfinite(data["published"]).all()
    assert not np.allclose(data["published"], data["bound"])


def test_a_table_gives_the_same_as_the_cube(cube, inputs, rows, calibration):
    plain = rc.join(rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.BOUND)), rows)
    table = calibration.predict(rows)
    figure = rc.plot.comparison(plain, calibrated=table, label="in-sample calibrated", measurements=rows)
    one, other = marks(figure), marks(rc.plot.comparison(cube))
    for name in ("measured", "calibrated", "low", "high", "published", "bound"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)
    titles = [title.text for title in rendered(figure).select({"type": Title})]
    assert any(title.startswith("In-sample calibrated predictions are off by") for title in titles)
    inside = (one["measured"] >= one["low"]) & (one["measured"] <= one["high"])
    assert f"{inside.sum()} of {inside.size} measurements lie within" in " ".join(titles)
    assert all(text.startswith("outside") == (not held) for text, held in zip(one["note"], inside, strict=True))
    assert set(one["source"]) <= set(rows["source_row"])


def test_a_cube_of_offers_gives_the_same(cube, rows, calibration):
    inputs = rc.inputs("mnist", platforms=["NCS2", "TX2"], layout="offered")
    offered = rc.join(rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.BOUND, calibration)), rows)
    one, other = marks(rc.plot.comparison(offered)), marks(rc.plot.comparison(cube))
    assert list(one["configuration"]) == list(other["configuration"])
    for name in ("measured", "calibrated", "low", "high", "published", "bound"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


def test_what_is_not_predicted_is_counted(inputs, rows, calibration):
    plain = rc.join(rc.predict(inputs), rows)
    figure = rc.plot.comparison(plain, calibrated=calibration.predict(rows.filter(pl.col("platform") == "TX2")))
    data = marks(figure)
    missing = int(np.isnan(data["calibrated"]).sum())
    assert missing == rows.filter(pl.col("platform") == "NCS2").unique(KEY).height
    titles = [title.text for title in rendered(figure).select({"type": Title})]
    assert f"{missing} without a calibrated prediction" in " ".join(titles)
    assert np.isnan(data["bound"]).all()


def test_other_cubes_are_taken(cube, inputs, rows, calibration):
    alone = rc.join(rc.predict(inputs, assumptions=calibration), rows)
    cubes = [
        cube.sel(platform="TX2"),
        cube.sel(platform=["TX2"], topology="MLP", mode="maxn"),
        cube.drop_vars(["device_class", "family", "quality"]),
        cube.assign_coords(platform=["mine", "yours"]),
        alone,
    ]
    for one in cubes:
        data = marks(rc.plot.comparison(one))
        assert np.isfinite(data["calibrated"]).any()
        assert len(data["row"]) == int(one.measured_throughput.notnull().any("batch").sum())
    assert np.isnan(marks(rc.plot.comparison(alone))["published"]).all()


def test_a_roofline_is_called_what_it_is(inputs, rows, calibration):
    def words(assumptions):
        cube = rc.join(rc.predict(inputs, assumptions=assumptions), rows)
        figure = rendered(rc.plot.comparison(cube, calibrated=calibration.predict(rows)))
        entries = [item.label.value for legend in figure.select({"type": Legend}) for item in legend.items]
        return figure.title.text, entries

    for assumptions, model in (
        (rc.PUBLISHED, "published roofline"),
        (rc.SERVING, "serving model"),
        (rc.Assumptions(weights="on chip"), "cube's model"),
    ):
        title, entries = words(assumptions)
        assert f", the {model} by " in title
        assert model in entries
        assert model == "published roofline" or "published" not in " ".join([title, *entries])


def test_what_is_missing_is_named(inputs, rows, calibration):
    with pytest.raises(InvalidDataError, match="`cube`: expected a Dataset, got int"):
        rc.plot.comparison(3)
    predicted = rc.predict(inputs)
    with pytest.raises(MissingInputError, match="`measured_throughput`: the figure comparison needs this variable"):
        rc.plot.comparison(predicted)
    with pytest.raises(MissingInputError, match="needs calibrated predictions and the cube has none"):
        rc.plot.comparison(rc.join(predicted, rows))
    foreign = calibration.predict(rows).with_columns(platform=pl.lit("other"))
    with pytest.raises(InvalidDataError, match="`calibrated`: expected rows of this cube, got none"):
        rc.plot.comparison(rc.join(predicted, rows), calibrated=foreign)


def test_texts_are_legible_and_figure_fits(cube):
    figure = rendered(rc.plot.comparison(cube))
    for model in figure.references():
        for key, value in model.properties_with_values().items():
            text = getattr(value, "value", value)
            if key.endswith("text_font_size") and model.properties_with_values().get("text"):
                assert text in ("12px", "13px", "16px"), (model, key, text)
    assert all(plot.width <= 1100 for plot in figure.select({"type": Plot}))
