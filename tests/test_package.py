"""The package as users meet it: names, import weight, README code, docstring examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

import roofcube as rc

ROOT = Path(__file__).parent.parent


def run(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT / "tests",
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_is_sorted_and_complete():
    # constants, then classes, then functions, each by name: the order that the linter keeps
    order = sorted(rc.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert list(rc.__all__) == order
    assert set(rc._HOMES) | set(rc._ROOMS) == set(rc.__all__)
    for name in rc.__all__:
        assert getattr(rc, name) is not None


def test_public_functions_take_data_first_and_keywords_after():
    for name in rc.__all__:
        thing = getattr(rc, name)
        if inspect.isfunction(thing):
            kinds = [one.kind for one in inspect.signature(thing).parameters.values()]
            assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 3, name


def test_import_loads_neither_compiler_nor_plotting():
    loaded = run("import sys, roofcube; print(*sorted(sys.modules))").split()
    assert not {
        "numba",
        "llvmlite",
        "bokeh",
        "holoviews",
        "hvplot",
        "panel",
        "polars",
        "pydantic",
        "netCDF4",
        "scipy",
    } & set(loaded)


def test_benchmark_of_a_small_cube_needs_no_compiler():
    loaded = run(
        "import sys, roofcube as rc; rc.pareto(rc.benchmark('mnist'), ['measured_throughput', 'measured_top1']); print(*sys.modules)"
    ).split()
    assert "numba" not in loaded
    assert "bokeh" not in loaded


def test_importing_a_module_does_not_hide_a_function():
    code = "import roofcube.model.predict, roofcube.sweep.questions, roofcube.model.inputs, roofcube.page, roofcube as rc; print(callable(rc.predict), callable(rc.pareto), callable(rc.inputs), callable(rc.report))"
    assert run(code).split() == ["True"] * 4


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'paretto'"):
        _ = rc.paretto


def modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(rc.__path__, "roofcube.")]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where examples make folders
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize("name", [name for name in rc.__all__ if inspect.isfunction(getattr(rc, name))])
def test_public_docstrings_are_whole(name):
    text = inspect.getdoc(getattr(rc, name))
    assert text
    for section in ("Examples",):
        assert section in text, f"{name} has no {section}"


def public_callables() -> dict[str, object]:
    """Return what is public and takes arguments: functions, classes and their methods, by name."""
    named = {}
    for room in (rc, rc.plot, rc.datasets):
        for name in room.__all__:
            thing = getattr(room, name)
            if callable(thing):
                named[f"{room.__name__}.{name}"] = thing
            if inspect.isclass(thing):
                methods = [key for key, value in vars(thing).items() if inspect.isfunction(value) and key[0] != "_"]
                named |= {f"{room.__name__}.{name}.{key}": getattr(thing, key) for key in methods}
    return named


PUBLIC = public_callables()


def explained(text: str) -> set[str]:
    """Return the arguments that a numpydoc text explains."""
    sections = re.findall(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^([\w*][\w*, ]*?)(?: ?:.*| from .*)?$", "\n".join(sections), re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_is_explained_and_there_is_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    arguments = {one for one in inspect.signature(PUBLIC[name]).parameters if one != "self"}
    assert arguments - explained(text) == set()
    assert "Examples\n--------\n" in text


@pytest.mark.parametrize("name", [name for name in rc.__all__ if inspect.isfunction(getattr(rc, name))])
def test_the_example_shows_every_keyword(name):
    parameters = inspect.signature(getattr(rc, name)).parameters.values()
    keywords = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} - {"tuning"}
    examples = inspect.getdoc(getattr(rc, name)).partition("Examples\n--------\n")[2]
    assert {one for one in keywords if f"{one}=" not in examples} == set()


def test_an_argument_that_is_not_explained_would_be_found():
    text = "Do.\n\nParameters\n----------\na, *b : int\n    First.\nc : int\n\nReturns\n-------\nd : int\n"
    assert explained(text) == {"a", "b", "c"}


def test_readme_code_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_a_missing_extra_comes_with_the_command_to_install_it():
    from roofcube.errors import MissingExtraError, check_installed

    check_installed("to_zarr", "numpy", "scale")
    with pytest.raises(MissingExtraError, match=r"`to_zarr`: needs the package 'nowhere'.*'roofcube\[scale\]'"):
        check_installed("to_zarr", "nowhere", "scale")


def test_errors_are_builtin_errors_too():
    from roofcube import errors

    for name in errors.__all__:
        thing = getattr(errors, name)
        if isinstance(thing, type) and thing is not errors.RoofcubeError:
            assert issubclass(thing, errors.RoofcubeError)
            assert any(
                issubclass(thing, base)
                for base in (ValueError, KeyError, TypeError, MemoryError, OSError, ImportError, RuntimeError)
            )


def test_sibling_packages_named_like_our_folders_are_untouched(tmp_path):
    for name in ("datasets", "kernels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"mine = {name!r}\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import datasets, kernels, roofcube.datasets as d, roofcube.kernels; print(datasets.mine, kernels.mine, d.tasks()[0])"
    assert run(code).split() == ["datasets", "kernels", "cifar10"]


@pytest.mark.parametrize("folder", ["cube", "datasets", "kernels"])
def test_shadowed_import_says_so(folder):
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert f"imported as '{folder}': the folder of roofcube's sources shadows another package" in done.stderr


def test_type_checkers_see_the_installed_package(tmp_path):
    """Also where it is installed to be worked on: `pip install -e . --config-settings editable_mode=strict`."""
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    lines = ["import roofcube as rc", 'reveal_type(rc.pareto(rc.benchmark("mnist"), ["top1"]))']
    script.write_text("\n".join([*lines, *(f"reveal_type(rc.{name})" for name in rc.__all__)]) + "\n")
    # mypy looks into site-packages only
    environment = {**os.environ, "MYPYPATH": os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout
    first, *revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert first == "xarray.core.dataset.Dataset"
    assert len(revealed) == len(rc.__all__)
    assert [name for name, kind in zip(rc.__all__, revealed, strict=True) if kind in ("Any", "builtins.object")] == []


def test_errors_are_at_hand():
    command = [sys.executable, "-c", "import roofcube as rc; assert issubclass(rc.errors.CorruptFileError, OSError)"]
    subprocess.run(command, check=True)


def test_the_package_runs_as_its_command_does():
    command = [sys.executable, "-m", "roofcube", "--version"]
    assert rc.__version__ in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_marker_of_typed_packages_is_shipped():
    from importlib.resources import files

    assert files("roofcube").joinpath("py.typed").is_file()
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "py.typed" in setup["package-data"]["roofcube"]


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name in ("scale", "onnx", "indicators") for line in project["optional-dependencies"][name]]
    declared = {re.split(r"[\[><=~! ]", line)[0].casefold() for line in [*project["dependencies"], *extras]}
    imported = set()
    for folder in ("cube", "kernels", "datasets"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    foreign = {name.casefold().replace("_", "-") for name in imported - set(sys.stdlib_module_names) - {"roofcube"}}
    # numba brings its compiler, dask its scheduler; who loads HoloViews' matplotlib backend has matplotlib
    assert foreign - declared <= {"llvmlite", "distributed", "matplotlib"}
