"""Options, given once, and outputs: never over what is read, into a folder that is there, whole or not at all."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roofcube.disk import replacing
from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

__all__ = ["EXISTING", "OUTPUT", "OUTPUT_FILE", "CheckedCommand", "write_csv"]

EXISTING = click.Path(exists=True, path_type=Path)
OUTPUT = click.Path(path_type=Path)
OUTPUT_FILE = click.Path(dir_okay=False, path_type=Path)


class CheckedCommand(click.Command):
    """A command that looks at its options, and at the names of its outputs, before it begins to work."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an option of one value given twice with different ones: the last would win, the looser one too."""
        if not ctx.resilient_parsing:
            _check_given_once(ctx, self.params, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Refuse outputs that cannot be, then do as ever."""
        given = [(param, ctx.params.get(param.name or "")) for param in self.params]
        taken = {
            Path(name): "read"
            for param, value in given
            if isinstance(param, click.Argument) or param.type is EXISTING
            for name in (value if isinstance(value, tuple) else [value])
            if name is not None
        }
        for param, path in given:
            if param.type in (OUTPUT, OUTPUT_FILE) and path is not None:
                _check_output(max(param.opts, key=len), path, taken)
                taken[path] = "written too"
        return super().invoke(ctx)


def _check_given_once(ctx: click.Context, params: Sequence[click.Parameter], args: Sequence[str]) -> None:
    single = [copy(one) for one in params if isinstance(one, click.Option) and not (one.multiple or one.is_flag)]
    for option in single:
        option.multiple = True  # so that the parser keeps every value
    names = {one.name for one in single}
    others = [one for one in params if one.name not in names]
    given, _, _ = click.Command(ctx.info_name, params=[*others, *single]).make_parser(ctx).parse_args(list(args))
    for option in single:
        values = list(dict.fromkeys(given.get(option.name or "") or ()))
        if len(values) > 1:
            told = " and ".join(map(repr, values))
            msg = f"`{max(option.opts, key=len)}`: expected one value, got {told}; give it once"
            raise InvalidDataError(msg)


def _check_output(option: str, path: Path, taken: Mapping[Path, str]) -> None:
    if not path.absolute().parent.is_dir():
        msg = f"`{option}`: the folder {path.parent} does not exist; make it first"
        raise InvalidDataError(msg)
    for other, how in taken.items():
        if _is_same_file(path, other):
            msg = f"`{option}`: expected another file than the one that is {how}, got {path}; choose another name"
            raise InvalidDataError(msg)


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet, or a task
        return one.absolute() == other.absolute()


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """Write a table, at once when it is complete; what a CSV has no form for as text, as cubes hold it."""
    import polars as pl

    others = [one for one in table if one.dtype.is_nested() or one.dtype in (pl.Duration, pl.Binary, pl.Object)]
    texts = {one.name: [None if value is None else str(value) for value in one.to_list()] for one in others}
    written = table.with_columns(pl.Series(name, text, dtype=pl.String) for name, text in texts.items())
    with replacing(path) as temporary:
        temporary.write_bytes(written.write_csv().encode())
