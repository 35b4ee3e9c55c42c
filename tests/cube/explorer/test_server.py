"""The server of the explorer: whom it serves, what it refuses, what it sends with every answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from explorers import Served

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.explorer import server as served
from roofcube.explorer.app import Explorer


@pytest.fixture(scope="module")
def address():
    running = Served("mnist")
    yield running.address
    running.close()


@pytest.fixture
def source():
    return rc.explore("mnist").source


def fetch(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
        return answer.status, dict(answer.headers), answer.read().decode()


def test_every_answer_carries_the_policy(address):
    for path in ("/", "/rc/explorer.css", "/rc/explorer.js"):
        status, headers, text = fetch(address + path)
        assert status == 200
        assert "script-src-attr 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    assert "http://" not in text.replace("http://www.w3.org", "")
    page = fetch(address + "/")[2]
    assert "cdn." not in page
    assert "<main>" in page


def test_a_foreign_name_of_this_machine_is_refused(address):
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        fetch(address, Host="evil.example")
    refused.value.close()
    assert fetch(address, Host=address.removeprefix("http://").replace("127.0.0.1", "localhost"))[0] == 200


def test_too_many_sessions_are_refused():
    running = Served("mnist", sessions=0)
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        fetch(running.address)
    refused.value.close()
    assert fetch(f"{running.address}/rc/explorer.css")[0] == 200
    running.close()


def test_others_are_served_only_under_a_name(source, capsys):
    with pytest.raises(InvalidDataError, match="expected `allow_origin` with"):
        served.make_server(source, Explorer, host="0.0.0.0")
    server, _ = served.make_server(source, Explorer, host="0.0.0.0", allow_origin=("board.example:5006",))
    server.stop()
    assert "everybody who reaches 0.0.0.0 can read this cube" in capsys.readouterr().err


def test_the_address_is_printed(source, monkeypatch, capsys):
    class Loop:
        def start(self):
            raise KeyboardInterrupt

    class Server:
        io_loop = Loop()
        start = stop = staticmethod(lambda: None)

    monkeypatch.setattr(served, "make_server", lambda *given, **options: (Server(), "http://127.0.0.1:5006"))
    served.serve(source, Explorer, show=False, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"address": "http://127.0.0.1:5006"}
    rc.explore("mnist").show(show=False)
    assert capsys.readouterr().out == "http://127.0.0.1:5006\n"
