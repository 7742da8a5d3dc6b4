"""The exact method against SciPy's matrix exponential, in 64 and 32 bits."""

import numpy as np
import pytest
import scipy.linalg
from integrators.evaluate import run, system

from jaxsnn.equations.expressions import names
from jaxsnn.equations.statements import Assign, Propagate
from jaxsnn.errors import EquationError
from jaxsnn.integrators import INTEGRATORS, integrate


def model_of(matrix, forcing):
    """The text and constants of dX/dt = M X + b, with names for the entries that are not zero."""
    n = len(forcing)
    lines, constants = [], {}
    for i in range(n):
        terms = []
        for j in range(n):
            if matrix[i, j]:
                constants[f"m{i}{j}"] = matrix[i, j]
                terms.append(f"m{i}{j}*x{j}")
        if forcing[i]:
            constants[f"b{i}"] = forcing[i]
            terms.append(f"b{i}")
        lines.append(f"dx{i}/dt = {' + '.join(terms) or '0'} : 1")
    return "\n".join(lines), constants


def solution(matrix, forcing, start, time):
    n = len(forcing)
    augmented = np.zeros((n + 1, n + 1))
    augmented[:n, :n], augmented[:n, n] = matrix, forcing
    return scipy.linalg.expm(augmented * time)[:n] @ [*start, 1.0]


def triangular(generator, n, order):
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            matrix[order[i], order[j]] = generator.normal()
    return matrix


RNG = np.random.default_rng(3)
EQUAL = np.array([[-2.0, 1.0, 0.5], [0, -2.0, 3.0], [0, 0, -2.0]])
SYSTEMS = {
    "one": np.array([[-1.5]]),
    "triangular": triangular(RNG, 4, [0, 1, 2, 3]),
    "triangular in another order": triangular(RNG, 4, [2, 0, 3, 1]),
    "equal rates": EQUAL,
    "nearly equal rates": EQUAL + np.diag([0, 1e-9, -1e-9]),
    "no decay at all": np.array([[0.0, 1, 0], [0, 0, 1], [0, 0, 0]]),
    "zero": np.zeros((2, 2)),
    "one rate zero": np.array([[-1.0, 2, 0], [0, 0.0, 1], [0, 0, -1.0]]),
    "oscillator": np.array([[0.0, 3], [-3, 0]]),
    "damped oscillator, driving and driven": np.array([[-1.0, 4, 0, 1], [-4, -1, 0, 0], [2, 0, -3, 0], [0, 0, 0, -2]]),
    "full": RNG.normal(size=(4, 4)),
    "two oscillators": scipy.linalg.block_diag([[0, 2.0], [-1, 0]], [[-1, 2.0], [-3, 0]]),
    "too many ways to write out": triangular(RNG, 8, list(range(8))),
}


@pytest.mark.parametrize("forced", [False, True], ids=["free", "forced"])
@pytest.mark.parametrize("matrix", SYSTEMS.values(), ids=SYSTEMS.keys())
def test_one_step_is_the_solution(matrix, forced):
    n = len(matrix)
    forcing = np.arange(1.0, n + 1) * forced
    start = np.linspace(-1, 2, n)
    text, constants = model_of(matrix, forcing)
    statements = integrate(system(text), "exact").statements
    for dt in (0.01, 1.0):
        new = run(statements, {f"x{k}": start[k] for k in range(n)}, constants, dt)
        expected = solution(matrix, forcing, start, dt)
        np.testing.assert_allclose(list(new.values()), expected, rtol=1e-12, atol=1e-13)


MEMBRANE = """
dv/dt = (gl*(El - v) + ge + I)/C : volt
dge/dt = (h - ge)/taue : amp
dh/dt = -h/taue : amp
"""
SI = {"gl": 10e-9, "El": -70e-3, "I": 300e-12, "C": 200e-12, "taue": 5e-3}


def membrane(constants):
    gl, C, taue = constants["gl"], constants["C"], constants["taue"]
    matrix = np.array([[-gl / C, 1 / C, 0], [0, -1 / taue, 1 / taue], [0, 0, -1 / taue]])
    return matrix, np.array([(gl * constants["El"] + constants["I"]) / C, 0, 0])


@pytest.mark.parametrize("taue", [5e-3, 20e-3, 20e-3 * (1 + 1e-6), 1e-6, 1e3])
def test_units_of_very_different_size(taue):
    # tau = C/gl is 20 ms, so the second and third case have (nearly) three equal rates.
    constants = SI | {"taue": taue}
    start = np.array([-60e-3, 100e-12, 50e-12])
    statements = integrate(system(MEMBRANE), "exact").statements
    expected = solution(*membrane(constants), start, 1e-4)
    state = dict(zip(("v", "ge", "h"), start, strict=True))
    new = run(statements, state, constants, 1e-4)
    # SciPy's own exponential loses digits here (1/C is 5e9): relative to v, all agree.
    np.testing.assert_allclose(new["v"], expected[0], rtol=1e-12)
    np.testing.assert_allclose([new["ge"], new["h"]], expected[1:], rtol=1e-11, atol=1e-30)
    # 32 bits: a few roundings of 6e-8 relative to v.
    new = run(statements, state, constants, 1e-4, dtype=np.float32)
    assert new["v"].dtype == np.float32
    np.testing.assert_allclose(new["v"], expected[0], rtol=4e-7)


