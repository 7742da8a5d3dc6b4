"""Code at intervals and at chosen times, and objects with clocks of their own, in Brian2's order."""

import numpy as np
import pytest
from brian.pairs import Both

import jaxsnn as snn
from jaxsnn.units import Hz, ms, mV, second

EQUATIONS = """
dv/dt = (I - v)/tau : volt (unless refractory)
I : volt
x : 1
k : integer
total : 1 (shared)
double = 2*x : 1
"""


def group(lib, n=6, **arguments):
    cells = lib.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v > 10*mV",
        reset="v = 0*mV",
        method="exact",
        refractory=0.5 * lib.ms,
        namespace={"tau": 3 * lib.ms},
        **arguments,
    )
    cells.I = np.linspace(8, 80, n) * lib.mV
    return cells


def monitors(lib, cells, **others):
    return {
        "cells": cells,
        "spikes": lib.SpikeMonitor(cells),
        "trace": lib.StateMonitor(cells, ["v", "x", "k"], record=True),
        **others,
    }


@pytest.mark.parametrize("when", ["start", "before_groups", "thresholds", "resets", "end"])
def test_slots_and_own_intervals(brian, x64, when):
    """Refractory neurons are protected; local names, sub-expressions, ``i`` and ``t`` are known."""

    def build(lib):
        cells = group(lib)
        cells.run_regularly("v += 0.5*mV; x = double + 1", when=when)
        cells.run_regularly("k += 1; step = 0.1*i; x += step + t/ms", dt=0.7 * lib.ms, when=when, order=-1)
        return monitors(lib, cells)

    Both(brian, build).run(6).same()


def test_order_by_name_and_monitors(brian, x64):
    """At equal slot and order names decide: the code comes before a StateMonitor."""

    def build(lib):
        cells = group(lib, name="cells")
        cells.run_regularly("x = 2*x", order=1)
        cells.run_regularly("x += 1")
        cells.run_regularly("x = 3*x")
        cells.run_regularly("x -= 0.5", when="before_start")
        return monitors(lib, cells)

    Both(brian, build).run(1).same()


def test_a_part_of_a_group(brian, x64):
    """``i`` and ``N`` are those of the subgroup."""

    def build(lib):
        cells = group(lib)
        cells[2:5].run_regularly("x += i + 1; v = 0*mV", dt=0.5 * lib.ms)
        return monitors(lib, cells)

    Both(brian, build).run(3).same()


def test_shared_variables(brian, x64):
    def build(lib):
        cells = group(lib)
        cells.run_regularly("total += 0.5; x = total*i")
        return monitors(lib, cells)

    Both(brian, build).run(3).same()


@pytest.mark.parametrize(("own", "regular"), [(0.2, None), (0.2, 0.6), (0.2, 0.1), (0.5, 0.3), (0.1, 0.4)])
def test_the_clock_of_the_group(brian, x64, own, regular):
    """Code reads ``t`` and ``dt`` of the group, whatever its own interval."""

    def build(lib):
        cells = lib.NeuronGroup(2, "x : 1\ny : 1\nn : integer", dt=own * lib.ms)
        cells.run_regularly(
            "x += t/ms; y += dt/ms; n += t_in_timesteps", dt=None if regular is None else regular * lib.ms
        )
        return {"cells": cells, "trace": lib.StateMonitor(cells, ["x", "y", "n"], record=True, dt=0.1 * lib.ms)}

    Both(brian, build).run(3).same()


def test_synapses(brian, x64):
    """Synapses read the neurons at both ends."""

    def build(lib):
        cells = group(lib)
        wires = lib.Synapses(cells, cells, "w : 1\ndecay : 1 (shared)", on_pre="v_post += w*0.2*mV")
        wires.connect(i=[0, 1, 2, 3, 4, 5, 5], j=[1, 2, 3, 4, 5, 0, 1])
        wires.w = "0.1*i"
        wires.decay = 0.5
        wires.run_regularly("w = w*decay + 0.1*v_pre/mV + 0.01*j - 0.02*v_post/mV", dt=0.4 * lib.ms)
        wires.run_regularly("decay = decay*0.9", when="end", dt=1 * lib.ms)
        return monitors(lib, cells, wires=wires)

    Both(brian, build).run(4).same()


