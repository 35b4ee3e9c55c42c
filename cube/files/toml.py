"""TOML that anybody may have written: what the standard library reads, but for keys that take it minutes."""

from __future__ import annotations

import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["parsed_toml"]

LETTERS = 1 << 21  # 12,000 platforms, which take some 2 s; numbers alone 4
PARTS = 100  # of a dotted key; tomllib walks all of them for each, so that 100 kB of one took more than a minute
STEPS = 10_000_000  # of such walks in all, which take a second
LONG = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){10,}""")


def parsed_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises
    ------
    ValueError, RecursionError
        If it is none, or has a key that nobody writes.

    Examples
    --------
    >>> parsed_toml("a.b = 1")
    {'a': {'b': 1}}
    """
    if len(text) > LETTERS:
        msg = f"{len(text):,} letters, more than {LETTERS:,}; write several files, or a table in CSV or Parquet"
        raise ValueError(msg)
    parts = [found[0].count(".") for found in LONG.finditer(text)]
    if max(parts, default=0) >= PARTS:
        msg = f"a key of more than {PARTS} parts"
        raise ValueError(msg)
    if sum(number**2 for number in parts) > STEPS:
        msg = "too many keys of many parts"
        raise ValueError(msg)
    content = tomllib.loads(text)
    if any(isinstance(one, int) and abs(one) > sys.float_info.max for one in _values_in(content)):
        msg = "a whole number beyond the range of a float"  # Python would not even write it
        raise ValueError(msg)
    return content


def _values_in(content: Any) -> Iterator[Any]:
    """Go through all values of tables and lists, however deep."""
    left = [content]
    while left:
        one = left.pop()
        if isinstance(one, dict | list):
            left += one.values() if isinstance(one, dict) else one
        else:
            yield one
