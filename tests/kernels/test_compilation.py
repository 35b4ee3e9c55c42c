"""Compiled code lands in the user's cache folder, is never stale, and its absence only costs time."""

import _thread
import hashlib
import hmac
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from typing import NamedTuple

import pytest

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the place of the key is fixed")

SOURCE = """
import sys, warnings
from roofcube.kernels.compilation import jit

{constant}

@jit
def scaled(value):
    return value * FACTOR

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(scaled(2.0), scaled(3))
print("hits", sum(scaled.stats.cache_hits.values()))
print("told", sum("every process compiles anew" in str(w.message) for w in caught))
"""


class Planted(NamedTuple):
    """What runs code when it is read."""

    code: str

    def __reduce__(self):
        return exec, (self.code,)


def write(folder, factor):
    path = folder / "scaling.py"
    path.write_text(textwrap.dedent(SOURCE.format(constant=f"FACTOR = {factor}")))
    return path


def run(script, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in {"ROOFCUBE_CACHE_DIR", "XDG_CACHE_HOME"}}
    done = subprocess.run(
        [sys.executable, str(script)], env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_second_process_reuses_the_first_ones_code(tmp_path, folder):
    script = write(tmp_path, 10)
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["20.0 30", "hits 0"]
    entries = sorted(folder.rglob("*.bin"))
    assert len(entries) == 2
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:3] == ["20.0 30", "hits 2", "told 0"]
    assert sorted(folder.rglob("*")) == [folder / "numba", *entries]
    assert not list(tmp_path.rglob("*.nbi"))


def test_edited_source_is_compiled_anew(tmp_path, folder):
    run(write(tmp_path, 10), ROOFCUBE_CACHE_DIR=str(folder))
    assert run(write(tmp_path, 11), ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["22.0 33", "hits 0"]


def test_damaged_entry_is_compiled_anew(tmp_path, folder):
    script = write(tmp_path, 10)
    run(script, ROOFCUBE_CACHE_DIR=str(folder))
    for entry in folder.rglob("*.bin"):
        entry.write_bytes(entry.read_bytes()[:-7])
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["20.0 30", "hits 0"]
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[1] == "hits 2"


def test_an_entry_that_somebody_planted_is_not_run(tmp_path, folder):
    script = write(tmp_path, 10)
    run(script, ROOFCUBE_CACHE_DIR=str(folder))
    entries = sorted(folder.rglob("*.bin"))
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    planted = pickle.dumps(Planted(code))
    assert pickle.loads(planted) is None
    (tmp_path / "ran").unlink()
    for seal in (hashlib.sha256, lambda data: hmac.new(b"", data, "sha256")):
        for entry in entries:
            entry.write_bytes(seal(planted).digest() + planted)
        assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["20.0 30", "hits 0"]
        assert not (tmp_path / "ran").exists()


def test_an_entry_in_the_place_of_another_is_not_run(tmp_path, folder):
    script = write(tmp_path, 10)
    run(script, ROOFCUBE_CACHE_DIR=str(folder))
    one, other = sorted(folder.rglob("*.bin"))
    sound = one.read_bytes(), other.read_bytes()
    one.write_bytes(sound[1])
    other.write_bytes(sound[0])
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["20.0 30", "hits 0"]


@LINUX
def test_users_who_share_a_folder_keep_entries_of_their_own(tmp_path, folder):
    script = write(tmp_path, 10)
    states = [{"XDG_STATE_HOME": str(tmp_path / name), "ROOFCUBE_CACHE_DIR": str(folder)} for name in ("ann", "bob")]
    assert [run(script, **state)[1] for state in (*states, *states)] == ["hits 0", "hits 0", "hits 2", "hits 2"]
    assert len(list(folder.rglob("*.bin"))) == 4
    keys = {(tmp_path / name / "roofcube" / "key").read_bytes() for name in ("ann", "bob")}
    assert len(keys) == 2


@LINUX
def test_without_a_place_for_the_key_nothing_is_kept_and_it_is_told_once(tmp_path, folder):
    (tmp_path / "file").write_text("")
    script, state = write(tmp_path, 10), {"ROOFCUBE_CACHE_DIR": str(folder), "XDG_STATE_HOME": str(tmp_path / "file")}
    for _ in range(2):
        assert run(script, **state)[:3] == ["20.0 30", "hits 0", "told 1"]
    assert not list(folder.rglob("*.bin"))


def test_two_processes_at_once(tmp_path, folder):
    script = write(tmp_path, 10)
    environment = os.environ | {"ROOFCUBE_CACHE_DIR": str(folder)}
    both = [
        subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].split("\n")[0] for process in both] == ["20.0 30"] * 2
    assert run(script, ROOFCUBE_CACHE_DIR=str(folder))[:2] == ["20.0 30", "hits 2"]


