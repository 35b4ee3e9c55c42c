"""Tell heads that say the opposite of a column, or a share of it: what was removed, an error, a time per input.

Values under them are of the right unit and within range, so nothing else shows that the worst would be taken for best.
What denies itself is none: `100 - error`, `channels kept after pruning`, `accuracy at lowest loss`.
"""

from __future__ import annotations

import re

__all__ = ["opposite_fault"]

CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
WORDS = re.compile(r"[^\W_]+|[-−–/±%]")
# 100 - error, 1 - sparsity: neither is meant
LESS = re.compile(r"\b(?<!top )(?<!top - )(?:100|1|one)(?: %)? (?:[-−–]|minus) (?:top(?: -)? ?[15](?: -)? )?\w+")
REMOVED = re.compile(r"prun|spars|remov|eliminat|\bdropp|\bzero")
LEFT = re.compile(
    r"kept|keep|\bleft|remain|retain|surviv|preserv|\bdens|unprun|\b(?:not|non)(?: -)? (?:prun|spars|remov)"
)
OWN = re.compile(r"pruning(?: factor)?(?: percent| pct| %)*")
ERROR = re.compile(
    r"\b(?:err|errs|errors?|misclass\w*|[wcet]er|loss|losses|mistakes?|wrong|incorrect\w*|inaccura\w*|mispredict\w*|"
    r"perplexity|ppl|r?mse|mape?)\b(?! (?:- )?(?:free|aware|correct))"
)
# an error that an accuracy is beside: at the lowest loss, ± its error, without errors
BESIDE = re.compile(r"(?:\b(?:at|by|with|without|no|for|from|after|of|best|lowest|min|minimum)\b|±)[^/]*")
INPUTS = "image|img|frame|sample|input|item|picture|photo|token|tok|sequence|seq|sentence|prompt|example|instance"
PER_INPUT = re.compile(rf"(?:\bper(?: -)?|/) (?:(?:single|one|1|each|input|output|generated) )?(?:{INPUTS})s?\b")


def opposite_fault(head: str, column: str) -> str:
    """Return what is wrong where a head says the opposite of a column, and what to write; else nothing.

    Examples
    --------
    >>> from roofcube.datasets.forms.opposites import opposite_fault
    >>> opposite_fault("Top-1 error (%)", "top1_percent"), opposite_fault("Top-1 accuracy", "top1_percent")
    ("'Top-1 error (%)' says an error: write 100 - error", '')
    >>> opposite_fault("sparsity", "pruning_percent"), opposite_fault("channels_kept", "pruning_percent")
    ("'sparsity' says what was removed, pruning_percent is what is left: write 100 - x (in %)", '')
    """
    column = column.strip().casefold()
    words = " ".join(WORDS.findall(CAPITALS.sub(" ", head))).casefold()
    said = LESS.sub(" ", words)
    if column.startswith("pruning"):
        if REMOVED.search(said) and not LEFT.search(said) and not OWN.fullmatch(words):
            return f"{head!r} says what was removed, pruning_percent is what is left: write 100 - x (in %)"
    elif column.startswith(("top1", "top5")):
        if ERROR.search(BESIDE.sub(" ", said)):
            return f"{head!r} says an error: write 100 - error"
    elif column.startswith("latency") and PER_INPUT.search(words):
        return f"{head!r} says a time per input, {column!r} is that of a whole batch: multiply it by the batch"
    return ""
