"""Files are written whole or not at all, what is foreign stays, and the caches are the user's alone."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from roofcube import disk
from roofcube.errors import InvalidDataError, MissingFileError, UnreadableFileError, UnwritableFileError

POSIX = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX systems")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, text="new", **options):
    with disk.replacing(path, **options) as temporary:
        temporary.write_text(text)


def write_by(path, block):
    with disk.replacing(path) as temporary:
        block(temporary)


def make(folder, text):
    folder.mkdir()
    (folder / "part").write_text(text)


def killed_while_writing(target):
    """Let a process die in the middle of a write, without a word."""
    code = (
        "import os, sys; from roofcube.disk import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(target)], check=False).returncode == 9


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")

    def half(temporary):
        temporary.write_text("half")
        raise error

    with pytest.raises((error, UnwritableFileError)):
        write_by(target, half)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


@POSIX
def test_permissions_are_kept(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o640)
    write(target)
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("new", 0o640)


@POSIX
def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write(link)
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert names(tmp_path / "elsewhere") == ["file"]


@POSIX
def test_a_link_to_nothing_is_followed(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    write(link)
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127])
def test_the_longest_names_can_be_written(tmp_path, name):
    write(tmp_path / name)
    assert names(tmp_path) == [name]


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(UnwritableFileError, match=r"x`: expected a file that can be written, got .*; choose a shorter"):
        write(tmp_path / ("x" * 256))
    assert names(tmp_path) == []


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(UnwritableFileError, match=r"file`: expected .* got No such file.*; make its folder first"):
        write(tmp_path / "none" / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(UnwritableFileError, match=r"file`: .* got No space left on device; free some space") as caught:
        write_by(target, lambda _: Path("/dev/full").write_text("more"))
    assert (caught.value.errno, caught.value.strerror) == (errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert target.read_text() == "old"


def test_a_file_never_takes_the_place_of_a_folder(tmp_path):
    make(tmp_path / "name", "theirs")
    with pytest.raises(InvalidDataError, match=r"`path`: expected the name of a file, got the folder .*name'; choose"):
        write(tmp_path / "name")
    with pytest.raises(UnwritableFileError, match="name`: expected a file that can be written"):
        write(tmp_path / "name", folder=True)
    assert (tmp_path / "name" / "part").read_text() == "theirs"
    assert names(tmp_path) == ["name"]


@pytest.mark.parametrize("swaps", [True, False])
def test_a_folder_of_ours_is_replaced_whole(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(disk, "_exchanged", lambda *_: False)
    make(tmp_path / "store", "old")
    (tmp_path / "store" / "more").write_text("old")
    with disk.replacing(tmp_path / "store", folder=True) as temporary:
        make(temporary, "new")
    assert names(tmp_path) == ["store"]
    assert names(tmp_path / "store") == ["part"]
    assert (tmp_path / "store" / "part").read_text() == "new"


def test_a_folder_that_appeared_meanwhile_is_left_alone(tmp_path):
    def both(temporary):
        make(temporary, "ours")
        make(tmp_path / "store", "theirs")

    with pytest.raises(UnwritableFileError, match="store`"):
        write_by(tmp_path / "store", both)
    assert (tmp_path / "store" / "part").read_text() == "theirs"


@POSIX
def test_what_a_dead_process_left_is_removed_by_the_next_write(tmp_path):
    killed_while_writing(tmp_path / "file")
    assert len([name for name in names(tmp_path) if name.endswith(".partial")]) == 1
    write(tmp_path / "other")
    assert names(tmp_path) == ["other"]


def test_what_others_are_writing_is_left_alone(tmp_path):
    with disk.replacing(tmp_path / "slow") as temporary:
        temporary.write_text("half")
        elsewhere = tmp_path / ".file.00000000-4194305-00000000.partial"  # of another machine
        elsewhere.write_text("half")
        foreign = tmp_path / ".notes.partial"
        foreign.write_text("theirs")
        write(tmp_path / "file")
        assert names(tmp_path) == sorted([temporary.name, elsewhere.name, foreign.name, ".slow.roofcube-lock", "file"])


def test_what_nobody_wrote_to_for_long_is_removed(tmp_path):
    stray = tmp_path / ".file.00000000-4194305-00000000.partial"
    stray.write_text("half")
    os.utime(stray, (0, 0))
    write(tmp_path / "file")
    assert names(tmp_path) == ["file"]


@POSIX
def test_folders_of_the_cache_are_for_the_user_only(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(tmp_path / "mine"))
    folder = disk.make_private(disk.cache_folder("calibration"))
    assert folder == tmp_path / "mine" / "calibration"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("system", "variable", "inside"),
    [
        ("linux", "XDG_CACHE_HOME", "roofcube"),
        ("win32", "LOCALAPPDATA", "roofcube"),
        ("darwin", "HOME", "Library/Caches/roofcube"),
    ],
)
def test_the_cache_follows_the_platforms_rule(system, variable, inside, monkeypatch, tmp_path):
    monkeypatch.delenv("ROOFCUBE_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    if variable == "HOME":
        monkeypatch.setenv("USERPROFILE", str(tmp_path))  # where Windows looks for it
    folder = disk._folder_of_the_user("Caches", "XDG_CACHE_HOME", ".cache", system=system)
    assert folder == tmp_path / inside
    assert system != sys.platform or disk.cache_folder("numba") == folder / "numba"


def test_the_key_of_a_user_is_made_once_and_no_one_else_can_read_it(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    key, path = disk.user_key(), disk.state_folder() / "key"
    assert len(key) == 32
    assert disk.user_key() == key == path.read_bytes()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    path.write_bytes(key[:7])  # as after a crash of another tool
    other = disk.user_key()
    assert len(other) == 32
    if os.name == "posix":
        path.chmod(0o644)  # whoever read it could sign what he plants
        assert disk.user_key() != other
        assert path.stat().st_mode & 0o777 == 0o600


@POSIX
def test_what_is_no_file_is_named_with_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name, told in {
        "none": "none: there is no such file; check",
        "pipe": "pipe: there is no such file, it is a pipe or a device",
        "circle": r"there is no such file \(Too many levels of symbolic links\)",
        "x" * 300: r"there is no such file \(File name too long\)",
    }.items():
        with pytest.raises(MissingFileError, match=told):
            disk.contents_of(tmp_path / name)
    with pytest.raises(MissingFileError, match="there is no such file, it is a folder; check the name"):
        disk.existing(tmp_path)
    assert disk.existing(tmp_path, folder=True) == tmp_path


@pytest.mark.parametrize("name", [None, 5, b"x", "a\0b", Path("a\0b")])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InvalidDataError, match="`path`: expected the name of a file, got "):
        disk.path_of(name)


@pytest.mark.parametrize("method", ["stat", "read_bytes"])
def test_a_file_that_the_system_refuses_to_read_is_named(tmp_path, monkeypatch, method):
    (tmp_path / "file").write_text("x")

    def refuse(_self, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(UnreadableFileError, match="file: expected a file that can be read, got Permission denied"):
        disk.contents_of(tmp_path / "file")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_by_its_byte_order_mark(tmp_path, encoding):
    (tmp_path / "file").write_text("größer", encoding=encoding)
    assert disk.text_of(tmp_path / "file") == "größer"


@POSIX
def test_a_pipe_or_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(InvalidDataError, match="`path`: expected the name of a file, got the pipe or device"):
            write(tmp_path / name)
    assert names(tmp_path) == ["link", "pipe"]