@pytest.mark.parametrize("interval", [None, 0.3])
def test_synapses_that_change_neurons(brian, x64, interval):
    """Several synapses of a neuron add up, also at a subgroup; refractory neurons are protected."""

    def build(lib):
        cells = group(lib)
        wires = lib.Synapses(cells[1:], cells[:4], "w : 1\nn : 1", on_pre="n += 1")
        wires.connect(i=[0, 0, 1, 2, 3, 4, 4], j=[0, 1, 1, 1, 3, 0, 2])
        wires.w = "0.1*i + 0.3"
        dt = None if interval is None else interval * lib.ms
        wires.run_regularly("v_post += w*0.2*mV", dt=dt)
        wires.run_regularly("x_post += w; k_pre += 1", dt=dt, order=1)
        wires.run_regularly("x_post *= 0.75", dt=dt, order=2)
        return monitors(lib, cells, wires=wires)

    Both(brian, build).run(3).same()


def test_synapses_that_change_neurons_at_chosen_times():
    cells = snn.NeuronGroup(3, "x : 1")
    wires = snn.Synapses(cells, cells, "w : 1")
    wires.connect(i=[0, 1, 2], j=[1, 1, 0])
    wires.w = "i + 1"
    runner = wires.run_at("x_post += w", [0.1, 0.3] * ms)
    net = snn.Network(cells, wires)
    net.run(1 * ms)
    np.testing.assert_array_equal(cells.x[:], [6, 6, 0])
    runner.active = False
    net.run(1 * ms)
    np.testing.assert_array_equal(cells.x[:], [6, 6, 0])


def test_poisson_groups(brian, x64):
    """Rates that follow code: none at first, then one spike in each step."""

    def build(lib):
        sources = lib.PoissonGroup(3, rates=0 * lib.Hz)
        sources.run_regularly("rates = int(t > 1.05*ms)*int(i != 1)*(1/dt)")
        return {"spikes": lib.SpikeMonitor(sources), "sources": sources}

    both = Both(brian, build).run(3).same()
    np.testing.assert_array_equal(both.ours.spikes.count, [19, 0, 19])


def test_several_clocks(brian, x64):
    """Groups, synapses and monitors, each in steps of its own."""

    def build(lib):
        fast = group(lib, name="fast")
        slow = lib.NeuronGroup(
            6, "dv/dt = -v/(5*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", dt=0.3 * lib.ms, name="slow"
        )
        slow.run_regularly("v += 0.1", dt=0.2 * lib.ms)
        wires = lib.Synapses(fast, slow, "dw/dt = -w/ms : 1 (clock-driven)", on_pre="v_post += 0.4; w += 1",
                             on_post="w += 2", dt=0.5 * lib.ms, method="exact")  # fmt: skip
        wires.connect(j="i")
        return {
            "fast": fast,
            "slow": slow,
            "wires": wires,
            "spikes": lib.SpikeMonitor(slow),
            "trace": lib.StateMonitor(slow, "v", record=True, dt=0.2 * lib.ms),
            "rate": lib.PopulationRateMonitor(slow),
        }

    Both(brian, build).run(9).same()


def test_clock_objects():
    slow = snn.Clock(0.5 * ms)
    cells = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler", clock=slow)
    counter = snn.NeuronGroup(1, "n : integer")
    counter.run_regularly("n += 1", clock=slow)
    trace = snn.StateMonitor(cells, "v", clock=slow)
    snn.Network(cells, counter, trace).run(2 * ms)
    np.testing.assert_allclose(trace.v[0], [0, 0.5, 1.0, 1.5])
    assert counter.n[0] == 4


def test_chosen_times():
    """Counted by hand: at 0, 0.3 and 1.7 ms, in a run cut in two; the last time is not reached."""
    cells = snn.NeuronGroup(2, "x : 1\nlast : second")
    cells.run_at("x += 1 + i; last = t", [1.7, 0, 0.3, 5] * ms)
    trace = snn.StateMonitor(cells, "x", clock=snn.EventClock([0.2, 0.3, 1.9] * ms))
    net = snn.Network(cells, trace)
    net.run(0.3 * ms)
    assert cells.x[0] == 1
    net.run(2 * ms)
    np.testing.assert_array_equal(cells.x[:], [3, 6])
    np.testing.assert_allclose(cells.last / ms, [1.7, 1.7])
    np.testing.assert_allclose(trace.t / ms, [0.2, 0.3, 1.9])
    np.testing.assert_array_equal(trace.x, [[1, 2, 3], [2, 4, 6]])


