"""Run the benchmarks at full size and write their table: `python benchmarks/table.py`.

The whole table goes into docs/speeds.md. The README shows the lines of it that stand there already, by work and peer.
Of some of them, `python benchmarks/table.py benchmarks/test_fill.py`, the lines are exchanged and the others stay.
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
CELLS = ("work", "ours", "peer", "ratio", "at_least", "aim")
Row = dict[str, str | float]


def main() -> None:
    """Run, render, replace the parts of the pages between the markers."""
    chosen = [str(Path(one).resolve()) if Path(one).exists() else one for one in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        arguments = [
            "--full",
            "--table",
            str(target),
            "-q",
            "-p",
            "no:cacheprovider",
            *(chosen or [str(ROOT / "benchmarks")]),
        ]
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=folder, check=False)
        rows = json.loads(target.read_text(encoding="utf-8"))
    write(ROOT, rows, keep=bool(chosen))


def write(root: Path, rows: list[Row], *, keep: bool = False) -> None:
    """Write all rows into docs/speeds.md, then those that the README shows into the README.

    With `keep` the lines that stand in docs/speeds.md and were not measured again stay, where they are.
    """
    whole, short = root / "docs" / "speeds.md", root / "README.md"
    text = whole.read_text(encoding="utf-8")
    if keep:
        rows = exchanged(read(text), rows)
    whole.write_text(replaced(text, rendered(rows)), encoding="utf-8")
    text = short.read_text(encoding="utf-8")
    short.write_text(replaced(text, rendered(shown(text, rows))), encoding="utf-8")


def replaced(text: str, table: str) -> str:
    """Put a table between the markers of a page."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def read(text: str) -> list[Row]:
    """Read the rows of a page's table."""
    table = text.split(START)[1].split(END)[0]
    lines = [line[2:-2].split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    return [{**dict(zip(CELLS, line, strict=True)), "ratio": float(line[3])} for line in lines]


def exchanged(standing: list[Row], rows: list[Row]) -> list[Row]:
    """Put the rows of a run in the places of those of the same work and peer, the new ones behind them."""
    measured = {(row["work"], row["peer"]): row for row in rows}
    kept = [measured.pop((row["work"], row["peer"]), row) for row in standing]
    return [*kept, *measured.values()]


def shown(text: str, rows: list[Row]) -> list[Row]:
    """Choose the rows whose work and peer a page shows, in its order; refuse one that is measured no more."""
    wanted = [(row["work"], row["peer"]) for row in read(text)]
    measured = {(row["work"], row["peer"]): row for row in rows}
    lost = [f"{work} against {peer}" for work, peer in wanted if (work, peer) not in measured]
    if lost:
        msg = f"README.md: expected lines that were measured, got {'; '.join(lost)}; measure them, or take them out"
        raise SystemExit(msg)
    return [measured[one] for one in wanted]


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
