"""Refractoriness: every form of the argument, and what `(unless refractory)` freezes, as in Brian2."""

import numpy as np
import pytest
from brian.pairs import Both, plain

FROZEN = """
dv/dt = (I - v)/tau : volt (unless refractory)
I : volt
period : second
long : boolean
"""
RUNNING = FROZEN.replace(" (unless refractory)", "")
N = 6


def names(lib):
    return {"tau": 2 * lib.ms, "ref": 0.7 * lib.ms, "Vt": 10 * lib.mV}


def group(lib, equations=FROZEN, n=N, threshold="v > Vt", reset="v = 0*mV", method="exact", **arguments):
    cells = lib.NeuronGroup(
        n, equations, threshold=threshold, reset=reset, method=method, namespace=names(lib), **arguments
    )
    cells.I = np.linspace(12, 60, n) * lib.mV
    cells.period = np.linspace(0, 1.3, n) * lib.ms
    cells.long = np.arange(n) % 2 == 0
    return cells


def alone(lib, equations=FROZEN, **arguments):
    cells = group(lib, equations, **arguments)
    return {
        "cells": cells,
        "spikes": lib.SpikeMonitor(cells),
        "trace": lib.StateMonitor(cells, ["v", "not_refractory", "lastspike"], record=True),
    }


@pytest.mark.parametrize("equations", [FROZEN, RUNNING], ids=["frozen", "running"])
@pytest.mark.parametrize("refractory", [0.0, 0.05, 0.1, 0.45, 0.5, 0.55, 5.0])
def test_a_time(brian, x64, refractory, equations):
    Both(brian, lambda lib: alone(lib, equations, refractory=refractory * lib.ms)).run(12).same()


@pytest.mark.parametrize(
    "refractory",
    [
        "0.45*ms",
        "ref",
        "2*ref + 0.1*ms",
        "period",
        "period*(1 + int(long))",
        "(1 + 0.02*i)*ms",
        "v/mV*0.5*ms",
        "ref + t/10",
        "(i % 3)*ms",
    ],
)
def test_a_time_in_text_is_read_in_every_step(brian, x64, refractory):
    Both(brian, lambda lib: alone(lib, refractory=refractory)).run(12).same()


@pytest.mark.parametrize("refractory", ["0.45*ms", "period", "v/mV*0.1*ms"])
def test_a_time_in_text_without_frozen_variable(brian, x64, refractory):
    Both(brian, lambda lib: alone(lib, RUNNING, refractory=refractory)).run(12).same()


@pytest.mark.parametrize(
    "refractory",
    [
        "v > 8*mV",
        "v >= -5*mV and t < 10*ms",
        "t - lastspike < period",
        "(t - lastspike) <= 1*ms and long",
        "not (v < 5*mV) or long",
        "timestep(t - lastspike, dt) < timestep(ref, dt)",
    ],
)
@pytest.mark.parametrize("equations", [FROZEN, RUNNING], ids=["frozen", "running"])
def test_a_condition_ends_it(brian, x64, refractory, equations):
    Both(brian, lambda lib: alone(lib, equations, reset="v -= 3*mV", refractory=refractory)).run(12).same()


def test_a_condition_without_reset(brian, x64):
    """One spike for each crossing: refractory while above the threshold."""

    def build(lib):
        cells = lib.NeuronGroup(
            4,
            "v = sin(2*pi*f*t + i) : 1\nf : Hz",
            threshold="v > 0.3",
            refractory="v > 0.3",
        )
        cells.f = [50, 100, 150, 200] * lib.Hz
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells)}

    both = Both(brian, build).run(50).same()
    assert both.ours.spikes.num_spikes < 4 * 10 + 4


def test_random_periods_in_distribution(brian, x64):
    """Drawn in every step, so the mean interval is shorter than the mean period."""

    def build(lib):
        cells = lib.NeuronGroup(200, "v : 1", threshold="True", refractory="(1 + 2*rand())*ms")
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells)}

    both = Both(brian, build).run(100)
    found = []
    for side in (both.ours, both.theirs):
        steps = np.rint(plain(side.spikes.t) / 1e-4)
        order = np.lexsort((steps, np.asarray(side.spikes.i)))
        intervals = np.diff(steps[order])
        intervals = intervals[intervals > 0]
        assert intervals.min() == 10
        found.append(intervals)
    # About 14,000 intervals with a standard deviation of 2.6 steps: a standard error of 0.02 steps.
    assert found[0].mean() == pytest.approx(found[1].mean(), abs=0.15)
    assert found[0].mean() == pytest.approx(14.3, abs=0.3)
    assert found[0].std() == pytest.approx(found[1].std(), rel=0.05)


COUPLED = """
dv/dt = (I + a*mV - v)/tau : volt (unless refractory)
da/dt = (v/mV*0.1 - a)/tau : 1
db/dt = (a - b)/(3*tau) : 1
dc/dt = -c/tau : 1 (unless refractory)
I : volt
period : second
long : boolean
"""


# Brian2's symbolic solution of all four takes minutes.
CHAIN = """
dv/dt = (I - v)/tau : volt (unless refractory)
da/dt = (v/mV*0.1 - a)/(2*tau) : 1
I : volt
period : second
long : boolean
"""


