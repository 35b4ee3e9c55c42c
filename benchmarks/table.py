"""Run the benchmarks at full size and write their table: `python benchmarks/table.py`.

The whole table goes into docs/speeds.md. The README shows the lines of it that stand there already, by work and peer.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- benchmarks: start -->", "<!-- benchmarks: end -->"
Row = dict[str, str | float]


def main() -> None:
    """Run, render, replace the parts of the pages between the markers."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        arguments = [
            "--full",
            "--table",
            str(target),
            "-q",
            "-p",
            "no:cacheprovider",
            *(sys.argv[1:] or [str(ROOT / "benchmarks")]),
        ]
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=folder, check=False)
        rows = json.loads(target.read_text(encoding="utf-8"))
    write(ROOT, rows)


def write(root: Path, rows: list[Row]) -> None:
    """Write all rows into docs/speeds.md, then those that the README shows into the README."""
    whole, short = root / "docs" / "speeds.md", root / "README.md"
    whole.write_text(replaced(whole.read_text(encoding="utf-8"), rendered(rows)), encoding="utf-8")
    text = short.read_text(encoding="utf-8")
    short.write_text(replaced(text, rendered(shown(text, rows))), encoding="utf-8")


def replaced(text: str, table: str) -> str:
    """Put a table between the markers of a page."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def shown(text: str, rows: list[Row]) -> list[Row]:
    """Choose the rows whose work and peer a page shows, in its order; refuse one that is measured no more."""
    table = text.split(START)[1].split(END)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    measured = {(row["work"], row["peer"]): row for row in rows}
    lost = [f"{line[0]} against {line[2]}" for line in cells if (line[0], line[2]) not in measured]
    if lost:
        msg = f"README.md: expected lines that were measured, got {'; '.join(lost)}; measure them, or take them out"
        raise SystemExit(msg)
    return [measured[line[0], line[2]] for line in cells]


def rendered(rows: list[Row]) -> str:
    """Write the rows as a Markdown table."""
    head = ["work", "ours", "against", "ratio", "at least", "aim"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += ["| {work} | {ours} | {peer} | {ratio:.2f} | {at_least} | {aim} |".format(**row) for row in rows]
    machine = (
        f"Python {platform.python_version()}, {platform.machine()}, two cores; a ratio above 1 is faster than the peer."
    )
    return "\n".join([machine, "", *lines])


if __name__ == "__main__":
    main()
