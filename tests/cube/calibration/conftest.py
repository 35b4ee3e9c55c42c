"""Made-up networks, and boards that are near to one of them, far from it, and strange; made once a module."""

from __future__ import annotations

import pytest
from made_up_boards import made_up_networks, made_up_world


@pytest.fixture(scope="module")
def nets():
    return made_up_networks()


@pytest.fixture(scope="module")
def world(nets):
    return made_up_world(nets)
