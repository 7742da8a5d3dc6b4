"""Explicit schemes: orders of convergence against closed solutions, and schemes of the user."""

import numpy as np
import pytest
from integrators.evaluate import run, system

from jaxsnn.errors import EquationError
from jaxsnn.integrators import INTEGRATORS, ExplicitScheme, integrate


def order(errors):
    """The mean slope of log(error) over log(dt), where each step is half of the one before."""
    return np.mean(np.diff(np.log2(errors))) * -1


# ---- without noise ------------------------------------------------------------------------------

# dv/dt = -2 t v has v = exp(-t**2); w' = v w + t has no closed form and couples to it.
COUPLED = "dv/dt = -2*t*v : 1\ndw/dt = -w**2 : 1"


def deterministic_error(method, steps):
    new = run(integrate(system(COUPLED), method).statements, {"v": 1.0, "w": 1.0}, {}, 1 / steps, steps)
    # w' = -w**2 from 1 gives 1/(1 + t).
    return max(abs(new["v"] - np.exp(-1)), abs(new["w"] - 0.5))


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4", "heun", "milstein"])
def test_order_without_noise(method):
    expected = INTEGRATORS[method].order
    errors = [deterministic_error(method, steps) for steps in (16, 32, 64, 128)]
    assert order(errors) == pytest.approx(expected, abs=0.12)


def test_new_values_come_from_old_ones():
    # A rotation: with v assigned before w is computed, Euler would be symplectic Euler.
    statements = integrate(system("dv/dt = w : 1\ndw/dt = -v : 1"), "euler").statements
    new = run(statements, {"v": 1.0, "w": 2.0}, {}, 0.5)
    assert (new["v"], new["w"]) == (2.0, 1.5)


# ---- with noise ---------------------------------------------------------------------------------

FINEST = 1024
PATHS = 400


def brownian(seed, count=1):
    return np.random.default_rng(seed).normal(0, np.sqrt(1 / FINEST), (count, FINEST, PATHS))


