"""TOML that anybody may have written: what the standard library reads, but for keys that take it minutes."""

from __future__ import annotations

import re
import tomllib
from typing import Any

__all__ = ["parsed_toml"]

PARTS = 100  # of a dotted key; tomllib walks all of them for each, so that 100 kB of one took more than a minute
DEEP = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){{{PARTS}}}""")


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
    if DEEP.search(text):
        msg = f"a key of more than {PARTS} parts"
        raise ValueError(msg)
    return tomllib.loads(text)