def test_folder_that_cannot_be_made_costs_one_warning(tmp_path):
    # A plain file where the folder should be fails for every user; root ignores permissions.
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(write(tmp_path, 10), ROOFCUBE_CACHE_DIR=str(blocked))[:3] == ["20.0 30", "hits 0", "told 1"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no new folders")
def test_missing_home_costs_one_warning(tmp_path):
    assert run(write(tmp_path, 10), HOME="/proc/nobody")[:3] == ["20.0 30", "hits 0", "told 1"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder_costs_one_warning(tmp_path, folder):
    folder.chmod(0o500)
    assert run(write(tmp_path, 10), ROOFCUBE_CACHE_DIR=str(folder))[:3] == ["20.0 30", "hits 0", "told 1"]


def test_an_edited_kernel_of_any_room_makes_all_code_stale(tmp_path):
    """A caller's machine code holds its callees' code, wherever they are."""
    from roofcube.kernels import compilation

    for folder in ("rows", "columns"):
        (tmp_path / "kernels" / folder).mkdir(parents=True)
        (tmp_path / "kernels" / folder / "scalar.py").write_text("")
    sources = [tmp_path / "kernels" / "rows" / "scalar.py", tmp_path / "kernels" / "columns" / "scalar.py"]
    keys = [compilation._surroundings(tmp_path / "kernels")]
    for source in sources:
        source.write_text("edited = True\n")
        keys.append(compilation._surroundings(tmp_path / "kernels"))
    assert len(set(keys)) == 3


def test_generated_functions_are_told_apart_by_their_source(folder, monkeypatch):
    from roofcube.kernels.compilation import jit

    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(folder))
    results = []
    for factor in (2, 3):
        text = f"def generated(value):\n    return value * {factor}\n"
        space = {"__name__": "generated"}
        exec(text, space)
        results.append(jit(source=text)(space["generated"])(5))
    assert results == [10, 15]
    assert len(list(folder.rglob("generated-*.bin"))) == 2


def test_closures_are_told_apart_by_their_content(folder, monkeypatch):
    from roofcube.kernels.compilation import jit

    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(folder))

    def plus(number):
        def add(value):
            return value + number

        return jit(add)

    def twice(inner):
        def apply(value):
            return inner(inner(value))

        return jit(apply)

    assert [twice(plus(number))(1) for number in (1, 10)] == [3, 21]
    assert len(list(folder.rglob("apply-*.bin"))) == 2


def test_it_is_told_how_far_a_function_is_compiled_as_the_folder_grows_and_goes(folder, monkeypatch):
    from roofcube.kernels.compilation import jit, readiness

    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(folder))
    text = "def generated(value):\n    return value * {}\n"

    def made(factor):
        space = {"__name__": "generated"}
        exec(text.format(factor), space)
        return jit(source=text.format(factor))(space["generated"])

    compiled, other = made(2), made(3)
    assert [readiness(one) for one in (compiled, other)] == ["absent", "absent"]
    compiled(5)
    assert [readiness(one) for one in (compiled, made(2), other)] == ["loaded", "cached", "absent"]
    other(5)
    assert [readiness(made(factor)) for factor in (2, 3, 4)] == ["cached", "cached", "absent"]
    shutil.rmtree(folder / "numba")
    assert [readiness(made(factor)) for factor in (2, 3)] == ["absent", "absent"]


TWINS = """
import sys
import numpy as np
from roofcube.kernels.compilation import jit

def make(number):
    @jit
    def inner(values, limit, out):
        for index in range(limit):
            total = 0.0
            for k in range(number):
                total += values[k, index] * values[k, index]
            out[index] = total if total < 9.0 else out[index] + 1.0

    @jit
    def outer(values, out):
        for start in range(0, 4, 2):
            inner(values, 4 - start, out)
        return out.sum()

    return outer

for number in map(int, sys.argv[1:]):
    print(make(number)(np.ones((8, 4)), np.zeros(4)))
"""


def test_code_from_the_folder_is_not_mixed_with_fresh_code(tmp_path, folder):
    # numba numbers its symbols by process: the first closure here and the first of another process share a name.
    script = tmp_path / "twins.py"
    script.write_text(TWINS)
    environment = os.environ | {"ROOFCUBE_CACHE_DIR": str(folder)}

    def totals(*numbers):
        command = [sys.executable, str(script), *map(str, numbers)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    assert totals(5) == ["20.0"]
    assert totals(6, 5) == ["24.0", "20.0"]
    assert totals(5, 7, 6) == ["20.0", "28.0", "24.0"]


def test_an_interruption_while_llvm_calls_back_is_an_interruption(monkeypatch):
    from numba.core.dispatcher import Dispatcher

    from roofcube.kernels.compilation import jit

    real, interruptions = Dispatcher.compile, iter([True])

    def swallows(dispatcher, signature):
        try:
            if next(interruptions, False):
                _thread.interrupt_main()
                for _ in range(1000):  # steps at which the signal could be seen
                    pass
        except BaseException:
            pass
        return real(dispatcher, signature)

    def thrice(value):
        return value * 3

    monkeypatch.setattr(Dispatcher, "compile", swallows)
    kernel = jit(thrice)
    with pytest.raises(KeyboardInterrupt):
        kernel(2.0)
    assert kernel(2.0) == 6.0