def test_chosen_times_as_in_brian(brian, x64):
    if not hasattr(brian.NeuronGroup, "run_at"):
        pytest.skip("this Brian2 has no run_at")

    def build(lib):
        cells = group(lib)
        cells.run_at("v += 3*mV; x += i", times=[0.5, 1.2, 3.1] * lib.ms)
        cells[1:3].run_at("x *= 2", times=[1.2] * lib.ms)
        return monitors(lib, cells)

    Both(brian, build).run(4).same()


def test_synapses_at_chosen_times():
    cells = snn.NeuronGroup(2, "v : 1")
    wires = snn.Synapses(cells, cells, "w : 1")
    wires.connect()
    wires.run_at("w = i + 10*j + N_post", [0.2] * ms)
    snn.Network(cells, wires).run(0.3 * ms)
    np.testing.assert_array_equal(wires.w[:], [2, 12, 3, 13])


def test_a_switched_off_runner():
    cells = snn.NeuronGroup(1, "x : 1")
    runner = cells.run_regularly("x += 1", dt=1 * ms)
    net = snn.Network(cells)
    net.run(2 * ms)
    runner.active = False
    net.run(2 * ms)
    runner.active = True
    net.run(1 * ms)
    assert cells.x[0] == 3


def test_gradients_pass_through():
    """x after 1 ms is x0*2**10*a: the derivative with respect to the factor is that of the product."""
    import jax

    cells = snn.NeuronGroup(1, "x : 1\na : 1", name="cells")
    cells.x, cells.a = 1, 3
    cells.run_regularly("x *= a", dt=0.5 * ms)
    sim = snn.Network(cells).compile()
    params, state = sim.init()
    slope = jax.grad(lambda p: sim.run(p, state, 2 * ms)[0]["cells"]["x"][0])(params)
    np.testing.assert_allclose(slope["cells"]["a"], [4 * 3.0**3])


BAD = {
    "no text": (lambda c: c.run_regularly(3), "statements in text"),
    "grammar": (lambda c: c.run_regularly("v = = 1"), "run_regularly"),
    "dt and clock": (lambda c: c.run_regularly("v = 1", dt=1 * ms, clock=snn.Clock(1 * ms)), "not both"),
    "unit of dt": (lambda c: [c.run_regularly("v = 1", dt=1 * mV), run(c)], "dt"),
    "interval": (lambda c: [c.run_regularly("v = 1", dt=0.25 * ms), run(c)], "0.2*ms or 0.3*ms"),
    "time": (lambda c: [c.run_at("v = 1", [0.25] * ms), run(c)], "0.2*ms or 0.3*ms"),
    "twice": (lambda c: c.run_at("v = 1", [0.2, 0.2] * ms), "given twice"),
    "negative": (lambda c: c.run_at("v = 1", [-1] * ms), "at least 0"),
    "shared": (lambda c: [c.run_regularly("s = v"), run(c)], "'s' is one value for all elements"),
    "unknown": (lambda c: [c.run_regularly("vv = 1"), run(c)], "'vv'"),
    "event clock of a group": (lambda c: snn.NeuronGroup(1, "", clock=snn.EventClock([1] * ms)), "EventClock"),
    "clock": (lambda c: snn.Clock(0 * second), "positive"),
    "rates in text": (lambda c: run_poisson(), "computed by its text"),
}


def run(cells):
    snn.Network(cells).run(1 * ms)


def run_poisson():
    sources = snn.PoissonGroup(1, rates="10*Hz")
    sources.run_regularly("rates = 2*Hz", dt=1 * ms)
    snn.Network(sources).run(1 * ms, namespace={"Hz": Hz})


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD.keys())
def test_mistakes(bad, words):
    cells = snn.NeuronGroup(2, "v : 1\ns : 1 (shared)", name="cells")
    with pytest.raises((ValueError, TypeError)) as error:
        bad(cells)
    assert words in str(error.value)
