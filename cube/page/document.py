"""Build the page and write it whole: sections, figures and scripts into one file beside its name, then renamed."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofcube.disk import path_of, replacing
from roofcube.errors import InvalidDataError
from roofcube.garbage import collector_at_rest
from roofcube.inert import isolated
from roofcube.options import progress_bar
from roofcube.page.content import Section
from roofcube.page.sections import HEADINGS, SECTIONS, facts, lead
from roofcube.page.subject import subject_of
from roofcube.page.tables import best_choices
from roofcube.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from roofcube.page.content import Drawing, Fact, Field, Table
    from roofcube.page.subject import Subject

__all__ = ["report"]

POLICY = "policy of this page"  # its place in the template; the hashes of scripts are known when the page is written


def report(task_or_cube: str | xr.Dataset, path: str | Path | None = None, *, title: str | None = None) -> Path:
    """Write one self-contained HTML page of a task or a cube; it needs no network.

    Parameters
    ----------
    task_or_cube : str or Dataset
        One of `roofcube.tasks()`, or a cube of `predict`, `join` or `benchmark`. What a cube lacks is left out of the
        page with a line that says why.
    path : str or Path, optional
        File to write; default ``roofcube-<task>.html`` in the working directory. An existing file is replaced at once,
        when the new one is complete.
    title : str, optional
        Heading of the page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownLabelError
        If the task is not known.
    InvalidDataError
        If the folder does not exist or the name ends in neither ``.html`` nor ``.htm``.
    MemoryLimitError
        If the cube, and what its figures take, would not fit into the limit of `roofcube.set_options`.
    UnwritableFileError
        If the disk is full or read-only; what was there is unchanged.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> page = rc.report("mnist", pathlib.Path(tempfile.mkdtemp()) / "mnist.html")
    >>> page.stat().st_size < 5_000_000
    True
    >>> cube = rc.join(rc.predict(rc.inputs("mnist", platforms="NCS2")), rc.datasets.load_measurements("mnist"))
    >>> titled = rc.report(cube, page.with_name("mine.html"), title="Our stick")
    >>> "<title>Our stick" in titled.read_text(encoding="utf-8")
    True
    """
    steps = len(SECTIONS) + 3
    with progress_bar(steps, "page") as bar, collector_at_rest():
        target = None if path is None else _checked_page_path(path_of(path))
        subject = subject_of(task_or_cube, title)
        target = target or _checked_page_path(Path(f"{subject.file_stem}.html"))
        bar.update()
        sections = []
        for build in SECTIONS:
            sections.append(_built_or_reason(build, subject))
            bar.update()
        text = render(subject, sections)
        bar.update()
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        bar.update()
    return target


def _built_or_reason(build: Callable[[Subject], Section], subject: Subject) -> Section:
    """Build a section; one that fails is replaced by the reason, and the others stand."""
    try:
        return build(subject)
    except Exception as error:
        reason = f"This section could not be written from this cube ({type(error).__name__}: {error})."
        return Section(*HEADINGS[build], missing=(reason,))


def render(subject: Subject, sections: list[Section]) -> str:
    """Lay the sections out as HTML."""
    from jinja2 import Environment, StrictUndefined

    from roofcube import __version__
    from roofcube.page.figures import embed
    from roofcube.plot.drawing.style import DARK_MODE

    drawings = [drawing for section in sections for drawing in section.drawings]
    figures = [figure[0].key for section in sections for figure in section.figures]
    embedded = embed(drawings)
    counts, choices, notes = _summary(subject)
    fields, without = _fields(subject, drawings)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_isolated, trim_blocks=True, lstrip_blocks=True
    )
    page: str = environment.from_string(_package_text("template.html")).render(
        title=subject.title,
        subject=subject,
        lead=lead(subject),
        facts=counts,
        best=choices,
        notes=(*notes, *without),
        sections=[one for one in sections if not one.is_empty],
        left_out=[one for one in sections if one.is_empty],
        places=embedded.places,
        numbers={key: place for place, key in enumerate(figures, start=1)},
        fields=fields,
        style=_package_text("style.css"),
        libraries=embedded.libraries,
        figures=embedded.script,
        figure_script=_package_text("figures.js"),
        page_script=_package_text("page.js"),
        dark_mode=DARK_MODE,
        version=__version__,
        policy=POLICY,
    )
    return page.replace(POLICY, content_policy(page, makes_code=embedded.makes_code), 1)


def _isolated(value: Any) -> Any:
    """Keep labels from right to left from tearing the text around them; markup stays as it is."""
    return isolated(value) if type(value) is str else value


def content_policy(page: str, *, makes_code: bool) -> str:
    """Return what a browser may do with a page: run the scripts that are in it, and load nothing.

    BokehJS makes styles of its own; whatever else a label might smuggle in, a handler of an event or a script, has no
    hash here and does not run. Text becomes code (``unsafe-eval``) only where a figure is of a kind that asks for it.
    """
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode("ascii") for one in scripts]
    allowed = " ".join(["'unsafe-eval'"] * makes_code + [f"'sha256-{one}'" for one in dict.fromkeys(hashes)])
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _fields(subject: Subject, drawings: Sequence[Drawing]) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Make the buttons over all figures, where there are figures: their looks load what draws; tell what failed."""
    if not drawings:
        return (), ()
    from roofcube.page.toggles import fields_of

    try:
        return fields_of(subject.cube, drawings), ()
    except Exception as error:
        return (), (f"The buttons over all figures could not be made ({type(error).__name__}: {error}).",)


def _summary(subject: Subject) -> tuple[list[Fact], tuple[Table, ...], tuple[str, ...]]:
    """Return facts, best choices and notes; what fails is told in a note."""
    counts: list[Fact] = []
    choices: tuple[Table, ...] = ()
    notes: list[str] = []
    try:
        notes += _note_on_models(subject)
        notes += subject.selection.notes
        counts = facts(subject)
        choices = best_choices(subject)
    except Exception as error:
        notes.append(f"The summary could not be written whole from this cube ({type(error).__name__}: {error}).")
    return counts, choices, tuple(notes)


def _note_on_models(subject: Subject) -> list[str]:
    """Say which of several models the page shows."""
    if "assumptions" not in subject.models.dims:
        return []
    labels = [str(one) for one in subject.models["assumptions"].values]
    return [f"The cube holds predictions of {listed(labels)}; the text and most figures show the first, {labels[0]}."]


def _package_text(name: str) -> str:
    return files("roofcube.page").joinpath(name).read_text(encoding="utf-8")


def _checked_page_path(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        msg = f"`path`: expected a name ending in .html, got {path.name!r}; rename it"
        raise InvalidDataError(msg)
    if not path.absolute().parent.is_dir():
        msg = f"`path`: the folder {path.parent} does not exist; make it first"
        raise InvalidDataError(msg)
    return path
