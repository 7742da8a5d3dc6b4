"""The networks that the contract tests run over: each shows one thing a network can have.

A builder returns the network and how many steps it takes to see that thing. Objects are labelled here, because
the tests address them by name and names of living objects are unique.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jaxsnn as snn
from jaxsnn.units import Hz, ms, mV, nS, pF, usiemens

SEED = 7


def labelled(dtype: str, **objects: Any) -> snn.Network:
    for label, given in objects.items():
        given.label(label)
    return snn.Network(*objects.values(), dtype=dtype)


CUBA = """
dv/dt  = (ge + gi - (v - El)) / taum : volt (unless refractory)
dge/dt = -ge / taue : volt
dgi/dt = -gi / taui : volt
"""
CUBA_VALUES = {"El": -49 * mV, "Vt": -50 * mV, "Vr": -60 * mV, "taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms}


def cuba_cells(n: int = 200) -> snn.NeuronGroup:
    cells = snn.NeuronGroup(
        n,
        CUBA,
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exact",
        namespace=CUBA_VALUES,
    )
    cells.v = np.linspace(-60, -50, n)[np.argsort(np.sin(np.arange(n)))] * mV
    cells.ge = np.arange(n) % 5 * 3 * mV
    return cells


def pairs(n_source: int, n_target: int, every: int, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Every so many pairs of a table of sources and targets: a pattern that needs no random numbers."""
    i, j = np.divmod(np.arange(shift, n_source * n_target, every), n_target)
    return i, (j * 37 + i * 11) % n_target


def cuba(dtype: str) -> snn.Network:
    """Subgroups as sources, refractoriness, currents."""
    cells = cuba_cells()
    exc = snn.Synapses(cells[:160], cells, on_pre="ge_post += 1.62*mV")
    inh = snn.Synapses(cells[160:], cells, on_pre="gi_post -= 9*mV")
    for synapses, n in ((exc, 160), (inh, 40)):
        i, j = pairs(n, 200, 3)
        synapses.connect(i=i, j=j)
    return labelled(dtype, cells=cells, exc=exc, inh=inh, spikes=snn.SpikeMonitor(cells))


def delayed(dtype: str) -> snn.Network:
    """One delay for all synapses."""
    cells = cuba_cells(60)
    exc = snn.Synapses(cells, cells, on_pre="ge_post += 2*mV", delay=1.5 * ms)
    i, j = pairs(60, 60, 4)
    exc.connect(i=i, j=j)
    return labelled(dtype, cells=cells, exc=exc, spikes=snn.SpikeMonitor(cells))


def delays(dtype: str) -> snn.Network:
    """A delay and a weight of its own for each synapse."""
    cells = cuba_cells(60)
    exc = snn.Synapses(cells, cells, "w : volt", on_pre="ge_post += w")
    i, j = pairs(60, 60, 4)
    exc.connect(i=i, j=j)
    exc.w = 0.25 * (np.arange(len(exc)) % 9) * mV
    exc.delay = 0.1 * (np.arange(len(exc)) % 23) * ms
    return labelled(dtype, cells=cells, exc=exc, spikes=snn.SpikeMonitor(cells))


def weights(dtype: str) -> snn.Network:
    """Weights, several synapses of one pair, and code that reads both neurons: nothing of it is constant."""
    cells = cuba_cells(50)
    exc = snn.Synapses(cells, cells, "w : 1", on_pre="ge_post += w*0.04*(-40*mV - v_post)\ngi_post -= w*0.001*ge_pre")
    i, j = pairs(50, 50, 3)
    exc.connect(i=np.concatenate([i, i[:40]]), j=np.concatenate([j, j[:40]]))
    exc.w = np.cos(np.arange(len(exc))) ** 2
    return labelled(dtype, cells=cells, exc=exc, spikes=snn.SpikeMonitor(cells))


def pre_side(dtype: str) -> snn.Network:
    """Code that changes the neuron that fired, and all-to-all connections between two parts of a group."""
    cells = snn.NeuronGroup(
        40,
        "dv/dt = (2 - v - a)/tau : 1\nda/dt = -a/(30*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        namespace={"tau": 8 * ms},
    )
    cells.v = np.arange(40) / 40
    exc = snn.Synapses(cells[5:25], cells[20:40], "w : 1", on_pre="v_post += w\na_pre += w/8")
    exc.connect()
    exc.w = np.arange(len(exc)) % 7 / 100
    return labelled(dtype, cells=cells, exc=exc, spikes=snn.SpikeMonitor(cells[10:40]))


def noise(dtype: str) -> snn.Network:
    """Random numbers: in equations, in the reset, for the initial state."""
    snn.seed(SEED)
    cells = snn.NeuronGroup(
        30,
        "dv/dt = (1.2 - v)/tau + 0.4*xi/sqrt(tau) : 1",
        threshold="v > 1",
        reset="v = 0.2*rand()",
        namespace={"tau": 10 * ms},
        method="euler",
    )
    cells.v = "rand()"
    return labelled(dtype, cells=cells, spikes=snn.SpikeMonitor(cells), trace=snn.StateMonitor(cells, "v", record=[3]))


