"""What questions of one graph have cost so far, so that the next like them goes the faster way.

A question is known by its kind (what is asked of which outputs, with limits of which form) and exactly (with the values
of its limits and edges). Equal questions cost the same again; like ones often do.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["History", "Searched"]

EXACT = 128  # questions that are remembered with the values of their limits


@dataclass(frozen=True)
class Searched:
    """What a search took, in seconds, and whether it came to its end; else what it would have taken at least."""

    seconds: float
    ended: bool


@dataclass
class History:
    """Costs of the questions of one graph, whatever they are limited by.

    Attributes
    ----------
    visits : dict
        Seconds that visiting every point took, by the kind of question and how it was visited.
    spent : float
        Seconds spent on answers in all.
    """

    visits: dict[Hashable, float] = field(default_factory=dict)
    spent: float = 0.0
    _like: dict[Hashable, Searched] = field(default_factory=dict)
    _exact: OrderedDict[Hashable, Searched] = field(default_factory=OrderedDict)

    def searched(self, kind: Hashable, values: Hashable) -> tuple[Searched | None, bool]:
        """Return what the last search of such a question took, and whether it was exactly this one."""
        exact = self._exact.get((kind, values))
        return (exact, True) if exact is not None else (self._like.get(kind), False)

    def note_search(self, kind: Hashable, values: Hashable, searched: Searched, spent: float) -> None:
        """Remember a search on which so many seconds were spent."""
        self._like[kind] = self._exact[kind, values] = searched
        self.spent += spent
        while len(self._exact) > EXACT:
            self._exact.popitem(last=False)

    def note_visit(self, kind: Hashable, seconds: float) -> None:
        """Remember a visit."""
        self.visits[kind] = seconds
        self.spent += seconds
