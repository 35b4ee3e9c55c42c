from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.options import memory_limit, progress_bar, thread_count


def test_options_return_to_what_they_were():
    before = memory_limit() // 10**9
    with rc.set_options(memory="1.5 GiB", threads=1):
        assert memory_limit() == int(1.5 * 2**30)
        assert thread_count() == 1
        with rc.set_options(threads=2):
            assert thread_count() == 2
        assert thread_count() == 1
    assert memory_limit() // 10**9 in range(before - 3, before + 4)


def test_options_outlive_a_plain_call():
    try:
        rc.set_options(threads=1)
        assert thread_count() == 1
    finally:
        rc.set_options(threads=1)._before.clear()
        from roofcube import options

        options._options["threads"] = None


def test_progress_is_quiet_when_piped(capsys):
    with progress_bar(3, "working") as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("memory", ["much", "2 parsecs", 0, -1, float("inf")])
def test_memory_must_make_sense(memory):
    with pytest.raises(InvalidDataError, match="positive number of bytes"):
        rc.set_options(memory=memory)


@pytest.mark.parametrize("threads", [0, 1.5, True])
def test_threads_must_make_sense(threads):
    with pytest.raises(InvalidDataError, match="at least 1"):
        rc.set_options(threads=threads)
