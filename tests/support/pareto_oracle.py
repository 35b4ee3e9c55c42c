"""Points to draw, and their front by the definition."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 1.5, -1.0, -7.25, 1e-30, 1e30, np.inf, -np.inf, np.nan])
DTYPES = st.sampled_from(["f4", "f8"])


@st.composite
def point_arrays(draw, most=40, least_objectives=1):
    shape = (draw(st.integers(0, most)), draw(st.integers(least_objectives, 6)))
    return draw(hnp.arrays(draw(DTYPES), shape, elements=VALUES.map(np.float32).map(float)))


def brute_force(points, ties="all"):
    """Compare every pair, in the words of the definition."""
    mask = []
    for index, point in enumerate(points):
        within = (points <= point).all(axis=1)
        better = (points < point).any(axis=1)
        equal = (points == point).all(axis=1)
        repeated = ties == "first" and equal[:index].any()
        mask.append(not np.isnan(point).any() and not (within & better).any() and not repeated)
    return np.array(mask, bool)
