"""Exponential Euler: exact for one linear equation, first order for several, fine where A is 0."""

import numpy as np
import pytest
import scipy.integrate
from integrators.evaluate import run, system

from jaxsnn.equations.expressions import calls
from jaxsnn.errors import EquationError
from jaxsnn.integrators import integrate

HODGKIN_HUXLEY = """
dv/dt = (gl*(El - v) + gna*m**3*h*(ENa - v) + gk*n**4*(EK - v) + I)/C : volt
dm/dt = am*(1 - m) - bm*m : 1
dh/dt = ah*(1 - h) - bh*h : 1
dn/dt = an*(1 - n) - bn*n : 1
am = 0.1*q*(25*u - v)/u/(exp((25*u - v)/(10*u)) - 1) : Hz
bm = 4*q*exp(-v/(18*u)) : Hz
ah = 0.07*q*exp(-v/(20*u)) : Hz
bh = q/(exp((30*u - v)/(10*u)) + 1) : Hz
an = 0.01*q*(10*u - v)/u/(exp((10*u - v)/(10*u)) - 1) : Hz
bn = 0.125*q*exp(-v/(80*u)) : Hz
"""
CONSTANTS = {
    "gl": 0.3, "gna": 120.0, "gk": 36.0, "El": 10.613, "ENa": 115.0, "EK": -12.0, "I": 9.0,
    "C": 1.0, "q": 1.0, "u": 1.0,
}  # fmt: skip
REST = {"v": 0.5, "m": 0.05, "h": 0.6, "n": 0.32}


def derivative(t, y):
    """The model written by hand (millivolt, millisecond)."""
    v, m, h, n = y
    am = 0.1 * (25 - v) / np.expm1((25 - v) / 10)
    an = 0.01 * (10 - v) / np.expm1((10 - v) / 10)
    return [
        0.3 * (10.613 - v) + 120 * m**3 * h * (115 - v) + 36 * n**4 * (-12 - v) + 9,
        am * (1 - m) - 4 * np.exp(-v / 18) * m,
        0.07 * np.exp(-v / 20) * (1 - h) - h / (np.exp((30 - v) / 10) + 1),
        an * (1 - n) - 0.125 * np.exp(-v / 80) * n,
    ]


def test_first_order_on_hodgkin_huxley():
    statements = integrate(system(HODGKIN_HUXLEY), "exponential_euler").statements
    expected = scipy.integrate.solve_ivp(
        derivative, (0, 2), list(REST.values()), rtol=1e-10, atol=1e-12, method="LSODA"
    ).y[:, -1]
    errors = []
    for steps in (200, 400, 800):
        new = run(statements, REST, CONSTANTS, 2 / steps, steps)
        errors.append(np.max(np.abs(np.array(list(new.values())) - expected)))
    assert np.mean(-np.diff(np.log2(errors))) == pytest.approx(1, abs=0.1)


def test_each_rate_is_computed_once():
    statements = integrate(system(HODGKIN_HUXLEY), "exponential_euler").statements
    computed = [function for s in statements for function in calls(s.expr)]  # type: ignore[attr-defined]
    # Six rates have one exp each; the step itself has exp and exprel for each of four variables.
    assert computed.count("exp") == 6 + 4
    assert computed.count("exprel") == 4


def test_exact_for_a_single_linear_equation():
    statements = integrate(system("dv/dt = a*v + b : 1"), "exponential_euler").statements
    for a in (-30.0, -1.0, -1e-12, 2.0):
        new = run(statements, {"v": 3.0}, {"a": a, "b": 0.5}, 0.1)
        expected = 3 * np.exp(0.1 * a) + 0.5 * np.expm1(0.1 * a) / a
        np.testing.assert_allclose(new["v"], expected, rtol=1e-13)


def test_vanishing_rate_is_an_euler_step():
    statements = integrate(system("dv/dt = int(go > 0)*(b - v)/tau : 1"), "exponential_euler").statements
    new = run(statements, {"v": np.ones(2)}, {"go": [1, 0], "b": 3.0, "tau": 2.0}, 0.1)
    np.testing.assert_allclose(new["v"], [3 - 2 * np.exp(-0.05), 1], rtol=1e-14)
    new = run(
        integrate(system("dv/dt = b : 1"), "exponential_euler").statements,
        {"v": 1.0},
        {"b": 3.0},
        0.5,
    )
    assert new["v"] == 2.5


def test_a_random_factor_is_drawn_once():
    statements = integrate(system("dv/dt = rand()*(1 - v)/tau : 1"), "exponential_euler").statements
    assert [f for s in statements for f in calls(s.expr)].count("rand") == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text, message",
    [
        ("dv/dt = -v**2/tau + w : 1\ndw/dt = -w/tau : 1", "dv/dt is not linear in v (term v ** 2)"),
        ("dv/dt = tanh(v)/tau : 1", "dv/dt is not linear in v (term tanh(v))"),
        ("dv/dt = -v/tau + xi*tau**-0.5 : 1", "dv/dt contains the noise xi"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(EquationError) as caught:
        integrate(system(text), "exponential_euler")
    assert message in str(caught.value)
    assert "^" in str(caught.value)
