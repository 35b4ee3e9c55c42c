"""Figures as HoloViews objects: what a user does with them keeps our language, and the user's own figures keep theirs."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import weakref

import holoviews as hv
import numpy as np
import pytest
from bokeh.models import GlyphRenderer, HoverTool, Legend, Plot, Title

import roofcube as rc
from roofcube.plot.drawing.elements import Axis, curve, load, plane, points, rendered

load()


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("cifar10")


@pytest.fixture(scope="module")
def pareto(cube):
    return rc.plot.pareto(cube)


def look(figure):
    """Return what our language sets on a plane."""
    plot = rendered(figure)
    notes = [one.text for one in plot.above if isinstance(one, Title)]
    return {
        "size": (plot.width, plot.height),
        "log": type(plot.x_scale).__name__,
        "label": plot.xaxis.axis_label,
        "line": plot.xaxis.axis_line_color,
        "backend": plot.output_backend,
        "notes": notes,
        "keys": len([one for one in plot.above if isinstance(one, Legend)]),
    }


@pytest.mark.parametrize(
    "composed",
    [
        lambda one: one * hv.VLine(1000),
        lambda one: hv.VLine(1000) * one,
        lambda one: one * one,
        lambda one: one.clone(),
    ],
)
def test_our_language_survives_composition(pareto, composed):
    assert look(composed(pareto)) == look(pareto)
    assert look(pareto)["log"] == "LogScale"
    assert len(look(pareto)["notes"]) == 1


def test_options_of_the_user_win(pareto):
    plot = rendered((pareto * hv.VLine(1000)).opts(title="mine", width=700))
    assert (plot.title.text, plot.width) == ("mine", 700)


def test_figures_lie_side_by_side_and_link(cube, pareto):
    both = pareto + rc.plot.overlap(cube)
    assert len(list(rendered(both).select({"type": Plot}))) >= 2
    linked = hv.link_selections.instance()(both)
    sources = {one.name for one in rendered(linked).select({"type": GlyphRenderer})}
    assert {"pareto.points", "overlap.measured"} <= sources


def test_a_selection_keeps_the_columns_of_its_rows(pareto):
    marks = next(one for one in pareto if isinstance(one, hv.Points))
    chosen = marks.select(platform="NCS2")
    source = next(one.data_source.data for one in rendered(chosen).renderers if one.name == "pareto.points")
    assert len(chosen) == len(source["configuration"]) > 0
    assert all(text.startswith("NCS2") for text in source["configuration"])


def test_every_kind_of_mark_has_its_tooltip_and_its_fields(cube, pareto):
    for figure, names in (
        (pareto, ["pareto.points"]),
        (rc.plot.overlap(cube), ["overlap.predicted", "overlap.measured"]),
    ):
        plot = rendered(figure)
        told = {one.name for tool in plot.select({"type": HoverTool}) for one in tool.renderers}
        assert told == set(names)
        for one in plot.renderers:
            if one.name in (*names, "overlap.links"):
                assert {"platform", "precision", "topology"} <= set(one.data_source.data)


def test_hooks_can_be_pickled(pareto):
    for element in pareto:
        hooks = hv.Store.lookup_options("bokeh", element, "plot").kwargs["hooks"]
        assert pickle.loads(pickle.dumps(hooks))


def test_each_rendering_has_models_of_its_own(pareto):
    assert rendered(pareto) is not rendered(pareto)


def test_braces_in_labels_are_no_fields():
    part = curve([1, 2], [1, 2], name="a.line")
    assert rendered(plane([part], name="a", x=Axis("x"), y=Axis("y"), title="{mine} {0}")).title.text == "{mine} {0}"


def test_a_column_of_texts_may_be_empty():
    part = points({"x": np.zeros(0), "y": np.zeros(0), "platform": []}, "x", "y", name="a.points", tooltip={"x": "@x"})
    assert rendered(plane([part], name="a", x=Axis("x", (0, 1)), y=Axis("y", (0, 1)))).renderers[0].name == "a.points"


def test_the_users_backend_and_defaults_stay():
    code = """