def test_many_steps_stay_on_the_solution():
    statements = integrate(system(MEMBRANE), "exact").statements
    start = np.array([-60e-3, 100e-12, 50e-12])
    state = dict(zip(("v", "ge", "h"), start, strict=True))
    new = run(statements, state, SI, 1e-4, steps=500)
    np.testing.assert_allclose(new["v"], solution(*membrane(SI), start, 0.05)[0], rtol=1e-12)


def test_a_long_step_does_not_overflow():
    statements = integrate(system(MEMBRANE), "exact").statements
    new = run(statements, {"v": 0.0, "ge": 1e-10, "h": 1e-10}, SI, 1e4, dtype=np.float32)
    np.testing.assert_allclose(new["v"], SI["El"] + SI["I"] / SI["gl"], rtol=1e-6)


def test_only_circles_and_what_they_touch_become_a_matrix():
    text = """
    dv/dt = (I - v - w)/tau : 1
    dw/dt = (a*v - w)/tauw : 1
    dI/dt = -I/taui : 1
    dx/dt = (v - x)/tau : 1
    dy/dt = (z - y)/tau : 1
    dz/dt = -z/tau : 1
    """
    statements = integrate(system(text)).statements
    blocks = [s for s in statements if isinstance(s, Propagate)]
    assert [block.variables for block in blocks] == [("v", "w", "I", "x")]
    assert {s.target for s in statements if isinstance(s, Assign)} >= {"_y", "_z", "_P_y_z"}


def test_two_oscillators_are_two_matrices():
    text = "da/dt = b : 1\ndb/dt = -a : 1\ndc/dt = d/s : 1\ndd/dt = -c/s : 1"
    blocks = [s for s in integrate(system(text)).statements if isinstance(s, Propagate)]
    assert [block.variables for block in blocks] == [("a", "b"), ("c", "d")]


def test_coefficients_stand_apart_from_the_state():
    # So that they can be computed once for a whole run.
    statements = integrate(system(MEMBRANE), "exact").statements
    variables = {"v", "ge", "h"}
    early = [s for s in statements if isinstance(s, Assign) and s.target.startswith(("_P", "_Q", "_B"))]
    assert [s.target for s in early] == [
        "_P_v", "_P_v_ge", "_P_v_h", "_Q_v", "_B_v", "_P_ge", "_P_ge_h", "_P_h",
    ]  # fmt: skip
    assert not any(names(s.expr) & variables for s in early)
    assert statements[: len(early)] == tuple(early)


def test_locals_never_collide():
    # _P_v_ge could be the factor from ge to v, or that of v_ge.
    text = "dv/dt = (ge - v)/a : 1\ndge/dt = -ge/b : 1\ndv_ge/dt = -v_ge/c : 1\ndP_v/dt = -P_v/d : 1"
    constants = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    start = {"v": 0, "ge": 0, "v_ge": 1, "P_v": 1}
    new = run(integrate(system(text)).statements, start, constants, 1.0)
    np.testing.assert_allclose([new["v_ge"], new["P_v"]], np.exp([-1 / 3, -1 / 4]))
    assert new["v"] == 0


def test_a_call_that_is_constant_during_a_step():
    text = "dv/dt = stimulus(t) - v : 1"
    constants = {"stimulus": lambda t: np.floor(t + 0.5)}
    new = run(integrate(system(text), "exact").statements, {"v": 0.0}, constants, 1.0, steps=2)
    # 0 over the first second, 1 over the second one.
    np.testing.assert_allclose(new["v"], 1 - np.exp(-1))


REFUSED = {
    "nonlinear": ("dv/dt = -v**2/tau : 1", {}, "dv/dt is not linear in v (term v ** 2)"),
    "coupled": (
        "dv/dt = -v*w : 1\ndw/dt = 1/s : 1",
        {},
        "dv/dt is not linear in v, w (term -v * w)",
    ),
    "noise": ("dv/dt = -v/tau + xi*tau**-0.5 : 1", {}, "dv/dt contains the noise xi"),
    "time": (
        "dv/dt = sin(w*t) - v : 1",
        {},
        "dv/dt changes with time during a step (term sin(w * t))",
    ),
    "bare time": ("dv/dt = a*t : 1", {}, "dv/dt changes with time during a step (term t)"),
    "random": ("dv/dt = (rand() - v)/tau : 1", {}, "dv/dt draws random numbers (rand())"),
    "function of time": (
        "dv/dt = drive(t) : 1",
        {"varying": frozenset({"drive"})},
        "dv/dt changes with time during a step (term drive(t))",
    ),
    "array between steps": (
        "dv/dt = drive(t - d) : 1",
        {},
        "dv/dt changes with time during a step (term drive(t - d))",
    ),
    "varying name": (
        "dv/dt = -v*k : 1",
        {"varying": frozenset({"k"})},
        "dv/dt changes with time during a step (term k)",
    ),
}


@pytest.mark.parametrize("text, more, reason", REFUSED.values(), ids=REFUSED.keys())
def test_refusals_say_why(text, more, reason):
    model = system(text, **more)
    assert str(INTEGRATORS["exact"].refuses(model)) == reason
    with pytest.raises(EquationError) as caught:
        integrate(model, "exact")
    message = str(caught.value)
    assert f"method='exact' cannot integrate these equations: {reason}" in message
    assert " ^" in message  # a caret below the user's line
