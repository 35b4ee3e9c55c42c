"""The explorer served: on this machine alone unless told otherwise, a state for each session, a strict policy."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import webbrowser
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn
from tornado.routing import Matcher, Rule
from tornado.web import OutputTransform, RequestHandler

from roofcube.errors import InvalidDataError
from roofcube.explorer.addresses import read_address
from roofcube.explorer.state import WRITTEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roofcube.explorer.answers import Source

__all__ = ["make_server", "serve"]

STATIC = Path(__file__).parent / "static"
LOOPBACK = ("127.0.0.1", "localhost")
MOST_SESSIONS = 50
LONGEST_ADDRESS = 8_000
# parts are loaded as blobs by a module loader that tries the browser with scripts of its own, BokehJS may make
# functions of text; what a label could smuggle in is a handler of an event, which never runs
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; script-src-attr 'none'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' blob: {sockets}; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve(
    source: Source,
    make: Callable[[dict[str, Any]], Any],
    *,
    port: int = 0,
    show: bool = True,
    as_json: bool = False,
    host: str = "127.0.0.1",
    allow_origin: tuple[str, ...] = (),
    start: str = "",
) -> None:
    """Serve the explorer until interrupted; on 127.0.0.1 and a free port where nothing else is asked for.

    Where a loop runs already, as in Jupyter, that serves it and this call returns; ``panel.state.kill_all_servers()``
    ends it.

    Parameters
    ----------
    source : Source
        What is explored; sessions share it.
    make : callable
        Makes the explorer of a session from the settings of its state.
    port : int
    show : bool
        Whether to open a browser.
    as_json : bool
        Whether the address is printed as JSON.
    host : str
        Address to listen on; another than this machine's own needs `allow_origin`.
    allow_origin : tuple of str
        Names, with port, under which readers open it.
    start : str
        Text of the address of the state that sessions begin with.

    Raises
    ------
    InvalidDataError
        If it would be open to others without a name under which they may open it.
    """
    with _ctrl_c_as_it_was():
        server, address = make_server(source, make, port=port, host=host, allow_origin=allow_origin, start=start)
        is_kept = False
        try:
            server.start()
            print(json.dumps({"address": address}) if as_json else address, flush=True)
            if show:
                server.io_loop.add_callback(webbrowser.open, address)
            is_kept = server.io_loop.asyncio_loop.is_running()
            if not is_kept:
                server.io_loop.start()
        except KeyboardInterrupt:  # where Panel could not take it, as in a thread
            pass
        finally:
            if not is_kept:
                server.stop()


def make_server(
    source: Source,
    make: Callable[[dict[str, Any]], Any],
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    allow_origin: tuple[str, ...] = (),
    start: str = "",
    sessions: int = MOST_SESSIONS,
) -> tuple[Any, str]:
    """Return a server of so many sessions at most, which is not started, and its address."""
    if host not in LOOPBACK and not allow_origin:
        msg = (
            f"`host`: expected `allow_origin` with {host!r}, got none; name what readers type, such as "
            "--allow-origin myhost:5006, or leave out `host` to serve this machine alone"
        )
        raise InvalidDataError(msg)
    if host not in LOOPBACK:
        print(f"Warning: everybody who reaches {host} can read this cube", file=sys.stderr, flush=True)
    chosen = port or _free_port(host)
    allowed = [f"{name}:{chosen}" for name in LOOPBACK]
    allowed += list(allow_origin)
    pn.extension("tabulator")
    open_sessions: set[str] = set()
    server = pn.io.server.get_server(
        {"/": lambda: _session(source, make, open_sessions, start)},
        port=chosen,
        address=host,
        websocket_origin=allowed,
        static_dirs={"rc": str(STATIC)},
        title="roofcube explorer",
        start=False,
        show=False,
        verbose=False,
        # a page that is still loading has no connection yet: sooner, a slow browser would meet another session, whose
        # styles Panel takes from a network
        check_unused_sessions_milliseconds=5_000,
        unused_session_lifetime_milliseconds=30_000,
    )
    _guard(
        server._tornado,
        allowed,
        lambda: len(open_sessions) >= sessions,
        f"{sessions} sessions are open; close one and reload",
    )
    return server, f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{chosen}"


@contextmanager
def _ctrl_c_as_it_was() -> Iterator[None]:
    """Give back what Ctrl-C does in this process: Panel has it end a server, and do nothing once that has ended."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        # nothing was changed in a thread of its own, where Python lets nobody
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


