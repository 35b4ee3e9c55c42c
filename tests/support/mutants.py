"""Damage files as disks, editors and hostile hands do: bits, cuts, repeats, foreign tokens, lost and swapped files of a store."""

from __future__ import annotations

import re
import shutil
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

BYTES = (0, 1, 0x7F, 0x80, 0xFF)
TOKENS = (
    *("1e400", "-1", "0", "NaN", "Infinity", "null", "true", "[]", "{}", '""', '"x"', "99999999999999999999", "4e9"),
    *("-9223372036854775809", "1e308", '"\\ud800"', "\u202e", "[[[[", "'''", '"""', "\n", "=", ",", ";", "\x00"),
    *("9" * 5000, "{" * 2000, "[" * 5000, "inf", "-inf", "=cmd|'/c calc'!A1", "2001-01-01", "1_000", "0x1f", "\ufeff"),
)
WORD = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\"[^\"]*\"|true|false|null")


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change bytes in a few places."""
    wrong = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not wrong:
            break
        at, other, length = rng.randrange(len(wrong)), rng.randrange(len(wrong)), rng.randrange(1, 200)
        what = rng.randrange(8)
        if what == 0:
            wrong[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            wrong[at] = rng.choice(BYTES)
        elif what == 2:
            width = rng.choice((2, 4, 8))
            wrong[at : at + width] = rng.choice((b"\xff" * width, b"\0" * width, b"\x7f" + b"\xff" * (width - 1)))
        elif what == 3 and len(wrong) > 8:
            del wrong[other:]
        elif what == 4:
            wrong[at : at + length] = wrong[other : other + length]
        elif what == 5:
            del wrong[at : at + length]
        elif what == 6:
            wrong[at:at] = rng.randbytes(length)
        else:
            wrong[at:at] = wrong[other : other + length]
    return bytes(wrong)


def damaged_text(text: str, rng: random.Random) -> str:
    """Put foreign tokens into a text, mostly in the place of numbers and words."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        words = list(WORD.finditer(text))
        token = rng.choice(TOKENS)
        if words and rng.random() < 0.8:
            word = rng.choice(words)
            text = text[: word.start()] + token + text[word.end() :]
        else:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + token + text[at:]
    return text


def damaged_content(content: bytes, rng: random.Random, *, text: bool) -> bytes:
    """Damage a file, as text mostly where it is text."""
    if text and rng.random() < 0.66:
        return damaged_text(content.decode("utf-8", "replace"), rng).encode("utf-8", "surrogatepass")
    return damaged_bytes(content, rng)


def damaged(source: Path, target: Path, rng: random.Random) -> None:
    """Write a damaged copy of a file or of a store."""
    if source.is_file():
        text = source.suffix in (".json", ".csv", ".toml")
        target.write_bytes(damaged_content(source.read_bytes(), rng, text=text))
        return
    shutil.copytree(source, target)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    for file in rng.choices(files, k=rng.choice((1, 1, 2))):
        if not file.exists():
            continue
        kind = rng.random()
        if kind < 0.85:
            file.write_bytes(damaged_content(file.read_bytes(), rng, text=file.name == "zarr.json"))
        elif kind < 0.9:
            file.unlink()
        elif kind < 0.95:
            other = rng.choice(files)
            file.write_bytes(other.read_bytes() if other.exists() else b"")
        else:
            file.unlink()
            file.symlink_to(__file__)


# values that a forged document may have in place of any of its own
STRANGE: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -1, 0, 1, -0.5, 3.7, 1e300, 1e-300, 10**30, -(10**30), 2**63, 100_000),
    *(None, True, False, "", "x", "NaN", "\ud800", [], {}, [[]], [1, 2]),
)


def edited(document: Any, rng: random.Random) -> Any:
    """Return a document with a few parts replaced by strange ones or each other, left out, doubled or reordered."""
    changed = deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        inner, name = rng.choice(places)
        part, what = inner[name], rng.randrange(8)
        if what < 3:
            inner[name] = deepcopy(rng.choice(STRANGE))
        elif what == 3:
            del inner[name]
        elif what == 4 and isinstance(part, int | float):
            inner[name] = part * rng.choice((-1, 0, 2, 1e-3, 1e3)) + rng.choice((-1, 0, 1))
        elif what == 5 and isinstance(part, list):
            part.insert(0, deepcopy(part[-1])) if part else part.append(0)
        elif what == 6 and isinstance(part, list):
            rng.shuffle(part)
        elif what == 7:
            other, where = rng.choice(places)
            inner[name] = deepcopy(other[where])
    return changed


def _places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Go through the parts of a document: the first, middle and last of each list."""
    names = part if isinstance(part, dict) else sorted({0, len(part) // 2, len(part) - 1}) if part else ()
    for name in names:
        yield part, name
        if isinstance(part[name], dict | list):
            yield from _places(part[name])
