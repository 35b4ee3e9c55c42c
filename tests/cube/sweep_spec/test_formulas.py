"""Formulas as text: the same numbers as Python's own, and nothing but arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.sweep_spec.formulas import formula_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("predicted_latency * 2 - 1e-3", lambda m: m.predicted_latency * 2 - 1e-3),
        ("-batch ** 2 / 3 + 7 // 2 + batch % 3", lambda m: -(m.batch**2) / 3 + 3 + m.batch % 3),
        ("batch ** -2", lambda m: m.batch**-2.0),
        ("1 if batch > 4 else 0", lambda m: (m.batch > 4) * 1.0),
        ("not batch == 8", lambda m: (m.batch != 8) * 1.0),
        ("batch != 8", lambda m: (m.batch != 8) * 1.0),
        ("batch > 1 and batch <= 8 or batch == 64", lambda m: (((m.batch > 1) & (m.batch <= 8)) | (m.batch == 64)) * 1.0),
        ("1 < batch < 64", lambda m: ((m.batch > 1) & (m.batch < 64)) * 1.0),
        ("where(batch > 4, sqrt(batch), exp(0))", lambda m: np.where(m.batch > 4, np.sqrt(m.batch), 1.0)),
        ("maximum(abs(0 - batch), minimum(3, 5)) + +1", lambda m: np.maximum(m.batch, 3) + 1),
        ("ceil(batch / 3) + floor(batch / 3) + log2(batch) + log(1)", lambda m: np.ceil(m.batch / 3) + m.batch // 3 + np.log2(m.batch)),
        ("3", lambda m: m.batch * 0 + 3.0),
    ],
)  # fmt: skip
def test_a_formula_gives_what_python_gives(text, expected):
    inputs = rc.inputs("mnist", platforms="NCS2", pruning=100, batch=[1, 2, 8, 64])
    model = rc.PUBLISHED.with_term("own", formula_of(text))
    cube = rc.predict(inputs, assumptions=model)
    wanted, got = expected(cube), cube["own"]
    wanted = wanted if hasattr(wanted, "dims") else cube["batch"] * 0 + wanted
    both = np.broadcast_arrays(*(one.transpose(..., *one.dims).squeeze().values for one in (got, wanted)))
    np.testing.assert_allclose(*both, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('true')", "is not understood; expected names, numbers"),
        ("power.real", "is not understood"),
        ("[1, 2]", "is not understood"),
        ("'text' * 2", "is not understood"),
        ("True", "is not understood"),
        ("lambda: 1", "is not understood"),
        ("power[0]", "is not understood"),
        ("exp(1, 2)", "exp takes 1 arguments"),
        ("where(power, 1)", "where takes 3 arguments"),
        ("exp(operand=1)", "exp takes 1 arguments"),
        ("(y := 3)", "is not understood"),
        ("9" * 400, "is not understood"),
        ("1 +", "expected arithmetic such as"),
        ("-" * 300 + "1", "is not understood"),
    ],
)
def test_what_is_no_arithmetic_is_refused(text, message):
    with pytest.raises(InvalidDataError, match=f"`formula`: .*{message}"):
        formula_of(text)


@pytest.mark.parametrize("name", ["predicted_latensy", "_builder", "__class__"])
def test_a_name_that_the_model_lacks_is_named(name):
    model = rc.PUBLISHED.with_term("own", formula_of(name))
    with pytest.raises(UnknownLabelError, match=f"`formula`: '{name}' is not known"):
        rc.predict(rc.inputs("mnist"), assumptions=model)
