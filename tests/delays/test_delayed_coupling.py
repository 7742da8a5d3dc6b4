"""Variables read with a delay, against solutions of delay differential equations by the method of steps."""

from math import factorial, floor

import jax
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DelayError, DimensionError, EquationError, NumericalError
from jaxsnn.units import ms, second


def solution(t):
    """x' = -x(t - 1), x = 1 until 0: a polynomial on each interval."""
    return np.array([sum((-1) ** n * (s - n + 1) ** n / factorial(n) for n in range(floor(s + 1e-9) + 2)) for s in t])


def ring(n, delays, dt, model="d : second\nc_post = delayed(x_pre, d) : 1 (summed)"):
    cells = snn.NeuronGroup(n, "dx/dt = -c/second : 1\nc : 1", method="euler", name="cells")
    cells.x = 1
    synapses = snn.Synapses(cells, cells, model, name="synapses")
    synapses.connect(j="i")
    synapses.d = delays
    trace = snn.StateMonitor(cells, "x", record=True)
    return snn.Network(cells, synapses, trace, dt=dt, dtype="float64"), cells, synapses, trace


def test_delay_differential_equation(x64):
    """First order, since the sum stands still during a step; linear interpolation makes no difference to that."""
    errors = []
    for dt in (8, 4, 2):
        net, _, _, trace = ring(1, 1 * second, dt * ms)
        net.run(4 * second)
        errors.append(np.abs(trace.x[0] - solution(trace.t / second)).max())
    assert errors[2] < 1.5e-3
    ratios = [errors[0] / errors[1], errors[1] / errors[2]]
    assert ratios == pytest.approx([2, 2], abs=0.1)


def test_exact_in_steps(x64):
    """Against a hand-written Euler scheme with a list for the past, for delays on the grid and between."""
    steps, dt = 400, 0.01
    delays = np.array([0.0, 0.01, 0.25, 0.256, 1.0])
    net, _, _, trace = ring(5, delays * second, 10 * ms)
    for _ in range(2):
        net.run(2 * second)
    x = np.ones((5, steps + 1))
    for k in range(steps):
        for cell, delay in enumerate(delays / dt):
            low, part = floor(delay + 1e-9), delay - floor(delay + 1e-9)
            before, after = x[cell, max(k - low - 1, 0)], x[cell, max(k - low, 0)]
            x[cell, k + 1] = x[cell, k] - dt * (after + part * (before - after))
    np.testing.assert_allclose(trace.x, x[:, :steps], rtol=0, atol=1e-12)
    assert any("102 past values of cells.x are kept (510 numbers)" in note for note in net.notes)


def test_the_delay_of_the_synapse_subgroups_and_clock_driven_equations(x64):
    source = snn.NeuronGroup(6, "dx/dt = 1/ms : 1", method="exact", namespace={"ms": ms})
    source.x = "100*i"
    cells = snn.NeuronGroup(2, "s : 1\nq : 1")
    synapses = snn.Synapses(
        source[3:],
        cells,
        """s_post = delayed(x_pre, delay) : 1 (summed)
        dy/dt = delayed(x_pre, 2*delay)/ms : 1 (clock-driven)""",
        method="euler",
        namespace={"ms": ms},
    )
    synapses.connect(i=[0, 2, 2], j=[0, 1, 1])
    synapses.delay = [0.3, 0.1, 0.2] * ms
    net = snn.Network(source, cells, synapses, dtype="float64")
    net.run(1.1 * ms)  # the last sum is that at t = 1 ms
    np.testing.assert_allclose(cells.s[:], [300 + 0.7, 500 + 0.9 + 500 + 0.8])
    past = np.maximum(np.arange(11) * 0.1 - 0.6, 0)  # twice the delay; before the start, the value at the start
    assert synapses.y[0] == pytest.approx(0.1 * (300 * 11 + past.sum()))


def test_derivative_by_the_delay(x64):
    net, *_ = ring(1, 0.5037 * second, 10 * ms)
    sim = net.compile()
    params, state = sim.init(0)

    def final(delay):
        return sim.run(sim.put(params, "synapses.d", delay), state, 150)[0]["cells"]["x"][0]

    slope = jax.grad(final)(0.5037)
    h = 1e-5
    assert slope == pytest.approx(float(final(0.5037 + h) - final(0.5037 - h)) / (2 * h), rel=1e-6)
    assert abs(slope) > 0.1
    assert np.isnan(final(0.7))  # further back than was known to be needed


def test_a_delay_that_may_grow(x64):
    model = "d : second\nc_post = delayed(x_pre, d, 1*second) : 1 (summed)"
    net, *_ = ring(1, 0.2 * second, 10 * ms, model)
    sim = net.compile()
    params, state = sim.init(0)
    longer = sim.run(sim.put(params, "synapses.d", 0.9), state, 100)[0]["cells"]["x"][0]
    assert longer == pytest.approx(solution_with(0.9, 1.0), abs=0.02)


def solution_with(delay, t):
    """x' = -x(t - delay), by scaling: one step of the method of steps."""
    return 1 - t + max(t - delay, 0) ** 2 / 2


def test_store_and_longer_delays_between_runs(x64):
    net, cells, synapses, trace = ring(1, 0.3 * second, 10 * ms)
    net.store()
    net.run(1 * second)
    net.store("half")
    net.run(1 * second)
    first = trace.x.copy()
    net.restore("half")
    net.run(1 * second)
    np.testing.assert_array_equal(trace.x, first)
    net.restore()
    net.run(2 * second)
    np.testing.assert_array_equal(trace.x, first)
    # A longer delay finds what is known of the past, and its oldest value before that.
    net.restore("half")
    synapses.d = 0.35 * second
    before = cells.x[0]
    net.run(10 * ms)
    oldest = first[0, 100 - 32]
    assert cells.x[0] == pytest.approx(before - 0.01 * oldest, abs=1e-12)


def test_what_is_refused():
    cells = snn.NeuronGroup(2, "x : 1\nc : 1\ny = 2*x : 1", threshold="x > 1", reset="")

    def run(model, **more):
        synapses = snn.Synapses(cells, cells, model, **more)
        synapses.connect()
        snn.Network(cells, synapses).run(1 * ms)

    for model, kind, message in (
        ("c_post = delayed(x_pre, 3) : 1 (summed)", DimensionError, "needs a time as delay"),
        ("c_post = delayed(2*x_pre, 3*second) : 1 (summed)", ArgumentError, "variable of the neurons at an end"),
        ("c_post = delayed(y_pre, 3*second) : 1 (summed)", ArgumentError, "delay the variables in it"),
        ("c_post = delayed(w, 3*second) : 1 (summed)\nw : 1", ArgumentError, "variable of the neurons at an end"),
        ("c_post = delayed(x_pre, t) : 1 (summed)", ArgumentError, "third argument"),
        ("c_post = delayed(x_pre, -1*second) : 1 (summed)", DelayError, "at least 0"),
        ("c_post = delayed(x_pre, 1e6*second) : 1 (summed)", DelayError, "is the unit of the delay right"),
        ("c_post = delayed(x_pre) : 1 (summed)", EquationError, "2 to 3 arguments"),
    ):
        with pytest.raises(kind, match=message):
            run(model)
    with pytest.raises(EquationError, match=r"no function 'delayed' here. It stands in equations of Synapses"):
        run("w : 1", on_pre="x_post += delayed(x_pre, 1*second)")
    with pytest.raises(NumericalError, match=r"\.c of element 0 became nan.*delayed"):
        run("c_post = delayed(x_pre, where(t > 0.5*second/1000, 2, 0.1)*second/1000, 1*second/1000) : 1 (summed)")
