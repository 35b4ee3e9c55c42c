from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import xarray as xr

from roofcube.inert import GIVEN, LONGEST, inert_cell, inert_cells, inert_label, inert_labels, with_inert_labels


@pytest.mark.parametrize("label", ["TX2", "ResNet-50 v1.5 (ours)", "שלום", "😀 émoji", "<b>bold</b>", "5 $ a $"])
def test_ordinary_labels_stay(label):
    assert inert_label(label) == label


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("a\u202eb", "a b"),
        ("one\ntwo\x00", "one two "),
        ("$$x$$", "$\u200b$x$\u200b$"),
        (r"\(x\)", "\\\u200b(x\\)"),
        ("x" * 500, "x" * 28 + "…" + "x" * 11),
    ],
)
def test_what_would_turn_a_line_or_become_a_formula_does_not(label, shown):
    assert inert_label(label) == shown
    assert len(shown) <= LONGEST + 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(1+1)", "\t=1+1", "\r=1", "＝1+1"])
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text):
    assert inert_cell(text) == f"'{text}"
    table = inert_cells(pl.DataFrame({text: [text, "TX2", None], "off": [-1.0, None, 2.0]}))
    assert table.columns == [f"'{text}", "off"]
    assert table.rows() == [(f"'{text}", -1.0), ("TX2", None), (None, 2.0)]


def test_labels_stay_apart_and_other_coordinates_stay():
    cube = xr.Dataset(
        {"v": ("platform", [1, 2, 3])},
        coords={"platform": ["x" * 100, "x" * 100 + "x", "y"], "batch": 3, "note": ("platform", ["a\u202eb"] * 3)},
    )
    shown = with_inert_labels(cube)
    assert len(set(shown.platform.values.tolist())) == 3
    assert shown.note.values.tolist() == ["a b"] * 3
    np.testing.assert_array_equal(shown.v, cube.v)
    plain = cube.isel(platform=[2]).drop_vars("note")
    assert with_inert_labels(plain) is plain


def test_labels_along_another_dim_stay_apart_too():
    """Of what is offered the platform is a coordinate, with a label for each offer."""
    names = [f"Accelerator of the very long family {size} (one core)" for size in ("B512", "B800", "B4096")]
    cube = xr.Dataset(
        {"v": ("offer", range(6))}, coords={"platform": ("offer", [name for name in names for _ in range(2)])}
    )
    shown = with_inert_labels(cube).platform.values.tolist()
    assert shown[::2] == shown[1::2] == [f"Accelerator…{size} (one core)" for size in ("B512", "B800", "B4096")]


def test_labels_that_differ_far_behind_show_where():
    same = "x" * 300
    texts = inert_labels([f"{same} {number} {same}" for number in range(3)] + [same + "z", same + "z", "TX2"])
    assert len(set(texts[:4])) == 4
    assert texts[4] == texts[3]
    assert [" 1 " in text or "…1 " in text for text in texts[:3]] == [False, True, False]
    assert all(len(text) <= LONGEST + 4 for text in texts)


def test_names_become_text_and_say_what_they_were():
    coords = {"platform": [1, 2], "mode": ["default", "x" * 100], "batch": [1, 8], "age": ("platform", [3, 4])}
    shown = with_inert_labels(xr.Dataset({"v": (("platform", "mode", "batch"), np.ones((2, 2, 2)))}, coords=coords))
    assert shown.platform.values.tolist() == ["1", "2"]
    assert shown.batch.dtype.kind == shown.age.dtype.kind == "i"
    assert shown.mode.attrs[GIVEN][str(shown.mode.values[1])] == "x" * 100
    assert with_inert_labels(shown) is shown
