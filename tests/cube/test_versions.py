from __future__ import annotations

import numpy as np

import roofcube as rc
from roofcube.versions import PACKAGES, line_of


def test_versions_tell_what_is_there_and_what_is_not(capsys):
    rc.show_versions()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("python ")
    assert lines[1:] == [line_of(name) for name in PACKAGES]
    assert line_of("numpy") == f"numpy {np.__version__}"
    assert line_of("no-such-package") == "no-such-package not installed"
