"""Text of the reference that is made from the package: names, variables, flags, rules, errors, commands, columns.

Each function gives Markdown. A page says where it belongs with a comment, ``<!-- list: variables -->``; `filled` puts
the text there. Knows nothing of Sphinx, so that tests read the same text.
"""

from __future__ import annotations

import inspect
import re
import typing
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LISTS", "MEANINGS", "VOCABULARY", "filled"]

# the module of the table of variables
VOCABULARY = import_module("roofcube.vocabulary")

MARK = re.compile(r"<!-- list: (\w+)((?: [^\s>]+)*) -->")

# what each code of a flag says
MEANINGS = {
    "infeasible": {
        "feasible": "it can run",
        "mode_not_offered": "the platform has no such mode",
        "precision_not_supported": "the platform does not compute at that precision",
        "network_not_defined": "the network does not exist at that pruning or precision",
        "does_not_fit_memory": "`memory_required` exceeds `memory_capacity`",
        "untrained": "nobody trained the network at that precision: speed is given, accuracy is not",
        "not_calibrated": "a calibration has no row that would tell",
        "counts_not_known": "the activations of the network are not known, which the assumptions read from memory",
        "bandwidth_not_known": "nobody publishes the memory bandwidth of the platform",
    },
    "bound": {
        "none": "there is no prediction",
        "compute": "the compute peak",
        "memory": "the memory bandwidth, where one transfer alone is counted",
        "weights": "reading the weights",
        "activations": "reading and writing activations or state",
        "overhead": "time that does not grow with the work; of calibrations only",
    },
}


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def names(module: str, *listed: str) -> str:
    """Give the entries of names of a module, from their docstrings."""
    room = import_module(module)
    return "\n\n".join(
        f"```{{eval-rst}}\n{_directive(module, name, getattr(room, name))}\n```"
        for name in (listed or tuple(room.__all__))
    )


def _directive(module: str, name: str, thing: Any) -> str:
    if inspect.isclass(thing):
        return f".. autoclass:: {module}.{name}\n   :members:"
    if callable(thing):
        return f".. autofunction:: {module}.{name}"
    storage = ", ".join(f"{what} ``{getattr(thing, what)}``" for what in ("weights", "activations", "state", "layers"))
    return f".. py:data:: {module}.{name}\n\n   The `Assumptions` of label ``{thing.label}``: {storage}."


def accessor() -> str:
    """List the methods of `Dataset.roof`."""
    from roofcube.accessor import RoofAccessor

    methods = [name for name in vars(RoofAccessor) if not name.startswith("_")]
    return ", ".join(f"`{name}`" for name in methods)


def variables() -> str:
    """Tabulate the variables of cubes."""
    rows = (
        (
            f"`{name}`",
            variable.units or "(flag)",
            {"max": "more", "min": "less", None: ""}[variable.sense],
            variable.long_name,
        )
        for name, variable in VOCABULARY.VARIABLES.items()
    )
    return _table(("variable", "units", "better", "meaning"), rows)


def flags() -> str:
    """Tabulate the codes of the flags that models compute."""
    parts = []
    for flag, codes in VOCABULARY.FLAGS.items():
        rows = ((code, f"`{name}`", MEANINGS[flag][name]) for name, code in codes.items())
        parts.append(f"### `{flag}`\n\n" + _table(("code", "name", "meaning"), rows))
    return "\n\n".join(parts)


def rules() -> str:
    """Tabulate the rules of the physics gate: bit, grade, what breaks them and what to do."""
    texts = _texts_of_rules()
    rows = (
        (f"`{name}`", grade, VOCABULARY.QUALITY.get(name, ""), *(texts.get(name) or OTHER_RULES[name]))
        for name, grade in VOCABULARY.GRADES.items()
    )
    return _table(("rule", "grade", "bit of `quality`", "what it finds", "what to do"), rows)


