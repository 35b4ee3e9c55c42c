"""The visual language of the figures: tables of cells, elements, axes, colours and words, files."""
