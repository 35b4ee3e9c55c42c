"""`python -m roofcube.cli`: the same as the command `roofcube`."""

from roofcube.cli import main

main(prog_name="roofcube")
