"""Largest or smallest value along an axis and where it comes first."""
