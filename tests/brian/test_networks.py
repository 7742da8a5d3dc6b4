"""The benchmark networks of the field: the same spikes as Brian2, neuron by neuron, step by step.

4,000 neurons of CUBA and COBAHH with 80 synapses each, and 5,000 of Brunel and Hakim with 1,000 each (the published
network has 10,000 neurons).
"""

import numpy as np
import pytest
from brian.pairs import Both, draw, plain

CUBA = """
dv/dt  = (ge + gi - (v - El)) / taum : volt (unless refractory)
dge/dt = -ge / taue : volt
dgi/dt = -gi / taui : volt
"""

COBAHH = """
dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v) - g_na*(m*m*m)*h*(v - ENa) - g_kd*(n*n*n*n)*(v - EK))/Cm : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dge/dt = -ge/taue : siemens
dgi/dt = -gi/taui : siemens
alpha_m = 0.32/mV*4*mV/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
beta_m = 0.28/mV*5*mV/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
beta_h = 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
alpha_n = 0.032/mV*5*mV/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
beta_n = 0.5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
"""


def random_synapses(n_source, n_target, per_source, rng):
    """About ``per_source`` targets for each source, as a list (i, j) sorted by i, then j."""
    flat = np.flatnonzero(rng.random(n_source * n_target) < per_source / n_target)
    return np.divmod(flat, n_target)


def cuba(n=4000, per_source=80, delays=None):
    """``delays`` in ms: None, a number for all synapses, or a range of delays."""
    rng = draw(1)
    n_exc = 4 * n // 5
    exc = random_synapses(n_exc, n, per_source, rng)
    inh = random_synapses(n - n_exc, n, per_source, rng)
    v = rng.uniform(-60, -50, n)
    each = [rng.uniform(*delays, x[0].size) for x in (exc, inh)] if isinstance(delays, tuple) else None

    def build(lib):
        mV, ms = lib.mV, lib.ms
        delay = {"delay": delays * ms} if isinstance(delays, float) else {}
        names = {
            "El": -49 * mV,
            "Vt": -50 * mV,
            "Vr": -60 * mV,
            "taum": 20 * ms,
            "taue": 5 * ms,
            "taui": 10 * ms,
        }
        cells = lib.NeuronGroup(
            n, CUBA, threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exact", namespace=names
        )
        cells.v = v * mV
        e = lib.Synapses(cells[:n_exc], cells, on_pre="ge_post += 1.62*mV", **delay)
        e.connect(i=exc[0], j=exc[1])
        i = lib.Synapses(cells[n_exc:], cells, on_pre="gi_post += -9*mV", **delay)
        i.connect(i=inh[0], j=inh[1])
        if each is not None:
            e.delay, i.delay = each[0] * ms, each[1] * ms
        return {"cells": cells, "e": e, "i": i, "spikes": lib.SpikeMonitor(cells)}

    return build


def cobahh(n=4000, per_source=80):
    rng = draw(2)
    n_exc = 4 * n // 5
    exc = random_synapses(n_exc, n, per_source, rng)
    inh = random_synapses(n - n_exc, n, per_source, rng)
    v = -60 + 5 * (rng.standard_normal(n) - 1)
    ge, gi = (1.5 * rng.standard_normal(n) + 4) * 10, (12 * rng.standard_normal(n) + 20) * 10

    def build(lib):
        mV, ms, nS, cm = lib.mV, lib.ms, lib.nS, lib.cm
        area = 20000 * lib.um**2
        names = {
            "Cm": 1 * lib.uF / cm**2 * area,
            "gl": 5e-5 * lib.siemens / cm**2 * area,
            "g_na": 100 * lib.msiemens / cm**2 * area,
            "g_kd": 30 * lib.msiemens / cm**2 * area,
            "El": -60 * mV,
            "EK": -90 * mV,
            "ENa": 50 * mV,
            "VT": -63 * mV,
            "Ee": 0 * mV,
            "Ei": -80 * mV,
            "taue": 5 * ms,
            "taui": 10 * ms,
        }
        cells = lib.NeuronGroup(
            n,
            COBAHH,
            threshold="v > -20*mV",
            refractory=3 * ms,
            method="exponential_euler",
            namespace=names,
        )
        cells.v, cells.ge, cells.gi = v * mV, ge * nS, gi * nS
        e = lib.Synapses(cells[:n_exc], cells, on_pre="ge_post += 6*nS")
        e.connect(i=exc[0], j=exc[1])
        i = lib.Synapses(cells[n_exc:], cells, on_pre="gi_post += 67*nS")
        i.connect(i=inh[0], j=inh[1])
        return {"cells": cells, "e": e, "i": i, "spikes": lib.SpikeMonitor(cells)}

    return build


