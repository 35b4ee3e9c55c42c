"""What is written past the caches is what ordinary assignment writes, byte by byte, and nothing beside it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from roofcube.kernels.codegen import fill_sources, writer
from roofcube.kernels.engine import fill as module
from roofcube.kernels.engine.fill import Fill
from roofcube.kernels.graph.expression import constant, evaluate, leaf, maximum, ordered_sum, where
from roofcube.kernels.graph.space import Space

KINDS = {"single": "f4", "double": "f8", "flag": "i1", "code": "i2", "truth": "?", "large": "i8"}
GUARD = 0x5A


def small_fill(sizes):
    rng = np.random.default_rng(sum(sizes))
    tables = {"x": rng.integers(0, 100, (sizes[0], 1)) / 8, "y": rng.integers(1, 9, sizes)}
    x, y = leaf("x"), leaf("y")
    outputs = {"single": x / y, "double": x * y, "flag": x < y, "code": where(x < y, x - x, y), "truth": y <= 4}
    outputs["large"] = y * 1000
    return Fill(Space(("a", "b"), sizes, tables, (), "f8"), outputs)


def guarded(kind, points, offset):
    """An array whose first item is so many items after the start of a line, and all bytes around and in it."""
    size = np.dtype(kind).itemsize
    room = np.full(points * size + 1024, GUARD, dtype=np.uint8)
    start = -room.ctypes.data % 64 + offset * size
    return room[start : start + points * size].view(kind), room


def filled(filler, sizes, offset):
    arrays = {name: guarded(kind, sizes[0] * sizes[1], offset) for name, kind in KINDS.items()}
    filler.run({name: array.reshape(sizes) for name, (array, _) in arrays.items()}, threads=2)
    for array, room in arrays.values():
        assert (room == GUARD).sum() >= room.size - array.nbytes
        start = array.ctypes.data - room.ctypes.data
        assert (room[:start] == GUARD).all()
        assert (room[start + array.nbytes :] == GUARD).all()
    return {name: array.copy() for name, (array, _) in arrays.items()}


# one row; rows of seven, two of them cut, in many jobs; rows longer than a line, in one job
@pytest.mark.parametrize(
    ("sizes", "row", "job"), [((1, 3), (8, 16), 50), ((301, 7), (8, 9), 50), ((40, 130), (99, 200), 9999)]
)
def test_streamed_fills_equal_plain_ones_at_all_alignments(sizes, row, job, monkeypatch):
    monkeypatch.setattr(fill_sources, "FILL_ROW", row)
    monkeypatch.setattr(fill_sources, "BUFFERED_POINTS", 128)
    monkeypatch.setattr(module, "JOB_POINTS", job)
    filler = small_fill(sizes)
    expected = filled(filler, sizes, 0)
    assert filler._kernel([np.empty(1)]) is writer.compiled(fill_sources.fill_source(filler.tables))
    monkeypatch.setattr(module, "STREAMED_BYTES", 0)
    streamed = writer.compiled(fill_sources.streamed_fill_source(filler.tables))
    for offset in range(64):
        found = filled(filler, sizes, offset)
        for name, array in expected.items():
            assert found[name].tobytes() == array.tobytes(), (name, offset)
    if module_on_x86():
        assert streamed.signatures
        assert filler._kernel([np.empty(1)], reused=False) is not streamed


def module_on_x86():
    from roofcube.kernels.codegen import nontemporal

    return nontemporal.IS_X86


def test_arrays_whose_items_cross_lines_are_filled_in_the_ordinary_way(monkeypatch):
    monkeypatch.setattr(module, "STREAMED_BYTES", 0)
    filler = small_fill((6, 50))
    room = np.zeros(8 * 300 + 1, dtype=np.uint8)
    odd = room[1 : 1 + 8 * 300].view("f8")
    whole = {name: np.zeros(300, kind) for name, kind in KINDS.items()}
    filler.run(whole)
    filler.run(whole | {"double": odd})
    assert filler._kernel([odd]) is writer.compiled(fill_sources.fill_source(filler.tables))
    np.testing.assert_array_equal(odd, whole["double"])


@pytest.mark.parametrize("x86", [True, False])
def test_other_processors_store_as_usual(x86, monkeypatch):
    from roofcube.kernels.codegen import nontemporal
    from roofcube.kernels.compilation import jit

    if x86 and not nontemporal.IS_X86:
        pytest.skip("the processor has no such stores")
    monkeypatch.setattr(nontemporal, "IS_X86", x86)
    copy_lines, fence = nontemporal.copy_lines, nontemporal.fence

    def copy(target, source, start, lines):
        copy_lines(target, start, source, 1, lines)
        fence()

    kernel = jit(copy)
    target, room = guarded("f4", 64, 0)
    source = np.arange(64, dtype="f4")
    kernel(target, source, 16, 2)
    np.testing.assert_array_equal(target[16:48], source[1:33])
    assert (room == GUARD).sum() >= room.size - 2 * nontemporal.LINE_BYTES
    text = kernel.inspect_llvm(kernel.signatures[0])
    assert ("!nontemporal" in text) is x86
    assert ("sfence" in text) is x86


PROCESS = """
import hashlib
import numpy as np
from roofcube.kernels.codegen import writer, fill_sources
from roofcube.kernels.engine import fill as module
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
module.STREAMED_BYTES = 0
tables = {"x": np.arange(300.0)[:, None], "y": np.arange(1.0, 301)[None, :]}
filler = module.Fill(Space(("a", "b"), (300, 300), tables, (), "f8"), {"ratio": leaf("x") / leaf("y")})
out = np.zeros((300, 300))
filler.run({"ratio": out})
np.testing.assert_array_equal(out, tables["x"] / tables["y"])
kernel = writer.compiled(fill_sources.streamed_fill_source(filler.tables))
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def test_second_process_reuses_the_first_ones_code(tmp_path):
    def run():
        environment = os.environ | {"ROOFCUBE_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", PROCESS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    if not module_on_x86():
        pytest.skip("the processor has no such stores")
    assert run() == ["0", "1"]
    assert run() == ["1", "0"]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_over_layers_are_streamed(dtype, monkeypatch):
    monkeypatch.setattr(module, "STREAMED_BYTES", 0)
    monkeypatch.setattr(module, "JOB_POINTS", 500)
    rng = np.random.default_rng(0)
    tables = {"p": rng.random((9, 1, 5)), "q": np.where(rng.random((9, 200, 5)) < 0.1, np.nan, 2.0)}
    outputs = {
        "time": ordered_sum(maximum(leaf("p"), leaf("q") * leaf("p")), "layer"),
        "p": ordered_sum(leaf("p"), "layer"),
    }
    expected = evaluate(outputs, tables, axes=("a", "b", "layer"), dtype=dtype)
    filler = Fill(Space(("a", "b"), (9, 200), tables, ("layer",), dtype), outputs)
    out = {name: np.zeros((9, 200), dtype=dtype) for name in outputs}
    filler.run(out)
    for name, array in out.items():
        np.testing.assert_array_equal(array, np.broadcast_to(expected[name][..., 0], (9, 200)))


def test_constants_and_single_points_are_streamed(monkeypatch):
    monkeypatch.setattr(module, "STREAMED_BYTES", 0)
    filler = Fill(Space(("a",), (1,), {"x": np.ones(1)}, (), "f4"), {"one": constant(1.0) + leaf("x")})
    out = np.zeros(1, dtype="f4")
    filler.run({"one": out})
    assert out.tolist() == [2.0]