def coarse(fine, steps):
    """The same Wiener paths seen in larger steps."""
    return fine.reshape(steps, FINEST // steps, PATHS).sum(1)


def strong_errors(text, method, constants, solution, seed, levels=(16, 32, 64, 128), noises=("xi",)):
    paths = dict(zip(noises, brownian(seed, len(noises)), strict=True))
    statements = integrate(system(text), method).statements
    expected = solution(**{xi: path.sum(0) for xi, path in paths.items()})
    errors = []
    for steps in levels:
        noise = {xi: coarse(path, steps) for xi, path in paths.items()}
        start = {name: np.ones(PATHS) for name in expected}
        new = run(statements, start, constants, 1 / steps, steps, noise)
        errors.append(np.mean([np.abs(new[name] - expected[name]) for name in expected]))
    return errors


# Stratonovich's equations follow the usual chain rule: no correction of the drift. (Itô's solutions
# of the same equations differ from these by far more than the errors here.)
MULTIPLICATIVE = {
    "dv/dt = -v/2 + s*v*xi : 1": lambda xi: {"v": np.exp(-0.5 + 0.8 * xi)},
    "dv/dt = (s*xi - 1/2)*sqrt(1 + v**2) : 1": lambda xi: {"v": np.sinh(np.arcsinh(1) - 0.5 + 0.8 * xi)},
}


@pytest.mark.parametrize("method", ["heun", "milstein"])
@pytest.mark.parametrize("text, solution", MULTIPLICATIVE.items(), ids=["linear", "nonlinear"])
def test_strong_order_of_multiplicative_noise(text, solution, method):
    errors = strong_errors(text, method, {"s": 0.8}, solution, seed=5)
    assert order(errors) == pytest.approx(1, abs=0.15)
    assert errors[-1] < 0.02


def test_strong_order_of_additive_noise():
    # dv = s dW + 2 t dt has v = 1 + t**2 + s W; Euler makes the error of its drift only.
    errors = strong_errors("dv/dt = 2*t + s*xi : 1", "euler", {"s": 0.8}, lambda xi: {"v": 2 + 0.8 * xi}, seed=6)
    assert order(errors) == pytest.approx(1, abs=0.02)


def test_noise_that_is_not_diagonal():
    # dv = v o (0.5 dW1 - 0.3 dW2), dw = 0.4 w o dW1: noises that commute have closed solutions.
    def solution(xi_1, xi_2):
        return {"v": np.exp(0.5 * xi_1 - 0.3 * xi_2), "w": np.exp(0.4 * xi_1)}

    text = "dv/dt = v*(0.5*xi_1 - 0.3*xi_2) : 1\ndw/dt = 0.4*w*xi_1 : 1"
    errors = strong_errors(text, "heun", {}, solution, seed=7, noises=("xi_1", "xi_2"))
    assert order(errors) == pytest.approx(1, abs=0.15)


def test_noise_through_another_variable():
    # dw = dW1, dv = w o dW2: the mean of v**2 is that of the integral of W**2 over time, 1/2.
    paths = brownian(8, 2)
    statements = integrate(system("dw/dt = xi_1 : 1\ndv/dt = w*xi_2 : 1"), "heun").statements
    noise = {"xi_1": coarse(paths[0], 256), "xi_2": coarse(paths[1], 256)}
    new = run(statements, {"w": np.zeros(PATHS), "v": np.zeros(PATHS)}, {}, 1 / 256, 256, noise)
    # 400 paths: the variance of v**2 is about 2, so the standard error is 0.07.
    assert np.mean(new["v"] ** 2) == pytest.approx(0.5, abs=0.25)


def test_one_name_is_one_noise():
    statements = integrate(system("dv/dt = xi_1 : 1\ndw/dt = 2*xi_1 + xi_2 : 1"), "euler").statements
    assert [str(s) for s in statements] == [
        "_dW_xi_1 = sqrt(dt) * randn()",
        "_dW_xi_2 = sqrt(dt) * randn()",
        "_v = v + _dW_xi_1",
        "_w = w + 2 * _dW_xi_1 + _dW_xi_2",
        "v = _v",
        "w = _w",
    ]


# ---- refusals -----------------------------------------------------------------------------------

REFUSED = {
    ("rk2", "dv/dt = -v + xi : 1"): ("dv/dt contains the noise xi", "method='euler'"),
    ("rk4", "dv/dt = -v + xi : 1"): ("dv/dt contains the noise xi", "method='euler'"),
    ("euler", "dv/dt = -v + (a + v)*xi : 1"): (
        "the noise in dv/dt is multiplicative: the factor of xi, a + v, depends on v",
        "for multiplicative noise write method='heun' (Stratonovich) or 'milstein'",
    ),
    ("heun", "dv/dt = -v + xi**2 : 1"): ("dv/dt is not linear in xi (term xi ** 2)", "added"),
    ("milstein", "dv/dt = xi_1 + v*xi_2 : 1"): (
        "dv/dt has several noises (xi_1, xi_2)",
        "write method='heun'",
    ),
    ("milstein", "dv/dt = xi_1 : 1\ndw/dt = w*xi_1 : 1"): (
        "xi_1 is in dv/dt and in dw/dt",
        "write method='heun'",
    ),
}


@pytest.mark.parametrize("case, parts", REFUSED.items(), ids=[" ".join(case) for case in REFUSED])
def test_refusals(case, parts):
    method, text = case
    with pytest.raises(EquationError) as caught:
        integrate(system(text), method)
    for part in parts:
        assert part in str(caught.value)


def test_euler_takes_noise_that_depends_on_time_and_constants():
    statements = integrate(system("dv/dt = a*t*xi : 1"), "euler").statements
    new = run(statements, {"v": 0.0}, {"a": 2.0}, 0.5, 3, {"xi": [1.0, 10.0, 100.0]})
    assert new["v"] == 2 * (0 * 1 + 0.5 * 10 + 1 * 100)


# ---- schemes of the user ------------------------------------------------------------------------


def test_a_scheme_of_the_user():
    ralston = ExplicitScheme("k1 = dt*f(x, t)\nx_new = x + k1/4 + 3/4*dt*f(x + 2/3*k1, t + 2/3*dt)")
    found = integrate(system(COUPLED), ralston)
    errors = []
    for steps in (16, 32, 64):
        new = run(found.statements, {"v": 1.0, "w": 1.0}, {}, 1 / steps, steps)
        errors.append(max(abs(new["v"] - np.exp(-1)), abs(new["w"] - 0.5)))
    assert order(errors) == pytest.approx(2, abs=0.15)


def test_mixed_terms_in_parentheses_count_the_drift_once():
    scheme = ExplicitScheme("x_new = x - (-dt*f(x, t) - g(x, t)*dW)*2/2", stochastic="multiplicative")
    statements = integrate(system("dv/dt = a + b*xi_1 + c*v*xi_2 : 1"), scheme).statements
    noise = {"xi_1": [5.0], "xi_2": [7.0]}
    new = run(statements, {"v": 3.0}, {"a": 1.0, "b": 10.0, "c": 100.0}, 0.5, 1, noise)
    assert new["v"] == 3 + 0.5 * 1 + 10 * 5 + 100 * 3 * 7


def test_nested_calls():
    scheme = ExplicitScheme("x_new = x + dt*f(x + dt/2*f(x, t), t + dt/2)")
    one = run(integrate(system(COUPLED), scheme).statements, {"v": 1.0, "w": 1.0}, {}, 0.1, 4)
    two = run(integrate(system(COUPLED), "rk2").statements, {"v": 1.0, "w": 1.0}, {}, 0.1, 4)
    assert one["v"] == pytest.approx(two["v"], rel=1e-14)
    assert one["w"] == pytest.approx(two["w"], rel=1e-14)


BAD = {
    "k = dt*f(x, t)": "the last line of an integration scheme gives the new value",
    "": "the last line of an integration scheme gives the new value",
    "x_new = x + dt*f(x)": "f takes a value and a time: f(x, t)",
    "x_new = x + dt*f": "f is a function; write f(x, t)",
    "x_new = x + dt*h(x, t)": "a scheme cannot call h()",
    "x_new = x + dt*f(x, t) + randn()": "a scheme cannot call randn(); its randomness is dW",
    "x_new = x + k1": "'k1' is not known here",
    "x_new += dt*f(x, t)": "write 'x_new = ...' here, without '+='",
    "t = dt\nx_new = x": "'t' has a meaning already",
    "k = dt\nk = dt\nx_new = x": "'k' has a meaning already",
    "x_new = x + g(x, t)*dW": "say stochastic='additive' or 'multiplicative'",
    "x_new = x + dt*f(x, x)": "the time in f(x, t) is made of t and dt only",
}


@pytest.mark.parametrize("description, message", BAD.items())
def test_descriptions_that_cannot_be_used(description, message):
    with pytest.raises(EquationError) as caught:
        ExplicitScheme(description)
    assert message in str(caught.value)
    assert not description or "^" in str(caught.value)


def test_a_wrong_kind_of_noise():
    with pytest.raises(EquationError, match="'additive' or 'multiplicative', not 'yes'"):
        ExplicitScheme("x_new = x", stochastic="yes")  # type: ignore[arg-type]
