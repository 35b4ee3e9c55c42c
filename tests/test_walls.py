"""The walls of the house: which room may import what, and that every package folder is shipped."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STDLIB_ONLY = (
    "cube/errors.py",
    "cube/nearest.py",
    "cube/disk.py",
    "cube/locks.py",
    "cube/interrupts.py",
)  # so that kernels and datasets may use them
# room → top-level packages and roofcube rooms that its modules must not import
FORBIDDEN = {
    "kernels": {
        "xarray",
        "polars",
        "pandas",
        "netCDF4",
        "zarr",
        "bokeh",
        "holoviews",
        "hvplot",
        "panel",
        "pydantic",
        "roofcube.*",
    },
    "datasets": {
        "xarray",
        "numba",
        "bokeh",
        "holoviews",
        "hvplot",
        "panel",
        "netCDF4",
        "zarr",
        "roofcube.kernels",
        "roofcube.*",
    },
    "cube/plot": {"numba", "netCDF4", "zarr", "roofcube.kernels"},
    "cube/page": {"numba", "zarr", "roofcube.kernels"},
    "cube": {"bokeh", "holoviews", "hvplot", "panel"},
    "cube/files": {"bokeh", "holoviews", "hvplot", "panel", "numba", "roofcube.kernels"},
}
ALLOWED = {
    "kernels": {"roofcube.kernels", "roofcube.errors", "roofcube.disk", "roofcube.interrupts"},
    "datasets": {"roofcube.datasets", "roofcube.errors", "roofcube.disk", "roofcube.options"},
}
PLOTTING_ROOMS = ("cube/plot/", "cube/page/", "cube/explorer/", "cube/cli/")


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            if node.module == "roofcube":
                names |= {f"roofcube.{alias.name}" for alias in node.names}
    return names - {"roofcube"}


def breaches(room: str, path: Path) -> list[str]:
    found = []
    for name in sorted(imports_of(path)):
        parts = name.split(".")
        heads = {".".join(parts[: end + 1]) for end in range(len(parts))}
        if heads & ALLOWED.get(room, set()):
            continue
        inside = parts[0] == "roofcube" and "roofcube.*" in FORBIDDEN[room]
        if inside or heads & FORBIDDEN[room]:
            found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_keep_their_walls(room):
    place = ROOT / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    if room == "cube":
        files = [path for path in files if not path.relative_to(ROOT).as_posix().startswith(PLOTTING_ROOMS)]
    assert files
    assert [line for path in files for line in breaches(room, path)] == []


@pytest.mark.parametrize("name", STDLIB_ONLY)
def test_the_ground_floor_needs_the_standard_library_only(name):
    heads = {
        module.split(".")[0]
        for module in imports_of(ROOT / name)
        if module not in ("roofcube.errors", "roofcube.locks", "roofcube.nearest", "roofcube.options")
    }
    assert heads <= set(sys.stdlib_module_names)


def test_a_breach_would_be_found(tmp_path):
    bad = ROOT / "kernels" / "graph" / "expression.py"
    source = tmp_path / "bad.py"
    source.write_text("import xarray\n" + bad.read_text(encoding="utf-8"), encoding="utf-8")
    assert "xarray" in imports_of(source)


def test_every_package_folder_is_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setup = project["tool"]["setuptools"]
    folders = {"cube": "roofcube", "kernels": "roofcube.kernels", "datasets": "roofcube.datasets"}
    expected = set()
    for folder, name in folders.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            expected.add(".".join((name, *inner)))
    assert set(setup["packages"]) == expected


def test_modules_never_share_a_name_with_a_public_function():
    import roofcube as rc

    modules = {path.stem for path in (ROOT / "cube").glob("*.py")} | {
        path.parent.name for path in (ROOT / "cube").glob("*/__init__.py")
    }
    assert modules & (set(rc.__all__) - {"plot"}) == set()


def test_every_module_says_what_it_is_for():
    for room in ("cube", "kernels", "datasets", "benchmarks"):
        for path in (ROOT / room).rglob("*.py"):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:[\w-]+/)*\w+\.py)`", text))
    assert len(names) > 20
    folders = ("cube", "kernels", "datasets", "tests", "docs")
    files = [path.as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [name for name in names if not any(path.endswith(f"/{name}") for path in files)] == []