@pytest.mark.parametrize("method", ["exact", "euler", "rk2", "rk4", "heun", "exponential_euler"])
def test_variables_that_read_a_frozen_one(brian, x64, method):
    equations, reset, recorded = COUPLED, "v = 0*mV; c += 1; b += 0.1", ["v", "a", "b", "c"]
    if method == "exact":
        equations, reset, recorded = CHAIN, "v = 0*mV", ["v", "a"]

    def build(lib):
        cells = group(lib, equations, method=method, reset=reset, refractory="period")
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "trace": lib.StateMonitor(cells, recorded, record=True),
        }

    Both(brian, build).run(12).same()


NONLINEAR = """
dv/dt = (I - v + 0.01*v*v/mV - w*mV)/tau : volt (unless refractory)
dw/dt = (tanh(v/(10*mV)) - w)/(5*tau) : 1
I : volt
period : second
long : boolean
"""


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4", "heun"])
def test_nonlinear_equations_that_read_a_frozen_variable(brian, x64, method):
    def build(lib):
        cells = group(lib, NONLINEAR, method=method, reset="v = -2*mV; w += 0.2", refractory=0.9 * lib.ms)
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "trace": lib.StateMonitor(cells, ["v", "w"], record=True),
        }

    Both(brian, build).run(12).same()


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.35])
def test_input_to_a_frozen_variable_is_lost(brian, x64, delay):
    """Also in the step of the spike itself; input to other variables counts."""

    def build(lib):
        equations = "dv/dt = -v/tau : 1 (unless refractory)\ndw/dt = -w/tau : 1"
        source = lib.NeuronGroup(20, "du/dt = rate : 1\nrate : Hz", threshold="u > 1", reset="u = 0", method="euler")
        source.rate = np.linspace(100, 900, 20) * lib.Hz
        target = lib.NeuronGroup(
            5,
            equations,
            threshold="v > 1",
            reset="v = 0",
            refractory=1.2 * lib.ms,
            method="exact",
            namespace=names(lib),
        )
        forward = lib.Synapses(source, target, on_pre="v_post += 0.3; w_post += 0.1", delay=delay * lib.ms)
        forward.connect()
        side = lib.Synapses(target, target, on_pre="v += 0.4; w += 0.01", delay=delay * lib.ms)
        side.connect(i=[0, 1, 2, 3, 4], j=[1, 2, 3, 4, 0])
        return {
            "source": source,
            "target": target,
            "forward": forward,
            "side": side,
            "spikes": lib.SpikeMonitor(target),
            "trace": lib.StateMonitor(target, ["v", "w"], record=True),
        }

    Both(brian, build).run(50).same()


def test_spikes_back_to_a_frozen_source(brian, x64):
    """``v_pre`` of a neuron that has just fired is protected, ``w_pre`` is not."""

    def build(lib):
        equations = "dv/dt = (1.5 - v)/tau : 1 (unless refractory)\ndw/dt = -w/tau : 1"
        cells = lib.NeuronGroup(
            6,
            equations,
            threshold="v > 1",
            reset="v = 0.01*i",
            refractory=0.5 * lib.ms,
            method="exact",
            namespace=names(lib),
        )
        cells.v = np.linspace(0, 0.9, 6)
        synapses = lib.Synapses(cells, cells, on_pre="v_pre += 0.1; w_pre += 0.1")
        synapses.connect(i=[0, 0, 1, 2, 3, 4, 5], j=[1, 2, 3, 4, 5, 0, 1])
        return {
            "cells": cells,
            "synapses": synapses,
            "spikes": lib.SpikeMonitor(cells),
            "trace": lib.StateMonitor(cells, ["v", "w"], record=True),
        }

    Both(brian, build).run(12).same()


def test_reset_writes_frozen_variables(brian, x64):
    def build(lib):
        return alone(lib, reset="v = -1*mV; I = I*0.99", refractory=0.5 * lib.ms)

    Both(brian, build).run(12).same()


def test_assignment_by_text_respects_it_by_value_does_not(brian, x64):
    def build(lib):
        return alone(lib, refractory=5 * lib.ms)

    def assign(lib, o):
        o.cells.v = "3*mV"

    def by_value(lib, o):
        o.cells.v = 4 * lib.mV

    both = Both(brian, build).run(4)
    assert not np.all(plain(both.ours.cells.not_refractory[:]))
    both.each(assign).same().run(1).same()
    both.each(by_value).same().run(1).same()


def test_lastspike_and_not_refractory_in_user_code(brian, x64):
    equations = """
    dv/dt = (I - v)/tau : volt (unless refractory)
    du/dt = int(not_refractory)*1/ms : 1
    since = t - lastspike : second
    w : 1
    I : volt
    period : second
    long : boolean
    """

    def build(lib):
        cells = group(
            lib,
            equations,
            method="euler",
            threshold="v > Vt and t - lastspike > 1.05*ms",
            reset="v = 0*mV; w += int(since > 2*ms) + (t - lastspike)/ms; u += int(not not_refractory)",
            refractory="period",
        )
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "trace": lib.StateMonitor(cells, ["v", "u", "w"], record=True),
        }

    Both(brian, build).run(12).same(atol=1e-12)  # a fused multiply-add leaves t - lastspike at 1e-18 s, not 0


def test_before_the_first_spike(brian, x64):
    """``lastspike`` of a neuron that has not fired is long ago."""

    def build(lib):
        cells = lib.NeuronGroup(
            3, "v : 1\nx : 1", threshold="v > 0.5 and t > 0.25*ms", reset="v = 0", refractory=1 * lib.ms
        )
        cells.v = [0, 1, 1]
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "trace": lib.StateMonitor(cells, ["lastspike", "not_refractory"], record=True),
        }

    both = Both(brian, build).run(1).same()
    assert plain(both.ours.cells.lastspike_)[0] == -1e4
