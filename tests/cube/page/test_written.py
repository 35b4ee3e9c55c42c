"""What a page writes of its models is what Bokeh would write, to the letter."""

from __future__ import annotations

import pytest
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document

import roofcube as rc
from roofcube.page import written
from roofcube.page.figures import draw


@pytest.fixture(scope="module")
def figures():
    cube = rc.benchmark("mnist")
    names = ("requirements", "rooflines", "heatmap", "overview", "boxes", "pareto", "efficiency")
    return [draw(cube, name, name, key=name).drawn for name in names]


def as_bokeh_writes(figures):
    document = Document()
    for figure in figures:
        document.add_root(figure)
    try:
        return serialize_json(document.to_json(deferred=False)["roots"]), set(document.models)
    finally:
        document.clear()


def test_models_are_written_as_bokeh_writes_them(figures):
    writer = written.writer_of_models()
    text = serialize_json(writer.encode(figures))
    expected, models = as_bokeh_writes(figures)
    assert text == expected
    assert len(writer.models) == len(models)
    assert set(writer.models) == models


def test_a_bokeh_that_keeps_its_values_elsewhere_is_asked_itself(figures):
    writer = written.writer_of_models(held=("_values_of_another_version",))
    text = serialize_json(writer.encode(figures))
    expected, models = as_bokeh_writes(figures)
    assert text == expected
    assert set(writer.models) == models
