"""Adaptive methods against closed forms and SciPy's, and the derivative of what they do against finite differences."""

import jax
import numpy as np
import pytest
import scipy.integrate

import jaxsnn as snn
from jaxsnn.equations.expressions import parse
from jaxsnn.errors import ArgumentError, DimensionError, EquationError, NumericalError
from jaxsnn.integrators import Adaptive, OdeSystem, integrate
from jaxsnn.integrators.adaptive import GSL, TABLEAUX
from jaxsnn.units import Hz, ms, mV, second

OSCILLATOR = """
dx/dt = y/ms : 1
dy/dt = (mu*(1 - x**2)*y - x)/ms : 1
mu : 1
"""


def oscillator(method="dopri5", n=3, dt=1 * ms, dtype="float64", **options):
    cells = snn.NeuronGroup(n, OSCILLATOR, method=method, method_options=options, namespace={"ms": ms}, name="cells")
    cells.x = 2
    cells.mu = [0.1, 1, 6][:n]
    trace = snn.StateMonitor(cells, ["x", "y"], record=True)
    return snn.Network(cells, trace, dt=dt, dtype=dtype), cells, trace


@pytest.mark.parametrize("name", TABLEAUX)
def test_coefficients(name):
    """Conditions of the trees up to the order, exactly; rows sum to c."""
    row = TABLEAUX[name]
    for c, a in zip(row.c, row.a, strict=True):
        assert c == sum(a)
    stages = range(len(row.c))
    inner = [sum(x * row.c[k] for k, x in enumerate(a)) for a in row.a]
    for weights, order in ((row.b, row.order), (row.other, row.order - 1)):
        for power in range(order):
            assert sum(weights[k] * row.c[k] ** power for k in stages) * (power + 1) == 1
        assert order < 3 or sum(weights[k] * inner[k] for k in stages) * 6 == 1
        assert order < 4 or sum(weights[k] * row.c[k] * inner[k] for k in stages) * 8 == 1


