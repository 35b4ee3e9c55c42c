"""The command line, a thin room: each command is one call of a public function; no logic of its own."""

from roofcube.cli import answers, lists  # noqa: F401  they add their commands
from roofcube.cli.commands import main

__all__ = ["main"]
