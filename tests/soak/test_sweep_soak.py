"""Ten thousand random spaces for each engine against brute force; a short sample runs in the ordinary tests.

Generated kernels take a second each to compile, and sizes, graph and dtype are written into their source. So the spaces
of generated kernels share 200 structures: about 700 kernels for 10 000 spaces whose values all differ. Those of `auto`,
which generates some where bounds do not answer, share 500. Other engines get a structure of its own for every space. On
Dask, one space in five is visited by generated kernels, of 40 of those structures, the others by NumPy tiles.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
import sweep_oracle as oracle

SPACES = int(os.environ.get("ROOFCUBE_SOAK_SPACES", "10000" if os.environ.get("ROOFCUBE_SOAK") else "10"))
BLOCKS = 10 if SPACES >= 1000 else 1  # what the processes of `nox -s soak` share among them
STRUCTURES, STRUCTURES_OF_AUTO, STRUCTURES_ON_DASK = 200, 500, 40
ENGINES = {"auto": ("bounds", "tiles"), "bounds": ("bounds",), "numpy": ("tiles",)}  # what must answer

blocks = pytest.mark.parametrize("block", range(BLOCKS))


def seeds_of(block: int, spaces: int = SPACES) -> range:
    return range(spaces * block // BLOCKS, spaces * (block + 1) // BLOCKS)


def structure_of(seed: int, block: int, structures: int) -> int:
    """Blocks start at different structures, so that each compiles what the others then find in the cache."""
    return (seed + block * structures // BLOCKS) % structures


def most_points(number: int) -> int:
    return 10_000 if number % 10 == 0 else 1000


def assert_nothing_was_missed(seen: Counter, spaces: int, *engines: str) -> None:
    # few fronts are of predictions that are unsure, where each space is asked one question or two
    least = {kind: spaces // (500 if kind.startswith("chances") else 200) for kind in oracle.KINDS}
    rare = {kind: seen[kind] for kind in oracle.KINDS if seen[kind] < least[kind]}
    assert not rare
    # which engine answers is the engine's choice where there are several
    answers = spaces // 2 if len(engines) == 1 else max(1, spaces // 10)
    assert all(seen[engine] >= answers for engine in engines), seen


@pytest.mark.soak
@blocks
@pytest.mark.parametrize("strategy", ENGINES)
def test_every_reduction_equals_brute_force(strategy, block):
    seeds, seen = seeds_of(block), Counter()
    for seed in seeds:
        structure = structure_of(seed, block, STRUCTURES_OF_AUTO) if strategy == "auto" else seed
        seen += oracle.check(seed, strategy, structure=structure, most=most_points(structure))
    assert_nothing_was_missed(seen, len(seeds), *ENGINES[strategy])


@pytest.mark.soak
@blocks
def test_generated_kernels_equal_brute_force(block):
    seeds, seen = seeds_of(block, SPACES if SPACES >= 1000 else 2), Counter()
    for seed in seeds:
        structure = structure_of(seed, block, STRUCTURES)
        seen += oracle.check(seed, "stream", structure=structure, questions=2, most=most_points(structure))
    assert_nothing_was_missed(seen, len(seeds), "kernels")


@pytest.mark.soak
@blocks
def test_a_cluster_equals_brute_force(block):
    distributed = pytest.importorskip("distributed")
    seeds, seen = seeds_of(block, SPACES if SPACES >= 1000 else 6), Counter()
    own = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.Client(**own) as client:
        for seed in seeds:
            kernels = seed % 5 == 0
            structure = seed // 5 % STRUCTURES_ON_DASK if kernels else seed
            seen += oracle.check(
                seed,
                "stream" if kernels else "numpy",
                structure=structure,
                questions=1,
                client=client,
                most=most_points(structure),
            )
    assert_nothing_was_missed(seen, len(seeds), "cluster")
