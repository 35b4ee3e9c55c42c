"""What a page is made of: paragraphs, figures, tables and buttons; plain records that the template lays out."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Drawing", "Fact", "Field", "Link", "Option", "Section", "Table", "link_to"]


@dataclass(frozen=True)
class Fact:
    """A number of the summary and what it counts."""

    value: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """A figure, or a view of one: its key, the object drawn, a description, what it finds for those who cannot see it.

    Drawings one after another with views are one figure, in which a button chooses; `marked` are the labels of its
    marks by field.
    """

    key: str
    drawn: Any
    description: str
    view: str = ""
    finding: str = ""
    marked: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """A button of a field: the label it switches, what stands on it, its colour; of a class the platforms it has."""

    label: str
    text: str
    colour: str = ""
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """A row of buttons that act on all figures; `note` says why there are none."""

    key: str
    title: str
    options: tuple[Option, ...]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table: cells are text or numbers; numbers are set at the right."""

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    note: str = ""
    folded: bool = False
    searched: bool = False


@dataclass(frozen=True)
class Link:
    """A file inside the page."""

    name: str
    address: str
    size: int
    what: str


@dataclass(frozen=True)
class Section:
    """A section: what to see, what not to conclude, figures, tables; `missing` says what was left out and why."""

    key: str
    heading: str
    see: tuple[str, ...] = ()
    beware: str = ""
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[Link, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def figures(self) -> list[list[Drawing]]:
        """The figures, each the views that it has."""
        groups = groupby(enumerate(self.drawings), lambda pair: -1 if pair[1].view else pair[0])
        return [[drawing for _, drawing in group] for _, group in groups]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there but the reason why."""
        return not (self.see or self.beware or self.drawings or self.tables or self.links)


def link_to(name: str, kind: str, content: bytes, what: str) -> Link:
    """Make a link to a file that is inside the page, as a data URI."""
    return Link(name, f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", len(content), what)
