"""Every error leads to a page of the site that is there: the addresses in messages, the sections and the anchors."""

from __future__ import annotations

import pickle
import re
import tomllib
import traceback
from pathlib import Path

import pytest
from listings_of_docs import LISTINGS

import roofcube as rc
from roofcube import errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CLASSES = [thing for thing in map(errors.__dict__.get, errors.__all__) if isinstance(thing, type)]
OWN = {one: f"reference/errors.html#{one.__name__.lower()}" for one in CLASSES}


def anchors(page: str) -> set[str]:
    """Return the anchors of a page as Sphinx makes them: of headings, and of the entries of names."""
    text = LISTINGS.filled((DOCS / page.replace(".html", ".md")).read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings}
    return slugs | set(re.findall(r"^\.\. auto\w+:: (roofcube\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("page", sorted({*errors.PAGES.values(), *OWN.values()}))
def test_the_page_of_an_error_is_there(page):
    path, _, anchor = page.partition("#")
    assert (DOCS / path.replace(".html", ".md")).exists()
    assert not anchor or anchor in anchors(path)


def test_an_anchor_that_is_not_there_would_be_found():
    assert {"errors", "invaliddataerror"} <= anchors("reference/errors.html")
    assert "unknownerror" not in anchors("reference/errors.html")


def test_every_class_has_its_section_with_more_to_read():
    assert set(LISTINGS.READ_ON) == {one.__name__ for one in CLASSES}
    assert [one for one in CLASSES if OWN[one].partition("#")[2] not in anchors("reference/errors.html")] == []


def test_every_rule_has_its_section_with_what_to_do():
    text = LISTINGS.filled((DOCS / "explain" / "gate.md").read_text(encoding="utf-8"))
    sections = re.findall(r"^### `(\w+)`\n\n[^#]+?\n\n\*What to do:\* \S", text, re.MULTILINE)
    assert sorted(sections) == sorted(LISTINGS.VOCABULARY.GRADES)


def test_every_argument_with_a_page_begins_a_message():
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("cube", "kernels", "datasets")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "errors.py"
    )
    begun = set(re.findall(r"(?:\"`|label\(\"|choice\(\"|kind\(\")(?:--)?([a-z_]+)\b", source))
    named = set(re.findall(r"what: str = \"(\w+)\"|\bwhat=\"(\w+)\"", source))
    assert set(errors.PAGES) - begun - {name for pair in named for name in pair} == set()


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_names_its_page_below_its_message(kind):
    error = kind("something is wrong")
    assert "".join(traceback.format_exception_only(error)).splitlines() == [
        f"roofcube.errors.{kind.__name__}: something is wrong",
        f"See docs: {errors.SITE}{OWN[kind]}",
    ]
    assert str(error) == "something is wrong"


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_from_a_worker_is_the_same(kind):
    error = kind("`path`: full", 28, "No space") if kind is errors.UnwritableFileError else kind("`where`: wrong")
    dask = pytest.importorskip("distributed.protocol.pickle")
    for again in (pickle.loads(pickle.dumps(error)), dask.loads(dask.dumps(error))):
        assert (type(again), str(again), again.__notes__) == (kind, str(error), error.__notes__)
        assert getattr(again, "errno", None) == getattr(error, "errno", None)


def test_the_argument_at_fault_decides_the_page():
    with pytest.raises(errors.InvalidDataError, match=r"`where\['top1'\]`.*\nSee docs: .*how-to/limits.html"):
        rc.best(rc.benchmark("mnist"), "measured_throughput", where={"top1": (90, 80)})
    with pytest.raises(errors.UnknownLabelError, match=r"`platform`: 'TX3'.*\nSee docs: .*how-to/own-board.html"):
        rc.inputs("mnist", platforms=["TX3"])


def test_the_site_may_stand_elsewhere(monkeypatch):
    monkeypatch.setenv("ROOFCUBE_DOCS", "file:///home/me/html/")
    note = errors.MemoryLimitError("too large").__notes__
    assert note == ["See docs: file:///home/me/html/reference/errors.html#memorylimiterror"]


def test_the_site_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Documentation"] == errors.SITE
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nurl: {errors.SITE}\n" in cited
    assert f"\nrepository-code: {project['urls']['Source']}\n" in cited
