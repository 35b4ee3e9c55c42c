"""What an object says of itself in a notebook: a table in HTML, of which no label can become a part."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from roofcube.inert import TURNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["html_table"]


def html_table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], notes: Iterable[str] = ()) -> str:
    """Return a heading, a table and lines below it as HTML without scripts or styles of its own.

    Examples
    --------
    >>> html_table("One <b>", ["dim"], [["a&b"]])
    '<b>One &lt;b&gt;</b><table><tr><th>dim</th></tr><tr><td>a&amp;b</td></tr></table>'
    """
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(_cell_text(value))}</td>' for value in row)}</tr>" for row in rows)
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<b>{escape(heading)}</b><table><tr>{heads}</tr>{lines}</table>{below}"


def _cell_text(value: Any) -> str:
    """Write a number with its thousands apart, a text without marks that would turn what follows."""
    return f"{value:,}" if isinstance(value, int) else TURNING.sub(" ", str(value))
