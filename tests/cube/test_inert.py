from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from roofcube.inert import LONGEST, inert_label, with_inert_labels


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
