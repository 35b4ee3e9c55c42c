"""Contexts: what a question is asked of, a model or a stored cube, with the one reader of `where`."""
