"""The cells of a page of the docs: run in order, in one namespace and one folder, and compared with what stands below.

A ``python`` block runs; a ``sh`` block runs its lines that start with ``roofcube``, in this process; a block whose
sentence before ends with a file's name in backticks and a colon is written into that file. A ``text`` block right below
is what must have been printed, ``...`` standing for anything. ``python doc_cells.py --write PAGE`` writes these anew.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"`([\w.-]+\.\w+)`:\s*\Z")
# pages of five seconds and more, which the soak runs
SLOW = frozenset({"gallery.md"})
# its cells are tested by the figures' own tests, one by one
ELSEWHERE = frozenset({"hvplot.md"})
SILENT = ("explore",)  # commands that serve until they are stopped


@dataclass(frozen=True)
class Cell:
    """A block that runs, or a file that is written: its kind, text, what it must print, and where it stands."""

    kind: str
    code: str
    expected: str | None
    file: str | None
    span: tuple[int, int]
    line: int


def cells_of(text: str) -> list[Cell]:
    """Return the cells of a page, in order."""
    cells = []
    for match in BLOCK.finditer(text):
        name = FILE_NAME.search(text[: match.start()])
        kind = match[1]
        if kind in ("python", "sh") or name:
            span = match.span(3) if match[3] is not None else (match.end(), match.end())
            file = name[1] if name else None
            cells.append(Cell(kind, match[2], match[3], file, span, text[: match.start()].count("\n") + 1))
    return cells


def run_cell(cell: Cell, names: dict, page: str) -> str:
    """Run a cell and return what it prints."""
    if cell.file:
        Path(cell.file).write_text(cell.code, encoding="utf-8")
        return ""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if cell.kind == "python":
            exec(compile("\n" * cell.line + cell.code, page, "exec"), names)
        else:
            for line in cell.code.replace("\\\n", " ").splitlines():
                run_line(line)
    return out.getvalue()


def run_line(line: str) -> None:
    """Run the commands of a line that are roofcube's; a comment may say that it exits with 1."""
    from roofcube.cli import main

    expected = 1 if "exits with 1" in line else 0
    for part in line.partition(" #")[0].replace("&&", ";").split(";"):
        words = shlex.split(part)
        if words[:1] != ["roofcube"] or words[1] in SILENT:
            continue
        try:
            code = main(words[1:], standalone_mode=False) or 0
        except SystemExit as ended:
            code = ended.code or 0
        assert code == expected, f"{part.strip()}: exit {code}"


def run_page(page: Path) -> list[tuple[Cell, str]]:
    """Run the cells of a page in the current folder; return each with what it printed."""
    names: dict = {"__name__": "__page__"}
    return [(cell, run_cell(cell, names, page.name)) for cell in cells_of(page.read_text(encoding="utf-8"))]


def pages(docs: Path) -> list[str]:
    """Return the pages that have cells, by name."""
    paths = [path for path in sorted(docs.rglob("*.md")) if "_build" not in path.parts]
    names = [path.relative_to(docs).as_posix() for path in paths if cells_of(path.read_text(encoding="utf-8"))]
    return [name for name in names if name not in ELSEWHERE]


def check_page(docs: Path, name: str) -> None:
    """Run a page and compare what its cells print with what stands below them."""
    for cell, printed in run_page(docs / name):
        if cell.expected is None:
            assert printed == "", f"{name}:{cell.line} prints what the page does not show:\n{printed}"
        else:
            assert same(cell.expected, printed), f"{name}:{cell.line} printed\n{printed}"


def same(expected: str, printed: str) -> bool:
    """Check whether a text is what was expected, blanks and dots aside."""
    return doctest.OutputChecker().check_output(expected, printed, OPTIONS)


def written(text: str, done: list[tuple[Cell, str]]) -> str:
    """Return the page with what its cells printed below them, where something else stood."""
    for cell, printed in reversed(done):
        if cell.expected is None and printed:
            text = f"{text[: cell.span[0]]}\n\n```text\n{printed.rstrip()}\n```{text[cell.span[1] :]}"
        elif cell.expected is not None and not same(cell.expected, printed):
            text = f"{text[: cell.span[0]]}{printed.rstrip()}\n{text[cell.span[1] :]}"
    return text


if __name__ == "__main__":
    chosen = [Path(word).resolve() for word in sys.argv[1:] if word != "--write"]
    for path in chosen:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            result = run_page(path)
            new = written(path.read_text(encoding="utf-8"), result)
        if "--write" in sys.argv:
            path.write_text(new, encoding="utf-8")
        for cell, printed in result:
            print(f"-- {path.name}:{cell.line}", printed, sep="\n")
