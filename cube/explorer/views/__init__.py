"""The parts of the page of the explorer: figures that are patched, and plain elements."""
