"""The reference names all there is: public names, variables, flags, rules, errors, commands, columns, variables of the environment."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from listings_of_docs import LISTINGS

import roofcube as rc
from roofcube import errors
from roofcube.cli import main

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


FLAGS, GRADES, QUALITY, VARIABLES = (
    getattr(LISTINGS.VOCABULARY, name) for name in ("FLAGS", "GRADES", "QUALITY", "VARIABLES")
)


def page(name: str) -> str:
    return LISTINGS.filled((REFERENCE / f"{name}.md").read_text(encoding="utf-8"))


def test_every_public_name_has_its_entry_once():
    entries = re.findall(r"^\.\. (?:autofunction|autoclass|py:data):: roofcube\.(\w+)$", page("python"), re.MULTILINE)
    rooms = {"datasets", "kernels", "plot"}
    assert sorted(entries) == sorted(set(rc.__all__) - rooms)
    assert all(f"`roofcube.{room}`" in page("python") for room in rooms)


@pytest.mark.parametrize("room", ["plot", "datasets"])
def test_every_name_of_a_room_has_its_entry(room):
    entries = re.findall(rf"^\.\. autofunction:: roofcube\.{room}\.(\w+)$", page(room), re.MULTILINE)
    assert entries == list(getattr(rc, room).__all__)


def test_every_method_of_a_dataset_is_named():
    text = page("python")
    assert all(f"`{name}`" in text for name in dir(rc.benchmark("mnist").roof) if not name.startswith("_"))


def test_every_variable_is_tabulated_with_its_meaning():
    text = page("variables")
    for name, variable in VARIABLES.items():
        assert f"| `{name}` | {variable.units or '(flag)'} |" in text
        assert variable.long_name in text


def test_every_label_of_a_cube_is_told():
    text = page("variables")
    cubes = [rc.benchmark("mnist"), rc.inputs("zoo", platforms="RTX3090", batch=1, layout="offered")]
    cubes.append(rc.as_offered(cubes[0]))
    assert {str(name) for cube in cubes for name in cube.coords if f"`{name}`" not in text} == set()


def test_every_flag_and_rule_is_tabulated():
    text = page("flags")
    for flag, codes in FLAGS.items():
        assert set(LISTINGS.MEANINGS[flag]) == set(codes)
        assert all(f"| {code} | `{name}` |" in text for name, code in codes.items())
    assert set(QUALITY) <= set(GRADES)
    assert all(f"| `{name}` | {grade} | {QUALITY.get(name, '')} |" in text for name, grade in GRADES.items())


def test_the_gate_is_explained_rule_by_rule():
    text = (ROOT / "docs" / "explain" / "gate.md").read_text(encoding="utf-8")
    assert {name for name in GRADES if f"`{name}`" not in text} == set()


def test_every_error_has_its_section():
    classes = [name for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    assert sorted(re.findall(r"^## `(\w+)`$", page("errors"), re.MULTILINE)) == sorted(classes)


def test_every_command_and_option_is_shown():
    text = page("commands")
    for name, command in main.commands.items():
        shown = text.partition(f"## `roofcube {name}`")[2].partition("\n## ")[0]
        options = [opt for one in command.params if isinstance(one, click.Option) for opt in one.opts]
        assert shown, name
        assert [one for one in options if one not in shown] == [], name


def test_examples_of_commands_keep_their_lines():
    assert "\\b" not in page("commands")


def test_every_precision_is_tabulated():
    assert all(f"| `{name}` |" in page("variables") for name in LISTINGS.VOCABULARY.FORMATS)


def test_every_variable_of_the_environment_is_told():
    text = page("environment")
    for room in ("cube", "kernels", "datasets"):
        for path in (ROOT / room).rglob("*.py"):
            for name in re.findall(r"ROOFCUBE_[A-Z_]+", path.read_text(encoding="utf-8")):
                assert f"`{name}`" in text, f"{path}: {name}"


@pytest.mark.parametrize("kind", ["Measurement", "ListedPlatform", "NetworkTotalsRow", "NetworkLayer"])
def test_columns_of_files_are_those_of_the_schema(kind):
    from roofcube.datasets import schema

    text = page("files")
    assert f"<!-- list: columns {kind} " in (REFERENCE / "files.md").read_text(encoding="utf-8")
    for one in getattr(schema, kind).__mro__:
        assert all(f"| `{name}` |" in text for name in getattr(one, "__annotations__", {}))


@pytest.mark.parametrize("column", ["input_elements", "output_elements"])
def test_counts_of_totals_that_no_model_reads_say_so(column):
    from roofcube.model.own_networks import TOTALS

    said = LISTINGS.filled("<!-- list: columns NetworkTotalsRow -->")
    assert column not in TOTALS
    assert re.search(rf"^\| `{column}` \|.*no model reads them", said, re.MULTILINE)


def test_the_gallery_has_every_figure_with_its_call():
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = re.findall(r"^figure = rc\.plot\.(\w+)\(.*\n```\n\n<!-- figure -->", text, re.MULTILINE)
    assert sorted([*shown, "save"]) == sorted(rc.plot.__all__)
    assert "rc.plot.save(" in text


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert project["version"] == cited == rc.__version__
