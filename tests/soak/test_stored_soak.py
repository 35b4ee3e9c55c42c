"""Ten thousand random stored cubes, each asked one question of every kind, against brute force."""

from __future__ import annotations

import os
from collections import Counter

import pytest
import stored_oracle as oracle

CUBES = int(os.environ.get("ROOFCUBE_SOAK_STORED") or (10_000 if os.environ.get("ROOFCUBE_SOAK") else 10))
BLOCKS = 10 if CUBES >= 1000 else 1  # what the processes of `nox -s soak` share among them


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_question_equals_brute_force(block):
    seen = Counter[str]()
    for seed in range(CUBES * block // BLOCKS, CUBES * (block + 1) // BLOCKS):
        for question in oracle.QUESTIONS:
            seen.update(oracle.check(seed, question, most=200))
    # few fronts are of predictions that are unsure
    least = {kind: CUBES // BLOCKS // (500 if kind == "chances" else 100) for kind in oracle.KINDS}
    rare = {kind: seen[kind] for kind in oracle.KINDS if seen[kind] < least[kind]}
    assert not rare
