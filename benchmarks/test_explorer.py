"""The explorer in a real browser: how soon it is there, and how soon what a reader does is drawn.

Times are taken in the page, from the act to the frame that shows its answer. The peer is what a reader may wait.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

import roofcube as rc

playwright = pytest.importorskip("playwright.sync_api")

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE_MS = 300_000
COMMAND = "from roofcube.cli import main; main()"
# platforms × networks of the benchmark at two precisions, never measured
SPACE = """
import numpy as np, roofcube as rc
count = {count}
peaks, bandwidths = np.geomspace(1e11, 1e14, count), np.geomspace(1e9, 1e12, count)
hardware = rc.hypothetical(peak_compute=peaks, memory_bandwidth=bandwidths, power=10.0)
inputs = rc.inputs("cifar10", platforms=hardware, precision=["INT8", "FP16"], batch=[1])
rc.explore({cube}).show(port={port}, show=False)
"""
READY = """() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle
  && [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === "explorer.points")?.data.x.length > 0"""
# an answer is told in the shadow root of the bar, and drawn in the frame after
PREPARE = """() => {
  const walk = (node, pick) => {
    for (const one of node.querySelectorAll("*")) {
      if (one.matches(pick)) return one;
      const found = one.shadowRoot && walk(one.shadowRoot, pick);
      if (found) return found;
    }
  };
  window.find = (pick) => walk(document, pick);
  window.told = () => find(".steps")?.textContent ?? "";
  window.limits = () => [...(find(".bar")?.querySelectorAll(".limit input") ?? [])].map((one) => one.value).join("|");
  window.named = (name) => [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === name);
  window.field = (label) => find(`input[aria-label^="${label}"]`);
  window.typed = (label, text) => {
    field(label).value = text;
    field(label).dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
  };
  window.drawn = (act, watch) => new Promise((resolve) => {
    const before = watch(), start = performance.now();
    act();
    const look = () => watch() === before || !Bokeh.documents[0].is_idle
      ? requestAnimationFrame(look) : requestAnimationFrame(() => resolve(performance.now() - start));
    requestAnimationFrame(look);
  });
}"""
TYPED = "(label, text) => typed(label, text)"


@contextmanager
def served(*command: str):
    """Start an explorer by a command; give its address and the seconds until it was told."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip(), time.perf_counter() - start
        finally:
            server.terminate()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def of_task(task: str):
    return served("-c", COMMAND, "explore", task, "--port", free_port(), "--no-show")


def of_space(cube: str, count: int):
    return served("-c", SPACE.format(cube=cube, count=count, port=free_port()))


