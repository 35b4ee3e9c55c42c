from __future__ import annotations

import numpy as np

import roofcube as rc


def test_versions_tell_what_is_there_and_what_is_not(capsys, monkeypatch):
    monkeypatch.setattr("roofcube.versions.PACKAGES", ("numpy", "no-such-package"))
    rc.show_versions()
    assert capsys.readouterr().out.splitlines()[1:] == [f"numpy {np.__version__}", "no-such-package not installed"]
