from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.files.toml import parsed_toml


def test_a_key_of_thousands_of_parts_is_refused_at_once(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text(".".join("a" * 50_000) + " = 1\n", "utf-8")
    with pytest.raises(InvalidDataError, match=r"deep\.toml: not readable as TOML \(a key of more than 100 parts\)"):
        rc.read_platforms(path)


def test_long_words_and_keys_that_people_write_are_read():
    assert parsed_toml("a.b.c = 1\n" * 1)["a"]["b"]["c"] == 1
    assert len(parsed_toml(f'a = "{"M" * 1_000_000}"')["a"]) == 1_000_000
    assert parsed_toml(f'a = "{"word. " * 90}"')["a"].count("word") == 90


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("".join(f"{'a.' * 90}b{k} = 1\n" for k in range(2000)), "too many keys of many parts"),
        ("".join(f"[{'a.' * 90}b{k}]\n" for k in range(2000)), "too many keys of many parts"),
        (f"a = [{{ b = [1, 0x1{'0' * 256}] }}]", "a whole number beyond the range of a float"),
        (f"a = 0x{'f' * 20_000}", "a whole number beyond the range of a float"),
        ("#\n" * 3_000_000, "6,000,000 letters, more than 2,097,152; write several files, or a table"),
    ],
)
def test_what_would_take_long_is_refused_at_once(text, message):
    with pytest.raises(ValueError, match=message):
        parsed_toml(text)
