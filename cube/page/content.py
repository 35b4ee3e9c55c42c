"""What a page is made of: paragraphs, figures and tables; plain records that the template lays out."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Drawing", "Fact", "Link", "Section", "Table", "link_to"]


@dataclass(frozen=True)
class Fact:
    """A number of the summary and what it counts."""

    value: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """A figure: its key, the object drawn, and a description for those who cannot see it."""

    key: str
    drawn: Any
    description: str


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
    def is_empty(self) -> bool:
        """Whether nothing is there but the reason why."""
        return not (self.see or self.beware or self.drawings or self.tables or self.links)


def link_to(name: str, kind: str, content: bytes, what: str) -> Link:
    """Make a link to a file that is inside the page, as a data URI."""
    return Link(name, f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", len(content), what)
