"""`python -m roofcube`: the same as the command `roofcube`."""

from roofcube.cli import main

if __name__ == "__main__":
    main(prog_name="roofcube")
