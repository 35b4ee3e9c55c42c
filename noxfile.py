"""The chores, one command each: nox -s dev | tests | lowest | lint | types | docs | bench | soak."""

from __future__ import annotations

import os
import tomllib
from datetime import date
from pathlib import Path

import nox

ROOT = Path(__file__).parent
nox.options.sessions = ["lint", "types", "tests", "lowest"]
# what reads, writes, computes and asks; figures, pages and the explorer follow the newest of their libraries
LOWEST = (
    *("tests/cube/files", "tests/cube/model", "tests/cube/sweep", "tests/cube/measured", "tests/datasets"),
    *("tests/cube/test_disk.py", "tests/cube/test_locks.py", "tests/cube/test_options.py", "tests/kernels"),
)
nox.options.default_venv_backend = "venv"


@nox.session(default=False)
def dev(session: nox.Session) -> None:
    """Make .venv to work in: an install that follows the sources, for Python, type checkers and editors alike.

    Three folders are one package, which a plain editable install tells Python alone; the strict one makes a tree of
    links that mypy, pyright and editors read. Run it again after adding or moving a module.
    """
    folder = ROOT / ".venv"
    session.run("python", "-m", "venv", str(folder))
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = ".[test,lint,benchmark,scale,onnx,indicators]"
    session.run(
        str(python), "-m", "pip", "install", "-e", wanted, "--config-settings", "editable_mode=strict", external=True
    )


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run the tests."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the core of the tests on the lowest version of every dependency that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    lowest = [one.replace(">=", "==") for one in wanted if not one.startswith("playwright")]
    session.install(*lowest)
    session.install("--no-deps", ".")
    session.run("pytest", "-W", "default", *(session.posargs or LOWEST))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types against an installed wheel; from outside the checkout, where the three folders are one package."""
    session.install(".[lint]")
    session.chdir(session.create_tmp())
    session.run("mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "roofcube")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html; it opens from the folder, without a network."""
    session.install(".[docs]")
    trees = ("-d", "docs/_build/trees")
    session.run(
        "sphinx-build", "-W", "--keep-going", "-b", "html", *trees, "docs", "docs/_build/html", *session.posargs
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks and write their table into docs/speeds.md, and a part of it into the README."""
    session.install(".[benchmark]")
    session.run("python", "benchmarks/table.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the long checks in full and log the result."""
    session.install(".[test,docs]")
    log = ROOT / "tests" / "soak" / "log.txt"
    commit = session.run("git", "describe", "--always", "--dirty", external=True, silent=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n== {date.today().isoformat()}, {os.cpu_count()} cores: nox -s soak at {str(commit).strip()}\n")
        file.flush()
        session.run(
            "pytest",
            "tests/soak",
            "-q",
            "-n",
            "auto",
            "--dist",
            "worksteal",
            *session.posargs,
            env={**os.environ, "ROOFCUBE_SOAK": "1"},
            stdout=file,
        )
