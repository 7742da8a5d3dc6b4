"""Each integration scheme inside a recurrent network: the same spikes and final values as Brian2."""

import numpy as np
import pytest
from brian.pairs import Both, draw, pairs

LINEAR = """
dv/dt = (I + ge - gi - v)/tau : volt
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
I : volt
"""
QUADRATIC = """
dv/dt = (I + ge - gi - v + 0.02*v**2/mV - w)/tau : volt
dw/dt = (0.2*v - w)/(4*tau) : volt
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
I : volt
"""
IN_TIME = """
dv/dt = (I*(1 + 0.3*sin(2*pi*50*Hz*t)) + ge - gi - v)/tau : volt
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
I : volt
"""
CONDUCTANCE = """
dv/dt = (I + rise*(25*mV - v) - gi - v)/tau : volt
rise = ge/(20*mV)*clip(1 - gi/(30*mV), 0, 2) : 1
dge/dt = -ge/taue : volt
dgi/dt = (g - gi)/taui : volt
dg/dt = -g/taue : volt
I : volt
"""
SILENT_NOISE = """
dv/dt = (I + ge - gi - v)/tau + sigma*xi*tau**-0.5 : volt
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui + 0*sigma*xi_2*tau**-0.5 : volt
I : volt
"""
MULTIPLIED_SILENT_NOISE = """
dv/dt = (I + ge - gi - v)/tau + sigma*v/mV*xi*tau**-0.5 : volt
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
I : volt
"""

CASES = [
    (LINEAR, "exact"),
    (LINEAR, "euler"),
    (LINEAR, "rk2"),
    (LINEAR, "rk4"),
    (LINEAR, "exponential_euler"),
    (LINEAR, "heun"),
    (LINEAR, "milstein"),
    (LINEAR, None),
    (QUADRATIC, "euler"),
    (QUADRATIC, "rk2"),
    (QUADRATIC, "rk4"),
    (QUADRATIC, "heun"),
    (QUADRATIC, None),
    (IN_TIME, "euler"),
    (IN_TIME, "rk2"),
    (IN_TIME, "rk4"),
    (IN_TIME, "heun"),
    (IN_TIME, "exponential_euler"),
    (CONDUCTANCE, "euler"),
    (CONDUCTANCE, "rk4"),
    (CONDUCTANCE, "exponential_euler"),
    (SILENT_NOISE, "euler"),
    (SILENT_NOISE, "heun"),
    (SILENT_NOISE, "milstein"),
    (SILENT_NOISE, None),
    (MULTIPLIED_SILENT_NOISE, "heun"),
    (MULTIPLIED_SILENT_NOISE, "milstein"),
    (MULTIPLIED_SILENT_NOISE, None),
]
NAMES = {LINEAR: "linear", QUADRATIC: "quadratic", IN_TIME: "in time", CONDUCTANCE: "conductance"}
NAMES |= {SILENT_NOISE: "noise", MULTIPLIED_SILENT_NOISE: "multiplied noise"}


def network(lib, equations, method, refractory=None):
    n = 40
    mV, ms = lib.mV, lib.ms
    cells = lib.NeuronGroup(
        n,
        equations,
        threshold="v > 20*mV",
        reset="v = 5*mV",
        namespace={"tau": 10 * ms, "taue": 2 * ms, "taui": 6 * ms, "sigma": 0 * mV},
        **({} if method is None else {"method": method}),
        **({} if refractory is None else {"refractory": refractory * ms}),
    )
    cells.v = draw(5).uniform(0, 20, n) * mV
    cells.I = np.linspace(12, 40, n) * mV
    exc = lib.Synapses(cells[:30], cells, on_pre="ge_post += 1.1*mV", delay=1.2 * ms)
    exc.connect(**dict(zip("ij", pairs(30, n, 0.2, 6), strict=True)))
    inh = lib.Synapses(cells[30:], cells, "weight : volt", on_pre="gi_post += weight")
    inh.connect(**dict(zip("ij", pairs(10, n, 0.4, 7), strict=True)))
    inh.weight = "(1 + 0.05*i)*mV"
    return {
        "cells": cells,
        "exc": exc,
        "inh": inh,
        "spikes": lib.SpikeMonitor(cells),
        "trace": lib.StateMonitor(cells, "v", record=[0, 17, 39]),
    }


@pytest.mark.parametrize("equations, method", CASES, ids=[f"{NAMES[e]}, {m}" for e, m in CASES])
def test_same_spikes(brian, x64, equations, method):
    both = Both(brian, lambda lib: network(lib, equations, method)).run(50).same(atol=1e-14)
    assert both.ours.spikes.num_spikes > 50


@pytest.mark.parametrize(
    "equations, method",
    [(LINEAR, "exact"), (QUADRATIC, "rk4"), (CONDUCTANCE, "exponential_euler"), (SILENT_NOISE, "heun")],
    ids=lambda value: NAMES.get(value, value),
)
def test_same_spikes_with_frozen_voltage(brian, x64, equations, method):
    frozen = equations.replace(": volt\n", ": volt (unless refractory)\n", 1)
    both = Both(brian, lambda lib: network(lib, frozen, method, refractory=2.5)).run(50).same(atol=1e-14)
    assert both.ours.spikes.num_spikes > 50


@pytest.mark.parametrize("dt", [0.025, 0.2, 1.0])
def test_other_time_steps(brian, x64, dt):
    Both(brian, lambda lib: network(lib, LINEAR, "exact", refractory=2.0), dt=dt).run(50).same(atol=1e-14)


def test_a_group_with_its_own_time_step(brian, x64):
    """A slow group and a fast one drive each other: the slow one is updated in every fifth step."""

    def build(lib):
        fast = lib.NeuronGroup(
            10,
            "dv/dt = (I - v)/(5*ms) : 1\nI : 1",
            threshold="v > 1",
            reset="v = 0",
            method="exact",
        )
        slow = lib.NeuronGroup(
            4,
            "dv/dt = -v/(20*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="exact",
            refractory=1 * lib.ms,
            dt=0.5 * lib.ms,
        )
        fast.I = np.linspace(0.8, 2.5, 10)
        up = lib.Synapses(fast, slow, on_pre="v_post += 0.15")
        up.connect()
        down = lib.Synapses(slow, fast, on_pre="v_post -= 0.3", delay=1 * lib.ms)
        down.connect(condition="(i + j) % 2 == 0")
        return {
            "fast": fast,
            "slow": slow,
            "up": up,
            "down": down,
            "spikes": lib.SpikeMonitor(fast),
            "slow_spikes": lib.SpikeMonitor(slow),
            "trace": lib.StateMonitor(slow, "v", record=True),
        }

    Both(brian, build).run(50).same(atol=1e-14)
