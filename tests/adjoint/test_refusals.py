"""What has no exact gradient is refused by name, and no spike is lost in silence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, NetworkError, NotSupportedError, NumericalError
from jaxsnn.units import Hz, ms

LIF = "dv/dt = (2 - v)/(10*ms) : 1"


def cells(equations=LIF, threshold="v > 1", reset="v = 0", **arguments):
    return snn.NeuronGroup(2, equations, threshold=threshold, reset=reset, name="cells", **arguments)


def synapses(*arguments, **named):
    group = cells()
    syn = snn.Synapses(group, group, *arguments, name="syn", **named)
    syn.connect()
    return group, syn


def periodic():
    return snn.SpikeGeneratorGroup(1, [0], [1] * ms, period=5 * ms, name="source")


def with_a_function():
    group = cells()
    return [group, snn.NetworkOperation(lambda t, values: {}, writes=[group.v], name="look")]


def running_code(**arguments):
    group = cells()
    group.run_regularly("v += 0.1", **arguments)
    return [group]


REFUSED = {
    "a function": (with_a_function, r"look is a function that runs in every step"),
    "code in every step": (running_code, r"cells is changed by several operations"),
    "code at intervals": (lambda: running_code(dt=1 * ms), r"has a clock of its own"),
    "several events": (lambda: [cells(events={"low": "v < 0"})], r"cells is changed by several operations"),
    "noise": (lambda: [cells("dv/dt = -v/(10*ms) + xi/ms**0.5 : 1", method="euler")], r"cells draws random numbers"),
    "random reset": (lambda: [cells(reset="v = 0.1*rand()")], r"cells draws random numbers \(rand\)"),
    "Poisson": (lambda: [snn.PoissonGroup(3, 10 * Hz, name="noise")], r"noise draws random numbers"),
    "condition": (lambda: [cells(threshold="v > 1 and v < 2")], r"cells fires where .* comparison"),
    "no reset": (lambda: [cells(reset="")], r"cells fires without being reset"),
    "refractory condition": (lambda: [cells(refractory="v > 0.5")], r"cells is refractory until"),
    "last spike": (
        lambda: [cells("dv/dt = (2 - v)/(10*ms) + (t - lastspike)/(1*second)**2 : 1", refractory=1 * ms)],
        "cells reads lastspike",
    ),
    "counter": (lambda: [cells(LIF + "\nn : integer", reset="v = 0; n += 1")], r"cells changes n, .* of type integer"),
    "plasticity": (lambda: synapses("w : 1", on_pre="v_post += w; w += 0.1"), r"syn changes w of the synapses"),
    "on_post": (lambda: synapses("w : 1", on_pre="v_post += w", on_post="w += 0.1"), r"syn changes w of the synapses"),
    "multiplication": (lambda: synapses(on_pre="v_post *= 0.5"), r"syn does more in on_pre than to add"),
    "pre variable": (lambda: synapses(on_pre="v_post += 0.1*v_pre"), r"syn reads v_pre in on_pre"),
    "random weight": (lambda: synapses(on_pre="v_post += rand()"), r"syn draws random numbers in on_pre"),
    "synaptic equation": (
        lambda: synapses("dx/dt = -x/(5*ms) : 1 (clock-driven)", on_pre="v_post += 0.1"),
        r"syn has variables of synapses",
    ),
    "period": (lambda: [periodic()], r"source repeats its spikes"),
    "own clock": (lambda: [cells(dt=0.2 * ms)], r"cells.* has a clock of its own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_exact_gradient_is_refused_by_name(case):
    make, message = REFUSED[case]
    with pytest.raises(NotSupportedError, match=message):
        snn.adjoint.compile(snn.Network(*make()), dt=0.1 * ms, max_spikes=10)


def test_a_schedule_of_ones_own_is_refused():
    net = snn.Network(cells())
    net.schedule = ["start", "thresholds", "resets", "groups", "synapses", "end"]
    with pytest.raises(NotSupportedError, match="the network has a schedule of its own"):
        snn.adjoint.compile(net, dt=0.1 * ms, max_spikes=10)


def test_summed_variables_are_refused_by_name():
    group = cells("dv/dt = (s - v)/(10*ms) : 1\ns : 1")
    syn = snn.Synapses(group, group, "s_post = 0.1*v_pre : 1 (summed)", name="syn")
    syn.connect()
    with pytest.raises(NotSupportedError, match="sums an expression over synapses"):
        snn.adjoint.compile(snn.Network(group, syn), max_spikes=10)


def test_arguments():
    net = snn.Network(cells())
    with pytest.raises(ArgumentError, match="max_spikes is a whole number"):
        snn.adjoint.compile(net, max_spikes=0)
    with pytest.raises(ArgumentError, match="takes a Network"):
        snn.adjoint.compile(cells(), max_spikes=5)
    with pytest.raises(ArgumentError, match="no synapses 'sin'"):
        snn.adjoint.compile(net, max_spikes=5, own_delays=("sin",))
    source = snn.SpikeGeneratorGroup(1, [0], [1] * ms)
    with pytest.raises(NetworkError, match="no neurons with equations"):
        snn.adjoint.compile(snn.Network(source), max_spikes=5)
    net.run(1 * ms)
    with pytest.raises(NotSupportedError, match="has run to t = 1 ms"):
        snn.adjoint.compile(net, max_spikes=5)


def test_too_many_spikes_are_an_error_and_inside_jit_nan():
    """Two neurons fire 4 times each in 30 ms (every 6.9 ms): 8 spikes fit, 7 do not."""
    net = snn.Network(cells())
    exact = snn.adjoint.compile(net, dt=1 * ms, max_spikes=8)
    assert exact.run(*exact.init(), 30 * ms)[1].count == 8
    exact = snn.adjoint.compile(net, dt=1 * ms, max_spikes=7)
    params, state = exact.init()
    with pytest.raises(NumericalError, match="more than max_spikes = 7 spikes"):
        exact.run(params, state, 30 * ms)
    with pytest.raises(NumericalError, match="max_spikes"):
        jax.grad(lambda p: exact.run(p, state, 30 * ms)[1].times[0])(params)
    after, spikes = jax.jit(lambda p: exact.run(p, state, 30 * ms))(params)
    assert np.all(np.isnan(spikes.times))
    assert np.all(np.isnan(after["cells"]["v"]))
    assert np.all(np.isnan(spikes.trains("cells", 2)))
    with pytest.raises(NumericalError, match="max_spikes"):
        exact.check(spikes)


def test_too_many_events_and_negative_delays_are_errors():
    group = cells()
    syn = snn.Synapses(group, group, on_pre="v_post += 0.01", delay=1 * ms, name="syn")
    syn.connect()
    net = snn.Network(group, syn)
    exact = snn.adjoint.compile(net, dt=1 * ms, max_spikes=10, max_events=5)
    params, state = exact.init()
    with pytest.raises(NumericalError, match="more than 5 events"):
        exact.run(params, state, 30 * ms)
    with pytest.raises(NumericalError, match="delay that is negative"):
        exact.run(exact.put(params, "syn.delay", -1e-3), state, 30 * ms)
    assert jnp.isfinite(params["syn"]["delay"])
