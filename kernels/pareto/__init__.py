"""Exact Pareto fronts of points on arrays: masks, groups, ties, and the archive that box searches ask."""
