"""Answers by interval bounds over boxes of a space: what cannot matter is never visited."""
