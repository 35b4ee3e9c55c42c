"""Answers: each question put to a context, and the labels put back on what the engine found."""
