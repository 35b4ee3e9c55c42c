"""The key of the code that computes held-out figures: changed by what computes, by nothing else."""

from __future__ import annotations

import pytest

from roofcube.calibration.kept.code_key import MODULES, ROOM, code_key, statements

SOURCE = '''"""Areas."""

from math import pi

__all__ = ["area"]


def area(radius):
    """Give the area."""
    # of a circle
    return pi * radius**2
'''


@pytest.mark.parametrize(
    "change",
    [
        ("of a circle", "of a disc"),
        ("Give the area.", "Give it."),
        ("from math import pi", "from numpy import pi"),
        ('["area"]', '["area", "pi"]'),
        ("\n\n\n", "\n"),
    ],
)
def test_what_computes_nothing_changes_nothing(change):
    assert SOURCE.replace(*change) != SOURCE
    assert statements(SOURCE.replace(*change)) == statements(SOURCE)


@pytest.mark.parametrize("change", [("**2", "**3"), ("def area(radius)", "def area(radius, /)")])
def test_what_computes_changes_the_key(change):
    assert statements(SOURCE.replace(*change)) != statements(SOURCE)


def test_every_module_that_computes_is_there():
    from importlib.resources import files

    folder = files("roofcube.calibration")
    assert all(folder.joinpath(f"{name}.py").is_file() for name in MODULES)
    assert folder.joinpath(ROOM, "law.py").is_file()
    assert len(code_key()) == 16