HH = """
dv/dt = (gl*(El - v) + gNa*m**3*h*(ENa - v) + gK*n**4*(EK - v) + I)/Cm : volt
dm/dt = alpham*(1 - m) - betam*m : 1
dn/dt = alphan*(1 - n) - betan*n : 1
dh/dt = alphah*(1 - h) - betah*h : 1
alpham = 0.32*4/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
betam = 0.28*5/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
alphah = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
betah = 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
alphan = 0.032*5/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
betan = 0.5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
I : amp
"""


def hh(dtype: str) -> snn.Network:
    """Conductances with gates (Traub and Miles), a threshold that is a refractory condition too."""
    cells = snn.NeuronGroup(
        10,
        HH,
        threshold="v > -20*mV",
        refractory="v > -40*mV",
        method="exponential_euler",
        namespace={
            "Cm": 200 * pF,
            "gl": 10 * nS,
            "gNa": 20 * usiemens,
            "gK": 6 * usiemens,
            "El": -65 * mV,
            "EK": -90 * mV,
            "ENa": 50 * mV,
            "VT": -63 * mV,
        },
    )
    cells.v = -65 * mV
    cells.h = 1
    cells.I = "0.15*nA*i"
    syn = snn.Synapses(cells, cells, "w : volt", on_pre="v_post += w", delay=0.5 * ms)
    syn.connect(j="(i + 3) % N_post")
    syn.w = 2 * mV
    return labelled(dtype, cells=cells, syn=syn, spikes=snn.SpikeMonitor(cells))


def own_clock(dtype: str) -> snn.Network:
    """A group and a monitor with steps of their own."""
    cells = cuba_cells(30)
    slow = snn.NeuronGroup(
        20,
        "dv/dt = 1/(5*ms) : 1",
        threshold="v > 1",
        reset="v -= 1",
        refractory=1 * ms,
        method="euler",
        dt=0.4 * ms,
    )
    slow.v = np.arange(20) / 20
    exc = snn.Synapses(slow, cells, on_pre="ge_post += 5*mV", delay=0.3 * ms)
    i, j = pairs(20, 30, 4)
    exc.connect(i=i, j=j)
    return labelled(
        dtype,
        cells=cells,
        slow=slow,
        exc=exc,
        spikes=snn.SpikeMonitor(cells),
        slow_spikes=snn.SpikeMonitor(slow),
        trace=snn.StateMonitor(slow, "v", record=[0, 5], dt=0.5 * ms),
        rate=snn.PopulationRateMonitor(cells),
    )


def counters(dtype: str) -> snn.Network:
    """Whole numbers only: every sum is exact in 32 bits, whatever its order. All neurons fire in many steps."""
    cells = snn.NeuronGroup(48, "v : 1\nk : 1 (constant)", threshold="v >= k", reset="v -= k")
    cells.k = 4 + np.arange(48) % 8
    cells.v = 12
    syn = snn.Synapses(cells, cells, "w : 1", on_pre="v_post += w")
    i, j = pairs(48, 48, 3)
    syn.connect(i=i, j=j)
    syn.w = np.arange(len(syn)) % 3 - 0.75
    drive = snn.NeuronGroup(1, "v : 1", threshold="v >= 0", reset="v += 0")
    push = snn.Synapses(drive, cells, on_pre="v_post += 2")
    push.connect()
    return labelled(dtype, cells=cells, drive=drive, syn=syn, push=push, spikes=snn.SpikeMonitor(cells))


def generator(dtype: str) -> snn.Network:
    """Spikes at given times."""
    times = np.array([0.3, 0.3, 1.0, 2.2, 2.3, 5.0, 9.9])
    source = snn.SpikeGeneratorGroup(5, [0, 4, 2, 1, 1, 3, 0], times * ms)  # type: ignore[attr-defined]
    cells = cuba_cells(20)
    exc = snn.Synapses(source, cells, on_pre="ge_post += 20*mV", delay=0.4 * ms)
    exc.connect()
    return labelled(
        dtype, source=source, cells=cells, exc=exc, inputs=snn.SpikeMonitor(source), spikes=snn.SpikeMonitor(cells)
    )


def poisson(dtype: str) -> snn.Network:
    """Random spikes."""
    source = snn.PoissonGroup(40, rates=200 * Hz)  # type: ignore[attr-defined]
    cells = cuba_cells(20)
    exc = snn.Synapses(source, cells, on_pre="ge_post += 2*mV")
    exc.connect()
    return labelled(
        dtype, source=source, cells=cells, exc=exc, inputs=snn.SpikeMonitor(source), spikes=snn.SpikeMonitor(cells)
    )


NETWORKS: dict[str, Callable[[str], snn.Network]] = {
    f.__name__: f for f in (cuba, delayed, delays, weights, pre_side, noise, hh, own_clock, counters)
}
if hasattr(snn, "SpikeGeneratorGroup"):
    NETWORKS["generator"] = generator
if hasattr(snn, "PoissonGroup"):
    NETWORKS["poisson"] = poisson