def brunel_hakim(n=5000, per_source=1000, sigma=0.0, heterogeneous=True):
    """Without noise every neuron would be the same, so they start at different voltages."""
    rng = draw(3)
    i, j = random_synapses(n, n, per_source, rng)
    delays = rng.uniform(0, 4, i.size) if heterogeneous else None
    v = rng.uniform(0, 20, n)

    def build(lib):
        mV, ms = lib.mV, lib.ms
        noise = " + sigma*sqrt(tau)*xi" if sigma else ""
        names = {"mu": (27 if heterogeneous else 25) * mV, "sigma": sigma * mV, "tau": 20 * ms}
        cells = lib.NeuronGroup(
            n,
            f"dV/dt = (-V + mu{noise})/tau : volt",
            threshold="V > 20*mV",
            reset="V = 10*mV",
            refractory=2 * ms,
            method="euler",
            namespace=names,
        )
        cells.V = v * mV
        delay = {} if heterogeneous else {"delay": 2 * ms}
        synapses = lib.Synapses(cells, cells, on_pre="V_post += -0.1*mV", **delay)
        synapses.connect(i=i, j=j)
        if heterogeneous:
            synapses.delay = delays * ms
        return {"cells": cells, "synapses": synapses, "spikes": lib.SpikeMonitor(cells)}

    return build


@pytest.mark.parametrize("delays", [None, 1.5, (0.0, 4.0)], ids=["no delay", "one delay", "delays"])
def test_cuba(brian, x64, delays):
    both = Both(brian, cuba(delays=delays)).run(100).same()
    assert both.ours.spikes.num_spikes > 1500


def test_cobahh(brian, x64):
    both = Both(brian, cobahh()).run(100).same()
    assert both.ours.spikes.num_spikes > 10_000


@pytest.mark.parametrize("heterogeneous", [True, False], ids=["delays of 0 to 4 ms", "delay of 2 ms"])
def test_brunel_hakim_without_noise(brian, x64, heterogeneous):
    both = Both(brian, brunel_hakim(heterogeneous=heterogeneous)).run(200).same()
    assert both.ours.spikes.num_spikes > 3000


@pytest.mark.slow
@pytest.mark.parametrize("network, least", [(cuba, 4.5), (cobahh, 30.0)])
def test_rates_over_a_second(brian, x64, network, least):
    """Beyond the first hundred milliseconds rounding decides single spikes, but not the rate."""
    both = Both(brian, network()).run(1000)
    ours, theirs = (objects.spikes.num_spikes / 4000 for objects in (both.ours, both.theirs))
    assert theirs > least
    assert ours == pytest.approx(theirs, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("heterogeneous", [True, False], ids=["delays of 0 to 4 ms", "delay of 2 ms"])
def test_brunel_hakim_with_noise(brian, x64, heterogeneous):
    """Noise is drawn by each library itself: the rate and the spread of the intervals agree, not the spikes."""
    sigma = 0.33 if heterogeneous else 1.0
    both = Both(brian, brunel_hakim(sigma=sigma, heterogeneous=heterogeneous)).run(1000)
    rates, variation = [], []
    for objects, dt in ((both.ours, both.dt), (both.theirs, both.dt)):
        steps = np.rint(plain(objects.spikes.t) / dt)
        index = np.asarray(objects.spikes.i)
        late = steps > 1000  # the start depends on the initial voltages
        rates.append(late.sum() / 5000 / 0.9)
        order = np.lexsort((steps[late], index[late]))
        intervals = np.diff(steps[late][order])[np.diff(index[late][order]) == 0]
        variation.append(intervals.std() / intervals.mean())
    assert rates[0] == pytest.approx(rates[1], rel=0.03)
    assert variation[0] == pytest.approx(variation[1], rel=0.03)
