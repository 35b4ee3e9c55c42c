"""Figures in files: HTML without a network, PNG and SVG by Chromium alone."""

from __future__ import annotations

import re
import shutil
from xml.etree import ElementTree

import pytest
from bokeh.document import Document

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingExtraError
from roofcube.plot.drawing import saving
from roofcube.plot.drawing.elements import rendered

THEORY = {"predicted_throughput": "max", "top1": "max"}
CHROMIUM = any(map(shutil.which, saving.PROGRAMS))


@pytest.fixture(scope="module")
def figure():
    return rc.plot.peaks(rc.inputs("mnist"))


def test_html_holds_its_scripts(figure, tmp_path):
    text = rc.plot.save(figure, tmp_path / "peaks.html").read_text(encoding="utf-8")
    assert "peaks.compute" in text
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")
def test_pictures_are_made_by_the_program_alone(figure, tmp_path):
    png = rc.plot.save(figure, tmp_path / "peaks.png").read_bytes()
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert png.startswith(b"\x89PNG")
    assert width == 2 * 1080
    assert height > 800
    svg = rc.plot.save(rc.plot.pareto(rc.benchmark("mnist")), tmp_path / "pareto.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "points are on the front" in svg


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")
def test_labels_stay_text_in_a_picture(tmp_path):
    hardware = [
        rc.hypothetical(name=name, peak_compute=1e12, memory_bandwidth=1e10, power=5.0)
        for name in ("A&B", "<script>alert(1)</script>")
    ]
    drawn = rc.plot.pareto(rc.predict(rc.inputs("mnist", platforms=hardware, batch=[1])), objectives=THEORY)
    tree = ElementTree.fromstring(rc.plot.save(drawn, tmp_path / "a.svg").read_text(encoding="utf-8"))
    assert not [one for one in tree.iter() if one.tag.endswith("script")]
    assert "A&B" in {text for one in tree.iter() for text in (one.text,) if text}


def test_what_cannot_be_saved_is_told(figure, tmp_path, monkeypatch):
    with pytest.raises(InvalidDataError, match=r"`path`: expected a name ending in .*, got 'peaks\.pdf'"):
        rc.plot.save(figure, tmp_path / "peaks.pdf")
    with pytest.raises(InvalidDataError, match=r"`figure`: expected what a function of roofcube.plot returns, got int"):
        rc.plot.save(3, tmp_path / "peaks.html")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="`path`: PNG and SVG need the program chromium"):
        rc.plot.save(figure, tmp_path / "peaks.png")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_draws_nothing_is_told(figure, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(MissingExtraError, match="`path`: chromium wrote no PNG"):
        rc.plot.save(figure, tmp_path / "peaks.png")
    assert list(tmp_path.iterdir()) == [program.parent]


@pytest.mark.parametrize("figure", ["heatmap", "pareto", "boxes"])
def test_a_figure_is_drawn_into_several_documents(figure):
    drawn = getattr(rc.plot, figure)(rc.benchmark("mnist"))
    for _ in range(2):
        Document().add_root(rendered(drawn))