# sessions -------------------------------------------------------------------------------------------------------------


def _session(source: Source, make: Callable[[dict[str, Any]], Any], sessions: set[str], start: str) -> Any:
    """Make the page of a session: its state is that of its address, and stays there."""
    location, doc = pn.state.location, pn.state.curdoc
    session = str(doc.session_context.id)
    sessions.add(session)
    pn.state.on_session_destroyed(lambda _: sessions.discard(session))
    settings, complaints = read_address((location.search or start)[:LONGEST_ADDRESS], source)
    explorer = make(settings)
    page = explorer.page(complaints)

    def write(*events: Any) -> None:  # noqa: ARG001
        if pn.state.curdoc is doc and location.search != explorer.address:
            location.search = explorer.address

    def read(event: Any) -> None:
        if event.new.removeprefix("?") == explorer.address.removeprefix("?"):
            return
        settings, page.complaints = read_address(event.new[:LONGEST_ADDRESS], source)
        explorer.view.param.update(**settings)

    location.param.watch(read, "search")
    explorer.view.param.watch(write, WRITTEN)
    write()
    template = _Template((STATIC / "page.html").read_text("utf-8"), location=True)
    template.add_variable("heading", f"{source.title} · roofcube explorer")
    for name, part in page.regions.items():
        template.add_panel(name, part)
    return template


class _Template(pn.Template):  # type: ignore[misc]
    """The page as Panel fills it, without what it does again for every part: collect all models, describe itself."""

    def server_doc(self, doc: Any = None, title: str | None = None, location: Any = True) -> Any:
        with doc.models.freeze():
            return super().server_doc(doc, title, location)

    def __repr__(self) -> str:
        return "roofcube explorer"


# what is refused ------------------------------------------------------------------------------------------------------


def _guard(application: Any, allowed: list[str], is_full: Callable[[], bool], when_full: str) -> None:
    """Refuse foreign names of this host and too many sessions; send the policy with every answer."""
    sockets = " ".join(f"ws://{name} wss://{name}" for name in allowed)
    headers = {
        "Content-Security-Policy": POLICY.format(sockets=sockets),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    class Policy(OutputTransform):
        def transform_first_chunk(self, status_code: int, given: Any, chunk: bytes, finishing: bool) -> Any:
            for name, value in headers.items():
                given[name] = value
            return super().transform_first_chunk(status_code, given, chunk, finishing)

    application.add_transform(Policy)
    foreign = _Unless(lambda request: request.host.lower() in {name.lower() for name in allowed})
    full = _Unless(lambda request: request.path != "/" or not is_full())
    refusals = [
        (
            foreign,
            403,
            "This name is not one under which the explorer is served; start it with --allow-origin NAME:PORT",
        ),
        (full, 503, when_full),
    ]
    for number, (matcher, status, reason) in enumerate(refusals):
        rule = Rule(matcher, _Refusal, {"status": status, "reason": reason})
        application.default_router.rules.insert(number, rule)


class _Unless(Matcher):
    """Matches requests for which a condition does not hold."""

    def __init__(self, holds: Callable[[Any], bool]) -> None:
        self.holds = holds

    def match(self, request: Any) -> dict[str, Any] | None:
        return None if self.holds(request) else {}


class _Refusal(RequestHandler):
    def initialize(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason

    def prepare(self) -> None:
        self.set_status(self.status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self.reason)
