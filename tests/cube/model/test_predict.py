from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError


def test_several_models_are_refused_together_before_the_work():
    space = rc.inputs("mnist")
    size = sum(rc.predict(space)[name].nbytes for name in rc.predict(space).data_vars)
    with rc.set_options(memory=size):
        rc.predict(space)
        with pytest.raises(MemoryLimitError, match="`predict`: expected results within"):
            rc.predict(space, assumptions=[rc.PUBLISHED, rc.BOUND])


def test_no_assumptions_are_refused():
    with pytest.raises(InvalidDataError, match="`assumptions`: expected one or more, got none"):
        rc.predict(rc.inputs("mnist"), assumptions=[])
