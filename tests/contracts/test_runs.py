"""However a run is cut, chunked, unrolled or called, it is the same run."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from contracts.compare import agree, spikes_of
from contracts.networks import NETWORKS, SEED

import jaxsnn as snn
from jaxsnn.simulation import hostloop
from jaxsnn.units import Hz, ms, second

STEPS = 150
STEP = 0.1 * ms
names = pytest.mark.parametrize("name", NETWORKS)


def recorded(net):
    """Everything the monitors of a network hold."""
    monitors = [o for o in net.objects if isinstance(o, snn.objects.base.Recorder)]
    return {m.name: m.snapshot() for m in monitors}


def values(net):
    return {o.name: {k: h.value.copy() for k, h in getattr(o, "_hosts", {}).items()} for o in net.objects}


def run_key():
    """The key of a network's first run."""
    return jax.random.fold_in(jax.random.key(SEED), 0)


@names
def test_run_of_the_network_equals_two_halves_of_the_simulation(name, x64):
    snn.seed(SEED)
    net = NETWORKS[name]("float64")
    sim = net.compile()
    params, state = sim.init(run_key())
    # The cut is no multiple of the slower clock of `own_clock`, but of its monitor's.
    half, first = sim.run(params, state, STEPS // 2)
    after, second_half = sim.run(params, half, STEPS // 2)
    net.run(STEPS * STEP)
    assert int(after.step) == STEPS
    for owner, its in after.values.items():
        for variable, value in its.items():
            held = net[owner]._hosts[variable].value
            room = 1e-9 * np.max(np.abs(held), initial=1e-30)
            np.testing.assert_allclose(np.asarray(value, float).reshape(held.shape), held, rtol=0, atol=room)
    spikes = net["spikes"]
    steps = np.round(np.asarray(spikes.t / second) / sim.dt).astype(int)
    assert spikes_of(first) + spikes_of(second_half) == list(zip(steps.tolist(), spikes.i.tolist(), strict=True))
    assert spikes.num_spikes > 0
    if name == "own_clock":
        traces = np.concatenate([first["trace"]["v"], second_half["trace"]["v"]])
        np.testing.assert_allclose(net["trace"].v.T, traces, rtol=1e-12)
        counts = np.concatenate([first["rate"]["count"], second_half["rate"]["count"]])
        np.testing.assert_allclose(net["rate"].rate / Hz, counts / (30 * sim.dt), rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["delays", *(pytest.param(name, marks=pytest.mark.slow) for name in ("noise", "own_clock"))]
)
def test_network_runs_in_pieces_of_any_size(name, monkeypatch, x64):
    """Several calls of run, and chunks of 1, 7 and 64 steps, record and leave the same."""

    def history(cuts, longest=None, memory=None):
        snn.seed(SEED)
        monkeypatch.setattr(hostloop, "LONGEST", longest or 16384)
        monkeypatch.setattr(hostloop, "MEMORY", memory or 64 * 2**20)
        net.restore("start", restore_random_state=True)
        net._simulations.clear()
        for cut in cuts:
            net.run(cut * STEP)
        return {**recorded(net), "t": float(net.t / second)}, values(net)

    snn.seed(SEED)
    net = NETWORKS[name]("float64")
    net.run(0 * ms)
    net.store("start")
    one = history([STEPS])
    assert any(len(r["t"]) for label, r in one[0].items() if label != "t")
    for cuts, longest, memory in (
        ([1, 63, 0, 86], None, None),
        ([STEPS], 7, None),
        ([STEPS - 4, 4], 1, None),
        ([STEPS], None, 64),
    ):
        agree(one, history(cuts, longest, memory))


@pytest.mark.parametrize(
    "name, unroll", [("own_clock", 4), ("delays", 8), pytest.param("own_clock", 8, marks=pytest.mark.slow)]
)
def test_unrolling_changes_nothing(name, unroll, x64):
    net = NETWORKS[name]("float64")
    plain = net.compile(unroll=1)
    params, state = plain.init(run_key())
    run = plain.run(params, state, STEPS)
    sim = net.compile(unroll=unroll)
    if unroll == 4:
        agree(run, sim.run(params, state, STEPS))
    else:
        # The host loop writes the steps out in its own way: 150 is no multiple of 8.
        after, rows = sim.chunk(160)(params, state, STEPS)
        agree(run[0], replace(after, tables=state.tables))
        np.testing.assert_array_equal(rows["spikes"]["spikes"][:STEPS], run[1]["spikes"].packed)


def test_samples_of_a_slower_monitor_are_complete():
    """Every 5 steps, beginning in the middle of such an interval, and for no multiple of it."""
    cell = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
    trace = snn.StateMonitor(cell, "v", record=True, dt=0.5 * ms)
    net = snn.Network(cell, trace)
    sim = net.compile()
    params, state = sim.init(0)
    for start, steps, expected in ((0, 12, [0, 5, 10]), (0, 3, [0]), (3, 12, [5, 10]), (5, 6, [5, 10]), (6, 4, [])):
        begun, _ = sim.run(params, state, start)
        _, record = sim.run(params, begun, steps)
        np.testing.assert_allclose(record[trace.name]["v"][:, 0], np.array(expected) * 0.1, atol=1e-6)


def test_durations():
    sim = NETWORKS["delayed"]("float32").compile()
    params, state = sim.init(0)
    by_time, record = sim.run(params, state, 5 * ms)
    by_steps, same = sim.run(params, state, 50)
    agree((by_time, record), (by_steps, same))
    assert int(by_time.step) == 50
    none, record = sim.run(params, state, 0 * ms)
    agree(none, state)
    assert record["spikes"].packed.shape[0] == 0
    for wrong in (0.15 * ms, -1 * ms, 5.0, True, "5*ms"):
        with pytest.raises((snn.errors.NetworkError, snn.errors.DimensionError)):
            sim.run(params, state, wrong)
