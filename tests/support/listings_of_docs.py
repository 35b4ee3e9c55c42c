"""The lists that the site takes from the package, for tests: `docs/_ext/listings.py`, which no package holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["LISTINGS"]


def _loaded():
    path = Path(__file__).parents[2] / "docs" / "_ext" / "listings.py"
    spec = importlib.util.spec_from_file_location("listings", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LISTINGS = _loaded()
