"""Which of the known names is meant by one that is not known; standard library only, as the errors that name them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["nearest"]

WORD = re.compile(r"[^\W_]+")
MOST = 3  # names
TELLING = 3  # letters and digits from which a part of a name tells what is meant
FEW = 4  # letters of names that are a number, such as MXFP8
WIDTHS = 8  # up to which all whole numbers are widths of formats
SLIP, FAR = 0.8, 0.6  # likeness of a misspelling, and of what is still worth naming


def nearest(value: object, known: Iterable[object]) -> list[str]:
    """Return the known names that a name may mean, best first; none where nothing is near.

    The same letters and digits, blanks and signs aside; else what holds all its words with the fewest more; else a slip
    of the pen; else what begins with the same words. Where all names are few letters with a number, as FP16 and FP32,
    the number is what they mean: nothing with another one is near, but for a digit of what is no width of its own.

    Examples
    --------
    >>> nearest("RTX 4090", ["RTX4090", "GeForce RTX 4090", "RTX 3090"])
    ['RTX4090', 'GeForce RTX 4090']
    >>> nearest("efficientnet_b0", ["efficientnet_b7@600", "efficientnet_b0@224", "efficientnet_b0_gn@224"])
    ['efficientnet_b0@224']
    >>> nearest("cifar11", ["mnist", "cifar10"])
    ['cifar10']
    >>> [nearest(name, ["FP4", "FP8", "FP16", "FP64"]) for name in ("FP6", "FP9", "FP17")]
    [[], ['FP8'], ['FP16']]
    """
    names = list(dict.fromkeys(str(name) for name in known))
    words = {name: _words(name) for name in names}
    wanted = _words(str(value))
    plain = "".join(wanted)
    same = [name for name in names if "".join(words[name]) == plain] if plain else []
    holding = [name for name in names if set(wanted) <= set(words[name])] if len(plain) >= TELLING else []
    if same or holding:
        return list(dict.fromkeys([*same, *_shortest(holding, words)]))[:MOST]
    folded = {name.casefold(): name for name in names}
    letters = {_letters(name) for name in names}
    if len(letters) < len(names) and all(map(_is_of_number, [plain, *names])):
        alike = [name for name in folded if _digits(name) == _digits(plain)]
        close = get_close_matches(str(value).casefold(), alike, n=1, cutoff=SLIP)
        slips = sorted((name for name in folded if _slips(plain, name)), key=lambda name: _edits_between(plain, name))
        return [folded[name] for name in close or slips[:1]]
    close = get_close_matches(str(value).casefold(), folded, n=1, cutoff=FAR)
    if close and get_close_matches(str(value).casefold(), close, n=1, cutoff=SLIP):
        return [folded[close[0]]]
    shared = {name: _begins(wanted, words[name]) for name in names}
    most = max(shared.values(), default=0)
    if 2 * most >= len(wanted) and len("".join(wanted[:most])) >= TELLING:
        return _shortest([name for name in names if shared[name] == most], words)[:MOST]
    begun = [name for name in names if _is_begun(plain, "".join(words[name]))]
    return [folded[close[0]]] if close else begun[:1]


def _is_begun(one: str, other: str) -> bool:
    """Check whether one word is the beginning of the other."""
    return min(len(one), len(other)) >= TELLING and (one.startswith(other) or other.startswith(one))


def _is_of_number(name: str) -> bool:
    """Check whether a name is a number with few letters."""
    return bool(_digits(name)) and 0 < len(_letters(name)) <= FEW


def _slips(one: str, other: str) -> bool:
    """Check whether two names differ in one digit, and the number is no width of its own, as that of INT6 is."""
    wrong = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return len(one) == len(other) and int(_digits(one)) > WIDTHS and len(wrong) == 1 and "".join(wrong[0]).isdecimal()


def _edits_between(one: str, other: str) -> int:
    return abs(int(_digits(one)) - int(_digits(other)))


def _digits(name: str) -> str:
    return "".join(filter(str.isdecimal, name))


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.casefold()))


def _words(name: str) -> list[str]:
    return WORD.findall(name.casefold())


def _shortest(names: list[str], words: dict[str, list[str]]) -> list[str]:
    """Keep the names of the fewest words."""
    fewest = min((len(words[name]) for name in names), default=0)
    return [name for name in names if len(words[name]) == fewest]


def _begins(wanted: list[str], words: list[str]) -> int:
    """Count the words that both begin with."""
    count = 0
    for one, other in zip(wanted, words, strict=False):
        if one != other:
            break
        count += 1
    return count
