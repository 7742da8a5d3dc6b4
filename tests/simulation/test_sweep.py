"""A sweep gives what separate runs give, however it is cut into batches.

Bit for bit with one run at a time. XLA does not round the same for one number and for an array of them, so the last bit
of a batch may differ.
"""

import jax
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DimensionError, NumericalError
from jaxsnn.units import Hz, ms, mV


def network(noise=True):
    snn.seed(5)
    sigma = "2*mV*sqrt(2/tau)*xi" if noise else "0*volt/second"
    cells = snn.NeuronGroup(
        20, f"dv/dt = (12*mV - v)/tau + {sigma} : volt", threshold="v > Vt", reset="v = 0*mV", method="euler",
        namespace={"tau": 10 * ms, "Vt": 10 * mV}, name="cells",
    )  # fmt: skip
    cells.v = "rand()*10*mV"
    synapses = snn.Synapses(cells, cells, "w : volt", on_pre="v_post += w", delay=1 * ms, name="synapses")
    synapses.connect(p=0.3)
    synapses.w = 0.1 * mV
    spikes = snn.SpikeMonitor(cells, name="spikes")
    trace = snn.StateMonitor(cells, "v", record=[0, 3], name="trace")
    stats = snn.StatisticsMonitor(cells, "v", name="stats")
    return snn.Network(cells, synapses, spikes, trace, stats), cells, synapses


TAUS = np.array([5, 8, 10, 15, 20]) * ms
WEIGHTS = np.linspace(0, 0.4, 5) * mV


@pytest.fixture(scope="module")
def separate():
    """Each run by itself."""
    found = []
    sim = network()[0].compile()
    initial, state = sim.init(7)
    for tau, w in zip(TAUS, WEIGHTS, strict=True):
        params = sim.put(sim.put(initial, "cells.tau", float(tau / (1000 * ms))), "synapses.w", float(w / (1000 * mV)))
        found.append(sim.run(params, state, 30 * ms))
    return found


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_equals_separate_runs(separate, batch):
    net, *_ = network()
    sweep = net.sweep(
        {"cells.tau": TAUS, "synapses.w": WEIGHTS}, 30 * ms, seed=7, batch=batch, final=["cells.v", "stats.v_mean"]
    )
    assert len(sweep) == 5
    assert sweep.batch == (batch or 5)
    counts = np.asarray(sweep["spikes"].counts())
    assert counts.sum(1).min() > 10
    for k, (state, record) in enumerate(separate):
        np.testing.assert_array_equal(sweep["spikes"].packed[k], record["spikes"].packed)
        for found, expected in (
            (sweep["trace"]["v"][k], record["trace"]["v"]),
            (sweep.final["cells.v"][k], state["cells"]["v"]),
            (sweep.final["stats.v_mean"][k], state["stats"]["v_mean"]),
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=0 if batch == 1 else 1e-8)
    one = jax.tree.map(lambda x: x[2], sweep["spikes"])
    assert one.events()[0].size == counts[2].sum()
    assert net.t == 0 * ms  # the objects stay as they are


def test_memory_decides_on_the_batch():
    net, *_ = network()
    small = net.sweep({"cells.tau": TAUS}, 10 * ms, memory=15_000)
    large = net.sweep({"cells.tau": TAUS}, 10 * ms)
    assert 1 <= small.batch < large.batch == 5


def test_slow_monitors_and_a_network_that_has_run():
    net, cells, _ = network(noise=False)
    slow = snn.StateMonitor(cells, "v", record=0, dt=0.3 * ms, name="slow")
    net.add(slow)
    net.run(1 * ms)
    before = slow.v.shape[1]
    found = net.sweep({"cells.tau": [10, 20] * ms}, 2 * ms)
    net.run(2 * ms)
    np.testing.assert_allclose(found["slow"]["v"][0, :, 0], slow.v_[0, before:], atol=1e-8)
    assert slow.v.shape[1] - before == 6


def test_rows_initial_values_and_noise():
    net, cells, synapses = network(noise=False)
    weights = np.zeros((3, len(synapses)))
    weights[1] = 1e-3
    start = np.zeros((3, 20))
    start[2, 4] = 9.9e-3
    found = net.sweep({"synapses.w": weights * 1000 * mV, "cells.v": start * 1000 * mV}, 20 * ms)
    counts = np.asarray(found["spikes"].counts())
    assert (counts[1] != counts[0]).any()
    assert (np.flatnonzero(counts[2] != counts[0]) == [4]).all()
    noisy, *_ = network()
    tau = np.full(3, 10) * ms
    same = noisy.sweep({"cells.tau": tau}, 20 * ms)["trace"]["v"]
    own = noisy.sweep({"cells.tau": tau}, 20 * ms, noise="own")["trace"]["v"]
    assert (same[0] == same).all()
    assert (own[0] != own[1]).any()
    assert (own[1] != own[2]).any()
    del cells


def test_what_is_refused():
    net, *_ = network(noise=False)
    for values, kind, message in (
        ({}, ArgumentError, "nothing is swept"),
        ({"cells.x": [1, 2]}, ArgumentError, "no 'cells.x' to sweep"),
        ({"cells.tau": 5 * ms}, ArgumentError, "several values"),
        ({"cells.tau": [5, 6] * mV}, DimensionError, "needs second"),
        ({"cells.tau": [5, 6] * ms, "cells.Vt": [5, 6, 7] * mV}, ArgumentError, "meshgrid"),
    ):
        with pytest.raises(kind, match=message):
            net.sweep(values, 1 * ms)
    with pytest.raises(ArgumentError, match="noise is 'same'"):
        net.sweep({"cells.tau": TAUS}, 1 * ms, noise="none")
    with pytest.raises(ArgumentError, match="at least 1"):
        net.sweep({"cells.tau": TAUS}, 1 * ms, batch=0)
    with pytest.raises(NumericalError, match=r"run 1 of the sweep .synapses\.w = nan. ended"):
        net.sweep({"synapses.w": [5, np.nan] * mV}, 30 * ms)
    assert Hz.dim != ms.dim
