"""Run the benchmarks at full size and write their table into the README: `python benchmarks/table.py`."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- benchmarks: start -->", "<!-- benchmarks: end -->"


def main() -> None:
    """Run, render, replace the part of the README between the markers."""
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
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{START}\n{rendered(rows)}\n{END}{after}", encoding="utf-8")


def rendered(rows: list[dict[str, str | float]]) -> str:
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
