"""Pages of the embedded tasks, written once for all workers of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import roofcube as rc
from roofcube.locks import locked

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LONGEST = 600.0  # seconds that another worker may take for a page on a busy machine


def page_of(task: str, factory: pytest.TempPathFactory) -> Path:
    """Return the page of a task; the first who asks writes it, and others wait for it."""
    base = factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    page = folder / f"{task}.html"
    with locked(folder / f"writing-{task}", seconds=LONGEST):
        return page if page.exists() else rc.report(task, page)