def action(name: str) -> str:
    """Say what to do about a rule."""
    said = (_texts_of_rules().get(name) or OTHER_RULES[name])[1]
    return f"*What to do:* {said}."


# rules that look at labels and at samples of meters, whose text depends on what they find
OTHER_RULES = {
    "unknown_label": (
        "a platform, network, precision, pruning or mode that nothing is known of, or that its platform does not have",
        "correct the label, or give the platform or network in `inputs`",
    ),
    "missing_value": ("a column that is known of other rows is empty here", "measure it, or leave it empty"),
    "power_is_maximum": (
        "the power of the row is the highest sample of the meter, not the mean",
        "use the mean of the trace for energy",
    ),
    "impossible_sample": (
        "a sample is outside 4.75 to 5.25 V, the supply range of USB, in a trace whose median is 4.5 to 5.5 V",
        "leave the sample out of means and maxima",
    ),
    "stuck_sample": ("the meter shows the same reading too often in a row", "leave the run out"),
}


@cache
def _texts_of_rules() -> dict[str, tuple[str, str]]:
    import polars as pl

    from roofcube.datasets import load_measurements
    from roofcube.measured.rules import rules_for

    # rows of any table, with the column that the gate adds
    rows = load_measurements().head(1).with_columns(board=pl.col("platform"))
    by_name: dict[str, list[Any]] = {}
    for rule in rules_for(rows):
        by_name.setdefault(rule.name, []).append(rule)
    return {
        name: (_joined([rule.finding for rule in same]), _joined([rule.action for rule in same]))
        for name, same in by_name.items()
    }


def _joined(texts: list[str]) -> str:
    """Join different texts; one that only says more of another is left out."""
    distinct = list(dict.fromkeys(texts))
    return "; ".join(
        text for text in distinct if not any(text != other and text.startswith(other) for other in distinct)
    )


# where to read on about a class of errors
READ_ON = {
    "BusyFileError": "[share and verify a cube](../how-to/share.md)",
    "CorruptFileError": "[share and verify a cube](../how-to/share.md)",
    "ForkedProcessError": "[run on Dask](../how-to/dask.md)",
    "InvalidDataError": "[files](files.md) column by column; [limits](../how-to/limits.md); [Python](python.md)",
    "MemoryLimitError": "[hardware that does not exist yet](../how-to/hypothetical.md); [Dask](../how-to/dask.md)",
    "MissingExtraError": "[install](../start.md#1-install)",
    "MissingFileError": "[files](files.md); [share and verify a cube](../how-to/share.md)",
    "MissingInputError": "[the models](../explain/models.md); [terms of your own](../how-to/hypothetical.md)",
    "RoofcubeError": "the classes below",
    "UnknownLabelError": "[platforms](../how-to/own-board.md) and [networks](../how-to/own-task.md) of your own",
    "UnreadableFileError": "[share and verify a cube](../how-to/share.md)",
    "UnwritableFileError": "[share and verify a cube](../how-to/share.md)",
}


def errors() -> str:
    """Describe the classes of errors, a section each, the base first."""
    from roofcube import errors as room

    classes = [thing for thing in map(room.__dict__.get, room.__all__) if inspect.isclass(thing)]
    classes.sort(key=lambda error: len(error.__mro__))
    return "\n\n".join(
        f"## `{error.__name__}`\n\n{inspect.getdoc(error)}\n\n"
        f"Is also {_article(error.__bases__[-1].__name__)}. Read on: {READ_ON[error.__name__]}."
        for error in classes
    )


def _article(name: str) -> str:
    return f"an `{name}`" if name[0] in "AEIOU" else f"a `{name}`"


def commands() -> str:
    """Give the help of every command."""
    import click

    from roofcube.cli import main

    parts = []
    with click.Context(main, info_name="roofcube") as outer:
        for name in main.list_commands(outer):
            command = main.get_command(outer, name)
            assert command is not None
            with click.Context(command, info_name=name, parent=outer, terminal_width=100) as inner:
                parts.append(f"## `roofcube {name}`\n\n```text\n{command.get_help(inner)}\n```")
    return "\n\n".join(parts)