import holoviews as hv
import roofcube as rc
hv.Store.renderers or __import__("holoviews.plotting.mpl")
hv.Store.set_current_backend("matplotlib")
rc.plot.pareto(rc.benchmark("mnist"))
print(hv.Store.current_backend, hv.Store.lookup_options("matplotlib", hv.Curve([1]), "style").kwargs.get("color") is not None)
"""
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "matplotlib"


BESIDE_IN_MATPLOTLIB = """
import holoviews as hv
hv.extension("matplotlib", "bokeh")
import roofcube as rc
figure = hv.render(rc.plot.requirements(rc.inputs("imagenet")), backend="matplotlib")
figure.canvas.draw()
print(len({round(float(axes.transData.transform((axes.get_xlim()[0], -2))[1]), 1) for axes in figure.axes}))
"""


def test_rows_of_panels_beside_one_another_stand_at_one_height_in_matplotlib():
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-c", BESIDE_IN_MATPLOTLIB], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "1"


def test_importing_the_package_loads_no_holoviews():
    code = "import sys, roofcube as rc; rc.plot; print('holoviews' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_figure_needs_hvplot_or_panels_models(pareto):
    assert not [one for one in rendered(pareto).references() if type(one).__module__.startswith("panel")]
    assert type(rendered(rc.plot.overview(rc.benchmark("mnist")))).__module__.startswith("bokeh")


def test_words_and_key_fit_the_width_that_a_user_chooses(cube, pareto):
    title = "A title that is much longer than such a figure is wide, so it breaks"
    narrow, wide = rendered(rc.plot.pareto(cube).opts(width=500, title=title)), rendered(pareto)
    assert narrow.title.text.count("\n") == 1
    lines = [max(map(len, one.text.split("\n"))) for one in narrow.above if isinstance(one, Title)]
    assert max(lines) <= 500 / 6
    (key,) = (one for one in narrow.above if isinstance(one, Legend))
    assert key.ncols in (2, 3)
    assert narrow.height > wide.height


IN_MATPLOTLIB = """
import holoviews as hv
hv.extension("matplotlib", "bokeh")
import roofcube as rc
cube = rc.benchmark("mnist")
axes = hv.render(rc.plot.pareto(cube), backend="matplotlib").axes[0]
x, y = axes.lines[0].get_data()
steps = all(a == b or c == d for a, b, c, d in zip(x, x[1:], y, y[1:]))
marks = axes.collections[-1]
alike = {tuple(path.vertices.ravel()) for path in marks.get_paths()}, {tuple(colour[:3]) for colour in marks.get_edgecolor()}
hollow = (marks.get_facecolor()[:, 3] == 0).any()
legend = [text.get_text() for text in axes.get_legend().get_texts()]
print(axes.get_xscale(), steps, axes.get_xlabel(), *map(len, alike), hollow, "TX2" in legend, sep="|")
figure = hv.render(rc.plot.heatmap(cube), backend="matplotlib")
axes, bar = figure.axes
cells = next(one for one in axes.collections if one.get_array() is not None)
words = [text.get_text() for text in axes.get_yticklabels()], {text.get_text() for text in axes.texts}
hatches = {one.get_hatch() for one in axes.collections} - {None}
print(cells.norm.__class__.__name__, "better" in bar.get_ylabel(), any("INT8" in one for one in words[0]), len(words[1]) > 20, sorted(hatches), sep="|")
both = hv.render(rc.plot.pareto(cube) * rc.plot.overlap(cube), backend="matplotlib")
alone = hv.render(rc.plot.pareto(cube), backend="matplotlib")
axes, notes = both.axes[0], [text for text in both.axes[0].texts if text.get_gid()]
legends = [one for one in axes.get_children() if type(one).__name__ == "Legend"]
print(tuple(both.get_size_inches()) == tuple(alone.get_size_inches()), len(legends), len({text.xyann for text in notes}), sep="|")
axes = hv.render(rc.plot.efficiency(cube), backend="matplotlib").axes[0]
print(*[tuple(round(255 * part) for part in one.get_facecolor()[0][:3]) for one in axes.collections], sep="|")
"""


def test_matplotlib_draws_the_same_axes_steps_colours_markers_and_texts():
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-c", IN_MATPLOTLIB], capture_output=True, text=True, check=True)
    front, cells, both, rows = done.stdout.strip().split("\n")
    assert front == "log|True|throughput (inputs/s, log scale)|4|5|True|True"
    assert both == "True|2|2"
    assert cells == "LogNorm|True|True|True|['////']"
    assert rows.split("|") == ["(169, 184, 201)", "(230, 159, 0)", "(255, 255, 255)", "(0, 114, 178)"]


def test_a_figure_that_was_drawn_is_let_go():
    figures = [plane([points({"x": [1.0], "y": [2.0]}, "x", "y", name="a.points")], name="a", x=Axis("x"), y=Axis("y"))]
    figures += [figures[0].clone()]
    for figure in figures:
        rendered(figure)
    first = weakref.ref(figures[0])
    del figure, figures[0]  # HoloViews keeps the last that it drew
    gc.collect()
    assert first() is None
