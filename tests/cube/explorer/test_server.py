"""The server of the explorer: whom it serves, what it refuses, what it sends with every answer."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
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
    Served("mnist", host="0.0.0.0", allow_origin=("board.example:5006",)).close()
    assert "everybody who reaches 0.0.0.0 can read this cube" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches all of a console there")
def test_the_address_is_printed_and_served_until_it_is_interrupted():
    code = (
        "import signal, roofcube as rc; app = rc.explore('mnist'); before = signal.getsignal(signal.SIGINT)\n"
        "for as_json in (True, False): app.show(show=False, as_json=as_json)\n"
        "print(signal.getsignal(signal.SIGINT) is before)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as running:
        running_out = threading.Timer(120, running.kill)
        running_out.start()
        address = json.loads(running.stdout.readline())["address"]
        assert fetch(address)[0] == 200
        running.send_signal(signal.SIGINT)
        again = running.stdout.readline()
        assert again.startswith("http://127.0.0.1:")
        assert fetch(again.strip())[0] == 200
        with pytest.raises(OSError, match=r"refused|reset"):  # the first is gone
            fetch(address)
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "True\n"
        assert running.wait() == 0
        running_out.cancel()


def test_where_a_loop_runs_already_it_serves_and_the_call_returns():
    code = """
import asyncio, panel, roofcube as rc, urllib.request
from contextlib import redirect_stdout
from io import StringIO

app = rc.explore("mnist")

async def cell():
    with redirect_stdout(StringIO()) as told:
        app.show(show=False)
    answer = await asyncio.to_thread(urllib.request.urlopen, told.getvalue().strip(), timeout=60)
    print(answer.status)
    panel.state.kill_all_servers()
    try:
        await asyncio.to_thread(urllib.request.urlopen, told.getvalue().strip(), timeout=60)
    except OSError as error:
        print(error.reason)

asyncio.run(cell())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert re.fullmatch(r"200\n.*refused.*\n", done.stdout), done.stderr
