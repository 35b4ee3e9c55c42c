"""Numbers in, numbers out: compiled kernels and their NumPy twins; this room knows no labels, units or files."""

if __name__ != "roofcube.kernels":
    msg = (
        f"imported as {__name__!r}: the folder of roofcube's sources shadows another package; run from elsewhere "
        "or use `pytest`"
    )
    raise ImportError(msg)