@pytest.fixture(scope="module")
def browser():
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=found, args=list(FLAGS))
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, address: str):
    """Open an explorer in a context of its own; give the page and the seconds until it was ready."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function(READY)
    page.locator(".steps").wait_for()
    seconds = time.perf_counter() - start
    page.evaluate(PREPARE)
    yield page, seconds
    assert page.complaints == []
    context.close()


def drawn(page, act: str, *arguments: object, watch: str = "told") -> float:
    """Do something in a page; return the milliseconds until its answer is drawn: until what is watched says another."""
    return page.evaluate(f"(given) => drawn(() => ({act})(...given), {watch})", list(arguments))


def drag(page, share: float) -> float:
    """Put the line of the vertical limit at a share of the axis, as the last move of a drag does."""
    act = """(share) => { const line = named("explorer.limit_y"), range = named("explorer.trade_off").y_range;
      line.location = range.start + share * (range.end - range.start); }"""
    return drawn(page, act, share, watch="limits")  # comes with the answer, also where as many points are left


def ninety_fifth(times: list[float]) -> float:
    return float(np.percentile(times, 95))


def add_wait(add_row, work: str, seconds: float, most: float, aim: float | None = None) -> None:
    better = "" if aim is None else f"{most / aim:.1f}"
    add_row(f"explorer: {work}", f"{most:g} s", most / seconds, f"{1e3 * seconds:.0f} ms", "1", better)


def test_until_it_is_there(browser, add_row, full):
    tries = []
    for _ in range(5 if full else 1):
        with of_task("cifar10") as (address, told), opened(browser, address) as (_, ready):
            tries.append((told, ready))
    told, ready = np.median(tries, axis=0)
    add_wait(add_row, "command to address, cifar10", told, 3.0, 2.0)
    add_wait(add_row, "address to interactive, cifar10", ready, 1.5, 1.0)


@pytest.mark.parametrize("task", ["cifar10", "mnist", "imagenet"])
def test_a_limit_is_dragged(task, browser, add_row, full):
    with of_task(task) as (address, _), opened(browser, address) as (page, _):
        shares = np.random.default_rng(0).permutation(np.linspace(0.1, 0.9, 60 if full else 4))
        times = [drag(page, float(share)) for share in shares]
    add_wait(add_row, f"limit dragged to drawn, 95th percentile, {task}", ninety_fifth(times) / 1e3, 0.25, 0.16)


def test_nothing_grows(browser, add_row, full):
    with of_task("cifar10") as (address, _), opened(browser, address) as (page, _):
        session = page.context.new_cdp_session(page)

        def held() -> tuple[int, float]:
            session.send("HeapProfiler.collectGarbage")
            models = page.evaluate("Bokeh.documents[0]._all_models.size")
            return models, session.send("Runtime.getHeapUsage")["usedSize"]

        shares = np.random.default_rng(0).uniform(0.1, 0.9, 300 if full else 6)
        kept = {}
        for number, share in enumerate(shares, 1):
            drag(page, float(share))
            if number in (len(shares) // 3, len(shares)):
                kept[number] = held()
    (models, before), (more, after) = kept.values()
    assert models == more
    changes = " and ".join(map(str, kept))
    add_row(
        f"explorer: heap of the page at change {changes}", "the same", before / after, f"{after / 1e6:.1f} MB", "0.95"
    )


def test_a_facet_of_stored_points(browser, add_row, full):
    with of_space("rc.predict(inputs)", 800 if full else 40) as (address, _), opened(browser, address) as (page, _):
        points = "".join(page.locator(".steps b").first.inner_text().split())
        act = """(row) => find(".facets").querySelectorAll("input[type=checkbox]")[row].click()"""
        times = [drawn(page, act, row) for row in [0, 1, 0, 1] * (5 if full else 1)]
    add_wait(add_row, f"facet of {points} stored points, 95th percentile", ninety_fifth(times) / 1e3, 1.0, 0.3)


def test_an_answer_over_swept_points(browser, add_row, full):
    with of_space("rc.Sweep(inputs)", 3600 if full else 40) as (address, _), opened(browser, address) as (page, _):
        points = "".join(page.locator(".steps b").first.inner_text().split())
        limits = np.random.default_rng(0).permutation(np.geomspace(1e-3, 1.0, 40 if full else 4))
        times = [drawn(page, TYPED, "predicted latency ≤", f"{limit:.4g} ms") for limit in limits]
    for share, most in ((50, 0.4), (95, 1.0)):
        seconds = float(np.percentile(times, share)) / 1e3
        add_wait(add_row, f"answer over {points} swept points, {share}th percentile", seconds, most)


def test_many_users_at_once(browser, add_row, full):
    users, seconds = (20, 120) if full else (3, 3)
    cube = rc.benchmark("cifar10")
    platforms = cube["platform"].values.tolist()
    act = """(user) => { let acts = 0; window.work = setInterval(() => {
      acts += 1;
      typed("measured latency ≤", `${1 + (7 * acts + user) % 50} ms`);
    }, 2000); }"""
    with of_task("cifar10") as (address, _), ExitStack() as stack:
        pages = []
        for user in range(users):
            start = f"{address}/?keep=platform:{platforms[user % len(platforms)]}"
            pages.append(stack.enter_context(opened(browser, start))[0])
        for user, page in enumerate(pages):
            page.evaluate(act, user)
        time.sleep(seconds)
        for page in pages:
            page.evaluate("clearInterval(work)")
        for user, page in enumerate(pages):
            last = f"{3 + user} ms"
            page.evaluate(f"(given) => ({TYPED})(...given)", ["measured latency ≤", last])
            where = {"platform": platforms[user % len(platforms)], "measured_latency": (None, (3 + user) / 1e3)}
            # an answer to what was asked before may still come, and shows its own limit
            page.wait_for_function("(text) => field('measured latency ≤').value === text", arg=last)
            page.locator(".steps", has_text=f"→ {int(rc.count(cube, where=where)['count'])} left").wait_for()
        times = [drawn(page, TYPED, "measured latency ≤", "0.001 ms") for page in pages]
    add_wait(add_row, f"answer to one of {users} users after {seconds} s", float(np.median(times)) / 1e3, 0.25)