def columns(name: str, *needed: str) -> str:
    """Tabulate the columns of a table by its schema; `needed` where a reader knows what is not given."""
    from roofcube.datasets import schema

    kind = getattr(schema, name)
    hints = typing.get_type_hints(kind, include_extras=True)
    meanings = _attributes(kind)
    needed = needed or tuple(column for column in hints if not hasattr(kind, column))
    rows = (
        (f"`{column}`", _kind(hint), "yes" if column in needed else "", meanings.get(column, ""))
        # the accuracy at each precision is long, and comes last
        for column, hint in sorted(hints.items(), key=lambda one: hasattr(schema.OwnAccuracy, one[0]))
    )
    return _table(("column", "values", "needed", "meaning"), rows)


def _attributes(kind: type) -> dict[str, str]:
    """Return what the docstrings of a schema say of its columns."""
    meanings: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        for match in re.finditer(r"^(\w[\w, ]*)\n((?:    .*\n?)+)", text.partition("----------\n")[2], re.MULTILINE):
            for column in match[1].split(", "):
                meanings[column] = " ".join(match[2].split())
    return meanings


def _kind(hint: Any) -> str:
    """Say in words what a column holds."""
    from roofcube.datasets import schema

    bare = [part for part in typing.get_args(hint) if part is not type(None)]
    empty = type(None) in typing.get_args(hint)
    hint = bare[0] if empty else hint
    words = {str: "text", float: "number", int: "whole number", bool: "true or false"}
    if hint == schema.Precision:
        said = "a precision"
    elif typing.get_origin(hint) is typing.Literal:
        said = "one of " + ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    elif hasattr(hint, "__metadata__"):
        said = words[hint.__origin__] + ",".join(filter(None, map(_range, hint.__metadata__)))
    else:
        said = words.get(hint, "text")
    return said + (", or empty" if empty else "")


def _range(limit: Any) -> str:
    for name, sign in (("gt", ">"), ("ge", "≥"), ("le", "≤")):
        value = getattr(limit, name, None)
        if value is not None:
            return "" if value == 2**63 - 1 else f" {sign} {value}"
    return ""


def corrections() -> str:
    """Tabulate the corrections of the embedded tables, those of one reason together."""
    import polars as pl

    from roofcube import datasets

    table = datasets.load_corrections()
    grouped = table.group_by("table", "column", "reason", maintain_order=True).agg(
        rows=pl.len(),
        first=pl.col("row").first(),
        old=pl.col("source_value").first(),
        new=pl.col("corrected_value").first(),
    )
    rows = (
        (f"{line['table']}: `{line['column']}`", line["rows"], line["first"], line["old"], line["new"], line["reason"])
        for line in grouped.iter_rows(named=True)
    )
    return _table(("column", "rows", "first row", "source says", "correct is", "why"), rows)


def formats() -> str:
    """Tabulate the precisions: bits of weights and of activations as stored, scales counted, and as multiplied."""
    rows = (
        (f"`{name}`", *(f"{bits:g}" for bits in (form.weights, form.activations, form.computed)))
        for name, form in VOCABULARY.FORMATS.items()
    )
    return _table(("precision", "bits of a weight", "bits of an activation", "multiplied in bits"), rows)


LISTS = {
    "action": action,
    "accessor": accessor,
    "columns": columns,
    "commands": commands,
    "corrections": corrections,
    "errors": errors,
    "flags": flags,
    "formats": formats,
    "names": names,
    "rules": rules,
    "variables": variables,
}


def filled(text: str) -> str:
    """Put the lists of a page where its comments ask for them."""
    return MARK.sub(lambda mark: LISTS[mark[1]](*mark[2].split()), text)
