"""A line of the table per piece of work: ours against a named peer or the machine, timed in turn, as a ratio."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: list[Row] = []
ROUND = 0.02  # seconds: calls that take less are timed several at once


@dataclass
class Row:
    """A line of the table; the ratio is the peer's time over ours, so above 1 is faster than the peer."""

    work: str
    peer: str
    ratio: float
    ours: str
    at_least: str = ""
    aim: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", help="write the lines of the table to this JSON file")
    parser.addoption("--full", action="store_true", help="full sizes; without it a smoke run on small ones")


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Write what was measured so far: a run of an hour may be ended."""
    target = item.config.getoption("--table")
    if target and ROWS:
        Path(target).write_text(json.dumps([asdict(row) for row in ROWS], indent=1), encoding="utf-8")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether to run at full size."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def add_row() -> Callable[..., None]:
    """Add a line with figures that the benchmark measured itself."""

    def add(work: str, peer: str, ratio: float, ours: str, at_least: str = "", aim: str = "") -> None:
        ROWS.append(Row(work, peer, ratio, ours, at_least, aim))

    return add


@pytest.fixture
def race(full: bool) -> Callable[..., float]:
    """Time our call and a peer's in turn, warm, and add the ratio of their medians to the table."""

    def run(
        work: str,
        ours: Callable[[], Any],
        peer: str,
        theirs: Callable[[], Any],
        *,
        rounds: int = 5,
        at_least: str = "",
        aim: str = "",
    ) -> float:
        calls = (ours, theirs)
        for call in calls:
            call()
        numbers = [max(1, int(ROUND / _timed(call, 1))) for call in calls]
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds if full else 1):
            for call, number, into in zip(calls, numbers, times, strict=True):
                into.append(_timed(call, number))
        mine, other = (statistics.median(one) for one in times)
        ROWS.append(Row(work, peer, other / mine, _seconds(mine), at_least, aim))
        return other / mine

    return run


def _timed(call: Callable[[], Any], number: int) -> float:
    """Give the seconds that a call takes, called so many times, as `timeit` does."""
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1:
            return f"{value * scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