@pytest.mark.parametrize("name", TABLEAUX)
def test_order_of_one_step(name, x64):
    errors = []
    for dt in (2, 1):
        net, _, trace = oscillator(name, 1, dt=0.1 * dt * ms, adaptable_timestep=False)
        net.run(10 * ms)
        times = trace.t / ms
        exact = scipy.integrate.solve_ivp(slopes(0.1), (0, 10), [2, 0], t_eval=times, rtol=1e-11, atol=1e-12).y
        errors.append(np.abs(np.stack([trace.x[0], trace.y[0]]) - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(TABLEAUX[name].order, abs=0.5)


def slopes(mu):
    return lambda t, v: [v[1], mu * (1 - v[0] ** 2) * v[1] - v[0]]


def reference(mu, end):
    found = scipy.integrate.solve_ivp(slopes(mu), (0, end), [2.0, 0.0], rtol=1e-11, atol=1e-12, method="DOP853")
    return found.y[:, -1]


@pytest.mark.parametrize("name", TABLEAUX)
def test_error_follows_the_tolerance(name, x64):
    """Steps of a millisecond are far too long for the stiff one of the oscillators; the sub-steps are not."""
    worst = []
    for tolerance in (1e-4, 1e-7):
        net, cells, _ = oscillator(name, relative_error=tolerance, absolute_error=tolerance, max_steps=400)
        net.run(10 * ms)
        exact = np.array([reference(mu, 10) for mu in (0.1, 1, 6)])
        worst.append(np.abs(np.stack([cells.x[:], cells.y[:]], 1) - exact).max())
    assert worst[1] < 3e-5
    assert worst[1] < worst[0] / 30


def test_float32():
    net, cells, _ = oscillator(dtype="float32", relative_error=1e-5)
    net.run(10 * ms)
    exact = np.array([reference(mu, 10)[0] for mu in (0.1, 1, 6)])
    np.testing.assert_allclose(cells.x[:], exact, atol=2e-3)


def test_time_inside_the_step(x64):
    """x' = cos(w t), with several periods in one step; a TimedArray on the grid of the steps holds for all of it."""
    coarse = snn.TimedArray([1.0, 3.0], dt=1 * ms)
    cells = snn.NeuronGroup(
        1,
        "dx/dt = cos(w*t)*w : 1\ndz/dt = coarse(t)/ms : 1",
        method="dopri5",
        method_options={"relative_error": 1e-9, "absolute_error": 1e-9, "max_steps": 1000},
        namespace={"w": 2.3e4 * Hz, "coarse": coarse, "ms": ms},
    )
    snn.Network(cells, dt=1 * ms, dtype="float64").run(2 * ms)
    assert cells.x[0] == pytest.approx(np.sin(2.3e4 * 2e-3), abs=1e-7)
    assert cells.z[0] == pytest.approx(4, rel=1e-12)


def test_refractory_neurons_stand_still(x64):
    """The same spikes and values as a much smaller step of rk4 gives."""
    text = "dv/dt = (2*u - v)/(3*ms) : 1 (unless refractory)\ndu/dt = (v + 1 - u**3)/(5*ms) : 1"
    results = []
    for method, options in (("rkf45", {"relative_error": 1e-9, "absolute_error": 1e-10}), ("rk4", None)):
        cells = snn.NeuronGroup(
            2, text, threshold="v > 1", reset="v = 0", refractory=2 * ms, method=method, method_options=options,
            namespace={"ms": ms},
        )  # fmt: skip
        cells.u = [0.5, 1.5]
        spikes = snn.SpikeMonitor(cells)
        snn.Network(cells, spikes, dt=0.1 * ms, dtype="float64").run(20 * ms)
        results.append((spikes.i.tolist(), (spikes.t / ms).tolist(), cells.v[:], cells.u[:]))
    assert results[0][:2] == results[1][:2]
    assert len(results[0][0]) > 4
    np.testing.assert_allclose(results[0][2:], results[1][2:], atol=1e-6)


def test_derivatives(x64):
    net, *_ = oscillator(n=2, relative_error=1e-8, absolute_error=1e-8)
    sim = net.compile()
    params, state = sim.init(0)

    def final(mu):
        return sim.run(sim.put(params, "cells.mu", mu), state, 3)[0]["cells"]["x"].sum()

    mu = np.array([0.4, 1.5])
    reverse = jax.grad(final)(mu)
    forward = jax.jacfwd(final)(mu)
    np.testing.assert_allclose(reverse, forward, rtol=1e-10)
    h = 1e-4
    for k in range(2):
        step = h * np.eye(2)[k]
        assert reverse[k] == pytest.approx(float(final(mu + step) - final(mu - step)) / (2 * h), rel=1e-4)


def test_options(x64):
    system = OdeSystem({"v": parse("-v/tau"), "w": parse("-w")}, {})
    options = {"absolute_error": 0.5, "absolute_error_per_variable": {"w": 2}}
    assert integrate(system, "rkf45", options).statements[0].scheme.absolute == (0.5, 2.0)
    for name, stands in GSL.items():
        found = integrate(system, name)
        assert found.method == stands
        assert f"{stands} stands for {name}" in found.reason
    assert integrate(system, Adaptive("bs23", max_steps=7)).statements[0].scheme.most == 7
    options = {"absolute_error_per_variable": {"v": 1 * mV}, "dt_start": 0.01 * ms}
    group = snn.NeuronGroup(1, "dv/dt = -v/(1*ms) : volt", method="dopri5", method_options=options)
    group.v = 1000 * mV
    snn.Network(group, dtype="float64").run(1 * ms)
    assert group.v_[0] == pytest.approx(np.exp(-1), rel=1e-5)


def test_what_is_refused():
    def run(method, options=None, text="dv/dt = -v/ms : volt", **more):
        names = {"ms": ms, "second": second}
        group = snn.NeuronGroup(2, text, method=method, method_options=options, namespace=names, **more)
        snn.Network(group).run(1 * ms)

    for arguments, kind, message in (
        (("rk4", {"max_steps": 3}), ArgumentError, "for adaptive methods only"),
        (("rkf45", {"maximum": 3}), ArgumentError, "no option 'maximum'"),
        (("rkf45", {"max_steps": 0}), ArgumentError, "max_steps is a whole number"),
        (("rkf45", {"absolute_error": -1}), ArgumentError, "absolute_error is a number"),
        (("rkf45", {"absolute_error_per_variable": {"w": 1}}), ArgumentError, "'w' is not integrated"),
        (("rkf45", {"absolute_error_per_variable": {"v": 1 * ms}}), DimensionError, "absolute_error_per_variable"),
        (("gsl_msadams",), ArgumentError, "no method 'gsl_msadams'"),
        (("dopri5", None, "dv/dt = -v/ms + xi*second**-0.5 : 1"), EquationError, "noise"),
        (("dopri5", None, "dv/dt = -v*rand()/ms : 1"), EquationError, "draws random numbers"),
    ):
        with pytest.raises(kind, match=message):
            run(*arguments)
    with pytest.raises(ArgumentError, match="no adaptive method 'dopri8'"):
        Adaptive("dopri8")
    with pytest.raises(NumericalError, match=r"cells\.x of element 0 became nan"):
        oscillator(max_steps=3, dtype="float32")[0].run(10 * ms)
